//! A disk that is nearly full: what adds is refused, what takes away goes on (see `pith_blobs::Room`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pith_blobs::{Ballast, Left, Reserve, Room, Space};
use pith_core::error::PulpError;
use pith_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::error::Error;

/// Work that takes away is tried again so often when the disk is full.
const TRIES: usize = 3;
/// A disk with less room than this is full, whatever is kept free.
const EDGE: Reserve = Reserve::Bytes(1 << 20);
/// The disks are looked at this often.
const LOOK: Duration = Duration::from_secs(3);

/// The state of the disks that the engine writes to; nothing when no reserve is kept.
#[derive(Default)]
pub(crate) struct Disks {
    room: Option<Room>,
    /// The same disks with next to nothing kept free: who keeps no reserve is full there.
    edge: Option<Room>,
    ballast: Option<Ballast>,
    /// The ballast is to be taken again when there is room.
    given_up: AtomicBool,
}

impl Disks {
    fn left(&self) -> Option<Left> {
        self.room.as_ref()?.left()
    }

    /// The room on the disk of the files, and on that of the database when it is a file.
    pub(crate) fn spaces(&self) -> Vec<Option<Space>> {
        self.edge.as_ref().map(Room::spaces).unwrap_or_default()
    }

    fn is(&self, of_reserve: impl Fn(&Left) -> bool) -> bool {
        let at_the_edge = || self.edge.as_ref().and_then(Room::left);
        self.left().is_some_and(|left| of_reserve(&left))
            || at_the_edge().is_some_and(|left| left.is_low())
    }

    /// Takes the ballast when it is not there.
    fn take_ballast(&self) {
        let Some(ballast) = &self.ballast else { return };
        if !self.given_up.swap(false, Ordering::Relaxed) {
            return;
        }
        match ballast.take() {
            Ok(true) => {}
            Ok(false) => self.given_up.store(true, Ordering::Relaxed),
            Err(error) => {
                self.given_up.store(true, Ordering::Relaxed);
                tracing::warn!(%error, "no room can be set aside for the database");
            }
        }
    }
}

impl Engine {
    /// Keeps `reserve` free where files are written, and in the folder of the database when it is a file.
    #[must_use]
    pub fn with_reserve(mut self, reserve: Reserve, database: Option<&Path>) -> Self {
        let mut folders = vec![self.blobs.spool_path().to_owned()];
        folders.extend(database.map(Path::to_owned));
        let edge = Some(Room::new(EDGE, folders.clone()));
        if reserve.is_off() {
            self.disks.edge = edge;
            return self;
        }
        let room = Room::new(reserve, folders);
        self.blobs.keep_free(room.clone());
        self.disks = Disks {
            room: Some(room),
            edge,
            ballast: database.map(|folder| Ballast::new(folder, reserve)),
            given_up: AtomicBool::new(true),
        };
        self
    }

    /// Refuses while a disk has less room than is kept in reserve.
    ///
    /// # Errors
    /// 507 that says which disk and what to do.
    pub fn require_room(&self) -> Result<(), Error> {
        let Some(left) = self.disks.left() else {
            return Ok(());
        };
        if left.is_low() {
            return Err(pith_blobs::Error::from(left).into());
        }
        // Before those take the room who are let in now.
        self.disks.take_ballast();
        Ok(())
    }

    /// Makes what room can be made for the database, when there is none: for work that takes away.
    pub async fn make_way(&self) {
        if self.is_lowest_on_room() {
            self.relieve().await;
        }
    }

    /// Gives up the ballast and has the database's log written back. The two belong together: once the log is written back
    /// it is written anew from its beginning, in the room that it takes already, so that deleting goes on when somebody
    /// else takes the room that was given up.
    async fn relieve(&self) {
        if let Some(ballast) = &self.disks.ballast
            && ballast.give_up()
        {
            self.disks.given_up.store(true, Ordering::Relaxed);
            tracing::warn!("the disk is full: the room set aside for the database is given up");
        }
        self.write_log_back().await;
    }

    async fn write_log_back(&self) {
        if let Err(error) = self.store.checkpoint().await {
            tracing::warn!(%error, "the database's log cannot be written back");
        }
    }

    /// Makes way when `error` may be for want of room; whether trying again may help.
    pub(crate) async fn makes_way_after(&self, error: &StoreError) -> bool {
        // A log whose index cannot grow looks like a broken disk.
        let full = error.is_full() || (error.is_away() && self.is_lowest_on_room());
        if full {
            self.relieve().await;
        }
        full
    }

    /// Runs work on the database that takes something away; for want of room it is run again after way was made.
    pub(crate) async fn taking_away<T, F>(&self, work: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        for _ in 0..TRIES {
            match work().await {
                Err(error) if self.makes_way_after(&error).await => {}
                ended => return ended,
            }
        }
        work().await
    }

    pub(crate) fn is_lowest_on_room(&self) -> bool {
        self.disks.is(Left::is_lowest)
    }

    pub(crate) fn is_low_on_room(&self) -> bool {
        self.disks.is(Left::is_low)
    }

    /// The error, with the full disk named when there is one: what failed because of it may not say so itself.
    pub(crate) fn blaming_the_disk(&self, mut error: PulpError) -> PulpError {
        let Some(left) = self.disks.left().filter(Left::is_low) else {
            return error;
        };
        let full = pith_blobs::Error::from(left).to_string();
        if !error.detail.description.contains("is full") {
            error.detail.description = format!("{}; {full}", error.detail.description);
        }
        error
    }

    /// Looks at the disks; how the fullest one is.
    async fn look_at_room(&self, was: Level) -> Level {
        let Some(left) = self.disks.left() else {
            return Level::Fine;
        };
        if !left.is_low() {
            if was != Level::Fine {
                tracing::info!(folder = %left.folder.display(), "there is room on the disk again");
            }
            self.disks.take_ballast();
            return Level::Fine;
        }
        let is = match left.is_lowest() {
            true => Level::Lowest,
            false => Level::Low,
        };
        // Not at the first sight: whoever fills the disk should have come to the end first.
        if was == Level::Lowest {
            self.make_way().await;
        } else {
            self.write_log_back().await;
        }
        if was == Level::Fine {
            tracing::error!(error = %pith_blobs::Error::from(left), "nothing more is taken in");
            if let Err(error) = self.sweep_condemned().await {
                tracing::warn!(%error, "files that nothing needs cannot be removed");
            }
        }
        is
    }
}

/// The fullness of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    Low,
    Lowest,
}

/// Watches the disks until `shutdown` fires.
pub(crate) async fn watch(engine: Arc<Engine>, shutdown: CancellationToken) {
    let mut level = Level::Fine;
    loop {
        level = engine.look_at_room(level).await;
        // What the log holds cannot be written back when the disk is full. While nothing runs that costs nobody anything.
        if level == Level::Fine && engine.running.is_empty() {
            engine.write_log_back().await;
        }
        let sleep = tokio::time::sleep(LOOK);
        if shutdown.run_until_cancelled(sleep).await.is_none() {
            return;
        }
    }
}
