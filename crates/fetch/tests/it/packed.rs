//! Bodies that a server packs (`Content-Encoding`) though nobody asked for that.

use pith_fetch::ErrorKind;
use pith_testkit::repos::Compression;
use pith_testkit::upstream::Fault;

use crate::*;

/// The promises about `bytes` at `path`.
fn promised(fake: &Fake, path: &str, bytes: &[u8]) -> Request {
    Request {
        expect_size: Some(bytes.len() as u64),
        expect: vec![sha256(bytes)],
        head_bytes: 4,
        ..request(fake, path)
    }
}

#[tokio::test]
async fn a_packed_body_is_unpacked_whether_or_not_something_is_promised() {
    let bytes = body(300_000);
    for fault in [
        Fault::Packed("gzip"),
        Fault::PackedNoLength("gzip"),
        Fault::Packed("zstd"),
        Fault::PackedNoLength("zstd"),
    ] {
        let fake = fake_with(&bytes).await;
        fake.fault("/f", fault.clone());
        for request in [promised(&fake, "/f", &bytes), request(&fake, "/f")] {
            let (fetched, got) = fetch(&session(), request).await.unwrap();
            assert!(got == bytes && fetched.unpacked, "{fault:?}");
        }
        assert_eq!(fake.requests("/f"), 2, "{fault:?}: once each");
    }
}

#[tokio::test]
async fn a_file_that_is_packed_itself_stays_packed() {
    let packed = Compression::Gz.compress(&body(300_000)).unwrap();
    let header = vec![("Content-Encoding".to_owned(), "gzip".to_owned())];
    let fake = Fake::start().await.unwrap();
    // However it is named: where the name misleads, the digest does not.
    for path in ["/f.xml.gz", "/f"] {
        fake.put(path, packed.clone());
        fake.fault(path, Fault::Headers(header.clone()));
        let without_size = Request {
            expect_size: None,
            ..promised(&fake, path, &packed)
        };
        for request in [promised(&fake, path, &packed), without_size] {
            let (fetched, got) = fetch(&session(), request).await.unwrap();
            assert!(got == packed && !fetched.unpacked, "{path}");
        }
    }
    // Packed twice, it is unpacked once.
    fake.clear_faults("/f.xml.gz");
    fake.fault("/f.xml.gz", Fault::PackedNoLength("gzip"));
    let (fetched, got) = fetch(&session(), promised(&fake, "/f.xml.gz", &packed))
        .await
        .unwrap();
    assert!(got == packed && fetched.unpacked);
}

#[tokio::test]
async fn a_header_without_packing_does_no_harm() {
    let fake = fake_with(b"<repomd/>").await;
    let header = vec![("Content-Encoding".to_owned(), "gzip".to_owned())];
    fake.fault("/f", Fault::Headers(header));
    let (fetched, got) = fetch(&session(), request(&fake, "/f")).await.unwrap();
    assert_eq!(
        (got.as_slice(), fetched.unpacked),
        (&b"<repomd/>"[..], false)
    );
}

#[tokio::test]
async fn a_body_that_unpacks_to_more_than_the_limit_is_refused() {
    let fake = fake_with(&vec![0; 20 << 20]).await;
    fake.fault("/f", Fault::Packed("gzip"));
    let error = fetch(&session(), promised(&fake, "/f", b"small")).await;
    assert!(error.is_err());
    let limited = Request {
        expect: vec![sha256(b"?")],
        ..request(&fake, "/f")
    };
    let error = fetch(&session(), limited).await.unwrap_err();
    assert!(
        matches!(
            error.kind,
            ErrorKind::TooLarge { .. } | ErrorKind::DigestMismatch { .. }
        ),
        "{error}"
    );
}
