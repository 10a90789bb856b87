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

/// A server whose plugins refuse what the recorded ones refused in any of the recordings.
async fn server() -> Server {
    let verdicts: Vec<Exchange> = [REPOSITORIES, IMPORTERS]
        .into_iter()
        .flat_map(read)
        .collect();
    Server::start(vec![Arc::new(recorded(&read(PLUGINS), &verdicts))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_plugins_answer_as_recorded() {
    let exchanges = read(PLUGINS);
    let server = server().await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("01", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_answer_as_recorded() {
    let exchanges = read(REPOSITORIES);
    let server = server().await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("02", KNOWN_REPOSITORIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn importers_and_distributors_answer_as_recorded() {
    let exchanges = read(IMPORTERS);
    let server = server().await;
    let report = replay(&server.router, &exchanges).await;
    report.settle("03", KNOWN_IMPORTERS);
}

/// Lines of other recordings that need no content.
const OTHERS: [(&str, &str, Known); 7] = [
    (
        "04",
        include_str!("../recordings/04_sync_errors.jsonl"),
        &[],
    ),
    (
        "05",
        include_str!("../recordings/05_publish_errors.jsonl"),
        &[],
    ),
    (
        "05 download",
        include_str!("../recordings/05_download.jsonl"),
        &[],
    ),
    (
        "07",
        include_str!("../recordings/07_content_errors.jsonl"),
        &[],
    ),
    (
        "08",
        include_str!("../recordings/08_uploads.jsonl"),
        &[(12, MENDED)],
    ),
    (
        "08 download, sources, catalog",
        include_str!("../recordings/08_download_sources.jsonl"),
        &[],
    ),
    (
        "09",
        include_str!("../recordings/09_tasks_errors.jsonl"),
        &[],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_content_answers_as_recorded() {
    for (name, text, known) in OTHERS {
        let report = replay(&server().await.router, &read(text)).await;
        report.settle(name, known);
    }
}
