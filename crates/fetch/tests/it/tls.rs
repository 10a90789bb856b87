//! Certificates of servers and clients.

use pith_fetch::{DownloadSettings, ErrorKind, Fetcher};
use pith_testkit::upstream::{Fault, TestCa, Upstream as Fake};

use crate::*;

async fn get(
    upstream: DownloadSettings,
    fake: &Fake,
    path: &str,
) -> Result<(Fetched, Vec<u8>), FetchError> {
    fetch(
        &Fetcher::new(policy()).session(upstream).unwrap(),
        request(fake, path),
    )
    .await
}

#[tokio::test]
async fn the_importers_authority_replaces_the_systems() {
    let (ca, other) = (TestCa::new().unwrap(), TestCa::new().unwrap());
    let fake = Fake::start_tls(&ca, false).await.unwrap();
    fake.put("/f", "secure");
    let trusting = |pem: String| DownloadSettings {
        ssl_ca_cert: Some(pem),
        ..patient()
    };
    let (_, got) = get(trusting(ca.pem()), &fake, "/f").await.unwrap();
    assert_eq!(got, b"secure");
    let error = get(trusting(other.pem()), &fake, "/f").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    assert_eq!(error.attempts, 1);
    let (_, got) = get(
        DownloadSettings {
            ssl_validation: false,
            ..trusting(other.pem())
        },
        &fake,
        "/f",
    )
    .await
    .unwrap();
    assert_eq!(got, b"secure");
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_its_host_only() {
    let ca = TestCa::new().unwrap();
    let (cert, key) = ca.client("consumer").unwrap();
    let (closed, open) = (
        Fake::start_tls(&ca, true).await.unwrap(),
        Fake::start_tls(&ca, true).await.unwrap(),
    );
    closed.put("/f", "members only");
    closed.fault("/away", Fault::RedirectTo(format!("{}/f", open.url())));
    let upstream = DownloadSettings {
        ssl_ca_cert: Some(ca.pem()),
        ..patient()
    };
    let member = DownloadSettings {
        home: Some(at(&closed, "/")),
        ssl_client_cert: Some(cert),
        ssl_client_key: Some(key.into()),
        ..upstream.clone()
    };
    get(member.clone(), &closed, "/f").await.unwrap();
    assert!(closed.log("/f")[0].client_cert);
    let error = get(upstream, &closed, "/f").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    // The other host insists on a certificate too, and does not get ours.
    let error = get(member, &closed, "/away").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Tls, "{error}");
    assert_eq!(open.total_requests(), 0);
}

#[tokio::test]
async fn a_redirect_never_leaves_https() {
    let ca = TestCa::new().unwrap();
    let (fake, plain) = (
        Fake::start_tls(&ca, false).await.unwrap(),
        fake_with(b"x").await,
    );
    fake.fault("/r", Fault::RedirectTo(format!("{}/f", plain.url())));
    let error = get(
        DownloadSettings {
            ssl_ca_cert: Some(ca.pem()),
            ..patient()
        },
        &fake,
        "/r",
    )
    .await
    .unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
    assert_eq!(plain.total_requests(), 0);
}
