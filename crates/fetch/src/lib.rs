//! Every outgoing connection.
//!
//! Nothing else in pith opens a connection to somebody else's server. A process has one [`Fetcher`]; it owns the
//! [`FetchPolicy`] (which addresses may be reached, how often a request is tried), the limits per host over all
//! repositories, and the connection pools. Each importer's settings ([`DownloadSettings`]) become a [`Session`], which fetches
//! streams documents and files into a [`Sink`] while it hashes and checks them ([`Session::get`]).
//!
//! What a fetch promises:
//! - the body never exceeds [`Request::max_size`], whatever the server says or leaves out;
//! - a body that arrives is the body that was expected: size and digests are checked, and a wrong body is never kept;
//! - it ends: every read has a time limit, bodies have a lowest speed, attempts and redirects are counted;
//! - secrets go to the server they are meant for ([`DownloadSettings::home`]) and never into an error, a log line or a `Debug` text;
//! - a bearer challenge is answered with a token from its realm, which goes to the site that asked for it and nowhere else;
//! - files of this machine are read only below folders that [`FetchPolicy::files`] allows, and addresses that are not in the
//!   internet are reached only where [`FetchPolicy::egress`] and the address of the feed allow it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pith_fetch::{DownloadSettings, FetchPolicy, Fetcher, Request, VecSink};
//!
//! let fetcher = Fetcher::new(FetchPolicy::default());
//! let session = fetcher.session(DownloadSettings::default())?;
//! let request = Request::new(["https://mirror.example.com/repodata/repomd.xml".parse()?], 1 << 20);
//! let mut document = VecSink::default();
//! let fetched = session.get(request, &mut document).await?;
//! println!("{} bytes, {}", document.bytes.len(), fetched.hashed.sha256);
//! # Ok(()) }
//! ```

mod answers;
mod bearer;
mod challenge;
mod clients;
mod decode;
mod download;
mod egress;
mod error;
mod fetcher;
mod figures;
mod file;
mod file_feeds;
mod get;
mod headers;
mod hops;
mod limits;
mod policy;
mod receiver;
mod session;
mod sink;
mod state;
mod tokens;
mod transfer;
mod upstream;
mod urls;

pub use download::{Fetched, Outcome, Request};
pub use egress::{AddressClass, Egress, Lookup, SystemLookup};
pub use error::{ErrorKind, FetchError};
pub use fetcher::Fetcher;
pub use figures::Transfers;
pub use file_feeds::FileFeeds;
pub use headers::{RequestHeaders, Told, Validators};
pub use policy::{FetchPolicy, RetryPolicy, Slowest};
pub use session::Session;
pub use sink::{NullSink, Sink, VecSink};
pub use upstream::{BasicAuth, DownloadSettings};
pub use urls::clean;
