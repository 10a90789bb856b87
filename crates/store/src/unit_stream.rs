//! Reading units in the database's order, in batches, without holding a connection between batches.
//!
//! In the default order one statement reads a page, which starts after the last id of the page before. In other orders
//! the hits (56 bytes each) are read at once, then the units behind them batch by batch. Large units are read in statements of
//! their own, a few at a time, so that memory does not depend on what stands side by side.

use std::collections::VecDeque;
use std::sync::Arc;

use pith_core::UnitId;

use crate::dialect::{CHUNK, Sql, sql};
use crate::fence::of_attempt;
use crate::unit::StreamedUnit;
use crate::unit_query::{AsOf, Hit, Plan, Scope};
use crate::value::Row;
use crate::{BatchStream, Result, Store};

mod read;

pub(crate) use read::{BETWEEN, FromRow, document, document_column, load};
use read::{Read, Sizes, UNIT_COLUMNS, join_parts, unit_columns, unit_of};

/// Ids bound to one statement: SQLite allows 32,766 values.
const MOST_IDS: usize = 30_000;

/// The position of a stream.
#[derive(Debug)]
struct Cursor<D> {
    store: Store,
    plan: Plan,
    /// Types still to visit; `None` before the start.
    types: Option<VecDeque<String>>,
    after: Option<UnitId>,
    /// Ids read ahead, in orders other than the default.
    ahead: Option<VecDeque<Hit>>,
    left: u64,
    skip: u64,
    /// The number of units to read at once.
    pace: Pace,
    /// Units that were found and not handed out yet.
    found: VecDeque<Read<D>>,
}

/// The number of units that are read at once: units may be large, and nobody knows before they are read.
#[derive(Debug)]
struct Pace(usize);

impl Pace {
    /// The first units tell how large the others are likely to be.
    const FIRST: usize = 128;
    /// Bytes that are read at once, as far as one can tell before.
    const BYTES: usize = 4 << 20;

    /// Learns from units that were read.
    fn learn(&mut self, units: usize, bytes: usize) {
        let grown = self.0.saturating_mul(4).min(CHUNK);
        let each = bytes / units.max(1);
        self.0 = (Self::BYTES / each.max(1)).clamp(1, grown);
    }
}

/// The units of `plan`, in batches.
pub(crate) fn stream<D: FromRow>(store: Store, plan: Plan) -> BatchStream<StreamedUnit<D>> {
    let (left, skip) = (plan.limit.unwrap_or(u64::MAX), plan.skip);
    let cursor = Cursor::<D> {
        store,
        plan,
        types: None,
        after: None,
        ahead: None,
        left,
        skip,
        pace: Pace(Pace::FIRST),
        found: VecDeque::new(),
    };
    Box::pin(futures::stream::try_unfold(
        cursor,
        |mut cursor| async move {
            let units = cursor.next_units().await?;
            Ok(Some((units, cursor)).filter(|(units, _)| !units.is_empty()))
        },
    ))
}

/// Returns how many units `plan` finds.
pub(crate) async fn count(store: &Store, plan: &Plan) -> Result<i64> {
    let chunks: Vec<Option<&[UnitId]>> = match &plan.ids {
        None => vec![None],
        Some(ids) => ids.chunks(MOST_IDS).map(Some).collect(),
    };
    let mut total = 0;
    for ids in chunks {
        let scope = Scope {
            types: &plan.type_ids,
            after: None,
            ids,
            sorted: false,
        };
        total += count_in(store, plan, scope).await?;
    }
    Ok(total)
}

/// Returns how many units `plan` finds in `scope`.
async fn count_in(store: &Store, plan: &Plan, scope: Scope<'_>) -> Result<i64> {
    let mut query = plan.select(store, scope).build();
    query.text = format!("SELECT COUNT(*) FROM ({}) AS found", query.text).into();
    let row = store.optional(query).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

impl<D: FromRow> Cursor<D> {
    /// The next units; none at the end.
    async fn next_units(&mut self) -> Result<Vec<StreamedUnit<D>>> {
        loop {
            let units = self.hand_out().await?;
            if !units.is_empty() {
                return Ok(units);
            }
            if !self.found.is_empty() {
                // Those in front were deleted meanwhile.
                continue;
            }
            if self.left == 0 || !self.find().await? {
                return Ok(Vec::new());
            }
        }
    }

    /// Reads the next page of what there is; false at the end.
    async fn find(&mut self) -> Result<bool> {
        let found = if self.plan.sort.is_empty() && self.plan.ids.is_none() {
            self.next_page().await?
        } else {
            match self.next_sorted().await? {
                None => None,
                Some(hits) => Some(read::read(&self.store, &self.plan, hits, Sizes::Small).await?),
            }
        };
        let Some(found) = found else { return Ok(false) };
        self.learn(&found);
        self.found = found.into();
        Ok(true)
    }

    /// The units in front of what was found, up to a large one that has to be read first.
    async fn hand_out(&mut self) -> Result<Vec<StreamedUnit<D>>> {
        if let Some(Read::Large(..)) = self.found.front() {
            self.read_large().await?;
        }
        let mut units = Vec::with_capacity(self.found.len());
        while let Some(Read::Unit(unit)) = self
            .found
            .pop_front_if(|read| matches!(read, Read::Unit(_)))
        {
            units.push(*unit);
        }
        Ok(units)
    }

    /// Reads the first of the large units, as many as go into memory together.
    async fn read_large(&mut self) -> Result<()> {
        let (mut hits, mut bytes) = (Vec::new(), 0);
        for read in &self.found {
            if let Read::Large(hit, size) = read {
                bytes += size;
                if !hits.is_empty() && bytes > Pace::BYTES {
                    break;
                }
                hits.push(hit.clone());
            }
        }
        let mut left = hits.len();
        let mut units = load::<D>(&self.store, &self.plan, hits)
            .await?
            .into_iter()
            .peekable();
        let found = std::mem::take(&mut self.found);
        let whole = |read| match read {
            Read::Large(hit, _) if left > 0 => {
                left -= 1;
                let unit = units.next_if(|unit| unit.unit.id == hit.id)?;
                Some(Read::Unit(Box::new(unit)))
            }
            other => Some(other),
        };
        self.found = found.into_iter().filter_map(whole).collect();
        Ok(())
    }

    fn learn(&mut self, found: &[Read<D>]) {
        let bytes = |unit: &StreamedUnit<D>| {
            let parts = unit.parts.iter().map(|part| part.data.len());
            unit.unit.doc.weight() + parts.sum::<usize>()
        };
        let read = found.iter().filter_map(|read| match read {
            Read::Unit(unit) => Some(bytes(unit)),
            Read::Large(..) => None,
        });
        let (units, bytes) = read.fold((0, 0), |(units, sum), bytes| (units + 1, sum + bytes));
        self.pace.learn(units, bytes);
    }

    /// Reads all statements of one answer at one version of the repository: a commit between two would show what it replaces and
    /// what comes in its place.
    async fn settle_on_a_version(&mut self) -> Result<()> {
        if let Some(version) = self.version().await? {
            // What is counted off to be skipped must be of this version too, whatever happens between two statements.
            let counts = self.skip > 0 || self.plan.ids.is_some();
            self.plan.as_of = match counts {
                true => AsOf::Version(version),
                false => AsOf::While(version),
            };
        }
        Ok(())
    }

    /// The version that the repository has now; `None` without one, and on top of what a task has staged: nobody else commits there.
    async fn version(&self) -> Result<Option<i64>> {
        let Some(repo) = self
            .plan
            .repo
            .as_ref()
            .filter(|_| self.plan.staged.is_none())
        else {
            return Ok(None);
        };
        let statement = sql("SELECT version FROM repos WHERE id = $1").bind(repo);
        let row = self.store.optional(statement).await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// Tells whether the page that found nothing must be read again, because the repository has changed since the first page.
    async fn has_moved(&mut self) -> Result<bool> {
        let AsOf::While(version) = self.plan.as_of else {
            return Ok(false);
        };
        let moved = self.version().await? != Some(version);
        if moved {
            self.plan.as_of = AsOf::Version(version);
        }
        Ok(moved)
    }

    /// The next page in the default order: type by type, by id.
    async fn next_page(&mut self) -> Result<Option<Vec<Read<D>>>> {
        if self.types.is_none() {
            let types = self.visited_types().await?;
            if types.len() > 1 {
                self.settle_on_a_version().await?;
            }
            self.types = Some(types.into());
        }
        while let Some(type_id) = self.types.as_ref().and_then(|types| types.front().cloned()) {
            let types = [type_id];
            let scope = Scope {
                types: &types,
                after: self.after,
                ids: None,
                sorted: false,
            };
            let wanted = self.left.min(self.pace.0 as u64);
            let page = self.page(scope, wanted).await?;
            if page.found == 0 && self.has_moved().await? {
                continue;
            }
            if let (AsOf::Now, Some(version)) = (self.plan.as_of, page.version) {
                self.plan.as_of = AsOf::While(version);
            }
            self.after = page.last;
            if page.found < wanted {
                self.after = None;
                self.types.as_mut().map(VecDeque::pop_front);
            }
            if page.found > 0 {
                self.skip = 0;
                self.left -= page.found;
                let units = page.units.into_iter().map(|(_, unit)| unit);
                return Ok(Some(units.collect()));
            }
            if self.skip > 0 {
                let passed = count_in(&self.store, &self.plan, scope).await?;
                self.skip -= u64::try_from(passed).unwrap_or(0).min(self.skip);
            }
        }
        Ok(None)
    }

    /// Reads at most `wanted` units of one type in the order of their ids, less those to skip.
    async fn page(&self, scope: Scope<'_>, wanted: u64) -> Result<Page<D>> {
        let mut select = self.plan.select(&self.store, scope);
        select.push(" ORDER BY 1").limit(wanted);
        if self.skip > 0 {
            // What is left out is counted off by the database, not read.
            select.offset(self.skip);
        }
        let mut page = Page {
            units: Vec::new(),
            found: 0,
            last: None,
            version: None,
        };
        let type_id: Arc<str> = scope.types.first().map_or("", String::as_str).into();
        let times_at = UNIT_COLUMNS + self.plan.parts.len();
        let query = page_query(&self.plan, select);
        for row in self.store.all(query.build()).await? {
            let hit = Hit {
                id: row.get(times_at + 2)?,
                type_id: Arc::clone(&type_id),
                times: row
                    .get::<Option<i64>>(times_at)?
                    .zip(row.get(times_at + 1)?),
            };
            page.found += 1;
            page.last = page.last.max(Some(hit.id));
            page.version = row.get(times_at + 3)?;
            // One that was deleted meanwhile is left out.
            if row.get::<Option<UnitId>>(0)?.is_some() {
                page.units.push((hit.id, unit_of(&row, &self.plan, hit)?));
            }
        }
        page.units.sort_unstable_by_key(|(id, _)| *id);
        Ok(page)
    }

    /// The types to visit: those asked for, or those there are.
    async fn visited_types(&self) -> Result<Vec<String>> {
        if !self.plan.type_ids.is_empty() {
            return Ok(self.plan.type_ids.clone());
        }
        let mut types: Vec<String> = Vec::new();
        if let Some(repo) = &self.plan.repo {
            let mut query = Sql::new(
                self.store.backend(),
                "SELECT type_id FROM repo_counts WHERE repo_id = ",
            );
            query.bind(repo);
            if let Some((fence, _)) = self.plan.staged {
                query.push(" UNION SELECT type_id FROM staged_units WHERE ");
                of_attempt(&mut query, "", fence);
            }
            for row in self.store.all(query.build()).await? {
                types.push(row.get(0)?);
            }
        } else {
            types = unit_types(&self.store).await?;
        }
        types.sort_unstable();
        Ok(types)
    }

    /// The next ids in an order that takes all ids at once.
    async fn next_sorted(&mut self) -> Result<Option<Vec<Hit>>> {
        if self.ahead.is_none() {
            let mut hits = if self.plan.sort.is_empty() {
                self.by_ids().await?
            } else {
                self.by_sort_keys().await?
            };
            let skipped = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(hits.len());
            hits.drain(..skipped);
            hits.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.ahead = Some(hits.into());
        }
        let ahead = self.ahead.get_or_insert_default();
        let hits: Vec<Hit> = ahead.drain(..ahead.len().min(self.pace.0)).collect();
        Ok(Some(hits).filter(|hits| !hits.is_empty()))
    }

    async fn by_ids(&mut self) -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        let ids = self.plan.ids.clone().unwrap_or_default();
        if ids.len() > MOST_IDS {
            self.settle_on_a_version().await?;
        }
        for ids in ids.chunks(MOST_IDS) {
            let scope = Scope {
                types: &self.plan.type_ids,
                after: None,
                ids: Some(ids),
                sorted: false,
            };
            hits.extend(self.read(self.plan.select(&self.store, scope)).await?);
        }
        hits.sort_unstable_by(|a, b| (&a.type_id, a.id).cmp(&(&b.type_id, b.id)));
        hits.dedup_by_key(|hit| hit.id);
        Ok(hits)
    }

    async fn by_sort_keys(&self) -> Result<Vec<Hit>> {
        let backend = self.store.backend();
        let scope = Scope {
            types: &self.plan.type_ids,
            after: None,
            ids: self.plan.ids.as_deref(),
            sorted: true,
        };
        let mut query = self.plan.select(&self.store, scope);
        query.push(" ORDER BY ");
        let mut column = 5;
        for (field, descending) in &self.plan.sort {
            for _ in field.sort_keys(backend, "u.doc") {
                query.push(&format!(
                    "{column}{}, ",
                    if *descending { " DESC" } else { "" }
                ));
                column += 1;
            }
        }
        query.push("4, 1");
        if let Some(limit) = self.plan.limit {
            let limit = limit.saturating_add(self.plan.skip);
            query.limit(limit);
        }
        self.read(query).await
    }

    async fn read(&self, query: Sql) -> Result<Vec<Hit>> {
        let mut hits: Vec<Hit> = Vec::new();
        let see = |row: Row| {
            let type_id: String = row.get(3)?;
            let type_id = match hits.last() {
                Some(last) if *last.type_id == *type_id => Arc::clone(&last.type_id),
                _ => type_id.into(),
            };
            let times = row.get::<Option<i64>>(1)?.zip(row.get(2)?);
            hits.push(Hit {
                id: row.get(0)?,
                type_id,
                times,
            });
            Ok(())
        };
        self.store.each(query.build(), see).await?;
        Ok(hits)
    }
}

/// The types that have units, found by skipping through the index.
async fn unit_types(store: &Store) -> Result<Vec<String>> {
    let mut types: Vec<String> = Vec::new();
    loop {
        let mut query = Sql::new(
            store.backend(),
            "SELECT MIN(type_id) FROM units WHERE type_id > ",
        );
        query.bind(types.last().map_or("", String::as_str));
        match store
            .optional(query.build())
            .await?
            .map(|row| row.get::<Option<String>>(0))
            .transpose()?
            .flatten()
        {
            Some(next) => types.push(next),
            None => return Ok(types),
        }
    }
}

/// Some of the units that a statement found.
struct Page<D> {
    units: Vec<(UnitId, Read<D>)>,
    /// The number that was found.
    found: u64,
    /// The last of those.
    last: Option<UnitId>,
    /// The version of the repository that was read.
    version: Option<i64>,
}

/// Returns what `select` finds with the units behind it; the association's times, the id and the version of the repository last,
/// which the first page reads for those that follow.
fn page_query(plan: &Plan, select: Sql) -> Sql {
    let columns = unit_columns(select.backend, plan, Sizes::Small);
    let repo = plan.repo.as_ref();
    let first_of = repo.filter(|_| plan.as_of == AsOf::Now && plan.staged.is_none());
    let version = first_of.map_or("CAST(NULL AS BIGINT)", |_| "v.version");
    let mut query = select.within(
        &format!("SELECT {columns}, h.created, h.updated, h.unit_id, {version} FROM ("),
        ") AS h LEFT JOIN units u ON u.id = h.unit_id",
    );
    join_parts(&mut query, plan);
    if let Some(repo) = first_of {
        query.push(" LEFT JOIN repos v ON v.id = ").bind(repo);
    }
    query
}

/// Returns what the database says about the statement behind the first page.
#[cfg(test)]
pub(crate) async fn explain(store: &Store, plan: &Plan) -> Result<String> {
    let scope = Scope {
        types: &plan.type_ids,
        after: Some(UnitId(uuid::Uuid::nil())),
        ids: plan.ids.as_deref(),
        sorted: !plan.sort.is_empty(),
    };
    let mut query = plan.select(store, scope);
    query.push(" ORDER BY 1 LIMIT 500");
    explain_query(store, query).await
}

/// Returns what the database says about a statement.
#[cfg(test)]
pub(crate) async fn explain_query(store: &Store, query: Sql) -> Result<String> {
    let mut statement = query.build();
    let (head, column) = match store.backend() {
        crate::Backend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        crate::Backend::Postgres => ("EXPLAIN", 0),
    };
    statement.text = format!("{head} {}", statement.text).into();
    let rows = store.all(statement).await?;
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.get(column))
        .collect::<Result<_>>()?;
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests;
