//! Pages that are checked in and that a test knows how to write.

use std::path::Path;

/// Checks that the file `path` below the workspace says `text`. With `PITH_REGENERATE` set it is written first.
///
/// # Panics
/// When it says something else, or cannot be written.
#[track_caller]
pub fn check(path: &str, text: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    if std::env::var_os("PITH_REGENERATE").is_some() {
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{} is not current: run this test with PITH_REGENERATE=1",
        path.display()
    );
}
