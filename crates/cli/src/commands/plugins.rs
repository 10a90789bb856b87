//! `pith repo importer …`, `pith repo distributor …`, `pith repo group distributor …` and `pith server …`
//! (pulp2/server#plugins, pulp2/importers#operations, pulp2/distributors#operations, pulp2/groups#distributors).

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::common::{GroupRef, RepoRef, WaitArgs};
use super::listing::{Column, at, text};
use super::running::CommandSession;
use super::write::nothing_to_change;
use crate::client::spawned;
use crate::criteria::{SearchArgs, object};
use crate::error::Error;
use crate::text::clean;

/// A thing that has distributors: a repository or a group.
pub trait DistributorOwner: Args + Clone + std::fmt::Debug + Send + Sync {
    /// The first part of its address.
    const COLLECTION: &'static str;
    /// Options of distributors that publish by themselves.
    type Auto: Args + AutoPublish + Clone + std::fmt::Debug + Send + Sync;
    /// Options of changes that tasks make.
    type Wait: Args + Waits + Clone + std::fmt::Debug + Send + Sync;

    /// Its id.
    fn name(&self) -> &str;
}

/// An option that says whether a distributor publishes after each sync.
pub trait AutoPublish {
    /// Returns what was asked for.
    fn auto_publish(&self) -> Option<bool> {
        None
    }
}

/// An option that says whether to wait for tasks.
pub trait Waits {
    /// Returns what was asked for.
    fn wait(&self) -> WaitArgs {
        WaitArgs::default()
    }
}

/// Options of a distributor of a repository.
#[derive(Debug, Clone, Args)]
pub struct AutoArgs {
    /// Publish after each sync
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    auto_publish: Option<bool>,
}

/// No options.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct NoArgs {}

impl AutoPublish for AutoArgs {
    fn auto_publish(&self) -> Option<bool> {
        self.auto_publish
    }
}

impl AutoPublish for NoArgs {}

impl Waits for WaitArgs {
    fn wait(&self) -> WaitArgs {
        self.clone()
    }
}

impl Waits for NoArgs {}

impl DistributorOwner for RepoRef {
    const COLLECTION: &'static str = "repositories";
    type Auto = AutoArgs;
    type Wait = WaitArgs;

    fn name(&self) -> &str {
        self.id()
    }
}

impl DistributorOwner for GroupRef {
    const COLLECTION: &'static str = "repo_groups";
    type Auto = NoArgs;
    type Wait = NoArgs;

    fn name(&self) -> &str {
        self.id()
    }
}

/// `… importer …`
#[derive(Debug, Clone, Subcommand)]
pub enum ImporterCommand {
    /// Show the importer of a repository
    List(RepoRef),
    /// Give a repository an importer, in place of what it has
    Create(CreateImporter),
    /// Change the settings of an importer; null removes a setting
    Update(UpdateImporterArgs),
    /// Take the importer from a repository
    Delete(OneImporter),
}

/// `… importer create`
#[derive(Debug, Clone, Args)]
pub struct CreateImporter {
    #[command(flatten)]
    repo: RepoRef,
    /// Type of the importer
    #[arg(long = "type", value_name = "TYPE")]
    type_id: String,
    /// Settings, as a JSON object, or `@` and a file that holds it
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    config: Value,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… importer update`
#[derive(Debug, Clone, Args)]
pub struct UpdateImporterArgs {
    #[command(flatten)]
    one: OneImporter,
    /// Settings that change, as a JSON object, or `@` and a file that holds it
    #[arg(long, value_name = "JSON", value_parser = object)]
    config: Value,
}

/// An importer of a repository.
#[derive(Debug, Clone, Args)]
pub struct OneImporter {
    #[command(flatten)]
    repo: RepoRef,
    /// Id of the importer, which is its type
    #[arg(long, value_name = "ID")]
    importer_id: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… distributor …`
#[derive(Debug, Clone, Subcommand)]
pub enum DistributorCommand<O: DistributorOwner> {
    /// List the distributors
    List(O),
    /// Show one distributor with its settings
    #[command(visible_alias = "details")]
    Show(OneDistributor<O>),
    /// Add a distributor
    Create(CreateDistributor<O>),
    /// Change the settings of a distributor; null removes a setting
    Update(UpdateDistributorArgs<O>),
    /// Remove a distributor and what it serves
    Delete(DeleteDistributor<O>),
}

/// `pith repo distributor …`
#[derive(Debug, Clone, Subcommand)]
pub enum RepoDistributorCommand {
    #[command(flatten)]
    OfOne(DistributorCommand<RepoRef>),
    /// Find distributors of all repositories
    Search(Box<SearchArgs>),
}

/// `… distributor create`
#[derive(Debug, Clone, Args)]
pub struct CreateDistributor<O: DistributorOwner> {
    #[command(flatten)]
    owner: O,
    /// Type of the distributor
    #[arg(long = "type", value_name = "TYPE")]
    type_id: String,
    /// Id of the distributor [default: the server makes one]
    #[arg(long, value_name = "ID")]
    distributor_id: Option<String>,
    /// Settings, as a JSON object, or `@` and a file that holds it
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    config: Value,
    #[command(flatten)]
    auto: O::Auto,
}

/// `… distributor update`
#[derive(Debug, Clone, Args)]
pub struct UpdateDistributorArgs<O: DistributorOwner> {
    #[command(flatten)]
    one: OneDistributor<O>,
    /// Settings that change, as a JSON object, or `@` and a file that holds it
    #[arg(long, value_name = "JSON", value_parser = object)]
    config: Option<Value>,
    #[command(flatten)]
    auto: O::Auto,
    #[command(flatten)]
    wait: O::Wait,
}

/// A distributor.
#[derive(Debug, Clone, Args)]
pub struct OneDistributor<O: DistributorOwner> {
    #[command(flatten)]
    owner: O,
    /// Id of the distributor
    #[arg(long, value_name = "ID")]
    distributor_id: String,
}

/// `… distributor delete`
#[derive(Debug, Clone, Args)]
pub struct DeleteDistributor<O: DistributorOwner> {
    #[command(flatten)]
    one: OneDistributor<O>,
    #[command(flatten)]
    wait: O::Wait,
}

/// `pith server …`
#[derive(Debug, Clone, Subcommand)]
pub enum ServerCommand {
    /// Show the state of the server
    Status,
    /// List the types of content that the server knows
    Types,
    /// List the types of importers that the server knows
    Importers,
    /// List the types of distributors that the server knows
    Distributors,
}

const IMPORTER: &[Column] = &[
    text("importer", "/id"),
    text("type", "/importer_type_id"),
    at("last sync", "/last_sync"),
    text("settings", "/config"),
];

const ID: Column = text("distributor", "/id");
const TYPE: Column = text("type", "/distributor_type_id");
const AUTO_PUBLISH: Column = text("auto publish", "/auto_publish");
const LAST_PUBLISH: Column = at("last publish", "/last_publish");
const SETTINGS: Column = text("settings", "/config");

const DISTRIBUTORS: &[Column] = &[ID, TYPE, AUTO_PUBLISH, LAST_PUBLISH];
const FOUND: &[Column] = &[text("repository", "/repo_id"), ID, TYPE, LAST_PUBLISH];
const DISTRIBUTOR: &[Column] = &[ID, TYPE, AUTO_PUBLISH, LAST_PUBLISH, SETTINGS];

pub(super) async fn importer(
    command: &ImporterCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        ImporterCommand::List(repo) => {
            let path = ["repositories", repo.id(), "importers"];
            let found = session.client.get(&path, &[]).await?;
            session.none_of(&found, Some(repo.id())).await?;
            session.list(&found, IMPORTER, "no importer; `create` gives it one")
        }
        ImporterCommand::Create(args) => {
            let body = json!({ "importer_type_id": args.type_id, "importer_config": args.config });
            let path = ["repositories", args.repo.id(), "importers"];
            let answer = session.client.post(&path, &body).await?;
            changed(&answer, &args.type_id, &args.wait, session).await
        }
        ImporterCommand::Update(args) => {
            let body = json!({ "importer_config": args.config });
            let answer = session.client.put(&args.one.path(), &body).await?;
            changed(&answer, &args.one.importer_id, &args.one.wait, session).await
        }
        ImporterCommand::Delete(one) => {
            let answer = session.client.delete(&one.path()).await?;
            changed(&answer, &one.importer_id, &one.wait, session).await
        }
    }
}

impl OneImporter {
    fn path(&self) -> [&str; 4] {
        let repo = self.repo.id();
        ["repositories", repo, "importers", &self.importer_id]
    }
}

impl<O: DistributorOwner> OneDistributor<O> {
    fn path(&self) -> [&str; 4] {
        let owner = self.owner.name();
        [O::COLLECTION, owner, "distributors", &self.distributor_id]
    }
}

pub(super) async fn repo_distributor(
    command: &RepoDistributorCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        RepoDistributorCommand::OfOne(command) => distributor(command, session).await,
        RepoDistributorCommand::Search(args) => session.search("distributors", args, FOUND).await,
    }
}

pub(super) async fn distributor<O: DistributorOwner>(
    command: &DistributorCommand<O>,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        DistributorCommand::List(owner) => {
            let path = [O::COLLECTION, owner.name(), "distributors"];
            let found = session.client.get(&path, &[]).await?;
            session.list(&found, DISTRIBUTORS, "no distributors; `create` adds one")
        }
        DistributorCommand::Show(one) => {
            let document = session.client.get(&one.path(), &[]).await?;
            session.show(&document, DISTRIBUTOR)
        }
        DistributorCommand::Create(args) => {
            let mut body = json!({ "distributor_type_id": args.type_id,
                                   "distributor_config": args.config });
            if let Some(id) = &args.distributor_id {
                body["distributor_id"] = json!(id);
            }
            if let Some(auto) = args.auto.auto_publish() {
                body["auto_publish"] = json!(auto);
            }
            let path = [O::COLLECTION, args.owner.name(), "distributors"];
            let document = session.client.post(&path, &body).await?;
            let id = clean(document["id"].as_str().unwrap_or("?"));
            session
                .ui
                .either(&document, &format!("added distributor {id}"))
        }
        DistributorCommand::Update(args) => {
            let body = args.body()?;
            let answer = session.client.put(&args.one.path(), &body).await?;
            changed(
                &answer,
                &args.one.distributor_id,
                &args.wait.wait(),
                session,
            )
            .await
        }
        DistributorCommand::Delete(args) => {
            let answer = session.client.delete(&args.one.path()).await?;
            changed(
                &answer,
                &args.one.distributor_id,
                &args.wait.wait(),
                session,
            )
            .await
        }
    }
}

impl<O: DistributorOwner> UpdateDistributorArgs<O> {
    fn body(&self) -> Result<Value, Error> {
        if self.config.is_none() && self.auto.auto_publish().is_none() {
            return Err(nothing_to_change());
        }
        let config = self.config.clone().unwrap_or_else(|| json!({}));
        let mut body = Map::from_iter([("distributor_config".to_owned(), config)]);
        if let Some(auto) = self.auto.auto_publish() {
            body.insert("delta".into(), json!({ "auto_publish": auto }));
        }
        Ok(Value::Object(body))
    }
}

/// Ends a change: some answer with a call report, some with the document.
async fn changed(
    answer: &Value,
    id: &str,
    wait_args: &WaitArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    if spawned(answer).is_empty() {
        return session.ui.either(answer, &format!("changed {}", clean(id)));
    }
    session.finish(answer, wait_args).await
}

pub(super) async fn server(
    command: &ServerCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let name = match command {
        ServerCommand::Status => return super::session::status(session).await,
        ServerCommand::Types => "types",
        ServerCommand::Importers => "importers",
        ServerCommand::Distributors => "distributors",
    };
    let found = session.client.get(&["plugins", name], &[]).await?;
    let columns = [text("id", "/id"), text("name", "/display_name")];
    session.list(&found, &columns, "none")
}
