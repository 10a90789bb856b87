//! Bearer challenges: tokens come from where a server says, and go nowhere else.

use pith_fetch::{BasicAuth, DownloadSettings, ErrorKind, Fetcher};
use pith_testkit::upstream::{Fault, TestCa, Upstream as Fake};

use crate::*;

const BASIC: &str = "Basic bWU6aHVudGVyMg==";

/// A feed whose files are for bearers of the token, and which sends others to `realm`.
async fn registry(realm: &str) -> Fake {
    let fake = Fake::start().await.unwrap();
    fake.put("/v2/f", "x");
    let challenge = format!(r#"Bearer realm="{realm}",service="r",scope="repository:a:pull""#);
    fake.require_bearer("/v2/", "t0ken", &challenge);
    fake
}

/// A feed that gives tokens itself.
async fn own_realm() -> Fake {
    let fake = registry("").await;
    let challenge = format!(r#"Bearer realm="{}/token",scope="a""#, fake.url());
    fake.require_bearer("/v2/", "t0ken", &challenge);
    fake.put("/token", r#"{"token": "t0ken", "expires_in": 300}"#);
    fake
}

/// A server elsewhere, with TLS, that gives tokens.
async fn token_server(ca: &TestCa) -> Fake {
    let fake = Fake::start_tls(ca, false).await.unwrap();
    fake.put("/token", r#"{"access_token": "t0ken"}"#);
    fake
}

fn settings(home: &Fake) -> DownloadSettings {
    DownloadSettings {
        home: Some(at(home, "/")),
        basic_auth: Some(BasicAuth {
            username: "me".into(),
            password: "hunter2".into(),
        }),
        max_downloads: 8,
        ..patient()
    }
}

fn session_of(settings: DownloadSettings) -> Session {
    Fetcher::new(policy()).session(settings).unwrap()
}

#[tokio::test]
async fn many_downloads_share_one_token_for_which_the_password_is_shown() {
    let feed = own_realm().await;
    let session = session_of(settings(&feed));
    let mut downloads = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (session, request) = (session.clone(), request(&feed, "/v2/f"));
        downloads.spawn(async move { fetch(&session, request).await });
    }
    for done in downloads.join_all().await {
        done.unwrap();
    }
    let asked = feed.log("/token");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), Some(BASIC));
    assert_eq!(asked[0].query.as_deref(), Some("scope=a"));
    // The next one shows it at once.
    let before = feed.requests("/v2/f");
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    assert_eq!(feed.requests("/v2/f"), before + 1);
    assert!(!format!("{session:?}").contains("t0ken"));
}

#[tokio::test]
async fn a_token_stays_at_its_site() {
    let (feed, other) = (own_realm().await, fake_with(b"x").await);
    let session = session_of(settings(&feed));
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    feed.fault("/v2/away", Fault::RedirectTo(format!("{}/f", other.url())));
    fetch(&session, request(&feed, "/v2/away")).await.unwrap();
    fetch(&session, request(&other, "/f")).await.unwrap();
    for sent in other.log("/f") {
        assert_eq!(sent.header("authorization"), None);
    }
    // Nor does whoever a stranger sent there get it.
    other.fault("/back", Fault::RedirectTo(format!("{}/v2/f", feed.url())));
    let error = fetch(&session, request(&other, "/back")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied { status: 401 });
    assert_eq!(feed.requests("/token"), 1);
}

#[tokio::test]
async fn the_password_goes_to_no_realm_that_somebody_else_names() {
    let ca = TestCa::new().unwrap();
    let realm = token_server(&ca).await;
    let feed = registry(&format!("{}/token?a=b", realm.url())).await;
    let with_ca = DownloadSettings {
        ssl_ca_cert: Some(ca.pem()),
        ..settings(&feed)
    };
    let session = session_of(with_ca.clone());
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    let asked = &realm.log("/token")[0];
    assert_eq!(asked.header("authorization"), None);
    let query = "a=b&service=r&scope=repository%3Aa%3Apull";
    assert_eq!(asked.query.as_deref(), Some(query));
    // The settings may name it.
    let session = session_of(DownloadSettings {
        also: vec![at(&realm, "/")],
        ..with_ca.clone()
    });
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    assert_eq!(realm.log("/token")[1].header("authorization"), Some(BASIC));
    // A server that a document names has no way to it either: neither as the one that asks nor as the realm.
    let evil = registry(&format!("{}/token", realm.url())).await;
    fetch(&session, request(&evil, "/v2/f")).await.unwrap();
    assert_eq!(realm.log("/token")[2].header("authorization"), None);
}

#[tokio::test]
async fn a_realm_elsewhere_without_tls_is_not_asked() {
    let realm = fake_with(br#"{"token": "t0ken"}"#).await;
    let feed = registry(&format!("{}/f", realm.url())).await;
    let error = fetch(&session_of(settings(&feed)), request(&feed, "/v2/f"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied { status: 401 });
    assert!(error.to_string().contains("neither https"), "{error}");
    assert_eq!(realm.total_requests(), 0);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_and_not_for_ever() {
    let feed = own_realm().await;
    let session = session_of(settings(&feed));
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    feed.put("/token", r#"{"token": "other"}"#);
    let challenge = format!(r#"Bearer realm="{}/token",scope="a""#, feed.url());
    feed.require_bearer("/v2/", "other", &challenge);
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
    assert_eq!(feed.requests("/token"), 2);
    feed.require_bearer("/v2/", "nobody has it", &challenge);
    let before = feed.requests("/v2/f");
    let error = fetch(&session, request(&feed, "/v2/f")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied { status: 401 });
    assert_eq!(feed.requests("/v2/f") - before, 3);
    assert_eq!(feed.requests("/token"), 4);
}

#[tokio::test]
async fn a_token_server_that_fails_says_nothing_about_the_file() {
    let feed = own_realm().await;
    let large = format!(r#"{{"token": "t0ken", "x": "{}"}}"#, "x".repeat(70 << 10));
    for answer in ["hunter2", r#"{"token": "a\nb"}"#, &large] {
        feed.put("/token", answer.to_owned());
        let session = session_of(settings(&feed));
        let error = fetch(&session, request(&feed, "/v2/f")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied { status: 401 }, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let elsewhere = Fault::RedirectTo(format!("{}/v2/f", feed.url()));
    for fault in [Fault::Status(404), Fault::Status(403), elsewhere] {
        feed.clear_faults("/token");
        feed.fault("/token", fault);
        let session = session_of(settings(&feed));
        let error = fetch(&session, request(&feed, "/v2/f")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied { status: 401 }, "{error}");
    }
    feed.clear_faults("/token");
    feed.put("/token", r#"{"token": "t0ken"}"#);
    feed.fault_times("/token", Fault::Status(503), 1);
    let session = session_of(settings(&feed));
    fetch(&session, request(&feed, "/v2/f")).await.unwrap();
}
