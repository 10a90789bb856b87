//! Files of one repository, asked for at another's feed.

use pith_e2e::Feed;
use pith_e2e::feed::Fault;
use pith_testkit::python::wheel;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::json;

use super::{Forged, Scene, ended, fetched, forge_with, sha256_of};

/// A page of an index with one file, of which it says `said`.
fn page(feed: &Feed, index: &str, file: &str, said: &serde_json::Value, bytes: &[u8]) {
    let page = json!({"meta": {"api-version": "1.0"}, "name": "zoo", "files": [
        {"filename": file, "url": format!("../../{file}"), "hashes": said},
    ]});
    let path = format!("/{index}/simple/zoo/");
    feed.replace(&path, page.to_string().as_bytes());
    feed.replace(&format!("/{index}/{file}"), bytes);
}

fn python(scene: &Scene, id: &str, feed: &str, policy: &str) {
    let body = json!({
        "id": id, "importer_type_id": "python_importer",
        "importer_config": {"feed": feed, "package_names": "zoo", "download_policy": policy},
        "distributors": [{"distributor_id": "d", "distributor_type_id": "python_distributor", "distributor_config": {}}],
    });
    scene.admin_does("POST", "/repositories/", &body, 201);
    scene.admin.sync(id).unwrap();
    let publish = format!("/repositories/{id}/actions/publish/");
    scene.admin.run(&publish, &json!({"id": "d"})).unwrap();
}

#[test]
fn a_file_of_the_same_name_at_the_same_server_is_not_taken_for_ones_own() {
    Scene::on_each_database(|scene| {
        let feed = Feed::start().unwrap();
        let file = "zoo-1.0-py3-none-any.whl";
        let [good, evil] = ["good", "evil"].map(|body| wheel("zoo", "1.0", body));
        let sha384 = |bytes: &[u8]| {
            use sha2::Digest as _;
            format!("{:x}", sha2::Sha384::digest(bytes))
        };
        // What both pages say of their file; the last ones of Eve lie.
        let promised = json!({"sha256": sha256_of(&good)});
        let contradicting = json!({"sha256": sha256_of(&good), "sha384": sha384(&evil)});
        let said = [
            (json!({}), json!({})),
            (
                json!({"sha384": sha384(&good)}),
                json!({"sha384": sha384(&evil)}),
            ),
            (promised.clone(), json!({"sha384": sha384(&evil)})),
            (promised, contradicting),
        ];
        for (number, (of_good, of_evil)) in said.into_iter().enumerate() {
            let (eve, victim) = (format!("eve{number}"), format!("victim{number}"));
            page(&feed, &victim, file, &of_good, &good);
            page(&feed, &eve, file, &of_evil, &evil);
            let body = json!({
                "id": eve, "importer_type_id": "python_importer",
                "importer_config": {"feed": feed.url(&format!("/{eve}/")), "package_names": "zoo"},
            });
            scene.admin_does("POST", "/repositories/", &body, 201);
            // It may fail, for what it is promised is not what it gets.
            let _ = scene.admin.sync(&eve);
            for policy in ["immediate", "on_demand"] {
                let id = format!("{victim}-{policy}");
                python(scene, &id, &feed.url(&format!("/{victim}/")), policy);
                let path = format!("/pulp/python/web/{id}/packages/source/z/zoo/{file}");
                let (status, bytes) = fetched(&scene.server.url(&path), None);
                assert!(status == 200 && bytes == good, "{id}: {status}");
            }
        }
    });
}

#[test]
fn to_know_a_digest_and_the_server_is_not_to_have_the_file() {
    Scene::on_each_database(|scene| {
        let (feed, secret) = (Feed::start().unwrap(), b"a secret");
        let manifest = format!("plan.iso,{},{}\n", sha256_of(secret), secret.len());
        for folder in ["T0KEN-9f3a", "public"] {
            feed.replace(&format!("/{folder}/PULP_MANIFEST"), manifest.as_bytes());
        }
        feed.replace("/T0KEN-9f3a/plan.iso", secret);
        let create = |id: &str, folder: &str, policy: &str| {
            let body = json!({
                "id": id, "importer_type_id": "iso_importer",
                "importer_config": {"feed": feed.url(&format!("/{folder}/")), "download_policy": policy},
                "distributors": [{"distributor_id": "d", "distributor_type_id": "iso_distributor",
                                  "distributor_config": {"serve_http": true, "serve_https": true}}],
            });
            scene.admin_does("POST", "/repositories/", &body, 201);
        };
        create("secret", "T0KEN-9f3a", "immediate");
        scene.admin.sync("secret").unwrap();
        for policy in ["immediate", "on_demand"] {
            let id = format!("own-{policy}");
            create(&id, "public", policy);
            let _ = scene.admin.sync(&id);
            let publish = format!("/repositories/{id}/actions/publish/");
            scene.admin.run(&publish, &json!({"id": "d"})).unwrap();
            let url = scene.server.url(&format!("/pulp/isos/{id}/plan.iso"));
            let (status, bytes) = fetched(&url, None);
            assert!(status == 404 && bytes != secret, "{policy}: {status}");
        }
    });
}

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

#[test]
fn a_copy_brings_no_words_on_a_file_that_is_another() {
    Scene::on_each_database(|scene| {
        let feed = Feed::start().unwrap();
        let file = "zoo-1.0-py3-none-any.whl";
        let [good, old] = ["good", "old"].map(|body| wheel("zoo", "1.0", body));
        page(&feed, "trusted", file, &json!({}), &good);
        page(
            &feed,
            "own",
            file,
            &json!({"sha256": sha256_of(&old)}),
            &old,
        );
        python(scene, "own", &feed.url("/own/"), "immediate");
        python(scene, "trusted", &feed.url("/trusted/"), "on_demand");
        let body = json!({"source_repo_id": "trusted", "criteria": {}});
        scene
            .admin
            .run("/repositories/own/actions/associate/", &body)
            .unwrap();
        scene
            .admin
            .run("/repositories/own/actions/publish/", &json!({"id": "d"}))
            .unwrap();
        let path = format!("/pulp/python/web/own/packages/source/z/zoo/{file}");
        let (status, bytes) = fetched(&scene.server.url(&path), None);
        assert!(bytes != old, "{status}");
    });
}

#[test]
fn a_dependency_of_thousands_of_sides_ends_no_server() {
    Scene::on_each_database(|scene| {
        let feed = Feed::start().unwrap();
        let sides: Vec<String> = (0..5000).map(|n| format!("x{n}")).collect();
        let need = format!("({})", sides.join(" or "));
        let forged = Forged {
            sha256: &"ab".repeat(32),
            size: Some(5),
            base: "",
            href: "a.rpm",
        };
        let requires =
            format!(r#"<format><rpm:requires><rpm:entry name="{need}"/></rpm:requires></format>"#);
        forge_with(&feed, "/feed/", &forged, &requires);
        let config = json!({"feed": feed.url("/feed/"), "download_policy": "on_demand"});
        scene.admin.create_rpm_with("hostile", &config).unwrap();
        scene.admin.sync("hostile").unwrap();
        scene.admin.create_rpm("own", &feed.url("/feed/")).unwrap();
        for how in ["recursive", "recursive_conservative"] {
            let body = json!({"source_repo_id": "hostile", "criteria": {}, "override_config": {(how): true}});
            scene
                .admin
                .run("/repositories/own/actions/associate/", &body)
                .unwrap();
        }
    });
}
