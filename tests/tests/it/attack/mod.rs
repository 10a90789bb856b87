//! Attacks on a live server, one file a kind: people with a right on one thing try to get at another.

mod connections;
mod content;
mod documents;
mod exports;
mod feeds;
mod folder;
mod guards;
mod inner;
mod local_files;
mod matrix;
mod mounts;
mod requests;
mod rights;
mod rsync;
mod secrets;
mod sources;
mod uploads;

use std::io::Read;

use pith_e2e::repodata::sha256 as sha256_of;
use pith_e2e::tools::sample_repo;
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres::{self, Database};
use serde_json::{Value, json};

/// A server with somebody's repository on it, `theirs`, synced and published.
struct Scene {
    server: Pith,
    admin: Api,
    feed: Feed,
    _database: Option<Database>,
}

impl Scene {
    /// Does the same on each database that there is.
    fn on_each_database(attack: impl Fn(&Self)) {
        Self::on_each_database_with(&[], attack);
    }

    /// The same with more options of the server.
    fn on_each_database_with(options: &[&str], attack: impl Fn(&Self)) {
        attack(&Self::start(None, options));
        if let Some(database) = postgres::database() {
            attack(&Self::start(Some(database), options));
        }
    }

    fn start(database: Option<Database>, more: &[&str]) -> Self {
        let mut options: Vec<&str> = database
            .iter()
            .flat_map(|database| ["--database", &database.url])
            .collect();
        options.extend(more);
        let server = Pith::start_with(&options).unwrap();
        let admin = server.api().unwrap();
        let feed = Feed::of(&sample_repo()).unwrap();
        admin.create_rpm("theirs", &feed.url("/feed/")).unwrap();
        admin.sync("theirs").unwrap();
        admin.publish("theirs").unwrap();
        Self {
            server,
            admin,
            feed,
            _database: database,
        }
    }

    /// Somebody with a password and these rights.
    fn user(&self, login: &str, rights: &[(&str, &[&str])]) -> Api {
        let body = json!({"login": login, "password": "secret"});
        self.admin_does("POST", "/users/", &body, 201);
        for (resource, operations) in rights {
            self.grant(login, resource, operations);
        }
        Api::of(self.server.address(), Some((login, "secret")))
    }

    fn grant(&self, login: &str, resource: &str, operations: &[&str]) {
        let body = json!({"login": login, "resource": resource, "operations": operations});
        let path = "/permissions/actions/grant_to_user/";
        self.admin_does("POST", path, &body, 200);
    }

    fn admin_does(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.admin.call(method, path, Some(body)).unwrap();
        answer.expect(status).unwrap()
    }
}

/// A package that exists in metadata alone.
struct Forged<'a> {
    sha256: &'a str,
    size: Option<usize>,
    /// Where its file is said to be.
    base: &'a str,
    href: &'a str,
}

/// Puts an RPM repository of one package below `path` of a feed; answers its repomd.xml.
fn forge(feed: &Feed, path: &str, package: &Forged<'_>) -> String {
    forge_with(feed, path, package, "<format/>")
}

/// The same with what it needs and provides.
fn forge_with(feed: &Feed, path: &str, package: &Forged<'_>, format: &str) -> String {
    let Forged {
        sha256,
        size,
        base,
        href,
    } = package;
    let size = size.map(|size| format!(r#"<size package="{size}"/>"#));
    let base = match *base {
        "" => String::new(),
        base => format!(r#" xml:base="{base}""#),
    };
    let version = r#"<version epoch="0" ver="1" rel="1"/>"#;
    let primary = format!(
        r#"<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1"><package type="rpm"><name>forged</name><arch>noarch</arch>{version}<checksum type="sha256" pkgid="YES">{sha256}</checksum>{}<location{base} href="{href}"/>{format}</package></metadata>"#,
        size.unwrap_or_default()
    );
    let other = |root: &str, space: &str| {
        format!(
            r#"<{root} xmlns="http://linux.duke.edu/metadata/{space}" packages="1"><package pkgid="{sha256}" name="forged" arch="noarch">{version}</package></{root}>"#
        )
    };
    let documents = [
        ("primary", primary),
        ("filelists", other("filelists", "filelists")),
        ("other", other("otherdata", "other")),
    ];
    let mut data = String::new();
    for (kind, text) in documents {
        let digest = sha256_of(text.as_bytes());
        data.push_str(&format!(
            r#"<data type="{kind}"><checksum type="sha256">{digest}</checksum><location href="repodata/{kind}.xml"/></data>"#
        ));
        feed.replace(&format!("{path}repodata/{kind}.xml"), text.as_bytes());
    }
    let repomd = format!(
        r#"<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>{data}</repomd>"#
    );
    feed.replace(&format!("{path}repodata/repomd.xml"), repomd.as_bytes());
    repomd
}

/// The end of a request that starts one task, whichever it is.
fn ended(by: &Api, waiting: &Api, method: &str, path: &str, body: &Value) -> Value {
    let answer = by.call(method, path, Some(body)).unwrap();
    let report = answer.expect(202).unwrap();
    let id = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
    waiting.wait(&[id.to_owned()]).unwrap().remove(0)
}

/// The status of an answer, and all that comes of its body.
fn fetched(url: &str, range: Option<&str>) -> (u16, Vec<u8>) {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let mut request = agent.get(url);
    if let Some(range) = range {
        request = request.header("Range", range);
    }
    let answer = request.call().unwrap();
    let (status, mut body) = (answer.status().as_u16(), Vec::new());
    // One that breaks off is as good as one that ends.
    let _ = answer.into_body().into_reader().read_to_end(&mut body);
    (status, body)
}

/// The status and the code of an answer.
fn refusal(by: &Api, method: &str, path: &str, body: &Value) -> (u16, String) {
    let answer = by.call(method, path, Some(body)).unwrap();
    let code = answer.body["error"]["code"].as_str().unwrap_or_default();
    (answer.status, code.to_owned())
}

/// What whoever lacks a right gets.
fn denied() -> (u16, String) {
    (401, "PLP0026".to_owned())
}
