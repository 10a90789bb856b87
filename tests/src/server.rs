//! The binary, running.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::Api;
use crate::tools::{run, wait_for, workspace};

/// The program under test: `PITH_BIN`, or what `cargo build -p pith` makes beside the running test.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = std::env::var_os("PITH_BIN") {
        return Ok(path.into());
    }
    if let Some(path) = BUILT.get() {
        return Ok(path.clone());
    }
    // <target>/<profile>/deps/<test> or <target>/<profile>/<benchmark>.
    let me = std::env::current_exe()?;
    let profile = me
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .context("this program is in no target folder")?;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace())
        .args(["build", "--quiet", "--locked", "--package", "pith"])
        .arg("--target-dir")
        .arg(profile.parent().context("no target folder")?);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    run(&mut cargo)?;
    Ok(BUILT.get_or_init(|| profile.join("pith")).clone())
}

/// A command that runs the binary with nothing of this machine's configuration.
///
/// # Errors
/// When the binary cannot be built.
pub fn pith(arguments: &[&OsStr]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_lowercase();
        if text.starts_with("pith_") || text.ends_with("_proxy") {
            command.env_remove(&name);
        }
    }
    Ok(command)
}

/// A running `pith serve` with a data folder of its own. Dropping it kills it and removes the folder; when the test
/// failed, it prints the last lines of the log first.
#[derive(Debug)]
pub struct Pith {
    child: Child,
    folder: TempDir,
    listen: SocketAddr,
    options: Vec<OsString>,
}

impl Pith {
    /// Starts a server on an empty folder and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with more options than the data folder and the address.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(options: &[&str]) -> anyhow::Result<Self> {
        let options: Vec<OsString> = options.iter().map(OsString::from).collect();
        Self::start_in(tempfile::tempdir()?, &options)
    }

    /// Starts a server in a folder, whose `data` may exist already.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_in(folder: TempDir, options: &[OsString]) -> anyhow::Result<Self> {
        let listen = free_address()?;
        let mut server = Self {
            child: spawn(folder.path(), listen, options)?,
            folder,
            listen,
            options: options.to_vec(),
        };
        server.wait_until_up()?;
        Ok(server)
    }

    fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let api = Api::new(self.listen, None);
        wait_for("the server to answer", || {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            Ok(api.is_alive().then_some(()))
        })
    }

    /// Kills the server at once, as a power cut would (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Tells the server to stop (SIGTERM), as a supervisor does, and waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not end.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = self.child.id().to_string();
        run(Command::new("kill").args(["-TERM", &pid]))?;
        wait_for("the server to end by itself", || {
            Ok(self.child.try_wait()?)
        })
    }

    /// Starts the server again on the same folder and address, after [`Pith::kill`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = spawn(self.folder.path(), self.listen, &self.options)?;
        self.wait_until_up()
    }

    /// Starts the server again on the same folder with one more option, this once.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again_with(&mut self, option: &str) -> anyhow::Result<()> {
        let mut options = self.options.clone();
        options.push(option.into());
        self.child = spawn(self.folder.path(), self.listen, &options)?;
        self.wait_until_up()
    }

    /// The REST API, as admin.
    ///
    /// # Errors
    /// When the server left no password.
    pub fn api(&self) -> anyhow::Result<Api> {
        Ok(Api::new(self.listen, Some(&self.password()?)))
    }

    /// The password of admin.
    ///
    /// # Errors
    /// When the server left none.
    pub fn password(&self) -> anyhow::Result<String> {
        let path = self.data().join("admin-password");
        let password = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(password.trim().to_owned())
    }

    /// Runs a client command against this server, as admin, in a home of its own (below the server's folder).
    ///
    /// # Errors
    /// When it does not start, or the server left no password.
    pub fn client(&self, line: &str) -> anyhow::Result<Ran> {
        let password = fs::read_to_string(self.data().join("admin-password"))?;
        self.client_as("admin", password.trim(), line)
    }

    /// Makes [`Pith::client`] as another user.
    ///
    /// # Errors
    /// When it does not start.
    pub fn client_as(&self, user: &str, password: &str, line: &str) -> anyhow::Result<Ran> {
        let output = self.client_command(user, password, line)?.output()?;
        Ok(Ran {
            line: line.to_owned(),
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts a client command as admin, to be interrupted; what it prints is lost.
    ///
    /// # Errors
    /// When it does not start, or the server left no password.
    pub fn start_client(&self, line: &str) -> anyhow::Result<Child> {
        let password = fs::read_to_string(self.data().join("admin-password"))?;
        let mut command = self.client_command("admin", password.trim(), line)?;
        Ok(command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?)
    }

    /// The home of client commands.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A client command as another user, to be started.
    ///
    /// # Errors
    /// When the binary is not there.
    pub fn client_command(
        &self,
        user: &str,
        password: &str,
        line: &str,
    ) -> anyhow::Result<Command> {
        let arguments: Vec<&OsStr> = line.split(' ').map(OsStr::new).collect();
        let mut command = pith(&arguments)?;
        command
            .env("HOME", self.home())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .env("PITH_URL", self.url("/"))
            .env("PITH_USER", user)
            .env("PITH_PASSWORD", password);
        Ok(command)
    }

    /// `http://ADDR` and the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        data(self.folder.path())
    }

    /// Stops the process where it stands (SIGSTOP), as a suspended machine does; [`Pith::thaw`] lets it go on.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    /// Lets a process go on that [`Pith::freeze`] stopped.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        run(Command::new("kill").args([name, &self.pid().to_string()])).map(drop)
    }

    /// The text of its log.
    ///
    /// # Errors
    /// When there is none.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// The process, for looking at what it uses.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the process had at any time, in MiB.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.context("the system does not tell how much memory a process had")?;
        let kibibytes: u64 = size.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024)
    }

    /// Files that were being written when something ended, and that nobody took away.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn leftovers(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        list(&self.data(), &mut files)?;
        files.retain(|path| {
            let below_spool = path.components().any(|part| part.as_os_str() == "spool");
            let extension = path.extension().and_then(OsStr::to_str);
            below_spool || matches!(extension, Some("tmp" | "part" | "partial"))
        });
        Ok(files)
    }

    /// Takes the folder away from a server that is killed first, so that another program can use it.
    ///
    /// # Errors
    /// When the server cannot be killed.
    pub fn into_data(mut self) -> anyhow::Result<TempDir> {
        self.kill()?;
        Ok(std::mem::replace(&mut self.folder, tempfile::tempdir()?))
    }
}

impl Drop for Pith {
    fn drop(&mut self) {
        let _ = self.kill();
        if std::thread::panicking() {
            show_log(self.folder.path());
        }
    }
}

/// The outcome of a client command.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The standard output.
    pub out: String,
    /// The standard error stream.
    pub err: String,
}

impl Ran {
    /// The standard output of a command that succeeded.
    ///
    /// # Errors
    /// When it did not.
    pub fn done(self) -> anyhow::Result<String> {
        let Self {
            line,
            code,
            out,
            err,
        } = self;
        ensure!(code == Some(0), "pith {line}: {code:?}\n{out}\n{err}");
        Ok(out)
    }

    /// The document that a command with `--json` printed, which succeeded.
    ///
    /// # Errors
    /// When it did not succeed, or printed something else.
    pub fn json(self) -> anyhow::Result<serde_json::Value> {
        let out = self.done()?;
        serde_json::from_str(&out).with_context(|| format!("not JSON: {out}"))
    }
}

/// A running `pith mirror`, which has printed its configuration and goes on serving.
#[derive(Debug)]
pub struct Mirror {
    child: Child,
    folder: TempDir,
    printed: String,
}

impl Mirror {
    /// Runs `pith mirror FEED` and waits until it has printed a whole `[section]` with a `baseurl`.
    ///
    /// # Errors
    /// When it ends before that.
    pub fn start(feed: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = mirror_command(folder.path(), feed, free_address()?)?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log(folder.path())?)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let mut printed = String::new();
        while section(&printed).is_none() {
            let Some(line) = lines.next().transpose()? else {
                let status = child.wait()?;
                show_log(folder.path());
                bail!("pith mirror ended with {status} after printing:\n{printed}");
            };
            printed.push_str(&line);
            printed.push('\n');
        }
        // Whatever else it prints is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            child,
            folder,
            printed,
        })
    }

    /// Runs `pith mirror FEED --exit` to its end: what it printed, and the folder with its data.
    ///
    /// # Errors
    /// When it ends with another code than 0.
    pub fn once(feed: &str) -> anyhow::Result<(String, TempDir)> {
        let folder = tempfile::tempdir()?;
        let mut command = mirror_command(folder.path(), feed, free_address()?)?;
        let printed = run(command.arg("--exit"))?;
        Ok((printed, folder))
    }

    /// Returns what it has printed so far.
    #[must_use]
    pub fn printed(&self) -> &str {
        &self.printed
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            show_log(self.folder.path());
        }
    }
}

/// The dnf configuration in what `pith mirror` printed: from the `[section]` line on, once it has a `baseurl`.
#[must_use]
pub fn section(printed: &str) -> Option<String> {
    let lines: Vec<&str> = printed
        .lines()
        .map(str::trim)
        .skip_while(|line| !(line.starts_with('[') && line.ends_with(']')))
        .take_while(|line| line.starts_with('[') || line.contains('='))
        .collect();
    let whole = lines.iter().any(|line| line.starts_with("baseurl"));
    whole.then(|| lines.join("\n") + "\n")
}

fn mirror_command(folder: &Path, feed: &str, listen: SocketAddr) -> anyhow::Result<Command> {
    let (data, listen) = (data(folder), listen.to_string());
    pith(&[
        "mirror".as_ref(),
        feed.as_ref(),
        "--data".as_ref(),
        data.as_ref(),
        "--listen".as_ref(),
        listen.as_ref(),
    ])
}

fn spawn(folder: &Path, listen: SocketAddr, options: &[OsString]) -> anyhow::Result<Child> {
    let (data, listen) = (data(folder), listen.to_string());
    let mut command = pith(&[
        "serve".as_ref(),
        "--data".as_ref(),
        data.as_ref(),
        "--listen".as_ref(),
        listen.as_ref(),
    ])?;
    // Processes on one database share what seals its secrets.
    let is_shared = |option: &OsString| option.to_string_lossy().starts_with("postgres://");
    if options.iter().any(is_shared) && !options.iter().any(|option| option == "--secrets-key") {
        command.arg("--secrets-key").arg(shared_key()?);
    }
    for option in options {
        // As on the command line of a shell: variables for the server stand among its options.
        match option.to_str().and_then(|text| text.split_once('=')) {
            Some((name, value)) if name.starts_with("PITH_") => command.env(name, value),
            _ => command.arg(option),
        };
    }
    command.stdout(log(folder)?).stderr(log(folder)?);
    command
        .spawn()
        .with_context(|| format!("{command:?} did not start"))
}

/// The key file of servers that share a database.
fn shared_key() -> anyhow::Result<PathBuf> {
    let path = std::env::temp_dir().join("pith-e2e-secrets.key");
    if !path.exists() {
        // Whole from the beginning, whoever else makes it.
        let mut file = tempfile::NamedTempFile::new()?;
        writeln!(file, "pith-secrets-key:1:{}", "5a".repeat(32))?;
        file.persist(&path)?;
    }
    Ok(path)
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log(folder: &Path) -> anyhow::Result<File> {
    Ok(File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))?)
}

fn show_log(folder: &Path) {
    let mut text = String::new();
    if let Ok(mut file) = File::open(folder.join("log")) {
        let _ = file.read_to_string(&mut text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(60)..].join("\n");
    let _ = writeln!(
        std::io::stderr(),
        "--- the server's log, last lines ---\n{tail}\n---"
    );
}

/// An address of loopback that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    ensure!(address.port() != 0, "no free port");
    Ok(address)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_found_in_what_mirror_prints() {
        let printed = "synced 10 packages\n\n[sample]\nname=sample\nbaseurl=http://a/\nenabled=1\n\nserving on a\n";
        assert_eq!(
            section(printed).as_deref(),
            Some("[sample]\nname=sample\nbaseurl=http://a/\nenabled=1\n")
        );
        assert_eq!(section("synced\n[sample]\nname=sample\n"), None);
    }
}
