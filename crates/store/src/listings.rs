//! Repositories, distributors, tasks and users in pages, narrowed to what their columns can tell.

use futures::stream;
use pith_core::TaskId;
use pith_core::task::TaskState;

use crate::criteria_sql::after_prefix;
use crate::dialect::Sql;
use crate::distributors::{self, Distributor, distributor};
use crate::reading::{Mark, Share};
use crate::repositories::{self, Repository, UnitCounts, repository};
use crate::store::Engine;
use crate::tasks::{self, Task, task};
use crate::users::{self, User, user};
use crate::value::Row;
use crate::{BatchStream, Result, Store};

/// Rows read at once at most; few, for the report of a single task may be large.
const PAGE: u64 = 128;
/// Rows of a first page, of which nothing is known.
const FIRST_PAGE: u64 = 16;
/// Memory that the rows of a page are to have, in bytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Which texts of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Texts {
    /// All.
    #[default]
    Any,
    /// These.
    OneOf(Vec<String>),
    /// Those that start so.
    StartingWith(String),
}

/// Which of the rows that were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Leave out this many from the start.
    pub skip: u64,
    /// At most this many.
    pub limit: Option<u64>,
}

/// Which distributors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistributorListing {
    /// Only those of these repositories.
    pub repos: Texts,
    /// Only those of these ids.
    pub ids: Texts,
    /// Only those of these types.
    pub types: Texts,
}

/// Which tasks.
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
            Self::StartingWith(prefix) => match out.engine {
                Engine::Sqlite => {
                    out.push(&format!(" AND {column} >= ")).bind(prefix);
                    if let Some(after) = after_prefix(prefix) {
                        out.push(&format!(" AND {column} < ")).bind(after);
                    }
                }
                Engine::Postgres => {
                    out.push(&format!(" AND starts_with({column}, "))
                        .bind(prefix)
                        .push("::text)");
                }
            },
        }
    }
}

impl Store {
    /// Repositories in the order they were made.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn repositories_stream(&self, ids: Texts, window: Window) -> BatchStream<Repository> {
        let select = move |engine, after: Option<&i64>| {
            let seq = by_id_first(matches!(ids, Texts::OneOf(_)));
            let mut query = Sql::new(engine, "SELECT ");
            query
                .push(repositories::COLUMNS)
                .push(", seq FROM repos WHERE ")
                .push(seq)
                .push(" > ")
                .bind(after.copied().unwrap_or_default());
            ids.write(&mut query, "id");
            query.push(" ORDER BY ").push(seq);
            query
        };
        let read = |row: &Row| Ok((row.get(repositories::WIDTH)?, repository(row)?));
        pages(self.clone(), window, select, read)
    }

    /// Users in the order they were made.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn users_stream(&self, logins: Texts, window: Window) -> BatchStream<User> {
        let select = move |engine, after: Option<&i64>| {
            let seq = by_id_first(matches!(logins, Texts::OneOf(_)));
            let mut query = Sql::new(engine, "SELECT ");
            query
                .push(users::COLUMNS)
                .push(", seq FROM users WHERE ")
                .push(seq)
                .push(" > ")
                .bind(after.copied().unwrap_or_default());
            logins.write(&mut query, "login");
            query.push(" ORDER BY ").push(seq);
            query
        };
        let read = |row: &Row| Ok((row.get(users::WIDTH)?, user(row)?));
        pages(self.clone(), window, select, read)
    }

    /// Distributors by repository and id.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn distributors_stream(&self, only: DistributorListing) -> BatchStream<Distributor> {
        let select = move |engine, after: Option<&(String, String)>| {
            let (repo, id) = after.map_or(("", ""), |(repo, id)| (repo, id));
            let mut query = Sql::new(engine, "SELECT ");
            query
                .push(distributors::COLUMNS)
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
        pages(self.clone(), Window::default(), select, read)
    }

    /// Tasks without their arguments, oldest first.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn tasks_stream(&self, only: TaskListing, window: Window) -> BatchStream<Task> {
        let select = move |engine, after: Option<&i64>| {
            let seq = by_id_first(only.ids.is_some());
            let mut query = Sql::new(engine, "SELECT ");
            query
                .push(tasks::SHOWN)
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
        pages(self.clone(), window, select, read)
    }

    /// Repository id -> type id -> number of units, of these repositories; those without units are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts_of(&self, ids: &[&str]) -> Result<UnitCounts> {
        let mut query = Sql::new(
            self.engine(),
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

/// Returns what `select` finds, a page at a time, each after the key of the last row of the page before.
fn pages<T, K, S, R>(store: Store, window: Window, select: S, read: R) -> BatchStream<T>
where
    T: Send + 'static,
    K: Send + Sync + 'static,
    S: Fn(Engine, Option<&K>) -> Sql + Send + Sync + 'static,
    R: Fn(&Row) -> Result<(K, T)> + Send + Sync + 'static,
{
    struct Cursor<K, S, R> {
        store: Store,
        select: S,
        read: R,
        after: Option<K>,
        skip: u64,
        left: u64,
        rows: u64,
        /// The page that was handed out last.
        page: Option<Share>,
    }
    let start = Cursor {
        store,
        select,
        read,
        after: None,
        skip: window.skip,
        left: window.limit.unwrap_or(u64::MAX),
        rows: FIRST_PAGE,
        page: None,
    };
    Box::pin(stream::try_unfold(start, |mut cursor| async move {
        cursor.page = None;
        let wanted = cursor.left.min(cursor.rows);
        if wanted == 0 {
            return Ok(None);
        }
        let mut query = (cursor.select)(cursor.store.engine(), cursor.after.as_ref());
        query.limit(wanted).offset(cursor.skip);
        let mark = Mark::here();
        let mut found = Vec::new();
        let read = |row: Row| {
            let (key, item) = (cursor.read)(&row)?;
            cursor.after = Some(key);
            found.push(item);
            Ok(())
        };
        cursor.store.each(query.build(), read).await?;
        cursor.page = mark.map(Mark::share);
        cursor.rows = match &cursor.page {
            Some(page) => {
                let each = page.bytes() / found.len().max(1) + 1;
                u64::try_from(PAGE_BYTES / each).map_or(PAGE, |rows| rows.clamp(1, PAGE))
            }
            None => PAGE,
        };
        cursor.skip = 0;
        let last = (found.len() as u64) < wanted;
        cursor.left = if last { 0 } else { cursor.left - wanted };
        Ok((!found.is_empty()).then_some((found, cursor)))
    }))
}
