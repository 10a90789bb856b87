//! Options of the server, the same for `serve` and `mirror`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

/// Where the server keeps things and listens.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerOptions {
    /// Folder for the database, the files and the admin password; made when missing
    #[arg(
        long,
        env = "PITH_DATA",
        value_name = "DIR",
        default_value = "pith-data"
    )]
    pub(crate) data: PathBuf,
    /// Address and port of the API and of published content
    #[arg(long, env = "PITH_LISTEN", value_name = "ADDR:PORT", default_value_t = default_listen())]
    pub(crate) listen: SocketAddr,
    /// Database, `sqlite:///path/file.db` or `postgres://user@host/name` [default: a file in the data folder]
    #[arg(
        long,
        env = "PITH_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
    /// Files, `file:///folder` or `s3://bucket/prefix?endpoint=…` [default: a folder in the data folder]
    #[arg(long, env = "PITH_STORAGE", value_name = "URL", hide_env_values = true)]
    pub(crate) storage: Option<String>,
    /// Folder with files `*.conf` that describe alternate content sources [default: `content-sources` in the data
    /// folder]
    #[arg(long, env = "PITH_CONTENT_SOURCES", value_name = "DIR")]
    pub(crate) content_sources: Option<PathBuf>,
    /// Tasks run at once [default: the number of cores, at least two]
    #[arg(long, env = "PITH_WORKERS", value_name = "N")]
    pub(crate) workers: Option<usize>,
    /// Let clients on other machines use the API over plain HTTP, passwords included
    #[arg(long, env = "PITH_ALLOW_PLAIN_HTTP")]
    pub(crate) allow_plain_http: bool,
}

fn default_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)
}

impl ServerOptions {
    /// The database's URL.
    pub(crate) fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| {
            let path = std::path::absolute(&self.data)
                .unwrap_or_else(|_| self.data.clone())
                .join("pith.db");
            format!("sqlite://{}", path.display())
        })
    }

    /// How many workers to run.
    pub(crate) fn worker_count(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        self.workers.unwrap_or(cores.max(2)).max(1)
    }
}
