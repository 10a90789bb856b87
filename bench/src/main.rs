//! Speed as ratios: pith and a peer (or the floor that the hardware sets) turn about in one run, medians of several.
//!
//! `cargo run --release -p pith-bench -- [rows…]` prints one line per row: wall time or rate of each side, CPU time and
//! peak memory beside it, the ratio, and what performance is owed. Everything runs on loopback and in a temporary
//! folder (`TMPDIR` says where); generated packages are kept in the target folder for the next run.

mod measure;
mod packages;
mod peers;
mod report;
mod rpm_rows;
mod search_rows;
mod serve_rows;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};

use packages::Packages;
use report::Row;

/// Measures pith against its peers on this machine.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; everything when nothing is named.
    rows: Vec<Measured>,
    /// Packages in the generated repository.
    #[arg(long, default_value_t = 10_000)]
    packages: usize,
    /// How often each side runs; rows that take long run three times at most.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The database of the rows about searches in repositories and about making repositories.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// Also write the rows to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A database to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    /// A file, as without options.
    Sqlite,
    /// A server of its own, which must be installed.
    Postgres,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measured {
    /// Publishing everything, against createrepo_c.
    Publish,
    /// Publishing after one package left, against `createrepo_c --update`.
    PublishChange,
    /// Syncing with all files, against 16 parallel downloads and hashing what came.
    Sync,
    /// Syncing the metadata only, against downloading and unpacking it.
    SyncMetadata,
    /// Syncing when nothing is new, against one request.
    Resync,
    /// Peak memory with all packages, against that with a tenth of them.
    Memory,
    /// Small files over 16 connections, against nginx.
    ServeSmall,
    /// One large file, against nginx.
    ServeLarge,
    /// From nothing to the first answer of the API, against `pith --version`.
    Start,
    /// Finding a package by its exact name, against nginx with a static answer.
    Search,
    /// Finding a package by its exact name in a repository, against nginx with a static answer.
    SearchRepository,
    /// Listing 100 units with all fields, against nginx with a static answer.
    List,
    /// Finding packages by a part of their name, against nginx with a static answer.
    Substring,
    /// Making repositories when there are 5,000, one after another, against making files durable.
    CreateRepository,
    /// Reading one repository, against nginx with a static answer.
    Read,
}

/// The surroundings that every row needs.
struct Bench {
    packages: Packages,
    rounds: usize,
    database: Database,
}

impl Bench {
    fn measure(&self, row: Measured) -> anyhow::Result<Row> {
        match row {
            Measured::Publish => rpm_rows::publish(self),
            Measured::PublishChange => rpm_rows::publish_change(self),
            Measured::Sync => rpm_rows::sync(self),
            Measured::SyncMetadata => rpm_rows::sync_metadata(self),
            Measured::Resync => rpm_rows::resync(self),
            Measured::Memory => rpm_rows::memory(self),
            Measured::ServeSmall => serve_rows::small_files(self),
            Measured::ServeLarge => serve_rows::large_file(self),
            Measured::Start => serve_rows::start(self),
            Measured::Search => serve_rows::search(self),
            Measured::SearchRepository => search_rows::by_name(self),
            Measured::List => search_rows::list(self),
            Measured::Substring => search_rows::substring(self),
            Measured::CreateRepository => search_rows::create(self),
            Measured::Read => serve_rows::read(self),
        }
    }

    /// Rounds of a row that takes long.
    fn few(&self) -> usize {
        self.rounds.min(3)
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let rows = if options.rows.is_empty() {
        Measured::value_variants().to_vec()
    } else {
        options.rows
    };
    eprintln!("{} packages, {} rounds", options.packages, options.rounds);
    let bench = Bench {
        packages: Packages::generate(options.packages)?,
        rounds: options.rounds.max(1),
        database: options.database,
    };
    let mut measured = Vec::new();
    for row in rows {
        let name = row.to_possible_value().context("a row without a name")?;
        let name = name.get_name().to_owned();
        eprintln!("measuring {name} …");
        // A row that cannot be measured (a setting that is refused, a tool that is missing) does not hide the others.
        let row = bench
            .measure(row)
            .unwrap_or_else(|error| Row::failed(&error));
        measured.push((name, row));
    }
    print!("{}", report::table(&measured));
    if let Some(path) = options.json {
        std::fs::write(path, report::json(&measured).to_string() + "\n")?;
    }
    Ok(())
}
