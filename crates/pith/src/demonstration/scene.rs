//! A server with the demonstration type, and a client that asks over a socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use pith_content::ContentType;
use pith_engine::Engine;
use pith_testkit::notes::Notes;
use pith_testkit::postgres;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::options::ServerOptions;
use crate::server::Server;

/// The database of a test.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

/// The types of a server, and its arguments beside those for its folder and its database.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) types: Vec<Arc<dyn ContentType>>,
    pub(crate) arguments: Vec<String>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            types: vec![Arc::new(pith_type_file::File), Arc::new(Notes)],
            arguments: Vec::new(),
        }
    }
}

/// A server that listens, with the password of its administrator.
pub(crate) struct Scene {
    server: Server,
    address: SocketAddr,
    admin: String,
    setting: Setting,
    postgres: Option<postgres::Database>,
    folder: tempfile::TempDir,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Scene {
    /// `None` where the database is not installed (never in CI).
    pub(crate) async fn start(on: On) -> Option<Self> {
        Self::start_with(on, Setting::default()).await
    }

    /// Starts it as [`Self::start`] does, with this setting.
    pub(crate) async fn start_with(on: On, setting: Setting) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = match on {
            On::Sqlite => None,
            On::Postgres => Some(
                tokio::task::spawn_blocking(postgres::database)
                    .await
                    .unwrap()?,
            ),
        };
        Some(Self::open(folder, database, setting).await)
    }

    /// Stops the server, and starts another one on what it leaves.
    pub(crate) async fn restart(self) -> Self {
        self.server.stop().await.unwrap();
        Self::open(self.folder, self.postgres, self.setting).await
    }

    async fn open(
        folder: tempfile::TempDir,
        postgres: Option<postgres::Database>,
        setting: Setting,
    ) -> Self {
        let data = folder.path().display().to_string();
        let mut all = vec!["pith", "--data", &data, "--listen", "127.0.0.1:0"];
        if let Some(database) = &postgres {
            all.extend(["--database", &database.url]);
        }
        all.extend(setting.arguments.iter().map(String::as_str));
        let options = Options::try_parse_from(all).unwrap().server;
        let types = setting.types.clone();
        let server = Server::start_with(&options, types).await.unwrap();
        let password = std::fs::read_to_string(folder.path().join("admin-password")).unwrap();
        Self {
            address: server.address,
            server,
            admin: format!("admin:{}", password.trim()),
            setting,
            postgres,
            folder,
        }
    }

    /// The folder of the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The engine of the server.
    pub(crate) fn engine(&self) -> &Engine {
        &self.server.engine
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await.unwrap();
    }

    /// Asks as nobody.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, b"").await
    }

    /// Asks as the administrator.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.send(method, path, Some(&self.admin), body).await
    }

    /// Asks as `login:password`.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        who: Option<&str>,
        body: &[u8],
    ) -> Answer {
        use base64::Engine as _;
        let who = who.map(|who| base64::engine::general_purpose::STANDARD.encode(who));
        let who = who.map_or_else(String::new, |who| format!("Authorization: Basic {who}\r\n"));
        self.exchange(method, path, &who, body).await
    }

    /// Asks as nobody, with one more header.
    pub(crate) async fn with(&self, path: &str, header: &str) -> Answer {
        self.exchange("GET", path, &format!("{header}\r\n"), b"")
            .await
    }

    async fn exchange(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        read(&answer)
    }

    /// Asks the REST API as the administrator; the document of the answer.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = format!("/pulp/api/v2{path}");
        let answer = self.admin(method, &path, body.as_bytes()).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text);
        serde_json::from_str(&answer.text).unwrap_or_default()
    }

    /// Waits for the tasks that an answer of the API spawned; the last one.
    pub(crate) async fn ended(&self, report: &Value) -> Value {
        let mut last = Value::Null;
        for task in report["spawned_tasks"].as_array().unwrap() {
            let id = task["task_id"].as_str().unwrap();
            let is_over = |task: &Value| task["state"] != "waiting" && task["state"] != "running";
            last = self.until(id, is_over).await;
        }
        last
    }

    /// Waits until a task is as it is wanted.
    pub(crate) async fn until(&self, task: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let found = self
                .api("GET", &format!("/tasks/{task}/"), Value::Null)
                .await;
            if wanted(&found) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Makes a repository of notes with these settings of its distributor.
    pub(crate) async fn repository(&self, id: &str, config: Value) {
        self.mirror(id, json!({}), config).await;
    }

    /// Makes a repository of notes with these settings of its importer and its distributor.
    pub(crate) async fn mirror(&self, id: &str, importer: Value, config: Value) {
        let body = json!({
            "id": id,
            "importer_type_id": "notes_importer",
            "importer_config": importer,
            "distributors": [{
                "distributor_type_id": "notes_distributor",
                "distributor_id": "notes",
                "distributor_config": config,
                "auto_publish": false,
            }],
        });
        self.api("POST", "/repositories/", body).await;
    }

    /// Uploads a note by the REST API.
    pub(crate) async fn upload(&self, repo: &str, name: &str, text: &str) -> Value {
        let upload = self.api("POST", "/content/uploads/", json!({})).await;
        let id = upload["upload_id"].as_str().unwrap();
        let path = format!("/pulp/api/v2/content/uploads/{id}/0/");
        let written = self.admin("PUT", &path, text.as_bytes()).await;
        assert_eq!(written.status, 200, "{}", written.text);
        let import = json!({
            "upload_id": id,
            "unit_type_id": "note",
            "unit_key": { "name": name },
            "unit_metadata": {},
        });
        let path = format!("/repositories/{repo}/actions/import_upload/");
        let task = self.api("POST", &path, import).await;
        self.ended(&task).await
    }

    /// Syncs a repository.
    pub(crate) async fn sync(&self, repo: &str) -> Value {
        let path = format!("/repositories/{repo}/actions/sync/");
        let task = self.api("POST", &path, json!({})).await;
        self.ended(&task).await
    }

    /// The document of the note `name` of a repository.
    pub(crate) async fn note(&self, repo: &str, name: &str) -> Value {
        let path = format!("/repositories/{repo}/search/units/");
        let filters = json!({ "unit": { "name": name } });
        let criteria = json!({ "criteria": { "type_ids": ["note"], "filters": filters } });
        let found = self.api("POST", &path, criteria).await;
        found[0]["metadata"].clone()
    }

    /// Publishes the notes of a repository.
    pub(crate) async fn publish(&self, repo: &str) -> Value {
        let path = format!("/repositories/{repo}/actions/publish/");
        let task = self.api("POST", &path, json!({ "id": "notes" })).await;
        self.ended(&task).await
    }
}

fn read(answer: &[u8]) -> Answer {
    let mut ends = answer.windows(4);
    let end = ends.position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        text: String::from_utf8_lossy(body).into_owned(),
        body: body.to_vec(),
    }
}
