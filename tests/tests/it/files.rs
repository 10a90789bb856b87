//! File repositories: what goes in under a `PULP_MANIFEST` comes out under one.

use std::collections::BTreeSet;
use std::fs;

use pith_e2e::tools::sample_files;
use pith_e2e::{Feed, Pith};

fn manifest(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_manifest_survives_the_round_trip_and_can_be_mirrored_again() {
    let folder = sample_files();
    let upstream = fs::read_to_string(folder.join("PULP_MANIFEST")).unwrap();
    let feed = Feed::of(&folder).unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();

    // The second repository mirrors what pith published of the first.
    for (id, feed) in [
        ("first", feed.url("/feed/")),
        ("second", server.url("/pulp/isos/first/")),
    ] {
        api.create_files(id, &feed).unwrap();
        api.sync(id).unwrap();
        api.publish(id).unwrap();
        let published = api
            .download(&format!("/pulp/isos/{id}/PULP_MANIFEST"))
            .unwrap();
        assert_eq!(
            manifest(&String::from_utf8(published).unwrap()),
            manifest(&upstream)
        );
        for line in upstream.lines() {
            let name = line.split(',').next().unwrap();
            let bytes = api.download(&format!("/pulp/isos/{id}/{name}")).unwrap();
            assert_eq!(bytes, fs::read(folder.join(name)).unwrap(), "{id}/{name}");
        }
    }
}

#[test]
fn a_file_with_other_bytes_than_promised_is_never_published() {
    let feed = Feed::start().unwrap();
    feed.put_files(&[
        ("good.bin".into(), b"good".to_vec()),
        ("bad.bin".into(), b"what was promised".to_vec()),
    ]);
    feed.replace("/feed/bad.bin", b"what was not said");
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    let tasks = api
        .spawn("/repositories/files/actions/sync/", &serde_json::json!({}))
        .unwrap();
    api.wait(&tasks).unwrap();
    api.publish("files").unwrap();
    let (status, _) = api.raw("GET", "/pulp/isos/files/bad.bin", None).unwrap();
    assert_eq!(status, 404);
}
