//! The suite that every content type passes: what people expect of repositories, whatever is in them. A type takes part with a
//! sample of an upstream (`pith_testkit::suite`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::join_all;
use pith_content::{ContentType, Distributor, Importer, SettingKind, UnitType};
use pith_core::{Document, Sha256, SignedDuration};
use pith_testkit::notes::Notes;
use pith_testkit::s3;
use pith_testkit::suite::{Edition, Sample, Upload, samples};
use pith_testkit::upstream::Upstream;
use serde_json::{Value, json};

use crate::demonstration::scene::{On, Scene, Setting};

/// The types of this binary, and the demonstration type.
fn types() -> Vec<Arc<dyn ContentType>> {
    let mut all = crate::types::all();
    all.push(Arc::new(Notes));
    all
}

#[test]
fn every_type_takes_part() {
    let families: BTreeSet<&str> = types().iter().map(|one| one.name()).collect();
    let sampled: BTreeSet<&str> = samples().iter().map(|one| one.family()).collect();
    assert_eq!(
        families, sampled,
        "pith_testkit::suite has a sample of each"
    );
}

/// A type that says nothing but its name.
struct Empty;

impl ContentType for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        &[]
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        Vec::new()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_says_nothing_but_its_name_is_served() {
    let setting = Setting {
        types: vec![Arc::new(Empty)],
        arguments: Vec::new(),
    };
    let scene = Scene::start_with(On::Sqlite, setting).await.unwrap();
    let types = scene.api("GET", "/plugins/types/", Value::Null).await;
    assert_eq!(types, json!([]));
    scene.stop().await;
}

#[test]
fn every_setting_is_described() {
    for family in types() {
        let importers = family.importers();
        let distributors = family.distributors();
        let groups = family.group_distributors();
        let descriptors = (importers.iter().map(|one| one.descriptor()))
            .chain(distributors.iter().map(|one| one.descriptor()))
            .chain(groups.iter().map(|one| one.descriptor()));
        for plugin in descriptors {
            assert!(!plugin.display_name.is_empty(), "{}", plugin.id);
            let mut names = BTreeSet::new();
            for setting in plugin.settings() {
                let what = format!("{} of {}", setting.name, plugin.id);
                assert!(names.insert(setting.name), "{what} is there twice");
                assert!(!setting.help.is_empty(), "{what} has no help");
                assert!(!setting.help.ends_with('.'), "{what}: help is no sentence");
                assert!(!setting.help.contains('\n'), "{what}: help is a line");
                let has_choices = matches!(setting.kind, SettingKind::Choice(_));
                let tells = !has_choices || setting.help.contains("(default");
                assert!(tells || !setting.works, "{what}: help tells the default");
                let is_without = setting.help.starts_with("no effect");
                assert_eq!(is_without, !setting.works, "{what}: help says so");
            }
        }
        for unit in family.unit_types() {
            assert!(
                !unit.display_name.is_empty() && !unit.key.is_empty(),
                "{}",
                unit.id
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_and_local_files() {
    prove(On::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_and_s3() {
    prove(On::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_and_local_files() {
    prove(On::Postgres, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_and_s3() {
    prove(On::Postgres, true).await;
}

/// Proves all of it for all types, on one server.
async fn prove(on: On, on_s3: bool) {
    let objects = match on_s3 {
        true => Some(s3::start().await.unwrap()),
        false => None,
    };
    let mut arguments = vec!["--publication-grace=0".to_owned()];
    arguments.extend(
        objects
            .as_ref()
            .map(|s3| format!("--storage={}", s3.storage_url("suite"))),
    );
    let setting = Setting {
        types: types(),
        arguments,
    };
    let Some(scene) = Scene::start_with(on, setting).await else {
        return;
    };
    let upstream = Upstream::start().await.unwrap();
    let samples = samples();
    let lives = samples.iter().map(|sample| Life {
        scene: &scene,
        upstream: &upstream,
        sample: *sample,
    });
    let lives: Vec<Life<'_>> = lives.collect();
    join_all(lives.iter().map(Life::prove)).await;
    what_is_removed_gives_its_space_back(&scene, &lives).await;
    scene.stop().await;
}

/// A type on a server.
struct Life<'a> {
    scene: &'a Scene,
    upstream: &'a Upstream,
    sample: &'a dyn Sample,
}

impl Life<'_> {
    async fn prove(&self) {
        self.offer(Edition::First);
        self.create("mirror", self.sample.importer_config()).await;
        self.sync_twice_adds_nothing().await;
        self.publish("mirror").await;
        self.assert_served("mirror", Edition::First).await;
        self.offer(Edition::Second);
        self.sync("mirror", json!({})).await;
        self.publish_is_atomic().await;
        // What changed upstream under the names of before is what clients get.
        self.assert_served("mirror", Edition::Second).await;
        self.copy_keeps_keys().await;
        self.upload_twice_is_one_unit().await;
        self.deferred_files_are_the_same().await;
    }

    /// The id of a repository of this type.
    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.sample.family())
    }

    fn feed(&self) -> String {
        format!("{}/{}/", self.upstream.url(), self.sample.family())
    }

    fn offer(&self, edition: Edition) {
        for (path, bytes) in self.sample.upstream(edition) {
            let path = format!("/{}/{path}", self.sample.family());
            self.upstream.put(&path, bytes);
        }
    }

    async fn create(&self, name: &str, mut importer: Document) {
        importer.insert("feed".to_owned(), json!(self.feed()));
        let body = json!({
            "id": self.id(name),
            "importer_type_id": self.sample.importer(),
            "importer_config": importer,
            "distributors": [{
                "distributor_type_id": self.sample.distributor(),
                "distributor_id": "main",
                "distributor_config": self.sample.distributor_config(&self.id(name)),
                "auto_publish": false,
            }],
        });
        self.scene.api("POST", "/repositories/", body).await;
    }

    /// Runs an action of a repository; the result of its task.
    async fn act(&self, name: &str, action: &str, body: Value) -> Value {
        let path = format!("/repositories/{}/actions/{action}/", self.id(name));
        let report = self.scene.api("POST", &path, body).await;
        let task = self.scene.ended(&report).await;
        assert_eq!(
            task["state"],
            "finished",
            "{action} of {}: {task:#}",
            self.id(name)
        );
        task["result"].clone()
    }

    async fn sync(&self, name: &str, overriding: Value) -> Value {
        let body = json!({ "override_config": overriding });
        self.act(name, "sync", body).await
    }

    async fn publish(&self, name: &str) {
        self.act(name, "publish", json!({ "id": "main" })).await;
    }

    async fn sync_twice_adds_nothing(&self) {
        let first = self.sync("mirror", json!({})).await;
        assert_ne!(
            first["added_count"],
            0,
            "{}: {first:#}",
            self.sample.family()
        );
        let keys = self.keys("mirror").await;
        for overriding in [json!({}), json!({ "force_full": true })] {
            let again = self.sync("mirror", overriding).await;
            for count in ["added_count", "removed_count"] {
                assert_eq!(again[count], 0, "{}: {again:#}", self.sample.family());
            }
            assert_eq!(self.keys("mirror").await, keys);
        }
    }

    /// Asserts that clients get the files of an edition, and what the entry promises.
    async fn assert_served(&self, name: &str, edition: Edition) {
        let mount = self.sample.mount(&self.id(name));
        for (path, bytes) in self.sample.served(edition) {
            let answer = self.scene.get(&format!("{mount}{path}")).await;
            assert_eq!(answer.status, 200, "{mount}{path}");
            assert!(answer.body == bytes, "{mount}{path} has other bytes");
        }
        self.look(&mount).await;
    }

    /// Reads the entry and everything that it promises, which must be there; returns the entry.
    async fn look(&self, mount: &str) -> String {
        let entry = self
            .scene
            .get(&format!("{mount}{}", self.sample.entry()))
            .await;
        assert_eq!(entry.status, 200, "{mount}: {}", entry.text);
        let promised = self.sample.promised(&entry.text);
        assert!(!promised.is_empty(), "{mount}: {}", entry.text);
        for promise in promised {
            let path = format!("{mount}{}", promise.path);
            let answer = self.scene.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            if let Some(sha256) = promise.sha256 {
                assert_eq!(Sha256::of(&answer.body), sha256, "{path}");
            }
        }
        entry.text
    }

    /// Reads while a publish runs: every client sees what was there before or what is there after, and all of it.
    async fn publish_is_atomic(&self) {
        let mount = self.sample.mount(&self.id("mirror"));
        let entry = format!("{mount}{}", self.sample.entry());
        let before = self.scene.get(&entry).await.text;
        let published = self.publish("mirror");
        tokio::pin!(published);
        let mut seen = BTreeSet::new();
        loop {
            let read = self.scene.get(&entry);
            tokio::select! {
                () = &mut published => break,
                answer = read => seen.insert((answer.status, answer.text)),
            };
        }
        let after = self.look(&mount).await;
        assert_ne!(before, after, "{mount}: another edition was published");
        seen.remove(&(200, before));
        seen.remove(&(200, after));
        assert_eq!(seen, BTreeSet::new(), "{mount}: neither old nor new");
    }

    /// The keys of all units, without what a unit has of its repository.
    async fn keys(&self, name: &str) -> BTreeSet<String> {
        let path = format!("/repositories/{}/search/units/", self.id(name));
        let units = self
            .scene
            .api("POST", &path, json!({ "criteria": {} }))
            .await;
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for kind in self.family().unit_types() {
            let names = kind.key.iter().map(|field| field.name.to_owned());
            let names = names.filter(|name| name != "repo_id");
            fields.insert(kind.id.to_owned(), names.collect());
        }
        let key = |unit: &Value| {
            let kind = unit["unit_type_id"].as_str().unwrap();
            let values = fields[kind]
                .iter()
                .map(|field| unit["metadata"][field].to_string());
            format!("{kind} {}", values.collect::<Vec<_>>().join(" "))
        };
        units.as_array().unwrap().iter().map(key).collect()
    }

    fn family(&self) -> Arc<dyn ContentType> {
        let mut all = types().into_iter();
        all.find(|one| one.name() == self.sample.family()).unwrap()
    }

    async fn copy_keeps_keys(&self) {
        self.create("copy", self.sample.importer_config()).await;
        let body = json!({ "source_repo_id": self.id("mirror") });
        self.act("copy", "associate", body).await;
        let copied = self.keys("copy").await;
        assert_eq!(copied, self.keys("mirror").await);
        assert!(!copied.is_empty());
        self.publish("copy").await;
        self.assert_served("copy", Edition::Second).await;
    }

    async fn upload_twice_is_one_unit(&self) {
        self.create("uploads", Document::new()).await;
        let Upload {
            type_id,
            key,
            bytes,
        } = self.sample.upload();
        for _ in 0..2 {
            let upload = self.scene.api("POST", "/content/uploads/", json!({})).await;
            let id = upload["upload_id"].as_str().unwrap();
            let path = format!("/pulp/api/v2/content/uploads/{id}/0/");
            let written = self.scene.admin("PUT", &path, &bytes).await;
            assert_eq!(written.status, 200, "{}", written.text);
            let import = json!({
                "upload_id": id,
                "unit_type_id": type_id,
                "unit_key": key,
                "unit_metadata": {},
            });
            self.act("uploads", "import_upload", import).await;
            let keys = self.keys("uploads").await;
            assert_eq!(keys.len(), 1, "{}: {keys:?}", self.sample.family());
        }
    }

    async fn deferred_files_are_the_same(&self) {
        let Some(deferring) = self.sample.deferring() else {
            return;
        };
        let mut config = self.sample.importer_config();
        config.extend(deferring);
        self.create("deferred", config).await;
        self.sync("deferred", json!({})).await;
        self.publish("deferred").await;
        self.assert_served("deferred", Edition::Second).await;
        assert_eq!(self.keys("deferred").await, self.keys("mirror").await);
    }

    /// Takes everything out of a repository, and removes it.
    async fn clear(&self, name: &str) {
        self.act(name, "unassociate", json!({ "criteria": {} }))
            .await;
        assert_eq!(self.keys(name).await, BTreeSet::new());
        let path = format!("/repositories/{}/", self.id(name));
        let report = self.scene.api("DELETE", &path, Value::Null).await;
        let task = self.scene.ended(&report).await;
        assert_eq!(task["state"], "finished", "{task:#}");
    }

    /// The digests of all files that it had.
    fn files(&self) -> BTreeSet<Sha256> {
        let editions = [Edition::First, Edition::Second];
        let served = editions
            .iter()
            .flat_map(|edition| self.sample.served(*edition));
        let files = served
            .map(|(_, bytes)| bytes)
            .chain([self.sample.upload().bytes]);
        files.map(|bytes| Sha256::of(&bytes)).collect()
    }
}

async fn what_is_removed_gives_its_space_back(scene: &Scene, lives: &[Life<'_>]) {
    let files: BTreeSet<Sha256> = lives.iter().flat_map(Life::files).collect();
    let engine = scene.engine();
    for life in lives {
        for name in ["mirror", "copy", "uploads", "deferred"] {
            if name != "deferred" || life.sample.deferring().is_some() {
                life.clear(name).await;
            }
        }
    }
    let report = scene.api("DELETE", "/content/orphans/", Value::Null).await;
    let task = scene.ended(&report).await;
    assert_eq!(task["state"], "finished", "{task:#}");
    let orphans = scene.api("GET", "/content/orphans/", Value::Null).await;
    for (kind, left) in orphans.as_object().unwrap() {
        assert_eq!(left["count"], 0, "{kind}");
    }
    // What is condemned in one round is deleted in the next.
    for _ in 0..2 {
        engine.sweep_blobs(SignedDuration::ZERO).await.unwrap();
    }
    for file in files {
        let left = engine.blobs.size(file).await.unwrap();
        assert_eq!(left, None, "{file} is still there");
    }
    // Nor is anything that many small files were kept in.
    let left = engine.blobs.list().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(left, [], "files that nothing needs");
}
