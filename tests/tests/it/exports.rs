//! Repositories that are exported: what a client finds in the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::tools::{is_root, missing, run, sample_repo};
use pith_e2e::{Api, Dnf, Feed, Pith};
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dnf::SAMPLE;

/// A server that may export to a folder, with the sample repository synced as `sample`.
struct Scene {
    server: Pith,
    api: Api,
    feed: Feed,
    open: TempDir,
}

impl Scene {
    fn start() -> Self {
        let open = tempfile::tempdir().unwrap();
        let folder = open.path().to_str().unwrap();
        let server = Pith::start_with(&["--allow-exports-to", folder]).unwrap();
        let feed = Feed::of(&sample_repo()).unwrap();
        let api = server.api().unwrap();
        let scene = Self {
            server,
            api,
            feed,
            open,
        };
        scene.repository("sample", &json!({"feed": scene.feed.url("/feed/")}));
        scene
    }

    /// A synced repository with an export distributor.
    fn repository(&self, id: &str, importer: &Value) {
        self.api.create_rpm_with(id, importer).unwrap();
        self.api.sync(id).unwrap();
        let body = json!({
            "distributor_id": "export", "distributor_type_id": "export_distributor",
            "distributor_config": {"http": true, "https": false},
        });
        let path = format!("/repositories/{id}/distributors/");
        let made = self.api.call("POST", &path, Some(&body)).unwrap();
        made.expect(201).unwrap();
    }

    fn dir(&self) -> &str {
        self.open.path().to_str().unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.open.path().join(path)
    }

    /// Exports a repository with these settings for once; the task.
    fn export(&self, id: &str, settings: &Value) -> Value {
        let body = json!({"id": "export", "override_config": settings});
        let path = format!("/repositories/{id}/actions/publish/");
        let tasks = self.api.spawn(&path, &body).unwrap();
        self.api.wait(&tasks).unwrap().remove(0)
    }

    fn exported(&self, id: &str, settings: &Value) {
        let task = self.export(id, settings);
        assert_eq!(task["state"], "finished", "{task:#}");
        assert_eq!(task["result"]["result"], "success", "{task:#}");
    }
}

/// The files below a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().to_owned();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(
                files(&entry.path())
                    .iter()
                    .map(|below| format!("{name}/{below}")),
            ),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

#[test]
fn dnf_installs_from_the_folder_that_a_repository_was_exported_to() {
    if missing(&["dnf", "rpm"]) {
        return;
    }
    let scene = Scene::start();
    let to = json!({"export_dir": scene.dir(), "relative_url": "os/1/sample"});
    scene.exported("sample", &to);
    assert_eq!(
        fs::read_to_string(scene.at("os/1/listing")).unwrap(),
        "sample"
    );
    assert_eq!(fs::read_to_string(scene.at("listing")).unwrap(), "os");
    let dnf = Dnf::new(&format!("file://{}/os/1/sample", scene.dir())).unwrap();
    assert_eq!(dnf.packages().unwrap(), SAMPLE);
    if is_root() {
        dnf.install(&["greet"]).unwrap();
        assert_eq!(dnf.installed().unwrap()[0], "greet-1.2-1");
    }
    // Again, in the place of the one before; nobody is served anything.
    scene.exported("sample", &to);
    assert_eq!(dnf.packages().unwrap(), SAMPLE);
    let (status, _) = scene
        .api
        .raw("GET", "/pulp/exports/repos/sample/", None)
        .unwrap();
    assert_eq!(status, 404);
}

#[test]
fn an_export_that_fails_leaves_the_folder_as_it_was() {
    let scene = Scene::start();
    let to = json!({"export_dir": scene.dir()});
    scene.exported("sample", &to);
    let before = files(scene.open.path());
    assert!(
        before.contains(&"sample/repodata/repomd.xml".to_owned()),
        "{before:?}"
    );
    let more = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 3,
        ..Spec::default()
    };
    write_repository(more.path(), &spec).unwrap();
    scene.feed.serve("/more/", more.path());
    let change = json!({"importer_config": {"feed": scene.feed.url("/more/"), "download_policy": "on_demand"}});
    let path = "/repositories/sample/importers/yum_importer/";
    let answer = scene.api.call("PUT", path, Some(&change)).unwrap();
    let answer = answer.expect(202).unwrap();
    let task = answer["spawned_tasks"][0]["task_id"].as_str().unwrap();
    scene.api.wait(&[task.to_owned()]).unwrap();
    scene.api.sync("sample").unwrap();
    let task = scene.export("sample", &to);
    assert_eq!(task["error"]["code"], "PLP0045", "{task:#}");
    let missing = task["error"]["data"]["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 3, "{task:#}");
    assert_eq!(files(scene.open.path()), before);
    // Somebody's own folder is nobody's place.
    fs::create_dir(scene.at("mine")).unwrap();
    fs::write(scene.at("mine/letter"), "dear").unwrap();
    scene.repository("mine", &json!({"feed": scene.feed.url("/feed/")}));
    let task = scene.export("mine", &to);
    assert_eq!(task["state"], "error", "{task:#}");
    assert_eq!(files(&scene.at("mine")), ["letter"]);
    assert!(scene.server.leftovers().unwrap().is_empty());
}

/// The names of the images of an export that is served, from its manifest, whose lines are checked.
fn images(scene: &Scene, below: &str) -> Vec<String> {
    let manifest = scene
        .api
        .download(&format!("{below}PULP_MANIFEST"))
        .unwrap();
    let manifest = String::from_utf8(manifest).unwrap();
    let mut images = Vec::new();
    for line in manifest.lines() {
        let [name, digest, size] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let bytes = scene.api.download(&format!("{below}{name}")).unwrap();
        assert_eq!(sha256(&bytes), digest);
        assert_eq!(bytes.len().to_string(), size);
        if name.ends_with(".DIGESTS") {
            let told = String::from_utf8(bytes).unwrap();
            assert_eq!(told.lines().count(), 6, "{told}");
        } else {
            fs::write(scene.at(name), bytes).unwrap();
            images.push(name.to_owned());
        }
    }
    images
}

#[test]
fn dnf_installs_from_images_that_were_unpacked() {
    if missing(&["dnf", "rpm", "bsdtar", "xorriso"]) {
        return;
    }
    let scene = Scene::start();
    scene.exported("sample", &json!({"manifest": true, "iso_prefix": "one"}));
    let whole = images(&scene, "/pulp/exports/repos/sample/");
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert!(
        whole[0].starts_with("one-20") && whole[0].ends_with("-01.iso"),
        "{whole:?}"
    );
    // The smallest images: packages lie in several, and together they are the repository.
    let large = scene.feed.url("/large/");
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 40,
        payload: 100_000,
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    scene.feed.serve("/large/", folder.path());
    scene.repository("large", &json!({"feed": large}));
    scene.exported("large", &json!({"manifest": true, "iso_size": 1}));
    let several = images(&scene, "/pulp/exports/repos/large/");
    assert!(several.len() > 1, "{several:?}");
    for (repo, images, count) in [("sample", &whole, SAMPLE.len()), ("large", &several, 40)] {
        let to = scene.at(&format!("unpacked-{repo}"));
        fs::create_dir(&to).unwrap();
        for image in images {
            assert!(repo == "sample" || fs::metadata(scene.at(image)).unwrap().len() <= 1 << 20);
            let mut tar = Command::new("bsdtar");
            tar.arg("-xf").arg(scene.at(image)).arg("-C").arg(&to);
            run(&mut tar).unwrap();
            let mut xorriso = Command::new("xorriso");
            xorriso
                .arg("-indev")
                .arg(scene.at(image))
                .args(["-find", "/", "-type", "f"]);
            assert!(run(&mut xorriso).unwrap().contains(&format!("/{repo}/")));
        }
        let dnf = Dnf::new(&format!("file://{}", to.join(repo).display())).unwrap();
        assert_eq!(dnf.packages().unwrap().len(), count);
        let all: Vec<String> = files(&to)
            .into_iter()
            .filter(|name| name.ends_with(".rpm"))
            .collect();
        assert_eq!(all.len(), count);
        if is_root() && repo == "sample" {
            dnf.install(&["greet"]).unwrap();
        }
    }
    // Nothing has changed, so nothing is written again unless somebody insists.
    let again = scene.export("large", &json!({"manifest": true, "iso_size": 1}));
    assert_eq!(again["result"]["result"], "skipped");
    scene.exported(
        "large",
        &json!({"manifest": true, "iso_size": 1, "force_full": true}),
    );
}

#[test]
fn what_came_in_a_time_is_exported_as_files_with_documents_or_as_a_repository() {
    let scene = Scene::start();
    let of = |name: &str, more: Value| {
        let mut settings = json!({"export_dir": scene.dir(), "relative_url": name});
        let settings_map = settings.as_object_mut().unwrap();
        settings_map.extend(more.as_object().unwrap().clone());
        scene.exported("sample", &settings);
        files(&scene.at(name))
    };
    let since = json!({"start_date": "2001-01-01T00:00:00Z"});
    let all = of("all", since.clone());
    let ending = |all: &[String], ending: &str| all.iter().filter(|n| n.ends_with(ending)).count();
    assert_eq!(ending(&all, ".rpm"), SAMPLE.len(), "{all:?}");
    assert_eq!(
        ending(&all, ".json"),
        SAMPLE.len() + 1,
        "an advisory too: {all:?}"
    );
    assert!(!all.iter().any(|name| name.starts_with("repodata/")));
    let document = fs::read(scene.at("all/greet-1.2-1.noarch.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["unit_key"]["name"], "greet");
    assert_eq!(document["unit_metadata"]["version"], "1.2");
    assert!(document["unit_metadata"].get("repodata").is_none());

    let none = of("none", json!({"end_date": "2001-01-01T00:00:00Z"}));
    assert_eq!(
        ending(&none, ".rpm") + ending(&none, ".json"),
        0,
        "{none:?}"
    );

    let mut whole = since;
    whole["incremental_export_repomd"] = true.into();
    let whole = of("whole", whole);
    assert_eq!(ending(&whole, ".rpm"), SAMPLE.len(), "{whole:?}");
    assert_eq!(ending(&whole, "repodata/repomd.xml"), 1);
    let empty = json!({"end_date": "2001-01-01T00:00:00Z", "incremental_export_repomd": true});
    let empty = of("empty", empty);
    assert_eq!(ending(&empty, ".rpm"), 0);
    if !missing(&["dnf"]) {
        for (name, expected) in [("whole", &SAMPLE[..]), ("empty", &[])] {
            let dnf = Dnf::new(&format!("file://{}/{name}", scene.dir())).unwrap();
            assert_eq!(dnf.packages().unwrap(), expected);
        }
    }
}

#[test]
fn digests_of_an_export_are_those_that_were_asked_for() {
    let scene = Scene::start();
    let settings = json!({
        "export_dir": scene.dir(), "checksum_type": "sha512", "updateinfo_checksum_type": "sha256",
    });
    scene.exported("sample", &settings);
    let repomd = fs::read_to_string(scene.at("sample/repodata/repomd.xml")).unwrap();
    assert!(
        repomd.contains("type=\"sha512\"") && !repomd.contains("type=\"sha256\""),
        "{repomd}"
    );
    let read = |path: &str| Ok(fs::read(scene.at("sample").join(path))?);
    let metadata = Repodata::read(read).unwrap();
    let advisories = metadata.document("updateinfo").unwrap().canonical();
    assert!(
        advisories.contains("sha256") && !advisories.contains("sha512"),
        "{advisories}"
    );
}

#[test]
fn a_clone_serves_what_another_repository_has_published() {
    let scene = Scene::start();
    scene.api.publish("sample").unwrap();
    scene
        .api
        .create_rpm("clone", "http://127.0.0.1:9/")
        .unwrap();
    let body = json!({
        "distributor_id": "clone_clone", "distributor_type_id": "yum_clone_distributor",
        "distributor_config": {"destination_distributor_id": "yum_distributor"},
    });
    let made = scene
        .api
        .call("POST", "/repositories/clone/distributors/", Some(&body));
    made.unwrap().expect(201).unwrap();
    let clone = |source: &str| {
        let settings =
            json!({"source_repo_id": source, "source_distributor_id": "yum_distributor"});
        let body = json!({"id": "clone_clone", "override_config": settings});
        let tasks = scene
            .api
            .spawn("/repositories/clone/actions/publish/", &body);
        scene.api.wait(&tasks.unwrap()).unwrap().remove(0)
    };
    let unpublished = clone("clone");
    assert_eq!(unpublished["state"], "error", "{unpublished:#}");
    assert_eq!(clone("none")["error"]["code"], "PLP0009");
    let made = clone("sample");
    assert_eq!(made["result"]["result"], "success", "{made:#}");
    assert_eq!(made["result"]["distributor_id"], "clone_clone");
    let repomd = |repo: &str| {
        let path = format!("/pulp/repos/{repo}/repodata/repomd.xml");
        scene.api.download(&path).unwrap()
    };
    assert_eq!(repomd("clone"), repomd("sample"), "the very same metadata");
    if !missing(&["dnf"]) {
        let dnf = Dnf::new(&scene.server.url("/pulp/repos/clone/")).unwrap();
        assert_eq!(dnf.packages().unwrap(), SAMPLE);
    }
    assert_eq!(clone("sample")["result"]["result"], "skipped");
    // What the source publishes later shows when it is cloned again, and what it no longer has stays until then.
    let before = repomd("clone");
    let filters =
        json!({"criteria": {"type_ids": ["rpm"], "filters": {"unit": {"name": "greet"}}}});
    let remove = "/repositories/sample/actions/unassociate/";
    scene.api.run(remove, &filters).unwrap();
    scene
        .api
        .run(
            "/repositories/sample/actions/publish/",
            &json!({"id": "yum_distributor"}),
        )
        .unwrap();
    assert_eq!(repomd("clone"), before);
    scene
        .api
        .download("/pulp/repos/clone/Packages/g/greet-1.2-1.noarch.rpm")
        .unwrap();
    assert_eq!(clone("sample")["result"]["result"], "success");
    assert_eq!(repomd("clone"), repomd("sample"));
    // Its own distributor publishes its own content, though nothing has changed there.
    let own = json!({"id": "yum_distributor"});
    let own = scene
        .api
        .run("/repositories/clone/actions/publish/", &own)
        .unwrap();
    assert_eq!(own["result"]["result"], "success");
    assert_ne!(repomd("clone"), repomd("sample"));
}

#[test]
fn a_group_is_exported_to_a_folder_and_as_images() {
    let scene = Scene::start();
    scene.repository("other", &json!({"feed": scene.feed.url("/feed/")}));
    let of_type = json!({"delta": {"notes": {"_repo-type": "rpm-repo"}}});
    for repo in ["sample", "other"] {
        let path = format!("/repositories/{repo}/");
        scene
            .api
            .call("PUT", &path, Some(&of_type))
            .unwrap()
            .expect(200)
            .unwrap();
    }
    let change = json!({"distributor_config": {"relative_url": "os/other"}});
    let path = "/repositories/other/distributors/export/";
    let answer = scene
        .api
        .call("PUT", path, Some(&change))
        .unwrap()
        .expect(202)
        .unwrap();
    let task = answer["spawned_tasks"][0]["task_id"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.api.wait(&[task]).unwrap();
    let group = json!({
        "id": "all", "repo_ids": ["sample", "other"],
        "distributors": [{
            "distributor_id": "export", "distributor_type_id": "group_export_distributor",
            "distributor_config": {"http": true, "https": false},
        }],
    });
    let made = scene
        .api
        .call("POST", "/repo_groups/", Some(&group))
        .unwrap();
    made.expect(201).unwrap();
    let export = |settings: Value| {
        let body = json!({"id": "export", "override_config": settings});
        let tasks = scene.api.spawn("/repo_groups/all/actions/publish/", &body);
        scene.api.wait(&tasks.unwrap()).unwrap().remove(0)
    };
    let task = export(json!({"export_dir": scene.dir(), "relative_url": "group"}));
    assert_eq!(task["state"], "finished", "{task:#}");
    let steps = &task["progress_report"]["group_export_distributor"];
    assert_eq!(
        steps[0]["description"], "Exporting Repo: sample",
        "{steps:#}"
    );
    assert_eq!(
        steps[1]["sub_steps"][2]["num_success"],
        SAMPLE.len(),
        "{steps:#}"
    );
    assert_eq!(
        fs::read_to_string(scene.at("group/listing")).unwrap(),
        "os\nsample"
    );
    let task = export(json!({"manifest": true}));
    assert_eq!(task["state"], "finished", "{task:#}");
    let images = images(&scene, "/pulp/exports/repo_group/all/");
    assert_eq!(images.len(), 1);
    if !missing(&["dnf", "bsdtar"]) {
        let to = scene.at("unpacked");
        fs::create_dir(&to).unwrap();
        let mut tar = Command::new("bsdtar");
        tar.arg("-xf").arg(scene.at(&images[0])).arg("-C").arg(&to);
        run(&mut tar).unwrap();
        for folder in [
            "group/sample",
            "group/os/other",
            "unpacked/sample",
            "unpacked/os/other",
        ] {
            let dnf = Dnf::new(&format!("file://{}/{folder}", scene.dir())).unwrap();
            assert_eq!(dnf.packages().unwrap(), SAMPLE, "{folder}");
        }
    }
    let task = export(json!({"http": "x"}));
    assert_eq!(
        task["error"]["description"],
        "http should be a boolean; got x instead"
    );
    let task = export(json!({"relative_url": "elsewhere"}));
    assert_eq!(task["state"], "error", "{task:#}");
    let removed = scene
        .api
        .call("DELETE", "/repo_groups/all/distributors/export/", None);
    removed.unwrap().expect(200).unwrap();
    let (status, _) = scene
        .api
        .raw("GET", "/pulp/exports/repo_group/all/PULP_MANIFEST", None)
        .unwrap();
    assert_eq!(status, 404);
}

#[test]
fn groups_with_packages_that_are_not_here_or_paths_of_others_are_not_exported() {
    let scene = Scene::start();
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::default()).unwrap();
    scene.feed.serve("/lazy/", folder.path());
    let lazy = json!({"feed": scene.feed.url("/lazy/"), "download_policy": "on_demand"});
    scene.repository("lazy", &lazy);
    let of_type = json!({"delta": {"notes": {"_repo-type": "rpm-repo"}}});
    scene
        .api
        .call("PUT", "/repositories/lazy/", Some(&of_type))
        .unwrap()
        .expect(200)
        .unwrap();
    let with = |id: &str, config: Value| {
        let group = json!({
            "id": id, "repo_ids": ["lazy"],
            "distributors": [{
                "distributor_id": "export", "distributor_type_id": "group_export_distributor",
                "distributor_config": config,
            }],
        });
        scene
            .api
            .call("POST", "/repo_groups/", Some(&group))
            .unwrap()
            .status
    };
    assert_eq!(with("one", json!({"http": true, "https": false})), 201);
    let tasks = scene.api.spawn(
        "/repo_groups/one/actions/publish/",
        &json!({"id": "export"}),
    );
    let task = scene.api.wait(&tasks.unwrap()).unwrap().remove(0);
    assert_eq!(task["error"]["code"], "PLP0046", "{task:#}");
    assert_eq!(task["error"]["data"]["repos"], "lazy");
    assert_eq!(
        with(
            "two",
            json!({"http": true, "https": false, "relative_url": "one/x"})
        ),
        400
    );
    assert_eq!(
        with(
            "three",
            json!({"http": true, "https": false, "export_dir": "/etc"})
        ),
        400
    );
}
