//! Upload requests; their bytes live elsewhere (reference: platform-api §5.5).

use pith_core::Timestamp;
use uuid::Uuid;

use crate::dialect::{Sql, for_update, sql};
use crate::value::Row;
use crate::{Result, Store};

/// An upload request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// `upload_id` on the wire.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// Bytes so far.
    pub size: i64,
}

fn upload(row: &Row) -> Result<Upload> {
    Ok(Upload {
        id: row.get(0)?,
        created: row.get(1)?,
        size: row.get(2)?,
    })
}

impl Store {
    /// Notes a new upload request.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn upload_create(&self, upload: &Upload) -> Result<()> {
        let statement = sql("INSERT INTO uploads (id, created, size) VALUES ($1, $2, $3)")
            .bind(upload.id)
            .bind(upload.created)
            .bind(upload.size);
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
        let row = self
            .optional(
                sql("SELECT id, created, size FROM uploads WHERE id = $1 AND NOT expired").bind(id),
            )
            .await?;
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

    /// Every upload request, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_list(&self) -> Result<Vec<Upload>> {
        let rows = self
            .all(sql(
                "SELECT id, created, size FROM uploads WHERE NOT expired ORDER BY created, id",
            ))
            .await?;
        rows.iter().map(upload).collect()
    }

    /// Expires the uploads to which nothing came since `before` and that no unfinished task wants to import: nobody can
    /// write to them or import them from now on. Answers these and those whose deletion was begun before and not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_expire(&self, before: Timestamp) -> Result<Vec<Uuid>> {
        let mut tx = self.begin().await?;
        let text = "SELECT id FROM uploads WHERE expired OR COALESCE(written, created) < ";
        let mut query = Sql::new(self.engine(), text);
        query
            .bind(before)
            .push(" ORDER BY id")
            .push(for_update(self.engine()));
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
