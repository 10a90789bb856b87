//! The files on the disk, read by another user of the machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pith_e2e::tools::sample_repo;
use pith_e2e::{Feed, Pith};

/// Everything below a folder, and itself, that somebody else may read or write.
fn open_to_others(path: &Path, found: &mut Vec<PathBuf>) {
    let about = fs::symlink_metadata(path).unwrap();
    if about.permissions().mode() & 0o077 != 0 {
        found.push(path.to_owned());
    }
    if about.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            open_to_others(&entry.unwrap().path(), found);
        }
    }
}

#[test]
fn nothing_in_the_data_folder_is_for_others_also_where_the_folder_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("blobs")).unwrap();
    for open in [data.join("blobs"), data.clone()] {
        fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
    }
    let server = Pith::start_in(folder, &[]).unwrap();
    let feed = Feed::of(&sample_repo()).unwrap();
    let api = server.api().unwrap();
    api.create_rpm("kept", &feed.url("/feed/")).unwrap();
    api.sync("kept").unwrap();
    api.publish("kept").unwrap();
    let mut found = Vec::new();
    open_to_others(&server.data(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}
