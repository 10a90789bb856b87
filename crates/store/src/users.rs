//! People who log in (pulp2/people#users).

use pith_core::{ObjectId, Timestamp};
use serde_json::Value;

use crate::dialect::{Sql, Stmt, sql};
use crate::value::Row;
use crate::{PeopleChange, Result, Store, StoreError};

/// The role whose members may do everything.
pub const SUPER_USERS: &str = "super-users";

/// A person or program that logs in. Debug output leaves the password hash out.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The natural id.
    pub login: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Name for people.
    pub name: Option<String>,
    /// Hash of the password; `None` for users who have none and can only be acted for.
    pub password_hash: Option<String>,
    /// The time at which the password became what it is.
    pub password_changed: Timestamp,
    /// Role ids.
    pub roles: Vec<String>,
}

impl User {
    /// Tells whether they have a role.
    #[must_use]
    pub fn has_role(&self, id: &str) -> bool {
        self.roles.iter().any(|role| role == id)
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("login", &self.login)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

pub(crate) const COLUMNS: &str = "login, oid, name, password_hash, password_changed, json(roles)";
/// The columns that may be long.
pub(crate) const HEAVY: &[&str] = &["name", "roles"];
/// The number of those columns.
pub(crate) const WIDTH: usize = 6;

pub(crate) fn user(row: &Row) -> Result<User> {
    let roles: Vec<Value> = match row.get::<Value>(5)? {
        Value::Array(roles) => roles,
        _ => return Err(StoreError::Corrupt("list of roles".to_owned())),
    };
    Ok(User {
        login: row.get(0)?,
        oid: row.get(1)?,
        name: row.get(2)?,
        password_hash: row.get(3)?,
        password_changed: row.get(4)?,
        roles: roles
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    })
}

fn bound(user: &User, text: &'static str) -> Stmt {
    sql(text)
        .bind(&user.login)
        .bind(&user.oid)
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(user.password_changed)
        .bind(&Value::from(user.roles.clone()))
}

impl Store {
    fn one_user(&self, login: &str) -> Stmt {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM users WHERE login = ")
            .bind(login);
        query.build()
    }

    fn every_user(&self) -> Stmt {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM users ORDER BY seq");
        query.build()
    }

    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_get(&self, login: &str) -> Result<Option<User>> {
        let row = self.optional(self.one_user(login)).await?;
        row.as_ref().map(user).transpose()
    }

    /// Every user, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_list(&self) -> Result<Vec<User>> {
        self.all(self.every_user())
            .await?
            .iter()
            .map(user)
            .collect()
    }

    /// Tells whether anybody has the role [`SUPER_USERS`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_super_user(&self) -> Result<bool> {
        let users = self.users_list().await?;
        Ok(users.iter().any(|user| user.has_role(SUPER_USERS)))
    }
}

impl PeopleChange {
    /// One user, as this change sees them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&mut self, login: &str) -> Result<Option<User>> {
        let statement = self.store.one_user(login);
        let row = self.tx.inner.optional(statement).await?;
        row.as_ref().map(user).transpose()
    }

    /// Those who have a role, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&mut self, role: &str) -> Result<Vec<User>> {
        let statement = self.store.every_user();
        let users: Vec<User> = self
            .tx
            .inner
            .all(statement)
            .await?
            .iter()
            .map(user)
            .collect::<Result<_>>()?;
        Ok(users
            .into_iter()
            .filter(|user| user.has_role(role))
            .collect())
    }

    /// Saves a new user.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the login is taken; nothing else may be done with this change then.
    pub async fn user_create(&mut self, user: &User) -> Result<()> {
        let text = "INSERT INTO users (login, oid, name, password_hash, password_changed, roles) \
             VALUES ($1, $2, $3, $4, $5, jsonb($6))";
        let statement = bound(user, text);
        self.tx
            .inner
            .execute(statement)
            .await
            .map(drop)
            .map_err(|e| e.or_duplicate("user", &user.login))
    }

    /// Saves a changed user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_save(&mut self, user: &User) -> Result<()> {
        let text = "UPDATE users SET oid = $2, name = $3, password_hash = $4, password_changed = $5, \
             roles = jsonb($6) WHERE login = $1";
        self.tx.inner.execute(bound(user, text)).await.map(drop)
    }

    /// Deletes a user with all their rights; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_delete(&mut self, login: &str) -> Result<bool> {
        let statement = sql("DELETE FROM users WHERE login = $1").bind(login);
        let gone = self.tx.inner.execute(statement).await? > 0;
        self.drop_empty_permissions().await?;
        Ok(gone)
    }
}
