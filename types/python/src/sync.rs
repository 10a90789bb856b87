//! Mirroring projects of an index (pulp2/python#sync).

mod page;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use pith_content::base::Base;
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind, Fetched, RequestHeader};
use pith_content::settings::ON_DOWNLOAD_FAILURE;
use pith_content::steps::{PlainStep, Steps};
use pith_content::sync::{Importer, StageObserver, SyncContext, SyncReport};
use pith_content::unit::{WantedUnit, text};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Config, ContentError, PluginDescriptor, Problems};
use pith_core::error::PulpError;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::config::Choice;
use crate::names::{ProjectName, Requirement};
use crate::{IMPORTER, config, index, unit};

/// Largest page of a project.
const MAX_PAGE: u64 = 128 << 20;
/// Projects at work at the same time.
const AT_ONCE: usize = 16;
/// Pages read at the same time, the others being fetched.
const READ_AT_ONCE: usize = 4;

/// The steps of a sync.
const METADATA: PlainStep = (
    "sync_step_download_metadata",
    "Downloading Python metadata.",
);
const LOCAL: PlainStep = ("get_local", "Copying units already in pulp");
const PACKAGES: PlainStep = (
    "sync_step_download_packages",
    "Downloading and processing Python packages.",
);

/// The importer `python_importer`.
#[derive(Debug, Default, Clone, Copy)]
pub struct PythonImporter;

#[async_trait]
impl Importer for PythonImporter {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &IMPORTER
    }

    fn validate(&self, config: &Config) -> Result<(), Problems> {
        config::check_importer(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let steps = Arc::new(Steps::counting([METADATA, LOCAL, PACKAGES]));
        let result = mirror(ctx, &steps).await;
        ctx.progress(steps.report());
        result?;
        Ok(SyncReport {
            summary: steps.summary(),
            details: steps.report(),
            ..SyncReport::default()
        })
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        crate::upload::import(ctx, upload).await
    }
}

/// Mirrors what the settings name.
async fn mirror(ctx: &dyn SyncContext, steps: &Arc<Steps<PlainStep>>) -> Result<(), ContentError> {
    let missing = ["package_names", "feed"].into_iter().filter(|key| {
        let texts = ctx.config().list(key);
        texts.iter().all(|text| text.trim().is_empty())
    });
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        return Err(ContentError::coded(
            *PulpError::missing_value(&missing).detail,
        ));
    }
    let requirements = config::requirements(ctx.config()).map_err(ContentError::other)?;
    let observer: Arc<dyn StageObserver> = Arc::new(Observer(Arc::clone(steps)));
    let mirror = Mirror {
        ctx,
        feed: ctx.feed()?,
        choice: Choice::of(ctx.config()),
        steps,
        observer,
        form: OnceLock::new(),
        reading: Semaphore::new(READ_AT_ONCE),
    };
    steps.begin(METADATA, requirements.len() as u64);
    ctx.progress(steps.report());
    mirror.all(&requirements).await?;
    steps.finish(METADATA);
    ctx.drain().await?;
    steps.finish(LOCAL);
    steps.finish(PACKAGES);
    let failures = steps.failures();
    if let Some(message) = failures.as_ref().filter(|_| !goes_on(ctx.config())) {
        return Err(ContentError::Failed {
            message: format!(
                "{message}. Set on_download_failure to \"continue\" to sync without them."
            ),
            summary: steps.summary(),
            details: steps.report(),
        });
    }
    // What could not be read is not known to be gone.
    if ctx.config().flag("remove_missing") == Some(true) && failures.is_none() {
        ctx.remove_missing(&[unit::PACKAGE.id]).await?;
    }
    Ok(())
}

fn goes_on(config: &Config) -> bool {
    config.text(ON_DOWNLOAD_FAILURE.name) == Some("continue")
}

/// A run.
struct Mirror<'a> {
    ctx: &'a dyn SyncContext,
    feed: &'a Base,
    choice: Choice,
    steps: &'a Arc<Steps<PlainStep>>,
    observer: Arc<dyn StageObserver>,
    /// The place where pages were found.
    form: OnceLock<Form>,
    /// The right to read a page.
    reading: Semaphore,
}

impl Mirror<'_> {
    /// The first project shows where the pages are; the others follow many at a time.
    async fn all(&self, requirements: &[Requirement]) -> Result<(), ContentError> {
        self.steps.begin(LOCAL, 0);
        self.steps.begin(PACKAGES, 0);
        let Some((first, others)) = requirements.split_first() else {
            return Ok(());
        };
        self.project(first).await?;
        let others: Vec<_> = others.iter().map(|other| self.project(other)).collect();
        let mut others = stream::iter(others).buffer_unordered(AT_ONCE);
        while let Some(done) = others.next().await {
            done?;
        }
        Ok(())
    }

    /// Hands over the files of a project. One that cannot be had is noted.
    async fn project(&self, requirement: &Requirement) -> Result<(), ContentError> {
        let name = requirement.project.spelled();
        match self.page(&requirement.project).await {
            Ok(page) => self.files(requirement, page).await?,
            Err(failure) if failure.kind == FetchFailureKind::Ours => return Err(failure.into()),
            Err(failure) => self.steps.failed(METADATA, name, &failure.message),
        }
        self.ctx.progress(self.steps.report());
        Ok(())
    }

    async fn files(&self, requirement: &Requirement, page: Fetched) -> Result<(), ContentError> {
        let _turn = self.reading.acquire().await.map_err(ContentError::other)?;
        let (requirement, choice) = (requirement.clone(), self.choice.clone());
        let name = requirement.project.spelled().to_owned();
        let mut batches = page::read(page, self.feed, requirement, choice, self.ctx.bent())?;
        while let Some(units) = batches.next().await {
            self.ctx.stage(units, &self.observer).await?;
        }
        match batches.end().await? {
            Ok(()) => self.steps.advance(METADATA, 1),
            Err(error) => self.steps.failed(METADATA, &name, &error.to_string()),
        }
        Ok(())
    }

    /// Fetches the page of a project, from where pages are.
    async fn page(&self, name: &ProjectName) -> Result<Fetched, FetchFailure> {
        let forms = match self.form.get() {
            Some(form) => vec![*form],
            None => Form::order(self.feed).to_vec(),
        };
        let mut missing: Option<FetchFailure> = None;
        for form in forms {
            let mut what = Fetch::any(form.urls(self.feed, name), MAX_PAGE);
            what.headers = vec![(RequestHeader::Accept, index::ACCEPT.to_owned())];
            match self.ctx.fetch(what).await {
                Ok(page) if form.fits(&page) => {
                    let _ = self.form.set(form);
                    return Ok(page);
                }
                Ok(page) => missing = missing.or_else(|| Some(no_page(&page))),
                Err(failure) if failure.kind == FetchFailureKind::NotFound => {
                    missing = missing.or(Some(failure));
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(missing.unwrap_or_else(|| FetchFailure {
            url: self.feed.to_string(),
            status: None,
            message: format!("{} has no page of {name}", self.feed),
            kind: FetchFailureKind::NotFound,
        }))
    }
}

fn no_page(page: &Fetched) -> FetchFailure {
    FetchFailure {
        url: page.url.clone(),
        status: None,
        message: format!("{} is no page of a Python index", page.url),
        kind: FetchFailureKind::NotFound,
    }
}

/// The places where feeds have the pages of projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `pypi/<name>/json`: the JSON API, which Pulp mirrors from.
    Api,
    /// `simple/<name>/`: the simple index of the feed.
    Simple,
    /// `<name>/`: the feed is a simple index itself.
    Index,
}

impl Form {
    /// The order in which a feed is tried.
    fn order(feed: &Base) -> [Self; 3] {
        let path = feed.address().path().trim_end_matches('/');
        match path.ends_with("/simple") {
            true => [Self::Index, Self::Api, Self::Simple],
            false => [Self::Api, Self::Simple, Self::Index],
        }
    }

    /// The addresses of the page of a project. Pulp asks for a name as it is spelled, and publishes it in one form.
    fn urls(self, feed: &Base, name: &ProjectName) -> Vec<url::Url> {
        // Folders of this machine have no server that shows their index.
        let (html, json) = match feed.site() == "file://" {
            true => ("index.html", "/index.json"),
            false => ("", ""),
        };
        let mut paths = match self {
            Self::Api => vec![
                format!("pypi/{}/json{json}", name.spelled()),
                format!("pypi/{}/json{json}", name.normal()),
            ],
            Self::Simple => vec![format!("simple/{}/{html}", name.normal())],
            Self::Index => vec![format!("{}/{html}", name.normal())],
        };
        paths.dedup();
        paths.iter().flat_map(|path| feed.join(path)).collect()
    }

    /// Tells whether an answer is a page of this kind: servers answer with pages of their own where they have nothing.
    fn fits(self, page: &Fetched) -> bool {
        let is_json = || std::fs::File::open(page.path()).is_ok_and(index::is_json);
        self != Self::Api || is_json()
    }
}

struct Observer(Arc<Steps<PlainStep>>);

impl StageObserver for Observer {
    fn queued(&self, _type_id: &str, _size: u64) {
        self.0.expect(PACKAGES, 1);
    }

    fn known(&self, _type_id: &str) {
        self.0.expect(LOCAL, 1);
        self.0.advance(LOCAL, 1);
    }

    fn deferred(&self, _type_id: &str, _size: u64) {
        self.0.expect(PACKAGES, 1);
        self.0.advance(PACKAGES, 1);
    }

    fn done(&self, _type_id: &str, _size: u64) {
        self.0.advance(PACKAGES, 1);
    }

    fn failed(&self, unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        let name = text(&unit.doc, "filename").unwrap_or_default();
        self.0.failed(PACKAGES, name, &failure.message);
        Ok(())
    }

    fn progress(&self) -> Value {
        self.0.report()
    }
}
