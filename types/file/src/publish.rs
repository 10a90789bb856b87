//! Publishing files with their manifest (pulp2/iso#publish).

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::publish::{
    ClientGuard, Distributor, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
    later_second,
};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{
    Config, ContentError, PluginDescriptor, Problems, blocking, document, relative_url,
};
use pith_core::digest::Hashed;
use pith_core::{RelativePath, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::metadata::manifest::{self, Line};
use crate::progress::States;
use crate::{DISTRIBUTOR, ISO, ROOT, config};

/// The distributor `iso_distributor`.
#[derive(Debug, Default, Clone, Copy)]
pub struct IsoDistributor;

#[async_trait]
impl Distributor for IsoDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &DISTRIBUTOR
    }

    fn validate(
        &self,
        repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        config::check_distributor(repo_id, config, others)
    }

    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount> {
        let path = relative_url::effective(repo_id, config);
        let http = config.flag("serve_http").unwrap_or(false);
        let https = config.flag("serve_https").unwrap_or(true);
        ROOT.mount(path, http, https).into_iter().collect()
    }

    fn guard(&self, config: &Config) -> Option<ClientGuard> {
        ClientGuard::of_setting(config, "ssl_auth_ca_cert")
    }

    fn is_current_only(&self, path: &str) -> bool {
        path == manifest::NAME
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let mut states = States::new(ctx.clock().now());
        states.enter("in_progress", ctx.clock().now());
        ctx.progress(json!(states));
        let name = RelativePath::new(manifest::NAME)?;
        let served = document::served(ctx, &name).await?;
        let now = later_second(ctx.clock().now(), served.map(|(_, modified)| modified))?;
        let written = add_files(ctx, now).await?;
        ctx.add(name, Entry::from(&written), now).await?;
        states.enter("complete", ctx.clock().now());
        let summary = json!(states);
        ctx.progress(summary.clone());
        Ok(PublishReport {
            summary,
            details: Value::Null,
        })
    }
}

/// Adds every file, and writes the manifest beside on a blocking thread.
async fn add_files(ctx: &dyn PublishContext, now: Timestamp) -> Result<Hashed, ContentError> {
    let file = ctx.file(&[])?;
    let (lines, manifest) = blocking::fed(4, move |mut lines: mpsc::Receiver<Vec<Line>>| {
        document::write(file, |out| {
            while let Some(batch) = lines.blocking_recv() {
                for line in &batch {
                    manifest::write(out, line)?;
                }
            }
            Ok(())
        })
    });
    let select = Select {
        sort: &["name"],
        ..Select::all(ISO.id)
    };
    let mut units = ctx.units(select).await?;
    while let Some(batch) = units.try_next().await? {
        let mut written = Vec::with_capacity(batch.len());
        for unit in &batch {
            let line = line(unit)?;
            ctx.add(line.name.clone(), unit.entry(line.size), now)
                .await?;
            written.push(line);
        }
        if lines.send(written).await.is_err() {
            break;
        }
    }
    drop(lines);
    Ok(blocking::ended(manifest.await)??)
}

/// The line of a file.
fn line(unit: &RepoUnit) -> Result<Line, ContentError> {
    let told = (|| {
        let (name, checksum) = (unit.text("name")?, unit.text("checksum")?);
        Some((name, checksum, unit.doc.get("size")?.as_u64()?))
    })();
    let (name, checksum, size) = told.ok_or_else(|| {
        ContentError::other(format!("the iso {} has no name, checksum or size", unit.id))
    })?;
    Ok(Line {
        name: RelativePath::new(name)?,
        given: None,
        sha256: checksum.parse()?,
        size,
    })
}
