//! Metadata that pith writes means the same as that of createrepo_c.

use std::fs;
use std::process::Command;

use pith_e2e::repodata::Repodata;
use pith_e2e::tools::{missing, run, sample_repo};

use crate::dnf::mirrored;

#[test]
fn published_metadata_equals_that_of_createrepo_c() {
    if missing(&["createrepo_c"]) {
        return;
    }
    let (server, _feed) = mirrored();
    let api = server.api().unwrap();
    let read = |path: &str| api.download(&format!("/pulp/repos/sample/{path}"));
    let ours = Repodata::read(read).unwrap();

    // createrepo_c reads the packages that pith serves, not those of the sample.
    let folder = tempfile::tempdir().unwrap();
    for path in ours.locations().unwrap().values() {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, read(path).unwrap()).unwrap();
    }
    run(Command::new("createrepo_c")
        .arg("--quiet")
        .arg(folder.path()))
    .unwrap();
    let theirs = Repodata::read(|path| Ok(fs::read(folder.path().join(path))?)).unwrap();

    assert_eq!(ours.locations().unwrap(), theirs.locations().unwrap());
    for kind in ["primary", "filelists", "other"] {
        let (ours, theirs) = (ours.packages(kind).unwrap(), theirs.packages(kind).unwrap());
        assert_eq!(ours.len(), 10);
        // One by one, so that a difference is readable.
        for (id, theirs) in &theirs {
            let ours = ours
                .get(id)
                .unwrap_or_else(|| panic!("{kind} lacks {theirs}"));
            assert!(
                ours == theirs,
                "{kind}\n--- pith\n{ours}\n--- createrepo_c\n{theirs}"
            );
        }
        assert_eq!(ours.len(), theirs.len());
    }
}

#[test]
fn the_erratum_and_the_group_are_published_as_they_came() {
    let (server, _feed) = mirrored();
    let api = server.api().unwrap();
    let read = |path: &str| api.download(&format!("/pulp/repos/sample/{path}"));
    let ours = Repodata::read(read).unwrap();
    let folder = sample_repo();
    let upstream = Repodata::read(|path| Ok(fs::read(folder.join(path))?)).unwrap();

    let update = |repodata: &Repodata| {
        let document = repodata.document("updateinfo").unwrap();
        let update = document.child("update").unwrap().clone();
        let packages: Vec<String> = update
            .child("pkglist")
            .and_then(|list| list.child("collection"))
            .map(|collection| {
                collection
                    .all("package")
                    .map(|one| one.attribute("name").to_owned())
                    .collect()
            })
            .unwrap();
        let text = |name: &str| update.child(name).map(|child| child.text.clone());
        (
            text("id"),
            text("title"),
            text("severity"),
            text("description"),
            packages,
        )
    };
    assert_eq!(update(&ours), update(&upstream));

    let group = |repodata: &Repodata| {
        let document = repodata.document("group").unwrap();
        let group = document.child("group").unwrap().clone();
        let packages: Vec<(String, String)> = group
            .child("packagelist")
            .map(|list| {
                list.all("packagereq")
                    .map(|one| (one.attribute("type").to_owned(), one.text.clone()))
                    .collect()
            })
            .unwrap();
        let sorted = std::collections::BTreeSet::from_iter(packages);
        (
            group.child("id").unwrap().text.clone(),
            group.child("name").unwrap().text.clone(),
            sorted,
        )
    };
    assert_eq!(group(&ours), group(&upstream));
}
