//! `pith rpm repo …` and `pith iso repo …`: creating and updating repositories of one kind
//! (reference: rpm.md §19, iso.md §9, platform-api §4.2).

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::content::{self, ContentArgs, FilesArgs};
use super::repo::{self, DeleteArgs, ListArgs};
use super::runs::{self, PublishCommand, SyncCommand};
use super::uploads::{self, UploadsCommand};
use super::{RepoRef, Session, WaitArgs};
use crate::client::{Client, spawned};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::kind::Kind;
use crate::output::clean;
use crate::settings::{AboutArgs, FeedArgs, IsoArgs, RpmArgs, ServeArgs, Settings, notes};

/// `pith rpm repo …`
#[derive(Debug, Clone, Subcommand)]
pub enum RpmRepo {
    /// Create a repository
    Create(Box<RpmCreate>),
    /// Change a repository; an empty value removes a setting
    Update(Box<RpmUpdate>),
    /// List RPM repositories
    List(ListArgs),
    /// Delete a repository; its content stays until orphans are removed
    Delete(DeleteArgs),
    /// Find RPM repositories
    Search(Box<SearchArgs>),
    /// Fetch from the feed
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Serve what the repository holds now
    #[command(subcommand)]
    Publish(PublishCommand),
    /// List what the repository holds
    Content(Box<ContentArgs>),
    /// Send files to the repository
    #[command(subcommand)]
    Uploads(UploadsCommand),
}

/// `pith iso repo …`
#[derive(Debug, Clone, Subcommand)]
pub enum IsoRepo {
    /// Create a repository
    Create(Box<IsoCreate>),
    /// Change a repository; an empty value removes a setting
    Update(Box<IsoUpdate>),
    /// List repositories of files
    List(ListArgs),
    /// Delete a repository; its content stays until orphans are removed
    Delete(DeleteArgs),
    /// Find repositories of files
    Search(Box<SearchArgs>),
    /// Fetch from the feed
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Serve what the repository holds now
    #[command(subcommand)]
    Publish(PublishCommand),
    /// List the files of the repository
    #[command(visible_alias = "content")]
    Isos(Box<FilesArgs>),
    /// Send files to the repository
    #[command(subcommand)]
    Uploads(UploadsCommand),
}

macro_rules! create_and_update {
    ($create:ident, $update:ident, $own:ty) => {
        /// `… create`
        #[derive(Debug, Clone, Args)]
        pub struct $create {
            #[command(flatten)]
            repo: RepoRef,
            #[command(flatten)]
            about: AboutArgs,
            #[command(flatten)]
            feed: FeedArgs,
            #[command(flatten)]
            serve: ServeArgs,
            #[command(flatten)]
            own: $own,
        }

        impl $create {
            async fn run(&self, kind: &Kind, session: &mut Session<'_>) -> Result<(), Error> {
                let mut settings = Settings::default();
                self.feed.add_to(&mut settings)?;
                self.serve.add_to(kind, &mut settings);
                self.own.add_to(&mut settings)?;
                create(kind, self.repo.id(), &self.about, settings, session).await
            }
        }

        /// `… update`
        #[derive(Debug, Clone, Args)]
        pub struct $update {
            #[command(flatten)]
            repo: RepoRef,
            #[command(flatten)]
            about: AboutArgs,
            #[command(flatten)]
            feed: FeedArgs,
            #[command(flatten)]
            serve: ServeArgs,
            #[command(flatten)]
            own: $own,
            #[command(flatten)]
            wait: WaitArgs,
        }

        impl $update {
            async fn run(&self, kind: &Kind, session: &mut Session<'_>) -> Result<(), Error> {
                let mut settings = Settings::default();
                self.feed.add_to(&mut settings)?;
                self.serve.add_to(kind, &mut settings);
                self.own.add_to(&mut settings)?;
                update(
                    kind,
                    self.repo.id(),
                    &self.about,
                    settings,
                    &self.wait,
                    session,
                )
                .await
            }
        }
    };
}

create_and_update!(RpmCreate, RpmUpdate, RpmArgs);
create_and_update!(IsoCreate, IsoUpdate, IsoArgs);

pub(super) async fn run_rpm(
    command: &RpmRepo,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match command {
        RpmRepo::Create(args) => args.run(kind, session).await,
        RpmRepo::Update(args) => args.run(kind, session).await,
        RpmRepo::List(args) => repo::list(args, Some(kind), session).await,
        RpmRepo::Delete(args) => repo::delete(args, session).await,
        RpmRepo::Search(args) => repo::search(args, Some(kind), session).await,
        RpmRepo::Sync(command) => runs::sync(command, session).await,
        RpmRepo::Publish(command) => runs::publish(command, kind, session).await,
        RpmRepo::Content(args) => content::content(args, kind, session).await,
        RpmRepo::Uploads(command) => uploads::run(command, kind, session).await,
    }
}

pub(super) async fn run_iso(
    command: &IsoRepo,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match command {
        IsoRepo::Create(args) => args.run(kind, session).await,
        IsoRepo::Update(args) => args.run(kind, session).await,
        IsoRepo::List(args) => repo::list(args, Some(kind), session).await,
        IsoRepo::Delete(args) => repo::delete(args, session).await,
        IsoRepo::Search(args) => repo::search(args, Some(kind), session).await,
        IsoRepo::Sync(command) => runs::sync(command, session).await,
        IsoRepo::Publish(command) => runs::publish(command, kind, session).await,
        IsoRepo::Isos(args) => content::files(args, kind, session).await,
        IsoRepo::Uploads(command) => uploads::run(command, kind, session).await,
    }
}

async fn create(
    kind: &Kind,
    id: &str,
    about: &AboutArgs,
    mut settings: Settings,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    settings.complete_for_create(kind, id);
    let extra = extra_distributor(kind, &session.client).await?;
    let body = create_body(kind, id, about, settings, extra);
    let repository = session.client.post(&["repositories"], &body).await?;
    let section = kind.section;
    let line = format!(
        "created {}; `pith {section} repo sync run {}` fills it",
        clean(id),
        clean(id)
    );
    session.ui.either(&repository, &line)
}

/// The extra distributor of a kind, when the server has its type.
async fn extra_distributor(kind: &Kind, client: &Client) -> Result<Option<&'static str>, Error> {
    let Some(extra) = kind.extra_distributor else {
        return Ok(None);
    };
    match client.get(&["plugins", "distributors", extra], &[]).await {
        Ok(_) => Ok(Some(extra)),
        // Without the right to read plugins, pulp-admin's assumption stands.
        Err(error) if error.is_status(403) => Ok(Some(extra)),
        Err(error) if error.is_status(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The body that creates a repository, as pulp-admin sends it.
pub(crate) fn create_body(
    kind: &Kind,
    id: &str,
    about: &AboutArgs,
    settings: Settings,
    extra: Option<&str>,
) -> Value {
    let mut notes = notes(&about.notes);
    notes.retain(|_, value| !value.is_null());
    notes.insert("_repo-type".into(), json!(kind.note));
    let one = |id: &str, config: Map<String, Value>, auto_publish: bool| {
        json!({ "distributor_type_id": id, "distributor_id": id, "distributor_config": config,
                "auto_publish": auto_publish })
    };
    let without_null = |mut map: Map<String, Value>| {
        map.retain(|_, value| !value.is_null());
        map
    };
    let mut distributors = vec![one(
        kind.distributor,
        without_null(settings.distributor),
        true,
    )];
    distributors.extend(extra.map(|extra| one(extra, without_null(settings.extra), false)));
    json!({
        "id": id,
        "display_name": about.display_name.as_deref().unwrap_or(id),
        "description": about.description,
        "notes": notes,
        "importer_type_id": kind.importer,
        "importer_config": without_null(settings.importer),
        "distributors": distributors,
    })
}

async fn update(
    kind: &Kind,
    id: &str,
    about: &AboutArgs,
    settings: Settings,
    wait_args: &WaitArgs,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    let mut delta = Map::new();
    if let Some(name) = &about.display_name {
        delta.insert("display_name".into(), json!(name));
    }
    if let Some(text) = &about.description {
        delta.insert("description".into(), json!(text));
    }
    if !about.notes.is_empty() {
        delta.insert("notes".into(), Value::Object(notes(&about.notes)));
    }
    let mut distributors = Map::new();
    if !settings.distributor.is_empty() {
        distributors.insert(kind.distributor.into(), Value::Object(settings.distributor));
    }
    if !settings.extra.is_empty()
        && let Some(extra) = extra_distributor(kind, &session.client).await?
    {
        distributors.insert(extra.into(), Value::Object(settings.extra));
    }
    if delta.is_empty() && settings.importer.is_empty() && distributors.is_empty() {
        return Err(Error::usage(
            "nothing to change",
            format!(
                "`pith {} repo update --help` lists the settings",
                kind.section
            ),
        ));
    }
    let body = json!({ "delta": delta, "importer_config": settings.importer,
                       "distributor_configs": distributors });
    let report = session.client.put(&["repositories", id], &body).await?;
    if spawned(&report).is_empty() {
        return session
            .ui
            .either(&report["result"], &format!("updated {}", clean(id)));
    }
    session.ui.line(&format!("updated {}", clean(id)))?;
    if wait_args.background || !session.ui.is_json() {
        return session.finish(&report, wait_args).await;
    }
    let tasks = crate::wait::wait(&session.client, spawned(&report), session.ui).await?;
    crate::wait::check(&tasks, session.ui)?;
    session.ui.document(&report["result"])
}
