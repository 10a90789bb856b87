//! Publishing again: what has not changed is taken over, and nobody can tell.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::Ordering;

use pith_content::Config;
use pith_content::publish::Entry;
use pith_core::clock::SignedDuration;
use pith_core::{Digest, MultiHasher, Sha256, Timestamp, UnitId};
use pith_testkit::repos::Spec;
use pith_type_rpm::metadata::compression;
use pith_type_rpm::metadata::repomd::Data;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use crate::fake::{Fake, Stored};
use crate::publish::{repomd, synced};

const DOCUMENTS: [&str; 3] = ["filelists", "other", "primary"];

/// A repository whose packages are copies of a few.
pub struct Zoo {
    _feed: TempDir,
    pub repo: Fake,
    models: Vec<(Sha256, Stored)>,
    made: usize,
}

impl Zoo {
    pub async fn of(packages: usize) -> Self {
        let spec = Spec {
            packages: 4,
            sources: 2,
            errata: 2,
            ..Spec::default()
        };
        let (feed, repo) = synced(&spec, json!({"http": true})).await;
        let mut models: Vec<(Sha256, Stored)> = {
            let state = repo.state.lock();
            let package = |stored: &Stored| ["rpm", "srpm"].contains(&stored.type_id);
            let units = state.units.iter().filter(|(_, stored)| package(stored));
            units.map(|(key, stored)| (*key, stored.clone())).collect()
        };
        models.sort_by_key(|(key, _)| *key);
        let mut zoo = Self {
            _feed: feed,
            repo,
            models,
            made: 0,
        };
        for _ in 0..packages {
            zoo.add(None);
        }
        zoo
    }

    pub fn packages(&self) -> Vec<Sha256> {
        let state = self.repo.state.lock();
        let package = |key: &Sha256| ["rpm", "srpm"].contains(&state.units[key].type_id);
        let mut found: Vec<Sha256> = state.repo.iter().copied().filter(package).collect();
        found.sort_by_key(|key| state.units[key].order);
        found
    }

    /// A new package; `like` has its file name already.
    fn add(&mut self, like: Option<Sha256>) {
        let number = self.made;
        self.made += 1;
        let (_, mut stored) = self.models[number % self.models.len()].clone();
        let state = &mut *self.repo.state.lock();
        let mut name = json!(format!("made-{:04}-1-1.rpm", number * 7919 % 10_000));
        if let Some(like) = like.map(|key| &state.units[&key]) {
            stored.type_id = like.type_id;
            name = like.unit.doc["filename"].clone();
        }
        stored.unit.doc.insert("filename".to_owned(), name);
        let key = Sha256::of(&number.to_le_bytes());
        // Clients know packages by their checksums.
        let checksum = json!({"sha256": key.to_string()});
        stored.unit.doc.insert("checksums".to_owned(), checksum);
        // Each has a file of its own.
        let mut blobs = self.repo.blobs.lock();
        if let Some(bytes) = stored.unit.blob.and_then(|blob| blobs.get(&blob).cloned()) {
            blobs.insert(key, bytes);
            stored.unit.blob = Some(key);
        }
        drop(blobs);
        stored.unit.id = UnitId::new();
        stored.unit.updated = self.repo_time();
        stored.order = 1000 + number;
        state.units.insert(key, stored);
        state.repo.insert(key);
    }

    fn repo_time(&self) -> Timestamp {
        pith_core::Clock::now(&*self.repo.clock)
    }

    pub fn remove(&mut self, key: Sha256) {
        self.repo.state.lock().repo.remove(&key);
    }

    /// Another document and other snippets, and the association stays.
    fn replace(&mut self, key: Sha256, by: usize) {
        let (_, model) = self.models[by % self.models.len()].clone();
        let now = self.repo_time();
        let state = &mut *self.repo.state.lock();
        if let Some(stored) = state.units.get_mut(&key) {
            stored.parts = model.parts;
            stored.unit.changed = now;
        }
    }

    /// A file that was here is not, or the other way round.
    fn defer(&mut self, key: Sha256) {
        let state = &mut *self.repo.state.lock();
        if let Some(stored) = state.units.get_mut(&key) {
            std::mem::swap(&mut stored.unit.blob, &mut stored.unit.promised);
        }
    }

    /// Publishes; answers how many packages were read whole.
    pub async fn publish(&self) -> usize {
        self.repo.picked.store(0, Ordering::Relaxed);
        self.repo.publish().await.unwrap();
        self.repo.picked.load(Ordering::Relaxed)
    }

    /// Returns what a client sees: digest of each document, and every path outside of `repodata/`.
    fn seen(&self) -> (BTreeMap<String, Data>, BTreeMap<String, (Entry, Timestamp)>) {
        let listed = repomd(&self.repo).data.into_iter().map(|mut data| {
            data.timestamp = None;
            (data.kind.clone(), data)
        });
        let served = self.repo.state.lock().served.clone();
        let paths = served.into_iter();
        (
            listed.collect(),
            paths.filter(|(p, _)| !p.starts_with("repodata/")).collect(),
        )
    }

    /// A publish of everything would look the same, and what repomd.xml says is true.
    async fn check(&mut self) {
        let seen = self.seen();
        for kind in DOCUMENTS {
            let data = &seen.0[kind];
            let entry = self.repo.state.lock().served[data.href.as_str()].0.clone();
            let packed = self.repo.bytes(&entry);
            let mut open = Vec::new();
            compression::open(std::io::Cursor::new(packed.clone()), 1 << 30)
                .unwrap()
                .read_to_end(&mut open)
                .unwrap();
            let hex = |bytes: &[u8], digest: &Digest| {
                let mut hasher = MultiHasher::new(&[digest.algorithm()]);
                hasher.update(bytes);
                hasher.finish().hex(digest.algorithm()).unwrap()
            };
            let (checksum, open_checksum) = (&data.checksum, &data.open_checksum);
            let (checksum, open_checksum) =
                (checksum.as_ref().unwrap(), open_checksum.as_ref().unwrap());
            assert_eq!(checksum.hex(), hex(&packed, checksum));
            assert_eq!(open_checksum.hex(), hex(&open, open_checksum));
            assert_eq!(data.size, Some(packed.len() as u64));
            assert_eq!(data.open_size, Some(open.len() as u64));
        }
        let served = self.repo.state.lock().served.clone();
        let config = self.config("force_full", &json!(true));
        let total = self.publish().await;
        assert!(total >= seen.1.len(), "force_full reads everything");
        // To the byte: a chunk that is taken over is what would have been written.
        assert_eq!(seen, self.seen());
        self.repo.config = config;
        self.repo.state.lock().served = served;
    }

    /// Sets a value of the distributor; answers the configuration before.
    fn config(&mut self, key: &str, value: &serde_json::Value) -> Config {
        let config = json!({"http": true, key: value});
        let config = Config::new(serde_json::from_value(config).unwrap());
        std::mem::replace(&mut self.repo.config, config)
    }

    /// The blob of a document.
    fn document(&self, kind: &str) -> Sha256 {
        let href = self.seen().0[kind].href.to_string();
        match self.repo.state.lock().served[&href].0 {
            Entry::Blob { sha256, .. } => sha256,
            _ => panic!("{kind} is no blob"),
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Add(usize),
    Duplicate(prop::sample::Index),
    Remove(prop::sample::Index),
    Replace(prop::sample::Index, usize),
    Defer(prop::sample::Index),
    RemoveAll,
}

fn op() -> impl Strategy<Value = Op> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        6 => (1..4usize).prop_map(Op::Add),
        3 => index().prop_map(Op::Duplicate),
        6 => index().prop_map(Op::Remove),
        3 => (index(), 0..9usize).prop_map(|(at, by)| Op::Replace(at, by)),
        3 => index().prop_map(Op::Defer),
        1 => Just(Op::RemoveAll),
    ]
}

fn apply(zoo: &mut Zoo, op: &Op) {
    let packages = zoo.packages();
    let at = |index: &prop::sample::Index| {
        (!packages.is_empty()).then(|| packages[index.index(packages.len())])
    };
    match op {
        Op::Add(count) => (0..*count).for_each(|_| zoo.add(None)),
        Op::Duplicate(index) => zoo.add(at(index)),
        Op::Remove(index) => at(index).into_iter().for_each(|key| zoo.remove(key)),
        Op::Replace(index, by) => at(index).into_iter().for_each(|key| zoo.replace(key, *by)),
        Op::Defer(index) => at(index).into_iter().for_each(|key| zoo.defer(key)),
        Op::RemoveAll => packages.iter().for_each(|key| zoo.remove(*key)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn a_publication_after_any_changes_is_the_one_that_a_full_publish_makes(
        start in prop_oneof![Just(0usize), 300..700usize],
        steps in proptest::collection::vec(proptest::collection::vec(op(), 0..4), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut zoo = Zoo::of(start).await;
            zoo.publish().await;
            zoo.check().await;
            for ops in &steps {
                zoo.repo.clock.advance(SignedDuration::from_secs(1));
                ops.iter().for_each(|op| apply(&mut zoo, op));
                zoo.publish().await;
                zoo.check().await;
            }
        });
    }
}

#[tokio::test]
async fn one_change_costs_what_one_chunk_costs() {
    let mut zoo = Zoo::of(2000).await;
    let all = zoo.packages().len();
    assert_eq!(zoo.publish().await, all);
    assert_eq!(zoo.publish().await, 0, "nothing changed, nothing is read");
    let gone = zoo.packages()[700];
    zoo.remove(gone);
    let read = zoo.publish().await;
    assert!(read < 1100, "{read} of {all}");
    zoo.check().await;
    // A package that shares its file name stands in a chunk of its own.
    let first = zoo.packages()[3];
    zoo.add(Some(first));
    assert!(zoo.publish().await < 1100);
    zoo.check().await;
}

#[tokio::test]
async fn everything_is_written_anew_when_somebody_asks_or_settings_change() {
    let mut zoo = Zoo::of(300).await;
    let all = zoo.packages().len();
    zoo.publish().await;
    zoo.config("force_full", &json!(true));
    assert_eq!(zoo.publish().await, all);
    zoo.config("checksum_type", &json!("sha512"));
    assert_eq!(zoo.publish().await, all);
    assert_eq!(zoo.publish().await, 0);
    let algorithm = zoo.seen().0["primary"].checksum.clone().unwrap();
    assert_eq!(algorithm.algorithm(), pith_core::Algorithm::Sha512);
}

#[tokio::test]
async fn a_document_that_was_damaged_or_lost_is_written_anew() {
    let mut zoo = Zoo::of(600).await;
    let all = zoo.packages().len();
    zoo.publish().await;
    let right = zoo.seen();
    for kind in DOCUMENTS {
        let blob = zoo.document(kind);
        let bytes = zoo.repo.blobs.lock()[&blob].clone();
        let mut rotten = bytes.clone();
        rotten[bytes.len() / 2] ^= 4;
        let mut plain = gzip(b"<metadata/>");
        plain.resize(bytes.len(), 0);
        let cut = bytes[..bytes.len() - 100].to_vec();
        for damaged in [Some(rotten), Some(plain), Some(cut), Some(Vec::new()), None] {
            let blobs = || zoo.repo.blobs.lock();
            match damaged {
                Some(damaged) => drop(blobs().insert(blob, damaged)),
                None => drop(blobs().remove(&blob)),
            }
            assert_eq!(zoo.publish().await, all, "{kind}");
            assert_eq!(zoo.seen(), right);
            assert_eq!(zoo.repo.blobs.lock()[&blob], bytes);
        }
    }
    zoo.check().await;
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text).unwrap();
    gzip.finish().unwrap()
}
