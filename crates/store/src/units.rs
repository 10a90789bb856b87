//! Content units of every type.

use std::collections::HashMap;

use pith_core::{Document, Sha256, Timestamp, UnitId};
use serde_json::Value;

use crate::{BatchStream, Result, Store};

/// A unit as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// `_id` on the wire.
    pub id: UnitId,
    /// Its type.
    pub type_id: String,
    /// What the REST API shows.
    pub doc: Document,
    /// Its file, when it is known.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Whether the file is here (true for units without a file).
    pub downloaded: bool,
    /// Last change of the document.
    pub last_updated: Timestamp,
}

/// A unit to save.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUnit {
    /// Its type.
    pub type_id: String,
    /// SHA-256 of the unit key in canonical form; unique in the type.
    pub key_digest: Sha256,
    /// What the REST API shows.
    pub doc: Document,
    /// Its file, when it is here or its digest is known. Recorded in `blobs` when `downloaded`.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Whether the file is here (true for units without a file).
    pub downloaded: bool,
    /// Big parts, kept beside the document: name and bytes (compressed by the caller).
    pub parts: Vec<(String, Vec<u8>)>,
}

/// What to do when the key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Leave the stored unit as it is.
    Keep,
    /// Replace document, file and parts; the id stays.
    Replace,
}

/// What became of one [`NewUnit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedUnit {
    /// The id, new or old.
    pub id: UnitId,
    /// Whether the unit was not there before.
    pub new: bool,
}

/// What a sync must know of a unit that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUnit {
    /// Its id.
    pub id: UnitId,
    /// Its file, when it is known.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Whether the file is here.
    pub downloaded: bool,
}

/// One big part of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, for example `filelists`.
    pub name: String,
    /// Its bytes, as the caller compressed them.
    pub data: Vec<u8>,
}

/// A unit on its way through a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedUnit {
    /// The unit; `doc` holds only the asked fields when [`UnitQuery::fields`] names some.
    pub unit: Unit,
    /// When the association was made; `None` unless a repository was asked for.
    pub created: Option<Timestamp>,
    /// When the association was last refreshed; `None` unless a repository was asked for.
    pub updated: Option<Timestamp>,
    /// `_id` of the association.
    pub association: Option<pith_core::ObjectId>,
    /// The parts asked for, of those it has.
    pub parts: Vec<Part>,
}

/// Which units, in which order, how much of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitQuery<'a> {
    /// The types; none means every type.
    pub type_ids: Vec<&'a str>,
    /// Only what this repository has now.
    pub repo: Option<&'a str>,
    /// Field (dots lead into objects) and the values of which it must equal one; all pairs must hold. Values are text,
    /// numbers, booleans or null (null also matches a missing field). Kinds do not mix: text `"3"` is not number `3`.
    pub equals: Vec<(&'a str, Vec<Value>)>,
    /// Only these.
    pub ids: Option<Vec<UnitId>>,
    /// Fields to sort by, each with whether to descend. Missing comes first, then numbers and booleans, then text by
    /// bytes; equal ones by type and id. None means by type and id.
    pub sort: Vec<(&'a str, bool)>,
    /// At most this many.
    pub limit: Option<u64>,
    /// Leave out this many from the start.
    pub skip: u64,
    /// Parts to bring along.
    pub parts: Vec<&'a str>,
    /// Fields of the document to bring; `None` is all of it. Top level only.
    pub fields: Option<Vec<&'a str>>,
}

impl Store {
    /// The units of this type that have one of these keys, by key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_by_key(
        &self,
        _type_id: &str,
        _keys: &[Sha256],
    ) -> Result<HashMap<Sha256, KnownUnit>> {
        unimplemented!()
    }

    /// Saves many units with their parts in one transaction; answers in the order given. A key that occurs twice in
    /// one call is saved once.
    ///
    /// # Errors
    /// When the database fails; nothing was saved then.
    pub async fn units_save(
        &self,
        _units: &[NewUnit],
        _on_conflict: OnConflict,
    ) -> Result<Vec<SavedUnit>> {
        unimplemented!()
    }

    /// One unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_get(&self, _type_id: &str, _id: UnitId) -> Result<Option<Unit>> {
        unimplemented!()
    }

    /// The named parts of these units, of those they have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_parts(
        &self,
        _ids: &[UnitId],
        _parts: &[&str],
    ) -> Result<HashMap<UnitId, Vec<Part>>> {
        unimplemented!()
    }

    /// Notes that the file of the unit is here.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such unit.
    pub async fn unit_set_blob(&self, _id: UnitId, _blob: Sha256, _size: i64) -> Result<()> {
        unimplemented!()
    }

    /// Notes whether the file of the unit is here, without touching its digest.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such unit.
    pub async fn unit_set_downloaded(&self, _id: UnitId, _downloaded: bool) -> Result<()> {
        unimplemented!()
    }

    /// Replaces `pulp_user_metadata` in the document and sets `last_updated` to now.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such unit.
    pub async fn unit_set_user_metadata(
        &self,
        _type_id: &str,
        _id: UnitId,
        _metadata: &Value,
    ) -> Result<()> {
        unimplemented!()
    }

    /// The repositories that have each unit now; units in none are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_memberships(&self, _ids: &[UnitId]) -> Result<HashMap<UnitId, Vec<String>>> {
        unimplemented!()
    }

    /// The units that `query` describes, in its order.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a field or type has an impossible name; items are errors when the database
    /// fails on the way.
    pub fn units_stream(&self, _query: &UnitQuery<'_>) -> Result<BatchStream<StreamedUnit>> {
        unimplemented!()
    }

    /// How many units `query` describes, its limit and skip left aside.
    ///
    /// # Errors
    /// As [`Store::units_stream`].
    pub async fn units_count(&self, _query: &UnitQuery<'_>) -> Result<i64> {
        unimplemented!()
    }

    /// Units that no repository has, now or in a kept version, and no task has staged; of one type or of all.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn units_orphans_stream(&self, _type_id: Option<&str>) -> BatchStream<Unit> {
        unimplemented!()
    }

    /// Deletes those of these units that are orphans; answers which.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_delete_orphans(&self, _ids: &[UnitId]) -> Result<Vec<UnitId>> {
        unimplemented!()
    }

    /// Makes look-ups by these (type, field) pairs cost the same however many units there are. Call it at start.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a name is impossible.
    pub async fn ensure_unit_indexes(&self, _fields: &[(&str, &str)]) -> Result<()> {
        unimplemented!()
    }
}
