//! The guards of published content: the settings of the server, and the guards of mounts (pulp2/serving#guards).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use parking_lot::Mutex;
use pith_core::{RelativePath, Sha256};
use pith_engine::Engine;
use pith_serve::MountGuard;
use pith_trust::{Guard, RevocationLists};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The time between two looks at the file of revocation lists.
const LOOK: Duration = Duration::from_secs(2);
/// Bytes of that file.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// Kilobytes in memory for all guards that repositories name.
const MOST_MEMORY: usize = 128 * 1024;
/// The part of what is left that one guard may take.
const PART: usize = 16;

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
    /// [default: those of all content types, /pulp/repos and /pulp/isos]
    #[arg(
        long,
        env = "PITH_REPO_AUTH_PREFIXES",
        value_name = "PATH,…",
        value_delimiter = ',',
        value_parser = prefix
    )]
    pub(crate) repo_auth_prefixes: Option<Vec<RelativePath>>,
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
    prefixes: Option<Vec<RelativePath>>,
    /// The authorities for repositories that name none.
    authorities: Option<String>,
    revocations: Option<Arc<Revocations>>,
    made: Mutex<Made>,
    /// The right to make one: it takes time, and reads much at once.
    making: Arc<Semaphore>,
    memory: Arc<Semaphore>,
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
    lists: RevocationLists,
    general: Option<Arc<MountGuard>>,
    named: HashMap<Sha256, Arc<Named>>,
}

/// The guard that repositories name.
#[derive(Debug)]
struct Named {
    guard: Arc<MountGuard>,
    lists: RevocationLists,
    /// The memory that it has; without any when there was none left.
    room: OnceLock<Arc<OwnedSemaphorePermit>>,
}

impl Named {
    fn pending(named: Sha256, lists: RevocationLists) -> Self {
        Self {
            guard: Arc::new(MountGuard::pending(named)),
            lists,
            room: OnceLock::new(),
        }
    }

    /// The same with other lists; not yet made if it is not.
    fn with_revoked(&self, lists: &RevocationLists) -> Self {
        let named = self.guard.named;
        let Some((guard, room)) = self.guard.get().zip(self.room.get()) else {
            return Self::pending(named, lists.clone());
        };
        Self {
            guard: Arc::new(MountGuard::new(named, guard.with_revoked(lists))),
            lists: lists.clone(),
            room: OnceLock::from(Arc::clone(room)),
        }
    }

    /// Tells whether it is closed for want of memory.
    fn was_given_up(&self) -> bool {
        self.guard.get().is_some() && self.room.get().is_none()
    }
}

impl Made {
    /// The guard of a mount whose repository names these authorities, or none.
    pub(crate) fn of_mount(&self, named: Option<Sha256>) -> Option<Arc<MountGuard>> {
        if !self.enabled {
            return None;
        }
        match named {
            Some(named) => {
                let known = self.named.get(&named).map(|known| Arc::clone(&known.guard));
                Some(known.unwrap_or_else(|| Arc::new(MountGuard::pending(named))))
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
            making: Arc::new(Semaphore::new(1)),
            memory: Arc::new(Semaphore::new(MOST_MEMORY)),
        };
        let lists = match &this.revocations {
            Some(revocations) => revocations.read()?,
            None => RevocationLists::default(),
        };
        *this.made.lock() = this.made_with(lists)?;
        Ok(this)
    }

    /// The folders below which the paths in certificates begin, where the settings say that.
    pub(crate) fn prefixes(&self) -> Option<&[RelativePath]> {
        self.prefixes.as_deref()
    }

    fn made_with(&self, lists: RevocationLists) -> anyhow::Result<Made> {
        let before = self.made.lock().clone();
        let general = match (&self.authorities, &before.general) {
            (Some(_), Some(guard)) => guard.get().map(|guard| guard.with_revoked(&lists)),
            (Some(text), None) => {
                Some(Guard::new(text, &lists).context("cannot use --repo-auth-ca")?)
            }
            (None, _) => None,
        };
        let digest = Sha256::of(self.authorities.as_deref().unwrap_or_default().as_bytes());
        let again = |named: &Arc<Named>| Arc::new(named.with_revoked(&lists));
        Ok(Made {
            enabled: self.enabled,
            general: general.map(|guard| Arc::new(MountGuard::new(digest, guard))),
            named: before
                .named
                .iter()
                .map(|(digest, named)| (*digest, again(named)))
                .collect(),
            lists,
        })
    }

    /// The guards of these digests; those that were made before are the same, others are made later, and the rest is forgotten.
    pub(crate) fn of(&self, named: &HashSet<Sha256>) -> Made {
        let mut made = self.made.lock();
        made.named
            .retain(|digest, known| named.contains(digest) && !known.was_given_up());
        let lists = made.lists.clone();
        for digest in named.iter().filter(|_| self.enabled) {
            let pending = || Arc::new(Named::pending(*digest, lists.clone()));
            made.named.entry(*digest).or_insert_with(pending);
        }
        made.clone()
    }

    /// Those that nobody has made yet.
    pub(crate) fn pending(&self) -> Vec<Arc<MountGuard>> {
        let made = self.made.lock();
        let guards = made.named.values().map(|named| &named.guard);
        guards
            .filter(|guard| guard.get().is_none())
            .cloned()
            .collect()
    }

    /// Makes a guard, if it is not made and still of use. When the database fails it lets nobody in, until somebody asks again.
    pub(crate) async fn make(&self, engine: &Engine, guard: &Arc<MountGuard>) {
        if guard.get().is_some() {
            return;
        }
        let known = self.made.lock().named.get(&guard.named).cloned();
        let Some(named) = known.filter(|known| Arc::ptr_eq(&known.guard, guard)) else {
            return;
        };
        let made = guard.make(|| self.guard_of(engine, &named)).await;
        if let Err(error) = made {
            let error = format!("{error:#}");
            tracing::warn!(error, guard = %guard.named, "a guard cannot be made now");
        }
    }

    async fn guard_of(&self, engine: &Engine, named: &Named) -> anyhow::Result<Guard> {
        let permit = Arc::clone(&self.making).acquire_owned().await?;
        let digest = named.guard.named;
        let authorities = engine.guard_authorities(digest).await?;
        let authorities = authorities.context("no distributor names it any more")?;
        let lists = named.lists.clone();
        let guard = tokio::task::spawn_blocking(move || {
            let guard = Guard::new(&authorities, &lists);
            drop(permit);
            guard
        });
        let closed = |error: anyhow::Error| {
            let error = format!("{error:#}");
            tracing::error!(error, guard = %digest, "the authorities of a repository cannot be used: nobody may read it");
            Guard::closed()
        };
        let guard = guard.await?.unwrap_or_else(|error| closed(error.into()));
        match self.room(&guard) {
            Ok(room) => {
                named.room.get_or_init(|| Arc::new(room));
                Ok(guard)
            }
            Err(error) => Ok(closed(error)),
        }
    }

    /// Takes the memory of a guard from that which there is for all.
    fn room(&self, guard: &Guard) -> anyhow::Result<OwnedSemaphorePermit> {
        let size = u32::try_from(guard.bytes() / 1024 + 1)?;
        // The less is left, the smaller are those that still find room: whoever makes many large ones closes no small ones.
        let is_small_enough = size as usize <= self.memory.available_permits() / PART;
        let room = Arc::clone(&self.memory).try_acquire_many_owned(size);
        room.ok().filter(|_| is_small_enough).context(
            "the authorities and revocation lists of all repositories take too much memory",
        )
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
