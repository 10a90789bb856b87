//! Roles: named bundles of rights (pulp2/people#roles).

use pith_core::{ObjectId, Operation};
use serde_json::{Value, json};

use crate::dialect::{Sql, Stmt, sql};
use crate::people::{numbers, operations};
use crate::value::Row;
use crate::{PeopleChange, Result, Store, StoreError};

/// A role.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The natural id.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Name for people: mostly text.
    pub display_name: Value,
    /// Text for people, or null.
    pub description: Value,
    /// Resources with the operations granted on them, oldest first; `None` while nothing was ever granted.
    pub grants: Option<Vec<(String, Vec<Operation>)>>,
}

impl Role {
    /// The operations granted on a resource.
    #[must_use]
    pub fn operations(&self, resource: &str) -> &[Operation] {
        self.grants
            .iter()
            .flatten()
            .find(|(name, _)| name == resource)
            .map_or(&[], |(_, operations)| operations)
    }
}

const COLUMNS: &str = "id, oid, json(display_name), json(description), json(grants)";

fn role(row: &Row) -> Result<Role> {
    let corrupt = || StoreError::Corrupt("list of a role's rights".to_owned());
    let grants = match row.get::<Value>(4)? {
        Value::Null => None,
        Value::Array(items) => Some(
            items
                .iter()
                .map(|item| {
                    let resource = item["resource"].as_str().ok_or_else(corrupt)?;
                    Ok((resource.to_owned(), operations(&item["permission"])?))
                })
                .collect::<Result<_>>()?,
        ),
        _ => return Err(corrupt()),
    };
    Ok(Role {
        id: row.get(0)?,
        oid: row.get(1)?,
        display_name: row.get(2)?,
        description: row.get(3)?,
        grants,
    })
}

fn bound(role: &Role, text: &'static str) -> Stmt {
    let grants = role.grants.as_ref().map_or(Value::Null, |grants| {
        grants
            .iter()
            .map(|(resource, granted)| {
                json!({ "resource": resource, "permission": numbers(granted) })
            })
            .collect()
    });
    sql(text)
        .bind(&role.id)
        .bind(&role.oid)
        .bind(&role.display_name)
        .bind(&role.description)
        .bind(&grants)
}

impl Store {
    fn some_roles(&self, id: Option<&str>) -> Stmt {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM roles");
        if let Some(id) = id {
            query.push(" WHERE id = ").bind(id);
        }
        query.push(" ORDER BY seq");
        query.build()
    }

    /// One role.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role_get(&self, id: &str) -> Result<Option<Role>> {
        let row = self.optional(self.some_roles(Some(id))).await?;
        row.as_ref().map(role).transpose()
    }

    /// Every role, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roles_list(&self) -> Result<Vec<Role>> {
        let rows = self.all(self.some_roles(None)).await?;
        rows.iter().map(role).collect()
    }
}

impl PeopleChange {
    /// One role, as this change sees it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role(&mut self, id: &str) -> Result<Option<Role>> {
        let statement = self.store.some_roles(Some(id));
        let row = self.tx.inner.optional(statement).await?;
        row.as_ref().map(role).transpose()
    }

    /// Saves a new role.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the id is taken; nothing else may be done with this change then.
    pub async fn role_create(&mut self, role: &Role) -> Result<()> {
        let text = "INSERT INTO roles (id, oid, display_name, description, grants) \
             VALUES ($1, $2, jsonb($3), jsonb($4), jsonb($5))";
        self.tx
            .inner
            .execute(bound(role, text))
            .await
            .map(drop)
            .map_err(|e| e.or_duplicate("role", &role.id))
    }

    /// Saves a changed role.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role_save(&mut self, role: &Role) -> Result<()> {
        let text = "UPDATE roles SET oid = $2, display_name = jsonb($3), description = jsonb($4), \
             grants = jsonb($5) WHERE id = $1";
        self.tx.inner.execute(bound(role, text)).await.map(drop)
    }

    /// Deletes a role. What it granted its members stays theirs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role_delete(&mut self, id: &str) -> Result<()> {
        let statement = sql("DELETE FROM roles WHERE id = $1").bind(id);
        self.tx.inner.execute(statement).await.map(drop)
    }
}
