//! Accepting connections: HTTP/1.1 and HTTP/2, plain or over TLS, with a limit on open connections and a clean end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use pith_trust::PeerCertificate;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::tls::Tls;

/// Connections open at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;
/// A client that has not sent its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The time for which requests may go on after the server was told to stop. What goes on for longer waits for its client (an upload
/// that trickles in, a slow download), and would for ever.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `app` until `shutdown` fires, then lets open requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    app: Router,
    shutdown: CancellationToken,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT)
        .keep_alive_timeout(HEADER_TIMEOUT);
    let builder = Arc::new(builder);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Some(Ok(place)) = shutdown
        .run_until_cancelled(Arc::clone(&places).acquire_owned())
        .await
    {
        let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await else {
            break;
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: waiting is all that helps.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let app = app.clone();
        let builder = Arc::clone(&builder);
        let watcher = graceful.watcher();
        let tls = tls.clone();
        tokio::spawn(async move {
            let _place = place;
            let Some(tls) = tls else {
                let service = service(app, peer, None);
                let connection = builder.serve_connection(TokioIo::new(socket), service);
                let _ = watcher.watch(connection.into_owned()).await;
                return;
            };
            // Here, not where connections are accepted: a slow handshake keeps nobody else waiting.
            let Some(stream) = tls.accept(socket).await else {
                return;
            };
            let service = service(app, peer, tls.peer(&stream));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let _ = watcher.watch(connection.into_owned()).await;
        });
    }
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests that did not end in time are cut off");
    }
}

fn service(
    app: Router,
    peer: SocketAddr,
    certificate: Option<PeerCertificate>,
) -> impl hyper::service::Service<
    hyper::Request<hyper::body::Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future = impl Future<Output = Result<axum::response::Response, Infallible>> + Send,
> + Clone {
    hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        join_leading_slashes(request.uri_mut());
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let mut app = app.clone();
        async move {
            std::future::poll_fn(|cx| Service::<Request>::poll_ready(&mut app, cx)).await?;
            app.oneshot(request).await
        }
    })
}

/// `//pulp/…` means `/pulp/…`: the web server in front of Pulp joined slashes before anything was routed
/// (reference: platform-api §1.1). Those further on are joined where the path is taken apart.
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
