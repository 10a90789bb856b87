//! Every operation of the API, as data: for dispatch, permissions, coverage tests and API descriptions.

use futures::future::BoxFuture;
use pith_core::error::PulpError;
/// The right that a caller must have.
pub use pith_core::rights::Operation;
use pith_core::{Area, Document, Purpose};
use pith_engine::Error;
use serde_json::Value;

use crate::http::{Answer, Call};
use crate::{
    actions, applicability, associate, distributors, history, importers, login, orphans,
    permissions, plugins, repo_groups, repositories, roles, schedules, sources, status,
    task_groups, tasks, units, uploads, users,
};

/// The methods that operations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// `GET`, which answers `HEAD` too.
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Verb {
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

/// The kind of body that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Whatever comes is not read.
    Ignored,
    /// A JSON object.
    Object,
    /// A JSON object; nothing counts as an empty one.
    OptionalObject,
    /// Any JSON.
    Any,
    /// Any JSON; nothing counts as an empty object.
    OptionalAny,
    /// Bytes, as they come.
    Raw,
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

pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Result<Answer, Error>>;

/// One operation.
pub struct Route {
    /// Its method.
    pub verb: Verb,
    /// Its path below `/pulp/api/v2`, with `<name>` for a variable segment.
    pub path: &'static str,
    /// The right that the caller needs; `None` for what everybody may.
    pub operation: Option<Operation>,
    /// Status of a successful call.
    pub success: u16,
    /// Is true when it queues a task.
    pub queues: bool,
    /// The body that it takes.
    pub body: BodyKind,
    pub(crate) handler: Handler,
}

impl Route {
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
            Some(_) if self.verb == Verb::Delete || removes => Disk::Reserve,
            Some(_) => Disk::Room,
        }
    }
}

macro_rules! route {
    ($verb:ident $path:literal, $operation:expr, $success:literal $queues:ident, $body:ident, $handler:path) => {
        Route {
            verb: Verb::$verb,
            path: $path,
            operation: $operation,
            success: $success,
            queues: route!(@ $queues),
            body: BodyKind::$body,
            handler: |call| Box::pin($handler(call)),
        }
    };
    (@ now) => { false };
    (@ queued) => { true };
}

const CREATE: Option<Operation> = Some(Operation::Create);
const READ: Option<Operation> = Some(Operation::Read);
const UPDATE: Option<Operation> = Some(Operation::Update);
const DELETE: Option<Operation> = Some(Operation::Delete);
const EXECUTE: Option<Operation> = Some(Operation::Execute);

/// The operations, sorted by path (pulp2/server#operations).
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    route!(Post "/actions/login/", READ, 200 now, Ignored, login::login),
    route!(Post "/content/actions/delete_orphans/", DELETE, 202 queued, OptionalAny, orphans::delete_listed),
    route!(Delete "/content/catalog/<source>/", DELETE, 200 now, Ignored, sources::delete_catalog),
    route!(Get "/content/orphans/", READ, 200 now, Ignored, orphans::summary),
    route!(Delete "/content/orphans/", DELETE, 202 queued, Ignored, orphans::delete_all),
    route!(Get "/content/orphans/<type>/", READ, 200 now, Ignored, orphans::list),
    route!(Delete "/content/orphans/<type>/", DELETE, 202 queued, Ignored, orphans::delete_type),
    route!(Get "/content/orphans/<type>/<unit>/", READ, 200 now, Ignored, orphans::read),
    route!(Delete "/content/orphans/<type>/<unit>/", DELETE, 202 queued, Ignored, orphans::delete_one),
    route!(Get "/content/sources/", READ, 200 now, Ignored, sources::list),
    route!(Post "/content/sources/action/<action>/", UPDATE, 202 queued, OptionalAny, sources::refresh_all),
    route!(Get "/content/sources/<source>/", READ, 200 now, Ignored, sources::read),
    route!(Post "/content/sources/<source>/action/<action>/", UPDATE, 202 queued, OptionalAny, sources::refresh),
    route!(Get "/content/units/<type>/", READ, 200 now, Ignored, units::list),
    route!(Get "/content/units/<type>/search/", READ, 200 now, Ignored, units::search_get),
    route!(Post "/content/units/<type>/search/", READ, 200 now, Object, units::search_post),
    route!(Get "/content/units/<type>/<unit>/", READ, 200 now, Ignored, units::read),
    route!(Get "/content/units/<type>/<unit>/pulp_user_metadata/", READ, 200 now, Ignored, units::read_metadata),
    route!(Put "/content/units/<type>/<unit>/pulp_user_metadata/", UPDATE, 200 now, Any, units::set_metadata),
    route!(Get "/content/uploads/", READ, 200 now, Ignored, uploads::list),
    route!(Post "/content/uploads/", CREATE, 201 now, OptionalAny, uploads::create),
    route!(Delete "/content/uploads/<upload>/", DELETE, 200 now, Ignored, uploads::delete),
    route!(Put "/content/uploads/<upload>/<offset>/", UPDATE, 200 now, Raw, uploads::write),
    route!(Get "/distributors/search/", READ, 200 now, Ignored, distributors::search_get),
    route!(Post "/distributors/search/", READ, 200 now, Object, distributors::search_post),
    route!(Get "/permissions/", READ, 200 now, Ignored, permissions::list),
    route!(Post "/permissions/actions/grant_to_role/", EXECUTE, 200 now, Object, permissions::grant_to_role),
    route!(Post "/permissions/actions/grant_to_user/", EXECUTE, 200 now, Object, permissions::grant_to_user),
    route!(Post "/permissions/actions/revoke_from_role/", EXECUTE, 200 now, Object, permissions::revoke_from_role),
    route!(Post "/permissions/actions/revoke_from_user/", EXECUTE, 200 now, Object, permissions::revoke_from_user),
    route!(Get "/plugins/distributors/", READ, 200 now, Ignored, plugins::distributors),
    route!(Get "/plugins/distributors/<distributor>/", READ, 200 now, Ignored, plugins::distributor),
    route!(Get "/plugins/importers/", READ, 200 now, Ignored, plugins::importers),
    route!(Get "/plugins/importers/<importer>/", READ, 200 now, Ignored, plugins::importer),
    route!(Get "/plugins/types/", READ, 200 now, Ignored, plugins::types),
    route!(Get "/plugins/types/<type>/", READ, 200 now, Ignored, plugins::unit_type),
    route!(Get "/repo_groups/", READ, 200 now, Ignored, repo_groups::list),
    route!(Post "/repo_groups/", CREATE, 201 now, Object, repo_groups::create),
    route!(Get "/repo_groups/search/", READ, 200 now, Ignored, repo_groups::search_get),
    route!(Post "/repo_groups/search/", READ, 200 now, Object, repo_groups::search_post),
    route!(Get "/repo_groups/<group>/", READ, 200 now, Ignored, repo_groups::read),
    route!(Put "/repo_groups/<group>/", UPDATE, 200 now, OptionalObject, repo_groups::update),
    route!(Delete "/repo_groups/<group>/", DELETE, 200 now, Ignored, repo_groups::delete),
    route!(Post "/repo_groups/<group>/actions/associate/", EXECUTE, 200 now, OptionalObject, repo_groups::associate),
    route!(Post "/repo_groups/<group>/actions/publish/", EXECUTE, 202 queued, Object, repo_groups::publish),
    route!(Post "/repo_groups/<group>/actions/unassociate/", EXECUTE, 200 now, OptionalObject, repo_groups::unassociate),
    route!(Get "/repo_groups/<group>/distributors/", READ, 200 now, Ignored, repo_groups::distributors),
    route!(Post "/repo_groups/<group>/distributors/", CREATE, 201 now, Object, repo_groups::create_distributor),
    route!(Get "/repo_groups/<group>/distributors/<distributor>/", READ, 200 now, Ignored, repo_groups::read_distributor),
    route!(Put "/repo_groups/<group>/distributors/<distributor>/", UPDATE, 200 now, Object, repo_groups::update_distributor),
    route!(Delete "/repo_groups/<group>/distributors/<distributor>/", DELETE, 200 now, OptionalObject, repo_groups::delete_distributor),
    route!(Get "/repositories/", READ, 200 now, Ignored, repositories::list),
    route!(Post "/repositories/", CREATE, 201 now, Object, repositories::create),
    route!(Post "/repositories/actions/content/regenerate_applicability/", CREATE, 202 queued, Object, applicability::of_repositories),
    route!(Get "/repositories/search/", READ, 200 now, Ignored, repositories::search_get),
    route!(Post "/repositories/search/", READ, 200 now, Object, repositories::search_post),
    route!(Get "/repositories/<repo>/", READ, 200 now, Ignored, repositories::read),
    route!(Put "/repositories/<repo>/", UPDATE, 200 now, OptionalObject, repositories::update),
    route!(Delete "/repositories/<repo>/", DELETE, 202 queued, Ignored, repositories::delete),
    route!(Post "/repositories/<repo>/actions/associate/", UPDATE, 202 queued, Object, associate::copy),
    route!(Post "/repositories/<repo>/actions/download/", EXECUTE, 202 queued, OptionalObject, actions::download),
    route!(Post "/repositories/<repo>/actions/import_upload/", UPDATE, 202 queued, Object, actions::import_upload),
    route!(Post "/repositories/<repo>/actions/publish/", EXECUTE, 202 queued, Object, actions::publish),
    route!(Post "/repositories/<repo>/actions/sync/", EXECUTE, 202 queued, OptionalObject, actions::sync),
    route!(Post "/repositories/<repo>/actions/unassociate/", UPDATE, 202 queued, OptionalObject, associate::remove),
    route!(Get "/repositories/<repo>/distributors/", READ, 200 now, Ignored, distributors::list),
    route!(Post "/repositories/<repo>/distributors/", CREATE, 201 now, Object, distributors::create),
    route!(Get "/repositories/<repo>/distributors/<distributor>/", READ, 200 now, Ignored, distributors::read),
    route!(Put "/repositories/<repo>/distributors/<distributor>/", UPDATE, 202 queued, Object, distributors::update),
    route!(Delete "/repositories/<repo>/distributors/<distributor>/", DELETE, 202 queued, Ignored, distributors::delete),
    route!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/", READ, 200 now, Ignored, schedules::list_publishes),
    route!(Post "/repositories/<repo>/distributors/<distributor>/schedules/publish/", CREATE, 201 now, Object, schedules::create_publish),
    route!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", READ, 200 now, Ignored, schedules::read_publish),
    route!(Put "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", UPDATE, 200 now, OptionalObject, schedules::update_publish),
    route!(Delete "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", DELETE, 200 now, Ignored, schedules::delete_publish),
    route!(Get "/repositories/<repo>/history/publish/<distributor>/", READ, 200 now, Ignored, history::publish),
    route!(Get "/repositories/<repo>/history/sync/", READ, 200 now, Ignored, history::sync),
    route!(Get "/repositories/<repo>/importers/", READ, 200 now, Ignored, importers::list),
    route!(Post "/repositories/<repo>/importers/", CREATE, 202 queued, Object, importers::create),
    route!(Get "/repositories/<repo>/importers/<importer>/", READ, 200 now, Ignored, importers::read),
    route!(Put "/repositories/<repo>/importers/<importer>/", UPDATE, 202 queued, Object, importers::update),
    route!(Delete "/repositories/<repo>/importers/<importer>/", DELETE, 202 queued, Ignored, importers::delete),
    route!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/", READ, 200 now, Ignored, schedules::list_syncs),
    route!(Post "/repositories/<repo>/importers/<importer>/schedules/sync/", CREATE, 201 now, Object, schedules::create_sync),
    route!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", READ, 200 now, Ignored, schedules::read_sync),
    route!(Put "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", UPDATE, 200 now, OptionalObject, schedules::update_sync),
    route!(Delete "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", DELETE, 200 now, Ignored, schedules::delete_sync),
    route!(Get "/repositories/<repo>/search/units/", READ, 200 now, Ignored, units::in_repository_get),
    route!(Post "/repositories/<repo>/search/units/", READ, 200 now, Object, units::in_repository_post),
    route!(Get "/roles/", READ, 200 now, Ignored, roles::list),
    route!(Post "/roles/", CREATE, 201 now, Object, roles::create),
    route!(Get "/roles/<role>/", READ, 200 now, Ignored, roles::read),
    route!(Put "/roles/<role>/", UPDATE, 200 now, Object, roles::update),
    route!(Delete "/roles/<role>/", DELETE, 200 now, Ignored, roles::delete),
    route!(Get "/roles/<role>/users/", READ, 200 now, Ignored, roles::members),
    route!(Post "/roles/<role>/users/", UPDATE, 200 now, Object, roles::add_member),
    route!(Delete "/roles/<role>/users/<login>/", DELETE, 200 now, Ignored, roles::remove_member),
    route!(Get "/status/", None, 200 now, Ignored, status::read),
    route!(Get "/task_groups/<group>/", READ, 200 now, Ignored, task_groups::read),
    route!(Delete "/task_groups/<group>/", DELETE, 200 now, Ignored, task_groups::cancel),
    route!(Get "/task_groups/<group>/state_summary/", READ, 200 now, Ignored, task_groups::state_summary),
    route!(Get "/tasks/", READ, 200 now, Ignored, tasks::list),
    route!(Delete "/tasks/", DELETE, 204 now, Ignored, tasks::purge),
    route!(Get "/tasks/search/", READ, 200 now, Ignored, tasks::search_get),
    route!(Post "/tasks/search/", READ, 200 now, Object, tasks::search_post),
    route!(Get "/tasks/<task>/", READ, 200 now, Ignored, tasks::read),
    route!(Delete "/tasks/<task>/", DELETE, 200 now, Ignored, tasks::cancel),
    route!(Get "/users/", READ, 200 now, Ignored, users::list),
    route!(Post "/users/", CREATE, 201 now, Object, users::create),
    route!(Get "/users/search/", READ, 200 now, Ignored, users::search_get),
    route!(Post "/users/search/", READ, 200 now, Object, users::search_post),
    route!(Get "/users/<login>/", READ, 200 now, Ignored, users::read),
    route!(Put "/users/<login>/", UPDATE, 200 now, Object, users::update),
    route!(Delete "/users/<login>/", DELETE, 200 now, Ignored, users::delete),
];

/// The groups of the operations: the first segments of their paths, each once.
#[must_use]
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = ROUTES.iter().map(|route| route.purpose().group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Refuses an id under which something new would be taken for an operation: rights on it would be rights on that operation.
///
/// # Errors
/// 400 PLP0015 for `key`, when a path below `collection`, such as `/repositories/`, goes on with this very name.
pub(crate) fn refuse_shadowing(
    collection: &str,
    body: &Document,
    key: &str,
) -> Result<(), PulpError> {
    let id = body.get(key).and_then(Value::as_str);
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Ok(());
    };
    let mut rests = ROUTES
        .iter()
        .filter_map(|route| route.path.strip_prefix(collection));
    if rests.any(|rest| rest.split('/').next() == Some(id)) {
        return Err(PulpError::invalid_value(&[key]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_new_cannot_have_the_name_of_an_operation() {
        let refused = |collection, id| {
            let body = Document::from_iter([("id".to_owned(), json!(id))]);
            refuse_shadowing(collection, &body, "id").is_err()
        };
        for collection in ["/repositories/", "/repo_groups/", "/users/"] {
            assert!(refused(collection, "search"), "{collection}");
            assert!(!refused(collection, "searches"), "{collection}");
        }
        assert!(refused("/repositories/", "actions"));
        assert!(!refused("/users/", "actions"));
        assert!(!refused("/users/", ""), "another message says so");
        assert!(!refused("/repositories/", "<repo>x"));
    }

    #[test]
    fn no_operation_stands_twice_and_every_path_has_both_slashes() {
        let mut seen = std::collections::HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.verb, route.path)), "{}", route.path);
            assert!(route.path.starts_with('/') && route.path.ends_with('/'));
        }
    }

    #[test]
    fn what_is_made_inside_of_something_else_is_known() {
        let mut inside: Vec<_> = (ROUTES.iter())
            .filter(|route| route.makes_inside().is_some())
            .map(|route| route.path)
            .collect();
        assert!(inside.iter().all(|path| path.starts_with("/repo")));
        inside.retain(|path| !path.contains("/schedules/"));
        let distributors = "/repo_groups/<group>/distributors/";
        let importers = "/repositories/<repo>/importers/";
        assert_eq!(
            inside,
            [
                distributors,
                "/repositories/<repo>/distributors/",
                importers
            ]
        );
        assert!(
            ROUTES
                .iter()
                .all(|r| r.makes_inside().is_none_or(|n| n == 2))
        );
    }

    #[test]
    fn only_the_status_is_open_to_everybody() {
        let open: Vec<_> = ROUTES
            .iter()
            .filter(|r| r.operation.is_none())
            .map(|r| r.path)
            .collect();
        assert_eq!(open, ["/status/"]);
    }
}
