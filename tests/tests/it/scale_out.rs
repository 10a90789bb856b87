//! The same binary on PostgreSQL and an S3-compatible store: nothing that clients see changes, and two processes share the
//! work.

use pith_e2e::tools::{missing, sample_repo, wait_for};
use pith_e2e::{Dnf, Feed, Pith};
use pith_testkit::{postgres, s3};

use crate::dnf::SAMPLE;

/// An S3 server for as long as the value lives.
struct Store {
    url: String,
    _server: s3::S3,
    _runtime: tokio::runtime::Runtime,
}

impl Store {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(s3::start()).unwrap();
        Self {
            url: server.storage_url("blobs"),
            _server: server,
            _runtime: runtime,
        }
    }
}

#[test]
fn dnf_reads_from_either_process_on_postgres_and_s3() {
    let Some(database) = postgres::database() else {
        return;
    };
    if missing(&["dnf"]) {
        return;
    }
    let store = Store::start();
    let options = ["--database", &database.url, "--storage", &store.url];
    let first = Pith::start_with(&options).unwrap();
    let second = Pith::start_with(&options).unwrap();
    let feed = Feed::of(&sample_repo()).unwrap();
    let api = first.api().unwrap();
    api.create_rpm("sample", &feed.url("/feed/")).unwrap();
    api.sync("sample").unwrap();
    api.publish("sample").unwrap();
    for server in [&first, &second] {
        let repomd = "/pulp/repos/sample/repodata/repomd.xml";
        wait_for("the publication to be seen", || {
            Ok(api_of(server).download(repomd).ok())
        })
        .unwrap();
        let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
        dnf.makecache().unwrap();
        assert_eq!(dnf.packages().unwrap(), SAMPLE);
    }
}

/// Published content needs no password, so the second process need not know one.
fn api_of(server: &Pith) -> pith_e2e::Api {
    pith_e2e::Api::new(server.address(), None)
}
