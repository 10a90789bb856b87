//! `/v2/permissions/` (pulp2/people#permissions).

use pith_core::error::PulpError;
use pith_core::{Document, Operation};
use pith_engine::Error;
use pith_store::users::SUPER_USERS;
use pith_store::{Permission, Role};
use serde_json::{Value, json};

use super::{grant, revoke, revoke_of_role, with, without};
use crate::Pulp;
use crate::auth::SYSTEM;

/// The two changes of rights: something is given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Granted.
    Grant,
    /// Revoked.
    Revoke,
}

/// The rights on one resource as the API shows them.
#[must_use]
pub(super) fn document(permission: &Permission) -> Value {
    let users: Document = permission
        .users
        .iter()
        .map(|(login, operations)| {
            let names = operations.iter().map(|operation| operation.name());
            (login.clone(), names.collect())
        })
        .collect();
    json!({
        "_id": permission.oid.to_json(),
        "_ns": "permissions",
        "id": permission.oid.as_str(),
        "resource": permission.resource,
        "users": users,
    })
}

/// A request to grant or revoke.
struct Request<'a> {
    /// Login or role id.
    whose: &'a Value,
    /// `None` for what can be no resource, in a request that takes away.
    resource: Option<&'a str>,
    operations: Vec<Operation>,
}

fn operations_of(value: &Value) -> Result<Vec<Operation>, PulpError> {
    let wrong = || PulpError::invalid_value(&["operation_name"]);
    value
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|name| name.as_str().and_then(|name| name.parse().ok()))
        .collect::<Option<Vec<Operation>>>()
        .ok_or_else(wrong)
}

/// Reads a request. `names` are the body's key and the name in messages of each part, in the order of messages.
fn request<'a>(
    body: &'a Document,
    names: [(&str, &str); 3],
    whose: &str,
    way: Way,
) -> Result<Request<'a>, PulpError> {
    let given = |key: &str| body.get(key).filter(|value| !value.is_null());
    let missing: Vec<&str> = names
        .iter()
        .filter(|(key, _)| given(key).is_none())
        .map(|(_, name)| *name)
        .collect();
    let (Some(whose), Some(resource), Some(operations)) =
        (given(whose), given("resource"), given("operations"))
    else {
        return Err(PulpError::missing_value(&missing));
    };
    let operations = operations_of(operations)?;
    if way == Way::Grant && !resource.is_string() {
        return Err(PulpError::invalid_values(std::slice::from_ref(resource)));
    }
    Ok(Request {
        whose,
        resource: resource.as_str(),
        operations,
    })
}

/// Returns what a role grants after a request.
fn changed(role: &mut Role, way: Way, resource: &str, operations: &[Operation]) {
    let had = role.operations(resource).to_vec();
    let has = match way {
        Way::Grant => with(&had, operations),
        Way::Revoke => without(&had, operations),
    };
    if has == had {
        return;
    }
    let grants = role.grants.get_or_insert_default();
    match grants.iter_mut().find(|(name, _)| name == resource) {
        Some((_, granted)) => *granted = has,
        None => grants.push((resource.to_owned(), has)),
    }
    grants.retain(|(_, granted)| !granted.is_empty());
}

impl Pulp {
    /// The rights on every resource, or on the one of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn permission_documents(&self, resource: Option<&str>) -> Result<Vec<Value>, Error> {
        let found = self.engine.store.permissions_list(resource).await;
        Ok(found?.iter().map(document).collect())
    }

    /// Lets a user do more or less on a resource.
    ///
    /// # Errors
    /// 400 for what is missing or cannot be, and when there is no such user.
    pub async fn permission_of_user(&self, body: &Document, way: Way) -> Result<(), Error> {
        let names = [
            ("login", "login"),
            ("resource", "resource"),
            ("operations", "operation_names"),
        ];
        let request = request(body, names, "login", way)?;
        if request.whose == SYSTEM {
            return Ok(());
        }
        let nobody = || Error::from(PulpError::invalid_value(&["login"]));
        let login = request.whose.as_str().ok_or_else(nobody)?;
        let mut change = self.engine.store.people_change().await?;
        let user = change.user(login).await?;
        user.ok_or_else(nobody)?;
        let Some(resource) = request.resource else {
            return Ok(());
        };
        match way {
            Way::Grant => grant(&mut change, login, resource, &request.operations).await?,
            Way::Revoke => revoke(&mut change, login, resource, &request.operations).await?,
        }
        Ok(change.commit().await?)
    }

    /// Lets a role grant more or less on a resource, to those who have it now too.
    ///
    /// # Errors
    /// 400 for what is missing or cannot be, and when there is no such role.
    pub async fn permission_of_role(&self, body: &Document, way: Way) -> Result<(), Error> {
        let names = [
            ("resource", "resource"),
            ("operations", "operation_names"),
            ("role_id", "role_id"),
        ];
        let request = request(body, names, "role_id", way)?;
        if request.whose == SUPER_USERS {
            return Err(PulpError::data("super-users role cannot be changed").into());
        }
        let nothing = || Error::from(PulpError::invalid_value(&["role_id"]));
        let id = request.whose.as_str().ok_or_else(nothing)?;
        let mut change = self.engine.store.people_change().await?;
        let role = change.role(id).await?;
        let mut role = role.ok_or_else(nothing)?;
        let Some(resource) = request.resource else {
            return Ok(());
        };
        let operations = &request.operations;
        changed(&mut role, way, resource, operations);
        change.role_save(&role).await?;
        for member in change.members(id).await? {
            match way {
                Way::Grant => grant(&mut change, &member.login, resource, operations).await?,
                Way::Revoke => {
                    revoke_of_role(&mut change, &member, id, resource, operations).await?;
                }
            }
        }
        Ok(change.commit().await?)
    }
}
