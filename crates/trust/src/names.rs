//! The host names and addresses that an authority may sign servers' certificates for: its name constraints (RFC 5280,
//! section 4.2.1.10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

/// Names of every machine for itself.
const OWN: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A name as it is constrained: an address in its shortest form, and `*.example.org` for all below `example.org`.
fn plain(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.strip_prefix("*.").unwrap_or(name).to_ascii_lowercase(),
    }
}

/// Constraints to these names and those of every machine for itself.
pub(crate) fn constraints(names: &[String]) -> NameConstraints {
    let mut permitted: Vec<String> = OWN.map(str::to_owned).to_vec();
    for name in names.iter().map(|name| plain(name)) {
        if !permitted.contains(&name) {
            permitted.push(name);
        }
    }
    let subtree = |name: String| match name.parse::<IpAddr>() {
        Ok(address) => {
            let whole = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, whole))
        }
        Err(_) => GeneralSubtree::DnsName(name),
    };
    NameConstraints {
        permitted_subtrees: permitted.into_iter().map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    }
}

/// The names that a certificate made with [`constraints`] permits; `None` when it permits all.
pub(crate) fn permitted(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let constraints = certificate.extensions().iter().find_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::NameConstraints(constraints) => Some(constraints),
            _ => None,
        }
    })?;
    let permitted = constraints.permitted_subtrees.iter().flatten();
    Some(
        permitted
            .filter_map(|subtree| name(&subtree.base))
            .collect(),
    )
}

/// The name that a constraint is about. An address is followed by its mask, which is whole.
fn name(constraint: &GeneralName<'_>) -> Option<String> {
    match constraint {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let (address, _) = bytes.split_at(bytes.len() / 2);
            let v4 = <[u8; 4]>::try_from(address).map(|octets| Ipv4Addr::from(octets).to_string());
            let v6 =
                || <[u8; 16]>::try_from(address).map(|octets| Ipv6Addr::from(octets).to_string());
            v4.or_else(|_| v6()).ok()
        }
        _ => None,
    }
}

/// Tells whether all of these names are among those permitted, or below them.
pub(crate) fn are_among(permitted: &[String], names: &[String]) -> bool {
    let is_within = |name: &str, above: &str| {
        let rest = name.strip_suffix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    names.iter().map(|name| plain(name)).all(|name| {
        let is_address = name.parse::<IpAddr>().is_ok();
        let permits = |above: &String| *above == name || !is_address && is_within(&name, above);
        permitted.iter().any(permits)
    })
}
