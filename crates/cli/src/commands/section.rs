//! `pith <section> repo …`: one family of commands for every family of repositories. What differs is in its words, so these
//! commands are made when the program runs.

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use pith_content::words::{Family, Words};

use super::assembly::{holder, with};
use super::associate::{self, CopyArgs, RemoveArgs};
use super::common::RepoRef;
use super::content::{self, ContentArgs};
use super::download::{self, DownloadArgs};
use super::group::{self, GroupCommand};
use super::repo::{self, DeleteArgs, ListArgs};
use super::running::CommandSession;
use super::runs::{self, PublishCommand, SyncCommand};
use super::uploads::{self, UploadsCommand};
use super::write::{self, CreateArgs, UpdateArgs};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::families::Families;

/// A command of a section.
#[derive(Debug, Clone)]
pub struct SectionCommand {
    words: &'static Words,
    command: RepoCommand,
}

/// `pith <section> repo …`
#[derive(Debug, Clone)]
enum RepoCommand {
    Create(CreateArgs),
    Update(UpdateArgs),
    Common(CommonCommand),
    Content(Box<ContentArgs>),
    Copy(Box<CopyArgs>),
    Remove(Box<RemoveArgs>),
    Uploads(UploadsCommand),
}

/// The commands that are the same in every section.
#[derive(Debug, Clone, Subcommand)]
enum CommonCommand {
    /// List the repositories of this kind
    List(ListArgs),
    /// Show one repository with its importer and distributors
    #[command(visible_alias = "details")]
    Show(RepoRef),
    /// Delete a repository; its content stays until orphans are removed
    Delete(DeleteArgs),
    /// Find repositories of this kind
    Search(Box<SearchArgs>),
    /// Fetch from the feed
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Serve what the repository holds now
    #[command(subcommand)]
    Publish(PublishCommand),
    /// Fetch what was left for later by the download policy
    Download(DownloadArgs),
    // The same commands as `pith repo group`, for those who look for them here.
    /// Work with groups of repositories
    #[command(subcommand, hide = true)]
    Group(GroupCommand),
}

/// Adds the section of each family to the program.
pub(super) fn augment(command: Command, families: &Families) -> Command {
    command.subcommands(families.iter().map(section))
}

fn section(family: &Family) -> Command {
    let words = family.words;
    holder(words.section, words.about)
        .visible_aliases(words.aliases.iter().copied())
        .subcommand(repo(family))
}

fn repo(family: &Family) -> Command {
    let words = family.words;
    let about = "Create, fill, change and publish repositories";
    let create = write::augment_create(Command::new("create"), family);
    let update = write::augment_update(Command::new("update"), family);
    let repo = holder("repo", about)
        .subcommand(create.about("Create a repository"))
        .subcommand(update.about(
            "Change a repository; an empty text removes a setting, and `pith repo importer update` and \
             `pith repo distributor update` remove any",
        ));
    let content = content::augment(Command::new("content"), words);
    let copy = associate::augment_copy(Command::new("copy"), family);
    let remove = associate::augment_remove(Command::new("remove"), words);
    with::<CommonCommand>(repo)
        .subcommand(
            content
                .about("List what the repository holds")
                .visible_aliases(words.content_aliases.iter().copied()),
        )
        .subcommand(copy.about("Copy content from another repository"))
        .subcommand(remove.about("Remove content from the repository"))
        .subcommand(uploads::command(family))
}

impl SectionCommand {
    /// The command of a section that was given; `None` for one of no section.
    pub(super) fn from_matches(
        matches: &ArgMatches,
        families: &Families,
    ) -> Result<Option<Self>, clap::Error> {
        let Some((section, below)) = matches.subcommand() else {
            return Ok(None);
        };
        let Some(family) = families.section(section) else {
            return Ok(None);
        };
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (_, repo) = below.subcommand().ok_or_else(missing)?;
        let (name, own) = repo.subcommand().ok_or_else(missing)?;
        let words = family.words;
        let command = match name {
            "create" => RepoCommand::Create(CreateArgs::from_matches(own, family)?),
            "update" => RepoCommand::Update(UpdateArgs::from_matches(own, family)?),
            "content" => RepoCommand::Content(Box::new(ContentArgs::from_matches(own, words)?)),
            "copy" => RepoCommand::Copy(Box::new(CopyArgs::from_matches(own, family)?)),
            "remove" => RepoCommand::Remove(Box::new(RemoveArgs::from_matches(own, words)?)),
            "uploads" => RepoCommand::Uploads(UploadsCommand::from_matches(own, family)?),
            _ => RepoCommand::Common(CommonCommand::from_arg_matches(repo)?),
        };
        Ok(Some(Self { words, command }))
    }
}

pub(super) async fn run(
    command: &SectionCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let words = command.words;
    match &command.command {
        RepoCommand::Create(args) => write::create(args, words, session).await,
        RepoCommand::Update(args) => write::update(args, words, session).await,
        RepoCommand::Common(command) => common(command, words, session).await,
        RepoCommand::Content(args) => content::run(args, session).await,
        RepoCommand::Copy(args) => associate::copy(args, session).await,
        RepoCommand::Remove(args) => associate::remove(args, session).await,
        RepoCommand::Uploads(command) => uploads::run(command, words, session).await,
    }
}

async fn common(
    command: &CommonCommand,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        CommonCommand::List(args) => repo::list(args, Some(words), session).await,
        CommonCommand::Show(repo) => repo::show(repo, session).await,
        CommonCommand::Delete(args) => repo::delete(args, session).await,
        CommonCommand::Search(args) => repo::search(args, Some(words), session).await,
        CommonCommand::Sync(command) => runs::sync(command, words, session).await,
        CommonCommand::Publish(command) => runs::publish(command, words, session).await,
        CommonCommand::Download(args) => download::run(args, session).await,
        CommonCommand::Group(command) => group::run(command, session).await,
    }
}
