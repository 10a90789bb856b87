//! Things beyond their repository that configurations of distributors name: folders of this machine, other repositories, other
//! machines.

use pith_content::export::ExportFolder;
use pith_content::remote::Remote;
use pith_content::{Config, Distributor, Problem, Problems};

use crate::{Engine, acting};

/// The code of the refusal of a folder.
const NO_FOLDER: &str = "PTH0002";
/// The code of the refusal of a repository.
const NO_SOURCE: &str = "PTH0003";
/// The code of the refusal of another machine.
const NO_REMOTE: &str = "PTH0006";

impl Engine {
    /// Makes sure that the server's settings open the folder that a configuration names, when it names one.
    ///
    /// # Errors
    /// PTH0002, the same whether or not there is such a folder.
    pub fn require_open(&self, folder: Option<&ExportFolder>) -> Result<(), Problems> {
        let Some(ExportFolder { setting, folder }) = folder else {
            return Ok(());
        };
        self.exports.check(folder).map_err(|why| {
            let shown = folder.display();
            let text = format!("nothing can be exported to '{shown}': {why}");
            Problem::coded(NO_FOLDER, setting, text).into()
        })
    }

    /// Makes sure that whoever this is done for may show what another repository has, when a configuration of a distributor of
    /// `repo_id` names one: rights are asked of requests and not of tasks, so that is for super-users.
    ///
    /// # Errors
    /// PTH0003, whether or not there is such a repository.
    pub fn require_source(
        &self,
        plugin: &dyn Distributor,
        repo_id: &str,
        config: &Config,
    ) -> Result<(), Problems> {
        let named = plugin.source(config);
        let others = named.filter(|(_, named)| named != repo_id);
        match others {
            Some((setting, named)) if acting::is_discreet() => {
                let text = format!(
                    "only super-users may publish what the repository '{named}' has elsewhere"
                );
                Err(Problem::coded(NO_SOURCE, setting, text).into())
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that the server's settings open the key of the other machine that a configuration names, when it names one, and
    /// that a super-user named it: whoever has a key may write there. `before` is the one of the configuration in whose place it
    /// comes.
    ///
    /// # Errors
    /// PTH0006, the same whether or not there is such a key.
    pub fn require_remote(
        &self,
        remote: Option<&Remote>,
        before: Option<&Remote>,
    ) -> Result<(), Problems> {
        let Some(remote) = remote else {
            return Ok(());
        };
        let refused = |text: String| Problem::coded(NO_REMOTE, remote.setting, text).into();
        if acting::is_discreet() && !before.is_some_and(|before| before.is_same(remote)) {
            let text =
                "only super-users may say to which other machine a repository is sent, and how";
            return Err(refused(text.to_owned()));
        }
        let opened = self.ssh.keys.check(&remote.identity);
        opened.map_err(|_| refused(crate::rsync::not_opened(&remote.identity)))
    }
}
