//! `pith rpm repo …` and `pith iso repo …`: one family of commands for every kind of repository
//! (reference: rpm.md §19, iso.md §9). What differs is in [`OfKind`] and [`Kind`].

use std::fmt;

use clap::{Args, Subcommand};

use super::associate::{self, CopyArgs, CopyOptions, NoCopyOptions, RecursiveArgs, RemoveArgs};
use super::content::{self, ContentArgs};
use super::download::{self, DownloadArgs};
use super::group::{self, GroupCommand};
use super::metadata::{Metadata, NoMetadata, RpmMetadata};
use super::repo::{self, DeleteArgs, ListArgs};
use super::runs::{self, PublishCommand, SyncCommand};
use super::uploads::{self, UploadsCommand};
use super::write::{self, CreateArgs, UpdateArgs};
use super::{RepoRef, Session};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::kind::{ISO, Kind, RPM};
use crate::settings::{IsoArgs, OwnSettings, RpmArgs};

/// A kind of repository, as far as its options differ from those of others.
pub trait OfKind: fmt::Debug + Clone + Send + Sync + 'static {
    /// Settings that only this kind has.
    type Settings: Args + OwnSettings + fmt::Debug + Clone + Send + Sync;
    /// Options that only copies between repositories of this kind have.
    type Copy: Args + CopyOptions + fmt::Debug + Clone + Send + Sync;
    /// Uploads that are no files.
    type Metadata: Subcommand + Metadata + fmt::Debug + Clone + Send + Sync;
    /// Other names of `content`.
    const CONTENT_ALIASES: &'static [&'static str];
    /// Other names of `uploads upload`.
    const UPLOAD_ALIASES: &'static [&'static str];

    /// Returns what is the same for all options: names and types.
    fn kind() -> &'static Kind;
}

/// RPM repositories.
#[derive(Debug, Clone)]
pub struct Rpm;

impl OfKind for Rpm {
    type Settings = RpmArgs;
    type Copy = RecursiveArgs;
    type Metadata = RpmMetadata;
    const CONTENT_ALIASES: &'static [&'static str] = &[];
    const UPLOAD_ALIASES: &'static [&'static str] = &["rpm", "srpm", "drpm"];

    fn kind() -> &'static Kind {
        &RPM
    }
}

/// Repositories of files.
#[derive(Debug, Clone)]
pub struct Iso;

impl OfKind for Iso {
    type Settings = IsoArgs;
    type Copy = NoCopyOptions;
    type Metadata = NoMetadata;
    const CONTENT_ALIASES: &'static [&'static str] = &["isos"];
    const UPLOAD_ALIASES: &'static [&'static str] = &[];

    fn kind() -> &'static Kind {
        &ISO
    }
}

/// `pith rpm …`, `pith iso …`
#[derive(Debug, Clone, Subcommand)]
pub enum Section<K: OfKind> {
    /// Create, fill, change and publish repositories
    #[command(subcommand)]
    Repo(RepoOf<K>),
}

/// `pith rpm repo …`, `pith iso repo …`
#[derive(Debug, Clone, Subcommand)]
pub enum RepoOf<K: OfKind> {
    /// Create a repository
    Create(Box<CreateArgs<K>>),
    /// Change a repository; an empty text removes a setting, and `pith repo importer update` and
    /// `pith repo distributor update` remove any
    Update(Box<UpdateArgs<K>>),
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
    /// List what the repository holds
    #[command(visible_aliases = K::CONTENT_ALIASES.iter().copied())]
    Content(Box<ContentArgs<K>>),
    /// Copy content from another repository
    Copy(Box<CopyArgs<K>>),
    /// Remove content from the repository
    Remove(Box<RemoveArgs<K>>),
    /// Send files and metadata to the repository
    #[command(subcommand)]
    Uploads(UploadsCommand<K>),
    // The same commands as `pith repo group`, for those who look for them here.
    /// Work with groups of repositories
    #[command(subcommand, hide = true)]
    Group(GroupCommand),
}

pub(super) async fn run<K: OfKind>(
    command: &Section<K>,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    let Section::Repo(command) = command;
    let kind = K::kind();
    match command {
        RepoOf::Create(args) => write::create(args, session).await,
        RepoOf::Update(args) => write::update(args, session).await,
        RepoOf::List(args) => repo::list(args, Some(kind), session).await,
        RepoOf::Show(repo) => repo::show(repo, session).await,
        RepoOf::Delete(args) => repo::delete(args, session).await,
        RepoOf::Search(args) => repo::search(args, Some(kind), session).await,
        RepoOf::Sync(command) => runs::sync(command, kind, session).await,
        RepoOf::Publish(command) => runs::publish(command, kind, session).await,
        RepoOf::Download(args) => download::run(args, session).await,
        RepoOf::Content(args) => content::run(args, session).await,
        RepoOf::Copy(args) => associate::copy(args, session).await,
        RepoOf::Remove(args) => associate::remove(args, session).await,
        RepoOf::Uploads(command) => uploads::run(command, session).await,
        RepoOf::Group(command) => group::run(command, session).await,
    }
}
