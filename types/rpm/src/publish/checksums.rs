//! Checksums of packages in the algorithm of a publication (pulp2/rpm-publish#checksums).

use pith_content::ContentError;
use pith_content::publish::PublishContext;
use pith_content::unit::RepoUnit;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest, ErrorDetail, UnitId};
use serde_json::Value;

use crate::learned::{self, CHECKSUMS, known_checksum};

/// Checksums that had to be worked out, to be kept.
#[derive(Default)]
pub struct Learned(Vec<(UnitId, Value)>);

impl Learned {
    /// The checksum of a unit's file in the algorithm of the publication; hashes the file when nobody told it.
    ///
    /// # Errors
    /// RPM1008 when it is not known and the file is not here.
    pub async fn checksum(
        &mut self,
        ctx: &dyn PublishContext,
        unit: &RepoUnit,
        algorithm: Algorithm,
    ) -> Result<String, ContentError> {
        if let Some(hex) = known_checksum(unit, algorithm) {
            return Ok(hex);
        }
        let blob = unit.blob.ok_or_else(|| unknown_checksum(algorithm))?;
        let hex = ctx.digest(blob, algorithm).await?;
        let digest = Digest::new(algorithm, &hex)?;
        let hashed = Hashed {
            sha256: blob,
            others: vec![digest],
            size: unit.size.unwrap_or(0),
        };
        let mut doc = unit.doc.clone();
        learned::add_checksums(&mut doc, &hashed);
        let all = doc.remove(CHECKSUMS).unwrap_or_default();
        self.0.push((unit.id, all));
        Ok(hex)
    }

    /// Keeps them in the documents of the units.
    ///
    /// # Errors
    /// What the context fails with.
    pub async fn keep(
        &mut self,
        ctx: &dyn PublishContext,
        type_id: &str,
    ) -> Result<(), ContentError> {
        if self.0.is_empty() {
            return Ok(());
        }
        ctx.learn(type_id, CHECKSUMS, std::mem::take(&mut self.0))
            .await
    }
}

/// RPM1008: nobody knows the checksum and the file is not here.
fn unknown_checksum(algorithm: Algorithm) -> ContentError {
    let name = algorithm.name();
    ContentError::coded(
        ErrorDetail::new(
            "RPM1008",
            format!(
                "Checksum type \"{name}\" is not available for all units in the repository. Make sure those units \
                 have been downloaded."
            ),
        )
        .with("checksumtype", name),
    )
}
