//! An S3 server in the test's own process, on a free port, over a folder that goes away with it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{AbortHandle, JoinSet};

/// Access key that the server takes.
pub const ACCESS_KEY: &str = "test-access-key";
/// Secret key that the server takes.
pub const SECRET_KEY: &str = "test-secret-key";
/// The one bucket.
pub const BUCKET: &str = "pith";

/// A running server. Dropping it stops listening and removes the objects.
pub struct S3 {
    endpoint: String,
    address: SocketAddr,
    service: S3Service,
    accepting: AbortHandle,
    folder: tempfile::TempDir,
}

/// Starts a server that holds one empty bucket. Must be called inside of a tokio runtime.
///
/// # Errors
/// When no port or no folder is to be had.
pub async fn start() -> anyhow::Result<S3> {
    let folder = tempfile::tempdir().context("a folder for objects")?;
    std::fs::create_dir(folder.path().join(BUCKET)).context("the bucket")?;
    let files = FileSystem::new(folder.path())
        .map_err(|error| anyhow::anyhow!("the object server: {error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("a port for the object server")?;
    let address = listener.local_addr()?;
    let service = service.build();
    let accepting = tokio::spawn(accept(listener, service.clone())).abort_handle();
    Ok(S3 {
        endpoint: format!("http://{address}"),
        address,
        service,
        accepting,
        folder,
    })
}

async fn accept(listener: TcpListener, service: S3Service) {
    // Connections end with whoever accepts them.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let service = service.clone();
        connections.spawn(async move {
            // A client that goes away in mid-request is not the server's business.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

impl S3 {
    /// Stops listening and breaks every connection; the objects stay.
    pub fn stop(&self) {
        self.accepting.abort();
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let socket = TcpSocket::new_v4()?;
        // Connections of before may still be ending.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(128)?;
        self.accepting = tokio::spawn(accept(listener, self.service.clone())).abort_handle();
        Ok(())
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A storage URL with everything in it: `s3://pith/<prefix>?endpoint=…`.
    #[must_use]
    pub fn storage_url(&self, prefix: &str) -> String {
        let Self { endpoint, .. } = self;
        format!(
            "s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1&access_key_id={ACCESS_KEY}&secret_access_key={SECRET_KEY}"
        )
    }

    /// The folder whose files are the objects of the bucket, to look at or to damage.
    #[must_use]
    pub fn bucket_folder(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(BUCKET)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
