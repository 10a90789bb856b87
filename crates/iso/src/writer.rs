//! Writing an image from its front to its end.

use std::io::{self, Write};

use crate::layout::{FIRST, Hierarchy, Image, line_length};
use crate::{SECTOR, descriptor};

impl Image {
    /// Writes the image. `content` writes the file of a place in [`Image::files`], each once and in order.
    ///
    /// # Errors
    /// When something cannot be written, or a file has another size than was planned.
    pub fn write<W: Write>(
        &self,
        out: &mut W,
        mut content: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = Counted { out, count: 0 };
        out.fill(FIRST)?;
        out.write_all(&descriptor::volume(self, &self.primary))?;
        out.write_all(&descriptor::volume(self, &self.joliet))?;
        out.write_all(&descriptor::end())?;
        for hierarchy in [&self.primary, &self.joliet] {
            for is_big in [false, true] {
                out.write_all(&table(self, hierarchy, is_big))?;
                out.end_sector()?;
            }
        }
        for hierarchy in [&self.primary, &self.joliet] {
            for id in &hierarchy.order {
                let written = hierarchy.folder(*id, &self.folders, (&self.files, &self.starts));
                out.write_all(&written.records)?;
                out.write_all(&written.continued)?;
                out.end_sector()?;
            }
        }
        for (place, file) in self.files.iter().enumerate() {
            let before = out.count;
            content(place, &mut out)?;
            let size = out.count - before;
            if size != file.size {
                let path = &file.path;
                let planned = file.size;
                let text = format!("'{path}' has {size} bytes and should have {planned}");
                return Err(io::Error::other(text));
            }
            out.end_sector()?;
        }
        out.flush()
    }
}

/// The table of paths, with numbers in one byte order.
fn table(image: &Image, hierarchy: &Hierarchy, is_big: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hierarchy.table as usize);
    for id in &hierarchy.order {
        let identifier = &hierarchy.identifiers[*id];
        let end = bytes.len() + line_length(identifier);
        let sector = hierarchy.starts[*id];
        let parent = hierarchy.numbers[image.folders[*id].parent];
        bytes.push(u8::try_from(identifier.len()).unwrap_or(u8::MAX));
        bytes.push(0);
        match is_big {
            true => {
                bytes.extend(sector.to_be_bytes());
                bytes.extend(parent.to_be_bytes());
            }
            false => {
                bytes.extend(sector.to_le_bytes());
                bytes.extend(parent.to_le_bytes());
            }
        }
        bytes.extend_from_slice(identifier);
        bytes.resize(end, 0);
    }
    bytes
}

/// A writer that knows how much was written.
struct Counted<'a, W> {
    out: &'a mut W,
    count: u64,
}

impl<W: Write> Counted<'_, W> {
    fn fill(&mut self, sectors: u64) -> io::Result<()> {
        for _ in 0..sectors {
            self.write_all(&[0; SECTOR as usize])?;
        }
        Ok(())
    }

    /// Fills a sector up that was begun.
    fn end_sector(&mut self) -> io::Result<()> {
        let rest = self.count.next_multiple_of(SECTOR) - self.count;
        io::copy(&mut io::Read::take(io::repeat(0), rest), self).map(drop)
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
