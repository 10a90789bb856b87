//! A transaction that several calls of the store share, for what must be looked at and changed with nobody in between.

use std::ops::Deref;
use std::sync::Arc;

use crate::migrate::advisory_lock;
use crate::within::{Held, Within};
use crate::{Result, Store, StoreError};

/// The lock of whoever gives distributors their settings in a PostgreSQL database ("dist" in ASCII).
const DISTRIBUTORS: i64 = 0x6469_7374;

/// Every method of the store that is called on it reads and writes in this one transaction, and [`WholeTx::commit`] makes
/// all of it durable at once. Dropped without that it leaves nothing. After an error it must be dropped. On SQLite it
/// excludes every other writer until it ends: keep it short.
#[derive(Debug)]
pub struct WholeTx {
    store: Store,
    within: Arc<Within>,
}

impl Deref for WholeTx {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for WholeTx {
    fn drop(&mut self) {
        self.within.abandon();
    }
}

impl WholeTx {
    /// Makes all of it durable and visible.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub async fn commit(self) -> Result<()> {
        self.store.commit_within(&self.within).await
    }
}

impl Store {
    /// Starts a transaction for several calls.
    ///
    /// # Errors
    /// When the database cannot be reached; [`StoreError::TransactionOver`] within such a transaction.
    pub async fn begin_whole(&self) -> Result<WholeTx> {
        let Held::Own(tx) = self.begin().await?.inner else {
            return Err(StoreError::TransactionOver);
        };
        let within = Arc::new(Within::new(tx));
        Ok(WholeTx {
            store: self.within(&within),
            within,
        })
    }

    /// Keeps everybody else from giving a distributor its settings until the end of the transaction that this store
    /// stands for: what is found of the distributors of others then still holds when it commits. Called before the rows
    /// of repositories and distributors are locked, so that nobody waits in a circle.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributors_lock(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        advisory_lock(&mut tx.inner, DISTRIBUTORS).await?;
        tx.commit().await
    }
}
