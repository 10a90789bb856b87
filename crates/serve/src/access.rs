//! Who may read what is below a guarded mount (reference: platform-api §13.3).
//!
//! Everything here is decided from the mount, the path that was asked for and what the client of the connection showed:
//! nothing is looked up before.

use std::sync::Arc;

use http::request::Parts;
use pith_core::{Clock, RelativePath};
use pith_trust::{Entitlement, PeerCertificate, Refusal};

use crate::{MountRow, Protocol};

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

    /// Tells whether it showed a certificate, so that what it gets may differ from what others do.
    pub(crate) fn is_known(self) -> bool {
        self.peer.is_some()
    }
}

/// The rules for guarded mounts.
pub struct Access {
    clock: Arc<dyn Clock>,
    prefixes: Vec<RelativePath>,
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
        Self { clock, prefixes }
    }

    /// Lets a caller in who asks for `path`, which is that of the mount or below it.
    ///
    /// # Errors
    /// The reason why not.
    pub(crate) fn admit<'a>(
        this: Option<&'a Self>,
        mount: &'a MountRow,
        caller: Caller<'_>,
        path: &str,
    ) -> Result<Pass<'a>, Refusal> {
        let Some(guard) = &mount.guard else {
            return Ok(Pass {
                access: None,
                mount,
                entitlement: None,
            });
        };
        let peer = caller.peer.filter(|_| caller.protocol == Protocol::Https);
        let peer = peer.ok_or(Refusal::NoCertificate)?;
        let access = this.ok_or(Refusal::NotTrusted)?;
        let guard = guard.get().ok_or(Refusal::NotTrusted)?;
        let pass = Pass {
            access: this,
            mount,
            entitlement: Some(peer.admitted(guard, access.clock.now())?),
        };
        match pass.opens(path) {
            true => Ok(pass),
            false => Err(Refusal::OtherPath),
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
