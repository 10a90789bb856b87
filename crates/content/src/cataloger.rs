//! Catalogers: what an alternate content source has, read from its own metadata (pulp2/content-sources).

use async_trait::async_trait;
use pith_core::Document;
use url::Url;

use crate::ContentError;
use crate::base::Base;
use crate::fetch::{Fetch, FetchFailure, Fetched};

/// Reads what one kind of alternate content source has.
#[async_trait]
pub trait Cataloger: Send + Sync {
    /// The value of `type` in the source's settings, such as `yum`.
    fn id(&self) -> &'static str;

    /// Lists every file that the folder at [`CatalogContext::base`] has.
    ///
    /// # Errors
    /// When the folder is no such repository; what was offered before stays.
    async fn refresh(&self, ctx: &dyn CatalogContext) -> Result<(), ContentError>;
}

/// The platform as a cataloger sees it.
#[async_trait]
pub trait CatalogContext: Send + Sync {
    /// The folder to list.
    fn base(&self) -> &Base;

    /// Downloads a document into a spool file, with the source's credentials and limits.
    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure>;

    /// Hands over a batch of what there is.
    async fn offer(&self, offers: Vec<Offer>) -> Result<(), ContentError>;
}

/// A file that a content source has.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The type of the unit whose file it is.
    pub type_id: &'static str,
    /// The fields of the unit's key, at least.
    pub key: Document,
    /// Its URLs, spellings in the order in which they are to be tried.
    pub urls: Vec<Url>,
}
