//! Searches over users.

use pith_core::criteria::Criteria;
use pith_engine::Error;
use serde_json::{Value, json};

use super::collections::{cut, select_stream};
use super::prepare::{Identity, Otherwise};
use super::{Collection, narrowing};
use crate::Pulp;
use crate::people::user_document;

/// Users. A password may be asked for, as in Pulp, and is never shown.
pub const USERS: Collection = Collection {
    name: "users",
    fields: &["id", "_id", "_ns", "login", "name", "password", "roles"],
    identity: Identity::Object,
    otherwise: Otherwise::Refused,
};

impl Pulp {
    /// Searches users.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn user_search(&self, criteria: &Criteria) -> Result<Vec<Value>, Error> {
        let criteria = &USERS.prepared(criteria)?;
        let narrowed = narrowing::users(criteria.filter.as_ref());
        let window = narrowed.window(criteria);
        let users = self.engine.store.users_stream(narrowed.listing, window);
        let found = select_stream(&self.searching, users, criteria, window, user_document).await?;
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
