//! Readers of a flight, whatever the attempts before the good one bring.

use std::sync::Arc;

use bytes::Bytes;
use pith_blobs::{Blobs, StorageUrl};
use pith_core::MultiHasher;
use pith_fetch::Sink;
use proptest::prelude::*;

use super::flight::{Flight, Started, read};
use super::sink::FlightSink;
use super::unavailable::Unavailable;

/// An attempt: how many bytes it brings, and which of them is wrong.
#[derive(Debug, Clone)]
struct Attempt {
    bytes: usize,
    wrong: Option<usize>,
}

fn truth(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

async fn bring(sink: &mut FlightSink<'_>, size: usize, attempt: &Attempt) {
    let mut bytes = truth(size);
    bytes.truncate(attempt.bytes);
    if let Some(byte) = attempt.wrong.and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1;
    }
    sink.begin(Some(size as u64)).await.unwrap();
    for chunk in bytes.chunks(7) {
        sink.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        // Readers get their turn.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }
}

async fn follow(flight: Arc<Flight>, start: u64, end: u64) -> Result<Vec<u8>, Unavailable> {
    flight.started().await?;
    let mut reader = read(flight, start..end);
    let mut all = Vec::new();
    // Pieces of every size that there may be room for.
    for most in (1..=64).cycle() {
        let piece = reader.next(most).await?;
        if piece.is_empty() {
            break;
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// Returns what each reader got: one for each range.
async fn fly(
    size: usize,
    attempts: &[Attempt],
    ranges: &[(u64, u64)],
    ends_well: bool,
) -> Vec<Result<Vec<u8>, Unavailable>> {
    let folder = tempfile::tempdir().unwrap();
    let storage = StorageUrl::default_in(folder.path());
    let blobs = Blobs::open(&storage, folder.path()).await.unwrap();
    let flight = Arc::new(Flight::default());
    let readers: Vec<_> = ranges
        .iter()
        .map(|(start, end)| tokio::spawn(follow(Arc::clone(&flight), *start, *end)))
        .collect();
    let mut sink = FlightSink::new(&blobs, &flight);
    for attempt in attempts {
        bring(&mut sink, size, attempt).await;
        sink.restart().await.unwrap();
    }
    if ends_well {
        let all = Attempt {
            bytes: size,
            wrong: None,
        };
        bring(&mut sink, size, &all).await;
        let mut hasher = MultiHasher::new(&[]);
        hasher.update(&truth(size));
        let hashed = hasher.finish();
        flight.verify(hashed.clone());
        let spool = sink.finish(hashed.size).unwrap();
        assert_eq!(std::fs::read(spool.path()).unwrap(), truth(size));
        flight.land(Ok(hashed));
    } else {
        flight.land(Err(Unavailable::NotFound("gone".to_owned())));
    }
    let mut results = Vec::new();
    for reader in readers {
        results.push(reader.await.unwrap());
    }
    results
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reader_gets_the_truth_or_an_error(
        size in 1usize..200,
        attempts in proptest::collection::vec((0usize..200, proptest::option::of(0usize..200)), 0..4),
        ranges in proptest::collection::vec((0u64..200, 1u64..200), 1..6),
        ends_well: bool,
    ) {
        let attempts: Vec<Attempt> = attempts
            .into_iter()
            .map(|(bytes, wrong)| Attempt { bytes: bytes.min(size), wrong })
            .collect();
        let ranges: Vec<(u64, u64)> = ranges
            .into_iter()
            .map(|(start, length)| {
                let start = start.min(size as u64 - 1);
                (start, (start + length).min(size as u64))
            })
            .collect();
        let honest = attempts.iter().all(|attempt| attempt.wrong.is_none_or(|at| at >= attempt.bytes));
        let results = run(fly(size, &attempts, &ranges, ends_well));
        for (result, (start, end)) in results.into_iter().zip(&ranges) {
            let range = usize::try_from(*start).unwrap()..usize::try_from(*end).unwrap();
            match result {
                Ok(bytes) => {
                    prop_assert!(ends_well, "nothing unverified may end well");
                    prop_assert_eq!(&bytes, &truth(size)[range]);
                }
                Err(_) => prop_assert!(!(ends_well && honest), "an honest upstream that broke off is no failure"),
            }
        }
    }
}

#[test]
fn a_reader_that_comes_late_gets_everything() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let storage = StorageUrl::default_in(folder.path());
        let blobs = Blobs::open(&storage, folder.path()).await.unwrap();
        let flight = Arc::new(Flight::default());
        let mut sink = FlightSink::new(&blobs, &flight);
        let all = Attempt {
            bytes: 100,
            wrong: None,
        };
        bring(&mut sink, 100, &all).await;
        let mut hasher = MultiHasher::new(&[]);
        hasher.update(&truth(100));
        let hashed = hasher.finish();
        flight.verify(hashed.clone());
        // Kept under another name or removed: who reads has it open.
        drop(sink.finish(100).unwrap());
        flight.land(Ok(hashed));
        assert!(matches!(flight.started().await, Ok(Started::Coming(100))));
        assert_eq!(follow(flight, 0, 100).await.unwrap(), truth(100));
    });
}

#[test]
fn only_the_first_end_counts() {
    run(async {
        let flight = Flight::default();
        flight.land(Err(Unavailable::Busy("first".to_owned())));
        flight.land(Err(Unavailable::NotFound("second".to_owned())));
        assert_eq!(flight.stored().await.unwrap_err().status(), 503);
    });
}
