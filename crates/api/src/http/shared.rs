//! The state that all requests share.

use std::sync::Arc;

use pith_pulp::Pulp;
use pith_pulp::auth::Authenticator;

use super::intake::Intake;
use super::matcher::Matcher;
use super::shadowing::OperationPaths;
use crate::operation::RestRoute;

/// The state that all requests share.
pub(crate) struct Shared {
    pub(crate) pulp: Arc<Pulp>,
    pub(super) authenticator: Authenticator,
    pub(super) matcher: Matcher,
    pub(super) paths: Arc<OperationPaths>,
    pub(super) intake: Intake,
}

impl Shared {
    /// The state of a server with these nouns and operations.
    pub(crate) fn new(pulp: Arc<Pulp>, routes: impl Iterator<Item = &'static RestRoute>) -> Self {
        let routes: Vec<_> = routes.collect();
        Self {
            authenticator: Authenticator::new(Arc::clone(&pulp.passwords)),
            pulp,
            paths: Arc::new(routes.iter().map(|route| route.path).collect()),
            matcher: Matcher::new(routes.into_iter()),
            intake: Intake::default(),
        }
    }
}
