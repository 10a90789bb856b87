//! A fake upstream over real sockets, with faults on order.
//!
//! It speaks HTTP/1.1 with its own few lines instead of a server library, because a library would refuse to break the
//! protocol, and breaking it is the point.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use pith_testkit::upstream::{Fault, Upstream};
//!
//! let upstream = Upstream::start().await?;
//! upstream.put("/repo/PULP_MANIFEST", "a.iso,ca978112…,1\n");
//! upstream.serve_dir("/big/", "/srv/repositories/big");
//!
//! // The first request for the file breaks after two bytes, the second is told to wait, later ones are served.
//! upstream.fault_times("/repo/a.iso", Fault::CutAfter(2), 1);
//! upstream.fault_times("/repo/a.iso", Fault::RetryAfter { status: 429, value: "1".into() }, 1);
//! // This one never works.
//! upstream.fault("/repo/b.iso", Fault::Status(503));
//!
//! let feed = format!("{}/repo/", upstream.url());
//! // … sync from `feed` …
//! assert_eq!(upstream.requests("/repo/a.iso"), 3);
//! assert!(upstream.log("/repo/a.iso")[2].header("range").is_some());
//! # let _ = feed; Ok(()) }
//! ```
//!
//! Without a fault it is a well-behaved mirror: keep-alive, `HEAD`, single ranges with `If-Range`, a strong `ETag` and a
//! fixed `Last-Modified` with conditional requests, 404 for what it does not have. Everything stops and every held
//! socket closes when the value is dropped.

mod answer;
mod serve;
mod tls;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use tls::TestCa;

/// The `Last-Modified` of every file.
pub const LAST_MODIFIED: &str = "Sat, 01 Jan 2022 00:00:00 GMT";

/// Something a bad or busy upstream does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answers with this status and a short text.
    Status(u16),
    /// Answers with `status` and this `Retry-After`.
    RetryAfter {
        /// 429 or 503, usually.
        status: u16,
        /// Seconds or a date.
        value: String,
    },
    /// Serves the file with these headers in addition.
    Headers(Vec<(String, String)>),
    /// Serves the file `chunk` bytes at a time with a pause after each.
    Slow {
        /// Bytes at a time.
        chunk: usize,
        /// The pause.
        every: Duration,
    },
    /// Takes the request and never answers; holds the socket.
    StallBeforeHead,
    /// Sends the head and this many bytes of the body, then nothing; holds the socket.
    StallAfter(usize),
    /// Sends the head and this many bytes of the body, then closes.
    CutAfter(usize),
    /// Like [`Fault::CutAfter`], with only a weak `ETag`: nobody can resume this safely.
    WeakCutAfter(usize),
    /// Closes without an answer.
    Hangup,
    /// Sends the file under this `Content-Length`, whatever its size is, then closes.
    ContentLength(u64),
    /// Sends the file without a length; its end is the connection's.
    NoLength,
    /// Like [`Fault::NoLength`], but the connection ends after this many bytes.
    NoLengthCutAfter(usize),
    /// Serves other bytes of the same length.
    WrongBytes,
    /// Answers 200 with everything to a request for a range.
    IgnoreRange,
    /// Answers a request for a range with 206 and a `Content-Range` that starts one byte too late.
    WrongContentRange,
    /// Serves the file packed with this `Content-Encoding` (`gzip` or `zstd`), whatever was asked for.
    Packed(&'static str),
    /// Like [`Fault::Packed`], without a length.
    PackedNoLength(&'static str),
    /// Serves the file without `ETag` and `Last-Modified`.
    NoValidators,
    /// Serves the file under this `ETag` (quotes are the caller's).
    Etag(String),
    /// 302 to this location.
    RedirectTo(String),
    /// 302 to itself.
    RedirectLoop,
    /// 302 to itself with another query each time.
    RedirectForever,
    /// Zeros without length and end.
    Endless,
    /// A chunked body of which only the first chunk is well formed.
    ChunkedGarbage,
    /// Bytes that are not HTTP at all.
    NotHttp,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query string without `?`.
    pub query: Option<String>,
    /// Names in lower case, in order of arrival.
    pub headers: Vec<(String, String)>,
    /// Is true when the peer showed a client certificate.
    pub client_cert: bool,
}

impl Recorded {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicUsize,
    open: AtomicUsize,
    peak_open: AtomicUsize,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Bytes>,
    folders: Vec<(String, PathBuf)>,
    /// The fault and how often it still happens; `None` is for ever.
    faults: HashMap<String, VecDeque<(Fault, Option<usize>)>>,
    log: Vec<Recorded>,
    /// The value of `Authorization` that is asked for.
    authorization: Option<String>,
    /// The folder that is for bearers of a token, the token, and the challenge for others.
    bearer: Option<(String, String, String)>,
    /// The query that is asked for.
    query: Option<String>,
    /// Is true when names are looked up as object stores do.
    object_store: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    counters: Counters,
}

impl Shared {
    /// The fault that the next request for `path` meets.
    fn next_fault(&self, path: &str) -> Option<Fault> {
        let mut state = self.state.lock();
        let queue = state.faults.get_mut(path)?;
        let (fault, left) = queue.front_mut()?;
        let fault = fault.clone();
        if let Some(left) = left {
            *left -= 1;
            if *left == 0 {
                queue.pop_front();
            }
        }
        Some(fault)
    }
}

/// A fake upstream; see the module's text.
pub struct Upstream {
    shared: Arc<Shared>,
    address: SocketAddr,
    scheme: &'static str,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into()).await
    }

    /// Starts on a free port of another address of this machine (127.0.0.2, say: "another host").
    ///
    /// # Errors
    /// When no socket can be opened.
    pub async fn start_on(address: IpAddr) -> io::Result<Self> {
        Self::launch(address, "http", None).await
    }

    /// Starts with TLS, with a certificate from `ca` for `localhost` and 127.0.0.1. With `client_certs`, peers must
    /// show a certificate from `ca` too.
    ///
    /// # Errors
    /// When no socket can be opened or no certificate made.
    pub async fn start_tls(ca: &TestCa, client_certs: bool) -> io::Result<Self> {
        let acceptor = ca.acceptor(client_certs)?;
        Self::launch(Ipv4Addr::LOCALHOST.into(), "https", Some(acceptor)).await
    }

    async fn launch(
        address: IpAddr,
        scheme: &'static str,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(serve::accept(listener, Arc::clone(&shared), tls));
        Ok(Self {
            shared,
            address,
            scheme,
            accepting,
        })
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// `http://localhost:port`, for tests that need a name.
    #[must_use]
    pub fn named_url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a file at `path` (with its first slash, percent-encoded as clients ask for it).
    pub fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        self.shared
            .state
            .lock()
            .files
            .insert(path.to_owned(), bytes.into());
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        self.shared.state.lock().files.remove(path);
    }

    /// Serves what is in `folder` below `prefix` (which ends in a slash). Files put by [`Upstream::put`] come first.
    pub fn serve_dir(&self, prefix: &str, folder: impl Into<PathBuf>) {
        self.shared
            .state
            .lock()
            .folders
            .push((prefix.to_owned(), folder.into()));
    }

    /// Every request for `path` meets this fault, after those ordered before.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.order(path, fault, None);
    }

    /// The next `times` requests for `path` meet this fault, after those ordered before.
    pub fn fault_times(&self, path: &str, fault: Fault, times: usize) {
        if times > 0 {
            self.order(path, fault, Some(times));
        }
    }

    fn order(&self, path: &str, fault: Fault, times: Option<usize>) {
        self.shared
            .state
            .lock()
            .faults
            .entry(path.to_owned())
            .or_default()
            .push_back((fault, times));
    }

    /// `path` works again.
    pub fn clear_faults(&self, path: &str) {
        self.shared.state.lock().faults.remove(path);
    }

    /// From now on requests need this `Authorization` header, for example `Basic dXNlcjpwYXNz`; others get 401.
    pub fn require_authorization(&self, value: &str) {
        self.shared.state.lock().authorization = Some(value.to_owned());
    }

    /// From now on requests for what is below `prefix` need this bearer token; others get 401 with `challenge`, such as
    /// `Bearer realm="https://…"`.
    pub fn require_bearer(&self, prefix: &str, token: &str, challenge: &str) {
        let bearer = [prefix, token, challenge].map(str::to_owned);
        self.shared.state.lock().bearer = Some(bearer.into());
    }

    /// From now on requests need this query string; others get 403.
    pub fn require_query(&self, query: &str) {
        self.shared.state.lock().query = Some(query.to_owned());
    }

    /// From now on names are looked up as object stores do: decoded, with `+` for a blank, and what may not stand in the
    /// path of a URL gets 400. Files are then put under their plain names.
    pub fn act_as_object_store(&self) {
        self.shared.state.lock().object_store = true;
    }

    /// Returns how many requests there were for `path`, whatever their query.
    #[must_use]
    pub fn requests(&self, path: &str) -> usize {
        self.shared
            .state
            .lock()
            .log
            .iter()
            .filter(|request| request.path == path)
            .count()
    }

    /// Returns how many requests there were.
    #[must_use]
    pub fn total_requests(&self) -> usize {
        self.shared.state.lock().log.len()
    }

    /// The requests for `path`, in order.
    #[must_use]
    pub fn log(&self, path: &str) -> Vec<Recorded> {
        self.shared
            .state
            .lock()
            .log
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.counters.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.counters.open.load(Ordering::SeqCst)
    }

    /// The most connections that were open at the same time.
    #[must_use]
    pub fn peak_connections(&self) -> usize {
        self.shared.counters.peak_open.load(Ordering::SeqCst)
    }

    /// Requests being answered now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.counters.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at the same time.
    #[must_use]
    pub fn peak_in_flight(&self) -> usize {
        self.shared.counters.peak.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The connections are owned by this task and end with it.
        self.accepting.abort();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Sends heads over one connection and returns everything that comes back until it closes.
    async fn say(upstream: &Upstream, heads: &str) -> String {
        let mut stream = TcpStream::connect(upstream.address()).await.unwrap();
        stream.write_all(heads.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_folder_is_served_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pub")).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::fs::write(folder.path().join("pub/a b"), "public").unwrap();
        let upstream = Upstream::start().await.unwrap();
        upstream.serve_dir("/x/", folder.path().join("pub"));
        assert!(
            say(&upstream, "GET /x/a%20b HTTP/1.1\r\n\r\n")
                .await
                .ends_with("\r\n\r\npublic")
        );
        for path in [
            "/x/../secret",
            "/x/%2e%2e/secret",
            "/x/",
            "/y/a%20b",
            "/x/%zz%",
        ] {
            let answer = say(&upstream, &format!("GET {path} HTTP/1.1\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_connection_serves_several_requests_and_ranges() {
        let upstream = Upstream::start().await.unwrap();
        upstream.put("/f", "0123456789");
        let heads = "HEAD /f HTTP/1.1\r\n\r\nGET /f HTTP/1.1\r\nRange: bytes=-3\r\n\r\n\
                     GET /f HTTP/1.1\r\nRange: bytes=10-\r\n\r\n";
        let answer = say(&upstream, heads).await;
        assert!(
            answer.contains("Content-Range: bytes 7-9/10\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\n\r\n789HTTP/1.1 416 "), "{answer}");
        assert_eq!((upstream.connections(), upstream.requests("/f")), (1, 3));
        assert_eq!(upstream.log("/f")[0].method, "HEAD");
    }

    #[tokio::test]
    async fn faults_are_used_up_in_order() {
        let upstream = Upstream::start().await.unwrap();
        upstream.put("/f", "x");
        upstream.fault_times("/f", Fault::Status(500), 2);
        upstream.fault_times("/f", Fault::Status(429), 1);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(say(&upstream, "GET /f HTTP/1.1\r\n\r\n").await[9..12].to_owned());
        }
        assert_eq!(seen, ["500", "500", "429", "200"]);
    }
}
