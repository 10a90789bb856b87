//! The word of sources on units. Units of one key of which different things are said are different units, so that nobody changes
//! what others serve; a repository has one unit of a key (docs/decisions/0008). Where the key does not tell which file it is, what
//! is said of the file counts too.

use pith_content::UnitType;
use pith_content::unit::{Part, Source, WantedUnit};
use pith_core::{Document, MultiHasher, Sha256, UnitId, json};
use pith_store::TaskStore;
use serde_json::Value;

use super::found;
use crate::Engine;
use crate::error::Error;
use crate::parts::named;

/// Fields in which clients say something of a unit; a sync never takes it away.
pub(super) const USER_METADATA: &str = "pulp_user_metadata";

/// Takes over what clients noted of the former unit, unless something is noted of the new one.
pub(super) fn keep_user_metadata(former: &Document, new: &mut Document) {
    let noted = |doc: &Document| {
        let metadata = doc.get(USER_METADATA).and_then(Value::as_object);
        metadata.is_some_and(|metadata| !metadata.is_empty())
    };
    if let Some(metadata) = former.get(USER_METADATA).filter(|_| !noted(new)) {
        new.insert(USER_METADATA.to_owned(), metadata.clone());
    }
}

/// Bytes of a document that are hashed at once.
const HASHED_AT_ONCE: usize = 8 * 1024;

/// The digest of what is said of a unit: its document but for what its type leaves aside, its parts, and its file.
pub(super) fn digest(engine: &Engine, unit: &WantedUnit) -> Sha256 {
    let kind = engine.registry.unit_type(unit.type_id);
    let mut hasher = MultiHasher::new(&[]);
    let mut text = String::with_capacity(HASHED_AT_ONCE);
    let mut fields: Vec<_> = unit.doc.iter().collect();
    fields.retain(|(name, _)| kind.is_none_or(|kind| kind.is_said(name)));
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        json::push_text(&mut text, name);
        json::push_value(&mut text, value);
        if text.len() >= HASHED_AT_ONCE {
            hasher.update(text.as_bytes());
            text.clear();
        }
    }
    let mut parts: Vec<&Part> = unit.parts.iter().collect();
    parts.sort_unstable_by_key(|part| part.name);
    for part in parts {
        // Name and length, so that no part can be taken for the end of another.
        text.extend(["\0", part.name, " ", &part.data.len().to_string(), "\0"]);
        hasher.update(text.as_bytes());
        text.clear();
        hasher.update(&part.data);
    }
    if let Some(kind) = kind
        && let Some(file) = file(kind, unit)
    {
        text.extend(["\0", &file]);
    }
    hasher.update(text.as_bytes());
    hasher.finish().sha256
}

/// The word of a source on a file that the key does not tell: the digests that it promises, or, without any, where the file is
/// and how large. `None` for units whose key tells, and those whose file does not come from elsewhere.
fn file(kind: &UnitType, unit: &WantedUnit) -> Option<String> {
    let Some(Source::Download {
        urls,
        size,
        digests,
        ..
    }) = &unit.source
    else {
        return None;
    };
    if found::is_keyed_by_file(kind, unit) {
        return None;
    }
    if digests.is_empty() {
        return Some(format!("{size:?} {}", urls.first()?));
    }
    let mut digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
    digests.sort_unstable();
    Some(digests.join(" "))
}

/// Lets the type merge what the repository has, the unit `id`, into `wanted`. Tells whether nothing new comes of it.
pub(super) async fn merge(
    engine: &Engine,
    store: &TaskStore,
    wanted: &mut WantedUnit,
    id: UnitId,
) -> Result<bool, Error> {
    let Some(kind) = engine.registry.unit_type(wanted.type_id) else {
        return Ok(false);
    };
    let stored = store.unit_get(wanted.type_id, id).await;
    let Some(stored) = stored? else {
        return Ok(false);
    };
    let mut parts = store.units_every_part(&[id]).await?;
    let parts = named(parts.remove(&id).unwrap_or_default());
    kind.rules.merge(&stored.doc, &parts, wanted);
    keep_user_metadata(&stored.doc, &mut wanted.doc);
    let is_stored = |new: &Part| {
        let mut parts = parts.iter();
        parts.any(|(name, data)| name == new.name && *data == new.data)
    };
    let same_parts = wanted.parts.len() == parts.len() && wanted.parts.iter().all(is_stored);
    // What was said of the stored one's file is not known any more, but that it was something else, or the document was.
    let same_file = file(kind, wanted).is_none();
    Ok(wanted.doc == stored.doc && same_parts && same_file)
}
