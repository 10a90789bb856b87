//! One operation of the API, as data: for dispatch, permissions, coverage tests and descriptions.

use futures::future::BoxFuture;
/// The right that a caller must have.
pub use pith_core::rights::Operation;
use pith_core::{Area, Purpose};
use pith_engine::Error;

pub use crate::http::RestBodyKind;
use crate::http::{Call, Handler, RestAnswer};

/// The methods that operations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestVerb {
    /// `GET`, which answers `HEAD` too.
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl RestVerb {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The need of an operation for room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Nothing, as far as it matters.
    Nothing,
    /// Room for what it adds: refused with 507 while there is only the reserve.
    Room,
    /// Room for the database to take something away: it works in the reserve.
    Reserve,
}

/// A handler without its types.
pub(crate) type RunCall = fn(Call) -> BoxFuture<'static, Result<RestAnswer, Error>>;

/// One operation.
pub struct RestRoute {
    /// Its method.
    pub verb: RestVerb,
    /// Its path below `/pulp/api/v2`, with `<name>` for a variable segment.
    pub path: &'static str,
    /// The right that the caller needs; `None` for what everybody may.
    pub operation: Option<Operation>,
    /// Status of a successful call.
    pub success: u16,
    /// Is true when it queues a task.
    pub queues: bool,
    /// The body that it takes.
    pub body: RestBodyKind,
    /// All that only its description needs.
    pub(crate) about: About,
    pub(crate) run: RunCall,
}

impl RestRoute {
    /// The operation for the log and for counts: its group is the first segment of its path.
    pub(crate) fn purpose(&self) -> Purpose {
        let mut segments = self.path.split('/').skip(1);
        Purpose {
            area: Area::Api,
            group: segments.next().unwrap_or_default(),
            changes: !matches!(self.operation, None | Some(Operation::Read)),
        }
    }

    /// The number of segments that name the owner, for an operation that makes something inside of one: two for an importer of
    /// `/repositories/<repo>/`.
    #[must_use]
    pub fn makes_inside(&self) -> Option<usize> {
        let is_named = |segment: &str| segment.starts_with('<');
        let mut segments = self.path.split('/').skip(1);
        let named = segments
            .position(is_named)
            .filter(|_| self.operation == CREATE);
        named.map(|at| at + 1)
    }

    /// Tells whether its body may be long: criteria with long lists, the description of a unit.
    #[must_use]
    pub fn takes_long_bodies(&self) -> bool {
        let ends = [
            "/search/",
            "/actions/associate/",
            "/actions/unassociate/",
            "/actions/import_upload/",
        ];
        ends.iter().any(|end| self.path.ends_with(end))
            || self.path.contains("/search/")
            || self.path.starts_with("/content/")
            || self.path.starts_with("/repositories/actions/content/")
    }

    /// The need for room on the disk.
    #[must_use]
    pub fn disk(&self) -> Disk {
        // These take something away though their verb does not say so.
        let removes = ["/actions/unassociate/", "/actions/delete_orphans/"];
        let removes = removes.iter().any(|end| self.path.ends_with(end))
            || self.path.contains("/actions/revoke_from_");
        match self.operation {
            None | Some(Operation::Read) => Disk::Nothing,
            Some(_) if self.verb == RestVerb::Delete || removes => Disk::Reserve,
            Some(_) => Disk::Room,
        }
    }
}

/// The shape of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A schema of `schemas.json`.
    One(&'static str),
    /// A list of them.
    Many(&'static str),
    /// JSON null.
    Null,
    /// Any JSON.
    Any,
    /// Bytes as they come.
    Bytes,
    /// No body at all.
    Empty,
}

/// A parameter of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    /// Its JSON type.
    pub(crate) kind: &'static str,
    /// Is true when it may be given more than once.
    pub(crate) many: bool,
    pub(crate) help: &'static str,
}

/// A parameter that may be given once.
pub(crate) const fn param(name: &'static str, kind: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind,
        many: false,
        help,
    }
}

/// A parameter that may be given several times.
pub(crate) const fn params(name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind: "string",
        many: true,
        help,
    }
}

/// The part of an operation that only its description needs.
pub(crate) struct About {
    /// One sentence that says what it is for.
    pub(crate) summary: &'static str,
    /// The parameters of the query.
    pub(crate) query: &'static [&'static [Param]],
    /// The body that it takes.
    pub(crate) takes: Shape,
    /// The body that it answers.
    pub(crate) answers: Shape,
}

/// No body.
pub(crate) const NONE: Shape = Shape::Empty;
/// The report of a queued task.
pub(crate) const REPORT: Shape = Shape::One("CallReport");

/// The rights of operations.
pub(crate) const CREATE: Option<Operation> = Some(Operation::Create);
pub(crate) const READ: Option<Operation> = Some(Operation::Read);
pub(crate) const UPDATE: Option<Operation> = Some(Operation::Update);
pub(crate) const DELETE: Option<Operation> = Some(Operation::Delete);
pub(crate) const EXECUTE: Option<Operation> = Some(Operation::Execute);

/// An operation: method and path, the right that it needs, handler, what it is for, parameters of the query, bodies. All else is read
/// off the handler.
macro_rules! operation {
    ($verb:ident $path:literal, $right:expr, $handler:ident, $summary:literal, [$($query:ident),*], $takes:expr => $answers:expr) => {
        $crate::operation::RestRoute {
            verb: $crate::operation::RestVerb::$verb,
            path: $crate::operation::with_segments($path, $crate::operation::segments(&$handler)),
            operation: $right,
            success: $crate::operation::status(&$handler),
            queues: $crate::operation::queues(&$handler),
            body: $crate::operation::body(&$handler),
            about: $crate::operation::About {
                summary: $summary,
                query: &[$($query),*],
                takes: $takes,
                answers: $answers,
            },
            run: |call| $crate::http::Handler::run($handler, call),
        }
    };
}
pub(crate) use operation;

/// The number of variable segments that a handler takes.
pub(crate) const fn segments<H: Handler<Parts>, Parts>(_: &H) -> usize {
    H::SEGMENTS
}

/// The body that a handler takes.
pub(crate) const fn body<H: Handler<Parts>, Parts>(_: &H) -> RestBodyKind {
    H::BODY
}

/// The status that a handler answers.
pub(crate) const fn status<H: Handler<Parts>, Parts>(_: &H) -> u16 {
    H::STATUS
}

/// Tells whether a handler queues a task.
pub(crate) const fn queues<H: Handler<Parts>, Parts>(_: &H) -> bool {
    H::QUEUES
}

/// A path, which must have so many variable segments: what its handler takes.
pub(crate) const fn with_segments(path: &'static str, count: usize) -> &'static str {
    let bytes = path.as_bytes();
    let (mut found, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'<' {
            found += 1;
        }
        at += 1;
    }
    assert!(
        found == count,
        "the handler takes other segments than the path has"
    );
    path
}
