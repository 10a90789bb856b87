//! Options that say how much clients may take of the server at once.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use clap::Args;

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
    pub(crate) max_connections: NonZeroUsize,
    /// Seconds in which a client must send the head of its request, and send or take each further 32 KiB
    #[arg(
        long,
        env = "PITH_CLIENT_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub(crate) client_timeout: u64,
    /// Addresses of proxies in front of the server: they may have more connections than a quarter, and their `X-Forwarded-For`
    /// tells who logs in
    #[arg(
        long,
        env = "PITH_TRUSTED_PROXIES",
        value_name = "ADDR,…",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxies: Vec<IpAddr>,
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
        assert_eq!(given.max_connections.get(), 20);
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
