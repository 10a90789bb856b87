//! `pith login` and what it stores.

use serde_json::json;

use crate::fake::{Fake, PASSWORD, Ran, Scripted, run_with};

fn answers() -> Scripted {
    Scripted {
        line: Some("admin".into()),
        secret: Some(PASSWORD.into()),
    }
}

fn nobody() -> Scripted {
    Scripted {
        line: None,
        secret: None,
    }
}

async fn login(fake: &Fake, file: &std::path::Path) -> Ran {
    run_with(&["login", &fake.url], Some(file.to_owned()), answers()).await
}

#[tokio::test]
async fn a_verified_login_is_stored_for_its_owner_and_used_by_the_next_command() {
    let fake = Fake::start().await;
    fake.on("GET users/admin", 200, json!({"login": "admin"}))
        .on("GET repositories", 200, json!([]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pith/login.json");
    let ran = login(&fake, &file).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let ran = run_with(&["repo", "list"], Some(file.clone()), nobody()).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    let seen = fake.seen();
    assert_eq!(seen[0].authorization, seen[1].authorization);
    assert!(seen[1].authorization.is_some());
    let ran = run_with(&["logout"], Some(file.clone()), nobody()).await;
    assert_eq!((ran.out.as_str(), file.exists()), ("logged out\n", false));
}

#[tokio::test]
async fn a_login_that_the_server_refuses_is_not_stored() {
    let fake = Fake::start().await;
    fake.refuse("GET users/admin", 401, "PLP0025", "Authentication failed.");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let ran = login(&fake, &file).await;
    assert_eq!(ran.exit.code(), 4);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_user_who_may_not_read_users_can_still_log_in() {
    let fake = Fake::start().await;
    fake.refuse("GET users/admin", 403, "PLP0026", "Permission denied");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    assert_eq!(login(&fake, &file).await.exit.code(), 0);
    assert!(file.exists());
}

#[tokio::test]
async fn a_stored_login_is_not_sent_to_another_server() {
    let (one, two) = (Fake::start().await, Fake::start().await);
    one.on("GET users/admin", 200, json!({}));
    two.on("GET repositories", 200, json!([]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    login(&one, &file).await;
    run_with(&["--url", &two.url, "repo", "list"], Some(file), nobody()).await;
    assert_eq!(two.seen()[0].authorization, None);
}

#[tokio::test]
async fn a_login_without_a_terminal_says_what_to_give() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let ran = run_with(
        &["login", &fake.url, "--user", "admin"],
        Some(file),
        nobody(),
    )
    .await;
    assert_eq!(ran.exit.code(), 2);
    assert!(ran.err.contains("--password-stdin"), "{}", ran.err);
}

#[tokio::test]
async fn a_login_that_basic_credentials_cannot_carry_is_refused() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    for command in [&["login"][..], &["repo", "list"]] {
        let who = [
            "--url",
            &fake.url,
            "--user",
            "eve:x",
            "--password",
            PASSWORD,
        ];
        let ran = run_with(&[&who, command].concat(), Some(file.clone()), nobody()).await;
        assert_eq!(ran.exit.code(), 2);
        assert!(ran.err.contains("'eve:x' cannot be a login"), "{}", ran.err);
    }
    assert!(fake.lines().is_empty());
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let fake = Fake::start().await;
    fake.on("GET users/admin", 200, json!({}))
        .on("GET repositories", 200, json!([]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    login(&fake, &file).await;
    // As PITH_URL= and the like give them.
    let empty = ["--url", "", "--user", "", "--password", ""];
    let ran = run_with(
        &[&empty[..], &["repo", "list"]].concat(),
        Some(file),
        nobody(),
    )
    .await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    let seen = fake.seen();
    assert_eq!(seen[0].authorization, seen[1].authorization);
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_so() {
    let fake = Fake::start().await;
    fake.refuse("GET repositories", 401, "PLP0025", "Authentication failed.");
    let ran = run_with(&["--url", &fake.url, "repo", "list"], None, nobody()).await;
    assert_eq!(ran.exit.code(), 4);
    assert!(ran.err.contains("nobody is logged in"), "{}", ran.err);
    assert!(ran.err.contains("`pith login`"), "{}", ran.err);
}

#[tokio::test]
async fn an_authority_without_a_certificate_is_refused() {
    let fake = Fake::start().await;
    let ran = run_with(
        &[
            "--url",
            &fake.url,
            "--ca-cert",
            "Cargo.toml",
            "repo",
            "list",
        ],
        None,
        nobody(),
    )
    .await;
    assert_eq!(ran.exit.code(), 2);
    assert!(ran.err.contains("holds no certificate"), "{}", ran.err);
}

#[tokio::test]
async fn a_web_server_that_is_no_pulp_does_not_pass_for_a_verified_login() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    assert_eq!(login(&fake, &file).await.exit.code(), 3);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_user_without_a_password_is_asked_for_it() {
    let fake = Fake::start().await;
    fake.on("GET repositories", 200, json!([]));
    let args = ["--url", &fake.url, "-u", "admin", "repo", "list"];
    let ran = run_with(&args, None, answers()).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert!(fake.seen()[0].authorization.is_some());
}
