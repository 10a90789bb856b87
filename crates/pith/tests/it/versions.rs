//! Old versions of repositories are forgotten, but none that somebody may be looking at.

use pith_core::task::TaskState;
use serde_json::json;

use crate::harness::{Harness, On, put_files};

crate::on_both!(versions_beyond_those_kept_go_unless_one_is_published);

async fn versions_beyond_those_kept_go_unless_one_is_published(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let config = json!({"remove_missing": true});
    h.repository("files", "iso", "/f/", config).await;
    let sync = async |number: usize| {
        let name = format!("{number}.iso");
        put_files(&h.upstream, "/f/", &[(name.as_str(), b"bytes")]);
        assert_eq!(h.sync("files").await.state, TaskState::Finished);
    };
    sync(1).await;
    // From now on nothing is published by itself: the first version is what is shown.
    let store = &h.engine.store;
    let manual = store.distributor_update("files", "iso_distributor", None, Some(false));
    manual.await.unwrap();
    for number in 2..=13 {
        sync(number).await;
    }
    assert_eq!(h.engine.prune_versions().await.unwrap(), 0);
    let task = h.publish("files", "iso_distributor", json!({})).await;
    assert_eq!(task.state, TaskState::Finished);
    assert_eq!(h.engine.prune_versions().await.unwrap(), 3);
    assert_eq!(h.engine.prune_versions().await.unwrap(), 0);
    assert_eq!(h.units("files", "iso", "name").await, ["13.iso"]);
}
