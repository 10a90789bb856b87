//! Units of equal names, of which a repository keeps one.

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::repository::ChangeContext;
use pith_content::unit::{RepoUnit, Select};

use crate::ISO;

/// Returns how to look for units of equal names: neighbours.
pub(crate) fn by_name() -> Select {
    Select {
        fields: Some(&["name"]),
        sort: &["name"],
        ..Select::all(ISO.id)
    }
}

/// Takes out all units with equal names but the one associated last, of those that `select` chooses [`by_name`]: a repository
/// holds a name once.
pub(crate) async fn keep_last<C: ChangeContext + ?Sized>(
    ctx: &C,
    select: Select,
) -> Result<(), ContentError> {
    let mut older = Vec::new();
    let mut last: Option<RepoUnit> = None;
    let mut units = ctx.units_after(select).await?;
    while let Some(batch) = units.try_next().await? {
        for unit in batch {
            let age = |unit: &RepoUnit| (unit.updated, unit.id);
            last = Some(match last.take() {
                Some(before) if before.text("name") == unit.text("name") => {
                    let (drop, keep) = match age(&before) > age(&unit) {
                        true => (unit, before),
                        false => (before, unit),
                    };
                    older.push(drop.id);
                    keep
                }
                _ => unit,
            });
        }
    }
    drop(units);
    ctx.remove(ISO.id, older).await
}
