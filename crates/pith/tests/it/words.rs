//! Commands from words: a family that the command line has never heard of, against a server.

use std::sync::{Arc, LazyLock};

use clap::FromArgMatches;
use pith_cli::{ClientCommand, CommandContext, Families, Format, Globals, Prompt, Ui};
use pith_content::words::Family;
use pith_pulp::auth;
use secrecy::SecretString;

use crate::harness::{Harness, On};

fn families() -> &'static Families {
    static ALL: LazyLock<Families> = LazyLock::new(|| {
        let harness = Family::of(&pith_testkit::harness::Harness);
        Families::new(harness.into_iter().collect())
    });
    &ALL
}

/// Answers no question.
struct Nobody;

impl Prompt for Nobody {
    fn line(&mut self, _: &str) -> Option<String> {
        None
    }

    fn secret(&mut self, _: &str) -> Option<SecretString> {
        None
    }
}

/// Serves the API of an engine, to its administrator.
async fn serve(h: &Harness) -> String {
    let (store, clock) = (&h.engine.store, h.engine.clock.as_ref());
    let password = Some("admin".to_owned());
    auth::ensure_first_admin(store, clock, password)
        .await
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = pith_api::Api::new(Arc::clone(&h.pulp)).router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Runs a command of the section and gives what it prints.
async fn said(url: &str, line: &str) -> String {
    let connection = ["--url", url, "--user", "admin", "--password", "admin"];
    let words = ["pith", "harness", "repo"].into_iter();
    let args = words.chain(line.split(' ')).chain(connection);
    let matches = pith_cli::command(families())
        .try_get_matches_from(args)
        .unwrap();
    let globals = Globals::from_arg_matches(&matches).unwrap();
    let command = ClientCommand::from_matches(&matches, families()).unwrap();
    let (ui, captured) = Ui::captured(Format::Text, families());
    let mut context = CommandContext {
        ui,
        login_file: None,
        state_folder: None,
        prompt: Box::new(Nobody),
    };
    let ran = pith_cli::execute(&command.unwrap(), &globals, &mut context).await;
    ran.unwrap_or_else(|error| panic!("{line}: {error}"));
    captured.out()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_that_the_command_line_has_never_heard_of_has_all_its_commands() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let url = serve(&h).await;
    let said = async |line: &str| said(&url, line).await;
    let names = async |repo| h.units(repo, "harness_type", "name").await;

    said("create demo --num-units 3").await;
    said("create other --display-name Other").await;
    assert!(said("list").await.contains("demo"));
    assert!(said("search --str-eq id=other").await.contains("other"));
    said("update demo --num-units 2 --description two").await;
    let shown = said("show demo").await;
    assert!(shown.contains("num_units = 2"), "{shown}");
    assert!(shown.contains("write_files = true"), "{shown}");

    let synced = said("sync run demo").await;
    assert!(synced.contains("sync of demo: 2 added"), "{synced}");
    said("publish run demo --force-full").await;
    let published = h.published("pulp/harness/harness_distributor/demo").await;
    assert_eq!(published.len(), 2);
    assert!(said("content demo").await.contains("unit_1"));
    assert!(said("sync history demo").await.contains("success"));
    said("publish schedules list demo").await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sent");
    std::fs::write(&file, b"bytes").unwrap();
    let file = file.display();
    said(&format!("uploads upload --repo-id demo {file}")).await;
    said("uploads named --repo-id demo --name told").await;
    assert_eq!(names("demo").await, ["sent", "told", "unit_0", "unit_1"]);

    said("copy -f demo -t other --str-eq name=unit_0").await;
    assert_eq!(names("other").await, ["unit_0"]);
    said("remove demo --str-eq name=told").await;
    assert_eq!(names("demo").await, ["sent", "unit_0", "unit_1"]);
    said("delete other").await;
    assert!(!said("list").await.contains("Other"));
}

#[test]
fn options_without_words_are_what_their_settings_say() {
    let page = pith_cli::reference(families());
    for row in [
        "| `--num-units N` | Units that a sync makes (default 0) |",
        "| `--write-files BOOL` | Publish a file for each unit (default false) [default on create: true]; one of `true`, `false` |",
        "repo uploads named`",
    ] {
        assert!(page.contains(row), "{row}");
    }
}
