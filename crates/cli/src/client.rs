//! The REST API over HTTP: addresses, credentials, answers and errors (pulp2/conventions).

use std::time::Duration;

use pith_core::ErrorDetail;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::address::is_loopback;
use crate::error::Error;
use crate::failure::ErrorAnswer;
use crate::text::clean;

/// Largest document of the API; more would only fill memory.
const MOST_ANSWER_BYTES: usize = 512 * 1024 * 1024;

/// Longest silence before a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(120);

/// The proof of who a user is.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The password, with every request.
    Password(SecretString),
    /// A login certificate and its key, PEM, one after the other: for TLS only.
    Certificate(SecretString),
}

/// A user and the proof that a request comes from them.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Login of the user.
    pub user: String,
    /// The proof.
    pub proof: Proof,
}

impl Credentials {
    /// A user with their password.
    #[must_use]
    pub fn password(user: impl Into<String>, password: SecretString) -> Self {
        Self {
            user: user.into(),
            proof: Proof::Password(password),
        }
    }
}

/// The trust in the server.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificate authorities in PEM form, beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Accept plain HTTP for credentials, and certificates that cannot be verified.
    pub insecure: bool,
}

/// A connection to one server as one user.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Option<Credentials>,
}

impl Client {
    /// A client of the server at `base` (its root, without `/pulp/api`). Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Exposed`] when the password would travel over plain HTTP to another machine; [`Error::Usage`]
    /// when the certificate authority cannot be read or the login is one that HTTP cannot carry.
    pub fn new(base: Url, credentials: Option<Credentials>, trust: &Trust) -> Result<Self, Error> {
        if credentials.is_some()
            && base.scheme() == "http"
            && !is_loopback(&base)
            && !trust.insecure
        {
            return Err(Error::Exposed {
                url: base.to_string(),
            });
        }
        if let Some(who) = &credentials
            && (who.user.is_empty() || who.user.contains(':'))
        {
            return Err(Error::usage(
                format!("'{}' cannot be a login", clean(&who.user)),
                "what stands before a colon is taken for the login, what follows for the password: give them with \
                 --user and --password, or PITH_USER and PITH_PASSWORD",
            ));
        }
        let unusable = |e: reqwest::Error| {
            Error::usage(
                format!("the certificate authority cannot be used: {e}"),
                "give --ca-cert a file in PEM form",
            )
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("pith/", env!("CARGO_PKG_VERSION")))
            // The API redirects only to add a slash, which this client always sends; following anything else
            // would carry requests to places nobody named.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(SILENCE)
            .tls_danger_accept_invalid_certs(trust.insecure);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &trust.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(unusable)?;
            if certificates.is_empty() {
                return Err(Error::usage(
                    "the file of the certificate authority holds no certificate",
                    "give --ca-cert a file in PEM form",
                ));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(Proof::Certificate(pem)) = credentials.as_ref().map(|who| &who.proof) {
            let identity = reqwest::Identity::from_pem(pem.expose_secret().as_bytes());
            let broken = |_| Error::usage("the stored login is broken", "run `pith login` again");
            builder = builder.identity(identity.map_err(broken)?);
        }
        Ok(Self {
            http: builder.build().map_err(unusable)?,
            base,
            credentials,
        })
    }

    /// The root address of the server.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The user that asks, if any.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.credentials.as_ref().map(|c| c.user.as_str())
    }

    /// `GET` of a resource.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, refuses, or answers no JSON.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Error> {
        self.send(Method::GET, path, query, |r| r).await
    }

    /// `POST` of a document.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, &[], |r| r.json(body)).await
    }

    /// `PUT` of a document.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.send(Method::PUT, path, &[], |r| r.json(body)).await
    }

    /// `PUT` of raw bytes, for uploads.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn put_bytes(&self, path: &[&str], bytes: Vec<u8>) -> Result<Value, Error> {
        self.send(Method::PUT, path, &[], |r| {
            r.header("Content-Type", "application/octet-stream")
                .body(bytes)
        })
        .await
    }

    /// `DELETE` of a resource.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        self.delete_where(path, &[]).await
    }

    /// `DELETE` of what a query chooses.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn delete_where(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Value, Error> {
        self.send(Method::DELETE, path, query, |r| r).await
    }

    /// The address of `/pulp/api/v2/<path>/`, each segment escaped.
    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        // A slash would be taken for the end of the id, however it is written, and what follows for something else.
        let is_bad = |s: &&&str| matches!(**s, "" | "." | "..") || s.contains('/');
        if let Some(bad) = path.iter().find(is_bad) {
            return Err(Error::usage(
                format!("'{}' cannot be an id", clean(bad)),
                "ids are letters, digits, '_', '-' and '.'",
            ));
        }
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["pulp", "api", "v2"])
                .extend(path)
                .push("");
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, Error> {
        let url = self.address(path, query)?;
        let request_name = format!("{method} {}", url.path());
        let mut request = self
            .http
            .request(method, url)
            .header("Accept", "application/json");
        if let Some(Credentials {
            user,
            proof: Proof::Password(password),
        }) = &self.credentials
        {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        let response = with(request)
            .send()
            .await
            .map_err(|e| self.unreachable(e))?;
        let status = response.status().as_u16();
        let bytes = self.body(response, &request_name).await?;
        if !(200..300).contains(&status) {
            return Err(Error::Answer(Box::new(ErrorAnswer {
                status,
                detail: detail_of(status, &bytes),
                request: request_name,
                anonymous: self.credentials.is_none(),
            })));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|e| Error::Nonsense {
            request: request_name,
            reason: e.to_string(),
        })
    }

    async fn body(&self, mut response: Response, request: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(e))? {
            if bytes.len() + chunk.len() > MOST_ANSWER_BYTES {
                return Err(Error::Nonsense {
                    request: request.to_owned(),
                    reason: "it is too large; narrow the search with --limit and --fields".into(),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        // The innermost cause is the one a person understands ("connection refused").
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Error::Unreachable {
            url: self.base.to_string(),
            reason: clean(&cause.to_string()),
        }
    }
}

/// The error object of an answer, or the best that can be made of something else.
fn detail_of(status: u16, bytes: &[u8]) -> ErrorDetail {
    let document: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    if let Ok(detail) = serde_json::from_value(document["error"].clone()) {
        return detail;
    }
    let text = match &document["error_message"] {
        Value::String(text) => text.clone(),
        _ if (300..400).contains(&status) => "it redirects elsewhere".to_owned(),
        _ if status == 404 => "there is nothing at this address".to_owned(),
        _ => "without an explanation".to_owned(),
    };
    ErrorDetail::new("PLP0000", text)
}

/// Ids of the tasks that a call report names, or that a task has spawned; anything else has none.
#[must_use]
pub fn spawned(report: &Value) -> Vec<String> {
    let tasks = report["spawned_tasks"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    tasks
        .iter()
        .filter_map(|task| task["task_id"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn client(base: &str) -> Client {
        Client::new(Url::parse(base).unwrap(), None, &Trust::default()).unwrap()
    }

    #[test]
    fn every_segment_of_an_address_is_escaped_and_the_last_slash_is_there() {
        let url = client("http://127.0.0.1:1/base/")
            .address(&["repositories", "a%b ?#"], &[("details", "true")])
            .unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/base/pulp/api/v2/repositories/a%25b%20%3F%23/?details=true"
        );
    }

    #[test]
    fn an_id_that_would_lead_elsewhere_is_refused() {
        for id in ["", ".", "..", "a/b", "/"] {
            assert!(
                client("http://127.0.0.1:1")
                    .address(&["repositories", id], &[])
                    .is_err()
            );
        }
    }

    #[test]
    fn credentials_need_encryption_or_this_machine_or_consent() {
        let credentials = Credentials::password("u", "p".into());
        let open = |url: &str, insecure| {
            let trust = Trust {
                insecure,
                ca_pem: None,
            };
            Client::new(Url::parse(url).unwrap(), Some(credentials.clone()), &trust)
        };
        assert!(matches!(
            open("http://pulp.example/", false),
            Err(Error::Exposed { .. })
        ));
        assert!(open("http://pulp.example/", true).is_ok());
        assert!(open("https://pulp.example/", false).is_ok());
        assert!(open("http://[::1]:8080/", false).is_ok());
    }

    #[test]
    fn an_answer_that_is_no_pulp_error_still_gives_a_message() {
        assert_eq!(
            detail_of(404, b"null").description,
            "there is nothing at this address"
        );
        assert_eq!(
            detail_of(500, b"<html>").description,
            "without an explanation"
        );
        let body = json!({"error": {"code": "PLP0018", "description": "Duplicate resource: demo"}});
        assert_eq!(detail_of(409, body.to_string().as_bytes()).code, "PLP0018");
    }
}
