//! The value that all nouns are methods of.

use std::sync::{Arc, OnceLock};

use pith_engine::turns::{Fairness, Turns};
use pith_engine::{Caller, Engine};
use pith_trust::Authority;

use crate::accounts::Accounts;
use crate::passwords::Passwords;
use crate::search::Searching;
use crate::uploads::{Incoming, UploadQuota};

/// Certificates and keys that are made at once.
const ISSUING: Fairness = Fairness {
    at_once: 1,
    each: 1,
    waiting: 8,
};

/// Pulp's nouns, on an engine that does the work.
pub struct Pulp {
    /// Queue, database, files and content types.
    pub engine: Arc<Engine>,
    /// Hashing passwords, for those who set them and those who log in.
    pub passwords: Arc<Passwords>,
    pub(crate) authority: OnceLock<Arc<Authority>>,
    /// Turns at making certificates and keys: it is hard work, and whoever may log in could keep every core busy with it.
    pub(crate) issuing: Turns<Caller>,
    /// The turns and the memory that searches share.
    pub(crate) searching: Searching,
    pub(crate) upload_quota: UploadQuota,
    pub(crate) incoming: Incoming,
    /// Those who made schedules.
    pub(crate) makers: Accounts,
}

impl Pulp {
    /// The nouns of an engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            passwords: Arc::default(),
            authority: OnceLock::new(),
            issuing: Turns::new(ISSUING),
            searching: Searching::default(),
            upload_quota: UploadQuota::default(),
            incoming: Incoming::default(),
            makers: Accounts::default(),
        }
    }

    /// Sets the room for uploads.
    #[must_use]
    pub fn with_upload_quota(mut self, quota: UploadQuota) -> Self {
        self.upload_quota = quota;
        self
    }
}
