//! Binders: units of several files. A feed may have a file `binders` with the name of a binder, and the path, the size and the SHA-256
//! of a paper on each line; the papers are below the folder of their binder.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::TryStreamExt;
use pith_content::base::Base;
use pith_content::descriptor::KeyField;
use pith_content::fetch::{Fetch, FetchFailureKind};
use pith_content::files::WantedFile;
use pith_content::publish::PublishContext;
use pith_content::sync::{StageObserver, SyncContext};
use pith_content::unit::{self, Select, WantedUnit};
use pith_content::{ContentError, UnitType};
use pith_core::{Algorithm, Digest, Document, RelativePath, Sha256};
use serde_json::json;

/// The unit type. What is said of a binder has a digest of all that is in it: another content is another unit.
pub(super) const BINDER: UnitType = UnitType {
    id: "binder",
    display_name: "Binder",
    description: "Papers that belong together",
    key: &[KeyField::same("name")],
    indexed: &["name"],
    file_backed: true,
    always_downloaded: true,
    ..UnitType::PLAIN
};

/// Mirrors the binders of a feed, if it has some.
pub(super) async fn sync(
    ctx: &dyn SyncContext,
    base: &Base,
    observer: &Arc<dyn StageObserver>,
) -> Result<(), ContentError> {
    let lines = match ctx.fetch(Fetch::any(base.join("binders"), 64 << 20)).await {
        Err(failure) if failure.kind == FetchFailureKind::NotFound => return Ok(()),
        lines => std::fs::read_to_string(lines?.path())?,
    };
    let mut binders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines.lines() {
        let (name, paper) = line.split_once(' ').ok_or_else(|| malformed(line))?;
        binders.entry(name).or_default().push(paper);
    }
    let known = lists(ctx).await?;
    for (name, papers) in binders {
        let mut files = ctx
            .files(known.get(name).map_or(&[], Vec::as_slice))
            .await?;
        for paper in &papers {
            files.add(wanted(base, name, paper)?).await?;
            let here = files.here();
            ctx.progress(json!({ "papers": here.files, "known": here.known }));
        }
        let source = files.finish().await?;
        let doc = Document::from_iter([
            ("name".to_owned(), json!(name)),
            ("papers".to_owned(), json!(papers.len())),
            (
                "content".to_owned(),
                json!(Sha256::of(papers.join("\n").as_bytes())),
            ),
        ]);
        let unit = WantedUnit::new(BINDER.id, doc).with_file(source);
        ctx.stage(vec![unit.replacing()], observer).await?;
    }
    Ok(())
}

/// The lists of the binders that the repository has, by their names.
async fn lists(ctx: &dyn SyncContext) -> Result<HashMap<String, Vec<Sha256>>, ContentError> {
    let mut known: HashMap<String, Vec<Sha256>> = HashMap::new();
    let mut units = ctx.units(Select::all(BINDER.id)).await?;
    while let Some(batch) = units.try_next().await? {
        for unit in batch {
            if let Some(list) = unit.blob {
                known.entry(name(&unit.doc)).or_default().push(list);
            }
        }
    }
    Ok(known)
}

/// The paper of a line, which has a path, a size and a digest.
fn wanted(base: &Base, binder: &str, line: &str) -> Result<WantedFile, ContentError> {
    let cells: Vec<&str> = line.split(' ').collect();
    let &[path, size, sha256] = cells.as_slice() else {
        return Err(malformed(line));
    };
    let digest = Digest::new(Algorithm::Sha256, sha256)?;
    let path = RelativePath::new(path)?;
    Ok(WantedFile {
        urls: base.join(&format!("{binder}/{path}")),
        path,
        max_size: 0,
        size: Some(size.parse().map_err(ContentError::other)?),
        digests: vec![digest],
        is_named_by_content: false,
    })
}

/// Adds the papers of all binders, each below the name of its binder.
pub(super) async fn publish(ctx: &dyn PublishContext) -> Result<u64, ContentError> {
    let mut papers = 0;
    let mut units = ctx.units(Select::all(BINDER.id)).await?;
    while let Some(batch) = units.try_next().await? {
        for unit in batch {
            let folder = RelativePath::new(name(&unit.doc))?;
            // Papers that were lost come with the next sync.
            if let Some(list) = unit.blob {
                papers += ctx.add_files(Some(&folder), list, unit.changed).await?;
            }
        }
    }
    Ok(papers)
}

fn name(doc: &Document) -> String {
    unit::text(doc, "name").unwrap_or_default().to_owned()
}

fn malformed(line: &str) -> ContentError {
    ContentError::other(format!("'{line}' is no paper of a binder"))
}
