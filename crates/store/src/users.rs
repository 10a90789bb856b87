//! People who log in (reference: platform-api §2.9).

use pith_core::ObjectId;
use serde_json::Value;

use crate::dialect::{Sql, Stmt, sql};
use crate::value::Row;
use crate::{Result, Store, StoreError};

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
    pub name: String,
    /// Hash of the password; `None` for users known elsewhere.
    pub password_hash: Option<String>,
    /// Role ids.
    pub roles: Vec<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("login", &self.login)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

const COLUMNS: &str = "login, oid, name, password_hash, json(roles)";

fn user(row: &Row) -> Result<User> {
    let roles: Vec<Value> = match row.get::<Value>(4)? {
        Value::Array(roles) => roles,
        _ => return Err(StoreError::Corrupt("list of roles".to_owned())),
    };
    Ok(User {
        login: row.get(0)?,
        oid: row.get(1)?,
        name: row.get(2)?,
        password_hash: row.get(3)?,
        roles: roles
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    })
}

fn insert(user: &User, text: &'static str) -> Stmt {
    sql(text)
        .bind(&user.login)
        .bind(&user.oid)
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(&Value::from(user.roles.clone()))
}

impl Store {
    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_get(&self, login: &str) -> Result<Option<User>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM users WHERE login = ")
            .bind(login);
        self.optional(query.build())
            .await?
            .as_ref()
            .map(self::user)
            .transpose()
    }

    /// Saves a new user.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the login is taken.
    pub async fn user_create(&self, user: &User) -> Result<()> {
        let statement = insert(
            user,
            "INSERT INTO users (login, oid, name, password_hash, roles) VALUES ($1, $2, $3, $4, jsonb($5))",
        );
        self.execute(statement)
            .await
            .map(drop)
            .map_err(|e| e.or_duplicate("user", &user.login))
    }

    /// Saves the user, new or changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_put(&self, user: &User) -> Result<()> {
        let statement = insert(
            user,
            "INSERT INTO users (login, oid, name, password_hash, roles) VALUES ($1, $2, $3, $4, jsonb($5)) \
             ON CONFLICT (login) DO UPDATE SET name = excluded.name, password_hash = excluded.password_hash, \
             roles = excluded.roles",
        );
        self.execute(statement).await.map(drop)
    }

    /// Deletes a user; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_delete(&self, login: &str) -> Result<bool> {
        Ok(self
            .execute(sql("DELETE FROM users WHERE login = $1").bind(login))
            .await?
            > 0)
    }

    /// Every user, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_list(&self) -> Result<Vec<User>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query.push(COLUMNS).push(" FROM users ORDER BY seq");
        self.all(query.build()).await?.iter().map(user).collect()
    }

    /// Whether anybody has the role [`SUPER_USERS`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_super_user(&self) -> Result<bool> {
        Ok(self
            .users_list()
            .await?
            .iter()
            .any(|user| user.roles.iter().any(|role| role == SUPER_USERS)))
    }
}
