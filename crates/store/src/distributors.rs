//! Distributors: how a repository is published.

use pith_core::{Document, ObjectId, Timestamp};

use crate::dialect::{Sql, sql};
use crate::importers::{lock_repository, repository_exists};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError, Tx};

/// A distributor of a repository (reference: platform-api §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Distributor {
    /// Whose distributor.
    pub repo_id: String,
    /// Its id, unique in the repository.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The distributor type.
    pub type_id: String,
    /// Settings.
    pub config: Document,
    /// Is true when a sync publishes it.
    pub auto_publish: bool,
    /// Start of the last publish that succeeded or was skipped.
    pub last_publish: Option<Timestamp>,
    /// Last change of the distributor.
    pub last_updated: Timestamp,
    /// Override settings of the last publish.
    pub last_override: Option<Document>,
    /// Plugin data.
    pub scratchpad: Document,
}

/// The columns of a [`Distributor`], in the order of `distributor`.
pub(crate) const COLUMNS: &str = "repo_id, id, oid, type_id, json(config), auto_publish, last_publish, last_updated, \
     json(last_override), json(scratchpad)";

pub(crate) fn distributor(row: &Row) -> Result<Distributor> {
    Ok(Distributor {
        repo_id: row.get(0)?,
        id: row.get(1)?,
        oid: row.get(2)?,
        type_id: row.get(3)?,
        config: row.get(4)?,
        auto_publish: row.get(5)?,
        last_publish: row.get(6)?,
        last_updated: row.get(7)?,
        last_override: row.get(8)?,
        scratchpad: row.get(9)?,
    })
}

/// Adds a distributor to a repository that exists.
///
/// # Errors
/// [`crate::StoreError::Duplicate`] when the repository has one of this id.
pub(crate) async fn insert(tx: &mut DbTx, distributor: &Distributor) -> Result<()> {
    let statement = sql(
        "INSERT INTO distributors (repo_id, id, oid, type_id, config, auto_publish, last_publish, \
         last_updated, last_override, scratchpad) \
         VALUES ($1, $2, $3, $4, jsonb($5), $6, $7, $8, jsonb($9), jsonb($10))",
    )
    .bind(&distributor.repo_id)
    .bind(&distributor.id)
    .bind(&distributor.oid)
    .bind(&distributor.type_id)
    .bind(&distributor.config)
    .bind(distributor.auto_publish)
    .bind(distributor.last_publish)
    .bind(distributor.last_updated)
    .bind(&distributor.last_override)
    .bind(&distributor.scratchpad);
    tx.execute(statement)
        .await
        .map(drop)
        .map_err(|e| e.or_duplicate("distributor", &distributor.id))
}

/// Deletes a distributor with its publications and mounts; whether there was one.
async fn delete(tx: &mut Tx, repo: &str, id: &str) -> Result<bool> {
    let gone = tx.inner.execute(
        sql("DELETE FROM distributors WHERE repo_id = $1 AND id = $2")
            .bind(repo)
            .bind(id),
    );
    let gone = gone.await? > 0;
    if gone {
        crate::publications::bump_mounts(tx).await?;
    }
    Ok(gone)
}

impl Store {
    /// One distributor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_get(&self, repo: &str, id: &str) -> Result<Option<Distributor>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM distributors WHERE repo_id = ")
            .bind(repo)
            .push(" AND id = ")
            .bind(id);
        self.optional(query.build())
            .await?
            .as_ref()
            .map(distributor)
            .transpose()
    }

    /// The distributors of these repositories, or of all, by repository and id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_list(&self, repos: Option<&[String]>) -> Result<Vec<Distributor>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query.push(COLUMNS).push(" FROM distributors");
        if let Some(repos) = repos {
            query.push(" WHERE ").bind_in("repo_id", repos);
        }
        query.push(" ORDER BY repo_id, id");
        self.all(query.build())
            .await?
            .iter()
            .map(distributor)
            .collect()
    }

    /// The distributors of a type in other repositories than `repo`, by repository and id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributors_elsewhere(
        &self,
        type_id: &str,
        repo: &str,
    ) -> Result<Vec<Distributor>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM distributors WHERE type_id = ")
            .bind(type_id)
            .push(" AND repo_id <> ")
            .bind(repo)
            .push(" ORDER BY repo_id, id");
        self.all(query.build())
            .await?
            .iter()
            .map(distributor)
            .collect()
    }

    /// Adds the distributor, in place of one of the same id.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn distributor_create(&self, distributor: &Distributor) -> Result<()> {
        let mut tx = self.begin().await?;
        repository_exists(&mut tx.inner, &distributor.repo_id).await?;
        delete(&mut tx, &distributor.repo_id, &distributor.id).await?;
        insert(&mut tx.inner, distributor).await?;
        tx.commit().await
    }

    /// Replaces settings and auto-publish (when given), sets `last_updated` to now, answers the distributor.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_update(
        &self,
        repo: &str,
        id: &str,
        config: Option<&Document>,
        auto_publish: Option<bool>,
    ) -> Result<Distributor> {
        let mut query = Sql::new(self.engine(), "UPDATE distributors SET last_updated = ");
        query.bind(self.now());
        if let Some(config) = config {
            query.push(", config = jsonb(").bind(config).push(")");
        }
        if let Some(auto_publish) = auto_publish {
            query.push(", auto_publish = ").bind(auto_publish);
        }
        query
            .push(" WHERE repo_id = ")
            .bind(repo)
            .push(" AND id = ")
            .bind(id)
            .push(" RETURNING ")
            .push(COLUMNS);
        let rows = self.write_all_of_repository(repo, query.build()).await?;
        rows.first()
            .map(distributor)
            .unwrap_or_else(|| Err(StoreError::missing("distributor", id)))
    }

    /// Notes the start of a publish and the override settings it ran with.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_set_last_publish(
        &self,
        repo: &str,
        id: &str,
        at: Timestamp,
        override_config: Option<&Document>,
    ) -> Result<()> {
        let statement =
            sql("UPDATE distributors SET last_publish = $1, last_override = jsonb($2) WHERE repo_id = $3 AND id = $4")
                .bind(at)
                .bind(override_config)
                .bind(repo)
                .bind(id);
        match self.execute_of_repository(repo, statement).await? {
            0 => Err(StoreError::missing("distributor", id)),
            _ => Ok(()),
        }
    }

    /// Removes the distributor with its mounts and publications; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_remove(&self, repo: &str, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        lock_repository(&mut tx.inner, repo).await?;
        let gone = delete(&mut tx, repo, id).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
