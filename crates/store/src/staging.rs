//! The wishes of a task for a repository before it commits.
//!
//! Staging is also what keeps units from being taken for orphans while a task is about to use them. A task finds units by
//! their key, or saves new ones, and until it has staged them anybody may delete them. So staging looks again, in the
//! transaction that writes the staged rows, whether the units are still there, and tells which are not. On SQLite there is
//! one writer, so that settles it. On PostgreSQL the look takes a share lock on the rows of the units, and who deletes
//! orphans first locks them for itself and then judges in a later statement (see `orphans`): either the deleter waits and
//! then sees the staged rows, or the stager waits and then misses the units.

use std::collections::{HashMap, HashSet};

use pith_core::{Document, Sha256, UnitId};

use crate::backend::Backend;
use crate::dialect::{CHUNK, ColumnType, Sql, bulk, plain_name, sql};
use crate::fence::{Fence, TaskStore, of_attempt};
use crate::sources::{self, FileSource};
use crate::transaction::DbTx;
use crate::unit::{KnownUnit, NewUnit, SavedUnit, UnitQuery};
use crate::unit_query::{Plan, Scope};
use crate::unit_save;
use crate::unit_stream;
use crate::value::{Row, Value};
use crate::{Result, Store, StoreError};

/// The number of times that saving starts over because units were deleted under it.
const ATTEMPTS: usize = 5;

/// A unit that a task has staged in place of one that the repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Their type.
    pub type_id: String,
    /// The digest of their key.
    pub key_digest: Sha256,
    /// The staged one.
    pub new: UnitId,
    /// The digest of what is said of it.
    pub said: Sha256,
    /// The one that the repository has.
    pub old: UnitId,
    /// Is true when the same is said of both.
    pub is_same: bool,
}

/// A unit by id and type.
pub type StagedId = (UnitId, String);

/// The type and the key digest of those units that exist; they stay until the transaction ends.
async fn hold(tx: &mut DbTx, ids: &[UnitId]) -> Result<HashMap<UnitId, (String, Sha256)>> {
    let mut there = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let text = "SELECT id, type_id, key_digest FROM units WHERE ";
        let mut query = Sql::new(tx.backend(), text);
        query.bind_in("id", chunk.iter().copied());
        if tx.backend() == Backend::Postgres {
            // In one order for everybody, so that nobody waits in a circle.
            query.push(" ORDER BY id FOR KEY SHARE");
        }
        for row in tx.all(query.build()).await? {
            there.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
        }
    }
    Ok(there)
}

/// Stages units of which the keys are known. Of several with one key the last counts, whenever it was staged: those of `lone` are the
/// only ones of their keys.
async fn add(
    tx: &mut DbTx,
    fence: Fence,
    units: &[(UnitId, &str)],
    there: &HashMap<UnitId, (String, Sha256)>,
    lone: &HashSet<UnitId>,
) -> Result<()> {
    let last: HashMap<&(String, Sha256), UnitId> = units
        .iter()
        .filter_map(|(id, _)| Some((there.get(id)?, *id)))
        .collect();
    let is_last = |id: &UnitId| there.get(id).and_then(|key| last.get(key)) == Some(id);
    let units = units.iter().copied().filter(|(id, _)| is_last(id));
    let units: Vec<(UnitId, &str)> = units.collect();
    let ids = units.iter().map(|(id, _)| *id);
    let ids: Vec<UnitId> = ids.filter(|id| !lone.contains(id)).collect();
    for chunk in ids.chunks(CHUNK) {
        let query = namesakes(tx.backend(), fence, chunk);
        tx.execute(query.build()).await?;
    }
    write(tx, fence, &units, false).await
}

/// Takes back what the task has staged of the keys that these units have.
pub(crate) fn namesakes(backend: Backend, fence: Fence, ids: &[UnitId]) -> Sql {
    let mut query = Sql::new(backend, "DELETE FROM staged_units WHERE ");
    of_attempt(&mut query, "", fence);
    query.push(
        " AND NOT remove AND (type_id, unit_id) IN (SELECT o.type_id, o.id FROM units n JOIN units o \
         ON o.type_id = n.type_id AND o.key_digest = n.key_digest AND o.id <> n.id WHERE ",
    );
    query.bind_in("n.id", ids.iter().copied()).push(")");
    query
}

/// Sets what the task wants of these units; the last word counts.
async fn write(tx: &mut DbTx, fence: Fence, units: &[(UnitId, &str)], remove: bool) -> Result<()> {
    let mut seen = HashSet::with_capacity(units.len());
    let rows: Vec<Vec<Value>> = units
        .iter()
        .filter(|(id, _)| seen.insert(*id))
        .map(|(id, type_id)| {
            let (task, attempt) = (fence.task.into(), fence.attempt.into());
            vec![
                task,
                attempt,
                (*type_id).into(),
                (*id).into(),
                remove.into(),
            ]
        })
        .collect();
    let kinds = [
        ColumnType::Bytes,
        ColumnType::Int,
        ColumnType::Text,
        ColumnType::Bytes,
        ColumnType::Bool,
    ];
    let head = "INSERT INTO staged_units (task_id, attempt, type_id, unit_id, remove)";
    let tail = "ON CONFLICT (task_id, attempt, type_id, unit_id) DO UPDATE SET remove = excluded.remove, instead = NULL";
    let statements = bulk(tx.backend(), head, &kinds, rows, tail);
    tx.execute_each(statements).await.map(drop)
}

/// [`TaskStore::stage_settle`].
pub(crate) async fn settle(tx: &mut DbTx, fence: Fence, repo: &str) -> Result<()> {
    let text = "INSERT INTO staged_units (task_id, attempt, type_id, unit_id, remove, instead) \
         SELECT s.task_id, s.attempt, o.type_id, o.id, true, s.unit_id FROM staged_units s \
         JOIN units n ON n.id = s.unit_id \
         JOIN units o ON o.type_id = n.type_id AND o.key_digest = n.key_digest AND o.id <> n.id \
         JOIN repo_units r ON r.repo_id = ";
    let mut query = Sql::new(tx.backend(), text);
    query
        .bind(repo)
        .push(" AND r.type_id = o.type_id AND r.unit_id = o.id AND r.removed_in IS NULL WHERE ");
    of_attempt(&mut query, "s.", fence);
    query.push(" AND NOT s.remove AND NOT EXISTS (SELECT 1 FROM staged_units a WHERE ");
    of_attempt(&mut query, "a.", fence);
    query.push(
        " AND a.type_id = o.type_id AND a.unit_id = o.id AND NOT a.remove) \
         ON CONFLICT (task_id, attempt, type_id, unit_id) DO UPDATE SET instead = excluded.instead",
    );
    tx.execute(query.build()).await.map(drop)
}

/// An attempt as two columns of a statement: hexadecimal digits and a number.
fn literal(backend: Backend, fence: Fence) -> String {
    let (hex, attempt) = (fence.task.0.simple(), fence.attempt);
    match backend {
        Backend::Sqlite => format!("X'{hex}', {attempt}"),
        Backend::Postgres => format!("'\\x{hex}'::bytea, {attempt}"),
    }
}

impl TaskStore {
    /// Notes that the task wants these units in its repository. Staging a unit again changes nothing; staging one that
    /// was staged for removal wants it back. Answers those units that are not there any more: they are not staged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_add(&self, units: &[(UnitId, &str)]) -> Result<Vec<UnitId>> {
        let ids: Vec<UnitId> = units.iter().map(|(id, _)| *id).collect();
        let mut tx = self.begin().await?;
        let there = hold(&mut tx.inner, &ids).await?;
        add(&mut tx.inner, self.fence(), units, &there, &HashSet::new()).await?;
        tx.commit().await?;
        Ok(ids
            .into_iter()
            .filter(|id| !there.contains_key(id))
            .collect())
    }

    /// Notes that the task wants these units out of its repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_remove(&self, units: &[(UnitId, &str)]) -> Result<()> {
        let mut tx = self.begin().await?;
        write(&mut tx.inner, self.fence(), units, true).await?;
        tx.commit().await
    }

    /// Saves many units with their parts, stages them in the same transaction, and notes there where their files can be had:
    /// `sources` has one entry a unit, and what it says of the unit's id is left aside. Answers in the order given. A key
    /// that occurs twice in one call is saved once.
    ///
    /// # Errors
    /// [`StoreError::UnitsChanged`]; when the database fails. Nothing was saved or staged then.
    pub async fn units_save_staged(
        &self,
        units: &[NewUnit],
        sources: &[Option<FileSource>],
    ) -> Result<Vec<SavedUnit>> {
        for _ in 0..ATTEMPTS {
            let mut tx = self.begin().await?;
            let saved = unit_save::save(&mut tx.inner, units, self.now()).await?;
            // Nobody deletes what this transaction has made.
            let old = saved.iter().filter(|unit| !unit.new);
            let mut ids: Vec<UnitId> = old.map(|unit| unit.id).collect();
            ids.sort_unstable();
            ids.dedup();
            let mut there = hold(&mut tx.inner, &ids).await?;
            if there.len() < ids.len() {
                // One that was found by its key was deleted as an orphan meanwhile; now it is new.
                continue;
            }
            let both = || saved.iter().zip(units);
            let new = both().filter(|(saved, _)| saved.new);
            there.extend(
                new.map(|(saved, unit)| (saved.id, (unit.type_id.clone(), unit.key_digest))),
            );
            let staged = both().map(|(saved, unit)| (saved.id, unit.type_id.as_str()));
            let staged: Vec<(UnitId, &str)> = staged.collect();
            let lone = saved.iter().filter(|unit| unit.lone);
            let lone = lone.map(|unit| unit.id).collect();
            add(&mut tx.inner, self.fence(), &staged, &there, &lone).await?;
            let entries = saved.iter().zip(sources);
            let entries = entries.filter_map(|(unit, source)| Some((unit.id, source.as_ref()?)));
            sources::put(&mut tx.inner, entries, self.now()).await?;
            tx.commit().await?;
            return Ok(saved);
        }
        Err(StoreError::missing(
            "unit",
            "that was saved a moment ago: orphans are being removed faster than units are saved",
        ))
    }

    /// Stages what `query.repo` has of what `query` describes (its order, limit, parts and fields left aside) in one
    /// statement. Whoever calls it holds the repository, so that the units stay associated until this is committed.
    ///
    /// # Errors
    /// As [`Store::units_stream`]; `query.repo` must be given.
    pub async fn stage_select(&self, query: &UnitQuery<'_>, remove: bool) -> Result<u64> {
        if query.repo.is_none() {
            return Err(StoreError::missing("repository", ""));
        }
        let plan = Plan::new(query, None)?;
        let scope = Scope {
            types: &plan.type_ids,
            after: None,
            ids: plan.ids.as_deref(),
            sorted: false,
        };
        let mut statement = plan.select(self, scope).build();
        let attempt = literal(self.backend(), self.fence());
        statement.text = format!(
            "INSERT INTO staged_units (task_id, attempt, type_id, unit_id, remove) \
             SELECT {attempt}, found.type_id, found.unit_id, {remove} FROM ({}) AS found WHERE true \
             ON CONFLICT (task_id, attempt, type_id, unit_id) DO UPDATE SET remove = excluded.remove, instead = NULL",
            statement.text
        )
        .into();
        statement.keep = false;
        self.execute(statement).await
    }

    /// Returns what the task has staged to add (or to remove), by type and id, a page at a time; `types` empty means all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn staged_page(
        &self,
        remove: bool,
        types: &[&str],
        after: Option<&StagedId>,
    ) -> Result<Vec<StagedId>> {
        let mut query = Sql::new(
            self.backend(),
            "SELECT unit_id, type_id FROM staged_units WHERE ",
        );
        of_attempt(&mut query, "", self.fence());
        query.push(" AND remove = ").bind(remove);
        if !types.is_empty() {
            query
                .push(" AND ")
                .bind_in("type_id", types.iter().copied());
        }
        if let Some((id, type_id)) = after {
            query
                .push(" AND (type_id, unit_id) > (")
                .bind(type_id)
                .push(", ")
                .bind(*id)
                .push(")");
        }
        query
            .push(" ORDER BY type_id, unit_id")
            .limit(crate::dialect::PAGE);
        let rows = self.all(query.build()).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Returns fields of what the task has staged of a type to add (or to remove), by id, a page at a time.
    ///
    /// # Errors
    /// [`StoreError::BadName`] for an impossible field; when the database fails.
    pub async fn staged_documents(
        &self,
        remove: bool,
        type_id: &str,
        fields: &[String],
        after: Option<UnitId>,
    ) -> Result<Vec<(UnitId, Document)>> {
        for field in fields {
            plain_name(field)?;
        }
        let mut query = Sql::new(self.backend(), "SELECT s.unit_id, ");
        query
            .push(&unit_stream::document_column(Some(fields)))
            .push(" FROM staged_units s JOIN units u ON u.id = s.unit_id WHERE ");
        of_attempt(&mut query, "s.", self.fence());
        query
            .push(" AND s.type_id = ")
            .bind(type_id)
            .push(" AND s.remove = ")
            .bind(remove);
        if let Some(after) = after {
            query.push(" AND s.unit_id > ").bind(after);
        }
        query
            .push(" ORDER BY s.unit_id")
            .limit(crate::dialect::PAGE);
        let rows = self.all(query.build()).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, unit_stream::document(row, 1, Some(fields))?)))
            .collect()
    }

    /// The units that the task has staged in place of others, a page at a time, in the order of the others.
    /// Settled ones only: see [`TaskStore::stage_settle`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn staged_replacements(&self, after: Option<UnitId>) -> Result<Vec<Replacement>> {
        let text = "SELECT s.type_id, n.key_digest, n.id, n.said, o.id, n.said = o.said FROM staged_units s \
             JOIN units n ON n.id = s.instead JOIN units o ON o.id = s.unit_id WHERE ";
        let mut query = Sql::new(self.backend(), text);
        of_attempt(&mut query, "s.", self.fence());
        query.push(" AND s.instead IS NOT NULL");
        if let Some(after) = after {
            query.push(" AND s.unit_id > ").bind(after);
        }
        query
            .push(" ORDER BY s.unit_id")
            .limit(crate::dialect::PAGE);
        let rows = self.all(query.build()).await?;
        let replacement = |row: &Row| {
            Ok(Replacement {
                type_id: row.get(0)?,
                key_digest: row.get(1)?,
                new: row.get(2)?,
                said: row.get(3)?,
                old: row.get(4)?,
                is_same: row.get(5)?,
            })
        };
        rows.iter().map(replacement).collect()
    }

    /// The types of which the task has staged units to add (or to remove), sorted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn staged_types(&self, remove: bool) -> Result<Vec<String>> {
        let text = "SELECT DISTINCT type_id FROM staged_units WHERE ";
        let mut query = Sql::new(self.backend(), text);
        of_attempt(&mut query, "", self.fence());
        query
            .push(" AND remove = ")
            .bind(remove)
            .push(" ORDER BY type_id");
        self.all(query.build())
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    /// Takes back what the task said of these units, and that others go for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_forget(&self, type_id: &str, ids: &[UnitId]) -> Result<()> {
        for chunk in ids.chunks(CHUNK) {
            for column in ["unit_id", "instead"] {
                let mut query = Sql::new(self.backend(), "DELETE FROM staged_units WHERE ");
                of_attempt(&mut query, "", self.fence());
                query.push(" AND type_id = ").bind(type_id);
                query.push(" AND ").bind_in(column, chunk.iter().copied());
                self.execute(query.build()).await?;
            }
        }
        Ok(())
    }

    /// The units of this type that have one of these keys, by key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_known(
        &self,
        repo: &str,
        type_id: &str,
        keys: &[Sha256],
    ) -> Result<HashMap<Sha256, Vec<KnownUnit>>> {
        let mut known: HashMap<Sha256, Vec<KnownUnit>> = HashMap::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let query = self.known_query(repo, type_id, chunk);
            let mut found = Vec::with_capacity(chunk.len());
            for row in self.all(query.build()).await? {
                let (staged, own): (bool, bool) = (row.get(7)?, row.get(8)?);
                let unit = KnownUnit {
                    id: row.get(1)?,
                    said: row.get(2)?,
                    site: row.get(3)?,
                    own,
                    blob: row.get(4)?,
                    size: row.get(5)?,
                    downloaded: row.get(6)?,
                };
                let key: Sha256 = row.get(0)?;
                found.push((key, !(staged && own), unit));
            }
            // What is staged goes before what is there: it comes in its place.
            found.sort_unstable_by_key(|(_, later, unit)| (*later, unit.id));
            for (key, _, unit) in found {
                known.entry(key).or_default().push(unit);
            }
        }
        Ok(known)
    }

    /// Selects the units of these keys. They are put in order by who reads them: to find them in order, SQLite would look at all of
    /// the type.
    pub(crate) fn known_query(&self, repo: &str, type_id: &str, keys: &[Sha256]) -> Sql {
        let text = "SELECT u.key_digest, u.id, u.said, u.site, u.blob, u.size, u.downloaded, ";
        let mut query = Sql::new(self.backend(), text);
        let staged = |query: &mut Sql, column: &str| {
            query.push(&format!("(SELECT {column} FROM staged_units s WHERE "));
            of_attempt(query, "s.", self.fence());
            query.push(" AND s.type_id = u.type_id AND s.unit_id = u.id)");
        };
        query.push("EXISTS ");
        staged(&mut query, "1");
        query.push(", COALESCE(");
        staged(&mut query, "NOT s.remove");
        query
            .push(", EXISTS (SELECT 1 FROM repo_units r WHERE r.repo_id = ")
            .bind(repo)
            .push(" AND r.type_id = u.type_id AND r.unit_id = u.id AND r.removed_in IS NULL)) ")
            .push("FROM units u WHERE u.type_id = ")
            .bind(type_id)
            .push(" AND ")
            .bind_in("u.key_digest", keys.iter().copied());
        query
    }

    /// Stages the removal of units that the repository has and in whose place the task has staged others of the same keys.
    /// Whoever looks at what the repository will have calls it before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_settle(&self, repo: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        settle(&mut tx.inner, self.fence(), repo).await?;
        tx.commit().await
    }
}

impl Store {
    /// Forgets what tasks staged that have ended: only those of a killed process leave something. Answers how many rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_clear_ended(&self) -> Result<u64> {
        let statement =
            "DELETE FROM staged_units WHERE task_id NOT IN (SELECT id FROM tasks WHERE open)";
        self.execute(sql(statement)).await
    }
}
