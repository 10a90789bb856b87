//! The group export distributor: the repositories of a group as one folder or one set of images (pulp2/rpm-export#groups).

use async_trait::async_trait;
use pith_content::export::ExportFolder;
use pith_content::group::{GroupPublishContext, OtherGroup};
use pith_content::publish::Mount;
use pith_content::repository::RepoInfo;
use pith_content::signing::KeyChoice;
use pith_content::{
    Config, ContentError, GroupDistributor, PluginDescriptor, Problems, relative_url,
};
use pith_core::{ErrorDetail, RelativePath};
use serde_json::{Value, json};

use super::config::{self, Window};
use super::part::Part;
use super::{EXPORT_DIR, ROOT, missing, send, write};
use crate::plugins::{EXPORT_DISTRIBUTOR, GROUP_EXPORT_DISTRIBUTOR};
use crate::publish::signed;
use crate::publish::steps::{Step, Steps};

/// The note that tells what a repository is.
const NOTE: &str = "_repo-type";
/// The value that RPM repositories have there.
const RPM_REPO: &str = "rpm-repo";

/// The group export distributor.
#[derive(Debug, Clone, Copy, Default)]
pub struct GroupExportDistributor;

#[async_trait]
impl GroupDistributor for GroupExportDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &GROUP_EXPORT_DISTRIBUTOR
    }

    fn validate(
        &self,
        group_id: &str,
        config: &Config,
        others: &[OtherGroup],
    ) -> Result<(), Problems> {
        config::of_group(group_id, config, others)
    }

    fn mounts(&self, group_id: &str, config: &Config) -> Vec<Mount> {
        let below = format!("repo_group/{}", relative_url::effective(group_id, config));
        let is_on = |key| config.flag(key) == Some(true);
        let mount = ROOT.mount(&below, is_on("http"), is_on("https"));
        mount.into_iter().collect()
    }

    fn export_folder(&self, config: &Config) -> Option<ExportFolder> {
        ExportFolder::of_setting(config, EXPORT_DIR)
    }

    fn signing_key(&self, config: &Config) -> Option<KeyChoice> {
        signed::key(config)
    }

    async fn publish(&self, ctx: &dyn GroupPublishContext) -> Result<(), ContentError> {
        let window = config::window(ctx.config())?;
        let mut members = Vec::new();
        for repo in rpm_repositories(ctx)? {
            members.push(Member {
                repo,
                top: top_of(ctx, repo).await?,
                steps: Steps::new(
                    window
                        .steps()
                        .into_iter()
                        .chain([Step::SaveTar, Step::Listing]),
                ),
            });
        }
        let run = Run {
            ctx,
            window,
            members,
            ends: Steps::new(ends(ctx.config())),
        };
        let result = run.export().await;
        run.show();
        result
    }
}

/// The steps behind those of the members.
fn ends(config: &Config) -> Vec<Step> {
    let mut ends = config::ends(config);
    ends.retain(|step| !matches!(step, Step::SaveTar | Step::Listing));
    for step in &mut ends {
        if *step == Step::Moved {
            *step = Step::GroupMoved;
        }
    }
    ends
}

/// The RPM repositories of the group. One that does not say what it is fails the export, as in Pulp.
fn rpm_repositories(ctx: &dyn GroupPublishContext) -> Result<Vec<&RepoInfo>, ContentError> {
    let mut found = Vec::new();
    for repo in ctx.repositories() {
        let note = repo.notes.get(NOTE);
        let note = note.ok_or_else(|| ContentError::other(format!("'{NOTE}'")))?;
        found.extend((note.as_str() == Some(RPM_REPO)).then_some(repo));
    }
    Ok(found)
}

/// The folder of a repository in the export.
async fn top_of(
    ctx: &dyn GroupPublishContext,
    repo: &RepoInfo,
) -> Result<RelativePath, ContentError> {
    let own = ctx.settings_of(repo, EXPORT_DISTRIBUTOR.id).await?;
    let own = own.unwrap_or_default();
    let mut top = relative_url::effective(&repo.id, &own).to_owned();
    let config = ctx.config();
    if config.get(EXPORT_DIR).is_some() {
        let above = config.text("relative_url").unwrap_or_default();
        let above = above.trim_matches('/');
        if !above.is_empty() {
            top = format!("{above}/{top}");
        }
    }
    RelativePath::new(top).map_err(ContentError::other)
}

/// One repository of an export.
struct Member<'a> {
    repo: &'a RepoInfo,
    top: RelativePath,
    steps: Steps,
}

struct Run<'a> {
    ctx: &'a dyn GroupPublishContext,
    window: Window,
    members: Vec<Member<'a>>,
    ends: Steps,
}

impl Run<'_> {
    async fn export(&self) -> Result<(), ContentError> {
        let mut lacking = Vec::new();
        for member in &self.members {
            let publish = self.ctx.member(member.repo);
            let part = Part::new(&*publish, member.top.clone(), self.window);
            if !missing(&part).await?.is_empty() {
                lacking.push(member.repo.id.as_str());
            }
        }
        if !lacking.is_empty() {
            return Err(not_downloaded(&lacking));
        }
        for member in &self.members {
            let written = self.member(member).await;
            if let Err(error) = &written {
                member.steps.fail(&error.to_string());
            }
            written?;
        }
        let folders = self
            .members
            .iter()
            .map(|member| member.top.clone())
            .collect();
        let sent = send(self.ctx, folders, self.ctx.group_id(), &self.ends).await;
        match &sent {
            Ok(()) => self.ends.done(Step::GroupMoved, 1),
            Err(error) => self.ends.fail(&error.to_string()),
        }
        sent
    }

    async fn member(&self, member: &Member<'_>) -> Result<(), ContentError> {
        let publish = self.ctx.member(member.repo);
        let shows = || self.show();
        let part = Part::new(&*publish, member.top.clone(), self.window).showing(&shows);
        write(&part, self.window, &member.steps).await?;
        member.steps.done(Step::SaveTar, 1);
        member.steps.done(Step::Listing, 1);
        Ok(())
    }

    /// Shows the progress of all: a step for each repository, with its steps inside.
    fn show(&self) {
        let mut all: Vec<Value> = self.members.iter().map(Member::report).collect();
        if let Value::Array(ends) = self.ends.report() {
            all.extend(ends);
        }
        self.ctx.progress(Value::Array(all));
    }
}

impl Member<'_> {
    fn report(&self) -> Value {
        let state = self.steps.state();
        let [done, failed] = ["FINISHED", "FAILED"].map(|name| u8::from(state == name));
        json!({
            "step_id": self.steps.id(), "step_type": "publish_repo",
            "description": format!("Exporting Repo: {}", self.repo.id), "details": "", "state": state,
            "num_success": done, "num_failures": failed, "num_processed": done + failed, "items_total": 1,
            "error_details": [], "sub_steps": self.steps.report(),
        })
    }
}

/// PLP0046, with the repositories that have packages which are not here.
fn not_downloaded(repos: &[&str]) -> ContentError {
    let repos = repos.join(", ");
    let text = format!(
        "The repository group cannot be exported because these repos have units that are not downloaded: {repos}"
    );
    ContentError::coded(ErrorDetail::new("PLP0046", text).with("repos", repos))
}
