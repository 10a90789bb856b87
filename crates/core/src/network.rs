//! The networks that requests come from, as far as limits are for one client and not for another.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The addresses that one client has to itself: an IPv4 address, or the 64 bits of an IPv6 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

/// Bits of an IPv6 address in which hosts of one network differ.
const HOST_BITS: u32 = 64;

impl Network {
    /// The network that an address is in.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let bits = u128::from(address) >> HOST_BITS << HOST_BITS;
                Self(Ipv6Addr::from(bits).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/{}", 128 - HOST_BITS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_ipv6_network_are_one_client() {
        let of = |text: &str| Network::of(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3::9"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
