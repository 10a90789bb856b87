//! A request as handlers see it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Document, Operation};
use pith_engine::Error;
use pith_pulp::Pulp;
use pith_pulp::auth::Principal;
use serde_json::Value;

use super::shadowing::OperationPaths;

/// A body that has been read as its route says.
pub(super) enum Payload {
    None,
    Json(Value),
    /// Bytes as they come; in a lock, because a body cannot be shared between threads and a call is.
    Raw(std::sync::Mutex<axum::body::Body>),
}

/// One request: authenticated, permitted, its body parsed.
pub(crate) struct Call {
    pub(crate) pulp: Arc<Pulp>,
    /// Path and query as the client sent them.
    pub(crate) href: String,
    pub(super) params: Vec<String>,
    pub(crate) query: Option<String>,
    pub(super) payload: Payload,
    /// The caller; `None` on routes that are open to everybody.
    pub(super) principal: Option<Principal>,
    pub(super) paths: Arc<OperationPaths>,
}

impl Call {
    /// The caller.
    ///
    /// # Errors
    /// 401 PLP0025 on a route that is open to everybody: nobody was asked who they are.
    pub(crate) fn principal(&self) -> Result<&Principal, PulpError> {
        self.principal.as_ref().ok_or_else(unauthenticated)
    }

    /// Refuses to make something in the place of `id`, which is there, to those who may not change that.
    ///
    /// # Errors
    /// 401 PLP0026.
    pub(crate) fn permit_replacing(&self, collection: &str, id: &str) -> Result<(), PulpError> {
        let replaced = format!("/v2{collection}{id}/");
        self.principal()?.permit(Operation::Update, &replaced)
    }

    /// Refuses something new below `collection` whose id, in `key`, would be taken for an operation.
    ///
    /// # Errors
    /// 400 PLP0015 for `key`.
    pub(crate) fn refuse_shadowing(
        &self,
        collection: &str,
        body: &Document,
        key: &str,
    ) -> Result<(), PulpError> {
        self.paths.refuse_shadowing(collection, body, key)
    }

    /// Returns the id of a repository, which is there.
    ///
    /// # Errors
    /// 404 PLP0009 when there is no such repository.
    pub(crate) async fn repository(&self, id: String) -> Result<String, Error> {
        self.pulp.repository_require(&id).await?;
        Ok(id)
    }

    /// The query's pairs, decoded, in their order.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        query_pairs(self.query.as_deref().unwrap_or_default())
    }

    /// The body of a route that takes an object.
    pub(super) fn object(&mut self) -> Document {
        match std::mem::replace(&mut self.payload, Payload::None) {
            Payload::Json(Value::Object(map)) => map,
            _ => Document::new(),
        }
    }

    /// The body of a route that takes any JSON.
    pub(super) fn any(&mut self) -> Value {
        match std::mem::replace(&mut self.payload, Payload::None) {
            Payload::Json(value) => value,
            _ => Value::Null,
        }
    }

    /// The body of a route that takes bytes.
    pub(super) fn raw(&mut self) -> axum::body::Body {
        match std::mem::replace(&mut self.payload, Payload::None) {
            Payload::Raw(body) => body.into_inner().unwrap_or_default(),
            _ => axum::body::Body::empty(),
        }
    }

    /// Tells whether the last value of a query parameter is `true`, in any case.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query()
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
    }
}

/// 401 PLP0025: nobody.
pub(super) fn unauthenticated() -> PulpError {
    let detail = ErrorDetail::new("PLP0025", "Authentication failed.");
    PulpError::unauthenticated(detail, "authentication_failed")
}

/// Reads a query string: `+` is a blank, what is not UTF-8 is replaced.
pub(crate) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::query_pairs;

    #[test]
    fn query_pairs_are_decoded_and_keep_their_order() {
        let pairs = query_pairs("a=1&b=%C3%BC+x&a=&c&&d=e=f");
        let expected = [("a", "1"), ("b", "ü x"), ("a", ""), ("c", ""), ("d", "e=f")];
        let expected: Vec<_> = expected
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(pairs, expected);
    }
}
