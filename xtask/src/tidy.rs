//! The rules of the house, each a function from the tree to what is wrong with it.

mod citations;
mod files;
mod layers;
mod metadata;
mod rust;
mod tree;
mod types;
mod used;
mod words;

use std::fmt;
use std::process::ExitCode;

use metadata::Workspace;
use tree::Tree;

/// Something a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Path relative to the workspace, with the line where there is one.
    place: String,
    /// The fault, and what to do instead.
    message: String,
    /// Shown, but not a failure.
    warning: bool,
}

impl Problem {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
            warning: false,
        }
    }

    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), message)
    }

    fn warning(self) -> Self {
        Self {
            warning: true,
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "error" };
        write!(formatter, "{kind}: {}: {}", self.place, self.message)
    }
}

type TreeRule = fn(&Tree) -> Vec<Problem>;
type WorkspaceRule = fn(&Workspace) -> Vec<Problem>;

/// Rules about files.
const TREE_RULES: &[TreeRule] = &[
    files::documents_exist,
    files::every_module_says_what_it_is,
    files::files_stay_short,
    files::no_trailing_blanks,
    files::every_type_is_listed,
    files::every_dependency_has_a_reason,
    files::members_inherit_versions,
    words::sql_stays_in_store,
    words::only_blobs_renames,
    words::libraries_do_not_print,
    words::nobody_shells_out,
    types::only_types_know_types,
    types::the_command_line_reads_data_only,
    used::public_functions_have_users,
    files::doc_comments_are_no_questions,
    citations::citations_lead_somewhere,
];

/// Rules about crates.
const WORKSPACE_RULES: &[WorkspaceRule] =
    &[layers::arrows_point_down, layers::libraries_stay_at_home];

/// Runs every rule on the workspace this was built from, prints what they find, fails when there is an error.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let tree = Tree::read()?;
    let workspace = Workspace::read(&tree)?;
    let mut problems: Vec<Problem> = TREE_RULES.iter().flat_map(|rule| rule(&tree)).collect();
    problems.extend(WORKSPACE_RULES.iter().flat_map(|rule| rule(&workspace)));
    for problem in &problems {
        eprintln!("{problem}");
    }
    let errors = problems.iter().filter(|problem| !problem.warning).count();
    let rules = TREE_RULES.len() + WORKSPACE_RULES.len();
    println!(
        "tidy: {rules} rules, {} files, {errors} errors, {} warnings",
        tree.files.len(),
        problems.len() - errors
    );
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
