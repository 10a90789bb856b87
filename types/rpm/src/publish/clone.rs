//! Katello's clone distributor: serves in one repository what a distributor of another has published (pulp2/rpm-publish#clones).

use async_trait::async_trait;
use pith_content::publish::{
    ClientGuard, Distributor, Mount, OtherDistributor, PublishContext, PublishReport, Shared,
};
use pith_content::settings::text;
use pith_content::{Config, ContentError, PluginDescriptor, Problem, Problems};

use crate::plugins::YUM_CLONE_DISTRIBUTOR;

/// The setting that names the repository whose publication is taken.
pub const SOURCE: &str = "source_repo_id";
/// The setting that names its distributor.
const SOURCE_DISTRIBUTOR: &str = "source_distributor_id";
/// The setting that names the distributor that serves it.
const DESTINATION: &str = "destination_distributor_id";

/// The clone distributor.
#[derive(Debug, Clone, Copy, Default)]
pub struct YumCloneDistributor;

#[async_trait]
impl Distributor for YumCloneDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &YUM_CLONE_DISTRIBUTOR
    }

    fn validate(
        &self,
        _repo_id: &str,
        config: &Config,
        _others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        let mut settings = config.document().keys();
        let found = settings.find_map(|key| match YUM_CLONE_DISTRIBUTOR.setting(key) {
            None => {
                let text = format!("Configuration key '{key}' is not supported");
                Some(Problem::new(key, text))
            }
            Some(_) => text(config, key),
        });
        found.map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn mounts(&self, _repo_id: &str, _config: &Config) -> Vec<Mount> {
        Vec::new()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn shares(&self, config: &Config) -> Result<Option<Shared>, Problems> {
        let of = |key: &'static str| {
            let missing = || {
                let text = format!("Missing required configuration key: {key}");
                Problems::from(Problem::new(key, text))
            };
            config.text(key).map(str::to_owned).ok_or_else(missing)
        };
        Ok(Some(Shared {
            repo_id: of(SOURCE)?,
            distributor_id: of(SOURCE_DISTRIBUTOR)?,
            destination: of(DESTINATION)?,
        }))
    }

    fn source(&self, config: &Config) -> Option<(&'static str, String)> {
        Some((SOURCE, config.text(SOURCE)?.to_owned()))
    }

    fn is_current_only(&self, _path: &str) -> bool {
        true
    }

    async fn publish(&self, _ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        Err(ContentError::other("a clone makes nothing of its own"))
    }
}
