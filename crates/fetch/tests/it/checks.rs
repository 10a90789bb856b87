//! Downloads arrive as they were expected, or are errors.

use std::io;

use bytes::Bytes;
use pith_core::MultiHasher;
use pith_core::digest::Hashed;
use pith_fetch::{ErrorKind, Sink};
use pith_testkit::upstream::Fault;
use tokio_util::sync::CancellationToken;

use crate::*;

#[tokio::test]
async fn a_good_file_comes_with_its_digests_and_headers() {
    let bytes = body(300_000);
    let fake = fake_with(&bytes).await;
    fake.fault(
        "/f",
        Fault::Headers(vec![("Content-Type".into(), "application/x-rpm".into())]),
    );
    let sha1 = Digest::new(Algorithm::Sha1, &"0".repeat(40)).unwrap();
    let wrong = Request {
        expect: vec![sha1],
        ..request(&fake, "/f")
    };
    let ErrorKind::DigestMismatch { actual, .. } = fetch(&session(), wrong).await.unwrap_err().kind
    else {
        panic!("a wrong digest was believed");
    };
    let sha1 = Digest::new(Algorithm::Sha1, &actual).unwrap();
    let expect = vec![sha1.clone(), sha256(&bytes)];
    let request = Request {
        expect,
        expect_size: Some(300_000),
        head_bytes: 96,
        ..Request::new([at(&fake, "/f?x=secret")], MAX)
    };
    let (fetched, got) = fetch(&session(), request).await.unwrap();
    assert!(got == bytes);
    assert_eq!(fetched.hashed.size, 300_000);
    assert!(fetched.hashed.matches(&sha1));
    assert_eq!(fetched.head, &bytes[..96]);
    assert_eq!(fetched.url, at(&fake, "/f"));
    assert_eq!(fetched.content_type.as_deref(), Some("application/x-rpm"));
    assert_eq!(fake.log("/f")[1].header("user-agent"), Some("pulp/2.21"));
    assert_eq!(
        fake.log("/f")[1].header("accept-encoding"),
        Some("identity")
    );
}

#[tokio::test]
async fn wrong_bytes_are_an_error_and_not_asked_for_again() {
    let bytes = body(1000);
    let fake = fake_with(&bytes).await;
    fake.fault("/f", Fault::WrongBytes);
    let request = Request {
        expect: vec![sha256(&bytes)],
        ..request(&fake, "/f")
    };
    let error = fetch(&session(), request).await.unwrap_err();
    assert!(
        matches!(
            error.kind,
            ErrorKind::DigestMismatch {
                algorithm: Algorithm::Sha256,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fake.requests("/f"), 1);
}

#[tokio::test]
async fn a_wrong_size_is_an_error_and_not_asked_for_again() {
    let fake = fake_with(&body(1000)).await;
    for (fault, expected) in [
        (Fault::NoValidators, 999),
        (Fault::NoValidators, 1001),
        (Fault::NoLength, 999),
        (Fault::ContentLength(900), 1000),
    ] {
        fake.clear_faults("/f");
        fake.fault("/f", fault.clone());
        let before = fake.requests("/f");
        let request = Request {
            expect_size: Some(expected),
            ..request(&fake, "/f")
        };
        let error = fetch(&session(), request).await.unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::SizeMismatch { expected: e, .. } if e == expected),
            "{fault:?} {error}"
        );
        assert_eq!(fake.requests("/f"), before + 1);
    }
}

#[tokio::test]
async fn a_size_at_the_limit_is_fine_and_one_byte_more_is_not() {
    let fake = fake_with(&body(1000)).await;
    fake.fault("/f", Fault::NoLength);
    let all = bytes(&session(), at(&fake, "/f"), 1000).await;
    assert_eq!(all.unwrap().len(), 1000);
    let error = bytes(&session(), at(&fake, "/f"), 999).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 999 });
}

#[tokio::test]
async fn compressed_answers_are_passed_on_as_served() {
    let fake = fake_with(b"\x1f\x8bnot even gzip").await;
    fake.fault(
        "/f",
        Fault::Headers(vec![("Content-Encoding".into(), "gzip".into())]),
    );
    let (_, got) = fetch(&session(), request(&fake, "/f")).await.unwrap();
    assert_eq!(got, b"\x1f\x8bnot even gzip");
}

#[tokio::test]
async fn not_modified_to_a_request_without_a_condition_is_an_error() {
    let fake = fake_with(b"one").await;
    fake.fault("/f", Fault::Status(304));
    let error = fetch(&session(), request(&fake, "/f")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Status { status: 304 });
}

/// A sink that works out digests, if `honest`, of what it forgets.
struct Hashing {
    hasher: MultiHasher,
    honest: bool,
}

#[async_trait::async_trait]
impl Sink for Hashing {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.hasher.update(&bytes);
        Ok(())
    }

    fn hashes(&self, algorithms: &[Algorithm]) -> bool {
        algorithms == [Algorithm::Sha256]
    }

    async fn digests(&mut self) -> io::Result<Option<Hashed>> {
        let hasher = std::mem::replace(&mut self.hasher, MultiHasher::new(&[]));
        Ok(self.honest.then(|| hasher.finish()))
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.hasher = MultiHasher::new(&[]);
        Ok(())
    }
}

#[tokio::test]
async fn digests_that_a_sink_works_out_are_held_against_what_was_promised() {
    let bytes = body(300_000);
    let (first, second) = (fake_with(&bytes).await, fake_with(&bytes).await);
    first.fault("/f", Fault::WrongBytes);
    let request = |expect| Request {
        expect,
        ..Request::new([at(&first, "/f"), at(&second, "/f")], MAX)
    };
    let mut sink = Hashing {
        hasher: MultiHasher::new(&[]),
        honest: true,
    };
    let sha256 = sha256(&bytes);
    let got = session()
        .get(request(vec![sha256.clone()]), &mut sink)
        .await;
    let got = got.unwrap();
    assert!(got.hashed.matches(&sha256));
    assert_eq!((got.mirror, got.failed_mirrors.len()), (1, 1));

    // Digests that it does not know are worked out for it.
    let sha1 = Digest::new(Algorithm::Sha1, &"0".repeat(40)).unwrap();
    let refused = session().get(request(vec![sha1]), &mut sink).await;
    assert!(matches!(
        refused.unwrap_err().kind,
        ErrorKind::DigestMismatch { .. }
    ));

    sink.honest = false;
    let failed = session().get(request(vec![sha256]), &mut sink).await;
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Io);
}

struct FullDisk;

#[async_trait::async_trait]
impl Sink for FullDisk {
    async fn write(&mut self, _bytes: Bytes) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    async fn restart(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn our_own_disk_is_not_the_mirrors_fault() {
    let (first, second) = (fake_with(b"one").await, fake_with(b"one").await);
    let request = Request::new([at(&first, "/f"), at(&second, "/f")], MAX);
    let error = session().get(request, &mut FullDisk).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Io);
    assert_eq!((first.requests("/f"), second.requests("/f")), (1, 0));
}

#[tokio::test]
async fn cancelling_stops_a_stalled_download_at_once() {
    let fake = fake_with(&body(1000)).await;
    fake.fault("/f", Fault::StallAfter(10));
    let cancel = CancellationToken::new();
    let fetching = tokio::spawn({
        let (session, request) = (session().with_cancel(cancel.clone()), request(&fake, "/f"));
        async move { fetch(&session, request).await }
    });
    while fake.requests("/f") < 1 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    assert_eq!(
        fetching.await.unwrap().unwrap_err().kind,
        ErrorKind::Cancelled
    );
    while fake.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}
