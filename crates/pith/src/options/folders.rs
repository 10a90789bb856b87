//! Folders of this machine that feeds and exports may use: none unless the operator says so.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

/// Folders that others may name.
#[derive(Debug, Clone, Args)]
pub(crate) struct FolderOptions {
    /// Folder of this machine below which `file://` feeds may be; may be given several times. The server's own files are none,
    /// wherever they lie [default: no folder]
    #[arg(
        long,
        env = "PITH_ALLOW_FILE_FEEDS",
        value_name = "DIR,…",
        value_delimiter = ','
    )]
    pub(crate) allow_file_feeds: Vec<PathBuf>,
    /// Folder of this machine below which exports may be written (`export_dir`); may be given several times. It must be there,
    /// and must not hold the server's own files [default: no folder]
    #[arg(
        long,
        env = "PITH_ALLOW_EXPORTS_TO",
        value_name = "DIR,…",
        value_delimiter = ','
    )]
    pub(crate) allow_exports_to: Vec<PathBuf>,
    /// Folder of this machine whose files rsync distributors may name as ssh keys (`ssh_identity_file`); may be given several
    /// times. It must be there, and must not hold the server's own files [default: no folder]
    #[arg(
        long,
        env = "PITH_ALLOW_SSH_KEYS",
        value_name = "DIR,…",
        value_delimiter = ','
    )]
    pub(crate) allow_ssh_keys: Vec<PathBuf>,
    /// File with the keys of machines that repositories may be sent to, as ssh writes it. A machine that is not in it is refused
    /// [default: `known_hosts` in the data folder, where each is noted when it is first sent to; with PostgreSQL none is]
    #[arg(long, env = "PITH_SSH_KNOWN_HOSTS", value_name = "FILE")]
    pub(crate) ssh_known_hosts: Option<PathBuf>,
}

impl FolderOptions {
    /// Makes sure that the folders are there.
    ///
    /// # Errors
    /// When one is not, or is no folder.
    pub(crate) fn require(&self) -> anyhow::Result<()> {
        require("--allow-file-feeds", &self.allow_file_feeds)?;
        require("--allow-exports-to", &self.allow_exports_to)?;
        require("--allow-ssh-keys", &self.allow_ssh_keys)?;
        let Some(known) = &self.ssh_known_hosts else {
            return Ok(());
        };
        let found = std::fs::File::open(known);
        found.map(drop).with_context(|| {
            let shown = known.display();
            format!("cannot read '{shown}' for --ssh-known-hosts")
        })
    }
}

fn require(option: &str, folders: &[PathBuf]) -> anyhow::Result<()> {
    for folder in folders {
        let shown = folder.display();
        let found = std::fs::metadata(folder)
            .with_context(|| format!("cannot use '{shown}' for {option}"))?;
        anyhow::ensure!(
            found.is_dir(),
            "{option} takes folders, and '{shown}' is none"
        );
    }
    Ok(())
}
