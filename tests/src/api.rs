//! REST calls, and waiting for the tasks they start.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::http::Request;

use crate::tools::wait_for;

/// The path at which the API begins.
const ROOT: &str = "/pulp/api/v2";

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Api {
    agent: ureq::Agent,
    address: SocketAddr,
    authorization: Option<String>,
}

/// The answer of the server.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The document; null when there was none.
    pub body: Value,
}

impl Answer {
    /// The document of an answer that must have this status.
    ///
    /// # Errors
    /// When it has another one.
    pub fn expect(self, status: u16) -> anyhow::Result<Value> {
        ensure!(
            self.status == status,
            "status {} instead of {status}: {}",
            self.status,
            self.body
        );
        Ok(self.body)
    }
}

impl Api {
    /// A client that is `admin` with this password, or nobody.
    #[must_use]
    pub fn new(address: SocketAddr, password: Option<&str>) -> Self {
        Self::of(address, password.map(|password| ("admin", password)))
    }

    /// A client that is the user of this login and password, or nobody.
    #[must_use]
    pub fn of(address: SocketAddr, user: Option<(&str, &str)>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let authorization = user.map(|(login, password)| {
            format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
        });
        Self {
            agent,
            address,
            authorization,
        }
    }

    /// The same person at another server.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The `Authorization` header of this client.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Tells whether `/livez` answers 200.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.raw("GET", "/livez", None)
            .is_ok_and(|(status, _)| status == 200)
    }

    /// One request for a path from the root of the server.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn raw(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(serde_json::to_vec(body)?)?)
            }
            None => self.agent.run(request.body(())?),
        };
        let mut answer = answer.with_context(|| format!("{method} {path}"))?;
        let status = answer.status().as_u16();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_vec()?;
        Ok((status, bytes))
    }

    /// A PUT of bytes below `/pulp/api/v2`.
    ///
    /// # Errors
    /// When there is no answer, or one that is not JSON.
    pub fn put(&self, path: &str, bytes: &[u8]) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method("PUT")
            .uri(format!("http://{}{ROOT}{path}", self.address));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = self.agent.run(request.body(bytes)?)?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        Ok(Answer { status, body })
    }

    /// One request below `/pulp/api/v2`.
    ///
    /// # Errors
    /// When there is no answer, or one that is not JSON.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let (status, bytes) = self.raw(method, &format!("{ROOT}{path}"), body)?;
        let body = match bytes.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes).with_context(|| {
                format!(
                    "{method} {path}: {status}, not JSON: {}",
                    String::from_utf8_lossy(bytes)
                )
            })?,
        };
        Ok(Answer { status, body })
    }

    /// A document that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, None)?.expect(200)
    }

    /// A published file that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn download(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let (status, bytes) = self.raw("GET", path, None)?;
        ensure!(status == 200, "GET {path}: {status}");
        Ok(bytes)
    }

    /// A POST that starts tasks: the ids of the tasks.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn spawn(&self, path: &str, body: &Value) -> anyhow::Result<Vec<String>> {
        let report = self.call("POST", path, Some(body))?.expect(202)?;
        spawned(&report)
    }

    /// Waits until these tasks, and those that they start, are over; all of their documents.
    ///
    /// # Errors
    /// When one is not there or does not end.
    pub fn wait(&self, ids: &[String]) -> anyhow::Result<Vec<Value>> {
        let mut ids = ids.to_vec();
        let mut tasks = Vec::new();
        while let Some(id) = ids.pop() {
            let task = wait_for(&format!("task {id}"), || {
                let task = self.get(&format!("/tasks/{id}/"))?;
                let state = task["state"].as_str().unwrap_or_default();
                let is_final = matches!(state, "finished" | "error" | "canceled" | "skipped");
                Ok(is_final.then_some(task))
            })?;
            ids.extend(spawned(&task)?);
            tasks.push(task);
        }
        Ok(tasks)
    }

    /// A POST that starts tasks, all of which must finish well; the first of their documents.
    ///
    /// # Errors
    /// When one does not.
    pub fn run(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let tasks = self.wait(&self.spawn(path, body)?)?;
        for task in &tasks {
            if task["state"] != "finished" {
                bail!("POST {path}: {task:#}");
            }
        }
        tasks.into_iter().next().context("no task was started")
    }

    /// Creates an RPM repository with an importer and a distributor, published below its own id.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_rpm(&self, id: &str, feed: &str) -> anyhow::Result<Value> {
        self.create_rpm_with(id, &json!({"feed": feed}))
    }

    /// Like [`Api::create_rpm`], with all settings of the importer.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_rpm_with(&self, id: &str, importer: &Value) -> anyhow::Result<Value> {
        let distributor = json!({"http": true, "https": false, "relative_url": id});
        self.create(
            id,
            ("yum_importer", importer),
            ("yum_distributor", &distributor),
        )
    }

    /// Creates a file repository with an importer and a distributor, published below its own id. What upstream no
    /// longer has is removed by a sync.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_files(&self, id: &str, feed: &str) -> anyhow::Result<Value> {
        let importer = json!({"feed": feed, "remove_missing": true});
        let distributor = json!({"serve_http": true, "serve_https": false});
        self.create(
            id,
            ("iso_importer", &importer),
            ("iso_distributor", &distributor),
        )
    }

    fn create(
        &self,
        id: &str,
        importer: (&str, &Value),
        distributor: (&str, &Value),
    ) -> anyhow::Result<Value> {
        let repository = json!({
            "id": id,
            "importer_type_id": importer.0,
            "importer_config": importer.1,
            "distributors": [{
                "distributor_id": distributor.0,
                "distributor_type_id": distributor.0,
                "distributor_config": distributor.1,
                "auto_publish": false,
            }],
        });
        self.call("POST", "/repositories/", Some(&repository))?
            .expect(201)
    }

    /// Syncs a repository; the task.
    ///
    /// # Errors
    /// When the sync does not finish well.
    pub fn sync(&self, id: &str) -> anyhow::Result<Value> {
        self.run(&format!("/repositories/{id}/actions/sync/"), &json!({}))
    }

    /// Publishes a repository with its only distributor; the task.
    ///
    /// # Errors
    /// When the publish does not finish well.
    pub fn publish(&self, id: &str) -> anyhow::Result<Value> {
        self.run(&publish_path(id), &self.publish_body(id)?)
    }

    /// Starts a publish and does not wait; the ids of the tasks.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn start_publish(&self, id: &str) -> anyhow::Result<Vec<String>> {
        self.spawn(&publish_path(id), &self.publish_body(id)?)
    }

    /// The id of the only distributor.
    ///
    /// # Errors
    /// When there is none.
    pub fn distributor(&self, id: &str) -> anyhow::Result<String> {
        let distributors = self.get(&format!("/repositories/{id}/distributors/"))?;
        let id = distributors[0]["id"].as_str().context("no distributor")?;
        Ok(id.to_owned())
    }

    fn publish_body(&self, id: &str) -> anyhow::Result<Value> {
        Ok(json!({"id": self.distributor(id)?}))
    }

    /// The units of a repository.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn units(&self, id: &str, type_id: &str) -> anyhow::Result<Vec<Value>> {
        let body = json!({"criteria": {"type_ids": [type_id]}});
        let path = format!("/repositories/{id}/search/units/");
        match self.call("POST", &path, Some(&body))?.expect(200)? {
            Value::Array(units) => Ok(units),
            other => bail!("not a list: {other}"),
        }
    }
}

fn publish_path(id: &str) -> String {
    format!("/repositories/{id}/actions/publish/")
}

/// The ids in `spawned_tasks` of a call report or a task.
fn spawned(report: &Value) -> anyhow::Result<Vec<String>> {
    report["spawned_tasks"]
        .as_array()
        .with_context(|| format!("no spawned_tasks: {report}"))?
        .iter()
        .map(|task| Ok(task["task_id"].as_str().context("no task_id")?.to_owned()))
        .collect()
}
