//! The overrides that a publish takes: none that says more than the stored settings do.

use pith_content::Config;
use pith_content::publish::{Distributor as Plugin, Mount};
use pith_core::Document;
use pith_store::Distributor;

use crate::attempt::Run;
use crate::error::Error;

/// Refuses an override that the distributor would not take as its configuration: what is served now would be taken away. Keys
/// that it does not know have no effect.
pub(super) async fn check_override(
    run: &Run,
    plugin: &dyn Plugin,
    distributor: &Distributor,
    overriding: &Document,
) -> Result<(), Error> {
    let descriptor = plugin.descriptor();
    let mut known = overriding.clone();
    known.retain(|key, _| descriptor.setting(key).is_some());
    let is_empty = known.is_empty();
    let config = Config::with_override(distributor.config.clone(), known);
    let engine = &run.engine;
    engine.require_source(plugin, &distributor.repo_id, &config)?;
    let folder = plugin.export_folder(&config);
    // The server's settings may have changed since the configuration was saved.
    engine.require_open(folder.as_ref())?;
    let stored = Config::new(distributor.config.clone());
    let (remote, before) = (plugin.remote(&config), plugin.remote(&stored));
    engine.require_remote(remote.as_ref(), before.as_ref())?;
    if is_empty {
        return Ok(());
    }
    let stored = plugin.signing_key(&stored);
    let asked = plugin.signing_key(&config);
    (engine.require_signing_key(&run.store, asked.as_ref(), stored.as_ref())).await?;
    plugin.validate(&distributor.repo_id, &config, &[])?;
    // What goes to a folder is served nowhere, and leaves what is served as the stored settings say.
    if folder.is_none() {
        check_mounts(plugin, distributor, &config)?;
    }
    check_guard(plugin, distributor, &config)
}

/// Refuses an override that says otherwise than the stored settings who may read: it could not hold before and after the publish.
fn check_guard(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), Error> {
    let stored = plugin.guard(&Config::new(distributor.config.clone()));
    let asked = plugin.guard(asked);
    if asked == stored {
        return Ok(());
    }
    let setting = asked.or(stored).map_or("", |guard| guard.setting);
    Err(Error::fault(format!(
        "[{setting}] says who may read what is published, which no override can change; save it in the distributor's settings"
    )))
}

/// Refuses an override that says otherwise than the stored settings where the publication is served: whoever may publish could take
/// it from all its readers, or to a path that another certificate opens.
fn check_mounts(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), Error> {
    let stored = Config::new(distributor.config.clone());
    let mounts = |config: &Config| plugin.mounts(&distributor.repo_id, config);
    let (stored, asked) = (mounts(&stored), mounts(asked));
    if asked == stored {
        return Ok(());
    }
    let named = |mounts: &[Mount]| {
        let each = mounts.iter().flat_map(|mount| {
            let over = [("http", mount.http), ("https", mount.https)].into_iter();
            let over = over.filter(|(_, is_served)| *is_served);
            over.map(|(protocol, _)| format!("{} over {protocol}", mount.prefix))
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => "nowhere".to_owned(),
            false => each.join(", "),
        }
    };
    Err(Error::fault(format!(
        "the settings of the distributor serve {}, and the override asks for {}: save that in the settings first",
        named(&stored),
        named(&asked)
    )))
}
