//! What is known about users, kept in memory for as long as nobody changes users, roles or permissions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::clock::{SignedDuration, Timestamp};
use pith_core::error::PulpError;
use pith_core::{ObjectId, Rights};
use pith_store::Store;
use pith_store::users::SUPER_USERS;

use crate::error::from_store;

/// How late a change by another process is noticed at most. Changes of this process are noticed at once.
const LOOK: SignedDuration = SignedDuration::from_millis(500);
/// Accounts beyond which the cache starts anew.
const CACHED: usize = 10_000;
/// No login that is remembered is longer, in bytes: some are made up by strangers.
const LONGEST_LOGIN: usize = 256;

/// A user with what they may do. Debug output leaves the password hash out.
pub struct Account {
    /// The login.
    pub login: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Whether they may do everything.
    pub super_user: bool,
    /// What they may do otherwise.
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

/// The state of the database that something was read from: changes made by this process, and the number that moves with
/// everybody's.
type Mark = (u64, i64);

#[derive(Default)]
struct Inner {
    /// The latest mark, and when it was looked up.
    seen: Option<(Mark, Timestamp)>,
    /// `None` for a login that nobody has: finding that out again must take no longer than for one that somebody has.
    known: HashMap<String, (Mark, Option<Arc<Account>>)>,
}

#[derive(Default)]
pub(crate) struct Accounts(Mutex<Inner>);

pub(crate) fn within(now: Timestamp, since: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(since);
    !age.is_negative() && age < span
}

impl Accounts {
    /// The account of a login; `None` when there is none.
    pub(crate) async fn get(
        &self,
        store: &Store,
        login: &str,
    ) -> Result<Option<Arc<Account>>, PulpError> {
        let mark = self.mark(store).await?;
        if let Some((of, account)) = self.0.lock().known.get(login)
            && *of == mark
        {
            return Ok(account.clone());
        }
        // Read after the mark: what is remembered under it is at least as new.
        let account = load(store, login).await?.map(Arc::new);
        if login.len() <= LONGEST_LOGIN {
            let mut inner = self.0.lock();
            if inner.known.len() >= CACHED {
                inner.known.clear();
            }
            let entry = (mark, account.clone());
            inner.known.insert(login.to_owned(), entry);
        }
        Ok(account)
    }

    async fn mark(&self, store: &Store) -> Result<Mark, PulpError> {
        let changes = store.people_changes();
        let now = store.now();
        if let Some((mark, at)) = self.0.lock().seen
            && mark.0 == changes
            && within(now, at, LOOK)
        {
            return Ok(mark);
        }
        let generation = store.people_generation().await.map_err(from_store)?;
        let mark = (changes, generation);
        self.0.lock().seen = Some((mark, now));
        Ok(mark)
    }
}

async fn load(store: &Store, login: &str) -> Result<Option<Account>, PulpError> {
    let user = store.user_get(login).await.map_err(from_store)?;
    let granted = store.user_rights(login).await.map_err(from_store)?;
    Ok(user.map(|user| Account {
        super_user: user.has_role(SUPER_USERS),
        login: user.login,
        oid: user.oid,
        rights: granted.into_iter().collect(),
        password_changed: user.password_changed,
        hash: user.password_hash,
    }))
}
