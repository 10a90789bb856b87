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
use super::{EXPORT_DIR, LISTING, ROOT, missing, send, write};
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
        let repos = rpm_repositories(ctx)?;
        let places = places(ctx, &repos).await?;
        let members = repos.into_iter().zip(places).map(|(repo, place)| {
            let steps = window.steps().into_iter();
            let steps = steps.chain([Step::SaveTar, Step::Listing]);
            Member {
                repo,
                top: place.top,
                note: place.note,
                steps: Steps::new(steps),
            }
        });
        let members = members.collect();
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

/// The place of a repository in the export.
struct Place {
    top: RelativePath,
    /// The reason why it is not where the repository's settings want it; empty when it is.
    note: String,
}

/// The places of the repositories, each below that of the group.
async fn places(
    ctx: &dyn GroupPublishContext,
    repos: &[&RepoInfo],
) -> Result<Vec<Place>, ContentError> {
    let config = ctx.config();
    let above = config.text("relative_url").unwrap_or_default();
    let above = above.trim_matches('/');
    let is_below = config.get(EXPORT_DIR).is_some() && !above.is_empty();
    let mut wanted = Vec::new();
    for repo in repos {
        let own = ctx.settings_of(repo, EXPORT_DISTRIBUTOR.id).await?;
        let own = own.unwrap_or_default();
        let path = relative_url::effective(&repo.id, &own).to_owned();
        wanted.push((repo.id.as_str(), path));
    }
    let place = |(id, path): &(&str, String)| {
        let (path, note) = match has_path(id, path, &wanted) {
            true => (path.as_str(), String::new()),
            false => (*id, format!("at its id, for '{path}' is taken")),
        };
        let top = match is_below {
            true => RelativePath::new(format!("{above}/{path}")),
            false => RelativePath::new(path),
        };
        let top = top.map_err(ContentError::other)?;
        Ok(Place { top, note })
    };
    wanted.iter().map(place).collect()
}

/// Tells whether the repository `id` may lie at `path`, of the paths that all of them want. A repository whose settings want nothing
/// lies at its id; so a path that leads to another's id or path, or to a list of the export, is not for this one, which lies at its
/// own id then: whoever may change one repository must neither keep the others from being exported nor get between their files.
fn has_path(id: &str, path: &str, wanted: &[(&str, String)]) -> bool {
    let mut others = wanted.iter().filter(|(other, _)| *other != id);
    path.split('/').all(|segment| segment != LISTING)
        && !others.any(|(other, theirs)| {
            relative_url::meet(path, other) || relative_url::meet(path, theirs)
        })
}

/// One repository of an export.
struct Member<'a> {
    repo: &'a RepoInfo,
    top: RelativePath,
    note: String,
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
            "description": format!("Exporting Repo: {}", self.repo.id), "details": self.note, "state": state,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_gets_in_the_way_of_another_repository_is_not_taken() {
        let placed = |path: &str| {
            let wanted = [
                ("mine", path.to_owned()),
                ("victim", "victim".to_owned()),
                ("named", "os/9".to_owned()),
            ];
            has_path("mine", path, &wanted)
        };
        for bad in [
            "victim",
            "victim/Packages",
            "os",
            "os/9/x",
            "listing",
            "a/listing",
            "named",
        ] {
            assert!(!placed(bad), "{bad}");
        }
        for good in ["mine", "mine/deep", "os/8", "victims"] {
            assert!(placed(good), "{good}");
        }
    }
}
