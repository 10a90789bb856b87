//! An open folder: everything in it is reached by one name at a time, and no symbolic link is followed.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self as sys, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// The rights of a folder in a tree.
const FOLDER: Mode = Mode::from_raw_mode(0o755);
/// The rights of a file in a tree.
const FILE: Mode = Mode::from_raw_mode(0o644);

/// An open folder.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    /// Its path, for messages.
    shown: PathBuf,
}

impl Dir {
    /// Opens a folder by its path.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fd = sys::open(path, Self::flags(), Mode::empty());
        let fd = fd.map_err(|error| Error::io("open", path)(error.into()))?;
        let shown = path.to_owned();
        Ok(Self { fd, shown })
    }

    fn flags() -> OFlags {
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
    }

    /// Makes an error of what the system said about `name` in here.
    fn failed(&self, verb: &'static str, name: &str) -> impl FnOnce(Errno) -> Error + use<> {
        let path = self.shown.join(name);
        move |error| Error::io(verb, &path)(error.into())
    }

    /// The path, for messages.
    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// The same folder, opened once more.
    pub(super) fn again(&self) -> Result<Self> {
        let fd = self.fd.try_clone();
        Ok(Self {
            fd: fd.map_err(Error::io("open", &self.shown))?,
            shown: self.shown.clone(),
        })
    }

    /// The folder at a path below, made where it is missing; the empty path is the folder itself.
    pub(super) fn descend(&self, path: &str) -> Result<Self> {
        let mut folder = self.again()?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = folder.make(name)?;
        }
        Ok(folder)
    }

    /// Device and number of the folder.
    pub(super) fn number(&self) -> Result<(u64, u64)> {
        let found = sys::fstat(&self.fd).map_err(self.failed("look at", ""))?;
        Ok((found.st_dev, found.st_ino))
    }

    /// The folder `name`, when there is one. A symbolic link is none.
    pub(super) fn find(&self, name: &str) -> Result<Option<Self>> {
        match sys::openat(&self.fd, name, Self::flags(), Mode::empty()) {
            Ok(fd) => Ok(Some(Self {
                fd,
                shown: self.shown.join(name),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("open", name)(error)),
        }
    }

    /// The folder `name`, made where it is missing.
    pub(super) fn make(&self, name: &str) -> Result<Self> {
        match sys::mkdirat(&self.fd, name, FOLDER) {
            Ok(()) => {
                let made = self.find(name)?.ok_or(Errno::NOENT);
                let made = made.map_err(self.failed("open", name))?;
                // Whatever the process takes away from others by default.
                sys::fchmod(&made.fd, FOLDER).map_err(self.failed("open to others", name))?;
                Ok(made)
            }
            Err(Errno::EXIST) => {
                let found = self.find(name)?.ok_or(Errno::NOENT);
                found.map_err(self.failed("open", name))
            }
            Err(error) => Err(self.failed("create", name)(error)),
        }
    }

    /// A new file `name`, which everybody may read.
    pub(super) fn create(&self, name: &str) -> Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = sys::openat(&self.fd, name, flags, FILE).map_err(self.failed("create", name))?;
        sys::fchmod(&fd, FILE).map_err(self.failed("open to others", name))?;
        Ok(fd.into())
    }

    /// Gives an open file the further name `name`. False where the file system cannot.
    pub(super) fn link(&self, file: &File, name: &str) -> bool {
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = AtFlags::SYMLINK_FOLLOW;
        sys::linkat(sys::CWD, from.as_str(), &self.fd, name, flags).is_ok()
    }

    /// A new symbolic link `name` to a path.
    pub(super) fn symlink(&self, name: &str, to: &str) -> Result<()> {
        sys::symlinkat(to, &self.fd, name).map_err(self.failed("create", name))
    }

    /// The first bytes of the file `name`, when there is one.
    pub(super) fn head(&self, name: &str) -> Result<Option<Vec<u8>>> {
        use std::io::Read as _;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match sys::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.failed("open", name)(error)),
        };
        let mut head = Vec::new();
        let read = File::from(fd).take(4096).read_to_end(&mut head);
        read.map_err(Error::io("read", &self.shown.join(name)))?;
        Ok(Some(head))
    }

    /// Writes the file `name`, in the place of one that is there.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let aside = format!(".{name}.pith");
        self.remove_file(&aside)?;
        let mut file = self.create(&aside)?;
        let written = file.write_all(bytes);
        written.map_err(Error::io("write", &self.shown.join(name)))?;
        let renamed = sys::renameat(&self.fd, aside.as_str(), &self.fd, name);
        renamed.map_err(self.failed("write", name))
    }

    fn remove_file(&self, name: &str) -> Result<()> {
        match sys::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }

    /// Removes the folder `name` with all that is in it; nothing when there is none.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match std::fs::remove_dir_all(self.through(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.shown.join(name))(error))
            }
            _ => Ok(()),
        }
    }

    /// A path of `name` that begins at the open folder, wherever that is now.
    fn through(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()))
    }

    /// The names in here, and whether each is a folder.
    pub(super) fn list(&self) -> Result<Vec<(String, bool)>> {
        let failed = || Error::io("list", &self.shown);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.through("")).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let is_folder = entry.file_type().map_err(failed())?.is_dir();
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((name, is_folder));
        }
        Ok(found)
    }

    /// Writes everything on the file system of the folder to its disk.
    pub(super) fn sync(&self) -> Result<()> {
        sys::syncfs(&self.fd).map_err(self.failed("write back", ""))
    }

    /// Puts the folder `name` of here into `to`, where there is no such folder.
    pub(super) fn put(&self, name: &str, to: &Self) -> Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match sys::renameat_with(&self.fd, name, &to.fd, name, flags) {
            Err(error) if is_unknown(error) => {
                let renamed = sys::renameat(&self.fd, name, &to.fd, name);
                renamed.map_err(to.failed("write", name))
            }
            renamed => renamed.map_err(to.failed("write", name)),
        }
    }

    /// Exchanges the folder `name` of here and that of `other`, in one step where the file system can do that.
    pub(super) fn exchange(&self, name: &str, other: &Self) -> Result<()> {
        let flags = RenameFlags::EXCHANGE;
        match sys::renameat_with(&self.fd, name, &other.fd, name, flags) {
            Err(error) if is_unknown(error) => {
                let aside = format!(".{name}.before");
                let away = sys::renameat(&other.fd, name, &self.fd, aside.as_str());
                away.map_err(other.failed("replace", name))?;
                let put = sys::renameat(&self.fd, name, &other.fd, name);
                put.map_err(|error| {
                    // The old one goes back: better that than none.
                    let _ = sys::renameat(&self.fd, aside.as_str(), &other.fd, name);
                    other.failed("replace", name)(error)
                })
            }
            exchanged => exchanged.map_err(other.failed("replace", name)),
        }
    }
}

/// Tells whether the file system does not know a way to rename.
fn is_unknown(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}
