//! Files that are not here yet, fetched when somebody asks (pulp2/deferred-files).
//!
//! One [`flight::Flight`] a file, repository and process: it fetches into a scratch file, which everybody who waits reads as it
//! grows. The sources of the repository that is read come first, others only where it has none that works. Bytes leave before
//! the file is verified only when the repository's own metadata promised its size and its digest and a server on the network
//! sends them; even then nobody gets the last byte before, so that a broken or lying upstream breaks the answer instead of
//! ending it well. What others' sources, files of this machine and servers in private networks that only a document names send
//! is kept back until it is verified, whichever part of it is asked for. The flight runs to its end whoever goes away, and what it brought is stored.

mod fetch;
mod flight;
mod sink;
#[cfg(test)]
mod tests;
pub(crate) mod unavailable;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::digest::Hashed;
use pith_core::{Sha256, UnitId};

use crate::Engine;
use crate::catalog::Sessions;
use flight::Flight;
pub use flight::Reader;
pub use unavailable::Unavailable;

/// A unit, and the repository through which its file is read: what it may be served from depends on both.
type Reading = (UnitId, Arc<str>);

/// The state that the deferred downloads of a process share.
#[derive(Default)]
pub(crate) struct Deferred {
    flights: Mutex<HashMap<Reading, Arc<Flight>>>,
    /// Connections; an importer's `max_downloads` bounds how many of its files are on their way at once.
    pub(crate) sessions: Sessions,
}

/// A unit's file, wherever it is.
pub enum DeferredFile {
    /// The file is in the store.
    Here(Hashed),
    /// The file is on its way.
    Coming(Coming),
}

/// A file that is on its way. Cheap to clone.
#[derive(Clone)]
pub struct Coming {
    flight: Arc<Flight>,
    size: u64,
}

impl Coming {
    /// Bytes that it will have.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads a part of it, as it comes. The last byte comes when the whole file is verified; otherwise reading ends with an error.
    #[must_use]
    pub fn read(&self, range: Range<u64>) -> Reader {
        flight::read(Arc::clone(&self.flight), range)
    }
}

impl Engine {
    /// The file of a unit, for somebody who wants to read it in a repository: starts the download unless it is under way. Returns when
    /// the first bytes are here.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn deferred_open(
        self: &Arc<Self>,
        unit: UnitId,
        repo_id: &str,
    ) -> Result<DeferredFile, Unavailable> {
        let flight = self.flight((unit, repo_id.into()));
        flight.started().await.map(|started| match started {
            flight::Started::Here(stored) => DeferredFile::Here(stored),
            flight::Started::Coming(size) => DeferredFile::Coming(Coming { flight, size }),
        })
    }

    /// Tells whether the file of a unit has come; false when the unit is gone.
    ///
    /// # Errors
    /// [`Unavailable::Internal`] when the database fails.
    pub async fn deferred_has(&self, unit: UnitId) -> Result<bool, Unavailable> {
        let file = self.store.unit_file(unit).await;
        let file = file.map_err(Unavailable::internal)?;
        Ok(file.is_some_and(|file| file.downloaded))
    }

    /// Gets the file of a unit of a repository into the store, unless it is there.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub async fn deferred_store(
        self: &Arc<Self>,
        unit: UnitId,
        repo_id: &str,
    ) -> Result<Hashed, Unavailable> {
        self.flight((unit, repo_id.into())).stored().await
    }

    /// Tells whether `sha256` is in the store.
    async fn has(&self, sha256: Sha256) -> Result<bool, Unavailable> {
        self.blobs
            .contains(sha256)
            .await
            .map_err(Unavailable::internal)
    }

    /// The flight of a unit's file; takes off when there is none.
    fn flight(self: &Arc<Self>, reading: Reading) -> Arc<Flight> {
        let mut flights = self.deferred.flights.lock();
        if let Some(flight) = flights.get(&reading) {
            return Arc::clone(flight);
        }
        let flight = Arc::new(Flight::default());
        flights.insert(reading.clone(), Arc::clone(&flight));
        let landing = Landing {
            engine: Arc::clone(self),
            reading,
            flight: Arc::clone(&flight),
        };
        // A task of its own: it goes on when those who asked go away.
        tokio::spawn(async move {
            let (unit, repo_id) = &landing.reading;
            let read = (*unit, &**repo_id);
            let stored = fetch::fetch(&landing.engine, read, &landing.flight).await;
            if let Err(error) = &stored {
                tracing::warn!(%error, %unit, %repo_id, "a file could not be fetched on demand");
            }
            landing.end(stored);
        });
        flight
    }
}

/// Takes the flight off the list, however it ends.
struct Landing {
    engine: Arc<Engine>,
    reading: Reading,
    flight: Arc<Flight>,
}

impl Landing {
    /// Off the list first: whoever asks after the end starts anew.
    fn end(&self, stored: Result<Hashed, Unavailable>) {
        let mut flights = self.engine.deferred.flights.lock();
        if flights
            .get(&self.reading)
            .is_some_and(|listed| Arc::ptr_eq(listed, &self.flight))
        {
            flights.remove(&self.reading);
        }
        drop(flights);
        self.flight.land(stored);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // Says nothing when the flight has landed.
        let lost = "the download was given up".to_owned();
        self.end(Err(Unavailable::Internal(lost)));
    }
}
