//! Upload requests; their bytes live elsewhere (pulp2/uploads#requests).

use pith_core::Timestamp;
use uuid::Uuid;

use crate::dialect::{Sql, for_update, sql};
use crate::value::Row;
use crate::{Result, Store};

/// An upload request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// `upload_id` on the wire.
    pub id: Uuid,
    /// The time at which it was made.
    pub created: Timestamp,
    /// Bytes so far.
    pub size: i64,
    /// The `_id` of the user who made it; `None` for those from before users had uploads of their own.
    pub owner: Option<String>,
}

/// The room that uploads take, in bytes. Each takes a little, however few bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadUse {
    /// Those of one owner.
    pub own: u64,
    /// Those of all.
    pub all: u64,
}

/// The least that an upload counts for, in bytes.
const LEAST: i64 = 1 << 20;
/// The columns of an [`Upload`].
const COLUMNS: &str = "id, created, size, owner";

fn upload(row: &Row) -> Result<Upload> {
    Ok(Upload {
        id: row.get(0)?,
        created: row.get(1)?,
        size: row.get(2)?,
        owner: row.get(3)?,
    })
}

impl Store {
    /// Notes a new upload request.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn upload_create(&self, upload: &Upload) -> Result<()> {
        let statement =
            sql("INSERT INTO uploads (id, created, size, owner) VALUES ($1, $2, $3, $4)")
                .bind(upload.id)
                .bind(upload.created)
                .bind(upload.size)
                .bind(&upload.owner);
        self.execute(statement)
            .await
            .map(drop)
            .map_err(|e| e.or_duplicate("upload", &upload.id.to_string()))
    }

    /// One upload request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_get(&self, id: Uuid) -> Result<Option<Upload>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM uploads WHERE id = ");
        query.bind(id).push(" AND NOT expired");
        let row = self.optional(query.build()).await?;
        row.as_ref().map(upload).transpose()
    }

    /// Notes how many bytes are there; a smaller number than before is ignored.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such upload.
    pub async fn upload_set_size(&self, id: Uuid, size: i64) -> Result<()> {
        let statement = sql(
            "UPDATE uploads SET size = CASE WHEN size > $1 THEN size ELSE $1 END, written = $2 \
             WHERE id = $3 AND NOT expired",
        )
        .bind(size)
        .bind(self.now())
        .bind(id);
        self.execute_one(statement, "upload", id).await
    }

    /// Every upload request, oldest first; with an owner only theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_list(&self, owner: Option<&str>) -> Result<Vec<Upload>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM uploads WHERE NOT expired");
        if let Some(owner) = owner {
            query.push(" AND owner = ").bind(owner);
        }
        query.push(" ORDER BY created, id");
        let rows = self.all(query.build()).await?;
        rows.iter().map(upload).collect()
    }

    /// The room that uploads take, also those that are being deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_use(&self, owner: &str) -> Result<UploadUse> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        let counted = format!("CASE WHEN size < {LEAST} THEN {LEAST} ELSE size END");
        query.push(&format!("COALESCE(CAST(SUM({counted}) AS BIGINT), 0), "));
        query.push("COALESCE(CAST(SUM(CASE WHEN owner = ");
        query.bind(owner);
        query.push(&format!(
            " THEN {counted} ELSE 0 END) AS BIGINT), 0) FROM uploads"
        ));
        let row = self.optional(query.build()).await?;
        let (all, own): (i64, i64) = match row {
            Some(row) => (row.get(0)?, row.get(1)?),
            None => (0, 0),
        };
        let bytes = |count| u64::try_from(count).unwrap_or(0);
        Ok(UploadUse {
            own: bytes(own),
            all: bytes(all),
        })
    }

    /// Expires the uploads to which nothing came since `before` and that no unfinished task wants to import: nobody can write to
    /// them or import them from now on. Answers these, and those whose deletion began before and has not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_expire(&self, before: Timestamp) -> Result<Vec<Uuid>> {
        let mut tx = self.begin().await?;
        let text = "SELECT id FROM uploads WHERE expired OR COALESCE(written, created) < ";
        let mut query = Sql::new(self.backend(), text);
        query
            .bind(before)
            .push(" ORDER BY id")
            .push(for_update(self.backend()));
        let mut ids: Vec<Uuid> = Vec::new();
        for row in tx.inner.all(query.build()).await? {
            ids.push(row.get(0)?);
        }
        if ids.is_empty() {
            return Ok(ids);
        }
        let wanted = sql("SELECT args->>'upload_id' FROM tasks WHERE open");
        for row in tx.inner.all(wanted).await? {
            let wanted: Option<String> = row.get(0)?;
            ids.retain(|id| wanted.as_deref() != Some(id.to_string().as_str()));
        }
        for id in &ids {
            let statement = sql("UPDATE uploads SET expired = $1 WHERE id = $2");
            tx.inner.execute(statement.bind(true).bind(*id)).await?;
        }
        tx.commit().await?;
        Ok(ids)
    }

    /// Forgets an upload request; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_delete(&self, id: Uuid) -> Result<bool> {
        Ok(self
            .execute(sql("DELETE FROM uploads WHERE id = $1").bind(id))
            .await?
            > 0)
    }
}
