//! Attacks on a live server, one file a kind: people with a right on one thing try to get at another.

mod folder;
mod rights;

use pith_e2e::tools::sample_repo;
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres::{self, Database};
use serde_json::{Value, json};

/// A server with somebody's repository on it, `theirs`, synced and published.
struct Scene {
    server: Pith,
    admin: Api,
    _feed: Feed,
    _database: Option<Database>,
}

impl Scene {
    /// Does the same on each database that there is.
    fn on_each_database(attack: impl Fn(&Self)) {
        attack(&Self::start(None));
        if let Some(database) = postgres::database() {
            attack(&Self::start(Some(database)));
        }
    }

    fn start(database: Option<Database>) -> Self {
        let options: Vec<&str> = database
            .iter()
            .flat_map(|database| ["--database", &database.url])
            .collect();
        let server = Pith::start_with(&options).unwrap();
        let admin = server.api().unwrap();
        let feed = Feed::of(&sample_repo()).unwrap();
        admin.create_rpm("theirs", &feed.url("/feed/")).unwrap();
        admin.sync("theirs").unwrap();
        admin.publish("theirs").unwrap();
        Self {
            server,
            admin,
            _feed: feed,
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
