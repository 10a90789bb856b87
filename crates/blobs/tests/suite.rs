//! One suite for every place that blobs may lie in: a folder, S3.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use pith_blobs::{Blobs, Error, IndexEntry, Publication, PublicationBuilder, StorageUrl};
use pith_core::{Algorithm, RelativePath, Sha256};
use pith_testkit::s3::{S3, start};
use uuid::Uuid;

struct Place {
    blobs: Blobs,
    data: tempfile::TempDir,
    _s3: Option<S3>,
}

async fn local() -> Place {
    let data = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&StorageUrl::default_in(data.path()), data.path())
        .await
        .unwrap();
    Place {
        blobs,
        data,
        _s3: None,
    }
}

async fn s3() -> Place {
    let data = tempfile::tempdir().unwrap();
    let server = start().await.unwrap();
    let blobs = Blobs::open(
        &server.storage_url("some/prefix").parse().unwrap(),
        data.path(),
    )
    .await
    .unwrap();
    Place {
        blobs,
        data,
        _s3: Some(server),
    }
}

/// Each test becomes two.
macro_rules! everywhere {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $(async fn $name($place: Place) $body)*
        everywhere!(@in local: $($name)*);
        everywhere!(@in s3: $($name)*);
    };
    (@in $kind:ident: $($name:ident)*) => {
        mod $kind {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::$kind().await).await;
            })*
        }
    };
}

fn pattern(size: usize) -> Bytes {
    (0..size)
        .map(|i| (i % 251) as u8 ^ (i >> 13) as u8)
        .collect()
}

async fn whole(
    blobs: &Blobs,
    sha256: Sha256,
    range: Option<std::ops::Range<u64>>,
) -> pith_blobs::Result<Vec<u8>> {
    blobs
        .read(sha256, range)
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

impl Place {
    /// Files in the spool: there must be none when nobody writes.
    fn scratch_files(&self) -> usize {
        let spools = [
            self.data.path().join("blobs/spool"),
            self.data.path().join("spool"),
        ];
        spools
            .iter()
            .filter_map(|spool| std::fs::read_dir(spool).ok())
            .flatten()
            .count()
    }
}

everywhere! {
    async fn what_was_written_is_read_back_whole_and_in_parts(place: Place) {
        let blobs = &place.blobs;
        for size in [0, 1, 4096, 262_144, 262_145, 3_000_000, 20_000_000] {
            let bytes = pattern(size);
            let mut writer = blobs.writer(&[Algorithm::Sha1]);
            for (number, piece) in bytes.chunks(70_001).enumerate() {
                if number % 2 == 0 {
                    writer.write(piece).await.unwrap();
                } else {
                    writer.write_bytes(Bytes::copy_from_slice(piece)).await.unwrap();
                }
            }
            let stored = writer.finish().await.unwrap();
            assert_eq!(stored.sha256, Sha256::of(&bytes));
            assert_eq!(stored.size, size as u64);
            assert!(stored.hex(Algorithm::Sha1).is_some());
            assert_eq!(blobs.size(stored.sha256).await.unwrap(), Some(size as u64));
            assert!(blobs.contains(stored.sha256).await.unwrap());
            assert!(whole(blobs, stored.sha256, None).await.unwrap() == bytes);
            let end = size as u64;
            for range in [0..1, end / 2..end, end.saturating_sub(1)..end + 10, 5..5, end..end + 1, end + 5..end + 9] {
                let from = range.start.min(end) as usize;
                let expected = &bytes[from..from.max(range.end.min(end) as usize)];
                assert!(whole(blobs, stored.sha256, Some(range.clone())).await.unwrap() == expected, "{range:?} of {size}");
            }
        }
        assert_eq!(place.scratch_files(), 0);
    }

    async fn the_blocking_writer_makes_the_same_blobs(place: Place) {
        let blobs = place.blobs.clone();
        let bytes = pattern(9_000_000);
        let expected = bytes.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let mut writer = blobs.sync_writer(&[]);
            writer.write_all(&bytes[..10]).unwrap();
            writer.write_all(&bytes[10..1_000_000]).unwrap();
            bytes[1_000_000..].chunks(1000).for_each(|piece| writer.write_all(piece).unwrap());
            writer.finish().unwrap()
        });
        let sha256 = stored.await.unwrap().sha256;
        assert_eq!(sha256, Sha256::of(&expected));
        assert!(whole(&place.blobs, sha256, None).await.unwrap() == expected);
        assert_eq!(place.scratch_files(), 0);
    }

    async fn a_writer_that_is_dropped_leaves_nothing(place: Place) {
        let mut writer = place.blobs.writer(&[]);
        writer.write_bytes(pattern(2_000_000)).await.unwrap();
        drop(writer);
        let blobs = place.blobs.clone();
        tokio::task::spawn_blocking(move || blobs.sync_writer(&[]).write_all(&pattern(2_000_000)).unwrap()).await.unwrap();
        assert!(place.blobs.list().next().await.is_none());
        // The last chunk may still be on its way to a scratch file, which goes away with it.
        while place.scratch_files() > 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn a_writer_tells_its_digests_before_the_blob_has_a_name(place: Place) {
        for size in [0, 1000, 262_144, 1_000_000] {
            let bytes = pattern(size);
            let sha256 = Sha256::of(&bytes);
            let write = async || {
                let mut writer = place.blobs.writer(&[Algorithm::Md5]);
                writer.write(&bytes).await.unwrap();
                let told = writer.whole().await.unwrap().clone();
                assert_eq!((told.sha256, told.size), (sha256, size as u64));
                assert!(told.hex(Algorithm::Md5).is_some());
                assert!(writer.write(b"more").await.is_err());
                (writer, told)
            };
            drop(write().await);
            assert!(whole(&place.blobs, sha256, None).await.is_err(), "{size}");
            assert_eq!(place.scratch_files(), 0, "{size}");
            let (mut writer, told) = write().await;
            assert_eq!(*writer.whole().await.unwrap(), told);
            assert_eq!(writer.finish().await.unwrap(), told);
            assert!(whole(&place.blobs, sha256, None).await.unwrap() == bytes, "{size}");
        }
    }

    async fn the_same_bytes_are_one_blob(place: Place) {
        let blobs = &place.blobs;
        let stores = (0..16).map(|number| blobs.put(pattern(number % 4)));
        futures::future::try_join_all(stores).await.unwrap();
        blobs.durable().await.unwrap();
        let mut listed: Vec<_> = blobs.list().try_collect().await.unwrap();
        listed.sort_by_key(|blob| blob.size);
        assert_eq!(listed.iter().map(|blob| blob.size).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(listed[3].sha256, Sha256::of(&pattern(3)));
    }

    async fn what_is_missing_is_said_to_be(place: Place) {
        let (blobs, nobody) = (&place.blobs, Sha256::of(b"nobody"));
        assert_eq!(blobs.size(nobody).await.unwrap(), None);
        assert!(!blobs.contains(nobody).await.unwrap());
        assert!(!blobs.delete(nobody).await.unwrap());
        assert!(matches!(whole(blobs, nobody, None).await, Err(Error::Missing(_))));
        assert!(matches!(whole(blobs, nobody, Some(5..9)).await, Err(Error::Missing(_))));
        assert!(matches!(Publication::open(blobs, nobody).await, Err(Error::Missing(_))));
    }

    async fn a_deleted_blob_is_gone(place: Place) {
        let blobs = &place.blobs;
        let sha256 = blobs.put(pattern(10)).await.unwrap().sha256;
        assert!(blobs.delete(sha256).await.unwrap());
        assert!(!blobs.contains(sha256).await.unwrap());
        assert!(!blobs.delete(sha256).await.unwrap());
    }

    async fn read_all_takes_small_blobs_only(place: Place) {
        let sha256 = place.blobs.put(pattern(1000)).await.unwrap().sha256;
        assert_eq!(place.blobs.read_all(sha256, 1000).await.unwrap(), pattern(1000));
        assert!(matches!(place.blobs.read_all(sha256, 999).await, Err(Error::TooLarge { limit: 999, .. })));
    }

    async fn a_scratch_file_becomes_a_blob_or_goes_away(place: Place) {
        let mut spool = place.blobs.spool().unwrap();
        spool.write_all(&pattern(300_000)).unwrap();
        assert!(spool.path().exists());
        let stored = place.blobs.keep(spool, &[Algorithm::Md5]).await.unwrap();
        assert_eq!(stored.sha256, Sha256::of(&pattern(300_000)));
        assert!(stored.hex(Algorithm::Md5).is_some());
        assert!(whole(&place.blobs, stored.sha256, None).await.unwrap() == pattern(300_000));
        drop(place.blobs.spool().unwrap());
        assert_eq!(place.scratch_files(), 0);
    }

    async fn scratch_files_of_a_killed_process_are_swept(place: Place) {
        std::mem::forget(place.blobs.spool().unwrap());
        assert_eq!(place.blobs.sweep_spool(Duration::from_secs(3600)).await.unwrap(), 0);
        assert_eq!(place.blobs.sweep_spool(Duration::ZERO).await.unwrap(), 1);
        assert_eq!(place.scratch_files(), 0);
    }

    async fn uploads_come_in_any_order_and_become_blobs(place: Place) {
        let uploads = place.blobs.uploads();
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        uploads.create(id).await.unwrap();
        uploads.create(other).await.unwrap();
        let bytes = pattern(700_000);
        let pieces = |from: usize, to: usize| {
            let pieces: Vec<_> = bytes[from..to].chunks(10_000).map(Bytes::copy_from_slice).map(Ok::<_, Error>).collect();
            stream::iter(pieces)
        };
        assert_eq!(uploads.write_at(id, 300_000, pieces(300_000, 700_000), 700_000).await.unwrap(), 400_000);
        assert_eq!(uploads.len(id).await.unwrap(), Some(700_000));
        // Again and across: what came last counts, and a repeat changes nothing.
        for (from, to) in [(0, 1_000), (0, 300_000), (0, 300_000), (200_000, 400_000)] {
            let written = uploads.write_at(id, from as u64, pieces(from, to), 700_000).await.unwrap();
            assert_eq!(written, (to - from) as u64);
        }
        assert_eq!(uploads.list().await.unwrap(), [id, other]);
        assert_eq!(uploads.open(id).await.unwrap().metadata().unwrap().len(), 700_000);
        let mut kept = Vec::new();
        uploads.open(id).await.unwrap().read_to_end(&mut kept).unwrap();
        assert!(kept == bytes);
        assert!(uploads.delete(id).await.unwrap() && uploads.delete(other).await.unwrap());
        assert!(!uploads.delete(other).await.unwrap());
        assert!(uploads.list().await.unwrap().is_empty());
    }

    async fn uploads_that_are_too_large_or_unknown_or_break_off_are_refused(place: Place) {
        let uploads = place.blobs.uploads();
        let (id, nobody) = (Uuid::from_u128(1), Uuid::from_u128(2));
        uploads.create(id).await.unwrap();
        let ten = || stream::iter([Ok::<_, Error>(pattern(10))]);
        assert!(matches!(uploads.write_at(id, 5, ten(), 14).await, Err(Error::UploadTooLarge { limit: 14 })));
        assert!(matches!(uploads.write_at(id, u64::MAX, ten(), 14).await, Err(Error::UploadTooLarge { .. })));
        assert!(matches!(uploads.write_at(nobody, 0, ten(), 14).await, Err(Error::NoUpload(_))));
        assert!(matches!(uploads.open(nobody).await, Err(Error::NoUpload(_))));
        assert_eq!(uploads.len(nobody).await.unwrap(), None);
        let broken = stream::iter([Ok(pattern(10)), Err("the client went away")]);
        assert!(matches!(uploads.write_at(id, 0, broken, 100).await, Err(Error::Incoming(_))));
    }

    async fn a_publication_is_built_and_opened(place: Place) {
        let mut builder = PublicationBuilder::new(&place.blobs);
        for number in (0..1000).rev() {
            let path = RelativePath::new(format!("Packages/p/{number}.rpm")).unwrap();
            builder.add(path, IndexEntry::blob(Sha256::of(&pattern(number)), number as u64, 7)).unwrap();
        }
        let stored = builder.finish().await.unwrap();
        // Twice: an object store answers the second time from its cache.
        for _ in 0..2 {
            let index = Publication::open(&place.blobs, stored.sha256).await.unwrap();
            assert_eq!(index.len(), 1000);
            assert_eq!(index.get("Packages/p/77.rpm").unwrap().unwrap().size, 77);
            assert_eq!(index.list("Packages").count(), 1);
            assert_eq!(index.list("Packages/p").count(), 1000);
        }
        assert_eq!(place.scratch_files(), 0);
    }
}

#[tokio::test]
async fn an_index_damaged_in_the_object_store_is_not_cached() {
    let data = tempfile::tempdir().unwrap();
    let server = start().await.unwrap();
    let blobs = Blobs::open(&server.storage_url("").parse().unwrap(), data.path())
        .await
        .unwrap();
    let stored = PublicationBuilder::new(&blobs).finish().await.unwrap();
    let object = server
        .bucket_folder()
        .join(pith_blobs::paths::blob(&stored.sha256));
    let sound = std::fs::read(&object).unwrap();
    let mut damaged = sound.clone();
    damaged[10] ^= 1;
    std::fs::write(&object, &damaged).unwrap();
    assert!(matches!(
        Publication::open(&blobs, stored.sha256).await,
        Err(Error::Damaged { .. })
    ));
    std::fs::write(&object, &sound).unwrap();
    assert!(
        Publication::open(&blobs, stored.sha256)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn local_blobs_can_be_opened_in_place() {
    let place = local().await;
    let sha256 = place.blobs.put(pattern(10)).await.unwrap().sha256;
    assert_eq!(
        place
            .blobs
            .open_local(sha256)
            .unwrap()
            .unwrap()
            .metadata()
            .unwrap()
            .len(),
        10
    );
    assert!(matches!(
        place.blobs.open_local(Sha256::of(b"nobody")),
        Err(Error::Missing(_))
    ));
    assert!(s3().await.blobs.open_local(sha256).unwrap().is_none());
}
