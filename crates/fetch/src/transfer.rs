//! One download: mirrors, attempts, resuming.

use bytes::Bytes;
use pith_core::digest::Hashed;
use reqwest::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::answers::{Meta, Resume, retry_after, status_kind};
use crate::decode::{Coding, Reading, Unpacker};
use crate::download::{Fetched, Outcome, Request};
use crate::error::{ErrorKind, FetchError};
use crate::file;
use crate::headers::{MAX_TOLD, Validators};
use crate::hops::explain;
use crate::limits::Drip;
use crate::receiver::{Arrived, Failed, Receiver};
use crate::session::Session;
use crate::sink::Sink;
use crate::urls::{clean, respelt};

/// A download.
pub(crate) struct Transfer<'a> {
    session: &'a Session,
    request: &'a Request,
    /// The version of the file that is not to come again.
    known: Option<&'a Validators>,
    body: Receiver<'a>,
    resume: Option<Resume>,
    reading: Reading,
    attempts: u32,
}

impl<'a> Transfer<'a> {
    pub(crate) fn new(
        session: &'a Session,
        request: &'a Request,
        known: Option<&'a Validators>,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            session,
            request,
            known,
            body: Receiver::new(session, request, sink),
            resume: None,
            reading: Reading::default(),
            attempts: 0,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Outcome, FetchError> {
        // Never closed, so this cannot fail; without a permit the download would merely not be counted.
        let _slot = self.session.state.downloads.acquire().await.ok();
        let mut failed_mirrors: Vec<FetchError> = Vec::new();
        let urls = &self.request.urls;
        // The first spelling of the name at the server that is being asked, and the failures before it.
        let (mut first, mut before) = (0, 0);
        for (mirror, url) in urls.iter().enumerate() {
            let respelt = mirror > 0 && respelt(&urls[first], url);
            if !respelt {
                (first, before) = (mirror, failed_mirrors.len());
            } else if failed_mirrors
                .last()
                .is_some_and(|error| !error.kind.misspelt())
            {
                continue;
            }
            let last = urls[mirror..].iter().all(|later| self::respelt(url, later));
            match self.mirror(url, last).await {
                Ok(arrived) => {
                    if respelt {
                        failed_mirrors.truncate(before);
                    }
                    let (meta, hashed) = match arrived {
                        Arrived::Whole(meta, hashed) => (*meta, hashed),
                        Arrived::Unchanged(validators) => {
                            return Ok(Outcome::NotModified {
                                validators,
                                failed_mirrors,
                            });
                        }
                    };
                    let fetched = self.finish(meta, hashed, mirror, failed_mirrors);
                    return Ok(Outcome::Fetched(Box::new(Fetched { respelt, ..fetched })));
                }
                Err(Failed { error, fatal, .. }) => {
                    tracing::debug!(%error, "a mirror failed");
                    // That it is not there under the other spelling either is no news.
                    if !respelt || !matches!(error.kind, ErrorKind::NotFound { .. }) {
                        failed_mirrors.push(*error);
                    }
                    if fatal {
                        break;
                    }
                }
            }
        }
        let mut error = failed_mirrors
            .pop()
            .unwrap_or_else(|| FetchError::settings("there is no URL to fetch"));
        error.attempts = self.attempts;
        error.earlier = failed_mirrors;
        Err(error)
    }

    fn finish(
        self,
        meta: Meta,
        hashed: Hashed,
        mirror: usize,
        failed_mirrors: Vec<FetchError>,
    ) -> Fetched {
        let Meta {
            url,
            content_type,
            validators,
            told,
            unpacked,
        } = meta;
        Fetched {
            hashed,
            url: clean(&url),
            mirror,
            content_type,
            validators,
            told,
            head: self.body.into_head(),
            attempts: self.attempts,
            failed_mirrors,
            respelt: false,
            unpacked,
        }
    }

    /// One mirror, as often as the policy allows. A mirror that asks us to wait is left alone when there is another.
    async fn mirror(&mut self, url: &Url, last: bool) -> Result<Arrived, Failed> {
        let policy = &self.session.state.shared.policy.retry;
        // Another mirror's copy may differ: nothing of it is kept.
        self.resume = None;
        self.reading = Reading::default();
        let mut tries = 0;
        loop {
            self.attempts += 1;
            tries += 1;
            let outcome = if url.scheme() == "file" {
                file::attempt(&mut self.body, url).await
            } else {
                self.attempt(url).await
            };
            let mut failed = match outcome {
                Ok(outcome) => return Ok(outcome),
                Err(failed) => failed,
            };
            if !failed.fatal && self.reading.turn(&failed.error.kind) {
                tracing::debug!(error = %failed.error, "reading it the other way");
                self.resume = None;
                continue;
            }
            let told_to_wait = failed.wait.is_some_and(|wait| !wait.is_zero());
            let again = failed.error.retryable() && tries < policy.attempts;
            if failed.fatal || !again || (told_to_wait && !last) {
                failed.error.attempts = tries;
                return Err(failed);
            }
            let wait = policy.wait(tries, failed.wait, fastrand::f64());
            tracing::debug!(error = %failed.error, ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// One request and its body.
    async fn attempt(&mut self, url: &Url) -> Result<Arrived, Failed> {
        let headers = self.headers();
        let resuming = headers.contains_key(RANGE);
        let is_conditional = Validators::are_in(&headers);
        let answer = self.session.ask(url, &headers).await?;
        self.body.hold(answer.is_foreign);
        let (response, url) = (answer.response, answer.url);
        let mut unpacker = None;
        match response.status() {
            StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
                let total = response.content_length();
                unpacker = self.unpacker(response.headers(), &url, total);
                if unpacker.is_some() {
                    // A range would be one of the packed bytes.
                    self.resume = None;
                    self.body.start(None, &url).await?;
                } else {
                    self.body.check_total(total, &url)?;
                    self.resume = Resume::new(response.headers(), total);
                    self.body.start(total, &url).await?;
                }
            }
            StatusCode::PARTIAL_CONTENT if resuming => {
                let continues = match &self.resume {
                    Some(resume) => resume.continues(self.body.received, response.headers()),
                    None => Err("the server resumed what was not begun"),
                };
                if let Err(problem) = continues {
                    self.resume = None;
                    return Err(FetchError::new(ErrorKind::Protocol, &url, problem).into());
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if resuming => {
                self.resume = None;
                return Err(FetchError::new(
                    ErrorKind::Truncated,
                    &url,
                    "the server cannot resume",
                )
                .into());
            }
            StatusCode::NOT_MODIFIED if is_conditional => {
                let now = Validators::of(response.headers());
                let known = self.known.cloned().unwrap_or_default();
                return Ok(Arrived::Unchanged(now.or(&known)));
            }
            status => {
                let wait = retry_after(response.headers());
                self.session.discard(response).await;
                let error = FetchError::new(status_kind(status.as_u16()), &url, "");
                return Err(Failed {
                    wait,
                    ..error.into()
                });
            }
        }
        self.receive(response, unpacker, &url).await
    }

    /// The body of an answer, and whether it is what was promised.
    async fn receive(
        &mut self,
        response: Response,
        mut unpacker: Option<Unpacker>,
        url: &Url,
    ) -> Result<Arrived, Failed> {
        let meta = Meta::of(response.headers(), url, &self.request.tell);
        let mut meta = meta.ok_or_else(|| {
            let limit = MAX_TOLD as u64;
            FetchError::new(
                ErrorKind::TooLarge { limit },
                url,
                "the headers of the answer",
            )
        })?;
        let coded = Coding::of(response.headers()).is_some();
        self.body(response, unpacker.as_mut(), url).await?;
        if let Some(unpacker) = &mut unpacker {
            meta.unpacked = unpacker.unpacked();
            let rest = unpacker.finish().map_err(|error| undone(&error, url))?;
            self.body.take(rest.into(), url).await?;
        } else if let Some(expected) = self.request.expect_size.filter(|_| coded)
            && self.body.received < expected
        {
            // Packed rather than broken off.
            let actual = self.body.received;
            let kind = ErrorKind::SizeMismatch { expected, actual };
            return Err(FetchError::new(kind, url, "").into());
        }
        let hashed = self.body.check_complete(url).await?;
        Ok(Arrived::Whole(Box::new(meta), hashed))
    }

    /// The headers to send: those of the request, and those that resume what was begun or ask for what is new only.
    fn headers(&self) -> HeaderMap {
        let mut headers = self.request.headers.sent();
        if let (Some(resume), 1..) = (&self.resume, self.body.received) {
            headers.insert(IF_RANGE, resume.validator.clone());
            if let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.body.received)) {
                headers.insert(RANGE, range);
            }
        } else if let Some(known) = self.known {
            known.add_to(&mut headers);
        }
        headers
    }

    /// The decoder for the body of an answer with these headers, when it is to be unpacked.
    fn unpacker(&mut self, headers: &HeaderMap, url: &Url, total: Option<u64>) -> Option<Unpacker> {
        let coding = Coding::of(headers)?;
        self.reading
            .unpacks(coding, self.request, url, total)
            .then(|| Unpacker::new(coding))
    }

    async fn body(
        &mut self,
        mut response: Response,
        mut unpacker: Option<&mut Unpacker>,
        url: &Url,
    ) -> Result<(), Failed> {
        let limit = self.session.state.upstream.read_timeout;
        let mut drip = Drip::new(self.session.state.shared.policy.slowest);
        let stalled = |received: u64, how: &str| {
            let message = format!("{how} after {received} bytes");
            FetchError::new(ErrorKind::Stalled, url, message)
        };
        loop {
            let asked = Instant::now();
            let bytes = match timeout(limit, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(explain(error, url).into()),
                Err(_) => return Err(stalled(self.body.received, "silent").into()),
            };
            let fast_enough = drip.goes_on(bytes.len(), asked.elapsed());
            self.session.throttle(bytes.len()).await;
            match &mut unpacker {
                None => self.body.take(bytes, url).await?,
                Some(unpacker) => self.take_packed(&bytes, unpacker, url).await?,
            }
            if !fast_enough {
                return Err(stalled(self.body.received, "hardly anything in a long time,").into());
            }
        }
    }

    /// Unpacks the next bytes and takes what comes of them.
    async fn take_packed(
        &mut self,
        bytes: &Bytes,
        unpacker: &mut Unpacker,
        url: &Url,
    ) -> Result<(), Failed> {
        for piece in bytes.chunks(unpacker.slice()) {
            let unpacked = unpacker.push(piece).map_err(|error| undone(&error, url))?;
            if !unpacked.is_empty() {
                self.body.take(unpacked.into(), url).await?;
            }
        }
        // Packing can make a little more of what does not pack, and never of nothing something endless.
        let limit = self.request.max_size;
        if unpacker.taken() > limit.saturating_mul(2).saturating_add(64 * 1024) {
            return Err(self.body.too_large(url));
        }
        Ok(())
    }
}

/// The failure of a body that is not packed as its header says.
fn undone(error: &std::io::Error, url: &Url) -> Failed {
    FetchError::new(ErrorKind::Encoding, url, error.to_string()).into()
}
