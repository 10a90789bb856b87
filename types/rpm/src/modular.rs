//! Packages that modules list. Whether a package is modular is what the modules of its repository say, whichever came
//! first (pulp2/rpm-sync#modules).

use std::borrow::Cow;
use std::collections::HashSet;

use futures::TryStreamExt;
use pith_content::repository::Units;
use pith_content::seen::SeenHashes;
use pith_content::unit::{self, Select};
use pith_content::{ContentError, Listed};
use pith_core::{Document, UnitId};
use serde_json::Value;

use crate::type_ids::{MODULEMD, RPM};

/// The field of packages that tells whether a module lists them.
pub const IS_MODULAR: &str = "is_modular";

/// The packages that modules list, as `name-epoch:version-release.arch`: of each its hash, because there may be very many.
#[derive(Debug, Clone, Default)]
pub struct Artifacts {
    all: SeenHashes,
    /// The names without versions, as long as they are few.
    names: HashSet<String>,
}

impl Artifacts {
    /// Adds a package.
    pub fn insert(&mut self, artifact: &str) {
        self.all.insert(artifact);
        let name = artifact.rmatch_indices('-').nth(1);
        if let Some((end, _)) = name
            && self.names.len() <= Select::MOST_VALUES
        {
            self.names.insert(artifact[..end].to_owned());
        }
    }

    /// Returns what [`select_packages`] does, of packages that may be listed: where few names are, others are not read.
    #[must_use]
    pub fn select_packages(&self) -> Select {
        select_packages().narrow("name", self.names())
    }

    /// The names of listed packages without their versions, one more than a choice is narrowed to at most.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Adds what the document of a module lists.
    pub fn extend_from(&mut self, module: &Document) {
        artifacts_of(module).for_each(|artifact| self.insert(&artifact));
    }

    /// Tells whether a package is listed.
    #[must_use]
    pub fn contains(&self, artifact: &str) -> bool {
        self.all.contains(artifact)
    }

    /// Tells whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The text of a field; empty where there is none.
pub(crate) fn text<'a>(doc: &'a Document, field: &str) -> &'a str {
    unit::text(doc, field).unwrap_or_default()
}

/// The texts of a field that is a list.
pub(crate) fn texts<'a>(doc: &'a Document, field: &str) -> impl Iterator<Item = &'a str> {
    let list = doc.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// `name-epoch:version-release.arch`; without an epoch it is 0.
#[must_use]
pub fn nevra([name, epoch, version, release, arch]: [&str; 5]) -> String {
    let epoch = if epoch.is_empty() { "0" } else { epoch };
    format!("{name}-{epoch}:{version}-{release}.{arch}")
}

/// The name of a package as modules list it.
#[must_use]
pub fn name_of(doc: &Document) -> String {
    nevra(["name", "epoch", "version", "release", "arch"].map(|field| text(doc, field)))
}

/// An artifact as it should be written: some leave the epoch out.
#[must_use]
pub fn artifact(written: &str) -> Cow<'_, str> {
    let version = written.rmatch_indices('-').nth(1).map(|(at, _)| at + 1);
    match version {
        Some(at) if !written[at..].contains(':') => {
            format!("{}0:{}", &written[..at], &written[at..]).into()
        }
        _ => written.into(),
    }
}

/// The artifacts of a module's document.
pub(crate) fn artifacts_of(doc: &Document) -> impl Iterator<Item = Cow<'_, str>> {
    texts(doc, "artifacts").map(artifact)
}

/// The flag of packages that modules of a repository list.
pub static LISTED: Listed = Listed {
    flag: IS_MODULAR,
    by: select_modules,
    names: |doc, names| names.extend(artifacts_of(doc).map(Cow::into_owned)),
    name: name_of,
};

/// The field of module documents that tells their packages.
#[must_use]
pub fn select_modules() -> Select {
    Select {
        fields: Some(&["name", "stream", "artifacts"]),
        ..Select::all(MODULEMD)
    }
}

/// The fields of packages that tell their names, and whether they are known to be modular.
#[must_use]
pub fn select_packages() -> Select {
    Select {
        fields: Some(&["name", "epoch", "version", "release", "arch", IS_MODULAR]),
        ..Select::all(RPM)
    }
}

/// The packages that modules list.
///
/// # Errors
/// Those of the stream.
pub async fn artifacts(mut modules: Units<'_>) -> Result<Artifacts, ContentError> {
    let mut found = Artifacts::default();
    while let Some(batch) = modules.try_next().await? {
        batch.iter().for_each(|unit| found.extend_from(&unit.doc));
    }
    Ok(found)
}

/// Those of `packages` that `listed` has and that are not known to be modular, with what is to be noted of them.
///
/// # Errors
/// Those of the stream.
pub async fn unmarked(
    mut packages: Units<'_>,
    listed: &Artifacts,
) -> Result<Vec<(UnitId, Value)>, ContentError> {
    let mut found = Vec::new();
    while let Some(batch) = packages.try_next().await? {
        let new = batch.iter().filter(|unit| {
            unit.doc.get(IS_MODULAR) != Some(&Value::Bool(true))
                && listed.contains(&name_of(&unit.doc))
        });
        found.extend(new.map(|unit| (unit.id, Value::Bool(true))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_without_an_epoch_has_epoch_zero() {
        assert_eq!(
            artifact("perl-libs-5.24-1.x86_64"),
            "perl-libs-0:5.24-1.x86_64"
        );
        assert_eq!(
            artifact("perl-libs-4:5.24-1.x86_64"),
            "perl-libs-4:5.24-1.x86_64"
        );
        assert_eq!(artifact("odd"), "odd");
        assert_eq!(nevra(["a", "", "1", "2", "noarch"]), "a-0:1-2.noarch");
    }
}
