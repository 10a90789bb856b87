//! Recorded exchanges of a real Pulp, replayed against the built binary, request by request, on both databases. Where
//! pith differs, `tests/recordings/differences.tsv` says why; a difference without a reason fails, and so does a reason
//! without a difference. `docs/reference/recordings.md` is the summary.
//!
//! A further recording is a line of [`SCENARIOS`].

use std::fmt::Write as _;
use std::time::Duration;

use pith_e2e::feed::Fault;
use pith_e2e::tools::{sample_repo, wait_for, workspace};
use pith_e2e::{Feed, Pith};
use pith_testkit::replay::{Exchange, Live, read, replay_with};
use pith_testkit::{golden, postgres};
use serde_json::json;

use crate::zoo::{WithPackage, Zoo};

/// One recording, replayed on a server of its own or on that of the one before.
struct Scenario {
    name: &'static str,
    /// Its file below `tests/recordings/` or `crates/api/tests/recordings/`.
    file: &'static str,
    title: &'static str,
    /// Brings the server to where the recorded one was.
    before: fn(&Pith, &Feed),
    /// Whether it finds what the one before has left.
    goes_on: bool,
}

const SCENARIOS: &[Scenario] = &[
    scenario("01", "01_status_plugins.jsonl", "status, types, plugins"),
    scenario("02", "02_repositories.jsonl", "repositories"),
    scenario(
        "03",
        "03_importers_distributors.jsonl",
        "importers and distributors",
    ),
    scenario("04", "04_sync.jsonl", "syncs and their history"),
    after("05", "05_publish.jsonl", "publishes and their history"),
    after("06", "06_schedules.jsonl", "schedules"),
    after("07", "07_content.jsonl", "searches, units, their metadata"),
    after(
        "08",
        "08_uploads_copy.jsonl",
        "uploads, copies, removals, orphans, downloads, content sources",
    ),
    after("12", "12_groups.jsonl", "repository groups"),
    after(
        "10",
        "10_users_roles_permissions.jsonl",
        "users, roles, permissions, login",
    ),
    Scenario {
        before: busy_repository,
        ..after("09", "09_tasks.jsonl", "tasks, applicability, task groups")
    },
    Scenario {
        before: filled_repository,
        ..scenario("14", "14_publish_failures.jsonl", "publishes that fail")
    },
];

/// How the reason of a line begins that may also be answered as recorded: what it shows depends on chance.
const EITHER: &str = "by chance: ";

const fn scenario(name: &'static str, file: &'static str, title: &'static str) -> Scenario {
    Scenario {
        name,
        file,
        title,
        before: |_, _| {},
        goes_on: false,
    }
}

/// One that finds what the one before has left.
const fn after(name: &'static str, file: &'static str, title: &'static str) -> Scenario {
    Scenario {
        goes_on: true,
        ..scenario(name, file, title)
    }
}

/// The repository `rec-ge` with content, which recording 14 finds.
fn filled_repository(server: &Pith, feed: &Feed) {
    let api = server.api().unwrap();
    let repository = json!({
        "id": "rec-ge", "notes": {"_repo-type": "rpm-repo"},
        "importer_type_id": "yum_importer",
        "importer_config": {"feed": feed.url("/feed/")},
        "distributors": [{
            "distributor_type_id": "yum_distributor", "distributor_id": "yum_distributor",
            "distributor_config": {"http": true, "https": false, "relative_url": "rec-ge"},
        }],
    });
    let made = api.call("POST", "/repositories/", Some(&repository));
    made.unwrap().expect(201).unwrap();
    api.sync("rec-ge").unwrap();
    api.publish("rec-ge").unwrap();
}

/// The repository `rec-many`, whose syncs take their time: recording 09 cancels one that runs and one that waits for it.
fn busy_repository(server: &Pith, feed: &Feed) {
    let api = server.api().unwrap();
    let repository = json!({
        "id": "rec-many", "importer_type_id": "yum_importer",
        "importer_config": {"feed": feed.url("/rpm-many/")},
    });
    let made = api.call("POST", "/repositories/", Some(&repository));
    made.unwrap().expect(201).unwrap();
    let (chunk, every) = (1000, Duration::from_millis(500));
    let slow = Fault::Slow { chunk, every };
    feed.misbehave("/rpm-many/repodata/repomd.xml", slow);
}

fn exchanges(scenario: &Scenario) -> Vec<Exchange> {
    let folders = ["tests/recordings", "crates/api/tests/recordings"];
    let mut paths = folders
        .iter()
        .map(|folder| workspace().join(folder).join(scenario.file));
    let path = paths.find(|path| path.is_file()).expect(scenario.file);
    read(&std::fs::read_to_string(path).unwrap())
}

/// Scenario, line, and why it differs.
fn differences() -> Vec<(String, u32, String)> {
    let path = workspace().join("tests/recordings/differences.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.splitn(3, '\t');
            let mut next = || fields.next().unwrap_or_default().to_owned();
            let (scenario, number) = (next(), next().parse().expect(line));
            (scenario, number, next())
        })
        .collect()
}

fn of_scenario<'a>(name: &str, all: &'a [(String, u32, String)]) -> Vec<(u32, &'a str)> {
    let ours = all.iter().filter(|(scenario, _, _)| scenario == name);
    ours.map(|(_, number, why)| (*number, why.as_str()))
        .collect()
}

fn replay_all(options: impl Fn() -> Option<Vec<String>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let known = differences();
    let mut failed = Vec::new();
    let feed = Feed::of(&sample_repo()).unwrap();
    let zoo = Zoo::open(&feed);
    let host = feed.url("").trim_start_matches("http://").to_owned();
    let mut running = None;
    for scenario in SCENARIOS {
        if running.is_none() || !scenario.goes_on {
            let Some(options) = options() else {
                return;
            };
            running = Some(started(&options));
        }
        let server = running.as_ref().unwrap();
        (scenario.before)(server, &feed);
        let live = Live::new(server.address(), &server.password().unwrap());
        let live = WithPackage::new(live, &zoo);
        let texts = [("FEED-HOST", host.clone())];
        let report = runtime.block_on(replay_with(&live, &exchanges(scenario), &texts));
        let mut known = of_scenario(scenario.name, &known);
        known.retain(|(line, why)| !(why.starts_with(EITHER) && report.agree.contains(line)));
        let settled = std::panic::catch_unwind(|| report.settle(scenario.name, &known));
        if settled.is_err() {
            failed.push(scenario.name);
        }
    }
    assert!(failed.is_empty(), "recordings {failed:?} differ, see above");
}

/// A server whose worker, scheduler and resource manager have said that they live.
fn started(options: &[String]) -> Pith {
    let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
    // Feeds of any folder were stored.
    options.extend(["--workers", "1", "--allow-file-feeds", "/"]);
    let server = Pith::start_with(&options).unwrap();
    let api = server.api().unwrap();
    wait_for("the worker, the scheduler and the resource manager", || {
        let status = api.get("/status/")?;
        let workers = status["known_workers"].as_array();
        Ok(workers.is_some_and(|known| known.len() == 3).then_some(()))
    })
    .unwrap();
    server
}

#[test]
fn a_live_server_answers_as_recorded_on_sqlite() {
    replay_all(|| Some(Vec::new()));
}

#[test]
fn a_live_server_answers_as_recorded_on_postgres() {
    let databases = std::cell::RefCell::new(Vec::new());
    replay_all(|| {
        let database = postgres::database()?;
        let options = vec!["--database".to_owned(), database.url.clone()];
        databases.borrow_mut().push(database);
        Some(options)
    });
}

#[test]
fn the_summary_of_recordings_is_current() {
    let known = differences();
    let mut page = String::from(
        "# Recorded exchanges\n\n\
         What a real Pulp 2 answered, replayed against a live pith on SQLite and on PostgreSQL: same status, same headers,\n\
         same keys, same types of values, same error codes. Written by the test that checks it\n\
         (`PITH_REGENERATE=1 cargo nextest run -p pith-e2e recordings`).\n\n\
         | Recording | Content | Exchanges | As recorded | Otherwise |\n|---|---|---|---|---|\n",
    );
    let mut details = String::new();
    for scenario in SCENARIOS {
        let all = exchanges(scenario);
        let ours = of_scenario(scenario.name, &known);
        let (name, title) = (scenario.name, scenario.title);
        let agree = all.len() - ours.len();
        writeln!(
            page,
            "| {name} | {title} | {} | {agree} | {} |",
            all.len(),
            ours.len()
        )
        .unwrap();
        if !ours.is_empty() {
            write!(details, "\n## {name}: {title}\n\n| Line | Request | Why pith answers otherwise |\n|---|---|---|\n").unwrap();
        }
        for (number, why) in ours {
            assert!(!why.trim().is_empty(), "{name}:{number} has no reason");
            let exchange = all.iter().find(|exchange| exchange.n == number).unwrap();
            let path: String = exchange.path.replace('|', "\\|").chars().take(90).collect();
            writeln!(
                details,
                "| {number} | `{} {path}` | {why} |",
                exchange.method
            )
            .unwrap();
        }
    }
    golden::check("docs/reference/recordings.md", &(page + &details));
}
