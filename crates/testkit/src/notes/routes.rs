//! Endpoints of notes: a search of what is published, a list of what a repository has, and writing.

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use http::StatusCode;
use http::header::LOCATION;
use pith_content::job::Job;
use pith_content::routes::{
    Answer, BodyKind, BodyStream, Endpoint, Import, Login, Refusal, Request, Route, RouteContext,
    Verb, Who,
};
use pith_content::unit::Select;
use pith_core::task::CallReport;
use pith_core::{Document, RelativePath, TaskId};
use serde_json::{Value, json};

use super::NOTE;
use super::fold::Fold;

/// The longest list of names that is searched, in bytes.
const MOST: usize = 1024 * 1024;
/// The longest wait for a task.
const PATIENCE: Duration = Duration::from_secs(50);

/// The routes.
pub(super) static ROUTES: &[Route] = &[
    Route {
        headers: &["x-greeting"],
        ..Route::get("notes", &Hello)
    },
    Route::get("notes/<repo...>/-/search", &Search),
    Route::get("notes/<repo...>/-/raw/<name>", &Raw),
    Route {
        login: Login::Required,
        ..Route::get("notes/<repo...>/-/units", &Units)
    },
    Route {
        verb: Verb::Post,
        body: BodyKind::Document,
        ..Route::get("notes/<repo...>/-/missing", &Missing)
    },
    Route {
        verb: Verb::Post,
        login: Login::Required,
        body: BodyKind::Document,
        ..Route::get("notes/<repo>/-/fold", &Folding)
    },
    Route {
        verb: Verb::Put,
        login: Login::Required,
        body: BodyKind::Stream,
        ..Route::get("notes/<repo>/<name>", &Write)
    },
];

/// Tells who asks.
struct Hello;

#[async_trait]
impl Endpoint for Hello {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let who = match ctx.who() {
            Who::Nobody => "nobody",
            Who::Certificate => "somebody",
            Who::Login(login) => login,
        };
        let greeting = request.header("x-greeting").unwrap_or("hello");
        Ok(Answer::text(StatusCode::OK, format!("{greeting} {who}")))
    }
}

/// The published names with a text in them.
struct Search;

#[async_trait]
impl Endpoint for Search {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let wanted = request.asked("q").unwrap_or_default();
        let names = published(ctx, request.params.get("repo")).await?;
        let found: Vec<&str> = names.lines().filter(|name| name.contains(wanted)).collect();
        Ok(Answer::json(StatusCode::OK, &json!(found)))
    }
}

/// Those names of a list that are not published.
struct Missing;

#[async_trait]
impl Endpoint for Missing {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let asked: Vec<String> = serde_json::from_slice(request.document())
            .map_err(|error| Refusal::wrong(error.to_string()))?;
        let names = published(ctx, request.params.get("repo")).await?;
        let is_there = |asked: &String| names.lines().any(|name| name == asked);
        let missing: Vec<&String> = asked.iter().filter(|asked| !is_there(asked)).collect();
        Ok(Answer::json(StatusCode::OK, &json!(missing)))
    }
}

async fn published(ctx: &dyn RouteContext, repo: &str) -> Result<String, Refusal> {
    let names = ctx
        .read(&path(&format!("notes/{repo}/names"))?, MOST)
        .await?;
    let names = names.ok_or_else(|| Refusal::not_found("nothing is published there"))?;
    Ok(String::from_utf8_lossy(&names).into_owned())
}

/// A note as it is published, at another path.
struct Raw;

#[async_trait]
impl Endpoint for Raw {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let (repo, name) = (request.params.get("repo"), request.params.get("name"));
        ctx.serve(&path(&format!("notes/{repo}/{name}"))?).await
    }
}

/// The names that a repository has, published or not, as they are read.
struct Units;

#[async_trait]
impl Endpoint for Units {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let select = Select {
            sort: &["name"],
            ..Select::all(NOTE.id)
        };
        let units = ctx.units(request.params.get("repo"), select).await?;
        let lines = units.map_ok(|batch| {
            let names = batch
                .iter()
                .filter_map(|unit| unit.doc.get("name")?.as_str());
            let lines: String = names.map(|name| format!("{name}\n")).collect();
            lines.into()
        });
        let lines = lines.map_err(std::io::Error::other);
        Ok(Answer::stream(StatusCode::OK, Box::pin(lines)))
    }
}

/// Takes a note in: its bytes become an upload, the upload a unit in a new version of the repository, which is published.
struct Write;

#[async_trait]
impl Endpoint for Write {
    async fn answer(
        &self,
        ctx: &dyn RouteContext,
        mut request: Request,
    ) -> Result<Answer, Refusal> {
        let (repo, name) = (request.params.get("repo"), request.params.get("name"));
        let (repo, name) = (repo.to_owned(), name.to_owned());
        path(&name)?;
        ctx.repository(&repo).await?;
        let upload = ctx.upload_open().await?;
        let imported = import(ctx, (&repo, name.clone()), &upload, request.stream()).await;
        ctx.upload_forget(&upload).await?;
        imported?;
        let published = ctx.publish(&repo, "notes").await?;
        well(ctx, published).await?;
        Answer::empty(StatusCode::CREATED).with(LOCATION, format!("/notes/{repo}/{name}"))
    }
}

/// Queues the making of one note of several.
struct Folding;

#[async_trait]
impl Endpoint for Folding {
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal> {
        let mut args: Document = serde_json::from_slice(request.document())
            .map_err(|error| Refusal::wrong(error.to_string()))?;
        args.insert("repo".to_owned(), json!(request.params.get("repo")));
        let task = ctx.queue(Fold::NAME, args.into()).await?;
        let report = CallReport::queued(task).to_json();
        Ok(Answer::json(StatusCode::ACCEPTED, &report))
    }
}

/// Writes bytes into an upload, and makes it a note of the repository.
async fn import(
    ctx: &dyn RouteContext,
    (repo, name): (&str, String),
    upload: &str,
    bytes: BodyStream,
) -> Result<Value, Refusal> {
    ctx.upload_write(upload, 0, bytes).await?;
    let import = Import {
        upload: upload.to_owned(),
        type_id: NOTE.id.to_owned(),
        key: Document::from_iter([("name".to_owned(), json!(name))]),
        ..Import::default()
    };
    let task = ctx.import(repo, import).await?;
    well(ctx, task).await
}

/// Waits for a task to end well.
async fn well(ctx: &dyn RouteContext, task: TaskId) -> Result<Value, Refusal> {
    match ctx.ended(task, PATIENCE).await? {
        Some(end) if end.is_well => Ok(end.result),
        Some(end) => Err(Refusal::wrong(end.error.unwrap_or_default())),
        None => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "it takes longer; look again later",
        )),
    }
}

fn path(text: &str) -> Result<RelativePath, Refusal> {
    RelativePath::new(text).map_err(|error| Refusal::wrong(error.to_string()))
}
