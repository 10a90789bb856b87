//! Signatures of keys that are made here.

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pith_core::{SignedDuration, Timestamp};
use pith_sign::{KeyKind, NewKey, SignError, SigningKey};
use proptest::prelude::*;

use crate::gpg::{Gpg, born, now};

fn made(kind: KeyKind, expires: Option<Timestamp>) -> SigningKey {
    let wanted = NewKey {
        user_id: "Zoo packages <zoo@example.org>",
        kind,
        expires,
    };
    SigningKey::make(&wanted, born()).unwrap()
}

#[test]
fn gnupg_takes_signatures_of_keys_made_here_and_no_others() {
    let Some(gpg) = Gpg::new() else { return };
    for (kind, algorithm) in [(KeyKind::Ed25519, "ed25519"), (KeyKind::Rsa4096, "rsa4096")] {
        let key = made(kind, None);
        assert_eq!(key.about().algorithm, algorithm);
        assert_eq!(key.about().user_id, "Zoo packages <zoo@example.org>");
        assert_eq!((key.about().created, key.about().expires), (born(), None));
        let document = vec![7; 3_000_000];
        let signature = key.detached(document.as_slice(), now()).unwrap();
        assert!(signature.starts_with("-----BEGIN PGP SIGNATURE-----\n"));
        assert!(
            gpg.verifies(&key, &signature, Some(&document)),
            "{algorithm}"
        );
        assert!(
            !gpg.verifies(&key, &signature, Some(&document[1..])),
            "{algorithm}"
        );
        let other = made(KeyKind::Ed25519, None);
        assert!(
            !gpg.verifies(&other, &signature, Some(&document)),
            "{algorithm}"
        );
        let text = "Origin: zoo\n- dash\n-----BEGIN PGP SIGNATURE-----\nblanks \t\r\n\nend";
        let signed = key.clear(text, now()).unwrap();
        assert!(gpg.verifies(&key, &signed, None), "{signed}");
        assert!(!gpg.verifies(&key, &signed.replace("zoo", "zoe"), None));
        // Its fingerprint is what GnuPG works out.
        let listed = gpg.run(&[
            "--with-colons",
            "--show-keys",
            gpg.path("public.asc").to_str().unwrap(),
        ]);
        assert!(listed.contains(&key.about().fingerprint), "{listed}");
    }
}

#[test]
fn gnupg_imports_what_is_exported_and_signs_with_it() {
    let Some(gpg) = Gpg::new() else { return };
    let ends = now() + SignedDuration::from_hours(24 * 30);
    for (kind, passphrase) in [(KeyKind::Ed25519, None), (KeyKind::Rsa4096, Some("sesame"))] {
        let key = made(kind, Some(ends));
        assert_eq!(key.about().expires, Some(ends));
        let passphrase = passphrase.map(|text: &str| text.to_owned().into());
        let exported = key.export(passphrase.as_ref()).unwrap();
        let file = gpg.write(
            "exported.asc",
            secrecy::ExposeSecret::expose_secret(&exported),
        );
        gpg.run(&["--passphrase", "sesame", "--import", file.to_str().unwrap()]);
        let fingerprint = &key.about().fingerprint;
        let listed = gpg.run(&["--with-colons", "--list-secret-keys", fingerprint]);
        assert!(listed.contains(fingerprint.as_str()));
        let document = gpg.write("theirs", b"theirs");
        let (out, by) = (gpg.path("theirs.asc"), format!("{fingerprint}!"));
        gpg.run(&[
            "--passphrase",
            "sesame",
            "--local-user",
            &by,
            "--armor",
            "--output",
            out.to_str().unwrap(),
            "--detach-sign",
            document.to_str().unwrap(),
        ]);
        let signature = std::fs::read_to_string(out).unwrap();
        assert!(gpg.verifies(&key, &signature, Some(b"theirs")));
        // And back again: what is protected needs its passphrase.
        let back = SigningKey::import(&exported, passphrase.as_ref(), now()).unwrap();
        assert_eq!(back.about(), key.about());
        if passphrase.is_some() {
            let refused = SigningKey::import(&exported, None, now()).unwrap_err();
            assert!(matches!(refused, SignError::PassphraseMissing));
        }
    }
}

#[test]
fn what_is_kept_is_the_same_key_again() {
    let key = made(KeyKind::Ed25519, None);
    let again = SigningKey::from_kept(&key.kept().unwrap()).unwrap();
    assert_eq!(again.about(), key.about());
    assert_eq!(again.public().unwrap(), key.public().unwrap());
    let sign = |key: &SigningKey| key.detached(&b"x"[..], now()).unwrap();
    assert_eq!(sign(&again), sign(&key));
    let shown = format!("{key:?}");
    assert!(!shown.contains("secret") && shown.len() < 400, "{shown}");
}

#[test]
fn a_key_signs_nothing_once_it_has_expired() {
    let ends = now() + SignedDuration::from_secs(60);
    let key = made(KeyKind::Ed25519, Some(ends));
    assert!(key.detached(&b"x"[..], now()).is_ok());
    for refused in [key.detached(&b"x"[..], ends), key.clear("x", ends)] {
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("expired on 2024-06-01T00:01:00Z"),
            "{refused}"
        );
    }
    // A clock that is behind makes no signature that is older than its key.
    let before = born() - SignedDuration::from_hours(1);
    assert_eq!(
        key.detached(&b"x"[..], before).unwrap(),
        key.detached(&b"x"[..], born()).unwrap()
    );
}

#[test]
fn a_key_that_cannot_be_is_refused_in_words() {
    let refused = |user_id: &str, expires| {
        let wanted = NewKey {
            user_id,
            kind: KeyKind::Ed25519,
            expires,
        };
        SigningKey::make(&wanted, now()).unwrap_err().to_string()
    };
    for user_id in ["", " a", "a\n"] {
        assert!(
            refused(user_id, None).contains("without blanks"),
            "{user_id:?}"
        );
    }
    assert!(refused("a\tb", None).contains("control characters"));
    assert!(refused(&"a".repeat(300), None).contains("longer than 250"));
    for expires in [now(), now() - SignedDuration::from_hours(1), Timestamp::MAX] {
        assert!(refused("a", Some(expires)).contains("in the future"));
    }
    assert!("rsa512".parse::<KeyKind>().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_in_the_clear_is_the_text_that_was_given(
        lines in proptest::collection::vec("[ -~äß]{0,12}[ \t]{0,2}(\r)?", 0..8)
    ) {
        let key = made(KeyKind::Ed25519, None);
        let signed = key.clear(&lines.join("\n"), now()).unwrap();
        let (message, _) = CleartextSignedMessage::from_string(&signed).unwrap();
        let (public, _) = SignedPublicKey::from_string(&key.public().unwrap()).unwrap();
        prop_assert!(message.verify(&public).is_ok());
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        let expected = lines.join("\r\n");
        let shown = message.signed_text();
        prop_assert_eq!(shown.trim_end(), expected.trim_end());
    }
}
