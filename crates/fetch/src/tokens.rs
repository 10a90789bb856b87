//! Bearer tokens of a session: kept until they run out, for the site, service and scope that they were given for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;
use url::Url;

use crate::challenge::Challenge;

/// Tokens kept; the one asked for longest ago goes first.
const MAX_TOKENS: usize = 64;
/// Bytes of a token.
const MAX_TOKEN: usize = 16 << 10;
/// The life of a token that is given without one.
const SHORTEST: u64 = 60;
/// The longest time for which a token is kept, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

/// A token, which goes to one site only.
#[derive(Clone)]
pub(crate) struct Token {
    text: SecretString,
    ends: Instant,
}

/// Shows nothing of it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the answer of a token server; `None` when it holds no token that a header can have.
    pub(crate) fn read(answer: &[u8], now: Instant) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let text = ["token", "access_token"]
            .into_iter()
            .filter_map(|name| answer.get(name)?.as_str())
            .find(|text| !text.is_empty())?;
        if text.len() > MAX_TOKEN || HeaderValue::from_str(text).is_err() {
            return None;
        }
        let life = answer.get("expires_in").and_then(Value::as_u64);
        let life = Duration::from_secs(life.unwrap_or(SHORTEST).min(LONGEST));
        Some(Self {
            text: text.to_owned().into(),
            // A request that is under way when it runs out would fail.
            ends: now + life.mul_f64(0.9),
        })
    }

    /// The header that shows it.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = format!("Bearer {}", self.text.expose_secret());
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn is(&self, other: &Self) -> bool {
        self.text.expose_secret() == other.text.expose_secret()
    }
}

/// The site that gets a token, and what it asked the token for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Purpose {
    site: String,
    challenge: Challenge,
}

/// A token and the right to fetch another one in its place.
pub(crate) type Place = OwnedMutexGuard<Option<Token>>;

/// The token of one purpose, once it has been fetched.
type Cell = Arc<AsyncMutex<Option<Token>>>;

/// The tokens of a session.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Those asked for last at the end.
    kept: Mutex<Vec<(Purpose, Cell)>>,
}

impl Tokens {
    /// Returns the token that the site of `url` asked for last, if it is still good.
    pub(crate) fn for_site(&self, url: &Url) -> Option<Token> {
        let site = url.origin().ascii_serialization();
        let kept = self.kept.lock();
        let (_, cell) = kept
            .iter()
            .rev()
            .find(|(purpose, _)| purpose.site == site)?;
        // Whoever comes while another one is fetched finds that out by asking the site.
        let token = cell.try_lock().ok()?.clone();
        token.filter(|token| Instant::now() < token.ends)
    }

    /// Waits for the place of the token that the site of `url` asks for. Only the holder of the place fetches the token.
    pub(crate) async fn place(&self, url: &Url, challenge: &Challenge) -> Place {
        let purpose = Purpose {
            site: url.origin().ascii_serialization(),
            challenge: challenge.clone(),
        };
        let cell = {
            let mut kept = self.kept.lock();
            let known = kept.iter().position(|(other, _)| *other == purpose);
            let entry = match known {
                Some(at) => kept.remove(at),
                None => (purpose, Arc::default()),
            };
            if kept.len() >= MAX_TOKENS {
                kept.remove(0);
            }
            let cell = Arc::clone(&entry.1);
            kept.push(entry);
            cell
        };
        cell.lock_owned().await
    }
}

/// Returns the token in a place when it is good and not the one that was refused.
pub(crate) fn good(place: &Place, refused: Option<&Token>) -> Option<Token> {
    let token = place.as_ref()?;
    let was_refused = refused.is_some_and(|refused| refused.is(token));
    (!was_refused && Instant::now() < token.ends).then(|| token.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

    use super::*;

    fn challenge(scope: usize) -> Challenge {
        let text = format!(r#"Bearer realm="https://a.example",scope="{scope}""#);
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, text.parse().unwrap())]);
        let challenge = Challenge::of(&headers, &"https://r.example".parse().unwrap());
        challenge.unwrap().unwrap()
    }

    #[test]
    fn tokens_have_a_size_and_a_life_and_show_nothing() {
        let now = Instant::now();
        let read = |answer: &str| Token::read(answer.as_bytes(), now);
        let life = |answer: &str| read(answer).unwrap().ends - now;
        assert_eq!(life(r#"{"token": "hunter2"}"#).as_secs(), 54);
        assert_eq!(
            life(r#"{"token": "", "access_token": "t", "expires_in": 99999999999}"#).as_secs(),
            LONGEST * 9 / 10
        );
        let token = read(r#"{"token": "hunter2"}"#).unwrap();
        assert!(!format!("{token:?} {:?}", token.header()).contains("hunter2"));
        let long = format!(r#"{{"token": "{}"}}"#, "t".repeat(MAX_TOKEN + 1));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"token": 1}"#,
            r#"{"token": "a\nb"}"#,
            &long,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_number_of_tokens_is_bounded_and_each_is_for_one_site() {
        let tokens = Tokens::default();
        let site: Url = "https://r.example/x".parse().unwrap();
        for scope in 0..MAX_TOKENS + 3 {
            let mut place = tokens.place(&site, &challenge(scope)).await;
            *place = Token::read(br#"{"token": "t"}"#, Instant::now());
        }
        assert_eq!(tokens.kept.lock().len(), MAX_TOKENS);
        assert!(tokens.for_site(&site).is_some());
        for other in [
            "http://r.example/x",
            "https://r.example:444/x",
            "https://s.example/x",
        ] {
            assert!(
                tokens.for_site(&other.parse().unwrap()).is_none(),
                "{other}"
            );
        }
    }
}
