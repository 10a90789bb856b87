//! The origin of requests when proxies are in front.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use pith_core::Network;

/// The header in which proxies say for whom they ask.
const FORWARDED: &str = "x-forwarded-for";

/// The address that a request comes from, in its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(pub(crate) IpAddr);

/// The addresses of proxies whose word counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Arc<[IpAddr]>);

impl Proxies {
    pub(crate) fn new(addresses: &[IpAddr]) -> Self {
        Self(addresses.iter().map(IpAddr::to_canonical).collect())
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The network that a connection counts for; `None` for one of a proxy.
    pub(super) fn network_of(&self, peer: IpAddr) -> Option<Network> {
        (!self.contains(peer)).then(|| Network::of(peer))
    }

    /// The address that a request comes from. Each proxy adds the address that asked it at the end; whatever stands before the
    /// first address that is no proxy of ours is anybody's word.
    pub(super) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let said = headers.get_all(FORWARDED).iter();
        let said: Vec<&str> = said.filter_map(|value| value.to_str().ok()).collect();
        let named = said.iter().rev().flat_map(|line| line.rsplit(','));
        let mut named = named.map_while(|name| name.trim().parse::<IpAddr>().ok());
        let origin = named.find(|address| !self.contains(*address));
        origin.unwrap_or(peer).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_say_who_asks_and_only_the_last_one_that_is_none_counts() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let proxies = Proxies::new(&[ip("10.0.0.1"), ip("10.0.0.2")]);
        let origin = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED, line.parse().unwrap());
            }
            proxies.origin(ip(peer), &headers).to_string()
        };
        assert_eq!(origin("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(
            origin("10.0.0.1", &["192.0.2.9, 198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(
            origin("::ffff:10.0.0.1", &["192.0.2.9", "198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(origin("10.0.0.1", &["192.0.2.9, nonsense"]), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(proxies.network_of(ip("10.0.0.2")), None);
    }
}
