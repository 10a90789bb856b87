//! Packages: links below `Packages/`, and primary, filelists and other written at the same time from one stream of units
//! (pulp2/rpm-publish#tree, pulp2/rpm-metadata#packages).

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::outline::Outline;
use pith_content::publish::PublishContext;
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Algorithm, RelativePath, UnitId};

use super::checksums::Learned;
use super::chunks::{Chunk, Cutter, Placed};
use super::known::Known;
use super::names::{self, Names};
use super::output::Written;
use super::predecessor::Predecessor;
use super::recount::recounted;
use super::repeated::{Aside, Files, Repeated};
use super::steps::{Step, Steps};
use super::texts::{Texts, entry, text};
use super::writers::{Rendered, Writers};
use crate::metadata::members::Key;
use crate::metadata::package_file::without_entries;
use crate::metadata::primary::{self, published_path};
use crate::metadata::snippet;
use crate::parts::{FILELISTS, OTHER, PRIMARY};
use crate::type_ids::{ERRATUM, RPM, SRPM};

/// The fields that the paths of packages need.
const PATH: &[&str] = &["filename"];
/// The fields of [`PATH`], and what advisories name packages by.
const PATH_AND_NAME: &[&str] = &["filename", "name", "epoch", "version", "release", "arch"];
/// The fields of [`PATH_AND_NAME`], and what tells apart files that agree in all of that.
const IDENTITY: &[&str] = &[
    "filename",
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "checksum",
    "checksumtype",
    "checksums",
];
/// Packages that are read at once, or a chunk more.
const READ: usize = 256;
/// The most packages with taken file names that wait until all file names are known. Only repositories that mean harm have more
/// of them: those are published below their ids.
const ASIDE: usize = 100_000;

/// Publishes packages; returns the three documents, and which packages there are when there are advisories.
///
/// # Errors
/// RPM1008, a failing disk, or what the context fails with.
pub async fn publish(
    ctx: &dyn PublishContext,
    steps: &Steps,
    algorithm: Algorithm,
    predecessor: Predecessor,
) -> Result<(Vec<Written>, Known), ContentError> {
    let count = ctx.count(RPM).await? + ctx.count(SRPM).await?;
    steps.begin(Step::Rpms, count);
    let mut run = Run {
        ctx,
        steps,
        algorithm,
        known: (ctx.count(ERRATUM).await? > 0).then(Known::default),
        names: Names::default(),
        files: Files::default(),
        aside: Vec::new(),
        repeated: Repeated::default(),
        learned: Learned::default(),
    };
    let (published, mut written) = run.documents(count, predecessor).await?;
    let repeated = run.repeated.count();
    // The documents begin with the number of packages.
    if published + repeated == count && repeated > 0 {
        written = recounted(ctx, written, published, algorithm).await?;
    } else if published != count {
        return Err(ContentError::other(format!(
            "the repository has {published} packages now and had {count} a moment ago: it was changed while it was \
             published; publish it again"
        )));
    }
    steps.note(Step::Rpms, [run.names.report(), run.repeated.report()]);
    steps.finish(Step::Rpms);
    Ok((written, run.known.unwrap_or_default()))
}

struct Run<'a> {
    ctx: &'a dyn PublishContext,
    steps: &'a Steps,
    algorithm: Algorithm,
    /// `None` when nobody asks.
    known: Option<Known>,
    names: Names,
    files: Files,
    /// Packages whose file names were taken, or that are published already.
    aside: Vec<Aside>,
    repeated: Repeated,
    learned: Learned,
}

impl Run<'_> {
    /// Writes documents that begin with `count`; answers how many packages they have.
    async fn documents(
        &mut self,
        count: u64,
        predecessor: Predecessor,
    ) -> Result<(u64, Vec<Written>), ContentError> {
        let writers = Writers::start(self.ctx, self.algorithm, count, predecessor.documents)?;
        let mut feed = Feed {
            old: predecessor.chunks,
            writers,
            published: 0,
            pending: Vec::new(),
        };
        for type_id in [RPM, SRPM] {
            self.stream(type_id, &mut feed).await?;
        }
        for type_id in [RPM, SRPM] {
            self.place_aside(type_id, &mut feed).await?;
        }
        let written = feed.writers.finish().await?;
        Ok((feed.published, written))
    }

    /// Sends one type's packages in the order of their file names. Those whose names are taken, and those that may be
    /// published already, wait aside.
    async fn stream(&mut self, type_id: &'static str, feed: &mut Feed) -> Result<(), ContentError> {
        let fields = if self.known.is_some() && type_id == RPM {
            PATH_AND_NAME
        } else {
            PATH
        };
        let mut stream = self.ctx.outlines(type_id, fields).await?;
        let mut cutter = Cutter::new(self.algorithm);
        // Packages with one file name come one after the other.
        let mut equals: Vec<Outline> = Vec::new();
        while let Some(units) = stream.try_next().await? {
            let arrived = units.len() as u64;
            for unit in units {
                let before = equals.first().map(|before| before.doc.text("filename"));
                let is_equal = before.map(|before| before == unit.doc.text("filename"));
                if is_equal == Some(false) {
                    self.settle(type_id, &mut equals, &mut cutter, feed).await?;
                } else if is_equal.is_some() && equals.len() + self.aside.len() >= ASIDE {
                    let path = self.names.of_id(unit.id, &unit.doc.text("filename"))?;
                    let placed = (unit, path, true);
                    self.place(type_id, placed, &mut cutter, feed).await?;
                    continue;
                }
                equals.push(unit);
            }
            self.steps.advance(Step::Rpms, arrived);
            self.ctx.progress(self.steps.report());
        }
        self.settle(type_id, &mut equals, &mut cutter, feed).await?;
        if let Some(chunk) = cutter.end() {
            self.chunk(type_id, chunk, feed).await?;
        }
        self.write(type_id, feed).await
    }

    /// Sends, of packages with one file name, the one that gets the name, and leaves the others aside.
    async fn settle(
        &mut self,
        type_id: &'static str,
        equals: &mut Vec<Outline>,
        cutter: &mut Cutter,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        let equals = std::mem::take(equals);
        if equals.len() < 2 {
            return self.give_name(type_id, equals, cutter, feed).await;
        }
        let equals = equals.into_iter().map(|unit| unit.with_doc(())).collect();
        let mut equals = self.identified(type_id, equals).await?;
        equals.sort_by(names::by_right);
        self.give_name(type_id, equals, cutter, feed).await
    }

    /// Sends the first of packages with one file name, unless the name is taken, and leaves the others aside.
    async fn give_name<D: Texts>(
        &mut self,
        type_id: &'static str,
        equals: Vec<RepoUnit<D>>,
        cutter: &mut Cutter,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        let mut equals = equals.into_iter();
        let Some(first) = equals.next() else {
            return Ok(());
        };
        let file = first.doc.text("filename").into_owned();
        let like = self.files.like(&first, &file);
        let like = like.filter(|_| self.aside.len() < ASIDE);
        let own = match like {
            None => self.names.own(published_path(&file))?,
            Some(_) => None,
        };
        let like = like.unwrap_or(first.id);
        let aside = |unit: RepoUnit<D>| Aside {
            type_id,
            unit: unit.with_doc(()),
            like,
        };
        let Some(path) = own else {
            self.aside
                .extend(std::iter::once(first).chain(equals).map(aside));
            return Ok(());
        };
        self.aside.extend(equals.map(aside));
        self.files.published(&first, &file);
        self.place(type_id, (first, path, false), cutter, feed)
            .await
    }

    /// Reads these packages with what tells them apart.
    async fn identified(
        &self,
        type_id: &'static str,
        units: Vec<RepoUnit<()>>,
    ) -> Result<Vec<RepoUnit>, ContentError> {
        let mut identified = Vec::with_capacity(units.len());
        for batch in units.chunks(READ) {
            let select = Select {
                fields: Some(IDENTITY),
                ..Select::all(type_id)
            };
            let ids: Vec<UnitId> = batch.iter().map(|unit| unit.id).collect();
            let mut whole = self.ctx.pick(select, &ids).await?.into_iter();
            for unit in batch {
                let identity = whole.next().filter(|whole| whole.id == unit.id);
                let doc = identity.ok_or_else(|| lost(unit.id))?.doc;
                identified.push(unit.clone().with_doc(doc));
            }
        }
        Ok(identified)
    }

    /// The path at which a package is published, and whether that is another place than its file name says.
    fn path(&mut self, unit: &RepoUnit) -> Result<(RelativePath, bool), ContentError> {
        let own = self.names.own(published_path(text(unit, "filename")))?;
        match own {
            Some(path) => Ok((path, false)),
            None => Ok((self.names.of_package(unit)?, true)),
        }
    }

    /// Sends the packages of one type that were left aside: all file names are given away now. Those that are published
    /// already are left out.
    async fn place_aside(
        &mut self,
        type_id: &'static str,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        let aside = std::mem::take(&mut self.aside);
        let (own, others): (Vec<_>, Vec<_>) =
            aside.into_iter().partition(|one| one.type_id == type_id);
        self.aside = others;
        let likes: HashMap<UnitId, UnitId> =
            own.iter().map(|one| (one.unit.id, one.like)).collect();
        let own = own.into_iter().map(|one| one.unit).collect();
        let mut own = self.identified(type_id, own).await?;
        own.sort_by(names::by_arrival);
        let mut cutter = Cutter::new(self.algorithm);
        for batch in own.chunks(READ) {
            let like = |unit: &RepoUnit| likes.get(&unit.id).copied();
            self.note_published(type_id, batch.iter().filter_map(like).collect())
                .await?;
            for unit in batch {
                let like = like(unit).filter(|like| *like != unit.id);
                if let Some(like) = like
                    && self.is_repeated(like, unit).await?
                {
                    continue;
                }
                let (path, moved) = self.path(unit)?;
                let placed = (unit.clone(), path, moved);
                self.place(type_id, placed, &mut cutter, feed).await?;
            }
        }
        if let Some(chunk) = cutter.end() {
            self.chunk(type_id, chunk, feed).await?;
        }
        self.write(type_id, feed).await
    }

    /// Notes published packages that others may be the same as.
    async fn note_published(
        &mut self,
        type_id: &'static str,
        mut likes: Vec<UnitId>,
    ) -> Result<(), ContentError> {
        likes.sort_unstable();
        likes.dedup();
        likes.retain(|like| self.repeated.is_new(*like));
        let select = Select {
            fields: Some(IDENTITY),
            ..Select::all(type_id)
        };
        for unit in self.ctx.pick(select, &likes).await? {
            self.is_repeated(unit.id, &unit).await?;
        }
        Ok(())
    }

    /// Tells whether a package is the same as one noted for `like` before; notes it otherwise.
    async fn is_repeated(&mut self, like: UnitId, unit: &RepoUnit) -> Result<bool, ContentError> {
        let checksum = self
            .learned
            .checksum(self.ctx, unit, self.algorithm)
            .await?;
        Ok(!self.repeated.note(like, unit, &checksum))
    }

    /// Publishes a package at its path and sends the chunk that it completes.
    async fn place<D: Texts>(
        &mut self,
        type_id: &'static str,
        placed: (RepoUnit<D>, RelativePath, bool),
        cutter: &mut Cutter,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        match self.package(type_id, placed, cutter).await? {
            Some(chunk) => self.chunk(type_id, chunk, feed).await,
            None => Ok(()),
        }
    }

    /// Publishes a package at its path; answers the chunk that it completes.
    async fn package<D: Texts>(
        &mut self,
        type_id: &'static str,
        (unit, path, moved): (RepoUnit<D>, RelativePath, bool),
        cutter: &mut Cutter,
    ) -> Result<Option<Chunk>, ContentError> {
        if let Some(known) = self.known.as_mut().filter(|_| type_id == RPM) {
            known.insert(&unit.doc);
        }
        self.ctx
            .add(path.clone(), entry(&unit), unit.updated)
            .await?;
        let moved = moved.then_some(path);
        let unit = unit.with_doc(());
        Ok(cutter.push(Placed { unit, moved }))
    }

    /// Takes a chunk over, or sees to it that it is written.
    async fn chunk(
        &mut self,
        type_id: &'static str,
        chunk: Chunk,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        feed.published += chunk.packages.len() as u64;
        if feed.old.contains(&chunk.key) {
            self.write(type_id, feed).await?;
            feed.writers.take_over(chunk.key).await;
            return Ok(());
        }
        let packages = chunk.packages.into_iter();
        let packages = packages.map(|package| (package.unit.id, package.moved));
        feed.pending.push((chunk.key, packages.collect()));
        let waiting = feed.pending.iter().map(|(_, packages)| packages.len());
        if waiting.sum::<usize>() >= READ {
            self.write(type_id, feed).await?;
        }
        Ok(())
    }

    /// Reads the packages of the chunks that wait, and sends them.
    async fn write(&mut self, type_id: &'static str, feed: &mut Feed) -> Result<(), ContentError> {
        let pending = std::mem::take(&mut feed.pending);
        let all = pending.iter().flat_map(|(_, packages)| packages);
        let ids: Vec<UnitId> = all.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let select = Select {
            fields: Some(&["filename", "checksum", "checksumtype", "checksums"]),
            parts: &[FILELISTS, OTHER, PRIMARY],
            ..Select::all(type_id)
        };
        let mut units = self.ctx.pick(select, &ids).await?.into_iter();
        for (key, placed) in pending {
            let mut packages = Vec::with_capacity(placed.len());
            for (id, moved) in placed {
                let unit = units.next().filter(|unit| unit.id == id);
                let unit = unit.ok_or_else(|| lost(id))?;
                packages.push(self.render(type_id, unit, moved.as_ref()).await?);
            }
            feed.writers.write(key, packages).await?;
        }
        self.learned.keep(self.ctx, type_id).await
    }

    async fn render(
        &mut self,
        type_id: &'static str,
        mut unit: RepoUnit,
        moved: Option<&RelativePath>,
    ) -> Result<Rendered, ContentError> {
        let learned = &mut self.learned;
        let checksum = learned.checksum(self.ctx, &unit, self.algorithm).await?;
        let mut parts = std::mem::take(&mut unit.parts).into_iter();
        let mut part = || parts.next().flatten();
        let (filelists, other, primary) = (part(), part(), part());
        let mut primary = primary.ok_or_else(|| lost(unit.id))?;
        let (filelists, other) = match (filelists, other) {
            (Some(filelists), Some(other)) => (filelists, other),
            (filelists, other) => {
                let nothing = self.without_entries(type_id, unit.id).await?;
                let or_nothing = |part: Option<Bytes>| part.unwrap_or_else(|| nothing.clone());
                (or_nothing(filelists), or_nothing(other))
            }
        };
        if let Some(path) = moved {
            let template = snippet::unpack(&primary)?;
            let template = primary::moved(&template, text(&unit, "filename"), path);
            primary = template.ok_or_else(|| lost(unit.id))?.into();
        }
        Ok(Rendered {
            checksum,
            snippets: [filelists, other, primary],
        })
    }
}

impl Run<'_> {
    /// Returns what filelists or other say of a package of which nobody knows the files or the changes.
    async fn without_entries(
        &self,
        type_id: &'static str,
        id: UnitId,
    ) -> Result<Bytes, ContentError> {
        let select = Select {
            fields: Some(IDENTITY),
            ..Select::all(type_id)
        };
        let picked = self.ctx.pick(select, &[id]).await?;
        let unit = picked.first().ok_or_else(|| lost(id))?;
        let nevra = ["name", "epoch", "version", "release", "arch"].map(|field| text(unit, field));
        Ok(without_entries(nevra).into())
    }
}

fn lost(id: UnitId) -> ContentError {
    ContentError::other(format!(
        "the package {id} lost its metadata; sync its repository with force_full"
    ))
}

/// A package's id, and its path when it was moved.
type Member = (UnitId, Option<RelativePath>);

/// The chunks of a type on their way to the writers.
struct Feed {
    /// The keys of what can be taken over.
    old: HashSet<Key>,
    writers: Writers,
    published: u64,
    /// Chunks to be read and written.
    pending: Vec<(Key, Vec<Member>)>,
}
