//! One request and its redirects: who is asked, with which secrets, through which pool.

use std::collections::HashSet;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use url::Url;

use crate::clients::{Variant, innermost};
use crate::egress::{AddressClass, Reach, Refusal, literal};
use crate::error::{ErrorKind, FetchError};
use crate::file_feeds::FileFeeds;
use crate::session::Session;
use crate::tokens::Token;
use crate::upstream::BasicAuth;
use crate::urls::path_of;
use crate::urls::same_site;

/// The size up to which bodies of answers that are not wanted are read, so that the connection can be used again.
const DISCARD: u64 = 16 * 1024;

/// An answer that is no redirect.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) url: Url,
    /// Is true when the body comes from a server in a private network that is not the feed's.
    pub(crate) is_foreign: bool,
    /// The place at the host; held until the body is read.
    pub(crate) _place: Option<OwnedSemaphorePermit>,
}

/// The place that the next request of a chain goes to.
pub(crate) struct Hop {
    pub(crate) url: Url,
    /// Is true when the secrets of the request's own server may go there.
    pub(crate) trusted: bool,
    /// Is true when the request's own server is the feed's, and so gets the session's secrets.
    pub(crate) at_home: bool,
    /// Is true when the chain came from the internet, so that it may not enter private networks.
    pub(crate) from_internet: bool,
}

impl Session {
    /// Asks for `url` and follows redirects until another answer comes.
    pub(crate) async fn ask(&self, url: &Url, headers: &HeaderMap) -> Result<Answer, FetchError> {
        let at_home = self.is_home(url);
        let (start, own_auth) = self.prepare(url, at_home);
        let auth = match own_auth {
            Some(auth) => Some(auth),
            None => self.state.upstream.basic_auth.clone().filter(|_| at_home),
        };
        let mut hop = Hop {
            url: start.clone(),
            trusted: true,
            at_home,
            // Where the feed is in the internet, so is all that its documents name, and it does not move: what a redirect may
            // not do they may not either.
            from_internet: self.home_is_public().await,
        };
        let mut visited = HashSet::new();
        loop {
            if !visited.insert(hop.url.clone()) {
                return Err(FetchError::new(
                    ErrorKind::RedirectLoop,
                    &hop.url,
                    "it redirects back to itself",
                ));
            }
            if visited.len() > self.state.shared.policy.max_redirects + 1 {
                let message = format!("more than {} redirects", visited.len() - 2);
                return Err(FetchError::new(ErrorKind::RedirectLoop, &hop.url, message));
            }
            let hop_of = (&start, &hop);
            let (response, place) = self.ask_hop(hop_of, headers, auth.as_ref()).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                let is_foreign = !self.is_at_feed(&hop.url) && !self.is_public(&hop.url, &response);
                return Ok(Answer {
                    response,
                    url: hop.url,
                    is_foreign,
                    _place: place,
                });
            }
            hop = self.follow(&start, &hop, &response)?;
            self.discard(response).await;
        }
    }

    /// Tells whether a URL is at a server that the session's secrets are meant for.
    pub(crate) fn is_home(&self, url: &Url) -> bool {
        let also = &self.state.upstream.also;
        self.is_at_feed(url) || also.iter().any(|site| same_site(site, url))
    }

    /// Tells whether a URL is at the feed's own server.
    fn is_at_feed(&self, url: &Url) -> bool {
        let home = self.state.upstream.home.as_ref();
        home.is_some_and(|home| same_site(home, url))
    }

    /// The folders of which files may be read.
    pub(crate) fn file_feeds(&self) -> FileFeeds {
        let (upstream, policy) = (&self.state.upstream, &self.state.shared.policy);
        let home = upstream.home.as_ref().filter(|_| upstream.by_operator);
        match home.and_then(|home| path_of(home).ok()) {
            Some(folder) => policy.files.and(folder),
            None => policy.files.clone(),
        }
    }

    /// Tells how far a request may reach, as far as its feed tells.
    fn reach(&self, from_internet: bool) -> Reach {
        match (from_internet, self.state.upstream.by_operator) {
            (true, _) => Reach::Public,
            (false, true) => Reach::Anywhere,
            (false, false) => Reach::Settings,
        }
    }

    /// Tells whether the feed is a folder of this machine.
    pub(crate) fn reads_files(&self) -> bool {
        let home = self.state.upstream.home.as_ref();
        home.is_some_and(|home| home.scheme() == "file")
    }

    /// Tells whether the feed's server is in the internet, as far as that can be known.
    async fn home_is_public(&self) -> bool {
        let state = &self.state;
        if state.upstream.in_internet {
            return true;
        }
        let Some(home) = state.upstream.home.as_ref().filter(|home| home.has_host()) else {
            return false;
        };
        let look = async || {
            let classes = self.classes(home).await?;
            Ok::<_, io::Error>(classes.is_empty() || classes.contains(&AddressClass::Public))
        };
        let known = state.home_is_public.get_or_try_init(look).await;
        known.copied().unwrap_or(true)
    }

    /// Tells what kinds of network a URL's host is in; nothing where a proxy resolves its name.
    pub(crate) async fn classes(&self, url: &Url) -> io::Result<Vec<AddressClass>> {
        let egress = &self.state.shared.policy.egress;
        let addresses = match (literal(url), url.host_str()) {
            (Some(address), _) => vec![address],
            (None, Some(host)) if self.state.recipe.proxy().is_none() => {
                egress.lookup.lookup(host).await?
            }
            (None, _) => Vec::new(),
        };
        let classes = addresses.into_iter().map(|address| egress.class(address));
        Ok(classes.collect())
    }

    /// Tells whether the server of a URL is one that is not in the internet.
    pub(crate) async fn is_inner(&self, url: &str) -> bool {
        let Some(url) = Url::parse(url).ok().filter(Url::has_host) else {
            return false;
        };
        let classes = self.classes(&url).await;
        // A name that nobody knows any more may have been known before.
        classes.map_or(true, |classes| {
            classes.iter().any(|class| *class != AddressClass::Public)
        })
    }

    /// The URL as it goes to the server, and the user and password that it carried.
    fn prepare(&self, url: &Url, at_home: bool) -> (Url, Option<BasicAuth>) {
        let mut url = url.clone();
        let auth = (!url.username().is_empty()).then(|| {
            let decode = |text: &str| {
                percent_encoding::percent_decode_str(text)
                    .decode_utf8_lossy()
                    .into_owned()
            };
            let password = SecretString::from(decode(url.password().unwrap_or_default()));
            BasicAuth {
                username: decode(url.username()),
                password,
            }
        });
        strip(&mut url);
        if let Some(token) = self
            .state
            .upstream
            .query_auth_token
            .as_ref()
            .filter(|_| at_home)
        {
            url.set_query(Some(token.expose_secret().trim_start_matches('?')));
        }
        (url, auth)
    }

    /// Sends one request. User and password, or the token in their place, go along where the hop is trusted.
    pub(crate) async fn ask_once(
        &self,
        hop: &Hop,
        headers: &HeaderMap,
        (auth, token): (Option<&BasicAuth>, Option<&Token>),
    ) -> Result<Response, FetchError> {
        let client = self.client(hop)?;
        let upstream = &self.state.upstream;
        let agent = HeaderValue::from_str(&upstream.user_agent).map_err(|_| {
            FetchError::settings("user_agent has characters that a header cannot have")
        })?;
        let mut builder = client
            .get(hop.url.clone())
            .headers(headers.clone())
            .header(USER_AGENT, agent)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(header) = token.filter(|_| hop.trusted).and_then(Token::header) {
            builder = builder.header(AUTHORIZATION, header);
        } else if let Some(auth) = auth.filter(|_| hop.trusted) {
            builder = builder.basic_auth(&auth.username, Some(auth.password.expose_secret()));
        }
        // The pool bounds the connecting; the rest is the wait for the head.
        let limit = upstream.connect_timeout + upstream.read_timeout;
        match timeout(limit, builder.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(explain(error, &hop.url)),
            Err(_) => Err(FetchError::new(ErrorKind::Timeout, &hop.url, "no answer")),
        }
    }

    /// The pool for a hop, after the egress guard agreed to addresses in the URL.
    fn client(&self, hop: &Hop) -> Result<Client, FetchError> {
        if !matches!(hop.url.scheme(), "http" | "https") || !hop.url.has_host() {
            let reason = format!(
                "the scheme '{}' is not http, https or file",
                hop.url.scheme()
            );
            return Err(FetchError::new(ErrorKind::Refused(reason), &hop.url, ""));
        }
        let state = &self.state;
        let egress = &state.shared.policy.egress;
        let refused =
            |Refusal(why): Refusal| FetchError::new(ErrorKind::Refused(why), &hop.url, "");
        egress
            .check_literal(&hop.url, self.reach(hop.from_internet))
            .map_err(refused)?;
        let proxy = state.recipe.proxy();
        // A proxy resolves names itself, and it may well be in a private network.
        let reach = self.reach(hop.from_internet && proxy.is_none());
        if let Some(proxy) = proxy {
            egress.check_literal(proxy, reach).map_err(refused)?;
        }
        let variant = Variant {
            identity: hop.trusted && hop.at_home,
            tls: hop.url.scheme() == "https"
                || proxy.is_some_and(|proxy| proxy.scheme() == "https"),
            reach,
        };
        state.shared.clients.get(&state.recipe, variant, egress)
    }

    /// Returns where a redirect leads, when it may lead there.
    fn follow(&self, start: &Url, hop: &Hop, response: &Response) -> Result<Hop, FetchError> {
        let refused = |why: &str| FetchError::new(ErrorKind::Refused(why.to_owned()), &hop.url, "");
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let Some(mut url) = location.and_then(|location| hop.url.join(location).ok()) else {
            return Err(refused("the server redirects to something that is no URL"));
        };
        match (hop.url.scheme(), url.scheme()) {
            ("https", "https") | ("http", "http" | "https") => {}
            ("https", "http") => {
                return Err(refused("the server redirects from https to plain http"));
            }
            _ => {
                return Err(refused(
                    "the server redirects to something that is neither http nor https",
                ));
            }
        }
        strip(&mut url);
        url.set_fragment(None);
        let trusted = hop.trusted && same_site(start, &url);
        let from_internet = hop.from_internet || self.is_public(&hop.url, response);
        tracing::debug!(from = %crate::clean(&hop.url), to = %crate::clean(&url), trusted, "redirected");
        Ok(Hop {
            url,
            trusted,
            at_home: hop.at_home,
            from_internet,
        })
    }

    /// Tells whether the answer came from the internet, as far as that can be known.
    pub(crate) fn is_public(&self, url: &Url, response: &Response) -> bool {
        let peer = match self.state.recipe.proxy() {
            Some(_) => literal(url),
            None => response.remote_addr().map(|address| address.ip()),
        };
        peer.is_none_or(|peer| self.state.shared.policy.egress.class(peer) == AddressClass::Public)
    }

    /// Reads a small body that nobody wants, which keeps the connection usable.
    pub(crate) async fn discard(&self, mut response: Response) {
        if response
            .content_length()
            .is_none_or(|length| length > DISCARD)
        {
            return;
        }
        let read = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = timeout(
            self.state.upstream.read_timeout.min(Duration::from_secs(1)),
            read,
        )
        .await;
    }
}

fn strip(url: &mut Url) {
    // These fail only for URLs that cannot have user and password, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Turns the client's error, of a request or of a body, into ours.
pub(crate) fn explain(error: reqwest::Error, url: &Url) -> FetchError {
    let error = error.without_url();
    let message = innermost(&error);
    let kind = if let Some(refusal) = find::<Refusal>(&error) {
        return FetchError::new(ErrorKind::Refused(refusal.0.clone()), url, "");
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else if find::<io::Error>(&error)
        .is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
        && url.scheme() == "https"
    {
        // Whatever rustls dislikes arrives in this shape, also a server's late "certificate required".
        ErrorKind::Tls
    } else if error.is_connect() {
        ErrorKind::Connect
    } else if error.is_builder() {
        ErrorKind::Refused("the request cannot be written down".to_owned())
    } else if is_protocol(&error) {
        ErrorKind::Protocol
    } else {
        ErrorKind::Truncated
    };
    FetchError::new(kind, url, message)
}

/// Tells whether the peer said something that is not HTTP (as opposed to falling silent too early).
fn is_protocol(error: &reqwest::Error) -> bool {
    let malformed = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    };
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || find::<io::Error>(error).is_some_and(malformed)
}

/// The innermost cause of type `T`.
fn find<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut found = None;
    let mut cause = error.source();
    while let Some(error) = cause {
        found = error.downcast_ref::<T>().or(found);
        // `io::Error` hides the error it wraps from its own chain's start.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;

    use pith_testkit::upstream::{Fault, Upstream as Fake};

    use crate::{DownloadSettings, Egress, ErrorKind, FetchPolicy, Fetcher, Request, VecSink};

    /// 127.0.0.2 plays the internet.
    #[tokio::test]
    async fn a_feed_in_the_internet_stays_there_with_all_that_its_documents_name() {
        let internet: IpAddr = "127.0.0.2".parse().unwrap();
        let (public, private) = (
            Fake::start_on(internet).await.unwrap(),
            Fake::start().await.unwrap(),
        );
        for fake in [&public, &private] {
            fake.put("/f", "bytes");
        }
        let egress = Egress {
            pretend_public: vec![internet],
            ..Egress::default()
        };
        let fetcher = Fetcher::new(FetchPolicy {
            egress,
            ..FetchPolicy::default()
        });
        let get = async |home: String, in_internet: bool, at: String| {
            let upstream = DownloadSettings {
                home: Some(home.parse().unwrap()),
                in_internet,
                ..DownloadSettings::default()
            };
            let session = fetcher.session(upstream).unwrap();
            let request = Request::new([format!("{at}/f").parse().unwrap()], 100);
            session.get(request, &mut VecSink::default()).await
        };
        // From private feeds to anywhere, and from public ones to public places.
        for at in [public.url(), private.url(), private.named_url()] {
            assert!(get(private.url(), false, at).await.is_ok());
        }
        assert!(get(public.url(), false, public.url()).await.is_ok());
        // A name that leads into the private network since the feed was last read is one more way in.
        for (home, in_internet, at) in [
            (public.url(), false, private.url()),
            (public.url(), false, private.named_url()),
            (private.named_url(), true, private.named_url()),
        ] {
            let error = get(home, in_internet, at).await.unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
        }
    }

    /// 127.0.0.2 plays the internet.
    #[tokio::test]
    async fn the_internet_cannot_redirect_into_private_networks() {
        let internet: IpAddr = "127.0.0.2".parse().unwrap();
        let (public, private) = (
            Fake::start_on(internet).await.unwrap(),
            Fake::start().await.unwrap(),
        );
        public.put("/f", "public");
        private.put("/f", "private");
        let targets = [
            format!("{}/f", private.url()),
            format!("{}/f", private.named_url()),
        ];
        for (n, target) in targets.iter().enumerate() {
            public.fault(&format!("/{n}"), Fault::RedirectTo(target.clone()));
            private.fault(&format!("/{n}"), Fault::RedirectTo(target.clone()));
        }
        private.fault("/out", Fault::RedirectTo(format!("{}/f", public.url())));
        private.fault(
            "/out-and-in",
            Fault::RedirectTo(format!("{}/0", public.url())),
        );
        let egress = Egress {
            pretend_public: vec![internet],
            ..Egress::default()
        };
        let policy = FetchPolicy {
            egress,
            ..FetchPolicy::default()
        };
        let session = Fetcher::new(policy)
            .session(DownloadSettings::default())
            .unwrap();
        let get = async |url: String| {
            let mut sink = VecSink::default();
            let request = Request::new([url.parse().unwrap()], 100);
            let got = session.get(request, &mut sink).await;
            got.map(|_| String::from_utf8(sink.bytes).unwrap())
        };
        // Private hosts are fine from private hosts, and used before: no connection of then serves the internet.
        for n in 0..2 {
            assert_eq!(
                get(format!("{}/{n}", private.url())).await.unwrap(),
                "private"
            );
        }
        for path in [
            public.url() + "/0",
            public.url() + "/1",
            private.url() + "/out-and-in",
        ] {
            let error = get(path).await.unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
        }
        assert_eq!(
            get(format!("{}/out", private.url())).await.unwrap(),
            "public"
        );
        assert_eq!(private.requests("/f"), 2);
    }
}
