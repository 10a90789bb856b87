//! Redirects are followed a little way, and never into trouble.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use pith_fetch::{Egress, ErrorKind, FetchPolicy, Fetcher, Lookup};
use pith_testkit::upstream::{Fault, Upstream as Fake};

use crate::*;

#[tokio::test]
async fn redirects_are_followed_and_the_last_url_is_told() {
    let (from, to) = (Fake::start().await.unwrap(), fake_with(b"here").await);
    from.fault("/a", Fault::RedirectTo("/b?token=x".into()));
    from.fault("/b", Fault::RedirectTo(format!("{}/f", to.url())));
    let (fetched, got) = fetch(&session(), request(&from, "/a")).await.unwrap();
    assert_eq!((got, fetched.url), (b"here".to_vec(), at(&to, "/f")));
    assert_eq!(from.log("/b")[0].query.as_deref(), Some("token=x"));
    // The answer that redirects is read to its end, so its connection serves again.
    assert_eq!(from.connections(), 1);
}

#[tokio::test]
async fn circles_and_endless_chains_end() {
    let fake = fake_with(b"x").await;
    fake.fault("/loop", Fault::RedirectLoop);
    fake.fault("/forever", Fault::RedirectForever);
    for (path, requests) in [("/loop", 1), ("/forever", 6)] {
        let error = fetch(&session(), request(&fake, path)).await.unwrap_err();
        assert_eq!(
            (error.kind, fake.requests(path)),
            (ErrorKind::RedirectLoop, requests)
        );
    }
}

#[tokio::test]
async fn other_schemes_are_refused() {
    let fake = fake_with(b"x").await;
    for (n, location) in [
        "file:///etc/passwd",
        "ftp://a.example/",
        "http://",
        "gopher:x",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{n}");
        fake.fault(&path, Fault::RedirectTo((*location).into()));
        let error = fetch(&session(), request(&fake, &path)).await.unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::Refused(_)),
            "{location}: {error}"
        );
        assert_eq!(fake.requests(&path), 1);
    }
    let error = fetch(&session(), Request::new([url("ftp://a.example/x")], MAX))
        .await
        .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
}

#[tokio::test]
async fn metadata_services_are_out_of_reach_directly_and_by_redirect() {
    let fake = fake_with(b"x").await;
    fake.fault(
        "/r",
        Fault::RedirectTo("http://169.254.169.254/latest/meta-data/".into()),
    );
    for request in [
        request(&fake, "/r"),
        Request::new([url("http://169.254.169.254/")], MAX),
    ] {
        let error = fetch(&session(), request).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
        assert!(error.url.contains("169.254.169.254"));
    }
}

/// Says the same addresses for every name.
struct Always(Vec<&'static str>);

#[async_trait::async_trait]
impl Lookup for Always {
    async fn lookup(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.iter().map(|ip| ip.parse().unwrap()).collect())
    }
}

fn resolving(addresses: Vec<&'static str>) -> Session {
    let egress = Egress {
        allow_loopback: true,
        lookup: Arc::new(Always(addresses)),
        ..Egress::default()
    };
    Fetcher::new(FetchPolicy { egress, ..policy() })
        .session(patient())
        .unwrap()
}

#[tokio::test]
async fn names_are_judged_by_what_they_resolve_to() {
    let fake = fake_with(b"x").await;
    let named = || {
        Request::new(
            [url(format!(
                "http://mirror.example:{}/f",
                fake.address().port()
            ))],
            MAX,
        )
    };
    for addresses in [
        vec!["169.254.169.254"],
        vec!["fe80::1"],
        vec!["::ffff:169.254.169.254", "0.0.0.0"],
    ] {
        let error = fetch(&resolving(addresses), named()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
        assert_eq!(error.attempts, 1);
    }
    assert_eq!(fake.connections(), 0);
    // One forbidden address among good ones is left out.
    let (_, got) = fetch(&resolving(vec!["169.254.169.254", "127.0.0.1"]), named())
        .await
        .unwrap();
    assert_eq!(got, b"x");
    let error = fetch(&resolving(vec![]), named()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Connect);
}

#[tokio::test]
async fn the_settings_can_close_loopback() {
    let fake = fake_with(b"x").await;
    let egress = Egress {
        allow_loopback: false,
        ..Egress::default()
    };
    let session = Fetcher::new(FetchPolicy { egress, ..policy() })
        .session(patient())
        .unwrap();
    for address in [fake.url(), fake.named_url()] {
        let file = url(format!("{address}/f"));
        let error = bytes(&session, file, 10).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
    }
    assert_eq!(fake.connections(), 0);
}
