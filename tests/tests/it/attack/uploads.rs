//! Uploads of others, and uploads that take more room than they have bytes.

use pith_e2e::Api;
use serde_json::{Value, json};

use super::{Scene, ended, refusal};

const UPLOADS: &str = "/content/uploads/";
/// The rights of whoever uploads.
const UPLOADS_RIGHTS: (&str, &[&str]) = (
    "/v2/content/uploads/",
    &["CREATE", "READ", "UPDATE", "DELETE"],
);

fn start(by: &Api) -> String {
    let answer = by.call("POST", UPLOADS, Some(&json!({}))).unwrap();
    let started = answer.expect(201).unwrap();
    started["upload_id"].as_str().unwrap().to_owned()
}

fn put(by: &Api, id: &str, offset: u64, bytes: &[u8]) -> u16 {
    let path = format!("{UPLOADS}{id}/{offset}/");
    by.put(&path, bytes).unwrap().status
}

fn listed(by: &Api) -> Value {
    by.get(UPLOADS).unwrap()["upload_ids"].take()
}

fn import(id: &str, bytes: &[u8], sha256: &str) -> Value {
    let key = json!({"name": "a.iso", "checksum": sha256, "size": bytes.len()});
    json!({"upload_id": id, "unit_type_id": "iso", "unit_key": key, "unit_metadata": {}})
}

#[test]
fn uploads_are_those_of_who_made_them() {
    Scene::on_each_database(|scene| {
        scene
            .admin
            .create_files("bobs", "http://127.0.0.1:9/")
            .unwrap();
        let all = ["READ", "UPDATE", "EXECUTE"];
        let own: (&str, &[&str]) = ("/v2/repositories/bobs/", &all);
        let bob = scene.user("bob", &[UPLOADS_RIGHTS, own]);
        let alice = scene.user("alice", &[UPLOADS_RIGHTS]);
        let id = start(&alice);
        assert_eq!(put(&alice, &id, 0, b"confidential"), 200);
        assert_eq!(listed(&bob), json!([]));
        assert_eq!(listed(&alice), json!([id]));
        assert_eq!(listed(&scene.admin), json!([id]));
        assert_eq!(put(&bob, &id, 0, b"other bytes"), 404);
        let path = format!("{UPLOADS}{id}/");
        assert_eq!(refusal(&bob, "DELETE", &path, &Value::Null).0, 404);
        let sha256 = super::sha256_of(b"confidential");
        let body = import(&id, b"confidential", &sha256);
        let path = "/repositories/bobs/actions/import_upload/";
        // As with an upload that nobody has.
        let task = ended(&bob, &scene.admin, "POST", path, &body);
        assert_eq!(task["state"], "error", "{task}");
        // Whoever has the same login later is somebody else.
        scene.admin.call("DELETE", "/users/alice/", None).unwrap();
        let other = scene.user("alice", &[UPLOADS_RIGHTS]);
        assert_eq!(listed(&other), json!([]));
        let task = ended(&scene.admin, &scene.admin, "POST", path, &body);
        assert_eq!(task["state"], "finished", "{task}");
    });
}

#[test]
fn one_byte_far_behind_the_end_is_refused_and_takes_no_room() {
    let scene = Scene::start(None, &[]);
    let alice = scene.user("alice", &[UPLOADS_RIGHTS]);
    let id = start(&alice);
    assert_eq!(put(&alice, &id, 6_442_450_943, b"x"), 400);
    assert_eq!(put(&alice, &id, 0, b"ab"), 200);
    assert_eq!(put(&alice, &id, (16 << 20) + 3, b"x"), 400);
    assert_eq!(put(&alice, &id, 1, b"bcd"), 200);
    let file = scene.server.data().join("blobs/uploads").join(&id);
    assert_eq!(std::fs::read(file).unwrap(), b"abcd");
}

#[test]
fn uploads_have_their_room_and_a_refused_import_leaves_nothing() {
    let scene = Scene::start(None, &["--upload-quota", "4M", "--uploads-quota", "8M"]);
    let alice = scene.user("alice", &[UPLOADS_RIGHTS]);
    let (first, second) = (start(&alice), start(&alice));
    let bytes = vec![b'a'; 2 << 20];
    assert_eq!(put(&alice, &first, 0, &bytes), 200);
    assert_eq!(put(&alice, &second, 0, &bytes), 413);
    assert_eq!(put(&scene.admin, &start(&scene.admin), 0, &bytes), 200);
    assert_eq!(
        put(&scene.admin, &start(&scene.admin), 0, &vec![b'b'; 6 << 20]),
        413
    );
    // The bytes of another file: nothing of them stays in the store.
    scene
        .admin
        .create_files("files", "http://127.0.0.1:9/")
        .unwrap();
    let body = import(&first, &bytes, &super::sha256_of(b"others"));
    let path = "/repositories/files/actions/import_upload/";
    let task = ended(&scene.admin, &scene.admin, "POST", path, &body);
    assert_eq!(task["state"], "error", "{task}");
    let digest = super::sha256_of(&bytes);
    let mut folders = vec![scene.server.data().join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().replace('/', "");
            assert!(!name.ends_with(&digest[4..]), "{}", path.display());
            folders.extend(path.is_dir().then_some(path));
        }
    }
    assert!(scene.server.leftovers().unwrap().is_empty());
}
