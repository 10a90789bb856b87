//! Files of one repository, asked for at another's feed.

use pith_e2e::Feed;
use pith_e2e::feed::Fault;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::json;

use super::{Scene, ended, fetched};

#[test]
fn whoever_syncs_the_same_package_is_not_asked_for_others_files() {
    Scene::on_each_database(|scene| {
        // Packages that the server has not got.
        let folder = tempfile::tempdir().unwrap();
        let made = write_repository(folder.path(), &Spec::of(3)).unwrap();
        let [good, evil] = [(); 2].map(|()| Feed::of(folder.path()).unwrap());
        let deferred = json!({"feed": good.url("/feed/"), "download_policy": "on_demand"});
        scene.admin.create_rpm_with("victim", &deferred).unwrap();
        scene.admin.sync("victim").unwrap();
        scene.admin.publish("victim").unwrap();
        scene
            .admin
            .create_rpm("oda", "http://127.0.0.1:9/")
            .unwrap();
        let eve = scene.user("eve", &[("/v2/repositories/oda/", &["READ", "EXECUTE"])]);
        let overriding = json!({"feed": evil.url("/feed/"), "download_policy": "on_demand"});
        let body = json!({"override_config": overriding});
        let synced = ended(
            &eve,
            &scene.admin,
            "POST",
            "/repositories/oda/actions/sync/",
            &body,
        );
        assert_eq!(synced["state"], "finished", "{synced}");
        for (number, package) in made.iter().enumerate() {
            let (name, path) = (package.file_name(), format!("/feed/{}", package.location()));
            let genuine = std::fs::read(folder.path().join(package.location())).unwrap();
            evil.replace(&path, &vec![b'E'; genuine.len()]);
            if number == 0 {
                // Only when its own feed has lost it.
                good.misbehave(&path, Fault::Status(404));
            }
            let url = scene.server.url(&format!(
                "/pulp/repos/victim/Packages/{}/{name}",
                &name[..1]
            ));
            let (status, bytes) = fetched(&url, None);
            match number {
                0 => assert_eq!(status, 404),
                _ => assert!(bytes == genuine, "{name}: {status}"),
            }
            assert_eq!(evil.requests_for(&path), 0, "{name}");
        }
    });
}
