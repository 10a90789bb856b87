//! Deleting units that no repository has (pulp2/orphans).
//!
//! Units go batch by batch, each batch in a transaction of its own: there may be millions, and half of the orphans gone is
//! as good a state as any. Each is judged again in the transaction that deletes it, so a unit that a running task has staged
//! meanwhile stays (see `pith_store::staging`). Their files follow when their grace period is over (see `upkeep`). Those of
//! units deleted by name are served by the grace of retired paths no longer (see `pith_store::retired`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use pith_core::UnitId;
use pith_core::error::PulpError;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;

/// Units deleted at once on a full disk: the database has room for little.
const FEW: usize = 64;

/// Delete units that no repository has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeleteOrphans {
    /// The choice of orphans.
    pub orphans: Orphans,
}

/// The choice of orphans that a task deletes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Orphans {
    /// All of them.
    All,
    /// Those of one type.
    OfType {
        /// The type.
        type_id: String,
    },
    /// One.
    One {
        /// The type.
        type_id: String,
        /// The unit.
        unit_id: String,
    },
    /// Those that a client listed; any JSON, checked by the run.
    Listed {
        /// Objects with `content_type_id` and `unit_id`.
        units: Value,
    },
}

#[async_trait]
impl Job for DeleteOrphans {
    type Needs = ();

    const KIND: &'static str = "delete_orphans";
    const TASK_TYPE: &'static str = "pulp.server.managers.content.orphan.delete_all_orphans";

    fn task_type(&self) -> &'static str {
        match self.orphans {
            Orphans::All => Self::TASK_TYPE,
            Orphans::OfType { .. } => "pulp.server.managers.content.orphan.delete_orphans_by_type",
            Orphans::One { .. } | Orphans::Listed { .. } => {
                "pulp.server.managers.content.orphan.delete_orphans_by_id"
            }
        }
    }

    fn tags(&self) -> Vec<String> {
        let is_listed = matches!(self.orphans, Orphans::Listed { .. });
        let action = is_listed.then(|| tag::action("delete_orphans"));
        let all = "pulp:content_unit:orphans".to_owned();
        action.into_iter().chain([all]).collect()
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        // Whoever deletes on a full disk wants the room, and now: all of it, also when what went first made some.
        let was_low = run.engine.is_low_on_room();
        let result = delete_units(&run, self.orphans).await?;
        if was_low || run.engine.is_low_on_room() {
            run.engine.sweep_condemned().await?;
        }
        Ok(Done {
            result,
            ..Done::default()
        })
    }
}

/// The result of the task.
async fn delete_units(run: &Run, orphans: Orphans) -> Result<Value, Error> {
    Ok(match orphans {
        Orphans::All => json!(sweep(run, None).await?),
        Orphans::OfType { type_id } => {
            let deleted = sweep(run, Some(&type_id)).await?;
            json!(deleted.values().sum::<u64>())
        }
        Orphans::One { type_id, unit_id } => {
            delete_listed(run, &[(type_id, unit_id)]).await?;
            Value::Null
        }
        Orphans::Listed { units } => {
            delete_listed(run, &listed(&units)?).await?;
            Value::Null
        }
    })
}

/// Deletes all orphans, or those of one type; answers how many of each type.
async fn sweep(run: &Run, type_id: Option<&str>) -> Result<BTreeMap<String, u64>, Error> {
    let store = &run.store;
    let mut deleted: BTreeMap<String, u64> = BTreeMap::new();
    let mut after = UnitId(uuid::Uuid::nil());
    loop {
        if run.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let page = store.units_orphans_page(type_id, after).await?;
        let Some((last, _)) = page.last() else {
            return Ok(deleted);
        };
        after = *last;
        let ids: Vec<UnitId> = page.iter().map(|(id, _)| *id).collect();
        let gone = delete_orphans(run, &ids).await?;
        let gone: std::collections::HashSet<UnitId> = gone.into_iter().collect();
        for (_, type_id) in page.into_iter().filter(|(id, _)| gone.contains(id)) {
            *deleted.entry(type_id).or_default() += 1;
        }
    }
}

/// Returns what a client listed: pairs of type and unit.
fn listed(units: &Value) -> Result<Vec<(String, String)>, PulpError> {
    let wrong = || PulpError::invalid_value(&["content_type_id", "unit_id"]);
    let text = |each: &Value, key: &str| each[key].as_str().map(str::to_owned);
    match units {
        Value::Array(units) => units
            .iter()
            .map(|each| text(each, "content_type_id").zip(text(each, "unit_id")))
            .collect::<Option<_>>()
            .ok_or_else(wrong),
        Value::Object(map) if map.is_empty() => Ok(Vec::new()),
        _ => Err(wrong()),
    }
}

/// Deletes those of these units that are orphans.
async fn delete_listed(run: &Run, units: &[(String, String)]) -> Result<(), Error> {
    let store = &run.store;
    let mut ids = Vec::new();
    for (type_id, unit_id) in units {
        if let Ok(id) = unit_id.parse()
            && store.unit_is_orphan(type_id, id).await?
        {
            ids.push(id);
        }
    }
    // Who names a unit wants its file gone. Who clears away all of them does not know what clients are in the middle of.
    let withdraw = || store.retired_withdraw(&ids);
    run.engine.taking_away(withdraw).await?;
    delete_orphans(run, &ids).await?;
    Ok(())
}

/// Deletes those of these units that are orphans, in what room there is; answers which.
async fn delete_orphans(run: &Run, ids: &[UnitId]) -> Result<Vec<UnitId>, Error> {
    let mut gone = Vec::new();
    let most = match run.engine.is_low_on_room() {
        true => FEW,
        false => ids.len().max(1),
    };
    for few in ids.chunks(most) {
        run.engine.make_way().await;
        let delete = || run.store.units_delete_orphans(few);
        let deleted = run.engine.taking_away(delete).await;
        gone.extend(deleted?);
        // The database may need more room than it has, and each file gives some back.
        if run.engine.is_lowest_on_room() {
            run.engine.delete_condemned_by_now().await?;
        }
    }
    Ok(gone)
}
