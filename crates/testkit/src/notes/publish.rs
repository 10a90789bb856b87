//! A publication of notes: each under its name, with its digest in a header; `names`, which stands for the folder; and
//! `-/last`, which leads to the last one. The list can be signed, both ways.

use std::io::Write;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::export::{ExportFolder, Trees};
use pith_content::publish::{
    ClientGuard, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
};
use pith_content::remote::Placed;
use pith_content::signing::{KeyChoice, Unsigned};
use pith_content::unit::Select;
use pith_content::{
    Config, ContentError, Distributor, Headers, PluginDescriptor, Problems, Wording, blocking,
    relative_url,
};
use pith_core::RelativePath;
use serde_json::{Value, json};

use super::{DISTRIBUTOR, NOTE, ROOT, binders};

pub(super) struct NotesDistributor;

/// The setting that names the folder of the server.
const SHELF: &str = "shelf";
/// The setting that names the distributor whose publication is passed on.
const PASSES_ON: &str = "passes_on";

#[async_trait]
impl Distributor for NotesDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &DISTRIBUTOR
    }

    fn validate(
        &self,
        repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        let form = relative_url::form(config);
        let conflicts = relative_url::conflicts(repo_id, config, others);
        Problems::check(form.into_iter().chain(conflicts).collect(), Wording::Lines)
    }

    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount> {
        let path = relative_url::effective(repo_id, config);
        ROOT.mount(path, true, true).into_iter().collect()
    }

    fn guard(&self, config: &Config) -> Option<ClientGuard> {
        ClientGuard::of_setting(config, "readers_ca")
    }

    fn signing_key(&self, config: &Config) -> Option<KeyChoice> {
        KeyChoice::of_settings(config, "signed", "signing_key")
    }

    fn predistributor(&self, config: &Config) -> Option<(&'static str, String)> {
        let id = config.get(PASSES_ON)?.as_str()?;
        Some((PASSES_ON, id.to_owned()))
    }

    fn export_folder(&self, config: &Config) -> Option<ExportFolder> {
        ExportFolder::of_setting(config, SHELF)
    }

    fn withdraws(&self, repo_id: &str, _config: &Config) -> Option<Trees> {
        shelved(repo_id).ok()
    }

    fn is_current_only(&self, path: &str) -> bool {
        matches!(path, "names" | "names.asc" | "names.signed" | "key.asc")
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        if self.export_folder(ctx.config()).is_some() {
            return shelve(ctx).await;
        }
        if self.predistributor(ctx.config()).is_some() {
            return pass_on(ctx).await;
        }
        let now = ctx.clock().now();
        let select = Select {
            sort: &["name"],
            ..Select::all(NOTE.id)
        };
        let mut names: Vec<String> = Vec::new();
        let mut units = ctx.units(select).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                let name = unit.text("name").unwrap_or_default();
                let mut headers = of_type("text/x-note; charset=utf-8");
                if let Some(sha256) = unit.blob {
                    headers = headers.with("X-Note-Digest", format!("sha256:{sha256}"));
                }
                let entry = unit.entry(unit.size.unwrap_or_default());
                ctx.add_with(path(name)?, entry, now, headers).await?;
                names.push(name.to_owned());
            }
        }
        let papers = binders::publish(ctx).await?;
        let last = names.last().map(|name| format!("../{name}"));
        if let Some(last) = last {
            ctx.add(path("-/last")?, Entry::Redirect(last), now).await?;
        }
        let list = names.join("\n");
        if self.signing_key(ctx.config()).is_some() {
            sign(ctx, &list).await?;
        }
        let list = Entry::Inline(list.into());
        let headers = of_type("text/plain");
        ctx.add_with(path("names")?, list, now, headers).await?;
        Ok(PublishReport {
            summary: json!({ "notes": names.len(), "papers": papers }),
            details: Value::Null,
        })
    }
}

/// The tree of a repository on the shelf.
fn shelved(repo_id: &str) -> Result<Trees, ContentError> {
    Ok(Trees {
        folders: vec![path(repo_id)?],
        listing: None,
    })
}

/// Exports the notes that are here, and serves nothing.
async fn shelve(ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
    let (now, repo) = (ctx.clock().now(), &ctx.repo().id);
    let mut units = ctx.units(Select::all(NOTE.id)).await?;
    while let Some(batch) = units.try_next().await? {
        for unit in batch {
            let (Some(name), Some(sha256), Some(size)) = (unit.text("name"), unit.blob, unit.size)
            else {
                continue;
            };
            let entry = Entry::Blob { sha256, size };
            ctx.add(path(&format!("{repo}/{name}"))?, entry, now)
                .await?;
        }
    }
    ctx.export(shelved(repo)?).await?;
    Ok(PublishReport::default())
}

/// Publishes what another distributor has published, with how many paths that are at `-/count`.
async fn pass_on(ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
    let count = ctx
        .pass_on(&[], &|passing| Ok(Some(Placed::File(path(passing.path)?))))
        .await?;
    let count = Entry::Inline(count.to_string().into());
    ctx.add(path("-/count")?, count, ctx.clock().now()).await?;
    Ok(PublishReport::default())
}

/// Adds a signature beside the list, the list within a signature, and the key to check them with.
async fn sign(ctx: &dyn PublishContext, list: &str) -> Result<(), ContentError> {
    let now = ctx.clock().now();
    let (mut file, text) = (ctx.file(&[])?, list.to_owned());
    let written = blocking::run(move || {
        file.write_all(text.as_bytes())?;
        file.finish()
    });
    let written = written.await??.sha256;
    let beside = ctx.sign(Unsigned::Document(written)).await?;
    let around = ctx.sign(Unsigned::Text(list.to_owned())).await?;
    let key = ctx.signer()?.public_key().to_owned();
    for (name, text) in [
        ("names.asc", beside),
        ("names.signed", around),
        ("key.asc", key),
    ] {
        ctx.add(path(name)?, Entry::Inline(text.into()), now)
            .await?;
    }
    Ok(())
}

fn of_type(content_type: &str) -> Headers {
    Headers {
        content_type: Some(content_type.to_owned()),
        others: Vec::new(),
    }
}

fn path(text: &str) -> Result<RelativePath, ContentError> {
    Ok(RelativePath::new(text)?)
}
