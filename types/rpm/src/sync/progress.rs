//! The progress report of a sync, its summary and its details (pulp2/rpm-sync#progress).

use std::collections::HashSet;

use parking_lot::Mutex;
use pith_content::fetch::{FetchFailure, FetchFailureKind};
use pith_content::sync::StageObserver;
use pith_content::unit::WantedUnit;
use pith_content::{Bent, ContentError};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::{Map, Value, json};

use crate::learned::{self, SIGNING_KEY};
use crate::metadata::header;
use crate::modular::IS_MODULAR;
use crate::signature::SignaturePolicy;
use crate::type_ids::{DRPM, METADATA_FILE, RPM, SRPM};

/// The most failures that are listed; more are only counted.
const MAX_DETAILS: usize = 500;
/// The number of packages after which a sync that fails for want of packages gives up.
const GIVE_UP: usize = 100;

/// A step of the sync, in the order of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub enum SyncStep {
    Metadata,
    Content,
    Distribution,
    Modules,
    Errata,
    Comps,
    PurgeDuplicates,
}

const STEPS: [(SyncStep, &str); 7] = [
    (SyncStep::Metadata, "metadata"),
    (SyncStep::Content, "content"),
    (SyncStep::Distribution, "distribution"),
    (SyncStep::Modules, "modules"),
    (SyncStep::Errata, "errata"),
    (SyncStep::Comps, "comps"),
    (SyncStep::PurgeDuplicates, "purge_duplicates"),
];

#[derive(Default)]
struct Counts {
    items_total: u64,
    items_left: u64,
    size_total: u64,
    size_left: u64,
    rpm_total: u64,
    rpm_done: u64,
    drpm_total: u64,
    drpm_done: u64,
}

struct Inner {
    states: [(&'static str, Option<String>); 7],
    counts: Counts,
    details: Vec<Value>,
    failures: Vec<String>,
    failed: usize,
    /// Packages that the signature policy leaves out, by checksum.
    refused: HashSet<String>,
    /// Types of which not everything that upstream lists could be read.
    partial: HashSet<&'static str>,
}

/// Progress of one sync, shared with the downloads.
pub struct SyncProgress {
    inner: Mutex<Inner>,
    /// Is true when the sync goes on without packages that cannot be had.
    go_on: bool,
    signatures: SignaturePolicy,
    digests: Digests,
    bent: Bent,
}

/// The digests of packages that a sync works out. Every package is checked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// The digests of files that come, as far as they cost nothing: SHA-256 beside the one that upstream gives.
    OfNew,
    /// The same of files that are here already.
    OfAll,
    /// All usual ones, of all files (`validate`).
    Usual,
}

impl SyncProgress {
    /// A report in which nothing has started.
    #[must_use]
    pub fn new(go_on: bool, signatures: SignaturePolicy, digests: Digests, bent: Bent) -> Self {
        Self {
            inner: Mutex::new(Inner {
                states: std::array::from_fn(|_| ("NOT_STARTED", None)),
                counts: Counts::default(),
                details: Vec::new(),
                failures: Vec::new(),
                failed: 0,
                refused: HashSet::new(),
                partial: HashSet::new(),
            }),
            go_on,
            signatures,
            digests,
            bent,
        }
    }

    /// Notes that not everything of these types that upstream lists could be read: what the repository has of them stays.
    pub fn partial(&self, types: &[&'static str]) {
        self.inner.lock().partial.extend(types);
    }

    /// Tells whether all of a type that upstream lists was read.
    #[must_use]
    pub fn is_whole(&self, type_id: &str) -> bool {
        !self.inner.lock().partial.contains(type_id)
    }

    /// Tells whether all that upstream lists was read.
    #[must_use]
    pub fn all_whole(&self) -> bool {
        self.inner.lock().partial.is_empty()
    }

    /// Notes that something of this type cannot be had and clients do without it. The next sync asks for it again.
    pub fn go_without(&self, type_id: &'static str, name: &str, detail: Value) {
        let sentence = "files that clients can do without could not be had; what the repository has of them stays";
        self.bent.note("file_missing", sentence, name);
        self.partial(&[type_id]);
        let details = &mut self.inner.lock().details;
        if details.len() < MAX_DETAILS {
            details.push(detail);
        }
    }

    fn set(&self, step: SyncStep, state: &'static str, error: Option<String>) {
        self.inner.lock().states[step as usize] = (state, error);
    }

    /// Notes that a step has begun.
    pub fn begin(&self, step: SyncStep) {
        self.set(step, "IN_PROGRESS", None);
    }

    /// Notes that a step has ended well.
    pub fn finish(&self, step: SyncStep) {
        self.set(step, "FINISHED", None);
    }

    /// Notes that a step has ended badly.
    pub fn fail(&self, step: SyncStep, error: String) {
        self.set(step, "FAILED", Some(error));
    }

    /// Notes that every step is finished: nothing was to do.
    pub fn finish_all(&self) {
        for (step, _) in STEPS {
            self.finish(step);
        }
    }

    /// The step that is under way.
    #[must_use]
    pub fn current(&self) -> Option<SyncStep> {
        let inner = self.inner.lock();
        STEPS
            .iter()
            .find(|(step, _)| inner.states[*step as usize].0 == "IN_PROGRESS")
            .map(|(step, _)| *step)
    }

    /// `{step: {"state": …}}`.
    #[must_use]
    pub fn summary(&self) -> Value {
        let inner = self.inner.lock();
        let steps: Map<String, Value> = STEPS
            .iter()
            .map(|(step, name)| {
                let (state, _) = &inner.states[*step as usize];
                ((*name).to_owned(), json!({ "state": state }))
            })
            .collect();
        Value::Object(steps)
    }

    /// Returns how many packages could not be had, and the first few of them.
    #[must_use]
    pub fn failures(&self) -> (usize, Vec<String>) {
        let inner = self.inner.lock();
        (inner.failed, inner.failures.clone())
    }

    /// Tells whether anything is in `error_details`.
    #[must_use]
    pub fn has_details(&self) -> bool {
        !self.inner.lock().details.is_empty()
    }

    /// The whole report.
    #[must_use]
    pub fn report(&self) -> Value {
        let inner = self.inner.lock();
        let mut report = Map::new();
        for (step, name) in STEPS {
            let (state, error) = &inner.states[step as usize];
            let mut entry = json!({ "state": state });
            if let Some(error) = error {
                entry["error"] = json!(error);
            }
            if step == SyncStep::Distribution {
                entry["items_total"] = json!(0);
                entry["items_left"] = json!(0);
                entry["error_details"] = json!([]);
            }
            if step == SyncStep::Content {
                let c = &inner.counts;
                entry["items_total"] = json!(c.items_total);
                entry["items_left"] = json!(c.items_left);
                entry["size_total"] = json!(c.size_total);
                entry["size_left"] = json!(c.size_left);
                entry["error_details"] = json!(inner.details);
                entry["details"] = json!({
                    "rpm_total": c.rpm_total, "rpm_done": c.rpm_done,
                    "drpm_total": c.drpm_total, "drpm_done": c.drpm_done,
                });
            }
            report.insert(name.to_owned(), entry);
        }
        Value::Object(report)
    }

    /// Notes a package that the signature policy leaves out.
    fn require_accepted(&self, unit: &WantedUnit, key: Option<&str>) -> Result<(), String> {
        if self.signatures.accepts(key) {
            return Ok(());
        }
        let checksum = field(unit, "checksum").to_owned();
        self.inner.lock().refused.insert(checksum);
        Err("its signature is not accepted by this repository".to_owned())
    }

    fn one_less(&self, type_id: &str, size: u64) {
        let counts = &mut self.inner.lock().counts;
        match type_id {
            RPM | SRPM => counts.rpm_done += 1,
            DRPM => counts.drpm_done += 1,
            _ => return,
        }
        counts.items_left = counts.items_left.saturating_sub(1);
        counts.size_left = counts.size_left.saturating_sub(size);
    }
}

fn field<'a>(unit: &'a WantedUnit, key: &str) -> &'a str {
    unit.doc.get(key).and_then(Value::as_str).unwrap_or("")
}

/// An item of `error_details` (pulp2/rpm-sync#downloads).
fn detail(unit: &WantedUnit, failure: &FetchFailure) -> Value {
    match &failure.kind {
        FetchFailureKind::Size { expected, actual } => json!({
            "name": field(unit, "filename"), "error_code": "size_mismatch",
            "expected_size": expected, "actual_size": actual, "url": failure.url,
        }),
        FetchFailureKind::Digest {
            algorithm,
            expected,
            actual,
        } => json!({
            "name": field(unit, "filename"), "error_code": "checksum_mismatch", "checksum_type": algorithm.name(),
            "expected_checksum": expected, "actual_checksum": actual, "url": failure.url,
        }),
        _ => json!({"errors": [failure.message], "url": failure.url}),
    }
}

impl StageObserver for SyncProgress {
    fn queued(&self, type_id: &str, size: u64) {
        let counts = &mut self.inner.lock().counts;
        match type_id {
            RPM | SRPM => counts.rpm_total += 1,
            DRPM => counts.drpm_total += 1,
            _ => return,
        }
        counts.items_total += 1;
        counts.items_left += 1;
        counts.size_total += size;
        counts.size_left += size;
    }

    fn digests(&self, type_id: &str) -> &'static [Algorithm] {
        match type_id {
            RPM | SRPM | DRPM if self.digests == Digests::Usual => &learned::USUAL,
            _ => &[],
        }
    }

    fn screens(&self, type_id: &str) -> bool {
        let looks = !self.signatures.is_open() || self.digests != Digests::OfNew;
        looks && learned::is_package(type_id)
    }

    fn missing_digests(&self, unit: &WantedUnit, stored: &Document) -> Vec<Algorithm> {
        let known = |doc: &Document, algorithm| learned::checksum(doc, algorithm).is_some();
        let usual = self.digests(unit.type_id).iter().copied();
        usual
            .filter(|algorithm| *algorithm != Algorithm::Sha256)
            .filter(|algorithm| !known(stored, *algorithm) && !known(&unit.doc, *algorithm))
            .collect()
    }

    fn digested(&self, unit: &mut WantedUnit, hashed: &Hashed) {
        if learned::is_package(unit.type_id) {
            learned::add_checksums(&mut unit.doc, hashed);
        }
    }

    fn accepts_known(&self, unit: &WantedUnit, stored: &Document) -> Option<Result<(), String>> {
        if self.signatures.is_open() {
            return Some(Ok(()));
        }
        let key = stored.get(SIGNING_KEY).and_then(Value::as_str)?;
        Some(self.require_accepted(unit, Some(key)))
    }

    fn inspect(&self, unit: &mut WantedUnit, head: &[u8], hashed: &Hashed) -> Result<(), String> {
        if !learned::is_package(unit.type_id) {
            return Ok(());
        }
        self.digested(unit, hashed);
        let facts = header::facts(head).unwrap_or_default();
        if unit.type_id == RPM && facts.modular {
            unit.doc.insert(IS_MODULAR.to_owned(), true.into());
        }
        let key = facts.signing_key.as_deref();
        let accepted = self.require_accepted(unit, key);
        let found = facts.signing_key.map(|key| (SIGNING_KEY, key.into()));
        unit.doc
            .extend(found.map(|(field, key)| (field.to_owned(), key)));
        accepted
    }

    fn deferred(&self, type_id: &str, size: u64) {
        self.queued(type_id, size);
        self.one_less(type_id, size);
    }

    fn done(&self, type_id: &str, size: u64) {
        self.one_less(type_id, size);
    }

    fn failed(&self, unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        let size = unit.doc.get("size").and_then(Value::as_u64).unwrap_or(0);
        self.one_less(unit.type_id, size);
        let refused = self.inner.lock().refused.contains(field(unit, "checksum"));
        // No client fails for want of these.
        if matches!(unit.type_id, METADATA_FILE | DRPM) && !refused {
            let name = format!("{}: {}", field(unit, "filename"), failure.message);
            self.go_without(unit.type_id, &name, detail(unit, failure));
            return Ok(());
        }
        let mut inner = self.inner.lock();
        // The signature policy leaves packages out; that is its purpose and no failure.
        if inner.details.len() < MAX_DETAILS {
            inner.details.push(if refused {
                json!({"name": field(unit, "filename"), "error_code": "gpg_key_id_filter_failure"})
            } else {
                detail(unit, failure)
            });
        }
        if refused {
            return Ok(());
        }
        inner.failed += 1;
        if inner.failures.len() < 5 {
            inner.failures.push(failure.message.clone());
        }
        if self.go_on || inner.failed < GIVE_UP {
            return Ok(());
        }
        drop(inner);
        Err(self.missing_packages())
    }

    fn progress(&self) -> Value {
        self.report()
    }
}

impl SyncProgress {
    /// The error of a sync that could not get all packages.
    #[must_use]
    pub fn missing_packages(&self) -> ContentError {
        let (count, first) = self.failures();
        let message = format!(
            "{count} packages could not be downloaded or did not verify; the repository stays as it was. First: {}. \
             Set on_download_failure to \"continue\" to sync without them.",
            first.join("; ")
        );
        self.fail(SyncStep::Content, message.clone());
        ContentError::Failed {
            message,
            summary: self.summary(),
            details: self.report(),
        }
    }
}
