//! The work behind `pith mirror`.

use pith_cli::{Client, Error, Format, MirrorOptions, Mirrored, Trust, Ui, mirror};
use serde_json::{Value, json};
use url::Url;

use crate::fake::{Fake, families, report, words};

const ID: &str = "feed.example-pub-demo";

fn options() -> MirrorOptions {
    MirrorOptions {
        feed: "https://feed.example/pub/demo".into(),
        ..MirrorOptions::default()
    }
}

async fn run(fake: &Fake, options: &MirrorOptions) -> Result<Mirrored, Error> {
    let client = Client::new(Url::parse(&fake.url).unwrap(), None, &Trust::default()).unwrap();
    let (mut ui, _) = Ui::captured(Format::Text, families());
    mirror(&client, options, &mut ui).await
}

fn repository(feed: &str, relative_url: &str) -> Value {
    json!({"id": ID,
        "importers": [{"importer_type_id": "yum_importer", "config": {"feed": feed}}],
        "distributors": [{"id": "yum_distributor", "distributor_type_id": "yum_distributor",
                          "config": {"relative_url": relative_url}}]})
}

fn syncs(fake: &Fake, spawned: &[&str]) {
    fake.on(
        &format!("POST repositories/{ID}/actions/sync"),
        202,
        report(&["t1"]),
    )
    .task(
        "t1",
        "sync",
        spawned,
        &json!({"result": "success", "added_count": 1}),
    )
    .task("t2", "publish", &[], &Value::Null);
}

#[tokio::test]
async fn a_new_feed_becomes_a_repository_that_is_synced_and_published() {
    let fake = Fake::start().await;
    let show = format!("GET repositories/{ID}");
    fake.refuse(&show, 404, "PLP0009", "Missing")
        .on(&show, 200, repository("https://feed.example/pub/demo/", ID))
        .on("POST repositories", 201, json!({"id": ID}));
    syncs(&fake, &["t2"]);
    let mirrored = run(&fake, &options()).await.unwrap();
    assert_eq!(mirrored.repo_id, ID);
    assert_eq!(mirrored.url, format!("{}/pulp/repos/{ID}/", fake.url));
    assert_eq!(mirrored.content_type.section, "rpm");
    assert_eq!(mirrored.relative_url, ID);
    assert_eq!(
        fake.body("POST repositories"),
        json!({"id": ID, "display_name": ID, "description": null, "notes": {"_repo-type": "rpm-repo"},
               "importer_type_id": "yum_importer",
               "importer_config": {"feed": "https://feed.example/pub/demo/"},
               "distributors": [{"distributor_type_id": "yum_distributor", "distributor_id": "yum_distributor",
                                 "auto_publish": true,
                                 "distributor_config": {"relative_url": ID, "http": true, "https": true}}]})
    );
    assert!(
        !fake.lines().iter().any(|line| line.contains("publish")),
        "the sync has published"
    );
}

#[tokio::test]
async fn a_sync_that_publishes_nothing_is_followed_by_a_publish() {
    let fake = Fake::start().await;
    fake.on(
        &format!("GET repositories/{ID}"),
        200,
        repository("https://feed.example/pub/demo/", "a/b"),
    )
    .on(
        &format!("POST repositories/{ID}/actions/publish"),
        202,
        report(&["t2"]),
    );
    syncs(&fake, &[]);
    let mirrored = run(&fake, &options()).await.unwrap();
    assert_eq!(mirrored.url, format!("{}/pulp/repos/a/b/", fake.url));
    assert_eq!(
        fake.body(&format!("POST repositories/{ID}/actions/publish")),
        json!({"id": "yum_distributor", "override_config": {}})
    );
    assert!(
        !fake.lines().iter().any(|line| line.starts_with("PUT")),
        "nothing had to change"
    );
}

#[tokio::test]
async fn a_repository_that_is_there_gets_the_feed_that_was_asked_for() {
    let fake = Fake::start().await;
    fake.on(
        &format!("GET repositories/{ID}"),
        200,
        repository("http://feed.example/pub/demo", ID),
    )
    .on(
        &format!("PUT repositories/{ID}"),
        200,
        json!({"result": {}, "error": null, "spawned_tasks": []}),
    );
    syncs(&fake, &["t2"]);
    run(&fake, &options()).await.unwrap();
    assert_eq!(
        fake.body(&format!("PUT repositories/{ID}")),
        json!({"delta": {}, "importer_config": {"feed": "https://feed.example/pub/demo/"}, "distributor_configs": {}})
    );
}

#[tokio::test]
async fn a_derived_id_never_takes_over_the_mirror_of_another_feed() {
    let fake = Fake::start().await;
    fake.on(
        &format!("GET repositories/{ID}"),
        200,
        repository("https://feed.example/pub-demo/", ID),
    );
    let error = run(&fake, &options()).await.unwrap_err();
    assert_eq!(error.exit().code(), 2);
    assert!(error.hint().contains("--repo-id"));
    let files = MirrorOptions {
        content_type: Some(words("file")),
        ..options()
    };
    let error = run(&fake, &files).await.unwrap_err();
    assert!(error.to_string().contains("another type"));
}
