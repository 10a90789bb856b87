//! Accepting connections: HTTP/1.1 and HTTP/2, plain or over TLS, with limits on what a client takes and on its time, and a clean end.

mod body;
mod connection;
mod connections;
mod exchange;
mod limits;
mod origin;
mod socket;
mod unread;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::response::IntoResponse;
use http::{StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use pith_core::Network;
use pith_serve::Client;
use pith_trust::PeerCertificate;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::tls::Tls;
use crate::traffic::Traffic;
use body::{RequestBody, ResponseBody};
use connections::ConnectionPlace;
pub(crate) use connections::Connections;
use exchange::Exchange;
pub(crate) use limits::Limits;
pub(crate) use origin::{Origin, Proxies};
use socket::Socket;

/// The largest head of a request, in bytes; also what is read ahead of an HTTP/1 body.
const HEAD: u32 = 32 * 1024;
/// The largest header list of an HTTP/2 request, in bytes.
const HEADERS: u32 = 16 * 1024;
/// Fields of a head. Each takes more memory than its bytes on the wire: HTTP/1 may have as many.
const FIELDS: usize = 100;
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// Bytes that one HTTP/2 request may send before somebody reads them.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same of all requests of a connection.
const CONNECTION_WINDOW: u32 = 64 * 1024;
/// Bytes of an HTTP/2 answer that are written ahead of its client.
const SEND_BUFFER: usize = 64 * 1024;
/// The time for which requests may go on after the server was told to stop. What goes on for longer waits for its client (an upload
/// that trickles in, a slow download), and would for ever.
const GRACE: Duration = Duration::from_secs(2);

/// The way in which connections are served.
fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(HEAD as usize)
        .header_read_timeout(patience);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience);
    builder
}

/// Serves `app` until `shutdown` fires, then lets open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    app: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let builder = Arc::new(builder(limits.connections.patience()));
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: somebody who does not need theirs makes room.
                tracing::warn!(%error, "cannot accept a connection");
                limits.connections.make_room();
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // When all are in use, closing this one tells its client so at once.
        let network = limits.proxies.network_of(peer.ip());
        let Some(place) = limits.connections.admit(network) else {
            continue;
        };
        let _ = socket.set_nodelay(true);
        let connection = Arc::clone(&place.connection);
        let caller = Peer {
            app: app.clone(),
            peer,
            place: Arc::new(place),
            is_tls: tls.is_some(),
            client: limits.outgoing.client(),
            proxies: limits.proxies.clone(),
            traffic: Arc::clone(&limits.traffic),
        };
        let builder = Arc::clone(&builder);
        let watcher = graceful.watcher();
        let tls = tls.clone();
        let task = tokio::spawn(async move {
            let socket = caller.socket(socket);
            let Some(tls) = tls else {
                let connection =
                    builder.serve_connection(TokioIo::new(socket), caller.service(None));
                let _ = watcher.watch(connection.into_owned()).await;
                return;
            };
            // Here, not where connections are accepted: a slow handshake keeps nobody else waiting.
            let Some(stream) = tls.accept(socket).await else {
                return;
            };
            let service = caller.service(tls.peer(&stream));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let _ = watcher.watch(connection.into_owned()).await;
        });
        connection.served_by(task.abort_handle());
    }
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests that did not end in time are cut off");
    }
}

/// The other end of a connection, and what it talks to.
#[derive(Clone)]
struct Peer {
    app: Router,
    peer: SocketAddr,
    place: Arc<ConnectionPlace>,
    is_tls: bool,
    client: Arc<Client>,
    proxies: Proxies,
    traffic: Arc<Traffic>,
}

impl Peer {
    fn socket(&self, stream: TcpStream) -> Socket {
        Socket::new(stream, Arc::clone(&self.place))
    }

    fn service(
        self,
        certificate: Option<PeerCertificate>,
    ) -> impl hyper::service::Service<
        hyper::Request<hyper::body::Incoming>,
        Response = http::Response<ResponseBody>,
        Error = Infallible,
        Future = impl Future<Output = Result<http::Response<ResponseBody>, Infallible>> + Send,
    > + Clone {
        hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let has_too_many = request.headers().len() > FIELDS;
            let open = self.place.begin();
            let connection = Arc::clone(&self.place.connection);
            let counted = (request.version() == Version::HTTP_2).then(|| {
                self.place.speaks_http2();
                Arc::clone(&connection)
            });
            let mut request: Request =
                request.map(|body| axum::body::Body::new(RequestBody::new(body, connection)));
            join_leading_slashes(request.uri_mut());
            let origin = self.proxies.origin(self.peer.ip(), request.headers());
            let exchange = Exchange::begin(&mut request, (origin, self.is_tls), &self.traffic);
            let extensions = request.extensions_mut();
            extensions.insert(ConnectInfo(self.peer));
            extensions.insert(Network::of(origin));
            extensions.insert(Origin(origin));
            extensions.insert(Arc::clone(&self.client));
            if let Some(certificate) = &certificate {
                extensions.insert(certificate.clone());
            }
            let app = self.app.clone();
            async move {
                let answer = match has_too_many {
                    true => {
                        drop(request);
                        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()
                    }
                    false => app.oneshot(request).await?,
                };
                Ok(ResponseBody::of(answer, exchange, counted, open))
            }
        })
    }
}

/// `//pulp/…` means `/pulp/…`: the web server in front of Pulp joined slashes before anything was routed
/// (pulp2/conventions#paths). Those further on are joined where the path is taken apart.
fn join_leading_slashes(uri: &mut http::Uri) {
    let Some(asked) = uri.path_and_query().map(http::uri::PathAndQuery::as_str) else {
        return;
    };
    if !asked.starts_with("//") {
        return;
    }
    let Ok(joined) = format!("/{}", asked.trim_start_matches('/')).parse() else {
        return;
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(joined);
    if let Ok(joined) = http::Uri::from_parts(parts) {
        *uri = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leading_slashes_are_joined() {
        for (asked, routed) in [
            (
                "//pulp/api/v2//status/?a=//b",
                "/pulp/api/v2//status/?a=//b",
            ),
            ("///", "/"),
            ("/pulp//x", "/pulp//x"),
            ("http://host//pulp/", "http://host/pulp/"),
        ] {
            let mut uri: http::Uri = asked.parse().unwrap();
            join_leading_slashes(&mut uri);
            assert_eq!(uri.to_string(), routed);
        }
    }
}
