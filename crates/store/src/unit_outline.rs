//! Reading little of many units: what a publish has to know of each before it decides which of them to read whole.

use std::collections::HashMap;

use pith_core::{Sha256, UnitId};

use crate::dialect::{CHUNK, Sql, plain_name};
use crate::unit_stream::{self, document_column, document_of};
use crate::units::{StreamedUnit, Unit};
use crate::value::{Row, timestamp};
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
    /// Where its fields end in the text of the page.
    end: usize,
}

/// Lines that were read one after the other, and the text of their fields.
#[derive(Debug, Default)]
struct Page {
    lines: Vec<Line>,
    text: String,
}

impl Page {
    fn push(&mut self, row: &Row) -> Result<()> {
        self.text.push_str(&row.get::<String>(7)?);
        self.lines.push(Line {
            id: row.get(0)?,
            created: row.get(1)?,
            updated: row.get(2)?,
            last_updated: row.get(3)?,
            blob: row.get(4)?,
            size: row.get(5)?,
            downloaded: row.get(6)?,
            end: self.text.len(),
        });
        Ok(())
    }

    fn text(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.lines[before].end);
        &self.text[start..self.lines[at].end]
    }
}

/// Everything an outline needs, and its order.
struct Outline {
    pages: Vec<Page>,
    /// Page and line, sorted.
    order: Vec<(u32, u32)>,
    at: usize,
    type_id: String,
    fields: Vec<String>,
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
            let first = text.split(unit_stream::BETWEEN).next().unwrap_or("");
            // Without its quotes: they would take part in the order where one text begins with another.
            (first.trim_matches('"'), line.id)
        };
        order.sort_unstable_by(|a, b| key(*a).cmp(&key(*b)));
        self.order = order;
    }

    fn unit(&self, place: (u32, u32)) -> Result<StreamedUnit> {
        let (line, text) = self.line(place);
        Ok(StreamedUnit {
            unit: Unit {
                id: line.id,
                type_id: self.type_id.clone(),
                doc: document_of(text, &self.fields)?,
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

    fn next(&mut self) -> Result<Option<Vec<StreamedUnit>>> {
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

impl Store {
    /// The units of one type that a repository has, in the order of the bytes of the first of `fields`, which is a text,
    /// and of their ids: only these fields of the documents, no parts, no `association`. One statement reads them all,
    /// some 130 bytes and the fields for each, which costs a fraction of what [`Store::units_stream`] does; keep the
    /// fields few and short.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a field or the type has an impossible name; items are errors when the
    /// database fails.
    pub fn units_outline(
        &self,
        type_id: &str,
        repo: &str,
        fields: &[&str],
    ) -> Result<BatchStream<StreamedUnit>> {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| plain_name(field).map(str::to_owned))
            .collect::<Result<_>>()?;
        let type_id = plain_name(type_id)?.to_owned();
        let mut query = Sql::new(
            self.engine(),
            "SELECT r.unit_id, r.created, r.updated, u.last_updated, u.blob, u.size, u.downloaded, ",
        );
        // CROSS: SQLite, which has no statistics, would begin with all units of the type.
        query
            .push(&document_column(Some(&fields)))
            .push(" FROM repo_units r CROSS JOIN units u WHERE u.id = r.unit_id AND r.repo_id = ")
            .bind(repo)
            .push(" AND r.type_id = ")
            .bind(&type_id)
            .push(" AND r.removed_in IS NULL");
        let store = self.clone();
        let read = async move {
            let mut outline = Outline {
                pages: Vec::new(),
                order: Vec::new(),
                at: 0,
                type_id,
                fields,
            };
            let pages = &mut outline.pages;
            let order = &mut outline.order;
            let see = |row: Row| {
                if pages.last().is_none_or(|page| page.lines.len() == CHUNK) {
                    pages.push(Page::default());
                }
                let number = pages.len() - 1;
                if let Some(page) = pages.last_mut() {
                    order.push((place(number), place(page.lines.len())));
                    page.push(&row)?;
                }
                Ok(())
            };
            store.each(query.build(), see).await?;
            outline.sort();
            Ok::<_, StoreError>(outline)
        };
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

    /// These units with the fields of their documents and the parts asked for, in the order of `ids`; those that are gone
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
        let names = |names: &[&str]| -> Result<Vec<String>> {
            names
                .iter()
                .map(|name| plain_name(name).map(str::to_owned))
                .collect()
        };
        let (fields, parts) = (fields.map(names).transpose()?, names(parts)?);
        let mut picked = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let query = unit_stream::load_query(
                self.engine(),
                fields.as_deref(),
                &parts,
                chunk.iter().copied(),
            );
            let mut rows: HashMap<UnitId, Row> = HashMap::with_capacity(chunk.len());
            for row in self.all(query.build()).await? {
                rows.insert(row.get(0)?, row);
            }
            for id in chunk {
                if let Some(row) = rows.remove(id) {
                    picked.push(StreamedUnit {
                        unit: unit_stream::loaded(&row, *id, type_id, fields.as_deref())?,
                        created: None,
                        updated: None,
                        association: None,
                        parts: unit_stream::loaded_parts(&row, &parts)?,
                    });
                }
            }
        }
        Ok(picked)
    }
}

fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where the stream of an outline is.
enum Progress<F> {
    Begin(F),
    Under(Outline),
}
