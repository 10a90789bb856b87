//! The publications that are mounted, and their places.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use pith_blobs::{Blobs, IndexEntry, Publication, Result};
use pith_core::{RelativePath, Sha256, Timestamp};
use pith_trust::Guard;
use tokio::sync::OnceCell;

/// The protocol by which a request came; some content is published for one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// Unknown, or a proxy in front decides: everything is shown.
    Any,
}

/// A mount and the rest of the path. Nothing of what is mounted was looked at.
#[derive(Debug, Clone)]
pub struct Located {
    /// The mount.
    pub mount: Arc<MountRow>,
    /// The path below it; empty for the mount itself.
    pub rest: String,
}

/// A publication and the rest of the path, to be looked up in it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The mount.
    pub mount: Arc<MountRow>,
    /// The publication as it was when the request came.
    pub publication: Arc<Publication>,
    /// The path below the mount; empty for the mount itself.
    pub rest: String,
}

/// The tree of mounts. Paths are those of [`crate::path::RequestPath`]: no slash at either end.
#[async_trait]
pub trait Mounts: Send + Sync {
    /// The mount at `path`, or the one above it. One that is guarded is found by any protocol. Guards are made for a caller who
    /// `shows` certificates; others are refused without.
    async fn locate(&self, path: &str, protocol: Protocol, shows: bool) -> Option<Located>;

    /// Opens what is mounted.
    ///
    /// # Errors
    /// When the publication cannot be opened.
    async fn open(&self, located: Located) -> Result<Resolved>;

    /// The file that stood at `path` below the mount before the publication that is there now, as long as it can still be
    /// fetched.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn retired(&self, mount: &MountRow, path: &str) -> Result<Option<IndexEntry>>;

    /// The sorted names of mounts, and of directories on the way to mounts, in `dir`; empty when there are none. Guarded mounts
    /// count where `admits` says so.
    fn children(
        &self,
        dir: &str,
        protocol: Protocol,
        admits: &(dyn Fn(&MountRow) -> bool + Sync),
    ) -> Vec<String>;
}

/// The guard of a mount, made when somebody first asks for what is behind it: until then it lets nobody in.
#[derive(Debug)]
pub struct MountGuard {
    /// The settings that it is made of.
    pub named: Sha256,
    made: OnceCell<Guard>,
}

impl MountGuard {
    /// One that is not made yet, of the settings with this digest.
    #[must_use]
    pub fn pending(named: Sha256) -> Self {
        Self {
            named,
            made: OnceCell::new(),
        }
    }

    /// One of the settings with this digest.
    #[must_use]
    pub fn new(named: Sha256, guard: Guard) -> Self {
        Self {
            named,
            made: OnceCell::new_with(Some(guard)),
        }
    }

    /// The guard, if it is made.
    #[must_use]
    pub fn get(&self) -> Option<&Guard> {
        self.made.get()
    }

    /// Has it made, unless it is; whoever comes meanwhile waits.
    ///
    /// # Errors
    /// When `make` fails: the next one tries again.
    pub async fn make<E, F>(&self, make: impl FnOnce() -> F) -> std::result::Result<&Guard, E>
    where
        F: Future<Output = std::result::Result<Guard, E>>,
    {
        self.made.get_or_try_init(make).await
    }
}

impl PartialEq for MountGuard {
    fn eq(&self, other: &Self) -> bool {
        (self.named, self.get()) == (other.named, other.get())
    }
}

impl Eq for MountGuard {}

/// A mount as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountRow {
    /// The prefix, such as `pulp/repos/fedora/43`.
    pub prefix: RelativePath,
    /// The repository whose content it is.
    pub repo_id: Arc<str>,
    /// The index that is shown there.
    pub publication: Sha256,
    /// Shown without TLS.
    pub http: bool,
    /// Shown with TLS.
    pub https: bool,
    /// The time at which a path below it was last retired: left out by a publication.
    pub retired: Option<Timestamp>,
    /// Says who may read it; `None` for everybody.
    pub guard: Option<Arc<MountGuard>>,
}

impl MountRow {
    /// Tells whether it is shown to those who come by this protocol.
    pub(crate) fn shows(&self, protocol: Protocol) -> bool {
        shows(self.http, self.https, protocol)
    }
}

fn shows(http: bool, https: bool, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http => http,
        Protocol::Https => https,
        Protocol::Any => http || https,
    }
}

/// Publications kept open. An open one costs a mapping, of which a process may have some ten thousand.
const MOST_OPEN: usize = 8192;

type Opening = Arc<OnceCell<Arc<Publication>>>;

/// The mounts in memory, replaced as a whole by [`MountTable::refresh`]; publications are opened when first asked for.
pub struct MountTable {
    blobs: Blobs,
    snapshot: RwLock<Arc<Snapshot>>,
    open: Mutex<HashMap<Sha256, Opening>>,
}

#[derive(Default)]
struct Snapshot {
    mounts: HashMap<String, Arc<MountRow>>,
    /// The names in each directory on the way, and for which protocols there is something below that everybody may read.
    dirs: HashMap<String, BTreeMap<String, (bool, bool)>>,
    /// The mounts that not everybody may read.
    guarded: BTreeMap<String, Arc<MountRow>>,
}

impl Snapshot {
    fn new(rows: Vec<MountRow>) -> Self {
        let mut this = Self::default();
        for row in rows {
            let row = Arc::new(row);
            let is_open = row.guard.is_none();
            let (http, https) = (row.http && is_open, row.https && is_open);
            let mut path = row.prefix.as_str();
            loop {
                let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
                let seen = this
                    .dirs
                    .entry(dir.to_owned())
                    .or_default()
                    .entry(name.to_owned())
                    .or_default();
                *seen = (seen.0 || http, seen.1 || https);
                if dir.is_empty() {
                    break;
                }
                path = dir;
            }
            if !is_open {
                let prefix = row.prefix.as_str().to_owned();
                this.guarded.insert(prefix, Arc::clone(&row));
            }
            this.mounts.insert(row.prefix.as_str().to_owned(), row);
        }
        this
    }

    /// The guarded mounts at `path` and below it.
    fn guarded_below(&self, path: &str) -> impl Iterator<Item = &Arc<MountRow>> {
        let below = format!("{path}/");
        let is_below = {
            let below = below.clone();
            move |(prefix, _): &(&String, _)| prefix.starts_with(&below)
        };
        let all = self.guarded.range(below..).take_while(is_below);
        let own = self.guarded.get(path);
        own.into_iter().chain(all.map(|(_, row)| row))
    }

    /// The longest mount that `path` is or is below of, and the rest.
    fn find<'p>(&self, path: &'p str, protocol: Protocol) -> Option<(&Arc<MountRow>, &'p str)> {
        let ends = path.rmatch_indices('/').map(|(at, _)| at);
        std::iter::once(path.len()).chain(ends).find_map(|end| {
            let row = self
                .mounts
                .get(&path[..end])
                .filter(|row| row.shows(protocol) || row.guard.is_some())?;
            Some((row, path[end..].trim_start_matches('/')))
        })
    }
}

impl MountTable {
    /// Nothing mounted yet.
    #[must_use]
    pub fn new(blobs: Blobs) -> Self {
        Self {
            blobs,
            snapshot: RwLock::default(),
            open: Mutex::default(),
        }
    }

    /// Replaces all mounts at once. Requests being answered keep the publication that they have.
    pub fn refresh(&self, rows: Vec<MountRow>) {
        let snapshot = Arc::new(Snapshot::new(rows));
        let shown: std::collections::HashSet<Sha256> = snapshot
            .mounts
            .values()
            .map(|row| row.publication)
            .collect();
        *self.snapshot.write() = snapshot;
        self.open.lock().retain(|sha256, _| shown.contains(sha256));
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read())
    }

    /// Does what [`Mounts::locate`] does, with the mounts as they were last read.
    #[must_use]
    pub fn find(&self, path: &str, protocol: Protocol) -> Option<Located> {
        let snapshot = self.snapshot();
        let (mount, rest) = snapshot.find(path, protocol)?;
        Some(Located {
            mount: Arc::clone(mount),
            rest: rest.to_owned(),
        })
    }

    /// The guards at `dir` and below it that are not made yet.
    #[must_use]
    pub fn pending_below(&self, dir: &str) -> Vec<Arc<MountGuard>> {
        let snapshot = self.snapshot();
        let guards = snapshot
            .guarded_below(dir)
            .filter_map(|row| row.guard.clone());
        guards.filter(|guard| guard.get().is_none()).collect()
    }

    async fn publication(&self, sha256: Sha256) -> Result<Arc<Publication>> {
        let opening = {
            let mut open = self.open.lock();
            if open.len() >= MOST_OPEN && !open.contains_key(&sha256) {
                open.clear();
            }
            Arc::clone(open.entry(sha256).or_default())
        };
        let opened = opening.get_or_try_init(|| async {
            Publication::open(&self.blobs, sha256).await.map(Arc::new)
        });
        opened.await.cloned()
    }
}

/// The mounts as they were last read, and nothing that is retired.
#[async_trait]
impl Mounts for MountTable {
    async fn locate(&self, path: &str, protocol: Protocol, _shows: bool) -> Option<Located> {
        self.find(path, protocol)
    }

    async fn open(&self, located: Located) -> Result<Resolved> {
        let Located { mount, rest } = located;
        Ok(Resolved {
            publication: self.publication(mount.publication).await?,
            mount,
            rest,
        })
    }

    async fn retired(&self, _mount: &MountRow, _path: &str) -> Result<Option<IndexEntry>> {
        Ok(None)
    }

    fn children(
        &self,
        dir: &str,
        protocol: Protocol,
        admits: &(dyn Fn(&MountRow) -> bool + Sync),
    ) -> Vec<String> {
        let snapshot = self.snapshot();
        let may_read = |name: &str| {
            let path = format!("{dir}/{name}");
            snapshot
                .guarded_below(&path)
                .any(|row| row.shows(protocol) && admits(row))
        };
        let names = snapshot.dirs.get(dir).into_iter().flatten();
        names
            .filter(|(name, (http, https))| shows(*http, *https, protocol) || may_read(name))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prefix: &str, number: u8, http: bool, https: bool) -> MountRow {
        MountRow {
            prefix: RelativePath::new(prefix).unwrap(),
            repo_id: "r".into(),
            publication: Sha256([number; 32]),
            http,
            https,
            retired: None,
            guard: None,
        }
    }

    #[test]
    fn the_longest_mount_of_the_protocol_wins() {
        let snapshot = Snapshot::new(vec![
            row("a/b", 1, true, true),
            row("a/b/c", 2, false, true),
        ]);
        let found = |path: &'static str, protocol| {
            snapshot
                .find(path, protocol)
                .map(|(row, rest)| (row.publication.0[0], rest))
        };
        assert_eq!(found("a/b/c/d/e", Protocol::Https), Some((2, "d/e")));
        assert_eq!(found("a/b/c/d/e", Protocol::Http), Some((1, "c/d/e")));
        assert_eq!(found("a/b", Protocol::Http), Some((1, "")));
        assert_eq!(found("a/bc", Protocol::Any), None);
        assert_eq!(found("a", Protocol::Any), None);
    }

    #[test]
    fn a_guarded_mount_is_found_by_any_protocol_and_listed_for_those_it_admits() {
        let guarded = |prefix: &str| MountRow {
            guard: Some(Arc::new(MountGuard::pending(Sha256([0; 32])))),
            ..row(prefix, 3, false, true)
        };
        let snapshot = Snapshot::new(vec![
            row("a", 1, true, true),
            guarded("a/b"),
            guarded("x/y/z"),
            guarded("x/y-z"),
        ]);
        let found = snapshot.find("a/b/c", Protocol::Http).unwrap();
        assert_eq!((found.0.publication.0[0], found.1), (3, "c"));
        let below = |path: &str| -> Vec<String> {
            let rows = snapshot.guarded_below(path);
            rows.map(|row| row.prefix.to_string()).collect()
        };
        assert_eq!(below("x/y"), ["x/y/z"]);
        assert_eq!(below("x/y-z"), ["x/y-z"]);
        assert_eq!(below("x"), ["x/y-z", "x/y/z"]);
        assert!(below("x/y/z/w").is_empty());
    }
}
