//! Answering requests: published files, the API, and the first answer after a start.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::{Pith, server};
use serde_json::json;

use crate::Bench;
use crate::measure::{self, Sample};
use crate::packages::name;
use crate::peers::{Load, Nginx, download, paths};
use crate::report::{Row, Unit};
use crate::rpm_rows::Mirrored;

/// The number of different files or names that the load goes through.
const SPREAD: usize = 1000;

/// Both sides under load, turn about.
fn loads(
    bench: &Bench,
    mirrored: &Mirrored,
    pith: &Load<'_>,
    peer: &Load<'_>,
    row: &mut Row,
) -> anyhow::Result<()> {
    for _ in 0..bench.rounds {
        let pid = mirrored.server.pid();
        let mut rate = None;
        let mut sample = measure::server(pid, || {
            rate = Some(pith.rate()?);
            Ok(())
        })?;
        let rate = rate.context("nothing was measured")?;
        (sample.value, sample.p99) = (rate.per_second, rate.p99);
        let peer = peer.rate()?;
        let peer = Sample {
            value: peer.per_second,
            p99: peer.p99,
            ..Sample::default()
        };
        row.round(sample, peer);
    }
    Ok(())
}

fn get(server: String, paths: Vec<String>) -> Load<'static> {
    Load {
        server,
        method: "GET",
        paths,
        bodies: Vec::new(),
        authorization: None,
    }
}

pub(crate) fn small_files(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let base = "/pulp/repos/bench/";
    let repodata = Repodata::read(|path| mirrored.api.download(&format!("{base}{path}")))?;
    let ours = repodata.locations()?.into_values().take(SPREAD);
    let ours = get(
        mirrored.server.url(""),
        ours.map(|path| format!("{base}{path}")).collect(),
    );
    let nginx = Nginx::serve(&bench.packages.folder)?;
    let mut files = bench.packages.files()?;
    files.truncate(SPREAD);
    let theirs = get(nginx.url(""), paths(&files));
    let mut row = Row::new(Unit::PerSecond, "nginx", ">= 0.8 x");
    loads(bench, &mirrored, &ours, &theirs, &mut row)?;
    Ok(row)
}

pub(crate) fn large_file(bench: &Bench) -> anyhow::Result<Row> {
    const MEBIBYTES: usize = 512;
    let folder = tempfile::tempdir()?;
    let bytes = vec![b'x'; MEBIBYTES << 20];
    fs::write(folder.path().join("large.img"), &bytes)?;
    let mut manifest = fs::File::create(folder.path().join("PULP_MANIFEST"))?;
    writeln!(manifest, "large.img,{},{}", sha256(&bytes), bytes.len())?;
    drop(bytes);

    let nginx = Nginx::serve(folder.path())?;
    let server = Pith::start()?;
    let api = server.api()?;
    api.create_files("large", &nginx.url("/"))?;
    api.sync("large")?;
    api.publish("large")?;
    let mut row = Row::new(Unit::MebibytesPerSecond, "nginx", ">= 0.9 x");
    #[expect(clippy::cast_precision_loss, reason = "512 is exact")]
    let rate = |sample: Sample| Sample {
        value: MEBIBYTES as f64 / sample.value,
        ..sample
    };
    for _ in 0..bench.rounds {
        let mut curl = Sample::default();
        let mut pith = measure::server(server.pid(), || {
            curl = measure::program(&mut download(&server.url("/pulp/isos/large/large.img")))?;
            Ok(())
        })?;
        pith.value = curl.value;
        let mut peer = measure::program(&mut download(&nginx.url("/large.img")))?;
        // Curl's, which is the same on both sides, and not nginx's.
        (peer.cpu, peer.peak) = (0.0, 0.0);
        row.round(rate(pith), rate(peer));
    }
    Ok(row)
}

pub(crate) fn start(bench: &Bench) -> anyhow::Result<Row> {
    let mut mirrored = Mirrored::new(&bench.packages)?;
    let mut row = Row::new(Unit::Seconds, "pith --version", "< 150 ms");
    for _ in 0..bench.rounds {
        mirrored.server.kill()?;
        let started = Instant::now();
        mirrored.server.start_again()?;
        mirrored.api.get("/status/")?;
        let pid = mirrored.server.pid();
        let pith = Sample {
            value: started.elapsed().as_secs_f64(),
            cpu: measure::cpu(pid)?,
            peak: measure::peak(pid)?,
            p99: 0.0,
        };
        let peer = measure::program(Command::new(server::binary()?).arg("--version"))?;
        row.round(pith, peer);
    }
    Ok(row)
}

/// An API call under load, against nginx with an answer of the same bytes.
fn api_calls(
    bench: &Bench,
    mirrored: &Mirrored,
    ours: &Load<'_>,
    answer: &[u8],
    owes: &'static str,
) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("answer.json"), answer)?;
    let nginx = Nginx::serve(folder.path())?;
    let theirs = get(nginx.url(""), vec!["/answer.json".to_owned()]);
    let mut row = Row::new(Unit::PerSecond, "nginx, static answer", owes);
    loads(bench, mirrored, ours, &theirs, &mut row)?;
    Ok(row)
}

pub(crate) fn search(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let path = "/pulp/api/v2/content/units/rpm/search/";
    let criteria = |number: usize| json!({"criteria": {"filters": {"name": name(number)}, "fields": ["name", "version"]}});
    let (_, answer) = mirrored.api.raw("POST", path, Some(&criteria(0)))?;
    let ours = Load {
        server: mirrored.server.url(""),
        method: "POST",
        paths: vec![path.to_owned()],
        bodies: (0..bench.packages.count.min(SPREAD))
            .map(|number| criteria(number).to_string())
            .collect(),
        authorization: mirrored.api.authorization(),
    };
    api_calls(bench, &mirrored, &ours, &answer, "> 5,000/s")
}

pub(crate) fn read(bench: &Bench) -> anyhow::Result<Row> {
    let mirrored = Mirrored::new(&bench.packages)?;
    let path = "/pulp/api/v2/repositories/bench/";
    let answer = mirrored.api.download(path)?;
    let ours = Load {
        authorization: mirrored.api.authorization(),
        ..get(mirrored.server.url(""), vec![path.to_owned()])
    };
    api_calls(bench, &mirrored, &ours, &answer, "> 8,000/s")
}
