//! Keys that sign: found by name and fingerprint, their secret parts sealed.

use std::sync::Arc;

use pith_store::{KeyRecord, StoreError};
use secrecy::ExposeSecret;

use crate::fixture::Fixture;
use crate::on_both_engines;
use crate::secrets::Weak;

on_both_engines!(
    a_key_is_found_by_its_name_and_its_fingerprint,
    one_key_at_most_is_the_default,
    the_secret_part_opens_for_its_key_alone,
    a_key_that_comes_again_is_the_same_key_as_it_is_now,
    what_a_lost_key_sealed_is_forgotten_and_nothing_else,
);

fn key(f: &Fixture, name: &str, fingerprint: &str) -> KeyRecord {
    KeyRecord {
        fingerprint: fingerprint.to_owned(),
        name: name.to_owned(),
        user_id: "Zoo <zoo@example.org>".to_owned(),
        algorithm: "ed25519".to_owned(),
        public: format!("public part of {fingerprint}"),
        has_secret: true,
        is_default: false,
        created: f.now(),
        expires: None,
        retired: None,
    }
}

async fn keyed(f: &Fixture) {
    let seal = Arc::new(Weak("one"));
    f.store.secrets_use(seal, false).await.unwrap();
}

async fn add(f: &Fixture, key: &KeyRecord) -> Result<(), StoreError> {
    let secret = format!("secret of {}", key.fingerprint).into();
    f.store.signing_key_create(key, &secret).await
}

async fn a_key_is_found_by_its_name_and_its_fingerprint(f: Fixture) {
    let (old, new) = (key(&f, "zoo", "AA"), key(&f, "zoo", "BB"));
    let unsealed = add(&f, &old).await.unwrap_err();
    assert!(matches!(unsealed, StoreError::Sealed(_)), "{unsealed}");
    keyed(&f).await;
    add(&f, &old).await.unwrap();
    for taken in [new.clone(), key(&f, "other", "AA")] {
        let refused = add(&f, &taken).await.unwrap_err();
        assert!(matches!(refused, StoreError::Duplicate { .. }), "{refused}");
    }
    for named in ["zoo", "AA", "aa", " a A"] {
        let found = f.store.signing_key_find(Some(named)).await.unwrap();
        assert_eq!(found.as_ref(), Some(&old));
    }
    assert_eq!(f.store.signing_key_find(None).await.unwrap(), None);
    f.store.signing_key_retire("AA", f.now()).await.unwrap();
    let refused = f.store.signing_key_retire("AA", f.now()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Missing { .. }), "{refused}");
    add(&f, &new).await.unwrap();
    let found = |named| f.store.signing_key_find(Some(named));
    assert_eq!(found("zoo").await.unwrap().as_ref(), Some(&new));
    let retired = found("AA").await.unwrap().unwrap();
    assert_eq!(
        (retired.retired, retired.has_secret),
        (Some(f.now()), false)
    );
    assert_eq!(
        f.store.signing_key_secret("AA").await.unwrap().map(|_| ()),
        None
    );
    assert_eq!(f.store.signing_keys_list().await.unwrap(), [retired, new]);
    f.store.signing_key_delete("AA").await.unwrap();
    assert!(f.store.signing_key_delete("AA").await.is_err());
    assert_eq!(f.store.signing_keys_list().await.unwrap().len(), 1);
}

async fn one_key_at_most_is_the_default(f: Fixture) {
    keyed(&f).await;
    for (name, fingerprint) in [("a", "AA"), ("b", "BB")] {
        let default = KeyRecord {
            is_default: true,
            ..key(&f, name, fingerprint)
        };
        add(&f, &default).await.unwrap();
        assert_eq!(f.store.signing_key_find(None).await.unwrap(), Some(default));
    }
    f.store.signing_key_retire("BB", f.now()).await.unwrap();
    assert_eq!(f.store.signing_key_find(None).await.unwrap(), None);
}

async fn the_secret_part_opens_for_its_key_alone(f: Fixture) {
    keyed(&f).await;
    add(&f, &key(&f, "a", "AA")).await.unwrap();
    let secret = f.store.signing_key_secret("AA").await.unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "secret of AA");
    assert!(f.store.signing_key_secret("BB").await.unwrap().is_none());
    let without = f.other().await;
    assert!(without.signing_key_secret("AA").await.is_err());
}

async fn a_key_that_comes_again_is_the_same_key_as_it_is_now(f: Fixture) {
    keyed(&f).await;
    let first = KeyRecord {
        is_default: true,
        ..key(&f, "a", "AA")
    };
    add(&f, &first).await.unwrap();
    let again = KeyRecord {
        expires: Some(f.now()),
        public: "longer".to_owned(),
        ..first.clone()
    };
    let secret = "another".to_owned().into();
    f.store.signing_key_renew(&again, &secret).await.unwrap();
    assert_eq!(
        f.store.signing_key_find(None).await.unwrap(),
        Some(again.clone())
    );
    let secret_now = f.store.signing_key_secret("AA").await.unwrap().unwrap();
    assert_eq!(secret_now.expose_secret(), "another");
    f.store.signing_key_retire("AA", f.now()).await.unwrap();
    let refused = f
        .store
        .signing_key_renew(&again, &secret)
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Missing { .. }), "{refused}");
}

async fn what_a_lost_key_sealed_is_forgotten_and_nothing_else(f: Fixture) {
    keyed(&f).await;
    add(&f, &key(&f, "a", "AA")).await.unwrap();
    let again = f.other().await;
    assert!(
        again
            .secrets_use(Arc::new(Weak("two")), false)
            .await
            .is_err()
    );
    let again = f.other().await;
    again
        .secrets_use(Arc::new(Weak("two")), true)
        .await
        .unwrap();
    let found = again.signing_key_find(Some("a")).await.unwrap().unwrap();
    assert!(!found.has_secret && found.retired.is_none(), "{found:?}");
}
