//! Reading blobs in large pieces.

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::Result;

/// The bytes of a blob, in order, in pieces of up to 512 KiB.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;
