//! The crates that a crate may see: the tree is the architecture, and arrows only point down.

use super::Problem;
use super::metadata::{Member, Workspace};

/// Each crate of the platform with the crates it may be built from. Content types are not listed: all of them see
/// [`TYPES_SEE`].
const LAYERS: &[(&str, &[&str])] = &[
    ("pith-core", &[]),
    ("pith-content", &["pith-core"]),
    ("pith-store", &["pith-core"]),
    ("pith-blobs", &["pith-core"]),
    ("pith-fetch", &["pith-core"]),
    ("pith-trust", &["pith-core"]),
    ("pith-iso", &[]),
    ("pith-sign", &["pith-core"]),
    (
        "pith-engine",
        &[
            "pith-content",
            "pith-store",
            "pith-blobs",
            "pith-fetch",
            "pith-iso",
            "pith-sign",
            "pith-core",
        ],
    ),
    // The engine knows nothing of it: what it needs of the nouns it is handed.
    ("pith-pulp", ABOVE_ENGINE),
    ("pith-api", ABOVE_PULP),
    ("pith-serve", ABOVE_ENGINE),
    ("pith-web", ABOVE_PULP),
    ("pith-import2", ABOVE_PULP),
    // Speaks HTTP only: what a stranger's client could not do, it cannot do either. Of the seam it sees words and
    // descriptors (`words::the_command_line_reads_data_only`).
    ("pith-cli", &["pith-content", "pith-core"]),
    (
        "pith-testkit",
        &[
            "pith-engine",
            "pith-content",
            "pith-store",
            "pith-blobs",
            "pith-fetch",
            "pith-core",
        ],
    ),
    ("pith-e2e", &["pith-testkit"]),
    ("pith-bench", &["pith-e2e", "pith-testkit"]),
    ("xtask", &[]),
];

const ABOVE_PULP: &[&str] = &[
    "pith-pulp",
    "pith-engine",
    "pith-content",
    "pith-store",
    "pith-blobs",
    "pith-fetch",
    "pith-trust",
    "pith-sign",
    "pith-core",
];

const ABOVE_ENGINE: &[&str] = &[
    "pith-engine",
    "pith-content",
    "pith-store",
    "pith-blobs",
    "pith-fetch",
    "pith-trust",
    "pith-sign",
    "pith-core",
];

/// The crates that a content type may be built from.
const TYPES_SEE: &[&str] = &["pith-content", "pith-core"];

/// The crates that the binary may not be built from; everything else is its to wire together.
const BINARY_DOES_NOT_SEE: &[&str] = &["pith-testkit", "pith-e2e", "pith-bench", "xtask"];

/// Libraries that belong to one layer, with the crates that may be built from them.
const HOMES: &[(&str, &[&str], &str)] = &[
    (
        "sqlx",
        &["pith-store", "pith-testkit"],
        "all SQL lives in pith-store",
    ),
    (
        "object_store",
        &["pith-blobs", "pith-testkit"],
        "all storage goes through pith-blobs",
    ),
    (
        "reqwest",
        &["pith-fetch", "pith-cli", "pith-testkit"],
        "every outgoing connection goes through pith-fetch",
    ),
    (
        "pgp",
        &["pith-sign"],
        "every OpenPGP key and signature goes through pith-sign",
    ),
    (
        "rsa",
        &["pith-sign"],
        "it signs nothing here: its time depends on the key (RUSTSEC-2023-0071)",
    ),
    (
        "rpm",
        &["pith-type-rpm", "pith-testkit", "pith-bench"],
        "only types/rpm knows packages",
    ),
];

fn is_type(name: &str) -> bool {
    name.starts_with("pith-type-")
}

/// Tells whether `member` may be built from the crate `other` of the workspace; `None` when nobody said.
fn may_see(member: &str, other: &str) -> Option<bool> {
    if member == "pith" {
        return Some(!BINARY_DOES_NOT_SEE.contains(&other));
    }
    if is_type(member) {
        return Some(TYPES_SEE.contains(&other));
    }
    let (_, sees) = LAYERS.iter().find(|(name, _)| *name == member)?;
    Some(sees.contains(&other))
}

/// Crates depend only on crates below them; tests may also use `pith-testkit`, and those of the command line the types whose
/// commands they run.
pub(crate) fn arrows_point_down(workspace: &Workspace) -> Vec<Problem> {
    let is_ours = |name: &&String| workspace.members.iter().any(|member| member.name == **name);
    workspace
        .members
        .iter()
        .flat_map(|member| {
            let uses = member.uses.iter().filter(is_ours);
            let is_free = |name: &str| {
                name == "pith-testkit"
                    || name == member.name
                    || (member.name == "pith-cli" && is_type(name))
            };
            let tests_use = member.tests_use.iter().filter(is_ours);
            let tests_use = tests_use.filter(move |name| !is_free(name));
            uses.chain(tests_use)
                .filter_map(|other| arrow(member, other))
        })
        .chain(workspace.members.iter().filter_map(unknown))
        .collect()
}

fn arrow(member: &Member, other: &str) -> Option<Problem> {
    let name = member.name.as_str();
    if may_see(name, other)? {
        return None;
    }
    let instead = if is_type(name) {
        "a content type sees pith-content and pith-core; widen a context in pith-content instead"
    } else if is_type(other) {
        "only crates/pith names a concrete type; ask for a capability in pith-content instead"
    } else if name == "pith-cli" {
        "the command line speaks HTTP only, and reads the words of types"
    } else {
        "arrows point down only (ARCHITECTURE.md)"
    };
    Some(Problem::new(
        name,
        format!("must not depend on {other}: {instead}"),
    ))
}

/// A crate that the table does not know has no rules, which is not the same as having none to keep.
fn unknown(member: &Member) -> Option<Problem> {
    may_see(&member.name, "").is_none().then(|| {
        Problem::new(
            &member.name,
            "is not in LAYERS: add it to xtask/src/tidy/layers.rs with what it may see",
        )
    })
}

/// Libraries that do I/O of one kind are used by the layer that owns that kind.
pub(crate) fn libraries_stay_at_home(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (library, homes, reason) in HOMES {
        for member in &workspace.members {
            let uses = member.uses.iter().any(|name| name == library);
            if uses && !homes.contains(&member.name.as_str()) {
                problems.push(Problem::new(
                    &member.name,
                    format!("must not depend on {library}: {reason}"),
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(problems: &[Problem]) -> Vec<String> {
        problems
            .iter()
            .map(|problem| format!("{} {}", problem.place, problem.message))
            .collect()
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        let workspace = Workspace::of(&[
            ("pith", &["pith-api", "pith-type-rpm", "pith-store"], &[]),
            (
                "pith-api",
                &["pith-pulp", "pith-engine", "pith-core", "axum"],
                &["pith-testkit"],
            ),
            ("pith-pulp", &["pith-engine", "pith-trust"], &[]),
            ("pith-engine", &["pith-store", "pith-core"], &[]),
            ("pith-store", &["pith-core", "sqlx"], &[]),
            ("pith-type-rpm", &["pith-content"], &["pith-testkit"]),
            ("pith-content", &["pith-core"], &[]),
            ("pith-core", &[], &["pith-testkit"]),
            ("pith-cli", &["pith-content"], &["pith-type-rpm"]),
            ("pith-testkit", &["pith-core"], &[]),
        ]);
        assert_eq!(
            complaints(&arrows_point_down(&workspace)),
            Vec::<String>::new()
        );
        assert_eq!(
            complaints(&libraries_stay_at_home(&workspace)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn arrows_that_point_up_or_sideways_are_refused() {
        for (from, to) in [
            ("pith-store", "pith-engine"),
            ("pith-store", "pith-blobs"),
            ("pith-type-rpm", "pith-store"),
            ("pith-type-rpm", "pith-type-file"),
            ("pith-engine", "pith-type-rpm"),
            ("pith-engine", "pith-pulp"),
            ("pith-serve", "pith-pulp"),
            ("pith-cli", "pith-engine"),
            ("pith-cli", "pith-type-rpm"),
            ("pith-core", "pith-testkit"),
            ("pith", "pith-testkit"),
        ] {
            let workspace = Workspace::of(&[(from, &[to], &[]), (to, &[], &[])]);
            let found = complaints(&arrows_point_down(&workspace));
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
            assert!(found[0].contains(to), "{found:?}");
        }
    }

    #[test]
    fn tests_are_held_to_the_arrows_but_for_the_testkit() {
        let workspace = Workspace::of(&[
            ("pith-store", &[], &["pith-engine"]),
            ("pith-engine", &[], &[]),
        ]);
        assert_eq!(arrows_point_down(&workspace).len(), 1);
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        let workspace = Workspace::of(&[("pith-surprise", &[], &[])]);
        assert!(complaints(&arrows_point_down(&workspace))[0].contains("LAYERS"));
    }

    #[test]
    fn a_database_library_outside_store_is_refused() {
        let workspace = Workspace::of(&[
            ("pith-api", &["sqlx"], &[]),
            ("pith-engine", &[], &["reqwest"]),
        ]);
        let found = complaints(&libraries_stay_at_home(&workspace));
        assert_eq!(
            found,
            ["pith-api must not depend on sqlx: all SQL lives in pith-store"]
        );
    }
}
