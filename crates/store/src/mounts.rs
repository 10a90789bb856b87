//! The prefixes under which publications are served: one belongs to one distributor, of a repository or of a group, and none lies
//! above or below that of others.

use pith_core::{Sha256, Timestamp};
use uuid::Uuid;

use crate::backend::Backend;
use crate::dialect::{Sql, Stmt, sql};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError, Tx};

/// A place at which a publication is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMount {
    /// Path without slashes at its ends, for example `pulp/repos/f40`.
    pub prefix: String,
    /// Over plain HTTP.
    pub http: bool,
    /// Over HTTPS.
    pub https: bool,
    /// Is true when the path follows from the stored settings of the distributor, which were compared with those of all others:
    /// another distributor that is still served there has moved and was not published since. A path that one run alone asked for
    /// must be free.
    pub claimed: bool,
}

/// A served prefix and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path without slashes at its ends.
    pub prefix: String,
    /// The repository whose content it is; none for that of a group.
    pub repo_id: Option<String>,
    /// The distributor that serves it.
    pub distributor_id: String,
    /// The publication that is served.
    pub publication_id: Uuid,
    /// The blob that holds the index of that publication.
    pub index_blob: Sha256,
    /// Over plain HTTP.
    pub http: bool,
    /// Over HTTPS.
    pub https: bool,
    /// The guard of its distributor.
    pub guard: Option<Sha256>,
    /// The time at which it last changed.
    pub updated: Timestamp,
    /// The time at which a path was last retired below it; nothing is to be had by grace where this is long ago.
    pub retired: Option<Timestamp>,
}

/// Whoever publishes: a distributor of a repository, or one of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MountOwner<'a> {
    /// The column that has the id of the repository or group.
    pub(crate) column: &'static str,
    /// The id of the repository or group.
    pub(crate) id: &'a str,
    /// The id of the distributor.
    pub(crate) distributor: &'a str,
}

impl<'a> MountOwner<'a> {
    pub(crate) fn repository(id: &'a str, distributor: &'a str) -> Self {
        let column = "repo_id";
        Self {
            column,
            id,
            distributor,
        }
    }

    pub(crate) fn group(id: &'a str, distributor: &'a str) -> Self {
        let column = "group_id";
        Self {
            column,
            id,
            distributor,
        }
    }

    /// Adds the condition for rows of the distributor.
    pub(crate) fn own<'s>(&self, query: &'s mut Sql) -> &'s mut Sql {
        query.push(self.column).push(" = ").bind(self.id);
        query.push(" AND distributor_id = ").bind(self.distributor)
    }

    /// Adds the condition for rows of other repositories and groups.
    fn others<'s>(&self, query: &'s mut Sql) -> &'s mut Sql {
        query.push("COALESCE(").push(self.column).push(" <> ");
        query.bind(self.id).push(", TRUE)")
    }
}

fn mount(row: &Row) -> Result<Mount> {
    Ok(Mount {
        prefix: row.get(0)?,
        repo_id: row.get(1)?,
        distributor_id: row.get(2)?,
        publication_id: row.get(3)?,
        index_blob: row.get(4)?,
        http: row.get(5)?,
        https: row.get(6)?,
        updated: row.get(7)?,
        retired: row.get(8)?,
        guard: row.get(9)?,
    })
}

/// Tells caches, at the commit, that mounts changed.
pub(crate) async fn bump_mounts(tx: &mut Tx) -> Result<()> {
    tx.move_generation("mounts").await?;
    tx.wake_at_commit();
    Ok(())
}

/// The paths above `prefix`.
fn above(prefix: &str) -> impl Iterator<Item = &str> {
    prefix.match_indices('/').map(|(at, _)| &prefix[..at])
}

/// The columns that tell whose a mount is, in the order of `owner_of`.
const OWNER: &str = "repo_id, group_id, distributor_id";

/// Returns whose a mount is, in words; the columns of [`OWNER`] begin at `at`.
fn owner_of(row: &Row, at: usize) -> Result<String> {
    let (repo, group): (Option<String>, Option<String>) = (row.get(at)?, row.get(at + 1)?);
    let distributor: String = row.get(at + 2)?;
    Ok(match (repo, group) {
        (Some(repo), _) => format!("distributor '{distributor}' of repository '{repo}'"),
        (None, group) => {
            let group = group.unwrap_or_default();
            format!("distributor '{distributor}' of group '{group}'")
        }
    })
}

/// Makes sure that nothing of another repository or group is served above or below `prefix`.
async fn require_apart(tx: &mut DbTx, owner: MountOwner<'_>, prefix: &str) -> Result<()> {
    let below = format!("{prefix}/");
    let mut query = Sql::new(tx.backend(), "SELECT prefix, ");
    query.push(OWNER).push(" FROM mounts WHERE ");
    owner
        .others(&mut query)
        .push(" AND (SUBSTR(prefix, 1, LENGTH(")
        .bind(&below)
        .push(")) = ")
        .bind(&below)
        .push(" OR ")
        .bind_in("prefix", above(prefix))
        .push(")");
    match tx.optional(query.build()).await? {
        Some(row) => Err(taken(row.get(0)?, Some(owner_of(&row, 1)?))),
        None => Ok(()),
    }
}

/// Takes mounts of others below `prefix` away: the settings of this distributor say that the path is its own, and the others were
/// asked for by one run, or have moved since.
async fn clear_below(tx: &mut DbTx, owner: MountOwner<'_>, prefix: &str) -> Result<()> {
    let below = format!("{prefix}/");
    let mut statement = Sql::new(tx.backend(), "DELETE FROM mounts WHERE ");
    owner
        .others(&mut statement)
        .push(" AND SUBSTR(prefix, 1, LENGTH(")
        .bind(&below)
        .push(")) = ")
        .bind(&below);
    tx.execute(statement.build()).await.map(drop)
}

/// The error for a path that belongs to somebody else.
fn taken(prefix: String, owner: Option<String>) -> StoreError {
    StoreError::Conflict {
        what: "path",
        id: prefix,
        owner: owner.unwrap_or_else(|| "another distributor".to_owned()),
    }
}

/// Points one prefix at a publication.
pub(crate) async fn set_mount(
    tx: &mut DbTx,
    (id, owner): (Uuid, MountOwner<'_>),
    mount: &NewMount,
    now: Timestamp,
) -> Result<()> {
    if mount.claimed {
        clear_below(tx, owner, &mount.prefix).await?;
    } else {
        require_apart(tx, owner, &mount.prefix).await?;
    }
    let mut statement = Sql::new(tx.backend(), "INSERT INTO mounts (");
    statement
        .push(owner.column)
        .push(", prefix, distributor_id, publication_id, http, https, updated) VALUES (");
    statement.bind(owner.id).push(", ").bind(&mount.prefix);
    statement.push(", ").bind(owner.distributor);
    statement.push(", ").bind(id);
    statement.push(", ").bind(mount.http);
    statement.push(", ").bind(mount.https);
    statement.push(", ").bind(now).push(
        ") ON CONFLICT (prefix) DO UPDATE SET repo_id = excluded.repo_id, group_id = excluded.group_id, \
         distributor_id = excluded.distributor_id, publication_id = excluded.publication_id, \
         http = excluded.http, https = excluded.https, updated = excluded.updated WHERE ",
    );
    statement
        .bind(mount.claimed)
        .push(" OR (mounts.")
        .push(owner.column);
    statement.push(" = excluded.").push(owner.column);
    statement.push(" AND mounts.distributor_id = excluded.distributor_id)");
    if tx.execute(statement.build()).await? > 0 {
        return Ok(());
    }
    let mut query = Sql::new(tx.backend(), "SELECT ");
    query
        .push(OWNER)
        .push(" FROM mounts WHERE prefix = ")
        .bind(&mount.prefix);
    let owner = match tx.optional(query.build()).await? {
        Some(row) => Some(owner_of(&row, 0)?),
        None => None,
    };
    Err(taken(mount.prefix.clone(), owner))
}

fn prefixes_of(backend: Backend, owner: MountOwner<'_>) -> Stmt {
    let mut query = Sql::new(backend, "SELECT prefix FROM mounts WHERE ");
    owner.own(&mut query);
    query.build()
}

/// Tells whether one of `mounts` is where the distributor was not: paths there were never served.
pub(crate) async fn is_moved(
    tx: &mut DbTx,
    owner: MountOwner<'_>,
    mounts: &[NewMount],
) -> Result<bool> {
    let rows = tx.all(prefixes_of(tx.backend(), owner)).await?;
    let before: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    Ok(mounts.iter().any(|mount| !before.contains(&mount.prefix)))
}

impl Store {
    /// The prefixes at which a distributor is served.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_of(&self, repo: &str, distributor: &str) -> Result<Vec<String>> {
        let owner = MountOwner::repository(repo, distributor);
        let rows = self.all(prefixes_of(self.backend(), owner)).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Every mount, by prefix.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_all(&self) -> Result<Vec<Mount>> {
        let statement = sql(
            "SELECT m.prefix, m.repo_id, m.distributor_id, m.publication_id, p.index_blob, m.http, m.https, \
             m.updated, m.retired, d.guard FROM mounts m JOIN publications p ON p.id = m.publication_id \
             LEFT JOIN distributors d ON d.repo_id = m.repo_id AND d.id = m.distributor_id ORDER BY m.prefix",
        );
        self.all(statement).await?.iter().map(mount).collect()
    }
}
