//! An S3 server in the test's own process, on a free port, over a folder that goes away with it.

use std::path::Path;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Access key that the server takes.
pub const ACCESS_KEY: &str = "test-access-key";
/// Secret key that the server takes.
pub const SECRET_KEY: &str = "test-secret-key";
/// The one bucket.
pub const BUCKET: &str = "pith";

/// A running server. Dropping it stops listening and removes the objects.
#[derive(Debug)]
pub struct S3 {
    endpoint: String,
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
    let endpoint = format!("http://{}", listener.local_addr()?);
    let accepting = tokio::spawn(accept(listener, service.build())).abort_handle();
    Ok(S3 {
        endpoint,
        accepting,
        folder,
    })
}

async fn accept(listener: TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // A client that goes away in mid-request is not the server's business.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

impl S3 {
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
