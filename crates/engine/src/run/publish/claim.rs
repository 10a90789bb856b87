//! The folders at other machines that publications are sent to. Each is one repository's, as paths are that are served here, and a
//! super-user has said so: whoever sends to a folder replaces and removes files in it.

use std::sync::Arc;

use pith_content::publish::Distributor as Plugin;
use pith_content::remote::Remote;
use pith_content::rsync::REMOTE;
use pith_content::{Config, ContentError, relative_url};
use pith_core::{Document, RelativePath};
use pith_store::{Distributor, Publication};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::acting;
use crate::attempt::Run;
use crate::error::Error;

/// The part of a basis that says where a publication was sent.
const SENT_TO: &str = "sent_to";

/// The places at another machine that a publish changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    host: String,
    port: Option<u16>,
    /// The folder of the publication, which is the repository's alone.
    folder: String,
    /// The folder of all units, which repositories share.
    units: String,
}

impl Claim {
    /// The one of a configuration, of which `published` is the distributor whose publications are sent.
    pub(super) fn of(
        remote: &Remote,
        repo_id: &str,
        published: &Config,
    ) -> Result<Self, ContentError> {
        let folder = relative_url::effective(repo_id, published);
        let folder = RelativePath::new(folder).map_err(ContentError::other)?;
        Ok(Self {
            host: remote.host.to_ascii_lowercase(),
            port: remote.port,
            folder: remote.place(&folder),
            units: remote.place(&remote.units),
        })
    }

    /// Says in the basis of a publication that it was sent there.
    pub(super) fn note_in(&self, basis: &mut Document) {
        basis.insert(SENT_TO.to_owned(), json!(self));
    }

    /// The one of a publication that was sent.
    fn read(publication: &Publication) -> Option<Self> {
        let sent_to = publication.made_from.as_ref()?.get(SENT_TO)?;
        serde_json::from_value(sent_to.clone()).ok()
    }

    /// Tells whether one of two changes what the other one has.
    fn meets(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
            && (relative_url::meet(&self.folder, &other.folder)
                || relative_url::meet(&self.folder, &other.units)
                || relative_url::meet(&self.units, &other.folder))
    }

    /// Makes sure that a publish may change these places: no other repository was sent there, and whoever publishes is a super-user
    /// or finds that this one was.
    ///
    /// # Errors
    /// When not, and what to do.
    pub(super) async fn require(&self, run: &Run, distributor: &Distributor) -> Result<(), Error> {
        let (repo_id, id) = (&distributor.repo_id, &distributor.id);
        let own = run.store.publication_list(repo_id, id).await?;
        if own.first().and_then(Self::read).as_ref() == Some(self) {
            return Ok(());
        }
        if acting::is_discreet() {
            let text = "this repository was not sent to this folder of the other machine before: a super-user must publish it \
                        there once";
            return Err(ContentError::other(text).into());
        }
        let registry = &run.engine.registry;
        let sends = |plugin: &&Arc<dyn Plugin>| plugin.descriptor().setting(REMOTE).is_some();
        for plugin in registry.distributors().filter(sends) {
            if let Some(other) = self.taken(run, &**plugin, repo_id).await? {
                let text = format!(
                    "'{}' at {} meets a folder that repository '{other}' was sent to: give one of them another relative_url, \
                     remote_units_path or root",
                    self.folder, self.host
                );
                return Err(ContentError::other(text).into());
            }
        }
        Ok(())
    }

    /// The other repository, with a distributor of this type, that was sent to one of these places.
    async fn taken(
        &self,
        run: &Run,
        plugin: &dyn Plugin,
        repo_id: &str,
    ) -> Result<Option<String>, Error> {
        let type_id = plugin.descriptor().id;
        for other in run.store.distributors_elsewhere(type_id, repo_id).await? {
            let sent = run
                .store
                .publication_list(&other.repo_id, &other.id)
                .await?;
            let claims = sent.first().and_then(Self::read);
            if claims.is_some_and(|theirs| theirs.meets(self)) {
                return Ok(Some(other.repo_id));
            }
        }
        Ok(None)
    }
}

/// The rest of what a publication is known to be made from while another one is sent to the same place: where it was sent.
pub(super) fn in_doubt(made_from: Option<&Document>) -> Document {
    let sent_to = made_from.and_then(|made_from| made_from.get(SENT_TO));
    let sent_to = sent_to.cloned().unwrap_or(Value::Null);
    Document::from_iter([(SENT_TO.to_owned(), sent_to)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(folder: &str, units: &str) -> Claim {
        Claim {
            host: "mirror".to_owned(),
            port: None,
            folder: folder.to_owned(),
            units: units.to_owned(),
        }
    }

    #[test]
    fn folders_are_one_repositorys_and_that_of_units_is_shared() {
        let zoo = claim("/srv/zoo", "/srv/content/units");
        for other in [
            claim("/srv/zoo", "/srv/u"),
            claim("/srv/zoo/sub", "/srv/content/units"),
            claim("/srv", "/srv/content/units"),
            claim("/srv/content", "/srv/u"),
            claim("/srv/farm", "/srv/zoo/Packages"),
        ] {
            assert!(zoo.meets(&other) && other.meets(&zoo), "{other:?}");
        }
        assert!(!zoo.meets(&claim("/srv/zoology", "/srv/content/units")));
        let elsewhere = Claim {
            host: "other".to_owned(),
            ..zoo.clone()
        };
        assert!(!zoo.meets(&elsewhere));
    }
}
