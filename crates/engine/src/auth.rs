//! Who is asking: passwords, and the first administrator (reference: platform-api §2.1, §2.2, §2.8).

use std::collections::HashMap;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use parking_lot::Mutex;
use pith_core::clock::{Clock, SignedDuration, Timestamp};
use pith_core::error::PulpError;
use pith_core::{ObjectId, Sha256};
use pith_store::users::SUPER_USERS;
use pith_store::{Store, User};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::error::from_store;

/// The login of the administrator that the first start makes.
pub const FIRST_ADMIN: &str = "admin";

/// For this long a user is not read again: how late a removed user or role is noticed at most.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// For this long a password need not be hashed again, as long as the stored hash stays the same.
const VERIFIED: SignedDuration = SignedDuration::from_secs(600);
/// Entries beyond which the cache starts anew.
const CACHED: usize = 10_000;
/// Passwords hashed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Somebody who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The login.
    pub login: String,
    /// Whether they may do everything.
    pub super_user: bool,
}

impl Principal {
    fn of(user: &User) -> Self {
        Self {
            login: user.login.clone(),
            super_user: user.roles.iter().any(|role| role == SUPER_USERS),
        }
    }
}

struct Entry {
    principal: Principal,
    hash: String,
    read: Timestamp,
    verified: Timestamp,
}

/// Checks logins and passwords. Hashing is slow by design, so what was verified is remembered for a short while in
/// memory, under a keyed digest of login and password; the password itself is kept nowhere.
pub struct Authenticator {
    key: [u8; 32],
    cache: Mutex<HashMap<Sha256, Entry>>,
    hashing: Semaphore,
    /// The hash that an unknown login is checked against, so that it takes as long as a known one.
    decoy: tokio::sync::OnceCell<String>,
}

impl Default for Authenticator {
    fn default() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self {
            key,
            cache: Mutex::default(),
            hashing: Semaphore::new(AT_ONCE),
            decoy: tokio::sync::OnceCell::new(),
        }
    }
}

impl Authenticator {
    /// Who `login` and `password` belong to; `None` when they belong to nobody.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(
        &self,
        store: &Store,
        login: &str,
        password: &str,
    ) -> Result<Option<Principal>, PulpError> {
        let now = store.now();
        let name = self.name(login, password);
        let mut known_hash = None;
        if let Some(entry) = self.cache.lock().get(&name) {
            if within(now, entry.read, FRESH) {
                return Ok(Some(entry.principal.clone()));
            }
            if within(now, entry.verified, VERIFIED) {
                known_hash = Some(entry.hash.clone());
            }
        }
        let user = store.user_get(login).await.map_err(from_store)?;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let (Some(user), Some(hash)) = (user, hash) else {
            self.cache.lock().remove(&name);
            let decoy = self.decoy().await?;
            self.verify(password, &decoy).await?;
            return Ok(None);
        };
        let remembered = known_hash.as_ref() == Some(&hash);
        if !remembered && !self.verify(password, &hash).await? {
            self.cache.lock().remove(&name);
            return Ok(None);
        }
        let principal = Principal::of(&user);
        self.remember(name, &principal, hash, now, remembered);
        Ok(Some(principal))
    }

    fn remember(
        &self,
        name: Sha256,
        principal: &Principal,
        hash: String,
        now: Timestamp,
        remembered: bool,
    ) {
        let mut cache = self.cache.lock();
        if cache.len() >= CACHED {
            cache.clear();
        }
        let verified = match cache.get(&name) {
            Some(entry) if remembered => entry.verified,
            _ => now,
        };
        let entry = Entry {
            principal: principal.clone(),
            hash,
            read: now,
            verified,
        };
        cache.insert(name, entry);
    }

    fn name(&self, login: &str, password: &str) -> Sha256 {
        let mut text = Vec::with_capacity(48 + login.len() + password.len());
        text.extend_from_slice(&self.key);
        text.extend_from_slice(&(login.len() as u64).to_be_bytes());
        text.extend_from_slice(login.as_bytes());
        text.extend_from_slice(password.as_bytes());
        text.extend_from_slice(&self.key);
        Sha256::of(&text)
    }

    async fn decoy(&self) -> Result<String, PulpError> {
        self.decoy
            .get_or_try_init(|| hash_password(Uuid::new_v4().to_string()))
            .await
            .cloned()
    }

    async fn verify(&self, password: &str, hash: &str) -> Result<bool, PulpError> {
        let _permit = self.hashing.acquire().await.map_err(failed)?;
        let (password, hash) = (password.to_owned(), hash.to_owned());
        let verify = move || {
            Argon2::default()
                .verify_password(password.as_bytes(), hash.as_str())
                .is_ok()
        };
        tokio::task::spawn_blocking(verify).await.map_err(failed)
    }
}

fn within(now: Timestamp, since: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(since);
    !age.is_negative() && age < span
}

fn failed(error: impl std::fmt::Display) -> PulpError {
    PulpError::execution(format!("the password could not be checked: {error}"))
}

/// Hashes a password for storing: argon2id, on a thread of its own.
///
/// # Errors
/// When hashing fails, which takes a broken machine.
pub async fn hash_password(password: String) -> Result<String, PulpError> {
    let hash = move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
    };
    let hash = tokio::task::spawn_blocking(hash).await.map_err(failed)?;
    hash.map_err(failed)
}

/// Makes the first administrator when nobody can do everything yet. `password` is used when given, otherwise one is
/// made. Answers the password that was set, for the caller to hand over once; `None` when there was nothing to do.
///
/// # Errors
/// When the database fails.
pub async fn ensure_first_admin(
    store: &Store,
    clock: &dyn Clock,
    password: Option<String>,
) -> Result<Option<String>, PulpError> {
    if store.any_super_user().await.map_err(from_store)? {
        return Ok(None);
    }
    let password = password.unwrap_or_else(|| Uuid::new_v4().simple().to_string()[..20].to_owned());
    let user = User {
        login: FIRST_ADMIN.to_owned(),
        oid: ObjectId::new(clock.now()),
        name: FIRST_ADMIN.to_owned(),
        password_hash: Some(hash_password(password.clone()).await?),
        roles: vec![SUPER_USERS.to_owned()],
    };
    store.user_put(&user).await.map_err(from_store)?;
    Ok(Some(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_password_only() {
        let authenticator = Authenticator::default();
        let hash = hash_password("secret".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(authenticator.verify("secret", &hash).await.unwrap());
        assert!(!authenticator.verify("Secret", &hash).await.unwrap());
        assert!(!authenticator.verify("", &hash).await.unwrap());
        assert!(!authenticator.verify("secret", "junk").await.unwrap());
    }

    #[test]
    fn the_cache_tells_apart_where_login_ends_and_password_begins() {
        let authenticator = Authenticator::default();
        assert_ne!(authenticator.name("ab", "c"), authenticator.name("a", "bc"));
        assert_ne!(
            authenticator.name("a", "b"),
            Authenticator::default().name("a", "b")
        );
    }
}
