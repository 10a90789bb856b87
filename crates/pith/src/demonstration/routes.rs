//! Endpoints of a type: found, let in, reading what is published, and writing.

use serde_json::{Value, json};

use super::on_both;
use super::scene::{Answer, On, Scene};

on_both!(
    an_endpoint_takes_a_note_in_and_it_is_served,
    an_endpoint_writes_for_those_alone_who_may,
    an_endpoint_reads_what_is_published_as_far_as_its_guard_lets,
    endpoints_take_bodies_within_the_bounds_of_the_platform,
);

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).unwrap_or_default()
}

async fn an_endpoint_takes_a_note_in_and_it_is_served(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("zoo", json!({})).await;
    for name in ["ape", "yak"] {
        let path = format!("/notes/zoo/{name}");
        let text = format!("{name}: {}", "x".repeat(300_000));
        let written = scene.admin("PUT", &path, text.as_bytes()).await;
        assert_eq!(written.status, 201, "{}", written.text);
        assert_eq!(written.header("location"), path);
        let read = scene.get(&path).await;
        assert_eq!((read.status, read.text), (200, text));
    }
    let units = scene.admin("GET", "/notes/zoo/-/units", b"").await;
    assert_eq!((units.status, units.text.as_str()), (200, "ape\nyak\n"));
    let uploads = scene.api("GET", "/content/uploads/", Value::Null).await;
    assert_eq!(uploads["upload_ids"], json!([]));
    let repo = scene.api("GET", "/repositories/zoo/", Value::Null).await;
    assert_eq!(repo["content_unit_counts"], json!({ "note": 2 }));
    scene.stop().await;
}

async fn an_endpoint_writes_for_those_alone_who_may(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("zoo", json!({})).await;
    let user = json!({ "login": "eve", "password": "secret" });
    scene.api("POST", "/users/", user).await;
    let other = json!({ "id": "isos", "importer_type_id": "iso_importer", "distributors": [] });
    scene.api("POST", "/repositories/", other).await;

    let nobody = scene.send("PUT", "/notes/zoo/ape", None, b"x").await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("www-authenticate"), "Basic realm=\"pith\"");
    assert_eq!(nobody.header("x-notes"), "1");
    assert_eq!(nobody.header("x-content-type-options"), "nosniff");
    assert!(json_of(&nobody)["note"].is_string(), "{}", nobody.text);
    for (who, status) in [("admin:wrong", 401), ("eve:secret", 403)] {
        let answer = scene.send("PUT", "/notes/zoo/ape", Some(who), b"x").await;
        assert_eq!(answer.status, status, "{who}: {}", answer.text);
        let answer = scene
            .send("GET", "/notes/zoo/-/units", Some(who), b"")
            .await;
        assert_eq!(answer.status, status, "{who}: {}", answer.text);
    }
    // Another family's repository is as good as none.
    for repo in ["isos", "none"] {
        let answer = scene
            .admin("PUT", &format!("/notes/{repo}/ape"), b"x")
            .await;
        assert_eq!(answer.status, 404, "{}", answer.text);
    }
    let uploads = scene.api("GET", "/content/uploads/", Value::Null).await;
    assert_eq!(uploads["upload_ids"], json!([]));
    scene.stop().await;
}

async fn an_endpoint_reads_what_is_published_as_far_as_its_guard_lets(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    let readers = pith_trust::Authority::generate(&[], pith_core::Timestamp::UNIX_EPOCH).unwrap();
    scene.repository("zoo", json!({})).await;
    let guarded = json!({ "readers_ca": readers.certificate_pem(), "relative_url": "deep/vault" });
    scene.repository("vault", guarded).await;
    for path in ["/notes/zoo/ape", "/notes/zoo/yak", "/notes/vault/ape"] {
        let written = scene.admin("PUT", path, b"0123456789").await;
        assert_eq!(written.status, 201, "{}", written.text);
    }
    let found = scene.get("/notes/zoo/-/search?q=y").await;
    assert_eq!(json_of(&found), json!(["yak"]));
    let raw = scene.get("/notes/zoo/-/raw/ape").await;
    assert_eq!((raw.status, raw.text.as_str()), (200, "0123456789"));
    let digest = pith_core::Sha256::of(b"0123456789");
    assert_eq!(raw.header("x-note-digest"), format!("sha256:{digest}"));
    assert_eq!(raw.header("content-length"), "10");
    let part = scene.with("/notes/zoo/-/raw/ape", "Range: bytes=2-4").await;
    assert_eq!((part.status, part.text.as_str()), (206, "234"));
    let known = format!("If-None-Match: {}", raw.header("etag"));
    let known = scene.with("/notes/zoo/-/raw/ape", &known).await;
    assert_eq!(known.status, 304);

    for path in [
        "/notes/deep/vault/-/search?q=a",
        "/notes/deep/vault/-/raw/ape",
    ] {
        assert_eq!(scene.get(path).await.status, 403, "{path}");
        // A login opens no guard.
        assert_eq!(scene.admin("GET", path, b"").await.status, 403, "{path}");
    }
    for path in ["/notes/none/-/search?q=a", "/notes/zoo/-/raw/none"] {
        assert_eq!(scene.get(path).await.status, 404, "{path}");
    }
    scene.stop().await;
}

async fn endpoints_take_bodies_within_the_bounds_of_the_platform(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("zoo", json!({})).await;
    let written = scene.admin("PUT", "/notes/zoo/ape", b"x").await;
    assert_eq!(written.status, 201, "{}", written.text);
    let path = "/notes/zoo/-/missing";
    let missing = scene.send("POST", path, None, br#"["ape", "cat"]"#).await;
    assert_eq!(json_of(&missing), json!(["cat"]));
    let broken = scene.send("POST", path, None, b"[").await;
    assert_eq!(broken.status, 400, "{}", broken.text);
    let large = vec![b' '; 5 * 1024 * 1024 + 1];
    let large = scene.send("POST", path, None, &large).await;
    assert_eq!(large.status, 400, "{}", large.text);
    assert!(large.text.contains("bytes"), "{}", large.text);

    let hello = scene.with("/notes/", "X-Greeting: good day").await;
    assert_eq!(hello.text, "good day nobody");
    let known = scene.admin("GET", "/notes", b"").await;
    assert_eq!(known.text, "hello admin");
    let head = scene.send("HEAD", "/notes", None, b"").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), "12");
    let other = scene.send("DELETE", "/notes", None, b"").await;
    assert_eq!(other.status, 405);
    scene.stop().await;
}
