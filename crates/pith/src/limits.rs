//! Options of the limits on what a client may take.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pith_serve::Outgoing;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::listener::{Connections, Limits, Proxies};
use crate::metrics::Traffic;

/// Files that a server has open beside its connections: the database, tasks, answers.
const OTHER_FILES: u64 = 512;
/// Open files for each connection: its socket, and mostly one that is being sent.
const FILES: u64 = 2;

/// The limits on what clients may take.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimitOptions {
    /// Connections open at once; a quarter of them for one address. When all are taken, those that wait for a client longest
    /// are closed for new ones
    #[arg(
        long,
        env = "PITH_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "4096"
    )]
    max_connections: NonZeroUsize,
    /// Seconds in which a client must send the head of its request, and send or take each further 32 KiB
    #[arg(
        long,
        env = "PITH_CLIENT_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    client_timeout: u64,
    /// Addresses of proxies in front of the server: they may have more connections than a quarter, and their `X-Forwarded-For`
    /// tells who logs in
    #[arg(
        long,
        env = "PITH_TRUSTED_PROXIES",
        value_name = "ADDR,…",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<IpAddr>,
}

impl LimitOptions {
    /// The limits, for all listeners together.
    pub(crate) fn limits(&self, traffic: Arc<Traffic>) -> Limits {
        let patience = Duration::from_secs(self.client_timeout);
        Limits {
            connections: Connections::new(self.connections(), patience),
            outgoing: Outgoing::default(),
            proxies: Proxies::new(&self.trusted_proxies),
            traffic,
        }
    }

    /// The number of connections: as many as were asked for, and as there can be with the files that this process may open.
    fn connections(&self) -> usize {
        let wanted = self.max_connections.get();
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        limits: LimitOptions,
    }

    #[test]
    fn limits_are_numbers_above_nothing() {
        let options = |arguments: &[&str]| {
            let all = ["pith"].into_iter().chain(arguments.iter().copied());
            Options::try_parse_from(all).map(|options| options.limits)
        };
        let given = options(&[
            "--max-connections",
            "20",
            "--trusted-proxies",
            "10.0.0.1,::1",
        ]);
        let given = given.unwrap();
        assert_eq!(given.connections(), 20);
        assert_eq!(given.trusted_proxies.len(), 2);
        for bad in [
            ["--max-connections", "0"],
            ["--client-timeout", "0"],
            ["--trusted-proxies", "10.0.0.0/8"],
        ] {
            assert!(options(&bad).is_err(), "{bad:?}");
        }
    }
}
