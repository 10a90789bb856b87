//! Lists of mirrors, plain ones and metalinks: which mirror counts, and what becomes of bad ones.

use std::path::Path;

use pith_core::Sha256;
use pith_core::task::TaskState;
use pith_testkit::repos::Spec;
use pith_testkit::upstream::{Fault, Upstream};
use serde_json::json;

use crate::harness::{Harness, On};
use crate::locations::{bent, repository, synced};

fn spec(seed: u64) -> Spec {
    Spec {
        seed,
        revision: 1_700_000_000 + seed,
        ..Spec::default()
    }
}

async fn mirror(folder: &Path) -> Upstream {
    let upstream = Upstream::start().await.unwrap();
    upstream.serve_dir("/os/", folder);
    upstream
}

fn host(upstream: &Upstream) -> String {
    upstream.address().to_string()
}

/// A metalink's part on the `repomd.xml` in a folder; where it contradicts itself, the strongest digest counts.
fn version(folder: &Path) -> String {
    let repomd = std::fs::read(folder.join("repodata/repomd.xml")).unwrap();
    format!(
        "<size>{}</size><verification><hash type=\"md5\">d41d8cd98f00b204e9800998ecf8427e</hash>\
         <hash type=\"whirlpool\">x</hash><hash type=\"sha256\">{}</hash></verification>",
        repomd.len(),
        Sha256::of(&repomd)
    )
}

fn metalink(now: &str, older: &str, mirrors: &[&Upstream]) -> String {
    let urls: String = mirrors
        .iter()
        .enumerate()
        .map(|(n, upstream)| {
            let url = upstream.url();
            let preference = 100 - n;
            format!("<url protocol=\"http\" preference=\"{preference}\">{url}/os/repodata/repomd.xml</url>")
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><metalink xmlns=\"http://www.metalinker.org/\" xmlns:mm0=\"http://m\"><files>\
         <file name=\"repomd.xml\">{now}<mm0:alternates><mm0:alternate>{older}</mm0:alternate></mm0:alternates>\
         <resources><url protocol=\"rsync\" preference=\"100\">rsync://x/repodata/repomd.xml</url>{urls}</resources>\
         </file></files></metalink>"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metalink_says_which_mirror_is_right() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let (now, package) = repository(&spec(2));
    let (older, old_package) = repository(&spec(1));
    let (strange, _) = repository(&spec(3));
    let (good, stale) = (mirror(now.path()).await, mirror(older.path()).await);
    let wrong = mirror(strange.path()).await;
    let text = metalink(
        &version(now.path()),
        &version(older.path()),
        &[&wrong, &stale, &good],
    );
    h.upstream.put("/list", text);
    // Behind a redirect, and with parameters, as they are.
    h.upstream
        .fault("/metalink", Fault::RedirectTo("/list".to_owned()));
    h.repository("r", "rpm", "/metalink?repo=x&arch=y", json!({}))
        .await;
    let task = synced(&h, "r").await;
    assert_eq!(
        h.units("r", "rpm", "checksum").await,
        std::slice::from_ref(&package.digest)
    );
    let said = bent(&task, "mirrors_passed_over").to_string();
    assert!(
        said.contains(&host(&wrong)) && !said.contains(&host(&good)),
        "{said}"
    );
    // An older one will do when there is no other.
    let text = metalink(
        &version(now.path()),
        &version(older.path()),
        &[&wrong, &stale],
    );
    h.upstream.put("/list", text);
    h.repository("old", "rpm", "/list", json!({})).await;
    let task = synced(&h, "old").await;
    assert_eq!(
        h.units("old", "rpm", "checksum").await,
        std::slice::from_ref(&old_package.digest)
    );
    assert!(
        bent(&task, "older_repomd")
            .to_string()
            .contains(&host(&stale))
    );
    // A wrong one will not.
    let text = metalink(&version(now.path()), &version(older.path()), &[&wrong]);
    h.upstream.put("/list", text);
    h.repository("wrong", "rpm", "/list", json!({})).await;
    let task = h.sync("wrong").await;
    assert_eq!(task.state, TaskState::Error);
    let said = format!("{:?}", task.error);
    assert!(
        said.contains("metalink") && said.contains(&host(&wrong)),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirrors_own_metadata_count_when_the_documents_of_another_are_gone() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let (first, _) = repository(&spec(1));
    let (second, package) = repository(&spec(2));
    let repomd = std::fs::read(first.path().join("repodata/repomd.xml")).unwrap();
    let broken = Upstream::start().await.unwrap();
    broken.put("/os/repodata/repomd.xml", repomd);
    let whole = mirror(second.path()).await;
    let dead = Upstream::start().await.unwrap();
    let list = format!(
        "\u{feff}# mirrors of $basearch\r\n\r\n{}/os/$basearch/\r\n{}/os/\r\nurl = {}/os\r\n",
        dead.url(),
        broken.url(),
        whole.url()
    );
    h.upstream.put("/list", list);
    h.repository("r", "rpm", "/list", json!({})).await;
    let task = synced(&h, "r").await;
    assert_eq!(
        h.units("r", "rpm", "checksum").await,
        std::slice::from_ref(&package.digest)
    );
    let said = bent(&task, "mirrors_passed_over").to_string();
    assert!(
        said.contains(&host(&broken)) && said.contains(&host(&dead)),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stay_at_the_feed_and_its_documents_lead_to_no_files_here() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let (folder, _) = repository(&spec(1));
    let other = mirror(folder.path()).await;
    h.upstream.put("/list", format!("{}/os/\n", other.url()));
    let secrets = json!({"basic_auth_username": "u", "basic_auth_password": "p", "query_auth_token": "T0ken"});
    h.repository("r", "rpm", "/list", secrets).await;
    synced(&h, "r").await;
    assert!(h.upstream.log("/list")[0].header("authorization").is_some());
    let asked = other.log("/os/repodata/repomd.xml");
    assert_eq!(
        (asked[0].header("authorization"), &asked[0].query),
        (None, &None)
    );
    // The importer may say that it belongs to the feed.
    let sites = json!({
        "auth_sites": [other.url()],
        "basic_auth_username": "u", "basic_auth_password": "p", "query_auth_token": "T0ken",
    });
    h.repository("trusted", "rpm", "/list", sites).await;
    synced(&h, "trusted").await;
    let asked = other.log("/os/repodata/repomd.xml");
    let last = asked.last().unwrap();
    assert!(last.header("authorization").is_some());
    assert_eq!(last.query.as_deref(), Some("T0ken"));
    // A package that is said to be a file of this machine.
    let spec = Spec {
        location: |_| "file:///etc/hostname".to_owned(),
        ..spec(4)
    };
    let (folder, _) = repository(&spec);
    h.upstream.serve_dir("/local/", folder.path());
    h.repository("local", "rpm", "/local/", json!({})).await;
    assert_eq!(h.sync("local").await.state, TaskState::Error);
}
