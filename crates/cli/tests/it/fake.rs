//! The fake server, and running a command line against it.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use clap::FromArgMatches;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use pith_cli::{
    ClientCommand, CommandContext, Error, Exit, Families, Format, Globals, Prompt, Ui, execute,
};
use pith_content::words::{Family, Words};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The password of every test: it must never be seen in any output.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `POST /pulp/api/v2/...?query`
    pub(crate) line: String,
    /// `Authorization`
    pub(crate) authorization: Option<String>,
    /// The raw body.
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct State {
    answers: HashMap<String, VecDeque<(u16, Value)>>,
    otherwise: Option<Value>,
    seen: Vec<Seen>,
}

/// A server that answers what it was told; the last answer of a route stays.
#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    pub(crate) url: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let fake = Self {
            state: Arc::clone(&state),
            url,
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    // A client that hangs up is no concern of the test.
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        fake
    }

    /// The next answer to `POST repositories` and the like, below `/pulp/api/v2/` and without the last slash.
    pub(crate) fn on(&self, route: &str, status: u16, body: Value) -> &Self {
        let mut state = self.state.lock().unwrap();
        state
            .answers
            .entry(route.to_owned())
            .or_default()
            .push_back((status, body));
        self
    }

    /// The answer to all routes that have none of their own; without it they are not found.
    pub(crate) fn otherwise(&self, body: Value) -> &Self {
        self.state.lock().unwrap().otherwise = Some(body);
        self
    }

    /// A Pulp error as the answer.
    pub(crate) fn refuse(&self, route: &str, status: u16, code: &str, text: &str) -> &Self {
        let error = json!({"code": code, "description": text, "data": {}, "sub_errors": []});
        self.on(
            route,
            status,
            json!({"http_status": status, "error_message": text, "error": error}),
        )
    }

    /// Takes the upload `u1` of a file of three segments into the repository `demo`, imported by the task `t1`.
    pub(crate) fn takes_upload(&self) -> &Self {
        self.on("GET repositories/demo", 200, json!({"id": "demo"}))
            .on("POST content/uploads", 201, json!({"upload_id": "u1"}))
            .on("PUT content/uploads/u1/0", 200, Value::Null)
            .on("PUT content/uploads/u1/1048576", 200, Value::Null)
            .on("PUT content/uploads/u1/2097152", 200, Value::Null)
            .on(
                "POST repositories/demo/actions/import_upload",
                202,
                report(&["t1"]),
            )
            .on("DELETE content/uploads/u1", 200, Value::Null)
    }

    /// A finished task behind a call report.
    pub(crate) fn task(&self, id: &str, action: &str, spawned: &[&str], result: &Value) -> &Self {
        self.on(
            &format!("GET tasks/{id}"),
            200,
            task(id, "finished", action, spawned, result),
        )
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The request lines, without the prefix that all share.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.line.clone()).collect()
    }

    /// The body of the only request with this line.
    pub(crate) fn body(&self, line: &str) -> Value {
        let found: Vec<Seen> = self
            .seen()
            .into_iter()
            .filter(|seen| seen.line == line)
            .collect();
        assert_eq!(found.len(), 1, "requests: {:?}", self.lines());
        found[0].json()
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let path = head
        .uri
        .path()
        .strip_prefix("/pulp/api/v2/")
        .unwrap_or("?")
        .to_owned();
    assert!(path.ends_with('/'), "{path} lacks its last slash");
    let route = format!("{} {}", head.method, path.trim_end_matches('/'));
    let query = head
        .uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let authorization = head
        .headers
        .get("authorization")
        .map(|v| v.to_str().unwrap().to_owned());
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let (status, answer) = {
        let mut state = state.lock().unwrap();
        state.seen.push(Seen {
            line: format!("{route}{query}"),
            authorization,
            body,
        });
        match state.answers.get_mut(&route) {
            Some(queue) if queue.len() > 1 => queue.pop_front().unwrap(),
            Some(queue) => queue[0].clone(),
            None => match &state.otherwise {
                Some(body) => (200, body.clone()),
                None => (404, Value::Null),
            },
        }
    };
    let body = Full::new(Bytes::from(answer.to_string()));
    Ok(Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .body(body)
        .unwrap())
}

/// A call report of these tasks.
pub(crate) fn report(ids: &[&str]) -> Value {
    let tasks: Vec<Value> = ids
        .iter()
        .map(|id| json!({"task_id": id, "_href": format!("/pulp/api/v2/tasks/{id}/")}))
        .collect();
    json!({"result": null, "error": null, "spawned_tasks": tasks})
}

/// A task document.
pub(crate) fn task(id: &str, state: &str, action: &str, spawned: &[&str], result: &Value) -> Value {
    json!({"task_id": id, "state": state, "tags": ["pulp:repository:demo", format!("pulp:action:{action}")],
           "progress_report": {}, "result": result, "error": null,
           "spawned_tasks": report(spawned)["spawned_tasks"],
           "start_time": "2015-11-03T16:40:10Z", "finish_time": null, "worker_name": "w"})
}

/// The families that the command lines of the tests are about.
pub(crate) fn families() -> &'static Families {
    static ALL: LazyLock<Families> = LazyLock::new(|| {
        let all = [
            Family::of(&pith_type_file::File),
            Family::of(&pith_type_rpm::Rpm),
        ];
        Families::new(all.into_iter().flatten().collect())
    });
    &ALL
}

/// The words of a family, by its name for `pith mirror`.
pub(crate) fn words(name: &str) -> &'static Words {
    families().mirror_type(name).unwrap()
}

struct Program {
    globals: Globals,
    command: ClientCommand,
}

impl Program {
    fn parse<'a>(args: impl Iterator<Item = &'a str>) -> Result<Self, clap::Error> {
        let matches = pith_cli::command(families()).try_get_matches_from(args)?;
        Ok(Self {
            globals: Globals::from_arg_matches(&matches)?,
            command: ClientCommand::from_matches(&matches, families())?.unwrap(),
        })
    }
}

/// Tells whether a whole command line is one of ours.
pub(crate) fn understood(line: &str) -> bool {
    Program::parse(line.split(' ')).is_ok()
}

/// Answers questions from a list.
pub(crate) struct Scripted {
    pub(crate) line: Option<String>,
    pub(crate) secret: Option<String>,
}

impl Prompt for Scripted {
    fn line(&mut self, _: &str) -> Option<String> {
        self.line.take()
    }

    fn secret(&mut self, _: &str) -> Option<secrecy::SecretString> {
        self.secret.take().map(Into::into)
    }
}

/// The result of a command.
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) error: Option<Error>,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs a command line as admin against `url`.
pub(crate) async fn pith(url: &str, line: &str) -> Ran {
    let args: Vec<&str> = line.split(' ').collect();
    pith_args(url, &args).await
}

pub(crate) async fn pith_args(url: &str, args: &[&str]) -> Ran {
    let mut full = vec!["--url", url, "--user", "admin", "--password", PASSWORD];
    full.extend(args);
    let nobody = Scripted {
        line: None,
        secret: None,
    };
    run_with(&full, None, nobody).await
}

/// Runs a command line as admin, with uploads remembered in `state`.
pub(crate) async fn pith_in(state: &Path, url: &str, line: &str) -> Ran {
    let mut full = vec!["--url", url, "--user", "admin", "--password", PASSWORD];
    full.extend(line.split(' '));
    let nobody = Scripted {
        line: None,
        secret: None,
    };
    run_in(state, &full, None, nobody).await
}

/// Runs a whole command line with a login file and answers to questions.
pub(crate) async fn run_with(args: &[&str], login_file: Option<PathBuf>, prompt: Scripted) -> Ran {
    let state = tempfile::tempdir().unwrap();
    run_in(state.path(), args, login_file, prompt).await
}

async fn run_in(state: &Path, args: &[&str], login_file: Option<PathBuf>, prompt: Scripted) -> Ran {
    let program = Program::parse(std::iter::once("pith").chain(args.iter().copied())).unwrap();
    let format = if program.globals.json {
        Format::Json
    } else {
        Format::Text
    };
    let (ui, captured) = Ui::captured(format, families());
    let mut context = CommandContext {
        ui,
        state_folder: Some(state.to_owned()),
        login_file,
        prompt: Box::new(prompt),
    };
    let result = execute(&program.command, &program.globals, &mut context).await;
    let exit = result.as_ref().map_or_else(Error::exit, |()| Exit::Done);
    if let Err(error) = &result {
        context.ui.failure(error);
    }
    let ran = Ran {
        exit,
        out: captured.out(),
        err: captured.err(),
        error: result.err(),
    };
    for text in [
        &ran.out,
        &ran.err,
        &format!("{:?} {:?}", ran.error, program.globals),
    ] {
        assert!(!text.contains(PASSWORD), "a password was shown: {text}");
    }
    ran
}
