//! Filters made at random, on everything that can be searched: the answer is that of MongoDB's rules applied to the
//! documents one by one, or 400.

use std::collections::BTreeSet;

use pith_core::Document;
use pith_core::criteria::{Criteria, UnitCriteria};
use pith_engine::Error;
use pith_pulp::auth::Principal;
use pith_pulp::error::told;
use pith_pulp::repositories::Expand;
use pith_store::NewTask;
use pith_testkit::repos::{Spec, write_repository};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Harness, On};
use crate::mongo::{fulfils, millis};
use crate::searches::gathered;

crate::on_both!(a_filter_answers_by_the_rules_or_is_refused);

/// Filters asked of each collection.
const FILTERS: usize = 100;

/// A collection, and the paths that filters on it look at.
struct Searched {
    what: &'static str,
    paths: &'static [&'static str],
    /// Filters may say `$date`.
    dates: bool,
    /// As the rules see them: what was never set is not there.
    documents: Vec<Value>,
}

const SEARCHED: &[(&str, &[&str], bool)] = &[
    (
        "repositories",
        &[
            "_id",
            "id",
            "repo_id",
            "display_name",
            "notes",
            "notes.a",
            "notes.a.b",
            "notes.a.0",
            "content_unit_counts.rpm",
            "last_unit_added",
            "bogus",
        ],
        true,
    ),
    (
        "distributors",
        &[
            "_id",
            "id",
            "repo_id",
            "distributor_type_id",
            "auto_publish",
            "config.relative_url",
            "config",
        ],
        true,
    ),
    (
        "users",
        &["_id", "id", "login", "name", "roles", "bogus.deep"],
        true,
    ),
    (
        "groups",
        &[
            "_id",
            "id",
            "display_name",
            "repo_ids",
            "notes.a",
            "notes.a.b",
        ],
        true,
    ),
    (
        "tasks",
        &[
            "_id",
            "id",
            "task_id",
            "state",
            "tags",
            "tags.0",
            "worker_name",
            "start_time",
            "spawned_tasks",
        ],
        true,
    ),
    (
        "rpm",
        &[
            "_id",
            "id",
            "name",
            "epoch",
            "version",
            "arch",
            "size",
            "provides",
            "provides.name",
            "provides.0.flags",
            "checksums.sha256",
            "header_range.start",
            "requires",
            "pulp_user_metadata.a",
            "pulp_user_metadata.a.b",
            "description",
            "downloaded",
        ],
        true,
    ),
    (
        "erratum",
        &[
            "_id",
            "id",
            "errata_id",
            "title",
            "references.href",
            "pkglist.packages.name",
            "severity",
        ],
        true,
    ),
    (
        "zoo",
        &[
            "_id",
            "name",
            "version",
            "arch",
            "size",
            "provides.name",
            "checksums.sha256",
            "pulp_user_metadata.a",
        ],
        false,
    ),
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        (-3i8..4).prop_map(|n| json!(f64::from(n) / 2.0)),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

/// Values that people keep in notes: anything.
fn anything() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The condition of a path, mostly with values that documents have there.
fn condition(values: Vec<Value>, dates: bool) -> impl Strategy<Value = Value> {
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    let scalars: Vec<Value> = values.iter().filter(|v| plain(v)).cloned().collect();
    let texts: Vec<String> = scalars
        .iter()
        .filter_map(Value::as_str)
        .map(regex_of)
        .collect();
    let or = |known: Vec<Value>, other: BoxedStrategy<Value>| {
        if known.is_empty() {
            return other;
        }
        prop_oneof![4 => prop::sample::select(known), 1 => other].boxed()
    };
    let pattern = match texts.is_empty() {
        true => "\\^?[ab.]{0,2}\\$?".boxed(),
        false => prop_oneof![
            3 => (any::<bool>(), prop::sample::select(texts), any::<bool>()).prop_map(|(start, text, end)| {
                format!("{}{text}{}", if start { "^" } else { "" }, if end { "$" } else { "" })
            }),
            1 => "\\^?[a-c.]{0,2}\\$?",
        ]
        .boxed(),
    };
    let date = prop::sample::select(vec!["2015-01-01T00:00:00Z", "2200-01-01T00:00:00Z"]);
    let at = or(scalars.clone(), scalar().boxed());
    let at = match dates {
        true => prop_oneof![9 => at, 1 => date.prop_map(|date| json!({ "$date": date }))].boxed(),
        false => at,
    };
    let list = || prop::collection::vec(at.clone(), 0..4);
    let simple = prop_oneof![
        4 => at.clone(),
        1 => or(values, scalar().boxed()),
        2 => ("\\$(eq|ne)", at.clone()).prop_map(|(op, v)| json!({op: v})),
        2 => ("\\$(in|nin|all)", list()).prop_map(|(op, v)| json!({op: v})),
        3 => ("\\$(gt|gte|lt|lte)", at.clone()).prop_map(|(op, v)| json!({op: v})),
        1 => (at.clone(), at.clone()).prop_map(|(a, b)| json!({"$gte": a, "$lt": b})),
        1 => any::<bool>().prop_map(|v| json!({"$exists": v})),
        2 => (pattern.clone(), "[im]?").prop_map(|(p, o)| json!({"$regex": p, "$options": o})),
        1 => pattern.prop_map(|p| json!({"$not": p})),
        1 => (0..3u8).prop_map(|n| json!({"$size": n})),
        1 => prop::sample::select(vec![
            "string", "number", "double", "int", "bool", "null", "array", "object", "objectId", "date",
        ])
        .prop_map(|kind| json!({"$type": kind})),
        1 => (1..4i8, 0..2i8).prop_map(|(a, b)| json!({"$mod": [a, b]})),
        1 => ("\\$(gte|ne|eq)", at.clone()).prop_map(|(op, v)| json!({"$elemMatch": {op: v}})),
        1 => ("[ab]|name|flags", at).prop_map(|(name, v)| json!({"$elemMatch": {name: v}})),
    ];
    prop_oneof![
        9 => simple.clone(),
        1 => simple.prop_map(|one| match one {
            Value::Object(map) if map.keys().any(|key| key.starts_with('$')) => json!({"$not": map}),
            other => json!({"$not": {"$eq": other}}),
        }),
    ]
}

/// An expression for the first letters of a text.
fn regex_of(text: &str) -> String {
    let letters = text.chars().take(5).map(|letter| match letter {
        letter if letter.is_ascii_punctuation() => format!("\\{letter}"),
        letter => letter.to_string(),
    });
    letters.collect()
}

/// The values at a path, arrays and what is in them.
fn values_at(document: &Value, path: &str, into: &mut Vec<Value>) {
    let value = path
        .split('.')
        .try_fold(document, |value, name| match value {
            Value::Array(items) => items
                .iter()
                .find_map(|item| item.get(name))
                .or(items.first()),
            other => other.get(name),
        });
    match value {
        Some(Value::Array(items)) => {
            into.extend(items.iter().take(2).cloned());
            into.push(json!(items));
        }
        // On the wire ids of documents are objects; people write them as text.
        Some(Value::Object(map)) if map.contains_key("$oid") => into.push(map["$oid"].clone()),
        Some(Value::Object(map)) if map.contains_key("$date") => {}
        Some(other) => into.push(other.clone()),
        None => {}
    }
}

fn filters(searched: &Searched) -> impl Strategy<Value = Value> + use<> {
    let conditions = searched.paths.iter().map(|path| {
        let mut values = Vec::new();
        for document in searched.documents.iter().take(12) {
            values_at(document, path, &mut values);
        }
        let path = (*path).to_owned();
        condition(values, searched.dates)
            .prop_map(move |condition| json!({ &path: condition }))
            .boxed()
    });
    prop::strategy::Union::new(conditions).prop_recursive(3, 8, 3, |inner| {
        ("\\$(and|or|nor)", prop::collection::vec(inner, 1..4)).prop_map(|(op, v)| json!({op: v}))
    })
}

/// Repositories, users, groups and units with notes of every shape.
async fn filled(h: &Harness, runner: &mut TestRunner) {
    let mut any = || json!({"a": anything().new_tree(runner).unwrap().current()});
    let body = |value: Value| serde_json::from_value::<Document>(value).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::full()).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.sync("zoo").await;
    h.repository("files", "iso", "/f/", json!({})).await;
    for at in 0..12 {
        let id = format!("r{at}");
        let name = (at % 2 == 0).then_some("ab");
        let made = json!({"id": id, "display_name": name, "notes": any()});
        h.pulp.repository_create(&body(made)).await.unwrap();
        let made = json!({"id": format!("g{at}"), "notes": any(), "repo_ids": ["zoo"]});
        h.pulp
            .group_create(&body(made), &Principal::System)
            .await
            .unwrap();
        let made = json!({"login": format!("u{at}"), "name": name.unwrap_or("ba")});
        h.pulp.user_create(&body(made)).await.unwrap();
        let task = NewTask {
            id: pith_core::TaskId::new(),
            kind: "t".to_owned(),
            args: Value::Null,
            tags: vec!["all".to_owned(), format!("n{}", at % 3)],
            resources: Vec::new(),
            group: None,
        };
        h.engine.store.task_enqueue(&task).await.unwrap();
    }
    for (at, unit) in documents(h, "rpm", &json!({}))
        .await
        .unwrap()
        .iter()
        .enumerate()
    {
        let id = unit["_id"].as_str().unwrap().parse().unwrap();
        if at % 3 != 0 {
            h.engine
                .store
                .unit_set_user_metadata("rpm", id, &any())
                .await
                .unwrap();
        }
    }
}

/// The documents that a search finds, with units of a repository as they are without it.
async fn documents(h: &Harness, what: &str, filter: &Value) -> Result<Vec<Value>, Error> {
    let pulp = &h.pulp;
    if what == "zoo" {
        let asked = json!({"type_ids": ["rpm"], "filters": {"unit": filter}});
        let found = pulp
            .repository_units("zoo", UnitCriteria::parse(&asked)?)
            .await?;
        let units = gathered(found).await.into_iter();
        return Ok(units.map(|mut unit| unit["metadata"].take()).collect());
    }
    let criteria = Criteria::parse(&json!({ "filters": filter }))?;
    match what {
        "repositories" => pulp.repository_search(&criteria, Expand::default()).await,
        "distributors" => pulp.distributor_search(&criteria).await,
        "users" => pulp.user_search(&criteria).await,
        "groups" => pulp.group_search(&criteria).await,
        "tasks" => {
            let found = pulp.task_search(&criteria).await?;
            Ok(found.into_iter().map(Value::Object).collect())
        }
        unit_type => Ok(gathered(pulp.type_units(unit_type, criteria, false).await?).await),
    }
}

/// A document as the rules see it.
fn as_judged(what: &str, mut document: Value) -> Value {
    let map = document.as_object_mut().unwrap();
    if !["tasks", "rpm", "zoo", "erratum"].contains(&what) {
        map.retain(|_, value| !value.is_null());
    }
    if let Some(added) = map.get("last_unit_added").and_then(Value::as_str) {
        let at = json!({ "$date": millis(added) });
        map.insert("last_unit_added".to_owned(), at);
    }
    let alias = match what {
        "repositories" => Some(("repo_id", "id")),
        "users" | "tasks" | "rpm" | "zoo" => Some(("id", "_id")),
        "erratum" => Some(("errata_id", "id")),
        _ => None,
    };
    if let Some((name, of)) = alias {
        let value = map[of].clone();
        map.insert(name.to_owned(), value);
    }
    document
}

/// The filter with object ids in their own form, as people may leave it out.
fn with_object_ids(filter: &mut Value, below_id: bool) {
    match filter {
        Value::String(text) if below_id && text.len() == 24 => *filter = json!({ "$oid": text }),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| with_object_ids(item, below_id)),
        Value::Object(map) if !map.contains_key("$oid") => {
            for (key, value) in map {
                let below = if key.starts_with('$') {
                    below_id
                } else {
                    key == "_id" || key == "id"
                };
                with_object_ids(value, below);
            }
        }
        _ => {}
    }
}

fn ids(documents: &[Value]) -> BTreeSet<String> {
    documents.iter().map(|one| one["_id"].to_string()).collect()
}

async fn a_filter_answers_by_the_rules_or_is_refused(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let mut runner = TestRunner::default();
    filled(&h, &mut runner).await;
    for (what, paths, dates) in SEARCHED {
        let found = documents(&h, what, &json!({})).await.unwrap();
        assert!(found.len() > 1 || *what == "erratum", "{what}");
        let searched = Searched {
            what,
            paths,
            dates: *dates,
            documents: found.into_iter().map(|one| as_judged(what, one)).collect(),
        };
        compare(&h, &searched, &mut runner).await;
    }
}

async fn compare(h: &Harness, searched: &Searched, runner: &mut TestRunner) {
    let what = searched.what;
    let strategy = filters(searched);
    let (mut answered, mut found_some) = (0, 0);
    for _ in 0..FILTERS {
        let asked = strategy.new_tree(runner).unwrap().current();
        let found = match documents(h, what, &asked).await {
            Ok(found) => ids(&found),
            Err(error) => {
                assert_eq!(told(&error).status, 400, "{what} {asked}: {error:?}");
                continue;
            }
        };
        let mut filter = asked.clone();
        with_object_ids(&mut filter, false);
        let fulfilling = searched
            .documents
            .iter()
            .filter(|one| fulfils(&filter, one));
        let wanted = ids(&fulfilling.cloned().collect::<Vec<_>>());
        if let Some(id) = wanted.symmetric_difference(&found).next() {
            let odd = searched
                .documents
                .iter()
                .find(|one| one["_id"] == serde_json::from_str::<Value>(id).unwrap());
            panic!(
                "{what} {asked}: found {}, by the rules {}: {odd:?}",
                found.len(),
                wanted.len()
            );
        }
        answered += 1;
        found_some += usize::from(!found.is_empty());
    }
    assert!(
        answered > FILTERS / 3,
        "{what}: only {answered} of {FILTERS} were answered"
    );
    assert!(
        found_some > FILTERS / 10,
        "{what}: only {found_some} of {FILTERS} found something"
    );
}
