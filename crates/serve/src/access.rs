//! Access to what is below a guarded mount (pulp2/serving#guards).
//!
//! Everything here is decided from the mount, the path that was asked for and what the client of the connection showed:
//! nothing is looked up before.

use std::sync::Arc;

use http::request::Parts;
use pith_core::{Clock, RelativePath};
use pith_trust::{Entitlement, GuardRefusal, PeerCertificate};
use tokio::sync::Semaphore;

use crate::{MountGuard, MountRow, Protocol};

/// The way in which a request came, and who sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) protocol: Protocol,
    peer: Option<&'a PeerCertificate>,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(protocol: Protocol, request: &'a Parts) -> Self {
        Self {
            protocol,
            peer: request.extensions.get(),
        }
    }

    /// The certificates that it showed, where they count.
    pub(crate) fn certificate(self) -> Option<&'a PeerCertificate> {
        self.peer.filter(|_| self.protocol == Protocol::Https)
    }

    /// Tells whether it showed a certificate, so that what it gets may differ from what others do.
    pub(crate) fn is_known(self) -> bool {
        self.peer.is_some()
    }
}

/// The most guards that one request asks about certificates that they have not seen; further ones count as closed.
const MOST_ASKED: usize = 16;

/// The rules for guarded mounts.
pub struct Access {
    clock: Arc<dyn Clock>,
    prefixes: Vec<RelativePath>,
    /// Chains that are checked at once, apart from the threads that serve.
    checks: Semaphore,
}

/// The right to read below a mount, as far as it goes.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    access: Option<&'a Access>,
    mount: &'a MountRow,
    entitlement: Option<Arc<Entitlement>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("prefixes", &self.prefixes)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Certificates speak of paths below one of these prefixes.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, prefixes: Vec<RelativePath>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            clock,
            prefixes,
            // The other half of the cores serves.
            checks: Semaphore::new((cores / 2).max(1)),
        }
    }

    /// Tells whether a guard has signatures to check before it can say whether it lets the caller in.
    pub(crate) fn is_undecided(&self, guard: &MountGuard, caller: Caller<'_>) -> bool {
        let peer = caller.certificate();
        let undecided = peer.zip(guard.get());
        undecided.is_some_and(|(peer, guard)| peer.is_undecided(guard, self.clock.now()))
    }

    /// Has guards decide about the caller, so that they can be asked without delay.
    pub(crate) async fn decide(
        this: Option<&Self>,
        guards: impl IntoIterator<Item = Arc<MountGuard>>,
        caller: Caller<'_>,
    ) {
        let (Some(this), Some(peer)) = (this, caller.certificate()) else {
            return;
        };
        let mut asked = 0;
        for guard in guards {
            // One that is like an earlier one has decided by now.
            if !this.is_undecided(&guard, caller) {
                continue;
            }
            if asked == MOST_ASKED {
                return;
            }
            asked += 1;
            let (peer, now) = (peer.clone(), this.clock.now());
            let Ok(_turn) = this.checks.acquire().await else {
                return;
            };
            let check = move || {
                guard
                    .get()
                    .is_some_and(|guard| peer.admitted(guard, now).is_ok())
            };
            if let Err(error) = tokio::task::spawn_blocking(check).await {
                tracing::error!(%error, "a chain of certificates could not be checked");
            }
        }
    }

    /// Lets a caller in who asks for `path`, which is that of the mount or below it. Guards that have not decided
    /// ([`Access::decide`]) let nobody in.
    ///
    /// # Errors
    /// The reason why not.
    pub(crate) fn admit<'a>(
        this: Option<&'a Self>,
        mount: &'a MountRow,
        caller: Caller<'_>,
        path: &str,
    ) -> Result<Pass<'a>, GuardRefusal> {
        let Some(guard) = &mount.guard else {
            return Ok(Pass {
                access: None,
                mount,
                entitlement: None,
            });
        };
        let peer = caller.certificate().ok_or(GuardRefusal::NoCertificate)?;
        let access = this.ok_or(GuardRefusal::NotTrusted)?;
        if access.is_undecided(guard, caller) {
            return Err(GuardRefusal::NotTrusted);
        }
        let guard = guard.get().ok_or(GuardRefusal::NotTrusted)?;
        let pass = Pass {
            access: this,
            mount,
            entitlement: Some(peer.admitted(guard, access.clock.now())?),
        };
        match pass.opens(path) {
            true => Ok(pass),
            false => Err(GuardRefusal::OtherPath),
        }
    }

    /// The part of a path that certificates speak of.
    fn entitled<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.prefixes
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix.as_str())?.strip_prefix('/'))
    }
}

impl Pass<'_> {
    /// Tells whether it goes as far as `path`.
    pub(crate) fn opens(&self, path: &str) -> bool {
        let Some(entitlement) = &self.entitlement else {
            return true;
        };
        let entitled = |path| self.access.and_then(|access| access.entitled(path));
        match (entitled(self.mount.prefix.as_str()), entitled(path)) {
            (Some(mount), Some(path)) => entitlement.covers_in(mount, path),
            _ => false,
        }
    }
}
