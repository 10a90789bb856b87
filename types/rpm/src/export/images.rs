//! Images of an export, with their digests and a manifest (pulp2/rpm-export#images).

use pith_content::ContentError;
use pith_content::export::Images;
use pith_content::publish::{Entry, Outlet};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, RelativePath, Sha256};

use super::config;
use crate::publish::output::inline;
use crate::publish::steps::{Step, Steps};

/// The digests of an image.
const DIGESTS: [Algorithm; 6] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha224,
    Algorithm::Sha256,
    Algorithm::Sha384,
    Algorithm::Sha512,
];
/// The file that lists the images.
const MANIFEST: &str = "PULP_MANIFEST";

/// Packs everything that was added into images, called after `name` and the time.
pub(super) async fn publish(
    ctx: &dyn Outlet,
    name: &str,
    steps: &Steps,
) -> Result<(), ContentError> {
    let config = ctx.config();
    let name = config.text("iso_prefix").unwrap_or(name);
    steps.begin(Step::Images, 1);
    ctx.progress(steps.report());
    let images = Images {
        volume: name,
        limit: config::image_size(config),
        also: &DIGESTS,
    };
    let packed = ctx.pack(&images).await?;
    let now = ctx.clock().now();
    let stem = format!("{name}-{}", now.strftime("%Y-%m-%dT%H.%M"));
    let mut manifest = Vec::new();
    for (image, number) in packed.iter().zip(1..) {
        let name = format!("{stem}-{number:02}.iso");
        let digests = digests(&name, image);
        let beside = format!("{name}.DIGESTS");
        let (sha256, size) = (image.sha256, image.size);
        line(&mut manifest, &name, sha256, size);
        line(
            &mut manifest,
            &beside,
            Sha256::of(&digests),
            digests.len() as u64,
        );
        let image = Entry::Blob { sha256, size };
        ctx.add(path(name)?, image, now).await?;
        ctx.add(path(beside)?, inline(digests), now).await?;
    }
    steps.done(Step::Images, 1);
    if config::has_manifest(config) {
        let manifest = inline(manifest);
        ctx.add(path(MANIFEST.to_owned())?, manifest, now).await?;
        steps.done(Step::Manifest, 1);
    }
    steps.done(Step::Moved, 1);
    Ok(())
}

fn path(name: String) -> Result<RelativePath, ContentError> {
    RelativePath::new(name).map_err(ContentError::other)
}

/// The digests of an image, a line each.
fn digests(name: &str, image: &Hashed) -> Vec<u8> {
    let all = DIGESTS
        .into_iter()
        .filter_map(|algorithm| image.hex(algorithm));
    all.map(|hex| format!("{hex} *{name}\n"))
        .collect::<String>()
        .into_bytes()
}

/// Adds a line to a manifest.
fn line(manifest: &mut Vec<u8>, name: &str, sha256: Sha256, size: u64) {
    manifest.extend_from_slice(format!("{name},{sha256},{size}\r\n").as_bytes());
}
