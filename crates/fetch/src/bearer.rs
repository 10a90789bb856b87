//! Answering bearer challenges: one token at a time, from the realm that a server names.
//!
//! A realm is held to what a redirect from that server is held to, and more: it is https or at the same site, it does not
//! redirect, and it gets the feed's user and password only where it is at a site that they are meant for.

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::answers::status_kind;
use crate::challenge::Challenge;
use crate::error::{ErrorKind, FetchError};
use crate::hops::{Hop, explain};
use crate::session::Session;
use crate::tokens::{Token, good};
use crate::upstream::BasicAuth;
use crate::urls::same_site;

/// Challenges answered for one request: a token that was kept may be good no longer.
const MAX_CHALLENGES: usize = 2;
/// Bytes of a token server's answer.
const MAX_ANSWER: usize = 64 << 10;

const UNAUTHORIZED: ErrorKind = ErrorKind::Denied { status: 401 };

impl Session {
    /// Sends the request of a hop, with a token where the server asks for one. Returns the answer and the place at the host.
    pub(crate) async fn ask_hop(
        &self,
        (start, hop): (&Url, &Hop),
        headers: &HeaderMap,
        auth: Option<&BasicAuth>,
    ) -> Result<(Response, Option<OwnedSemaphorePermit>), FetchError> {
        let known = self.state.tokens.for_site(&hop.url);
        let mut token = known.filter(|_| hop.trusted);
        let mut answered = 0;
        loop {
            let place = self.state.shared.hosts.enter(&hop.url).await;
            let response = self.ask_once(hop, headers, (auth, token.as_ref())).await?;
            let may_answer = hop.trusted && answered < MAX_CHALLENGES;
            if response.status() != StatusCode::UNAUTHORIZED || !may_answer {
                return Ok((response, place));
            }
            let Some(challenge) = Challenge::of(response.headers(), &hop.url) else {
                return Ok((response, place));
            };
            let unanswerable = |why| FetchError::new(UNAUTHORIZED, &hop.url, why);
            let challenge = challenge.map_err(unanswerable)?;
            let realm = self.realm(start, hop, &challenge, &response);
            // Nothing is held while others fetch the token: it may come from the same host.
            self.discard(response).await;
            drop(place);
            token = Some(
                self.token((hop, &challenge), &realm, auth, token.as_ref())
                    .await?,
            );
            answered += 1;
        }
    }

    /// The request for a token.
    fn realm(&self, start: &Url, hop: &Hop, challenge: &Challenge, response: &Response) -> Hop {
        let url = challenge.question();
        let at_home = hop.at_home && self.is_home(&url);
        Hop {
            // The secrets of the request's own server, which is the feed's or was given them in its URL.
            trusted: at_home || same_site(start, &url),
            at_home,
            from_internet: hop.from_internet || self.is_public(&hop.url, response),
            url,
        }
    }

    /// The token that a challenge asks for: the one that is kept, unless it was refused, or a new one.
    async fn token(
        &self,
        (hop, challenge): (&Hop, &Challenge),
        realm: &Hop,
        auth: Option<&BasicAuth>,
        refused: Option<&Token>,
    ) -> Result<Token, FetchError> {
        let mut place = self.state.tokens.place(&hop.url, challenge).await;
        if let Some(token) = good(&place, refused) {
            return Ok(token);
        }
        *place = None;
        let token = self.fetch_token(realm, auth).await?;
        *place = Some(token.clone());
        Ok(token)
    }

    async fn fetch_token(
        &self,
        realm: &Hop,
        auth: Option<&BasicAuth>,
    ) -> Result<Token, FetchError> {
        tracing::debug!(realm = %crate::clean(&realm.url), "asking for a token");
        let _place = self.state.shared.hosts.enter(&realm.url).await;
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(ACCEPT, json)]);
        let asked = Instant::now();
        let response = self.ask_once(realm, &headers, (auth, None)).await?;
        let failed = |kind, why: &str| FetchError::new(kind, &realm.url, why);
        match response.status() {
            StatusCode::OK => {}
            // That there is no such realm does not mean that there is no such file.
            status => {
                let kind = status_kind(status.as_u16());
                let kind = if kind.retryable() { kind } else { UNAUTHORIZED };
                return Err(failed(kind, &format!("the token server answers {status}")));
            }
        }
        let limit = self.state.upstream.read_timeout;
        let answer = timeout(limit, small_body(response, &realm.url));
        let answer = answer
            .await
            .map_err(|_| failed(ErrorKind::Stalled, "the token server"))??;
        let token = answer.and_then(|answer| Token::read(&answer, asked));
        token.ok_or_else(|| failed(UNAUTHORIZED, "the token server's answer holds no token"))
    }
}

/// A body of at most [`MAX_ANSWER`] bytes; `None` for a larger one.
async fn small_body(mut response: Response, url: &Url) -> Result<Option<Vec<u8>>, FetchError> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.map_err(|e| explain(e, url))? {
        if body.len() + bytes.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;

    use pith_testkit::upstream::Upstream as Fake;

    use crate::{DownloadSettings, Egress, ErrorKind, FetchPolicy, Fetcher, Request, VecSink};

    /// 127.0.0.2 plays the internet.
    #[tokio::test]
    async fn a_server_in_the_internet_names_no_realm_in_private_networks() {
        let internet: IpAddr = "127.0.0.2".parse().unwrap();
        let (public, private) = (
            Fake::start_on(internet).await.unwrap(),
            Fake::start().await.unwrap(),
        );
        let egress = Egress {
            pretend_public: vec![internet],
            ..Egress::default()
        };
        let fetcher = Fetcher::new(FetchPolicy {
            egress,
            ..FetchPolicy::default()
        });
        for realm in [private.url(), private.named_url()] {
            let realm = realm.replace("http:", "https:");
            public.require_bearer("/", "t", &format!(r#"Bearer realm="{realm}/token""#));
            let session = fetcher.session(DownloadSettings::default()).unwrap();
            let request = Request::new([format!("{}/f", public.url()).parse().unwrap()], 100);
            let error = session.get(request, &mut VecSink::default()).await;
            let error = error.unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
        }
        assert_eq!(private.connections(), 0);
    }
}
