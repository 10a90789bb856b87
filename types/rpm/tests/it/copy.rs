//! Copies and removals.

use pith_core::Document;
use pith_testkit::memory::Repository;
use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::sync::YumImporter;
use serde_json::json;

use crate::fake::Fake;

fn keys(repository: &Repository) -> Vec<String> {
    let name = |doc: &Document| doc["checksum"].to_string();
    let mut keys: Vec<String> = repository.docs("rpm").iter().map(name).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn a_module_comes_and_goes_with_its_packages() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 6,
        modules: 1,
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    let mut source = Fake::new(folder.path(), json!({}));
    source.sync().await.unwrap();
    let destination = source.beside("other", json!({}));
    let modules = source.ids("modulemd");
    let copied = destination.copy(&YumImporter, &source, &modules);
    copied.await.unwrap();
    let listed = source.docs("modulemd")[0]["artifacts"]
        .as_array()
        .map(Vec::len);
    assert_eq!(Some(destination.count_of("rpm")), listed);
    assert!(destination.count_of("rpm") < source.count_of("rpm"));
    assert!(
        keys(&destination)
            .iter()
            .all(|key| keys(&source).contains(key))
    );

    let modules = destination.ids("modulemd");
    let removed = destination.remove(&YumImporter, &modules);
    removed.await.unwrap();
    assert_eq!(destination.count_of("modulemd"), 0);
    assert_eq!(destination.count_of("rpm"), 0, "nobody else lists them");
}

#[tokio::test]
async fn a_package_that_the_policy_of_the_destination_refuses_does_not_come() {
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::default()).unwrap();
    let mut source = Fake::new(folder.path(), json!({}));
    source.sync().await.unwrap();
    let destination = source.beside("other", json!({"require_signature": true}));
    let packages = source.ids("rpm");
    let report = destination.copy(&YumImporter, &source, &packages).await;
    let (key, refused) = &report.unwrap().lists[0];
    assert_eq!(
        (*key, refused.len()),
        ("units_failed_signature_filter", packages.len())
    );
    assert_eq!(destination.count_of("rpm"), 0);
}
