//! GnuPG with a folder of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use pith_core::Timestamp;
use pith_sign::SigningKey;
use secrecy::SecretString;
use tempfile::TempDir;

/// A time at which keys are made.
pub(crate) fn born() -> Timestamp {
    "2024-01-01T00:00:00Z".parse().unwrap()
}

/// A time after the keys of these tests were made.
pub(crate) fn now() -> Timestamp {
    "2024-06-01T00:00:00Z".parse().unwrap()
}

/// A home of GnuPG. What it makes is made at the beginning of 2024.
pub(crate) struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// A new one; `None`, loudly, where there is no GnuPG.
    pub(crate) fn new() -> Option<Self> {
        if ["gpg", "gpgv"]
            .iter()
            .any(|program| Command::new(program).arg("--version").output().is_err())
        {
            assert!(
                std::env::var_os("CI").is_none(),
                "gpg not installed: run .ci/install-tools"
            );
            eprintln!("SKIPPED: gpg not installed (.ci/install-tools installs it)");
            return None;
        }
        let home = TempDir::new().unwrap();
        // As few rounds as it takes, for tests open many keys.
        fs::write(home.path().join("gpg-agent.conf"), "s2k-count 65536\n").unwrap();
        Some(Self { home })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs gpg; what it says on its output.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "gpg {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn try_run(&self, arguments: &[&str]) -> Output {
        Command::new("gpg")
            .env("GNUPGHOME", self.home.path())
            .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"])
            .args(["--faked-system-time", "20240102T000000"])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Makes a key; its fingerprint.
    pub(crate) fn make(
        &self,
        passphrase: &str,
        algorithm: &str,
        usage: &str,
        expires: &str,
    ) -> String {
        let user = format!("{algorithm} {usage} <made@example.org>");
        self.run(&[
            "--passphrase",
            passphrase,
            "--quick-gen-key",
            &user,
            algorithm,
            usage,
            expires,
        ]);
        self.fingerprint(&user)
    }

    /// The fingerprint of the key of a user.
    pub(crate) fn fingerprint(&self, user: &str) -> String {
        let listed = self.run(&["--with-colons", "--list-keys", &format!("={user}")]);
        let line = listed
            .lines()
            .find(|line| line.starts_with("fpr:"))
            .unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// The armored secret key.
    pub(crate) fn export(&self, passphrase: &str, fingerprint: &str) -> SecretString {
        self.run(&[
            "--passphrase",
            passphrase,
            "--armor",
            "--export-secret-keys",
            fingerprint,
        ])
        .into()
    }

    /// Tells what gpgv, which knows only the key's public part, says of a signature: over `document`, or of a text in the clear.
    pub(crate) fn verifies(
        &self,
        key: &SigningKey,
        signature: &str,
        document: Option<&[u8]>,
    ) -> bool {
        let public = self.write("public.asc", key.public().unwrap());
        let ring = self.path("ring.gpg");
        self.run(&[
            "--output",
            ring.to_str().unwrap(),
            "--dearmor",
            public.to_str().unwrap(),
        ]);
        let mut gpgv = Command::new("gpgv");
        gpgv.arg("--keyring")
            .arg(ring)
            .arg(self.write("signature.asc", signature));
        if let Some(document) = document {
            gpgv.arg(self.write("document", document));
        }
        gpgv.output().unwrap().status.success()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // Its agent would outlive the folder.
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}
