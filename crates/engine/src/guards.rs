//! Guards of what distributors publish: the authorities that their settings name.

use pith_content::Config;
use pith_content::publish::ClientGuard;
use pith_core::Sha256;
use pith_store::Distributor;

use crate::Engine;

/// The digest by which a guard is known.
#[must_use]
pub fn digest_of(guard: &ClientGuard) -> Sha256 {
    Sha256::of(guard.authorities.as_bytes())
}

impl Engine {
    /// The guard that a distributor's settings name.
    #[must_use]
    pub fn client_guard(&self, distributor: &Distributor) -> Option<ClientGuard> {
        let plugin = self.registry.distributor(&distributor.type_id)?;
        plugin.guard(&Config::new(distributor.config.clone()))
    }

    /// The authorities of the guard of this digest, in PEM form; `None` when no distributor has it any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn guard_authorities(&self, guard: Sha256) -> pith_store::Result<Option<String>> {
        let found = self.store.distributor_guarded_by(guard).await?;
        let guard = found.and_then(|distributor| self.client_guard(&distributor));
        Ok(guard.map(|guard| guard.authorities))
    }
}
