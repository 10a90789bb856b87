//! Notes on a request for its line in the log.

use std::sync::Arc;

use http::Extensions;
use pith_core::RequestNotes;

/// Tells the log of a request, where somebody listens.
pub(super) fn note(extensions: &Extensions, tell: impl FnOnce(&RequestNotes)) {
    if let Some(notes) = extensions.get::<Arc<RequestNotes>>() {
        tell(notes);
    }
}
