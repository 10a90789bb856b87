//! The speed with which units are saved, staged, committed, streamed and found: `save_units URL [UNITS]`.
//!
//! The units look like packages: a document of about 3 KB, and parts of 1 KB and 0.5 KB.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use pith_core::{Clock, Document, ObjectId, Sha256, SystemClock, TaskId};
use pith_store::{NewTask, NewUnit, Repository, Store, TaskStore, UnitQuery};
use serde_json::json;

const BATCH: usize = 500;

fn package(number: usize) -> NewUnit {
    let requires: Vec<_> = (0..24)
        .map(|at| json!({ "name": format!("lib{number}-{at}.so()(64bit)"), "flags": "GE", "epoch": "0", "version": "1.2" }))
        .collect();
    let doc = json!({
        "name": format!("package-{number}"), "epoch": "0", "version": "1.0", "release": "1.fc40", "arch": "x86_64",
        "checksum": Sha256::of(&number.to_le_bytes()).to_string(), "checksumtype": "sha256",
        "summary": "A package", "description": "Text. ".repeat(60), "requires": requires, "provides": [],
        "size": 4096 + number,
    });
    NewUnit {
        type_id: "rpm".to_owned(),
        key_digest: Sha256::of(format!("key {number}").as_bytes()),
        said: Sha256::of(b"said"),
        site: Sha256([0; 32]),
        doc: doc.as_object().cloned().unwrap_or_default(),
        blob: Some(Sha256::of(&number.to_be_bytes())),
        size: Some(4096),
        downloaded: true,
        parts: vec![
            ("filelists".to_owned(), vec![number as u8; 1024]),
            ("other".to_owned(), vec![1; 512]),
        ],
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("usage: save_units URL [UNITS]")?;
    let count: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let store = Store::connect(&url, Arc::new(SystemClock)).await?;
    let repo = format!("bench-{}", ObjectId::new(SystemClock.now()));
    store
        .repository_create(&Repository {
            id: repo.clone(),
            oid: ObjectId::new(store.now()),
            display_name: None,
            description: None,
            notes: Document::new(),
            scratchpad: Document::new(),
            last_unit_added: None,
            last_unit_removed: None,
            version: 0,
        })
        .await?;
    store
        .ensure_unit_indexes(&[("rpm", "name"), ("rpm", "checksum")])
        .await?;
    let units: Vec<NewUnit> = (0..count).map(package).collect();
    println!(
        "document: {} bytes",
        serde_json::to_string(&units[0].doc)?.len()
    );

    let task = running_task(&store).await?;
    let start = Instant::now();
    let mut saved = Vec::with_capacity(count);
    for batch in units.chunks(BATCH) {
        saved.extend(task.units_save_staged(batch, &[]).await?);
    }
    report("save and stage", start, count);

    let start = Instant::now();
    for batch in units.chunks(BATCH) {
        task.units_save_staged(batch, &[]).await?;
    }
    report("save and stage again", start, count);
    let staged: Vec<_> = saved.iter().map(|unit| (unit.id, "rpm")).collect();
    let start = Instant::now();
    let query = UnitQuery {
        repo: Some(&repo),
        type_ids: vec!["rpm"],
        ..UnitQuery::default()
    };
    let after: Vec<_> = task
        .units_stream_after(&query)?
        .try_collect::<Vec<_>>()
        .await?
        .concat();
    report("stream what will be", start, after.len());
    let start = Instant::now();
    let committed = task.content_commit(&repo, store.now()).await?;
    report("commit", start, usize::try_from(committed.added)?);

    let start = Instant::now();
    let all: Vec<_> = store
        .units_stream(&query)?
        .try_collect::<Vec<_>>()
        .await?
        .concat();
    report("stream whole", start, all.len());
    let few = UnitQuery {
        fields: Some(vec!["name"]),
        parts: vec!["filelists"],
        ..query.clone()
    };
    let start = Instant::now();
    let all: Vec<_> = store
        .units_stream(&few)?
        .try_collect::<Vec<_>>()
        .await?
        .concat();
    report("stream one field and one part", start, all.len());
    store.analyze().await?;

    let start = Instant::now();
    for number in 0..1000 {
        let name = json!(format!("package-{}", number * 7 % count));
        let query = UnitQuery {
            equals: vec![("name", vec![name])],
            ..query.clone()
        };
        store.units_stream(&query)?.try_collect::<Vec<_>>().await?;
    }
    report("find by name in the repository", start, 1000);
    let task = running_task(&store).await?;
    task.stage_remove(&staged[..1]).await?;
    let start = Instant::now();
    task.content_commit(&repo, store.now()).await?;
    report("commit of one removal", start, 1);
    store.close().await;
    Ok(())
}

fn report(what: &str, start: Instant, count: usize) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:32} {count:7} in {:8.1} ms", seconds * 1000.0);
}

/// A task that runs, for what is staged.
async fn running_task(store: &Store) -> Result<TaskStore> {
    let new = NewTask {
        id: TaskId::new(),
        kind: "example".to_owned(),
        args: serde_json::Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    store.task_enqueue(&new).await?;
    let claimed = store.task_claim("example", store.now()).await?;
    Ok(store.for_task(claimed.context("no task waits")?.fence()))
}
