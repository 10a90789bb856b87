//! An upstream for a server under test: `pith_testkit`'s, with a runtime of its own, since these tests block.

use std::path::Path;

pub use pith_testkit::upstream::Fault;
use pith_testkit::upstream::{Recorded, Upstream};
use tokio::runtime::Runtime;

use crate::tools::wait_for;

/// A web server on loopback that serves folders and made-up files, and misbehaves on order.
pub struct Feed {
    upstream: Upstream,
    // Dropped last: the upstream's tasks run on it.
    _runtime: Runtime,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Feed").field(&self.url("")).finish()
    }
}

impl Feed {
    /// An upstream with nothing on it.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let upstream = runtime.block_on(Upstream::start())?;
        Ok(Self {
            upstream,
            _runtime: runtime,
        })
    }

    /// An upstream that serves this folder below `/feed/`.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let feed = Self::start()?;
        feed.upstream.serve_dir("/feed/", folder);
        Ok(feed)
    }

    /// Serves a folder below a path that starts and ends with a slash, besides what is served already.
    pub fn serve(&self, prefix: &str, folder: &Path) {
        self.upstream.serve_dir(prefix, folder);
    }

    /// From now on names are looked up as object stores do; see [`Upstream::act_as_object_store`].
    pub fn act_as_object_store(&self) {
        self.upstream.act_as_object_store();
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.upstream.url())
    }

    /// Puts files below `/feed/`, with a `PULP_MANIFEST` of exactly these.
    pub fn put_files(&self, files: &[(String, Vec<u8>)]) {
        let mut manifest = String::new();
        for (name, bytes) in files {
            let digest = crate::repodata::sha256(bytes);
            manifest.push_str(&format!("{name},{digest},{}\n", bytes.len()));
            self.upstream.put(&format!("/feed/{name}"), bytes.clone());
        }
        self.upstream.put("/feed/PULP_MANIFEST", manifest);
    }

    /// The next request for `path` gets the head and `bytes` of the body, and then waits for ever.
    pub fn stall_once(&self, path: &str, bytes: usize) {
        self.upstream.fault_times(path, Fault::StallAfter(bytes), 1);
    }

    /// Does what [`Feed::stall_once`] does, for so many requests.
    pub fn stall_times(&self, path: &str, bytes: usize, times: usize) {
        self.upstream
            .fault_times(path, Fault::StallAfter(bytes), times);
    }

    /// Every request for `path` meets this fault.
    pub fn misbehave(&self, path: &str, fault: Fault) {
        self.upstream.fault(path, fault);
    }

    /// `path` works again.
    pub fn behave(&self, path: &str) {
        self.upstream.clear_faults(path);
    }

    /// Other bytes at a path, whatever the manifest says.
    pub fn replace(&self, path: &str, bytes: &[u8]) {
        self.upstream.put(path, bytes.to_vec());
    }

    /// Waits until there were this many requests for `path`.
    ///
    /// # Errors
    /// When there are not.
    pub fn wait_for_requests(&self, path: &str, count: usize) -> anyhow::Result<()> {
        wait_for(&format!("a request for {path}"), || {
            Ok((self.requests_for(path) >= count).then_some(()))
        })
    }

    /// The requests for `path`, in order.
    #[must_use]
    pub fn log(&self, path: &str) -> Vec<Recorded> {
        self.upstream.log(path)
    }

    /// The number of requests for `path`.
    #[must_use]
    pub fn requests_for(&self, path: &str) -> usize {
        self.upstream.requests(path)
    }

    /// The number of requests.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.upstream.total_requests()
    }
}
