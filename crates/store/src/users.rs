//! People who log in (reference: platform-api §2.9).

use pith_core::ObjectId;

use crate::{Result, Store};

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

impl Store {
    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_get(&self, _login: &str) -> Result<Option<User>> {
        unimplemented!()
    }

    /// Saves a new user.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the login is taken.
    pub async fn user_create(&self, _user: &User) -> Result<()> {
        unimplemented!()
    }

    /// Saves the user, new or changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_put(&self, _user: &User) -> Result<()> {
        unimplemented!()
    }

    /// Deletes a user; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_delete(&self, _login: &str) -> Result<bool> {
        unimplemented!()
    }

    /// Every user, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_list(&self) -> Result<Vec<User>> {
        unimplemented!()
    }

    /// Whether anybody has the role [`SUPER_USERS`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any_super_user(&self) -> Result<bool> {
        unimplemented!()
    }
}
