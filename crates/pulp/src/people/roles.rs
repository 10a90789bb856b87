//! `/v2/roles/` (pulp2/people#roles).

use pith_core::error::PulpError;
use pith_core::{Document, ObjectId};
use pith_engine::Error;
use pith_store::users::SUPER_USERS;
use pith_store::{PeopleChange, Role, User};
use serde_json::{Value, json};

use super::users::{document as user_document, keep_a_super_user, last_member};
use super::{delta, give_role, may_give, no_role, no_user, take_role};
use crate::Pulp;
use crate::auth::Principal;

/// Letters, digits, `-` and `_`.
fn is_role_id(id: &str) -> bool {
    !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Returns what the two forms of a role have in common.
fn common(role: &Role) -> Value {
    json!({
        "_id": role.oid.to_json(),
        "_ns": "roles",
        "_href": format!("/pulp/api/v2/roles/{}/", role.id),
        "id": role.id,
        "display_name": role.display_name,
        "description": role.description,
    })
}

/// The role as GET shows it: operations by name, and who has it.
#[must_use]
pub(super) fn document(role: &Role, users: &[&str]) -> Value {
    let mut shown = common(role);
    let permissions: Document = role
        .grants
        .iter()
        .flatten()
        .map(|(resource, operations)| {
            let names = operations.iter().map(|operation| operation.name());
            (resource.clone(), names.collect())
        })
        .collect();
    shown["permissions"] = Value::Object(permissions);
    shown["users"] = json!(users);
    shown
}

/// The role as POST and PUT answer it: its rights as Pulp stored them.
#[must_use]
pub(super) fn stored_document(role: &Role) -> Value {
    let mut shown = common(role);
    shown["permissions"] = role.grants.as_ref().map_or_else(
        || json!({}),
        |grants| {
            grants
                .iter()
                .map(|(resource, operations)| {
                    let numbers = operations.iter().map(|operation| operation.number());
                    json!({ "resource": resource, "permission": numbers.collect::<Vec<_>>() })
                })
                .collect()
        },
    );
    shown
}

async fn existing(change: &mut PeopleChange, id: &str) -> Result<Role, Error> {
    let role = change.role(id).await?;
    role.ok_or_else(|| no_role(id))
}

fn members<'a>(users: &'a [User], role: &str) -> Vec<&'a str> {
    users
        .iter()
        .filter(|user| user.has_role(role))
        .map(|user| user.login.as_str())
        .collect()
}

impl Pulp {
    /// Every role, with who has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role_documents(&self) -> Result<Vec<Value>, Error> {
        let roles = self.engine.store.roles_list().await?;
        let users = self.engine.store.users_list().await?;
        Ok(roles
            .iter()
            .map(|role| document(role, &members(&users, &role.id)))
            .collect())
    }

    /// One role, with who has it.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn role_document(&self, id: &str) -> Result<Value, Error> {
        let role = self.engine.store.role_get(id).await?;
        let role = role.ok_or_else(|| no_role(id))?;
        let users = self.engine.store.users_list().await?;
        Ok(document(&role, &members(&users, id)))
    }

    /// Makes a role, which grants nothing yet.
    ///
    /// # Errors
    /// 400 for an id that cannot be, 409 when it is taken.
    pub async fn role_create(&self, body: &Document) -> Result<Value, Error> {
        let id = body.get("role_id").and_then(Value::as_str);
        let Some(id) = id.filter(|id| is_role_id(id)) else {
            return Err(PulpError::invalid_value(&["role_id"]).into());
        };
        let display_name = body.get("display_name").filter(|name| !name.is_null());
        let role = Role {
            id: id.to_owned(),
            oid: ObjectId::new(self.engine.store.now()),
            display_name: display_name.cloned().unwrap_or_else(|| json!(id)),
            description: body.get("description").cloned().unwrap_or_default(),
            grants: None,
        };
        let mut change = self.engine.store.people_change().await?;
        change.role_create(&role).await?;
        change.commit().await?;
        Ok(stored_document(&role))
    }

    /// Changes how a role is called.
    ///
    /// # Errors
    /// 404 when there is none, 400 for anything else than `display_name` and `description`.
    pub async fn role_update(&self, id: &str, body: &Document) -> Result<Value, Error> {
        let mut change = self.engine.store.people_change().await?;
        let mut role = existing(&mut change, id).await?;
        for (key, value) in delta(body)? {
            match key.as_str() {
                "id" => {}
                "display_name" => role.display_name = value.clone(),
                "description" => role.description = value.clone(),
                other => {
                    let text = format!("Update Keyword [{other}] is not supported");
                    return Err(PulpError::data(text).into());
                }
            }
        }
        change.role_save(&role).await?;
        change.commit().await?;
        Ok(stored_document(&role))
    }

    /// Deletes a role, and takes from its members what it granted.
    ///
    /// # Errors
    /// 404 when there is none, 400 for the one of super-users.
    pub async fn role_delete(&self, id: &str) -> Result<(), Error> {
        let mut change = self.engine.store.people_change().await?;
        let role = existing(&mut change, id).await?;
        if id == SUPER_USERS {
            return Err(PulpError::data(format!("Role {id} cannot be changed")).into());
        }
        for mut member in change.members(id).await? {
            take_role(&mut change, &mut member, &role).await?;
        }
        change.role_delete(id).await?;
        Ok(change.commit().await?)
    }

    /// Those who have a role.
    ///
    /// # Errors
    /// 404 when there is no such role.
    pub async fn role_members(&self, id: &str) -> Result<Vec<Value>, Error> {
        let role = self.engine.store.role_get(id).await?;
        role.ok_or_else(|| no_role(id))?;
        let users = self.engine.store.users_list().await?;
        let members = users.iter().filter(|user| user.has_role(id));
        Ok(members.map(user_document).collect())
    }

    /// Gives a user a role in the name of `by`; nothing happens when they have it.
    ///
    /// # Errors
    /// 404 when there is no such role, 400 when there is no such user, 401 when it grants what `by` may not do.
    pub async fn role_member_add(
        &self,
        id: &str,
        body: &Document,
        by: &Principal,
    ) -> Result<(), Error> {
        let login = match body.get("login") {
            None | Some(Value::Null) => {
                return Err(PulpError::invalid_values(&[Value::Null]).into());
            }
            Some(login) => login.as_str(),
        };
        let mut change = self.engine.store.people_change().await?;
        let role = existing(&mut change, id).await?;
        let user = match login {
            Some(login) => change.user(login).await?,
            None => None,
        };
        let mut user = user.ok_or_else(|| PulpError::invalid_value(&["login"]))?;
        may_give(by, &role)?;
        give_role(&mut change, &mut user, &role).await?;
        Ok(change.commit().await?)
    }

    /// Takes a role from a user; nothing happens when they do not have it.
    ///
    /// # Errors
    /// 404 when there is no such role or user, 400 for the last super-user.
    pub async fn role_member_remove(&self, id: &str, login: &str) -> Result<(), Error> {
        let mut change = self.engine.store.people_change().await?;
        let role = existing(&mut change, id).await?;
        let user = change.user(login).await?;
        let mut user = user.ok_or_else(|| no_user(login))?;
        if id == SUPER_USERS {
            keep_a_super_user(&mut change, &user, last_member).await?;
        }
        take_role(&mut change, &mut user, &role).await?;
        Ok(change.commit().await?)
    }
}
