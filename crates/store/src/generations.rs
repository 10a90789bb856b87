//! Numbers that move with what caches are made of: mounts; users, roles and permissions.
//!
//! Whoever serves from memory asks for them first, and is told what was true at an instant after the question, whichever
//! process made the change. One process owns an SQLite file, so there they are known without asking the database, but for
//! the time in which a commit is under way. On PostgreSQL all who ask at once share one look, over a connection that is
//! used for nothing else: a look costs one way to the database and back, however many requests wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::db::Db;
use crate::dialect::sql;
use crate::value::Row;
use crate::{Result, Store, StoreError};

/// A database that does not answer for this long does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The numbers that caches compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generations {
    /// Grows with every change of a mount.
    pub mounts: i64,
    /// Grows with every change of users, roles or permissions.
    pub people: i64,
}

/// The source of the generations in a process.
#[derive(Debug)]
pub(crate) enum Watch {
    Alone(Alone),
    Shared(Box<Shared>),
}

impl Watch {
    pub(crate) fn new(db: &Db) -> Self {
        match db {
            Db::Sqlite { .. } => Self::Alone(Alone::default()),
            Db::Postgres(pool) => Self::Shared(Box::new(Shared {
                options: pool.connect_options().as_ref().clone(),
                ..Shared::default()
            })),
        }
    }

    /// To be called before the commit that moves a generation; the answer is for [`Watch::end`].
    pub(crate) fn begin(&self) -> u64 {
        match self {
            Self::Alone(alone) => alone.begun.fetch_add(1, Ordering::SeqCst) + 1,
            Self::Shared(_) => 0,
        }
    }

    /// To be called after the commit. When it is not, because the commit was dropped half way, every question goes to the
    /// database until another commit has ended.
    pub(crate) fn end(&self, number: u64) {
        if let Self::Alone(alone) = self {
            alone.ended.fetch_max(number, Ordering::SeqCst);
        }
    }

    pub(crate) async fn close(&self) {
        if let Self::Shared(shared) = self {
            shared.turn.lock().await.take();
        }
    }
}

/// The one process on a database: commits that move a generation, begun and ended, are counted.
#[derive(Debug, Default)]
pub(crate) struct Alone {
    begun: AtomicU64,
    ended: AtomicU64,
    /// The numbers that were found when so many looks had ended.
    known: Mutex<Option<(u64, Generations)>>,
}

impl Alone {
    /// The generations, unless a commit may have moved them.
    fn known(&self, ended: u64) -> Option<Generations> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .filter(|(at, _)| *at == ended && self.begun.load(Ordering::SeqCst) == ended)
            .map(|(_, generations)| generations)
    }
}

/// One process of several.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    options: PgConnectOptions,
    /// Looks begun. Whoever comes must not be content with one of these.
    begun: AtomicU64,
    /// The latest look that ended, and what it found.
    ended: watch::Sender<Look>,
    /// Held by whoever looks.
    turn: AsyncMutex<Option<PgConnection>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Look {
    number: u64,
    /// `None` when it failed.
    found: Option<Generations>,
}

impl Look {
    fn answer(self) -> Result<Generations> {
        self.found.ok_or(StoreError::Silent(PATIENCE))
    }
}

impl Shared {
    async fn look(&self) -> Result<Generations> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.subscribe();
        let mut connection = tokio::select! {
            biased;
            look = ended.wait_for(|look| look.number > before) => {
                return look.map_or(Err(StoreError::Silent(PATIENCE)), |look| look.answer());
            }
            turn = self.turn.lock() => turn,
        };
        let last = *self.ended.borrow();
        if last.number > before {
            return last.answer();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let found = tokio::time::timeout(PATIENCE, self.ask(&mut connection)).await;
        let found = found.unwrap_or(Err(StoreError::Silent(PATIENCE)));
        let look = Look {
            number,
            found: found.as_ref().ok().copied(),
        };
        self.ended.send_replace(look);
        found
    }

    async fn ask(&self, connection: &mut Option<PgConnection>) -> Result<Generations> {
        if let Some(mut open) = connection.take()
            && let Ok(rows) = crate::statements::postgres_all(&mut open, everything()).await
        {
            *connection = Some(open);
            return generations(&rows);
        }
        // The server may have been started again since the last look.
        let mut open = crate::db::connect(&self.options).await?;
        let rows = crate::statements::postgres_all(&mut open, everything()).await?;
        *connection = Some(open);
        generations(&rows)
    }
}

fn everything() -> crate::dialect::Stmt {
    sql("SELECT name, value FROM generations")
}

fn generations(rows: &[Row]) -> Result<Generations> {
    let mut found = Generations::default();
    for row in rows {
        match row.get::<String>(0)?.as_str() {
            "mounts" => found.mounts = row.get(1)?,
            "people" => found.people = row.get(1)?,
            _ => {}
        }
    }
    Ok(found)
}

impl Store {
    /// The generations as they are at an instant after the call: what was committed before it, by whichever process, is
    /// in them.
    ///
    /// # Errors
    /// When the database fails or does not answer soon.
    pub async fn generations(&self) -> Result<Generations> {
        match &self.inner.watch {
            Watch::Alone(alone) => {
                let ended = alone.ended.load(Ordering::SeqCst);
                if let Some(known) = alone.known(ended) {
                    return Ok(known);
                }
                let found = generations(&self.all(everything()).await?)?;
                *alone.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((ended, found));
                Ok(found)
            }
            Watch::Shared(shared) => shared.look().await,
        }
    }
}
