//! People and their rights, and changes of users, roles and permissions, which belong together
//! (pulp2/people#rights, pulp2/people#permissions).

use pith_core::{ObjectId, Operation};
use serde_json::Value;

use crate::dialect::{Sql, sql};
use crate::migrate::advisory_lock;
use crate::{Result, Store, StoreError, Tx};

/// The lock of whoever changes users, roles or permissions in a PostgreSQL database ("peop" in ASCII).
const LOCK: i64 = 0x7065_6f70;

/// The rights that people have on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The resource, mostly a path such as `/v2/repositories/`.
    pub resource: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Logins with what they may do.
    pub users: Vec<(String, Vec<Operation>)>,
}

/// A resource with what somebody may do on it.
pub type Granted = (String, Vec<Operation>);

/// The stored form of operations.
pub(crate) fn numbers(operations: &[Operation]) -> Value {
    operations
        .iter()
        .map(|operation| Value::from(operation.number()))
        .collect()
}

/// Reads the stored form of operations.
pub(crate) fn operations(stored: &Value) -> Result<Vec<Operation>> {
    let corrupt = || StoreError::Corrupt("list of operations".to_owned());
    let numbers = stored.as_array().ok_or_else(corrupt)?;
    numbers
        .iter()
        .map(|number| {
            number
                .as_u64()
                .and_then(Operation::from_number)
                .ok_or_else(corrupt)
        })
        .collect()
}

/// An open change of users, roles and permissions. There is one at a time, so that what it reads stays true until it is
/// committed; dropped without [`PeopleChange::commit`] it changes nothing.
#[derive(Debug)]
pub struct PeopleChange {
    pub(crate) tx: Tx,
    pub(crate) store: Store,
}

impl Store {
    /// Starts a change. On SQLite it excludes every other writer until it ends: keep it short.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn people_change(&self) -> Result<PeopleChange> {
        let mut tx = self.begin().await?;
        advisory_lock(&mut tx.inner, LOCK).await?;
        Ok(PeopleChange {
            tx,
            store: self.clone(),
        })
    }

    /// Returns what a user may do, by resource.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_rights(&self, login: &str) -> Result<Vec<Granted>> {
        let statement =
            sql("SELECT resource, json(operations) FROM user_rights WHERE login = $1").bind(login);
        let rows = self.all(statement).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, operations(&row.get(1)?)?)))
            .collect()
    }

    /// The resources on which somebody has rights, or the one of this name, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn permissions_list(&self, resource: Option<&str>) -> Result<Vec<Permission>> {
        let mut query = Sql::new(
            self.backend(),
            "SELECT p.resource, p.oid, r.login, json(r.operations) FROM permissions p \
             JOIN user_rights r ON r.resource = p.resource JOIN users u ON u.login = r.login",
        );
        if let Some(resource) = resource {
            query.push(" WHERE p.resource = ").bind(resource);
        }
        query.push(" ORDER BY p.seq, u.seq");
        let mut found: Vec<Permission> = Vec::new();
        for row in self.all(query.build()).await? {
            let user = (row.get(2)?, operations(&row.get(3)?)?);
            let resource: String = row.get(0)?;
            match found.last_mut().filter(|last| last.resource == resource) {
                Some(last) => last.users.push(user),
                None => found.push(Permission {
                    resource,
                    oid: row.get(1)?,
                    users: vec![user],
                }),
            }
        }
        Ok(found)
    }
}

impl PeopleChange {
    /// Returns what a user may do on a resource, in the order in which it was granted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operations(&mut self, login: &str, resource: &str) -> Result<Vec<Operation>> {
        let statement =
            sql("SELECT json(operations) FROM user_rights WHERE login = $1 AND resource = $2")
                .bind(login)
                .bind(resource);
        let row = self.tx.inner.optional(statement).await?;
        row.map_or(Ok(Vec::new()), |row| operations(&row.get(0)?))
    }

    /// Says what a user may do on a resource from now on. A resource on which nobody may do anything is forgotten.
    ///
    /// # Errors
    /// When the database fails, or there is no such user.
    pub async fn operations_set(
        &mut self,
        login: &str,
        resource: &str,
        operations: &[Operation],
    ) -> Result<()> {
        if operations.is_empty() {
            let statement = sql("DELETE FROM user_rights WHERE login = $1 AND resource = $2")
                .bind(login)
                .bind(resource);
            self.tx.inner.execute(statement).await?;
            return self.drop_empty_permissions().await;
        }
        let oid = ObjectId::new(self.store.now());
        let statement = sql("INSERT INTO permissions (resource, oid) VALUES ($1, $2) \
             ON CONFLICT (resource) DO NOTHING")
        .bind(resource)
        .bind(&oid);
        self.tx.inner.execute(statement).await?;
        let statement = sql(
            "INSERT INTO user_rights (login, resource, operations) VALUES ($1, $2, jsonb($3)) \
             ON CONFLICT (login, resource) DO UPDATE SET operations = excluded.operations",
        )
        .bind(login)
        .bind(resource)
        .bind(&numbers(operations));
        self.tx.inner.execute(statement).await.map(drop)
    }

    pub(crate) async fn drop_empty_permissions(&mut self) -> Result<()> {
        let statement = sql("DELETE FROM permissions WHERE NOT EXISTS \
             (SELECT 1 FROM user_rights r WHERE r.resource = permissions.resource)");
        self.tx.inner.execute(statement).await.map(drop)
    }

    /// Makes the change durable and visible to every request from now on, here and elsewhere.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub async fn commit(mut self) -> Result<()> {
        self.tx.move_generation("people").await?;
        self.tx.commit().await
    }
}
