//! Feeds that are odd and that clients read all the same.

use std::io::Read;
use std::path::Path;

use pith_testkit::repos::{Compression, Spec, write_repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::Fake;
use crate::publish::open;
use crate::spoil::{add_delta, add_document, rewrite, split, unlist};

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
async fn of_two_builds_of_one_package_the_first_is_taken_and_the_other_is_named() {
    let feed = plain();
    for kind in ["primary", "filelists", "other"] {
        rewrite(feed.path(), kind, |text| {
            let (head, packages, tail) = split(text);
            let id = match packages[0].split_once("pkgid=\"YES\">") {
                Some((_, rest)) => &rest[..64],
                None => &packages[0].split_once("pkgid=\"").unwrap().1[..64],
            };
            let other = packages[0].replace(id, &"e".repeat(64));
            let all = [head, packages[0], packages[1], &other, packages[2], tail];
            all.concat().into_bytes()
        });
    }
    let repo = synced(feed.path()).await;
    assert_eq!(repo.count_of("rpm"), 3);
    let notes = repo.bent.to_json().unwrap();
    assert_eq!(notes.as_object().unwrap().len(), 1, "{notes}");
    let name = notes["package_builds"]["names"][0].as_str().unwrap();
    assert!(name.ends_with(&format!(" {}", "e".repeat(64))), "{name}");
}

#[tokio::test]
async fn packages_that_filelists_or_other_do_not_list_have_no_files_or_changes() {
    for kind in ["filelists", "other"] {
        for (how, note, count) in [
            ("unlisted", "document_missing", 1),
            ("empty", "package_unlisted", 3),
            ("short", "package_unlisted", 1),
            ("long", "package_extra", 1),
            ("broken", "broken_document", 1),
            ("foreign", "broken_document", 1),
        ] {
            let feed = plain();
            let mut kept = 0;
            match how {
                "unlisted" => unlist(feed.path(), kind),
                _ => rewrite(feed.path(), kind, |text| {
                    let (head, packages, tail) = split(text);
                    let extra = packages[1].replace("pkgid=\"", "pkgid=\"0");
                    let (all, tail) = match how {
                        "empty" => (vec![], tail),
                        "short" => (vec![packages[2], packages[0]], tail),
                        "long" => (vec![packages[0], &extra, packages[1], packages[2]], tail),
                        "broken" => (vec![packages[0], packages[1], &packages[2][..20]], ""),
                        _ => return b"<html>gone</html>".to_vec(),
                    };
                    kept = match how {
                        "long" => 3,
                        "empty" => 0,
                        _ => 2,
                    };
                    [head, &all.concat(), tail].concat().into_bytes()
                }),
            }
            let repo = synced(feed.path()).await;
            assert_eq!(repo.count_of("rpm"), 3, "{kind} {how}");
            assert_eq!(noted(&repo, note), count, "{kind} {how}");
            let text = published(&repo, kind);
            assert_eq!(text.matches("<package ").count(), 3, "{kind} {how}");
            let entries = text.split("<package ").skip(1);
            let full = entries.filter(|p| p.contains("</file>") || p.contains("</changelog>"));
            assert_eq!(full.count(), kept, "{kind} {how}: {text}");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "upstream moves the files, not pith"
)]
fn move_file(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[tokio::test]
async fn what_clients_do_without_may_be_gone_and_is_asked_for_again() {
    let feed = plain();
    let [prestodelta, delta] = add_delta(feed.path());
    let product = add_document(feed.path(), "productid", b"certificate");
    let mut repo = Fake::new(feed.path(), json!({"remove_missing": true}));
    let all = |repo: &Fake| {
        [
            repo.count_of("drpm"),
            repo.count_of("yum_repo_metadata_file"),
        ]
    };
    for gone in [&prestodelta, &delta, &product] {
        let hidden = gone.with_extension("hidden");
        move_file(gone, &hidden);
        // A new server misses what is gone, a second sync brings it though repomd.xml is the same.
        let mut new = Fake::new(feed.path(), json!({}));
        new.sync().await.unwrap();
        assert_eq!(noted(&new, "file_missing"), 1, "{}", gone.display());
        assert_eq!((new.count_of("rpm"), all(&new).iter().sum()), (3, 1));
        move_file(&hidden, gone);
        new.sync().await.unwrap();
        assert_eq!(all(&new), [1, 1], "{}", gone.display());
        // What an old one has stays.
        repo.sync().await.unwrap();
        move_file(gone, &hidden);
        repo.force = true;
        repo.sync().await.unwrap();
        assert_eq!(all(&repo), [1, 1], "{}", gone.display());
        move_file(&hidden, gone);
    }
}

#[tokio::test]
async fn documents_with_content_for_clients_must_be_there() {
    for kind in ["primary", "filelists", "other", "updateinfo", "comps"] {
        let feed = plain();
        let mut repo = Fake::new(feed.path(), json!({"remove_missing": true}));
        repo.sync().await.unwrap();
        rewrite(feed.path(), kind, |text| {
            format!("{text}<!-- new -->").into_bytes()
        });
        let gone = std::fs::read_dir(feed.path().join("repodata")).unwrap();
        let mut gone = gone.map(|entry| entry.unwrap().path());
        let suffix = format!("-{kind}.xml");
        let gone = gone.find(|path| path.to_string_lossy().ends_with(&suffix));
        std::fs::remove_file(gone.unwrap()).unwrap();
        let error = repo.sync().await.unwrap_err().to_string();
        assert!(error.contains(&suffix), "{error}");
        assert_eq!(
            (repo.count_of("rpm"), repo.count_of("erratum")),
            (3, 1),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_broken_document_takes_nothing_away() {
    for kind in ["updateinfo", "comps"] {
        for broken in ["<updates><update", "<html/>"] {
            let feed = plain();
            let mut repo = Fake::new(feed.path(), json!({"remove_missing": true}));
            repo.sync().await.unwrap();
            rewrite(feed.path(), kind, |_| broken.into());
            repo.sync().await.unwrap();
            let left = (repo.count_of("erratum"), repo.count_of("package_group"));
            assert_eq!(
                (left, noted(&repo, "broken_document")),
                ((1, 1), 1),
                "{kind}"
            );
            repo.sync().await.unwrap();
            assert_eq!(noted(&repo, "broken_document"), 2, "{kind}: told again");
        }
    }
}

#[tokio::test]
async fn of_documents_of_one_kind_the_first_is_taken_and_groups_of_one_id_are_joined() {
    let feed = plain();
    add_document(feed.path(), "productid", b"one");
    add_document(feed.path(), "productid", b"two");
    add_document(feed.path(), "updateinfo", b"<updates/>");
    rewrite(feed.path(), "comps", |text| {
        let group = &text[text.find("<group>").unwrap()..];
        let group = &group[..group.find("</group>").unwrap() + "</group>".len()];
        let again = group.replace("<name>", "<name>Second ");
        text.replace(group, &format!("{group}{again}")).into_bytes()
    });
    let repo = synced(feed.path()).await;
    assert_eq!(
        (repo.count_of("erratum"), noted(&repo, "document_twice")),
        (1, 2)
    );
    assert_eq!(
        (repo.count_of("package_group"), noted(&repo, "comps_twice")),
        (1, 1)
    );
    assert!(published(&repo, "group").contains("<name>Second "));
    assert_eq!(published(&repo, "productid"), "one");
}

#[tokio::test]
async fn locations_inside_of_the_repository_are_read_however_they_are_written() {
    for (location, noted_as) in [
        ("./{}", None),
        ("x/../{}", None),
        ("double", None),
        ("{}\" xml:base=\"media://1#1", Some("base_unknown")),
        ("\n\t{} ", Some("locations_odd")),
        ("{}&#10;", Some("locations_odd")),
    ] {
        let feed = plain();
        rewrite(feed.path(), "primary", |text| {
            let at = text.find("href=\"").unwrap() + "href=\"".len();
            let end = text[at..].find('"').unwrap() + at;
            let odd = match location {
                "double" => text[at..end].replace('/', "//"),
                _ => location.replace("{}", &text[at..end]),
            };
            format!("{}{odd}{}", &text[..at], &text[end..]).into_bytes()
        });
        let repo = synced(feed.path()).await;
        assert_eq!(repo.count_of("rpm"), 3, "{location:?}");
        let notes = repo.bent.to_json().unwrap_or(json!({}));
        let kinds: Vec<&str> = notes
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(kinds, noted_as.as_slice(), "{location:?}");
    }
}

#[tokio::test]
async fn documents_without_a_checksum_are_read_and_noted() {
    let feed = plain();
    add_document(feed.path(), "productid", b"certificate");
    let repomd = feed.path().join("repodata/repomd.xml");
    let text = std::fs::read_to_string(&repomd).unwrap();
    let mut parts = text.split("<checksum ");
    let mut without = parts.next().unwrap().to_owned();
    without.extend(parts.map(|part| part.split_once("</checksum>").unwrap().1));
    std::fs::write(&repomd, &without).unwrap();
    let repo = synced(feed.path()).await;
    assert_eq!((repo.count_of("rpm"), noted(&repo, "no_checksum")), (3, 6));
    assert_eq!(published(&repo, "productid"), "certificate");
    let unknown = "<checksum type=\"crc32\">0</checksum><location href=\"repodata/";
    std::fs::write(
        &repomd,
        without.replace("<location href=\"repodata/", unknown),
    )
    .unwrap();
    let mut repo = Fake::new(feed.path(), json!({}));
    let error = repo.sync().await.unwrap_err().to_string();
    assert!(error.contains("no usable checksum"), "{error}");
}

#[tokio::test]
async fn another_prefix_for_rpm_and_epochs_with_blanks_are_published_as_usual() {
    let feed = plain();
    rewrite(feed.path(), "primary", |text| {
        let text = text.replace("rpm:", "r:").replace("xmlns:rpm", "xmlns:r");
        text.replacen("epoch=\"0\"", "epoch=\" 0\"", 1).into_bytes()
    });
    let repo = synced(feed.path()).await;
    let usual = synced(plain().path()).await;
    let text = published(&repo, "primary").replace("></version>", "/>");
    assert_eq!(text, published(&usual, "primary"));
    assert_eq!(repo.bent.to_json(), None);
}

#[tokio::test]
async fn a_package_that_nobody_could_fetch_or_verify_is_left_out_alone_and_stays_where_it_is() {
    for (from, to) in [
        ("href=\"Packages/", "href=\"\" other=\""),
        ("<checksum type=\"sha256\" pkgid=\"YES\">", "<!-- "),
        ("<location ", "<elsewhere "),
    ] {
        let feed = plain();
        let mut repo = Fake::new(feed.path(), json!({"remove_missing": true}));
        repo.sync().await.unwrap();
        rewrite(feed.path(), "primary", |text| {
            let text = text.replacen(from, to, 1);
            match to {
                "<!-- " => text.replacen("</checksum>", " -->", 1).into_bytes(),
                _ => text.into_bytes(),
            }
        });
        repo.sync().await.unwrap();
        assert_eq!(
            (repo.count_of("rpm"), noted(&repo, "left_out")),
            (3, 1),
            "{from}"
        );
        let new = synced(feed.path()).await;
        assert_eq!(
            (new.count_of("rpm"), noted(&new, "left_out")),
            (2, 1),
            "{from}"
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
