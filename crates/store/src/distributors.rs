//! Distributors: how a repository is published.

use pith_core::{Document, ObjectId, Sha256, Timestamp};

use crate::dialect::{Sql, sql};
use crate::locks::{lock_repository, repository_exists};
use crate::mounts::bump_mounts;
use crate::secrets::Secrets;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError, Tx};

/// A distributor of a repository (pulp2/distributors#documents).
#[derive(Debug, Clone, PartialEq)]
pub struct Distributor {
    /// The repository that it belongs to.
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
    /// The digest of the authorities whose clients alone may read what it publishes, as the settings name them; `None` for
    /// everybody.
    pub guard: Option<Sha256>,
}

/// Settings of a distributor with what follows from them.
#[derive(Debug, Clone, Copy)]
pub struct DistributorSettings<'a> {
    /// The settings.
    pub config: &'a Document,
    /// The guard, as in [`Distributor::guard`].
    pub guard: Option<Sha256>,
}

/// The path that a distributor publishes at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributorPath {
    /// The repository that it belongs to.
    pub repo_id: String,
    /// Its id, unique in the repository.
    pub id: String,
    /// Its setting `relative_url`.
    pub relative_url: Option<String>,
}

/// The columns of a [`Distributor`], in the order of `distributor`.
pub(crate) const COLUMNS: &str = "repo_id, id, oid, type_id, json(config), auto_publish, last_publish, last_updated, \
     json(last_override), json(scratchpad), guard";

/// The columns that may be long.
pub(crate) const HEAVY: &[&str] = &["config", "last_override", "scratchpad"];

pub(crate) fn distributor(row: &Row, secrets: &Secrets) -> Result<Distributor> {
    let last_override: Option<Document> = row.get(8)?;
    Ok(Distributor {
        repo_id: row.get(0)?,
        id: row.get(1)?,
        oid: row.get(2)?,
        type_id: row.get(3)?,
        config: secrets.opened(row.get(4)?)?,
        auto_publish: row.get(5)?,
        last_publish: row.get(6)?,
        last_updated: row.get(7)?,
        last_override: last_override.map(|last| secrets.opened(last)).transpose()?,
        scratchpad: row.get(9)?,
        guard: row.get(10)?,
    })
}

/// Adds a distributor to a repository that exists.
///
/// # Errors
/// [`crate::StoreError::Duplicate`] when the repository has one of this id.
pub(crate) async fn insert(
    tx: &mut DbTx,
    distributor: &Distributor,
    secrets: &Secrets,
) -> Result<()> {
    let last_override = distributor.last_override.as_ref();
    let last_override = last_override.map(|last| secrets.sealed(last)).transpose()?;
    let statement = sql(
        "INSERT INTO distributors (repo_id, id, oid, type_id, config, auto_publish, last_publish, \
         last_updated, last_override, scratchpad, guard) \
         VALUES ($1, $2, $3, $4, jsonb($5), $6, $7, $8, jsonb($9), jsonb($10), $11)",
    )
    .bind(&distributor.repo_id)
    .bind(&distributor.id)
    .bind(&distributor.oid)
    .bind(&distributor.type_id)
    .bind(&secrets.sealed(&distributor.config)?)
    .bind(distributor.auto_publish)
    .bind(distributor.last_publish)
    .bind(distributor.last_updated)
    .bind(&last_override)
    .bind(&distributor.scratchpad)
    .bind(distributor.guard);
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
        bump_mounts(tx).await?;
    }
    Ok(gone)
}

impl Store {
    /// One distributor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_get(&self, repo: &str, id: &str) -> Result<Option<Distributor>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM distributors WHERE repo_id = ")
            .bind(repo)
            .push(" AND id = ")
            .bind(id);
        let row = self.optional(query.build()).await?;
        row.map(|row| self.distributor_of(&row)).transpose()
    }

    /// The distributors of these repositories, or of all, by repository and id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_list(&self, repos: Option<&[String]>) -> Result<Vec<Distributor>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM distributors");
        if let Some(repos) = repos {
            query.push(" WHERE ").bind_in("repo_id", repos);
        }
        query.push(" ORDER BY repo_id, id");
        self.gather(query.build(), |row| self.distributor_of(row))
            .await
    }

    /// The distributors of a type in other repositories than `repo`, by repository and id: nothing of their settings but the path,
    /// for there may be many of them, with long ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributors_elsewhere(
        &self,
        type_id: &str,
        repo: &str,
    ) -> Result<Vec<DistributorPath>> {
        let query = sql(
            "SELECT repo_id, id, CAST(config->>'relative_url' AS TEXT) FROM distributors \
             WHERE type_id = $1 AND repo_id <> $2 ORDER BY repo_id, id",
        );
        let read = |row: &Row| {
            Ok(DistributorPath {
                repo_id: row.get(0)?,
                id: row.get(1)?,
                relative_url: row.get(2)?,
            })
        };
        self.gather(query.bind(type_id).bind(repo), read).await
    }

    /// Adds the distributor, in place of one of the same id.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn distributor_create(&self, distributor: &Distributor) -> Result<()> {
        let mut tx = self.begin().await?;
        repository_exists(&mut tx.inner, &distributor.repo_id).await?;
        delete(&mut tx, &distributor.repo_id, &distributor.id).await?;
        insert(&mut tx.inner, distributor, &self.inner.secrets).await?;
        tx.commit().await
    }

    fn distributor_of(&self, row: &Row) -> Result<Distributor> {
        distributor(row, &self.inner.secrets)
    }

    /// A distributor whose guard has this digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_guarded_by(&self, guard: Sha256) -> Result<Option<Distributor>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM distributors WHERE guard = ")
            .bind(guard)
            .push(" LIMIT 1");
        let row = self.optional(query.build()).await?;
        row.map(|row| self.distributor_of(&row)).transpose()
    }

    /// Replaces the guard of a distributor whose settings say so, and did when they were saved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_set_guard(
        &self,
        repo: &str,
        id: &str,
        guard: Option<Sha256>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let statement = sql("UPDATE distributors SET guard = $1 WHERE repo_id = $2 AND id = $3");
        tx.inner
            .execute(statement.bind(guard).bind(repo).bind(id))
            .await?;
        bump_mounts(&mut tx).await?;
        tx.commit().await
    }

    /// Replaces settings and auto-publish (when given), sets `last_updated` to now, answers the distributor. Settings count for
    /// what is served already.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_update(
        &self,
        repo: &str,
        id: &str,
        settings: Option<DistributorSettings<'_>>,
        auto_publish: Option<bool>,
    ) -> Result<Distributor> {
        let mut query = Sql::new(self.backend(), "UPDATE distributors SET last_updated = ");
        query.bind(self.now());
        if let Some(settings) = settings {
            query
                .push(", config = jsonb(")
                .bind(&self.inner.secrets.sealed(settings.config)?)
                .push("), guard = ")
                .bind(settings.guard);
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
        let mut tx = self.begin().await?;
        lock_repository(&mut tx.inner, repo).await?;
        let row = tx.inner.optional(query.build()).await?;
        let row = row.ok_or_else(|| StoreError::missing("distributor", id))?;
        if settings.is_some() {
            bump_mounts(&mut tx).await?;
        }
        tx.commit().await?;
        self.distributor_of(&row)
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
        let sealed = override_config.map(|config| self.inner.secrets.sealed(config));
        let statement =
            sql("UPDATE distributors SET last_publish = $1, last_override = jsonb($2) WHERE repo_id = $3 AND id = $4")
                .bind(at)
                .bind(&sealed.transpose()?)
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
