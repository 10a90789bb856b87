//! Bringing the schema up to date: numbered, forward only, one transaction each.

use pith_core::Timestamp;

use crate::backend::Backend;
use crate::db::Db;
use crate::dialect::{ddl, sql};
use crate::transaction::DbTx;
use crate::{Result, StoreError};

/// Every migration, oldest first; number 1 is the first. A released one is never edited.
const MIGRATIONS: [&str; 21] = [
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_content.sql"),
    include_str!("../migrations/0003_sources.sql"),
    include_str!("../migrations/0004_schedules.sql"),
    include_str!("../migrations/0005_people.sql"),
    include_str!("../migrations/0006_groups.sql"),
    include_str!("../migrations/0007_made_from.sql"),
    include_str!("../migrations/0008_retired.sql"),
    include_str!("../migrations/0009_handed_back.sql"),
    include_str!("../migrations/0010_fences.sql"),
    include_str!("../migrations/0011_sites.sql"),
    include_str!("../migrations/0012_networks.sql"),
    include_str!("../migrations/0013_said.sql"),
    include_str!("../migrations/0014_lost.sql"),
    include_str!("../migrations/0015_makers.sql"),
    include_str!("../migrations/0016_guards.sql"),
    include_str!("../migrations/0017_limits.sql"),
    include_str!("../migrations/0018_queue.sql"),
    include_str!("../migrations/0019_group_publications.sql"),
    include_str!("../migrations/0020_signing_keys.sql"),
    include_str!("../migrations/0021_file_lists.sql"),
];

/// The schema this program knows.
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The lock of whoever migrates a PostgreSQL database ("pith" in ASCII).
const LOCK: i64 = 0x7069_7468;

/// Applies what is missing. Safe with several processes at once, harmless when there is nothing to do.
pub(crate) async fn migrate(db: &Db, now: Timestamp) -> Result<()> {
    // One migration a round: each is committed on its own, so that a crash leaves a schema that can go on.
    while step(db, now).await? {}
    Ok(())
}

/// Applies the next migration; whether there may be more.
async fn step(db: &Db, now: Timestamp) -> Result<bool> {
    let mut tx = db.begin().await?;
    lock_schema(&mut tx).await?;
    tx.script("CREATE TABLE IF NOT EXISTS schema_versions (number BIGINT PRIMARY KEY, applied BIGINT NOT NULL)".to_owned())
        .await?;
    let row = tx
        .optional(sql("SELECT COALESCE(MAX(number), 0) FROM schema_versions"))
        .await?;
    let found: i64 = row.map_or(Ok(0), |row| row.get(0))?;
    if found > KNOWN {
        return Err(StoreError::TooNew {
            found,
            known: KNOWN,
        });
    }
    let Some(next) = usize::try_from(found)
        .ok()
        .and_then(|at| MIGRATIONS.get(at))
    else {
        tx.commit().await?;
        return Ok(false);
    };
    let text = ddl(tx.backend(), next);
    tx.script(text).await?;
    tx.execute(
        sql("INSERT INTO schema_versions (number, applied) VALUES ($1, $2)")
            .bind(found + 1)
            .bind(now),
    )
    .await?;
    tx.commit().await?;
    tracing::info!(
        schema = found + 1,
        "the database schema was brought up to date"
    );
    Ok(true)
}

/// Lets one process at a time change the schema, until the end of the transaction.
pub(crate) async fn lock_schema(tx: &mut DbTx) -> Result<()> {
    advisory_lock(tx, LOCK).await
}

/// Takes a lock of PostgreSQL that has no row, until the end of the transaction. SQLite has one writer anyway.
pub(crate) async fn advisory_lock(tx: &mut DbTx, number: i64) -> Result<()> {
    if tx.backend() == Backend::Postgres {
        tx.all(sql("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS l").bind(number))
            .await?;
    }
    Ok(())
}

/// Takes a share of such a lock: others may have one too, and nobody has the whole.
pub(crate) async fn advisory_lock_shared(tx: &mut DbTx, number: i64) -> Result<()> {
    if tx.backend() == Backend::Postgres {
        let text = "SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared($1)) AS l";
        tx.all(sql(text).bind(number)).await?;
    }
    Ok(())
}
