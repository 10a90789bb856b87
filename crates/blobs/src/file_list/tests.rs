use std::collections::BTreeMap;

use pith_core::RelativePath;

use super::*;
use crate::{Blobs, StorageUrl};

async fn place() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let storage = StorageUrl::default_in(folder.path());
    let blobs = Blobs::open(&storage, folder.path()).await.unwrap();
    (folder, blobs)
}

fn path(text: &str) -> RelativePath {
    RelativePath::new(text).unwrap()
}

/// A few small files and a large one.
fn files(count: u8) -> BTreeMap<String, Vec<u8>> {
    let small = (0..count).map(|number| (format!("small/{number:03}"), vec![number; 1000]));
    let large = ("large".to_owned(), vec![b'l'; SMALL + 1]);
    small.chain([large]).collect()
}

/// Lists files, of which those that `known` has unchanged are taken over.
async fn list(
    blobs: &Blobs,
    files: &BTreeMap<String, Vec<u8>>,
    known: Option<&KnownFiles>,
) -> NewFileList {
    let mut list = FileListBuilder::new(blobs);
    for (name, bytes) in files {
        let found = known.and_then(|known| known.find(name).unwrap());
        let found = found.filter(|file| file.sha256 == pith_core::Sha256::of(bytes));
        if let Some(file) = found {
            assert!(list.take_over(path(name), &file).await.unwrap());
            continue;
        }
        let mut writer = blobs.writer(&[]);
        writer.write(bytes).await.unwrap();
        let file = writer.nameless().await.unwrap();
        list.add(path(name), file).await.unwrap();
    }
    list.finish().await.unwrap()
}

/// Opens a list, and makes sure that it has these files.
async fn opened(blobs: &Blobs, new: &NewFileList, files: &BTreeMap<String, Vec<u8>>) -> KnownFiles {
    let named = new.named.iter().copied();
    let known = KnownFiles::open(blobs, new.list.sha256, named)
        .await
        .unwrap();
    let mut found = BTreeMap::new();
    for file in known.files() {
        let (name, file) = file.unwrap();
        let entry = file.entry(0);
        let at = entry.at(name);
        let (blob, range) = match at.kind {
            crate::EntryKindRef::Slice(slice) => (slice.blob, slice.range(file.size)),
            kind => (kind.blob().unwrap(), 0..file.size),
        };
        let bytes = blobs.read_part(blob, range).await.unwrap();
        assert_eq!(pith_core::Sha256::of(&bytes), file.sha256);
        found.insert(name.to_owned(), bytes.to_vec());
    }
    assert!(found == *files);
    assert_eq!(known.len(), files.len() as u64);
    known
}

#[tokio::test]
async fn small_files_share_a_blob_and_large_ones_are_blobs() {
    let (_folder, blobs) = place().await;
    let files = files(50);
    let new = list(&blobs, &files, None).await;
    let mut sizes: Vec<u64> = new.named.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50_000, SMALL as u64 + 1]);
    opened(&blobs, &new, &files).await;
}

#[tokio::test]
async fn what_is_the_same_stays_where_it_is() {
    let (_folder, blobs) = place().await;
    let mut files = files(50);
    let first = list(&blobs, &files, None).await;
    let known = opened(&blobs, &first, &files).await;
    let again = list(&blobs, &files, Some(&known)).await;
    assert_eq!(again.list.sha256, first.list.sha256);
    files.insert("small/007".to_owned(), b"changed".to_vec());
    let second = list(&blobs, &files, Some(&known)).await;
    let added = second.named.iter().filter(|one| !first.named.contains(one));
    let added: Vec<u64> = added.map(|(_, size)| *size).collect();
    assert_eq!(added, [7]);
    opened(&blobs, &second, &files).await;
}

#[tokio::test]
async fn a_pack_that_is_mostly_unused_is_left() {
    let (_folder, blobs) = place().await;
    let all = files(50);
    let first = list(&blobs, &all, None).await;
    let few = files(20);
    let known = opened(&blobs, &first, &all).await;
    let second = list(&blobs, &few, Some(&known)).await;
    // It is known to be mostly unused once a list says so.
    let known = opened(&blobs, &second, &few).await;
    let third = list(&blobs, &few, Some(&known)).await;
    let mut sizes: Vec<u64> = third.named.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [20_000, SMALL as u64 + 1]);
    opened(&blobs, &third, &few).await;
}

#[tokio::test]
async fn a_list_shows_nothing_that_it_is_not_noted_to_name() {
    let (_folder, blobs) = place().await;
    let new = list(&blobs, &files(5), None).await;
    let known = KnownFiles::open(&blobs, new.list.sha256, []).await.unwrap();
    assert!(known.find("large").unwrap().is_none());
    assert_eq!(known.files().count(), 0);
}
