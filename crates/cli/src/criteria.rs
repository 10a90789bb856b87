//! Search options as Pulp's criteria (pulp2/search#criteria, pulp2/search#association-criteria).

use clap::Args;
use pith_content::words::UnitWords;
use serde_json::{Map, Value, json};

use crate::error::Error;

/// The heading below which help lists the options of searches.
pub(crate) const SEARCH_HEADING: &str = "Search";

/// Options of searches, as pulp-admin spells them. Several conditions must all hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = SEARCH_HEADING)]
pub struct SearchArgs {
    /// Field that a regular expression must match
    #[arg(long = "match", value_name = "FIELD=REGEX", value_parser = pair)]
    pub matches: Vec<(String, String)>,
    /// Field that a regular expression must not match
    #[arg(long, value_name = "FIELD=REGEX", value_parser = pair)]
    pub not: Vec<(String, String)>,
    /// Field with exactly this text
    #[arg(long, value_name = "FIELD=TEXT", value_parser = pair)]
    pub str_eq: Vec<(String, String)>,
    /// Field with exactly this number
    #[arg(long, value_name = "FIELD=NUMBER", value_parser = pair)]
    pub int_eq: Vec<(String, String)>,
    /// Field with one of these texts
    #[arg(long = "in", value_name = "FIELD=A,B", value_parser = pair)]
    pub one_of: Vec<(String, String)>,
    /// Field above this number or text
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    pub gt: Vec<(String, String)>,
    /// Field of at least this number or text
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    pub gte: Vec<(String, String)>,
    /// Field below this number or text
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    pub lt: Vec<(String, String)>,
    /// Field of at most this number or text
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    pub lte: Vec<(String, String)>,
    /// Filters as a JSON object (or `@` and a file that holds it), in place of the options above
    #[arg(long, value_name = "JSON")]
    pub filters: Option<String>,
    /// Fields to print
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Field to sort by, and `:descending` behind it for largest first; can be repeated
    #[arg(long = "sort", value_name = "FIELD[:DIRECTION]", value_parser = direction)]
    pub sorting: Vec<(String, String)>,
    /// Field to sort by, smallest first
    #[arg(long, value_name = "FIELD")]
    pub ascending: Vec<String>,
    /// Field to sort by, largest first
    #[arg(long, value_name = "FIELD")]
    pub descending: Vec<String>,
    /// At most this many results
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Leave out the first results
    #[arg(long, value_name = "N")]
    pub skip: Option<u64>,
}

/// Reads `name=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as FIELD=VALUE".to_owned()),
    }
}

/// Largest object that people give to a command.
const MOST_OBJECT_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a JSON object; after `@`, from a file: what is secret need not stand in the list of processes.
pub(crate) fn object(text: &str) -> Result<Value, String> {
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(path) => {
            let failed = |e: std::io::Error| format!("{path}: {e}");
            if std::fs::metadata(path).map_err(failed)?.len() > MOST_OBJECT_BYTES {
                return Err(format!("{path} is too large"));
            }
            std::fs::read_to_string(path).map_err(failed)?
        }
    };
    match serde_json::from_str(&text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(e) => Err(format!("it is not JSON: {e}")),
    }
}

/// Reads `field`, `field:ascending` or `field:descending`.
fn direction(text: &str) -> Result<(String, String), String> {
    let (field, direction) = text.split_once(':').unwrap_or((text, "ascending"));
    let direction = match direction {
        "ascending" | "asc" => "ascending",
        "descending" | "desc" => "descending",
        _ => return Err("write it as FIELD, FIELD:ascending or FIELD:descending".to_owned()),
    };
    if field.is_empty() {
        return Err("the field is missing".to_owned());
    }
    Ok((field.to_owned(), direction.to_owned()))
}

/// Reads an instant; the server compares it as the text that it shows itself.
fn instant(text: &str) -> Result<String, String> {
    let shown = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let utc = [
        text.to_owned(),
        format!("{text}Z"),
        format!("{text}T00:00:00Z"),
    ];
    let read = utc.iter().find_map(|text| text.parse().ok());
    read.map(shown)
        .ok_or_else(|| "a time looks like 2020-01-31T12:00:00Z".to_owned())
}

/// Options of searches among the units of a repository.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct UnitSearchArgs {
    #[command(flatten)]
    search: SearchArgs,
    /// Only what was added to the repository at or after this time
    #[arg(
        long,
        help_heading = "Search by date",
        value_name = "YYYY-MM-DDTHH:MM:SSZ",
        value_parser = instant
    )]
    after: Option<String>,
    /// Only what was added to the repository at or before this time
    #[arg(
        long,
        help_heading = "Search by date",
        value_name = "YYYY-MM-DDTHH:MM:SSZ",
        value_parser = instant
    )]
    before: Option<String>,
}

impl UnitSearchArgs {
    /// The fields that were asked for; empty for all.
    #[must_use]
    pub(crate) fn fields(&self) -> &[String] {
        &self.search.fields
    }

    /// Criteria of a search among the units of a repository, of one type or all; `shown` are the fields when
    /// none are named, and empty for all.
    ///
    /// # Errors
    ///
    /// As [`SearchArgs::filter`].
    pub(crate) fn criteria(
        &self,
        unit: Option<&UnitWords>,
        shown: &[&str],
    ) -> Result<Map<String, Value>, Error> {
        let search = &self.search;
        let mut criteria = search.paging();
        if let Some(unit) = unit {
            criteria.insert("type_ids".into(), json!([unit.id]));
        }
        let mut filters = Map::new();
        if let Some(filter) = search.filter(unit)? {
            filters.insert("unit".into(), filter);
        }
        let mut created = Map::new();
        for (operator, at) in [("$gte", &self.after), ("$lte", &self.before)] {
            created.extend(at.iter().map(|at| (operator.to_owned(), json!(at))));
        }
        if !created.is_empty() {
            filters.insert("association".into(), json!({ "created": created }));
        }
        if !filters.is_empty() {
            criteria.insert("filters".into(), Value::Object(filters));
        }
        if !search.fields.is_empty() {
            criteria.insert("fields".into(), json!({ "unit": search.fields }));
        } else if !shown.is_empty() {
            criteria.insert("fields".into(), json!({ "unit": shown }));
        }
        let sort = search.sort();
        if !sort.is_empty() {
            criteria.insert("sort".into(), json!({ "unit": sort }));
        }
        Ok(criteria)
    }
}

impl SearchArgs {
    /// The filters object; `None` without any condition. Versions of `unit` are compared by their sort indexes.
    ///
    /// # Errors
    ///
    /// When `--filters` is no JSON object or a number is none.
    pub fn filter(&self, unit: Option<&UnitWords>) -> Result<Option<Value>, Error> {
        if let Some(text) = &self.filters {
            if self.has_conditions() {
                return Err(Error::usage(
                    "--filters stands in place of other conditions",
                    "write them all into --filters, or leave it out",
                ));
            }
            return object(text).map(Some).map_err(|why| {
                Error::usage(
                    format!("--filters cannot be used: {why}"),
                    "for example --filters '{\"name\": \"walrus\"}'",
                )
            });
        }
        let mut clauses: Vec<Value> = Vec::new();
        let mut add = |pairs: &[(String, String)], value: &dyn Fn(&str) -> Value| {
            clauses.extend(
                pairs
                    .iter()
                    .map(|(field, text)| json!({ field: value(text) })),
            );
        };
        add(&self.str_eq, &|text| json!(text));
        add(&self.matches, &|text| json!({ "$regex": text }));
        add(&self.not, &|text| json!({ "$not": text }));
        add(
            &self.one_of,
            &|text| json!({ "$in": text.split(',').collect::<Vec<_>>() }),
        );
        let comparisons = [
            ("$gt", &self.gt),
            ("$gte", &self.gte),
            ("$lt", &self.lt),
            ("$lte", &self.lte),
        ];
        for (operator, pairs) in comparisons {
            clauses.extend(
                pairs
                    .iter()
                    .map(|(field, text)| comparison(unit, operator, field, text)),
            );
        }
        for (field, text) in &self.int_eq {
            let number: i64 = text.parse().map_err(|_| {
                Error::usage(format!("'{text}' is no number"), "use --str-eq for texts")
            })?;
            clauses.push(json!({ field: number }));
        }
        Ok(match clauses.len() {
            0 => None,
            1 => clauses.pop(),
            _ => Some(json!({ "$and": clauses })),
        })
    }

    /// Tells whether there is a condition beside `--filters`.
    fn has_conditions(&self) -> bool {
        let pairs = [
            &self.matches,
            &self.not,
            &self.str_eq,
            &self.int_eq,
            &self.one_of,
            &self.gt,
            &self.gte,
            &self.lt,
            &self.lte,
        ];
        pairs.into_iter().any(|pairs| !pairs.is_empty())
    }

    /// Criteria that only choose, so that no field is printed.
    ///
    /// # Errors
    ///
    /// As [`Self::filter`], and when fields are named.
    pub fn choice(&self) -> Result<Map<String, Value>, Error> {
        if self.fields.is_empty() {
            self.criteria()
        } else {
            Err(no_fields())
        }
    }

    fn sort(&self) -> Vec<Value> {
        let of = |fields: &[String], direction: &str| -> Vec<Value> {
            fields
                .iter()
                .map(|field| json!([field, direction]))
                .collect()
        };
        let mut sort: Vec<Value> = self.sorting.iter().map(|pair| json!(pair)).collect();
        sort.extend(of(&self.ascending, "ascending"));
        sort.extend(of(&self.descending, "descending"));
        sort
    }

    /// Criteria of an ordinary search; only what was asked for is in it.
    ///
    /// # Errors
    ///
    /// As [`Self::filter`].
    pub fn criteria(&self) -> Result<Map<String, Value>, Error> {
        let mut criteria = self.paging();
        if let Some(filter) = self.filter(None)? {
            criteria.insert("filters".into(), filter);
        }
        if !self.fields.is_empty() {
            criteria.insert("fields".into(), json!(self.fields));
        }
        let sort = self.sort();
        if !sort.is_empty() {
            criteria.insert("sort".into(), json!(sort));
        }
        Ok(criteria)
    }

    fn paging(&self) -> Map<String, Value> {
        let mut criteria = Map::new();
        if let Some(limit) = self.limit {
            criteria.insert("limit".into(), json!(limit));
        }
        if let Some(skip) = self.skip {
            criteria.insert("skip".into(), json!(skip));
        }
        criteria
    }
}

/// The error of a command that prints no fields.
pub(crate) fn no_fields() -> Error {
    Error::usage(
        "--fields says what is printed, and this command prints no fields",
        "leave it out; where there is `--dry-run`, it goes with that",
    )
}

/// `field operator text`, by the sort index where the unit has one.
fn comparison(unit: Option<&UnitWords>, operator: &str, field: &str, text: &str) -> Value {
    let index = unit.and_then(|unit| unit.sort_index);
    if let Some(index) = index.filter(|index| index.fields.contains(&field)) {
        let name = format!("{field}_sort_index");
        let value = (index.of)(text).unwrap_or_else(|| text.to_owned());
        return json!({ name: { operator: value } });
    }
    json!({ field: { operator: number_or_text(text) } })
}

fn number_or_text(text: &str) -> Value {
    text.parse::<i64>()
        .map_or_else(|_| json!(text), |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::family;

    #[test]
    fn times_are_sent_as_the_server_shows_them() {
        for (given, sent) in [
            ("2020-01-31T12:00:00Z", "2020-01-31T12:00:00Z"),
            ("2020-01-31T12:00:00+02:00", "2020-01-31T10:00:00Z"),
            ("2020-01-31T12:00:00", "2020-01-31T12:00:00Z"),
            ("2020-01-31", "2020-01-31T00:00:00Z"),
        ] {
            assert_eq!(instant(given).unwrap(), sent);
        }
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn filters_and_other_conditions_exclude_each_other() {
        let args = SearchArgs {
            filters: Some("{}".to_owned()),
            str_eq: vec![("a".to_owned(), "b".to_owned())],
            ..SearchArgs::default()
        };
        assert!(args.filter(None).is_err());
        let fields = SearchArgs {
            fields: vec!["a".to_owned()],
            ..SearchArgs::default()
        };
        assert!(fields.choice().is_err() && fields.criteria().is_ok());
    }

    fn one(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.into(), value.into())]
    }

    #[test]
    fn one_condition_stands_alone_and_several_are_joined() {
        let mut args = SearchArgs {
            matches: one("name", "^wal"),
            ..SearchArgs::default()
        };
        assert_eq!(
            args.filter(None).unwrap(),
            Some(json!({"name": {"$regex": "^wal"}}))
        );
        args.gt = one("size", "10");
        args.one_of = one("arch", "noarch,src");
        assert_eq!(
            args.filter(None).unwrap(),
            Some(
                json!({"$and": [{"name": {"$regex": "^wal"}}, {"arch": {"$in": ["noarch", "src"]}},
                                 {"size": {"$gt": 10}}]})
            )
        );
    }

    #[test]
    fn unit_searches_wrap_their_parts() {
        let args = UnitSearchArgs {
            search: SearchArgs {
                str_eq: one("name", "walrus"),
                ascending: vec!["name".into()],
                limit: Some(3),
                ..SearchArgs::default()
            },
            ..UnitSearchArgs::default()
        };
        assert_eq!(
            Value::Object(
                args.criteria(family("rpm").words.unit("rpm"), &["name"])
                    .unwrap()
            ),
            json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "walrus"}}, "limit": 3,
                   "fields": {"unit": ["name"]}, "sort": {"unit": [["name", "ascending"]]}})
        );
    }

    #[test]
    fn dates_are_those_of_the_association() {
        let args = UnitSearchArgs {
            after: Some("2015-01-01T00:00:00Z".into()),
            before: Some("2016-01-01T00:00:00Z".into()),
            ..UnitSearchArgs::default()
        };
        assert_eq!(
            Value::Object(args.criteria(None, &[]).unwrap()),
            json!({"filters": {"association": {"created":
                {"$gte": "2015-01-01T00:00:00Z", "$lte": "2016-01-01T00:00:00Z"}}}})
        );
    }

    #[test]
    fn a_direction_stands_behind_the_field() {
        let read = |text: &str| direction(text).ok();
        let both = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("name"), both("name", "ascending"));
        assert_eq!(read("size:desc"), both("size", "descending"));
        assert_eq!(read("size:down"), None);
        assert_eq!(read(":desc"), None);
    }

    #[test]
    fn versions_of_packages_are_compared_by_their_sort_index() {
        let args = SearchArgs {
            gte: one("version", "3.10"),
            ..SearchArgs::default()
        };
        let filter = |unit| args.filter(unit).unwrap().unwrap();
        assert_eq!(
            filter(family("rpm").words.unit("rpm")),
            json!({"version_sort_index": {"$gte": "01-3.02-10"}})
        );
        assert_eq!(
            filter(family("rpm").words.unit("module")),
            json!({"version": {"$gte": "3.10"}})
        );
    }

    #[test]
    fn an_object_can_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filters.json");
        std::fs::write(&path, r#"{"name": "walrus"}"#).unwrap();
        let text = format!("@{}", path.display());
        assert_eq!(object(&text), Ok(json!({"name": "walrus"})));
        assert!(object("@/surely/not/there").is_err());
    }

    #[test]
    fn filters_that_are_no_object_are_refused() {
        for text in ["[]", "{", "1"] {
            let args = SearchArgs {
                filters: Some(text.into()),
                ..SearchArgs::default()
            };
            assert!(args.filter(None).is_err());
        }
    }
}
