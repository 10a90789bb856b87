//! Recorded exchanges of Pulp, replayed. Each list names the lines on which pith differs, with the reason.

use std::sync::Arc;

use pith_content::UnitKey;
use pith_core::{Document, Sha256, UnitId};
use pith_store::NewUnit;
use serde_json::{Value, json};

use crate::plugins::recorded;
use crate::replay::{Exchange, read, replay};
use crate::server::Server;

pub(crate) const PLUGINS: &str = include_str!("../recordings/01_status_plugins.jsonl");
pub(crate) const REPOSITORIES: &str = include_str!("../recordings/02_repositories.jsonl");
pub(crate) const IMPORTERS: &str = include_str!("../recordings/03_importers_distributors.jsonl");

const SYNCS: &str = include_str!("../recordings/04_sync.jsonl");
const PUBLISHES: &str = include_str!("../recordings/05_publish.jsonl");
const DOWNLOAD: &str = include_str!("../recordings/05_download.jsonl");
const SCHEDULES: &str = include_str!("../recordings/06_schedules.jsonl");
const MISSING: &str = include_str!("../recordings/07_content_errors.jsonl");
const UPLOADS: &str = include_str!("../recordings/08_uploads.jsonl");
const SOURCES: &str = include_str!("../recordings/08_download_sources.jsonl");
const TASKS: &str = include_str!("../recordings/09_tasks.jsonl");
const PEOPLE: &str = include_str!("../recordings/10_users_roles_permissions.jsonl");
const COPY: &str = include_str!("../recordings/08_copy_orphans.jsonl");
const UNIT: &str = include_str!("../recordings/07_unit.jsonl");

/// Lines that differ, with the reason.
pub(crate) type Known = &'static [(u32, &'static str)];

/// All that this file replays: the recording, its text, the lines that differ.
pub(crate) const RECORDINGS: &[(&str, &str, Known)] = &[
    ("01", PLUGINS, &[]),
    ("02", REPOSITORIES, KNOWN_REPOSITORIES),
    ("03", IMPORTERS, KNOWN_IMPORTERS),
    ("04", SYNCS, KNOWN_SYNCS),
    ("05", PUBLISHES, KNOWN_PUBLISHES),
    ("05", DOWNLOAD, &[]),
    ("06", SCHEDULES, KNOWN_SCHEDULES),
    ("07", MISSING, &[]),
    ("07", UNIT, KNOWN_UNIT),
    ("08", UPLOADS, KNOWN_UPLOADS),
    ("08", COPY, KNOWN_COPY),
    ("08", SOURCES, &[]),
    ("09", TASKS, KNOWN_TASKS),
    ("10", PEOPLE, KNOWN_PEOPLE),
];

/// An exception escaped in Pulp; pith names what is wrong.
pub(crate) const MENDED: &str = "500 unhandled in Pulp, 400 naming the property here";
/// The recorded server had a stand-in for its database.
const STAND_IN: &str = "the stand-in database accepts it, the real one refuses";
/// A request that only differs in what it leaves out.
const ONLY_DELTA: &str =
    "a task without distributor_config fails in Pulp; here it changes nothing else";

const KNOWN_REPOSITORIES: Known = &[
    (49, MENDED),
    (50, MENDED),
    (59, MENDED),
    (83, MENDED),
    (84, MENDED),
    (86, MENDED),
    (88, MENDED),
    (103, MENDED),
    (114, MENDED),
    (150, MENDED),
    (157, STAND_IN),
    (159, "$where would run code of the caller on the server"),
    (
        198,
        "leading slashes are joined by the server that this router is merged into",
    ),
    (204, "outside of the API"),
    (
        207,
        "500 of the recorded front end; 404 naming the repository here",
    ),
    (209, "500 of the recorded front end; an unknown path here"),
    (230, "500 unhandled in Pulp, 401 here"),
];

const KNOWN_IMPORTERS: Known = &[
    (15, MENDED),
    (58, MENDED),
    (60, MENDED),
    (84, MENDED),
    (86, MENDED),
    (139, MENDED),
    (
        188,
        "not an object: the task failed in Pulp, 400 at once here",
    ),
    (189, "the task of 188"),
    (190, "the task of 188"),
    (213, MENDED),
    (217, MENDED),
    (218, MENDED),
    (231, MENDED),
    (270, MENDED),
    (288, ONLY_DELTA),
    (300, ONLY_DELTA),
    (303, ONLY_DELTA),
    (306, "the task fails in both; PLP1010 says why"),
];

const NO_NULLS: &str =
    "Pulp gives the maker of a user a permission of five nulls that no check finds; not here";
const NO_CONSUMERS: &str = "/consumers/ is not built yet";
const NO_SYNC: &str = "the repositories of recordings 04 to 08";

const KNOWN_PEOPLE: Known = &[
    (33, MENDED),
    (35, MENDED),
    (36, MENDED),
    (56, MENDED),
    (70, MENDED),
    (84, MENDED),
    (86, MENDED),
    (97, "500 in Pulp for a role with members; the users here"),
    (171, NO_SYNC),
    (173, NO_CONSUMERS),
    (178, NO_SYNC),
    (180, NO_CONSUMERS),
    (181, NO_NULLS),
    (184, NO_NULLS),
];

/// A server whose plugins refuse what the recorded ones refused in any of the recordings, and whose syncs and publishes
/// come to what those of `runs` came to.
async fn server(runs: &[Exchange]) -> Server {
    let verdicts: Vec<Exchange> = [REPOSITORIES, IMPORTERS]
        .into_iter()
        .flat_map(read)
        .collect();
    Server::start(vec![Arc::new(recorded(&read(PLUGINS), &verdicts, runs))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_plugins_answer_as_recorded() {
    let exchanges = read(PLUGINS);
    let server = server(&[]).await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("01", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_answer_as_recorded() {
    let exchanges = read(REPOSITORIES);
    let server = server(&[]).await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("02", KNOWN_REPOSITORIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn importers_and_distributors_answer_as_recorded() {
    let exchanges = read(IMPORTERS);
    let server = server(&[]).await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("03", KNOWN_IMPORTERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_roles_and_permissions_answer_as_recorded() {
    answers_as_recorded("10", PEOPLE, KNOWN_PEOPLE).await;
}

const KNOWN_COPY: Known = &[
    (137, MENDED),
    (141, MENDED),
    (162, MENDED),
    (211, "the recorded server failed on a unit of another type"),
];

/// A unit as `doc` says; its id.
async fn save(server: &Server, type_id: &str, doc: Value) -> UnitId {
    let doc: Document = serde_json::from_value(doc).unwrap();
    let kind = server.engine.registry.unit_type(type_id).unwrap();
    let unit = NewUnit {
        type_id: type_id.to_owned(),
        key_digest: UnitKey::of(kind, &doc).unwrap().digest(kind),
        said: Sha256::of(b"said"),
        site: Sha256([0; 32]),
        doc,
        blob: None,
        size: None,
        downloaded: true,
        parts: Vec::new(),
    };
    server.save(&[unit]).await[0]
}

/// Makes what the recorded server had before: packages in the source repository, and two orphans.
async fn seed(server: &Server) {
    let mut packages = Vec::new();
    for name in ["bear", "whale"] {
        let doc = json!({
            "name": name, "epoch": "0", "version": "4.1", "release": "1", "arch": "noarch", "checksumtype": "sha256",
            "checksum": "fd71", "signing_key": "269d9d98",
        });
        packages.push((save(server, "rpm", doc).await, "rpm"));
    }
    server.fill("rec-c", &packages).await;
    save(server, "erratum", json!({ "errata_id": "REC-2014:2" })).await;
    let category = json!({ "package_category_id": "all", "repo_id": "rec-cp" });
    save(server, "package_category", category).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_removals_and_orphans_answer_as_recorded() {
    let exchanges = read(COPY);
    let server = server(&exchanges).await;
    let (setup, rest) = exchanges.split_at(5);
    replay(&server.router, setup).await.settle("08 setup", &[]);
    seed(&server).await;
    let report = replay(&server.router, rest).await;
    report.settle("08", KNOWN_COPY);
}

const KNOWN_UNIT: Known = &[
    (113, "the recorded server had two units of this name"),
    (114, "$or: [] matches nothing and is refused"),
    (118, "_content_type_id is always sent"),
    (119, "_content_type_id is always sent"),
    (122, "the unit is in no repository here"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_and_its_user_metadata_answer_as_recorded() {
    let exchanges = read(UNIT);
    let server = server(&exchanges).await;
    let recorded = exchanges.iter().find(|exchange| exchange.n == 130).unwrap();
    let mut doc = recorded.body.as_object().unwrap().clone();
    doc.retain(|key, _| !key.starts_with('_') && key != "children" && key != "downloaded");
    doc.remove("pulp_user_metadata");
    save(&server, "rpm", Value::Object(doc)).await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("07", KNOWN_UNIT);
}

/// A column of the wrong thing.
const ACTOR: &str = "importer_id is an object id in Pulp, the importer's id here";
/// The recorded server's database stand-in did not find tasks by tags.
const TAGS: &str = "the stand-in database finds no task by its tags";

const KNOWN_SYNCS: Known = &[
    (
        16,
        "an override that the importer refuses fails the task here",
    ),
    (22, "the task fails in both; PLP1010 says why"),
    (42, ACTOR),
    (48, ACTOR),
    (54, ACTOR),
    (60, ACTOR),
    (104, "data says besides what the importer's reason was"),
    (
        105,
        "the importer of this test has no summary of a failed sync",
    ),
    (106, ACTOR),
    (112, "the sync of 16"),
    (113, ACTOR),
    (115, ACTOR),
    (122, ACTOR),
];

const KNOWN_PUBLISHES: Known = &[
    (
        11,
        "no unit came in with the sync of this test, so the publish is skipped",
    ),
    (38, "the task fails in both; PLP1010 says why"),
    (44, "the publish of 11"),
    (48, "the publish of 11"),
];

const KNOWN_SCHEDULES: Known = &[
    (22, MENDED),
    (23, MENDED),
    (34, MENDED),
    (101, MENDED),
    (102, MENDED),
    (113, MENDED),
];

const KNOWN_UPLOADS: Known = &[(12, MENDED)];

const KNOWN_TASKS: Known = &[
    (10, TAGS),
    (11, TAGS),
    (16, TAGS),
    (
        41,
        "the cancelled task belongs to a part that is not replayed",
    ),
    (49, "the first task is a consumer's in the recording"),
    (72, MENDED),
    (73, MENDED),
];

async fn answers_as_recorded(name: &str, text: &str, known: Known) {
    let exchanges = read(text);
    let server = server(&exchanges).await;
    let report = replay(&server.router, &exchanges).await;
    report.settle(name, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn syncs_and_their_history_answer_as_recorded() {
    answers_as_recorded("04", SYNCS, KNOWN_SYNCS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_and_their_history_answer_as_recorded() {
    answers_as_recorded("05", PUBLISHES, KNOWN_PUBLISHES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_of_a_repository_answer_as_recorded() {
    answers_as_recorded("05 download", DOWNLOAD, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_answer_as_recorded() {
    answers_as_recorded("06", SCHEDULES, KNOWN_SCHEDULES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_not_there_answers_as_recorded() {
    answers_as_recorded("07", MISSING, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_answer_as_recorded() {
    answers_as_recorded("08", UPLOADS, KNOWN_UPLOADS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_and_content_sources_answer_as_recorded() {
    answers_as_recorded("08 download, sources, catalog", SOURCES, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_and_groups_answer_as_recorded() {
    answers_as_recorded("09", TASKS, KNOWN_TASKS).await;
}
