//! The signature of repomd.xml, and the key to check it with (pulp2/rpm-publish#signatures).

use bytes::Bytes;
use pith_content::publish::PublishContext;
use pith_content::signing::{KeyChoice, Unsigned};
use pith_content::{Config, ContentError};
use pith_core::{RelativePath, Timestamp};

use super::REPOMD;
use super::output::inline;
use super::steps::{Step, Steps};

/// The setting that asks for a signature.
pub const SWITCH: &str = "gpg_sign_metadata";
/// The setting that names the key.
pub const KEY: &str = "signing_key";
/// The armored signature over repomd.xml.
const SIGNATURE: &str = "repodata/repomd.xml.asc";
/// The key that made it.
const PUBLIC_KEY: &str = "repodata/repomd.xml.key";

/// The key that a configuration signs with.
#[must_use]
pub fn key(config: &Config) -> Option<KeyChoice> {
    KeyChoice::of_settings(config, SWITCH, KEY)
}

/// Tells whether a path is repomd.xml or stands beside it: what is there belongs to this publication alone.
#[must_use]
pub fn is_beside_repomd(path: &str) -> bool {
    matches!(path, REPOMD | SIGNATURE | PUBLIC_KEY)
}

/// Adds the signature over `repomd`, where the configuration asks for it.
///
/// # Errors
/// When it cannot be signed.
pub(super) async fn sign(
    ctx: &dyn PublishContext,
    steps: &Steps,
    repomd: Bytes,
    modified: Timestamp,
) -> Result<(), ContentError> {
    if key(ctx.config()).is_none() {
        return Ok(());
    }
    steps.begin(Step::Sign, 1);
    let signature = ctx.sign(Unsigned::Bytes(repomd)).await?;
    let public = ctx.signer()?.public_key().to_owned();
    for (path, text) in [(SIGNATURE, signature), (PUBLIC_KEY, public)] {
        let path = RelativePath::new(path)?;
        ctx.add(path, inline(text.into_bytes()), modified).await?;
    }
    steps.done(Step::Sign, 1);
    Ok(())
}
