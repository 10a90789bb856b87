//! A request as those who answer it tell of it: for its line in the log, and for what is counted.

use std::sync::{Arc, OnceLock};

/// The part of the server that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Area {
    /// No part: there is nothing at the path, or the request was refused before it was looked at.
    #[default]
    Nowhere,
    /// Pages about the server itself, such as `/livez`.
    Server,
    /// The REST API.
    Api,
    /// An endpoint of a content type.
    Endpoint,
    /// Published content.
    Content,
}

impl Area {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 5] = [
        Self::Nowhere,
        Self::Server,
        Self::Api,
        Self::Endpoint,
        Self::Content,
    ];

    /// The name in log lines and counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::Server => "server",
            Self::Api => "api",
            Self::Endpoint => "endpoint",
            Self::Content => "content",
        }
    }
}

/// The operation that a request asks for, as a kind of which there are few: nothing in it comes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purpose {
    /// The part of the server.
    pub area: Area,
    /// The group of operations, such as `repositories`; empty where there are no groups.
    pub group: &'static str,
    /// Is true when the operation changes something.
    pub changes: bool,
}

impl Purpose {
    /// Reading in a part of the server that has no groups of operations.
    #[must_use]
    pub fn of(area: Area) -> Self {
        Self {
            area,
            ..Self::default()
        }
    }
}

/// The notes about one request, in its extensions. Each is written once; later words do not count.
#[derive(Debug, Default)]
pub struct RequestNotes {
    purpose: OnceLock<Purpose>,
    who: OnceLock<Arc<str>>,
}

impl RequestNotes {
    /// Notes the purpose of the request.
    pub fn asks_for(&self, purpose: Purpose) {
        let _ = self.purpose.set(purpose);
    }

    /// Notes who sent it: somebody who has proved it.
    pub fn is_from(&self, who: &str) {
        let _ = self.who.set(who.into());
    }

    /// The purpose of the request, as far as anybody found it out.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose.get().copied().unwrap_or_default()
    }

    /// The one who sent it; `None` for nobody who is known.
    #[must_use]
    pub fn who(&self) -> Option<&str> {
        self.who.get().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_stand_in_the_order_of_their_values() {
        for (at, area) in Area::ALL.into_iter().enumerate() {
            assert_eq!(area as usize, at);
        }
    }

    #[test]
    fn the_first_word_counts() {
        let notes = RequestNotes::default();
        assert_eq!((notes.purpose(), notes.who()), (Purpose::default(), None));
        notes.is_from("ann");
        notes.is_from("eve");
        assert_eq!(notes.who(), Some("ann"));
    }
}
