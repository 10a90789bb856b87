//! TLS as clients use it: login certificates, the server's own, and what is refused.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pith_e2e::Pith;
use pith_e2e::server::{free_address, pith};
use pith_e2e::tools::{missing, run};
use pith_testkit::postgres;
use pith_testkit::upstream::TestCa;
use serde_json::{Value, json};

/// A server that listens for TLS, and a folder for its clients.
struct Secure {
    server: Pith,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Secure {
    fn start(options: &[&str]) -> Self {
        let address = free_address().unwrap();
        let listen = address.to_string();
        let mut all = vec!["--tls-listen", listen.as_str()];
        all.extend_from_slice(options);
        Self {
            server: Pith::start_with(&all).unwrap(),
            address,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Status, protocol and body of what curl gets.
    fn curl(&self, arguments: &[&str], path: &str) -> (String, Value) {
        let ca = self.server.data().join("ca.crt");
        let mut command = Command::new("curl");
        command
            .args([
                "-sS",
                "--noproxy",
                "*",
                "-w",
                "\n%{http_code} %{http_version}",
            ])
            .arg("--cacert")
            .arg(ca)
            .args(arguments)
            .arg(self.url(&format!("/pulp/api/v2{path}")));
        let printed = run(&mut command).unwrap();
        let (body, status) = printed.trim_end().rsplit_once('\n').unwrap();
        (
            status.to_owned(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }

    fn admin(&self) -> String {
        format!("admin:{}", self.server.password().unwrap())
    }

    /// Asks for a list of users with a certificate.
    fn with(&self, certificate: &Path, key: &Path) -> (String, Value) {
        let arguments = [
            "--cert",
            certificate.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ];
        self.curl(&arguments, "/users/")
    }
}

fn code(answer: &(String, Value)) -> &str {
    answer.1["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn curl_logs_in_once_and_comes_back_with_the_certificate() {
    if missing(&["curl"]) {
        return;
    }
    let secure = Secure::start(&[]);
    let admin = secure.admin();
    let (status, login) = secure.curl(&["-u", &admin, "-X", "POST"], "/actions/login/");
    assert_eq!(status, "200 2", "{login}");
    let certificate = secure.file("user.crt", login["certificate"].as_str().unwrap());
    let key = secure.file("user.key", login["key"].as_str().unwrap());
    let (status, users) = secure.with(&certificate, &key);
    assert_eq!(status, "200 2", "{users}");
    assert_eq!(users[0]["login"], "admin");
    let old = secure.curl(&["--http1.1", "--tls-max", "1.2", "-u", &admin], "/users/");
    assert_eq!(old.0, "200 1.1");

    let nobody = secure.curl(&[], "/users/");
    assert_eq!((nobody.0.as_str(), code(&nobody)), ("401 2", "PLP0025"));
    let foreign = TestCa::new().unwrap();
    let (pem, its_key) = foreign.client("admin").unwrap();
    let (pem, its_key) = (secure.file("f.crt", &pem), secure.file("f.key", &its_key));
    let refused = secure.with(&pem, &its_key);
    assert_eq!((refused.0.as_str(), code(&refused)), ("401 2", "PLP0027"));
    // The certificate is signed by the server's own authority, which nobody trusts unasked.
    let unknown = Command::new("curl")
        .args(["-sS", "--noproxy", "*", &secure.url("/livez")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(60));

    let mode = |name: &str| {
        let metadata = fs::metadata(secure.server.data().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("authority.pem"), mode("ca.crt")), (0o600, 0o600));
}

#[test]
fn certificates_outlive_a_restart_and_connections_that_say_nothing_keep_nobody_waiting() {
    if missing(&["curl"]) {
        return;
    }
    let mut secure = Secure::start(&[]);
    let admin = secure.admin();
    let (_, login) = secure.curl(&["-u", &admin, "-X", "POST"], "/actions/login/");
    let certificate = secure.file("user.crt", login["certificate"].as_str().unwrap());
    let key = secure.file("user.key", login["key"].as_str().unwrap());
    secure.server.kill().unwrap();
    secure.server.start_again().unwrap();
    let public = fs::read_to_string(secure.server.data().join("ca.crt")).unwrap();
    assert!(public.contains("CERTIFICATE") && !public.contains("PRIVATE"));
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(secure.address).unwrap())
        .collect();
    assert_eq!(secure.with(&certificate, &key).0, "200 2");
    drop(silent);
}

#[test]
fn an_authority_that_is_rotated_takes_what_the_old_one_signed_until_it_is_revoked() {
    if missing(&["curl"]) {
        return;
    }
    rotate(&[]);
    if let Some(database) = postgres::database() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("secrets.key").display().to_string();
        rotate(&["--database", &database.url, "--secrets-key", &key]);
    }
}

fn rotate(options: &[&str]) {
    let mut secure = Secure::start(options);
    let data = secure.server.data().display().to_string();
    let log_in = |secure: &Secure, name: &str| {
        let (_, login) = secure.curl(&["-u", &secure.admin(), "-X", "POST"], "/actions/login/");
        let file =
            |what: &str| secure.file(&format!("{name}.{what}"), login[what].as_str().unwrap());
        (file("certificate"), file("key"))
    };
    let rotate = |secure: &mut Secure, more: &[&str]| {
        secure.server.kill().unwrap();
        let arguments = [&["authority", "rotate", "--data", &data], options, more].concat();
        let arguments: Vec<_> = arguments.iter().map(std::ffi::OsStr::new).collect();
        let said = run(&mut pith(&arguments).unwrap()).unwrap();
        assert!(said.contains("ca.crt"), "{said}");
        secure.server.start_again().unwrap();
    };
    let (old, old_key) = log_in(&secure, "old");
    rotate(&mut secure, &[]);
    assert_eq!(secure.with(&old, &old_key).0, "200 2");
    let (new, new_key) = log_in(&secure, "new");
    rotate(&mut secure, &["--revoke"]);
    for (certificate, key) in [(&old, &old_key), (&new, &new_key)] {
        let refused = secure.with(certificate, key);
        assert_eq!((refused.0.as_str(), code(&refused)), ("401 2", "PLP0027"));
    }
    let (newest, its_key) = log_in(&secure, "newest");
    assert_eq!(secure.with(&newest, &its_key).0, "200 2");
}

#[test]
fn the_authority_is_for_the_names_of_its_server_alone() {
    if missing(&["openssl"]) {
        return;
    }
    let secure = Secure::start(&["--tls-names", "pith.example"]);
    let text = |secure: &Secure| {
        let ca = secure.server.data().join("ca.crt");
        let mut openssl = Command::new("openssl");
        run(openssl.args(["x509", "-noout", "-text", "-in"]).arg(ca)).unwrap()
    };
    let first = text(&secure);
    for line in [
        "DNS:pith.example",
        "Name Constraints",
        "TLS Web Client Authentication",
    ] {
        assert!(first.contains(line), "{first}");
    }
    assert!(!first.contains("DNS:other.example"));
    // A server of another name has the authority take it in.
    let mut secure = secure;
    secure.server.kill().unwrap();
    secure
        .server
        .start_again_with("--tls-names=other.example")
        .unwrap();
    assert!(text(&secure).contains("DNS:other.example"));
}

#[test]
fn an_expired_certificate_of_the_operators_own_authority_is_refused() {
    if missing(&["curl"]) {
        return;
    }
    let authority = TestCa::new().unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = files.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key) = (
        write("ca.pem", authority.pem()),
        write("ca.key", authority.key_pem()),
    );
    let secure = Secure::start(&["--authority-cert", &cert, "--authority-key", &key]);
    let (status, users) = secure.curl(&["-u", &secure.admin()], "/users/");
    assert_eq!(status, "200 2", "{users}");
    let name = format!("admin:admin:{}", users[0]["_id"]["$oid"].as_str().unwrap());
    let (pem, its_key) = authority.expired_client(&name).unwrap();
    let (pem, its_key) = (secure.file("e.crt", &pem), secure.file("e.key", &its_key));
    let refused = secure.with(&pem, &its_key);
    assert_eq!((refused.0.as_str(), code(&refused)), ("401 2", "PLP0027"));
    let kept = secure.server.data().join("authority.pem");
    assert!(!kept.exists());
}

#[test]
fn the_command_line_keeps_a_certificate_and_no_password() {
    let secure = Secure::start(&[]);
    let home = secure.folder.path();
    let client = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(std::ffi::OsStr::new).collect();
        let mut command = pith(&arguments).unwrap();
        command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
        command
    };
    let ca = secure.server.data().join("ca.crt").display().to_string();
    let url = secure.url("");
    let mut login = client(&["login", &url, "--user", "admin", "--ca-cert", &ca]);
    login.env("PITH_PASSWORD", secure.server.password().unwrap());
    let said = run(&mut login).unwrap();
    assert!(said.contains("a certificate is stored in"), "{said}");
    let file = home.join(".config/pith/login.json");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let stored: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(stored.get("password").is_none());
    assert!(
        stored["certificate"]
            .as_str()
            .unwrap()
            .contains("PRIVATE KEY")
    );
    let listed = run(&mut client(&["repo", "list", "--json"])).unwrap();
    assert_eq!(listed.trim(), "[]");
}

#[test]
fn what_is_published_for_one_protocol_is_not_shown_over_the_other() {
    if missing(&["curl"]) {
        return;
    }
    let secure = Secure::start(&[]);
    let api = secure.server.api().unwrap();
    for (id, http) in [("open", true), ("closed", false)] {
        let config = json!({ "relative_url": id, "http": http, "https": !http });
        let repository = json!({
            "id": id,
            "importer_type_id": "yum_importer",
            "importer_config": {},
            "distributors": [{
                "distributor_type_id": "yum_distributor",
                "distributor_id": "yum",
                "distributor_config": config,
                "auto_publish": false,
            }],
        });
        let made = api.call("POST", "/repositories/", Some(&repository));
        made.unwrap().expect(201).unwrap();
        let publish = format!("/repositories/{id}/actions/publish/");
        let tasks = api.spawn(&publish, &json!({ "id": "yum" })).unwrap();
        api.wait(&tasks).unwrap();
    }
    let ca = secure.server.data().join("ca.crt");
    let over_tls = |id: &str| {
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        ])
        .arg("--cacert")
        .arg(&ca)
        .arg(secure.url(&format!("/pulp/repos/{id}/repodata/repomd.xml")));
        run(&mut curl).unwrap()
    };
    let plain = |id: &str| {
        let path = format!("/pulp/repos/{id}/repodata/repomd.xml");
        api.raw("GET", &path, None).unwrap().0
    };
    assert_eq!((plain("open"), over_tls("open").as_str()), (200, "404"));
    assert_eq!((plain("closed"), over_tls("closed").as_str()), (404, "200"));
}
