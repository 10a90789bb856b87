//! Removed distributors, and what they have exported.

use serde_json::json;

use super::on_both;
use super::scene::{On, Scene, Setting};

on_both!(what_a_distributor_exported_goes_with_it_where_its_type_says_so);

async fn what_a_distributor_exported_goes_with_it_where_its_type_says_so(on: On) {
    let shelf = tempfile::tempdir().unwrap();
    let folder = shelf.path().to_str().unwrap();
    let setting = Setting {
        arguments: vec!["--allow-exports-to".to_owned(), folder.to_owned()],
        ..Setting::default()
    };
    let Some(scene) = Scene::start_with(on, setting).await else {
        return;
    };
    for (repo, removed) in [
        ("zoo", "/repositories/zoo/distributors/notes/"),
        ("farm", "/repositories/farm/"),
    ] {
        scene.repository(repo, json!({ "shelf": folder })).await;
        scene.upload(repo, "ape", "fruit").await;
        let published = scene.publish(repo).await;
        assert_eq!(published["result"]["result"], "success", "{published}");
        let exported = shelf.path().join(repo).join("ape");
        assert_eq!(std::fs::read_to_string(&exported).unwrap(), "fruit");
        std::fs::write(shelf.path().join("kept"), "of somebody else").unwrap();

        let task = scene.api("DELETE", removed, json!(null)).await;
        let ended = scene.ended(&task).await;
        assert_eq!(
            (&ended["state"], &ended["error"]),
            (&json!("finished"), &json!(null))
        );
        assert!(!shelf.path().join(repo).exists(), "{repo}");
        assert!(shelf.path().join("kept").exists());
    }

    // A folder that cannot be removed keeps nobody from removing its distributor, and is told of.
    scene.repository("pit", json!({ "shelf": folder })).await;
    scene.upload("pit", "ape", "fruit").await;
    scene.publish("pit").await;
    let tree = shelf.path().join("pit");
    std::fs::remove_dir_all(&tree).unwrap();
    std::fs::write(&tree, "a file in its place").unwrap();
    let task = scene.api("DELETE", "/repositories/pit/", json!(null)).await;
    let ended = scene.ended(&task).await;
    assert_eq!(ended["state"], "finished", "{ended}");
    assert_eq!(ended["error"]["code"], "PTH0005", "{ended}");
    let gone = scene
        .admin("GET", "/pulp/api/v2/repositories/pit/", b"")
        .await;
    assert_eq!(gone.status, 404);
    scene.stop().await;
}
