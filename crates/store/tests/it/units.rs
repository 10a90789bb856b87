use futures::TryStreamExt;
use pith_core::{Sha256, UnitId};
use pith_store::{Committed, NewPublication, NewUnit, StoreError, StreamedUnit, UnitQuery};
use serde_json::{Value, json};

use crate::fixture::{Fixture, REPO, SaveUnits, collect, distributor, document, names, unit};
use crate::on_both_engines;
use crate::publications::publication;

on_both_engines!(
    saved_units_read_back_with_their_parts,
    a_unit_is_what_is_said_of_a_key,
    a_file_comes_to_a_unit_that_is_there,
    a_repository_has_one_unit_of_a_key,
    two_writers_of_one_key_agree_on_its_id,
    many_units_are_saved_and_streamed_in_order,
    a_stream_of_all_types_goes_type_by_type,
    equality_does_not_mix_kinds,
    equality_looks_into_objects_and_finds_missing_fields,
    sorting_puts_missing_first_then_numbers_then_text,
    limit_and_skip_cut_the_result,
    ids_narrow_the_result,
    a_projection_brings_only_its_fields,
    impossible_names_are_refused,
    user_metadata_lives_in_the_document,
    a_file_that_arrived_is_noted,
    orphans_are_found_and_deleted,
    a_replaced_unit_is_no_orphan_and_goes_when_nothing_served_needs_it,
    what_clients_note_while_another_unit_is_staged_goes_along,
    a_listing_shows_one_version_of_the_repository,
    a_document_that_spreads_reaches_what_has_it_and_what_is_about_to,
    of_several_units_of_one_key_the_last_that_was_staged_comes,
    an_empty_save_is_no_work,
);

fn by_type(type_id: &str) -> UnitQuery<'_> {
    UnitQuery {
        type_ids: vec![type_id],
        ..UnitQuery::default()
    }
}

async fn saved_units_read_back_with_their_parts(f: Fixture) {
    let mut new = unit(
        "rpm",
        "bash",
        json!({ "name": "bash", "requires": [{ "name": "libc" }], "epoch": 0 }),
    );
    new.blob = Some(Sha256::of(b"file"));
    new.size = Some(4);
    new.parts = vec![
        ("filelists".to_owned(), vec![0, 1, 255]),
        ("other".to_owned(), vec![]),
    ];
    let saved = f
        .store
        .units_save(std::slice::from_ref(&new))
        .await
        .unwrap();
    let unit = f.store.unit_get("rpm", saved[0].id).await.unwrap().unwrap();
    assert_eq!(
        (&unit.doc, unit.blob, unit.size, unit.downloaded),
        (&new.doc, new.blob, Some(4), true)
    );
    assert_eq!(unit.last_updated, f.now());
    assert_eq!(f.store.unit_get("srpm", saved[0].id).await.unwrap(), None);
    let parts = f
        .store
        .unit_parts(&[saved[0].id], &["filelists", "other", "none"])
        .await
        .unwrap();
    let mut parts: Vec<_> = parts[&saved[0].id]
        .iter()
        .map(|p| (p.name.clone(), p.data.clone()))
        .collect();
    parts.sort();
    assert_eq!(parts, new.parts);
    let keys = [new.key_digest, Sha256::of(b"no")];
    let known = f.task().await.units_known(REPO, "rpm", &keys).await;
    let known = known.unwrap();
    assert_eq!(known.len(), 1);
    let [unit] = known[&new.key_digest].as_slice() else {
        panic!("{known:?}");
    };
    assert_eq!(
        (unit.id, unit.said, unit.blob, unit.own),
        (saved[0].id, new.said, new.blob, false)
    );
    assert_eq!(
        f.store
            .blobs_known(&[Sha256::of(b"file"), Sha256::of(b"x")])
            .await
            .unwrap(),
        [Sha256::of(b"file")]
    );
}

async fn a_unit_is_what_is_said_of_a_key(f: Fixture) {
    let mut one = unit("rpm", "bash", json!({ "name": "bash", "v": 1 }));
    one.parts = vec![("list".to_owned(), vec![1])];
    let first = f.store.units_save(&[one.clone(), one.clone()]).await;
    let first = first.unwrap();
    assert_eq!(first[0], first[1], "a unit given twice is saved once");
    assert!(first[0].new);
    let again = f.store.units_save(&[one]).await.unwrap();
    assert_eq!((again[0].id, again[0].new), (first[0].id, false));
    let two = unit("rpm", "bash", json!({ "name": "bash", "v": 2 }));
    let second = f.store.units_save(&[two]).await.unwrap();
    assert!(second[0].new);
    for (saved, version, parts) in [(&first, 1, 1), (&second, 2, 0)] {
        let id = saved[0].id;
        let unit = f.store.unit_get("rpm", id).await.unwrap().unwrap();
        assert_eq!(unit.doc["v"], version);
        let found = f.store.unit_parts(&[id], &["list"]).await.unwrap();
        assert_eq!(found.get(&id).map_or(0, Vec::len), parts);
    }
    let other_type = f.store.units_save(&[unit("srpm", "bash", json!({}))]).await;
    assert_ne!(other_type.unwrap()[0].id, first[0].id);
}

async fn a_file_comes_to_a_unit_that_is_there(f: Fixture) {
    let new = NewUnit {
        downloaded: false,
        ..unit("t", "a", json!({}))
    };
    let before = f.store.units_save(std::slice::from_ref(&new)).await;
    let with_file = NewUnit {
        blob: Some(Sha256::of(b"bytes")),
        size: Some(5),
        downloaded: true,
        ..new
    };
    let after = f.store.units_save(&[with_file]).await.unwrap();
    assert_eq!(before.unwrap()[0].id, after[0].id);
    let unit = f.store.unit_get("t", after[0].id).await.unwrap().unwrap();
    assert_eq!(
        (unit.blob, unit.size, unit.downloaded),
        (Some(Sha256::of(b"bytes")), Some(5), true)
    );
}

/// The ids of what the repository has, and of what it will have.
async fn has(f: &Fixture, task: &pith_store::TaskStore) -> (Vec<UnitId>, Vec<UnitId>) {
    let all = UnitQuery {
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    let ids = |units: Vec<StreamedUnit>| units.iter().map(|unit| unit.unit.id).collect();
    let now = collect(f.store.units_stream(&all).unwrap()).await;
    task.stage_settle(REPO).await.unwrap();
    let after = collect(task.units_stream_after(&all).unwrap()).await;
    (ids(now), ids(after))
}

async fn a_repository_has_one_unit_of_a_key(f: Fixture) {
    f.repository(REPO).await;
    f.repository("other").await;
    let said = |v: i64| unit("t", "a", json!({ "name": "a", "v": v }));
    let saved = f.store.units_save(&[said(1), said(2), said(3)]).await;
    let [one, two, three] = saved
        .unwrap()
        .iter()
        .map(|saved| saved.id)
        .collect::<Vec<_>>()[..]
    else {
        panic!("three are saved");
    };
    let beside = f.units("t", &["b"]).await[0];
    f.add(REPO, "t", &[one, beside]).await;
    f.add("other", "t", &[one]).await;

    // The last word of a task counts, and what it takes back leaves what was there.
    let task = f.task().await;
    task.stage_add(&[(two, "t"), (three, "t")]).await.unwrap();
    assert_eq!(
        has(&f, &task).await,
        (vec![one, beside], vec![three, beside])
    );
    task.stage_add(&[(two, "t")]).await.unwrap();
    assert_eq!(has(&f, &task).await.1, [two, beside]);
    let own = task
        .units_known(REPO, "t", &[said(1).key_digest])
        .await
        .unwrap();
    let own: Vec<(UnitId, bool)> = own[&said(1).key_digest]
        .iter()
        .map(|unit| (unit.id, unit.own))
        .collect();
    assert_eq!(own, [(two, true), (one, false), (three, false)]);
    task.stage_forget("t", &[two]).await.unwrap();
    assert_eq!(has(&f, &task).await.1, [one, beside]);
    // Taking away what is missing upstream is not what removes it.
    task.stage_add(&[(three, "t"), (beside, "t")])
        .await
        .unwrap();
    assert_eq!(task.stage_remove_missing(REPO, &["t"]).await.unwrap(), 1);
    let committed = task.content_commit(REPO, f.later(1)).await.unwrap();
    let expected = Committed {
        version: Some(2),
        added: 0,
        updated: 2,
        removed: 0,
    };
    assert_eq!(committed, expected);
    let task = f.task().await;
    assert_eq!(has(&f, &task).await.0, [three, beside]);
    let repository = f.store.repository_get(REPO).await.unwrap().unwrap();
    assert_eq!(
        (repository.last_unit_added, repository.last_unit_removed),
        (Some(f.now()), None)
    );
    let counts = f.store.repository_unit_counts(REPO).await.unwrap();
    assert_eq!(counts["t"], 2);
    let other = f.store.repository_unit_counts("other").await.unwrap();
    assert_eq!(other["t"], 1);
    let memberships = f.store.unit_memberships(&[one]).await.unwrap();
    assert_eq!(memberships[&one], ["other"]);
    // What is replaced goes when nobody else has it.
    f.add("other", "t", &[two]).await;
    assert_eq!(f.store.units_delete_replaced().await.unwrap(), 1);
    assert_eq!(f.store.unit_get("t", one).await.unwrap(), None);
    assert!(f.store.unit_get("t", three).await.unwrap().is_some());
}

async fn two_writers_of_one_key_agree_on_its_id(f: Fixture) {
    let mut units: Vec<NewUnit> = (0..300)
        .map(|i| unit("rpm", &format!("{i}"), json!({ "name": "n" })))
        .collect();
    let forward = units.clone();
    units.reverse();
    let other = f.other().await;
    let (a, b) = tokio::join!(f.store.units_save(&forward), other.units_save(&units));
    let (a, mut b) = (a.unwrap(), b.unwrap());
    b.reverse();
    assert!(
        a.iter()
            .zip(&b)
            .all(|(a, b)| a.id == b.id && (a.new != b.new))
    );
}

async fn many_units_are_saved_and_streamed_in_order(f: Fixture) {
    f.repository(REPO).await;
    let units: Vec<NewUnit> = (0..2500)
        .map(|i| NewUnit {
            parts: vec![("p".to_owned(), vec![7; 10])],
            ..unit("rpm", &format!("{i}"), json!({ "i": i }))
        })
        .collect();
    let saved = f.store.units_save(&units).await.unwrap();
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.add(REPO, "rpm", &ids).await;
    let query = UnitQuery {
        repo: Some(REPO),
        parts: vec!["p"],
        ..by_type("rpm")
    };
    let found = collect(f.store.units_stream(&query).unwrap()).await;
    assert_eq!(found.len(), 2500);
    assert!(
        found
            .windows(2)
            .all(|pair| pair[0].unit.id < pair[1].unit.id)
    );
    assert!(
        found
            .iter()
            .all(|unit| unit.parts.len() == 1 && unit.created == Some(f.now()))
    );
    let oids: std::collections::HashSet<_> = found
        .iter()
        .map(|unit| unit.association.clone().unwrap())
        .collect();
    assert_eq!(oids.len(), 2500);
    assert_eq!(f.store.units_count(&query).await.unwrap(), 2500);
    let everywhere = collect(f.store.units_stream(&by_type("rpm")).unwrap()).await;
    assert_eq!((everywhere.len(), everywhere[0].created), (2500, None));
}

async fn a_stream_of_all_types_goes_type_by_type(f: Fixture) {
    f.repository(REPO).await;
    for (type_id, name) in [("srpm", "s"), ("drpm", "d"), ("rpm", "r")] {
        let ids = f.units(type_id, &[name]).await;
        f.add(REPO, type_id, &ids).await;
    }
    assert_eq!(f.names(&UnitQuery::default()).await, ["d", "r", "s"]);
    assert_eq!(
        f.names(&UnitQuery {
            repo: Some(REPO),
            ..UnitQuery::default()
        })
        .await,
        ["d", "r", "s"]
    );
    let two = UnitQuery {
        type_ids: vec!["srpm", "drpm"],
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    assert_eq!(f.names(&two).await, ["d", "s"]);
    assert_eq!(
        f.names(&UnitQuery {
            repo: Some("nobody"),
            ..UnitQuery::default()
        })
        .await,
        [""; 0]
    );
}

/// Saves one unit for each value of the field `v`, named by its place.
async fn values(f: &Fixture, values: &[Value]) {
    let new = |(at, value): (usize, &Value)| {
        unit(
            "t",
            &at.to_string(),
            json!({ "name": at.to_string(), "v": value }),
        )
    };
    let mut units: Vec<NewUnit> = values.iter().enumerate().map(new).collect();
    units.push(unit("t", "missing", json!({ "name": "missing" })));
    f.store.units_save(&units).await.unwrap();
}

async fn equality_does_not_mix_kinds(f: Fixture) {
    let all = [
        json!("3"),
        json!(3),
        json!(3.5),
        json!(true),
        json!("true"),
        json!(1),
        json!(null),
        json!(["3"]),
        json!(false),
    ];
    values(&f, &all).await;
    // Once without and once with an index: the answers are the same.
    for round in 0..2 {
        let cases = [
            (vec![json!("3")], vec!["0"]),
            (vec![json!(3)], vec!["1"]),
            (vec![json!(3.5)], vec!["2"]),
            (vec![json!(true)], vec!["3"]),
            (vec![json!("true")], vec!["4"]),
            (vec![json!(1)], vec!["5"]),
            (vec![json!(null)], vec!["6", "missing"]),
            (vec![json!(false)], vec!["8"]),
            (vec![json!("3"), json!(3), json!(true)], vec!["0", "1", "3"]),
            (vec![json!("[\"3\"]")], vec![]),
            (vec![], vec![]),
        ];
        for (wanted, expected) in cases {
            let query = UnitQuery {
                equals: vec![("v", wanted.clone())],
                ..by_type("t")
            };
            let mut found = f.names(&query).await;
            found.sort();
            assert_eq!(found, expected, "{wanted:?} in round {round}");
        }
        f.store
            .ensure_unit_indexes(&[("t", "v"), ("t", "v"), ("other", "a.b-c")])
            .await
            .unwrap();
    }
}

async fn equality_looks_into_objects_and_finds_missing_fields(f: Fixture) {
    let deep = unit(
        "t",
        "a",
        json!({ "name": "a", "checksums": { "sha256": "x", "size": 5 } }),
    );
    let flat = unit("t", "b", json!({ "name": "b", "checksums": "x" }));
    f.store.units_save(&[deep, flat]).await.unwrap();
    let query = |path, value| UnitQuery {
        equals: vec![(path, vec![value])],
        ..by_type("t")
    };
    assert_eq!(f.names(&query("checksums.sha256", json!("x"))).await, ["a"]);
    assert_eq!(f.names(&query("checksums.size", json!(5))).await, ["a"]);
    assert_eq!(
        f.names(&query("checksums.md5", json!(null))).await,
        ["a", "b"]
    );
    let both = vec![
        ("name", vec![json!("a"), json!("b")]),
        ("checksums", vec![json!("x")]),
    ];
    assert_eq!(
        f.names(&UnitQuery {
            equals: both,
            ..by_type("t")
        })
        .await,
        ["b"]
    );
}

async fn sorting_puts_missing_first_then_numbers_then_text(f: Fixture) {
    values(
        &f,
        &[json!("b"), json!(10), json!("a"), json!(9), json!("B")],
    )
    .await;
    let sorted = |descending| UnitQuery {
        sort: vec![("v", descending)],
        ..by_type("t")
    };
    assert_eq!(
        f.names(&sorted(false)).await,
        ["missing", "3", "1", "4", "2", "0"]
    );
    assert_eq!(
        f.names(&sorted(true)).await,
        ["0", "2", "4", "1", "3", "missing"]
    );
    let cut = UnitQuery {
        limit: Some(2),
        skip: 1,
        ..sorted(false)
    };
    assert_eq!(f.names(&cut).await, ["3", "1"]);
}

async fn limit_and_skip_cut_the_result(f: Fixture) {
    f.units("a", &["1", "2", "3"]).await;
    f.units("b", &["4", "5"]).await;
    let cut = |skip, limit| UnitQuery {
        skip,
        limit,
        ..UnitQuery::default()
    };
    assert_eq!(f.names(&cut(0, Some(4))).await, ["1", "2", "3", "4"]);
    assert_eq!(f.names(&cut(2, Some(2))).await, ["3", "4"]);
    assert_eq!(f.names(&cut(4, None)).await, ["5"]);
    assert_eq!(f.names(&cut(9, None)).await, [""; 0]);
    assert_eq!(f.names(&cut(0, Some(0))).await, [""; 0]);
    assert_eq!(f.store.units_count(&cut(4, Some(1))).await.unwrap(), 5);
}

async fn ids_narrow_the_result(f: Fixture) {
    let a = f.units("a", &["1", "2"]).await;
    let b = f.units("b", &["3"]).await;
    let of = |ids| UnitQuery {
        ids: Some(ids),
        ..UnitQuery::default()
    };
    assert_eq!(
        f.names(&of(vec![b[0], a[1], a[1], UnitId::new()])).await,
        ["2", "3"]
    );
    assert_eq!(f.names(&of(vec![])).await, [""; 0]);
    assert_eq!(f.store.units_count(&of(vec![b[0]])).await.unwrap(), 1);
    let in_repo = UnitQuery {
        repo: Some(REPO),
        ..of(a.clone())
    };
    assert_eq!(f.names(&in_repo).await, [""; 0]);
}

async fn a_projection_brings_only_its_fields(f: Fixture) {
    let new = unit(
        "t",
        "a",
        json!({ "name": "a", "n": null, "deep": { "x": [1] }, "secret": 1 }),
    );
    f.store.units_save(&[new]).await.unwrap();
    let query = UnitQuery {
        fields: Some(vec!["name", "deep", "gone"]),
        ..by_type("t")
    };
    let found = collect(f.store.units_stream(&query).unwrap()).await;
    assert_eq!(
        found[0].unit.doc,
        document(json!({ "name": "a", "deep": { "x": [1] } }))
    );
    let none = collect(
        f.store
            .units_stream(&UnitQuery {
                fields: Some(vec![]),
                ..by_type("t")
            })
            .unwrap(),
    )
    .await;
    assert!(none[0].unit.doc.is_empty());
}

async fn impossible_names_are_refused(f: Fixture) {
    let bad = "x' OR 1=1 --";
    let queries = [
        by_type(bad),
        UnitQuery {
            equals: vec![(bad, vec![json!(1)])],
            ..by_type("t")
        },
        UnitQuery {
            sort: vec![(bad, false)],
            ..by_type("t")
        },
        UnitQuery {
            fields: Some(vec![bad]),
            ..by_type("t")
        },
    ];
    for query in queries {
        assert!(
            matches!(f.store.units_stream(&query), Err(StoreError::BadName(_))),
            "{query:?}"
        );
    }
    assert!(f.store.ensure_unit_indexes(&[("t", bad)]).await.is_err());
    assert!(f.store.ensure_unit_indexes(&[(bad, "t")]).await.is_err());
}

async fn user_metadata_lives_in_the_document(f: Fixture) {
    let ids = f.units("t", &["a"]).await;
    let at = f.later(60);
    f.store
        .unit_set_user_metadata("t", ids[0], &json!({ "k": "v" }))
        .await
        .unwrap();
    let unit = f.store.unit_get("t", ids[0]).await.unwrap().unwrap();
    assert_eq!(
        (&unit.doc["pulp_user_metadata"], unit.last_updated),
        (&json!({ "k": "v" }), at)
    );
    assert_eq!(unit.doc["name"], "a");
    let error = f
        .store
        .unit_set_user_metadata("t", UnitId::new(), &json!({}))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Missing { what: "unit", .. }));
}

async fn a_file_that_arrived_is_noted(f: Fixture) {
    f.repository(REPO).await;
    let new = NewUnit {
        downloaded: false,
        ..unit("t", "a", json!({}))
    };
    let saved = f
        .store
        .units_save(std::slice::from_ref(&new))
        .await
        .unwrap();
    f.add(REPO, "t", &[saved[0].id]).await;
    assert_eq!(
        f.store.repository_units_not_downloaded(REPO).await.unwrap(),
        1
    );
    let blob = Sha256::of(b"bytes");
    f.store.unit_set_blob(saved[0].id, blob, 5).await.unwrap();
    assert_eq!(
        f.store.repository_units_not_downloaded(REPO).await.unwrap(),
        0
    );
    let known = f.store.unit_get("t", saved[0].id).await.unwrap().unwrap();
    assert_eq!(
        (known.blob, known.size, known.downloaded),
        (Some(blob), Some(5), true)
    );
    f.store.units_set_blob_gone(blob).await.unwrap();
    assert_eq!(
        f.store.repository_units_not_downloaded(REPO).await.unwrap(),
        1
    );
    assert!(f.store.unit_set_blob(UnitId::new(), blob, 5).await.is_err());
}

async fn orphans_are_found_and_deleted(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["kept", "lone", "staged", "former"]).await;
    f.add(REPO, "t", &[ids[0], ids[3]]).await;
    let task = f.task().await;
    task.stage_remove(&[(ids[3], "t")]).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    let staging = f.task().await;
    staging.stage_add(&[(ids[2], "t")]).await.unwrap();
    let orphans = collect(f.store.units_orphans_stream(None)).await;
    assert_eq!(
        orphans.iter().map(|unit| unit.id).collect::<Vec<_>>(),
        [ids[1], ids[3]]
    );
    assert!(
        collect(f.store.units_orphans_stream(Some("other")))
            .await
            .is_empty()
    );
    let mut gone = f.store.units_delete_orphans(&ids).await.unwrap();
    gone.sort();
    assert_eq!(gone, [ids[1], ids[3]]);
    assert_eq!(
        names(&collect(f.store.units_stream(&by_type("t")).unwrap()).await),
        ["kept", "staged"]
    );
}

async fn a_replaced_unit_is_no_orphan_and_goes_when_nothing_served_needs_it(f: Fixture) {
    f.repository(REPO).await;
    let distributor = distributor(REPO, "d", f.now());
    f.store.distributor_create(&distributor).await.unwrap();
    let file = |v: i64| NewUnit {
        blob: Some(Sha256::of(b"file")),
        size: Some(4),
        downloaded: false,
        ..unit("t", "a", json!({ "v": v }))
    };
    let saved = f.store.units_save(&[file(1), file(2)]).await.unwrap();
    let [one, two] = [saved[0].id, saved[1].id];
    let orphans = async || f.store.units_orphans_count().await.unwrap();
    let publish = async |version| {
        let new = NewPublication {
            repo_version: version,
            ..publication(REPO, b"index")
        };
        let published = f.store.publication_commit(&new, &[], [], f.now()).await;
        published.unwrap();
    };
    assert_eq!(orphans().await["t"], 2);
    f.add(REPO, "t", &[one]).await;
    publish(1).await;
    f.add(REPO, "t", &[two]).await;
    assert!(orphans().await.is_empty());
    assert!(!f.store.unit_is_orphan("t", one).await.unwrap());
    assert_eq!(f.store.units_delete_orphans(&[one]).await.unwrap(), []);
    let gone = f.store.units_delete_replaced().await.unwrap();
    assert_eq!(gone, 0, "what is published may promise it");
    publish(2).await;
    assert_eq!(f.store.units_delete_replaced().await.unwrap(), 1);
    assert_eq!(f.store.unit_get("t", one).await.unwrap(), None);
    assert!(f.store.unit_get("t", two).await.unwrap().is_some());
}

async fn what_clients_note_while_another_unit_is_staged_goes_along(f: Fixture) {
    f.repository(REPO).await;
    let said = |v: i64| unit("t", "a", json!({ "name": "a", "v": v }));
    let one = f.store.units_save(&[said(1)]).await.unwrap()[0].id;
    f.add(REPO, "t", &[one]).await;
    let task = f.task().await;
    let two = task.units_save_staged(&[said(2)], &[]).await.unwrap()[0].id;
    f.later(1);
    let noted = json!({ "mine": true });
    let set = f.store.unit_set_user_metadata("t", one, &noted).await;
    set.unwrap();
    task.content_commit(REPO, f.later(1)).await.unwrap();
    let unit = f.store.unit_get("t", two).await.unwrap().unwrap();
    assert_eq!(
        (&unit.doc["v"], &unit.doc["pulp_user_metadata"]),
        (&json!(2), &noted)
    );
}

async fn a_listing_shows_one_version_of_the_repository(f: Fixture) {
    f.repository(REPO).await;
    let said = |v: i64| -> Vec<NewUnit> {
        let all = 0..1300;
        all.map(|n| {
            unit(
                "t",
                &n.to_string(),
                json!({ "name": n.to_string(), "v": v }),
            )
        })
        .collect()
    };
    let first = f.store.units_save(&said(1)).await.unwrap();
    let first: Vec<UnitId> = first.iter().map(|unit| unit.id).collect();
    f.add(REPO, "t", &first).await;
    let query = UnitQuery {
        repo: Some(REPO),
        ..by_type("t")
    };
    let mut stream = f.store.units_stream(&query).unwrap();
    let mut seen: Vec<UnitId> = Vec::new();
    let page = stream.try_next().await.unwrap().unwrap();
    seen.extend(page.iter().map(|unit| unit.unit.id));
    let task = f.task().await;
    task.units_save_staged(&said(2), &[]).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    while let Some(page) = stream.try_next().await.unwrap() {
        seen.extend(page.iter().map(|unit| unit.unit.id));
    }
    assert_eq!(seen, first);
    let now = collect(f.store.units_stream(&query).unwrap()).await;
    assert_eq!(now.len(), 1300);
    assert!(now.iter().all(|unit| unit.unit.doc["v"] == 2));
}

async fn a_document_that_spreads_reaches_what_has_it_and_what_is_about_to(f: Fixture) {
    for repo in [REPO, "copy", "soon", "own"] {
        f.repository(repo).await;
    }
    let said = |v: i64| unit("t", "a", json!({ "name": "a", "v": v }));
    let saved = f.store.units_save(&[said(1), said(3)]).await.unwrap();
    let (one, own) = (saved[0].id, saved[1].id);
    for (repo, id) in [(REPO, one), ("copy", one), ("own", own)] {
        f.add(repo, "t", &[id]).await;
    }
    let copying = f.task().await;
    copying.stage_add(&[(one, "t")]).await.unwrap();
    let task = f.task().await;
    let two = task.units_save_staged(&[said(2)], &[]).await.unwrap()[0].id;
    task.documents_spread(REPO, f.later(1)).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    copying.content_commit("soon", f.now()).await.unwrap();
    let memberships = f.store.unit_memberships(&[one, two, own]).await.unwrap();
    let mut has = memberships[&two].clone();
    has.sort();
    assert_eq!(has, ["copy", REPO, "soon"]);
    assert_eq!(memberships.get(&one), None);
    assert_eq!(memberships[&own], ["own"]);
    let copy = f.store.repository_get("copy").await.unwrap().unwrap();
    assert_eq!((copy.version, copy.last_unit_added), (2, Some(f.now())));
    assert_eq!(
        f.store.repository_unit_counts("copy").await.unwrap()["t"],
        1
    );
}

async fn of_several_units_of_one_key_the_last_that_was_staged_comes(f: Fixture) {
    let said = |v: i64| unit("t", "a", json!({ "name": "a", "v": v }));
    let other = unit("t", "b", json!({ "name": "b", "v": 0 }));
    let foreign = f.store.units_save(&[said(9)]).await.unwrap()[0].id;
    let batches: [&[NewUnit]; 4] = [
        &[said(1), said(2), other.clone()],
        &[said(1)],
        std::slice::from_ref(&other),
        &[said(3), said(4)],
    ];
    for (last, expected) in [2, 1, 1, 4].into_iter().enumerate() {
        let repo = format!("{REPO}{last}");
        f.repository(&repo).await;
        let task = f.task().await;
        for units in &batches[..=last] {
            let saved = task.units_save_staged(units, &[]).await.unwrap();
            assert_eq!(saved.len(), units.len());
            assert!(
                saved
                    .iter()
                    .zip(*units)
                    .all(|(saved, unit)| { saved.lone == (unit.key_digest == other.key_digest) })
            );
        }
        task.content_commit(&repo, f.now()).await.unwrap();
        let query = UnitQuery {
            repo: Some(&repo),
            ..by_type("t")
        };
        let has = collect(f.store.units_stream(&query).unwrap()).await;
        let mut has: Vec<_> = has.iter().map(|one| one.unit.doc["v"].clone()).collect();
        has.sort_by_key(Value::as_i64);
        assert_eq!(has, [json!(0), json!(expected)]);
    }
    f.repository(REPO).await;
    let task = f.task().await;
    task.stage_add(&[(foreign, "t")]).await.unwrap();
    let two = task.units_save_staged(&[said(2)], &[]).await.unwrap()[0].id;
    task.content_commit(REPO, f.now()).await.unwrap();
    let memberships = f.store.unit_memberships(&[foreign, two]).await.unwrap();
    assert!(memberships[&two].contains(&REPO.to_owned()));
    assert_eq!(memberships.get(&foreign), None);
}

async fn an_empty_save_is_no_work(f: Fixture) {
    assert!(f.store.units_save(&[]).await.unwrap().is_empty());
    let known = f.task().await.units_known(REPO, "t", &[]).await;
    assert!(known.unwrap().is_empty());
    assert!(f.store.unit_parts(&[], &["a"]).await.unwrap().is_empty());
}
