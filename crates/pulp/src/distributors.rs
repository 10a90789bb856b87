//! Distributors of repositories: documents, checks, and the calls that change them
//! (pulp2/distributors#documents, pulp2/distributors#operations).

use pith_content::publish::{ClientGuard, OtherDistributor};
use pith_content::{Config, Problem, Problems, relative_url};
use pith_core::clock::iso;
use pith_core::error::PulpError;
use pith_core::{Document, ObjectId, Sha256, TaskId};
use pith_engine::guards::digest_of;
use pith_engine::masks::shown;
use pith_engine::{Engine, Error, Registry, acting};
use pith_store::{Distributor, Store, WholeTx};
use pith_trust::{Guard, RevocationLists};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::ids::is_distributor_id;
use crate::jobs::{RemoveDistributor, UpdateDistributor};
use crate::{Pulp, stored};

/// The distributor as the API shows it: without the keys that came with its certificates.
#[must_use]
pub fn document(registry: &Registry, distributor: &Distributor) -> Value {
    let descriptor = registry
        .distributor(&distributor.type_id)
        .map(|plugin| plugin.descriptor());
    let href = format!(
        "/pulp/api/v2/repositories/{}/distributors/{}/",
        distributor.repo_id, distributor.id
    );
    json!({
        "_id": distributor.oid.to_json(),
        "_ns": "repo_distributors",
        "_href": href,
        "id": distributor.id,
        "distributor_type_id": distributor.type_id,
        "repo_id": distributor.repo_id,
        "config": shown(&distributor.config, descriptor),
        "auto_publish": distributor.auto_publish,
        "last_publish": distributor.last_publish.map(iso),
        "last_updated": iso(distributor.last_updated),
        "last_override_config": {},
        "scratchpad": distributor.scratchpad,
    })
}

/// Sorts distributors as they were made, which is how lists show them.
#[must_use]
pub fn oldest_first(mut distributors: Vec<Distributor>) -> Vec<Distributor> {
    distributors.sort_by(|a, b| a.oid.cmp(&b.oid));
    distributors
}

/// Checks a configuration for a distributor of `type_id` in `repo_id`, against the distributors of the same type elsewhere. These
/// must not change before the configuration is saved: `store` stands for the transaction that saves it, in which distributors are
/// locked. Answers the digest of the guard that the configuration names, to be saved with it; `readable` is the digest of the
/// guard that was looked at before the transaction.
///
/// # Errors
/// 400 naming `distributor_type_id` for an unknown type, 400 with the type's words for what it refuses, 400 for a guard whose
/// authorities cannot be read.
pub(crate) async fn check_config(
    engine: &Engine,
    store: &Store,
    repo_id: &str,
    type_id: &str,
    config: &Document,
    readable: Option<Sha256>,
) -> Result<Option<Sha256>, Error> {
    let plugin = engine.registry.distributor(type_id);
    let plugin = plugin.ok_or_else(|| PulpError::invalid_value(&["distributor_type_id"]))?;
    let elsewhere = store.distributors_elsewhere(type_id, repo_id).await?;
    let others = elsewhere.into_iter().map(|other| OtherDistributor {
        repo_id: other.repo_id,
        id: other.id,
        relative_url: other.relative_url,
    });
    let others: Vec<OtherDistributor> = others.collect();
    let config = Config::new(config.clone());
    plugin.validate(repo_id, &config, &others)?;
    engine.require_open(plugin.export_folder(&config).as_ref())?;
    engine.require_source(&**plugin, repo_id, &config)?;
    let Some(guard) = plugin.guard(&config) else {
        return Ok(None);
    };
    let digest = digest_of(&guard);
    if readable != Some(digest) {
        require_readable(guard).await?;
    }
    Ok(Some(digest))
}

/// Makes sure that a configuration may use what it names of the server: the key that it signs with, and the way to another machine
/// ([`Engine::require_signing_key`], [`Engine::require_remote`]). `before` are the settings in whose place it comes.
///
/// # Errors
/// 400 PTH0004, 400 PTH0006.
pub(crate) async fn check_grants(
    engine: &Engine,
    store: &Store,
    type_id: &str,
    config: &Document,
    before: Option<&Document>,
) -> Result<(), Error> {
    let Some(plugin) = engine.registry.distributor(type_id) else {
        return Ok(());
    };
    let config = Config::new(config.clone());
    let before = before.map(|before| Config::new(before.clone()));
    let before = before.as_ref();
    let (remote, remote_before) = (
        plugin.remote(&config),
        before.and_then(|b| plugin.remote(b)),
    );
    engine.require_remote(remote.as_ref(), remote_before.as_ref())?;
    let (choice, before) = (
        plugin.signing_key(&config),
        before.and_then(|b| plugin.signing_key(b)),
    );
    let required = engine.require_signing_key(store, choice.as_ref(), before.as_ref());
    required.await
}

/// Leaves it to super-users to move a path that is also a place at another machine: publications of the distributor `id` may be sent
/// there by another one of its repository. `before` are the settings in whose place these come.
///
/// # Errors
/// 400 naming `relative_url`.
pub(crate) async fn require_sent_path(
    registry: &Registry,
    store: &Store,
    (repo_id, id): (&str, &str),
    config: &Document,
    before: Option<&Document>,
) -> Result<(), Error> {
    if !acting::is_discreet() {
        return Ok(());
    }
    let path = |config: &Document| {
        let config = Config::new(config.clone());
        relative_url::effective(repo_id, &config).to_owned()
    };
    if before.is_some_and(|before| path(before) == path(config)) {
        return Ok(());
    }
    for other in store.distributor_list(Some(&[repo_id.to_owned()])).await? {
        let Some(plugin) = registry.distributor(&other.type_id) else {
            continue;
        };
        let sender = Config::new(other.config);
        let sent = plugin.predistributor(&sender);
        if sent.is_some_and(|(_, sent)| sent == id) && plugin.remote(&sender).is_some() {
            let text = format!(
                "what '{id}' publishes is sent to another machine by '{}', below the same path there: a super-user may change it",
                other.id
            );
            return Err(Problems::from(Problem::new("relative_url", text)).into());
        }
    }
    Ok(())
}

/// Makes sure that a repository has room for these settings of the distributor `id`, beside those of its other distributors.
///
/// # Errors
/// 400 when there is none ([`stored`]).
pub(crate) async fn require_room(
    store: &Store,
    (repo_id, id): (&str, &str),
    config: &Document,
) -> Result<(), Error> {
    let own = store.distributor_list(Some(&[repo_id.to_owned()])).await?;
    let beside = own.iter().filter(|other| other.id != id);
    let fit = stored::require_fit_together(config, beside.map(|other| &other.config));
    Ok(fit?)
}

/// Looks at the guard that a configuration names, which takes time that no transaction should take. Answers its digest.
///
/// # Errors
/// 400 for a guard whose authorities cannot be read.
pub(crate) async fn check_guard(
    registry: &Registry,
    type_id: &str,
    config: &Document,
) -> Result<Option<Sha256>, Error> {
    let plugin = registry.distributor(type_id);
    let Some(guard) = plugin.and_then(|plugin| plugin.guard(&Config::new(config.clone()))) else {
        return Ok(None);
    };
    let digest = digest_of(&guard);
    require_readable(guard).await?;
    Ok(Some(digest))
}

/// The right to read a guard that somebody wants: one at a time, on a thread that nobody waits for.
static READING: Semaphore = Semaphore::const_new(1);

/// Refuses authorities that could let nobody in.
async fn require_readable(guard: ClientGuard) -> Result<(), Error> {
    let ClientGuard {
        setting,
        authorities,
    } = guard;
    let permit = READING.acquire().await.map_err(Error::fault)?;
    let reading = tokio::task::spawn_blocking(move || {
        let read = Guard::new(&authorities, &RevocationLists::default()).map(drop);
        drop(permit);
        read
    });
    let read = reading.await.map_err(Error::fault)?;
    read.map_err(|error| {
        let text =
            format!("Configuration value for [{setting}] is not a valid certificate: {error}");
        Problems::from(Problem::new(setting, text)).into()
    })
}

/// Tells whether Pulp's language counted the value as true.
#[must_use]
pub fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
    }
}

impl Pulp {
    /// Starts a transaction in which distributors are given their settings.
    pub(crate) async fn distributors_change(&self) -> Result<WholeTx, Error> {
        let tx = self.engine.store.begin_whole().await?;
        tx.distributors_lock().await?;
        Ok(tx)
    }

    /// Reads and checks a distributor that somebody wants for `repo_id`, to be saved in the transaction that `store` stands
    /// for: see [`check_config`].
    ///
    /// # Errors
    /// 400 naming `distributor_type_id`, `distributor_config` or `distributor_id`, or the type's refusal.
    pub(crate) async fn distributor_wanted(
        &self,
        store: &Store,
        repo_id: &str,
        body: &Document,
        readable: Option<Sha256>,
    ) -> Result<Distributor, Error> {
        let type_id = body
            .get("distributor_type_id")
            .and_then(Value::as_str)
            .filter(|type_id| self.engine.registry.distributor(type_id).is_some())
            .ok_or_else(|| PulpError::invalid_value(&["distributor_type_id"]))?;
        let mut config = match body.get("distributor_config") {
            None | Some(Value::Null) => Document::new(),
            Some(Value::Object(config)) => config.clone(),
            Some(_) => return Err(PulpError::invalid_value(&["distributor_config"]).into()),
        };
        config.retain(|_, value| !value.is_null());
        let id = match body.get("distributor_id") {
            None | Some(Value::Null) => Uuid::new_v4().to_string(),
            Some(Value::String(id)) if is_distributor_id(id) => id.clone(),
            Some(_) => return Err(PulpError::invalid_value(&["distributor_id"]).into()),
        };
        let guard = check_config(&self.engine, store, repo_id, type_id, &config, readable).await?;
        check_grants(&self.engine, store, type_id, &config, None).await?;
        let now = self.engine.clock.now();
        Ok(Distributor {
            repo_id: repo_id.to_owned(),
            id,
            oid: ObjectId::new(now),
            type_id: type_id.to_owned(),
            config,
            auto_publish: truthy(body.get("auto_publish")),
            last_publish: None,
            last_updated: now,
            last_override: None,
            scratchpad: Document::new(),
            guard,
        })
    }

    /// Does what [`check_guard`] does, for a distributor that somebody wants; what is wrong with the rest of it is told later.
    ///
    /// # Errors
    /// 400 for a guard whose authorities cannot be read.
    pub(crate) async fn guard_wanted(&self, body: &Document) -> Result<Option<Sha256>, Error> {
        let type_id = body.get("distributor_type_id").and_then(Value::as_str);
        let config = body.get("distributor_config").and_then(Value::as_object);
        match (type_id, config) {
            (Some(type_id), Some(config)) => {
                let mut config = config.clone();
                config.retain(|_, value| !value.is_null());
                check_guard(&self.engine.registry, type_id, &config).await
            }
            _ => Ok(None),
        }
    }

    /// Makes sure that each distributor is saved with the guard that its settings name: older versions saved none. To be called
    /// before anything is served. Answers how many distributors are guarded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn guards_restore(&self) -> Result<usize, Error> {
        let tx = self.distributors_change().await?;
        let mut guarded = 0;
        for distributor in tx.distributor_list(None).await? {
            let guard = self.engine.client_guard(&distributor);
            let guard = guard.map(|guard| digest_of(&guard));
            guarded += usize::from(guard.is_some());
            if guard != distributor.guard {
                let Distributor { repo_id, id, .. } = &distributor;
                tx.distributor_set_guard(repo_id, id, guard).await?;
                tracing::info!(
                    repo_id,
                    distributor_id = id,
                    "the guard of what is published was set"
                );
            }
        }
        tx.commit().await?;
        Ok(guarded)
    }

    /// Gives a repository a distributor, in place of one of the same id. `body` is the request.
    ///
    /// # Errors
    /// 400 when the type is missing, 404 for the repository, then as [`Pulp::distributor_wanted`].
    pub async fn distributor_create(&self, repo_id: &str, body: &Document) -> Result<Value, Error> {
        if body.get("distributor_type_id").is_none_or(Value::is_null) {
            return Err(PulpError::missing_value(&["distributor_type_id"]).into());
        }
        self.repository_require(repo_id).await?;
        let readable = self.guard_wanted(body).await?;
        let tx = self.distributors_change().await?;
        let distributor = self
            .distributor_wanted(&tx, repo_id, body, readable)
            .await?;
        let subject = (repo_id, distributor.id.as_str());
        require_room(&tx, subject, &distributor.config).await?;
        let registry = &self.engine.registry;
        require_sent_path(registry, &tx, subject, &distributor.config, None).await?;
        tx.distributor_create(&distributor).await?;
        tx.commit().await?;
        Ok(document(&self.engine.registry, &distributor))
    }

    /// The distributors of a repository.
    ///
    /// # Errors
    /// 404 for the repository.
    pub async fn distributor_list(&self, repo_id: &str) -> Result<Vec<Value>, Error> {
        self.repository_require(repo_id).await?;
        let found = self
            .engine
            .store
            .distributor_list(Some(&[repo_id.to_owned()]))
            .await?;
        let document = |distributor| document(&self.engine.registry, distributor);
        Ok(oldest_first(found).iter().map(document).collect())
    }

    /// One distributor; an unknown repository is not told apart from an unknown distributor.
    ///
    /// # Errors
    /// 404 naming both.
    pub async fn distributor_require(&self, repo_id: &str, id: &str) -> Result<Distributor, Error> {
        self.engine
            .store
            .distributor_get(repo_id, id)
            .await?
            .ok_or_else(|| {
                let named = [("repo_id", repo_id), ("distributor_id", id)];
                PulpError::missing_resource(&named).into()
            })
    }

    /// Queues the task that changes a distributor; the task checks what it is given. `body` is the request.
    ///
    /// # Errors
    /// 404 for the distributor.
    pub async fn distributor_update(
        &self,
        repo_id: &str,
        id: &str,
        body: &Document,
    ) -> Result<TaskId, Error> {
        self.distributor_require(repo_id, id).await?;
        self.engine
            .enqueue(UpdateDistributor {
                repo_id: repo_id.to_owned(),
                distributor_id: id.to_owned(),
                config: body
                    .get("distributor_config")
                    .cloned()
                    .unwrap_or_else(|| json!({})),
                delta: body.get("delta").cloned().unwrap_or(Value::Null),
            })
            .await
    }

    /// Queues the task that removes a distributor.
    ///
    /// # Errors
    /// 404 for the distributor.
    pub async fn distributor_remove(&self, repo_id: &str, id: &str) -> Result<TaskId, Error> {
        self.distributor_require(repo_id, id).await?;
        self.engine
            .enqueue(RemoveDistributor {
                repo_id: repo_id.to_owned(),
                distributor_id: id.to_owned(),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_publish_is_true_for_what_pulp_counted_as_true() {
        for yes in [
            json!(true),
            json!("false"),
            json!(1),
            json!([0]),
            json!({"a": 1}),
        ] {
            assert!(truthy(Some(&yes)), "{yes}");
        }
        for no in [
            json!(false),
            json!(""),
            json!(0),
            json!([]),
            json!({}),
            json!(null),
        ] {
            assert!(!truthy(Some(&no)), "{no}");
        }
        assert!(!truthy(None));
    }

    #[test]
    fn a_distributor_id_has_no_dot_and_no_blank() {
        assert!(is_distributor_id("-x_Y9"));
        for bad in ["", "a b", "a.b", "ü", "a/b"] {
            assert!(!is_distributor_id(bad), "{bad:?}");
        }
    }
}
