use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pith_core::{RelativePath, Sha256};
use proptest::prelude::*;

use super::*;
use crate::{Blobs, Error, Result, StorageUrl};

struct Place {
    blobs: Blobs,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let blobs = runtime
        .block_on(Blobs::open(
            &StorageUrl::default_in(folder.path()),
            folder.path(),
        ))
        .unwrap();
    Place {
        blobs,
        runtime,
        _folder: folder,
    }
}

fn path(text: &str) -> RelativePath {
    RelativePath::new(text).unwrap()
}

impl Place {
    fn build<'a>(
        &self,
        run_size: usize,
        entries: impl IntoIterator<Item = (&'a str, IndexEntry)>,
    ) -> Result<Publication> {
        let mut builder = PublicationBuilder::with_run_size(&self.blobs, run_size);
        for (name, entry) in entries {
            builder.add(path(name), entry)?;
        }
        let stored = builder.finish_blocking()?;
        self.runtime
            .block_on(Publication::open(&self.blobs, stored.sha256))
    }
}

fn some_entry() -> impl Strategy<Value = IndexEntry> {
    let kind = prop_oneof![
        any::<[u8; 32]>().prop_map(|sha256| EntryKind::Blob(Sha256(sha256))),
        (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u64>()).prop_map(|(sha256, blob, offset)| {
            EntryKind::Slice(Slice {
                sha256: Sha256(sha256),
                blob: Sha256(blob),
                offset,
            })
        }),
        proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| EntryKind::Inline(bytes.into())),
        (any::<[u8; 16]>(), any::<Option<[u8; 32]>>()).prop_map(|(id, sha256)| EntryKind::Source {
            id,
            sha256: sha256.map(Sha256)
        }),
        "[a-z:/]{0,40}".prop_map(EntryKind::Redirect),
    ];
    (
        kind,
        any::<u64>(),
        any::<i64>(),
        proptest::option::of("[a-z]{1,5}/[a-z]{1,5}"),
    )
        .prop_map(|(kind, size, mtime, headers)| IndexEntry {
            kind,
            size,
            mtime,
            headers,
        })
}

/// Few names, so that directories fill up and names that sort oddly around `/` meet.
fn some_paths() -> impl Strategy<Value = BTreeMap<String, IndexEntry>> {
    let segment = prop_oneof!["[ab]", "[ab][-.0~ü ]?[ab]?"];
    let path = proptest::collection::vec(segment, 1..4).prop_map(|segments| segments.join("/"));
    proptest::collection::btree_map(
        path.prop_filter("safe", |path| RelativePath::new(path.as_str()).is_ok()),
        some_entry(),
        0..40,
    )
    .prop_map(|mut map| {
        let all: Vec<String> = map.keys().cloned().collect();
        map.retain(|path, _| {
            !all.iter()
                .any(|other| other.starts_with(&format!("{path}/")))
        });
        map
    })
}

/// Returns what a directory listing shows, from the model.
fn children(model: &BTreeMap<String, IndexEntry>, dir: &str) -> Vec<(String, bool, u64)> {
    let prefix = if dir.is_empty() {
        String::new()
    } else {
        format!("{dir}/")
    };
    let found = model.iter().filter_map(|(path, entry)| {
        let rest = path.strip_prefix(&prefix)?;
        Some(match rest.split_once('/') {
            Some((name, _)) => (name.to_owned(), true, 0),
            None => (rest.to_owned(), false, entry.size),
        })
    });
    found.collect::<BTreeSet<_>>().into_iter().collect()
}

fn listed(index: &Publication, dir: &str) -> Vec<(String, bool, u64)> {
    index
        .list(dir)
        .map(|child| child.map(|c| (c.name.to_owned(), c.is_dir, c.size)))
        .collect::<Result<_>>()
        .unwrap()
}

/// Looks at everything; errors are fine, panics are not.
fn poke(bytes: Bytes) {
    let Ok(index) = Publication::from_bytes(bytes) else {
        return;
    };
    for probe in ["", "a", "a/b", "b-a", "zz"] {
        let _ = index
            .get(probe)
            .map(|entry| entry.map(|entry| index.inline(&entry)));
        let _ = index.is_dir(probe);
        index.list(probe).take(1000).for_each(drop);
    }
    index.iter().take(1000).for_each(drop);
    if index.len() < 1000 {
        let _ = index.left_out_by(&index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_index_answers_like_a_sorted_map(model in some_paths(), run_size in prop_oneof![Just(1), Just(300), Just(1 << 20)]) {
        let index = place().build(run_size, model.iter().map(|(path, entry)| (path.as_str(), entry.clone()))).unwrap();
        prop_assert_eq!(index.len(), model.len() as u64);
        let mut expected: Vec<(&String, &IndexEntry)> = model.iter().collect();
        expected.sort_by_key(|(path, _)| path.split('/').collect::<Vec<_>>());
        for (found, (path, entry)) in index.iter().zip(&expected) {
            let found = found.unwrap();
            prop_assert_eq!(found.path, path.as_str());
            prop_assert_eq!(&found.to_entry(), *entry);
        }
        let mut dirs: BTreeSet<String> = BTreeSet::from([String::new(), "nowhere".to_owned()]);
        for path in model.keys() {
            prop_assert_eq!(&index.get(path).unwrap().unwrap().to_entry(), &model[path]);
            dirs.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
            dirs.insert(path.clone());
        }
        for prefix in dirs.iter().flat_map(|dir| [dir.clone(), format!("{dir}/"), dir.chars().take(2).collect()]) {
            let below: Vec<&str> = index.below(&prefix).map(|entry| entry.unwrap().path).collect();
            let expected = expected.iter().map(|(path, _)| path.as_str());
            prop_assert_eq!(below, expected.filter(|path| path.starts_with(&prefix)).collect::<Vec<_>>());
        }
        for dir in dirs {
            let expected = children(&model, &dir);
            prop_assert_eq!(index.is_dir(&dir).unwrap(), dir.is_empty() || !expected.is_empty());
            prop_assert_eq!(listed(&index, &dir), expected);
            prop_assert!(model.contains_key(&dir) || index.get(&dir).unwrap().is_none());
        }
    }

    #[test]
    fn what_a_newer_index_leaves_out_is_the_difference_of_their_paths(before in some_paths(), newer in some_paths()) {
        let place = place();
        let build = |model: &BTreeMap<String, IndexEntry>| {
            place.build(300, model.iter().map(|(path, entry)| (path.as_str(), entry.clone()))).unwrap()
        };
        let (index, other) = (build(&before), build(&newer));
        let positions = index.left_out_by(&other).unwrap();
        let left_out: BTreeSet<&str> = positions.iter().map(|at| index.at(*at).unwrap().path).collect();
        let expected: BTreeSet<&str> = before.keys().filter(|path| !newer.contains_key(*path)).map(String::as_str).collect();
        prop_assert_eq!(positions.len(), expected.len());
        prop_assert_eq!(left_out, expected);
        prop_assert!(index.at(before.len()).is_err());
        prop_assert_eq!(index.left_out_by(&index).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn damaged_bytes_are_errors_and_never_panics(
        model in some_paths(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = place().build(1 << 20, model.iter().map(|(path, entry)| (path.as_str(), entry.clone()))).unwrap().bytes.to_vec();
        poke(Bytes::copy_from_slice(&bytes[..cut.index(bytes.len())]));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            poke(Bytes::copy_from_slice(&bytes));
        }
    }

    #[test]
    fn any_bytes_between_the_marks_are_harmless(middle in proptest::collection::vec(any::<u8>(), 0..200), count in 0u64..20, table in 8u64..100) {
        let mut bytes = b"pithpub1".to_vec();
        bytes.extend(middle);
        bytes.extend(count.to_le_bytes());
        bytes.extend(table.to_le_bytes());
        bytes.extend(b"pithpub1");
        poke(bytes.into());
    }
}

#[test]
fn a_file_that_comes_twice_is_one_where_that_was_asked_for() {
    let slice = |offset| Slice {
        sha256: Sha256([1; 32]),
        blob: Sha256([2; 32]),
        offset,
    };
    let same = [
        IndexEntry::slice(slice(0), 3, 0),
        IndexEntry::slice(slice(9), 3, 5),
        IndexEntry::blob(Sha256([1; 32]), 3, 0),
    ];
    for run_size in [1, 1 << 20] {
        let place = place();
        let build = |entries: &[IndexEntry]| {
            let mut builder = PublicationBuilder::with_run_size(&place.blobs, run_size);
            builder.merge_equal();
            for entry in entries {
                builder.add(path("x/y"), entry.clone()).unwrap();
            }
            builder.finish_blocking()
        };
        let stored = build(&same).unwrap();
        let open = Publication::open(&place.blobs, stored.sha256);
        assert_eq!(place.runtime.block_on(open).unwrap().len(), 1);
        let other = [same[0].clone(), IndexEntry::blob(Sha256([3; 32]), 3, 0)];
        let error = build(&other).unwrap_err();
        assert!(matches!(error, Error::DuplicatePath(_)), "{error}");
        let inline = [IndexEntry::inline("1", 0), IndexEntry::inline("1", 0)];
        assert!(build(&inline).is_err());
    }
}

#[test]
fn a_path_that_comes_twice_is_refused_by_name_even_across_scratch_files() {
    for run_size in [1, 1 << 20] {
        let twice = [
            ("x/y", IndexEntry::inline("1", 0)),
            ("a", IndexEntry::inline("", 0)),
            ("x/y", IndexEntry::inline("2", 0)),
        ];
        let error = place().build(run_size, twice).unwrap_err();
        assert!(
            matches!(&error, Error::DuplicatePath(path) if path.as_str() == "x/y"),
            "{error}"
        );
    }
}

#[test]
fn a_path_that_is_file_and_directory_is_refused_by_name() {
    let both = [
        ("x/y/z", IndexEntry::inline("1", 0)),
        ("x/y-", IndexEntry::inline("", 0)),
        ("x/y", IndexEntry::inline("2", 0)),
    ];
    let error = place().build(1 << 20, both).unwrap_err();
    assert!(
        matches!(&error, Error::FileAndDirectory(path) if path.as_str() == "x/y"),
        "{error}"
    );
}

#[test]
fn inline_entries_are_bounded_and_read_without_a_copy() {
    let place = place();
    let largest = vec![7; MAX_INLINE];
    let index = place
        .build(
            1 << 20,
            [
                ("a", IndexEntry::inline(largest.clone(), 1)),
                ("b", IndexEntry::inline("", 1)),
            ],
        )
        .unwrap();
    assert_eq!(
        index.inline(&index.get("a").unwrap().unwrap()).unwrap(),
        largest
    );
    assert_eq!(
        index.inline(&index.get("b").unwrap().unwrap()).unwrap(),
        Bytes::new()
    );
    let error = place
        .build(
            1 << 20,
            [("a", IndexEntry::inline(vec![7; MAX_INLINE + 1], 1))],
        )
        .unwrap_err();
    assert!(matches!(error, Error::InlineTooLarge { size, .. } if size == MAX_INLINE + 1));
}

#[test]
fn a_blob_that_is_no_index_is_refused() {
    let place = place();
    for bytes in [
        "",
        "pithpub1",
        "pithpub1pithpub1",
        "something else altogether, of some length",
    ] {
        let stored = place
            .runtime
            .block_on(place.blobs.put(bytes.into()))
            .unwrap();
        let error = place
            .runtime
            .block_on(Publication::open(&place.blobs, stored.sha256))
            .unwrap_err();
        assert!(matches!(error, Error::DamagedIndex(_)), "{error}");
    }
}
