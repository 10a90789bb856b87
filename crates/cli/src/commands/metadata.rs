//! Uploads that are described by options rather than by a file (reference: rpm.md §8).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::WaitArgs;
use crate::criteria::pair;
use crate::csv;
use crate::error::Error;
use crate::upload::{DigestUse, Plan, SourceFile};

/// Where an upload goes, and whether to wait for its import.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Id of the repository
    #[arg(long, value_name = "ID")]
    pub(super) repo_id: String,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// Uploads that a kind of repository has beside files.
pub trait Metadata {
    /// Returns what to send, and where.
    ///
    /// # Errors
    ///
    /// When a named file cannot be used.
    fn plan(&self) -> Result<(&Target, Plan), Error>;
}

/// No uploads beside files.
#[derive(Debug, Clone)]
pub enum NoMetadata {}

impl Metadata for NoMetadata {
    fn plan(&self) -> Result<(&Target, Plan), Error> {
        match *self {}
    }
}

impl clap::FromArgMatches for NoMetadata {
    fn from_arg_matches(_: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))
    }

    fn update_from_arg_matches(&mut self, _: &clap::ArgMatches) -> Result<(), clap::Error> {
        match *self {}
    }
}

impl Subcommand for NoMetadata {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        command
    }

    fn has_subcommand(_: &str) -> bool {
        false
    }
}

/// The metadata that RPM repositories take beside packages.
#[derive(Debug, Clone, Subcommand)]
pub enum RpmMetadata {
    // Its `--version` is that of the erratum, as pulp-admin has it.
    /// Add an erratum
    #[command(disable_version_flag = true)]
    Erratum(Box<ErratumArgs>),
    /// Add or change a package group
    Group(Box<GroupArgs>),
    /// Add or change a category of package groups
    Category(CategoryArgs),
    /// Add or change an environment
    Environment(EnvironmentArgs),
    /// Add or change the language packs
    Langpacks(LangpacksArgs),
    /// Add the groups, categories, environments and language packs of a comps.xml
    Comps(FileArgs),
    /// Add modules and their defaults from a modules.yaml
    #[command(visible_alias = "modulemd")]
    Module(FileArgs),
    /// Add a file of metadata to the repodata
    Metafile(MetafileArgs),
}

/// `… uploads erratum`
#[derive(Debug, Clone, Args)]
pub struct ErratumArgs {
    #[command(flatten)]
    target: Target,
    /// Id of the erratum
    #[arg(long, value_name = "ID")]
    erratum_id: String,
    /// Title
    #[arg(long, short = 'n', value_name = "TEXT")]
    title: String,
    /// Text for people
    #[arg(long, short = 'd', value_name = "TEXT", default_value = "")]
    description: String,
    /// Version of the erratum
    #[arg(long, value_name = "TEXT", default_value = "1")]
    version: String,
    /// Release that it belongs to
    #[arg(long, value_name = "TEXT", default_value = "")]
    release: String,
    /// Kind of change
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = ["enhancement", "bugfix", "security"])]
    kind: String,
    /// Status
    #[arg(long, short = 's', value_name = "STATUS", default_value = "final")]
    status: String,
    /// When it was last changed
    #[arg(long, value_name = "YYYY-MM-DD HH:MM:SS", default_value = "")]
    updated: String,
    /// When it was issued
    #[arg(long, value_name = "YYYY-MM-DD HH:MM:SS", default_value = "")]
    issued: String,
    /// Severity of the problem
    #[arg(long, value_name = "TEXT", default_value = "")]
    severity: String,
    /// Rights
    #[arg(long, value_name = "TEXT", default_value = "")]
    rights: String,
    /// Summary
    #[arg(long, value_name = "TEXT", default_value = "")]
    summary: String,
    /// Advice to the administrator
    #[arg(long, value_name = "TEXT", default_value = "")]
    solution: String,
    /// Who it comes from
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    from: String,
    /// Number of times that it was published
    #[arg(long, value_name = "N", default_value_t = 1)]
    pushcount: u32,
    /// A reboot is needed
    #[arg(long)]
    reboot_suggested: bool,
    /// A restart of the program is needed
    #[arg(long)]
    restart_suggested: bool,
    /// A new login is needed
    #[arg(long)]
    relogin_suggested: bool,
    /// File with references, a line each: href,type,id,title
    #[arg(long, short = 'r', value_name = "FILE")]
    reference_csv: Option<PathBuf>,
    /// File with packages, a line each: name,version,release,epoch,arch,filename,checksum,checksum type,source package
    #[arg(long, short = 'k', value_name = "FILE")]
    pkglist_csv: Option<PathBuf>,
}

impl ErratumArgs {
    fn plan(&self) -> Result<Plan, Error> {
        let references = match &self.reference_csv {
            None => Vec::new(),
            Some(path) => csv::read(path, ["href", "type", "id", "title"])?,
        };
        let references: Vec<Value> = references
            .into_iter()
            .map(|[href, kind, id, title]| json!({ "href": href, "type": kind, "id": id, "title": title }))
            .collect();
        let metadata = json!({
            "title": self.title, "description": self.description, "version": self.version,
            "release": self.release, "type": self.kind, "status": self.status,
            "updated": self.updated, "issued": self.issued, "severity": self.severity,
            "rights": self.rights, "summary": self.summary, "solution": self.solution,
            "from": self.from, "pushcount": self.pushcount.to_string(),
            "reboot_suggested": self.reboot_suggested,
            "restart_suggested": self.restart_suggested,
            "relogin_suggested": self.relogin_suggested,
            "references": references, "pkglist": self.pkglist()?,
        });
        let key = json!({ "id": self.erratum_id });
        Ok(Plan::without_file("erratum", key, metadata))
    }

    fn pkglist(&self) -> Result<Value, Error> {
        let Some(path) = &self.pkglist_csv else {
            return Ok(json!([]));
        };
        let columns = [
            "name",
            "version",
            "release",
            "epoch",
            "arch",
            "filename",
            "checksum",
            "checksum type",
            "source package",
        ];
        let packages: Vec<Value> = csv::read(path, columns)?
            .into_iter()
            .map(
                |[name, version, release, epoch, arch, filename, sums, kind, src]| {
                    json!({ "name": name, "version": version, "release": release, "epoch": epoch,
                            "arch": arch, "filename": filename, "sums": sums, "type": kind, "src": src })
                },
            )
            .collect();
        Ok(json!([{ "name": self.release, "short": "", "packages": packages }]))
    }
}

/// Name, text and place in lists, as groups, categories and environments have them.
#[derive(Debug, Clone, Args)]
struct Described {
    /// Name for people
    #[arg(long, short = 'n', value_name = "TEXT")]
    name: String,
    /// Purpose, for people
    #[arg(long, short = 'd', value_name = "TEXT", default_value = "")]
    description: String,
    /// Place in lists, smallest first
    #[arg(long, value_name = "N", default_value_t = 1024)]
    display_order: i32,
}

impl Described {
    fn metadata(&self, own: Value) -> Value {
        let mut metadata = json!({
            "name": self.name, "description": self.description, "display_order": self.display_order,
            "translated_name": {}, "translated_description": {},
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut metadata, own) {
            all.extend(own);
        }
        metadata
    }
}

/// `… uploads group`
#[derive(Debug, Clone, Args)]
pub struct GroupArgs {
    #[command(flatten)]
    target: Target,
    /// Id of the package group
    #[arg(long, short = 'i', value_name = "ID")]
    group_id: String,
    #[command(flatten)]
    described: Described,
    /// Package that is installed with the group; can be repeated
    #[arg(long = "mand-name", value_name = "NAME")]
    mandatory: Vec<String>,
    /// Package that is installed unless somebody says otherwise; can be repeated
    #[arg(long = "default-name", value_name = "NAME")]
    usual: Vec<String>,
    /// Package that somebody may choose; can be repeated
    #[arg(long = "opt-name", value_name = "NAME")]
    optional: Vec<String>,
    /// Package that is installed when another one is; can be repeated
    #[arg(long = "cond-name", value_name = "NAME=OTHER", value_parser = pair)]
    conditional: Vec<(String, String)>,
    /// Group is chosen from the start
    #[arg(long, value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    default: bool,
    /// Group is shown to people
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    user_visible: bool,
    /// Language that the group is only for
    #[arg(long, value_name = "LANGUAGE")]
    langonly: Option<String>,
}

impl GroupArgs {
    fn plan(&self) -> Plan {
        let metadata = self.described.metadata(json!({
            "mandatory_package_names": self.mandatory, "default_package_names": self.usual,
            "optional_package_names": self.optional, "conditional_package_names": self.conditional,
            "default": self.default, "user_visible": self.user_visible, "langonly": self.langonly,
        }));
        Plan::without_file(
            "package_group",
            in_repo(&self.group_id, &self.target),
            metadata,
        )
    }
}

/// The key of a unit that belongs to one repository.
fn in_repo(id: &str, target: &Target) -> Value {
    json!({ "id": id, "repo_id": target.repo_id })
}

/// `… uploads category`
#[derive(Debug, Clone, Args)]
pub struct CategoryArgs {
    #[command(flatten)]
    target: Target,
    /// Id of the category
    #[arg(long, short = 'i', value_name = "ID")]
    category_id: String,
    #[command(flatten)]
    described: Described,
    /// Package group of the category; can be repeated
    #[arg(long = "group", short = 'g', value_name = "ID")]
    groups: Vec<String>,
}

/// `… uploads environment`
#[derive(Debug, Clone, Args)]
pub struct EnvironmentArgs {
    #[command(flatten)]
    target: Target,
    /// Id of the environment
    #[arg(long, short = 'i', value_name = "ID")]
    environment_id: String,
    #[command(flatten)]
    described: Described,
    /// Package group of the environment; can be repeated
    #[arg(long = "group", short = 'g', value_name = "ID")]
    groups: Vec<String>,
    /// Package group that somebody may choose; can be repeated
    #[arg(long = "option", value_name = "ID")]
    options: Vec<String>,
    /// Package group that is chosen unless somebody says otherwise; can be repeated
    #[arg(long = "default-option", value_name = "ID")]
    default_options: Vec<String>,
}

impl EnvironmentArgs {
    fn plan(&self) -> Plan {
        // The server keeps the text of the attribute, not a truth value (reference: rpm.md §2.6).
        let usual = |id: &String| json!({ "group": id, "default": "true" });
        let other = |id: &String| json!({ "group": id, "default": false });
        let options: Vec<Value> = self
            .default_options
            .iter()
            .map(usual)
            .chain(self.options.iter().map(other))
            .collect();
        let own = json!({ "group_ids": self.groups, "options": options });
        let key = in_repo(&self.environment_id, &self.target);
        Plan::without_file("package_environment", key, self.described.metadata(own))
    }
}

/// `… uploads langpacks`
#[derive(Debug, Clone, Args)]
pub struct LangpacksArgs {
    #[command(flatten)]
    target: Target,
    /// Package whose language packs are called so, with `%s` for the language; can be repeated
    #[arg(long, value_name = "NAME=PATTERN", value_parser = pair, required = true)]
    langpack: Vec<(String, String)>,
}

/// A file for a repository.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    #[command(flatten)]
    target: Target,
    /// File to send
    #[arg(value_name = "FILE", required_unless_present = "file")]
    path: Option<PathBuf>,
    /// File to send, as pulp-admin takes it
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "path")]
    file: Option<PathBuf>,
}

impl FileArgs {
    fn plan(&self, unit_type: &str, key: Value, digest: DigestUse) -> Result<Plan, Error> {
        // The definition of the options lets one of them through.
        let path = self.path.as_deref().or(self.file.as_deref());
        Ok(Plan {
            unit_type: unit_type.to_owned(),
            key,
            metadata: json!({}),
            digest,
            file: path.map(SourceFile::at).transpose()?,
        })
    }
}

/// `… uploads metafile`
#[derive(Debug, Clone, Args)]
pub struct MetafileArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Its type in repomd.xml
    #[arg(long, value_name = "TYPE")]
    data_type: String,
}

impl Metadata for RpmMetadata {
    fn plan(&self) -> Result<(&Target, Plan), Error> {
        Ok(match self {
            Self::Erratum(args) => (&args.target, args.plan()?),
            Self::Group(args) => (&args.target, args.plan()),
            Self::Category(args) => {
                let own = json!({ "packagegroupids": args.groups });
                let key = in_repo(&args.category_id, &args.target);
                let metadata = args.described.metadata(own);
                let plan = Plan::without_file("package_category", key, metadata);
                (&args.target, plan)
            }
            Self::Environment(args) => (&args.target, args.plan()),
            Self::Langpacks(args) => {
                let one = |(name, pattern): &(String, String)| json!({ "name": name, "install": pattern });
                let matches: Vec<Value> = args.langpack.iter().map(one).collect();
                let key = json!({ "repo_id": args.target.repo_id });
                let metadata = json!({ "matches": matches });
                let plan = Plan::without_file("package_langpacks", key, metadata);
                (&args.target, plan)
            }
            Self::Comps(args) => {
                let plan = args.plan("package_group", json!({}), DigestUse::Nowhere)?;
                (&args.target, plan)
            }
            Self::Module(args) => {
                let plan = args.plan("modulemd", json!({}), DigestUse::Nowhere)?;
                (&args.target, plan)
            }
            Self::Metafile(args) => {
                let target = &args.file.target;
                let key = json!({ "data_type": args.data_type, "repo_id": target.repo_id });
                let plan = args
                    .file
                    .plan("yum_repo_metadata_file", key, DigestUse::Metadata)?;
                (target, plan)
            }
        })
    }
}
