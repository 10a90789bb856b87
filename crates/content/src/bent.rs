//! Notes of what had to be bent so that something odd from outside could be used: counted by kind, with a few names each.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// Names kept of one kind; those beyond are only counted.
const MAX_NAMES: usize = 20;
/// Characters kept of a name.
const MAX_NAME: usize = 200;

/// Notes of what was taken although it is not as it should be. Clones share their notes; memory is flat, however much
/// is noted.
#[derive(Debug, Clone, Default)]
pub struct Bent(Arc<Mutex<BTreeMap<&'static str, Kind>>>);

#[derive(Debug)]
struct Kind {
    sentence: String,
    count: u64,
    names: Vec<String>,
}

impl Bent {
    /// Notes one thing. `kind` is a short name for programs such as `bad_encoding`, `sentence` says for people what was
    /// done about all things of the kind, `name` says which thing it was.
    pub fn note(&self, kind: &'static str, sentence: &str, name: impl AsRef<str>) {
        let mut kinds = self.0.lock();
        let noted = kinds.entry(kind).or_insert_with(|| Kind {
            sentence: sentence.to_owned(),
            count: 0,
            names: Vec::new(),
        });
        noted.count += 1;
        if noted.names.len() >= MAX_NAMES {
            return;
        }
        let name: String = name.as_ref().chars().take(MAX_NAME).collect();
        if !name.is_empty() && !noted.names.contains(&name) {
            noted.names.push(name);
        }
    }

    /// The number of times that something of this kind was noted.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.0.lock().get(kind).map_or(0, |noted| noted.count)
    }

    /// The notes as `{kind: {"message": …, "count": …, "names": […]}}`; `None` when nothing was noted.
    #[must_use]
    pub fn to_json(&self) -> Option<Value> {
        let kinds = self.0.lock();
        let shown = kinds.iter().map(|(kind, noted)| {
            let note =
                json!({ "message": noted.sentence, "count": noted.count, "names": noted.names });
            ((*kind).to_owned(), note)
        });
        (!kinds.is_empty()).then(|| Value::Object(shown.collect()))
    }

    /// Adds the notes under `key` to a report. A report that is no object and not null stays as it is: clients read it
    /// as what it is.
    pub fn add_to(&self, report: &mut Value, key: &str) {
        let Some(notes) = self.to_json() else {
            return;
        };
        if report.is_null() {
            *report = json!({});
        }
        if let Value::Object(fields) = report {
            fields.insert(key.to_owned(), notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_by_kind_and_only_the_first_names_are_kept() {
        let bent = Bent::default();
        let shared = bent.clone();
        for n in 0..100 {
            shared.note("odd", "odd things were taken", format!("thing {}", n % 50));
        }
        bent.note("long", "long names are cut", "x".repeat(1000));
        let mut report = json!({"content": {"state": "FINISHED"}});
        bent.add_to(&mut report, "upstream");
        let odd = &report["upstream"]["odd"];
        assert_eq!((odd["count"].as_u64(), bent.count("odd")), (Some(100), 100));
        assert_eq!(odd["names"].as_array().unwrap().len(), MAX_NAMES);
        assert_eq!(
            report["upstream"]["long"]["names"][0]
                .as_str()
                .unwrap()
                .len(),
            MAX_NAME
        );
        assert_eq!(report["content"]["state"], "FINISHED");
    }

    #[test]
    fn a_report_without_notes_stays_as_it_is() {
        let (none, some) = (Bent::default(), Bent::default());
        some.note("odd", "", "");
        let (mut null, mut list) = (Value::Null, json!([]));
        none.add_to(&mut null, "upstream");
        some.add_to(&mut list, "upstream");
        assert_eq!((&null, &list), (&Value::Null, &json!([])));
        some.add_to(&mut null, "upstream");
        assert_eq!(null["upstream"]["odd"]["count"], 1);
    }
}
