//! Publishing an index (pulp2/python#publish).

mod pages;
mod project;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::publish::{
    ClientGuard, Distributor, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
    later_second,
};
use pith_content::steps::{PlainStep, Steps};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, PluginDescriptor, Problems, blocking, document};
use pith_core::RelativePath;

use self::project::Project;
use crate::names::normalized;
use crate::unit::PACKAGE;
use crate::{DISTRIBUTOR, ROOT};

const METADATA: PlainStep = ("python_publish_metadata", "Publishing Python Metadata.");
const CONTENT: PlainStep = ("python_publish_content", "Publishing Python Content.");
const OVER_HTTP: PlainStep = (
    "python_publish_over_http",
    "Making files available via web.",
);

/// The distributor `python_distributor`.
#[derive(Debug, Default, Clone, Copy)]
pub struct PythonDistributor;

#[async_trait]
impl Distributor for PythonDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &DISTRIBUTOR
    }

    /// Everything is taken, as in Pulp.
    fn validate(
        &self,
        _repo_id: &str,
        _config: &Config,
        _others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        Ok(())
    }

    fn mounts(&self, repo_id: &str, _config: &Config) -> Vec<Mount> {
        ROOT.mount(repo_id, true, true).into_iter().collect()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn is_current_only(&self, path: &str) -> bool {
        !path.starts_with("packages/")
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let steps = Steps::counting([METADATA, CONTENT, OVER_HTTP]);
        let spellings = spellings(ctx).await?;
        steps.begin(METADATA, spellings.len() as u64);
        steps.begin(CONTENT, ctx.count(PACKAGE.id).await?);
        ctx.progress(steps.report());
        let publish = Publish { ctx, steps: &steps };
        publish.projects(&spellings).await?;
        let root = move |out: &mut dyn Write| pages::root(out, spellings.keys());
        publish.document("simple/index.html", root).await?;
        for step in [METADATA, CONTENT, OVER_HTTP] {
            steps.finish(step);
        }
        ctx.progress(steps.report());
        Ok(PublishReport {
            summary: steps.summary(),
            details: steps.report(),
        })
    }
}

/// The names of all projects in the form in which they are compared, each with its spellings.
type Spellings = BTreeMap<String, Vec<String>>;

async fn spellings(ctx: &dyn PublishContext) -> Result<Spellings, ContentError> {
    let mut found = Spellings::new();
    let mut last = String::new();
    let mut outlines = ctx.outlines(PACKAGE.id, &["name"]).await?;
    while let Some(batch) = outlines.try_next().await? {
        for unit in batch {
            let name = unit.doc.text("name");
            if name == last {
                continue;
            }
            let spellings = found.entry(normalized(&name)).or_default();
            if !spellings.iter().any(|known| *known == name) {
                spellings.push(name.clone().into_owned());
            }
            last = name.into_owned();
        }
    }
    Ok(found)
}

/// A publish at work.
struct Publish<'a> {
    ctx: &'a dyn PublishContext,
    steps: &'a Steps<PlainStep>,
}

impl Publish<'_> {
    /// Publishes project after project. Units come in the order of the spelling of names, so that one project is in memory at a time;
    /// projects with several spellings are looked up at the end.
    async fn projects(&self, spellings: &Spellings) -> Result<(), ContentError> {
        let sorted = Select {
            sort: &["name"],
            ..Select::all(PACKAGE.id)
        };
        let mut units = self.ctx.units(sorted).await?;
        let mut current: Option<Project> = None;
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                let normal = normalized(unit.text("name").unwrap_or_default());
                if spellings.get(&normal).is_some_and(|all| all.len() > 1) {
                    continue;
                }
                if current
                    .as_ref()
                    .is_none_or(|project| project.normal != normal)
                {
                    let done = current.replace(Project::new(normal));
                    self.finish(done).await?;
                }
                if let Some(project) = &mut current {
                    self.unit(project, unit).await?;
                }
            }
        }
        self.finish(current).await?;
        drop(units);
        for (normal, several) in spellings.iter().filter(|(_, all)| all.len() > 1) {
            self.several(normal, several).await?;
        }
        Ok(())
    }

    /// Publishes a project whose files do not agree on how it is spelled.
    async fn several(&self, normal: &str, spellings: &[String]) -> Result<(), ContentError> {
        let narrowed = Select::all(PACKAGE.id).narrow("name", spellings.iter().cloned());
        let mut units = self.ctx.units(narrowed).await?;
        let mut project = Project::new(normal.to_owned());
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                if normalized(unit.text("name").unwrap_or_default()) == normal {
                    self.unit(&mut project, unit).await?;
                }
            }
        }
        self.finish(Some(project)).await
    }

    /// Adds a file, and notes what its page says of it.
    async fn unit(&self, project: &mut Project, unit: &RepoUnit) -> Result<(), ContentError> {
        let file = project.note(unit)?;
        let size = unit.size.or(file.size).unwrap_or(0);
        let path = RelativePath::new(file.path())?;
        self.ctx.add(path, unit.entry(size), unit.changed).await?;
        self.steps.advance(CONTENT, 1);
        Ok(())
    }

    /// Writes the pages of a project.
    async fn finish(&self, project: Option<Project>) -> Result<(), ContentError> {
        let Some(mut project) = project else {
            return Ok(());
        };
        project.sort();
        let normal = project.normal.clone();
        let project = Arc::new(project);
        let page = Arc::clone(&project);
        let simple = move |out: &mut dyn Write| pages::simple(out, &page);
        self.document(&format!("simple/{normal}/index.html"), simple)
            .await?;
        let api = move |out: &mut dyn Write| pages::api(out, &project);
        self.document(&format!("pypi/{normal}/json/index.json"), api)
            .await?;
        self.steps.advance(METADATA, 1);
        Ok(())
    }

    /// Writes a document on a thread that may block. One that is the same as before keeps its date.
    async fn document<F>(&self, path: &str, write: F) -> Result<(), ContentError>
    where
        F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        let file = self.ctx.file(&[])?;
        let written = blocking::run(move || document::write(file, write)).await??;
        let entry = Entry::from(&written);
        let path = RelativePath::new(path)?;
        let modified = match document::served(self.ctx, &path).await? {
            Some((served, modified)) if served == entry => modified,
            served => {
                let before = served.map(|(_, modified)| modified);
                later_second(self.ctx.clock().now(), before)?
            }
        };
        self.ctx.add(path, entry, modified).await
    }
}
