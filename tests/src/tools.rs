//! The tools that tests need from the machine, and the ways in which they wait.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The time that anything may take before a test gives up on it. Generous: no test measures time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// `examples/sample-repo`: ten packages, one erratum, one group.
#[must_use]
pub fn sample_repo() -> PathBuf {
    workspace().join("examples/sample-repo")
}

/// `examples/sample-files`: three files and a `PULP_MANIFEST`.
#[must_use]
pub fn sample_files() -> PathBuf {
    workspace().join("examples/sample-files")
}

/// Tells whether one of `programs` is not here, which the caller answers by returning. Loud on a laptop.
///
/// # Panics
/// When `CI` is set: there, `.ci/install-tools` installs everything, and a test that does not run is a failure.
#[must_use]
pub fn missing(programs: &[&str]) -> bool {
    let absent: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    if absent.is_empty() {
        return false;
    }
    let absent = absent.join(", ");
    assert!(
        std::env::var_os("CI").is_none(),
        "{absent} not installed: run .ci/install-tools"
    );
    eprintln!("SKIPPED: {absent} not installed (.ci/install-tools installs it)");
    true
}

/// The folder into which `.ci/install-tools` puts what comes from PyPI.
fn python_tools() -> PathBuf {
    workspace().join("target/tools/python/bin")
}

/// Finds a program: on the path, where Debian keeps those of root, or among the tools from PyPI.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), python_tools()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Tells whether the test runs as root. rpm installs into another root folder only then.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|status| status.uid() == 0)
}

/// Runs a program to its end.
///
/// # Errors
/// When it does not start or ends with another code than 0; with everything it printed.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?} did not start"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}\n{stdout}\n{stderr}", output.status);
    }
    Ok(stdout)
}

/// The rounds of a test: `PITH_TEST_ROUNDS`, or as many as is usual.
#[must_use]
pub fn rounds(usual: usize) -> usize {
    let said = std::env::var("PITH_TEST_ROUNDS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(usual)
}

/// Asks `condition` until it has an answer.
///
/// # Errors
/// When it fails, or has none after a minute; `what` says what was waited for.
pub fn wait_for<T>(
    what: &str,
    mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if started.elapsed() > PATIENCE {
            bail!("gave up waiting for {what}");
        }
        pause(Duration::from_millis(5));
    }
}

/// Lets this much time pass: between two looks at a condition, or to reach another moment of what the server does.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests let time pass"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A number that looks random and is the same in every run, for moments and names.
#[derive(Debug)]
pub struct Scatter(u64);

impl Scatter {
    /// A series of its own for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// The next number, below `limit` (which is not 0).
    pub fn below(&mut self, limit: u64) -> u64 {
        // Knuth's multiplier; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}
