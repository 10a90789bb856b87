//! Room on the disk: how much there is, what is kept in reserve, and what is given up when there is none.
//!
//! A full disk must not be the end: deleting, the ends of tasks and the database's own log need a little room too. So what
//! adds is refused while some room is left (the [`Reserve`]), and what takes away works in what is kept. Others may fill the
//! same disk; for that there is a [`Ballast`], a file beside the database that is removed when nothing else is left.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::{Error, Result, Space};

const MIB: u64 = 1 << 20;

/// The part of each file system that is kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// A twentieth of it, at least 4 MiB and at most 1 GiB.
    Share,
    /// A number of bytes; 0 for none.
    Bytes(u64),
}

impl Reserve {
    /// Tells whether nothing is kept free.
    #[must_use]
    pub fn is_off(self) -> bool {
        self == Self::Bytes(0)
    }

    /// The reserve of a file system of this size, in bytes.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Share => (total / 20).clamp(4 * MIB, 1024 * MIB).min(total / 4),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The room that is left where pith writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// A folder on the file system that is meant.
    pub folder: PathBuf,
    /// Its room.
    pub space: Space,
    /// The bytes of it that are kept in reserve.
    pub reserve: u64,
}

impl Left {
    /// Tells whether what adds is refused.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.space.free < self.reserve
    }

    /// Tells whether even the reserve is nearly used up.
    #[must_use]
    pub fn is_lowest(&self) -> bool {
        self.space.free < self.reserve / 4
    }
}

impl From<Left> for Error {
    fn from(left: Left) -> Self {
        Self::Full {
            folder: left.folder.display().to_string(),
            free: left.space.free,
            reserve: left.reserve,
        }
    }
}

/// The file systems that are watched.
#[derive(Debug, Clone)]
pub struct Room {
    folders: Vec<PathBuf>,
    reserve: Reserve,
}

impl Room {
    /// Watches the file systems of these folders.
    #[must_use]
    pub fn new(reserve: Reserve, folders: Vec<PathBuf>) -> Self {
        Self { folders, reserve }
    }

    /// The file system that is nearest to its reserve; `None` without a reserve, and when none can be asked.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        if self.reserve.is_off() {
            return None;
        }
        let all = self.folders.iter().filter_map(|folder| {
            // One that does not answer now says so when it is written to.
            let space = space(folder).ok()?;
            Some(Left {
                folder: folder.clone(),
                space,
                reserve: self.reserve.of(space.total),
            })
        });
        all.min_by_key(|left| i128::from(left.space.free) - i128::from(left.reserve))
    }

    /// The room on the file system of each folder; `None` for one that does not answer.
    #[must_use]
    pub fn spaces(&self) -> Vec<Option<Space>> {
        let folders = self.folders.iter();
        folders.map(|folder| space(folder).ok()).collect()
    }

    /// Makes sure that there is more than the reserve.
    ///
    /// # Errors
    /// [`Error::Full`] when there is not.
    pub fn require(&self) -> Result<()> {
        match self.left().filter(Left::is_low) {
            Some(left) => Err(left.into()),
            None => Ok(()),
        }
    }
}

/// The room of a file system, as it tells.
pub(crate) fn space(folder: &Path) -> Result<Space> {
    let stat = rustix::fs::statvfs(folder)
        .map_err(|error| Error::io("ask for room in", folder)(error.into()))?;
    Ok(Space {
        free: stat.f_bavail * stat.f_frsize,
        total: stat.f_blocks * stat.f_frsize,
    })
}

/// A file that only takes room, to be given up when there is no other.
#[derive(Debug, Clone)]
pub struct Ballast {
    path: PathBuf,
    reserve: Reserve,
}

impl Ballast {
    /// The ballast in `folder`; it need not be there yet.
    #[must_use]
    pub fn new(folder: &Path, reserve: Reserve) -> Self {
        let path = folder.join("ballast");
        Self { path, reserve }
    }

    /// Gives the room back; whether there was any.
    pub fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Takes the room, when there is plenty of it or the file is there already; false when there is too little.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn take(&self) -> Result<bool> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let space = space(folder)?;
        let reserve = self.reserve.of(space.total);
        // Less than the reserve: what is given up is not for those who add.
        let size = (reserve / 2).min(16 * MIB);
        if fs::metadata(&self.path).is_ok_and(|there| there.len() == size) {
            return Ok(true);
        }
        // Taken only where what adds is not refused because of it.
        if size == 0 || space.free < reserve + 2 * size {
            return Ok(false);
        }
        let taken = File::create(&self.path)
            .and_then(|file| Ok(fallocate(file, FallocateFlags::empty(), 0, size)?));
        match taken {
            Ok(()) => Ok(true),
            // Not every file system can set room aside.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.give_up();
                Ok(true)
            }
            Err(error) => {
                self.give_up();
                Err(Error::io("set room aside in", &self.path)(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_a_share_within_bounds_or_what_was_asked_for() {
        let share = |total: u64| Reserve::Share.of(total);
        assert_eq!(share(100 * 1024 * MIB), 1024 * MIB);
        assert_eq!(share(1000 * MIB), 50 * MIB);
        assert_eq!(share(40 * MIB), 4 * MIB);
        assert_eq!(share(8 * MIB), 2 * MIB);
        assert_eq!(Reserve::Bytes(7).of(1000), 7);
        assert!(Reserve::Bytes(0).is_off() && !Reserve::Share.is_off());
    }

    #[test]
    fn what_adds_is_refused_below_the_reserve_and_the_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |reserve| Room::new(reserve, vec![folder.path().to_owned()]);
        at(Reserve::Bytes(1)).require().unwrap();
        at(Reserve::Bytes(0)).require().unwrap();
        let refused = at(Reserve::Bytes(u64::MAX)).require().unwrap_err();
        assert!(refused.is_full());
        let text = refused.to_string();
        assert!(text.contains("is full"), "{text}");
        assert!(text.contains("--reserve"), "{text}");
    }

    #[test]
    fn ballast_takes_room_once_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(folder.path(), Reserve::Bytes(MIB));
        assert!(ballast.take().unwrap());
        assert!(ballast.take().unwrap());
        let file = folder.path().join("ballast");
        assert_eq!(fs::metadata(&file).unwrap().len(), MIB / 2);
        assert!(ballast.give_up());
        assert!(!ballast.give_up());
        let none = Ballast::new(folder.path(), Reserve::Bytes(0));
        assert!(!none.take().unwrap());
        assert!(!file.exists());
    }
}
