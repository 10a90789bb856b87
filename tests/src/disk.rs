//! A small disk of one's own, to be filled.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::tools::{is_root, run};

/// A file system in memory, mounted for as long as the value lives. Whoever uses it must be gone before.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts `mebibytes` at `folder`, which is made. `None` where nothing may be mounted: without root on a laptop.
    ///
    /// # Errors
    /// When mounting fails although it must not: as root, or in CI.
    pub fn mount(folder: &Path, mebibytes: u64) -> anyhow::Result<Option<Self>> {
        if !is_root() {
            if std::env::var_os("CI").is_some() {
                bail!("the tests of full disks need root to mount a small one");
            }
            eprintln!("SKIPPED: a small disk can only be mounted as root");
            return Ok(None);
        }
        fs::create_dir_all(folder)?;
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "pith-test"])
            .arg(folder);
        run(&mut mount).context("a small disk cannot be mounted")?;
        let folder = folder.to_owned();
        Ok(Some(Self { folder }))
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("fill")
    }

    /// Fills the disk until `left` bytes or less are free.
    ///
    /// # Errors
    /// When it cannot be written to for another reason than being full.
    pub fn fill(&self, left: usize) -> anyhow::Result<()> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.filler())?;
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![0; size];
            // A short write fills the last page.
            while file.write(&piece).is_ok_and(|written| written > 0) {}
        }
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(left as u64))?;
        Ok(())
    }

    /// Takes away what fills it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut umount = Command::new("umount");
        let _ = umount.arg("-l").arg(&self.folder).output();
        // The folder around it could not be removed while this was mounted.
        if let Some(around) = self.folder.parent() {
            let _ = fs::remove_dir_all(around);
        }
    }
}
