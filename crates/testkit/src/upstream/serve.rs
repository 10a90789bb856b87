//! The loop of one connection: read a head, answer it, again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, answer};
use super::{Recorded, Shared};

/// Larger heads end the connection.
const MAX_HEAD: usize = 64 * 1024;

/// Accepts until aborted; dropping the future ends all its connections.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                shared.counters.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    let _open = Counted::new(&shared.counters.open, &shared.counters.peak_open);
                    // A client that goes away is no news to a test.
                    let _ = match tls {
                        None => converse(stream, &shared, false).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => {
                                let client_cert = stream.get_ref().1.peer_certificates().is_some();
                                converse(stream, &shared, client_cert).await
                            }
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        }
    }
}

/// Counts something as long as it lasts, and the most of it there ever was.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(now: &'a AtomicUsize, peak: &AtomicUsize) -> Self {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        peak.fetch_max(count, Ordering::SeqCst);
        Self(now)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn converse<S>(mut stream: S, shared: &Shared, client_cert: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let counters = &shared.counters;
    let mut buffer = Vec::with_capacity(4096);
    while let Some(mut request) = read_head(&mut stream, &mut buffer).await? {
        request.client_cert = client_cert;
        let _in_flight = Counted::new(&counters.in_flight, &counters.peak);
        let answer = answer(shared, &request).await;
        shared.state.lock().log.push(request);
        if !send(&mut stream, answer).await? {
            break;
        }
    }
    stream.shutdown().await
}

/// Sends `answer`; false when the connection ends after it.
async fn send<S>(stream: &mut S, answer: Answer) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Answer {
        head,
        body,
        pace,
        hold,
        endless,
        keep_alive,
    } = answer;
    match pace {
        None => {
            let mut whole = head;
            if body.len() < 64 * 1024 {
                whole.extend_from_slice(&body);
                stream.write_all(&whole).await?;
            } else {
                stream.write_all(&whole).await?;
                stream.write_all(&body).await?;
            }
        }
        Some((chunk, every)) => {
            stream.write_all(&head).await?;
            for piece in body.chunks(chunk.max(1)) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::time::sleep(every).await;
            }
        }
    }
    stream.flush().await?;
    if endless {
        let zeros = [0; 16 * 1024];
        // Ends with an error, when the peer has had enough.
        loop {
            stream.write_all(&zeros).await?;
        }
    }
    if hold {
        // Until the peer gives up or the test ends; what it may still send is of no interest.
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
    }
    Ok(keep_alive && !hold)
}

/// The next request; `None` at the end of the connection. What follows the head stays in `buffer`.
async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Recorded>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    // A proxy is asked with the whole URL; the fake then plays every host behind it.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    Ok(Some(Recorded {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers,
        client_cert: false,
    }))
}
