//! Searches over users.

use pith_core::criteria::Criteria;
use pith_core::error::PulpError;
use serde_json::{Value, json};

use super::Collection;
use super::collections::{cut, select};
use crate::Engine;
use crate::error::from_store;
use crate::people::user_document;

/// Users. A password may be asked for, as in Pulp, and is never shown.
pub const USERS: Collection = Collection {
    name: "users",
    fields: &["id", "_id", "_ns", "login", "name", "password", "roles"],
};

impl Engine {
    /// Searches users.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn user_search(&self, criteria: &Criteria) -> Result<Vec<Value>, PulpError> {
        USERS.check(criteria)?;
        let users = self.store.users_list().await.map_err(from_store)?;
        let found = select(users, criteria, user_document);
        Ok(found
            .iter()
            .map(|user| {
                let mut document = user_document(user);
                if let Some(fields) = &criteria.fields {
                    cut(&mut document, fields, &["login"]);
                    let shown = document["login"].as_str().unwrap_or("None");
                    document["_href"] = json!(format!("/pulp/api/v2/users/{shown}/"));
                }
                document
            })
            .collect())
    }
}
