//! Words that belong to one layer. A line that must be an exception says so, with its reason:
//! `// tidy: allow(RULE): reason`, on the line or above it.

use super::Problem;
use super::rust::RustSource;
use super::tree::{File, Tree};

/// Crates that are tools or tests: they print, start programs and move files as they like.
const TOOLS: &[&str] = &["crates/testkit", "xtask", "bench", "tests"];

/// Rust files outside `homes` and outside tests.
pub(super) fn outside<'a>(
    tree: &'a Tree,
    homes: &'a [&str],
) -> impl Iterator<Item = (&'a File, &'a RustSource)> {
    tree.rust()
        .filter(|(file, _)| !homes.contains(&file.home()) && !TOOLS.contains(&file.home()))
        .filter(|(file, _)| !file.is_test())
}

/// Lines of code (no comments, strings or tests) that hold one of `words`.
fn code_lines<'a>(
    rule: &'a str,
    source: &'a RustSource,
    words: &'a [&str],
) -> impl Iterator<Item = (usize, &'a str)> {
    source
        .code
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            let word = words.iter().find(|word| holds_word(line, word))?;
            Some((index + 1, *word))
        })
        .filter(move |(line, _)| !source.waives(rule, *line))
}

/// Tells whether `line` holds `word` where no longer word begins or goes on.
fn holds_word(line: &str, word: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_word);
        let after = line[at + word.len()..].chars().next().is_some_and(is_word);
        (!before || !word.starts_with(is_word)) && (!after || !word.ends_with(is_word))
    })
}

/// Only `crates/store` names sqlx or holds SQL.
pub(crate) fn sql_stays_in_store(tree: &Tree) -> Vec<Problem> {
    const RULE: &str = "sql";
    let mut problems = Vec::new();
    for (file, source) in outside(tree, &["crates/store"]) {
        for (line, _) in code_lines(RULE, source, &["sqlx"]) {
            problems.push(Problem::at(
                &file.path,
                line,
                "names sqlx: all SQL lives in crates/store",
            ));
        }
        for (line, text) in &source.strings {
            if is_sql(text) && !source.waives(RULE, *line) {
                problems.push(Problem::at(
                    &file.path,
                    *line,
                    "holds SQL: write a query in crates/store",
                ));
            }
        }
    }
    problems
}

fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    let both = |start: &str, then: &str| text.starts_with(start) && text.contains(then);
    both("SELECT ", " FROM ")
        || both("UPDATE ", " SET ")
        || ["INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA "]
            .iter()
            .any(|start| text.starts_with(start))
}

/// Only `crates/blobs` moves files into place: atomicity and durability are decided there.
pub(crate) fn only_blobs_renames(tree: &Tree) -> Vec<Problem> {
    const RULE: &str = "rename";
    const WORDS: &[&str] = &[
        "fs::rename",
        "fs::renameat",
        ".persist(",
        ".persist_noclobber(",
    ];
    outside(tree, &["crates/blobs"])
        .flat_map(|(file, source)| {
            code_lines(RULE, source, WORDS).map(|(line, word)| {
                Problem::at(
                    &file.path,
                    line,
                    format!("`{word}`: only crates/blobs renames files"),
                )
            })
        })
        .collect()
}

/// Libraries log or return; only programs print.
pub(crate) fn libraries_do_not_print(tree: &Tree) -> Vec<Problem> {
    const RULE: &str = "print";
    const WORDS: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    outside(tree, &["crates/cli", "crates/pith"])
        .flat_map(|(file, source)| {
            code_lines(RULE, source, WORDS).map(|(line, word)| {
                Problem::at(
                    &file.path,
                    line,
                    format!("`{word}` in a library: use tracing, or return it"),
                )
            })
        })
        .collect()
}

/// pith starts no other programs: what it was sent never reaches a shell. The one that sends files to other machines is alone in a
/// file of its own, which gives it arguments and no text for a shell.
pub(crate) fn nobody_shells_out(tree: &Tree) -> Vec<Problem> {
    const RULE: &str = "process";
    outside(tree, &[])
        .filter(|(file, _)| file.path != "crates/engine/src/rsync.rs")
        .flat_map(|(file, source)| {
            code_lines(RULE, source, &["process::Command"]).map(|(line, _)| {
                Problem::at(
                    &file.path,
                    line,
                    "starts another program: pith does its work itself",
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
    fn sql_is_found_in_code_and_strings_but_not_in_comments_or_store() {
        let text = "// SELECT a FROM b, sqlx\nuse sqlx::Pool;\nconst Q: &str = \"SELECT a FROM b\";\nlet sqlx_like = 1;\n";
        let tree = Tree::of(&[
            ("crates/engine/src/a.rs", text),
            ("crates/store/src/a.rs", text),
        ]);
        assert_eq!(
            places(&sql_stays_in_store(&tree)),
            ["crates/engine/src/a.rs:2", "crates/engine/src/a.rs:3"]
        );
        assert!(!is_sql("SELECT one of these"));
    }

    #[test]
    fn renames_are_found_outside_blobs_and_outside_tests() {
        let text = "fn a() { std::fs::rename(x, y); }\nfn b() { file.persist(path) }\n#[cfg(test)]\nmod tests { fn c() { std::fs::rename(x, y); } }\n";
        let tree = Tree::of(&[
            ("crates/serve/src/a.rs", text),
            ("crates/blobs/src/a.rs", text),
        ]);
        assert_eq!(
            places(&only_blobs_renames(&tree)),
            ["crates/serve/src/a.rs:1", "crates/serve/src/a.rs:2"]
        );
    }

    #[test]
    fn printing_is_for_programs_and_waivers() {
        let text = "println!(\"a\");\n// tidy: allow(print): the person has no logger yet\neprintln!(\"b\");\n";
        let tree = Tree::of(&[
            ("crates/fetch/src/a.rs", text),
            ("crates/cli/src/a.rs", text),
            ("crates/fetch/tests/it/a.rs", text),
        ]);
        assert_eq!(
            places(&libraries_do_not_print(&tree)),
            ["crates/fetch/src/a.rs:1"]
        );
    }

    #[test]
    fn programs_are_started_by_tools_only() {
        let text = "use std::process::Command;\nuse clap::Command;\n";
        let tree = Tree::of(&[("types/rpm/src/a.rs", text), ("xtask/src/a.rs", text)]);
        assert_eq!(places(&nobody_shells_out(&tree)), ["types/rpm/src/a.rs:1"]);
    }
}
