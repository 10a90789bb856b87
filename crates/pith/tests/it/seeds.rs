//! The sample requests of Pulp's four pages on sync, publish and repository configuration, sent to a server over a real
//! connection, and the answers compared with the samples field by field. `docs/reference/seeds.md` is the table that
//! comes out; a difference without an explanation in [`explain`] fails.

mod explain;
mod samples;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use pith_testkit::golden;
use pith_testkit::replay::{Live, Prepared, Reply, Transport};
use serde_json::{Value, json};

use crate::harness::{Harness, On};
use crate::on_both;
use samples::{Sample, Want, samples};

on_both!(every_sample_of_the_seeds_is_answered_as_the_seeds_say_or_a_reason_is_given);

/// A field whose answer is not that of the sample.
struct Difference {
    path: String,
    sample: String,
    answer: String,
}

struct Client {
    live: Live,
}

impl Client {
    async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let request = Prepared {
            method: method.to_owned(),
            path: format!("/pulp/api/v2{path}"),
            credentials: Some("admin:admin".to_owned()),
            header: None,
            body,
        };
        self.live.send(request).await
    }

    /// The first task of a call report, once it has ended.
    async fn task(&self, report: &Value) -> Value {
        let href = report["spawned_tasks"][0]["_href"].as_str().unwrap();
        let path = href.trim_start_matches("/pulp/api/v2").to_owned();
        for _ in 0..6000 {
            let task = self.send("GET", &path, &Value::Null).await.body;
            let state = task["state"].as_str().unwrap();
            if !matches!(state, "waiting" | "running") {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} never ended");
    }
}

async fn serve(harness: &Harness) -> SocketAddr {
    let engine = std::sync::Arc::clone(&harness.engine);
    let password = Some("admin".to_owned());
    pith_pulp::auth::ensure_first_admin(&engine.store, engine.clock.as_ref(), password)
        .await
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = pith_api::Api::new(std::sync::Arc::clone(&harness.pulp)).router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn every_sample_of_the_seeds_is_answered_as_the_seeds_say_or_a_reason_is_given(on: On) {
    let Some(harness) = Harness::start(on).await else {
        return;
    };
    let client = Client {
        live: Live::new(serve(&harness).await, "admin"),
    };
    let mut page = String::from(
        "# The seeds\n\n\
         Every sample request of the four pages that pith grew from, sent to a live server on SQLite and on PostgreSQL, and the\n\
         answer compared with the page's sample, field by field. Fields that are not listed have the sample's value; ids\n\
         and dates have its form. Written by the test that checks it\n\
         (`PITH_REGENERATE=1 cargo nextest run -p pith seeds`).\n",
    );
    let mut section = String::new();
    let mut compared = 0;
    let mut schedule = String::new();
    for sample in samples() {
        let title = format!("{}: {}", sample.seed, sample.section);
        if title != section && !sample.is_setup {
            write!(page, "\n## {title}\n\n").unwrap();
            section = title;
        }
        let path = sample.path.replace("<schedule>", &schedule);
        if sample.is_setup {
            let reply = client.send(sample.method, &path, &sample.body).await;
            assert!(
                reply.status < 300,
                "{section}: {} {path}: {}",
                sample.method,
                reply.body
            );
            if reply.status == 202 {
                client.task(&reply.body).await;
            }
            continue;
        }
        write!(page, "`{} {}`", sample.method, sample.path).unwrap();
        let reply = client.send(sample.method, &path, &sample.body).await;
        if let Some(id) = reply.body["_id"].as_str() {
            schedule = id.to_owned();
        }
        let (fields, found) = differences(&client, &sample, reply).await;
        compared += fields;
        writeln!(page, ": {} fields, {} differ\n", fields, found.len()).unwrap();
        if !found.is_empty() {
            page.push_str("| Field | Sample | Answer | Why |\n|---|---|---|---|\n");
        }
        for Difference {
            path,
            sample: theirs,
            answer,
        } in found
        {
            let why = explain::why(&sample, &path, &answer).unwrap_or_else(|| {
                panic!("{section}: {path}: {theirs} is {answer}, and nobody says why")
            });
            writeln!(page, "| `{path}` | {theirs} | {answer} | {why} |").unwrap();
        }
        page.push('\n');
    }
    assert!(compared > 0);
    golden::check(
        "docs/reference/seeds.md",
        &(page.trim_end().replace("\n\n\n", "\n\n") + "\n"),
    );
}

/// Returns how many fields the sample has, and those that differ.
async fn differences(client: &Client, sample: &Sample, reply: Reply) -> (usize, Vec<Difference>) {
    let mut found = Comparison::default();
    found.exactly("status", &json!(sample.status), &json!(reply.status));
    match &sample.want {
        Want::Nothing => found.exactly("body", &Value::Null, &reply.body),
        Want::Any => {}
        Want::Document(document) => found.compare("", document, &reply.body),
        Want::First(element) => found.compare("[0]", element, &reply.body[0]),
        Want::Result(result) => found.compare("result", result, &reply.body["result"]),
        Want::Task { tags, result } => {
            let task = client.task(&reply.body).await;
            found.exactly("state", &json!("finished"), &task["state"]);
            found.exactly("tags", tags, &task["tags"]);
            if !result.is_null() {
                found.compare("result", result, &task["result"]);
            }
        }
    }
    (found.fields, found.different)
}

/// Fields that vary from run to run: their form is compared.
const VARYING: [&str; 12] = [
    "_id",
    "_href",
    "last_updated",
    "first_run",
    "next_run",
    "last_run_at",
    "total_run_count",
    "last_sync",
    "last_publish",
    "started",
    "completed",
    "scheduled_call_id",
];

#[derive(Default)]
struct Comparison {
    fields: usize,
    different: Vec<Difference>,
}

impl Comparison {
    fn note(&mut self, path: &str, sample: String, answer: String) {
        self.different.push(Difference {
            path: path.to_owned(),
            sample,
            answer,
        });
    }

    fn exactly(&mut self, path: &str, sample: &Value, answer: &Value) {
        self.fields += 1;
        if sample != answer {
            self.note(path, format!("`{sample}`"), format!("`{answer}`"));
        }
    }

    fn compare(&mut self, path: &str, sample: &Value, answer: &Value) {
        let name = path.rsplit('/').next().unwrap_or_default();
        if VARYING.contains(&name) {
            self.fields += 1;
            let (theirs, ours) = (form(sample), form(answer));
            let runs = matches!(name, "last_run_at" | "total_run_count");
            if theirs != ours && !runs {
                self.note(path, theirs.to_owned(), ours.to_owned());
            }
            return;
        }
        let (Value::Object(theirs), Value::Object(ours)) = (sample, answer) else {
            return self.exactly(path, sample, answer);
        };
        let below = |key: &str| format!("{path}/{key}").trim_start_matches('/').to_owned();
        for (key, value) in theirs {
            match ours.get(key) {
                Some(answer) => self.compare(&below(key), value, answer),
                None => {
                    self.fields += 1;
                    self.note(&below(key), format!("`{value}`"), "absent".to_owned());
                }
            }
        }
        for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
            self.fields += 1;
            self.note(&below(key), "absent".to_owned(), "present".to_owned());
        }
    }
}

/// Returns what a value looks like.
fn form(value: &Value) -> &'static str {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value {
        Value::Null => "null",
        Value::Number(_) => "number",
        Value::Object(map) if map.len() == 1 && map.contains_key("$oid") => "object id",
        Value::String(text) if text.starts_with("/pulp/api/v2/") => "path",
        Value::String(text) if text.starts_with("/v2/") => "path without `/pulp/api`",
        Value::String(text) if text.len() == 24 && hex(text) => "hexadecimal id",
        Value::String(text) if text.len() == 36 && text.matches('-').count() == 4 => "UUID",
        Value::String(text) if text.len() >= 20 && text.as_bytes()[4] == b'-' => "date",
        Value::String(text) if text.as_bytes().get(4) == Some(&b':') => "date",
        Value::String(_) => "text",
        _ => "something else",
    }
}
