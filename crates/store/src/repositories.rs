//! Repositories and how many units of each type they have.

use std::collections::BTreeMap;

use pith_core::{Document, ObjectId, Timestamp};

use crate::dialect::{Sql, Stmt, for_update, sql};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Backend, Distributor, Importer, NewTask, Result, Store, StoreError};

/// A repository (pulp2/repositories#documents).
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// The natural id.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Name for people.
    pub display_name: Option<String>,
    /// Text for people.
    pub description: Option<String>,
    /// Client data.
    pub notes: Document,
    /// Plugin data.
    pub scratchpad: Document,
    /// The time at which a commit last added a unit.
    pub last_unit_added: Option<Timestamp>,
    /// The time at which a commit last removed a unit.
    pub last_unit_removed: Option<Timestamp>,
    /// Number of the newest version of the content; 0 before the first.
    pub version: i64,
}

/// New values for a repository; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RepositoryUpdate {
    /// Name for people; `Some(None)` makes it null.
    pub display_name: Option<Option<String>>,
    /// Text for people; `Some(None)` makes it null.
    pub description: Option<Option<String>>,
    /// All of the notes.
    pub notes: Option<Document>,
    /// All of the scratchpad.
    pub scratchpad: Option<Document>,
}

/// A change of a repository, of its importer and of what is queued with it: all of it happens, or nothing.
#[derive(Debug, Clone, Default)]
pub struct RepositoryChange {
    /// New values for the repository.
    pub update: RepositoryUpdate,
    /// All of the importer's settings.
    pub importer_config: Option<Document>,
    /// Tasks to queue.
    pub tasks: Vec<NewTask>,
}

/// The columns of a [`Repository`], in the order of `repository`.
pub(crate) const COLUMNS: &str = "id, oid, display_name, description, json(notes), json(scratchpad), last_unit_added, \
     last_unit_removed, version";

/// The columns that may be long.
pub(crate) const HEAVY: &[&str] = &["display_name", "description", "notes", "scratchpad"];

/// The number of those columns.
pub(crate) const WIDTH: usize = 9;

/// Repository id -> type id -> number of units.
pub type UnitCounts = BTreeMap<String, BTreeMap<String, i64>>;

/// Reads rows of repository, type and number.
pub(crate) fn unit_counts(rows: &[Row]) -> Result<UnitCounts> {
    let mut counts = UnitCounts::new();
    for row in rows {
        counts
            .entry(row.get(0)?)
            .or_default()
            .insert(row.get(1)?, row.get(2)?);
    }
    Ok(counts)
}

pub(crate) fn repository(row: &Row) -> Result<Repository> {
    Ok(Repository {
        id: row.get(0)?,
        oid: row.get(1)?,
        display_name: row.get(2)?,
        description: row.get(3)?,
        notes: row.get(4)?,
        scratchpad: row.get(5)?,
        last_unit_added: row.get(6)?,
        last_unit_removed: row.get(7)?,
        version: row.get(8)?,
    })
}

async fn insert(tx: &mut DbTx, repository: &Repository) -> Result<()> {
    let statement = sql("INSERT INTO repos (id, oid, display_name, description, notes, scratchpad, last_unit_added, \
         last_unit_removed, version) VALUES ($1, $2, $3, $4, jsonb($5), jsonb($6), $7, $8, $9)")
    .bind(&repository.id)
    .bind(&repository.oid)
    .bind(&repository.display_name)
    .bind(&repository.description)
    .bind(&repository.notes)
    .bind(&repository.scratchpad)
    .bind(repository.last_unit_added)
    .bind(repository.last_unit_removed)
    .bind(repository.version);
    tx.execute(statement)
        .await
        .map(drop)
        .map_err(|e| e.or_duplicate("repository", &repository.id))
}

/// The statement that changes what `update` names and answers the row.
fn changed(backend: Backend, id: &str, update: &RepositoryUpdate) -> Stmt {
    let mut query = Sql::new(backend, "UPDATE repos SET id = id");
    if let Some(name) = &update.display_name {
        query.push(", display_name = ").bind(name);
    }
    if let Some(description) = &update.description {
        query.push(", description = ").bind(description);
    }
    for (column, document) in [("notes", &update.notes), ("scratchpad", &update.scratchpad)] {
        if let Some(document) = document {
            query
                .push(&format!(", {column} = jsonb("))
                .bind(document)
                .push(")");
        }
    }
    query
        .push(" WHERE id = ")
        .bind(id)
        .push(" RETURNING ")
        .push(COLUMNS);
    query.build()
}

impl Store {
    /// Saves a new repository; `version` and the two dates are stored as given.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn repository_create(&self, repository: &Repository) -> Result<()> {
        self.repository_create_full(repository, None, &[]).await
    }

    /// Saves a new repository with its importer and distributors, all or nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id, or a distributor id among those given, is taken.
    pub async fn repository_create_full(
        &self,
        repository: &Repository,
        importer: Option<&Importer>,
        distributors: &[Distributor],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        insert(&mut tx.inner, repository).await?;
        if let Some(importer) = importer {
            crate::importers::insert(&mut tx.inner, importer, &self.inner.secrets).await?;
        }
        for distributor in distributors {
            crate::distributors::insert(&mut tx.inner, distributor, &self.inner.secrets).await?;
        }
        tx.commit().await
    }

    /// The repository `id`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_get(&self, id: &str) -> Result<Option<Repository>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM repos WHERE id = ").bind(id);
        self.optional(query.build())
            .await?
            .as_ref()
            .map(repository)
            .transpose()
    }

    /// The repositories of these ids (unknown ones are left out), or all, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_list(&self, ids: Option<&[String]>) -> Result<Vec<Repository>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM repos");
        if let Some(ids) = ids {
            query.push(" WHERE ").bind_in("id", ids);
        }
        query.push(" ORDER BY seq");
        self.all(query.build())
            .await?
            .iter()
            .map(repository)
            .collect()
    }

    /// Changes what `update` names and answers the repository as it is now.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_update(
        &self,
        id: &str,
        update: &RepositoryUpdate,
    ) -> Result<Repository> {
        let rows = self.write_all(changed(self.backend(), id, update)).await?;
        rows.first()
            .map(repository)
            .unwrap_or_else(|| Err(StoreError::missing("repository", id)))
    }

    /// Changes a repository, its importer and the queue as `decide` says after seeing them, with nobody in between, all
    /// or nothing. Answers the repository as it is then, or the error of `decide`, which changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_change<E>(
        &self,
        id: &str,
        decide: impl FnOnce(&Repository, Option<&Importer>) -> Result<RepositoryChange, E> + Send,
    ) -> Result<Result<Repository, E>> {
        let mut tx = self.begin().await?;
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM repos WHERE id = ")
            .bind(id)
            .push(for_update(self.backend()));
        let row = tx.inner.optional(query.build()).await?;
        let row = row.ok_or_else(|| StoreError::missing("repository", id))?;
        let mut repository = self::repository(&row)?;
        let importer = crate::importers::get(&mut tx.inner, id, &self.inner.secrets).await?;
        let change = match decide(&repository, importer.as_ref()) {
            Ok(change) => change,
            Err(error) => return Ok(Err(error)),
        };
        if change.update != RepositoryUpdate::default() {
            let rows = tx
                .inner
                .all(changed(self.backend(), id, &change.update))
                .await?;
            if let Some(row) = rows.first() {
                repository = self::repository(row)?;
            }
        }
        if let Some(config) = &change.importer_config {
            let writing = (&self.inner.secrets, self.now());
            crate::importers::update_config(&mut tx.inner, id, config, writing).await?;
        }
        for task in &change.tasks {
            self.task_enqueue_in(&mut tx, task).await?;
        }
        tx.commit().await?;
        Ok(Ok(repository))
    }

    /// Replaces the scratchpad.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_set_scratchpad(&self, id: &str, scratchpad: &Document) -> Result<()> {
        let statement = sql("UPDATE repos SET scratchpad = jsonb($1) WHERE id = $2")
            .bind(scratchpad)
            .bind(id);
        self.execute_one(statement, "repository", id).await
    }

    /// Deletes the repository with its importer, distributors, history, associations, versions, publications and
    /// mounts. Units stay (as orphans, if nobody else has them).
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_delete(&self, id: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        if tx
            .inner
            .execute(sql("DELETE FROM repos WHERE id = $1").bind(id))
            .await?
            == 0
        {
            return Err(StoreError::missing("repository", id));
        }
        tx.inner
            .execute(sql("DELETE FROM repo_units WHERE repo_id = $1").bind(id))
            .await?;
        crate::sources::forget_repository(&mut tx.inner, id).await?;
        crate::mounts::bump_mounts(&mut tx).await?;
        tx.commit().await
    }

    /// Type id -> number of units, types without units left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts(&self, id: &str) -> Result<BTreeMap<String, i64>> {
        let statement = sql("SELECT type_id, units FROM repo_counts WHERE repo_id = $1").bind(id);
        self.all(statement)
            .await?
            .iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Repository id -> type id -> number of units; repositories without units left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts_all(&self) -> Result<UnitCounts> {
        let statement = sql("SELECT repo_id, type_id, units FROM repo_counts");
        unit_counts(&self.all(statement).await?)
    }

    /// Returns how many units of the repository have files that are not here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_units_not_downloaded(&self, id: &str) -> Result<i64> {
        let statement = sql(
            "SELECT COUNT(*) FROM units u JOIN repo_units r ON r.unit_id = u.id \
             WHERE NOT u.downloaded AND r.repo_id = $1 AND r.removed_in IS NULL",
        )
        .bind(id);
        self.optional(statement)
            .await?
            .map_or(Ok(0), |row| row.get(0))
    }
}
