//! The words of the command line for a family of repositories, as data: `pith <section> repo …`, `pith mirror`, progress
//! and hints.
//!
//! A type gives its [`Words`]; `pith-cli` makes commands of them and knows no type. What an option sets, and what it
//! says when the words say nothing, comes from the [`crate::Setting`] of the plugin that takes it.

mod family;
mod feed;
mod option;
mod serving;
mod unit;
mod upload;

pub use family::Family;
pub use feed::{DOWNLOAD_POLICY, FEED, REMOVE_MISSING, TRANSFER, VALIDATE};
pub use option::{
    Choice, Form, Input, Key, OnCreate, OptionGroup, OptionWords, SettingOwner, With, distributor,
    extra, importer, of_run,
};
pub use serving::{readers, serve_http, serve_https};
pub use unit::{SortIndex, UnitWords};
pub use upload::{Described, FileUse, Given, UploadWords};

/// The words of the command line for one family of repositories.
#[derive(Debug)]
pub struct Words {
    /// The command's section, such as `rpm` in `pith rpm repo …`.
    pub section: &'static str,
    /// Other names of the section.
    pub aliases: &'static [&'static str],
    /// One line of help.
    pub about: &'static str,
    /// The place among all families, smallest first: in help, and in the order in which a feed is tried.
    pub order: u8,
    /// The note `_repo-type`, by which the repositories of a family are found.
    pub note: &'static str,
    /// The importer that a new repository gets.
    pub importer: &'static str,
    /// The distributor that a new repository gets and that publishes by itself; its id is its type.
    pub distributor: &'static str,
    /// A distributor that a new repository gets besides, where the server has its type.
    pub extra_distributor: Option<&'static str>,
    /// Unit types, the usual one first. Where there is only one, no command asks for it.
    pub units: &'static [UnitWords],
    /// Other names of `content`.
    pub content_aliases: &'static [&'static str],
    /// Options of `create` and `update`.
    pub settings: &'static [OptionGroup],
    /// Options that only copies between repositories of the family have; their keys are [`of_run`].
    pub copy: &'static [OptionGroup],
    /// Other names of `uploads upload`.
    pub upload_aliases: &'static [&'static str],
    /// Uploads of units that options describe.
    pub uploads: &'static [UploadWords],
    /// The words of `pith mirror`; none for a family that follows no feeds.
    pub mirror: Option<MirrorWords>,
    /// Names in progress reports.
    pub progress: ProgressWords,
    /// Advice on errors of tasks.
    pub hints: &'static [Hint],
}

impl Words {
    /// A family without plugins, units or words of its own: what a type leaves out of its words.
    pub const NONE: Self = Self {
        section: "",
        aliases: &[],
        about: "",
        order: u8::MAX,
        note: "",
        importer: "",
        distributor: "",
        extra_distributor: None,
        units: &[],
        content_aliases: &[],
        settings: &[],
        copy: &[],
        upload_aliases: &[],
        uploads: &[],
        mirror: None,
        progress: ProgressWords {
            phases: &[],
            files: None,
        },
        hints: &[],
    };

    /// The words for the unit type that the command line, or the API, calls so.
    #[must_use]
    pub fn unit(&self, word: &str) -> Option<&'static UnitWords> {
        let mut all = self.units.iter();
        all.find(|unit| unit.word == word || unit.id == word)
    }
}

/// The words of `pith mirror` for a family.
#[derive(Debug)]
pub struct MirrorWords {
    /// The words for `--type`, the one that help shows first.
    pub names: &'static [&'static str],
    /// The file whose presence in a feed tells the family. A feed that tells nothing is taken for one of the first family.
    pub marker: &'static str,
    /// Settings of the distributor that a mirror has, beside `relative_url`.
    pub settings: &'static [(&'static str, bool)],
    /// The path below the server's root at which published repositories appear.
    pub below: &'static [&'static str],
    /// Returns what a person pastes on a client machine.
    pub client: fn(&Served<'_>) -> String,
}

/// A published repository, as a client machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The repository's id, as a word that files and sections can be called.
    pub id: &'a str,
    /// Its address, which ends with a slash and has no quotes.
    pub url: &'a str,
}

/// Names in the progress reports of a family's plugins.
#[derive(Debug)]
pub struct ProgressWords {
    /// Phases of a report that has an object for each, in the order in which they run, with a label for people.
    pub phases: &'static [(&'static str, &'static str)],
    /// Names in a report that is one object and counts files.
    pub files: Option<FileCounters>,
}

/// Names in a report that is one object and counts files.
#[derive(Debug)]
pub struct FileCounters {
    /// The number of files.
    pub total: &'static str,
    /// Those that are done.
    pub done: &'static str,
    /// The list of those that failed.
    pub failed: &'static str,
    /// The state in which files are fetched.
    pub at_work: &'static str,
}

/// Advice on a task that failed.
#[derive(Debug)]
pub struct Hint {
    /// Codes of the errors.
    pub codes: &'static [&'static str],
    /// The next step.
    pub text: &'static str,
}
