//! The units that go from the repository after a sync (pulp2/rpm-sync#purging): old versions, and duplicates of a version.

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::sync::SyncContext;
use pith_content::unit::{RepoUnit, Select};
use pith_core::UnitId;
use rpm_version::Evr;

use crate::modular::{self, Artifacts};
use crate::publish::texts::text;
use crate::type_ids::{DRPM, RPM, SRPM};

const PACKAGE_FIELDS: &[&str] = &["name", "epoch", "version", "release", "arch"];
const DELTA_FIELDS: &[&str] = &["filename", "epoch", "version", "release"];

/// Removals handed over at once.
const BATCH: usize = 500;

fn evr(unit: &RepoUnit) -> Evr<'_> {
    Evr::new(
        text(unit, "epoch"),
        text(unit, "version"),
        text(unit, "release"),
    )
}

/// Removes old versions beyond `keep` per name and architecture, leaving aside what modules of the repository list, and all but the last associated of units with the same
/// name and version. Units stream in the order of their names, so that only one name's are in memory.
///
/// # Errors
/// What the context fails with.
pub async fn run(
    ctx: &dyn SyncContext,
    keep: Option<usize>,
    listed: &Artifacts,
) -> Result<(), ContentError> {
    for (type_id, fields) in [
        (RPM, PACKAGE_FIELDS),
        (SRPM, PACKAGE_FIELDS),
        (DRPM, DELTA_FIELDS),
    ] {
        let key = fields[0];
        let select = Select {
            fields: Some(fields),
            sort: if type_id == DRPM {
                &["filename"]
            } else {
                &["name"]
            },
            ..Select::all(type_id)
        };
        let mut doomed = Vec::new();
        let mut group: Vec<RepoUnit> = Vec::new();
        let mut stream = ctx.units_after(select).await?;
        while let Some(batch) = stream.try_next().await? {
            for unit in batch {
                if group
                    .first()
                    .is_some_and(|g| text(g, key) != text(&unit, key))
                {
                    choose(&mut group, (keep, listed), &mut doomed);
                }
                group.push(unit);
            }
        }
        drop(stream);
        choose(&mut group, (keep, listed), &mut doomed);
        for batch in doomed.chunks(BATCH) {
            ctx.remove(type_id, batch.to_vec()).await?;
        }
    }
    Ok(())
}

/// Decides over the units of one name and empties `group`. Each stream of a module has its own versions of a package: what
/// modules list is kept and not counted.
fn choose(
    group: &mut Vec<RepoUnit>,
    (keep, listed): (Option<usize>, &Artifacts),
    doomed: &mut Vec<UnitId>,
) {
    if group.len() < 2 {
        group.clear();
        return;
    }
    // Newest version first; of equal versions, the last associated first.
    group.sort_by(|a, b| {
        text(a, "arch")
            .cmp(text(b, "arch"))
            .then_with(|| evr(b).cmp(&evr(a)))
            .then_with(|| b.updated.cmp(&a.updated))
            .then_with(|| b.id.cmp(&a.id))
    });
    let mut versions = 0;
    let mut last: Option<&RepoUnit> = None;
    for unit in &*group {
        let same_arch = last.is_some_and(|l| text(l, "arch") == text(unit, "arch"));
        let same_version = same_arch && last.is_some_and(|l| evr(l) == evr(unit));
        if !same_arch {
            versions = 0;
        }
        let modular = !listed.is_empty() && listed.contains(&modular::name_of(&unit.doc));
        if !same_version && !modular {
            versions += 1;
        }
        if same_version || (!modular && keep.is_some_and(|keep| versions > keep + 1)) {
            doomed.push(unit.id);
        }
        last = Some(unit);
    }
    group.clear();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unit(version: &str, arch: &str, minute: i64) -> RepoUnit {
        RepoUnit {
            id: UnitId::new(),
            doc: serde_json::from_value(
                json!({"name": "n", "epoch": "0", "version": version, "release": "1", "arch": arch}),
            )
            .unwrap(),
            blob: None,
            promised: None,
            size: None,
            downloaded: true,
            added: None,
            updated: pith_core::Timestamp::from_second(minute * 60).unwrap(),
            changed: pith_core::Timestamp::UNIX_EPOCH,
            parts: Vec::new(),
        }
    }

    fn kept(units: &[RepoUnit], keep: Option<usize>) -> Vec<String> {
        kept_beside(units, keep, &[])
    }

    fn kept_beside(units: &[RepoUnit], keep: Option<usize>, listed: &[&str]) -> Vec<String> {
        let mut doomed = Vec::new();
        let mut all = Artifacts::default();
        listed.iter().for_each(|name| all.insert(name));
        choose(&mut units.to_vec(), (keep, &all), &mut doomed);
        units
            .iter()
            .filter(|u| !doomed.contains(&u.id))
            .map(|u| format!("{}.{}", text(u, "version"), text(u, "arch")))
            .collect()
    }

    #[test]
    fn versions_compare_as_rpm_does() {
        let units = [
            unit("1.10", "noarch", 0),
            unit("1.9", "noarch", 0),
            unit("1.10~rc1", "noarch", 0),
            unit("1.2", "i686", 0),
        ];
        assert_eq!(kept(&units, Some(0)), ["1.10.noarch", "1.2.i686"]);
        assert_eq!(
            kept(&units, Some(1)),
            ["1.10.noarch", "1.10~rc1.noarch", "1.2.i686"]
        );
        assert_eq!(kept(&units, None).len(), 4);
    }

    #[test]
    fn what_modules_list_is_kept_and_not_counted() {
        let units = ["4", "3", "2", "1"].map(|version| unit(version, "noarch", 0));
        let listed = ["n-0:4-1.noarch", "n-0:1-1.noarch"];
        assert_eq!(
            kept_beside(&units, Some(0), &listed),
            ["4.noarch", "3.noarch", "1.noarch"]
        );
    }

    #[test]
    fn of_duplicates_the_last_associated_stays() {
        let units = [
            unit("1", "noarch", 1),
            unit("1", "noarch", 3),
            unit("1", "noarch", 2),
        ];
        let mut doomed = Vec::new();
        choose(
            &mut units.to_vec(),
            (None, &Artifacts::default()),
            &mut doomed,
        );
        assert_eq!(doomed, [units[2].id, units[0].id]);
    }
}
