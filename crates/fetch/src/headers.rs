//! Headers that a request may carry and that an answer may tell, and the validators of a version of a file.

use reqwest::header::{
    ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED,
};

use crate::error::FetchError;

/// Headers that may be set: none of them can carry a secret, since they go wherever redirects lead.
const SETTABLE: [HeaderName; 2] = [ACCEPT, CACHE_CONTROL];
/// Bytes of headers that a request may set, names included.
const MAX_SET: usize = 8 << 10;
/// Bytes of headers that an answer may tell, names included.
pub(crate) const MAX_TOLD: usize = 16 << 10;
/// Bytes of a validator; a longer one is not remembered.
const MAX_VALIDATOR: usize = 1 << 10;

/// Headers of a request beside those that the fetcher sends itself.
#[derive(Debug, Clone, Default)]
pub struct RequestHeaders(HeaderMap);

impl RequestHeaders {
    /// Adds a header; a name may come several times.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Settings`] for a name other than `Accept` and `Cache-Control`, a value that no header can have,
    /// and more than 8 KiB in all.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), FetchError> {
        let settable = SETTABLE
            .into_iter()
            .find(|settable| settable.as_str().eq_ignore_ascii_case(name));
        let name = settable.ok_or_else(|| {
            FetchError::settings(format!("the header '{name}' cannot be set for a download"))
        })?;
        let value = HeaderValue::from_str(value).map_err(|_| {
            FetchError::settings(format!(
                "the header '{name}' has a value that cannot be sent"
            ))
        })?;
        let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let taken: usize = self.0.iter().map(size).sum();
        if taken + size((&name, &value)) > MAX_SET {
            return Err(FetchError::settings(format!(
                "the headers of a download have more than {MAX_SET} bytes"
            )));
        }
        self.0.append(name, value);
        Ok(())
    }

    /// The headers as they are sent.
    pub(crate) fn sent(&self) -> HeaderMap {
        self.0.clone()
    }
}

/// The headers of an answer that were asked for, in order; a name comes as often as the server sent it.
pub type Told = Vec<(&'static str, String)>;

/// The headers of these names; `None` when they are larger than [`MAX_TOLD`].
pub(crate) fn told(headers: &HeaderMap, names: &[&'static str]) -> Option<Told> {
    let mut told = Vec::new();
    let mut size = 0;
    for &name in names {
        for value in headers.get_all(name) {
            size += name.len() + value.len();
            if size > MAX_TOLD {
                return None;
            }
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            told.push((name, value));
        }
    }
    Some(told)
}

/// Texts by which a server knows a version of a file again, as it sent them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The entity tag, with its quotes, perhaps a weak one.
    pub etag: Option<String>,
    /// The date of the last change.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Returns the validators of an answer.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= MAX_VALIDATOR).then(|| value.to_owned())
        };
        Self {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED),
        }
    }

    /// Returns these validators where there are some, and `older` ones elsewhere.
    pub(crate) fn or(self, older: &Self) -> Self {
        Self {
            etag: self.etag.or_else(|| older.etag.clone()),
            last_modified: self.last_modified.or_else(|| older.last_modified.clone()),
        }
    }

    /// Tells whether a request asks for another version than a known one.
    pub(crate) fn are_in(headers: &HeaderMap) -> bool {
        headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE)
    }

    /// Adds the conditions of a request for another version than this; what no header can have is no condition.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let conditions = [
            (IF_NONE_MATCH, &self.etag),
            (IF_MODIFIED_SINCE, &self.last_modified),
        ];
        for (name, text) in conditions {
            let value = text.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                headers.insert(name, value);
            }
        }
    }
}
