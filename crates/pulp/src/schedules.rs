//! Schedules of syncs and publishes: documents, checks, and the calls that change them (pulp2/schedules).

use std::sync::Arc;

use async_trait::async_trait;
use pith_core::clock::iso;
use pith_core::error::PulpError;
use pith_core::rights::of_repository;
use pith_core::schedule::Interval;
use pith_core::{Document, ObjectId, Operation, Timestamp};
use pith_engine::masks::{is_masked, shown};
use pith_engine::secrets::require_given;
use pith_engine::timetable::{due, timetable};
use pith_engine::{Consent, Error, Registry};
use pith_store::{Schedule, ScheduleOwner};
use serde_json::{Value, json};

use crate::Pulp;
use crate::auth::{Account, Principal};

/// The runs that schedules of a path start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Syncs of a repository.
    Sync {
        /// The repository.
        repo_id: &'a str,
        /// Its importer.
        importer_id: &'a str,
    },
    /// Publishes of a repository.
    Publish {
        /// The repository.
        repo_id: &'a str,
        /// One of its distributors.
        distributor_id: &'a str,
    },
}

impl Target<'_> {
    /// `resource` on the wire.
    fn resource(&self) -> String {
        match self {
            Self::Sync {
                repo_id,
                importer_id,
            } => format!("pulp:importer:{repo_id}:{importer_id}"),
            Self::Publish {
                repo_id,
                distributor_id,
            } => format!("pulp:distributor:{repo_id}:{distributor_id}"),
        }
    }

    /// The resource that rights on its repository are granted on.
    fn repository(&self) -> String {
        let (Self::Sync { repo_id, .. } | Self::Publish { repo_id, .. }) = self;
        of_repository(repo_id)
    }

    /// The resource that rights on its schedules are granted on.
    fn schedules(&self) -> String {
        let path = match self {
            Self::Sync {
                repo_id,
                importer_id,
            } => format!("{repo_id}/importers/{importer_id}/schedules/sync"),
            Self::Publish {
                repo_id,
                distributor_id,
            } => format!("{repo_id}/distributors/{distributor_id}/schedules/publish"),
        };
        format!("/v2/repositories/{path}/")
    }

    fn href(&self, schedule: &ObjectId) -> String {
        format!("/pulp/api{}{schedule}/", self.schedules())
    }

    /// Tells whether somebody may say what a schedule does.
    fn may_be_set_by(&self, by: &Principal, schedule: &ObjectId) -> bool {
        let schedules = self.schedules();
        by.may_make_inside(&self.repository(), &schedules)
            || by.may(Operation::Update, &format!("{schedules}{schedule}/"))
    }

    fn task(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "pulp.server.tasks.repository.sync_with_auto_publish",
            Self::Publish { .. } => "pulp.server.controllers.repository.queue_publish",
        }
    }

    fn args(&self) -> Value {
        match self {
            Self::Sync { repo_id, .. } => json!([repo_id]),
            Self::Publish {
                repo_id,
                distributor_id,
            } => json!([repo_id, distributor_id]),
        }
    }

    fn owner(&self) -> ScheduleOwner {
        match *self {
            Self::Sync { repo_id, .. } => ScheduleOwner::Importer {
                repo_id: repo_id.to_owned(),
            },
            Self::Publish {
                repo_id,
                distributor_id,
            } => ScheduleOwner::Distributor {
                repo_id: repo_id.to_owned(),
                distributor_id: distributor_id.to_owned(),
            },
        }
    }

    /// The schedule as the API shows it at `now`.
    fn document(&self, registry: &Registry, schedule: &Schedule, now: Timestamp) -> Value {
        let mut kwargs = schedule.kwargs.clone();
        if let Some(Value::Object(overrides)) = kwargs.get_mut("overrides") {
            let plugin = match self {
                Self::Sync { importer_id, .. } => registry.importer(importer_id),
                Self::Publish { .. } => None,
            };
            *overrides = shown(overrides, plugin.map(|plugin| plugin.descriptor()));
        }
        kwargs.insert("scheduled_call_id".to_owned(), json!(schedule.oid.as_str()));
        let next_run =
            timetable(schedule).map(|table| table.next_run(schedule.total_run_count, now));
        json!({
            "_id": schedule.oid.as_str(),
            "_href": self.href(&schedule.oid),
            "schedule": schedule.schedule,
            "task": schedule.task,
            "args": schedule.args,
            "kwargs": kwargs,
            "resource": schedule.resource,
            "enabled": schedule.enabled,
            "failure_threshold": schedule.failure_threshold,
            "consecutive_failures": schedule.consecutive_failures,
            "total_run_count": schedule.total_run_count,
            "remaining_runs": schedule.remaining_runs,
            "first_run": schedule.first_run,
            "last_run_at": schedule.last_run_at.map(iso),
            "next_run": next_run.map(iso),
            "last_updated": seconds(schedule.last_updated),
        })
    }
}

/// Seconds since 1970 with a fraction.
fn seconds(at: Timestamp) -> f64 {
    // Microseconds of any date that people schedule for fit into the 53 bits of a float.
    at.as_microsecond() as f64 / 1e6
}

/// The runs that a schedule starts.
fn target(schedule: &Schedule) -> Target<'_> {
    match &schedule.owner {
        ScheduleOwner::Importer { repo_id } => Target::Sync {
            repo_id,
            importer_id: schedule.resource.rsplit(':').next().unwrap_or_default(),
        },
        ScheduleOwner::Distributor {
            repo_id,
            distributor_id,
        } => Target::Publish {
            repo_id,
            distributor_id,
        },
    }
}

/// Tells whether the user who last said what a schedule does, who is `account` now if they still exist, may still say so.
fn is_still_allowed(schedule: &Schedule, account: Option<Arc<Account>>) -> bool {
    let Some(maker) = &schedule.maker else {
        return true;
    };
    // Another user of the same login is somebody else.
    let account = account.filter(|account| account.oid == maker.oid);
    account.is_some_and(|account| {
        target(schedule).may_be_set_by(&Principal::User(account), &schedule.oid)
    })
}

#[async_trait]
impl Consent for Pulp {
    async fn still_stands(&self, schedule: &Schedule) -> Result<bool, Error> {
        let account = match &schedule.maker {
            Some(maker) => self.makers.get(&self.engine.store, &maker.login).await?,
            None => None,
        };
        Ok(is_still_allowed(schedule, account))
    }
}

/// The wishes of a request for a schedule; `None` for what it leaves out.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    schedule: Option<(String, Interval)>,
    failure_threshold: Option<Option<i64>>,
    enabled: Option<bool>,
    overrides: Option<Value>,
}

/// Names that a request may have; `iso_schedule` is the name that Pulp kept the interval under and took in updates.
const NAMES: [&str; 4] = [
    "schedule",
    "override_config",
    "failure_threshold",
    "enabled",
];
const RAW_NAME: &str = "iso_schedule";

/// Refuses names that a request may not have.
fn supported(body: &Document, update: bool) -> Result<(), PulpError> {
    let known = |name: &str| NAMES.contains(&name) || (update && name == RAW_NAME);
    let unknown: Vec<&str> = body
        .keys()
        .map(String::as_str)
        .filter(|name| !known(name))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(PulpError::unsupported_value(&unknown))
    }
}

/// Reads a request; all that is wrong is named together. A creation needs an interval, and calls it by its own name.
fn wanted(body: &Document, update: bool) -> Result<Wanted, PulpError> {
    let mut wrong = Vec::new();
    let mut wanted = Wanted::default();
    let interval = body.get("schedule").or_else(|| body.get(RAW_NAME));
    if interval.is_some() || !update {
        let text = interval.and_then(Value::as_str).unwrap_or_default();
        match Interval::parse(text) {
            Ok(interval) => wanted.schedule = Some((text.to_owned(), interval)),
            Err(_) if update => wrong.push(RAW_NAME),
            Err(_) => wrong.push("schedule"),
        }
    }
    if let Some(threshold) = body.get("failure_threshold") {
        match threshold.as_i64() {
            Some(count) if count > 0 => wanted.failure_threshold = Some(Some(count)),
            None if threshold.is_null() => wanted.failure_threshold = Some(None),
            _ => wrong.push("failure_threshold"),
        }
    }
    if let Some(enabled) = body.get("enabled") {
        wanted.enabled = enabled.as_bool();
        if wanted.enabled.is_none() {
            wrong.push("enabled");
        }
    }
    wanted.overrides = body.get("override_config").cloned();
    if wrong.is_empty() {
        Ok(wanted)
    } else {
        Err(PulpError::invalid_value(&wrong))
    }
}

/// Refuses an override that would send stored secrets to another place than the one they were given for.
fn require_own(stored: Option<&Value>, wanted: &Wanted) -> Result<(), PulpError> {
    let Some(given) = &wanted.overrides else {
        return Ok(());
    };
    match (stored, unmasked(stored, given.clone())) {
        (Some(Value::Object(stored)), Value::Object(after)) => require_given(stored, &after),
        _ => Ok(()),
    }
}

/// `given`, with the stored secrets where a client sends back the masks that it read.
fn unmasked(stored: Option<&Value>, mut given: Value) -> Value {
    if let (Some(Value::Object(stored)), Value::Object(given)) = (stored, &mut given) {
        for (key, value) in given {
            if let Some(secret) = stored.get(key)
                && is_masked(key, value, secret)
            {
                *value = secret.clone();
            }
        }
    }
    given
}

impl Wanted {
    /// Changes `schedule` at `now`. A new interval begins anew; what ran and what may still run stays counted
    /// (pulp2/schedules#updates).
    fn apply(self, schedule: &mut Schedule, now: Timestamp) {
        if let Some((text, interval)) = self.schedule {
            schedule.first_run = interval.first_run(now).to_string();
            schedule.schedule = text;
            schedule.remaining_runs = schedule.remaining_runs.or(interval.recurrences);
        }
        if let Some(threshold) = self.failure_threshold {
            schedule.failure_threshold = threshold;
        }
        if let Some(enabled) = self.enabled {
            schedule.enabled = enabled;
        }
        if let Some(overrides) = self.overrides {
            let overrides = unmasked(schedule.kwargs.get("overrides"), overrides);
            schedule.kwargs.insert("overrides".to_owned(), overrides);
        }
        schedule.last_updated = now;
        schedule.due = due(schedule);
    }
}

fn missing(id: &str) -> Error {
    PulpError::missing_resource(&[("schedule_id", id)]).into()
}

impl Pulp {
    /// Checks that there is what schedules of `target` run on.
    async fn target_require(&self, target: Target<'_>) -> Result<(), Error> {
        match target {
            Target::Sync {
                repo_id,
                importer_id,
            } => self.importer_require(repo_id, importer_id).await.map(drop),
            Target::Publish {
                repo_id,
                distributor_id,
            } => self
                .distributor_require(repo_id, distributor_id)
                .await
                .map(drop),
        }
    }

    /// A schedule of `target`. One of another path is not found: who may change the one need not be allowed to change
    /// the other.
    async fn schedule_require(&self, target: Target<'_>, id: &str) -> Result<Schedule, Error> {
        let oid: ObjectId = id.parse().map_err(|_| missing(id))?;
        let found = self.engine.store.schedule_get(&oid).await?;
        found
            .filter(|schedule| schedule.resource == target.resource())
            .ok_or_else(|| missing(id))
    }

    /// Refuses an override with a feed that the server's settings do not allow.
    fn require_overrides(&self, target: Target<'_>, wanted: &Wanted) -> Result<(), Error> {
        match (target, &wanted.overrides) {
            (Target::Sync { .. }, Some(Value::Object(overrides))) => {
                Ok(self.engine.require_feed(overrides, None)?)
            }
            _ => Ok(()),
        }
    }

    fn schedule_document(&self, target: Target<'_>, schedule: &Schedule) -> Value {
        target.document(&self.engine.registry, schedule, self.engine.clock.now())
    }

    /// The schedules of `target`, oldest first.
    ///
    /// # Errors
    /// 404 for what they run on.
    pub async fn schedule_list(&self, target: Target<'_>) -> Result<Vec<Value>, Error> {
        self.target_require(target).await?;
        let found = self.engine.store.schedule_list(&target.resource()).await?;
        Ok(found
            .iter()
            .map(|schedule| self.schedule_document(target, schedule))
            .collect())
    }

    /// Makes a schedule of `target` in the name of `by`. `body` is the request.
    ///
    /// # Errors
    /// 400 for names or values that cannot be, 404 for what it runs on.
    pub async fn schedule_create(
        &self,
        target: Target<'_>,
        body: &Document,
        by: &Principal,
    ) -> Result<Value, Error> {
        supported(body, false)?;
        self.target_require(target).await?;
        let wanted = wanted(body, false)?;
        self.require_overrides(target, &wanted)?;
        let now = self.engine.clock.now();
        let mut schedule = Schedule {
            oid: ObjectId::new(now),
            resource: target.resource(),
            owner: target.owner(),
            task: target.task().to_owned(),
            args: target.args(),
            kwargs: Document::from_iter([("overrides".to_owned(), json!({}))]),
            schedule: String::new(),
            first_run: String::new(),
            enabled: true,
            failure_threshold: None,
            consecutive_failures: 0,
            total_run_count: 0,
            remaining_runs: None,
            last_run_at: None,
            last_updated: now,
            due: None,
            maker: by.maker(),
        };
        wanted.apply(&mut schedule, now);
        self.engine.store.schedule_create(&schedule).await?;
        Ok(self.schedule_document(target, &schedule))
    }

    /// One schedule of `target`.
    ///
    /// # Errors
    /// 404 for what it runs on, and for the schedule.
    pub async fn schedule_read(&self, target: Target<'_>, id: &str) -> Result<Value, Error> {
        self.target_require(target).await?;
        let schedule = self.schedule_require(target, id).await?;
        Ok(self.schedule_document(target, &schedule))
    }

    /// Changes a schedule of `target` in the name of `by`, who answers for it from then on. `body` is the request.
    ///
    /// # Errors
    /// 404 for what it runs on, 400 for names or values that cannot be, 404 for the schedule.
    pub async fn schedule_update(
        &self,
        target: Target<'_>,
        id: &str,
        body: &Document,
        by: &Principal,
    ) -> Result<Value, Error> {
        self.target_require(target).await?;
        supported(body, true)?;
        let wanted = wanted(body, true)?;
        self.require_overrides(target, &wanted)?;
        let schedule = self.schedule_require(target, id).await?;
        require_own(schedule.kwargs.get("overrides"), &wanted)?;
        let now = self.engine.clock.now();
        let changed = self
            .engine
            .store
            .schedule_change(&schedule.oid, |schedule| {
                wanted.apply(schedule, now);
                schedule.maker = by.maker();
            })
            .await?
            .ok_or_else(|| missing(id))?;
        Ok(self.schedule_document(target, &changed))
    }

    /// Removes a schedule of `target`.
    ///
    /// # Errors
    /// 404 for what it runs on, and for the schedule.
    pub async fn schedule_delete(&self, target: Target<'_>, id: &str) -> Result<(), Error> {
        self.target_require(target).await?;
        let schedule = self.schedule_require(target, id).await?;
        let deleted = self.engine.store.schedule_delete(&schedule.oid).await;
        if deleted? { Ok(()) } else { Err(missing(id)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pith_engine::masks::MASK;

    fn body(value: Value) -> Document {
        match value {
            Value::Object(map) => map,
            _ => Document::new(),
        }
    }

    #[test]
    fn everything_wrong_is_named_in_one_order() {
        let all = body(json!({"enabled": 1, "failure_threshold": 0, "schedule": "x"}));
        let names = |update| wanted(&all, update).unwrap_err().extra["property_names"].clone();
        assert_eq!(
            names(false),
            json!(["schedule", "failure_threshold", "enabled"])
        );
        assert_eq!(
            names(true),
            json!(["iso_schedule", "failure_threshold", "enabled"])
        );
        assert_eq!(wanted(&body(json!({})), true).unwrap(), Wanted::default());
        assert!(wanted(&body(json!({})), false).is_err());
    }

    #[test]
    fn runs_left_are_not_for_clients_to_set() {
        for name in ["remaining_runs", "args", "kwargs", "bogus"] {
            let error = supported(&body(json!({name: 1})), true).unwrap_err();
            assert_eq!(error.extra["unsupported_property_names"], json!([name]));
        }
        assert!(supported(&body(json!({"iso_schedule": "P1D"})), false).is_err());
        assert!(supported(&body(json!({"iso_schedule": "P1D"})), true).is_ok());
    }

    #[test]
    fn masks_that_come_back_keep_the_secret() {
        let stored = json!({"proxy_password": "secret"});
        let given = json!({"proxy_password": MASK, "feed": MASK});
        assert_eq!(
            unmasked(Some(&stored), given),
            json!({"proxy_password": "secret", "feed": MASK})
        );
    }
}
