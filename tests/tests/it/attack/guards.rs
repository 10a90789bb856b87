//! Published content that only clients with a certificate may read.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use pith_e2e::server::free_address;
use pith_e2e::tools::{is_root, missing, run, sample_files, sample_repo, wait_for};
use pith_e2e::{Dnf, Feed};
use pith_testkit::entitled::{Client, EntitlementCa, Opens, raw_payload};
use serde_json::{Value, json};

use super::{Scene, ended, fetched};

/// What a client of the repositories needs: everything below `vip`, and the file repository.
const ALL: &[&str] = &["/vip/$repository", "/disks"];
const PACKAGE: &str = "Packages/m/moon-phases-2026-1.noarch.rpm";
const RETIRED: &str = "Packages/w/weekday-1.0.1-1.noarch.rpm";

/// A server that listens for TLS, and the folder of its clients.
struct Guarded<'a> {
    scene: &'a Scene,
    address: SocketAddr,
    ca: EntitlementCa,
    folder: tempfile::TempDir,
}

/// Does the same on each database, with more options of the server.
fn on_each_database(options: &[&str], attack: impl Fn(&Guarded<'_>)) {
    if missing(&["curl"]) {
        return;
    }
    let address = free_address().unwrap();
    let listen = address.to_string();
    let options = [&["--tls-listen", listen.as_str()], options].concat();
    Scene::on_each_database_with(&options, |scene| {
        attack(&Guarded {
            scene,
            address,
            ca: EntitlementCa::new("content authority").unwrap(),
            folder: tempfile::tempdir().unwrap(),
        });
    });
}

/// The files of a client's certificate and key.
type Files = (PathBuf, PathBuf);

impl Guarded<'_> {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn authority_of_server(&self) -> String {
        let file = self.scene.server.data().join("ca.crt");
        file.to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn client(&self, ca: &EntitlementCa, client: &Client<'_>) -> Files {
        let (certificate, key) = ca.certify(client).unwrap();
        let name = client.serial;
        (
            self.file(&format!("{name}.crt"), &certificate),
            self.file(&format!("{name}.key"), &key),
        )
    }

    /// A client of the authority whose certificate opens all.
    fn right(&self) -> Files {
        self.client(&self.ca, &Client::of("right", 10, Opens::Paths(ALL)))
    }

    /// What curl prints, with the certificate of a client.
    fn curl(&self, client: Option<&Files>, arguments: &[&str]) -> String {
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "--path-as-is", "--cacert"]);
        command.arg(self.authority_of_server());
        if let Some((certificate, key)) = client {
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        run(command.args(arguments)).unwrap()
    }

    /// The statuses of these paths, asked for over one connection.
    fn statuses(&self, client: Option<&Files>, version: &str, paths: &[&str]) -> Vec<u16> {
        let urls: Vec<String> = paths.iter().map(|path| self.url(path)).collect();
        let mut arguments = vec![version, "-w", "%{http_code}\n"];
        for url in &urls {
            arguments.extend(["-o", "/dev/null", url]);
        }
        let printed = self.curl(client, &arguments);
        printed.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn status(&self, client: Option<&Files>, path: &str) -> u16 {
        self.statuses(client, "--http2", &[path])[0]
    }

    fn text(&self, client: Option<&Files>, path: &str) -> String {
        self.curl(client, &[&self.url(path)])
    }

    fn create(&self, body: &Value) {
        self.scene.admin_does("POST", "/repositories/", body, 201);
    }

    fn create_rpm(&self, id: &str, importer: &Value, settings: &Value) {
        let mut config = json!({"http": true, "https": true, "relative_url": format!("vip/{id}")});
        let settings = settings.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(settings);
        self.create(&json!({
            "id": id, "importer_type_id": "yum_importer", "importer_config": importer,
            "distributors": [{
                "distributor_id": "d", "distributor_type_id": "yum_distributor",
                "distributor_config": config, "auto_publish": false,
            }],
        }));
        self.scene.admin.sync(id).unwrap();
        self.scene.admin.publish(id).unwrap();
    }

    fn create_files(&self, id: &str, feed: &str, settings: &Value) {
        self.create(&json!({
            "id": id, "importer_type_id": "iso_importer", "importer_config": {"feed": feed},
            "distributors": [{
                "distributor_id": "d", "distributor_type_id": "iso_distributor",
                "distributor_config": settings, "auto_publish": false,
            }],
        }));
        self.scene.admin.sync(id).unwrap();
        self.scene.admin.publish(id).unwrap();
    }

    /// Changes settings of a distributor; the end of the task.
    fn change(&self, repository: &str, settings: &Value) -> Value {
        let path = format!("/repositories/{repository}/distributors/d/");
        let body = json!({"distributor_config": settings});
        let admin = &self.scene.admin;
        ended(admin, admin, "PUT", &path, &body)
    }

    /// The address of one of the sample feeds.
    fn feed(&self) -> String {
        self.scene.feed.url("/feed/")
    }

    /// A connection of openssl's client that stays open, for one request after the other.
    fn connected(&self, arguments: &[&str]) -> Connection {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-no_ign_eof", "-connect"])
            .arg(self.address.to_string())
            .arg("-CAfile")
            .arg(self.authority_of_server())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Connection { child, output }
    }
}

/// A connection that stays open.
struct Connection {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Connection {
    /// The status of a path.
    fn status(&mut self, path: &str) -> u16 {
        let input = self.child.stdin.as_mut().unwrap();
        write!(input, "GET {path} HTTP/1.1\r\nHost: pith\r\n\r\n").unwrap();
        input.flush().unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "{path}");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            }
            if line.is_empty() && status != 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        status
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The number of packages and other paths that are looked at.
const CELLS: usize = 9;

/// Repositories of each kind, guarded and not, and the paths that everybody asks for: those that are there, then those that are not.
fn fill(guarded: &Guarded<'_>, later: &Feed) -> ([String; CELLS], [String; 3]) {
    let files = Feed::of(&sample_files()).unwrap();
    let authorities = [guarded.ca.pem(), guarded.ca.revoke(&[13]).unwrap()].concat();
    let own = json!({"auth_ca": authorities});
    guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
    let on_demand = json!({"feed": later.url("/feed/"), "download_policy": "on_demand"});
    guarded.create_rpm("later", &on_demand, &own);
    guarded.create_rpm("free", &json!({"feed": guarded.feed()}), &json!({}));
    let own = json!({"serve_http": true, "ssl_auth_ca_cert": authorities});
    guarded.create_files("disks", &files.url("/feed/"), &own);
    // The path of what was removed can be fetched for a while.
    let criteria = json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "weekday"}}});
    let admin = &guarded.scene.admin;
    let path = "/repositories/paid/actions/unassociate/";
    admin.run(path, &json!({"criteria": criteria})).unwrap();
    admin.publish("paid").unwrap();
    let there = [
        "/pulp/repos/vip/paid/repodata/repomd.xml",
        "/pulp/repos/vip/paid/",
        "/pulp/repos/vip/paid/Packages/",
        &format!("/pulp/repos/vip/paid/{PACKAGE}"),
        &format!("/pulp/repos/vip/paid/{RETIRED}"),
        &format!("/pulp/repos//vip/./%70aid/{PACKAGE}"),
        &format!("/pulp/repos/vip/later/{PACKAGE}"),
        "/pulp/isos/disks/PULP_MANIFEST",
        "/pulp/isos/disks/first.txt",
    ];
    let absent = [
        "/pulp/repos/vip/paid/none",
        "/pulp/repos/vip/later/Packages/listing",
        "/pulp/isos/disks/none/",
    ];
    (there.map(str::to_owned), absent.map(str::to_owned))
}

#[test]
fn only_certificates_of_the_authority_that_open_the_path_get_anything() {
    on_each_database(&[], |guarded| {
        let later = Feed::of(&sample_repo()).unwrap();
        let (there, absent) = fill(guarded, &later);
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        let absent: Vec<&str> = absent.iter().map(String::as_str).collect();
        let other = EntitlementCa::new("content authority").unwrap();
        let mut expired = Client::of("expired", 12, Opens::Paths(ALL));
        expired.years = (2020, 2021);
        let refused = [
            None,
            Some(guarded.client(&other, &Client::of("foreign", 11, Opens::Paths(ALL)))),
            Some(guarded.client(&guarded.ca, &expired)),
            Some(guarded.client(&guarded.ca, &Client::of("revoked", 13, Opens::Payload(ALL)))),
            Some(guarded.client(
                &guarded.ca,
                &Client::of(
                    "elsewhere",
                    14,
                    Opens::Paths(&["/vip/free", "/vip/pai", "/disk"]),
                ),
            )),
            Some(guarded.client(&guarded.ca, &Client::of("nothing", 15, Opens::Nothing))),
        ];
        for client in &refused {
            let client = client.as_ref();
            for version in ["--http1.1", "--http2"] {
                for paths in [&there, &absent] {
                    let statuses = guarded.statuses(client, version, paths);
                    assert_eq!(statuses, vec![403; paths.len()], "{client:?} {version}");
                }
            }
            for arguments in [
                vec!["-I"],
                vec!["-r", "0-0"],
                vec!["-H", "If-None-Match: *"],
            ] {
                let url = guarded.url(there[3]);
                let more = ["-o", "/dev/null", "-w", "%{http_code}", url.as_str()];
                let printed = guarded.curl(client, &[arguments.as_slice(), &more].concat());
                assert_eq!(printed, "403", "{arguments:?}");
            }
            assert_eq!(guarded.text(client, "/pulp/repos/vip/listing"), "free");
            let page = guarded.text(client, "/pulp/repos/vip/");
            assert!(page.contains("free") && !page.contains("paid"), "{page}");
            assert!(!guarded.text(client, "/pulp/isos/").contains("disks"));
        }
        // Nothing was fetched for them.
        let upstream = "/feed/moon-phases-2026-1.noarch.rpm";
        assert_eq!(later.requests_for(upstream), 0);
        let part = ["/vip/paid/Packages", "/vip/later/$a/m"];
        let part = guarded.client(&guarded.ca, &Client::of("part", 16, Opens::Payload(&part)));
        let statuses = guarded.statuses(Some(&part), "--http2", &there);
        assert_eq!(statuses, [403, 403, 200, 200, 200, 200, 200, 403, 403]);
        for opens in [Opens::Paths(ALL), Opens::Payload(ALL)] {
            let right = guarded.client(&guarded.ca, &Client::of("right", 10, opens));
            for version in ["--http1.1", "--http2"] {
                let statuses = guarded.statuses(Some(&right), version, &there);
                assert_eq!(statuses, vec![200; CELLS], "{opens:?} {version}");
                let statuses = guarded.statuses(Some(&right), version, &absent);
                assert_eq!(statuses, [404; 3]);
            }
            let listing = guarded.text(Some(&right), "/pulp/repos/vip/listing");
            assert_eq!(listing, "free\nlater\npaid");
            let page = guarded.text(Some(&right), "/pulp/isos/");
            assert!(page.contains("disks"), "{page}");
            // What is on the way is for nobody else.
            let head = guarded.curl(Some(&right), &["-I", &guarded.url(there[3])]);
            assert!(head.contains("cache-control: private"), "{head}");
        }
        // Plain HTTP shows no certificate.
        for path in there.iter().chain(&absent) {
            assert_eq!(
                fetched(&guarded.scene.server.url(path), None).0,
                403,
                "{path}"
            );
        }
        let listing = guarded.scene.server.url("/pulp/repos/vip/listing");
        assert_eq!(fetched(&listing, None).1, b"free");
    });
}

#[test]
fn a_guard_holds_from_the_moment_it_is_saved_and_no_override_changes_it() {
    if missing(&["openssl"]) {
        return;
    }
    on_each_database(&[], |guarded| {
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &json!({}));
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        let (right, other) = (guarded.right(), EntitlementCa::new("other").unwrap());
        let (certificate, key) = (right.0.to_str().unwrap(), right.1.to_str().unwrap());
        let mut open = guarded.connected(&["-cert", certificate, "-key", key]);
        assert_eq!((open.status(path), guarded.status(None, path)), (200, 200));
        let set = |settings: Value| {
            let task = guarded.change("paid", &settings);
            assert_eq!(task["state"], "finished", "{task}");
        };
        set(json!({"auth_ca": guarded.ca.pem()}));
        assert_eq!((open.status(path), guarded.status(None, path)), (200, 403));
        set(json!({"auth_ca": other.pem()}));
        assert_eq!((open.status(path), guarded.status(None, path)), (403, 403));
        let both = [other.pem(), guarded.ca.pem()].concat();
        set(json!({"auth_ca": both}));
        assert_eq!(open.status(path), 200);
        let revoked = [guarded.ca.pem(), guarded.ca.revoke(&[10]).unwrap()].concat();
        set(json!({"auth_ca": revoked}));
        assert_eq!(open.status(path), 403);
        set(json!({"auth_ca": guarded.ca.pem()}));
        // What cannot be a guard is refused, and leaves the one that is there.
        for bad in [
            "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n".to_owned(),
            [
                guarded.ca.pem(),
                "-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n".into(),
            ]
            .concat(),
        ] {
            let task = guarded.change("paid", &json!({"auth_ca": bad}));
            assert_eq!(task["state"], "error", "{bad}");
            assert!(task["error"].to_string().contains("auth_ca"), "{task}");
        }
        let admin = &guarded.scene.admin;
        let publish = "/repositories/paid/actions/publish/";
        for authority in [json!(other.pem()), json!(""), json!(false), json!(null)] {
            let body =
                json!({"id": "d", "override_config": {"auth_ca": authority, "force_full": true}});
            let task = ended(admin, admin, "POST", publish, &body);
            assert_eq!(task["state"], "error", "{task}");
            assert_eq!((open.status(path), guarded.status(None, path)), (200, 403));
        }
        set(json!({"auth_ca": null}));
        assert_eq!(guarded.status(None, path), 200);
    });
}

#[test]
fn what_is_no_authority_or_lets_nobody_in_guards_nothing() {
    on_each_database(&[], |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        let right = guarded.right();
        let client = fs::read_to_string(&right.0).unwrap();
        let (one, two) = (
            EntitlementCa::new("one").unwrap(),
            EntitlementCa::new("two").unwrap(),
        );
        let crossed = [one.vouch(&two).unwrap(), two.vouch(&one).unwrap()].concat();
        let with = |lists: &str| [guarded.ca.pem(), lists.to_owned()].concat();
        let namesake = EntitlementCa::new("content authority").unwrap();
        for (bad, why) in [
            (client, "none of an authority"),
            (crossed, "signed each other"),
            (
                with(&guarded.ca.revoke(&[]).unwrap().repeat(101)),
                "revocation lists",
            ),
            (with(&namesake.revoke(&[]).unwrap()), "is not signed by"),
            (
                with(&guarded.ca.revoke_since(&[]).unwrap()),
                "cannot be read",
            ),
        ] {
            let task = guarded.change("paid", &json!({"auth_ca": bad}));
            assert_eq!(task["state"], "error", "{task}");
            assert!(task.to_string().contains(why), "{task}");
            let body = json!({
                "distributor_id": "other", "distributor_type_id": "yum_distributor",
                "distributor_config": {"http": true, "https": true, "relative_url": "other", "auth_ca": bad},
            });
            let path = "/repositories/paid/distributors/";
            guarded.scene.admin_does("POST", path, &body, 400);
        }
        assert_eq!(guarded.status(Some(&right), path), 200);
    });
}

#[test]
fn large_guards_and_tangled_entitlements_keep_nobody_waiting() {
    on_each_database(&[], |guarded| {
        let ca = EntitlementCa::new("attacker").unwrap();
        let others: String = (1..100)
            .map(|number| {
                let name = if number < 8 {
                    "attacker".to_owned()
                } else {
                    format!("other {number}")
                };
                EntitlementCa::new(&name).unwrap().pem()
            })
            .collect();
        let serials: Vec<u64> = (1000..20_000).collect();
        let text = [ca.pem(), others, ca.revoke(&serials).unwrap()].concat();
        let own = json!({"auth_ca": text});
        guarded.create_rpm("hoard", &json!({"feed": guarded.feed()}), &own);
        guarded.create_rpm("free", &json!({"feed": guarded.feed()}), &json!({}));
        let all: Vec<(usize, usize)> = (1..200).map(|to| (0, to)).collect();
        let payload = raw_payload(&["$a"], &vec![all; 200]).unwrap();
        let opens = Opens::Raw("3.4", &payload);
        let tangled = guarded.client(&ca, &Client::of("tangled", 20, opens));
        let deep = format!("/pulp/repos/vip/hoard/{}", "a/".repeat(60));
        assert_eq!(guarded.status(Some(&tangled), &deep), 403);
        let opens = Opens::Paths(ALL);
        let good = guarded.client(&ca, &Client::of("good", 21, opens));
        let gone = guarded.client(&ca, &Client::of("gone", 1021, opens));
        let path = "/pulp/repos/vip/hoard/repodata/repomd.xml";
        assert_eq!(guarded.status(Some(&good), path), 200);
        assert_eq!(guarded.status(Some(&gone), path), 403);
        let free = "/pulp/repos/vip/free/repodata/repomd.xml";
        assert_eq!(guarded.status(None, free), 200);
    });
}

#[test]
fn a_resumed_session_has_the_certificate_that_it_began_with_and_no_other() {
    if missing(&["openssl"]) {
        return;
    }
    on_each_database(&[], |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        let right = guarded.right();
        let with = [
            "-cert",
            right.0.to_str().unwrap(),
            "-key",
            right.1.to_str().unwrap(),
        ];
        for version in ["-tls1_2", "-tls1_3"] {
            let kept = guarded.folder.path().join(format!("session{version}"));
            let kept = kept.to_str().unwrap();
            // The certificate of the first connection counts, whatever the second would show.
            for (first, second, expected) in
                [(with.as_slice(), [].as_slice(), 200), (&[], &with, 403)]
            {
                let save = [version, "-sess_out", kept];
                let status = guarded.connected(&[first, &save].concat()).status(path);
                assert_eq!(status, expected, "{version} {first:?}");
                let again = [version, "-sess_in", kept];
                let status = guarded.connected(&[second, &again].concat()).status(path);
                assert_eq!(status, expected, "{version} {first:?} {second:?}");
            }
        }
        // Nor does it outlive what was revoked meanwhile.
        let kept = guarded.folder.path().join("last");
        let kept = kept.to_str().unwrap();
        let save = [with.as_slice(), &["-sess_out", kept]].concat();
        assert_eq!(guarded.connected(&save).status(path), 200);
        let revoked = [guarded.ca.pem(), guarded.ca.revoke(&[10]).unwrap()].concat();
        guarded.change("paid", &json!({"auth_ca": revoked}));
        assert_eq!(guarded.connected(&["-sess_in", kept]).status(path), 403);
    });
}

#[test]
fn the_authorities_of_repositories_and_of_logins_are_not_the_same() {
    on_each_database(&[], |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let login = guarded
            .scene
            .admin_does("POST", "/actions/login/", &Value::Null, 200);
        let login = (
            guarded.file("login.crt", login["certificate"].as_str().unwrap()),
            guarded.file("login.key", login["key"].as_str().unwrap()),
        );
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        assert_eq!(guarded.status(Some(&login), path), 403);
        let users = "/pulp/api/v2/users/";
        assert_eq!(guarded.status(Some(&login), users), 200);
        let admin = guarded.scene.admin.get("/users/admin/").unwrap();
        let oid = admin["_id"]["$oid"].as_str().unwrap();
        let name = format!("admin:admin:{oid}");
        let forged = guarded.client(&guarded.ca, &Client::of(&name, 10, Opens::Paths(ALL)));
        assert_eq!(guarded.status(Some(&forged), users), 401);
        assert_eq!(guarded.status(Some(&forged), path), 200);
    });
}

#[test]
fn the_key_of_an_entitlement_certificate_is_shown_to_nobody() {
    on_each_database(&[], |guarded| {
        let (certificate, key) = guarded
            .ca
            .certify(&Client::of("c", 10, Opens::Paths(ALL)))
            .unwrap();
        let both = [certificate, key].concat();
        let own = json!({"auth_ca": guarded.ca.pem(), "auth_cert": both});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let shown = guarded.change("paid", &json!({"auth_cert": "*****", "gpgkey": "x"}));
        assert_eq!(shown["state"], "finished", "{shown}");
        let admin = &guarded.scene.admin;
        let mut answers = vec![shown];
        for path in [
            "/repositories/paid/?details=true",
            "/repositories/?details=true",
            "/repositories/paid/distributors/",
            "/repositories/paid/distributors/d/",
            "/distributors/search/",
            "/tasks/",
        ] {
            answers.push(admin.get(path).unwrap());
        }
        for answer in answers {
            let text = answer.to_string();
            assert!(!text.contains("PRIVATE KEY"), "{text}");
        }
        let config = admin.get("/repositories/paid/distributors/d/").unwrap();
        assert_eq!(config["config"]["auth_cert"], "*****");
        assert_eq!(config["config"]["auth_ca"], guarded.ca.pem());
        for file in ["pith.db", "pith.db-wal"] {
            let bytes = fs::read(guarded.scene.server.data().join(file)).unwrap_or_default();
            let key = b"PRIVATE KEY";
            assert!(!bytes.windows(key.len()).any(|at| at == key), "{file}");
        }
    });
}

#[test]
fn the_server_names_an_authority_for_repositories_without_one_and_what_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let ca = EntitlementCa::new("for all").unwrap();
    let (authority, revoked) = (folder.path().join("all.crt"), folder.path().join("all.crl"));
    fs::write(&authority, ca.pem()).unwrap();
    fs::write(&revoked, ca.revoke(&[99]).unwrap()).unwrap();
    let options = [
        "--repo-auth-ca",
        authority.to_str().unwrap(),
        "--repo-auth-crl",
        revoked.to_str().unwrap(),
        "--repo-auth-prefixes",
        "/pulp/repos",
    ];
    on_each_database(&options, |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        guarded.create_rpm("free", &json!({"feed": guarded.feed()}), &json!({}));
        let files = Feed::of(&sample_files()).unwrap();
        guarded.create_files("disks", &files.url("/feed/"), &json!({}));
        let paths = [
            "/pulp/repos/vip/paid/repodata/repomd.xml",
            "/pulp/repos/vip/free/repodata/repomd.xml",
            "/pulp/isos/disks/PULP_MANIFEST",
        ];
        let of_all = guarded.client(&ca, &Client::of("all", 20, Opens::Paths(ALL)));
        let of_own = guarded.right();
        let statuses = |client| guarded.statuses(client, "--http2", &paths);
        assert_eq!(statuses(None), [403, 403, 403]);
        assert_eq!(statuses(Some(&of_own)), [200, 403, 403]);
        // What certificates say begins below /pulp/repos alone.
        assert_eq!(statuses(Some(&of_all)), [403, 200, 403]);
        let theirs = guarded.url("/pulp/repos/listing");
        assert_eq!(guarded.curl(None, &[&theirs]), "");
        fs::write(&revoked, [ca.revoke(&[20]).unwrap(), "\n".into()].concat()).unwrap();
        wait_for("the list to be read again", || {
            Ok((statuses(Some(&of_all)) == [403, 403, 403]).then_some(()))
        })
        .unwrap();
        assert_eq!(statuses(Some(&of_own)), [200, 403, 403]);
        // A list that cannot be read changes nothing, and neither does one that is not understood, whoever's it is.
        let stranger = EntitlementCa::new("stranger").unwrap();
        let part = stranger.revoke_since(&[1]).unwrap();
        for (count, bad) in ["junk", part.as_str()].into_iter().enumerate() {
            fs::write(&revoked, bad).unwrap();
            wait_for("the fault to be told", || {
                let log = guarded.scene.server.log()?;
                let told = log.matches("stay as they were").count();
                Ok((told > count).then_some(()))
            })
            .unwrap();
            assert_eq!(statuses(Some(&of_own)), [200, 403, 403]);
        }
        assert_eq!(statuses(Some(&of_all)), [403, 403, 403]);
        fs::write(&revoked, ca.revoke(&[99]).unwrap()).unwrap();
    });
}

#[test]
fn whoever_runs_the_server_may_serve_everything_to_everybody() {
    on_each_database(&["--repo-auth", "false"], |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        assert_eq!(guarded.status(None, path), 200);
        assert_eq!(fetched(&guarded.scene.server.url(path), None).0, 200);
    });
}

#[test]
fn certificates_made_with_openssl_open_what_they_say() {
    if missing(&["openssl"]) {
        return;
    }
    on_each_database(&[], |guarded| {
        let openssl = |line: &str| {
            let mut command = Command::new("openssl");
            command.current_dir(guarded.folder.path());
            run(command.args(line.split(' '))).unwrap()
        };
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -days 2 -keyout ca.key -out ca.crt",
        );
        openssl("req -new -newkey rsa:2048 -nodes -subj /CN=client -keyout c.key -out c.csr");
        let extensions = "extendedKeyUsage = clientAuth\n\
             1.3.6.1.4.1.2312.9.2.4711.1 = ASN1:UTF8STRING:yum\n\
             1.3.6.1.4.1.2312.9.2.4711.1.6 = ASN1:UTF8STRING:/vip/\\$releasever\n";
        guarded.file("ext", extensions);
        openssl(
            "x509 -req -in c.csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 2 -extfile ext -out c.crt",
        );
        let authority = fs::read_to_string(guarded.folder.path().join("ca.crt")).unwrap();
        let own = json!({"auth_ca": authority});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let folder = guarded.folder.path();
        let client = (folder.join("c.crt"), folder.join("c.key"));
        let path = "/pulp/repos/vip/paid/repodata/repomd.xml";
        assert_eq!(guarded.status(Some(&client), path), 200);
        assert_eq!(guarded.status(None, path), 403);
    });
}

#[test]
fn dnf_reads_with_its_certificate_and_not_without() {
    if missing(&["dnf"]) || !is_root() {
        return;
    }
    on_each_database(&[], |guarded| {
        let own = json!({"auth_ca": guarded.ca.pem()});
        guarded.create_rpm("paid", &json!({"feed": guarded.feed()}), &own);
        let client = |(certificate, key): &Files| {
            let url = guarded.url("/pulp/repos/vip/paid/");
            let authority = guarded.authority_of_server();
            Dnf::with_configuration(&format!(
                "[pith]\nname=pith\nbaseurl={url}\ngpgcheck=0\nsslcacert={authority}\nsslclientcert={}\nsslclientkey={}\n",
                certificate.display(),
                key.display(),
            ))
            .unwrap()
        };
        let right = client(&guarded.right());
        right.makecache().unwrap();
        assert_eq!(right.packages().unwrap().len(), 10);
        right.install(&["moon-phases"]).unwrap();
        let other = EntitlementCa::new("content authority").unwrap();
        let wrong = guarded.client(&other, &Client::of("foreign", 11, Opens::Paths(ALL)));
        let refused = client(&wrong).makecache().unwrap_err().to_string();
        assert!(refused.contains("repomd.xml"), "{refused}");
    });
}
