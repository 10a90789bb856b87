//! `file://` feeds.

use pith_fetch::{ErrorKind, FetchPolicy, Fetcher, FileFeeds};

use crate::*;

fn file_url(path: &std::path::Path) -> Url {
    Url::from_file_path(path).unwrap()
}

/// Settings of a feed that is a folder.
fn local() -> DownloadSettings {
    DownloadSettings {
        home: Some(url("file:///srv/")),
        ..patient()
    }
}

/// A process on which any folder may be a feed.
fn open() -> Fetcher {
    Fetcher::new(FetchPolicy {
        files: FileFeeds::below(["/".into()]),
        ..policy()
    })
}

fn session() -> Session {
    open().session(local()).unwrap()
}

async fn kind_of(url: Url) -> ErrorKind {
    fetch(&session(), Request::new([url], 1000))
        .await
        .unwrap_err()
        .kind
}

#[tokio::test]
async fn a_regular_file_keeps_the_same_promises() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b.iso");
    let bytes = body(700_000);
    std::fs::write(&path, &bytes).unwrap();
    let good = Request {
        expect: vec![sha256(&bytes)],
        head_bytes: 5,
        ..Request::new([file_url(&path)], MAX)
    };
    let (fetched, got) = fetch(&session(), good).await.unwrap();
    assert!(got == bytes);
    assert_eq!(
        (fetched.hashed.size, &fetched.head[..]),
        (700_000, &bytes[..5])
    );
    assert_eq!(
        kind_of(file_url(&path)).await,
        ErrorKind::TooLarge { limit: 1000 }
    );
    let wrong = Request {
        expect: vec![sha256(b"other")],
        ..Request::new([file_url(&path)], MAX)
    };
    assert!(matches!(
        fetch(&session(), wrong).await.unwrap_err().kind,
        ErrorKind::DigestMismatch { .. }
    ));
    let short = Request {
        expect_size: Some(1),
        ..Request::new([file_url(&path)], MAX)
    };
    assert!(matches!(
        fetch(&session(), short).await.unwrap_err().kind,
        ErrorKind::SizeMismatch { .. }
    ));
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    for path in [folder.path(), &fifo, &link, "/dev/zero".as_ref()] {
        assert!(
            matches!(kind_of(file_url(path)).await, ErrorKind::Refused(_)),
            "{path:?}"
        );
    }
    assert!(matches!(
        kind_of(url("file://elsewhere/etc/hostname")).await,
        ErrorKind::Refused(_)
    ));
}

#[tokio::test]
async fn a_missing_file_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let missing = ErrorKind::NotFound { status: 404 };
    assert_eq!(kind_of(file_url(&folder.path().join("no"))).await, missing);
    std::fs::write(folder.path().join("f"), "x").unwrap();
    assert_eq!(
        kind_of(file_url(&folder.path().join("f/no"))).await,
        missing
    );
}

#[tokio::test]
async fn files_are_read_only_below_folders_that_the_settings_allow() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["feeds", "own", "other"] {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::write(at(name).join("f"), "x").unwrap();
    }
    std::os::unix::fs::symlink(at("other/f"), at("feeds/link")).unwrap();
    let get = async |files: FileFeeds, upstream: DownloadSettings, name: &str| {
        let fetcher = Fetcher::new(FetchPolicy { files, ..policy() });
        let session = fetcher.session(upstream).unwrap();
        bytes(&session, file_url(&at(name)), 10).await
    };
    let feeds = || FileFeeds::below([at("feeds"), at("own")]).without([at("own")]);
    assert_eq!(get(feeds(), local(), "feeds/f").await.unwrap(), b"x");
    for name in ["other/f", "other/none", "feeds/link", "own/f"] {
        let error = get(feeds(), local(), name).await.unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::Refused(_)),
            "{name}: {error}"
        );
    }
    let none = get(FileFeeds::default(), local(), "feeds/f").await;
    assert!(matches!(none.unwrap_err().kind, ErrorKind::Refused(_)));
    // What the server's own settings name needs no other, and leads nowhere else.
    let ours = || DownloadSettings {
        home: Some(file_url(&at("other"))),
        by_operator: true,
        ..patient()
    };
    assert_eq!(
        get(FileFeeds::default(), ours(), "other/f").await.unwrap(),
        b"x"
    );
    assert!(get(FileFeeds::default(), ours(), "feeds/f").await.is_err());
}

#[tokio::test]
async fn a_document_from_a_server_cannot_have_files_of_this_machine_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, "x").unwrap();
    for home in [None, Some(url("http://mirror.example/os/"))] {
        let upstream = DownloadSettings { home, ..patient() };
        let session = open().session(upstream).unwrap();
        let error = bytes(&session, file_url(&path), 10).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Refused(_)), "{error}");
    }
}
