//! Notes in memory.

use std::collections::BTreeMap;

use pith_content::ContentType;
use pith_content::profile::{Profile, Profiles};
use pith_content::publish::Entry;
use pith_content::upload::Upload;
use pith_core::{Document, Sha256};
use serde_json::{Value, json};

use super::Notes;
use crate::memory::{FEED, PUBLIC_KEY, Repository, signature};

async fn write(repository: &Repository, name: &str, text: &str) {
    let upload = Upload {
        type_id: "note".to_owned(),
        key: Document::from_iter([("name".to_owned(), json!(name))]),
        metadata: Document::new(),
    };
    let importers = Notes.importers();
    let written = repository.upload(&*importers[0], upload, Some(text.as_bytes()));
    written.await.unwrap();
}

async fn run(repository: &Repository, args: Value) -> Result<Value, String> {
    let kind = Notes.jobs()[0];
    let job = kind.read(args).map_err(|problems| problems.to_string())?;
    let result = Repository::run(job, &[repository]).await;
    result.map_err(|error| error.to_string())
}

fn names(repository: &Repository) -> Vec<Value> {
    let docs = repository.docs("note").into_iter();
    docs.map(|doc| doc["name"].clone()).collect()
}

#[tokio::test]
async fn notes_are_folded_into_one_and_a_job_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(&Notes, folder.path(), json!({}));
    for (name, text) in [("ape", "fruit\n"), ("yak", "grass\n")] {
        write(&repository, name, text).await;
    }
    let args = |names: Value| json!({ "repo": "zoo", "names": names, "into": "all" });
    assert!(run(&repository, args(json!([]))).await.is_err());
    let missing = run(&repository, args(json!(["ape", "emu"]))).await;
    assert_eq!(missing.unwrap_err(), "there is no note 'emu'");
    assert_eq!(names(&repository), ["ape", "yak"]);

    let folded = run(&repository, args(json!(["ape", "yak"]))).await;
    assert_eq!(folded.unwrap()["folded"], 2);
    assert_eq!(names(&repository), ["all"]);
    let distributors = Notes.distributors();
    repository.publish(&*distributors[0]).await.unwrap();
    let all = String::from_utf8(repository.served("all").unwrap()).unwrap();
    assert!(all.starts_with("fruit\ngrass\n"), "{all}");
    assert_eq!(repository.served("names").unwrap(), b"all");
}

#[tokio::test]
async fn notes_that_are_not_here_yet_are_published_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("names"), "ape 5\n").unwrap();
    std::fs::write(folder.path().join("ape"), "fruit").unwrap();
    for (policy, is_here) in [("immediate", true), ("on_demand", false)] {
        let config = json!({ "download_policy": policy });
        let mut repository = Repository::new(&Notes, folder.path(), config);
        repository.sync(&*Notes.importers()[0]).await.unwrap();
        let lines = repository.docs("note")[0].get("lines").cloned();
        assert_eq!(lines.is_some(), is_here, "a file tells when it comes");
        repository.publish(&*Notes.distributors()[0]).await.unwrap();
        let entry = repository.state.lock().served["ape"].0.clone();
        assert_eq!(matches!(entry, Entry::Deferred { .. }), !is_here);
    }
}

#[tokio::test]
async fn the_papers_of_a_binder_come_as_one_unit_and_only_those_that_changed_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let offer = |papers: &[(&str, &str)]| {
        let line = |(path, text): &(&str, &str)| {
            let sha256 = Sha256::of(text.as_bytes());
            format!("zoo {path} {} {sha256}\n", text.len())
        };
        let lines: String = papers.iter().map(line).collect();
        for (name, text) in [("names", ""), ("binders", &lines)]
            .into_iter()
            .chain(papers.iter().copied())
        {
            let below = if name.len() > 1 { "." } else { "zoo" };
            std::fs::write(folder.path().join(below).join(name), text).unwrap();
        }
    };
    std::fs::create_dir(folder.path().join("zoo")).unwrap();
    let mut repository = Repository::new(&Notes, folder.path(), json!({}));
    offer(&[("a", "ape"), ("b", "bee")]);
    repository.sync(&*Notes.importers()[0]).await.unwrap();
    repository.take_asked();
    offer(&[("a", "ant"), ("b", "bee")]);
    repository.sync(&*Notes.importers()[0]).await.unwrap();
    let asked = repository.take_asked();
    assert!(asked.contains(&format!("{FEED}zoo/a")), "{asked:?}");
    assert!(!asked.contains(&format!("{FEED}zoo/b")), "{asked:?}");
    repository.publish(&*Notes.distributors()[0]).await.unwrap();
    assert_eq!(repository.docs("binder").len(), 1);
    assert_eq!(repository.served("zoo/a").unwrap(), b"ant");
    assert_eq!(repository.served("zoo/b").unwrap(), b"bee");
}

#[tokio::test]
async fn the_list_of_notes_is_signed_where_the_settings_say_so() {
    let folder = tempfile::tempdir().unwrap();
    for signed in [false, true] {
        let repository = Repository::new(&Notes, folder.path(), json!({ "signed": signed }));
        write(&repository, "ape", "fruit").await;
        repository.publish(&*Notes.distributors()[0]).await.unwrap();
        let served = |name: &str| {
            let bytes = repository.served(name);
            bytes.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        let signature = signature(b"ape");
        let expected = |text: &str| signed.then(|| text.to_owned());
        assert_eq!(served("names.asc"), expected(&signature));
        assert_eq!(
            served("names.signed"),
            expected(&format!("ape\n{signature}"))
        );
        assert_eq!(served("key.asc"), expected(PUBLIC_KEY));
    }
}

#[tokio::test]
async fn what_notes_name_comes_with_a_copy_and_goes_with_the_last_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let importer = &*Notes.importers()[0];
    for recursive in [false, true] {
        let config = json!({ "recursive": recursive });
        let source = Repository::new(&Notes, folder.path(), config.clone());
        let texts = [
            ("ape", "see bee\nsee yak"),
            ("bee", "see cow"),
            ("cow", "see ape\nsee nobody"),
            ("dog", "see cow"),
            ("emu", ""),
            ("yak", ""),
        ];
        for (name, text) in texts {
            write(&source, name, text).await;
        }
        let id = |repository: &Repository, name: &str| {
            let docs = repository.docs("note");
            let at = docs.iter().position(|doc| doc["name"] == name).unwrap();
            repository.ids("note")[at]
        };
        let destination = source.beside("farm", config);
        let ape = id(&source, "ape");
        destination.copy(importer, &source, &[ape]).await.unwrap();
        let mut came = names(&destination);
        came.sort_by_key(Value::to_string);
        let along = ["ape", "bee", "cow", "yak"];
        assert_eq!(came, along[..if recursive { 4 } else { 1 }]);

        let gone = [id(&source, "ape"), id(&source, "bee")];
        source.remove(importer, &gone).await.unwrap();
        let left = ["cow", "dog", "emu", "yak"];
        let left = left.into_iter().filter(|name| !recursive || *name != "yak");
        assert_eq!(
            names(&source),
            left.collect::<Vec<_>>(),
            "a dog names the cow"
        );
    }
}

#[tokio::test]
async fn notes_that_have_become_others_apply_to_hosts_that_have_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::new(&Notes, folder.path(), json!({}));
    for (name, text) in [("ape", "fruit"), ("bee", "nectar"), ("yak", "grass")] {
        write(&repository, name, text).await;
    }
    let profiler = &Notes.profilers()[0];
    for wrong in [json!([]), json!({ "ape": 1 })] {
        assert!(profiler.read("note", wrong).is_err());
    }
    let index = profiler.index(&repository).await.unwrap();
    let digest = |text: &str| Sha256::of(text.as_bytes()).to_string();
    let sent = json!({ "yak": digest("hay"), "bee": digest("nectar"), "emu": digest("seed") });
    let read = profiler.read("note", sent).unwrap();
    let kept = Profile::new(&read).unwrap();
    let applicable = index.to(&Profiles::from_iter([("note".to_owned(), kept)]));
    let ids = repository.ids("note");
    assert_eq!(applicable, BTreeMap::from([("note", vec![ids[2]])]));
    assert!(index.to(&Profiles::default()).is_empty());
}
