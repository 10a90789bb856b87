//! The feeds that an importer may have: the server's settings say which folders of this machine and which networks.

use pith_content::base::{Base, shown};
use pith_core::Document;
use pith_core::error::PulpError;
use serde_json::Value;

use crate::Engine;
use crate::masks::FEED;

impl Engine {
    /// Refuses a feed that the server's settings do not allow. One that is `stored` already is judged when it is used, so
    /// that other settings of its importer can still be changed.
    ///
    /// # Errors
    /// 400 with the reason.
    pub fn require_feed(
        &self,
        config: &Document,
        stored: Option<&Document>,
    ) -> Result<(), PulpError> {
        if stored.is_some_and(|stored| stored.get(FEED) == config.get(FEED)) {
            return Ok(());
        }
        let feed = config.get(FEED).and_then(Value::as_str);
        let feed = feed.and_then(|feed| Base::parse(feed).ok());
        self.check_feed(feed.as_ref()).map_err(PulpError::data)
    }

    /// Judges a feed, if there is one.
    ///
    /// # Errors
    /// The reason why it may not be used.
    pub(crate) fn check_feed(&self, feed: Option<&Base>) -> Result<(), String> {
        let Some(feed) = feed else {
            return Ok(());
        };
        let judged = self.fetcher.check_feed(feed.address());
        judged.map_err(|why| format!("the feed {} is refused: {why}", shown(feed.address())))
    }
}
