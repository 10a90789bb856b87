//! Steps of the file system that fail on purpose, in tests.

use std::io;
use std::path::Path;

/// A step that touches `path` is about to be taken; in tests it may fail instead.
#[cfg(not(test))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "in tests it may fail, and callers are the same"
)]
pub(crate) fn step(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes bytes; in tests some of them may be written before it fails.
pub(crate) fn write_all(file: &mut dyn io::Write, bytes: &[u8], path: &Path) -> io::Result<()> {
    if let Err(error) = step(path) {
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(error);
    }
    file.write_all(bytes)
}

#[cfg(test)]
pub(crate) use tests::step;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use parking_lot::Mutex;
    use pith_core::Sha256;
    use rustix::io::Errno;

    use super::*;
    use crate::{Blobs, StorageUrl};

    /// The plans in force: the folder below which a step fails, how many steps go well before it, and the failure.
    static PLANS: Mutex<Vec<(PathBuf, usize, Errno)>> = Mutex::new(Vec::new());

    pub(crate) fn step(path: &Path) -> io::Result<()> {
        let mut plans = PLANS.lock();
        let Some(at) = plans.iter().position(|(root, ..)| path.starts_with(root)) else {
            return Ok(());
        };
        let (_, left, error) = &mut plans[at];
        if let Some(rest) = left.checked_sub(1) {
            *left = rest;
            return Ok(());
        }
        let error = *error;
        plans.remove(at);
        Err(error.into())
    }

    /// Stores one small and one large blob and flushes them; `true` when all of it was acknowledged.
    async fn store(blobs: &Blobs, contents: &[Vec<u8>]) -> bool {
        for bytes in contents {
            let mut writer = blobs.writer(&[]);
            if writer.write(bytes).await.is_err() || writer.finish().await.is_err() {
                return false;
            }
        }
        blobs.durable().await.is_ok()
    }

    async fn open(folder: &Path) -> Blobs {
        let url = StorageUrl::default_in(folder);
        Blobs::open(&url, folder).await.unwrap()
    }

    /// Each blob as it is found; `None` for one that is not there.
    async fn found(blobs: &Blobs, contents: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        for bytes in contents {
            let digest = Sha256::of(bytes);
            // Not `contains`, which for a moment after a flush that failed relies on nothing.
            let read = blobs.read_all(digest, 1 << 20).await;
            found.push(read.ok().map(|bytes| bytes.to_vec()));
        }
        found
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whichever_step_fails_what_is_found_is_whole_and_what_was_acknowledged_is_found() {
        let contents = [b"small".to_vec(), vec![7; 600_000]];
        for error in [Errno::NOSPC, Errno::IO] {
            let mut steps = 0;
            loop {
                let folder = tempfile::tempdir().unwrap();
                let blobs = open(folder.path()).await;
                let plan = (folder.path().to_owned(), steps, error);
                PLANS.lock().push(plan);
                let acknowledged = store(&blobs, &contents).await;
                let all = PLANS.lock().iter().all(|(root, ..)| root != folder.path());
                PLANS.lock().retain(|(root, ..)| root != folder.path());
                assert_eq!(acknowledged, !all, "step {steps}");
                for blobs in [&blobs, &open(folder.path()).await] {
                    let found = found(blobs, &contents).await;
                    for (found, whole) in found.iter().zip(&contents) {
                        assert!(found.is_none() || found.as_ref() == Some(whole));
                        assert!(found.is_some() || !acknowledged, "step {steps}");
                    }
                    // The same again, on a disk that works.
                    assert!(store(blobs, &contents).await, "step {steps}");
                    assert_eq!(
                        self::found(blobs, &contents).await,
                        contents.clone().map(Some)
                    );
                }
                let spool = std::fs::read_dir(crate::paths::spool(blobs.local_root().unwrap()));
                assert_eq!(spool.unwrap().count(), 0, "step {steps}");
                if acknowledged {
                    assert!(steps > 8, "only {steps} steps can fail");
                    break;
                }
                steps += 1;
            }
        }
    }
}
