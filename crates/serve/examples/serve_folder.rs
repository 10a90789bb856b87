//! Publishes the files of a folder and serves them, to be measured beside another web server:
//! `cargo run --release -p pith-serve --example serve_folder -- <folder> <data> <address>`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use pith_blobs::{Blobs, IndexEntry, PublicationBuilder, StorageUrl};
use pith_core::RelativePath;
use pith_serve::{Content, MountRow, MountTable, Protocol, ServedRoot};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let [folder, data, address] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .ok()
        .context("three words")?;
    let data = PathBuf::from(data);
    let blobs = Blobs::open(&StorageUrl::default_in(&data), &data).await?;
    let mut builder = PublicationBuilder::new(&blobs);
    let mut folders = vec![PathBuf::from(&folder)];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                add(&blobs, &mut builder, Path::new(&folder), &path).await?;
            }
        }
    }
    let publication = builder.finish().await?.sha256;
    blobs.durable().await?;
    let mounts = Arc::new(MountTable::new(blobs.clone()));
    mounts.refresh(vec![MountRow {
        prefix: RelativePath::new("pulp/repos/x")?,
        repo_id: "x".into(),
        publication,
        http: true,
        https: false,
        retired: None,
        guard: None,
    }]);
    let content = Arc::new(Content::new(
        blobs,
        mounts,
        vec![ServedRoot::new(RelativePath::new("pulp/repos")?).with_listing()],
    ));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, content.router(Protocol::Http)).await?;
    Ok(())
}

async fn add(
    blobs: &Blobs,
    builder: &mut PublicationBuilder,
    folder: &Path,
    path: &Path,
) -> anyhow::Result<()> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut writer = blobs.writer(&[]);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = tokio::io::AsyncReadExt::read(&mut file, &mut buffer).await?;
        if count == 0 {
            break;
        }
        writer.write(&buffer[..count]).await?;
    }
    let stored = writer.finish().await?;
    let name = path
        .strip_prefix(folder)?
        .to_str()
        .context("a name that is not UTF-8")?;
    builder.add(
        RelativePath::new(name)?,
        IndexEntry::blob(stored.sha256, stored.size, 1_700_000_000),
    )?;
    Ok(())
}
