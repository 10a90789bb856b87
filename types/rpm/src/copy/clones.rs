//! Units that belong to one repository: a copy gets its own (pulp2/rpm-copy#clones).

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::CopyContext;
use pith_content::unit::{Existing, Part, RepoUnit, Select, Source, WantedUnit};
use pith_core::{Document, UnitId};

use super::{BATCH, Mode};
use crate::modular::text;
use crate::parts::YAML;
use crate::type_ids::{
    CATEGORY, ENVIRONMENT, GROUP, LANGPACKS, METADATA_FILE, MODULE_DOCUMENT, MODULEMD_DEFAULTS,
};
use crate::units::{ORIGIN, Origin};

/// The types whose key names their repository.
const CLONED: [&str; 7] = [
    GROUP,
    CATEGORY,
    ENVIRONMENT,
    LANGPACKS,
    METADATA_FILE,
    MODULEMD_DEFAULTS,
    MODULE_DOCUMENT,
];

/// The types among them whose units are a document kept as a part.
const DOCUMENTS: [&str; 2] = [MODULEMD_DEFAULTS, MODULE_DOCUMENT];

/// Replaces what was chosen of these types by clones for the destination. Answers what Pulp lists as failed though it was
/// copied: the originals.
pub(super) async fn make(
    ctx: &dyn CopyContext,
    mode: Mode,
) -> Result<Vec<(&'static str, Document)>, ContentError> {
    let mut failed = Vec::new();
    if ctx.source().id == ctx.repo().id {
        return Ok(failed);
    }
    for type_id in CLONED {
        let listed = type_id != MODULE_DOCUMENT
            && (mode == Mode::Plain || ![METADATA_FILE, MODULEMD_DEFAULTS].contains(&type_id));
        let select = Select {
            parts: if DOCUMENTS.contains(&type_id) {
                &[YAML]
            } else {
                &[]
            },
            ..Select::all(type_id)
        };
        // All of them first: clones are chosen too, and must not be cloned again.
        let mut originals: Vec<RepoUnit> = ctx.chosen(select).await?.try_concat().await?;
        // Several sources may lead to one destination.
        let own = ctx.repo().id.as_str();
        originals.retain(|unit| text(&unit.doc, "repo_id") != own);
        let ids: Vec<UnitId> = originals.iter().map(|unit| unit.id).collect();
        for batch in ids.chunks(BATCH) {
            ctx.leave_out(type_id, batch.to_vec()).await?;
        }
        let mut clones = Vec::with_capacity(BATCH);
        for unit in originals {
            if listed {
                failed.push((type_id, unit.doc.clone()));
            }
            clones.push(cloned(type_id, unit, &ctx.repo().id)?);
            if clones.len() == BATCH {
                ctx.stage(std::mem::take(&mut clones)).await?;
            }
        }
        if !clones.is_empty() {
            ctx.stage(clones).await?;
        }
    }
    Ok(failed)
}

fn cloned(
    type_id: &'static str,
    unit: RepoUnit,
    repo_id: &str,
) -> Result<WantedUnit, ContentError> {
    let source = match (unit.blob, unit.size) {
        (Some(sha256), Some(size)) => Some(Source::Blob { sha256, size }),
        _ if type_id == METADATA_FILE => {
            return Err(ContentError::other(
                "a metadata file of the source is not downloaded yet, so it cannot be copied; sync the source with the \
                 download policy 'immediate' first",
            ));
        }
        _ => None,
    };
    let mut doc = unit.doc;
    doc.insert("repo_id".to_owned(), repo_id.into());
    let mut existing = Existing::Replace;
    if type_id == MODULE_DOCUMENT {
        doc.insert(ORIGIN.to_owned(), Origin::Copy.name().into());
        // What is there already belongs to whoever brought it.
        existing = Existing::Keep;
    }
    let parts = unit.parts.into_iter().flatten();
    Ok(WantedUnit {
        type_id,
        doc,
        parts: parts.map(|data| Part { name: YAML, data }).collect(),
        source,
        existing,
    })
}
