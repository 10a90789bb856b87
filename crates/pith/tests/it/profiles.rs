//! Profiles of consumers, and what of synced repositories applies to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use pith_content::profile::{Applicability, Profile, Profiles};
use pith_core::UnitId;
use pith_engine::Error;
use pith_store::UnitQuery;
use serde_json::{Value, json};

use futures::TryStreamExt;

use crate::feeds::{Package, module, nevra, repository, synced, write_feed};
use crate::harness::{Harness, On};
use crate::modules::advisory;

crate::on_both!(
    what_a_consumer_has_decides_what_of_a_repository_applies,
    a_repository_is_read_once_for_many_consumers,
);

fn installed(name: &str, version: &str) -> Value {
    json!({"name": name, "epoch": 0, "version": version, "release": "1", "arch": "noarch", "vendor": "x"})
}

/// The profiles of a consumer with these packages, and with the build 2 of a stream of perl.
fn consumer(packages: &[Value], stream: &str) -> BTreeMap<String, Value> {
    let enabled = json!([{"name": "perl", "stream": stream, "version": 2, "context": "c0", "arch": "noarch"}]);
    let profiles = [
        ("rpm", json!(packages)),
        ("modulemd", enabled),
        ("other", json!("x")),
    ];
    profiles.map(|(kind, sent)| (kind.to_owned(), sent)).into()
}

/// Units by their ids, as people read them.
async fn names(h: &Harness) -> BTreeMap<UnitId, String> {
    let query = UnitQuery {
        type_ids: vec!["rpm", "erratum", "modulemd"],
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let units: Vec<_> = units.try_concat().await.unwrap();
    let names = units.into_iter().map(|unit| {
        let fields = ["id", "name", "stream", "version"].map(|field| unit.unit.doc.get(field));
        let fields = fields.into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let words: Vec<String> = fields.map(text).collect();
        (unit.unit.id, words.join(" "))
    });
    names.collect()
}

/// The names of what applies, by repository.
async fn applicable(h: &Harness, repos: &[&str], profiles: BTreeMap<String, Value>) -> Vec<String> {
    let names = names(h).await;
    let ids: Vec<String> = repos.iter().map(|id| (*id).to_owned()).collect();
    let all = h.pulp.applicable(&ids, profiles).await.unwrap();
    let of = |(repo, found): (&String, &Applicability)| {
        let of_type = |(kind, ids): (&&str, &Vec<UnitId>)| {
            let mut names: Vec<&str> = ids.iter().map(|id| names[id].as_str()).collect();
            names.sort_unstable();
            format!("{repo} {kind}: {}", names.join(", "))
        };
        found.iter().map(of_type).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

async fn what_a_consumer_has_decides_what_of_a_repository_applies(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let packages = [
        Package("perl", "5.24.2", &[]),
        Package("perl", "5.30.2", &[]),
        Package("perl", "9", &[]),
        Package("tool", "2", &[]),
        Package("other", "2", &[]),
    ];
    let build = |stream: &str, version: &str| {
        module(
            "perl",
            &format!("\"{stream}\""),
            2,
            "c0",
            &[nevra("perl", version)],
        )
    };
    let modules = [build("5.24", "5.24.2"), build("5.30", "5.30.2")].concat();
    let named = advisory(&[("perl:5.24:2:c0", &[("perl", "5.24.2")])]);
    let modular = repository(&h, "mod", json!({})).await;
    let documents = [
        ("modules", modules.as_str()),
        ("updateinfo", named.as_str()),
    ];
    write_feed(modular.path(), 1, &packages, &documents);
    let plain = repository(&h, "plain", json!({})).await;
    write_feed(plain.path(), 1, &packages, &[]);
    let empty = repository(&h, "empty", json!({})).await;
    for id in ["mod", "plain"] {
        synced(&h, id).await;
    }
    let repos = ["mod", "plain", "empty"];
    let has = [installed("tool", "1"), installed("perl", "5.24.1")];

    let of_plain = "plain rpm: perl 5.24.2, perl 5.30.2, perl 9, tool 2";
    assert_eq!(
        applicable(&h, &repos, consumer(&has, "5.24")).await,
        [
            "mod erratum: A-1 1",
            "mod modulemd: perl 5.24 2",
            "mod rpm: perl 5.24.2, tool 2",
            of_plain,
        ]
    );
    assert_eq!(
        applicable(&h, &repos, consumer(&has, "5.30")).await,
        [
            "mod modulemd: perl 5.30 2",
            "mod rpm: perl 5.30.2, tool 2",
            of_plain,
        ]
    );
    assert_eq!(
        applicable(&h, &repos, consumer(&has, "5.26")).await,
        ["mod rpm: perl 9, tool 2", of_plain],
        "no stream of the repository is enabled"
    );
    assert!(applicable(&h, &repos, BTreeMap::new()).await.is_empty());
    drop(empty);

    let ask = |repo: &str, sent: Value| {
        let sent = BTreeMap::from([("rpm".to_owned(), sent)]);
        let (pulp, repos) = (Arc::clone(&h.pulp), [repo.to_owned()]);
        async move { pulp.applicable(&repos, sent).await }
    };
    let missing = ask("none", json!([])).await;
    assert!(matches!(missing, Err(Error::Refused(refused)) if refused.status == 404));
    for wrong in [json!("x"), json!({"a": 1}), json!([{"name": "bear"}])] {
        assert!(matches!(ask("plain", wrong).await, Err(Error::Invalid(_))));
    }
}

async fn a_repository_is_read_once_for_many_consumers(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "plain", json!({})).await;
    let packages = [Package("tool", "2", &[]), Package("other", "2", &[])];
    write_feed(feed.path(), 1, &packages, &[]);
    synced(&h, "plain").await;
    let index = h.engine.applicability_index("plain").await.unwrap();
    let version = || async {
        let repo = h.engine.store.repository_get("plain").await.unwrap();
        repo.unwrap().version
    };
    assert_eq!(index.version(), version().await);
    let (tool, other) = (installed("tool", "1"), installed("other", "1"));
    let hosts = [vec![&tool], vec![&other, &tool], Vec::new()].map(|packages| {
        let profile = Profile::new(&json!(packages)).unwrap();
        Profiles::from_iter([("rpm".to_owned(), profile)])
    });
    let counts = |found: Vec<Applicability>| -> Vec<usize> {
        let counts = found.iter().map(|it| it.get("rpm").map_or(0, Vec::len));
        counts.collect()
    };
    assert_eq!(counts(index.to(hosts.to_vec()).await.unwrap()), [1, 2, 0]);

    let packages = [Package("tool", "2", &[]), Package("tool", "3", &[])];
    write_feed(feed.path(), 2, &packages, &[]);
    synced(&h, "plain").await;
    assert!(version().await > index.version());
    let index = h.engine.applicability_index("plain").await.unwrap();
    assert_eq!(index.version(), version().await);
    assert_eq!(counts(index.to(hosts.to_vec()).await.unwrap()), [2, 3, 0]);
}
