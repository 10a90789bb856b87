//! Feeds with something wrong, made of right ones.

use std::fs;
use std::path::Path;

use pith_core::Sha256;
use pith_testkit::repos::{Compression, Spec, write_repository};
use tempfile::TempDir;

/// A fault of a feed.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// primary.xml unpacks to more than anybody wants.
    Bomb,
    /// primary.xml declares and uses an entity.
    Entity,
    /// The first package is not what its checksum says.
    WrongPackage,
    /// The first package is not there.
    MissingPackage,
    /// primary.xml is not what repomd.xml says.
    WrongMetadata,
    /// repomd.xml has no primary.
    NoPrimary,
    /// filelists.xml lists the packages backwards: unusual, and no error.
    ReversedFilelists,
}

/// The document of `kind`: its path and text.
fn document(folder: &Path, kind: &str) -> (std::path::PathBuf, String) {
    let mut all = fs::read_dir(folder.join("repodata")).unwrap();
    let suffix = format!("-{kind}.xml");
    let path = all
        .find_map(|e| {
            let path = e.unwrap().path();
            path.to_string_lossy().ends_with(&suffix).then_some(path)
        })
        .unwrap();
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// Changes a document and what repomd.xml says of it.
pub fn rewrite(folder: &Path, kind: &str, change: impl FnOnce(&str) -> Vec<u8>) {
    let (path, text) = document(folder, kind);
    let bytes = change(&text);
    let (old, new) = (Sha256::of(text.as_bytes()), Sha256::of(&bytes));
    fs::remove_file(&path).unwrap();
    fs::write(path.with_file_name(format!("{new}-{kind}.xml")), &bytes).unwrap();
    let repomd = folder.join("repodata/repomd.xml");
    let index = fs::read_to_string(&repomd)
        .unwrap()
        .replace(&old.to_string(), &new.to_string())
        .replace(
            &format!("<size>{}</size>", text.len()),
            &format!("<size>{}</size>", bytes.len()),
        );
    fs::write(repomd, index).unwrap();
}

/// The packages of filelists.xml, with what stands before and after them.
pub fn split(text: &str) -> (&str, Vec<&str>, &str) {
    let start = text.find("<package ").unwrap();
    let end = text.rfind("</package>").unwrap() + "</package>".len();
    let packages = text[start..end].split_inclusive("</package>").collect();
    (&text[..start], packages, &text[end..])
}

/// A feed of `packages` packages with `fault`.
pub fn spoiled(fault: Fault, packages: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages,
        compression: Compression::Plain,
        ..Spec::default()
    };
    let made = write_repository(folder.path(), &spec).unwrap();
    let first = folder.path().join(made[0].location());
    let path = folder.path();
    match fault {
        Fault::Bomb => rewrite(path, "primary", |text| {
            let blanks = " ".repeat(20 << 20);
            let text = text.replacen("<package ", &format!("{blanks}<package "), 1);
            zstd::encode_all(text.as_bytes(), 1).unwrap()
        }),
        Fault::Entity => rewrite(path, "primary", |text| {
            let end = text.find("?>").unwrap() + 2;
            format!("<!DOCTYPE metadata [<!ENTITY x \"y\">]>{}", &text[end..]).into_bytes()
        }),
        Fault::WrongPackage => {
            let mut bytes = fs::read(&first).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(first, bytes).unwrap();
        }
        Fault::MissingPackage => fs::remove_file(first).unwrap(),
        Fault::WrongMetadata => {
            let (path, text) = document(path, "primary");
            fs::write(path, text.replacen("tool", "fool", 1)).unwrap();
        }
        Fault::NoPrimary => {
            let repomd = path.join("repodata/repomd.xml");
            let text = fs::read_to_string(&repomd).unwrap();
            fs::write(
                repomd,
                text.replace("type=\"primary\"", "type=\"primary_db\""),
            )
            .unwrap();
        }
        Fault::ReversedFilelists => rewrite(path, "filelists", |text| {
            let (head, mut packages, tail) = split(text);
            packages.reverse();
            [head, &packages.concat(), tail].concat().into_bytes()
        }),
    }
    folder
}

/// Puts a document into a feed and lists it; answers its path.
pub fn add_document(folder: &Path, kind: &str, bytes: &[u8]) -> std::path::PathBuf {
    let index = folder.join("repodata/repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    let digest = Sha256::of(bytes);
    let path = folder.join(format!("repodata/{digest}-{kind}.xml"));
    fs::write(&path, bytes).unwrap();
    let entry = format!(
        "<data type=\"{kind}\"><checksum type=\"sha256\">{digest}</checksum><location href=\"repodata/{digest}-{kind}.xml\"/>\
         <size>{}</size></data></repomd>",
        bytes.len()
    );
    fs::write(index, text.replace("</repomd>", &entry)).unwrap();
    path
}

/// Takes a document out of the index of a feed.
pub fn unlist(folder: &Path, kind: &str) {
    let index = folder.join("repodata/repomd.xml");
    let text = fs::read_to_string(&index).unwrap();
    let start = text.find(&format!("<data type=\"{kind}\"")).unwrap();
    let end = text[start..].find("</data>").unwrap() + start + "</data>".len();
    fs::write(index, format!("{}{}", &text[..start], &text[end..])).unwrap();
}

/// Adds a delta package to a feed; answers the path of prestodelta and of the delta package.
pub fn add_delta(folder: &Path) -> [std::path::PathBuf; 2] {
    let delta = folder.join("drpms/x.drpm");
    fs::create_dir_all(folder.join("drpms")).unwrap();
    fs::write(&delta, b"delta").unwrap();
    let text = format!(
        "<prestodelta><newpackage name=\"x\" epoch=\"0\" version=\"2\" release=\"1\" arch=\"noarch\">\
         <delta oldepoch=\"0\" oldversion=\"1\" oldrelease=\"1\"><filename>drpms/x.drpm</filename><sequence>x-1</sequence>\
         <size>5</size><checksum type=\"sha256\">{}</checksum></delta></newpackage></prestodelta>",
        Sha256::of(b"delta")
    );
    [add_document(folder, "prestodelta", text.as_bytes()), delta]
}
