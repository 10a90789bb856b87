//! Statements as each of the two databases takes them, run on a connection or a pool.

use futures::{Stream, TryStreamExt};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, Executor};

use crate::Result;
use crate::dialect::{Stmt, for_postgres};
use crate::value::{Row, Value};

/// Wraps a statement for its backend. All text comes from this crate; names of fields and types inside it were checked
/// by `dialect::plain_name`, everything else is bound.
pub(crate) fn sqlite_query(statement: Stmt) -> Result<Query<'static, Sqlite, SqliteArguments>> {
    use sqlx::Arguments as _;
    let mut arguments = SqliteArguments::default();
    arguments.reserve(statement.binds.len(), 0);
    for value in statement.binds {
        match value {
            Value::Bool(v) => arguments.add(v),
            Value::Int(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v),
            Value::Bytes(v) => arguments.add(v),
            Value::Bools(_) | Value::Ints(_) | Value::Texts(_) | Value::Blobs(_) => {
                Err("SQLite has no arrays".into())
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(statement.text), arguments).persistent(statement.keep))
}

pub(crate) fn postgres_query(statement: Stmt) -> Result<Query<'static, Postgres, PgArguments>> {
    use sqlx::Arguments as _;
    let mut arguments = PgArguments::default();
    for value in statement.binds {
        match value {
            Value::Bool(v) => arguments.add(v),
            Value::Int(v) => arguments.add(v),
            Value::Text(v) => arguments.add(v),
            Value::Bytes(v) => arguments.add(v),
            Value::Bools(v) => arguments.add(v),
            Value::Ints(v) => arguments.add(v),
            Value::Texts(v) => arguments.add(v),
            Value::Blobs(v) => arguments.add(v),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    let text = for_postgres(statement.text);
    Ok(sqlx::query_with(AssertSqlSafe(text), arguments).persistent(statement.keep))
}

pub(crate) async fn see_all(
    rows: impl Stream<Item = Result<Row, sqlx::Error>>,
    mut see: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        see(row)?;
    }
    Ok(())
}

pub(crate) async fn sqlite_all<'c>(
    on: impl Executor<'c, Database = Sqlite>,
    statement: Stmt,
) -> Result<Vec<Row>> {
    Ok(sqlite_query(statement)?
        .fetch(on)
        .map_ok(Row::Sqlite)
        .try_collect()
        .await?)
}

pub(crate) async fn postgres_all<'c>(
    on: impl Executor<'c, Database = Postgres>,
    statement: Stmt,
) -> Result<Vec<Row>> {
    Ok(postgres_query(statement)?
        .fetch(on)
        .map_ok(Row::Postgres)
        .try_collect()
        .await?)
}

pub(crate) async fn sqlite_execute<'c>(
    on: impl Executor<'c, Database = Sqlite>,
    statement: Stmt,
) -> Result<u64> {
    Ok(sqlite_query(statement)?.execute(on).await?.rows_affected())
}

pub(crate) async fn postgres_execute<'c>(
    on: impl Executor<'c, Database = Postgres>,
    statement: Stmt,
) -> Result<u64> {
    Ok(postgres_query(statement)?
        .execute(on)
        .await?
        .rows_affected())
}
