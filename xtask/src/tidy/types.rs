//! Names of content types, which only their own folders and the list of all types may say. They are read from those
//! folders, so that a new type is guarded from its first day.

use std::collections::BTreeSet;

use super::Problem;
use super::rust::RustSource;
use super::tree::Tree;
use super::words::outside;

/// The crate that may not even show a command of one section: it is the same for all of them.
const COMMAND_LINE: &str = "crates/cli";

/// Ids of unit types and plugins, sections and notes, as the types give them: `id: "…"`, or `id: NAME` with its constant.
fn names(tree: &Tree) -> BTreeSet<&str> {
    const FIELDS: &[&str] = &["id:", "section:", "note:", "importer:", "distributor:"];
    let sources = tree
        .rust()
        .filter(|(file, _)| file.path.starts_with("types/") && !file.is_test());
    let mut names = BTreeSet::new();
    for (_, source) in sources {
        for (number, line) in source.code.lines().enumerate() {
            let line = line.trim();
            let Some(value) = FIELDS.iter().find_map(|field| line.strip_prefix(field)) else {
                continue;
            };
            let value = value.trim().trim_end_matches(',');
            if value.starts_with('"') {
                names.extend(string_at(source, number + 1));
            } else {
                names.extend(constant(source, value));
            }
        }
    }
    names
}

fn string_at(source: &RustSource, line: usize) -> Option<&str> {
    let mut all = source.strings.iter();
    all.find(|(at, _)| *at == line)
        .map(|(_, text)| text.as_str())
}

/// The text of a constant of the same file.
fn constant<'a>(source: &'a RustSource, name: &str) -> Option<&'a str> {
    let start = format!("const {name}: &str =");
    let mut lines = source.code.lines().enumerate();
    let (number, _) = lines.find(|(_, line)| line.contains(&start))?;
    string_at(source, number + 1)
}

/// The platform asks a content type what it can do, never what it is called.
pub(crate) fn only_types_know_types(tree: &Tree) -> Vec<Problem> {
    const RULE: &str = "type";
    let names = names(tree);
    let mut problems = Vec::new();
    let homes = ["crates/pith"];
    for (file, source) in outside(tree, &homes).filter(|(file, _)| !file.path.starts_with("types/"))
    {
        let strict = file.home() == COMMAND_LINE;
        for (line, text) in &source.strings {
            let named = if strict {
                names.contains(text.as_str()) || shows_a_section(text, &names)
            } else {
                names.contains(text.as_str()) && is_about_types(source, *line, text)
            };
            if named && !source.waives(RULE, *line) {
                let message = format!(
                    "names a content type: \"{text}\": ask for a capability or for words (pith-content) instead"
                );
                problems.push(Problem::at(&file.path, *line, message));
            }
        }
    }
    problems
}

/// Tells whether a text shows a command of a section of a type: ``pith rpm repo list``.
fn shows_a_section(text: &str, names: &BTreeSet<&str>) -> bool {
    let after = text.split("pith ").skip(1);
    after
        .filter_map(|rest| rest.split([' ', '`']).next())
        .any(|word| names.contains(word))
}

/// Tells whether a name that is also an ordinary word (`iso`, an ending of files) is meant as a type.
fn is_about_types(source: &RustSource, line: usize, text: &str) -> bool {
    let is_ordinary = !text.contains('_') && text.len() < 5 || text == "distribution";
    let code = source.code.lines().nth(line - 1);
    !is_ordinary || code.is_some_and(|code| code.contains("type"))
}

/// The command line sees what types say of themselves as data, and no behaviour.
pub(crate) fn the_command_line_reads_data_only(tree: &Tree) -> Vec<Problem> {
    const DATA: &[&str] = &["words::", "descriptor::"];
    let mut problems = Vec::new();
    let sources = tree
        .rust()
        .filter(|(file, _)| file.home() == COMMAND_LINE && !file.is_test());
    for (file, source) in sources {
        for (number, line) in source.code.lines().enumerate() {
            let mut uses = line.split("pith_content::").skip(1);
            if uses.any(|rest| !DATA.iter().any(|module| rest.starts_with(module))) {
                problems.push(Problem::at(
                    &file.path,
                    number + 1,
                    "the command line may see `pith_content::words` and `pith_content::descriptor` only",
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(problems: &[Problem]) -> Vec<&str> {
        let places = problems.iter().map(|problem| problem.place.as_str());
        places.collect()
    }

    const TYPE: &str = "const BALL: &str = \"ball\";\nUnitType {\n    id: BALL,\n}\nPluginDescriptor {\n    id: \"ball_importer\",\n}\nWords {\n    section: \"iso\",\n}\n";

    #[test]
    fn the_platform_does_not_name_types() {
        let text = "if type_id == \"ball\" {}\nlet fine = \"ballroom\";\nmatch ending { \"ball\" => 1 }\nlet id = \"ball_importer\";\n";
        let tree = Tree::of(&[
            ("types/toys/src/lib.rs", TYPE),
            ("types/toys/src/a.rs", text),
            ("crates/engine/src/a.rs", text),
            ("crates/pith/src/types.rs", text),
        ]);
        assert_eq!(
            places(&only_types_know_types(&tree)),
            ["crates/engine/src/a.rs:1", "crates/engine/src/a.rs:4"]
        );
    }

    #[test]
    fn the_command_line_shows_no_section() {
        let text = "let a = \"ball\";\nlet b = \"`pith iso repo list` lists\";\nlet c = \"`pith {section} repo list` lists\";\n#[cfg(test)]\nmod tests { const D: &str = \"pith iso repo\"; }\n";
        let tree = Tree::of(&[
            ("types/toys/src/lib.rs", TYPE),
            ("crates/cli/src/a.rs", text),
        ]);
        assert_eq!(
            places(&only_types_know_types(&tree)),
            ["crates/cli/src/a.rs:1", "crates/cli/src/a.rs:2"]
        );
    }

    #[test]
    fn the_command_line_sees_no_behaviour() {
        let text = "use pith_content::words::Words;\nuse pith_content::ContentType;\nuse pith_content::{words, Importer};\n";
        let tree = Tree::of(&[("crates/cli/src/a.rs", text)]);
        assert_eq!(
            places(&the_command_line_reads_data_only(&tree)),
            ["crates/cli/src/a.rs:2", "crates/cli/src/a.rs:3"]
        );
    }
}
