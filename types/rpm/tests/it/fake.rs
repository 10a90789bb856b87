//! A repository in memory with a feed on disk, as this type syncs and publishes it.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use pith_content::ContentError;
use pith_content::publish::{Entry, PublishReport};
use pith_content::sync::SyncReport;
use pith_core::Document;
use pith_testkit::memory::Repository;
use pith_type_rpm::publish::YumDistributor;
use pith_type_rpm::sync::YumImporter;
use pith_type_rpm::{Rpm, types};
use serde_json::Value;

pub use pith_testkit::memory::{State, Stored};

pub struct Fake(Repository);

impl Deref for Fake {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.0
    }
}

impl DerefMut for Fake {
    fn deref_mut(&mut self) -> &mut Repository {
        &mut self.0
    }
}

impl Fake {
    pub fn new(feed: &Path, config: Value) -> Self {
        Self(Repository::new(&Rpm, feed, config))
    }

    pub async fn sync(&mut self) -> Result<SyncReport, ContentError> {
        self.0.sync(&YumImporter).await
    }

    pub async fn publish(&self) -> Result<PublishReport, ContentError> {
        self.0.publish(&YumDistributor).await
    }

    /// The unit as the REST API shows it.
    pub fn shown(&self, type_id: &str, field: &str, value: &str) -> Document {
        let state = self.state.lock();
        let mut all = state.units.values();
        let stored = all
            .find(|stored| stored.type_id == type_id && stored.unit.doc[field] == value)
            .unwrap();
        let mut doc = stored.unit.doc.clone();
        let kind = types::unit_type(type_id).unwrap();
        kind.rules.present(&mut doc, &stored.parts);
        doc
    }

    pub fn bytes(&self, entry: &Entry) -> Vec<u8> {
        self.0.bytes(entry).unwrap()
    }

    /// Writes the publication into a folder.
    pub fn write_out(&self, folder: &Path) {
        for (path, (entry, _)) in &self.state.lock().served {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, self.bytes(entry)).unwrap();
        }
    }
}
