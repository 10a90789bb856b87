//! Units of equal names, of which a repository keeps one.

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::repository::Units;
use pith_content::unit::Select;
use pith_core::UnitId;
use serde_json::Value;

/// Returns how to look for units of equal names: neighbours, the one to keep last.
pub(crate) fn by_name() -> Select {
    Select {
        fields: Some(&["name"]),
        sort: &["name"],
        ..Select::all("iso")
    }
}

/// Returns all units with equal names but the one associated last: a repository holds a name once.
pub(crate) async fn same_names(mut units: Units<'_>) -> Result<Vec<UnitId>, ContentError> {
    let mut older = Vec::new();
    let mut last: Option<(Value, pith_core::Timestamp, UnitId)> = None;
    while let Some(batch) = units.try_next().await? {
        for unit in batch {
            let name = unit.doc.get("name").cloned().unwrap_or_default();
            let this = (name, unit.updated, unit.id);
            last = Some(match last.take() {
                Some(before) if before.0 == this.0 => {
                    let (keep, drop) = if (before.1, before.2) > (this.1, this.2) {
                        (before, this)
                    } else {
                        (this, before)
                    };
                    older.push(drop.2);
                    keep
                }
                _ => this,
            });
        }
    }
    Ok(older)
}
