//! Groups of repositories, their members and their distributors.

use std::collections::HashMap;

use pith_core::{ObjectId, Timestamp};
use serde_json::Value;

use crate::dialect::{CHUNK, Sql, Stmt, for_key_share, for_update, sql};
use crate::mounts::bump_mounts;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError};

/// A group of repositories (pulp2/groups#documents). Names and notes are whatever JSON the client gave: Pulp
/// never looked at them.
#[derive(Debug, Clone, PartialEq)]
pub struct RepoGroup {
    /// The natural id.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Name for people.
    pub display_name: Value,
    /// Text for people.
    pub description: Value,
    /// Client data.
    pub notes: Value,
    /// The repositories in it, in the order in which they joined.
    pub members: Vec<String>,
}

/// A distributor of a group (pulp2/groups#distributors).
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDistributor {
    /// The group that it belongs to.
    pub group_id: String,
    /// Its id, unique in the group.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The group distributor type.
    pub type_id: String,
    /// Settings; null when none were ever given.
    pub config: Value,
    /// End of the last publish, successful or not.
    pub last_publish: Option<Timestamp>,
    /// Plugin data.
    pub scratchpad: Value,
}

/// The columns of a [`RepoGroup`], in the order of `group`; members come from a table of their own.
const GROUP: &str = "id, oid, json(display_name), json(description), json(notes)";
/// The path that a distributor of a group publishes at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDistributorPath {
    /// Its group.
    pub group_id: String,
    /// Its setting `relative_url`.
    pub relative_url: Option<String>,
}

/// The columns of a [`GroupDistributor`], in the order of `distributor`.
const DISTRIBUTOR: &str =
    "group_id, id, oid, type_id, json(config), last_publish, json(scratchpad)";
/// The name of what is missing, for errors.
const WHAT: &str = "repo_group";

fn group(row: &Row) -> Result<RepoGroup> {
    Ok(RepoGroup {
        id: row.get(0)?,
        oid: row.get(1)?,
        display_name: row.get(2)?,
        description: row.get(3)?,
        notes: row.get(4)?,
        members: Vec::new(),
    })
}

fn distributor(row: &Row) -> Result<GroupDistributor> {
    Ok(GroupDistributor {
        group_id: row.get(0)?,
        id: row.get(1)?,
        oid: row.get(2)?,
        type_id: row.get(3)?,
        config: row.get(4)?,
        last_publish: row.get(5)?,
        scratchpad: row.get(6)?,
    })
}

fn members_of(id: &str) -> Stmt {
    sql("SELECT repo_id FROM repo_group_members WHERE group_id = $1 ORDER BY seq").bind(id)
}

/// The members of a group, as the transaction sees them.
async fn members(tx: &mut DbTx, id: &str) -> Result<Vec<String>> {
    let rows = tx.all(members_of(id)).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Locks the group until the end of the transaction and answers it.
async fn locked(tx: &mut DbTx, id: &str) -> Result<RepoGroup> {
    let mut query = Sql::new(tx.backend(), "SELECT ");
    query
        .push(GROUP)
        .push(" FROM repo_groups WHERE id = ")
        .bind(id)
        .push(for_update(tx.backend()));
    match tx.optional(query.build()).await? {
        Some(row) => Ok(RepoGroup {
            members: members(tx, id).await?,
            ..group(&row)?
        }),
        None => Err(StoreError::missing(WHAT, id)),
    }
}

/// Adds repositories to a group one after another, which keeps their order; those that are not there or already in
/// the group are passed over.
async fn join(tx: &mut DbTx, group: &str, repos: &[String]) -> Result<()> {
    // None of them may go away before the end: a row of `repos` that was only read is no longer there when it is needed.
    for chunk in repos.chunks(CHUNK) {
        let mut query = Sql::new(tx.backend(), "SELECT id FROM repos WHERE ");
        query
            .bind_in("id", chunk)
            .push(" ORDER BY id")
            .push(for_key_share(tx.backend()));
        tx.all(query.build()).await?;
    }
    for repo in repos {
        let statement = sql(
            "INSERT INTO repo_group_members (group_id, repo_id) SELECT $1, id FROM repos WHERE id = $2 \
             ON CONFLICT (group_id, repo_id) DO NOTHING",
        );
        tx.execute(statement.bind(group).bind(repo)).await?;
    }
    Ok(())
}

async fn insert_distributor(tx: &mut DbTx, new: &GroupDistributor) -> Result<()> {
    let old = sql("DELETE FROM repo_group_distributors WHERE group_id = $1 AND id = $2")
        .bind(&new.group_id)
        .bind(&new.id);
    tx.execute(old).await?;
    let statement = sql(
        "INSERT INTO repo_group_distributors (group_id, id, oid, type_id, config, last_publish, scratchpad) \
         VALUES ($1, $2, $3, $4, jsonb($5), $6, jsonb($7))",
    )
    .bind(&new.group_id)
    .bind(&new.id)
    .bind(&new.oid)
    .bind(&new.type_id)
    .bind(&new.config)
    .bind(new.last_publish)
    .bind(&new.scratchpad);
    tx.execute(statement).await.map(drop)
}

impl Store {
    /// Saves a new group with its members and distributors, all or nothing. Members that do not exist are left out.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn group_create(
        &self,
        group: &RepoGroup,
        distributors: &[GroupDistributor],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let statement = sql(
            "INSERT INTO repo_groups (id, oid, display_name, description, notes) \
             VALUES ($1, $2, jsonb($3), jsonb($4), jsonb($5))",
        )
        .bind(&group.id)
        .bind(&group.oid)
        .bind(&group.display_name)
        .bind(&group.description)
        .bind(&group.notes);
        tx.inner
            .execute(statement)
            .await
            .map_err(|error| error.or_duplicate(WHAT, &group.id))?;
        join(&mut tx.inner, &group.id, &group.members).await?;
        for distributor in distributors {
            insert_distributor(&mut tx.inner, distributor).await?;
        }
        tx.commit().await
    }

    /// The group `id`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_get(&self, id: &str) -> Result<Option<RepoGroup>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(GROUP)
            .push(" FROM repo_groups WHERE id = ")
            .bind(id);
        let Some(row) = self.optional(query.build()).await? else {
            return Ok(None);
        };
        let members = self.all(members_of(id)).await?;
        Ok(Some(RepoGroup {
            members: members
                .iter()
                .map(|row| row.get(0))
                .collect::<Result<_>>()?,
            ..group(&row)?
        }))
    }

    /// Every group, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_list(&self) -> Result<Vec<RepoGroup>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(GROUP).push(" FROM repo_groups ORDER BY seq");
        let rows = self.all(query.build()).await?;
        let mut groups: Vec<RepoGroup> = rows.iter().map(group).collect::<Result<_>>()?;
        let statement = sql("SELECT group_id, repo_id FROM repo_group_members ORDER BY seq");
        let mut members: HashMap<String, Vec<String>> = HashMap::new();
        for row in self.all(statement).await? {
            members.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        for group in &mut groups {
            group.members = members.remove(&group.id).unwrap_or_default();
        }
        Ok(groups)
    }

    /// Changes names and notes of a group as `change` says, with nobody in between; answers the group as it is then.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such group.
    pub async fn group_update(
        &self,
        id: &str,
        change: impl FnOnce(&mut RepoGroup) + Send,
    ) -> Result<RepoGroup> {
        let mut tx = self.begin().await?;
        let mut group = locked(&mut tx.inner, id).await?;
        change(&mut group);
        let statement = sql(
            "UPDATE repo_groups SET display_name = jsonb($1), description = jsonb($2), notes = jsonb($3) \
             WHERE id = $4",
        )
        .bind(&group.display_name)
        .bind(&group.description)
        .bind(&group.notes)
        .bind(id);
        tx.inner.execute(statement).await?;
        tx.commit().await?;
        Ok(group)
    }

    /// Adds repositories to a group; those that are in it already keep their place. The members afterwards.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such group.
    pub async fn group_join(&self, id: &str, repos: &[String]) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        locked(&mut tx.inner, id).await?;
        join(&mut tx.inner, id, repos).await?;
        let after = members(&mut tx.inner, id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Takes repositories out of a group. The members afterwards.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such group.
    pub async fn group_leave(&self, id: &str, repos: &[String]) -> Result<Vec<String>> {
        let mut tx = self.begin().await?;
        locked(&mut tx.inner, id).await?;
        for chunk in repos.chunks(CHUNK) {
            let mut query = Sql::new(
                self.backend(),
                "DELETE FROM repo_group_members WHERE group_id = ",
            );
            query.bind(id).push(" AND ").bind_in("repo_id", chunk);
            tx.inner.execute(query.build()).await?;
        }
        let after = members(&mut tx.inner, id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes a group with its distributors and what they serve. The repositories stay.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such group.
    pub async fn group_delete(&self, id: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        let statement = sql("DELETE FROM repo_groups WHERE id = $1").bind(id);
        if tx.inner.execute(statement).await? == 0 {
            return Err(StoreError::missing(WHAT, id));
        }
        bump_mounts(&mut tx).await?;
        tx.commit().await
    }

    /// One distributor of a group.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_distributor_get(
        &self,
        group: &str,
        id: &str,
    ) -> Result<Option<GroupDistributor>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(DISTRIBUTOR)
            .push(" FROM repo_group_distributors WHERE group_id = ")
            .bind(group)
            .push(" AND id = ")
            .bind(id);
        let row = self.optional(query.build()).await?;
        row.as_ref().map(distributor).transpose()
    }

    /// The distributors of a group, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_distributor_list(&self, group: &str) -> Result<Vec<GroupDistributor>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(DISTRIBUTOR)
            .push(" FROM repo_group_distributors WHERE group_id = ")
            .bind(group)
            .push(" ORDER BY seq");
        let rows = self.all(query.build()).await?;
        rows.iter().map(distributor).collect()
    }

    /// Adds a distributor to a group, in place of one of the same id.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such group.
    pub async fn group_distributor_create(&self, distributor: &GroupDistributor) -> Result<()> {
        let mut tx = self.begin().await?;
        locked(&mut tx.inner, &distributor.group_id).await?;
        insert_distributor(&mut tx.inner, distributor).await?;
        // Of the one that it replaces.
        bump_mounts(&mut tx).await?;
        tx.commit().await
    }

    /// Replaces the settings of a distributor; the distributor afterwards.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn group_distributor_update(
        &self,
        group: &str,
        id: &str,
        config: Value,
    ) -> Result<GroupDistributor> {
        let statement = sql(
            "UPDATE repo_group_distributors SET config = jsonb($1) WHERE group_id = $2 AND id = $3",
        )
        .bind(&config)
        .bind(group)
        .bind(id);
        self.execute_one(statement, "distributor", id).await?;
        let updated = self.group_distributor_get(group, id).await?;
        updated.ok_or_else(|| StoreError::missing("distributor", id))
    }

    /// Notes the end of a publish.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn group_distributor_set_last_publish(
        &self,
        group: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<()> {
        let statement = sql(
            "UPDATE repo_group_distributors SET last_publish = $1 WHERE group_id = $2 AND id = $3",
        )
        .bind(at)
        .bind(group)
        .bind(id);
        self.execute_one(statement, "distributor", id).await
    }

    /// Removes a distributor of a group and what it serves; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_distributor_remove(&self, group: &str, id: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let statement = sql("DELETE FROM repo_group_distributors WHERE group_id = $1 AND id = $2")
            .bind(group)
            .bind(id);
        let removed = tx.inner.execute(statement).await? > 0;
        if removed {
            bump_mounts(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// The distributors of a type in all groups but one: nothing of their settings but the path.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_distributors_elsewhere(
        &self,
        type_id: &str,
        group: &str,
    ) -> Result<Vec<GroupDistributorPath>> {
        let query = sql(
            "SELECT group_id, CAST(config->>'relative_url' AS TEXT) FROM repo_group_distributors \
             WHERE type_id = $1 AND group_id <> $2 ORDER BY seq",
        );
        let read = |row: &Row| {
            Ok(GroupDistributorPath {
                group_id: row.get(0)?,
                relative_url: row.get(1)?,
            })
        };
        self.gather(query.bind(type_id).bind(group), read).await
    }
}
