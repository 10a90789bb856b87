//! Reading little of many units: what a publish has to know of each before it decides which of them to read whole.

use std::sync::Arc;

use pith_core::{Sha256, UnitId};
use uuid::Uuid;

use crate::backend::Backend;
use crate::dialect::PAGE;
use crate::dialect::{CHUNK, Sql, plain_name};
use crate::unit::{FieldTexts, StreamedUnit, Unit, UnitQuery};
use crate::unit_query::{Hit, Plan};
use crate::unit_stream::{self, BETWEEN, document_column};
use crate::value::timestamp;
use crate::{BatchStream, Result, Store, StoreError};

/// A unit in less memory than its parsed form takes: 120 bytes beside the text of its fields.
#[derive(Debug)]
struct Line {
    id: UnitId,
    created: i64,
    updated: i64,
    last_updated: i64,
    blob: Option<Sha256>,
    size: Option<i64>,
    downloaded: bool,
    /// The position at which its fields end in the text of the page.
    end: usize,
}

/// Lines that were read one after the other, and the text of their fields.
#[derive(Debug, Default)]
struct Page {
    lines: Vec<Line>,
    text: String,
}

impl Page {
    /// Reads what [`Wanted::page_query`] prints: for each unit seven columns, then `fields` fields.
    fn read(printed: &str, fields: usize) -> Option<Self> {
        let mut page = Self::default();
        let mut cells = printed.split(BETWEEN);
        while let Some(id) = cells.next() {
            let mut number = || cells.next()?.parse().ok();
            let times: [i64; 3] = [number()?, number()?, number()?];
            let blob = optional(cells.next()?, |text| bytes(text).map(Sha256))?;
            let size = optional(cells.next()?, |text| text.parse().ok())?;
            let downloaded = cells.next()? == "1";
            for at in 0..fields {
                if at > 0 {
                    page.text.push(BETWEEN);
                }
                page.text.push_str(cells.next()?);
            }
            page.lines.push(Line {
                id: UnitId(Uuid::from_bytes(bytes(id)?)),
                created: times[0],
                updated: times[1],
                last_updated: times[2],
                blob,
                size,
                downloaded,
                end: page.text.len(),
            });
        }
        Some(page)
    }

    fn text(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.lines[before].end);
        &self.text[start..self.lines[at].end]
    }
}

/// The bytes that a hexadecimal text prints.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// A cell that may be empty: `None` when what it holds cannot be read.
fn optional<T>(cell: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if cell.is_empty() {
        Some(None)
    } else {
        read(cell).map(Some)
    }
}

/// Everything an outline needs, and its order.
struct Outline {
    pages: Vec<Page>,
    /// Page and line, sorted.
    order: Vec<(u32, u32)>,
    at: usize,
    type_id: String,
}

impl Outline {
    fn line(&self, (page, line): (u32, u32)) -> (&Line, &str) {
        let page = &self.pages[page as usize];
        (&page.lines[line as usize], page.text(line as usize))
    }

    fn sort(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        let key = |place| {
            let (line, text) = self.line(place);
            let first = text.split(BETWEEN).next().unwrap_or("");
            // Without its quotes: they would take part in the order where one text begins with another.
            (first.trim_matches('"'), line.id)
        };
        order.sort_unstable_by(|a, b| key(*a).cmp(&key(*b)));
        self.order = order;
    }

    fn unit(&self, place: (u32, u32)) -> Result<StreamedUnit<FieldTexts>> {
        let (line, text) = self.line(place);
        Ok(StreamedUnit {
            unit: Unit {
                id: line.id,
                type_id: self.type_id.clone(),
                doc: FieldTexts(text.to_owned()),
                blob: line.blob,
                size: line.size,
                downloaded: line.downloaded,
                last_updated: timestamp(line.last_updated)?,
            },
            created: Some(timestamp(line.created)?),
            updated: Some(timestamp(line.updated)?),
            association: None,
            parts: Vec::new(),
        })
    }

    fn next(&mut self) -> Result<Option<Vec<StreamedUnit<FieldTexts>>>> {
        let end = (self.at + CHUNK).min(self.order.len());
        let places = &self.order[self.at..end];
        let units: Vec<_> = places
            .iter()
            .map(|place| self.unit(*place))
            .collect::<Result<_>>()?;
        self.at = end;
        Ok((!units.is_empty()).then_some(units))
    }
}

/// The units that an outline is made of.
struct Wanted<'a> {
    store: &'a Store,
    type_id: &'a str,
    repo: &'a str,
    fields: &'a [String],
}

impl Wanted<'_> {
    /// The id in the middle.
    async fn middle(&self) -> Result<Option<UnitId>> {
        let from = " FROM repo_units WHERE removed_in IS NULL AND repo_id = ";
        let mut query = Sql::new(self.store.backend(), "SELECT unit_id");
        query.push(from).bind(self.repo).push(" AND type_id = ");
        query
            .bind(self.type_id)
            .push(" ORDER BY unit_id LIMIT 1 OFFSET (SELECT COUNT(*) / 2")
            .push(from)
            .bind(self.repo);
        query.push(" AND type_id = ").bind(self.type_id).push(")");
        let row = self.store.optional(query.build()).await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// The pages of the units after `after` and up to `until`.
    async fn pages(&self, mut after: UnitId, until: UnitId) -> Result<Vec<Page>> {
        let mut pages = Vec::new();
        loop {
            let query = self.page_query(after, until).build();
            let row = self.store.optional(query).await?;
            let printed: Option<String> = row.map_or(Ok(None), |row| row.get(0))?;
            let Some(printed) = printed else {
                return Ok(pages);
            };
            let page = Page::read(&printed, self.fields.len())
                .ok_or_else(|| StoreError::Corrupt("page of units".to_owned()))?;
            let last = page.lines.iter().map(|line| line.id).max();
            let full = page.lines.len() == CHUNK;
            pages.push(page);
            match last {
                Some(last) if full => after = last,
                _ => return Ok(pages),
            }
        }
    }

    /// One page, printed into one text: rows and columns are most of the cost of reading.
    fn page_query(&self, after: UnitId, until: UnitId) -> Sql {
        let backend = self.store.backend();
        let hex = |column: &str| match backend {
            Backend::Sqlite => format!("hex({column})"),
            Backend::Postgres => format!("encode({column}, 'hex')"),
        };
        let columns = [
            hex("r.unit_id"),
            "r.created".to_owned(),
            "r.updated".to_owned(),
            "u.last_updated".to_owned(),
            hex("u.blob"),
            "u.size".to_owned(),
            "CASE WHEN u.downloaded THEN 1 ELSE 0 END".to_owned(),
            document_column(Some(self.fields)),
        ];
        let columns = columns.join(&format!(", '{BETWEEN}', "));
        // CROSS: SQLite, which has no statistics, would begin with all units of the type.
        let mut query = Sql::new(
            backend,
            &format!(
                "SELECT string_agg(line, '{BETWEEN}') FROM (SELECT concat({columns}) AS line \
                 FROM repo_units r CROSS JOIN units u WHERE u.id = r.unit_id AND r.repo_id = "
            ),
        );
        query.bind(self.repo);
        query.push(" AND r.type_id = ").bind(self.type_id);
        query.push(" AND r.removed_in IS NULL AND r.unit_id > ");
        query.bind(after).push(" AND r.unit_id <= ").bind(until);
        query.push(" ORDER BY r.unit_id").limit(PAGE);
        query.push(") AS page");
        query
    }
}

/// Reads both halves at the same time.
async fn read(store: &Store, type_id: String, repo: &str, fields: Vec<String>) -> Result<Outline> {
    let wanted = Wanted {
        store,
        type_id: &type_id,
        repo,
        fields: &fields,
    };
    let pages = match wanted.middle().await? {
        None => Vec::new(),
        Some(middle) => {
            let (first, last) = (UnitId(Uuid::nil()), UnitId(Uuid::max()));
            let halves = (wanted.pages(first, middle), wanted.pages(middle, last));
            let (mut pages, rest) = futures::try_join!(halves.0, halves.1)?;
            pages.extend(rest);
            pages
        }
    };
    let places = pages.iter().enumerate().flat_map(|(number, page)| {
        let lines = 0..place(page.lines.len());
        lines.map(move |line| (place(number), line))
    });
    let mut outline = Outline {
        order: places.collect(),
        pages,
        at: 0,
        type_id,
    };
    outline.sort();
    Ok(outline)
}

impl Store {
    /// The units of one type that a repository has, in the order of the bytes of the first of `fields`, which is a text,
    /// and of their ids: only these fields of the documents, as text, no parts, no `association`. All are read
    /// before the first is handed out, some 130 bytes and the fields for each, which costs a fraction of what
    /// [`Store::units_stream`] does; keep the fields few and short.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a field or the type has an impossible name; items are errors when the
    /// database fails.
    pub fn units_outline(
        &self,
        type_id: &str,
        repo: &str,
        fields: &[&str],
    ) -> Result<BatchStream<StreamedUnit<FieldTexts>>> {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| plain_name(field).map(str::to_owned))
            .collect::<Result<_>>()?;
        let type_id = plain_name(type_id)?.to_owned();
        let (store, repo) = (self.clone(), repo.to_owned());
        let read = async move { read(&store, type_id, &repo, fields).await };
        Ok(Box::pin(futures::stream::try_unfold(
            Progress::Begin(Box::pin(read)),
            |progress| async move {
                let mut outline = match progress {
                    Progress::Begin(read) => read.await?,
                    Progress::Under(outline) => outline,
                };
                Ok(outline
                    .next()?
                    .map(|units| (units, Progress::Under(outline))))
            },
        )))
    }

    /// Returns these units with the fields of their documents and the parts asked for, in the order of `ids`; those that are gone
    /// are left out.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a field has an impossible name; otherwise when the database fails.
    pub async fn units_pick(
        &self,
        type_id: &str,
        ids: &[UnitId],
        fields: Option<&[&str]>,
        parts: &[&str],
    ) -> Result<Vec<StreamedUnit>> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            parts: parts.to_vec(),
            fields: fields.map(<[&str]>::to_vec),
            ..UnitQuery::default()
        };
        let plan = Plan::new(&query, None)?;
        let type_id: Arc<str> = type_id.into();
        let mut picked = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let hit = |id: &UnitId| Hit {
                id: *id,
                type_id: Arc::clone(&type_id),
                times: None,
            };
            let hits = chunk.iter().map(hit).collect();
            picked.extend(unit_stream::load(self, &plan, hits).await?);
        }
        Ok(picked)
    }
}

fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The position of the stream of an outline.
enum Progress<F> {
    Begin(F),
    Under(Outline),
}
