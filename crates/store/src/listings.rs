//! Repositories, distributors, tasks and users in pages, narrowed to what their columns can tell.

use std::borrow::Cow;

use futures::stream;
use pith_core::TaskId;
use pith_core::task::TaskState;

use crate::backend::Backend;
use crate::criteria_sql::after_prefix;
use crate::dialect::Sql;
use crate::distributors::{self, Distributor, distributor};
use crate::reading::{Mark, Share};
use crate::repositories::{self, Repository, UnitCounts, repository};
use crate::tasks::{self, Task, task};
use crate::users::{self, User, user};
use crate::value::Row;
use crate::{BatchStream, Result, Store};

/// Rows read at once at most.
const PAGE: u64 = 128;
/// Bytes of the rows read at once, but for a single one: the notes of a repository and the report of a task may be large.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;

/// A choice among the texts of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Texts {
    /// All.
    #[default]
    Any,
    /// The texts in this list.
    OneOf(Vec<String>),
    /// Those that start so.
    StartingWith(String),
}

/// A part of the rows that were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Leave out this many from the start.
    pub skip: u64,
    /// The most rows.
    pub limit: Option<u64>,
}

/// A choice of distributors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistributorListing {
    /// Only those of these repositories.
    pub repos: Texts,
    /// Only those of these ids.
    pub ids: Texts,
    /// Only those of these types.
    pub types: Texts,
}

/// A choice of tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskListing {
    /// Only these.
    pub ids: Option<Vec<TaskId>>,
    /// Only those in these states.
    pub states: Option<Vec<TaskState>>,
    /// Only those that have all of these tags.
    pub tags: Vec<String>,
}

impl Texts {
    /// Writes the condition on `column`, after another one.
    fn write(&self, out: &mut Sql, column: &str) {
        match self {
            Self::Any => {}
            Self::OneOf(texts) => {
                out.push(" AND ").bind_in(column, texts);
            }
            Self::StartingWith(prefix) => match out.backend {
                Backend::Sqlite => {
                    out.push(&format!(" AND {column} >= ")).bind(prefix);
                    if let Some(after) = after_prefix(prefix) {
                        out.push(&format!(" AND {column} < ")).bind(after);
                    }
                }
                Backend::Postgres => {
                    out.push(&format!(" AND starts_with({column}, "))
                        .bind(prefix)
                        .push("::text)");
                }
            },
        }
    }
}

impl Store {
    /// Repositories, the oldest first.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn repositories_stream(&self, ids: Texts, window: Window) -> BatchStream<Repository> {
        let select = move |backend, columns: &str, after: Option<&i64>| {
            let seq = by_id_first(matches!(ids, Texts::OneOf(_)));
            let mut query = Sql::new(backend, "SELECT ");
            query
                .push(columns)
                .push(" FROM repos WHERE ")
                .push(seq)
                .push(" > ")
                .bind(after.copied().unwrap_or_default());
            ids.write(&mut query, "id");
            query.push(" ORDER BY ").push(seq);
            query
        };
        let read = |row: &Row| Ok((row.get(repositories::WIDTH)?, repository(row)?));
        let columns = format!("{}, seq", repositories::COLUMNS);
        pages(
            self.clone(),
            window,
            Columns(columns.into(), repositories::HEAVY),
            select,
            read,
        )
    }

    /// Users, the oldest first.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn users_stream(&self, logins: Texts, window: Window) -> BatchStream<User> {
        let select = move |backend, columns: &str, after: Option<&i64>| {
            let seq = by_id_first(matches!(logins, Texts::OneOf(_)));
            let mut query = Sql::new(backend, "SELECT ");
            query
                .push(columns)
                .push(" FROM users WHERE ")
                .push(seq)
                .push(" > ")
                .bind(after.copied().unwrap_or_default());
            logins.write(&mut query, "login");
            query.push(" ORDER BY ").push(seq);
            query
        };
        let read = |row: &Row| Ok((row.get(users::WIDTH)?, user(row)?));
        let columns = format!("{}, seq", users::COLUMNS);
        pages(
            self.clone(),
            window,
            Columns(columns.into(), users::HEAVY),
            select,
            read,
        )
    }

    /// Distributors by repository and id.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn distributors_stream(&self, only: DistributorListing) -> BatchStream<Distributor> {
        let select = move |backend, columns: &str, after: Option<&(String, String)>| {
            let (repo, id) = after.map_or(("", ""), |(repo, id)| (repo, id));
            let mut query = Sql::new(backend, "SELECT ");
            query
                .push(columns)
                .push(" FROM distributors WHERE (repo_id, id) > (")
                .bind(repo)
                .push(", ")
                .bind(id)
                .push(")");
            only.repos.write(&mut query, "repo_id");
            only.ids.write(&mut query, "id");
            only.types.write(&mut query, "type_id");
            query.push(" ORDER BY repo_id, id");
            query
        };
        let secrets = self.inner.secrets.clone();
        let read = move |row: &Row| {
            let found = distributor(row, &secrets)?;
            Ok(((found.repo_id.clone(), found.id.clone()), found))
        };
        let columns = Columns(distributors::COLUMNS.into(), distributors::HEAVY);
        pages(self.clone(), Window::default(), columns, select, read)
    }

    /// Tasks without their arguments, oldest first.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn tasks_stream(&self, only: TaskListing, window: Window) -> BatchStream<Task> {
        let select = move |backend, columns: &str, after: Option<&i64>| {
            let seq = by_id_first(only.ids.is_some());
            let mut query = Sql::new(backend, "SELECT ");
            query
                .push(columns)
                .push(" FROM tasks WHERE ")
                .push(seq)
                .push(" > ")
                .bind(after.copied().unwrap_or_default());
            if let Some(ids) = &only.ids {
                query.push(" AND ").bind_in("id", ids.iter().copied());
            }
            if let Some(states) = &only.states {
                query.push(" AND ").bind_in("state", states.iter().copied());
            }
            for tag in &only.tags {
                query
                    .push(" AND id IN (SELECT task_id FROM task_tags WHERE tag = ")
                    .bind(tag)
                    .push(")");
            }
            query.push(" ORDER BY ").push(seq);
            query
        };
        let read = |row: &Row| {
            let found = task(row)?;
            Ok((found.seq, found))
        };
        let columns = Columns(tasks::SHOWN.into(), tasks::HEAVY);
        pages(self.clone(), window, columns, select, read)
    }

    /// Repository id -> type id -> number of units, of these repositories; those without units are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts_of(&self, ids: &[&str]) -> Result<UnitCounts> {
        let mut query = Sql::new(
            self.backend(),
            "SELECT repo_id, type_id, units FROM repo_counts WHERE ",
        );
        query.bind_in("repo_id", ids.iter().copied());
        repositories::unit_counts(&self.all(query.build()).await?)
    }
}

/// The column of the order of making; with ids at hand, such that no plan goes by it.
fn by_id_first(by_id: bool) -> &'static str {
    if by_id { "+seq" } else { "seq" }
}

/// The columns to read, and those of them that may be long.
struct Columns(Cow<'static, str>, &'static [&'static str]);

impl Columns {
    /// The bytes of those that may be long.
    fn bytes(&self, backend: Backend) -> String {
        let bytes = |column: &&str| match backend {
            Backend::Sqlite => format!("coalesce(octet_length({column}), 0)"),
            Backend::Postgres => format!("coalesce(octet_length({column}::text), 0)::bigint"),
        };
        let each: Vec<String> = self.1.iter().map(bytes).collect();
        each.join(" + ")
    }
}

/// Returns what `select` finds, a page at a time, each after the key of the last row of the page before.
fn pages<T, K, S, R>(
    store: Store,
    window: Window,
    columns: Columns,
    select: S,
    read: R,
) -> BatchStream<T>
where
    T: Send + 'static,
    K: Send + Sync + 'static,
    S: Fn(Backend, &str, Option<&K>) -> Sql + Send + Sync + 'static,
    R: Fn(&Row) -> Result<(K, T)> + Send + Sync + 'static,
{
    let start = Cursor {
        store,
        columns,
        select,
        read,
        after: None,
        skip: window.skip,
        left: window.limit.unwrap_or(u64::MAX),
        page: None,
    };
    Box::pin(stream::try_unfold(start, |mut cursor| async move {
        let found = cursor.next().await?;
        Ok((!found.is_empty()).then_some((found, cursor)))
    }))
}

/// The position of a listing.
struct Cursor<K, S, R> {
    store: Store,
    columns: Columns,
    select: S,
    read: R,
    after: Option<K>,
    skip: u64,
    left: u64,
    /// The page that was handed out last.
    page: Option<Share>,
}

impl<K, S, R> Cursor<K, S, R>
where
    K: Send + Sync,
    S: Fn(Backend, &str, Option<&K>) -> Sql + Send + Sync,
{
    /// The next page; nothing at the end.
    async fn next<T: Send>(&mut self) -> Result<Vec<T>>
    where
        R: Fn(&Row) -> Result<(K, T)> + Send + Sync,
    {
        self.page = None;
        loop {
            let (rows, is_last) = self.rows().await?;
            if rows == 0 {
                return Ok(Vec::new());
            }
            let query = self.query(&self.columns.0, rows);
            let mark = Mark::here();
            let (mut found, mut last) = (Vec::new(), None);
            let read = |row: Row| {
                let (key, item) = (self.read)(&row)?;
                last = Some(key);
                found.push(item);
                Ok(())
            };
            self.store.each(query.build(), read).await?;
            if found.is_empty() && !is_last {
                // They were deleted since they were weighed; there may be others behind them.
                continue;
            }
            self.after = last;
            self.page = mark.map(Mark::share);
            self.skip = 0;
            self.left = match is_last {
                true => 0,
                false => self.left - found.len() as u64,
            };
            return Ok(found);
        }
    }

    fn query(&self, columns: &str, rows: u64) -> Sql {
        let mut query = (self.select)(self.store.backend(), columns, self.after.as_ref());
        query.limit(rows).offset(self.skip);
        query
    }

    /// The number of rows to read now, and whether there are no others. The database is asked how large they are before any is
    /// read: it sends them faster than they can be counted.
    async fn rows(&self) -> Result<(u64, bool)> {
        let wanted = self.left.min(PAGE);
        let (mut seen, mut rows, mut bytes) = (0, 0, 0i64);
        if wanted == 0 {
            return Ok((0, true));
        }
        let query = self.query(&self.columns.bytes(self.store.backend()), wanted);
        let weigh = |row: Row| {
            seen += 1;
            bytes = bytes.saturating_add(row.get(0)?);
            if rows == 0 || bytes <= PAGE_BYTES {
                rows += 1;
            }
            Ok(())
        };
        self.store.each(query.build(), weigh).await?;
        Ok((rows, rows == seen && seen < wanted))
    }
}
