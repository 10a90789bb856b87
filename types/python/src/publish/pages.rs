//! Pages of the index.

use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pith_core::html::escaped;
use serde_json::{Map, Value, json};

use super::project::{File, Project};

/// Characters that stand in a link as they are, beside letters and digits.
const LINK: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

const HEAD: &str = "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
                    <meta name=\"pypi:repository-version\" content=\"1.0\">\n";

/// Writes the page of all projects.
pub(super) fn root<'a>(
    out: &mut dyn Write,
    names: impl Iterator<Item = &'a String>,
) -> io::Result<()> {
    write!(out, "{HEAD}<title>Simple Index</title>\n</head>\n<body>\n")?;
    for name in names {
        let name = escaped(name);
        writeln!(out, "<a href=\"{name}/\">{name}</a><br>")?;
    }
    write!(out, "</body>\n</html>\n")
}

/// Writes the page of a project.
pub(super) fn simple(out: &mut dyn Write, project: &Project) -> io::Result<()> {
    let name = escaped(&project.normal);
    write!(
        out,
        "{HEAD}<title>Links for {name}</title>\n</head>\n<body>\n<h1>Links for {name}</h1>\n"
    )?;
    for file in &project.files {
        link(out, file)?;
    }
    write!(out, "</body>\n</html>\n")
}

fn link(out: &mut dyn Write, file: &File) -> io::Result<()> {
    let path = file.path();
    write!(out, "<a href=\"../../{}", utf8_percent_encode(&path, LINK))?;
    if let Some((algorithm, hex)) = file.digest() {
        write!(out, "#{algorithm}={hex}")?;
    }
    write!(out, "\" rel=\"internal\"")?;
    if let Some(versions) = &file.requires_python {
        write!(out, " data-requires-python=\"{}\"", escaped(versions))?;
    }
    if let Some(reason) = &file.yanked {
        write!(out, " data-yanked=\"{}\"", escaped(reason))?;
    }
    writeln!(out, ">{}</a><br>", escaped(&file.filename))
}

/// Writes the document of a project as Pulp lays it out, with the digests that it did not tell besides.
pub(super) fn api(out: &mut dyn Write, project: &Project) -> io::Result<()> {
    let about = &project.about;
    let info = json!({ "author": about.author, "name": about.name, "summary": about.summary });
    write!(out, "{{\"info\": {info}, \"releases\": {{")?;
    let versions = project
        .files
        .chunk_by(|one, next| one.by_version(next).is_eq());
    for (number, files) in versions.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let version = files
            .first()
            .map(|file| json!(file.version))
            .unwrap_or_default();
        write!(out, "{comma}\n{version}: [")?;
        for (number, file) in files.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(out, "{comma}\n  {}", release(file))?;
        }
        write!(out, "]")?;
    }
    writeln!(out, "}}}}")
}

fn release(file: &File) -> Value {
    let path = file.path();
    let path = path.strip_prefix("packages/").unwrap_or(&path);
    let known = [
        ("md5", &file.md5),
        ("sha256", &file.sha256),
        ("sha512", &file.sha512),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, hex)| Some((name.to_owned(), json!(hex.as_ref()?))));
    let digests: Map<String, Value> = known.collect();
    // Deferred files have no SHA-512 yet; what is known of them is as good.
    let (algorithm, hex) = match &file.sha512 {
        Some(hex) => (Some("sha512"), Some(hex.as_str())),
        None => file.digest().unzip(),
    };
    let mut shown = json!({
        "checksum": hex,
        "checksum_type": algorithm,
        "digests": digests,
        "filename": file.filename,
        "md5_digest": file.md5,
        "packagetype": file.packagetype,
        "path": path,
        "requires_python": file.requires_python,
        "size": file.size,
        "yanked": file.yanked.is_some(),
    });
    if let (Some(reason), Some(fields)) = (&file.yanked, shown.as_object_mut()) {
        fields.insert("yanked_reason".to_owned(), json!(reason));
    }
    shown
}
