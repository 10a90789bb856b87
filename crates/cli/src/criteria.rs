//! Search options as Pulp's criteria (reference: platform-api §1.10 and §1.11).

use clap::Args;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::kind::{UnitType, sort_index};

/// Options of searches, as pulp-admin spells them. Several conditions must all hold.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Search")]
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
    /// Filters as a JSON object, in place of the options above
    #[arg(long, value_name = "JSON")]
    pub filters: Option<String>,
    /// Fields to print
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub fields: Vec<String>,
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

impl SearchArgs {
    /// The filters object; `None` without any condition. Versions of `unit` are compared by their sort indexes.
    ///
    /// # Errors
    ///
    /// When `--filters` is no JSON object or a number is none.
    pub fn filter(&self, unit: Option<&UnitType>) -> Result<Option<Value>, Error> {
        if let Some(text) = &self.filters {
            let hint = "for example --filters '{\"name\": \"walrus\"}'";
            return match serde_json::from_str(text) {
                Ok(value @ Value::Object(_)) => Ok(Some(value)),
                Ok(_) => Err(Error::usage("--filters is no JSON object", hint)),
                Err(e) => Err(Error::usage(format!("--filters is not JSON: {e}"), hint)),
            };
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

    fn sort(&self) -> Vec<Value> {
        let of = |fields: &[String], direction: &str| -> Vec<Value> {
            fields
                .iter()
                .map(|field| json!([field, direction]))
                .collect()
        };
        let mut sort = of(&self.ascending, "ascending");
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

    /// Criteria of a search among the units of a repository; `shown` are the fields when none are named.
    ///
    /// # Errors
    ///
    /// As [`Self::filter`].
    pub fn unit_criteria(
        &self,
        unit: &UnitType,
        shown: &[&str],
    ) -> Result<Map<String, Value>, Error> {
        let mut criteria = self.paging();
        criteria.insert("type_ids".into(), json!([unit.id]));
        if let Some(filter) = self.filter(Some(unit))? {
            criteria.insert("filters".into(), json!({ "unit": filter }));
        }
        if !self.fields.is_empty() {
            criteria.insert("fields".into(), json!({ "unit": self.fields }));
        } else if !shown.is_empty() {
            criteria.insert("fields".into(), json!({ "unit": shown }));
        }
        let sort = self.sort();
        if !sort.is_empty() {
            criteria.insert("sort".into(), json!({ "unit": sort }));
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

/// `field operator text`, by the sort index where the unit has one.
fn comparison(unit: Option<&UnitType>, operator: &str, field: &str, text: &str) -> Value {
    if unit.is_some_and(|unit| unit.has_sort_index(field)) {
        let index = format!("{field}_sort_index");
        return json!({ index: { operator: sort_index(text) } });
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
    use crate::kind::RPM;

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
        let args = SearchArgs {
            str_eq: one("name", "walrus"),
            ascending: vec!["name".into()],
            limit: Some(3),
            ..SearchArgs::default()
        };
        assert_eq!(
            Value::Object(args.unit_criteria(&RPM.units[0], &["name"]).unwrap()),
            json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "walrus"}}, "limit": 3,
                   "fields": {"unit": ["name"]}, "sort": {"unit": [["name", "ascending"]]}})
        );
    }

    #[test]
    fn versions_of_packages_are_compared_by_their_sort_index() {
        let args = SearchArgs {
            gte: one("version", "3.10"),
            ..SearchArgs::default()
        };
        let filter = |unit| args.filter(unit).unwrap().unwrap();
        assert_eq!(
            filter(RPM.unit("rpm")),
            json!({"version_sort_index": {"$gte": "01-3.02-10"}})
        );
        assert_eq!(
            filter(RPM.unit("module")),
            json!({"version": {"$gte": "3.10"}})
        );
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
