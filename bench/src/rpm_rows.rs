//! Syncing and publishing packages.

use std::fs;

use anyhow::ensure;
use pith_e2e::{Api, Pith};
use serde_json::{Value, json};

use crate::Bench;
use crate::measure::{self, Sample};
use crate::packages::{Packages, createrepo, name};
use crate::peers::{Nginx, download, download_and_hash};
use crate::report::{Row, Unit};

/// A server that has mirrored the packages as `bench`, and the upstream.
pub(crate) struct Mirrored {
    pub(crate) server: Pith,
    pub(crate) api: Api,
    upstream: Nginx,
}

impl Mirrored {
    /// Synced and published.
    pub(crate) fn new(packages: &Packages) -> anyhow::Result<Self> {
        let upstream = Nginx::serve(&packages.folder)?;
        let server = Pith::start()?;
        let api = server.api()?;
        api.create_rpm("bench", &upstream.url("/"))?;
        api.sync("bench")?;
        api.publish("bench")?;
        let counted = count(&api)?;
        ensure!(
            counted == packages.count,
            "{counted} packages synced instead of {}",
            packages.count
        );
        Ok(Self {
            server,
            api,
            upstream,
        })
    }
}

fn count(api: &Api) -> anyhow::Result<usize> {
    let repository = api.get("/repositories/bench/")?;
    let count = repository["content_unit_counts"]["rpm"]
        .as_u64()
        .unwrap_or_default();
    Ok(usize::try_from(count)?)
}

pub(crate) fn publish(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let full =
        json!({"id": mirrored.api.distributor("bench")?, "override_config": {"force_full": true}});
    let mut row = Row::new(Unit::Seconds, "createrepo_c", "< 0.4 s at 10,000");
    for _ in 0..bench.rounds {
        let pith = measure::server(mirrored.server.pid(), || {
            mirrored
                .api
                .run("/repositories/bench/actions/publish/", &full)
        })?;
        let output = tempfile::tempdir()?;
        let mut peer = createrepo(&bench.packages.folder);
        let peer = measure::program(peer.arg("--outputdir").arg(output.path()))?;
        row.round(pith, peer);
    }
    Ok(row)
}

pub(crate) fn publish_change(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let folder = tempfile::tempdir()?;
    bench.packages.linked_into(folder.path())?;
    measure::program(&mut createrepo(folder.path()))?;
    let files = bench.packages.files()?;
    let mut row = Row::new(Unit::Seconds, "createrepo_c --update", "< 0.1 s at 10,000");
    for round in 0..bench.rounds {
        let gone = name(round);
        let criteria =
            json!({"criteria": {"type_ids": ["rpm"], "filters": {"unit": {"name": gone}}}});
        mirrored
            .api
            .run("/repositories/bench/actions/unassociate/", &criteria)?;
        let pith = measure::server(mirrored.server.pid(), || mirrored.api.publish("bench"))?;
        if let Some(file) = files.get(round).and_then(|path| path.file_name()) {
            fs::remove_file(folder.path().join(file))?;
        }
        let peer = measure::program(createrepo(folder.path()).arg("--update"))?;
        row.round(pith, peer);
    }
    Ok(row)
}

/// A sync into an empty server.
fn first_sync(upstream: &Nginx, packages: &Packages, importer: &Value) -> anyhow::Result<Sample> {
    let server = Pith::start()?;
    let api = server.api()?;
    let mut importer = importer.clone();
    importer["feed"] = upstream.url("/").into();
    api.create_rpm_with("bench", &importer)?;
    let sample = measure::server(server.pid(), || api.sync("bench"))?;
    ensure!(
        count(&api)? == packages.count,
        "not all packages were synced"
    );
    Ok(sample)
}

pub(crate) fn sync(bench: &Bench) -> anyhow::Result<Row> {
    let upstream = Nginx::serve(&bench.packages.folder)?;
    let files = bench.packages.files()?;
    let urls: Vec<String> = crate::peers::paths(&files)
        .iter()
        .map(|path| upstream.url(path))
        .collect();
    let mut row = Row::new(Unit::Seconds, "curl x 16 + sha256sum", "<= 1.3 x");
    for _ in 0..bench.few() {
        let pith = first_sync(
            &upstream,
            &bench.packages,
            &json!({"download_policy": "immediate"}),
        )?;
        let folder = tempfile::tempdir()?;
        let peer = measure::program(&mut download_and_hash(&urls, folder.path())?)?;
        row.round(pith, peer);
    }
    Ok(row)
}

pub(crate) fn sync_metadata(bench: &Bench) -> anyhow::Result<Row> {
    let upstream = Nginx::serve(&bench.packages.folder)?;
    let documents: Vec<String> = fs::read_dir(bench.packages.folder.join("repodata"))?
        .filter_map(|entry| {
            Some(upstream.url(&format!("/repodata/{}", entry.ok()?.file_name().to_str()?)))
        })
        .collect();
    let mut row = Row::new(
        Unit::Seconds,
        "curl + sha256sum of the metadata",
        "< 2 s at 10,000",
    );
    for _ in 0..bench.few() {
        let pith = first_sync(
            &upstream,
            &bench.packages,
            &json!({"download_policy": "on_demand"}),
        )?;
        let folder = tempfile::tempdir()?;
        let peer = measure::program(&mut download_and_hash(&documents, folder.path())?)?;
        row.round(pith, peer);
    }
    Ok(row)
}

pub(crate) fn resync(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let repomd = mirrored.upstream.url("/repodata/repomd.xml");
    let mut row = Row::new(Unit::Seconds, "curl repomd.xml", "< 30 ms");
    for _ in 0..bench.rounds {
        let pith = measure::server(mirrored.server.pid(), || mirrored.api.sync("bench"))?;
        row.round(pith, measure::program(&mut download(&repomd))?);
    }
    Ok(row)
}

pub(crate) fn memory(bench: &Bench) -> anyhow::Result<Row> {
    let tenth = Packages::generate(bench.packages.count.div_ceil(10))?;
    let peak = |packages: &Packages| -> anyhow::Result<Sample> {
        let mirrored = Mirrored::new(packages)?;
        let pid = mirrored.server.pid();
        let peak = measure::peak(pid)?;
        Ok(Sample {
            value: peak,
            cpu: measure::cpu(pid)?,
            peak,
            p99: 0.0,
        })
    };
    let mut row = Row::new(
        Unit::Mebibytes,
        "pith with a tenth of them",
        "< 150 MiB, ratio 1",
    );
    for _ in 0..bench.few() {
        row.round(peak(&bench.packages)?, peak(&tenth)?);
    }
    Ok(row)
}
