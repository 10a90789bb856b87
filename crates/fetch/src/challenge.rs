//! Bearer challenges: what a server that refuses a request asks a token for (RFC 6750, and the token protocol of container
//! registries).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use url::Url;

use crate::urls::same_site;

/// Bytes of all challenges of an answer.
const MAX_HEADERS: usize = 8 << 10;
/// Scopes that one token is asked for.
const MAX_SCOPES: usize = 16;

/// A demand for a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Challenge {
    /// The address that gives tokens.
    pub(crate) realm: Url,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// Reads the bearer challenge of an answer from `url`; `None` when there is none.
    ///
    /// # Errors
    /// Why it cannot be answered.
    pub(crate) fn of(headers: &HeaderMap, url: &Url) -> Option<Result<Self, &'static str>> {
        let mut size = 0;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            size += value.len();
            if size > MAX_HEADERS {
                return Some(Err("its challenges are too long"));
            }
            let params = value.to_str().ok().and_then(bearer);
            if let Some(params) = params {
                return Some(Self::new(&params, url));
            }
        }
        None
    }

    fn new(params: &[(String, String)], url: &Url) -> Result<Self, &'static str> {
        let param = |name: &str| {
            let mut params = params.iter();
            params
                .find(|(have, _)| have.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
                .filter(|value| !value.is_empty())
        };
        let realm = param("realm").ok_or("its challenge names no realm")?;
        let mut realm = Url::parse(&realm).map_err(|_| "the realm of its challenge is no URL")?;
        realm.set_fragment(None);
        if !realm.username().is_empty() || realm.password().is_some() {
            return Err("the realm of its challenge holds a user name or password");
        }
        if realm.scheme() != "https" && !same_site(url, &realm) {
            return Err("the realm of its challenge is neither https nor at the same site");
        }
        let scope = param("scope");
        let scopes = scope.as_deref().unwrap_or_default();
        if scopes.split_whitespace().count() > MAX_SCOPES {
            return Err("its challenge names too many scopes");
        }
        Ok(Self {
            realm,
            service: param("service"),
            scope,
        })
    }

    /// The address to ask for the token.
    pub(crate) fn question(&self) -> Url {
        let mut url = self.realm.clone();
        if let Some(service) = &self.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let scope = self.scope.as_deref().unwrap_or_default();
        for scope in scope.split_whitespace() {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        url
    }
}

/// The parameters of the first bearer challenge in a `WWW-Authenticate` header, which may list challenges of several
/// schemes.
fn bearer(text: &str) -> Option<Vec<(String, String)>> {
    let mut found: Option<Vec<(String, String)>> = None;
    for item in items(text) {
        let item = item.trim();
        let (word, rest) = item.split_once(char::is_whitespace).unwrap_or((item, ""));
        let is_param = item.is_empty() || word.contains('=') || rest.trim_start().starts_with('=');
        let param = match is_param {
            true => item,
            // A scheme: the parameters of the one before end here.
            false if found.is_some() => break,
            false if word.eq_ignore_ascii_case("bearer") => {
                found = Some(Vec::new());
                rest
            }
            false => continue,
        };
        if let (Some(params), Some((name, value))) = (&mut found, param.split_once('=')) {
            params.push((name.trim().to_owned(), unquoted(value.trim())));
        }
    }
    found
}

/// The parts of a list that commas separate, except for commas in quotes.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    items
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let (mut text, mut escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(text: &str) -> Option<Result<Challenge, &'static str>> {
        let headers =
            HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap())]);
        Challenge::of(&headers, &"http://r.example/v2/".parse().unwrap())
    }

    fn question(text: &str) -> String {
        read(text).unwrap().unwrap().question().into()
    }

    #[test]
    fn a_challenge_becomes_the_address_of_its_token() {
        let asked = question(
            r#"Bearer realm="https://auth.example/token?x=1",service="r.example",scope="repository:a/b:pull,push repository:c:pull""#,
        );
        let expected = "https://auth.example/token?x=1&service=r.example\
                        &scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull";
        assert_eq!(asked, expected);
        let mixed = r#"Basic realm="a, Bearer b", bearer service=s, realm="https://r.example/\"t", Digest realm="https://x.example""#;
        assert_eq!(question(mixed), "https://r.example/%22t?service=s");
        assert_eq!(
            question(r#"Bearer realm = "https://r.example/t" , service = s"#),
            "https://r.example/t?service=s"
        );
        assert_eq!(
            question(r#"Negotiate, Bearer realm="http://r.example/t""#),
            "http://r.example/t"
        );
    }

    #[test]
    fn a_realm_is_https_or_at_the_same_site_and_holds_no_password() {
        for bad in [
            "Bearer",
            r#"Bearer realm="/token""#,
            r#"Bearer realm="http://other.example/token""#,
            r#"Bearer realm="http://r.example:81/token""#,
            r#"Bearer realm="file:///etc/passwd""#,
            r#"Bearer realm="https://me:pw@auth.example/token""#,
        ] {
            assert!(matches!(read(bad), Some(Err(_))), "{bad}");
        }
        assert_eq!(read(r#"Basic realm="https://r.example""#), None);
        let scopes = "s ".repeat(MAX_SCOPES + 1);
        let many = format!(r#"Bearer realm="https://a.example",scope="{scopes}""#);
        assert!(matches!(read(&many), Some(Err(_))));
        let long = format!(
            r#"Bearer realm="https://a.example/{}""#,
            "x".repeat(MAX_HEADERS)
        );
        assert!(matches!(read(&long), Some(Err(_))));
    }

    proptest! {
        #[test]
        fn no_header_breaks_the_parser(text in "(Bearer |Basic |[a-z\"\\\\,= ]){0,40}") {
            let _ = bearer(&text);
        }
    }
}
