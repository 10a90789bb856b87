//! The key that seals secrets, as the database takes it.

use pith_store::Seal;
use pith_trust::SealingKey;

/// A key that seals the secrets of a database.
pub struct Sealing(pub SealingKey);

impl Seal for Sealing {
    fn id(&self) -> String {
        self.0.id().to_owned()
    }

    fn seal(&self, name: &str, text: &str) -> Result<String, String> {
        self.0.seal(name, text).map_err(|error| error.to_string())
    }

    fn open(&self, name: &str, sealed: &str) -> Result<String, String> {
        self.0.open(name, sealed).map_err(|error| error.to_string())
    }
}
