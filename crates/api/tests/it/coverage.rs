//! Every operation asked by nobody, by a user who was granted nothing, and by an administrator. `tests/access.golden`
//! lists those that do not answer as all others do.

use pith_api::routes::routes;
use serde_json::{Value, json};

use crate::client::{ADMIN, Who, ask};
use crate::server::Server;

const GOLDEN: &str = include_str!("../access.golden");

fn shown(status: u16, body: &Value) -> String {
    match body["error"]["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_nobody_and_whom_nothing_was_granted_and_lets_administrators_in() {
    let server = Server::start(Vec::new()).await;
    let joe = json!({ "login": "joe", "password": "joe" });
    let made = ask(&server.router, &ADMIN, "POST", "/users/", Some(joe)).await;
    assert_eq!(made.0, 201);
    let mut exceptions = String::new();
    let mut few = 0;
    for route in routes() {
        let path = route.path.replace(['<', '>'], "");
        let verb = route.verb.name();
        let ask = |who: Who| {
            let (router, path) = (server.router.clone(), path.clone());
            async move { ask(&router, &who, verb, &path, None).await }
        };
        let (nobody, nobodys) = ask(Who::Nobody).await;
        let (stranger, strangers) = ask(Who::Password("joe:joe")).await;
        let (admin, admins) = ask(ADMIN).await;
        let (nobody, stranger) = (shown(nobody, &nobodys), shown(stranger, &strangers));
        assert!(
            admin != 401 && admin < 500,
            "{verb} {path}: an administrator gets {admin} {admins}"
        );
        if let Some(operation) = route.operation {
            for who in [Who::Password("admin:joe"), Who::Password("nosuch:joe")] {
                let (status, wrong) = ask(who).await;
                let refused = shown(status, &wrong);
                // Who fails this often is refused without a look at the password.
                let expected = ["401 PLP0030", "429 PLP0000"];
                assert!(
                    expected.contains(&refused.as_str()),
                    "{verb} {path}: {refused}"
                );
            }
            let foreign = ask(Who::Certificate(None)).await;
            assert_eq!(shown(foreign.0, &foreign.1), "401 PLP0027", "{verb} {path}");
            if stranger == "401 PLP0026" {
                let data = &strangers["error"]["data"];
                assert_eq!(data, &json!({"user": "joe", "operation": operation.name()}));
            }
        }
        if (nobody.as_str(), stranger.as_str()) != ("401 PLP0025", "401 PLP0026") {
            few += 1;
            exceptions += &format!("{verb} {}: {nobody}, {stranger}, {admin}\n", route.path);
        }
    }
    println!(
        "{} operations: {} need a right that was granted, {few} do not:\n{exceptions}",
        routes().count(),
        routes().count() - few
    );
    let golden: String = GOLDEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(exceptions, golden, "tests/access.golden lists others");
}
