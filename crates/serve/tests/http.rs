//! Real requests over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pith_blobs::{Blobs, IndexEntry, PublicationBuilder, StorageUrl};
use pith_core::{RelativePath, Sha256};
use pith_serve::{
    Content, Located, MountGuard, MountRow, MountTable, Mounts, Protocol, Resolved, ServedRoot,
};
use pith_trust::Guard;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// 2001-09-09 01:46:40.
const MTIME: i64 = 1_000_000_000;
const MODIFIED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
const IMMUTABLE: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855-primary.xml.gz";

/// Mounts of which some paths are retired.
struct WithRetired {
    table: Arc<MountTable>,
    retired: Vec<(&'static str, &'static str, IndexEntry)>,
}

#[async_trait::async_trait]
impl Mounts for WithRetired {
    async fn locate(&self, path: &str, protocol: Protocol, shows: bool) -> Option<Located> {
        self.table.locate(path, protocol, shows).await
    }

    async fn open(&self, located: Located) -> pith_blobs::Result<Resolved> {
        assert_eq!(located.mount.guard, None, "looked up");
        self.table.open(located).await
    }

    async fn retired(
        &self,
        mount: &MountRow,
        path: &str,
    ) -> pith_blobs::Result<Option<IndexEntry>> {
        let found = self
            .retired
            .iter()
            .find(|(prefix, retired, _)| (*prefix, *retired) == (mount.prefix.as_str(), path));
        Ok(found.map(|(_, _, entry)| entry.clone()))
    }

    fn children(
        &self,
        dir: &str,
        protocol: Protocol,
        admits: &(dyn Fn(&MountRow) -> bool + Sync),
    ) -> Vec<String> {
        self.table.children(dir, protocol, admits)
    }
}

struct Server {
    blobs: Blobs,
    mounts: Arc<MountTable>,
    address: SocketAddr,
    client: Client,
    _data: tempfile::TempDir,
}

fn path(text: &str) -> RelativePath {
    RelativePath::new(text).unwrap()
}

fn large() -> Bytes {
    (0..3_000_000usize)
        .map(|i| (i % 253) as u8 ^ (i >> 14) as u8)
        .collect()
}

impl Server {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&StorageUrl::default_in(data.path()), data.path())
            .await
            .unwrap();
        let mounts = Arc::new(MountTable::new(blobs.clone()));
        let roots = vec![
            ServedRoot::new(path("pulp/repos")).with_listing(),
            ServedRoot::new(path("pulp/isos")),
            ServedRoot::new(path("v2"))
                .without_pages()
                .with_index(["index.json", "index.txt"])
                .with_header(&"x-version".parse().unwrap(), "2".parse().unwrap()),
        ];
        let small = blobs.put(Bytes::from_static(b"retired")).await.unwrap();
        let entry = IndexEntry::blob(small.sha256, small.size, MTIME);
        let retired = ["gone.rpm", "ten", "Packages", "Packages/s/gone.rpm", "none"];
        let with_retired = WithRetired {
            table: Arc::clone(&mounts),
            retired: retired
                .into_iter()
                .flat_map(|path| {
                    ["pulp/repos/fedora/43", "pulp/repos/secret/9"]
                        .map(|prefix| (prefix, path, entry.clone()))
                })
                .collect(),
        };
        let content = Content::new(blobs.clone(), Arc::new(with_retired), roots);
        let router = Arc::new(content).router(Protocol::Http);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            blobs,
            mounts,
            address,
            client,
            _data: data,
        }
    }

    async fn publication(&self, files: &[(&str, IndexEntry)]) -> Sha256 {
        let mut builder = PublicationBuilder::new(&self.blobs);
        for (name, entry) in files {
            builder.add(path(name), entry.clone()).unwrap();
        }
        builder.finish().await.unwrap().sha256
    }

    /// A little of everything, at `pulp/repos/fedora/43` and `pulp/isos/images`.
    async fn with_everything() -> Self {
        let this = Self::start().await;
        let large = this.blobs.put(large()).await.unwrap();
        let small = this
            .blobs
            .put(Bytes::from_static(b"0123456789"))
            .await
            .unwrap();
        let immutable = format!("repodata/{IMMUTABLE}");
        let files = [
            (
                "repodata/repomd.xml",
                IndexEntry::inline("<repomd/>", MTIME),
            ),
            (
                immutable.as_str(),
                IndexEntry::blob(small.sha256, small.size, MTIME),
            ),
            (
                "Packages/l/large.rpm",
                IndexEntry::blob(large.sha256, large.size, MTIME),
            ),
            (
                "Packages/s/small & <odd>.rpm",
                IndexEntry::blob(small.sha256, small.size, MTIME),
            ),
            (
                "ten",
                IndexEntry::blob(small.sha256, small.size, MTIME)
                    .with_headers(Some("text/x-ten\nX-Ten: 10\nETag: mine".to_owned())),
            ),
            ("empty", IndexEntry::inline("", 0)),
            ("lost", IndexEntry::blob(Sha256::of(b"lost"), 4, MTIME)),
            ("elsewhere", IndexEntry::source([1; 16], None, 4, MTIME)),
            (
                "here-by-now",
                IndexEntry::source([1; 16], Some(small.sha256), small.size, MTIME),
            ),
        ];
        let publication = this.publication(&files).await;
        let isos = this
            .publication(&[
                ("PULP_MANIFEST", IndexEntry::inline("a,b,1\n", MTIME)),
                ("page.html", IndexEntry::inline("<p>", MTIME)),
            ])
            .await;
        let images = this
            .publication(&[
                ("index.txt", IndexEntry::inline("all", MTIME)),
                ("tags/list", IndexEntry::inline("{}", MTIME)),
                ("latest", IndexEntry::redirect("tags/list", MTIME)),
            ])
            .await;
        let row = |prefix: &str, publication, http| MountRow {
            prefix: path(prefix),
            repo_id: "r".into(),
            publication,
            http,
            https: true,
            retired: None,
            guard: None,
        };
        this.mounts.refresh(vec![
            row("pulp/repos/fedora/43", publication, true),
            row("pulp/repos/centos/9", publication, true),
            row("pulp/repos/secret/9", publication, false),
            row("pulp/isos/images", isos, true),
            row("v2/img", images, true),
        ]);
        this
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[]).await
    }

    async fn range(&self, path: &str, range: &str) -> Response {
        self.ask(Method::GET, path, &[("range", range)]).await
    }

    /// A request whose path no URL parser has touched; the status line's number.
    async fn raw(&self, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer)
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_root_shows_its_directories_as_it_says_and_marks_each_answer() {
    let server = Server::with_everything().await;
    for (path, status, text) in [
        ("/v2/img/", 200, "all"),
        ("/v2/img/tags/list", 200, "{}"),
        ("/v2/img/tags/", 404, ""),
        ("/v2/img/tags", 404, ""),
        ("/v2/", 404, ""),
        ("/v2/none", 404, ""),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(header(&answer, "x-version"), "2", "{path}");
        if status == 200 {
            assert_eq!(answer.text().await.unwrap(), text, "{path}");
        }
    }
    assert_eq!(header(&server.get("/v2/img").await, "location"), "/v2/img/");
    let latest = server.get("/v2/img/latest").await;
    assert_eq!(
        (latest.status().as_u16(), header(&latest, "location")),
        (302, "tags/list")
    );
    let other = server.get("/pulp/isos/").await;
    assert_eq!(
        (other.status().as_u16(), header(&other, "x-version")),
        (200, "")
    );
}

#[tokio::test]
async fn a_path_has_headers_of_its_own_and_none_that_the_server_gives() {
    let server = Server::with_everything().await;
    let url = "/pulp/repos/fedora/43/ten";
    let whole = server.get(url).await;
    let etag = header(&whole, "etag").to_owned();
    assert_ne!(etag, "mine");
    let known = server
        .ask(Method::GET, url, &[("if-none-match", &etag)])
        .await;
    assert_eq!(known.status(), 304);
    let part = server.range(url, "bytes=1-2").await;
    assert_eq!(part.status(), 206);
    for answer in [whole, known, part] {
        assert_eq!(header(&answer, "x-ten"), "10");
        assert_eq!(answer.headers().get_all("etag").iter().count(), 1);
    }
}

#[tokio::test]
async fn files_come_with_everything_a_client_needs() {
    let server = Server::with_everything().await;
    let immutable = format!("repodata/{IMMUTABLE}");
    for (path, content_type, cache, body) in [
        ("repodata/repomd.xml", "text/xml", "no-cache", "<repomd/>"),
        (
            immutable.as_str(),
            "application/gzip",
            "public, max-age=31536000, immutable",
            "0123456789",
        ),
        (
            "Packages/s/small%20&%20%3Codd%3E.rpm",
            "application/x-rpm",
            "no-cache",
            "0123456789",
        ),
        ("ten", "text/x-ten", "no-cache", "0123456789"),
        (
            "here-by-now",
            "application/octet-stream",
            "no-cache",
            "0123456789",
        ),
        ("empty", "application/octet-stream", "no-cache", ""),
    ] {
        let url = format!("/pulp/repos/fedora/43/{path}");
        // Twice: the second time small blobs come from memory.
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let answer = server.ask(method.clone(), &url, &[]).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(header(&answer, "content-type"), content_type, "{path}");
            assert_eq!(header(&answer, "cache-control"), cache);
            assert_eq!(
                header(&answer, "etag"),
                format!("\"{}\"", Sha256::of(body.as_bytes()))
            );
            assert_eq!(
                header(&answer, "last-modified"),
                if path == "empty" { "" } else { MODIFIED }
            );
            assert_eq!(header(&answer, "accept-ranges"), "bytes");
            assert_eq!(header(&answer, "content-encoding"), "");
            assert_eq!(header(&answer, "content-length"), body.len().to_string());
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
            assert_eq!(
                answer.text().await.unwrap(),
                if method == Method::GET { body } else { "" }
            );
        }
    }
}

#[tokio::test]
async fn large_files_stream() {
    let server = Server::with_everything().await;
    let url = "/pulp/repos/fedora/43/Packages/l/large.rpm";
    assert!(server.get(url).await.bytes().await.unwrap() == large());
    let answer = server.range(url, "bytes=1000000-2500000").await;
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        header(&answer, "content-range"),
        "bytes 1000000-2500000/3000000"
    );
    assert_eq!(header(&answer, "content-length"), "1500001");
    assert!(answer.bytes().await.unwrap() == large()[1_000_000..=2_500_000]);
    let answer = server.ask(Method::HEAD, url, &[]).await;
    assert_eq!(header(&answer, "content-length"), "3000000");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_lost_is_an_error() {
    let server = Server::with_everything().await;
    for (path, status) in [
        ("/pulp/repos/fedora/43/nope", 404),
        ("/pulp/repos/fedora/43/ten/", 404),
        ("/pulp/repos/fedora/43/ten/x", 404),
        ("/pulp/repos/fedora/44/", 404),
        ("/pulp/repos/fedora/43/elsewhere", 404),
        ("/pulp/repos/fedora/43/lost", 503),
        ("/pulp/isos/listing", 404),
        ("/pulp/isos/images/listing", 404),
        ("/pulp/repos/fedora/43/listing", 404),
        ("/pulp/repos/secret/9/ten", 404),
        ("/pulp/reposx", 404),
        ("/pulp/", 404),
    ] {
        assert_eq!(server.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn hostile_paths_are_refused_and_double_slashes_are_not() {
    let server = Server::with_everything().await;
    for (path, status) in [
        ("/pulp/repos/../repos/fedora/43/ten", "400"),
        ("/pulp/repos/fedora/43/%2e%2e/43/ten", "400"),
        ("/pulp/repos/fedora%2f43/ten", "400"),
        ("/pulp/repos/fedora/43/a%5cb", "400"),
        ("/pulp/repos/fedora/43/ten%00", "400"),
        ("/pulp/repos/fedora/43/%ff", "400"),
        ("/pulp/repos/fedora//43///ten", "200"),
        ("/pulp/repos//fedora/./43/te%6E", "200"),
    ] {
        assert_eq!(server.raw(path).await, status, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_told_what_is_allowed() {
    let server = Server::with_everything().await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = server.ask(method, "/pulp/repos/fedora/43/ten", &[]).await;
        assert_eq!(answer.status(), 405);
        assert_eq!(header(&answer, "allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn directories_end_in_a_slash_and_stay_on_this_server() {
    let server = Server::with_everything().await;
    for (path, location) in [
        ("/pulp/repos", "/pulp/repos/"),
        ("/pulp/repos/fedora", "/pulp/repos/fedora/"),
        ("/pulp/repos/fedora/43", "/pulp/repos/fedora/43/"),
        (
            "/pulp/repos//fedora/43/Packages?a=b",
            "/pulp/repos/fedora/43/Packages/?a=b",
        ),
    ] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "location")),
            (301, location),
            "{path}"
        );
    }
}

#[tokio::test]
async fn directories_are_listed_above_and_below_the_mounts() {
    let server = Server::with_everything().await;
    for (path, expected) in [
        ("/pulp/repos/", vec!["../", "centos/", "fedora/", "listing"]),
        ("/pulp/repos/fedora/", vec!["../", "43/", "listing"]),
        ("/pulp/isos/", vec!["../", "images/"]),
        (
            "/pulp/isos/images/",
            vec!["../", "PULP_MANIFEST", "page.html"],
        ),
        (
            "/pulp/repos/fedora/43/",
            vec![
                "../",
                "Packages/",
                "repodata/",
                "elsewhere",
                "empty",
                "here-by-now",
                "lost",
                "ten",
            ],
        ),
        (
            "/pulp/repos/fedora/43/Packages/s/",
            vec!["../", "small%20%26%20%3Codd%3E.rpm"],
        ),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
        let page = answer.text().await.unwrap();
        let links: Vec<&str> = page
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(links, expected, "{path}");
        assert!(page.contains("Parent Directory") && !page.contains("<odd>"));
    }
    let page = server
        .get("/pulp/repos/fedora/43/")
        .await
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("<td>2001-09-09 01:46</td><td>10</td>"),
        "{page}"
    );
}

#[tokio::test]
async fn every_directory_above_a_repository_has_a_listing_file() {
    let server = Server::with_everything().await;
    for (path, expected) in [
        ("/pulp/repos/listing", "centos\nfedora"),
        ("/pulp/repos/fedora/listing", "43"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "content-type"), "text/plain");
        assert_eq!(answer.text().await.unwrap(), expected);
    }
    server.mounts.refresh(Vec::new());
    assert_eq!(server.get("/pulp/repos/").await.status(), 200);
    assert_eq!(
        server
            .get("/pulp/repos/listing")
            .await
            .text()
            .await
            .unwrap(),
        ""
    );
    assert_eq!(server.get("/pulp/repos/fedora/listing").await.status(), 404);
}

#[tokio::test]
async fn conditions_are_honoured() {
    let server = Server::with_everything().await;
    let (url, etag) = (
        "/pulp/repos/fedora/43/ten",
        format!("\"{}\"", Sha256::of(b"0123456789")),
    );
    for (headers, status) in [
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-modified-since", MODIFIED)], 304),
        (
            vec![("if-modified-since", "Sun, 09 Sep 2001 01:46:39 GMT")],
            200,
        ),
        (vec![("if-match", "\"other\"")], 412),
        (
            vec![("range", "bytes=1-2"), ("if-range", etag.as_str())],
            206,
        ),
        (vec![("range", "bytes=1-2"), ("if-range", MODIFIED)], 206),
        (vec![("range", "bytes=1-2"), ("if-range", "\"other\"")], 200),
        (
            vec![("range", "bytes=1-2"), ("if-none-match", etag.as_str())],
            304,
        ),
    ] {
        let answer = server.ask(Method::GET, url, &headers).await;
        assert_eq!(answer.status(), status, "{headers:?}");
        if status == 304 {
            assert_eq!(header(&answer, "etag"), etag);
            assert_eq!(answer.text().await.unwrap(), "");
        }
    }
}

#[tokio::test]
async fn several_ranges_come_as_parts() {
    let server = Server::with_everything().await;
    for (url, whole) in [
        ("/pulp/repos/fedora/43/Packages/l/large.rpm", large()),
        (
            "/pulp/repos/fedora/43/ten",
            Bytes::from_static(b"0123456789"),
        ),
    ] {
        let size = whole.len();
        let answer = server.range(url, "bytes=0-1,5-6,-2").await;
        assert_eq!(answer.status(), 206);
        let boundary = header(&answer, "content-type")
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap()
            .to_owned();
        let length: usize = header(&answer, "content-length").parse().unwrap();
        let body = answer.bytes().await.unwrap();
        assert_eq!(body.len(), length);
        let mut expected = Vec::new();
        let kind = if size == 10 {
            "text/x-ten"
        } else {
            "application/x-rpm"
        };
        for (number, (from, to)) in [(0, 1), (5, 6), (size - 2, size - 1)]
            .into_iter()
            .enumerate()
        {
            let lead = if number == 0 { "" } else { "\r\n" };
            expected.extend(format!("{lead}--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {from}-{to}/{size}\r\n\r\n").bytes());
            expected.extend(&whole[from..=to]);
        }
        expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
        assert!(body == expected, "{}", String::from_utf8_lossy(&body));
    }
    let answer = server
        .range("/pulp/repos/fedora/43/ten", "bytes=0-3,2-5")
        .await;
    assert_eq!(header(&answer, "content-range"), "bytes 0-5/10");
    assert_eq!(answer.text().await.unwrap(), "012345");
}

#[tokio::test]
async fn a_range_beyond_the_end_is_416_with_the_size() {
    let server = Server::with_everything().await;
    let answer = server.range("/pulp/repos/fedora/43/ten", "bytes=10-").await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-range")),
        (416, "bytes */10")
    );
    let answer = server.range("/pulp/repos/fedora/43/ten", "bytes=9-8").await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_publish_is_seen_whole_by_the_next_request_while_the_last_one_goes_on() {
    let server = Server::with_everything().await;
    let url = "/pulp/repos/fedora/43/Packages/l/large.rpm";
    let mut old = server.get(url).await;
    let first = old.chunk().await.unwrap().unwrap();
    let publication = server
        .publication(&[("Packages/l/large.rpm", IndexEntry::inline("new", MTIME))])
        .await;
    let row = MountRow {
        prefix: path("pulp/repos/fedora/43"),
        repo_id: "r".into(),
        publication,
        http: true,
        https: true,
        retired: None,
        guard: None,
    };
    server.mounts.refresh(vec![row]);
    assert_eq!(server.get(url).await.text().await.unwrap(), "new");
    let mut whole = first.to_vec();
    while let Some(piece) = old.chunk().await.unwrap() {
        whole.extend_from_slice(&piece);
    }
    assert!(whole == large());
}

#[tokio::test]
async fn pages_of_strangers_run_no_scripts() {
    let server = Server::with_everything().await;
    let answer = server.get("/pulp/isos/images/page.html").await;
    assert_eq!(header(&answer, "content-security-policy"), "sandbox");
}

#[tokio::test]
async fn a_retired_file_is_served_as_any_other_and_only_where_nothing_else_is() {
    let server = Server::with_everything().await;
    let base = "/pulp/repos/fedora/43";
    let etag = format!("\"{}\"", Sha256::of(b"retired"));
    for path in ["gone.rpm", "Packages/s/gone.rpm"] {
        let path = format!("{base}/{path}");
        let whole = server.ask(Method::GET, &path, &[]).await;
        assert_eq!(whole.status(), StatusCode::OK, "{path}");
        assert_eq!(whole.headers()["etag"], etag.as_str());
        assert_eq!(whole.headers()["last-modified"], MODIFIED);
        assert_eq!(whole.headers()["content-type"], "application/x-rpm");
        assert_eq!(whole.bytes().await.unwrap(), "retired");
        let head = server.ask(Method::HEAD, &path, &[]).await;
        assert_eq!(head.headers()["content-length"], "7");
        let range = server
            .ask(Method::GET, &path, &[("range", "bytes=2-3")])
            .await;
        assert_eq!(range.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(range.bytes().await.unwrap(), "ti");
        let known = [("if-none-match", etag.as_str())];
        let known = server.ask(Method::GET, &path, &known).await;
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        let folder = server.ask(Method::GET, &format!("{path}/"), &[]).await;
        assert_eq!(folder.status(), StatusCode::NOT_FOUND);
    }
    let ten = server.ask(Method::GET, &format!("{base}/ten"), &[]).await;
    assert_eq!(
        ten.bytes().await.unwrap(),
        "0123456789",
        "what is there now"
    );
    let folder = server
        .ask(Method::GET, &format!("{base}/Packages"), &[])
        .await;
    assert_eq!(folder.status(), StatusCode::MOVED_PERMANENTLY);
    let page = server.ask(Method::GET, &format!("{base}/"), &[]).await;
    assert!(!page.text().await.unwrap().contains("gone.rpm"));
    // This mount is shown over TLS only.
    let hidden = server
        .ask(Method::GET, "/pulp/repos/secret/9/gone.rpm", &[])
        .await;
    assert_eq!(hidden.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn below_a_guarded_mount_nothing_is_looked_up_for_whoever_it_does_not_admit() {
    let server = Server::with_everything().await;
    let publication = server
        .publication(&[("x", IndexEntry::inline("x", MTIME))])
        .await;
    let row = |prefix: &str, guard| MountRow {
        prefix: path(prefix),
        repo_id: "r".into(),
        publication,
        http: true,
        https: true,
        retired: None,
        guard,
    };
    let guard = Some(Arc::new(MountGuard::new(Sha256([0; 32]), Guard::closed())));
    server.mounts.refresh(vec![
        row("pulp/repos/paid/9", guard.clone()),
        row("pulp/repos/mixed/paid", guard),
        row("pulp/repos/mixed/free", None),
    ]);
    // The mounts of this server let nobody open one that is guarded.
    let headers = [("range", "bytes=0-0"), ("if-none-match", "*")];
    for below in ["", "/", "/x", "/none", "/gone.rpm", "/listing", "/%61/x"] {
        let asked = format!("/pulp/repos/paid/9{below}");
        for method in [Method::GET, Method::HEAD] {
            let answer = server.ask(method, &asked, &headers).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{asked}");
            assert!(answer.headers().get("etag").is_none());
        }
    }
    let status = async |asked: &str| server.get(asked).await.status();
    assert_eq!(status("/pulp/repos/paid/").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/pulp/repos/paid").await, StatusCode::NOT_FOUND);
    assert_eq!(
        status("/pulp/repos/paid/listing").await,
        StatusCode::NOT_FOUND
    );
    let text = async |asked: &str| server.get(asked).await.text().await.unwrap();
    assert_eq!(text("/pulp/repos/listing").await, "mixed");
    assert_eq!(text("/pulp/repos/mixed/listing").await, "free");
    assert!(!text("/pulp/repos/mixed/").await.contains("paid"));
}
