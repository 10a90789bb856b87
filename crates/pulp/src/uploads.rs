//! Uploads in progress: whose they are, and the room that they may take.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use pith_blobs::BoxError;
use pith_core::error::PulpError;
use pith_engine::Error;
use pith_store::{StoreError, Upload};
use serde_json::Value;
use tokio::task::JoinError;
use uuid::Uuid;

use crate::Pulp;
use crate::auth::Principal;

/// Largest upload, in bytes.
const MAX_UPLOAD: u64 = 1 << 40;
/// The most that a piece may lie ahead of what is there, in bytes; pieces may come in any order. The gap counts as if it were
/// there.
const MAX_GAP: u64 = 16 << 20;
/// The bytes after which the room that is left is looked up again: others take some of it, too.
const LOOK_EVERY: u64 = 16 << 20;

/// The bytes that uploads may take.
#[derive(Debug, Clone, Copy)]
pub struct UploadQuota {
    /// Those of one user who is no super-user.
    pub own: u64,
    /// Those of all.
    pub all: u64,
}

impl Default for UploadQuota {
    fn default() -> Self {
        Self {
            own: 100 << 30,
            all: 1 << 40,
        }
    }
}

/// The bytes that are coming in and that the database does not know of yet, by owner.
#[derive(Debug, Default)]
pub(crate) struct Incoming(Mutex<HashMap<String, u64>>);

impl Incoming {
    fn add(&self, owner: &str, bytes: u64) {
        *self.0.lock().entry(owner.to_owned()).or_default() += bytes;
    }

    fn remove(&self, owner: &str, bytes: u64) {
        let mut incoming = self.0.lock();
        if let Some(left) = incoming.get_mut(owner) {
            *left -= bytes;
            if *left == 0 {
                incoming.remove(owner);
            }
        }
    }

    /// Those of `owner`, and those of all.
    fn of(&self, owner: &str) -> (u64, u64) {
        let incoming = self.0.lock();
        let own = incoming.get(owner).copied().unwrap_or(0);
        (own, incoming.values().sum())
    }
}

/// Somebody's bytes that are coming in.
struct Arriving {
    pulp: Arc<Pulp>,
    owner: String,
    is_super_user: bool,
    bytes: u64,
    /// The number of them that fit, as far as is known.
    known_to_fit: u64,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.pulp.incoming.remove(&self.owner, self.bytes);
    }
}

impl Arriving {
    fn of(pulp: &Arc<Pulp>, who: &Principal) -> Self {
        Self {
            pulp: Arc::clone(pulp),
            owner: owner(who).unwrap_or_default(),
            is_super_user: who.is_super_user(),
            bytes: 0,
            known_to_fit: 0,
        }
    }

    /// Counts bytes, and refuses them when there is no room for them.
    async fn take(&mut self, bytes: u64) -> Result<(), Error> {
        self.pulp.incoming.add(&self.owner, bytes);
        self.bytes += bytes;
        if self.bytes > self.known_to_fit {
            let left = self.require_room().await?;
            self.known_to_fit = self.bytes + left.min(LOOK_EVERY);
        }
        Ok(())
    }

    /// Returns how many more bytes fit.
    async fn require_room(&self) -> Result<u64, Error> {
        let Self { pulp, owner, .. } = self;
        let used = pulp.engine.store.uploads_use(owner).await?;
        let (own, all) = pulp.incoming.of(owner);
        let quota = pulp.upload_quota;
        let own = match self.is_super_user {
            true => Some(u64::MAX),
            false => quota.own.checked_sub(used.own + own),
        };
        let all = quota.all.checked_sub(used.all + all);
        let (whose, bytes, option) = match (own, all) {
            (Some(own), Some(all)) => return Ok(own.min(all)),
            (None, _) => ("your uploads", quota.own, "--upload-quota"),
            _ => ("all uploads", quota.all, "--uploads-quota"),
        };
        let mut error = PulpError::data(format!(
            "{whose} would take more than the {bytes} bytes that they may; delete those that are not needed any more, or ask \
             the administrator for more ({option})"
        ));
        error.status = 413;
        Err(error.into())
    }
}

/// The owner of what somebody uploads.
fn owner(who: &Principal) -> Option<String> {
    match who {
        Principal::User(account) => Some(account.oid.to_string()),
        Principal::Consumer(_) | Principal::System => None,
    }
}

/// Tells whether an upload is somebody's to use.
fn is_theirs(who: &Principal, upload: &Upload) -> bool {
    who.is_super_user() || upload.owner.is_some() && upload.owner == owner(who)
}

fn missing(id: &str) -> Error {
    PulpError::missing_resource(&[("upload_request", id)]).into()
}

impl Pulp {
    /// The uploads that somebody may use, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_of(&self, who: &Principal) -> Result<Vec<Uuid>, Error> {
        let owner = owner(who).unwrap_or_default();
        let owner = (!who.is_super_user()).then_some(owner.as_str());
        let uploads = self.engine.store.uploads_list(owner).await?;
        Ok(uploads.iter().map(|upload| upload.id).collect())
    }

    /// Starts an upload.
    ///
    /// # Errors
    /// 413 when there is no room for one more; when files or database fail.
    pub async fn upload_start(self: &Arc<Self>, who: &Principal) -> Result<Uuid, Error> {
        Arriving::of(self, who).require_room().await?;
        let upload = Upload {
            id: Uuid::new_v4(),
            created: self.engine.clock.now(),
            size: 0,
            owner: owner(who),
        };
        let (id, uploads) = (upload.id, self.engine.blobs.uploads());
        uploads.create(id).await?;
        if let Err(error) = self.engine.store.upload_create(&upload).await {
            // Nobody was told of it, and nothing else would take it away.
            let _ = uploads.delete(id).await;
            return Err(error.into());
        }
        Ok(id)
    }

    /// Writes `data` from `offset` on; answers the rest that was not read. Bytes that came are counted even when the caller goes
    /// away.
    ///
    /// # Errors
    /// 404 when there is no such upload of theirs; 400 for an offset behind the end; 413 when there is no room.
    pub async fn upload_write<S, E>(
        self: &Arc<Self>,
        who: &Principal,
        (id, offset): (&str, u64),
        mut data: S,
    ) -> (Option<S>, Result<(), Error>)
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        let mut arriving = Arriving::of(self, who);
        let place = async {
            let (upload, gap) = self.upload_place(who, id, offset).await?;
            arriving.take(gap).await.map(|()| upload)
        };
        let upload = match place.await {
            Ok(upload) => upload,
            Err(error) => return (Some(data), Err(error)),
        };
        let pulp = Arc::clone(self);
        let write = async move {
            let written = {
                let mut counted = std::pin::pin!(counted(arriving, &mut data));
                let uploads = pulp.engine.blobs.uploads();
                uploads
                    .write_at(upload, offset, &mut counted, MAX_UPLOAD)
                    .await
            };
            let noted = pulp.upload_note(upload).await;
            (Some(data), written.map_err(refused_or_failed).and(noted))
        };
        let failed = |error: JoinError| (None, Err(Error::fault(error)));
        tokio::spawn(write).await.unwrap_or_else(failed)
    }

    /// The upload into which somebody may write from `offset` on, and the bytes between its end and there.
    async fn upload_place(
        &self,
        who: &Principal,
        id: &str,
        offset: u64,
    ) -> Result<(Uuid, u64), Error> {
        let upload = self.upload_require(who, id).await?;
        let size = self.upload_size(who, id).await?;
        let gap = offset.saturating_sub(size);
        if gap <= MAX_GAP {
            return Ok((upload, gap));
        }
        Err(PulpError::data(format!(
            "the upload has {size} bytes, and {offset} is more than {MAX_GAP} bytes behind its end: write what is in between \
             first"
        )).into())
    }

    /// Notes how many bytes an upload has.
    async fn upload_note(&self, id: Uuid) -> Result<(), Error> {
        let size = self.engine.blobs.uploads().len(id).await?;
        let gone = || missing(&id.to_string());
        let size = i64::try_from(size.ok_or_else(gone)?).unwrap_or(i64::MAX);
        match self.engine.store.upload_set_size(id, size).await {
            Err(StoreError::Missing { .. }) => Err(gone()),
            noted => noted.map_err(Error::from),
        }
    }

    /// The number of bytes that an upload of theirs has.
    ///
    /// # Errors
    /// 404 when there is no such upload of theirs; when files or database fail.
    pub async fn upload_size(&self, who: &Principal, id: &str) -> Result<u64, Error> {
        let upload = self.upload_require(who, id).await?;
        let size = self.engine.blobs.uploads().len(upload).await?;
        size.ok_or_else(|| missing(id))
    }

    /// Forgets an upload, whether or not there was one.
    ///
    /// # Errors
    /// 404 for one of somebody else; when files or database fail.
    pub async fn upload_forget(&self, who: &Principal, id: &str) -> Result<(), Error> {
        self.upload_permit(who, id).await?;
        let Ok(id) = id.parse::<Uuid>() else {
            return Ok(());
        };
        self.engine.store.upload_delete(id).await?;
        let deleted = self.engine.blobs.uploads().delete(id).await;
        deleted.map(drop).map_err(Error::from)
    }

    /// Refuses an upload that is somebody else's. That there is none with this id is no fault: units without a file need none.
    ///
    /// # Errors
    /// 404 for one of somebody else.
    pub async fn upload_permit(&self, who: &Principal, id: &str) -> Result<(), Error> {
        match self.upload_find(id).await? {
            Some(upload) if !is_theirs(who, &upload) => Err(missing(id)),
            _ => Ok(()),
        }
    }

    /// Does what [`Self::upload_permit`] does, for an id as a client gives it in a body.
    ///
    /// # Errors
    /// 404 for one of somebody else.
    pub async fn upload_permit_value(&self, who: &Principal, id: &Value) -> Result<(), Error> {
        match id.as_str() {
            Some(id) => self.upload_permit(who, id).await,
            None => Ok(()),
        }
    }

    async fn upload_require(&self, who: &Principal, id: &str) -> Result<Uuid, Error> {
        let found = self.upload_find(id).await?;
        let theirs = found.filter(|upload| is_theirs(who, upload));
        theirs.map(|upload| upload.id).ok_or_else(|| missing(id))
    }

    async fn upload_find(&self, id: &str) -> Result<Option<Upload>, Error> {
        match id.parse() {
            Ok(id) => self.engine.store.upload_get(id).await.map_err(Error::from),
            Err(_) => Ok(None),
        }
    }
}

/// `data`, of which each piece is counted, until there is no room for more.
fn counted<E: Into<BoxError>>(
    arriving: Arriving,
    data: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send {
    let data = data.map_err(Into::into);
    let next = |(mut arriving, mut data): (Arriving, _)| async move {
        let Some(piece): Option<Bytes> = TryStreamExt::try_next(&mut data).await? else {
            return Ok::<_, BoxError>(None);
        };
        let taken = arriving.take(piece.len() as u64).await;
        taken.map_err(BoxError::from)?;
        Ok(Some((piece, (arriving, data))))
    };
    futures::stream::try_unfold((arriving, data), next).fuse()
}

/// The refusal inside of an error, where there is one.
fn refused_or_failed(error: pith_blobs::Error) -> Error {
    match error {
        pith_blobs::Error::Incoming(source) => match source.downcast::<Error>() {
            Ok(refused) => *refused,
            Err(source) => pith_blobs::Error::Incoming(source).into(),
        },
        error => error.into(),
    }
}
