//! Callers and what they may do: passwords, login certificates, rights (pulp2/people#credentials, pulp2/people#rights).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::clock::{SignedDuration, Timestamp};
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Network, Operation, Rights, Sha256};
use pith_engine::{Caller, Error};
use pith_store::{Maker, Store};
use pith_trust::{ClientCertificate, Subject};
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::failures::{LoginFailures, Verdict};
use crate::passwords::Passwords;

pub use crate::accounts::Account;
pub use crate::people::ensure_first_admin;

/// The login of the administrator that the first start makes.
pub const FIRST_ADMIN: &str = "admin";
/// The login that stands for the server itself when no user acts.
pub const SYSTEM: &str = "SYSTEM";

/// The time for which a password need not be hashed again, as long as the stored hash stays the same.
const VERIFIED: SignedDuration = SignedDuration::from_secs(600);
/// Entries beyond which the cache starts anew.
const CACHED: usize = 10_000;
/// The time that the answer to a failure takes when there were many of late.
const SLOW: std::time::Duration = std::time::Duration::from_secs(1);
/// Characters of a login that the log shows.
const SHOWN: usize = 64;

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user.
    User(Arc<Account>),
    /// A registered consumer, by its id.
    Consumer(Arc<str>),
    /// The server itself, on nobody's behalf: nothing that comes over the network.
    System,
}

impl Principal {
    /// The login, or the id of the consumer.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(account) => &account.login,
            Self::Consumer(id) => id,
            Self::System => SYSTEM,
        }
    }

    /// Tells whether they may do `operation` on `resource`, a path such as `/v2/repositories/foo/`: what nobody granted is
    /// refused.
    #[must_use]
    pub fn may(&self, operation: Operation, resource: &str) -> bool {
        match self {
            Self::User(account) => account.super_user || account.rights.allow(operation, resource),
            Self::Consumer(id) => consumer_rights(id).allow(operation, resource),
            Self::System => true,
        }
    }

    /// Tells whether they may make something at `resource`, a path inside of what somebody else may have made, `owner`. The
    /// right to make more of the owner's kind is not enough: it takes CREATE on the owner itself, or UPDATE on it beside a
    /// CREATE that comes from above.
    #[must_use]
    pub fn may_make_inside(&self, owner: &str, resource: &str) -> bool {
        let is_given_here = match self {
            Self::User(account) => {
                (account.rights).allow_within(owner, Operation::Create, resource)
            }
            Self::Consumer(_) | Self::System => false,
        };
        let create = self.may(Operation::Create, resource);
        create && (is_given_here || self.may(Operation::Update, owner))
    }

    /// Refuses what they may not do.
    ///
    /// # Errors
    /// 401 PLP0026.
    pub fn permit(&self, operation: Operation, resource: &str) -> Result<(), PulpError> {
        self.require(self.may(operation, resource), operation)
    }

    /// Refuses to make something inside of `owner` that they may not ([`Self::may_make_inside`]).
    ///
    /// # Errors
    /// 401 PLP0026.
    pub fn permit_inside(&self, owner: &str, resource: &str) -> Result<(), PulpError> {
        let may = self.may_make_inside(owner, resource);
        self.require(may, Operation::Create)
    }

    /// Refuses what super-users alone may do.
    ///
    /// # Errors
    /// 401 PLP0026.
    pub fn permit_super_user(&self, operation: Operation) -> Result<(), PulpError> {
        self.require(self.is_super_user(), operation)
    }

    fn require(&self, may: bool, operation: Operation) -> Result<(), PulpError> {
        if may {
            return Ok(());
        }
        let (name, operation) = (self.name(), operation.name());
        let text = format!("Permission denied: user {name} cannot perform {operation}.");
        let detail = ErrorDetail::new("PLP0026", text)
            .with("user", name)
            .with("operation", operation);
        Err(PulpError::unauthenticated(detail, "permission_denied"))
    }
}

impl Principal {
    /// Tells whether they may do all of these themselves: who hands out rights, or takes over somebody who has them, gains
    /// none.
    #[must_use]
    pub fn may_all<'a>(&self, mut granted: impl Iterator<Item = (&'a str, Operation)>) -> bool {
        granted.all(|(resource, operation)| self.may(operation, resource))
    }

    /// Tells whether they are a super-user.
    #[must_use]
    pub fn is_super_user(&self) -> bool {
        match self {
            Self::User(account) => account.super_user,
            Self::Consumer(_) => false,
            Self::System => true,
        }
    }

    /// The account that answers for what is done later in this caller's name; `None` when nobody can lose the right to it.
    pub(crate) fn maker(&self) -> Option<Maker> {
        match self {
            Self::User(account) => Some(Maker {
                login: account.login.clone(),
                oid: account.oid.clone(),
            }),
            Self::Consumer(_) | Self::System => None,
        }
    }
}

/// A consumer reads repositories and does as it likes with itself, and with nobody else.
fn consumer_rights(id: &str) -> Rights {
    let mut rights = Rights::default();
    rights.grant("/v2/repositories/", &[Operation::Read]);
    rights.grant(format!("/v2/consumers/{id}/"), &Operation::ALL);
    rights
}

struct Verified {
    hash: String,
    at: Timestamp,
}

/// Checks logins, passwords and certificates. Hashing is slow by design, so what was verified is remembered for a short
/// while in memory, under a keyed digest of login and password; the password itself is kept nowhere.
pub struct Authenticator {
    key: [u8; 32],
    accounts: Accounts,
    verified: Mutex<HashMap<Sha256, Verified>>,
    passwords: Arc<Passwords>,
    failures: LoginFailures,
    /// The hash that an unknown login is checked against, so that it takes as long as a known one.
    decoy: tokio::sync::OnceCell<String>,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Authenticator {
    /// One that shares turns at hashing with whoever sets passwords.
    #[must_use]
    pub fn new(passwords: Arc<Passwords>) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self {
            key,
            accounts: Accounts::default(),
            verified: Mutex::default(),
            passwords,
            failures: LoginFailures::default(),
            decoy: tokio::sync::OnceCell::new(),
        }
    }
}

impl Authenticator {
    /// Finds the user to whom `login` and `password` belong; `None` when they belong to nobody, which takes as long to find out
    /// for a login that exists as for one that does not. A caller who was recognised a moment ago is recognised again, whatever
    /// others try.
    ///
    /// # Errors
    /// 429 when too many wait, or when this login failed too often from there; when the database fails.
    pub async fn check(
        &self,
        store: &Store,
        from: Network,
        login: &str,
        password: &str,
    ) -> Result<Option<Principal>, Error> {
        let now = store.now();
        let account = self.accounts.get(store, login).await?;
        let known = account.filter(|account| account.hash.is_some());
        let name = self.name(login, password);
        if let Some(account) = &known
            && self.remembers(&name, account, now)
        {
            return Ok(Some(Principal::User(Arc::clone(account))));
        }
        let verdict = self.failures.begin(now, from, login);
        if verdict == Verdict::Refuse {
            let text = "this login failed too often from this address; try again in a moment";
            return Err(PulpError::too_many(text).into());
        }
        let hash = known.as_ref().and_then(|account| account.hash.clone());
        let hash = match hash {
            Some(hash) => hash,
            None => self.decoy().await?,
        };
        let caller = Caller::Network(from, self.failures.line(login));
        let verified = self.passwords.verify(&caller, password, &hash).await;
        if verified? && let Some(account) = known {
            self.failures.succeed(now, from, login);
            self.remember(name, hash, now);
            return Ok(Some(Principal::User(account)));
        }
        self.verified.lock().remove(&name);
        let shown: String = login.chars().take(SHOWN).collect();
        // As Debug, which escapes what would change the terminal or begin another line.
        tracing::warn!(%from, login = ?shown, "a login failed");
        if verdict == Verdict::Slowly {
            tokio::time::sleep(SLOW).await;
        }
        Ok(None)
    }

    /// Tells whether a password was right of late, for the hash that counts.
    fn remembers(&self, name: &Sha256, account: &Account, now: Timestamp) -> bool {
        self.verified.lock().get(name).is_some_and(|verified| {
            Some(verified.hash.as_str()) == account.hash.as_deref()
                && within(now, verified.at, VERIFIED)
        })
    }

    /// Finds the user to whom a certificate of the server's own authority belongs. It stops counting when its user is deleted,
    /// even if another of the same login comes after, and when their password is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate(
        &self,
        store: &Store,
        certificate: &ClientCertificate,
    ) -> Result<Option<Principal>, Error> {
        if !certificate.is_valid_at(store.now()) {
            return Ok(None);
        }
        let Some((login, oid)) = Subject::parse_user(&certificate.common_name) else {
            return Ok(consumer(store, &certificate.common_name));
        };
        let account = self.accounts.get(store, login).await?;
        Ok(account
            .filter(|account| {
                account.oid.as_str() == oid
                    && certificate.not_before.as_second() >= account.password_changed.as_second()
            })
            .map(Principal::User))
    }

    fn remember(&self, name: Sha256, hash: String, at: Timestamp) {
        let mut verified = self.verified.lock();
        if verified.len() >= CACHED {
            verified.clear();
        }
        verified.insert(name, Verified { hash, at });
    }

    fn name(&self, login: &str, password: &str) -> Sha256 {
        let mut text = Vec::with_capacity(80 + login.len() + password.len());
        text.extend_from_slice(&self.key);
        text.extend_from_slice(&(login.len() as u64).to_be_bytes());
        text.extend_from_slice(login.as_bytes());
        text.extend_from_slice(password.as_bytes());
        text.extend_from_slice(&self.key);
        Sha256::of(&text)
    }

    async fn decoy(&self) -> Result<String, Error> {
        let password = Uuid::new_v4().to_string();
        let hash = || self.passwords.hash(&Caller::Nobody, &password);
        Ok(self.decoy.get_or_try_init(hash).await?.clone())
    }
}

/// The consumer of this id. Nobody can be registered yet, so a certificate that names one belongs to nobody: what Pulp
/// forgot to look up must be looked up here (pulp2/server#printed-documentation).
fn consumer(_store: &Store, _id: &str) -> Option<Principal> {
    None
}

fn within(now: Timestamp, since: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(since);
    !age.is_negative() && age < span
}

/// Hashes a password for storing, of nobody who would take turns.
///
/// # Errors
/// When hashing fails, which takes a broken machine.
pub async fn hash_password(password: String) -> Result<String, Error> {
    let hashed = Passwords::default();
    Ok(hashed.hash(&Caller::Nobody, &password).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_tells_apart_where_login_ends_and_password_begins() {
        let authenticator = Authenticator::default();
        assert_ne!(authenticator.name("ab", "c"), authenticator.name("a", "bc"));
        assert_ne!(
            authenticator.name("a", "b"),
            Authenticator::default().name("a", "b")
        );
    }

    #[test]
    fn a_consumer_reads_repositories_and_owns_itself_only() {
        let consumer = Principal::Consumer("c1".into());
        assert!(consumer.may(Operation::Read, "/v2/repositories/x/"));
        assert!(consumer.may(Operation::Delete, "/v2/consumers/c1/"));
        for (operation, path) in [
            (Operation::Update, "/v2/repositories/x/"),
            (Operation::Read, "/v2/consumers/"),
            (Operation::Read, "/v2/consumers/c2/"),
            (Operation::Read, "/v2/actions/login/"),
            (Operation::Read, "/v2/users/"),
        ] {
            let refused = consumer.permit(operation, path).unwrap_err();
            assert_eq!((refused.status, refused.code()), (401, "PLP0026"), "{path}");
            assert_eq!(refused.extra["auth_error_code"], "permission_denied");
            assert_eq!(refused.detail.data["operation"], operation.name());
        }
    }
}
