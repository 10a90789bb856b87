//! Distributors of groups: documents, checks, and the calls that change them (pulp2/groups#distributors).

use pith_content::group::OtherGroup;
use pith_content::{Config, Problems};
use pith_core::clock::iso;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Document, ObjectId};
use pith_engine::Error;
use pith_engine::masks::merged;
use pith_store::{GroupDistributor, Store, StoreError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::groups::{href, of_group};
use crate::ids::is_distributor_id;
use crate::{Pulp, stored};

/// The group distributor as the API shows it.
#[must_use]
pub fn distributor_document(distributor: &GroupDistributor) -> Value {
    json!({
        "_id": distributor.oid.to_json(),
        "_ns": "repo_group_distributors",
        "_href": format!("{}distributors/{}/", href(&distributor.group_id), distributor.id),
        "id": distributor.id,
        "distributor_type_id": distributor.type_id,
        "repo_group_id": distributor.group_id,
        "config": distributor.config,
        "last_publish": distributor.last_publish.map(iso),
        "scratchpad": distributor.scratchpad,
    })
}

/// 404 for a distributor of a group.
fn no_distributor(group: &str, id: &str) -> Error {
    PulpError::missing_resource(&[("distributor", id), ("repo_group", group)]).into()
}

/// A plugin's refusal. Pulp wrapped one without codes once too often, so that the words are found in `args` alone.
fn refused(problems: Problems) -> Error {
    if problems.is_coded() {
        return problems.into();
    }
    let text = "Pulp exception occurred: PulpDataException";
    let mut error = PulpError::validation(ErrorDetail::new("PLP0000", text));
    let words = problems.to_string();
    error.extra.insert("args".to_owned(), json!([[words]]));
    error.into()
}

/// The configuration in a request; null when there is none. Null values are as good as absent.
fn config_of(body: &Document) -> Result<Value, PulpError> {
    match body.get("distributor_config") {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::Object(config)) => {
            let given = config.iter().filter(|(_, value)| !value.is_null());
            let kept: Document = given.map(|(k, v)| (k.clone(), v.clone())).collect();
            Ok(Value::Object(kept))
        }
        Some(_) => Err(PulpError::invalid_value(&["distributor_config"])),
    }
}

impl Pulp {
    /// The distributors of a group, as documents.
    ///
    /// # Errors
    /// 404 for the group.
    pub async fn group_distributor_list(&self, group: &str) -> Result<Vec<Value>, Error> {
        self.group_require(group).await?;
        let found = self.engine.store.group_distributor_list(group).await?;
        Ok(found.iter().map(distributor_document).collect())
    }

    /// One distributor of a group.
    ///
    /// # Errors
    /// 404 naming the group, or both.
    pub async fn group_distributor_require(
        &self,
        group: &str,
        id: &str,
    ) -> Result<GroupDistributor, Error> {
        self.group_require(group).await?;
        self.group_distributor_in(&self.engine.store, group, id)
            .await
    }

    /// Checks a configuration for a distributor of `type_id` in `group`, against those of other groups, which must not change before it
    /// is saved: `store` stands for the transaction that saves it.
    async fn group_config_check(
        &self,
        store: &Store,
        (group, type_id): (&str, &str),
        config: &Config,
        before: Option<&Config>,
    ) -> Result<(), Error> {
        let plugin = self.engine.registry.group_distributor(type_id);
        let plugin = plugin.ok_or_else(|| PulpError::invalid_value(&["distributor_type_id"]))?;
        let elsewhere = store.group_distributors_elsewhere(type_id, group).await;
        let others = elsewhere?.into_iter().map(|other| OtherGroup {
            group_id: other.group_id,
            relative_url: other.relative_url,
        });
        let others: Vec<OtherGroup> = others.collect();
        plugin.validate(group, config, &others).map_err(refused)?;
        let folder = plugin.export_folder(config);
        self.engine.require_open(folder.as_ref()).map_err(refused)?;
        let choice = plugin.signing_key(config);
        let before = before.and_then(|before| plugin.signing_key(before));
        let required = self
            .engine
            .require_signing_key(store, choice.as_ref(), before.as_ref());
        required.await
    }

    /// Reads and checks a distributor that somebody wants for a group, to be saved in the transaction that `store` stands for.
    pub(crate) async fn group_distributor_wanted(
        &self,
        store: &Store,
        group: &str,
        body: &Document,
    ) -> Result<GroupDistributor, Error> {
        let type_id = body.get("distributor_type_id").and_then(Value::as_str);
        let is_known = |id: &&str| self.engine.registry.group_distributor(id).is_some();
        let type_id = type_id.filter(is_known);
        let type_id = type_id.ok_or_else(|| PulpError::invalid_value(&["distributor_type_id"]))?;
        let id = match body.get("distributor_id") {
            None | Some(Value::Null) => Uuid::new_v4().to_string(),
            Some(Value::String(id)) if is_distributor_id(id) => id.clone(),
            Some(_) => return Err(PulpError::invalid_value(&["distributor_id"]).into()),
        };
        let config = config_of(body)?;
        let checked = Config::new(config.as_object().cloned().unwrap_or_default());
        let subject = (group, type_id);
        self.group_config_check(store, subject, &checked, None)
            .await?;
        Ok(GroupDistributor {
            group_id: group.to_owned(),
            id,
            oid: ObjectId::new(self.engine.clock.now()),
            type_id: type_id.to_owned(),
            config,
            last_publish: None,
            scratchpad: Value::Null,
        })
    }

    /// Gives a group a distributor, in place of one of the same id. `body` is the request.
    ///
    /// # Errors
    /// 404 for the group, 400 naming what cannot be, or the type's refusal.
    pub async fn group_distributor_create(
        &self,
        group: &str,
        body: &Document,
    ) -> Result<Value, Error> {
        self.group_require(group).await?;
        let tx = self.distributors_change().await?;
        let distributor = self.group_distributor_wanted(&tx, group, body).await?;
        group_room(&tx, (group, &distributor.id), &distributor.config).await?;
        let made = tx.group_distributor_create(&distributor).await;
        made.map_err(|error| of_group(error, group))?;
        tx.commit().await?;
        Ok(distributor_document(&distributor))
    }

    /// Sets keys of a distributor's configuration, null removes one. `body` is the request.
    ///
    /// # Errors
    /// 400 when there is no configuration, 404 naming the group or both, the type's refusal.
    pub async fn group_distributor_update(
        &self,
        group: &str,
        id: &str,
        body: &Document,
    ) -> Result<Value, Error> {
        let changes = match body.get("distributor_config") {
            None | Some(Value::Null) => {
                return Err(PulpError::missing_value(&["distributor_config"]).into());
            }
            Some(Value::Object(changes)) => changes.clone(),
            Some(_) => return Err(PulpError::invalid_value(&["distributor_config"]).into()),
        };
        self.group_distributor_require(group, id).await?;
        let tx = self.distributors_change().await?;
        let stored = self.group_distributor_in(&tx, group, id).await?;
        let before = stored.config.as_object().cloned().unwrap_or_default();
        let config = merged(before.clone(), changes);
        let checked = Config::new(config.clone());
        let subject = (group, stored.type_id.as_str());
        let before = Config::new(before);
        self.group_config_check(&tx, subject, &checked, Some(&before))
            .await?;
        let config = Value::Object(config);
        group_room(&tx, (group, id), &config).await?;
        let updated = tx.group_distributor_update(group, id, config).await;
        let updated = updated.map_err(|error| match error {
            StoreError::Missing { .. } => no_distributor(group, id),
            other => other.into(),
        });
        let updated = updated?;
        tx.commit().await?;
        Ok(distributor_document(&updated))
    }

    /// A distributor of a group as the transaction sees it that `store` stands for.
    async fn group_distributor_in(
        &self,
        store: &Store,
        group: &str,
        id: &str,
    ) -> Result<GroupDistributor, Error> {
        let found = store.group_distributor_get(group, id).await?;
        found.ok_or_else(|| no_distributor(group, id))
    }

    /// Removes a distributor of a group.
    ///
    /// # Errors
    /// 404 naming the group, or both.
    pub async fn group_distributor_remove(&self, group: &str, id: &str) -> Result<(), Error> {
        self.group_require(group).await?;
        let removed = self.engine.store.group_distributor_remove(group, id).await;
        match removed? {
            true => Ok(()),
            false => Err(no_distributor(group, id)),
        }
    }
}

/// Makes sure that a group has room for these settings of the distributor `id`, beside those of its other distributors.
async fn group_room(store: &Store, (group, id): (&str, &str), config: &Value) -> Result<(), Error> {
    let Value::Object(config) = config else {
        return Ok(());
    };
    let own = store.group_distributor_list(group).await?;
    let beside = own.iter().filter(|other| other.id != id);
    let beside = beside.filter_map(|other| other.config.as_object());
    Ok(stored::require_fit_together(config, beside)?)
}

#[cfg(test)]
mod tests {
    use pith_content::Problem;

    use super::*;
    use crate::error::told;

    #[test]
    fn a_refusal_hides_its_words_where_pulp_hid_them() {
        let error = told(&refused(Problem::new("a", "no").into()));
        assert_eq!(error.status, 400);
        assert_eq!(error.extra["args"], json!([["no"]]));
        assert_eq!(error.detail.code, "PLP0000");
    }
}
