//! Documents of modules.yaml that are only passed on: which of several that say something of one thing counts. They come with
//! feeds, copies and uploads (docs/decisions/0006), and only the newest of them is kept.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::repository::Units;
use pith_content::unit::{RepoUnit, Select};
use pith_core::UnitId;

use crate::metadata::{modules, snippet};
use crate::modular::text;
use crate::parts::YAML;
use crate::type_ids::MODULE_DOCUMENT;
use crate::units::{ORIGIN, Origin};

/// A document with what decides whether another takes its place.
pub(crate) struct Said {
    /// The unit.
    pub id: UnitId,
    /// The digest of its text.
    pub checksum: String,
    /// Kind, module and stream, and the build as far as it names one; `None` where it names no module.
    subject: Option<[String; 6]>,
    /// The time of its last change, as far as it says so, by digits.
    modified: Option<String>,
    origin: Option<Origin>,
}

impl Said {
    fn is_of_feed(&self) -> bool {
        self.origin == Some(Origin::Feed)
    }

    fn of(unit: &RepoUnit) -> Self {
        let field = |name: &str| text(&unit.doc, name).to_owned();
        let part = unit.parts.first().and_then(Option::as_ref);
        let yaml = part.and_then(|part| snippet::unpack(part).ok());
        let yaml = yaml.as_deref().map(String::from_utf8_lossy);
        let build = yaml.map(|yaml| modules::build(&yaml)).unwrap_or_default();
        let subject = [
            field("document"),
            field("name"),
            field("stream"),
            build.version,
            build.context,
            build.arch,
        ];
        let mut modified = build.modified;
        modified.retain(|c| c.is_ascii_digit());
        Self {
            id: unit.id,
            checksum: field("checksum"),
            subject: Some(subject).filter(|subject| !subject[1].is_empty()),
            modified: Some(modified).filter(|digits| !digits.is_empty()),
            origin: Origin::of(text(&unit.doc, ORIGIN)),
        }
    }
}

/// Returns what [`read`] reads of documents.
pub(crate) fn select() -> Select {
    Select {
        fields: Some(&["document", "name", "stream", "checksum", ORIGIN]),
        parts: &[YAML],
        ..Select::all(MODULE_DOCUMENT)
    }
}

/// Reads documents.
///
/// # Errors
/// Those of the stream.
pub(crate) async fn read(mut units: Units<'_>) -> Result<Vec<Said>, ContentError> {
    let mut found = Vec::new();
    while let Some(batch) = units.try_next().await? {
        found.extend(batch.iter().map(Said::of));
    }
    Ok(found)
}

/// The documents that are not published because something newer was copied or uploaded. They stay in the repository as long as
/// the feed has them, because what was copied or uploaded can be removed again.
pub(crate) fn overruled(all: &[Said]) -> HashSet<UnitId> {
    let others = all.iter().filter(|said| !said.is_of_feed());
    let subjects: HashSet<_> = others.filter_map(|said| said.subject.as_ref()).collect();
    let is_overruled = |said: &&Said| {
        let subject = said.subject.as_ref();
        said.is_of_feed() && subject.is_some_and(|subject| subjects.contains(subject))
    };
    all.iter()
        .filter(is_overruled)
        .map(|said| said.id)
        .collect()
}

/// [`outdated`], of one list of which those with the digests `handed` are fresh.
pub(crate) fn settle(all: Vec<Said>, handed: &HashSet<String>) -> (Vec<UnitId>, Vec<UnitId>) {
    let is_fresh = |said: &Said| handed.contains(&said.checksum);
    let (fresh, known): (Vec<Said>, Vec<Said>) = all.into_iter().partition(is_fresh);
    outdated(&known, &fresh)
}

/// The documents of `known` and of `fresh` that do not count beside each other. Of one subject the fresh ones count, unless
/// what is known was changed later, or is an upload and no earlier. What is in both lists counts as fresh, and what the feed
/// has stays with it.
pub(crate) fn outdated(known: &[Said], fresh: &[Said]) -> (Vec<UnitId>, Vec<UnitId>) {
    let texts: HashSet<&str> = fresh.iter().map(|said| said.checksum.as_str()).collect();
    let mut subjects: HashMap<&[String; 6], (Vec<&Said>, Vec<&Said>)> = HashMap::new();
    for said in fresh {
        if let Some(subject) = &said.subject {
            subjects.entry(subject).or_default().1.push(said);
        }
    }
    let others = known
        .iter()
        .filter(|said| !texts.contains(said.checksum.as_str()));
    for said in others {
        if let Some(of_one) = said.subject.as_ref().and_then(|s| subjects.get_mut(s)) {
            of_one.0.push(said);
        }
    }
    let (mut old, mut late) = (Vec::new(), Vec::new());
    for (known, fresh) in subjects.into_values() {
        let last = |of: &[&Said]| of.iter().filter_map(|said| said.modified.clone()).max();
        let (before, now) = (last(&known), last(&fresh));
        let uploaded = |of: &[&Said]| of.iter().any(|said| said.origin == Some(Origin::Upload));
        let is_uploaded = uploaded(&known) && !uploaded(&fresh);
        let stays = match (before, now) {
            (Some(before), Some(now)) if before != now => before > now,
            _ => is_uploaded,
        };
        let ids = |of: Vec<&Said>| of.into_iter().map(|said| said.id).collect::<Vec<_>>();
        if stays {
            late.extend(ids(fresh));
        } else {
            let others = known.into_iter().filter(|said| !said.is_of_feed());
            old.extend(ids(others.collect()));
        }
    }
    (old, late)
}
