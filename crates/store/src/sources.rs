//! The sources of units' files: the catalog of deferred downloads (pulp2/deferred-files).

use std::collections::{BTreeMap, HashMap};

use pith_core::{Algorithm, Digest, Sha256, Timestamp, UnitId};
use serde_json::{Value as Json, json};

use crate::dialect::{ColumnType, Sql, bulk, sql};
use crate::fence::{Fence, of_attempt};
use crate::file_lists;
use crate::transaction::DbTx;
use crate::unit_changes;
use crate::value::{Row, Value};
use crate::{Result, Store};

/// A place where one file can be had, through the importer of one repository. Secrets are not in here: they stay with the
/// importer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// The unit whose file it is.
    pub unit: UnitId,
    /// Path within the unit; empty for the file of the unit itself.
    pub path: String,
    /// The repository whose importer has the settings and the credentials; empty when that is gone and nobody has any.
    pub repo_id: String,
    /// The site of the feed that named them: scheme, host and port; empty when nobody knows.
    pub site: String,
    /// Is true when that was in the internet.
    pub in_internet: bool,
    /// URLs, absolute or relative to the importer's feed, best first.
    pub urls: Vec<String>,
    /// Bytes it must have.
    pub size: Option<i64>,
    /// Digests it must have.
    pub digests: Vec<Digest>,
}

/// The file of a unit, as far as the unit knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// The unit's type.
    pub type_id: String,
    /// Digest of the unit key.
    pub key_digest: Sha256,
    /// Its file, when the digest is known.
    pub blob: Option<Sha256>,
    /// Bytes.
    pub size: Option<i64>,
    /// Is true when the file is here.
    pub downloaded: bool,
    /// Is true when it was here and was lost.
    pub lost: bool,
}

fn source(row: &Row) -> Result<FileSource> {
    let urls: Json = row.get(3)?;
    let digests: Json = row.get(5)?;
    let texts = |list: &Json| -> Vec<String> {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let digest = |text: &String| {
        let (algorithm, hex) = text.split_once(':')?;
        Digest::new(algorithm.parse::<Algorithm>().ok()?, hex).ok()
    };
    Ok(FileSource {
        unit: row.get(0)?,
        path: row.get(1)?,
        repo_id: row.get(2)?,
        urls: texts(&urls),
        size: row.get(4)?,
        digests: texts(&digests).iter().filter_map(digest).collect(),
        site: row.get(6)?,
        in_internet: row.get(7)?,
    })
}

impl Store {
    /// Notes where files can be had. An entry for the same file and repository is replaced and gets the next revision.
    ///
    /// # Errors
    /// When the database fails; nothing was noted then.
    pub async fn sources_put(&self, sources: &[FileSource]) -> Result<()> {
        if sources.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let entries = sources.iter().map(|source| (source.unit, source));
        put(&mut tx.inner, entries, self.now()).await?;
        tx.commit().await
    }

    /// Returns where a file of a unit can be had: what was noted last comes first, what needs no importer at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources_of(&self, unit: UnitId, path: &str) -> Result<Vec<FileSource>> {
        let statement = sql(
            "SELECT unit_id, path, repo_id, json(urls), size, json(digests), site, in_internet FROM sources \
             WHERE unit_id = $1 AND path = $2 ORDER BY repo_id = '', updated DESC, revision DESC, repo_id",
        )
        .bind(unit)
        .bind(path);
        self.all(statement).await?.iter().map(source).collect()
    }

    /// Returns where the files of these units can be had, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources_of_units(&self, units: &[UnitId]) -> Result<Vec<FileSource>> {
        let mut found = Vec::new();
        for chunk in units.chunks(crate::dialect::CHUNK) {
            let text = "SELECT unit_id, path, repo_id, json(urls), size, json(digests), site, in_internet FROM sources \
                 WHERE path = '' AND ";
            let mut query = Sql::new(self.backend(), text);
            query.bind_in("unit_id", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                found.push(source(&row)?);
            }
        }
        Ok(found)
    }

    /// Entries of a repository's importer for files that are not here and that other repositories have, in the order of their
    /// units, after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources_others_need(
        &self,
        repo: &str,
        after: Option<UnitId>,
        limit: i64,
    ) -> Result<Vec<FileSource>> {
        let mut query = Sql::new(
            self.backend(),
            "SELECT s.unit_id, s.path, s.repo_id, json(s.urls), s.size, json(s.digests), s.site, s.in_internet FROM sources s WHERE s.repo_id = ",
        );
        query.bind(repo);
        if let Some(after) = after {
            query.push(" AND s.unit_id > ").bind(after);
        }
        query
            .push(" AND EXISTS (SELECT 1 FROM units u WHERE u.id = s.unit_id AND NOT u.downloaded)")
            .push(" AND EXISTS (SELECT 1 FROM repo_units r WHERE r.unit_id = s.unit_id AND r.removed_in IS NULL AND r.repo_id <> ")
            .bind(repo)
            .push(") ORDER BY s.unit_id, s.path LIMIT ")
            .bind(limit);
        self.all(query.build()).await?.iter().map(source).collect()
    }

    /// Returns what is known of the file of a unit; `None` when there is no such unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_file(&self, unit: UnitId) -> Result<Option<UnitFile>> {
        let statement = sql(
            "SELECT type_id, key_digest, blob, size, downloaded, lost FROM units WHERE id = $1",
        )
        .bind(unit);
        let file = |row: &Row| {
            Ok(UnitFile {
                type_id: row.get(0)?,
                key_digest: row.get(1)?,
                blob: row.get(2)?,
                size: row.get(3)?,
                downloaded: row.get(4)?,
                lost: row.get(5)?,
            })
        };
        self.optional(statement)
            .await?
            .as_ref()
            .map(file)
            .transpose()
    }

    /// Notes of every unit whose file is `blob`, or names it, that it is gone. The repositories know that their content changed: what they
    /// publish next says where the file can be had.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_set_blob_gone(&self, blob: Sha256) -> Result<()> {
        let mut tx = self.begin().await?;
        let mut files = file_lists::naming(&mut tx.inner, blob).await?;
        files.push(blob);
        let mut query = Sql::new(self.backend(), "UPDATE units SET downloaded = ");
        query.bind(false).push(", lost = ").bind(true);
        query.push(" WHERE downloaded AND ").bind_in("blob", files);
        query.push(" RETURNING id");
        let rows = tx.inner.all(query.build()).await?;
        let ids = rows.iter().map(|row| row.get(0));
        let ids: Vec<UnitId> = ids.collect::<Result<_>>()?;
        unit_changes::mark(&mut tx.inner, &ids, self.now()).await?;
        tx.commit().await
    }
}

/// Writes entries for these units; the last of several for one file wins.
pub(crate) async fn put<'a>(
    tx: &mut DbTx,
    entries: impl Iterator<Item = (UnitId, &'a FileSource)>,
    now: Timestamp,
) -> Result<()> {
    // All processes write in one order, so that they never wait in a circle.
    let mut distinct: BTreeMap<(UnitId, &str, &str), &FileSource> = BTreeMap::new();
    for (unit, source) in entries {
        distinct.insert((unit, &source.path, &source.repo_id), source);
    }
    let row = |unit: UnitId, source: &FileSource| -> Vec<Value> {
        let digests: Vec<String> = source.digests.iter().map(Digest::to_string).collect();
        vec![
            unit.into(),
            (&source.path).into(),
            (&source.repo_id).into(),
            (&json!(source.urls)).into(),
            source.size.into(),
            (&json!(digests)).into(),
            1i64.into(),
            now.into(),
            (&source.site).into(),
            source.in_internet.into(),
        ]
    };
    let rows = distinct
        .iter()
        .map(|((unit, ..), source)| row(*unit, source))
        .collect();
    let head = "INSERT INTO sources (unit_id, path, repo_id, urls, size, digests, revision, updated, site, in_internet)";
    let kinds = [
        ColumnType::Bytes,
        ColumnType::Text,
        ColumnType::Text,
        ColumnType::Json,
        ColumnType::Int,
        ColumnType::Json,
        ColumnType::Int,
        ColumnType::Int,
        ColumnType::Text,
        ColumnType::Bool,
    ];
    let tail = "ON CONFLICT (unit_id, path, repo_id) DO UPDATE SET urls = excluded.urls, size = excluded.size, \
         digests = excluded.digests, revision = sources.revision + 1, updated = excluded.updated, \
         site = excluded.site, in_internet = excluded.in_internet";
    tx.execute_each(bulk(tx.backend(), head, &kinds, rows, tail))
        .await
        .map(drop)
}

/// Forgets everything that the importer of a repository is the source of.
pub(crate) async fn forget_repository(tx: &mut DbTx, repo: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM sources WHERE repo_id = $1").bind(repo))
        .await
        .map(drop)
}

/// Forgets the entries of units that the attempt removes from a repository and whose files are here. The others stay for as long
/// as their units do: publications and retired paths promise these files.
pub(crate) async fn forget_removed(tx: &mut DbTx, fence: Fence, repo: &str) -> Result<()> {
    let mut query = Sql::new(tx.backend(), "DELETE FROM sources WHERE repo_id = ");
    query
        .bind(repo)
        .push(" AND unit_id IN (SELECT unit_id FROM staged_units WHERE remove AND ");
    of_attempt(&mut query, "", fence);
    query.push(") AND NOT EXISTS (SELECT 1 FROM units u WHERE u.id = sources.unit_id AND NOT u.downloaded)");
    tx.execute(query.build()).await.map(drop)
}

/// Something that an alternate content source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternate {
    /// The unit's type.
    pub type_id: String,
    /// Digest of the unit key.
    pub key_digest: Sha256,
    /// The content source.
    pub source_id: String,
    /// The URL at which it has the file.
    pub url: String,
}

impl Store {
    /// Adds to what a content source has, or extends it, until `expires`.
    ///
    /// # Errors
    /// When the database fails; nothing was added then.
    pub async fn alternates_put(&self, entries: &[Alternate], expires: Timestamp) -> Result<()> {
        let mut entries: Vec<&Alternate> = entries.iter().collect();
        let key = |one: &&Alternate| {
            (
                one.type_id.clone(),
                one.key_digest,
                one.source_id.clone(),
                one.url.clone(),
            )
        };
        entries.sort_by_cached_key(key);
        entries.dedup();
        let row = |one: &&Alternate| -> Vec<Value> {
            vec![
                (&one.type_id).into(),
                one.key_digest.into(),
                (&one.source_id).into(),
                (&one.url).into(),
                expires.into(),
            ]
        };
        let rows = entries.iter().map(row).collect();
        let head = "INSERT INTO alternates (type_id, key_digest, source_id, url, expires)";
        let kinds = [
            ColumnType::Text,
            ColumnType::Bytes,
            ColumnType::Text,
            ColumnType::Text,
            ColumnType::Int,
        ];
        let tail = "ON CONFLICT (type_id, key_digest, source_id, url) DO UPDATE SET expires = excluded.expires";
        let mut tx = self.begin().await?;
        tx.inner
            .execute_each(bulk(self.backend(), head, &kinds, rows, tail))
            .await?;
        tx.commit().await
    }

    /// Returns what content sources have of these units, by unit key; nothing that has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alternates_of(
        &self,
        type_id: &str,
        keys: &[Sha256],
        now: Timestamp,
    ) -> Result<HashMap<Sha256, Vec<Alternate>>> {
        let mut found: HashMap<Sha256, Vec<Alternate>> = HashMap::new();
        for chunk in keys.chunks(crate::dialect::CHUNK) {
            let text = "SELECT key_digest, source_id, url FROM alternates WHERE type_id = ";
            let mut query = Sql::new(self.backend(), text);
            query
                .bind(type_id)
                .push(" AND ")
                .bind_in("key_digest", chunk.iter().copied())
                .push(" AND expires > ")
                .bind(now)
                .push(" ORDER BY source_id, url");
            for row in self.all(query.build()).await? {
                let key_digest: Sha256 = row.get(0)?;
                found.entry(key_digest).or_default().push(Alternate {
                    type_id: type_id.to_owned(),
                    key_digest,
                    source_id: row.get(1)?,
                    url: row.get(2)?,
                });
            }
        }
        Ok(found)
    }

    /// Tells whether a content source has anything that has not expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alternates_any(&self, source_id: &str, now: Timestamp) -> Result<bool> {
        let statement =
            sql("SELECT 1 FROM alternates WHERE source_id = $1 AND expires > $2 LIMIT 1")
                .bind(source_id)
                .bind(now);
        Ok(self.optional(statement).await?.is_some())
    }

    /// Forgets all that a content source has; how much that was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alternates_delete(&self, source_id: &str) -> Result<u64> {
        self.execute(sql("DELETE FROM alternates WHERE source_id = $1").bind(source_id))
            .await
    }

    /// Forgets what expired before `then`; how much that was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alternates_purge(&self, then: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM alternates WHERE expires < $1").bind(then))
            .await
    }
}
