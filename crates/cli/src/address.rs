//! Addresses of servers, as people write them.

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::Error;

/// Reads an address; a name without a scheme is taken as https, or http on this machine.
///
/// # Errors
///
/// When it is no HTTP address, or holds a user or password.
pub fn parse_url(text: &str) -> Result<Url, Error> {
    let refuse =
        |what: String| Error::usage(what, "write it as https://host or http://127.0.0.1:8080");
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        let https = format!("https://{text}");
        match Url::parse(&https) {
            Ok(url) if is_loopback(&url) => format!("http://{text}"),
            _ => https,
        }
    };
    // The text is not repeated: it may hold a password.
    let url = Url::parse(&full)
        .map_err(|e| refuse(format!("the server's address cannot be read: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refuse(
            "the server's address is not an HTTP address".to_owned(),
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::usage(
            "the server's address holds a user or password",
            "give them with --user and PITH_PASSWORD",
        ));
    }
    Ok(url)
}

/// Tells whether the address is this machine's own, so that nobody else sees the traffic.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_is_encrypted_unless_it_is_this_machine() {
        assert_eq!(
            parse_url("pulp.example.com").unwrap().as_str(),
            "https://pulp.example.com/"
        );
        assert_eq!(
            parse_url("localhost:8080").unwrap().as_str(),
            "http://localhost:8080/"
        );
        assert!(parse_url("ftp://x/").is_err());
        assert!(parse_url("https://u:p@x/").is_err());
    }
}
