//! Small documents that mean large ones: the sync fails and says why, and the server's memory stays what it is.

use pith_e2e::Feed;
use serde_json::json;

use super::{Forged, Scene, ended, forge, sha256_of};

/// Most memory that the server may ever have taken, in KiB.
const MOST: u64 = 300 << 10;
/// The digest of a package that nobody has.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Puts a repository of one package with this document below `path`.
fn feed_with(feed: &Feed, path: &str, kind: &str, text: &[u8]) {
    let package = Forged {
        sha256: NOTHING,
        size: Some(1),
        base: "",
        href: "nothing.rpm",
    };
    let listed = forge(feed, path, &package);
    let repomd = format!("{path}repodata/repomd.xml");
    feed.replace(&format!("{path}repodata/{kind}.bin"), text);
    let listed = listed.replace(&format!("<data type=\"{kind}\">"), "<data type=\"old\">");
    let data = format!(
        r#"<data type="{kind}"><checksum type="sha256">{}</checksum><location href="repodata/{kind}.bin"/></data></repomd>"#,
        sha256_of(text)
    );
    feed.replace(&repomd, listed.replace("</repomd>", &data).as_bytes());
}

/// The most memory that a process has taken so far, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn updateinfo(inside: &str) -> Vec<u8> {
    format!("<updates><update from='f' status='s' type='t' version='1'><id>A</id>{inside}</update></updates>")
        .into_bytes()
}

fn package(root: &str, inside: &str) -> Vec<u8> {
    let version = "<version epoch='0' ver='1' rel='1'/>";
    let text = match root {
        "metadata" => format!(
            "<metadata packages='1'><package type='rpm'><name>p</name><arch>noarch</arch>{version}<checksum type='sha256' \
             pkgid='YES'>{NOTHING}</checksum><location href='p.rpm'/><format>{inside}</format></package></metadata>"
        ),
        root => format!(
            "<{root} packages='1'><package pkgid='{NOTHING}' name='p' arch='noarch'>{version}{inside}</package></{root}>"
        ),
    };
    text.into_bytes()
}

/// Documents that are too large in one way each, with what the error names.
fn documents() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mega = format!("{}<!-- -->", "x".repeat(1 << 20));
    let texts = format!("<description>{}</description>", mega.repeat(20));
    let cdata = format!("<![CDATA[{}]]>", "y".repeat(1 << 20)).repeat(20);
    let groups: String = (0..=100_000)
        .map(|n| format!("<group><id>g{n}</id></group>"))
        .collect();
    let modules = format!(
        "<collection>{}{}</collection>",
        "<module name='m' stream='s'/>".repeat(400),
        "<package/>".repeat(400)
    );
    vec![
        ("updateinfo", updateinfo(&texts), "bytes of one element"),
        (
            "updateinfo",
            updateinfo(&format!("<summary>{cdata}</summary>")),
            "bytes of one element",
        ),
        (
            "updateinfo",
            updateinfo(&"<reference/>".repeat(150_001)),
            "number of elements",
        ),
        (
            "updateinfo",
            updateinfo(&format!("<pkglist>{modules}</pkglist>")),
            "number of packages of an advisory",
        ),
        (
            "group",
            format!("<comps>{groups}</comps>").into_bytes(),
            "number of groups",
        ),
        (
            "primary",
            package(
                "metadata",
                &format!(
                    "<rpm:provides>{}</rpm:provides>",
                    "<rpm:entry name='a'/>".repeat(50_001)
                ),
            ),
            "number of dependencies",
        ),
        (
            "primary",
            package("metadata", &mega.repeat(9)),
            "bytes of one package",
        ),
        (
            "filelists",
            package("filelists", &format!("<file>{}</file>", mega.repeat(25))),
            "bytes of one package",
        ),
        (
            "prestodelta",
            format!(
                "<prestodelta><newpackage name='{}'/></prestodelta>",
                "n".repeat(9 << 20)
            )
            .into_bytes(),
            "larger than 8 MiB",
        ),
        ("modules", vec![b'x'; 5 << 20], "bytes of a module document"),
    ]
}

#[test]
fn documents_that_are_too_large_in_sum_fail_with_their_limit_and_take_no_memory() {
    let scene = Scene::start(None, &[]);
    let feed = Feed::start().unwrap();
    for (number, (kind, text, named)) in documents().into_iter().enumerate() {
        let (id, path) = (format!("bad{number}"), format!("/{number}/"));
        feed_with(&feed, &path, kind, &text);
        let settings = json!({"feed": feed.url(&path), "download_policy": "on_demand"});
        scene.admin.create_rpm_with(&id, &settings).unwrap();
        let path = format!("/repositories/{id}/actions/sync/");
        let synced = ended(&scene.admin, &scene.admin, "POST", &path, &json!({}));
        let said = synced["error"].to_string();
        assert!(said.contains(named), "{kind}: {said}");
        let units = scene.admin.get(&format!("/repositories/{id}/")).unwrap();
        assert_eq!(units["content_unit_counts"], json!({}), "{kind}");
    }
    let peak = peak(scene.server.pid());
    assert!(peak < MOST, "the server took {peak} KiB");
    scene.admin.publish("theirs").unwrap();
}

#[test]
fn a_damaged_package_is_no_package_and_the_readers_failure_is_not_shown() {
    let scene = Scene::start(None, &[]);
    let sample = pith_e2e::tools::sample_repo().join("greet-1.0-1.noarch.rpm");
    let whole = std::fs::read(sample).unwrap();
    let magic = [0x8e, 0xad, 0xe8, 1];
    let main = whole.windows(4).rposition(|bytes| bytes == magic).unwrap();
    // Offsets and counts of the first tags lead nowhere. Some of that goes unnoticed, since nothing is read from there.
    let mut refused = 0;
    for (at, value) in [
        (8, 0x7f),
        (12, 0x7f),
        (24, 0xff),
        (28, 0x7f),
        (40, 0x7f),
        (44, 0xff),
    ] {
        let mut bytes = whole.clone();
        bytes[main + at] = value;
        let started = scene.admin_does("POST", "/content/uploads/", &json!({}), 201);
        let id = started["upload_id"].as_str().unwrap();
        let put = scene
            .admin
            .put(&format!("/content/uploads/{id}/0/"), &bytes);
        put.unwrap().expect(200).unwrap();
        let import =
            json!({"upload_id": id, "unit_type_id": "rpm", "unit_key": {}, "unit_metadata": {}});
        let path = "/repositories/theirs/actions/import_upload/";
        let task = ended(&scene.admin, &scene.admin, "POST", path, &import);
        let said = task["error"].to_string();
        refused += usize::from(task["state"] == "error");
        assert!(
            !said.contains("panick") && !said.contains("range"),
            "{said}"
        );
    }
    assert!(refused > 2, "{refused}");
}
