//! The statements behind a [`UnitQuery`], which find the ids of units.

use std::sync::Arc;

use pith_core::{ObjectId, Sha256, Timestamp, UnitId};
use serde_json::Value as Json;

use crate::backend::Backend;
use crate::criteria_sql::Node;
use crate::dialect::{Sql, plain_name};
use crate::fence::{Fence, of_attempt};
use crate::field::Field;
use crate::unit::UnitQuery;
use crate::value::timestamp;
use crate::{Result, Store};

/// A checked query, owning what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) type_ids: Vec<String>,
    pub(crate) repo: Option<String>,
    /// The version of the repository that is read.
    pub(crate) as_of: AsOf,
    /// The units that a task has staged on top of the repository, and what "now" is for it.
    pub(crate) staged: Option<(Fence, Timestamp)>,
    pub(crate) equals: Vec<(String, Field, Vec<Json>)>,
    /// The conditions that must hold besides.
    pub(crate) filter: Node,
    pub(crate) ids: Option<Vec<UnitId>>,
    pub(crate) sort: Vec<(Field, bool)>,
    pub(crate) limit: Option<u64>,
    pub(crate) skip: u64,
    pub(crate) parts: Vec<String>,
    pub(crate) fields: Option<Vec<String>>,
    /// Digest of the repository's id, part of association ids.
    pub(crate) repo_mark: [u8; 8],
}

/// The version of a repository that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// The last one, whichever it is.
    Now,
    /// The last version, if it is this one, and nothing otherwise: an answer of several statements notices that there is a newer
    /// one.
    While(i64),
    /// This one, though there may be newer ones.
    Version(i64),
}

/// A unit that matches. Small, because an order other than the default keeps those of a whole repository at once.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) id: UnitId,
    pub(crate) type_id: Arc<str>,
    /// The times of the association and of its last refresh, in the database's microseconds.
    pub(crate) times: Option<(i64, i64)>,
}

impl Hit {
    /// Reads the times of the association and of its last refresh.
    pub(crate) fn association(&self) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        match self.times {
            Some((created, updated)) => Ok((Some(timestamp(created)?), Some(timestamp(updated)?))),
            None => Ok((None, None)),
        }
    }
}

/// The place where units are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Everywhere.
    All,
    /// A repository.
    Repo,
    /// A repository, less what a task removes.
    Kept,
    /// Among what a task adds to a repository.
    Added,
}

/// The part of the result that one statement asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) types: &'a [String],
    pub(crate) after: Option<UnitId>,
    pub(crate) ids: Option<&'a [UnitId]>,
    /// Is true when sort keys are selected.
    pub(crate) sorted: bool,
}

impl Plan {
    pub(crate) fn new(query: &UnitQuery<'_>, staged: Option<(Fence, Timestamp)>) -> Result<Self> {
        let names = |names: &[&str]| -> Result<Vec<String>> {
            names
                .iter()
                .map(|name| plain_name(name).map(str::to_owned))
                .collect()
        };
        let mut type_ids = names(&query.type_ids)?;
        type_ids.sort_unstable();
        type_ids.dedup();
        let equals = |(path, values): &(&str, Vec<Json>)| {
            Ok(((*path).to_owned(), Field::new(path)?, values.clone()))
        };
        let mut asked: Vec<_> = query.equals.iter().map(equals).collect::<Result<_>>()?;
        asked.extend(query.filter.iter().flat_map(|filter| filter.equals.clone()));
        let digest = Sha256::of(query.repo.unwrap_or_default().as_bytes()).0;
        let mut repo_mark = [0; 8];
        repo_mark.copy_from_slice(&digest[..8]);
        Ok(Self {
            type_ids,
            repo: query.repo.map(str::to_owned),
            as_of: AsOf::Now,
            staged,
            equals: asked,
            filter: query
                .filter
                .map_or(Node::True, |filter| filter.node.clone()),
            ids: query.ids.clone(),
            sort: query
                .sort
                .iter()
                .map(|(path, down)| Ok((Field::new(path)?, *down)))
                .collect::<Result<_>>()?,
            limit: query.limit,
            skip: query.skip,
            parts: query.parts.iter().map(|part| (*part).to_owned()).collect(),
            fields: query.fields.as_deref().map(names).transpose()?,
            repo_mark,
        })
    }

    fn sources(&self) -> &'static [Source] {
        match (&self.repo, &self.staged) {
            (None, _) => &[Source::All],
            (Some(_), None) => &[Source::Repo],
            (Some(_), Some(_)) => &[Source::Kept, Source::Added],
        }
    }

    /// The field whose index finds the units, when there is one: then units come first and the repository second.
    fn driving_index(&self, store: &Store, types: &[String]) -> Option<String> {
        let [type_id] = types else { return None };
        let usable = |values: &[Json]| !values.is_empty() && values.iter().all(Json::is_string);
        let equal = self
            .equals
            .iter()
            .find(|(path, _, values)| usable(values) && store.is_indexed(type_id, path));
        if let Some((_, field, _)) = equal {
            return Some(index_name(type_id, field));
        }
        // In a repository only what is rare is looked up among all units.
        let everywhere = self.repo.is_none();
        self.filter
            .indexable(everywhere)
            .filter(|(path, _)| store.is_indexed(type_id, path))
            .map(|(_, field)| index_name(type_id, field))
    }

    /// Writes `SELECT unit_id, created, updated, type_id [, sort keys] …` for all sources.
    pub(crate) fn select(&self, store: &Store, scope: Scope<'_>) -> Sql {
        let mut out = Sql::new(store.backend(), "");
        for (at, source) in self.sources().iter().enumerate() {
            out.push(if at > 0 { " UNION ALL " } else { "" });
            self.arm(&mut out, store, *source, scope);
        }
        out
    }

    fn arm(&self, out: &mut Sql, store: &Store, source: Source, scope: Scope<'_>) {
        let index = self.driving_index(store, scope.types);
        let join = !self.equals.is_empty()
            || self.filter != Node::True
            || (scope.sorted && !self.sort.is_empty());
        let (alias, id) = match source {
            Source::All => ("u", "u.id"),
            Source::Repo | Source::Kept => ("r", "r.unit_id"),
            Source::Added => ("s", "s.unit_id"),
        };
        self.select_list(out, store.backend(), source, scope);
        self.from(out, store.backend(), source, join, index.as_deref());
        for table in if join && alias != "u" {
            vec![alias, "u"]
        } else {
            vec![alias]
        } {
            type_condition(out, table, scope.types);
        }
        if let Some(after) = scope.after {
            // With an index on a field, ids are compared for the few units that it finds.
            out.push(" AND ").push(id).push(" > ").bind(after);
        }
        if let Some(ids) = scope.ids {
            out.push(" AND ").bind_in(id, ids.iter().copied());
        }
        for (_, field, values) in &self.equals {
            out.push(" AND ");
            field.equals(out, "u.doc", values);
        }
        if self.filter != Node::True {
            out.push(" AND ");
            self.filter.write(out);
        }
    }

    fn select_list(&self, out: &mut Sql, backend: Backend, source: Source, scope: Scope<'_>) {
        match (source, self.staged) {
            (Source::All, _) => {
                out.push(
                    "SELECT u.id AS unit_id, CAST(NULL AS BIGINT) AS created, CAST(NULL AS BIGINT) AS updated, \
                     u.type_id AS type_id",
                );
            }
            (Source::Kept, Some((_, now))) => {
                out.push(
                    "SELECT r.unit_id, r.created, CASE WHEN s.unit_id IS NULL THEN r.updated ELSE ",
                );
                out.bind(now).push(" END AS updated, r.type_id");
            }
            (Source::Added, Some((_, now))) => {
                out.push("SELECT s.unit_id, ")
                    .bind(now)
                    .push(" AS created, ")
                    .bind(now)
                    .push(" AS updated, s.type_id");
            }
            _ => {
                out.push("SELECT r.unit_id, r.created, r.updated, r.type_id");
            }
        }
        if scope.sorted {
            for (field, _) in &self.sort {
                for key in field.sort_keys(backend, "u.doc") {
                    out.push(", ").push(&key);
                }
            }
        }
    }

    fn from(
        &self,
        out: &mut Sql,
        backend: Backend,
        source: Source,
        join: bool,
        index: Option<&str>,
    ) {
        let repo = self.repo.as_deref().unwrap_or_default();
        let attempt = self.staged.map(|(fence, _)| fence);
        // SQLite has no statistics to find this out; PostgreSQL has.
        let (units, first) = match (backend, index) {
            (Backend::Sqlite, Some(index)) => (format!("units u INDEXED BY \"{index}\""), true),
            _ => ("units u".to_owned(), false),
        };
        let table = match source {
            Source::All => {
                out.push(" FROM ").push(&units).push(" WHERE 1 = 1");
                return;
            }
            Source::Repo | Source::Kept => ("repo_units r", "r.unit_id = u.id"),
            Source::Added => ("staged_units s", "s.unit_id = u.id"),
        };
        match (join, first) {
            (false, _) => out.push(" FROM ").push(table.0),
            (true, true) => out.push(&format!(" FROM {units} CROSS JOIN {}", table.0)),
            (true, false) => out.push(&format!(" FROM {} JOIN {units} ON {}", table.0, table.1)),
        };
        if let (Source::Kept, Some(fence)) = (source, attempt) {
            out.push(" LEFT JOIN staged_units s ON ");
            of_attempt(out, "s.", fence);
            out.push(" AND s.type_id = r.type_id AND s.unit_id = r.unit_id");
        }
        out.push(" WHERE ")
            .push(if join && first { table.1 } else { "1 = 1" });
        match (source, attempt) {
            (Source::Added, Some(fence)) => {
                out.push(" AND ");
                of_attempt(out, "s.", fence);
                out.push(" AND NOT s.remove AND NOT EXISTS (SELECT 1 ");
                out.push("FROM repo_units r WHERE r.repo_id = ").bind(repo);
                out.push(" AND r.type_id = s.type_id AND r.unit_id = s.unit_id AND r.removed_in IS NULL)");
            }
            _ => {
                out.push(" AND r.repo_id = ").bind(repo);
                self.as_of(out, repo);
                out.push(if source == Source::Kept {
                    " AND (s.unit_id IS NULL OR NOT s.remove)"
                } else {
                    ""
                });
            }
        }
    }

    /// Writes which associations count at the version that is read.
    fn as_of(&self, out: &mut Sql, repo: &str) {
        match self.as_of {
            AsOf::Now => out.push(" AND r.removed_in IS NULL"),
            AsOf::While(version) => out
                .push(" AND r.removed_in IS NULL AND EXISTS (SELECT 1 FROM repos WHERE id = ")
                .bind(repo)
                .push(" AND version = ")
                .bind(version)
                .push(")"),
            AsOf::Version(version) => out
                .push(" AND r.added_in <= ")
                .bind(version)
                .push(" AND (r.removed_in IS NULL OR r.removed_in > ")
                .bind(version)
                .push(")"),
        };
    }

    /// The identity of an association on the wire: it is derived, not stored, so that copies of 10,000 units stay one
    /// statement.
    pub(crate) fn association(&self, hit: &Hit) -> Option<ObjectId> {
        let seconds = u32::try_from(hit.times?.0.div_euclid(1_000_000)).unwrap_or(0);
        let unit = hit.id.0.as_bytes();
        let mut text = format!("{seconds:08x}");
        for (mark, byte) in self.repo_mark.iter().zip(&unit[8..]) {
            text.push_str(&format!("{:02x}", mark ^ byte));
        }
        text.parse().ok()
    }
}

/// Writes the condition on the type, with its id written out: a partial index is used only for the type that the text names.
fn type_condition(out: &mut Sql, table: &str, types: &[String]) {
    match types {
        [] => {}
        [one] => {
            out.push(&format!(" AND {table}.type_id = '{one}'"));
        }
        many => {
            out.push(&format!(" AND {table}.type_id IN ('{}')", many.join("','")));
        }
    }
}

/// The name of the index on a field of a type.
pub(crate) fn index_name(type_id: &str, field: &Field) -> String {
    format!("unit_{}_{}", type_id.replace('-', "_m_"), field.flat())
}
