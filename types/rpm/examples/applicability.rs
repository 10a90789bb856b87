//! Measures what of a large repository applies to many hosts, with a repository that is made up as it is read:
//! `cargo run --release --example applicability -- [PACKAGES] [HOSTS] [INSTALLED]`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use pith_content::outline::{Fields, Outline};
use pith_content::profile::{Profile, Profiles};
use pith_content::repository::{Outlines, RepoInfo, RepositoryContext, Units};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, Profiler};
use pith_core::{Document, Timestamp, UnitId};
use pith_type_rpm::advisories;
use pith_type_rpm::metadata::snippet::Packer;
use pith_type_rpm::metadata::updateinfo::Erratum;
use pith_type_rpm::profiles::YumProfiler;
use serde_json::{Value, json};

/// Versions of each name.
const VERSIONS: usize = 5;
/// Packages of each name and architecture for one advisory.
const ADVISED: usize = 20;
/// Modules, each of ten names.
const MODULES: usize = 400;
/// Units read at once.
const BATCH: usize = 500;

/// Name, version and architecture of a package; the epoch is 0.
fn package(number: usize) -> (String, String, &'static str) {
    let (name, version) = (number / VERSIONS, number % VERSIONS);
    let arch = ["x86_64", "noarch", "i686"][name % 3];
    (format!("package-{name}"), format!("1.{version}"), arch)
}

fn nevra(number: usize) -> String {
    let (name, version, arch) = package(number);
    format!("{name}-0:{version}-1.el9.{arch}")
}

/// A repository of so many packages, a tenth of them in modules.
struct Made(usize, RepoInfo, Config);

impl Made {
    fn outline(fields: &'static [&'static str], doc: &Value) -> Outline {
        let line = |field: &&str| doc.get(field).map_or(String::new(), Value::to_string);
        let lines: Vec<String> = fields.iter().map(line).collect();
        unit(Document::new(), Vec::new()).with_doc(Fields::new(fields, lines.join("\n")))
    }

    fn document(&self, type_id: &str, number: usize) -> Value {
        if type_id == "rpm" {
            let (name, version, arch) = package(number);
            return json!({"name": name, "epoch": "0", "version": version, "release": "1.el9", "arch": arch});
        }
        let first = number * self.0 / MODULES;
        let artifacts: Vec<String> = (first..self.0.min(first + 10 * VERSIONS))
            .map(nevra)
            .collect();
        json!({
            "name": format!("module-{number}"), "stream": "1", "version": 1, "context": "c0", "arch": "x86_64",
            "artifacts": artifacts, "dependencies": [{"platform": ["el9"]}],
        })
    }
}

fn unit(doc: Document, parts: Vec<Option<bytes::Bytes>>) -> RepoUnit {
    let time: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    RepoUnit {
        id: UnitId::new(),
        doc,
        blob: None,
        promised: None,
        size: None,
        downloaded: true,
        added: None,
        updated: time,
        changed: time,
        parts,
    }
}

#[async_trait]
impl RepositoryContext for Made {
    fn repo(&self) -> &RepoInfo {
        &self.1
    }

    fn config(&self) -> &Config {
        &self.2
    }

    async fn units(&self, _select: Select) -> Result<Units<'_>, ContentError> {
        let mut packer = Packer::new()?;
        let advisory = move |number: usize| {
            let listed = |at: usize| {
                let (name, version, arch) = package(number * ADVISED + at);
                json!({"name": name, "epoch": "0", "version": version, "release": "1.el9", "arch": arch})
            };
            let packages: Vec<Value> = (0..ADVISED).map(listed).collect();
            let advisory = Erratum {
                id: format!("A-{number}"),
                pkglist: serde_json::from_value(json!([{ "packages": packages }])).unwrap(),
                ..Erratum::default()
            };
            let mut made = advisories::unit(advisory, "zoo", &mut packer).unwrap();
            unit(made.doc, vec![made.parts.pop().map(|part| part.data)])
        };
        let all = stream::iter((0..self.0 / ADVISED).map(advisory));
        Ok(all.chunks(BATCH).map(Ok).boxed())
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let count = if type_id == "rpm" { self.0 } else { MODULES };
        let outline = move |number| Self::outline(fields, &self.document(type_id, number));
        let all = stream::iter((0..count).map(outline));
        Ok(all.chunks(BATCH).map(Ok).boxed())
    }

    async fn learn(
        &self,
        _type_id: &str,
        _field: &'static str,
        _values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        Ok(())
    }
}

/// A host with so many packages of the repository, most of them as new as there are, and ten modules.
fn sent(host: usize, packages: usize, installed: usize) -> BTreeMap<&'static str, Value> {
    let names = packages.div_ceil(VERSIONS);
    let entry = |at: usize| {
        let name = (host * 31 + at * names / installed) % names;
        let behind = if (host + at).is_multiple_of(10) { 2 } else { 1 };
        let (name, version, arch) = package(name * VERSIONS + VERSIONS - behind);
        json!({"name": name, "epoch": 0, "version": version, "release": "1.el9", "arch": arch, "vendor": "Example, Inc."})
    };
    let module = |at: usize| {
        let name = format!("module-{}", (host + at * 40) % MODULES);
        json!({"name": name, "stream": "1", "version": 1, "context": "c0", "arch": "x86_64"})
    };
    let packages: Vec<Value> = (0..installed).map(entry).collect();
    let modules: Vec<Value> = (0..10).map(module).collect();
    BTreeMap::from([("rpm", packages.into()), ("modulemd", modules.into())])
}

/// Memory that is resident, in MiB.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / f64::from(1 << 20)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let packages: usize = arguments.next().unwrap_or(50_000);
    let hosts: usize = arguments.next().unwrap_or(10_000);
    let installed: usize = arguments.next().unwrap_or(1_500);
    let info = RepoInfo {
        id: "zoo".to_owned(),
        ..RepoInfo::default()
    };
    let before = resident();
    let at = Instant::now();
    let made = Made(packages, info, Config::new(Document::new()));
    let index = YumProfiler.index(&made).await.unwrap();
    println!(
        "index of {packages} packages: {:?} with making them up, {:.1} MiB",
        at.elapsed(),
        resident() - before
    );
    let (mut reading, mut asking, mut found) = (Duration::ZERO, Duration::ZERO, 0);
    for host in 0..hosts {
        let sent = sent(host, packages, installed);
        let at = Instant::now();
        let kept = sent.into_iter().map(|(kind, sent)| {
            let read = YumProfiler.read(kind, sent).unwrap();
            (kind.to_owned(), Profile::new(&read).unwrap())
        });
        let profiles = Profiles::from_iter(kept);
        reading += at.elapsed();
        let at = Instant::now();
        found += index.to(&profiles).values().map(Vec::len).sum::<usize>();
        asking += at.elapsed();
        if host + 1 == hosts {
            println!(
                "{hosts} hosts of {installed} packages: {reading:?} to give profiles their form, {asking:?} to ask the index; {} units \
                 apply to each; {:.1} MiB",
                found / hosts,
                resident() - before
            );
        }
    }
}
