//! A throw-away PostgreSQL for the store suite.
//!
//! [`database`] gives each test a database of its own, on the server that `PITH_TEST_POSTGRES` names
//! (`postgres://user@host`), or on one started for the occasion: a cluster in a temporary folder, without fsync, on a
//! Unix socket. Under cargo-nextest, where every test is a process, all tests of a run share it. A watchdog takes the
//! server and the folder away when the run is over, however it ended.
//!
//! Where PostgreSQL is not installed a test is skipped, loudly; with `CI` set that is a failure.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pith_core::UnitId;

/// A database of one's own. It goes away with the server, or at once when the server was there before.
#[derive(Debug)]
pub struct Database {
    /// The URL to connect to.
    pub url: String,
    name: String,
    server: &'static Server,
}

/// The way to reach a server.
#[derive(Debug)]
struct Server {
    /// The folder of `psql`.
    programs: PathBuf,
    /// Goes before the name of a database.
    before: String,
    /// Goes after the name of a database.
    after: String,
    /// Is true when the server outlives the run.
    foreign: bool,
}

/// A fresh, empty database; `None` where there is no PostgreSQL.
///
/// # Panics
/// When there is a PostgreSQL that does not work, and when there is none although `CI` is set.
#[must_use]
pub fn database() -> Option<Database> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match server() {
        Ok(server) => server,
        Err(error) => panic!("PostgreSQL for tests does not start: {error:#}"),
    });
    let Some(server) = server else {
        assert!(
            std::env::var_os("CI").is_none(),
            "PostgreSQL is not installed: the store suite must run on both engines"
        );
        eprintln!("SKIPPED: PostgreSQL is not installed, half of this suite did not run");
        return None;
    };
    // Not the id of the process: one long run of tests uses up all of them and begins anew.
    let name = format!("pith_{}", UnitId::new()).replace('-', "_");
    match server.psql("postgres", &format!("CREATE DATABASE {name}")) {
        Ok(()) => Some(Database {
            url: server.url(&name),
            name,
            server,
        }),
        Err(error) => panic!("cannot make a database for a test: {error:#}"),
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.server.foreign {
            // Best effort: a database that stays behind harms nobody.
            let _ = self.server.psql(
                "postgres",
                &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            );
        }
    }
}

/// A table that nobody else can read or write for as long as the value lives: whoever wants to, waits in the database.
#[derive(Debug)]
pub struct Locked {
    table: String,
    session: Child,
    answers: BufReader<ChildStdout>,
}

impl Database {
    /// Everything that is in it, as text.
    ///
    /// # Errors
    /// When `pg_dump` does not start or fails.
    pub fn dump(&self) -> Result<Vec<u8>> {
        let mut dump = Command::new(self.server.programs.join("pg_dump"));
        let output = dump.arg(&self.url).output().context("pg_dump")?;
        ensure!(output.status.success(), "pg_dump: {}", output.status);
        Ok(output.stdout)
    }

    /// Locks a table as soon as nobody uses it.
    ///
    /// # Errors
    /// When `psql` does not start or the database refuses.
    pub fn lock(&self, table: &str) -> Result<Locked> {
        let mut psql = Command::new(self.server.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .arg(&self.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut session = psql.spawn().context("psql")?;
        let answers = session.stdout.take().context("no output of psql")?;
        let mut locked = Locked {
            table: table.to_owned(),
            session,
            answers: BufReader::new(answers),
        };
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 1;");
        ensure!(locked.ask(&lock)? == "1", "the table is not locked");
        Ok(locked)
    }
}

impl Locked {
    /// Tells whether somebody waits for the table.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn is_waited_for(&mut self) -> Result<bool> {
        let waiting = format!(
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '{}'::regclass;",
            self.table
        );
        Ok(self.ask(&waiting)? == "t")
    }

    fn ask(&mut self, statement: &str) -> Result<String> {
        let input = self.session.stdin.as_mut().context("no input of psql")?;
        writeln!(input, "{statement}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.before, self.after)
    }

    fn psql(&self, database: &str, statement: &str) -> Result<()> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .arg(self.url(database));
        let output = psql.stdin(Stdio::null()).output().context("psql")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

/// The server of this run: named, running already, or started now.
fn server() -> Result<Option<Server>> {
    let programs = programs();
    if let Ok(url) = std::env::var("PITH_TEST_POSTGRES") {
        let (before, query) = url
            .split_once('?')
            .map_or((url.as_str(), None), |(before, query)| {
                (before, Some(query))
            });
        return Ok(Some(Server {
            programs: programs.unwrap_or_default(),
            before: before.trim_end_matches('/').to_owned(),
            after: query.map(|query| format!("?{query}")).unwrap_or_default(),
            foreign: true,
        }));
    }
    let Some(programs) = programs else {
        return Ok(None);
    };
    let (run, owner) = run();
    let folder = std::env::temp_dir().join(format!("pith-pg-{run}"));
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()
        .context("waiting for the process that starts PostgreSQL")?;
    let server = Server {
        programs,
        before: "postgres://postgres@localhost".to_owned(),
        after: format!("?host={}", folder.display()),
        foreign: false,
    };
    if !folder.join("ready").exists() {
        start(&server, &folder, owner)?;
        File::create(folder.join("ready"))?;
    }
    Ok(Some(server))
}

/// A name for this run of tests and the process whose end is the end of the run: cargo-nextest, or this one.
fn run() -> (String, u32) {
    match std::env::var("NEXTEST_RUN_ID") {
        // A Unix socket's path is short: a part of the id is enough.
        Ok(id) => (
            id.chars()
                .filter(char::is_ascii_alphanumeric)
                .take(16)
                .collect(),
            std::os::unix::process::parent_id(),
        ),
        Err(_) => (std::process::id().to_string(), std::process::id()),
    }
}

/// The folder of `initdb`, `postgres` and `psql`: the newest of Debian's, or one on the PATH.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| has_programs(folder))
        .collect();
    found.sort();
    if let Some((_, folder)) = found.pop() {
        return Some(folder);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| has_programs(folder))
}

fn has_programs(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// Makes a cluster in `folder`, starts it and the watchdog, and waits until it answers.
fn start(server: &Server, folder: &Path, owner: u32) -> Result<()> {
    init(server, folder)?;
    let running = launch(server, folder)?;
    watchdog(folder, owner, running.id())
}

/// A command of PostgreSQL's, as somebody it agrees to run as.
fn as_user(server: &Server, folder: &Path, program: &str) -> Result<Command> {
    let mut command = Command::new(server.programs.join(program));
    if let Some((uid, gid)) = unprivileged_user()? {
        command.uid(uid).gid(gid);
    }
    command.current_dir(folder).stdin(Stdio::null());
    Ok(command)
}

/// Makes a cluster in `folder`.
fn init(server: &Server, folder: &Path) -> Result<()> {
    if let Some((uid, gid)) = unprivileged_user()? {
        chown(folder, Some(uid), Some(gid))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let mut initdb = as_user(server, folder, "initdb")?;
    initdb.arg("-D").arg(folder.join("data")).args([
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
        "--no-instructions",
    ]);
    // Not the order of bytes, as on many servers: whatever depends on it by accident fails.
    initdb.args([
        "--locale=C.UTF-8",
        "--locale-provider=icu",
        "--icu-locale=en",
    ]);
    let output = initdb.output().context("initdb")?;
    ensure!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Starts the cluster in `folder` and waits until it answers.
fn launch(server: &Server, folder: &Path) -> Result<Child> {
    let log = File::create(folder.join("log"))?;
    let mut postgres = as_user(server, folder, "postgres")?;
    postgres
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .process_group(0);
    for setting in [
        "listen_addresses=",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=300",
        "shared_buffers=64MB",
    ] {
        postgres.args(["-c", setting]);
    }
    let mut running = postgres
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("postgres")?;
    let patience = Instant::now();
    while server.psql("postgres", "SELECT 1").is_err() {
        if running.try_wait()?.is_some() || patience.elapsed() > Duration::from_secs(60) {
            bail!(
                "the server did not come up: {}",
                fs::read_to_string(folder.join("log")).unwrap_or_default()
            );
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a server that starts tells nobody when it is up"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(running)
}

/// A server that one test has to itself, to stop and start it.
#[derive(Debug)]
pub struct Own {
    /// The URL to connect to.
    pub url: String,
    server: Server,
    folder: tempfile::TempDir,
    running: Child,
}

/// Starts a server for one test; `None` where there is no PostgreSQL.
///
/// # Errors
/// When there is a PostgreSQL that does not start, and when there is none although `CI` is set.
pub fn own() -> Result<Option<Own>> {
    let Some(programs) = programs() else {
        ensure!(
            std::env::var_os("CI").is_none(),
            "PostgreSQL is not installed"
        );
        eprintln!("SKIPPED: PostgreSQL is not installed");
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let server = Server {
        programs,
        before: "postgres://postgres@localhost".to_owned(),
        after: format!("?host={}", folder.path().display()),
        foreign: false,
    };
    init(&server, folder.path())?;
    let running = launch(&server, folder.path())?;
    Ok(Some(Own {
        url: server.url("postgres"),
        server,
        folder,
        running,
    }))
}

impl Own {
    /// Stops the server as its own service does, with all connections; what was committed stays.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&mut self) -> Result<()> {
        let pid = self.running.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status()?;
        ensure!(told.success(), "PostgreSQL cannot be told to stop");
        self.running.wait()?;
        Ok(())
    }

    /// Starts the server again, after [`Own::stop`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<()> {
        self.running = launch(&self.server, self.folder.path())?;
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// A process that outlives the tests by a moment: it stops the server and removes the folder when the owner is gone.
/// Tests that are killed clean up after themselves this way, too.
fn watchdog(folder: &Path, owner: u32, server: u32) -> Result<()> {
    let script = "while kill -0 \"$1\" 2>/dev/null && kill -0 \"$2\" 2>/dev/null; do sleep 0.5; done\n\
         kill -QUIT \"$2\" 2>/dev/null\n\
         while kill -0 \"$2\" 2>/dev/null; do sleep 0.1; done\n\
         rm -rf -- \"$3\"";
    let mut watchdog = Command::new("/bin/sh");
    watchdog
        .args(["-c", script, "sh"])
        .arg(owner.to_string())
        .arg(server.to_string())
        .arg(folder);
    watchdog
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    watchdog.spawn().context("watchdog")?;
    Ok(())
}

/// PostgreSQL refuses to run as root: who it runs as then.
fn unprivileged_user() -> Result<Option<(u32, u32)>> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if !is_root {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for line in users.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && *name == wanted
            {
                return Ok(Some((uid.parse()?, gid.parse()?)));
            }
        }
    }
    bail!("running as root, and there is no user 'postgres' or 'nobody' to run PostgreSQL as")
}
