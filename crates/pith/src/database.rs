//! The way to the database: opened, with its secrets sealed.

use std::sync::Arc;

use anyhow::Context;
use pith_core::SystemClock;
use pith_store::Store;

use crate::options::ServerOptions;
use crate::secrets;

/// Opens the database, and has its secrets sealed.
pub(crate) async fn open(options: &ServerOptions) -> anyhow::Result<Store> {
    let store = Store::connect(&options.database_url(), Arc::new(SystemClock))
        .await
        .context("cannot open the database")?;
    secrets::seal(&store, options).await?;
    Ok(store)
}
