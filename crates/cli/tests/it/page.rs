//! The pages of the project show commands that exist.

use std::path::Path;

use crate::fake::understood;

#[test]
fn the_commands_of_the_readme_are_understood() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let of_the_server = ["serve", "mirror"];
    let lines: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("pith "))
        .filter(|line| !of_the_server.iter().any(|word| line.contains(word)))
        .collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        assert!(understood(line), "{line}");
    }
}
