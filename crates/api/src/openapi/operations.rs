//! The name of each operation, and all that it takes and answers: the half of the description that [`ROUTES`] does not hold.
//!
//! [`ROUTES`]: crate::routes::ROUTES

use crate::routes::Verb;

/// The shape of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
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
pub(super) struct Param {
    pub(super) name: &'static str,
    /// Its JSON type.
    pub(super) kind: &'static str,
    /// Is true when it may be given more than once.
    pub(super) many: bool,
    pub(super) help: &'static str,
}

const fn param(name: &'static str, kind: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind,
        many: false,
        help,
    }
}

const fn params(name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        kind: "string",
        many: true,
        help,
    }
}

/// The description of one operation.
pub(super) struct About {
    pub(super) verb: Verb,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static [Param]],
    pub(super) body: Shape,
    pub(super) answer: Shape,
}

const SEARCH: &[Param] = &[
    param("filters", "string", "Filters, as JSON text."),
    param(
        "sort",
        "string",
        "Pairs of field and direction, as JSON text.",
    ),
    param("limit", "integer", "At most this many."),
    param("skip", "integer", "Leave out this many from the start."),
];
const FIELD: &[Param] = &[params("field", "A field to show.")];
const DETAILS: &[Param] = &[
    param(
        "details",
        "boolean",
        "With importers, distributors and totals.",
    ),
    param("importers", "boolean", "With importers."),
    param("distributors", "boolean", "With distributors."),
];
const UNITS: &[Param] = &[
    param("type_ids", "string", "Only units of this type."),
    param("remove_duplicates", "string", "One association a unit."),
];
const REPOS: &[Param] = &[param(
    "include_repos",
    "boolean",
    "With the repositories that have the unit.",
)];
const TAGS: &[Param] = &[params("tag", "Only tasks with this tag.")];
const STATES: &[Param] = &[params(
    "state",
    "Delete tasks in this state: finished, error or skipped.",
)];
const RESOURCE: &[Param] = &[param(
    "resource",
    "string",
    "Only the permissions on this path.",
)];
const HISTORY: &[Param] = &[
    param("limit", "integer", "At most this many."),
    param(
        "sort",
        "string",
        "ascending or descending, by start; descending when not given.",
    ),
    param(
        "start_date",
        "string",
        "Only what started then or later: ISO 8601, with a time.",
    ),
    param(
        "end_date",
        "string",
        "Only what started then or earlier: ISO 8601, with a time.",
    ),
];

const NONE: Shape = Shape::Empty;
const REPORT: Shape = Shape::One("CallReport");

macro_rules! about {
    ($verb:ident $path:literal, $summary:literal, [$($query:ident),*], $body:expr, $answer:expr) => {
        About {
            verb: Verb::$verb,
            path: $path,
            summary: $summary,
            query: &[$($query),*],
            body: $body,
            answer: $answer,
        }
    };
}

use Shape::{Any, Bytes, Many, Null, One};

/// The operations, sorted by path as in the routes.
#[rustfmt::skip]
pub(super) static OPERATIONS: &[About] = &[
    about!(Post "/actions/login/", "Get a client certificate that stands for the caller.", [], NONE, One("KeyAndCertificate")),
    about!(Post "/content/actions/delete_orphans/", "Delete the named units as far as no repository has them.", [], One("OrphanList"), REPORT),
    about!(Delete "/content/catalog/<source>/", "Forget what a content source offers.", [], NONE, One("Deleted")),
    about!(Get "/content/orphans/", "Count the units that no repository has.", [], NONE, One("OrphanCounts")),
    about!(Delete "/content/orphans/", "Delete every unit that no repository has.", [], NONE, REPORT),
    about!(Get "/content/orphans/<type>/", "List the units of a type that no repository has.", [], NONE, Many("Orphan")),
    about!(Delete "/content/orphans/<type>/", "Delete the units of a type that no repository has.", [], NONE, REPORT),
    about!(Get "/content/orphans/<type>/<unit>/", "Read a unit that no repository has.", [], NONE, One("Orphan")),
    about!(Delete "/content/orphans/<type>/<unit>/", "Delete a unit that no repository has.", [], NONE, REPORT),
    about!(Get "/content/sources/", "List the content sources.", [], NONE, Many("ContentSource")),
    about!(Get "/content/sources/<source>/", "Read a content source.", [], NONE, One("ContentSource")),
    about!(Post "/content/sources/<source>/action/<action>/", "Ask a content source again what it offers.", [], NONE, REPORT),
    about!(Post "/content/sources/action/<action>/", "Ask all content sources again what they offer.", [], NONE, REPORT),
    about!(Get "/content/units/<type>/", "List all units of a type.", [], NONE, Many("Unit")),
    about!(Get "/content/units/<type>/search/", "Search units of a type.", [SEARCH, FIELD, REPOS], NONE, Many("Unit")),
    about!(Post "/content/units/<type>/search/", "Search units of a type.", [], One("Search"), Many("Unit")),
    about!(Get "/content/units/<type>/<unit>/", "Read a unit.", [], NONE, One("Unit")),
    about!(Get "/content/units/<type>/<unit>/pulp_user_metadata/", "Read what clients have noted about a unit.", [], NONE, Any),
    about!(Put "/content/units/<type>/<unit>/pulp_user_metadata/", "Replace what clients have noted about a unit.", [], Any, Null),
    about!(Get "/content/uploads/", "List the uploads.", [], NONE, One("Uploads")),
    about!(Post "/content/uploads/", "Begin an upload.", [], Any, One("Upload")),
    about!(Delete "/content/uploads/<upload>/", "Delete an upload.", [], NONE, Null),
    about!(Put "/content/uploads/<upload>/<offset>/", "Write bytes of an upload from an offset on.", [], Bytes, Null),
    about!(Get "/distributors/search/", "Search distributors of all repositories.", [SEARCH, FIELD], NONE, Many("Distributor")),
    about!(Post "/distributors/search/", "Search distributors of all repositories.", [], One("Search"), Many("Distributor")),
    about!(Get "/permissions/", "List the permissions.", [RESOURCE], NONE, Many("Permission")),
    about!(Post "/permissions/actions/grant_to_role/", "Allow operations on a path to a role.", [], One("RoleGrant"), Null),
    about!(Post "/permissions/actions/grant_to_user/", "Allow operations on a path to a user.", [], One("UserGrant"), Null),
    about!(Post "/permissions/actions/revoke_from_role/", "Take operations on a path from a role.", [], One("RoleGrant"), Null),
    about!(Post "/permissions/actions/revoke_from_user/", "Take operations on a path from a user.", [], One("UserGrant"), Null),
    about!(Get "/plugins/distributors/", "List the distributor types.", [], NONE, Many("Plugin")),
    about!(Get "/plugins/distributors/<distributor>/", "Read a distributor type.", [], NONE, One("Plugin")),
    about!(Get "/plugins/importers/", "List the importer types.", [], NONE, Many("Plugin")),
    about!(Get "/plugins/importers/<importer>/", "Read an importer type.", [], NONE, One("Plugin")),
    about!(Get "/plugins/types/", "List the unit types.", [], NONE, Many("Plugin")),
    about!(Get "/plugins/types/<type>/", "Read a unit type.", [], NONE, One("Plugin")),
    about!(Get "/repo_groups/", "List the repository groups.", [], NONE, Many("RepositoryGroup")),
    about!(Post "/repo_groups/", "Create a repository group.", [], One("NewRepositoryGroup"), One("RepositoryGroup")),
    about!(Get "/repo_groups/search/", "Search repository groups.", [SEARCH, FIELD], NONE, Many("RepositoryGroup")),
    about!(Post "/repo_groups/search/", "Search repository groups.", [], One("Search"), Many("RepositoryGroup")),
    about!(Get "/repo_groups/<group>/", "Read a repository group.", [], NONE, One("RepositoryGroup")),
    about!(Put "/repo_groups/<group>/", "Change a repository group.", [], One("RepositoryGroupUpdate"), One("RepositoryGroup")),
    about!(Delete "/repo_groups/<group>/", "Delete a repository group; its members stay.", [], NONE, Null),
    about!(Post "/repo_groups/<group>/actions/associate/", "Add the repositories found to a group.", [], One("GroupMembers"), Any),
    about!(Post "/repo_groups/<group>/actions/publish/", "Publish a group through one of its distributors.", [], One("PublishRequest"), REPORT),
    about!(Post "/repo_groups/<group>/actions/unassociate/", "Take the repositories found from a group.", [], One("GroupMembers"), Any),
    about!(Get "/repo_groups/<group>/distributors/", "List the distributors of a group.", [], NONE, Many("GroupDistributor")),
    about!(Post "/repo_groups/<group>/distributors/", "Give a group a distributor.", [], One("NewGroupDistributor"), One("GroupDistributor")),
    about!(Get "/repo_groups/<group>/distributors/<distributor>/", "Read a distributor of a group.", [], NONE, One("GroupDistributor")),
    about!(Put "/repo_groups/<group>/distributors/<distributor>/", "Change a distributor of a group.", [], One("GroupDistributorUpdate"), One("GroupDistributor")),
    about!(Delete "/repo_groups/<group>/distributors/<distributor>/", "Remove a distributor from a group.", [], One("GroupDistributorRemoval"), Null),
    about!(Get "/repositories/", "List the repositories.", [DETAILS], NONE, Many("Repository")),
    about!(Post "/repositories/", "Create a repository, with importer and distributors when they are given.", [], One("NewRepository"), One("Repository")),
    about!(Post "/repositories/actions/content/regenerate_applicability/", "Work out again which content of the repositories concerns which consumers.", [], One("ApplicabilityRequest"), One("GroupReport")),
    about!(Get "/repositories/search/", "Search repositories.", [SEARCH, FIELD, DETAILS], NONE, Many("Repository")),
    about!(Post "/repositories/search/", "Search repositories.", [], One("Search"), Many("Repository")),
    about!(Get "/repositories/<repo>/", "Read a repository.", [DETAILS], NONE, One("Repository")),
    about!(Put "/repositories/<repo>/", "Change a repository, its importer and its distributors.", [], One("RepositoryUpdate"), REPORT),
    about!(Delete "/repositories/<repo>/", "Delete a repository; its units stay.", [], NONE, REPORT),
    about!(Post "/repositories/<repo>/actions/associate/", "Copy units from another repository.", [], One("Copy"), REPORT),
    about!(Post "/repositories/<repo>/actions/download/", "Download the files of units that are not here yet.", [], One("DownloadRequest"), REPORT),
    about!(Post "/repositories/<repo>/actions/import_upload/", "Make a unit of an upload.", [], One("ImportUpload"), REPORT),
    about!(Post "/repositories/<repo>/actions/publish/", "Publish a repository through one of its distributors.", [], One("PublishRequest"), REPORT),
    about!(Post "/repositories/<repo>/actions/sync/", "Mirror the feed of a repository's importer.", [], One("Override"), REPORT),
    about!(Post "/repositories/<repo>/actions/unassociate/", "Remove units from a repository.", [], One("Removal"), REPORT),
    about!(Get "/repositories/<repo>/distributors/", "List the distributors of a repository.", [], NONE, Many("Distributor")),
    about!(Post "/repositories/<repo>/distributors/", "Give a repository a distributor.", [], One("NewDistributor"), One("Distributor")),
    about!(Get "/repositories/<repo>/distributors/<distributor>/", "Read a distributor of a repository.", [], NONE, One("Distributor")),
    about!(Put "/repositories/<repo>/distributors/<distributor>/", "Change a distributor of a repository.", [], One("DistributorUpdate"), REPORT),
    about!(Delete "/repositories/<repo>/distributors/<distributor>/", "Remove a distributor and what it serves.", [], NONE, REPORT),
    about!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/", "List the schedules of publishes.", [], NONE, Many("Schedule")),
    about!(Post "/repositories/<repo>/distributors/<distributor>/schedules/publish/", "Schedule publishes.", [], One("NewSchedule"), One("Schedule")),
    about!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", "Read a schedule of publishes.", [], NONE, One("Schedule")),
    about!(Put "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", "Change a schedule of publishes.", [], One("ScheduleUpdate"), One("Schedule")),
    about!(Delete "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", "Delete a schedule of publishes.", [], NONE, Null),
    about!(Get "/repositories/<repo>/history/publish/<distributor>/", "List what publishes did.", [HISTORY], NONE, Many("HistoryEntry")),
    about!(Get "/repositories/<repo>/history/sync/", "List what syncs did.", [HISTORY], NONE, Many("HistoryEntry")),
    about!(Get "/repositories/<repo>/importers/", "List the importers of a repository: none or one.", [], NONE, Many("Importer")),
    about!(Post "/repositories/<repo>/importers/", "Give a repository an importer, replacing the one it has.", [], One("NewImporter"), REPORT),
    about!(Get "/repositories/<repo>/importers/<importer>/", "Read the importer of a repository.", [], NONE, One("Importer")),
    about!(Put "/repositories/<repo>/importers/<importer>/", "Change the importer of a repository.", [], One("ImporterUpdate"), REPORT),
    about!(Delete "/repositories/<repo>/importers/<importer>/", "Remove the importer of a repository.", [], NONE, REPORT),
    about!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/", "List the schedules of syncs.", [], NONE, Many("Schedule")),
    about!(Post "/repositories/<repo>/importers/<importer>/schedules/sync/", "Schedule syncs.", [], One("NewSchedule"), One("Schedule")),
    about!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", "Read a schedule of syncs.", [], NONE, One("Schedule")),
    about!(Put "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", "Change a schedule of syncs.", [], One("ScheduleUpdate"), One("Schedule")),
    about!(Delete "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", "Delete a schedule of syncs.", [], NONE, Null),
    about!(Get "/repositories/<repo>/search/units/", "Search the units of a repository.", [SEARCH, UNITS], NONE, Many("Association")),
    about!(Post "/repositories/<repo>/search/units/", "Search the units of a repository.", [], One("UnitSearch"), Many("Association")),
    about!(Get "/roles/", "List the roles.", [], NONE, Many("Role")),
    about!(Post "/roles/", "Create a role.", [], One("NewRole"), One("Role")),
    about!(Get "/roles/<role>/", "Read a role.", [], NONE, One("Role")),
    about!(Put "/roles/<role>/", "Change a role.", [], One("RoleUpdate"), One("Role")),
    about!(Delete "/roles/<role>/", "Delete a role; its members lose what it allowed.", [], NONE, Null),
    about!(Get "/roles/<role>/users/", "List the members of a role.", [], NONE, Many("User")),
    about!(Post "/roles/<role>/users/", "Make a user a member of a role.", [], One("RoleMember"), Null),
    about!(Delete "/roles/<role>/users/<login>/", "Take a user out of a role.", [], NONE, Null),
    about!(Get "/status/", "Tell how the server is; open to everybody.", [], NONE, One("Status")),
    about!(Get "/task_groups/<group>/", "Read a task group; there is never an answer, ask for its summary.", [], NONE, Any),
    about!(Delete "/task_groups/<group>/", "Cancel the tasks of a group.", [], NONE, Null),
    about!(Get "/task_groups/<group>/state_summary/", "Count the tasks of a group by state.", [], NONE, One("StateSummary")),
    about!(Get "/tasks/", "List the tasks.", [TAGS], NONE, Many("Task")),
    about!(Delete "/tasks/", "Delete tasks that have ended.", [STATES], NONE, NONE),
    about!(Get "/tasks/search/", "Search tasks.", [SEARCH, FIELD], NONE, Many("Task")),
    about!(Post "/tasks/search/", "Search tasks.", [], One("Search"), Many("Task")),
    about!(Get "/tasks/<task>/", "Read a task.", [], NONE, One("Task")),
    about!(Delete "/tasks/<task>/", "Cancel a task.", [], NONE, Null),
    about!(Get "/users/", "List the users.", [], NONE, Many("User")),
    about!(Post "/users/", "Create a user.", [], One("NewUser"), One("User")),
    about!(Get "/users/search/", "Search users.", [SEARCH, FIELD], NONE, Many("User")),
    about!(Post "/users/search/", "Search users.", [], One("Search"), Many("User")),
    about!(Get "/users/<login>/", "Read a user.", [], NONE, One("User")),
    about!(Put "/users/<login>/", "Change a user.", [], One("UserUpdate"), One("User")),
    about!(Delete "/users/<login>/", "Delete a user.", [], NONE, Null),
];
