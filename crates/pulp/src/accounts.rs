//! The facts known about users, kept in memory for as long as nobody changes users, roles or permissions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::clock::Timestamp;
use pith_core::{ObjectId, Rights};
use pith_engine::Error;
use pith_store::Store;
use pith_store::users::SUPER_USERS;

/// Accounts beyond which the cache starts anew.
const CACHED: usize = 10_000;
/// Longest login that is remembered, in bytes: strangers make some up.
const LONGEST_LOGIN: usize = 256;

/// A user with what they may do. Debug output leaves the password hash out.
pub struct Account {
    /// The login.
    pub login: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Is true when they may do everything.
    pub super_user: bool,
    /// The rights that they have otherwise.
    pub rights: Rights,
    /// Login certificates from before do not count.
    pub password_changed: Timestamp,
    pub(crate) hash: Option<String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("login", &self.login)
            .field("super_user", &self.super_user)
            .finish_non_exhaustive()
    }
}

/// Logins with the generation of users, roles and permissions that they were read from, and what was found: `None` for a
/// login that nobody has, since finding that out again must take no longer than for one that somebody has.
type Known = HashMap<String, (i64, Option<Arc<Account>>)>;

#[derive(Default)]
pub(crate) struct Accounts(Mutex<Known>);

impl Accounts {
    /// The account of a login; `None` when there is none.
    pub(crate) async fn get(
        &self,
        store: &Store,
        login: &str,
    ) -> Result<Option<Arc<Account>>, Error> {
        let generation = store.generations().await?.people;
        if let Some((of, account)) = self.0.lock().get(login)
            && *of == generation
        {
            return Ok(account.clone());
        }
        // Read after the generation: what is remembered under it is at least as new.
        let account = load(store, login).await?.map(Arc::new);
        if login.len() <= LONGEST_LOGIN {
            let mut known = self.0.lock();
            if known.len() >= CACHED {
                known.clear();
            }
            let entry = (generation, account.clone());
            known.insert(login.to_owned(), entry);
        }
        Ok(account)
    }
}

async fn load(store: &Store, login: &str) -> Result<Option<Account>, Error> {
    let user = store.user_get(login).await?;
    let granted = store.user_rights(login).await?;
    Ok(user.map(|user| Account {
        super_user: user.has_role(SUPER_USERS),
        login: user.login,
        oid: user.oid,
        rights: granted.into_iter().collect(),
        password_changed: user.password_changed,
        hash: user.password_hash,
    }))
}
