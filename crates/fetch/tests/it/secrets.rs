//! Secrets go where they are meant to go.

use pith_fetch::{BasicAuth, DownloadSettings, Fetcher};
use pith_testkit::upstream::{Fault, Upstream as Fake};

use crate::*;

const BASIC: &str = "Basic bWU6aHVudGVyMg==";

/// Secrets for the server at `home`.
fn with_secrets(home: &Fake) -> DownloadSettings {
    let auth = BasicAuth {
        username: "me".into(),
        password: "hunter2".into(),
    };
    DownloadSettings {
        home: Some(at(home, "/")),
        basic_auth: Some(auth),
        query_auth_token: Some("hunter2".into()),
        ..patient()
    }
}

#[tokio::test]
async fn user_password_and_token_are_sent() {
    let fake = fake_with(b"x").await;
    fake.require_authorization(BASIC);
    let session = Fetcher::new(policy()).session(with_secrets(&fake)).unwrap();
    let (fetched, _) = fetch(&session, Request::new([at(&fake, "/f?old=query")], MAX))
        .await
        .unwrap();
    assert_eq!(fake.log("/f")[0].query.as_deref(), Some("hunter2"));
    assert_eq!(fetched.url, at(&fake, "/f"));
}

#[tokio::test]
async fn user_and_password_in_the_url_are_decoded_and_sent() {
    let fake = fake_with(b"x").await;
    fake.require_authorization("Basic bWU6aHVudEBlcjI=");
    let url = url(format!("http://me:hunt%40er2@{}/f", fake.address()));
    let (fetched, _) = fetch(&session(), Request::new([url.clone()], MAX))
        .await
        .unwrap();
    assert!(!format!("{fetched:?}").contains("hunt"));
}

#[tokio::test]
async fn a_redirect_to_the_same_host_keeps_them_and_to_another_drops_them() {
    let (from, to) = (fake_with(b"x").await, fake_with(b"x").await);
    from.fault("/same", Fault::RedirectTo("/f".into()));
    from.fault("/away", Fault::RedirectTo(format!("{}/back", to.url())));
    to.fault("/back", Fault::RedirectTo(format!("{}/f", from.url())));
    let session = Fetcher::new(policy()).session(with_secrets(&from)).unwrap();
    fetch(&session, request(&from, "/same")).await.unwrap();
    assert_eq!(from.log("/f")[0].header("authorization"), Some(BASIC));
    fetch(&session, request(&from, "/away")).await.unwrap();
    assert_eq!(from.log("/away")[0].header("authorization"), Some(BASIC));
    let away = &to.log("/back")[0];
    assert_eq!(
        (
            away.header("authorization"),
            away.query.as_deref(),
            away.header("referer")
        ),
        (None, None, None)
    );
    // Whoever was trusted once is not trusted again after a stranger sent us there.
    assert_eq!(from.log("/f")[1].header("authorization"), None);
}

#[tokio::test]
async fn servers_that_documents_name_get_no_secrets() {
    let (home, other) = (fake_with(b"x").await, fake_with(b"x").await);
    let session = Fetcher::new(policy()).session(with_secrets(&home)).unwrap();
    let request = Request::new([at(&other, "/no"), at(&other, "/f?repo=x")], MAX);
    fetch(&session, request).await.unwrap();
    for sent in [&other.log("/no")[0], &other.log("/f")[0]] {
        assert_eq!(sent.header("authorization"), None);
        assert_ne!(sent.query.as_deref(), Some("hunter2"));
    }
    // Nor does anybody when nobody said whose they are.
    let nobodys = DownloadSettings {
        home: None,
        ..with_secrets(&home)
    };
    let session = Fetcher::new(policy()).session(nobodys).unwrap();
    fetch(&session, super::request(&home, "/f")).await.unwrap();
    assert_eq!(home.log("/f")[0].header("authorization"), None);
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let fake = fake_with(&body(100)).await;
    let session = Fetcher::new(policy()).session(DownloadSettings {
        read_timeout: impatient().read_timeout,
        ..with_secrets(&fake)
    });
    let session = session.unwrap();
    let faults = [
        Fault::Status(500),
        Fault::Hangup,
        Fault::NotHttp,
        Fault::StallAfter(1),
        Fault::RedirectLoop,
    ];
    let more = [
        Fault::RedirectTo("http://me:hunter2@169.254.1.1/?hunter2".into()),
        Fault::ChunkedGarbage,
    ];
    for fault in faults.into_iter().chain(more) {
        fake.clear_faults("/f");
        fake.fault("/f", fault);
        let url = url(format!(
            "http://you:hunter2@{}/f?token=hunter2#hunter2",
            fake.address()
        ));
        let error = fetch(&session, Request::new([url], MAX)).await.unwrap_err();
        let shown = format!("{error} {error:?} {session:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn a_proxy_is_asked_for_everything() {
    let proxy = Fake::start().await.unwrap();
    proxy.put("/x", "through the proxy");
    let upstream = DownloadSettings {
        proxy_host: Some("127.0.0.1".into()),
        proxy_port: Some(proxy.address().port()),
        proxy_auth: Some(BasicAuth {
            username: "me".into(),
            password: "hunter2".into(),
        }),
        ..patient()
    };
    let session = Fetcher::new(policy()).session(upstream).unwrap();
    let got = bytes(&session, url("http://mirror.invalid/x"), 100).await;
    assert_eq!(got.unwrap(), b"through the proxy");
    let sent = &proxy.log("/x")[0];
    assert_eq!(sent.header("host"), Some("mirror.invalid"));
    assert_eq!(sent.header("proxy-authorization"), Some(BASIC));
}
