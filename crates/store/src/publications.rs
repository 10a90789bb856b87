//! Publications and the prefixes they are served under.

use pith_core::{Document, Sha256, Timestamp};
use uuid::Uuid;

use crate::blobs as blob_rows;
use crate::dialect::{Kind, Sql, Stmt, bulk, for_update, sql};
use crate::importers::lock_repository;
use crate::retired::{self, Retired};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError, Tx};

/// An immutable index of served paths (design: publications).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its id.
    pub id: Uuid,
    /// The repository whose content it is.
    pub repo_id: String,
    /// The distributor that made it.
    pub distributor_id: String,
    /// The blob that holds the index.
    pub index_blob: Sha256,
    /// The version of the repository it shows.
    pub repo_version: i64,
    /// The time at which it was committed.
    pub created: Timestamp,
    /// Number of paths.
    pub paths: i64,
    /// Bytes served under them.
    pub bytes: i64,
    /// Everything it was made from; `None` when nobody knows any more.
    pub made_from: Option<Document>,
}

/// A publication to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPublication {
    /// The repository whose content it is.
    pub repo_id: String,
    /// The distributor that made it.
    pub distributor_id: String,
    /// The blob that holds the index.
    pub index_blob: Sha256,
    /// Bytes of the index.
    pub index_size: i64,
    /// The version of the repository it shows.
    pub repo_version: i64,
    /// Number of paths.
    pub paths: i64,
    /// Bytes served under them.
    pub bytes: i64,
    /// Everything it was made from: as long as all of that stays the same, another publish would give the same.
    pub made_from: Document,
    /// Blobs of generated metadata that the index refers to, with their sizes; units' files need not be listed.
    pub blobs: Vec<(Sha256, i64)>,
}

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
    /// The repository whose content it is.
    pub repo_id: String,
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

const PUBLICATION: &str =
    "id, repo_id, distributor_id, index_blob, repo_version, created, paths, bytes, json(made_from)";

fn publication(row: &Row) -> Result<Publication> {
    Ok(Publication {
        id: row.get(0)?,
        repo_id: row.get(1)?,
        distributor_id: row.get(2)?,
        index_blob: row.get(3)?,
        repo_version: row.get(4)?,
        created: row.get(5)?,
        paths: row.get(6)?,
        bytes: row.get(7)?,
        made_from: row.get(8)?,
    })
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

/// Saves the row of a publication and the blobs it refers to.
async fn insert(tx: &mut DbTx, id: Uuid, new: &NewPublication, now: Timestamp) -> Result<()> {
    let statement = sql(
        "INSERT INTO publications (id, repo_id, distributor_id, index_blob, repo_version, created, \
         paths, bytes, made_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, jsonb($9))",
    )
    .bind(id)
    .bind(&new.repo_id)
    .bind(&new.distributor_id)
    .bind(new.index_blob)
    .bind(new.repo_version)
    .bind(now)
    .bind(new.paths)
    .bind(new.bytes)
    .bind(&new.made_from);
    tx.execute(statement).await?;
    let mut blobs = new.blobs.clone();
    blobs.push((new.index_blob, new.index_size));
    let rows = blobs
        .iter()
        .map(|(digest, _)| vec![id.into(), (*digest).into()])
        .collect();
    let head = "INSERT INTO publication_blobs (publication_id, blob)";
    let tail = "ON CONFLICT (publication_id, blob) DO NOTHING";
    tx.execute_each(bulk(
        tx.engine(),
        head,
        &[Kind::Bytes, Kind::Bytes],
        rows,
        tail,
    ))
    .await?;
    blob_rows::record(tx, blobs, now).await
}

/// The paths above `prefix`.
fn above(prefix: &str) -> impl Iterator<Item = &str> {
    prefix.match_indices('/').map(|(at, _)| &prefix[..at])
}

/// Makes sure that nothing of another repository is served above or below `prefix`.
async fn require_apart(tx: &mut DbTx, repo: &str, prefix: &str) -> Result<()> {
    let below = format!("{prefix}/");
    let mut query = Sql::new(
        tx.engine(),
        "SELECT prefix, repo_id, distributor_id FROM mounts WHERE repo_id <> ",
    );
    query
        .bind(repo)
        .push(" AND (SUBSTR(prefix, 1, LENGTH(")
        .bind(&below)
        .push(")) = ")
        .bind(&below)
        .push(" OR ")
        .bind_in("prefix", above(prefix))
        .push(")");
    match tx.optional(query.build()).await? {
        Some(row) => Err(taken(row.get(0)?, Some((row.get(1)?, row.get(2)?)))),
        None => Ok(()),
    }
}

/// Takes mounts of other repositories below `prefix` away: the settings of this one say that the path is its own, and the others
/// were asked for by one run, or have moved since.
async fn clear_below(tx: &mut DbTx, repo: &str, prefix: &str) -> Result<()> {
    let below = format!("{prefix}/");
    let mut statement = Sql::new(tx.engine(), "DELETE FROM mounts WHERE repo_id <> ");
    statement
        .bind(repo)
        .push(" AND SUBSTR(prefix, 1, LENGTH(")
        .bind(&below)
        .push(")) = ")
        .bind(&below);
    tx.execute(statement.build()).await.map(drop)
}

/// The error for a path that belongs to the distributor `owner`, a repository and its distributor.
fn taken(prefix: String, owner: Option<(String, String)>) -> StoreError {
    let owner = owner.map_or_else(
        || "another distributor".to_owned(),
        |(repo, distributor)| format!("distributor '{distributor}' of repository '{repo}'"),
    );
    StoreError::Conflict {
        what: "path",
        id: prefix,
        owner,
    }
}

/// Points one prefix at a publication.
async fn set_mount(
    tx: &mut DbTx,
    new: &NewPublication,
    id: Uuid,
    mount: &NewMount,
    now: Timestamp,
) -> Result<()> {
    if mount.claimed {
        clear_below(tx, &new.repo_id, &mount.prefix).await?;
    } else {
        require_apart(tx, &new.repo_id, &mount.prefix).await?;
    }
    let statement = sql("INSERT INTO mounts (prefix, repo_id, distributor_id, publication_id, http, https, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (prefix) DO UPDATE SET \
         repo_id = excluded.repo_id, distributor_id = excluded.distributor_id, \
         publication_id = excluded.publication_id, http = excluded.http, https = excluded.https, \
         updated = excluded.updated \
         WHERE $8 OR (mounts.repo_id = excluded.repo_id AND mounts.distributor_id = excluded.distributor_id)")
    .bind(&mount.prefix)
    .bind(&new.repo_id)
    .bind(&new.distributor_id)
    .bind(id)
    .bind(mount.http)
    .bind(mount.https)
    .bind(now)
    .bind(mount.claimed);
    if tx.execute(statement).await? > 0 {
        return Ok(());
    }
    let owner =
        sql("SELECT repo_id, distributor_id FROM mounts WHERE prefix = $1").bind(&mount.prefix);
    let owner = match tx.optional(owner).await? {
        Some(row) => Some((row.get(0)?, row.get(1)?)),
        None => None,
    };
    Err(taken(mount.prefix.clone(), owner))
}

fn prefixes_of(repo: &str, distributor: &str) -> Stmt {
    sql("SELECT prefix FROM mounts WHERE repo_id = $1 AND distributor_id = $2")
        .bind(repo)
        .bind(distributor)
}

/// Tells whether one of `mounts` is where the distributor was not: paths there were never served.
async fn is_moved(tx: &mut DbTx, new: &NewPublication, mounts: &[NewMount]) -> Result<bool> {
    let statement = prefixes_of(&new.repo_id, &new.distributor_id);
    let rows = tx.all(statement).await?;
    let before: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    Ok(mounts.iter().any(|mount| !before.contains(&mount.prefix)))
}

impl Store {
    /// Saves the publication and points all mounts of its distributor at it, in one transaction. Mounts of the
    /// distributor that are not listed go away, and so do its older publications; `left_out`, what the last of them had
    /// and this one has not, is retired, in pieces of any size.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] when a prefix that is not claimed belongs to another distributor, or stands above or
    /// below one of another repository, [`crate::StoreError::Missing`]
    /// when the distributor is gone; nothing changed then.
    pub async fn publication_commit(
        &self,
        publication: &NewPublication,
        mounts: &[NewMount],
        left_out: impl IntoIterator<Item = Vec<Retired>>,
        now: Timestamp,
    ) -> Result<Publication> {
        let mut tx = self.begin().await?;
        let (repo, distributor) = (&publication.repo_id, &publication.distributor_id);
        lock_repository(&mut tx.inner, repo).await?;
        let mut lock = Sql::new(self.engine(), "SELECT 1 FROM distributors WHERE repo_id = ");
        lock.bind(repo)
            .push(" AND id = ")
            .bind(distributor)
            .push(for_update(self.engine()));
        if tx.inner.optional(lock.build()).await?.is_none() {
            return Err(StoreError::missing("distributor", distributor));
        }
        let id = Uuid::now_v7();
        insert(&mut tx.inner, id, publication, now).await?;
        let moved = is_moved(&mut tx.inner, publication, mounts).await?;
        let mut stale = Sql::new(self.engine(), "DELETE FROM mounts WHERE repo_id = ");
        stale
            .bind(repo)
            .push(" AND distributor_id = ")
            .bind(distributor);
        stale
            .push(" AND NOT (")
            .bind_in("prefix", mounts.iter().map(|mount| &mount.prefix))
            .push(")");
        tx.inner.execute(stale.build()).await?;
        for mount in mounts {
            set_mount(&mut tx.inner, publication, id, mount, now).await?;
        }
        let owner = (repo.as_str(), distributor.as_str());
        if moved {
            retired::forget_all(&mut tx.inner, owner).await?;
        } else {
            retired::add(&mut tx.inner, owner, left_out, now).await?;
        }
        let superseded =
            sql("DELETE FROM publications WHERE repo_id = $1 AND distributor_id = $2 AND id <> $3");
        let superseded = superseded.bind(repo).bind(distributor).bind(id);
        tx.inner.execute(superseded).await?;
        bump_mounts(&mut tx).await?;
        tx.commit().await?;
        let new = publication.clone();
        Ok(Publication {
            id,
            repo_id: new.repo_id,
            distributor_id: new.distributor_id,
            index_blob: new.index_blob,
            repo_version: new.repo_version,
            created: now,
            paths: new.paths,
            bytes: new.bytes,
            made_from: Some(new.made_from),
        })
    }

    /// The publications of a distributor, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_list(
        &self,
        repo: &str,
        distributor: &str,
    ) -> Result<Vec<Publication>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query
            .push(PUBLICATION)
            .push(" FROM publications WHERE repo_id = ")
            .bind(repo);
        query
            .push(" AND distributor_id = ")
            .bind(distributor)
            .push(" ORDER BY created DESC, id DESC");
        self.all(query.build())
            .await?
            .iter()
            .map(publication)
            .collect()
    }

    /// The prefixes at which a distributor is served.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_of(&self, repo: &str, distributor: &str) -> Result<Vec<String>> {
        let rows = self.all(prefixes_of(repo, distributor)).await?;
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
             JOIN distributors d ON d.repo_id = m.repo_id AND d.id = m.distributor_id ORDER BY m.prefix",
        );
        self.all(statement).await?.iter().map(mount).collect()
    }
}
