//! The files of an alternate content source with RPM repositories (pulp2/content-sources#catalog).

use std::fs::File;
use std::io::BufReader;

use async_trait::async_trait;
use pith_content::base::Base;
use pith_content::cataloger::{CatalogContext, Cataloger, Offer};
use pith_content::fetch::{Fetch, Fetched};
use pith_content::{ContentError, blocking};
use tokio::sync::mpsc;

use crate::metadata::MetadataError;
use crate::metadata::primary::{Package, PrimaryStream};
use crate::metadata::repomd::{self, Repomd};
use crate::sync::documents::Documents;
use crate::units;

/// Largest primary.xml as stored, in bytes.
const MAX_PRIMARY: u64 = 8 << 30;
/// Most packages handed over at a time.
const BATCH: usize = 500;
/// The bytes of descriptions after which packages are handed over.
const BATCH_BYTES: usize = 8 << 20;

/// The cataloger `yum`.
#[derive(Debug, Default, Clone, Copy)]
pub struct YumCataloger;

#[async_trait]
impl Cataloger for YumCataloger {
    fn id(&self) -> &'static str {
        "yum"
    }

    async fn refresh(&self, ctx: &dyn CatalogContext) -> Result<(), ContentError> {
        let primary = primary(ctx).await?;
        let mut batches = read_in_background(&primary, ctx.base().clone());
        while let Some(batch) = batches.recv().await {
            let offers =
                batch.map_err(|error| ContentError::other(format!("{}: {error}", primary.url)))?;
            ctx.offer(offers).await?;
        }
        Ok(())
    }
}

async fn primary(ctx: &dyn CatalogContext) -> Result<Fetched, ContentError> {
    let base = ctx.base();
    let what = Fetch::any(base.join("repodata/repomd.xml"), repomd::MAX_SIZE);
    let fetched = ctx.fetch(what).await?;
    let url = fetched.url.clone();
    let broken = |error: MetadataError| ContentError::other(format!("{url}: {error}"));
    let file = File::open(fetched.path())?;
    let repomd = blocking::run(move || Repomd::read(BufReader::new(file))).await?;
    let repomd = repomd.map_err(broken)?;
    let data = repomd
        .get("primary")
        .ok_or_else(|| ContentError::other(format!("{url} lists no primary metadata")))?;
    let urls = named(base, data.base.as_deref()).join(data.location());
    let what = Fetch {
        size: data.size,
        digests: data.checksum.iter().cloned().collect(),
        ..Fetch::any(urls, data.size.unwrap_or(MAX_PRIMARY).min(MAX_PRIMARY))
    };
    Ok(ctx.fetch(what).await?)
}

/// The folder that a document names instead of its own.
fn named(base: &Base, other: Option<&str>) -> Base {
    other
        .and_then(|other| base.beside(other).ok())
        .unwrap_or_else(|| base.clone())
}

type Batch = Result<Vec<Offer>, MetadataError>;

/// Parses on a blocking thread, a batch or two ahead.
fn read_in_background(primary: &Fetched, base: Base) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(2);
    let path = primary.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let watched = sender.downgrade();
        let documents = Documents::while_wanted(move || {
            watched.upgrade().is_some_and(|sender| !sender.is_closed())
        });
        let read = || -> Result<(), MetadataError> {
            let mut stream = PrimaryStream::open(documents.open(&path)?)?;
            let mut snippet = Vec::new();
            let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
            while let Some(package) = stream.next(&mut snippet)? {
                let base = named(&base, package.base.as_deref());
                // Nothing but what the key is made of is wanted.
                let package = Package {
                    provides: Vec::new(),
                    requires: Vec::new(),
                    recommends: Vec::new(),
                    summary: None,
                    description: None,
                    ..package
                };
                bytes += snippet.len();
                batch.push(Offer {
                    type_id: units::package_type(&package),
                    key: units::package_document(&package),
                    urls: base.join(package.location()),
                });
                // The other end hangs up when the task ends early.
                let is_full = batch.len() == BATCH || bytes >= BATCH_BYTES;
                bytes = if is_full { 0 } else { bytes };
                if is_full
                    && sender
                        .blocking_send(Ok(std::mem::take(&mut batch)))
                        .is_err()
                {
                    return Ok(());
                }
            }
            let _ = sender.blocking_send(Ok(batch));
            Ok(())
        };
        if let Err(error) = read() {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}
