//! Plugins made of a recording: the types, importers and distributors that the recorded server described, refusing
//! the configurations that it refused, and reporting what its runs reported. So a replay tests the API and not the
//! rules of each plugin.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pith_content::copy::{CopyContext, CopyReport};
use pith_content::descriptor::KeyField;
use pith_content::publish::{ClientGuard, Mount, OtherDistributor, PublishContext, PublishReport};
use pith_content::sync::{SyncContext, SyncReport};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{
    Config, ContentError, ContentType, Distributor, Importer, PluginDescriptor, Problem, Problems,
    UnitType,
};
use pith_core::Document;
use pith_core::error::ErrorDetail;
use serde_json::Value;

use crate::replay::Exchange;

/// Configurations and what the recorded server said of them: a refusal, or nothing.
type Verdicts = Vec<(Document, Option<String>)>;

/// The ends of the recorded runs of each repository, in their order; by repository and kind of run.
type Outcomes = HashMap<(String, Kind), VecDeque<Outcome>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sync,
    Publish,
}

enum Outcome {
    Report {
        summary: Value,
        details: Value,
    },
    /// The plugin came to its end, and said that it failed.
    Failed,
    Error(ErrorDetail),
}

struct Plugin {
    descriptor: &'static PluginDescriptor,
    verdicts: Verdicts,
    outcomes: Arc<Mutex<Outcomes>>,
}

impl Plugin {
    /// Returns what the next run of the repository comes to: summary and details. Nothing for one that was not recorded.
    fn outcome(&self, repo: &str, kind: Kind) -> Result<(Value, Value), ContentError> {
        let mut outcomes = self.outcomes.lock().unwrap();
        let runs = outcomes.get_mut(&(repo.to_owned(), kind));
        match runs.and_then(VecDeque::pop_front) {
            None => Ok((Value::Null, Value::Null)),
            Some(Outcome::Report { summary, details }) => Ok((summary, details)),
            Some(Outcome::Failed) => Err(ContentError::Failed {
                message: "Importer indicated a failed response".to_owned(),
                summary: Value::Null,
                details: Value::Null,
            }),
            Some(Outcome::Error(detail)) => Err(ContentError::coded(detail)),
        }
    }

    fn verdict(&self, config: &Config) -> Result<(), Problems> {
        let judged = self.judge(config);
        judged.map_err(|words| Problem::new("", words).into())
    }

    /// Returns what the recorded server said of the same configuration; else it is refused when it has all of the values that
    /// stand in a refused one and in no accepted one.
    fn judge(&self, config: &Config) -> Result<(), String> {
        let config = config.document();
        let accepted = |key: &String, value: &Value| {
            let mut accepted = self.verdicts.iter().filter(|(_, v)| v.is_none());
            accepted.any(|(given, _)| given.get(key) == Some(value))
        };
        let same = self.verdicts.iter().filter(|(given, _)| given == config);
        let same: Vec<_> = same.map(|(_, verdict)| verdict).collect();
        if same.contains(&&None) {
            return Ok(());
        }
        if let Some(Some(refusal)) = same.first() {
            return Err(refusal.clone());
        }
        self.required(config)?;
        for (given, verdict) in &self.verdicts {
            let mut wrong = given.iter().filter(|(k, v)| !accepted(k, v)).peekable();
            if wrong.peek().is_some() && wrong.all(|(k, v)| config.get(k) == Some(v)) {
                return verdict.clone().map_or(Ok(()), Err);
            }
        }
        Ok(())
    }

    /// The keys that the recorded server missed in an empty configuration.
    fn required(&self, config: &Document) -> Result<(), String> {
        let empty = self.verdicts.iter().find(|(given, _)| given.is_empty());
        let lines = empty.and_then(|(_, verdict)| verdict.as_ref());
        for line in lines.into_iter().flat_map(|text| text.lines()) {
            let key = line
                .strip_prefix("Configuration key [")
                .and_then(|rest| rest.strip_suffix("] is required, but was not provided"));
            if key.is_some_and(|key| !config.contains_key(key)) {
                return Err(line.to_owned());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Importer for Plugin {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.descriptor
    }

    fn validate(&self, config: &Config) -> Result<(), Problems> {
        self.verdict(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let (summary, details) = self.outcome(&ctx.repo().id, Kind::Sync)?;
        Ok(SyncReport {
            summary,
            details,
            ..SyncReport::default()
        })
    }

    async fn upload(
        &self,
        _ctx: &dyn UploadContext,
        _upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        Ok(UploadReport::default())
    }

    /// As the recorded plugins, of which one lists what it left out.
    async fn copy(&self, _ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
        let mut report = CopyReport::default();
        if self.descriptor.id == "yum_importer" {
            report
                .lists
                .push(("units_failed_signature_filter", Vec::new()));
        }
        Ok(report)
    }
}

#[async_trait]
impl Distributor for Plugin {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.descriptor
    }

    fn validate(
        &self,
        _repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        let url = config.text("relative_url");
        if url.is_some()
            && others
                .iter()
                .any(|other| other.relative_url.as_deref() == url)
        {
            let text = format!("Relative URL {url:?} conflicts with an existing one");
            return Err(Problem::new("relative_url", text).into());
        }
        self.verdict(config)
    }

    fn mounts(&self, _repo_id: &str, _config: &Config) -> Vec<Mount> {
        Vec::new()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn is_current_only(&self, _path: &str) -> bool {
        false
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let (summary, details) = self.outcome(&ctx.repo().id, Kind::Publish)?;
        Ok(PublishReport { summary, details })
    }
}

/// Everything that a recording describes.
pub(crate) struct Recorded {
    units: &'static [UnitType],
    importers: Vec<Arc<Plugin>>,
    distributors: Vec<Arc<Plugin>>,
}

impl ContentType for Recorded {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        self.units
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        let all = self.importers.iter().cloned();
        all.map(|plugin| plugin as Arc<dyn Importer>).collect()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        let all = self.distributors.iter().cloned();
        all.map(|plugin| plugin as Arc<dyn Distributor>).collect()
    }
}

// Descriptors are compiled in and so live for ever; those of a test do too.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn text(value: &Value) -> &'static str {
    value.as_str().unwrap_or_default().to_owned().leak()
}

fn texts(value: &Value) -> &'static [&'static str] {
    let items = value.as_array().into_iter().flatten().map(text);
    items.collect::<Vec<_>>().leak()
}

fn unit_type(described: &Value) -> UnitType {
    let key = texts(&described["unit_key"]).iter();
    let id = text(&described["id"]);
    UnitType {
        id,
        display_name: text(&described["display_name"]),
        description: text(&described["description"]),
        key: key
            .map(|name| KeyField::same(name))
            .collect::<Vec<_>>()
            .leak(),
        referenced_types: texts(&described["referenced_types"]),
        search_indexes: described["search_indexes"].to_string().leak(),
        file_backed: true,
        in_results: match id {
            "rpm" | "srpm" | "drpm" => &["signing_key"],
            _ => &[],
        },
        ..UnitType::PLAIN
    }
}

/// Returns what is described below `/plugins/<kind>/`, each once.
fn described(plugins: &[Exchange], kind: &str) -> BTreeMap<String, Value> {
    let below = format!("/pulp/api/v2/plugins/{kind}/");
    let ours = plugins
        .iter()
        .filter(|e| e.path.starts_with(&below) && e.status == 200);
    let documents = ours.flat_map(|e| match &e.body {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    });
    documents
        .map(|each| (each["id"].as_str().unwrap().to_owned(), each))
        .collect()
}

/// The configurations sent for one plugin, with the verdicts. What the recorded server failed on counts as refused.
fn verdicts(exchanges: &[Exchange], kind: &str, id: &str) -> Verdicts {
    let type_key = format!("{kind}_type_id");
    let config_key = format!("{kind}_config");
    let mut found = Vec::new();
    let mut note = |request: &Value, exchange: &Exchange| {
        if request[&type_key] != *id {
            return;
        }
        let mut config = request[&config_key]
            .as_object()
            .cloned()
            .unwrap_or_default();
        config.retain(|_, value| !value.is_null());
        let message = exchange.body["error_message"].as_str().map(str::to_owned);
        let verdict = match exchange.status {
            200..=299 => None,
            400 if message
                .as_ref()
                .is_some_and(|text| text.contains("conflicts with")) =>
            {
                return;
            }
            400 if exchange.body["error"]["code"] == "PLP0000" => message,
            500 if !exchange.body["error_message"]
                .to_string()
                .contains("ValidationError") =>
            {
                message
            }
            _ => return,
        };
        found.push((config, verdict));
    };
    for exchange in exchanges.iter().filter(|e| e.method == "POST") {
        note(&exchange.request_body, exchange);
        for each in exchange.request_body["distributors"]
            .as_array()
            .into_iter()
            .flatten()
        {
            note(each, exchange);
        }
    }
    found
}

/// Returns what the recorded runs came to, as far as a plugin had a say in it.
fn outcomes(exchanges: &[Exchange]) -> Outcomes {
    let mut found = Outcomes::new();
    let mut seen = HashSet::new();
    for exchange in exchanges {
        // These do not reach the plugin here.
        let step = exchange.step.as_str();
        if ["override string", "override invalid", "publish ok"]
            .iter()
            .any(|s| step.starts_with(s))
        {
            continue;
        }
        let task = &exchange.body;
        let kind = match task["task_type"].as_str() {
            Some("pulp.server.managers.repo.sync.sync") => Kind::Sync,
            Some("pulp.server.managers.repo.publish.publish") => Kind::Publish,
            _ => continue,
        };
        let outcome = match task["state"].as_str() {
            Some("finished") if task["result"]["result"] == "success" => Outcome::Report {
                summary: task["result"]["summary"].clone(),
                details: task["result"]["details"].clone(),
            },
            // The platform refuses these before it asks the plugin.
            Some("error") if task["error"]["code"] == "PLP0009" => continue,
            Some("error") if task["error"]["code"] == "PLP0000" => Outcome::Failed,
            Some("error") => Outcome::Error(serde_json::from_value(task["error"].clone()).unwrap()),
            _ => continue,
        };
        if seen.insert(task["task_id"].to_string()) {
            let tag = task["tags"][0].as_str().unwrap();
            let repo = tag.strip_prefix("pulp:repository:").unwrap().to_owned();
            found.entry((repo, kind)).or_default().push_back(outcome);
        }
    }
    found
}

/// The plugins that `plugins` describes, with the verdicts of `exchanges` and the outcomes of `runs`.
pub(crate) fn recorded(
    plugins: &[Exchange],
    exchanges: &[Exchange],
    runs: &[Exchange],
) -> Recorded {
    let outcomes = Arc::new(Mutex::new(outcomes(runs)));
    let all = |kind: &str| {
        let mut made = Vec::new();
        for each in described(plugins, &format!("{kind}s")).values() {
            let descriptor = leak(PluginDescriptor {
                id: text(&each["id"]),
                display_name: text(&each["display_name"]),
                types: texts(&each["types"]),
                platform: &[],
                own: &[],
            });
            let verdicts = verdicts(exchanges, kind, descriptor.id);
            made.push(Arc::new(Plugin {
                descriptor,
                verdicts,
                outcomes: Arc::clone(&outcomes),
            }));
        }
        made
    };
    Recorded {
        units: described(plugins, "types")
            .values()
            .map(unit_type)
            .collect::<Vec<_>>()
            .leak(),
        importers: all("importer"),
        distributors: all("distributor"),
    }
}
