use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use pith_core::{RelativePath, Sha256};

use super::*;
use crate::{Blobs, Error, IndexEntry, Publication, PublicationBuilder, Result, Slice, StorageUrl};

struct Scene {
    folder: tempfile::TempDir,
    blobs: Blobs,
    runtime: tokio::runtime::Runtime,
    open: OpenFolders,
}

fn scene() -> Scene {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for made in ["data", "out", "other"] {
        fs::create_dir(folder.path().join(made)).unwrap();
    }
    let storage = StorageUrl::default_in(&data);
    let opened = Blobs::open(&storage, &data);
    let blobs = runtime.block_on(opened).unwrap();
    let open = OpenFolders::new(&[folder.path().join("out")], &[data]).unwrap();
    Scene {
        folder,
        blobs,
        runtime,
        open,
    }
}

fn path(text: &str) -> RelativePath {
    RelativePath::new(text).unwrap()
}

fn place(tree: &str, owner: &str) -> Place {
    Place {
        trees: vec![path(tree)],
        owner: owner.to_owned(),
        listing: Some("listing"),
    }
}

impl Scene {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn publication(&self, files: &[(&str, &str)]) -> Publication {
        let mut builder = PublicationBuilder::new(&self.blobs);
        for (name, text) in files {
            let put = self.blobs.put(text.as_bytes().to_vec().into());
            let stored = self.runtime.block_on(put).unwrap();
            let entry = match text.len() % 3 {
                0 => IndexEntry::inline(text.as_bytes().to_vec(), 1000),
                1 => IndexEntry::blob(stored.sha256, stored.size, 1000),
                _ => self.slice(stored.sha256, text),
            };
            builder.add(path(name), entry).unwrap();
        }
        let stored = builder.finish_blocking().unwrap();
        let opened = Publication::open(&self.blobs, stored.sha256);
        self.runtime.block_on(opened).unwrap()
    }

    /// A file in the middle of a blob.
    fn slice(&self, sha256: Sha256, text: &str) -> IndexEntry {
        let pack = format!("before{text}after").into_bytes();
        let put = self.blobs.put(pack.into());
        let pack = self.runtime.block_on(put).unwrap();
        let slice = Slice {
            sha256,
            blob: pack.sha256,
            offset: 6,
        };
        IndexEntry::slice(slice, text.len() as u64, 1000)
    }

    fn export(&self, folder: &Path, place: Place, files: &[(&str, &str)]) -> Result<()> {
        let publication = self.publication(files);
        let mut writer = TreeWriter::begin(&self.open, folder, place)?;
        writer.write(&self.blobs, &publication, || true)?;
        writer.swap()
    }
}

fn taken(result: &Result<()>) -> bool {
    matches!(result, Err(Error::TreeTaken(_)))
}

#[test]
fn a_tree_comes_whole_in_the_place_of_the_one_before() {
    let scene = scene();
    let out = scene.at("out");
    let place = || place("a/zoo", "repository zoo");
    let files = [("a/zoo/x/one", "1"), ("a/zoo/two", "22")];
    scene.export(&out, place(), &files).unwrap();
    let read = |name: &str| fs::read_to_string(out.join(name)).ok();
    assert_eq!(read("a/zoo/x/one").as_deref(), Some("1"));
    assert_eq!(read("a/zoo/two").as_deref(), Some("22"));
    assert_eq!(read("a/listing").as_deref(), Some("zoo"));
    assert_eq!(read("listing").as_deref(), Some("a"));
    let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a/zoo/x"), mode("a/zoo/x/one")), (0o755, 0o644));
    let changed = fs::metadata(out.join("a/zoo/two")).unwrap().modified();
    let since = changed.unwrap().duration_since(std::time::UNIX_EPOCH);
    assert_eq!(since.unwrap().as_secs(), 1000);

    // One that fails leaves the old one, and nothing else.
    let publication = scene.publication(&[("a/zoo/new", "1")]);
    let mut writer = TreeWriter::begin(&scene.open, &out, place()).unwrap();
    let stopped = writer.write(&scene.blobs, &publication, || false);
    assert!(matches!(stopped, Err(Error::Stopping)));
    drop(writer);
    assert_eq!(read("a/zoo/two").as_deref(), Some("22"));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "listing and a");

    scene
        .export(&out, place(), &[("a/zoo/new", "333")])
        .unwrap();
    assert_eq!(read("a/zoo/new").as_deref(), Some("333"));
    assert_eq!(read("a/zoo/two"), None);
}

#[test]
fn a_tree_is_withdrawn_by_its_owner_alone() {
    let scene = scene();
    let out = scene.at("out");
    let (own, other) = (place("a/zoo", "repository zoo"), place("a/farm", "farm"));
    let missing = out.join("missing");
    withdraw(&scene.open, &missing, &own).unwrap();
    assert!(!missing.exists(), "nothing is made for it");
    scene
        .export(&out, own.clone(), &[("a/zoo/one", "1")])
        .unwrap();
    scene.export(&out, other, &[("a/farm/one", "1")]).unwrap();
    for folder in ["a/empty", "a/full"] {
        fs::create_dir(out.join(folder)).unwrap();
    }
    fs::write(out.join("a/full/one"), "1").unwrap();
    for tree in ["a/farm", "a/empty", "a/full", "a/none", "b/none"] {
        withdraw(&scene.open, &out, &place(tree, "repository zoo")).unwrap();
    }
    let read = |name: &str| fs::read_to_string(out.join(name)).ok();
    assert_eq!(read("a/zoo/one").as_deref(), Some("1"));
    withdraw(&scene.open, &out, &own).unwrap();
    assert!(!out.join("a/zoo").exists());
    assert_eq!(read("a/farm/one").as_deref(), Some("1"));
    assert_eq!(read("a/listing").as_deref(), Some("empty\nfarm\nfull"));
}

#[test]
fn what_others_have_is_neither_replaced_nor_written_into() {
    let scene = scene();
    let out = scene.at("out");
    let files = [("a/zoo/f", "1")];
    scene.export(&out, place("a/zoo", "zoo"), &files).unwrap();
    assert!(taken(&scene.export(&out, place("a/zoo", "other"), &files)));
    assert!(taken(&scene.export(
        &out,
        place("a", "zoo"),
        &[("a/f", "1")]
    )));
    let inside = [("a/zoo/in/f", "1")];
    assert!(taken(&scene.export(
        &out,
        place("a/zoo/in", "zoo"),
        &inside
    )));
    assert!(taken(&scene.export(
        &out.join("a/zoo"),
        place("in", "zoo"),
        &[("in/f", "1")]
    )));
    for name in [
        ".pith-export",
        ".listing.pith",
        ".pith-0123",
        "listing",
        "d/listing/e",
    ] {
        let file = format!("{name}/f");
        let refused = scene.export(&out, place(name, "zoo"), &[(&file, "1")]);
        assert!(matches!(refused, Err(Error::TreeReserved(_))), "{name}");
    }
    let mut twice = place("b", "zoo");
    twice.trees.push(path("b/c"));
    assert!(taken(&scene.export(&out, twice, &[("b/c/f", "1")])));
    fs::create_dir(out.join("mine")).unwrap();
    let mine = || scene.export(&out, place("mine", "zoo"), &[("mine/f", "1")]);
    fs::write(out.join("mine/letter"), "x").unwrap();
    assert!(taken(&mine()));
    fs::remove_file(out.join("mine/letter")).unwrap();
    mine().unwrap();
}

#[test]
fn only_what_is_below_an_open_folder_is_written_and_no_link_is_followed() {
    let scene = scene();
    let (out, other) = (scene.at("out"), scene.at("other"));
    symlink(&other, out.join("link")).unwrap();
    fs::create_dir(out.join("real")).unwrap();
    symlink(&other, out.join("real/zoo")).unwrap();
    let export = |folder: &Path, tree: &str| {
        let file = format!("{tree}/f");
        scene.export(folder, place(tree, "zoo"), &[(&file, "1")])
    };
    assert!(export(&out.join("link"), "zoo").is_err());
    assert!(export(&out, "link/zoo").is_err());
    assert!(export(&out, "real/zoo").is_err());
    for (folder, why) in [
        (other.clone(), Refused::NotAllowed),
        (scene.at("data"), Refused::NotAllowed),
        (scene.at("outside"), Refused::NotAllowed),
        (out.join("../other"), Refused::NoPath),
        (PathBuf::from("out"), Refused::NoPath),
    ] {
        assert_eq!(scene.open.check(&folder), Err(why), "{folder:?}");
        assert!(export(&folder, "zoo").is_err());
    }
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    let closed = OpenFolders::default().check(&out);
    assert_eq!(closed, Err(Refused::NotAllowed));
}

#[test]
fn folders_that_hold_the_servers_own_or_lie_in_them_are_not_opened() {
    let scene = scene();
    let own = [scene.at("data")];
    fs::create_dir_all(scene.at("data/in")).unwrap();
    symlink(scene.at("data"), scene.at("out/data")).unwrap();
    for folder in ["data", "data/in", "", "out/data"] {
        let opened = OpenFolders::new(&[scene.at(folder)], &own);
        assert!(matches!(opened, Err(Error::Refused { .. })), "{folder}");
    }
    assert!(OpenFolders::new(&[scene.at("none")], &own).is_err());
}

#[test]
fn what_is_not_here_is_named() {
    let scene = scene();
    let mut builder = PublicationBuilder::new(&scene.blobs);
    let deferred = IndexEntry::source([7; 16], None, 5, 0);
    builder.add(path("zoo/late.rpm"), deferred).unwrap();
    let stored = builder.finish_blocking().unwrap();
    let opened = Publication::open(&scene.blobs, stored.sha256);
    let publication = scene.runtime.block_on(opened).unwrap();
    let begun = TreeWriter::begin(&scene.open, &scene.at("out"), place("zoo", "zoo"));
    let written = begun.unwrap().write(&scene.blobs, &publication, || true);
    assert!(written.unwrap_err().to_string().contains("zoo/late.rpm"));
}
