//! The limits that all listeners of a server share: how many clients may come, and how long they are waited for.

use std::sync::Arc;
use std::time::Duration;

use pith_serve::Outgoing;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::connections::Connections;
use super::origin::Proxies;
use crate::options::LimitOptions;
use crate::traffic::Traffic;

/// Files that a server has open beside its connections: the database, tasks, answers.
const OTHER_FILES: u64 = 512;
/// Open files for each connection: its socket, and mostly one that is being sent.
const FILES: u64 = 2;

/// The things that all listeners of a server share.
#[derive(Clone)]
pub(crate) struct Limits {
    pub(crate) connections: Arc<Connections>,
    pub(crate) outgoing: Outgoing,
    pub(crate) proxies: Proxies,
    pub(crate) traffic: Arc<Traffic>,
}

impl Limits {
    /// The limits that the options name, for all listeners together.
    pub(crate) fn of(options: &LimitOptions, traffic: Arc<Traffic>) -> Self {
        let patience = Duration::from_secs(options.client_timeout);
        Self {
            connections: Connections::new(possible(options.max_connections.get()), patience),
            outgoing: Outgoing::default(),
            proxies: Proxies::new(&options.trusted_proxies),
            traffic,
        }
    }
}

/// The number of connections: as many as were `wanted`, and as there can be with the files that this process may open.
fn possible(wanted: usize) -> usize {
    let Some(files) = open_files() else {
        return wanted;
    };
    let room = files.saturating_sub(OTHER_FILES) / FILES;
    let most = usize::try_from(room.max(16)).unwrap_or(usize::MAX);
    if most < wanted {
        tracing::warn!(
            files,
            most,
            "fewer connections than --max-connections: this process may not open more files"
        );
    }
    wanted.min(most)
}

/// The number of files that this process may open, raised as far as it may raise it itself; `None` for any number.
fn open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}
