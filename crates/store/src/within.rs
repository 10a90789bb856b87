//! Transactions that several calls of the store share.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Mutex, OwnedMappedMutexGuard};

use crate::transaction::DbTx;

/// A transaction of one's own, or a part in a larger one.
#[derive(Debug)]
pub(crate) enum Held {
    Own(DbTx),
    Part(OwnedMappedMutexGuard<Option<DbTx>, DbTx>),
}

impl Deref for Held {
    type Target = DbTx;

    fn deref(&self) -> &DbTx {
        match self {
            Self::Own(tx) => tx,
            Self::Part(tx) => tx,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut DbTx {
        match self {
            Self::Own(tx) => tx,
            Self::Part(tx) => tx,
        }
    }
}

/// A transaction that several calls of the store write in, one after another.
#[derive(Debug)]
pub(crate) struct Within {
    /// `None` once it has ended.
    pub(crate) tx: Arc<Mutex<Option<DbTx>>>,
    pub(crate) wakes: AtomicBool,
    pub(crate) moves: AtomicBool,
}

impl Within {
    pub(crate) fn new(tx: DbTx) -> Self {
        Self {
            tx: Arc::new(Mutex::new(Some(tx))),
            wakes: AtomicBool::new(false),
            moves: AtomicBool::new(false),
        }
    }

    /// Rolls it back, unless it was committed.
    pub(crate) fn abandon(&self) {
        if let Ok(mut tx) = self.tx.try_lock() {
            tx.take();
        }
    }
}
