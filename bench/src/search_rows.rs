//! Searching a large repository and making repositories when there are many, on either database. There is no peer to
//! turn about with: nginx with an answer of the same bytes says what the wire takes.

use std::fs;

use anyhow::{Context, ensure};
use pith_e2e::{Api, Pith};
use pith_testkit::postgres;
use serde_json::{Value, json};

use crate::measure::{self, Sample};
use crate::packages::name;
use crate::peers::{Load, Nginx};
use crate::report::{Row, Unit};
use crate::{Bench, Database};

/// The number of different requests that the load goes through.
const SPREAD: usize = 1000;
/// Repositories that are there before more are made.
const REPOSITORIES: usize = 5000;

const IN_REPOSITORY: &str = "/pulp/api/v2/repositories/bench/search/units/";
const OF_TYPE: &str = "/pulp/api/v2/content/units/rpm/search/";

/// A server on the database that was asked for, with the database when it is one of ours.
struct Server {
    pith: Pith,
    api: Api,
    _database: Option<postgres::Database>,
}

impl Server {
    fn start(bench: &Bench) -> anyhow::Result<Self> {
        let database = match bench.database {
            Database::Sqlite => None,
            Database::Postgres => {
                Some(postgres::database().context("PostgreSQL is not installed")?)
            }
        };
        let pith = match &database {
            None => Pith::start()?,
            Some(database) => Pith::start_with(&["--database", &database.url])?,
        };
        Ok(Self {
            api: pith.api()?,
            pith,
            _database: database,
        })
    }

    /// A server with all packages in the repository `bench`, their files not downloaded.
    fn filled(bench: &Bench) -> anyhow::Result<Self> {
        let server = Self::start(bench)?;
        let upstream = Nginx::serve(&bench.packages.folder)?;
        let importer = json!({"feed": upstream.url("/"), "download_policy": "on_demand"});
        server.api.create_rpm_with("bench", &importer)?;
        server.api.sync("bench")?;
        Ok(server)
    }

    fn load(&self, path: &str, bodies: &[Value]) -> Load<'_> {
        Load {
            server: self.pith.url(""),
            method: "POST",
            paths: vec![path.to_owned()],
            bodies: bodies.iter().map(Value::to_string).collect(),
            authorization: self.api.authorization(),
        }
    }

    /// These searches under load, turn about with the first one's answer from nginx.
    fn measure(
        &self,
        bench: &Bench,
        path: &str,
        bodies: &[Value],
        owes: &'static str,
    ) -> anyhow::Result<Row> {
        let first = bodies.first().context("no request")?;
        let (status, answer) = self.api.raw("POST", path, Some(first))?;
        ensure!(
            status == 200,
            "{status}: {}",
            String::from_utf8_lossy(&answer)
        );
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("answer.json"), answer)?;
        let nginx = Nginx::serve(folder.path())?;
        let peer = Load {
            server: nginx.url(""),
            method: "GET",
            paths: vec!["/answer.json".to_owned()],
            bodies: Vec::new(),
            authorization: None,
        };
        let mut row = Row::new(Unit::PerSecond, "nginx, static answer", owes);
        for _ in 0..bench.rounds {
            let pith = self.sample(&self.load(path, bodies))?;
            let peer = peer.rate()?;
            row.round(
                pith,
                Sample {
                    value: peer.per_second,
                    p99: peer.p99,
                    ..Sample::default()
                },
            );
        }
        Ok(row)
    }

    fn sample(&self, load: &Load<'_>) -> anyhow::Result<Sample> {
        let mut rate = None;
        let mut sample = measure::server(self.pith.pid(), || {
            rate = Some(load.rate()?);
            Ok(())
        })?;
        let rate = rate.context("nothing was measured")?;
        (sample.value, sample.p99) = (rate.per_second, rate.p99);
        Ok(sample)
    }
}

fn in_repository(filter: &Value, more: Value) -> Value {
    let mut criteria = more;
    criteria["type_ids"] = json!(["rpm"]);
    criteria["filters"] = json!({ "unit": filter });
    json!({ "criteria": criteria })
}

pub(crate) fn by_name(bench: &Bench) -> anyhow::Result<Row> {
    let server = Server::filled(bench)?;
    let bodies: Vec<Value> = (0..bench.packages.count.min(SPREAD))
        .map(|number| {
            // Spread over the repository.
            let number = number * 7919 % bench.packages.count;
            in_repository(
                &json!({"name": name(number)}),
                json!({"fields": {"unit": ["name", "version"]}}),
            )
        })
        .collect();
    server.measure(bench, IN_REPOSITORY, &bodies, "> 5,000/s")
}

pub(crate) fn list(bench: &Bench) -> anyhow::Result<Row> {
    let server = Server::filled(bench)?;
    let pages = (bench.packages.count / 100).clamp(1, 100);
    let bodies: Vec<Value> = (0..pages)
        .map(|page| in_repository(&json!({}), json!({"limit": 100, "skip": page * 100})))
        .collect();
    server.measure(bench, IN_REPOSITORY, &bodies, "> 500/s")
}

pub(crate) fn substring(bench: &Bench) -> anyhow::Result<Row> {
    let server = Server::filled(bench)?;
    let bodies: Vec<Value> = (0..bench.packages.count.div_ceil(10).min(SPREAD))
        .map(|number| {
            let filter = json!({"name": {"$regex": format!("sample{number:04}")}});
            json!({"criteria": {"filters": filter, "fields": ["name"]}})
        })
        .collect();
    server.measure(bench, OF_TYPE, &bodies, "> 100/s at 10,000")
}

pub(crate) fn create(bench: &Bench) -> anyhow::Result<Row> {
    let server = Server::start(bench)?;
    for number in 0..REPOSITORIES {
        let body = json!({"id": format!("before-{number}")});
        server
            .api
            .call("POST", "/repositories/", Some(&body))?
            .expect(201)?;
    }
    let mut row = Row::new(Unit::PerSecond, "one file made durable", "–");
    let folder = tempfile::tempdir()?;
    for round in 0..bench.rounds {
        // Each is made once: the load generator would be refused at the second turn.
        const MADE: usize = 500;
        let mut times = Vec::with_capacity(MADE);
        let mut sample = measure::server(server.pith.pid(), || {
            for number in 0..MADE {
                let body = json!({"id": format!("made-{round}-{number}")});
                let started = std::time::Instant::now();
                server
                    .api
                    .call("POST", "/repositories/", Some(&body))?
                    .expect(201)?;
                times.push(started.elapsed().as_secs_f64());
            }
            Ok(())
        })?;
        (sample.value, sample.p99) = rate_of(&mut times);
        let mut floor = Vec::with_capacity(MADE);
        for number in 0..MADE {
            let started = std::time::Instant::now();
            let file = fs::File::create(folder.path().join(format!("{round}-{number}")))?;
            file.sync_all()?;
            floor.push(started.elapsed().as_secs_f64());
        }
        let (value, p99) = rate_of(&mut floor);
        row.round(
            sample,
            Sample {
                value,
                p99,
                ..Sample::default()
            },
        );
    }
    Ok(row)
}

/// Operations a second, one after another, and the time that 99 of 100 take at most, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "hundreds")]
fn rate_of(seconds: &mut [f64]) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    let total: f64 = seconds.iter().sum();
    let late = seconds
        .get(seconds.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    (
        seconds.len() as f64 / total.max(f64::EPSILON),
        late * 1000.0,
    )
}
