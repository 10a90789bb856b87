//! All operations of the API (pulp2/server#operations).

pub use crate::operation::{Disk, Operation, RestBodyKind, RestRoute, RestVerb};
use crate::{
    actions, applicability, associate, distributors, history, importers, login, orphans,
    permissions, plugins, repo_groups, repositories, roles, schedules, signing_keys, sources,
    status, task_groups, tasks, units, uploads, users,
};

/// The operations of each group of handlers.
static TABLES: &[&[RestRoute]] = &[
    actions::OPERATIONS,
    applicability::OPERATIONS,
    associate::OPERATIONS,
    distributors::OPERATIONS,
    history::OPERATIONS,
    importers::OPERATIONS,
    login::OPERATIONS,
    orphans::OPERATIONS,
    permissions::OPERATIONS,
    plugins::OPERATIONS,
    repo_groups::OPERATIONS,
    repositories::OPERATIONS,
    roles::OPERATIONS,
    schedules::OPERATIONS,
    signing_keys::OPERATIONS,
    sources::OPERATIONS,
    status::OPERATIONS,
    task_groups::OPERATIONS,
    tasks::OPERATIONS,
    units::OPERATIONS,
    uploads::OPERATIONS,
    users::OPERATIONS,
];

/// The operations.
pub fn routes() -> impl Iterator<Item = &'static RestRoute> {
    TABLES.iter().copied().flatten()
}

/// The groups of the operations: the first segments of their paths, each once.
#[must_use]
pub fn groups() -> Vec<&'static str> {
    let mut groups: Vec<_> = routes().map(|route| route.purpose().group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operation_stands_twice_and_every_path_has_both_slashes() {
        let mut seen = std::collections::HashSet::new();
        for route in routes() {
            assert!(seen.insert((route.verb, route.path)), "{}", route.path);
            assert!(route.path.starts_with('/') && route.path.ends_with('/'));
        }
    }

    #[test]
    fn what_is_made_inside_of_something_else_is_known() {
        let mut inside: Vec<_> = (routes())
            .filter(|route| route.makes_inside().is_some())
            .map(|route| route.path)
            .collect();
        assert!(inside.iter().all(|path| path.starts_with("/repo")));
        inside.retain(|path| !path.contains("/schedules/"));
        inside.sort_unstable();
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
        assert!(routes().all(|r| r.makes_inside().is_none_or(|n| n == 2)));
    }

    #[test]
    fn only_the_status_is_open_to_everybody() {
        let open: Vec<_> = routes()
            .filter(|r| r.operation.is_none())
            .map(|r| r.path)
            .collect();
        assert_eq!(open, ["/status/"]);
    }
}
