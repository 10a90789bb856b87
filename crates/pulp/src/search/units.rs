//! Unit search: per repository and per type.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use pith_content::{Presented, UnitType};
use pith_core::criteria::{Effort, Filter, SortKey, sort_values};
use pith_core::{Document, UnitId};
use pith_engine::{Engine, Error};
use pith_store::{BatchStream, Held, Store, StoreError, StreamedUnit, UnitFilter, UnitQuery};
use serde_json::json;
use tokio::sync::OnceCell;

use super::Ranking;
use super::length::Labour;
use crate::present;

/// Documents in batches, made as they are consumed.
pub type DocumentStream = BoxStream<'static, Result<Vec<Shown>, Error>>;

/// A document of an answer.
#[derive(Debug)]
pub enum Shown {
    /// A tree.
    Document(Document),
    /// JSON text.
    Text(String),
}

/// Fields that are read one by one; who wants more gets them out of the whole document.
const MOST_FIELDS: usize = 40;
/// Bytes of a field's name: far more than any type has.
const MOST_NAME: usize = 100;
/// Units fetched by id at once after a sort.
const PAGE: usize = 500;

/// The names that units of a repository list, by the flag that tells.
pub(super) type Names = HashMap<&'static str, HashSet<String>>;
/// Read once in a search, when a unit is found of which it matters.
pub(super) type Listing = OnceCell<Names>;

/// The units that a search looks at and the way it shows them; owned, so that streams can carry it along.
pub(super) struct Search {
    pub(super) engine: Arc<Engine>,
    pub(super) type_ids: Vec<String>,
    pub(super) repo: Option<String>,
    pub(super) association: Option<Filter>,
    pub(super) unit: Option<Filter>,
    pub(super) unit_sort: Vec<SortKey>,
    pub(super) association_sort: Vec<SortKey>,
    pub(super) skip: u64,
    pub(super) limit: Option<u64>,
    pub(super) unit_fields: Option<Vec<String>>,
    pub(super) association_fields: Option<Vec<String>>,
    pub(super) include_repos: bool,
    /// Is true when the database decides the filter on the unit alone; found out when the search runs.
    pub(super) exact: bool,
    /// Names that units of the repository list, once somebody asks.
    pub(super) listed: Listing,
    /// The work that judging may be.
    pub(super) labour: Labour,
}

/// The parts of units that must be read, given the fields that somebody looks at.
pub(super) struct Needs {
    fields: Option<Vec<String>>,
    parts: Vec<&'static str>,
    storage_path: bool,
}

/// The last piece of a stream that is cut by skip and limit.
struct Window {
    skip: u64,
    left: Option<u64>,
}

impl Window {
    /// Cuts a batch; false when nothing more is wanted.
    fn cut<T>(&mut self, batch: &mut Vec<T>) -> bool {
        let skipped = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(batch.len());
        batch.drain(..skipped);
        self.skip -= skipped as u64;
        if let Some(left) = &mut self.left {
            batch.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= batch.len() as u64;
            return *left > 0;
        }
        true
    }
}

impl Search {
    pub(super) fn kinds(&self) -> impl Iterator<Item = &'static UnitType> {
        self.type_ids
            .iter()
            .filter_map(|id| self.engine.registry.unit_type(id))
    }

    /// Tells whether `field` holds a plain value in every type searched, so that the database decides it as we would.
    fn is_plain(&self, field: &str) -> bool {
        self.kinds().all(|kind| {
            kind.key.iter().any(|key| key.name == field) || kind.indexed.contains(&field)
        })
    }

    /// The field as documents have it: a stored name of a key field stands for the name on the wire.
    pub(super) fn on_the_wire<'a>(&self, field: &'a str) -> &'a str {
        let renamed = self
            .kinds()
            .flat_map(|kind| kind.key)
            .find(|key| key.stored == field && key.name != field);
        renamed.map_or(field, |key| key.name)
    }

    fn needs(&self, roots: Option<BTreeSet<&str>>) -> Needs {
        let Some(mut roots) = roots else {
            let parts: BTreeSet<&'static str> = self
                .presented()
                .flat_map(|one| one.parts)
                .copied()
                .collect();
            return Needs {
                fields: None,
                parts: parts.into_iter().collect(),
                storage_path: true,
            };
        };
        let parts: BTreeSet<&'static str> = self
            .presented()
            .filter(|one| roots.contains(one.field))
            .flat_map(|one| one.parts)
            .copied()
            .collect();
        // The path is made of the key and of what the type names its file by, which only the type knows.
        let storage_path = roots.contains("_storage_path");
        roots.extend(self.kinds().flat_map(|kind| kind.key).map(|key| key.name));
        roots.insert("pulp_user_metadata");
        // Names that no document has are not worth a place in a statement.
        let writable = |name: &&str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            (1..=MOST_NAME).contains(&name.len()) && name.bytes().all(known)
        };
        let fields = roots.into_iter().filter(writable).map(str::to_owned);
        let fields: Vec<String> = fields.collect();
        let in_part = !storage_path && parts.is_empty() && fields.len() <= MOST_FIELDS;
        Needs {
            fields: in_part.then_some(fields),
            parts: parts.into_iter().collect(),
            storage_path,
        }
    }

    fn presented(&self) -> impl Iterator<Item = &'static Presented> {
        self.kinds().flat_map(|kind| kind.presented)
    }

    /// First names of what the filter and the sort look at.
    fn judged_roots(&self) -> BTreeSet<&str> {
        let sorted = self.unit_sort.iter().map(|key| root(&key.field));
        let mut roots: BTreeSet<&str> = sorted.collect();
        if let Some(filter) = self.unit.as_ref().filter(|_| !self.exact) {
            roots.extend(filter.roots());
        }
        roots
    }

    /// Returns how stored documents of the types searched hold `field`, for the database's part of the filter.
    fn held(&self, field: &str) -> Held {
        let first = root(field);
        let beside = match first {
            // An empty object stands for what was never set; below it nothing is missing.
            "pulp_user_metadata" => first == field,
            "downloaded" | "children" => true,
            _ if self.is_listed(first) => true,
            _ => first.starts_with('_') || self.presented().any(|one| one.field == first),
        };
        if beside {
            Held::Elsewhere
        } else if self.is_plain(field) {
            Held::Plain
        } else {
            Held::Anyhow
        }
    }

    /// Returns what the database decides of the filter on the unit.
    pub(super) fn translated(&self) -> Option<UnitFilter> {
        let store = &self.engine.store;
        self.unit
            .as_ref()
            .map(|filter| store.unit_filter(filter, &|field| self.held(field)))
    }

    /// Returns what must be read to judge and show a unit.
    pub(super) fn shown_needs(&self) -> Needs {
        let roots = self.unit_fields.as_ref().map(|fields| {
            let mut roots = self.judged_roots();
            roots.extend(fields.iter().map(|field| self.on_the_wire(root(field))));
            roots
        });
        self.needs(roots)
    }

    /// Asks the database for units of `type_ids`; `window` goes along when nothing is decided here.
    fn query(
        &self,
        type_ids: &[String],
        needs: &Needs,
        sort: &[SortKey],
        ids: Option<Vec<UnitId>>,
        window: Option<(u64, Option<u64>)>,
    ) -> Result<BatchStream<StreamedUnit>, Error> {
        self.ask(type_ids, needs, sort, ids, window, |store, query| {
            store.units_stream(query)
        })
    }

    /// Does what [`Search::query`] does, for any of the store's streams.
    pub(super) fn ask<T>(
        &self,
        type_ids: &[String],
        needs: &Needs,
        sort: &[SortKey],
        ids: Option<Vec<UnitId>>,
        window: Option<(u64, Option<u64>)>,
        stream: impl FnOnce(&Store, &UnitQuery<'_>) -> Result<T, StoreError>,
    ) -> Result<T, Error> {
        let filter = self.translated();
        let (skip, limit) = window.unwrap_or((0, None));
        let query = UnitQuery {
            type_ids: type_ids.iter().map(String::as_str).collect(),
            repo: self.repo.as_deref(),
            equals: Vec::new(),
            filter: filter.as_ref(),
            ids: ids.or_else(|| self.named()),
            sort: sort
                .iter()
                .map(|key| (key.field.as_str(), key.descending))
                .collect(),
            limit,
            skip,
            parts: needs.parts.clone(),
            fields: needs
                .fields
                .as_ref()
                .map(|fields| fields.iter().map(String::as_str).collect()),
        };
        stream(&self.engine.store, &query).map_err(Error::from)
    }

    /// The unit with its association, both as documents, when the filters hold.
    fn judge(
        &self,
        effort: &Effort,
        streamed: StreamedUnit,
        needs: &Needs,
    ) -> Option<(Document, Document)> {
        let association = self.association_document(&streamed);
        if let Some(filter) = &self.association
            && !filter.matches_within(effort, &association)
        {
            return None;
        }
        let unit = present::unit_document(
            &self.engine.registry,
            streamed.unit,
            streamed.parts,
            needs.storage_path,
        );
        match &self.unit {
            Some(filter) if !self.exact && !filter.matches_within(effort, &unit) => None,
            _ => Some((association, unit)),
        }
    }

    /// `repository_memberships` for a batch of units.
    async fn add_memberships(&self, batch: &mut [Document]) -> Result<(), Error> {
        if !self.include_repos {
            return Ok(());
        }
        let id_of = |doc: &Document| -> Option<UnitId> { doc.get("_id")?.as_str()?.parse().ok() };
        let ids: Vec<UnitId> = batch.iter().filter_map(id_of).collect();
        let mut memberships = self.engine.store.unit_memberships(&ids).await?;
        for doc in batch {
            let repos = id_of(doc)
                .and_then(|id| memberships.remove(&id))
                .unwrap_or_default();
            doc.insert("repository_memberships".to_owned(), json!(repos));
        }
        Ok(())
    }

    pub(super) async fn run(mut self) -> Result<DocumentStream, Error> {
        if self.type_ids.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let translated = self.translated();
        self.exact = translated.as_ref().is_some_and(UnitFilter::is_exact);
        let by_database = self.unit_sort.iter().all(|key| self.is_plain(&key.field));
        // A filter that the database cannot use looks at every unit; then only at the fields it needs.
        let decided_here = self.association.is_some() || (self.unit.is_some() && !self.exact);
        let looked_up =
            translated.as_ref().is_some_and(UnitFilter::looks_up) || self.named().is_some();
        let scans = self.unit.is_some() && !self.exact && !looked_up;
        if !self.association_sort.is_empty() || !by_database || scans {
            return self.run_ranked().await;
        }
        // Sorted units of several types come type after type; unsorted ones come so in one query.
        let groups: VecDeque<Vec<String>> = if self.unit_sort.is_empty() {
            VecDeque::from([self.type_ids.clone()])
        } else {
            self.type_ids.iter().map(|id| vec![id.clone()]).collect()
        };
        let pushed = !decided_here && groups.len() == 1;
        let window = if pushed {
            if self.passes_through() {
                return self.run_raw();
            }
            Window {
                skip: 0,
                left: None,
            }
        } else {
            Window {
                skip: self.skip,
                left: self.limit,
            }
        };
        let state = Running {
            needs: self.shown_needs(),
            search: self,
            groups,
            pushed,
            current: None,
            window,
            done: false,
        };
        Ok(stream::try_unfold(state, Running::step).boxed())
    }

    /// The ids of the units that can fulfil the filter, where it names them.
    fn named(&self) -> Option<Vec<UnitId>> {
        let mut narrowed = self.unit.as_ref()?.narrow().into_iter();
        let (_, ids) = narrowed.find(|(field, _)| field == "_id")?;
        let known = ids.iter().filter_map(|id| id.as_str()?.parse().ok());
        Some(known.collect())
    }

    /// Sorts here: first sort values and ids of all that match, then the units of the answer.
    async fn run_ranked(self) -> Result<DocumentStream, Error> {
        let needs = self.needs(Some(self.judged_roots()));
        let by_association = !self.association_sort.is_empty();
        let mut keys = if by_association {
            self.association_sort.clone()
        } else {
            self.unit_sort.clone()
        };
        if !by_association && !keys.is_empty() {
            let field = "_content_type_id".to_owned();
            keys.insert(
                0,
                SortKey {
                    field,
                    descending: false,
                },
            );
        }
        let ranking = Ranking::new(keys.clone(), self.skip, self.limit);
        let mut ranking = ranking.within(&self.labour.sorted);
        let mut units = self.query(&self.type_ids, &needs, &[], None, None)?;
        let enough = self
            .limit
            .filter(|_| keys.is_empty())
            .map(|limit| limit.saturating_add(self.skip));
        let mut found = 0;
        while enough.is_none_or(|enough| found < enough)
            && let Some(mut batch) = units.try_next().await?
        {
            self.relate(&mut batch).await?;
            let judged = self.labour.each(batch, |effort, streamed| {
                let id = streamed.unit.id;
                if let Some((association, unit)) = self.judge(effort, streamed, &needs) {
                    found += 1;
                    let judged = if by_association { &association } else { &unit };
                    ranking.offer(sort_values(judged, &keys), id);
                }
            });
            judged.await?;
        }
        let ids: Vec<UnitId> = ranking.finish(self.skip)?.collect();
        let pages: Vec<Vec<UnitId>> = ids.chunks(PAGE).map(<[UnitId]>::to_vec).collect();
        let needs = self.shown_needs();
        let shared = Arc::new((self, needs));
        let fetch = move |page: Vec<UnitId>| {
            let shared = Arc::clone(&shared);
            async move { shared.0.page(&page, &shared.1).await }
        };
        Ok(stream::iter(pages).then(fetch).boxed())
    }

    /// The units of `ids` in that order; those that are gone meanwhile are left out.
    async fn page(&self, ids: &[UnitId], needs: &Needs) -> Result<Vec<Shown>, Error> {
        let mut found: HashMap<UnitId, Document> = HashMap::with_capacity(ids.len());
        let mut units = self.query(&self.type_ids, needs, &[], Some(ids.to_vec()), None)?;
        while let Some(mut batch) = units.try_next().await? {
            self.relate(&mut batch).await?;
            let judged = self.labour.each(batch, |effort, streamed| {
                let id = streamed.unit.id;
                if let Some((association, unit)) = self.judge(effort, streamed, needs) {
                    found.insert(id, self.show(association, unit));
                }
            });
            judged.await?;
        }
        let mut batch: Vec<Document> = ids.iter().filter_map(|id| found.remove(id)).collect();
        self.add_memberships(&mut batch).await?;
        Ok(batch.into_iter().map(Shown::Document).collect())
    }
}

/// A search in the middle of its stream.
struct Running {
    search: Search,
    needs: Needs,
    groups: VecDeque<Vec<String>>,
    pushed: bool,
    current: Option<BatchStream<StreamedUnit>>,
    window: Window,
    done: bool,
}

impl Running {
    async fn step(mut self) -> Result<Option<(Vec<Shown>, Self)>, Error> {
        while !self.done {
            let Some(units) = &mut self.current else {
                let Some(group) = self.groups.pop_front() else {
                    break;
                };
                let window = self.pushed.then_some((self.search.skip, self.search.limit));
                let sort = &self.search.unit_sort;
                self.current = Some(self.search.query(&group, &self.needs, sort, None, window)?);
                continue;
            };
            let Some(mut batch) = units.try_next().await? else {
                self.current = None;
                continue;
            };
            self.search.relate(&mut batch).await?;
            let mut found: Vec<(Document, Document)> = Vec::new();
            let labour = &self.search.labour;
            let judged = labour.each(batch, |effort, unit| {
                found.extend(self.search.judge(effort, unit, &self.needs));
            });
            judged.await?;
            self.done = !self.window.cut(&mut found);
            let mut shown: Vec<Document> = found
                .into_iter()
                .map(|(association, unit)| self.search.show(association, unit))
                .collect();
            self.search.add_memberships(&mut shown).await?;
            if !shown.is_empty() {
                let shown = shown.into_iter().map(Shown::Document).collect();
                return Ok(Some((shown, self)));
            }
        }
        Ok(None)
    }
}

pub(super) fn root(field: &str) -> &str {
    field.split_once('.').map_or(field, |(first, _)| first)
}
