//! Every command that a text names exists: help, error hints, README and docs are read as a person would, and each
//! `pith …` in them is given to the real command line.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Texts of the project that people read or that programs show to them.
fn texts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if (name.ends_with(".md") || name.ends_with(".rs")) && name != "said.rs" {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "the workspace was not found");
    found
}

/// The commands that a text names: `pith …` between backticks, and lines of code blocks.
fn commands(path: &Path, text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .match_indices("`pith ")
        .filter_map(|(at, _)| {
            let rest = &text[at + 1..];
            Some(rest[..rest.find('`')?].to_owned())
        })
        .collect();
    if path.extension().is_some_and(|ending| ending == "md") {
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            } else if inside {
                let line = line.trim_start_matches("$ ");
                // A drawing of the crates is no command.
                let own =
                    (line.starts_with("pith ") && !line.contains('►')).then(|| line.to_owned());
                let built = (line.starts_with("cargo run") && !line.contains(" -p ")).then(|| {
                    let (_, rest) = line.split_once(" -- ")?;
                    Some(format!("pith {rest}"))
                });
                found.extend(own.or(built.flatten()));
            }
        }
    }
    found
}

/// The words of a command as a shell would split them, with something in place of what a person fills in.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let command = command.replace("{section}", "rpm").replace("\\\"", "\"");
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in command.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ' ' | '\n') => words.push(String::new()),
            (_, other) => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    // After an ellipsis, or what stands for several words, anything may follow.
    let end = words
        .iter()
        .position(|word| word.contains('…') || word.starts_with('<'));
    words.truncate(end.unwrap_or(words.len()));
    words
}

/// The fault of a command; one that leaves out what it needs has none.
fn wrong(command: &str) -> Option<String> {
    let words = words(command);
    if words.len() < 2 || words[1].starts_with('{') {
        return None;
    }
    let error = crate::command().try_get_matches_from(&words).err()?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        _ => Some(format!(
            "`{command}`: {}",
            error.to_string().lines().next().unwrap_or_default()
        )),
    }
}

#[test]
fn every_command_that_a_text_names_exists() {
    let mut problems = Vec::new();
    let mut count = 0;
    for path in texts() {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for command in commands(&path, &text) {
            count += 1;
            problems.extend(wrong(&command).map(|what| format!("{}: {what}", path.display())));
        }
    }
    assert!(count > 150, "only {count} commands were found");
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    for command in [
        "pith verify",
        "pith rpm repo sync run x --bogus",
        "pith rpm repo frob …",
    ] {
        assert!(wrong(command).is_some(), "{command}");
    }
    for command in [
        "pith rpm repo create",
        "pith auth …",
        "pith {line}",
        "pith {section} repo sync run {id}",
    ] {
        assert_eq!(wrong(command), None);
    }
}
