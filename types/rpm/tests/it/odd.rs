//! Feeds that are odd and that clients read all the same.

use std::io::Read;
use std::path::Path;

use pith_testkit::repos::{Compression, Spec, write_repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::Fake;
use crate::publish::open;
use crate::spoil::{rewrite, split};

/// A feed of three packages whose documents are not compressed, so that they can be changed.
fn plain() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 3,
        errata: 1,
        groups: 1,
        compression: Compression::Plain,
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    folder
}

fn replace(folder: &Path, kind: &str, from: &str, to: &str) {
    rewrite(folder, kind, |text| {
        assert!(text.contains(from), "{kind} has no {from}");
        text.replace(from, to).into_bytes()
    });
}

async fn synced(folder: &Path) -> Fake {
    let mut repo = Fake::new(folder, json!({"http": true, "https": true}));
    repo.sync().await.unwrap();
    repo.publish().await.unwrap();
    repo
}

fn published(repo: &Fake, kind: &str) -> String {
    let mut text = String::new();
    open(repo, kind).read_to_string(&mut text).unwrap();
    text
}

/// The number of times that something of a kind was noted.
fn noted(repo: &Fake, kind: &str) -> u64 {
    repo.bent.count(kind)
}

/// `text` with the encoding declared and in that encoding.
fn latin1(text: &str, label: &str) -> Vec<u8> {
    let text = text.replacen("UTF-8", label, 1);
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    let text = format!("\u{feff}{}", text.replacen("UTF-8", "UTF-16", 1));
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[tokio::test]
async fn documents_in_other_encodings_are_read_as_they_declare() {
    let feed = plain();
    let path = feed.path();
    rewrite(path, "primary", |text| {
        latin1(
            &text.replacen("<summary>", "<summary>Größe ", 1),
            "ISO-8859-1",
        )
    });
    rewrite(path, "filelists", |text| {
        utf16(&text.replacen(">/usr/", ">/über/usr/", 1))
    });
    rewrite(path, "other", |text| {
        latin1(&text.replace("- change", "- für change"), "windows-1252")
    });
    rewrite(path, "updateinfo", |text| {
        utf16(&text.replace("<title>", "<title>Größe "))
    });
    rewrite(path, "comps", |text| {
        utf16(&text.replace("<name>Group", "<name>Größe"))
    });
    let mut repomd = vec![0xef, 0xbb, 0xbf];
    repomd.extend(std::fs::read(path.join("repodata/repomd.xml")).unwrap());
    std::fs::write(path.join("repodata/repomd.xml"), repomd).unwrap();
    let repo = synced(path).await;
    assert_eq!(repo.bent.to_json(), None);
    for (kind, wanted) in [
        ("primary", "<summary>Größe "),
        ("filelists", ">/über/usr/"),
        ("other", "- für change"),
        ("updateinfo", "<title>Größe "),
        ("group", "<name>Größe"),
    ] {
        assert!(published(&repo, kind).contains(wanted), "{kind}");
    }
}

#[tokio::test]
async fn what_is_no_text_is_replaced_and_told_by_name() {
    let feed = plain();
    rewrite(feed.path(), "other", |text| {
        let at = text.find("- change").unwrap();
        [
            &text.as_bytes()[..at],
            b"J\xf6rg\x01 ",
            &text.as_bytes()[at..],
        ]
        .concat()
    });
    replace(feed.path(), "updateinfo", "<title>", "<title>&#1;\u{ffff}");
    let repo = synced(feed.path()).await;
    assert!(published(&repo, "other").contains("J\u{fffd}rg\u{fffd} - change"));
    assert!(published(&repo, "updateinfo").contains("<title>\u{fffd}\u{fffd}Important"));
    let note = &repo.bent.to_json().unwrap()["bad_encoding"];
    assert_eq!(note["names"].as_array().unwrap().len(), 2, "{note}");
    assert!(
        note["names"]
            .as_array()
            .unwrap()
            .contains(&json!("advisory EXSA-2026:0000"))
    );
}

#[tokio::test]
async fn packages_that_are_listed_twice_are_taken_once() {
    for kind in ["primary", "filelists", "other"] {
        let feed = plain();
        rewrite(feed.path(), kind, |text| {
            let (head, packages, tail) = split(text);
            [
                head,
                packages[0],
                packages[2],
                packages[0],
                packages[1],
                tail,
            ]
            .concat()
            .into_bytes()
        });
        let repo = synced(feed.path()).await;
        assert_eq!(
            (repo.count_of("rpm"), noted(&repo, "package_twice")),
            (3, 1),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn digests_count_in_any_case() {
    let feed = plain();
    for kind in ["primary", "filelists"] {
        rewrite(feed.path(), kind, |text| {
            let upper = |piece: &str| match piece.len() == 64 {
                true => piece.to_ascii_uppercase(),
                false => piece.to_owned(),
            };
            let pieces = text.split_inclusive(['<', '>', '"']).map(|piece| {
                let end = piece.len() - 1;
                upper(&piece[..end]) + &piece[end..]
            });
            pieces.collect::<String>().into_bytes()
        });
    }
    let repomd = feed.path().join("repodata/repomd.xml");
    let text = std::fs::read_to_string(&repomd).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("\">") {
            Some((tag, rest)) if tag.contains("checksum type=") => {
                let (digest, end) = rest.split_once('<').unwrap();
                format!("{tag}\">{}<{end}", digest.to_ascii_uppercase())
            }
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&repomd, lines.join("\n")).unwrap();
    let repo = synced(feed.path()).await;
    assert_eq!((repo.count_of("rpm"), repo.bent.to_json()), (3, None));
}

#[tokio::test]
async fn packages_without_optional_parts_are_mirrored() {
    let feed = plain();
    rewrite(feed.path(), "primary", |text| {
        let rel = text.find(" rel=\"").unwrap();
        let end = text[rel + 6..].find('"').unwrap() + rel + 7;
        let text = format!("{}{}", &text[..rel], &text[end..]);
        let without = |text: String, from: &str| {
            let at = text.find(from).unwrap();
            let end = text[at..].find("/>").unwrap() + at + 2;
            format!("{}{}", &text[..at], &text[end..])
        };
        let text = without(without(text, "<size "), "<time ");
        text.replacen(" packages=\"3\"", " packages=\"77\"", 1)
            .into_bytes()
    });
    let repo = synced(feed.path()).await;
    assert_eq!(repo.count_of("rpm"), 3);
    assert_eq!(published(&repo, "primary").matches("<package ").count(), 3);
    assert_eq!(noted(&repo, "missing_attribute"), 1);
}

#[tokio::test]
async fn document_types_without_entities_and_empty_documents_are_no_fault() {
    let feed = plain();
    replace(
        feed.path(),
        "comps",
        "\"comps.dtd\">",
        "\"comps.dtd\" [ <!ELEMENT comps ANY> <!ATTLIST comps x CDATA '>'> ]>",
    );
    rewrite(feed.path(), "updateinfo", |_| Vec::new());
    let repo = synced(feed.path()).await;
    assert_eq!(
        (repo.count_of("package_group"), repo.count_of("erratum")),
        (1, 0)
    );
    assert_eq!(noted(&repo, "empty_document"), 1);
}

#[tokio::test]
async fn updates_with_one_id_are_one_advisory_with_all_their_packages() {
    let feed = plain();
    rewrite(feed.path(), "updateinfo", |text| {
        let start = text.find("<update ").unwrap();
        let end = text.find("</update>").unwrap() + "</update>".len();
        let update = &text[start..end];
        let list = update.find("<package ").unwrap();
        let packages = &update[list..update.rfind("</collection>").unwrap()];
        let parts: Vec<&str> = packages.split_inclusive("</package>").collect();
        let of = |part: &str, title: &str, date: &str| {
            update
                .replace(packages, part)
                .replace("Important: update 0", title)
                .replace("2026-01-03 03:04:05", date)
        };
        let other = of(parts[0], "other", "2026-01-03").replace("EXSA-2026:0000", "OTHER");
        let all = [
            of(parts[0], "first", "2026-01-03"),
            of(parts[1], "newest", "1767700000"),
            other,
            of(parts[2], "last", "2026-01-03"),
        ];
        format!("{}{}{}", &text[..start], all.concat(), &text[end..]).into_bytes()
    });
    let repo = synced(feed.path()).await;
    assert_eq!(
        (repo.count_of("erratum"), noted(&repo, "advisory_twice")),
        (2, 1)
    );
    let shown = repo.shown("erratum", "id", "EXSA-2026:0000");
    assert_eq!(shown["title"], "newest");
    assert_eq!(shown["pkglist"][0]["packages"].as_array().unwrap().len(), 3);
    let text = published(&repo, "updateinfo");
    assert_eq!(text.matches("<package ").count(), 4);
    assert!(text.contains("<updated date=\"1767700000\""), "{text}");
}

#[tokio::test]
async fn an_advisory_that_upstream_corrects_without_a_new_date_is_taken() {
    let feed = plain();
    let mut repo = synced(feed.path()).await;
    let before = published(&repo, "updateinfo");
    replace(feed.path(), "updateinfo", "Fixes bug", "Really fixes bug");
    repo.force = true;
    repo.sync().await.unwrap();
    repo.publish().await.unwrap();
    let after = published(&repo, "updateinfo");
    assert_eq!(after, before.replace("Fixes bug", "Really fixes bug"));
}

#[tokio::test]
async fn packages_of_an_advisory_are_published_without_file_names_and_with_their_epoch() {
    let feed = plain();
    rewrite(feed.path(), "updateinfo", |text| {
        let mut text = text
            .replace(" epoch=\"0\"", "")
            .replace(" short=\"EX\"", "");
        while let Some(at) = text.find("<filename>") {
            let end = text.find("</filename>").unwrap() + "</filename>".len();
            text.replace_range(at..end, "");
        }
        text.into_bytes()
    });
    let repo = synced(feed.path()).await;
    let text = published(&repo, "updateinfo");
    assert_eq!(text.matches("<package ").count(), 3, "{text}");
    assert_eq!(text.matches(" epoch=\"0\"").count(), 3);
    let shown = repo.shown("erratum", "id", "EXSA-2026:0000");
    assert_eq!(shown["pkglist"][0]["packages"][0]["epoch"], Value::Null);
}
