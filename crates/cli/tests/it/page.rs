//! The checked-in reference page is the one that the program's definition gives.

use std::path::Path;

use crate::fake::understood;

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = pith_cli::reference(&pith_cli::command());
    if std::env::var_os("PITH_REGENERATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "{} is not current: run this test with PITH_REGENERATE=1",
        path.display()
    );
}

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
