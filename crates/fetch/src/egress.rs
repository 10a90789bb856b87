//! The addresses that may be reached: the guard against being used to look into somebody's network.
//!
//! The guard works on addresses, not on names, and it sits in the connection pool's name resolution: the address that was
//! judged is the one connected to, so a name that changes its address in between gains nothing.
//!
//! Behind an HTTP proxy the proxy resolves names, so there only addresses written in URLs can be judged; what else may be
//! reached is the proxy's to decide.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The kind of network that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// The internet.
    Public,
    /// RFC 1918, carrier-grade NAT, unique local addresses, and what else RFC 6890 keeps out of the internet: usually the site's
    /// own network.
    Private,
    /// This machine.
    Loopback,
    /// An address that is never a package mirror: link-local, cloud metadata, multicast, broadcast, unspecified, reserved.
    Never,
}

/// Metadata services outside the link-local ranges (Alibaba, Azure, Oracle, AWS and Google over IPv6).
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl AddressClass {
    /// The class of `address`; IPv6 addresses that carry an IPv4 address (mapped, translated, NAT64, 6to4) are judged by that.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Never;
        }
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => {
                embedded_v4(v6).map_or_else(|| Self::of_v6(v6), |v4| Self::of(v4.into()))
            }
        }
    }

    fn of_v4(v4: Ipv4Addr) -> Self {
        let [a, b, c, _] = v4.octets();
        if v4.is_loopback() {
            Self::Loopback
        } else if a == 0 || a >= 224 || v4.is_link_local() {
            // "This network", multicast, reserved, broadcast.
            Self::Never
        } else if v4.is_private()
            || (a == 100 && (64..128).contains(&b))
            || (a == 198 && (b & 0xfe) == 18)
            || v4.is_documentation()
            // Protocol assignments, and what were relays to IPv6.
            || matches!((a, b, c), (192, 0, 0) | (192, 88, 99))
        {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(v6: Ipv6Addr) -> Self {
        let site_local = v6.segments()[0] & 0xffc0 == 0xfec0;
        let local_nat64 = v6.segments().starts_with(&[0x64, 0xff9b, 1]);
        if v6.is_loopback() {
            Self::Loopback
        } else if v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() {
            Self::Never
        } else if v6.is_unique_local() || site_local || local_nat64 || is_special(v6) {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// Tells whether an address is of a block that RFC 6890 keeps for special purposes: discarding, Teredo and other protocols,
/// documentation, segment routing.
fn is_special(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        [0x100, 0, 0, 0, ..] | [0x5f00, ..] | [0x2001, 0xdb8, ..] => true,
        [0x2001, second, ..] => second < 0x200,
        [0x3fff, second, ..] => second < 0x1000,
        _ => false,
    }
}

/// Tells whether an address is one of this machine's own, on which its services may listen as on loopback: packets to it would go
/// out from itself. None is sent.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

/// The IPv4 address inside an IPv6 address that stands for one.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(from(high, low)),
        // The old IPv4-compatible form, without :: and ::1.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(from(high, low)),
        _ => None,
    }
}

/// Turns a host name into addresses; tests put their own in.
#[async_trait::async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of `host`, best first.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's name resolution.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemLookup;

#[async_trait::async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0))
            .await?
            .map(|address| address.ip())
            .collect())
    }
}

/// The networks that a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// The internet alone: a redirect or a document came from there, or the feed is there.
    Public,
    /// All that the settings allow.
    Settings,
    /// Private networks too: the server's own settings name the place.
    Anywhere,
}

/// The addresses that may be reached. [`AddressClass::Never`] never may.
#[derive(Clone)]
pub struct Egress {
    /// Is true when this machine's own services may be reached.
    pub allow_loopback: bool,
    /// Is true when private networks may be reached. A redirect from the internet into them is refused anyway.
    pub allow_private: bool,
    /// Name resolution.
    pub lookup: Arc<dyn Lookup>,
    /// Tests cannot reach the internet, so they call some loopback addresses public.
    #[cfg(test)]
    pub(crate) pretend_public: Vec<IpAddr>,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            allow_loopback: true,
            allow_private: true,
            lookup: Arc::new(SystemLookup),
            #[cfg(test)]
            pretend_public: Vec::new(),
        }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("allow_loopback", &self.allow_loopback)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

/// An address that may not be reached; travels through the client's errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

impl Egress {
    pub(crate) fn class(&self, address: IpAddr) -> AddressClass {
        #[cfg(test)]
        if self.pretend_public.contains(&address) {
            return AddressClass::Public;
        }
        match AddressClass::of(address) {
            AddressClass::Public | AddressClass::Private if is_own(address) => {
                AddressClass::Loopback
            }
            class => class,
        }
    }

    /// Judges one address.
    pub(crate) fn check(&self, address: IpAddr, reach: Reach) -> Result<(), Refusal> {
        let why = match self.class(address) {
            AddressClass::Public => return Ok(()),
            AddressClass::Never => {
                "is link-local, multicast, reserved or a cloud's metadata service"
            }
            _ if reach == Reach::Public => {
                "is in a private network, and what comes from the internet may not lead there"
            }
            _ if reach == Reach::Anywhere => return Ok(()),
            AddressClass::Private if self.allow_private => return Ok(()),
            AddressClass::Loopback if self.allow_loopback => return Ok(()),
            AddressClass::Private => {
                "is in a private network; the server's settings do not allow that (--allow-private-feeds)"
            }
            AddressClass::Loopback => {
                "is this machine; the server's settings do not allow that (--allow-private-feeds)"
            }
        };
        // Which one it is may be what somebody wants to find out.
        tracing::info!(%address, why, "an address is not asked");
        Err(Refusal(format!("its address {why}")))
    }

    /// Judges a URL whose host is an address; names are judged when they are resolved.
    pub(crate) fn check_literal(&self, url: &Url, reach: Reach) -> Result<(), Refusal> {
        match literal(url) {
            Some(address) => self.check(address, reach),
            None => Ok(()),
        }
    }
}

/// The address in a URL's host, when it is one.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(v4) => Some(v4.into()),
        Host::Ipv6(v6) => Some(v6.into()),
        // Schemes of proxies are none that make addresses of hosts when they are read.
        Host::Domain(name) => name.parse().ok(),
    }
}

/// Name resolution that hands out only addresses that may be reached.
pub(crate) struct GuardedResolver {
    pub(crate) egress: Egress,
    pub(crate) reach: Reach,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, reach) = (self.egress.clone(), self.reach);
        Box::pin(async move {
            let found = egress.lookup.lookup(name.as_str()).await?;
            if found.is_empty() {
                return Err(
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address").into(),
                );
            }
            let mut allowed = Vec::with_capacity(found.len());
            let mut refusal = None;
            for address in found {
                match egress.check(address, reach) {
                    Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                    Err(why) => refusal = Some(why),
                }
            }
            match refusal {
                Some(why) if allowed.is_empty() => Err(why.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_fall_into_their_classes() {
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert_eq!(class(public), AddressClass::Public, "{public}");
        }
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.19.0.1",
            "64:ff9b:1::1",
            "fd12::1",
            "::ffff:10.0.0.1",
            "192.0.2.1",
            "192.0.0.1",
            "203.0.113.1",
            "2001:db8::1",
            "2001:0:7f00:1::",
            "100::1",
        ] {
            assert_eq!(class(private), AddressClass::Private, "{private}");
        }
        for loopback in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::ffff:0:127.0.0.1",
        ] {
            assert_eq!(class(loopback), AddressClass::Loopback, "{loopback}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "::169.254.169.254",
        ] {
            assert_eq!(class(never), AddressClass::Never, "{never}");
        }
    }

    #[test]
    fn the_policy_opens_private_networks_but_never_metadata() {
        let open = Egress::default();
        let shut = Egress {
            allow_loopback: false,
            allow_private: false,
            ..Egress::default()
        };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(open.check(ip("10.0.0.1"), Reach::Settings).is_ok());
        assert!(open.check(ip("127.0.0.1"), Reach::Settings).is_ok());
        assert!(open.check(ip("10.0.0.1"), Reach::Public).is_err());
        assert!(open.check(ip("169.254.169.254"), Reach::Settings).is_err());
        assert!(shut.check(ip("10.0.0.1"), Reach::Settings).is_err());
        assert!(shut.check(ip("::1"), Reach::Settings).is_err());
        assert!(shut.check(ip("1.1.1.1"), Reach::Public).is_ok());
        assert!(shut.check(ip("10.0.0.1"), Reach::Anywhere).is_ok());
        assert!(shut.check(ip("169.254.169.254"), Reach::Anywhere).is_err());
    }

    #[test]
    fn an_address_of_this_machine_is_this_machine() {
        // Wherever packets to the internet would go out; a machine without a way there has none to try.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let Ok(own) =
            (socket.connect((Ipv4Addr::new(1, 1, 1, 1), 9))).and_then(|()| socket.local_addr())
        else {
            return;
        };
        let class = Egress::default().class(own.ip());
        assert_eq!(class, AddressClass::Loopback, "{own}");
        let other = Egress::default().class(Ipv4Addr::new(1, 1, 1, 1).into());
        assert_eq!(other, AddressClass::Public);
    }

    #[test]
    fn odd_spellings_of_an_address_are_judged_as_the_address() {
        let open = Egress::default();
        for text in [
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://169.254.43518/",
            "http://[::ffff:a9fe:a9fe]/",
        ] {
            assert!(
                open.check_literal(&text.parse().unwrap(), Reach::Settings)
                    .is_err(),
                "{text}"
            );
        }
    }
}
