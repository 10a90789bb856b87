//! Roles and people that are there from the start: the role of those who may do everything, and the first of them
//! (pulp2/people#defaults).

use pith_core::clock::Clock;
use pith_core::{ObjectId, Operation};
use pith_engine::Error;
use pith_store::users::SUPER_USERS;
use pith_store::{PeopleChange, Role, Store, User};
use serde_json::json;
use uuid::Uuid;

use super::users::{changed, grant_defaults};
use super::{give_role, grant};
use crate::auth::{FIRST_ADMIN, hash_password};

/// The role of super-users, made when it is not there, with the rights of those who have it already.
async fn super_users(change: &mut PeopleChange, clock: &dyn Clock) -> Result<Role, Error> {
    if let Some(role) = change.role(SUPER_USERS).await? {
        return Ok(role);
    }
    let role = Role {
        id: SUPER_USERS.to_owned(),
        oid: ObjectId::new(clock.now()),
        display_name: json!("Super Users"),
        description: json!("Role indicates users with admin privileges"),
        grants: Some(vec![("/".to_owned(), Operation::ALL.to_vec())]),
    };
    change.role_create(&role).await?;
    // Made by a pith that had no permissions.
    for member in change.members(SUPER_USERS).await? {
        grant_defaults(change, &member.login).await?;
        grant(change, &member.login, "/", &Operation::ALL).await?;
    }
    Ok(role)
}

/// Makes the role of super-users, and the first administrator when nobody can do everything yet. `password` is used when
/// given, otherwise one is made. Answers the password that was set, for the caller to hand over once; `None` when
/// somebody was there already.
///
/// # Errors
/// When the database fails.
pub async fn ensure_first_admin(
    store: &Store,
    clock: &dyn Clock,
    password: Option<String>,
) -> Result<Option<String>, Error> {
    let role = store.role_get(SUPER_USERS).await?;
    let somebody = store.any_super_user().await?;
    if somebody && role.is_some() {
        return Ok(None);
    }
    let password = password.unwrap_or_else(|| Uuid::new_v4().simple().to_string()[..20].to_owned());
    let hash = hash_password(password.clone()).await?;
    let mut change = store.people_change().await?;
    let role = super_users(&mut change, clock).await?;
    // Another process may have been faster.
    let members = change.members(SUPER_USERS).await?;
    if !members.is_empty() {
        change.commit().await?;
        return Ok(None);
    }
    let known = change.user(FIRST_ADMIN).await?;
    let is_new = known.is_none();
    let mut admin = known.unwrap_or_else(|| User {
        login: FIRST_ADMIN.to_owned(),
        oid: ObjectId::new(clock.now()),
        name: Some(FIRST_ADMIN.to_owned()),
        password_hash: None,
        password_changed: clock.now(),
        roles: Vec::new(),
    });
    admin.password_hash = Some(hash);
    admin.password_changed = changed(clock.now(), admin.password_changed);
    if is_new {
        change.user_create(&admin).await?;
        grant_defaults(&mut change, FIRST_ADMIN).await?;
    }
    give_role(&mut change, &mut admin, &role).await?;
    change.commit().await?;
    Ok(Some(password))
}
