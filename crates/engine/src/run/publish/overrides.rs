//! The overrides that a publish takes: none that says more than the stored settings do.

use pith_content::publish::{Distributor as Plugin, Mount};
use pith_content::{Config, ContentError};
use pith_core::Document;
use pith_store::Distributor;

/// Refuses an override that the distributor would not take as its configuration: what is served now would be taken away. Keys
/// that it does not know have no effect, and paths of others are looked at when the publication is saved.
pub(super) fn check_override(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    overriding: &Document,
) -> Result<(), ContentError> {
    let settings = plugin.descriptor().settings;
    let mut known = overriding.clone();
    known.retain(|key, _| settings.iter().any(|setting| setting.name == key.as_str()));
    if known.is_empty() {
        return Ok(());
    }
    let config = Config::with_override(distributor.config.clone(), known);
    plugin
        .validate(&distributor.repo_id, &config, &[])
        .map_err(ContentError::Other)?;
    check_protocols(plugin, distributor, &config)?;
    check_guard(plugin, distributor, &config)
}

/// Refuses an override that says otherwise than the stored settings who may read: it could not hold before and after the publish.
fn check_guard(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), ContentError> {
    let stored = plugin.guard(&Config::new(distributor.config.clone()));
    let asked = plugin.guard(asked);
    if asked == stored {
        return Ok(());
    }
    let setting = asked.or(stored).map_or("", |guard| guard.setting);
    Err(ContentError::other(format!(
        "[{setting}] says who may read what is published, which no override can change; save it in the distributor's settings"
    )))
}

/// Refuses an override that would have the publication served over a protocol that the stored settings do not serve it over.
fn check_protocols(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), ContentError> {
    let stored = Config::new(distributor.config.clone());
    let mounts = |config: &Config| plugin.mounts(&distributor.repo_id, config);
    let (stored, asked) = (mounts(&stored), mounts(asked));
    let has = |mounts: &[Mount]| {
        let http = mounts.iter().any(|mount| mount.http);
        [http, mounts.iter().any(|mount| mount.https)]
    };
    let protocols = ["http", "https"]
        .into_iter()
        .zip(has(&asked))
        .zip(has(&stored));
    for ((protocol, is_asked), is_stored) in protocols {
        if is_asked && !is_stored {
            return Err(ContentError::other(format!(
                "the override asks for {protocol}, over which the settings of the distributor do not serve: change them first"
            )));
        }
    }
    Ok(())
}
