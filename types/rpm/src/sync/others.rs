//! Everything beside packages: delta packages, modules, advisories, comps, and files that nobody understands.

use std::path::Path;

use futures::TryStreamExt;
use pith_content::sync::SyncContext;
use pith_content::unit::{Select, Source, WantedUnit};
use pith_content::{Bent, ContentError};
use pith_core::Digest;
use serde_json::json;

use super::feed::Feed;
use super::outbox::Outbox;
use crate::metadata::comps;
use crate::metadata::odd::Odd;
use crate::metadata::prestodelta::DeltaStream;
use crate::metadata::repomd::{Data, Repomd};
use crate::metadata::{MetadataError, header};
use crate::modular::text;
use crate::parts::metadata_only;
use crate::type_ids::METADATA_FILE;
use crate::units;

/// Types of metadata that are understood, or known to be of no use here (pulp2/rpm-sync#unknown-metadata).
const KNOWN: [&str; 9] = [
    "primary",
    "filelists",
    "other",
    "group",
    "updateinfo",
    "modules",
    "prestodelta",
    "deltainfo",
    "susedata",
];
/// The endings by which upstreams name the same document in another form.
const FORMS: [&str; 8] = ["db", "gz", "bz2", "xz", "lzma", "zst", "zck", "zchunk"];

/// The document of which `kind` is another form, through several (`group_gz_zck`); `kind` itself when it is none.
fn plain_kind(kind: &str) -> &str {
    match kind.rsplit_once('_') {
        Some((document, form)) if FORMS.contains(&form) => plain_kind(document),
        _ => kind,
    }
}

/// Tells whether an entry of repomd.xml becomes a unit as it is. Documents that are written anew here do not, in none of their
/// forms: beside the new one they would be stale. `filelists-ext` is made of filelists in the same way.
#[must_use]
pub fn is_unknown(kind: &str) -> bool {
    let plain = plain_kind(kind);
    !KNOWN.contains(&plain)
        && plain != "filelists-ext"
        && !kind.ends_with("_zck")
        && !kind.is_empty()
}

/// The entries of a document in forms that can be read, in the order in which they count. Of groups a compressed one counts
/// first (pulp2/rpm-sync#groups), as it does for dnf.
#[must_use]
pub fn in_any_form<'a>(repomd: &'a Repomd, kind: &str) -> Vec<&'a Data> {
    let mut forms = ["", "_gz", "_xz", "_zst", "_bz2"];
    if kind == "group" {
        forms.swap(0, 1);
    }
    let forms = forms.iter();
    forms
        .filter_map(|form| repomd.get(&format!("{kind}{form}")))
        .collect()
}

/// A metadata file as a unit of repository `repo_id`.
#[must_use]
pub fn metadata_file(
    data: &Data,
    digest: Digest,
    feed: &Feed,
    repo_id: &str,
) -> Option<WantedUnit> {
    let doc = json!({
        "data_type": data.kind, "repo_id": repo_id, "checksum": digest.hex(),
        "checksum_type": digest.algorithm().name(), "filename": data.href.file_name(),
    });
    let urls = feed.urls(data.base.as_deref(), data.location());
    let source = Source::download(urls, data.size, vec![digest]);
    let unit = metadata_only(METADATA_FILE, serde_json::from_value(doc).ok()?);
    Some(unit.with_file(source))
}

/// Removes the metadata files of which the feed lists none of the kind any more. One that it lists and does not have stays.
///
/// # Errors
/// What the context fails with.
pub async fn forget_metadata_files(ctx: &dyn SyncContext, feed: &Feed) -> Result<(), ContentError> {
    let select = Select {
        fields: Some(&["data_type"]),
        ..Select::all(METADATA_FILE)
    };
    let mut gone = Vec::new();
    let mut files = ctx.units_after(select).await?;
    while let Some(batch) = files.try_next().await? {
        let unlisted = batch.into_iter().filter(|unit| {
            let kind = text(&unit.doc, "data_type");
            feed.repomd.get(kind).is_none() || !is_unknown(kind)
        });
        gone.extend(unlisted.map(|unit| unit.id));
    }
    drop(files);
    ctx.remove(METADATA_FILE, gone).await
}

/// Reads prestodelta or deltainfo; answers whether it was read to its end.
///
/// # Errors
/// When it is another document.
pub fn deltas(
    path: &Path,
    root: &str,
    feed: &Feed,
    outbox: &mut Outbox,
) -> Result<bool, MetadataError> {
    let opened = DeltaStream::open(outbox.open(path)?, root);
    let mut stream = match unless_empty(opened, root, outbox.bent())? {
        Ok(stream) => stream.noting(outbox.bent()),
        Err(nothing) => return Ok(nothing.is_whole),
    };
    loop {
        let delta = match up_to_fault(stream.next_delta(), root, outbox.bent())? {
            Next::One(delta) => delta,
            Next::End => return Ok(true),
            Next::Fault => return Ok(false),
        };
        let source = Source::Download {
            urls: feed.urls(
                None,
                delta.given.as_deref().unwrap_or(delta.filename.as_str()),
            ),
            size: Some(delta.size).filter(|size| *size > 0),
            digests: vec![delta.digest.clone()],
            head: header::DEFAULT_HEAD,
        };
        outbox.push(units::delta(&delta, source))?;
    }
}

/// A document of which nothing was read.
pub struct Nothing {
    /// Is true when that is all there is of it.
    pub is_whole: bool,
}

/// Returns what opening a document that a repository can do without came to; nothing, and a note, when nothing is in it or
/// it is another document.
///
/// # Errors
/// Any other failure.
pub fn unless_empty<T>(
    opened: Result<T, MetadataError>,
    what: &str,
    bent: &Bent,
) -> Result<Result<T, Nothing>, MetadataError> {
    match opened {
        Ok(opened) => Ok(Ok(opened)),
        Err(MetadataError::Empty) => {
            let sentence = "documents with nothing in them were taken as without entries";
            bent.note("empty_document", sentence, what);
            Ok(Err(Nothing { is_whole: true }))
        }
        Err(error) if error.is_broken_text() => {
            Odd::new(bent).broken(&format!("{what} {error}"));
            Ok(Err(Nothing { is_whole: false }))
        }
        Err(error) => Err(error),
    }
}

/// The next piece of a document that clients can do without.
pub enum Next<T> {
    /// An element.
    One(T),
    /// Nothing: this was all.
    End,
    /// Nothing that can be read.
    Fault,
}

/// The next element of a document that clients can do without: they take what comes before a fault in its text, and so do
/// we, with a note.
///
/// # Errors
/// Any other failure.
pub fn up_to_fault<T>(
    next: Result<Option<T>, MetadataError>,
    what: &str,
    bent: &Bent,
) -> Result<Next<T>, MetadataError> {
    match next {
        Ok(Some(element)) => Ok(Next::One(element)),
        Ok(None) => Ok(Next::End),
        Err(error) if error.is_broken_text() => {
            Odd::new(bent).broken(&format!("{what} {error}"));
            Ok(Next::Fault)
        }
        Err(error) => Err(error),
    }
}

/// Reads comps; answers whether it was read to its end.
///
/// # Errors
/// When it is another document.
pub fn comps(path: &Path, repo_id: &str, outbox: &mut Outbox) -> Result<bool, MetadataError> {
    let bent = outbox.bent().clone();
    let documents = outbox.documents();
    let push = |element| outbox.push(units::comps(&element, repo_id));
    let read = comps::each(|| documents.open(path), &bent, push);
    let fault = match unless_empty(read, "comps", &bent)? {
        Ok(fault) => fault,
        Err(nothing) => return Ok(nothing.is_whole),
    };
    if let Some(error) = &fault {
        Odd::new(&bent).broken(&format!("comps {error}"));
    }
    Ok(fault.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_of_documents_that_are_written_here_are_not_taken_over() {
        for kind in [
            "primary",
            "group",
            "modules",
            "updateinfo",
            "prestodelta",
            "other",
        ] {
            for form in ["", "_db", "_gz", "_xz", "_bz2", "_zst", "_zck", "_gz_zck"] {
                assert!(!is_unknown(&format!("{kind}{form}")), "{kind}{form}");
            }
        }
        assert!(!is_unknown("filelists-ext") && !is_unknown("productid_zck"));
        for kind in [
            "productid",
            "productid_gz",
            "appstream",
            "group_of_mine",
            "other-notes",
        ] {
            assert!(is_unknown(kind), "{kind}");
        }
    }
}
