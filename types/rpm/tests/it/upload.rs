//! Uploads.

use pith_content::upload::Upload;
use pith_core::Document;
use pith_testkit::repos::{PackageSpec, Spec, build};
use pith_type_rpm::sync::YumImporter;
use serde_json::json;

use crate::fake::Fake;

#[tokio::test]
async fn a_package_is_what_its_file_says_and_is_one_unit_however_often_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Fake::new(folder.path(), json!({}));
    let spec = Spec {
        named: &[("bear", "4.1")],
        ..Spec::default()
    };
    let (made, bytes) = build(&PackageSpec::of(&spec, 0)).unwrap();
    for _ in 0..2 {
        let upload = Upload {
            type_id: "rpm".to_owned(),
            key: Document::new(),
            metadata: Document::new(),
        };
        let taken = repository.upload(&YumImporter, upload, Some(&bytes));
        taken.await.unwrap();
    }
    let docs = repository.docs("rpm");
    assert_eq!(docs.len(), 1);
    assert_eq!(
        (&docs[0]["name"], &docs[0]["version"]),
        (&json!("bear"), &json!("4.1"))
    );
    repository.publish().await.unwrap();
    let served = &repository.state.lock().served;
    assert!(served.keys().any(|path| path.ends_with(&made.file_name())));
}
