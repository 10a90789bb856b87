//! Public functions that nobody calls but tests: code that ships and does nothing.

use std::collections::{HashMap, HashSet};

use super::Problem;
use super::rust::RustSource;
use super::tree::{File, Tree};

/// Tells whether the file belongs to what ships: no test, no example, no bench, nothing that only tests link.
fn ships(file: &File) -> bool {
    let home = file.home();
    let crate_of_ours = home.starts_with("crates/") || home.starts_with("types/");
    crate_of_ours
        && home != "crates/testkit"
        && file.path[home.len()..].starts_with("/src/")
        && !file.path.ends_with("tests.rs")
}

/// Files that a `#[cfg(test)] mod name;` brings in.
fn test_modules(file: &File, source: &RustSource) -> Vec<String> {
    let folder = match file.path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
        _ => file.path.trim_end_matches(".rs").to_owned(),
    };
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("#[cfg(test)]") {
        let mut rest = source.code[at + "#[cfg(test)]".len()..].trim_start();
        while let Some(attribute) = rest.strip_prefix("#[") {
            rest = attribute
                .split_once(']')
                .map_or("", |(_, rest)| rest)
                .trim_start();
        }
        if let Some((name, _)) = rest
            .strip_prefix("mod ")
            .and_then(|rest| rest.split_once(';'))
        {
            found.push(format!("{folder}/{}.rs", name.trim()));
        }
    }
    found
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every word of `text`, counted.
fn words(text: &str) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// The code without its re-exports, which call nothing.
fn without_exports(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("pub use ") {
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        kept.push_str(&rest[..at]);
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

/// The public functions of a file, with their lines.
fn public_functions(code: &str) -> Vec<(usize, &str)> {
    let named = |line: &'_ str| -> Option<(usize, usize)> {
        let start = line.len() - line.trim_start().len();
        let mut at = start + line[start..].strip_prefix("pub ").map(|_| 4)?;
        for qualifier in ["const ", "async ", "unsafe "] {
            at += line[at..]
                .strip_prefix(qualifier)
                .map_or(0, |_| qualifier.len());
        }
        at += line[at..].strip_prefix("fn ").map(|_| 3)?;
        let length = line[at..].find(|c| !is_word(c)).unwrap_or(line.len() - at);
        Some((at, at + length))
    };
    let lines = code.lines().enumerate();
    lines
        .filter_map(|(index, line)| named(line).map(|(from, to)| (index + 1, &line[from..to])))
        .collect()
}

/// A public function that no code which ships mentions is wired in or goes away.
pub(crate) fn public_functions_have_users(tree: &Tree) -> Vec<Problem> {
    let tests: HashSet<String> = tree
        .rust()
        .flat_map(|(file, source)| test_modules(file, source))
        .collect();
    let shipped: Vec<(&File, &RustSource)> = tree
        .rust()
        .filter(|(file, _)| ships(file) && !tests.contains(&file.path))
        .collect();
    let codes: Vec<String> = shipped
        .iter()
        .map(|(_, source)| {
            let mut code = without_exports(&source.code);
            // Attributes name functions in texts: `#[serde(default = "yes")]`.
            for (_, text) in &source.strings {
                if text.chars().all(|c| is_word(c) || c == ':') {
                    code.push(' ');
                    code.push_str(text);
                }
            }
            code
        })
        .collect();
    let mut mentions: HashMap<&str, usize> = HashMap::new();
    for code in &codes {
        for (word, count) in words(code) {
            *mentions.entry(word).or_default() += count;
        }
    }
    let mut definitions: HashMap<&str, usize> = HashMap::new();
    for (_, source) in &shipped {
        for (_, name) in public_functions(&source.code) {
            *definitions.entry(name).or_default() += 1;
        }
    }
    let mut problems = Vec::new();
    for (file, source) in &shipped {
        for (line, name) in public_functions(&source.code) {
            if mentions.get(name) <= definitions.get(name) {
                let text = format!("only tests call `{name}`: wire it in or remove it");
                problems.push(Problem::at(&file.path, line, text));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let problems = public_functions_have_users(&Tree::of(files));
        problems.into_iter().map(|problem| problem.place).collect()
    }

    #[test]
    fn a_function_that_only_tests_call_is_found() {
        let own = "//! A.\npub fn lonely() {}\n    pub async fn used(&self) {}\n#[cfg(test)]\nmod tests {\n fn t() { lonely() }\n}\n";
        let files = [
            ("crates/a/src/a.rs", own),
            (
                "crates/b/src/lib.rs",
                "//! B.\npub use a::lonely;\nfn b() { x.used() }\n",
            ),
            ("crates/b/tests/it/main.rs", "fn t() { lonely() }\n"),
            ("crates/b/examples/e.rs", "fn main() { lonely() }\n"),
            ("crates/testkit/src/lib.rs", "//! T.\nfn t() { lonely() }\n"),
            ("bench/src/main.rs", "//! M.\nfn t() { lonely() }\n"),
        ];
        assert_eq!(found(&files), ["crates/a/src/a.rs:2"]);
    }

    #[test]
    fn its_own_file_and_attributes_are_users_and_a_reason_is_none() {
        let own = "//! A.\npub const fn own() {}\nfn f() { own() }\npub fn yes() -> bool { true }\n#[serde(default = \"yes\")]\n// tidy: allow(unused): the next change calls it\npub fn soon() {}\n";
        assert_eq!(
            found(&[("types/a/src/lib.rs", own)]),
            ["types/a/src/lib.rs:7"]
        );
    }

    #[test]
    fn a_module_of_tests_in_a_file_of_its_own_is_no_user() {
        let files = [
            (
                "crates/a/src/lib.rs",
                "//! A.\npub fn lonely() {}\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod properties;\n",
            ),
            (
                "crates/a/src/properties.rs",
                "//! P.\nfn t() { lonely() }\n",
            ),
        ];
        assert_eq!(found(&files), ["crates/a/src/lib.rs:2"]);
    }
}
