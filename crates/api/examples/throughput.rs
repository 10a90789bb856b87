//! The number of requests a second that the API answers, without a socket in between: `cargo run --release --example throughput`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pith_blobs::{Blobs, StorageUrl};
use pith_content::descriptor::KeyField;
use pith_content::{ContentType, Distributor, Importer, UnitKey, UnitType};
use pith_core::{Sha256, SystemClock, TaskId};
use pith_engine::{Engine, Registry};
use pith_fetch::{FetchPolicy, Fetcher};
use pith_pulp::{Pulp, auth};
use pith_store::{NewTask, NewUnit, Store, TaskStore};
use serde_json::{Value, json};
use tower::ServiceExt;

const PACKAGE: UnitType = UnitType {
    id: "package",
    key: &[KeyField::same("name"), KeyField::same("version")],
    indexed: &["name"],
    file_backed: true,
    ..UnitType::PLAIN
};

struct Packages;

impl ContentType for Packages {
    fn name(&self) -> &'static str {
        "packages"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const TYPES: &[UnitType] = &[PACKAGE];
        TYPES
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        Vec::new()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }
}

fn package(number: u32) -> NewUnit {
    let requires: Vec<Value> = (0..12)
        .map(|n| json!({"name": format!("lib{n}"), "flags": null, "epoch": null, "version": null, "release": null}))
        .collect();
    let doc = json!({
        "name": format!("package-{number:05}"), "version": "1.0", "release": "1", "epoch": "0", "arch": "noarch",
        "checksum": "d54b6556361036b0d572c6b72a18d8644ceb43617f9538933d47e7ebbcae1742", "checksumtype": "sha256",
        "summary": "A package", "description": "A package that does nothing. ".repeat(8), "license": "MIT",
        "requires": requires, "provides": [{"name": "package", "flags": "EQ", "epoch": "0", "version": "1.0"}],
        "files": {"dir": [], "file": ["/usr/bin/a", "/usr/share/doc/a"]}, "size": 2517, "time": 1_795_320_541,
    });
    let Value::Object(doc) = doc else {
        unreachable!()
    };
    NewUnit {
        type_id: "package".to_owned(),
        key_digest: UnitKey::of(&PACKAGE, &doc).unwrap().digest(&PACKAGE),
        said: Sha256::of(b"said"),
        site: Sha256([0; 32]),
        doc,
        blob: None,
        size: None,
        downloaded: false,
        parts: Vec::new(),
    }
}

async fn call(router: &Router, method: &str, path: &str, body: String) -> usize {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(
            "Authorization",
            format!("Basic {}", STANDARD.encode("admin:admin")),
        )
        .body(Body::from(body))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert!(
        response.status().is_success(),
        "{path}: {}",
        response.status()
    );
    axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap()
        .len()
}

async fn measure(
    router: &Router,
    name: &str,
    method: &'static str,
    path: &'static str,
    body: &Value,
) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let size = call(router, method, path, body.clone()).await;
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..16 {
        let (router, body) = (router.clone(), body.clone());
        tasks.push(tokio::spawn(async move {
            let mut done = 0u32;
            while start.elapsed() < Duration::from_secs(3) {
                call(&router, method, path, body.clone()).await;
                done += 1;
            }
            done
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    let rate = f64::from(done) / start.elapsed().as_secs_f64();
    println!("{name}: {rate:.0} req/s of {size} bytes");
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock);
    let url = format!("sqlite://{}/pith.db", folder.path().display());
    let store = Store::connect(&url, clock.clone()).await.unwrap();
    let storage = StorageUrl::default_in(folder.path());
    let blobs = Blobs::open(&storage, folder.path()).await.unwrap();
    auth::ensure_first_admin(&store, clock.as_ref(), Some("admin".to_owned()))
        .await
        .unwrap();
    store
        .ensure_unit_indexes(&[("package", "name")])
        .await
        .unwrap();
    let fetcher = Fetcher::new(FetchPolicy::default());
    let registry = Registry::new(vec![Arc::new(Packages)]).unwrap();
    let engine = Arc::new(Engine::new(store, blobs, fetcher, registry, clock, "host"));
    let pulp = Arc::new(Pulp::new(Arc::clone(&engine)));
    let router = pith_api::Api::new(pulp).router();
    call(
        &router,
        "POST",
        "/pulp/api/v2/repositories/",
        json!({"id": "r"}).to_string(),
    )
    .await;
    let units: Vec<NewUnit> = (0..10_000).map(package).collect();
    let task = running_task(&engine.store).await;
    task.units_save_staged(&units, &[]).await.unwrap();
    task.content_commit("r", engine.store.now()).await.unwrap();

    let search = "/pulp/api/v2/repositories/r/search/units/";
    let by = |filter: Value, limit: u32| json!({"criteria": {"filters": {"unit": filter}, "limit": limit}});
    measure(
        &router,
        "read a repository",
        "GET",
        "/pulp/api/v2/repositories/r/",
        &Value::Null,
    )
    .await;
    measure(
        &router,
        "status",
        "GET",
        "/pulp/api/v2/status/",
        &Value::Null,
    )
    .await;
    measure(
        &router,
        "100 units, all fields",
        "POST",
        search,
        &json!({"criteria": {"limit": 100}}),
    )
    .await;
    let exact = by(json!({"name": "package-07777"}), 10);
    measure(&router, "exact name in 10k", "POST", search, &exact).await;
    let part = by(json!({"name": {"$regex": "0777"}}), 100);
    measure(&router, "substring in 10k", "POST", search, &part).await;
}

/// A task that runs, for what is staged.
async fn running_task(store: &Store) -> TaskStore {
    let new = NewTask {
        id: TaskId::new(),
        kind: "example".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    store.task_enqueue(&new).await.unwrap();
    let claimed = store.task_claim("example", store.now()).await;
    let claimed = claimed.unwrap().unwrap();
    store.for_task(claimed.fence())
}
