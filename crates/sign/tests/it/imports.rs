//! Keys that GnuPG exports, and those that cannot sign.

use pith_sign::{SignError, SigningKey};
use secrecy::{ExposeSecret, SecretString};

use crate::gpg::{Gpg, now};

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn import(armored: &SecretString, passphrase: Option<&str>) -> Result<SigningKey, SignError> {
    let passphrase = passphrase.map(secret);
    SigningKey::import(armored, passphrase.as_ref(), now())
}

/// Signs with a key, both ways, and has GnuPG look at it.
fn signs(gpg: &Gpg, key: &SigningKey) -> bool {
    let detached = key.detached(&b"document"[..], now()).unwrap();
    let clear = key.clear("a text\n", now()).unwrap();
    gpg.verifies(key, &detached, Some(b"document")) && gpg.verifies(key, &clear, None)
}

#[test]
fn keys_of_every_kind_that_signs_are_read() {
    let Some(gpg) = Gpg::new() else { return };
    for (algorithm, shown) in [
        ("rsa2048", "rsa2048"),
        ("ed25519", "ed25519"),
        ("nistp256", "nist p-256"),
        ("nistp384", "nist p-384"),
        ("nistp521", "nist p-521"),
    ] {
        let fingerprint = gpg.make("sesame", algorithm, "sign", "never");
        let exported = gpg.export("sesame", &fingerprint);
        let key = import(&exported, Some("sesame")).unwrap();
        assert_eq!(key.about().fingerprint, fingerprint);
        assert_eq!(key.about().algorithm, shown);
        assert!(signs(&gpg, &key), "{algorithm}");
        let again = SigningKey::from_kept(&key.kept().unwrap()).unwrap();
        assert!(signs(&gpg, &again), "{algorithm}");
        let refused = import(&exported, None).unwrap_err();
        assert!(matches!(refused, SignError::PassphraseMissing), "{refused}");
        let refused = import(&exported, Some("other")).unwrap_err();
        assert!(matches!(refused, SignError::PassphraseWrong), "{refused}");
    }
}

#[test]
fn the_newest_subkey_for_signing_signs_and_all_else_is_left_out() {
    let Some(gpg) = Gpg::new() else { return };
    let main = gpg.make("", "ed25519", "cert", "never");
    gpg.run(&[
        "--passphrase",
        "",
        "--quick-add-key",
        &main,
        "cv25519",
        "encr",
        "never",
    ]);
    let refused = import(&gpg.export("", &main), None).unwrap_err();
    assert!(matches!(refused, SignError::CannotSign(_)), "{refused}");
    gpg.run(&[
        "--passphrase",
        "",
        "--quick-add-key",
        &main,
        "rsa2048",
        "sign",
        "1y",
    ]);
    let key = import(&gpg.export("", &main), None).unwrap();
    let about = key.about();
    assert_eq!(
        (about.fingerprint.as_str(), about.algorithm.as_str()),
        (main.as_str(), "rsa2048")
    );
    let ends = about.expires.unwrap();
    assert!(
        ends > now() && ends < "2025-02-01T00:00:00Z".parse().unwrap(),
        "{ends}"
    );
    assert!(signs(&gpg, &key));
    // The key itself may be kept elsewhere.
    let exported = gpg
        .run(&[
            "--passphrase",
            "",
            "--armor",
            "--export-secret-subkeys",
            &main,
        ])
        .into();
    let key = import(&exported, None).unwrap();
    assert!(signs(&gpg, &key));
    let protected = key.export(Some(&secret("sesame"))).unwrap();
    let again = import(&protected, Some("sesame")).unwrap();
    assert_eq!(again.about(), key.about());
    // Of three parts two are left.
    let file = gpg.write("public.asc", key.public().unwrap());
    let listed = gpg.run(&["--with-colons", "--show-keys", file.to_str().unwrap()]);
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.starts_with("sub:"))
            .count(),
        1,
        "{listed}"
    );
}

#[test]
fn keys_that_cannot_sign_are_refused_in_words() {
    let Some(gpg) = Gpg::new() else { return };
    let one = gpg.make("", "ed25519", "sign", "never");
    let two = gpg.make("", "nistp256", "sign", "never");
    let short = gpg.make("", "rsa1024", "sign", "never");
    let expired = gpg.make("", "ed25519", "sign,cert", "2024-02-01");
    let old = gpg.make("", "dsa2048", "sign", "never");
    let revoked = gpg.make("", "nistp384", "sign", "never");
    let exported = gpg.export("", &one).expose_secret().to_owned();
    let revocation = gpg.path(&format!("openpgp-revocs.d/{revoked}.rev"));
    let text = std::fs::read_to_string(&revocation)
        .unwrap()
        .replace(":-----", "-----");
    std::fs::write(&revocation, text).unwrap();
    gpg.run(&["--import", revocation.to_str().unwrap()]);
    let both = gpg.run(&["--armor", "--export-secret-keys", &one, &two]);
    let beside = format!("{exported}\n{}", gpg.export("", &two).expose_secret());
    let half = &exported[..exported.len() / 2];
    let cut = exported.replace("\n=", "\nAAAA=");
    for (text, words) in [
        (
            gpg.run(&["--armor", "--export", &one]),
            "it is a public key",
        ),
        (both, "more than one key"),
        (beside, "more than one key"),
        (half.to_owned(), "cannot be read as an OpenPGP key"),
        (cut, "cannot be read as an OpenPGP key"),
        (String::new(), "cannot be read as an OpenPGP key"),
        (
            "ssh-ed25519 AAAA".to_owned(),
            "cannot be read as an OpenPGP key",
        ),
        ("x".repeat(300_000), "longer than 262144 bytes"),
        (
            gpg.export("", &short).expose_secret().to_owned(),
            "an RSA key of 1024 bits",
        ),
        (
            gpg.export("", &expired).expose_secret().to_owned(),
            "expired on 2024-02-01",
        ),
        (
            gpg.export("", &old).expose_secret().to_owned(),
            "take one of Ed25519, RSA, or ECDSA",
        ),
        (
            gpg.export("", &revoked).expose_secret().to_owned(),
            "it was revoked",
        ),
    ] {
        let refused = import(&secret(&text), None).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
    }
}
