//! Rules about files as such: which must be there, how they begin, how long they get.

use super::Problem;
use super::tree::Tree;

/// Longer than this deserves a thought.
const LONG: usize = 500;
/// Longer than this is two files.
const TOO_LONG: usize = 900;

/// Makes sure that what a newcomer looks for first is there.
pub(crate) fn documents_exist(tree: &Tree) -> Vec<Problem> {
    const DOCUMENTS: &[&str] = &[
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
    ];
    DOCUMENTS
        .iter()
        .filter(|path| {
            tree.get(path)
                .is_none_or(|file| file.text.trim().is_empty())
        })
        .map(|path| Problem::new(*path, "is missing or empty"))
        .collect()
}

/// Every Rust file opens with a `//!` comment that says what it holds; tests say it in their names.
pub(crate) fn every_module_says_what_it_is(tree: &Tree) -> Vec<Problem> {
    tree.rust()
        .filter(|(file, _)| !file.is_test() && !file.text.starts_with("//!"))
        .map(|(file, _)| {
            Problem::at(
                &file.path,
                1,
                "must open with a `//!` comment that says what the file holds",
            )
        })
        .collect()
}

/// A doc comment says what an item is: it begins with a noun phrase, or with a verb in the third person, and not as a
/// question does.
pub(crate) fn doc_comments_are_no_questions(tree: &Tree) -> Vec<Problem> {
    const QUESTIONS: &[&str] = &[
        "What", "Whether", "Of", "How", "Where", "Which", "When", "Why", "Who", "Whose",
    ];
    let mut problems = Vec::new();
    for (file, _) in tree.rust() {
        if !file.home().starts_with("crates/") && !file.home().starts_with("types/") {
            continue;
        }
        let mut before = "";
        for (index, line) in file.text.lines().map(str::trim_start).enumerate() {
            let begins = ["///", "//!"]
                .iter()
                .any(|mark| line.starts_with(mark) && !before.starts_with(mark));
            before = line;
            let word = line.trim_start_matches(['/', '!']);
            let word = word.split_whitespace().next();
            let Some(word) = word.filter(|word| begins && QUESTIONS.contains(word)) else {
                continue;
            };
            let text = format!(
                "the comment begins with `{word}`: begin with a noun phrase or a verb (\"The key of…\", \"Returns…\")"
            );
            problems.push(Problem::at(&file.path, index + 1, text));
        }
    }
    problems
}

/// Files hold one thing.
pub(crate) fn files_stay_short(tree: &Tree) -> Vec<Problem> {
    tree.rust()
        .filter(|(file, source)| !file.is_test() && source.lines_outside_tests > LONG)
        .map(|(file, source)| {
            let lines = source.lines_outside_tests;
            if lines > TOO_LONG {
                Problem::new(
                    &file.path,
                    format!("{lines} lines without tests (limit {TOO_LONG}): split it"),
                )
            } else {
                Problem::new(
                    &file.path,
                    format!("{lines} lines without tests: has it become two things?"),
                )
                .warning()
            }
        })
        .collect()
}

/// No blanks at line ends, and a last line that ends.
pub(crate) fn no_trailing_blanks(tree: &Tree) -> Vec<Problem> {
    let ours = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let written = matches!(
            extension,
            "rs" | "toml" | "md" | "sql" | "sh" | "yml" | "yaml" | "html" | "css"
        );
        (written || path.starts_with(".ci/")) && !path.contains("/snapshots/")
    };
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| ours(&file.path)) {
        for (index, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                problems.push(Problem::at(
                    &file.path,
                    index + 1,
                    "blanks at the end of the line",
                ));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            problems.push(Problem::new(&file.path, "the last line has no line end"));
        }
    }
    problems
}

/// Every folder below `types/` stands in the list of content types.
pub(crate) fn every_type_is_listed(tree: &Tree) -> Vec<Problem> {
    const LIST: &str = "crates/pith/src/types.rs";
    let code = tree
        .get(LIST)
        .and_then(|file| file.rust.as_ref())
        .map_or("", |source| source.code.as_str());
    tree.files
        .iter()
        .filter_map(|file| {
            file.path
                .strip_prefix("types/")?
                .strip_suffix("/Cargo.toml")
        })
        .filter(|name| !name.contains('/'))
        .filter(|name| !code.contains(&format!("pith_type_{}", name.replace('-', "_"))))
        .map(|name| Problem::new(format!("types/{name}"), format!("is not listed in {LIST}")))
        .collect()
}

/// The lines of `[section]` in a TOML file, with their numbers.
fn section(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = wanted(line.trim_matches(['[', ']']));
        } else if inside && line.contains('=') && !line.starts_with(['#', ' ']) {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Every dependency of the workspace says why the project has it.
pub(crate) fn every_dependency_has_a_reason(tree: &Tree) -> Vec<Problem> {
    let Some(manifest) = tree.get("Cargo.toml") else {
        return Vec::new();
    };
    section(&manifest.text, |name| name == "workspace.dependencies")
        .into_iter()
        .filter(|(_, line)| !line.contains("path = ") && !line.contains(" # "))
        .map(|(number, _)| {
            Problem::at(
                "Cargo.toml",
                number,
                "say in a comment why the project has this dependency",
            )
        })
        .collect()
}

/// Members take versions from the workspace, so that one place decides.
pub(crate) fn members_inherit_versions(tree: &Tree) -> Vec<Problem> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && file.path != "fuzz/Cargo.toml")
        .flat_map(|file| {
            section(&file.text, |name| name.ends_with("dependencies"))
                .into_iter()
                .filter(|(_, line)| !line.contains("workspace = true"))
                .map(|(number, _)| {
                    Problem::at(
                        &file.path,
                        number,
                        "declare the dependency in the workspace Cargo.toml and inherit it",
                    )
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(problems: &[Problem]) -> Vec<&str> {
        problems
            .iter()
            .map(|problem| problem.place.as_str())
            .collect()
    }

    #[test]
    fn missing_and_empty_documents_are_named() {
        let tree = Tree::of(&[("README.md", "# pith\n"), ("CHANGELOG.md", "\n")]);
        let found = documents_exist(&tree);
        assert!(!places(&found).contains(&"README.md"));
        assert!(places(&found).contains(&"CHANGELOG.md"));
        assert!(places(&found).contains(&"ARCHITECTURE.md"));
    }

    #[test]
    fn a_module_without_an_opening_comment_is_found() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "//! Good.\n"),
            ("a/src/b.rs", "fn b() {}\n"),
        ]);
        assert_eq!(
            places(&every_module_says_what_it_is(&tree)),
            ["a/src/b.rs:1"]
        );
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail_without_counting_tests() {
        let lines = |count: usize| "fn a() {}\n".repeat(count);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            lines(400),
            lines(600)
        );
        let tree = Tree::of(&[
            ("a/src/fine.rs", &tested),
            ("a/src/long.rs", &lines(LONG + 1)),
            ("a/src/worse.rs", &lines(TOO_LONG + 1)),
        ]);
        let found = files_stay_short(&tree);
        assert_eq!(places(&found), ["a/src/long.rs", "a/src/worse.rs"]);
        assert!(found[0].warning && !found[1].warning);
    }

    #[test]
    fn trailing_blanks_are_found_with_their_line() {
        let tree = Tree::of(&[
            ("a.md", "one\ntwo \nthree"),
            ("a.rpm", "x \n"),
            ("b.rs", "//! b\n"),
        ]);
        assert_eq!(places(&no_trailing_blanks(&tree)), ["a.md:2", "a.md"]);
    }

    #[test]
    fn a_type_that_nobody_lists_is_found() {
        let tree = Tree::of(&[
            ("types/rpm/Cargo.toml", ""),
            ("types/new-one/Cargo.toml", ""),
            (
                "crates/pith/src/types.rs",
                "//! List.\nuse pith_type_rpm::Rpm; // pith_type_new_one\n",
            ),
        ]);
        assert_eq!(places(&every_type_is_listed(&tree)), ["types/new-one"]);
    }

    #[test]
    fn dependencies_need_a_reason_and_one_place() {
        let tree = Tree::of(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\npith-core = { path = \"crates/core\" }\nhex = \"1\" # digests as text\nlog = \"1\"\n",
            ),
            (
                "crates/core/Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\nhex.workspace = true\nlog = \"1\"\n",
            ),
        ]);
        assert_eq!(
            places(&every_dependency_has_a_reason(&tree)),
            ["Cargo.toml:4"]
        );
        assert_eq!(
            places(&members_inherit_versions(&tree)),
            ["crates/core/Cargo.toml:5"]
        );
    }

    #[test]
    fn a_doc_comment_that_asks_is_found_where_it_begins() {
        let text = "//! How it goes.\n/// What it is.\nfn a() {}\n\n/// The size.\n/// What else.\nfn b() {}\n    /// Where so.\n    fn c() {}\n/// Whatever.\nfn d() {}\n";
        let tree = Tree::of(&[("crates/a/src/a.rs", text), ("tests/src/a.rs", text)]);
        let found = doc_comments_are_no_questions(&tree);
        let places: Vec<&str> = found.iter().map(|problem| &*problem.place).collect();
        assert_eq!(
            places,
            [
                "crates/a/src/a.rs:1",
                "crates/a/src/a.rs:2",
                "crates/a/src/a.rs:8"
            ]
        );
    }
}
