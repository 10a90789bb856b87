//! The content type that the documents of Pulp's REST API use in their examples: `harness_importer` and
//! `harness_distributor`, with the other plugins that the examples name. It needs no feed: a sync makes as many units
//! as `num_units` says, a publish writes a file for each. For tests only; a release does not have it.

mod words;

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::cataloger::CatalogContext;
use pith_content::descriptor::KeyField;
use pith_content::fetch::FetchFailure;
use pith_content::group::{GroupPublishContext, OtherGroup};
use pith_content::publish::{
    ClientGuard, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
};
use pith_content::sync::{StageObserver, SyncContext, SyncReport};
use pith_content::unit::{Select, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{
    Cataloger, Config, ContentError, ContentType, Distributor, GroupDistributor, Importer,
    PluginDescriptor, Problem, Problems, Root, Setting, SettingKind, UnitType, Wording, Words,
};
use pith_core::{Document, RelativePath};
use serde_json::{Value, json};

/// The unit type.
pub const UNIT: UnitType = UnitType {
    id: "harness_type",
    display_name: "Harness unit",
    description: "A unit made by the harness",
    key: &[KeyField::same("name")],
    indexed: &["name"],
    ..UnitType::PLAIN
};

const fn plugin(id: &'static str, display_name: &'static str) -> PluginDescriptor {
    PluginDescriptor {
        id,
        display_name,
        types: &["harness_type"],
        platform: &[],
        own: &[],
    }
}

static ROOT: Root = Root::at("pulp/harness");

static IMPORTERS: [PluginDescriptor; 3] = [
    PluginDescriptor {
        own: &[Setting::new(
            "num_units",
            SettingKind::Integer,
            "units that a sync makes (default 0)",
        )],
        ..plugin("harness_importer", "Harness Importer")
    },
    plugin("demo_importer", "Demo Importer"),
    plugin("puppet_importer", "Stand-in for the Puppet Importer"),
];
static DISTRIBUTORS: [PluginDescriptor; 3] = [
    PluginDescriptor {
        own: &[Setting::new(
            "write_files",
            SettingKind::Bool,
            "publish a file for each unit (default false)",
        )],
        ..plugin("harness_distributor", "Harness Distributor")
    },
    plugin("demo_distributor", "Demo Distributor"),
    plugin("puppet_distributor", "Stand-in for the Puppet Distributor"),
];
static GROUP_DISTRIBUTOR: PluginDescriptor = plugin(
    "harness_group_distributor",
    "Harness Distributor for Groups",
);

/// The family.
#[derive(Debug, Default, Clone, Copy)]
pub struct Harness;

impl ContentType for Harness {
    fn name(&self) -> &'static str {
        "harness"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const { &[UNIT] }
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        let all = IMPORTERS.iter();
        all.map(|of| Arc::new(HarnessPlugin(of)) as Arc<dyn Importer>)
            .collect()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        let all = DISTRIBUTORS.iter();
        all.map(|of| Arc::new(HarnessPlugin(of)) as Arc<dyn Distributor>)
            .collect()
    }

    fn group_distributors(&self) -> Vec<Arc<dyn GroupDistributor>> {
        vec![Arc::new(HarnessPlugin(&GROUP_DISTRIBUTOR))]
    }

    fn catalogers(&self) -> Vec<Arc<dyn Cataloger>> {
        vec![Arc::new(Nothing)]
    }

    fn roots(&self) -> &'static [Root] {
        std::slice::from_ref(&ROOT)
    }

    fn words(&self) -> Option<&'static Words> {
        Some(&words::WORDS)
    }
}

/// The cataloger `harness`: whatever folder it is given has nothing.
struct Nothing;

#[async_trait]
impl Cataloger for Nothing {
    fn id(&self) -> &'static str {
        "harness"
    }

    async fn refresh(&self, _ctx: &dyn CatalogContext) -> Result<(), ContentError> {
        Ok(())
    }
}

/// One of the plugins. It takes any configuration but `refuse: <text>`, which it refuses in these words, and
/// `refuse_coded: [<code>]`, which it refuses with these codes, and fails where `fail: <text>` says so.
struct HarnessPlugin(&'static PluginDescriptor);

/// Codes by which a configuration can be refused.
const REFUSALS: [&str; 2] = ["HAR1001", "HAR1002"];

impl HarnessPlugin {
    /// Refuses with the words of `refuse`, and with the codes in `refuse_coded`.
    fn judge(config: &Config) -> Result<(), Problems> {
        let words = config.text("refuse");
        let words = words.map(|words| Problem::new("refuse", words));
        let codes = config.list("refuse_coded");
        let known = REFUSALS.iter().filter(|code| codes.contains(code));
        let coded = known.map(|code| Problem::coded(code, "refuse_coded", "refused by its code"));
        Problems::check(words.into_iter().chain(coded).collect(), Wording::Lines)
    }

    fn run(config: &Config) -> Result<(), ContentError> {
        match config.text("fail") {
            Some(words) => Err(ContentError::other(words)),
            None => Ok(()),
        }
    }
}

/// A unit of this name.
fn unit(name: Value) -> WantedUnit {
    WantedUnit::new(UNIT.id, Document::from_iter([("name".to_owned(), name)]))
}

struct Unobserved;

impl StageObserver for Unobserved {
    fn failed(&self, unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        Err(ContentError::other(format!("{:?}: {failure}", unit.doc)))
    }

    fn progress(&self) -> Value {
        Value::Null
    }
}

#[async_trait]
impl Importer for HarnessPlugin {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.0
    }

    fn validate(&self, config: &Config) -> Result<(), Problems> {
        Self::judge(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        Self::run(ctx.config())?;
        let wanted = ctx.config().integer("num_units").unwrap_or(0);
        let observer: Arc<dyn StageObserver> = Arc::new(Unobserved);
        let units = (0..wanted).map(|number| unit(json!(format!("unit_{number}"))));
        ctx.stage(units.collect(), &observer).await?;
        ctx.drain().await?;
        Ok(SyncReport {
            summary: json!({ "num_units": wanted }),
            ..SyncReport::default()
        })
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        let name = upload.key.get("name").cloned().unwrap_or_default();
        ctx.stage(vec![unit(name)]).await?;
        Ok(UploadReport::default())
    }
}

#[async_trait]
impl Distributor for HarnessPlugin {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.0
    }

    fn validate(
        &self,
        _repo_id: &str,
        config: &Config,
        _others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        Self::judge(config)
    }

    /// Below a path of its own: `publish_dir` names a folder of the server, which no client may choose.
    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount> {
        let path = config.text("relative_url").unwrap_or(repo_id);
        let below = format!("{}/{path}", self.0.id);
        ROOT.mount(&below, true, true).into_iter().collect()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn is_current_only(&self, _path: &str) -> bool {
        false
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        Self::run(ctx.config())?;
        let write = ctx.config().flag("write_files") == Some(true);
        let mut units = ctx.units(Select::all(UNIT.id)).await?;
        let mut published = 0;
        while let Some(batch) = units.try_next().await? {
            published += batch.len();
            for unit in batch.iter().filter(|_| write) {
                let name = unit.text("name").unwrap_or_default();
                let mut file = ctx.file(&[])?;
                file.write_all(name.as_bytes())?;
                let entry = Entry::from(&file.finish()?);
                let path = RelativePath::new(name)?;
                ctx.add(path, entry, ctx.clock().now()).await?;
            }
        }
        Ok(PublishReport {
            summary: json!({ "num_units": published }),
            details: Value::Null,
        })
    }
}

#[async_trait]
impl GroupDistributor for HarnessPlugin {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.0
    }

    fn validate(
        &self,
        _group_id: &str,
        config: &Config,
        _others: &[OtherGroup],
    ) -> Result<(), Problems> {
        Self::judge(config)
    }

    async fn publish(&self, ctx: &dyn GroupPublishContext) -> Result<(), ContentError> {
        Self::run(ctx.config())?;
        let mut published = Document::new();
        for repo in ctx.repositories() {
            let member = ctx.member(repo);
            let mut units = member.units(Select::all(UNIT.id)).await?;
            let mut count = 0;
            while let Some(batch) = units.try_next().await? {
                count += batch.len();
            }
            published.insert(repo.id.clone(), json!(count));
        }
        ctx.progress(Value::Object(published));
        Ok(())
    }
}
