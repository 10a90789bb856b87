//! Arguments that many commands have: the repository or the group that is meant, and whether to wait.

use clap::Args;

/// A repository: the id alone, or as pulp-admin takes it.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct RepoRef {
    /// Id of the repository
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Id of the repository, as pulp-admin takes it
    #[arg(long, value_name = "ID")]
    repo_id: Option<String>,
}

impl RepoRef {
    pub(super) fn id(&self) -> &str {
        // The group lets one of them through, and only one.
        self.id
            .as_deref()
            .or(self.repo_id.as_deref())
            .unwrap_or_default()
    }
}

/// One group.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct GroupRef {
    /// Id of the group
    #[arg(value_name = "ID")]
    group: Option<String>,
    /// Id of the group, as pulp-admin takes it
    #[arg(long, value_name = "ID")]
    group_id: Option<String>,
}

impl GroupRef {
    pub(super) fn id(&self) -> &str {
        // The group lets one of them through, and only one.
        let id = self.group.as_deref().or(self.group_id.as_deref());
        id.unwrap_or_default()
    }
}

/// Options that say whether to wait for the tasks of a command.
#[derive(Debug, Clone, Default, Args)]
// The heading of the options before would go on.
#[command(next_help_heading = None::<&'static str>)]
pub struct WaitArgs {
    /// Start the task and do not wait for it
    #[arg(long, visible_aliases = ["bg", "no-wait"])]
    pub(super) background: bool,
}
