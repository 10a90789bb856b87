//! Texts that are no keys, and keys that somebody changed.

use pith_sign::{KeyKind, NewKey, SigningKey};
use proptest::prelude::*;
use secrecy::ExposeSecret;

use crate::gpg::now;

/// Keys as they are exported.
fn exported() -> Vec<Vec<u8>> {
    let wanted = NewKey {
        user_id: "a",
        kind: KeyKind::Ed25519,
        expires: None,
    };
    let key = SigningKey::make(&wanted, now()).unwrap();
    let passphrases = [None, Some("sesame".to_owned().into())];
    let texts = passphrases.map(|passphrase| key.export(passphrase.as_ref()).unwrap());
    texts
        .iter()
        .map(|text| dearmored(text.expose_secret()))
        .collect()
}

fn dearmored(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut armor = pgp::armor::Dearmor::new(text.as_bytes());
    std::io::Read::read_to_end(&mut armor, &mut bytes).unwrap();
    bytes
}

/// Bytes in armor that is sound.
fn armored(bytes: &[u8]) -> String {
    struct Raw<'a>(&'a [u8]);
    impl pgp::ser::Serialize for Raw<'_> {
        fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
            Ok(writer.write_all(self.0)?)
        }
        fn write_len(&self) -> usize {
            self.0.len()
        }
    }
    let mut text = Vec::new();
    pgp::armor::write(
        &Raw(bytes),
        pgp::armor::BlockType::PrivateKey,
        &mut text,
        None,
        true,
    )
    .unwrap();
    String::from_utf8(text).unwrap()
}

/// Reads whatever it is; it may be refused, and may not panic.
fn read(text: String) {
    let passphrase = "sesame".to_owned().into();
    if let Ok(key) = SigningKey::import(&text.into(), Some(&passphrase), now()) {
        let _ = key.detached(&b"x"[..], now());
        let _ = key.public();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in "(-----BEGIN PGP PRIVATE KEY BLOCK-----\n)?\\PC{0,200}") {
        read(text);
    }

    #[test]
    fn no_bytes_in_armor_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(armored(&bytes));
    }

    #[test]
    fn no_changed_key_panics(at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
        static KEYS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        for key in KEYS.get_or_init(exported) {
            let mut changed = key.clone();
            *at.get_mut(&mut changed) = to;
            read(armored(&changed));
            changed.truncate(cut.index(changed.len()));
            read(armored(&changed));
        }
    }
}
