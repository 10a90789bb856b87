//! Blobs in a folder.
//!
//! No file is flushed on its own; [`LocalStore::durable`] flushes the file system once per batch. So after a power cut a
//! file may have its name but not its bytes, and the rule that existing blobs are not rewritten must not trust it. What
//! can be trusted: files older than the last flush that succeeded (the time of the `durable` file), and files younger
//! than this process (a process that runs has lost nothing). Anything in between is written again when it comes again.
//! Times are those of the file system, read from files just created, so the machine's clock plays no part.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::stream::{self, BoxStream, StreamExt as _};
use parking_lot::RwLock;
use pith_core::Sha256;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use tempfile::TempPath;

use crate::error::blocking;
use crate::folders::{mark, require_mark, within};
use crate::writer::Body;
use crate::{Error, Listed, Result, faults, paths};

/// The time for which writes that are under way while a flush fails are in doubt.
const FLUSH: Duration = Duration::from_secs(1);

pub(crate) struct LocalStore {
    root: PathBuf,
    spool: PathBuf,
    opened: SystemTime,
    /// Files older than this are on disk.
    flushed: RwLock<SystemTime>,
    /// Files of this time may have lost bytes in a flush that failed: the system does not write those again.
    doubtful: RwLock<Option<Range<SystemTime>>>,
}

impl LocalStore {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let spool = paths::spool(root);
        let uploads = paths::uploads(root);
        for folder in [&spool, &uploads] {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        mark(root)?;
        let stamp = paths::durable_stamp(root);
        let flushed = match fs::metadata(&stamp).and_then(|metadata| metadata.modified()) {
            Ok(time) => time,
            Err(error) if error.kind() == io::ErrorKind::NotFound => SystemTime::UNIX_EPOCH,
            Err(error) => return Err(Error::io("read", &stamp)(error)),
        };
        let opened = file_system_now(&spool).map_err(Error::io("create a file in", &spool))?;
        Ok(Self {
            root: root.to_owned(),
            spool,
            opened,
            flushed: RwLock::new(flushed),
            doubtful: RwLock::default(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn spool(&self) -> &Path {
        &self.spool
    }

    pub(crate) fn path(&self, sha256: &Sha256) -> PathBuf {
        self.root.join(paths::blob(sha256))
    }

    /// Returns what the file system says about a blob, `None` when it is missing.
    pub(crate) fn metadata(&self, sha256: &Sha256) -> Result<Option<Metadata>> {
        let path = self.path(sha256);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                require_mark(&self.root).map(|()| None)
            }
            Err(error) => Err(Error::io("look at", &path)(error)),
        }
    }

    /// Tells whether a file may be relied on without reading it.
    pub(crate) fn is_trusted(&self, metadata: &Metadata) -> bool {
        let doubtful = self.doubtful.read();
        metadata.modified().is_ok_and(|written| {
            let doubted = doubtful
                .as_ref()
                .is_some_and(|range| range.contains(&written));
            !doubted && (written >= self.opened || written < *self.flushed.read())
        })
    }

    /// Tells whether the blob is there already, and makes it young again for garbage collection.
    fn reuse(&self, sha256: &Sha256, size: u64) -> Result<bool> {
        let usable = |metadata: &Metadata| metadata.len() == size && self.is_trusted(metadata);
        if !self.metadata(sha256)?.as_ref().is_some_and(usable) {
            return Ok(false);
        }
        // The time of last access: that of last change says what a power cut may have taken.
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let keep = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: keep,
        };
        let path = self.path(sha256);
        match rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::io("touch", &path)(error.into())),
        }
    }

    /// Gives finished bytes their name.
    pub(crate) fn place(&self, sha256: &Sha256, size: u64, body: Body) -> Result<()> {
        if self.reuse(sha256, size)? {
            return Ok(());
        }
        let file = match body {
            Body::Memory(bytes) => {
                let mut file = self.temporary()?;
                let path = file.path().to_owned();
                faults::write_all(&mut file, &bytes, &path).map_err(Error::io("write", &path))?;
                file.into_temp_path()
            }
            Body::File(file) => file.into_temp_path(),
        };
        self.rename(file, &self.path(sha256))
    }

    fn temporary(&self) -> Result<tempfile::NamedTempFile> {
        let (root, spool) = (&self.root, &self.spool);
        faults::step(spool).map_err(Error::io("create a file in", spool))?;
        within(Some(root), spool, "create a file in", || {
            tempfile::NamedTempFile::new_in(spool)
        })
    }

    fn rename(&self, file: TempPath, target: &Path) -> Result<()> {
        faults::step(target).map_err(Error::io("rename a file to", target))?;
        let missing = match file.persist(target) {
            Ok(()) => return Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::NotFound => error.path,
            Err(error) => return Err(Error::io("rename a file to", target)(error.error)),
        };
        require_mark(&self.root)?;
        make_parent(target)?;
        missing
            .persist(target)
            .map_err(|error| Error::io("rename a file to", target)(error.error))
    }

    pub(crate) fn durable(&self) -> Result<()> {
        // What another disk took in, mounted in the place of the store's, is not to be relied on.
        require_mark(&self.root)?;
        // Created before the flush, so everything older than it is in the flush.
        let stamp = self.temporary()?;
        let before = modified(stamp.as_file(), stamp.path())?;
        let root = File::open(&self.root).map_err(Error::io("open", &self.root))?;
        let flushed = faults::step(&self.root).and_then(|()| Ok(rustix::fs::syncfs(&root)?));
        if let Err(error) = flushed {
            self.doubt(before);
            return Err(Error::io("flush", &self.root)(error));
        }
        let target = paths::durable_stamp(&self.root);
        faults::step(&target).map_err(Error::io("rename a file to", &target))?;
        stamp
            .persist(&target)
            .map_err(|error| Error::io("rename a file to", &target)(error.error))?;
        let mut flushed = self.flushed.write();
        *flushed = before.max(*flushed);
        Ok(())
    }

    /// Trusts nothing that was written between the last flush that worked and now: `before` is the time of the file system
    /// when the flush that failed began.
    fn doubt(&self, before: SystemTime) {
        let now = file_system_now(&self.spool).unwrap_or(before + FLUSH);
        let mut doubtful = self.doubtful.write();
        let from = match &*doubtful {
            Some(range) => range.start,
            None => *self.flushed.read(),
        };
        *doubtful = Some(from..now.max(before) + FLUSH);
    }

    pub(crate) fn delete(&self, sha256: &Sha256) -> Result<bool> {
        let path = self.path(sha256);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                require_mark(&self.root).map(|()| false)
            }
            Err(error) => Err(Error::io("remove", &path)(error)),
        }
    }

    /// Every blob: one blocking hop for each of the 256 first-level folders.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed>> {
        let root = self.root.clone();
        let folders = stream::iter(0..=u8::MAX);
        let lists = folders.then(move |first| {
            let folder = root.join(hex::encode([first]));
            let store = root.clone();
            blocking(move || {
                require_mark(&store)?;
                let mut found = Vec::new();
                for second in entries(&folder)? {
                    for file in entries(&second.path())? {
                        found.extend(listed(&file)?);
                    }
                }
                Ok(found)
            })
        });
        lists
            .flat_map(|list| match list {
                Ok(found) => stream::iter(found).map(Ok).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }
}

fn make_parent(target: &Path) -> Result<()> {
    let parent = target.parent().unwrap_or(target);
    faults::step(parent)
        .and_then(|()| fs::create_dir_all(parent))
        .map_err(Error::io("create", parent))
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder).and_then(Iterator::collect) {
        Ok(entries) => Ok(entries),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::io("list", folder)(error)),
    }
}

fn listed(file: &fs::DirEntry) -> Result<Option<Listed>> {
    // Strangers' files are none of our business.
    let Some(sha256) = file
        .file_name()
        .to_str()
        .and_then(|name| name.parse::<Sha256>().ok())
    else {
        return Ok(None);
    };
    match file.metadata() {
        Ok(metadata) => {
            let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let used = metadata
                .accessed()
                .map_or(written, |accessed| accessed.max(written));
            Ok(Some(Listed {
                sha256,
                size: metadata.len(),
                used,
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", &file.path())(error)),
    }
}

fn modified(file: &File, path: &Path) -> Result<SystemTime> {
    file.metadata()
        .and_then(|metadata| metadata.modified())
        .map_err(Error::io("look at", path))
}

/// Returns what the file system takes for the present time.
pub(crate) fn file_system_now(folder: &Path) -> io::Result<SystemTime> {
    let probe = tempfile::NamedTempFile::new_in(folder)?;
    probe.as_file().metadata()?.modified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(store: &LocalStore, bytes: &[u8]) -> PathBuf {
        let sha256 = Sha256::of(bytes);
        store
            .place(&sha256, bytes.len() as u64, Body::Memory(bytes.to_vec()))
            .unwrap();
        store.path(&sha256)
    }

    fn age(path: &Path, by: u64) {
        let file = File::options().write(true).open(path).unwrap();
        let time =
            file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(by);
        file.set_modified(time).unwrap();
    }

    #[test]
    fn a_file_that_a_power_cut_may_have_torn_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let torn = put(&LocalStore::open(folder.path()).unwrap(), b"whole");
        fs::write(&torn, b"\0\0\0\0\0").unwrap();
        age(&torn, 60);
        let after = LocalStore::open(folder.path()).unwrap();
        assert!(!after.is_trusted(&fs::metadata(&torn).unwrap()));
        put(&after, b"whole");
        assert_eq!(fs::read(&torn).unwrap(), b"whole");
        assert!(after.is_trusted(&fs::metadata(&torn).unwrap()));
    }

    #[test]
    fn a_file_that_was_flushed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        let kept = put(&store, b"whole");
        age(&kept, 60);
        store.durable().unwrap();
        let written = fs::metadata(&kept).unwrap().modified().unwrap();
        let after = LocalStore::open(folder.path()).unwrap();
        assert!(after.is_trusted(&fs::metadata(&kept).unwrap()));
        put(&after, b"whole");
        assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn what_a_failed_flush_may_have_lost_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        let flushed = put(&store, b"flushed");
        age(&flushed, 60);
        store.durable().unwrap();
        let lost = put(&store, b"lost");
        let written = fs::metadata(&lost).unwrap().modified().unwrap();
        store.doubt(written);
        assert!(!store.is_trusted(&fs::metadata(&lost).unwrap()));
        assert!(store.is_trusted(&fs::metadata(&flushed).unwrap()));
        // A later flush that works writes nothing of it again.
        store.durable().unwrap();
        assert!(!store.is_trusted(&fs::metadata(&lost).unwrap()));
    }

    #[test]
    fn folders_that_are_gone_are_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        let first = put(&store, b"first");
        fs::remove_dir_all(store.spool()).unwrap();
        fs::remove_dir_all(first.parent().unwrap()).unwrap();
        for bytes in [b"first".as_slice(), b"after"] {
            let path = put(&store, bytes);
            store.durable().unwrap();
            assert_eq!(fs::read(path).unwrap(), bytes);
        }
    }

    /// Makes sure that every call says that the disk of a store is not there.
    fn assert_away(store: &LocalStore, known: &Sha256) {
        let new = Sha256::of(b"new");
        let refused = [
            store.place(&new, 3, Body::Memory(b"new".to_vec())).err(),
            store.durable().err(),
            store.metadata(known).err(),
            store.delete(known).err(),
            crate::read::open(store.root(), *known).err(),
        ];
        for refused in refused {
            let refused = refused.unwrap();
            assert!(refused.is_away() && !refused.is_lost(), "{refused}");
            let text = refused.to_string();
            assert!(text.contains("mount its disk again"), "{text}");
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a disk that goes away and comes back"
    )]
    fn a_disk_that_is_not_mounted_gets_nothing_in_its_place_and_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let (root, away) = (folder.path().join("disk"), folder.path().join("away"));
        let store = LocalStore::open(&root).unwrap();
        let kept = put(&store, b"kept");
        let known = Sha256::of(b"kept");
        // A folder in a disk that is gone, and the folder that a disk is mounted at.
        for mounted_at in [false, true] {
            fs::rename(&root, &away).unwrap();
            if mounted_at {
                fs::create_dir(&root).unwrap();
            }
            assert_away(&store, &known);
            assert_eq!(root.exists(), mounted_at);
            if mounted_at {
                assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
                fs::remove_dir(&root).unwrap();
            }
            fs::rename(&away, &root).unwrap();
            put(&store, b"new");
            store.durable().unwrap();
            assert_eq!(fs::read(&kept).unwrap(), b"kept");
        }
    }

    #[test]
    fn another_disk_in_the_place_of_the_right_one_is_not_relied_on() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("disk");
        let store = LocalStore::open(&root).unwrap();
        let path = put(&store, b"kept");
        fs::remove_file(path).unwrap();
        fs::remove_file(paths::mark(&root)).unwrap();
        // All the folders that work needs are there.
        assert_away(&store, &Sha256::of(b"kept"));
    }

    #[test]
    fn a_folder_is_bare_until_a_store_was_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("disk");
        let url = crate::StorageUrl::Local(root.clone());
        assert!(url.is_bare().unwrap());
        fs::create_dir_all(root.join("lost+found")).unwrap();
        fs::create_dir_all(paths::spool(&root)).unwrap();
        assert!(url.is_bare().unwrap());
        LocalStore::open(&root).unwrap();
        assert!(!url.is_bare().unwrap());
        // As versions before the mark leave it.
        fs::remove_file(paths::mark(&root)).unwrap();
        assert!(url.is_bare().unwrap());
        let store = LocalStore::open(&root).unwrap();
        put(&store, b"blob");
        fs::remove_file(paths::mark(&root)).unwrap();
        assert!(!url.is_bare().unwrap());
        let adopted = LocalStore::open(&root).unwrap();
        put(&adopted, b"more");
        adopted.durable().unwrap();
    }

    #[test]
    fn a_file_of_another_size_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        let path = put(&store, b"whole");
        fs::write(&path, b"").unwrap();
        put(&store, b"whole");
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
}
