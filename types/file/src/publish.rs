//! Publishing files with their manifest (pulp2/iso#publish).

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::publish::{
    ClientGuard, Distributor, Entry, GeneratedFile, Mount, OtherDistributor, PublishContext,
    PublishReport, later_second,
};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, PluginDescriptor, Problems, relative_url};
use pith_core::digest::Hashed;
use pith_core::{RelativePath, Timestamp};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::metadata::manifest;
use crate::progress::publish_progress;
use crate::{DISTRIBUTOR, ROOT, config};

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
        let mut states = vec![
            ("not_started", ctx.clock().now()),
            ("in_progress", ctx.clock().now()),
        ];
        ctx.progress(publish_progress(&states));
        let name = RelativePath::new(manifest::NAME).map_err(ContentError::other)?;
        let served = ctx.previous(manifest::NAME).await?;
        let served = served.iter().find(|(path, ..)| *path == name);
        let now = later_second(ctx.clock().now(), served.map(|(_, _, modified)| *modified))?;
        let written = add_files(ctx, now).await?;
        ctx.add(
            name,
            Entry::Blob {
                sha256: written.sha256,
                size: written.size,
            },
            now,
        )
        .await?;
        states.push(("complete", ctx.clock().now()));
        let summary = publish_progress(&states);
        ctx.progress(summary.clone());
        Ok(PublishReport {
            summary,
            details: Value::Null,
        })
    }
}

/// Adds every file, and writes the manifest beside on a blocking thread.
async fn add_files(ctx: &dyn PublishContext, now: Timestamp) -> Result<Hashed, ContentError> {
    let (lines, manifest) = write_manifest(ctx.file(&[])?);
    let mut units = ctx
        .units(Select {
            sort: &["name"],
            ..Select::all("iso")
        })
        .await?;
    while let Some(batch) = units.try_next().await? {
        let mut names = Vec::with_capacity(batch.len());
        for unit in &batch {
            let line = Line::of(unit)?;
            let path = RelativePath::new(line.name.clone()).map_err(ContentError::other)?;
            let entry = match unit.blob {
                Some(sha256) => Entry::Blob {
                    sha256,
                    size: line.size,
                },
                None => Entry::Deferred {
                    unit: unit.id,
                    sha256: unit.promised,
                    size: line.size,
                },
            };
            ctx.add(path, entry, now).await?;
            names.push(line);
        }
        if lines.send(names).await.is_err() {
            break;
        }
    }
    drop(lines);
    manifest
        .await
        .map_err(ContentError::other)?
        .map_err(ContentError::from)
}

struct Line {
    name: String,
    checksum: String,
    size: u64,
}

impl Line {
    fn of(unit: &RepoUnit) -> Result<Self, ContentError> {
        let text = |field: &str| {
            unit.doc
                .get(field)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let line = (|| {
            Some(Self {
                name: text("name")?,
                checksum: text("checksum")?,
                size: unit.doc.get("size")?.as_u64()?,
            })
        })();
        line.ok_or_else(|| {
            ContentError::other(format!("the iso {} has no name, checksum or size", unit.id))
        })
    }
}

type Written = tokio::task::JoinHandle<std::io::Result<Hashed>>;

fn write_manifest(file: Box<dyn GeneratedFile>) -> (mpsc::Sender<Vec<Line>>, Written) {
    let (sender, mut receiver) = mpsc::channel::<Vec<Line>>(4);
    let task = tokio::task::spawn_blocking(move || {
        let mut writer = manifest::Writer::new(file);
        while let Some(batch) = receiver.blocking_recv() {
            for line in batch {
                writer.line(&line.name, &line.checksum, line.size)?;
            }
        }
        writer.finish()?.finish()
    });
    (sender, task)
}
