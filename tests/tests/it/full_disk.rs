//! A full disk: reads and serving go on, writes are refused clearly, deleting works, and all is well when there is room again.

use std::ffi::OsString;

use pith_e2e::disk::Disk;
use pith_e2e::repodata::sha256;
use pith_e2e::tools::{Scatter, pause, wait_for};
use pith_e2e::{Api, Feed, Pith};
use serde_json::{Value, json};

/// The number of times that a test fills the disk: `PITH_FULL_DISK_ROUNDS`, or few.
fn rounds(few: usize) -> usize {
    let asked = std::env::var("PITH_FULL_DISK_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// A server and the small disk on which its data lie, which goes away after it.
struct Small {
    server: Pith,
    disk: Disk,
}

fn server(mebibytes: u64, options: &[&str]) -> Option<Small> {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::mount(&folder.path().join("data"), mebibytes).unwrap()?;
    let options: Vec<OsString> = options.iter().map(OsString::from).collect();
    Some(Small {
        server: Pith::start_in(folder, &options).unwrap(),
        disk,
    })
}

fn generation(number: usize, size: usize) -> Vec<(String, Vec<u8>)> {
    let file = |file: usize| {
        let line = format!("generation {number} of file {file}\n");
        let bytes = line.as_bytes().iter().copied().cycle().take(size).collect();
        (format!("file-{file}.bin"), bytes)
    };
    (0..8).map(file).collect()
}

/// Makes sure that what is published is whole.
fn assert_serves(api: &Api, files: &[(String, Vec<u8>)]) {
    let manifest = api.download("/pulp/isos/files/PULP_MANIFEST").unwrap();
    let manifest = String::from_utf8(manifest).unwrap();
    assert_eq!(manifest.lines().count(), files.len());
    for (name, bytes) in files {
        assert!(manifest.contains(&sha256(bytes)), "{name}: {manifest}");
        let served = api.download(&format!("/pulp/isos/files/{name}")).unwrap();
        assert!(served == *bytes, "{name} is not what was published");
    }
}

/// The text of an answer that refuses for want of room.
fn refused(api: &Api, path: &str, body: &Value) -> String {
    let answer = api.call("POST", path, Some(body)).unwrap();
    let document = answer.expect(507).unwrap();
    assert_eq!(document["http_status"], 507);
    assert_eq!(document["http_request_method"], "POST");
    let text = document["error_message"].as_str().unwrap().to_owned();
    assert_eq!(document["error"]["description"], text.as_str());
    assert!(text.contains("full"), "{text}");
    text
}

/// Requests that must work in the end, whatever was before.
fn assert_all_works(api: &Api, feed: &Feed, number: usize) {
    let files = generation(number, 20_000);
    feed.put_files(&files);
    wait_for("writes to be taken again", || {
        let id = format!("after-{number}");
        let answer = api.call("POST", "/repositories/", Some(&json!({"id": id})))?;
        Ok(matches!(answer.status, 201 | 409).then_some(()))
    })
    .unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    assert_serves(api, &files);
    upload(api, number);
}

/// Uploads a file and imports it.
fn upload(api: &Api, number: usize) {
    let made = api.call("POST", "/content/uploads/", None).unwrap();
    let made = made.expect(201).unwrap();
    let id = made["upload_id"].as_str().unwrap();
    let text = format!("upload {number}");
    let path = format!("/content/uploads/{id}/0/");
    let sent = api.call("PUT", &path, Some(&json!(text))).unwrap();
    sent.expect(200).unwrap();
    let bytes = serde_json::to_vec(&json!(text)).unwrap();
    let key = json!({"name": format!("upload-{number}"), "checksum": sha256(&bytes), "size": bytes.len()});
    let import = json!({"upload_id": id, "unit_type_id": "iso", "unit_key": key});
    api.run("/repositories/uploads/actions/import_upload/", &import)
        .unwrap();
}

fn delete(api: &Api, path: &str) {
    let answer = api.call("DELETE", path, None).unwrap();
    let report = answer.expect(202).unwrap();
    let ids: Vec<String> = report["spawned_tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["task_id"].as_str().unwrap().to_owned())
        .collect();
    for task in api.wait(&ids).unwrap() {
        assert_eq!(task["state"], "finished", "{path}: {task:#}");
    }
}

fn assert_no_leftovers(server: &Pith) {
    wait_for("temporary files to be gone", || {
        Ok(server.leftovers()?.is_empty().then_some(()))
    })
    .unwrap();
}

#[test]
fn a_full_disk_is_read_from_and_deleted_from_and_refuses_the_rest() {
    let Some(Small { server, disk }) = &server(64, &[]) else {
        return;
    };
    let (api, feed) = (server.api().unwrap(), Feed::start().unwrap());
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.create_files("uploads", &feed.url("/none/")).unwrap();
    assert_all_works(&api, &feed, 0);
    let rounds = rounds(2);
    for round in 1..=rounds {
        let extra = format!("extra-{round}");
        api.create_files(&extra, &feed.url("/feed/")).unwrap();
        api.sync(&extra).unwrap();
        disk.fill(0).unwrap();

        assert_serves(&api, &generation(round - 1, 20_000));
        api.get("/repositories/?details=true").unwrap();
        let text = refused(&api, "/repositories/", &json!({"id": "no"}));
        assert!(text.contains("--reserve"), "{text}");
        let id = json!({"id": "iso_distributor"});
        refused(&api, "/repositories/files/actions/sync/", &json!({}));
        refused(&api, "/repositories/files/actions/publish/", &id);
        refused(&api, "/content/uploads/", &json!({}));

        let all = json!({"criteria": {"type_ids": ["iso"]}});
        let path = format!("/repositories/{extra}/actions/unassociate/");
        api.run(&path, &all).unwrap();
        delete(&api, &format!("/repositories/{extra}/"));
        delete(&api, "/content/orphans/");
        assert_serves(&api, &generation(round - 1, 20_000));

        disk.free().unwrap();
        assert_all_works(&api, &feed, round);
    }
    assert_no_leftovers(server);
    println!("full disks with a reserve: {rounds} rounds, writes that stayed broken: 0");
}

#[test]
fn a_sync_that_does_not_fit_ends_and_names_the_full_disk() {
    let Some(Small { server, .. }) = &server(48, &[]) else {
        return;
    };
    let (api, feed) = (server.api().unwrap(), Feed::start().unwrap());
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.create_files("uploads", &feed.url("/none/")).unwrap();
    assert_all_works(&api, &feed, 0);
    let before = api.units("files", "iso").unwrap().len();
    feed.put_files(&generation(1, 8 << 20));
    let sync = "/repositories/files/actions/sync/";
    let tasks = api.wait(&api.spawn(sync, &json!({})).unwrap()).unwrap();
    assert_eq!(tasks[0]["state"], "error", "{:#}", tasks[0]);
    let text = tasks[0]["error"]["description"].as_str().unwrap();
    assert!(text.contains("is full"), "{text}");
    assert_eq!(api.units("files", "iso").unwrap().len(), before);
    assert_serves(&api, &generation(0, 20_000));
    assert_no_leftovers(server);
    // Deleting what nobody has makes the room that the files of the failed sync take.
    delete(&api, "/content/orphans/");
    assert_all_works(&api, &feed, 2);
}

#[test]
fn without_a_reserve_a_disk_that_was_full_to_any_degree_works_again() {
    let Some(Small { server, disk }) = &server(48, &["--reserve", "0"]) else {
        return;
    };
    let (api, feed) = (server.api().unwrap(), Feed::start().unwrap());
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.create_files("uploads", &feed.url("/none/")).unwrap();
    assert_all_works(&api, &feed, 0);
    let mut left = Scatter::new(11);
    let rounds = rounds(6);
    for round in 1..=rounds {
        // From nothing at all to as much as a sync takes: the disk is full at another moment each time.
        let left = usize::try_from(left.below(400_000)).unwrap();
        disk.fill(if round == 1 { 0 } else { left }).unwrap();
        feed.put_files(&generation(round + 1000, 30_000));
        for number in 0..20 {
            let id = format!("full-{round}-{number}");
            let answer = api
                .call("POST", "/repositories/", Some(&json!({"id": id})))
                .unwrap();
            assert!(
                matches!(answer.status, 201 | 503 | 507),
                "{}: {}",
                answer.status,
                answer.body
            );
        }
        let sync = "/repositories/files/actions/sync/";
        let queued = api.call("POST", sync, Some(&json!({}))).unwrap();
        assert_serves(&api, &generation(round - 1, 20_000));
        disk.free().unwrap();
        // A task that could not be worked on, or whose end could not be written, ends now.
        if queued.status == 202 {
            let id = queued.body["spawned_tasks"][0]["task_id"].as_str().unwrap();
            api.wait(&[id.to_owned()]).unwrap();
        }
        assert_all_works(&api, &feed, round);
    }
    assert_no_leftovers(server);
    println!("full disks without a reserve: {rounds} rounds, writes that stayed broken: 0");
}

/// How many files the store has.
fn stored(server: &Pith) -> usize {
    let count = |folder: std::path::PathBuf| -> usize {
        let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = below.flat_map(|second| std::fs::read_dir(second.path()).ok());
        files.map(Iterator::count).sum()
    };
    let blobs = server.data().join("blobs");
    let first = std::fs::read_dir(blobs).unwrap().flatten();
    first
        .filter(|folder| folder.file_name().len() == 2)
        .map(|folder| count(folder.path()))
        .sum()
}

/// Deletes many orphans while somebody else takes every byte that becomes free.
fn orphans_are_deleted_however_full_the_disk(options: &[&str]) {
    let Some(Small { server, disk }) = &server(64, options) else {
        return;
    };
    let (api, feed) = (server.api().unwrap(), Feed::start().unwrap());
    let files: Vec<_> = (0..600)
        .map(|number| (format!("{number}.bin"), format!("{number}").into_bytes()))
        .collect();
    feed.put_files(&files);
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.create_files("uploads", &feed.url("/none/")).unwrap();
    api.sync("files").unwrap();
    delete(&api, "/repositories/files/");
    assert!(stored(server) >= 600);
    // The log is written back while nothing happens.
    let mark = tempfile::NamedTempFile::new().unwrap();
    let deleted = mark.as_file().metadata().unwrap().modified().unwrap();
    wait_for("the log of the database to be written back", || {
        let file = std::fs::metadata(server.data().join("pith.db"))?;
        Ok((file.modified()? > deleted).then_some(()))
    })
    .unwrap();

    disk.fill(0).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                disk.fill(0).unwrap();
                pause(std::time::Duration::from_millis(20));
            }
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            delete(&api, "/content/orphans/");
        }));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        outcome.unwrap();
    });
    let orphans = api.get("/content/orphans/").unwrap();
    assert_eq!(orphans["iso"]["count"], 0);
    assert!(stored(server) < 10, "{} files are left", stored(server));
    disk.free().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_all_works(&api, &feed, 1);
}

#[test]
fn orphans_are_deleted_on_a_disk_that_others_fill_again_and_again() {
    orphans_are_deleted_however_full_the_disk(&[]);
}

#[test]
fn orphans_are_deleted_on_a_full_disk_without_a_reserve() {
    orphans_are_deleted_however_full_the_disk(&["--reserve", "0"]);
}
