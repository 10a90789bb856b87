//! Blobs as objects.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _, RetryConfig, WriteMultipart};
use pith_core::Sha256;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::error::blocking;
use crate::writer::Body;
use crate::{BlobStream, Error, Listed, Result, S3Settings, paths};

/// The least size of the parts in which larger blobs go up.
const PART: u64 = 8 * 1024 * 1024;
/// The most parts of a blob; services refuse more than 10,000.
const MOST_PARTS: u64 = 9_000;
/// Parts on their way at the same time.
const PARALLEL_PARTS: usize = 4;
/// The retries of a failed request, and the time for them: short enough that a waiting client is told before it gives up.
const RETRIES: usize = 6;
const PATIENCE: Duration = Duration::from_secs(20);
/// The object that says that there is an upload.
const MARK: &str = "begun";

#[derive(Clone)]
pub(crate) struct RemoteStore {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
}

/// One segment of an upload.
struct Segment {
    key: Key,
    offset: u64,
    size: u64,
    /// Later segments lie over earlier ones.
    written: String,
}

impl RemoteStore {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        Self {
            store,
            prefix: Key::from(prefix),
        }
    }

    pub(crate) fn s3(settings: &S3Settings) -> Result<Self> {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(&settings.bucket);
        if let Some(endpoint) = &settings.endpoint {
            // Only who writes "http://" gets it.
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        if let Some(id) = &settings.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &settings.secret_access_key {
            builder = builder.with_secret_access_key(secret.expose_secret());
        }
        let store = builder
            .with_retry(RetryConfig {
                max_retries: RETRIES,
                retry_timeout: PATIENCE,
                ..RetryConfig::default()
            })
            .build()
            .map_err(|error| Error::StorageUrl(error.to_string()))?;
        Ok(Self::new(Arc::new(store), &settings.prefix))
    }

    fn key(&self, sha256: &Sha256) -> Key {
        let blob = paths::blob(sha256);
        Key::from(format!("{}/{blob}", self.prefix))
    }

    pub(crate) async fn size(&self, sha256: &Sha256) -> Result<Option<u64>> {
        let key = self.key(sha256);
        match self.store.head(&key).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::object("look at", &key)(error)),
        }
    }

    pub(crate) async fn place(&self, sha256: &Sha256, size: u64, body: Body) -> Result<()> {
        // A put is atomic, so an object with the name and the size is the blob.
        if self.size(sha256).await? == Some(size) {
            return Ok(());
        }
        let key = self.key(sha256);
        let file = match body {
            Body::Memory(bytes) => return self.put(&key, bytes.into()).await,
            Body::File(file) => file,
        };
        let reader = file.reopen().map_err(Error::io("open", file.path()))?;
        self.put_file(&key, size, reader).await
    }

    /// Writes an object of a file, from where it stands.
    async fn put_file(&self, key: &Key, size: u64, file: File) -> Result<()> {
        if size > PART {
            return self.put_parts(key, size, file).await;
        }
        let bytes = blocking(move || read_some(&file, size)).await?;
        self.put(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.store
            .put(key, bytes.into())
            .await
            .map_err(Error::object("write", key))?;
        Ok(())
    }

    async fn put_parts(&self, key: &Key, size: u64, file: File) -> Result<()> {
        let part = PART.max(size.div_ceil(MOST_PARTS));
        let upload = self
            .store
            .put_multipart(key)
            .await
            .map_err(Error::object("write", key))?;
        let mut upload = WriteMultipart::new_with_chunk_size(
            upload,
            usize::try_from(part).unwrap_or(usize::MAX),
        );
        let file = Arc::new(file);
        loop {
            let file = Arc::clone(&file);
            let read = blocking(move || read_some(&file, part)).await;
            let ready = upload
                .wait_for_capacity(PARALLEL_PARTS)
                .await
                .map_err(Error::object("write", key));
            match ready.and(read) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => upload.put(bytes),
                Err(error) => {
                    // The first error is the one to tell; parts left behind cost space, not correctness.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
        }
        upload.finish().await.map_err(Error::object("write", key))?;
        Ok(())
    }

    pub(crate) fn read(&self, sha256: Sha256, range: Option<Range<u64>>) -> BlobStream {
        let this = self.clone();
        stream::once(async move { this.open(sha256, range).await })
            .try_flatten()
            .boxed()
    }

    async fn open(&self, sha256: Sha256, range: Option<Range<u64>>) -> Result<BlobStream> {
        let key = self.key(&sha256);
        let start = range.as_ref().map(|range| range.start);
        let opened = match range {
            Some(range) if range.is_empty() => return Ok(stream::empty().boxed()),
            range => {
                self.store
                    .get_opts(&key, GetOptions::new().with_range(range))
                    .await
            }
        };
        match opened {
            Ok(found) => Ok(found
                .into_stream()
                .map_err(move |error| Error::object("read", &key)(error))
                .boxed()),
            Err(object_store::Error::NotFound { .. }) => Err(Error::Missing(sha256)),
            // A range that begins beyond the end has no bytes, here as in files.
            Err(_)
                if start.is_some()
                    && self
                        .size(&sha256)
                        .await?
                        .is_some_and(|size| Some(size) <= start) =>
            {
                Ok(stream::empty().boxed())
            }
            Err(error) => Err(Error::object("read", &key)(error)),
        }
    }

    pub(crate) async fn delete(&self, sha256: &Sha256) -> Result<bool> {
        let existed = self.size(sha256).await?.is_some();
        let key = self.key(sha256);
        match self.store.delete(&key).await {
            Ok(()) => Ok(existed),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::object("delete", &key)(error)),
        }
    }

    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed>> {
        let (prefix, listing) = (self.prefix.clone(), self.prefix.clone());
        let objects = self
            .store
            .list((!prefix.as_ref().is_empty()).then_some(&prefix));
        objects
            .map_err(move |error| Error::object("list", &listing)(error))
            .try_filter_map(move |meta| {
                let key = meta
                    .location
                    .as_ref()
                    .strip_prefix(prefix.as_ref())
                    .unwrap_or_default();
                let sha256 = paths::parse_blob(key.trim_start_matches('/'));
                let used = meta.last_modified.into();
                futures::future::ok(sha256.map(|sha256| Listed {
                    sha256,
                    size: meta.size,
                    used,
                }))
            })
            .boxed()
    }
}

/// Uploads: an object that marks the upload, and one for every segment, named by its offset and when it came. So every
/// process that shares the object store can go on with an upload or import it.
impl RemoteStore {
    fn upload_key(&self, id: Uuid, name: &str) -> Key {
        Key::from(format!("{}/{}/{id}/{name}", self.prefix, paths::UPLOADS))
    }

    pub(crate) async fn upload_create(&self, id: Uuid) -> Result<()> {
        self.put(&self.upload_key(id, MARK), Bytes::new()).await
    }

    /// Makes sure that there is such an upload.
    pub(crate) async fn upload_require(&self, id: Uuid) -> Result<()> {
        let key = self.upload_key(id, MARK);
        match self.store.head(&key).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => Err(Error::NoUpload(id)),
            Err(error) => Err(Error::object("look at", &key)(error)),
        }
    }

    /// Writes a segment; those that it covers go.
    pub(crate) async fn upload_segment(
        &self,
        id: Uuid,
        offset: u64,
        size: u64,
        file: File,
    ) -> Result<()> {
        let written = Uuid::now_v7().simple().to_string();
        let key = self.upload_key(id, &format!("{offset:020}-{written}"));
        self.put_file(&key, size, file).await?;
        for old in self.upload_segments(id).await? {
            let covered = old.offset >= offset && old.offset + old.size <= offset + size;
            if covered && old.written < written {
                self.delete_key(&old.key).await?;
            }
        }
        Ok(())
    }

    /// The segments of an upload in the order in which they came.
    async fn upload_segments(&self, id: Uuid) -> Result<Vec<Segment>> {
        let folder = Key::from(format!("{}/{}/{id}", self.prefix, paths::UPLOADS));
        let listed: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(Error::object("list", &folder))?;
        let segment = |meta: object_store::ObjectMeta| {
            let (offset, written) = meta.location.filename()?.split_once('-')?;
            let (offset, written) = (offset.parse().ok()?, written.to_owned());
            Some(Segment {
                key: meta.location,
                offset,
                size: meta.size,
                written,
            })
        };
        let mut segments: Vec<Segment> = listed.into_iter().filter_map(segment).collect();
        segments.sort_by(|a, b| a.written.cmp(&b.written));
        Ok(segments)
    }

    /// Bytes of an upload.
    pub(crate) async fn upload_len(&self, id: Uuid) -> Result<u64> {
        self.upload_require(id).await?;
        let segments = self.upload_segments(id).await?;
        let ends = segments.iter().map(|s| s.offset.saturating_add(s.size));
        Ok(ends.max().unwrap_or(0))
    }

    /// Puts an upload together in `file`.
    pub(crate) async fn upload_assemble(&self, id: Uuid, file: File) -> Result<File> {
        self.upload_require(id).await?;
        let file = Arc::new(file);
        for segment in self.upload_segments(id).await? {
            let key = segment.key;
            let found = self.store.get(&key).await;
            let mut pieces = found.map_err(Error::object("read", &key))?.into_stream();
            let mut at = segment.offset;
            while let Some(piece) = pieces
                .try_next()
                .await
                .map_err(Error::object("read", &key))?
            {
                let (file, size) = (Arc::clone(&file), piece.len() as u64);
                let write = move || file.write_all_at(&piece, at).map_err(scratch("write"));
                blocking(write).await?;
                at += size;
            }
        }
        Arc::into_inner(file).ok_or(Error::Stopping)
    }

    /// Removes an upload; false when there is none.
    pub(crate) async fn upload_delete(&self, id: Uuid) -> Result<bool> {
        match self.upload_require(id).await {
            Err(Error::NoUpload(_)) => return Ok(false),
            other => other?,
        }
        for segment in self.upload_segments(id).await? {
            self.delete_key(&segment.key).await?;
        }
        self.delete_key(&self.upload_key(id, MARK)).await?;
        Ok(true)
    }

    /// The ids of all uploads.
    pub(crate) async fn upload_list(&self) -> Result<Vec<Uuid>> {
        let folder = Key::from(format!("{}/{}", self.prefix, paths::UPLOADS));
        let found = self.store.list_with_delimiter(Some(&folder)).await;
        let found = found.map_err(Error::object("list", &folder))?;
        let names = found.common_prefixes.iter().filter_map(Key::filename);
        Ok(names
            .filter_map(|name| Uuid::try_parse(name).ok())
            .collect())
    }

    async fn delete_key(&self, key: &Key) -> Result<()> {
        match self.store.delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::object("delete", key)(error)),
        }
    }
}

fn scratch(verb: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io {
        action: format!("{verb} a scratch file"),
        source,
    }
}

/// The next `most` bytes, fewer at the end.
fn read_some(file: &File, most: u64) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
    let mut file = file;
    file.by_ref()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Io {
            action: "read a file".into(),
            source,
        })?;
    Ok(bytes.into())
}
