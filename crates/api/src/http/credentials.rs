//! Who is asking, and whether they may (reference: platform-api §2.1, §2.2, §2.7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use pith_core::error::{ErrorDetail, PulpError};
use pith_engine::auth::Principal;

use crate::Shared;
use crate::routes::Operation;

/// 401 PLP0025: nobody.
fn unknown() -> PulpError {
    let detail = ErrorDetail::new("PLP0025", "Authentication failed.");
    PulpError::unauthenticated(detail, "authentication_failed")
}

/// Login and password of HTTP Basic; `None` when the header is absent, of another scheme or broken.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
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
    Some((login.to_owned(), password.to_owned()))
}

/// The one who sent these headers.
pub(super) async fn authenticate(
    shared: &Shared,
    headers: &HeaderMap,
) -> Result<Principal, PulpError> {
    let (login, password) = basic(headers).ok_or_else(unknown)?;
    shared
        .authenticator
        .check(&shared.engine.store, &login, &password)
        .await?
        .ok_or_else(|| {
            let text = format!(
                "Authentication with username {login} failed: invalid username or password"
            );
            let detail = ErrorDetail::new("PLP0030", text).with("user", login.as_str());
            PulpError::unauthenticated(detail, "invalid_username_or_password")
        })
}

/// Whether the caller may do `operation` on `resource`, a path such as `/v2/repositories/foo/`. Only super-users may,
/// until permissions are looked up here.
pub(super) fn permit(
    principal: &Principal,
    operation: Operation,
    _resource: &str,
) -> Result<(), PulpError> {
    if principal.super_user {
        return Ok(());
    }
    let text = format!(
        "Permission denied: user {} cannot perform {}.",
        principal.login,
        operation.name()
    );
    let detail = ErrorDetail::new("PLP0026", text)
        .with("user", principal.login.as_str())
        .with("operation", operation.name());
    Err(PulpError::unauthenticated(detail, "permission_denied"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        basic(&headers)
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

    #[test]
    fn who_is_no_super_user_is_refused_with_login_and_operation() {
        let principal = Principal {
            login: "joe".into(),
            super_user: false,
        };
        let error = permit(&principal, Operation::Read, "/v2/tasks/").unwrap_err();
        assert_eq!(error.status, 401);
        assert_eq!(error.extra["auth_error_code"], "permission_denied");
        assert_eq!(error.detail.data["operation"], "READ");
    }
}
