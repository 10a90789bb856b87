//! Downloads as a type asks for them, from a feed over a real socket.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::descriptor::KeyField;
use pith_content::fetch::{Fetch, FetchFailure, FetchOutcome, Fetched, RequestHeader, Validators};
use pith_content::sync::{StageObserver, SyncContext, SyncReport};
use pith_content::unit::WantedUnit;
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{
    Config, ContentError, ContentType, Distributor, Importer, PluginDescriptor, Problems, UnitType,
};
use pith_core::{Document, Sha256};
use pith_testkit::upstream::{Fault, Upstream as Fake};
use serde_json::{Value, json};

use crate::server::Server;
use crate::tasks::{ask, text, until};
use crate::units::post;

/// A document of a feed, as a unit.
const PAGE: UnitType = UnitType {
    id: "page",
    display_name: "Page",
    description: "Page",
    key: &[KeyField::same("name")],
    file_backed: true,
    ..UnitType::PLAIN
};

/// A type whose feeds have one document, `index`, which becomes a unit.
struct Pages;

impl ContentType for Pages {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        &[PAGE]
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(Pages)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }
}

#[async_trait]
impl Importer for Pages {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &PluginDescriptor {
            id: "pages_importer",
            display_name: "Pages",
            types: &["page"],
            platform: &[],
            own: &[],
        }
    }

    fn validate(&self, _config: &Config) -> Result<(), Problems> {
        Ok(())
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let feed = ctx.feed()?;
        let known = ctx.scratchpad().get("known").cloned();
        let known = known.filter(|_| !ctx.full_sync_required());
        let known: Validators =
            serde_json::from_value(known.unwrap_or_default()).unwrap_or_default();
        let what = Fetch {
            headers: vec![(RequestHeader::Accept, "text/page".to_owned())],
            tell: vec!["link"],
            ..Fetch::any(feed.join("index"), 1 << 20)
        };
        let fetched = match ctx.fetch_unless(what.unless(known)).await? {
            FetchOutcome::Fetched(fetched) => fetched,
            FetchOutcome::NotModified(_) => {
                return Ok(SyncReport {
                    summary: json!("as before"),
                    ..SyncReport::default()
                });
            }
        };
        keep(ctx, fetched).await
    }

    async fn upload(
        &self,
        _ctx: &dyn UploadContext,
        _upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        Ok(UploadReport::default())
    }
}

/// Makes the unit of the document.
async fn keep(ctx: &dyn SyncContext, fetched: Fetched) -> Result<SyncReport, ContentError> {
    let pad = json!({"known": fetched.validators});
    let report = SyncReport {
        summary: json!({"link": fetched.header("Link")}),
        importer_scratchpad: pad.as_object().cloned(),
        ..SyncReport::default()
    };
    let doc = Document::from_iter([("name".to_owned(), json!("index"))]);
    let unit = WantedUnit::new(PAGE.id, doc).with_file(fetched.into_blob().await?);
    let unit = unit.replacing();
    let observer: Arc<dyn StageObserver> = Arc::new(Unobserved);
    ctx.stage(vec![unit], &observer).await?;
    Ok(report)
}

struct Unobserved;

impl StageObserver for Unobserved {
    fn failed(&self, _unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        Err(ContentError::Fetch(failure.clone()))
    }

    fn progress(&self) -> Value {
        Value::Null
    }
}

/// Syncs; the entry of the history.
async fn sync(server: &Server) -> Value {
    let path = "/pulp/api/v2/repositories/book/actions/sync/";
    let (status, report) = post(server, path, json!({})).await;
    assert_eq!(status, 202);
    let id = text(&report["spawned_tasks"][0]["task_id"]);
    until(server, &id, "finished").await;
    let (_, history) = ask(server, "GET", "/repositories/book/history/sync/").await;
    history[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_sends_headers_asks_for_what_is_new_and_keeps_a_document_as_a_file() {
    let fake = Fake::start().await.unwrap();
    fake.put("/feed/index", "one");
    let link = ("Link".to_owned(), "</feed/2>".to_owned());
    fake.fault("/feed/index", Fault::Headers(vec![link]));
    let challenge = format!(r#"Bearer realm="{}/token",service="pages""#, fake.url());
    fake.require_bearer("/feed/", "t0ken", &challenge);
    fake.put("/token", r#"{"token": "t0ken"}"#);
    let server = Server::start(vec![Arc::new(Pages)]).await;
    let repository = json!({
        "id": "book", "importer_type_id": "pages_importer",
        "importer_config": {
            "feed": format!("{}/feed", fake.url()),
            "basic_auth_username": "me", "basic_auth_password": "hunter2",
        },
    });
    let (status, _) = post(&server, "/pulp/api/v2/repositories/", repository).await;
    assert_eq!(status, 201);

    let entry = sync(&server).await;
    assert_eq!(entry["summary"], json!({"link": "</feed/2>"}));
    assert_eq!(entry["added_count"], 1);
    let kept = server.engine.blobs.contains(Sha256::of(b"one")).await;
    assert!(kept.unwrap());

    let entry = sync(&server).await;
    assert_eq!(
        (&entry["summary"], &entry["added_count"]),
        (&json!("as before"), &json!(0))
    );
    fake.put("/feed/index", "two");
    let entry = sync(&server).await;
    assert_eq!(entry["updated_count"], 1, "{entry}");
    let kept = server.engine.blobs.contains(Sha256::of(b"two")).await;
    assert!(kept.unwrap());

    let log = fake.log("/feed/index");
    assert!(
        log.iter()
            .all(|sent| sent.header("accept") == Some("text/page"))
    );
    assert_eq!(log[0].header("if-none-match"), None);
    assert!(log.last().unwrap().header("if-none-match").is_some());
    let asked = &fake.log("/token")[0];
    assert_eq!(
        asked.header("authorization"),
        Some("Basic bWU6aHVudGVyMg==")
    );
}
