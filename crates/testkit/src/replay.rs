//! Replays recorded exchanges against a server and compares status, headers, keys and types of values.
//!
//! Ids differ from run to run: where the recording and the answer both have one in the same place, the recorded one
//! is replaced in every later request. Dates, tracebacks and progress are not compared. Where the requests go is a
//! [`Transport`]: a router in the same process, or a server over a connection ([`Live`]).

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

mod live;

pub use live::Live;

/// One line of a recording.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    /// Its place in the recording.
    pub n: u32,
    /// The behaviour that it tries.
    pub step: String,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The body that was sent.
    pub request_body: Value,
    /// The recorded status.
    pub status: u16,
    /// The recorded headers that matter.
    pub headers: Option<Map<String, Value>>,
    /// The recorded document.
    pub body: Value,
    /// Credentials, cuts, polls.
    pub note: Option<String>,
}

/// Reads a recording.
///
/// # Panics
/// When a line is no exchange.
#[must_use]
pub fn read(text: &str) -> Vec<Exchange> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let exchange = |line: &str| match serde_json::from_str(line) {
        Ok(exchange) => exchange,
        Err(error) => panic!("a line is no exchange: {error}: {line}"),
    };
    lines.map(exchange).collect()
}

/// The findings of a replay.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines that answer as recorded.
    pub agree: Vec<u32>,
    /// Line, step, and the first difference.
    pub disagree: Vec<(u32, String, String)>,
}

impl Report {
    /// Prints the counts, and fails when a line differs that `known` does not list, or a listed one agrees by now.
    ///
    /// # Panics
    /// See above.
    pub fn settle(&self, name: &str, known: &[(u32, &str)]) {
        println!(
            "{name}: {} agree, {} disagree ({} known)",
            self.agree.len(),
            self.disagree.len(),
            known.len()
        );
        let listed = |n: u32| known.iter().any(|(k, _)| *k == n);
        let new: Vec<_> = self
            .disagree
            .iter()
            .filter(|(n, _, _)| !listed(*n))
            .collect();
        let stale: Vec<_> = self.agree.iter().filter(|n| listed(**n)).collect();
        for (n, step, why) in &new {
            println!("  {name}:{n} {step}: {why}");
        }
        assert!(
            new.is_empty() && stale.is_empty(),
            "{name}: {} new differences, lines that agree by now: {stale:?}",
            new.len()
        );
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The document, or the text when it is none.
    pub body: Value,
}

impl Reply {
    /// An answer with the bytes of its body.
    #[must_use]
    pub fn new(status: u16, headers: http::HeaderMap, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status,
            headers,
            body,
        }
    }
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `login:password`, when it has credentials.
    pub credentials: Option<String>,
    /// A header besides.
    pub header: Option<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The way that requests go.
pub trait Transport: Sync {
    /// Sends one and waits for the answer.
    fn send(&self, request: Prepared) -> impl Future<Output = Reply> + Send;
}

/// Replays `exchanges` in their order.
pub async fn replay(to: &impl Transport, exchanges: &[Exchange]) -> Report {
    replay_with(to, exchanges, &[]).await
}

/// Replays `exchanges` in their order, with texts of the recording (host names) replaced by ours.
pub async fn replay_with(
    to: &impl Transport,
    exchanges: &[Exchange],
    texts: &[(&str, String)],
) -> Report {
    let texts = texts
        .iter()
        .map(|(theirs, ours)| ((*theirs).to_owned(), ours.clone()));
    let mut ids: HashMap<String, String> = texts.collect();
    let mut report = Report::default();
    for exchange in exchanges {
        let mut reply = to.send(prepared(exchange, &ids)).await;
        let note = exchange.note.as_deref().unwrap_or_default();
        // A first poll that found the task at its end has no second one.
        let ended = note.starts_with("first poll") && is_complete(&exchange.body);
        if note.starts_with("final poll") || ended {
            reply = finished(to, exchange, &ids, reply).await;
        }
        learn(&exchange.body, &reply.body, &mut ids);
        let first_poll = note.starts_with("first poll") && exchange.step.contains("first poll");
        match difference(exchange, &reply, first_poll) {
            None => report.agree.push(exchange.n),
            Some(why) => report
                .disagree
                .push((exchange.n, exchange.step.clone(), why)),
        }
    }
    report
}

/// Tells whether a document is no task, or one that has ended.
fn is_complete(task: &Value) -> bool {
    let state = task["state"].as_str();
    state.is_none_or(|state| ["finished", "error", "canceled", "skipped"].contains(&state))
}

/// Asks again until the task is complete.
async fn finished(
    to: &impl Transport,
    exchange: &Exchange,
    ids: &HashMap<String, String>,
    mut reply: Reply,
) -> Reply {
    for _ in 0..3000 {
        if is_complete(&reply.body) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        reply = to.send(prepared(exchange, ids)).await;
    }
    reply
}

fn translated(text: &str, ids: &HashMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (recorded, ours) in ids {
        if text.contains(recorded.as_str()) {
            text = text.replace(recorded.as_str(), ours);
        }
    }
    text
}

fn body_of(exchange: &Exchange, ids: &HashMap<String, String>) -> Vec<u8> {
    let text = text_of(exchange, ids);
    if exchange.step == "invalid utf8" {
        // What was sent is not text; the recording has a replacement character in its place.
        return text
            .replace('\u{fffd}', "\u{ff}")
            .chars()
            .map(|c| c as u8)
            .collect();
    }
    text.into_bytes()
}

fn text_of(exchange: &Exchange, ids: &HashMap<String, String>) -> String {
    match &exchange.request_body {
        Value::Null if exchange.step.contains("null body") => "null".to_owned(),
        Value::Null => String::new(),
        Value::String(text) if text.starts_with("raw: ") => text[5..].to_owned(),
        Value::String(text) if exchange.path.contains("/content/uploads/") => text.clone(),
        value => translated(&value.to_string(), ids),
    }
}

/// The request of an exchange, with our ids.
fn prepared(exchange: &Exchange, ids: &HashMap<String, String>) -> Prepared {
    let note = exchange.note.as_deref().unwrap_or_default();
    let mut request = Prepared {
        method: exchange.method.clone(),
        path: translated(&exchange.path, ids),
        credentials: Some("admin:admin".to_owned()),
        header: None,
        body: body_of(exchange, ids),
    };
    if note.contains("no credentials") {
        request.credentials = None;
    } else if let Some(given) = note
        .split("; ")
        .find_map(|part| part.strip_prefix("credentials "))
    {
        let given = given.split_whitespace().next().unwrap_or_default();
        request.credentials = Some(given.to_owned());
    } else if let Some(header) = note.strip_prefix("sent header ")
        && let Some((name, value)) = header.split_once(": ")
    {
        request.header = Some((name.to_owned(), value.to_owned()));
        request.credentials = None;
    }
    request
}

/// A UUID or a database id.
fn is_id(text: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    (text.len() == 24 && hex(text))
        || (text.len() == 36 && text.matches('-').count() == 4 && hex(&text.replace('-', "")))
}

/// Pairs the ids of a recorded document with ours.
fn learn(recorded: &Value, ours: &Value, ids: &mut HashMap<String, String>) {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                if let Some(our_value) = ours.get(key) {
                    learn(value, our_value, ids);
                }
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            for (recorded, ours) in recorded.iter().zip(ours) {
                learn(recorded, ours, ids);
            }
        }
        (Value::String(recorded), Value::String(ours)) if is_id(recorded) && is_id(ours) => {
            ids.insert(recorded.clone(), ours.clone());
        }
        _ => {}
    }
}

/// The first difference that counts.
fn difference(exchange: &Exchange, reply: &Reply, first_poll: bool) -> Option<String> {
    if exchange.status != reply.status {
        let said = reply.body["error_message"].as_str().unwrap_or_default();
        return Some(format!(
            "status {} is {} {said}",
            exchange.status, reply.status
        ));
    }
    for (name, recorded) in exchange.headers.iter().flatten() {
        let ours = reply
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        let same = match (name.as_str(), recorded.as_str(), ours) {
            ("Location", Some(recorded), Some(ours)) => {
                recorded == ours || recorded.split('/').count() == ours.split('/').count()
            }
            (_, recorded, ours) => recorded == ours,
        };
        if !same {
            return Some(format!("header {name}: {recorded} is {ours:?}"));
        }
    }
    let cut = exchange
        .note
        .as_deref()
        .is_some_and(|note| note.contains("cut"));
    shape(&exchange.body, &reply.body, "", first_poll, cut)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Keys whose contents vary from run to run.
const VARYING: [&str; 3] = ["traceback", "progress_report", "exception"];
/// Keys of a task that depend on how far it has come.
const MOVING: [&str; 5] = [
    "result",
    "error",
    "start_time",
    "finish_time",
    "worker_name",
];

fn shape(recorded: &Value, ours: &Value, at: &str, moving: bool, cut: bool) -> Option<String> {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            if let Some(key) = recorded.keys().find(|key| !ours.contains_key(*key)) {
                return Some(format!("{at}/{key} is not there"));
            }
            if let Some(key) = ours.keys().find(|key| !recorded.contains_key(*key)) {
                return Some(format!("{at}/{key} is too much"));
            }
            recorded
                .iter()
                .filter(|(key, _)| {
                    let key = key.as_str();
                    !VARYING.contains(&key) && (!moving || !MOVING.contains(&key))
                })
                .find_map(|(key, value)| {
                    let exact = matches!(key.as_str(), "code" | "http_status" | "property_names");
                    if exact && *value != ours[key] {
                        return Some(format!("{at}/{key}: {value} is {}", ours[key]));
                    }
                    shape(value, &ours[key], &format!("{at}/{key}"), moving, cut)
                })
        }
        (Value::Array(recorded), Value::Array(ours)) => lists(recorded, ours, at, moving, cut),
        _ if kind(recorded) == kind(ours) => None,
        _ => Some(format!("{at}: {} is {}", kind(recorded), kind(ours))),
    }
}

/// Lists of things that have an id are compared thing by thing, others in their order.
fn lists(recorded: &[Value], ours: &[Value], at: &str, moving: bool, cut: bool) -> Option<String> {
    if !cut && recorded.len() != ours.len() {
        return Some(format!("{at}: {} items are {}", recorded.len(), ours.len()));
    }
    recorded.iter().enumerate().find_map(|(index, value)| {
        let by_id = value["id"].as_str().filter(|id| !is_id(id)).map(|id| {
            let found = ours.iter().find(|other| other["id"] == *id);
            found.ok_or_else(|| format!("{at}: no item '{id}'"))
        });
        let other = match by_id {
            Some(Ok(found)) => found,
            Some(Err(_)) if cut => return None,
            Some(Err(why)) => return Some(why),
            None => ours.get(index)?,
        };
        shape(value, other, &format!("{at}[{index}]"), moving, cut)
    })
}
