//! The caller of a request (pulp2/people#credentials). Whether they may do what they ask is decided in `dispatch`, from what the
//! route says.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use pith_core::Network;
use pith_core::error::{ErrorDetail, PulpError};
use pith_engine::Error;
use pith_pulp::auth::Principal;
use pith_trust::PeerCertificate;
use secrecy::{ExposeSecret, SecretString};

use super::call::unauthenticated;
use super::notes::note;
use super::shared::Shared;

/// 401 PLP0030: a login and a password that do not belong together.
fn wrong_password(login: &str) -> Error {
    let text = format!("Authentication with username {login} failed: invalid username or password");
    let detail = ErrorDetail::new("PLP0030", text).with("user", login);
    PulpError::unauthenticated(detail, "invalid_username_or_password").into()
}

/// 401 PLP0027: a certificate of somebody else's, or one that counts no longer. Pulp names nobody here.
fn wrong_certificate() -> Error {
    let text = "Authentication with username None failed: invalid SSL certificate.";
    let detail = ErrorDetail::new("PLP0027", text).with("user", serde_json::Value::Null);
    PulpError::unauthenticated(detail, "invalid_ssl_certificate").into()
}

/// Login and password of HTTP Basic; `None` when the header is absent, of another scheme or broken.
fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Clients of protected repositories send a second, blank Basic.
    let encoded = rest.trim().trim_end_matches(", Basic").trim();
    let decoded = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8_lossy(&decoded).into_owned();
    let (login, password) = text.split_once(':')?;
    Some((login.to_owned(), password.into()))
}

/// Tells whether a request brings Basic credentials, readable or not.
pub(super) fn is_basic(headers: &HeaderMap) -> bool {
    let scheme = b"basic";
    headers
        .get(AUTHORIZATION)
        .map(|value| value.as_bytes().trim_ascii_start())
        .and_then(|value| value.get(..scheme.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// The one who sent this request. Basic credentials decide alone; only without them does a certificate count.
pub(super) async fn authenticate(shared: &Shared, request: &Parts) -> Result<Principal, Error> {
    let principal = recognise(shared, request).await?;
    note(&request.extensions, |notes| {
        notes.is_from(principal.name());
    });
    Ok(principal)
}

async fn recognise(shared: &Shared, request: &Parts) -> Result<Principal, Error> {
    let store = &shared.pulp.engine.store;
    let from = origin(request);
    if is_basic(&request.headers) {
        let (login, password) = basic(&request.headers).ok_or_else(unauthenticated)?;
        let found = shared
            .authenticator
            .check(store, from, &login, password.expose_secret());
        return found.await?.ok_or_else(|| wrong_password(&login));
    }
    let Some(shown) = request.extensions.get::<PeerCertificate>() else {
        return Err(unauthenticated().into());
    };
    let Some(certificate) = &shown.trusted else {
        tracing::warn!(%from, "a login with a certificate of somebody else's failed");
        return Err(wrong_certificate());
    };
    let found = shared.authenticator.certificate(store, certificate).await?;
    found.ok_or_else(|| {
        tracing::warn!(%from, "a login with a certificate that counts no longer failed");
        wrong_certificate()
    })
}

/// The network that a request comes from, as the listener found out.
pub(super) fn origin(request: &Parts) -> Network {
    let known = request.extensions.get::<Network>();
    known
        .copied()
        .unwrap_or(Network::of(Ipv4Addr::LOCALHOST.into()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        let (login, password) = basic(&headers)?;
        Some((login, password.expose_secret().to_owned()))
    }

    #[test]
    fn basic_credentials_are_split_at_the_first_colon() {
        let encode = |text: &str| STANDARD.encode(text);
        let expected = Some(("a".to_owned(), "b:c".to_owned()));
        assert_eq!(read(&format!("Basic {}", encode("a:b:c"))), expected);
        assert_eq!(read(&format!("bAsIc {}, Basic", encode("a:b:c"))), expected);
        for bad in ["Basic !!!", "Bearer x", "Basic", "Digest a=b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("Basic {}", encode("nocolon"))), None);
    }
}
