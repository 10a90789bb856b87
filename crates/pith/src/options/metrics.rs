//! Options that say who may read the metrics.

use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;

/// The readers of `/metrics`.
#[derive(Debug, Clone, Args)]
pub(crate) struct MetricsOptions {
    /// Addresses that may read `/metrics` without a login, or `any`; super-users always may, with theirs [default: none]
    #[arg(
        long,
        env = "PITH_METRICS_READERS",
        value_name = "ADDR,…",
        value_delimiter = ','
    )]
    metrics_readers: Vec<Reader>,
}

/// Somebody who may read without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Whoever comes from this address.
    At(IpAddr),
    /// Everybody.
    Any,
}

impl FromStr for Reader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("any") {
            return Ok(Self::Any);
        }
        let address: Result<IpAddr, _> = text.parse();
        let address = address.map_err(|_| format!("'{text}' is no address; give one, or `any`"))?;
        Ok(Self::At(address.to_canonical()))
    }
}

/// Those who may read without a login.
#[derive(Debug, Clone)]
pub(crate) struct MetricsReaders(Vec<Reader>);

impl MetricsOptions {
    /// The readers that were named.
    pub(crate) fn readers(&self) -> MetricsReaders {
        MetricsReaders(self.metrics_readers.clone())
    }
}

impl MetricsReaders {
    /// Tells whether whoever comes from this address may read.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let is_meant = |reader: &Reader| match reader {
            Reader::At(at) => *at == address.to_canonical(),
            Reader::Any => true,
        };
        self.0.iter().any(is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_addresses_or_everybody_and_nobody_unasked() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let may = |all: &[&str]| {
            let all: Result<Vec<Reader>, _> = all.iter().map(|text| text.parse()).collect();
            all.map(|all| MetricsReaders(all).contains(address))
        };
        assert_eq!(may(&[]), Ok(false));
        assert_eq!(may(&["127.0.0.1", "::1"]), Ok(false));
        assert_eq!(may(&["::1", "::ffff:192.0.2.7"]), Ok(true));
        assert_eq!(may(&["Any"]), Ok(true));
        assert!(may(&["192.0.2.0/24"]).is_err() && may(&[""]).is_err());
    }
}
