//! Options of the server, the same for `serve` and `mirror`.

use std::net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use pith_blobs::Reserve;
use pith_engine::LOST_AFTER;

use crate::guards::GuardOptions;

mod folders;
mod intake;
mod limits;
mod metrics;
mod units;

pub(crate) use folders::FolderOptions;
pub(crate) use intake::IntakeOptions;
pub(crate) use limits::LimitOptions;
pub(crate) use metrics::{MetricsOptions, MetricsReaders};
use units::{Span, size};

/// The port for TLS when nothing says another.
const DEFAULT_TLS_PORT: u16 = 8443;

/// The places where the server keeps things and listens.
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
    pub(crate) workers: Option<NonZeroUsize>,
    /// Time for which files that a publish leaves out can still be fetched, such as `36h` or `7d`; `0` for not at all
    #[arg(
        long,
        env = "PITH_PUBLICATION_GRACE",
        value_name = "SPAN",
        default_value = "24h"
    )]
    pub(crate) publication_grace: Span,
    /// Seconds after which a process that gives no sign of life has lost its tasks to another one; with PostgreSQL
    #[arg(
        long,
        env = "PITH_LOST_AFTER",
        value_name = "SECONDS",
        default_value_t = LOST_AFTER.as_secs(),
        value_parser = clap::value_parser!(i64).range(2..=3600)
    )]
    pub(crate) lost_after: i64,
    /// Address and port for TLS, or `off` [default: off with a --listen of this machine alone, else port 8443 beside it]
    #[arg(long, env = "PITH_TLS_LISTEN", value_name = "ADDR:PORT")]
    pub(crate) tls_listen: Option<TlsListen>,
    /// Certificate of the server, with its chain, in PEM form [default: made by the server's own authority]
    #[arg(long, env = "PITH_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Key of the server's certificate, in PEM form
    #[arg(long, env = "PITH_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Host names that clients use, for the certificate that is made; this machine's are always in it
    #[arg(
        long,
        env = "PITH_TLS_NAMES",
        value_name = "NAME,…",
        value_delimiter = ',',
        value_parser = host_name,
        conflicts_with = "tls_cert"
    )]
    pub(crate) tls_names: Vec<String>,
    /// Certificate of the authority that signs login certificates, in PEM form [default: made at the first start]
    #[arg(
        long,
        env = "PITH_AUTHORITY_CERT",
        value_name = "FILE",
        requires = "authority_key"
    )]
    pub(crate) authority_cert: Option<PathBuf>,
    /// Key of that authority, in PEM form
    #[arg(
        long,
        env = "PITH_AUTHORITY_KEY",
        value_name = "FILE",
        requires = "authority_cert"
    )]
    pub(crate) authority_key: Option<PathBuf>,
    /// File with the key that seals passwords and keys in the database; made at the first start. Processes on one database need
    /// the same one [default: `secrets.key` in the data folder]
    #[arg(long, env = "PITH_SECRETS_KEY", value_name = "FILE")]
    pub(crate) secrets_key: Option<PathBuf>,
    /// Start although the key of the secrets in the database is lost: they are forgotten
    #[arg(long)]
    pub(crate) accept_lost_secrets: bool,
    /// Room kept free on the disks of files and database, such as `2G`: below it nothing more is taken in, and deleting
    /// still works; 0 for none [default: a twentieth of the disk, at least 4M and at most 1G]
    #[arg(
        long,
        env = "PITH_RESERVE",
        value_name = "SIZE",
        value_parser = reserve,
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) reserve: Reserve,
    #[command(flatten)]
    pub(crate) intake: IntakeOptions,
    /// Start though the folder of files holds none of those that the database knows, because they are lost for good
    #[arg(long)]
    pub(crate) accept_lost_files: bool,
    /// Versions kept of each repository's content; the one that is published always stays, 0 keeps all
    #[arg(
        long,
        env = "PITH_KEEP_VERSIONS",
        value_name = "N",
        default_value_t = 10
    )]
    pub(crate) keep_versions: u32,
    #[command(flatten)]
    pub(crate) folders: FolderOptions,
    /// Let feeds and proxies be on this machine and in private networks. Even then a feed in the internet leads nowhere
    /// else [default: true when only this machine can reach the server, else false]
    #[arg(
        long,
        env = "PITH_ALLOW_PRIVATE_FEEDS",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub(crate) allow_private_feeds: Option<bool>,
    #[command(flatten)]
    pub(crate) guards: GuardOptions,
    /// Let clients on other machines use the API over plain HTTP, passwords included
    #[arg(long, env = "PITH_ALLOW_PLAIN_HTTP")]
    pub(crate) allow_plain_http: bool,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) metrics: MetricsOptions,
}

/// The address at which TLS is listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsListen {
    /// Nowhere.
    Off,
    /// This address.
    At(SocketAddr),
}

impl FromStr for TlsListen {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At)
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080)
}

/// Reads a name that a certificate can be for: an address, or a host name, whose first label may be `*`.
fn host_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    // What ends in a number is an address, or nothing.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = text.len() <= 253
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number);
    if is_host || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(format!(
        "'{text}' is no host name; give names such as pith.example.org or *.example.org, or addresses"
    ))
}

/// Reads the room that is kept free: a size, or `auto`.
fn reserve(text: &str) -> Result<Reserve, String> {
    match text.eq_ignore_ascii_case("auto") {
        true => Ok(Reserve::Share),
        false => size(text).map(Reserve::Bytes),
    }
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

    /// The folder of the database, when it is a file.
    pub(crate) fn database_folder(&self) -> Option<PathBuf> {
        let url = self.database_url();
        let file = url.strip_prefix("sqlite://")?;
        Path::new(file).parent().map(Path::to_owned)
    }

    /// The address at which to listen for TLS; `None` for nowhere.
    pub(crate) fn tls_address(&self) -> Option<SocketAddr> {
        match self.tls_listen {
            Some(TlsListen::At(address)) => Some(address),
            Some(TlsListen::Off) => None,
            // Clients of other machines need it: plain HTTP carries no passwords.
            None => (!self.listen.ip().is_loopback())
                .then(|| SocketAddr::new(self.listen.ip(), DEFAULT_TLS_PORT)),
        }
    }

    /// Returns what is wrong with options that would count for nothing; `None` for nothing.
    pub(crate) fn idle(&self) -> Option<&'static str> {
        let tls = self.tls_cert.is_some() || !self.tls_names.is_empty();
        if self.tls_address().is_some() {
            return None;
        }
        if tls {
            return Some(
                "--tls-cert, --tls-key and --tls-names are for TLS, which is off; give --tls-listen ADDR:PORT",
            );
        }
        self.guards.repo_auth_ca.as_ref().map(|_| {
            "--repo-auth-ca is for clients that come over TLS, which is off; give --tls-listen ADDR:PORT"
        })
    }

    /// Makes sure that a folder of content sources that was asked for is there.
    ///
    /// # Errors
    /// When it is not, or is no folder.
    pub(crate) fn require_content_sources(&self) -> anyhow::Result<()> {
        let Some(folder) = &self.content_sources else {
            return Ok(());
        };
        let shown = folder.display();
        let found = std::fs::metadata(folder)
            .with_context(|| format!("cannot use '{shown}' for --content-sources"))?;
        anyhow::ensure!(
            found.is_dir(),
            "--content-sources takes a folder with files *.conf, and '{shown}' is none"
        );
        Ok(())
    }

    /// Tells whether feeds may be in private networks: by themselves only where nobody else reaches the server.
    pub(crate) fn private_feeds(&self) -> bool {
        let addresses = [Some(self.listen), self.tls_address()];
        let is_alone = |address: SocketAddr| address.ip().is_loopback();
        let alone = addresses.into_iter().flatten().all(is_alone);
        self.allow_private_feeds.unwrap_or(alone)
    }

    /// Returns how many workers to run.
    pub(crate) fn worker_count(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        self.workers.map_or(cores.max(2), NonZeroUsize::get)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        server: ServerOptions,
    }

    fn tls(arguments: &[&str]) -> Option<String> {
        let all = ["pith"].into_iter().chain(arguments.iter().copied());
        let options = Options::try_parse_from(all).unwrap();
        options.server.tls_address().map(|at| at.to_string())
    }

    #[test]
    fn spans_have_units() {
        let grace = |arguments: &[&str]| {
            let all = ["pith"].into_iter().chain(arguments.iter().copied());
            let options = Options::try_parse_from(all);
            options.map(|options| options.server.publication_grace.0.as_secs())
        };
        assert_eq!(grace(&[]).unwrap(), 86_400);
        for (text, seconds) in [
            ("0", 0),
            ("90s", 90),
            ("5m", 300),
            ("36h", 129_600),
            ("7d", 604_800),
        ] {
            assert_eq!(
                grace(&["--publication-grace", text]).unwrap(),
                seconds,
                "{text}"
            );
        }
        for bad in [
            "",
            "5",
            "h",
            "-1h",
            "+1h",
            "1.5h",
            "1 h",
            "367d",
            "99999999999d",
            "é",
        ] {
            assert!(
                grace(&[&format!("--publication-grace={bad}")]).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024() {
        assert_eq!(reserve("auto"), Ok(Reserve::Share));
        assert_eq!(reserve("0"), Ok(Reserve::Bytes(0)));
        assert_eq!(reserve("1500"), Ok(Reserve::Bytes(1500)));
        assert_eq!(reserve("2g"), Ok(Reserve::Bytes(2 << 30)));
        for bad in ["", "G", "1.5G", "-1", "1GB", "99999999T"] {
            assert!(reserve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_in_a_certificate_are_host_names() {
        for good in [
            "a",
            "pith.example.org",
            "*.example.org",
            "xn--bcher-kva.example",
            "3com.com",
            "10.0.0.1",
            "::1",
        ] {
            assert!(host_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "a b", "*", "*.", "a.*.b", "**.a", "a..b", "a.", "-a.b", "a_b", "1.2.3", "ä.de",
            "a/b",
        ] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
        let listed = ["pith", "--tls-names", "a,,*"];
        assert!(Options::try_parse_from(listed).is_err());
    }

    #[test]
    fn content_sources_that_are_asked_for_are_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let of = |path: &Path| {
            let path = path.to_str().unwrap();
            let options = Options::try_parse_from(["pith", "--content-sources", path]).unwrap();
            options.server.require_content_sources()
        };
        of(folder.path()).unwrap();
        let file = folder.path().join("sources.conf");
        assert!(of(&file).is_err());
        std::fs::write(&file, "").unwrap();
        let refused = of(&file).unwrap_err().to_string();
        assert!(refused.contains("--content-sources"), "{refused}");
    }

    #[test]
    fn feeds_in_private_networks_are_for_servers_of_this_machine_alone_unless_allowed() {
        let allowed = |arguments: &[&str]| {
            let all = ["pith"].into_iter().chain(arguments.iter().copied());
            Options::try_parse_from(all).unwrap().server.private_feeds()
        };
        assert!(allowed(&[]));
        assert!(allowed(&[
            "--listen",
            "[::1]:80",
            "--tls-listen",
            "127.0.0.1:443"
        ]));
        assert!(!allowed(&["--listen", "0.0.0.0:80"]));
        assert!(!allowed(&["--tls-listen", "10.0.0.1:443"]));
        assert!(allowed(&[
            "--listen",
            "0.0.0.0:80",
            "--allow-private-feeds"
        ]));
        assert!(!allowed(&["--allow-private-feeds=false"]));
    }

    #[test]
    fn options_of_tls_without_tls_are_refused() {
        let idle = |arguments: &[&str]| {
            let all = ["pith"].into_iter().chain(arguments.iter().copied());
            Options::try_parse_from(all).unwrap().server.idle()
        };
        assert!(idle(&["--tls-names", "a.example"]).is_some());
        assert!(idle(&["--repo-auth-ca", "ca.crt"]).is_some());
        assert_eq!(
            idle(&["--tls-names", "a.example", "--tls-listen", "127.0.0.1:443"]),
            None
        );
        assert_eq!(idle(&[]), None);
    }

    #[test]
    fn tls_is_on_by_default_where_others_can_reach_the_server() {
        assert_eq!(tls(&[]), None);
        assert_eq!(tls(&["--listen", "[::1]:80"]), None);
        let open = ["--listen", "0.0.0.0:8080"];
        assert_eq!(tls(&open).as_deref(), Some("0.0.0.0:8443"));
        assert_eq!(tls(&[open[0], open[1], "--tls-listen", "off"]), None);
        let chosen = tls(&["--tls-listen", "127.0.0.1:443"]);
        assert_eq!(chosen.as_deref(), Some("127.0.0.1:443"));
        for bad in [
            ["--tls-listen", "443"],
            ["--tls-cert", "x"],
            ["--authority-key", "x"],
            ["--workers", "0"],
        ] {
            let all = ["pith"].into_iter().chain(bad);
            assert!(Options::try_parse_from(all).is_err(), "{bad:?}");
        }
    }
}
