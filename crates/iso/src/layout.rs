//! The plan of an image: the sector of everything.

use jiff::Timestamp;

use crate::names::{Flavor, Namer};
use crate::record::{self, LONGEST, Record};
use crate::tree::{self, Folder, FolderId, Node};
use crate::{Error, File, SECTOR, sectors, susp};

/// The sector of the first descriptor; what is before belongs to the system that starts from the disc.
pub(crate) const FIRST: u64 = 16;
/// Two descriptors and the end of them.
const DESCRIPTORS: u64 = 3;
/// The most bytes of a piece of a file: a whole number of sectors whose size a record can tell.
const PIECE: u64 = (u32::MAX as u64) / SECTOR * SECTOR;

/// An image that is planned and not yet written.
#[derive(Debug)]
pub struct Image {
    pub(crate) volume: String,
    pub(crate) made: Timestamp,
    pub(crate) files: Vec<File>,
    pub(crate) folders: Vec<Folder>,
    pub(crate) primary: Hierarchy,
    pub(crate) joliet: Hierarchy,
    /// The sector of each file.
    pub(crate) starts: Vec<u32>,
    pub(crate) sectors: u32,
}

/// The folders in the form of one flavor.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    pub(crate) flavor: Flavor,
    /// The folders in the order of the table of paths.
    pub(crate) order: Vec<FolderId>,
    /// The number of each folder in that table, from 1.
    pub(crate) numbers: Vec<u16>,
    /// The name of each folder.
    pub(crate) identifiers: Vec<Vec<u8>>,
    /// The things in each folder.
    members: Vec<Vec<Member>>,
    /// The first sector of each folder.
    pub(crate) starts: Vec<u32>,
    /// The size of the records of each folder in bytes: a whole number of sectors.
    pub(crate) sizes: Vec<u32>,
    /// The bytes of the table of paths.
    pub(crate) table: u32,
    /// The first sectors of the table, in each byte order.
    pub(crate) tables: [u32; 2],
}

/// Something in a folder, with its name in the flavor.
#[derive(Debug)]
struct Member {
    identifier: Vec<u8>,
    name: String,
    node: Node,
}

/// A folder as it stands in an image.
pub(crate) struct Written {
    /// Its records.
    pub(crate) records: Vec<u8>,
    /// Entries that did not fit into them.
    pub(crate) continued: Vec<u8>,
}

impl Image {
    /// Plans an image of these files, called `volume`, with times of the moment when it was made.
    ///
    /// # Errors
    /// When they make no image: see [`Error`].
    pub fn plan(volume: &str, files: Vec<File>, made: Timestamp) -> Result<Self, Error> {
        let folders = tree::grow(&files)?;
        let mut primary = Hierarchy::of(Flavor::Primary, &folders)?;
        let mut joliet = Hierarchy::of(Flavor::Joliet, &folders)?;
        let mut next = Sectors(FIRST + DESCRIPTORS);
        for hierarchy in [&mut primary, &mut joliet] {
            let size = u64::from(hierarchy.table);
            for table in &mut hierarchy.tables {
                *table = next.take(size)?;
            }
        }
        let starts = vec![0; files.len()];
        for hierarchy in [&mut primary, &mut joliet] {
            hierarchy.place(&folders, (&files, &starts), &mut next)?;
        }
        let starts = files.iter().map(|file| next.take(file.size));
        let starts = starts.collect::<Result<_, _>>()?;
        Ok(Self {
            volume: volume.to_owned(),
            made,
            sectors: u32::try_from(next.0).map_err(|_| Error::TooManySectors)?,
            files,
            folders,
            primary,
            joliet,
            starts,
        })
    }

    /// The size of the image in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::from(self.sectors) * SECTOR
    }

    /// The files, in the order in which they are written.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }
}

/// The sectors that are given away.
struct Sectors(u64);

impl Sectors {
    fn take(&mut self, bytes: u64) -> Result<u32, Error> {
        let first = u32::try_from(self.0).map_err(|_| Error::TooManySectors)?;
        let next = self.0.checked_add(sectors(bytes));
        self.0 = next.ok_or(Error::TooManySectors)?;
        Ok(first)
    }
}

/// The pieces of a file: first sector and size of each, and whether the file goes on. One that is empty has one piece.
fn pieces(start: u32, size: u64) -> impl Iterator<Item = (u32, u32, bool)> {
    let count = size.div_ceil(PIECE).max(1);
    (0..count).map(move |at| {
        let before = at * PIECE;
        let sector = u64::from(start) + before / SECTOR;
        // Both were counted when the image was planned.
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        (
            narrow(sector),
            narrow((size - before).min(PIECE)),
            at + 1 < count,
        )
    })
}

impl Hierarchy {
    fn of(flavor: Flavor, folders: &[Folder]) -> Result<Self, Error> {
        let mut identifiers = vec![Vec::new(); folders.len()];
        identifiers[0] = vec![0];
        let mut members: Vec<Vec<Member>> = Vec::with_capacity(folders.len());
        for folder in folders {
            let mut namer = Namer::new(flavor);
            let named = folder.nodes.iter().map(|(name, node)| {
                let is_folder = matches!(node, Node::Folder(_));
                let identifier = namer.identifier(name, is_folder);
                if let Node::Folder(id) = node {
                    identifiers[*id].clone_from(&identifier);
                }
                Member {
                    identifier,
                    name: name.clone(),
                    node: *node,
                }
            });
            let mut named: Vec<Member> = named.collect();
            named.sort_by(|a, b| a.identifier.cmp(&b.identifier));
            members.push(named);
        }
        let order = by_level(&members);
        let mut numbers = vec![0; folders.len()];
        for (id, number) in order.iter().zip(1_usize..) {
            numbers[*id] = u16::try_from(number).map_err(|_| Error::TooManyFolders)?;
        }
        let table: usize = identifiers.iter().map(|name| line_length(name)).sum();
        Ok(Self {
            flavor,
            order,
            numbers,
            identifiers,
            members,
            starts: vec![0; folders.len()],
            sizes: vec![0; folders.len()],
            table: u32::try_from(table).map_err(|_| Error::TooManyFolders)?,
            tables: [0; 2],
        })
    }

    /// Gives each folder its sectors: the sizes of records do not depend on where things are.
    fn place(
        &mut self,
        folders: &[Folder],
        files: (&[File], &[u32]),
        next: &mut Sectors,
    ) -> Result<(), Error> {
        for id in self.order.clone() {
            let written = self.folder(id, folders, files);
            let size = u32::try_from(written.records.len());
            self.sizes[id] = size.map_err(|_| Error::TooManySectors)?;
            self.starts[id] = next.take(written.records.len() as u64)?;
            next.take(written.continued.len() as u64)?;
        }
        Ok(())
    }

    /// A folder as it stands in an image. `files` are all files, and the sector of each.
    pub(crate) fn folder(
        &self,
        id: FolderId,
        folders: &[Folder],
        (files, starts): (&[File], &[u32]),
    ) -> Written {
        let mut pen = Pen {
            written: Written {
                records: Vec::new(),
                continued: Vec::new(),
            },
            beyond: self.starts[id] + self.sizes[id] / SECTOR as u32,
            is_posix: self.flavor == Flavor::Primary,
        };
        pen.folder(self, folders, (id, &[0]), Dot::Own);
        pen.folder(self, folders, (folders[id].parent, &[1]), Dot::Parent);
        for member in &self.members[id] {
            match member.node {
                Node::Folder(at) => {
                    let dot = Dot::Named(&member.name);
                    pen.folder(self, folders, (at, &member.identifier), dot);
                }
                Node::File(at) => {
                    for (sector, size, goes_on) in pieces(starts[at], files[at].size) {
                        let record = Record {
                            identifier: &member.identifier,
                            sector,
                            size,
                            modified: files[at].modified,
                            is_folder: false,
                            goes_on,
                            beside: &[],
                        };
                        let facts = susp::facts(None, files[at].modified);
                        pen.record(record, facts, &susp::name(&member.name));
                    }
                }
            }
        }
        let whole = pen.written.records.len().next_multiple_of(SECTOR as usize);
        pen.written.records.resize(whole, 0);
        pen.written
    }
}

/// The name under which a folder stands in a record.
#[derive(Clone, Copy)]
enum Dot<'a> {
    /// `.`
    Own,
    /// `..`
    Parent,
    /// Its name, in the folder above.
    Named(&'a str),
}

/// Writes the records of one folder.
struct Pen {
    written: Written,
    /// The first sector behind the records.
    beyond: u32,
    /// Is true when records have entries of Rock Ridge beside them.
    is_posix: bool,
}

impl Pen {
    fn folder(
        &mut self,
        all: &Hierarchy,
        folders: &[Folder],
        (id, identifier): (FolderId, &[u8]),
        dot: Dot<'_>,
    ) {
        let folder = &folders[id];
        let record = Record {
            identifier,
            sector: all.starts[id],
            size: all.sizes[id],
            modified: folder.modified,
            is_folder: true,
            goes_on: false,
            beside: &[],
        };
        let facts = susp::facts(Some(folder.folders()), folder.modified);
        match dot {
            Dot::Own if id == 0 => {
                let facts = [susp::first(), facts].concat();
                // It is long: it always goes behind the records.
                self.record(record, facts, &susp::extension());
            }
            Dot::Own | Dot::Parent => self.record(record, facts, &[]),
            Dot::Named(name) => self.record(record, facts, &susp::name(name)),
        }
    }

    /// Writes a record with entries beside it, of which `last` may go behind the records.
    fn record(&mut self, record: Record<'_>, mut beside: Vec<u8>, last: &[u8]) {
        if !self.is_posix {
            beside.clear();
        } else if record::length(record.identifier, beside.len() + last.len()) <= LONGEST {
            beside.extend_from_slice(last);
        } else {
            beside.extend(self.set_behind(last));
        }
        let beside = beside.as_slice();
        let bytes = Record { beside, ..record }.bytes();
        pad_to_fit(&mut self.written.records, bytes.len());
        self.written.records.extend(bytes);
    }

    /// Puts entries behind the records; the entry that leads there.
    fn set_behind(&mut self, entries: &[u8]) -> Vec<u8> {
        let continued = &mut self.written.continued;
        pad_to_fit(continued, entries.len());
        let at = continued.len();
        continued.extend_from_slice(entries);
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let sector = self.beyond + narrow(at / SECTOR as usize);
        susp::continued(sector, narrow(at % SECTOR as usize), narrow(entries.len()))
    }
}

/// Fills a sector up into which so many bytes do not fit any more.
fn pad_to_fit(bytes: &mut Vec<u8>, more: usize) {
    let sector = SECTOR as usize;
    if bytes.len() % sector + more > sector {
        bytes.resize(bytes.len().next_multiple_of(sector), 0);
    }
}

/// The folders level by level, those of one parent beside each other.
fn by_level(members: &[Vec<Member>]) -> Vec<FolderId> {
    let mut order = vec![0];
    let mut at = 0;
    while let Some(id) = order.get(at).copied() {
        at += 1;
        let folders = members[id].iter().filter_map(|member| match member.node {
            Node::Folder(id) => Some(id),
            Node::File(_) => None,
        });
        order.extend(folders);
    }
    order
}

/// The bytes of a folder's line in the table of paths.
pub(crate) fn line_length(identifier: &[u8]) -> usize {
    (8 + identifier.len()).next_multiple_of(2)
}
