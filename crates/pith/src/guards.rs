//! Who may read what is published: the settings of the server, and the guards of mounts (reference: platform-api §13.3).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use parking_lot::Mutex;
use pith_core::{RelativePath, Sha256};
use pith_engine::Engine;
use pith_trust::{Guard, RevocationLists};

/// The time between two looks at the file of revocation lists.
const LOOK: Duration = Duration::from_secs(2);
/// Bytes of that file: each guard has what it says in memory.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Settings of the server about clients of published content.
#[derive(Debug, Clone, Args)]
pub(crate) struct GuardOptions {
    /// Keep published content to clients with a certificate where a repository names authorities (`auth_ca`,
    /// `ssl_auth_ca_cert`); `false` serves it to everybody
    #[arg(
        long,
        env = "PITH_REPO_AUTH",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub(crate) repo_auth: bool,
    /// Authorities of the clients of every repository that names none of its own, in PEM form [default: none, everybody may read
    /// those]
    #[arg(long, env = "PITH_REPO_AUTH_CA", value_name = "FILE")]
    pub(crate) repo_auth_ca: Option<PathBuf>,
    /// Lists of what authorities of clients have revoked, in PEM form; read again when the file changes
    #[arg(long, env = "PITH_REPO_AUTH_CRL", value_name = "FILE")]
    pub(crate) repo_auth_crl: Option<PathBuf>,
    /// Folders of published content below which the paths in clients' certificates begin; what is guarded elsewhere nobody reads
    #[arg(
        long,
        env = "PITH_REPO_AUTH_PREFIXES",
        value_name = "PATH,…",
        value_delimiter = ',',
        value_parser = prefix,
        default_value = "/pulp/repos,/pulp/isos"
    )]
    pub(crate) repo_auth_prefixes: Vec<RelativePath>,
}

/// Reads the path of a folder of published content.
fn prefix(text: &str) -> Result<RelativePath, String> {
    RelativePath::new(text.trim_matches('/')).map_err(|error| error.to_string())
}

impl GuardOptions {
    /// Returns what is wrong with options that would count for nothing; `None` for nothing.
    pub(crate) fn idle(&self) -> Option<&'static str> {
        let files = self.repo_auth_ca.is_some() || self.repo_auth_crl.is_some();
        (files && !self.repo_auth).then_some(
            "--repo-auth-ca and --repo-auth-crl are for --repo-auth, which is off; leave it on",
        )
    }
}

/// The guards of mounts, made once for each set of authorities.
pub(crate) struct Guards {
    enabled: bool,
    prefixes: Vec<RelativePath>,
    /// The authorities for repositories that name none.
    authorities: Option<String>,
    revocations: Option<Arc<Revocations>>,
    made: Mutex<Made>,
}

/// The file of revocation lists.
struct Revocations {
    path: PathBuf,
    seen: Mutex<Option<State>>,
}

/// The marks by which a file is known to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    modified: Option<SystemTime>,
    size: u64,
}

/// Everything that was made of one state of the revocation lists.
#[derive(Debug, Default, Clone)]
pub(crate) struct Made {
    enabled: bool,
    /// Grows with each state.
    number: u64,
    lists: RevocationLists,
    general: Option<Arc<Guard>>,
    named: HashMap<Sha256, Arc<Guard>>,
}

impl Made {
    /// The guard of a mount whose repository names these authorities, or none.
    pub(crate) fn of_mount(&self, named: Option<Sha256>) -> Option<Arc<Guard>> {
        if !self.enabled {
            return None;
        }
        match named {
            // One that is not here was changed meanwhile: the next look, which is due, finds the other.
            Some(named) => {
                let known = self.named.get(&named).cloned();
                Some(known.unwrap_or_else(|| Arc::new(Guard::closed())))
            }
            None => self.general.clone(),
        }
    }
}

impl Guards {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// When one cannot be read, or holds something else.
    pub(crate) fn open(options: &GuardOptions) -> anyhow::Result<Self> {
        if let Some(wrong) = options.idle() {
            anyhow::bail!(wrong);
        }
        let revocations = options.repo_auth_crl.clone().map(|path| {
            let seen = Mutex::new(None);
            Arc::new(Revocations { path, seen })
        });
        let read = |path: &PathBuf| text_of(path, "--repo-auth-ca");
        let this = Self {
            enabled: options.repo_auth,
            prefixes: options.repo_auth_prefixes.clone(),
            authorities: options.repo_auth_ca.as_ref().map(read).transpose()?,
            revocations,
            made: Mutex::default(),
        };
        let lists = match &this.revocations {
            Some(revocations) => revocations.read()?,
            None => RevocationLists::default(),
        };
        *this.made.lock() = this.made_with(lists)?;
        Ok(this)
    }

    /// The folders below which the paths in certificates begin.
    pub(crate) fn prefixes(&self) -> &[RelativePath] {
        &self.prefixes
    }

    fn made_with(&self, lists: RevocationLists) -> anyhow::Result<Made> {
        let guard = |text: &String| Guard::new(text, &lists).map(Arc::new);
        let general = self.authorities.as_ref().map(guard).transpose();
        Ok(Made {
            enabled: self.enabled,
            number: self.made.lock().number + 1,
            general: general.context("cannot use --repo-auth-ca with --repo-auth-crl")?,
            named: HashMap::new(),
            lists,
        })
    }

    /// The guards of these digests; those that were made before are the same, and others are forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn of(
        &self,
        engine: &Engine,
        named: HashSet<Sha256>,
    ) -> pith_store::Result<Made> {
        let mut made = self.made.lock().clone();
        made.named.retain(|known, _| named.contains(known));
        for digest in named.into_iter().filter(|_| self.enabled) {
            if made.named.contains_key(&digest) {
                continue;
            }
            let Some(authorities) = engine.guard_authorities(digest).await? else {
                continue;
            };
            let guard = Guard::new(&authorities, &made.lists).unwrap_or_else(|error| {
                tracing::error!(%error, guard = %digest, "the authorities of a repository cannot be used: nobody may read it");
                Guard::closed()
            });
            made.named.insert(digest, Arc::new(guard));
        }
        let mut kept = self.made.lock();
        // Those of other lists are of no use any more; the mounts are read again soon.
        if kept.number == made.number {
            kept.named.clone_from(&made.named);
        }
        drop(kept);
        Ok(made)
    }

    /// Returns when the revocation lists are others, which then count for all guards that are made from now on.
    pub(crate) async fn revocations_changed(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(revocations) = &self.revocations else {
                continue;
            };
            let state = state_of(&revocations.path);
            if *revocations.seen.lock() == state {
                continue;
            }
            let reading = Arc::clone(revocations);
            let read = tokio::task::spawn_blocking(move || reading.read()).await;
            let read = read.context("the reader failed").flatten();
            match read.and_then(|lists| self.made_with(lists)) {
                Ok(made) => {
                    *self.made.lock() = made;
                    return;
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "the revocation lists stay as they were");
                }
            }
        }
    }
}

impl Revocations {
    fn read(&self) -> anyhow::Result<RevocationLists> {
        // Before the bytes: what is written meanwhile is seen at the next look.
        *self.seen.lock() = state_of(&self.path);
        let shown = self.path.display();
        let size = std::fs::metadata(&self.path).map_or(0, |found| found.len());
        anyhow::ensure!(
            size <= MOST_BYTES,
            "'{shown}' has more than {MOST_BYTES} bytes; give a smaller file for --repo-auth-crl"
        );
        let text = text_of(&self.path, "--repo-auth-crl")?;
        let lists = RevocationLists::from_pem(&text)
            .with_context(|| format!("cannot use '{shown}' for --repo-auth-crl"))?;
        anyhow::ensure!(
            !lists.is_empty(),
            "'{shown}' holds no revocation list in PEM form; give such a file for --repo-auth-crl"
        );
        Ok(lists)
    }
}

fn state_of(path: &Path) -> Option<State> {
    let found = std::fs::metadata(path).ok()?;
    Some(State {
        modified: found.modified().ok(),
        size: found.len(),
    })
}

fn text_of(path: &Path, option: &str) -> anyhow::Result<String> {
    let shown = path.display();
    std::fs::read_to_string(path).with_context(|| format!("cannot use '{shown}' for {option}"))
}
