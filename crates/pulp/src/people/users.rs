//! `/v2/users/` (pulp2/people#users).

use pith_core::clock::{SignedDuration, Timestamp};
use pith_core::error::PulpError;
use pith_core::{Document, ObjectId, Operation};
use pith_engine::{Error, acting};
use pith_store::users::SUPER_USERS;
use pith_store::{PeopleChange, Role, User};
use serde_json::{Value, json};

use super::{delta, give_role, grant, may_become, may_give, no_role, no_user, take_role};
use crate::Pulp;
use crate::auth::Principal;
use crate::passwords::Passwords;

/// Longest password, in bytes: more would only be work for whoever checks it.
const LONGEST_PASSWORD: usize = 4096;

/// The user as the API shows them: never a password.
#[must_use]
pub fn document(user: &User) -> Value {
    json!({
        "_id": user.oid.to_json(),
        "_ns": "users",
        "_href": format!("/pulp/api/v2/users/{}/", user.login),
        "login": user.login,
        "name": user.name,
        "roles": user.roles,
    })
}

/// Letters, digits, `.`, `@`, `-` and `_`.
fn is_login(login: &str) -> bool {
    !login.is_empty()
        && login
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'@' | b'-' | b'_'))
}

/// A password that is asked for: `None` for none. An empty one is none, too: nobody logs in with it.
fn wanted_password(value: Option<&Value>) -> Result<Option<&str>, PulpError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST_PASSWORD => Ok(Some(text)),
        Some(_) => Err(PulpError::invalid_value(&["password"])),
    }
}

async fn hashed(passwords: &Passwords, password: Option<&str>) -> Result<Option<String>, Error> {
    match password {
        None | Some("") => Ok(None),
        Some(password) => Ok(Some(passwords.hash(&acting::caller(), password).await?)),
    }
}

/// The next whole second: certificates know no parts of one, and none from before a change may outlive it.
fn after(now: Timestamp) -> Timestamp {
    let next = Timestamp::from_second(now.as_second()).map(|at| at + SignedDuration::from_secs(1));
    next.unwrap_or(now)
}

/// The time of change to note for a password that is changed `now` and counted as last changed at `last`: later than both. A
/// certificate of the password before is never dated before `last`, which may lie ahead of `now`.
pub(super) fn changed(now: Timestamp, last: Timestamp) -> Timestamp {
    after(now.max(last))
}

fn wanted_name(value: &Value) -> Result<Option<String>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) => Ok(Some(name.clone())),
        _ => Err(()),
    }
}

/// Reads login, name and password of a new user; what cannot be is refused in Pulp's order.
fn wanted(body: &Document) -> Result<(&str, Option<String>, Option<&str>), PulpError> {
    let login = body.get("login").unwrap_or(&Value::Null);
    if login.is_null() {
        return Err(PulpError::missing_value(&["login"]));
    }
    let known = ["login", "password", "name"];
    let unknown: Vec<&str> = body
        .keys()
        .map(String::as_str)
        .filter(|key| !known.contains(key))
        .collect();
    if !unknown.is_empty() {
        return Err(PulpError::invalid_value(&unknown));
    }
    let password = wanted_password(body.get("password"))?;
    let name = wanted_name(body.get("name").unwrap_or(login));
    match (login.as_str().filter(|login| is_login(login)), name) {
        (Some(login), Ok(name)) => Ok((login, name, password)),
        (None, Ok(_)) => Err(PulpError::invalid_value(&["login"])),
        (Some(_), Err(())) => Err(PulpError::invalid_value(&["name"])),
        (None, Err(())) => Err(PulpError::invalid_value(&["login", "name"])),
    }
}

/// The resources that every user has rights on.
pub(super) fn default_resources(login: &str) -> [String; 3] {
    [
        "/v2/actions/login/".to_owned(),
        "/v2/actions/logout/".to_owned(),
        format!("/v2/users/{login}/"),
    ]
}

/// Returns what every user may do: log in, log out, read and change themselves.
pub(super) async fn grant_defaults(change: &mut PeopleChange, login: &str) -> Result<(), Error> {
    for resource in default_resources(login) {
        grant(
            change,
            login,
            &resource,
            &[Operation::Read, Operation::Update],
        )
        .await?;
    }
    Ok(())
}

/// Refuses to leave nobody who may do everything.
pub(super) async fn keep_a_super_user(
    change: &mut PeopleChange,
    user: &User,
    message: impl FnOnce(&str) -> String,
) -> Result<(), Error> {
    if !user.has_role(SUPER_USERS) {
        return Ok(());
    }
    let members = change.members(SUPER_USERS).await?;
    if members.iter().any(|member| member.login != user.login) {
        return Ok(());
    }
    Err(PulpError::data(message(&user.login)).into())
}

/// The text when the role of super-users would lose its last member.
pub(super) fn last_member(login: &str) -> String {
    format!("super-users cannot be empty, and {login} is the last member")
}

/// The changes that an update asks for.
struct Update<'a> {
    /// A new name, which may be none.
    name: Option<Option<String>>,
    password: Option<&'a str>,
    roles: Option<Vec<&'a str>>,
}

fn update_of(delta: &Document) -> Result<Update<'_>, PulpError> {
    let password = wanted_password(delta.get("password"))?;
    let roles = match delta.get("roles") {
        None | Some(Value::Null) => None,
        Some(Value::Array(roles)) => {
            let ids: Option<Vec<&str>> = roles.iter().map(Value::as_str).collect();
            Some(ids.ok_or_else(|| PulpError::invalid_value(&["roles"]))?)
        }
        Some(_) => return Err(PulpError::invalid_value(&["roles"])),
    };
    let name = delta.get("name").map(wanted_name).transpose();
    Ok(Update {
        password,
        // An empty list changes nothing.
        roles: roles.filter(|roles| !roles.is_empty()),
        name: name.map_err(|()| PulpError::invalid_value(&["name"]))?,
    })
}

/// Keys of an update that mean nothing.
fn refuse_other_keys(delta: &Document) -> Result<(), PulpError> {
    let known = ["name", "password", "roles"];
    let unknown: Vec<&str> = delta
        .keys()
        .map(String::as_str)
        .filter(|key| !known.contains(key))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(PulpError::invalid_value(&unknown))
    }
}

/// Gives a user these roles and no others. Everybody may change themselves, so `by` must also be allowed what the calls
/// that change a role's members need.
async fn set_roles(
    change: &mut PeopleChange,
    user: &mut User,
    wanted: &[Role],
    by: &Principal,
) -> Result<(), Error> {
    for role in wanted.iter().filter(|role| !user.has_role(&role.id)) {
        by.permit(Operation::Update, &format!("/v2/roles/{}/users/", role.id))?;
        may_give(by, role)?;
    }
    let gone: Vec<String> = user
        .roles
        .iter()
        .filter(|id| wanted.iter().all(|role| role.id != **id))
        .cloned()
        .collect();
    for id in &gone {
        let path = format!("/v2/roles/{id}/users/{}/", user.login);
        by.permit(Operation::Delete, &path)?;
        if id == SUPER_USERS {
            keep_a_super_user(change, user, last_member).await?;
        }
    }
    for role in wanted {
        give_role(change, user, role).await?;
    }
    for id in gone {
        match change.role(&id).await? {
            Some(role) => take_role(change, user, &role).await?,
            None => user.roles.retain(|role| *role != id),
        }
    }
    Ok(())
}

impl Pulp {
    /// Every user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_documents(&self) -> Result<Vec<Value>, Error> {
        let users = self.engine.store.users_list().await?;
        Ok(users.iter().map(document).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn user_document(&self, login: &str) -> Result<Value, Error> {
        let user = self.engine.store.user_get(login).await?;
        user.as_ref().map(document).ok_or_else(|| no_user(login))
    }

    /// Makes a user, who may log in and change themselves.
    ///
    /// # Errors
    /// 400 for what cannot be, 409 when the login is taken.
    pub async fn user_create(&self, body: &Document) -> Result<Value, Error> {
        let (login, name, password) = wanted(body)?;
        let now = self.engine.store.now();
        let user = User {
            login: login.to_owned(),
            oid: ObjectId::new(now),
            name,
            password_hash: hashed(&self.passwords, password).await?,
            password_changed: after(now),
            roles: Vec::new(),
        };
        let mut change = self.engine.store.people_change().await?;
        change.user_create(&user).await?;
        grant_defaults(&mut change, login).await?;
        change.commit().await?;
        let mut shown = document(&user);
        shown["id"] = json!(user.oid.as_str());
        Ok(shown)
    }

    /// Changes a user in the name of `by`. Everything is checked before anything is changed.
    ///
    /// # Errors
    /// 404 when there is no such user or role, 400 for what cannot be, 401 for roles that `by` may not hand out, and for the
    /// password of somebody who may do more than `by`.
    pub async fn user_update(
        &self,
        login: &str,
        body: &Document,
        by: &Principal,
    ) -> Result<Value, Error> {
        let known = self.engine.store.user_get(login).await?;
        if known.is_none() {
            return Err(no_user(login));
        }
        let delta = delta(body)?;
        let update = update_of(delta)?;
        let hash = hashed(&self.passwords, update.password).await?;
        let mut change = self.engine.store.people_change().await?;
        let user = change.user(login).await?;
        let mut user = user.ok_or_else(|| no_user(login))?;
        let mut roles = Vec::new();
        for id in update.roles.iter().flatten() {
            let role = change.role(id).await?;
            roles.push(role.ok_or_else(|| no_role(id))?);
        }
        refuse_other_keys(delta)?;
        if update.roles.is_some() {
            set_roles(&mut change, &mut user, &roles, by).await?;
        }
        if update.password.is_some() {
            let rights = self.engine.store.user_rights(login).await?;
            may_become(by, &user, &rights.into_iter().collect())?;
            user.password_hash = hash;
            user.password_changed = changed(self.engine.store.now(), user.password_changed);
        }
        if let Some(name) = update.name {
            user.name = name;
        }
        change.user_save(&user).await?;
        change.commit().await?;
        Ok(document(&user))
    }

    /// Deletes a user with all their rights.
    ///
    /// # Errors
    /// 404 when there is none, 400 for the last super-user.
    pub async fn user_delete(&self, login: &str) -> Result<(), Error> {
        let mut change = self.engine.store.people_change().await?;
        let user = change.user(login).await?;
        let user = user.ok_or_else(|| no_user(login))?;
        keep_a_super_user(&mut change, &user, |login| {
            format!("The last superuser [{login}] cannot be deleted")
        })
        .await?;
        change.user_delete(login).await?;
        Ok(change.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_new_user_is_said_in_pulps_order() {
        let names = |body: Value| {
            let error = wanted(body.as_object().unwrap()).unwrap_err();
            let names = error.detail.data["property_names"].clone();
            (error.code().to_owned(), names)
        };
        let invalid = |names: Value| ("PLP0015".to_owned(), names);
        assert_eq!(
            names(json!({ "bogus": 1 })),
            ("PLP0016".to_owned(), json!(["login"]))
        );
        assert_eq!(
            names(json!({ "login": 5, "bogus": 1 })),
            invalid(json!(["bogus"]))
        );
        assert_eq!(
            names(json!({ "login": 5, "password": 5 })),
            invalid(json!(["password"]))
        );
        assert_eq!(
            names(json!({ "login": 5 })),
            invalid(json!(["login", "name"]))
        );
        let long = "x".repeat(LONGEST_PASSWORD + 1);
        assert_eq!(
            names(json!({ "login": "a", "password": long })),
            invalid(json!(["password"]))
        );
        for login in ["a b", "ü", "", "a:b", "a/b"] {
            let body = json!({ "login": login, "name": null });
            assert_eq!(names(body), invalid(json!(["login"])), "{login}");
        }
    }

    #[test]
    fn a_second_change_within_one_second_counts_as_later_than_the_first() {
        let now: Timestamp = "2020-01-01T10:00:00.5Z".parse().unwrap();
        let first = changed(now, now);
        assert_eq!(first.to_string(), "2020-01-01T10:00:01Z");
        // A certificate made at once after the first change is dated then.
        assert_eq!(changed(now, first).to_string(), "2020-01-01T10:00:02Z");
        let later = "2020-01-02T10:00:00Z".parse().unwrap();
        assert_eq!(changed(later, first).to_string(), "2020-01-02T10:00:01Z");
    }

    #[tokio::test]
    async fn no_password_and_an_empty_one_are_no_password() {
        let passwords = Passwords::default();
        let hashed = |password| hashed(&passwords, password);
        assert_eq!(hashed(None).await.unwrap(), None);
        assert_eq!(hashed(Some("")).await.unwrap(), None);
        assert!(hashed(Some("None")).await.unwrap().is_some());
    }
}
