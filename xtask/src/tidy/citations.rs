//! Citations of how Pulp 2 behaves: each names a page of `docs/reference/pulp2`, and a heading of it.

use std::collections::{HashMap, HashSet};

use super::Problem;
use super::tree::Tree;

/// The folder of the pages.
const FOLDER: &str = "docs/reference/pulp2/";
/// The beginning of a citation, and of a link to a page from elsewhere.
const CITED: &str = "pulp2/";
/// The sign in front of section numbers.
const SECTION: char = '\u{a7}';

/// The headings of each page by its name.
type Pages<'a> = HashMap<&'a str, HashSet<String>>;

/// Citations lead to pages and headings that exist, and nothing cites sections of documents that are not in the repository.
pub(crate) fn citations_lead_somewhere(tree: &Tree) -> Vec<Problem> {
    let pages = pages(tree);
    let mut problems = Vec::new();
    for file in &tree.files {
        let own = file.path.starts_with(FOLDER);
        for (index, line) in file.text.lines().enumerate() {
            let number = index + 1;
            let links = own.then(|| between(line, "](")).into_iter().flatten();
            let cited = between(line, CITED).chain(links);
            let broken = cited.filter_map(|target| unknown(&pages, target));
            problems.extend(broken.map(|why| Problem::at(&file.path, number, why)));
            if cites_elsewhere(line) {
                let why = "cites a section of something that is not in the repository: cite docs/reference/pulp2, or an RFC";
                problems.push(Problem::at(&file.path, number, why));
            }
        }
    }
    problems
}

/// Reads which headings the pages have.
fn pages(tree: &Tree) -> Pages<'_> {
    let pages = tree.files.iter().filter_map(|file| {
        let name = file.path.strip_prefix(FOLDER)?.strip_suffix(".md")?;
        let headings = file
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("## "));
        Some((name, headings.map(slug).collect()))
    });
    pages.collect()
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|character| {
        let is_kept = character.is_alphanumeric() || character == '-';
        match character {
            ' ' => Some('-'),
            _ => is_kept.then(|| character.to_ascii_lowercase()),
        }
    });
    kept.collect()
}

/// The words behind each `start` in a line, as far as names of pages and headings go.
fn between<'a>(line: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(start).map(move |(at, _)| {
        let rest = &line[at + start.len()..];
        let ends = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-#.".contains(c));
        let word = rest.split(ends).next().unwrap_or_default();
        word.trim_end_matches(['.', '-', '#'])
    })
}

/// Says what is wrong with `page#heading`, or `page.md#heading`; `None` when it is there, or is neither.
fn unknown(pages: &Pages<'_>, target: &str) -> Option<String> {
    let (page, heading) = match target.split_once('#') {
        Some((page, heading)) => (page, Some(heading)),
        None => (target, None),
    };
    let page = page.strip_suffix(".md").unwrap_or(page);
    // A path to somewhere else, the folder itself, or its list of pages.
    if page.is_empty() || page.contains('.') {
        return None;
    }
    let Some(headings) = pages.get(page) else {
        return Some(format!("{FOLDER} has no page '{page}'"));
    };
    let heading = heading.filter(|heading| !headings.contains(*heading))?;
    Some(format!("{FOLDER}{page}.md has no heading '{heading}'"))
}

/// Tells whether a line cites a numbered section of something else than an RFC.
fn cites_elsewhere(line: &str) -> bool {
    line.match_indices(SECTION).any(|(at, _)| {
        let mut words = line[..at].split_whitespace().rev();
        let (number, kind) = (words.next(), words.next());
        let is_number = number.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        !(is_number && kind.is_some_and(|word| word.trim_start_matches('(') == "RFC"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[(&str, &str)]) -> Vec<String> {
        let page = (
            "docs/reference/pulp2/search.md",
            "# Searches\n\n## Post and get\n\n## Order\n",
        );
        let tree = Tree::of(&[&[page], files].concat());
        let problems = citations_lead_somewhere(&tree);
        problems.into_iter().map(|problem| problem.place).collect()
    }

    /// A citation, put together here so that the rule does not read it in this file.
    fn cited(target: &str) -> String {
        format!("//! Sorts ({CITED}{target}).\n")
    }

    #[test]
    fn citations_of_pages_and_headings_that_exist_pass() {
        for good in [
            "search",
            "search#order",
            "search#post-and-get",
            "search.md#order",
            "PAGE#HEADING",
        ] {
            assert!(places(&[("a.rs", &cited(good))]).is_empty(), "{good}");
        }
        let several = format!("// ({CITED}search#order, {CITED}search): so.\n");
        assert!(places(&[("a.rs", &several)]).is_empty());
    }

    #[test]
    fn a_page_or_heading_that_is_not_there_is_found_where_it_is_cited() {
        let files = [
            ("a.rs", cited("nowhere")),
            ("b.md", format!("x\n{}", cited("search#odour"))),
        ];
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        assert_eq!(places(&files), ["a.rs:1", "b.md:2"]);
    }

    #[test]
    fn links_between_pages_are_citations_too() {
        let page = "[a](search.md#order) [b](../../differences.md) [c](search.md#nothing) [d](missing.md)\n";
        let path = "docs/reference/pulp2/tasks.md";
        assert_eq!(
            places(&[(path, page)]),
            [format!("{path}:1"), format!("{path}:1")]
        );
        assert!(places(&[("docs/other.md", page)]).is_empty());
    }

    #[test]
    fn only_rfcs_are_cited_by_section() {
        let line = |before: &str| format!("// So it is ({before}{SECTION}2.2).\n");
        assert!(places(&[("a.rs", &line("RFC 1952 "))]).is_empty());
        for other in ["design ", "reference: rpm ", ""] {
            assert_eq!(places(&[("a.rs", &line(other))]), ["a.rs:1"], "{other}");
        }
    }
}
