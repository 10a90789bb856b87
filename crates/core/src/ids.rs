//! Identities: 24-hex object ids, unit ids, task ids.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// A 12-byte identity in the form that Pulp's database gave its documents: seconds, process, counter. On the wire
/// `{"$oid": "<24 hex>"}` (pulp2/conventions#ids-and-links). Ids made by one process sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(String);

impl ObjectId {
    /// A new id for a document made at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        static PROCESS: std::sync::OnceLock<[u8; 5]> = std::sync::OnceLock::new();
        let process = PROCESS.get_or_init(|| {
            let random = Uuid::new_v4().into_bytes();
            [random[0], random[1], random[2], random[3], random[4]]
        });
        let count = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let seconds = u32::try_from(now.as_second()).unwrap_or(0).to_be_bytes();
        let mut bytes = [0u8; 12];
        bytes[..4].copy_from_slice(&seconds);
        bytes[4..9].copy_from_slice(process);
        bytes[9..].copy_from_slice(&count[1..]);
        Self(hex::encode(bytes))
    }

    /// The 24 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `{"$oid": "<24 hex>"}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "$oid": self.0 })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not 24 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an object id: it must be a 24-character hex string")]
pub struct NotAnObjectId(pub String);

impl FromStr for ObjectId {
    type Err = NotAnObjectId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAnObjectId(text.to_owned()))
        }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; ids sort by the time at which they were made.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// The `_id` of a content unit: a UUID in text form on the wire.
    UnitId
}
uuid_id! {
    /// The `task_id` of a task.
    TaskId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_unique_and_sort_by_time() {
        let early = ObjectId::new("2016-01-01T00:00:00Z".parse().unwrap());
        let late = ObjectId::new("2016-01-01T00:00:01Z".parse().unwrap());
        assert!(early < late);
        assert_eq!(early.as_str().len(), 24);
        assert_eq!(early.as_str().parse::<ObjectId>().unwrap(), early);
        assert!("5638e2f7".parse::<ObjectId>().is_err());
    }
}
