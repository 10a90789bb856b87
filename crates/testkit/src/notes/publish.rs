//! A publication of notes: each under its name, with its digest in a header; `names`, which stands for the folder; and
//! `-/last`, which leads to the last one.

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::publish::{
    ClientGuard, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
};
use pith_content::unit::Select;
use pith_content::{
    Config, ContentError, Distributor, Headers, PluginDescriptor, Problems, Wording, relative_url,
};
use pith_core::RelativePath;
use serde_json::{Value, json};

use super::{DISTRIBUTOR, NOTE, ROOT};

pub(super) struct NotesDistributor;

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

    fn is_current_only(&self, path: &str) -> bool {
        path == "names"
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let now = ctx.clock().now();
        let select = Select {
            sort: &["name"],
            ..Select::all(NOTE.id)
        };
        let mut names: Vec<String> = Vec::new();
        let mut units = ctx.units(select).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                let text = |field: &str| unit.doc.get(field).and_then(Value::as_str);
                let name = text("name").unwrap_or_default();
                let size = unit.size.unwrap_or_default();
                let headers = of_type("text/x-note; charset=utf-8");
                let (entry, headers) = match unit.blob {
                    Some(sha256) => {
                        let digest = format!("sha256:{sha256}");
                        let headers = headers.with("X-Note-Digest", digest);
                        (Entry::Blob { sha256, size }, headers)
                    }
                    None => {
                        let (unit, sha256) = (unit.id, unit.promised);
                        (Entry::Deferred { unit, sha256, size }, headers)
                    }
                };
                ctx.add_with(path(name)?, entry, now, headers).await?;
                names.push(name.to_owned());
            }
        }
        let last = names.last().map(|name| format!("../{name}"));
        if let Some(last) = last {
            ctx.add(path("-/last")?, Entry::Redirect(last), now).await?;
        }
        let list = Entry::Inline(names.join("\n").into());
        let headers = of_type("text/plain");
        ctx.add_with(path("names")?, list, now, headers).await?;
        Ok(PublishReport {
            summary: json!({ "notes": names.len() }),
            details: Value::Null,
        })
    }
}

fn of_type(content_type: &str) -> Headers {
    Headers {
        content_type: Some(content_type.to_owned()),
        others: Vec::new(),
    }
}

fn path(text: &str) -> Result<RelativePath, ContentError> {
    RelativePath::new(text).map_err(ContentError::other)
}
