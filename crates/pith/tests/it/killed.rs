//! A process that is killed while it deletes a file that nothing needs: whoever needs the file then gets it.

use pith_core::task::TaskState;
use pith_core::{Sha256, SignedDuration};
use pith_pulp::jobs::{DeleteOrphans, Orphans, Unassociate};
use serde_json::json;

use crate::harness::{Harness, On, put_files};

crate::on_both!(files_whose_deletion_a_kill_cut_off_are_taken_in_again);

async fn files_whose_deletion_a_kill_cut_off_are_taken_in_again(on: On) {
    let Some(mut h) = Harness::start(on).await else {
        return;
    };
    let files: [(&str, &[u8]); 2] = [("here.iso", b"here"), ("gone.iso", b"gone")];
    put_files(&h.upstream, "/f/", &files);
    h.repository("files", "iso", "/f/", json!({})).await;
    assert_eq!(h.sync("files").await.state, TaskState::Finished);
    let store = h.engine.store.clone();
    let remove = Unassociate {
        repo_id: "files".to_owned(),
        criteria: json!({"type_ids": ["iso"]}),
    };
    let all = DeleteOrphans {
        orphans: Orphans::All,
    };
    let removed = h.engine.enqueue(remove).await.unwrap();
    assert_eq!(h.ended(removed).await.state, TaskState::Finished);
    let deleted = h.engine.enqueue(all).await.unwrap();
    assert_eq!(h.ended(deleted).await.state, TaskState::Finished);
    // Killed between the claim and the deletion, and between the deletion and the note of it.
    for (_, bytes) in files {
        let now = h.engine.clock.now();
        assert!(store.blob_claim(Sha256::of(bytes), now).await.unwrap());
    }
    let gone = h.engine.blobs.delete(Sha256::of(b"gone")).await;
    assert!(gone.unwrap());
    // Where there are several processes, a claim is given up when its process must be dead.
    h.lose_after(SignedDuration::from_millis(1500));
    h.crash_and_restart().await;

    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let published = h.published("pulp/isos/files").await;
    let bytes: Vec<&[u8]> = published
        .iter()
        .map(|(_, bytes)| bytes.as_slice())
        .collect();
    assert_eq!(bytes[1..], [b"gone", b"here"]);
    for (_, bytes) in files {
        let claimed = h.engine.store.blob_claimed(Sha256::of(bytes)).await;
        assert_eq!(claimed.unwrap(), None);
    }
}
