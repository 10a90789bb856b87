//! Users, roles and permissions (pulp2/people).
//!
//! Each change is one transaction, and there is one at a time: what was checked still holds when it is committed. What
//! requests may do is decided by [`crate::auth`], from what is written here.

mod defaults;
mod permissions;
mod roles;
mod users;

use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Document, Operation, Rights};
use pith_engine::Error;
use pith_store::users::SUPER_USERS;
use pith_store::{PeopleChange, Role, User};
use serde_json::Value;

use crate::auth::Principal;

pub use defaults::ensure_first_admin;
pub use permissions::Way;
pub use users::document as user_document;

/// 404 PLP0009 for a login.
fn no_user(login: &str) -> Error {
    PulpError::missing_resource(&[("login", login)]).into()
}

/// 404 PLP0009 for a role.
fn no_role(id: &str) -> Error {
    PulpError::missing_resource(&[("resource_id", id)]).into()
}

/// 401 PLP0026: somebody would gain rights that `by` does not have.
fn beyond(by: &Principal, action: &str) -> PulpError {
    let name = by.name();
    let text =
        format!("Permission denied: user {name} cannot {action} who may do more than {name}.");
    let detail = ErrorDetail::new("PLP0026", text)
        .with("user", name)
        .with("operation", Operation::Update.name());
    PulpError::unauthenticated(detail, "permission_denied")
}

/// Refuses to give out a role that grants what `by` may not do: membership would be a way to it.
fn may_give(by: &Principal, role: &Role) -> Result<(), PulpError> {
    let granted = role
        .grants
        .iter()
        .flatten()
        .flat_map(|(resource, operations)| {
            let operations = operations.iter().copied();
            operations.map(move |operation| (resource.as_str(), operation))
        });
    let is_above = role.id == SUPER_USERS && !by.is_super_user();
    if is_above || !by.may_all(granted) {
        return Err(beyond(by, "make members of a role"));
    }
    Ok(())
}

/// Refuses to set the password of somebody else who may do what `by` may not: it would be a way to act as them. The rights
/// that every user has on themselves do not count.
fn may_become(by: &Principal, user: &User, rights: &Rights) -> Result<(), PulpError> {
    let is_own = matches!(by, Principal::User(account) if account.login == user.login);
    if is_own || by.is_super_user() {
        return Ok(());
    }
    let own = users::default_resources(&user.login);
    let more = rights
        .granted()
        .filter(|(resource, _)| !own.iter().any(|own| own == resource));
    if user.has_role(SUPER_USERS) || !by.may_all(more) {
        return Err(beyond(by, "set the password of a user"));
    }
    Ok(())
}

/// `delta` of an update.
fn delta(body: &Document) -> Result<&Document, PulpError> {
    match body.get("delta") {
        None | Some(Value::Null) => Err(PulpError::missing_value(&["delta"])),
        Some(Value::Object(delta)) => Ok(delta),
        Some(_) => Err(PulpError::invalid_value(&["delta"])),
    }
}

/// Lets a user do more.
async fn grant(
    change: &mut PeopleChange,
    login: &str,
    resource: &str,
    operations: &[Operation],
) -> Result<(), Error> {
    set(change, login, resource, |had| with(had, operations)).await
}

/// Lets a user do less.
async fn revoke(
    change: &mut PeopleChange,
    login: &str,
    resource: &str,
    operations: &[Operation],
) -> Result<(), Error> {
    set(change, login, resource, |had| without(had, operations)).await
}

/// Changes the operations of a user on a resource to what `next` makes of them; nothing is written when their number stays the
/// same.
async fn set(
    change: &mut PeopleChange,
    login: &str,
    resource: &str,
    next: impl FnOnce(&[Operation]) -> Vec<Operation>,
) -> Result<(), Error> {
    let had = change.operations(login, resource).await?;
    let next = next(&had);
    if next.len() == had.len() {
        return Ok(());
    }
    let set = change.operations_set(login, resource, &next);
    Ok(set.await?)
}

/// The operations of both, in the order in which they came, each once.
fn with(had: &[Operation], more: &[Operation]) -> Vec<Operation> {
    let mut all = Vec::with_capacity(had.len() + more.len());
    for operation in had.iter().chain(more) {
        if !all.contains(operation) {
            all.push(*operation);
        }
    }
    all
}

/// Those of `had` that `fewer` does not name.
fn without(had: &[Operation], fewer: &[Operation]) -> Vec<Operation> {
    had.iter()
        .filter(|operation| !fewer.contains(operation))
        .copied()
        .collect()
}

/// Takes away what a role grants on one resource, but for what another role of the user grants on it too.
async fn revoke_of_role(
    change: &mut PeopleChange,
    user: &User,
    role: &str,
    resource: &str,
    operations: &[Operation],
) -> Result<(), Error> {
    let mut taken = operations.to_vec();
    for other in user.roles.iter().filter(|other| *other != role) {
        if let Some(other) = change.role(other).await? {
            taken = without(&taken, other.operations(resource));
        }
    }
    revoke(change, &user.login, resource, &taken).await
}

/// Gives a user a role and what it grants. `user` is saved.
async fn give_role(change: &mut PeopleChange, user: &mut User, role: &Role) -> Result<(), Error> {
    if user.has_role(&role.id) {
        return Ok(());
    }
    user.roles.push(role.id.clone());
    change.user_save(user).await?;
    for (resource, operations) in role.grants.iter().flatten() {
        grant(change, &user.login, resource, operations).await?;
    }
    Ok(())
}

/// Takes a role and what it granted from a user. `user` is saved.
async fn take_role(change: &mut PeopleChange, user: &mut User, role: &Role) -> Result<(), Error> {
    if !user.has_role(&role.id) {
        return Ok(());
    }
    user.roles.retain(|id| *id != role.id);
    change.user_save(user).await?;
    for (resource, operations) in role.grants.iter().flatten() {
        revoke_of_role(change, user, &role.id, resource, operations).await?;
    }
    Ok(())
}
