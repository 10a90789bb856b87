//! Recorded exchanges of Pulp, replayed. Each list names the lines on which pith differs, with the reason.

use std::sync::Arc;

use crate::plugins::recorded;
use crate::replay::{Exchange, read, replay};
use crate::server::Server;

const PLUGINS: &str = include_str!("../recordings/01_status_plugins.jsonl");
const REPOSITORIES: &str = include_str!("../recordings/02_repositories.jsonl");
const IMPORTERS: &str = include_str!("../recordings/03_importers_distributors.jsonl");

/// Lines that differ, with the reason.
type Known = &'static [(u32, &'static str)];

/// An exception escaped in Pulp; pith names what is wrong.
const MENDED: &str = "500 unhandled in Pulp, 400 naming the property here";
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
    let text = include_str!("../recordings/04_sync.jsonl");
    answers_as_recorded("04", text, KNOWN_SYNCS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_and_their_history_answer_as_recorded() {
    let text = include_str!("../recordings/05_publish.jsonl");
    answers_as_recorded("05", text, KNOWN_PUBLISHES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_of_a_repository_answer_as_recorded() {
    let text = include_str!("../recordings/05_download.jsonl");
    answers_as_recorded("05 download", text, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_answer_as_recorded() {
    let text = include_str!("../recordings/06_schedules.jsonl");
    answers_as_recorded("06", text, KNOWN_SCHEDULES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_not_there_answers_as_recorded() {
    let text = include_str!("../recordings/07_content_errors.jsonl");
    answers_as_recorded("07", text, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_answer_as_recorded() {
    let text = include_str!("../recordings/08_uploads.jsonl");
    answers_as_recorded("08", text, &[(12, MENDED)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_and_content_sources_answer_as_recorded() {
    let text = include_str!("../recordings/08_download_sources.jsonl");
    answers_as_recorded("08 download, sources, catalog", text, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_and_groups_answer_as_recorded() {
    let text = include_str!("../recordings/09_tasks.jsonl");
    answers_as_recorded("09", text, KNOWN_TASKS).await;
}
