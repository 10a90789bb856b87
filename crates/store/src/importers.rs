//! Importers: how a repository is filled. At most one per repository.

use pith_core::{Document, ObjectId, Timestamp};

use crate::dialect::{Sql, Stmt, sql};
use crate::locks::{lock_repository, repository_exists};
use crate::secrets::Secrets;
use crate::sources::forget_repository;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Backend, Result, Store, StoreError};

/// The importer of a repository (pulp2/importers#documents).
#[derive(Debug, Clone, PartialEq)]
pub struct Importer {
    /// The repository that it belongs to.
    pub repo_id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The importer type, which is also its id.
    pub type_id: String,
    /// Settings.
    pub config: Document,
    /// Plugin data; null until the plugin stores something.
    pub scratchpad: Option<Document>,
    /// End of the last sync, successful or not.
    pub last_sync: Option<Timestamp>,
    /// Last change of the importer.
    pub last_updated: Timestamp,
    /// Override settings of the last sync.
    pub last_override: Option<Document>,
}

/// The columns of an [`Importer`], in the order of `importer`.
const COLUMNS: &str = "repo_id, oid, type_id, json(config), json(scratchpad), last_sync, last_updated, json(last_override)";

fn importer(row: &Row, secrets: &Secrets) -> Result<Importer> {
    let last_override: Option<Document> = row.get(7)?;
    Ok(Importer {
        repo_id: row.get(0)?,
        oid: row.get(1)?,
        type_id: row.get(2)?,
        config: secrets.opened(row.get(3)?)?,
        scratchpad: row.get(4)?,
        last_sync: row.get(5)?,
        last_updated: row.get(6)?,
        last_override: last_override.map(|last| secrets.opened(last)).transpose()?,
    })
}

/// Gives a repository this importer in place of the one it has.
pub(crate) async fn insert(tx: &mut DbTx, importer: &Importer, secrets: &Secrets) -> Result<()> {
    let last_override = importer.last_override.as_ref();
    let last_override = last_override.map(|last| secrets.sealed(last)).transpose()?;
    repository_exists(tx, &importer.repo_id).await?;
    tx.execute(sql("DELETE FROM importers WHERE repo_id = $1").bind(&importer.repo_id))
        .await?;
    forget_repository(tx, &importer.repo_id).await?;
    let statement = sql("INSERT INTO importers (repo_id, oid, type_id, config, scratchpad, last_sync, last_updated, \
         last_override) VALUES ($1, $2, $3, jsonb($4), jsonb($5), $6, $7, jsonb($8))")
    .bind(&importer.repo_id)
    .bind(&importer.oid)
    .bind(&importer.type_id)
    .bind(&secrets.sealed(&importer.config)?)
    .bind(&importer.scratchpad)
    .bind(importer.last_sync)
    .bind(importer.last_updated)
    .bind(&last_override);
    tx.execute(statement).await.map(drop)
}

/// The importer of a repository, as the transaction sees it.
pub(crate) async fn get(tx: &mut DbTx, repo: &str, secrets: &Secrets) -> Result<Option<Importer>> {
    let row = tx.optional(of_repository(tx.backend(), repo)).await?;
    let importer = |row| importer(row, secrets);
    row.as_ref().map(importer).transpose()
}

fn of_repository(backend: Backend, repo: &str) -> Stmt {
    let mut query = Sql::new(backend, "SELECT ");
    query
        .push(COLUMNS)
        .push(" FROM importers WHERE repo_id = ")
        .bind(repo);
    query.build()
}

/// Replaces the settings, sets `last_updated` to `now`.
///
/// # Errors
/// [`crate::StoreError::Missing`] when the repository has no importer.
pub(crate) async fn update_config(
    tx: &mut DbTx,
    repo: &str,
    config: &Document,
    (secrets, now): (&Secrets, Timestamp),
) -> Result<()> {
    let statement =
        sql("UPDATE importers SET config = jsonb($1), last_updated = $2 WHERE repo_id = $3")
            .bind(&secrets.sealed(config)?)
            .bind(now)
            .bind(repo);
    match tx.execute(statement).await? {
        0 => Err(StoreError::missing("importer", repo)),
        _ => Ok(()),
    }
}

impl Store {
    /// The importer of a repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_get(&self, repo: &str) -> Result<Option<Importer>> {
        self.optional(of_repository(self.backend(), repo))
            .await?
            .as_ref()
            .map(|row| importer(row, &self.inner.secrets))
            .transpose()
    }

    /// The importers of these repositories, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_list(&self, repos: Option<&[String]>) -> Result<Vec<Importer>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM importers");
        if let Some(repos) = repos {
            query.push(" WHERE ").bind_in("repo_id", repos);
        }
        query.push(" ORDER BY repo_id");
        self.gather(query.build(), |row| importer(row, &self.inner.secrets))
            .await
    }

    /// Gives the repository this importer in place of the one it has.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn importer_set(&self, importer: &Importer) -> Result<()> {
        let mut tx = self.begin().await?;
        insert(&mut tx.inner, importer, &self.inner.secrets).await?;
        tx.commit().await
    }

    /// Replaces the plugin data.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_set_scratchpad(
        &self,
        repo: &str,
        scratchpad: Option<&Document>,
    ) -> Result<()> {
        let statement = sql("UPDATE importers SET scratchpad = jsonb($1) WHERE repo_id = $2")
            .bind(scratchpad)
            .bind(repo);
        self.importer_write(repo, statement).await
    }

    /// Notes the end of a sync and the override settings it ran with.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_set_last_sync(
        &self,
        repo: &str,
        at: Timestamp,
        override_config: Option<&Document>,
    ) -> Result<()> {
        let sealed = override_config.map(|config| self.inner.secrets.sealed(config));
        let statement = sql(
            "UPDATE importers SET last_sync = $1, last_override = jsonb($2) WHERE repo_id = $3",
        )
        .bind(at)
        .bind(&sealed.transpose()?)
        .bind(repo);
        self.importer_write(repo, statement).await
    }

    /// Everything that the last good sync was made from; `None` when nobody knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_made_from(&self, repo: &str) -> Result<Option<Document>> {
        let statement = sql("SELECT json(made_from) FROM importers WHERE repo_id = $1").bind(repo);
        let row = self.optional(statement).await?;
        row.map_or(Ok(None), |row| row.get(0))
    }

    /// Notes everything that a good sync was made from.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_set_made_from(&self, repo: &str, made_from: &Document) -> Result<()> {
        let statement = sql("UPDATE importers SET made_from = jsonb($1) WHERE repo_id = $2")
            .bind(made_from)
            .bind(repo);
        self.importer_write(repo, statement).await
    }

    async fn importer_write(&self, repo: &str, statement: Stmt) -> Result<()> {
        match self.execute_of_repository(repo, statement).await? {
            0 => Err(StoreError::missing("importer", repo)),
            _ => Ok(()),
        }
    }

    /// Removes the importer with its entries in the catalog of deferred downloads; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_remove(&self, repo: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        lock_repository(&mut tx.inner, repo).await?;
        let removed = tx
            .inner
            .execute(sql("DELETE FROM importers WHERE repo_id = $1").bind(repo))
            .await?;
        forget_repository(&mut tx.inner, repo).await?;
        tx.commit().await?;
        Ok(removed > 0)
    }
}
