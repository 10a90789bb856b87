//! Publications and the prefixes they are served under.

use pith_core::{Document, Sha256, Timestamp};
use uuid::Uuid;

use crate::blobs as blob_rows;
use crate::dialect::{ColumnType, Sql, bulk, for_update, sql};
use crate::locks::lock_repository;
use crate::mounts::{MountOwner, NewMount, bump_mounts, is_moved, set_mount};
use crate::retired::{self, Retired};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError};

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

/// A publication of a group to commit. Whatever its index refers to, it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroupPublication {
    /// The group whose content it is.
    pub group_id: String,
    /// The distributor of the group that made it.
    pub distributor_id: String,
    /// The blob that holds the index.
    pub index_blob: Sha256,
    /// Bytes of the index.
    pub index_size: i64,
    /// Number of paths.
    pub paths: i64,
    /// Bytes served under them.
    pub bytes: i64,
    /// All files that the index refers to, with their sizes.
    pub blobs: Vec<(Sha256, i64)>,
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

/// The rows of a new publication, whoever it belongs to.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    id: Uuid,
    owner: MountOwner<'a>,
    index: (Sha256, i64),
    repo_version: i64,
    paths: i64,
    bytes: i64,
    made_from: Option<&'a Document>,
    blobs: &'a [(Sha256, i64)],
}

impl<'a> Rows<'a> {
    fn of_repository(new: &'a NewPublication) -> Self {
        Self {
            id: Uuid::now_v7(),
            owner: MountOwner::repository(&new.repo_id, &new.distributor_id),
            index: (new.index_blob, new.index_size),
            repo_version: new.repo_version,
            paths: new.paths,
            bytes: new.bytes,
            made_from: Some(&new.made_from),
            blobs: &new.blobs,
        }
    }

    fn of_group(new: &'a NewGroupPublication) -> Self {
        Self {
            id: Uuid::now_v7(),
            owner: MountOwner::group(&new.group_id, &new.distributor_id),
            index: (new.index_blob, new.index_size),
            // There is none: a group has many repositories.
            repo_version: 0,
            paths: new.paths,
            bytes: new.bytes,
            made_from: None,
            blobs: &new.blobs,
        }
    }
}

/// Saves the row of a publication and the blobs it refers to.
async fn insert(tx: &mut DbTx, new: &Rows<'_>, now: Timestamp) -> Result<()> {
    let mut statement = Sql::new(tx.backend(), "INSERT INTO publications (");
    statement.push(new.owner.column).push(
        ", id, distributor_id, index_blob, repo_version, created, paths, bytes, made_from) VALUES (",
    );
    statement.bind(new.owner.id).push(", ").bind(new.id);
    statement.push(", ").bind(new.owner.distributor);
    statement.push(", ").bind(new.index.0);
    statement.push(", ").bind(new.repo_version);
    statement.push(", ").bind(now);
    statement.push(", ").bind(new.paths);
    statement.push(", ").bind(new.bytes).push(", ");
    match new.made_from {
        Some(document) => statement.push("jsonb(").bind(document).push("))"),
        None => statement.push("NULL)"),
    };
    tx.execute(statement.build()).await?;
    let id = new.id;
    let mut blobs = new.blobs.to_vec();
    blobs.push(new.index);
    let rows = blobs
        .iter()
        .map(|(digest, _)| vec![id.into(), (*digest).into()])
        .collect();
    let head = "INSERT INTO publication_blobs (publication_id, blob)";
    let tail = "ON CONFLICT (publication_id, blob) DO NOTHING";
    tx.execute_each(bulk(
        tx.backend(),
        head,
        &[ColumnType::Bytes, ColumnType::Bytes],
        rows,
        tail,
    ))
    .await?;
    blob_rows::record(tx, blobs, now).await
}

/// Saves a publication, points the mounts of its owner at it, and takes away those where it is no longer served.
async fn replace(tx: &mut DbTx, new: &Rows<'_>, mounts: &[NewMount], now: Timestamp) -> Result<()> {
    insert(tx, new, now).await?;
    let mut stale = Sql::new(tx.backend(), "DELETE FROM mounts WHERE ");
    new.owner
        .own(&mut stale)
        .push(" AND NOT (")
        .bind_in("prefix", mounts.iter().map(|mount| &mount.prefix))
        .push(")");
    tx.execute(stale.build()).await?;
    for mount in mounts {
        set_mount(tx, (new.id, new.owner), mount, now).await?;
    }
    Ok(())
}

/// Deletes the publications of an owner before this one.
async fn supersede(tx: &mut DbTx, new: &Rows<'_>) -> Result<()> {
    let mut superseded = Sql::new(tx.backend(), "DELETE FROM publications WHERE ");
    let own = new.owner.own(&mut superseded);
    own.push(" AND id <> ").bind(new.id);
    tx.execute(superseded.build()).await.map(drop)
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
        let mut lock = Sql::new(
            self.backend(),
            "SELECT 1 FROM distributors WHERE repo_id = ",
        );
        lock.bind(repo)
            .push(" AND id = ")
            .bind(distributor)
            .push(for_update(self.backend()));
        if tx.inner.optional(lock.build()).await?.is_none() {
            return Err(StoreError::missing("distributor", distributor));
        }
        let new = Rows::of_repository(publication);
        let moved = is_moved(&mut tx.inner, new.owner, mounts).await?;
        replace(&mut tx.inner, &new, mounts, now).await?;
        let owner = (repo.as_str(), distributor.as_str());
        if moved {
            retired::forget_all(&mut tx.inner, owner).await?;
        } else {
            retired::add(&mut tx.inner, owner, left_out, now).await?;
        }
        supersede(&mut tx.inner, &new).await?;
        bump_mounts(&mut tx).await?;
        tx.commit().await?;
        let id = new.id;
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

    /// Does what [`Self::publication_commit`] does, for a distributor of a group; nothing is retired.
    ///
    /// # Errors
    /// As [`Self::publication_commit`].
    pub async fn group_publication_commit(
        &self,
        new: &NewGroupPublication,
        mounts: &[NewMount],
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let new = Rows::of_group(new);
        let mut lock = Sql::new(
            self.backend(),
            "SELECT 1 FROM repo_group_distributors WHERE group_id = ",
        );
        lock.bind(new.owner.id).push(" AND id = ");
        lock.bind(new.owner.distributor)
            .push(for_update(self.backend()));
        if tx.inner.optional(lock.build()).await?.is_none() {
            return Err(StoreError::missing("distributor", new.owner.distributor));
        }
        replace(&mut tx.inner, &new, mounts, now).await?;
        supersede(&mut tx.inner, &new).await?;
        bump_mounts(&mut tx).await?;
        tx.commit().await
    }

    /// Changes what a publication is known to be made from: what nobody knows for sure any more is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_doubt(&self, id: Uuid, made_from: &Document) -> Result<()> {
        let mut tx = self.begin().await?;
        let update = sql("UPDATE publications SET made_from = jsonb($1) WHERE id = $2");
        let update = update.bind(made_from).bind(id);
        tx.inner.execute(update).await?;
        tx.commit().await
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
        let mut query = Sql::new(self.backend(), "SELECT ");
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
}
