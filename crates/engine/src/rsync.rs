//! The program rsync, which sends folders of scratch files to other machines over ssh
//! ([decision 20](../../../docs/decisions/0020-rsync.md)). No shell is between: what configurations say is an argument, or part of
//! one whose syntax it cannot leave.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pith_blobs::OpenFolders;
use pith_content::remote::Remote;
use pith_content::rsync::NO_LINKED_FOLDERS;
use pith_content::{ContentError, blocking};
use tokio_util::sync::CancellationToken;

/// The most of what rsync says in an error that is told: its end.
const TOLD: usize = 2048;
/// Tries while the other machine takes no more connections. Each holds up a worker.
const TRIES: u32 = 4;
/// The time between two tries.
const WAIT: Duration = Duration::from_secs(30);
/// Words of ssh when the other machine takes no more connections.
const BUSY: [&str; 2] = ["kex_exchange_identification", "ssh_exchange_identification"];
/// Seconds without a byte after which rsync gives up.
const PATIENCE: u32 = 600;

/// The server's settings for ssh.
#[derive(Debug, Clone, Default)]
pub struct Ssh {
    /// The folders whose files may be named as keys; none by default.
    pub keys: OpenFolders,
    /// The file with the keys of other machines.
    pub known_hosts: PathBuf,
    /// Is true when a machine must be in that file. Otherwise one that is not is noted there, and known from then on.
    pub is_closed: bool,
}

/// The reason why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The program is not there.
    #[error("rsync cannot be started on this server (install rsync and the ssh client): {0}")]
    NotThere(#[source] std::io::Error),
    /// A key cannot be used.
    #[error("{}", not_opened(.0))]
    NoKey(PathBuf),
    /// Nobody waits for it any more.
    #[error("rsync was stopped")]
    Stopped,
    /// Its output cannot be read.
    #[error("what rsync says cannot be read: {0}")]
    Unread(#[source] std::io::Error),
    /// It has failed.
    #[error("rsync to {host} failed ({status}, {}): {said}", meaning(*status))]
    Failed {
        /// The other machine.
        host: String,
        /// The way it ended.
        status: ExitStatus,
        /// The end of what it said.
        said: String,
    },
}

/// The thing to do with a folder at the other machine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Errand<'a> {
    /// The folders in it are made where they are missing, in the folder that paths begin in.
    Make,
    /// All of it is sent to the root.
    Send,
    /// Everything that is not in the folder `below` of it is removed from that folder of the root, but for `spared`, a path there.
    Prune {
        below: &'a str,
        spared: Option<&'a str>,
    },
}

/// Runs rsync from `folder`.
///
/// # Errors
/// When it cannot be run or fails; [`ContentError::Cancelled`].
pub(crate) async fn run(
    ssh: &Ssh,
    remote: &Remote,
    folder: &Path,
    errand: Errand<'_>,
    cancel: &CancellationToken,
) -> Result<(), ContentError> {
    let key = usable(ssh, &remote.identity).map_err(ContentError::other)?;
    let invocation = Invocation {
        ssh,
        remote,
        key: &key,
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let arguments = invocation.arguments(folder, errand);
        let ended = cancel.run_until_cancelled(program(arguments)).await;
        let ended = ended.ok_or(ContentError::Cancelled)??;
        match ended.and_then(|ended| ended.require_success(ssh, remote)) {
            Err(error) if tries < TRIES && error.is_busy() => {
                tracing::warn!(%error, "the other machine takes no more connections now: trying again");
                let waited = cancel.run_until_cancelled(tokio::time::sleep(WAIT)).await;
                waited.ok_or(ContentError::Cancelled)?;
            }
            ended => return ended.map_err(ContentError::other),
        }
    }
}

/// Tells whether an error says that the folder above the root is not there: rsync makes the last folder of a path alone. The rsync
/// there says why in a text that does not always arrive before the connection ends; one without a reason may mean that too.
pub(crate) fn is_rootless(error: &(dyn std::error::Error + 'static)) -> bool {
    let error: Option<&SendError> = error.downcast_ref();
    error.is_some_and(|error| match error {
        SendError::Failed { status, said, .. } => {
            let has_reason = said.lines().any(|line| line.starts_with("rsync"));
            matches!(status.code(), Some(3 | 11))
                && (!has_reason || said.contains("No such file or directory"))
        }
        _ => false,
    })
}

/// The text for a key that is not the operator's to give.
pub(crate) fn not_opened(key: &Path) -> String {
    format!(
        "the key '{}' cannot be used: it is no file below a folder that the server's settings open for keys (--allow-ssh-keys DIR)",
        key.display()
    )
}

/// The file of a key, without symbolic links: ssh takes the keys of whoever runs the server where it does not find the one that it
/// was given.
fn usable(ssh: &Ssh, key: &Path) -> Result<PathBuf, SendError> {
    let no_key = || SendError::NoKey(key.to_owned());
    ssh.keys.check(key).map_err(|_| no_key())?;
    let found = std::fs::canonicalize(key).map_err(|_| no_key())?;
    match found.is_file() && ssh.keys.check(&found).is_ok() {
        true => Ok(found),
        false => Err(no_key()),
    }
}

/// Tells whether the version that a program tells is this one or a later one.
fn is_since(told: &str, least: [u32; 3]) -> bool {
    let mut words = told.split_whitespace();
    let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let parts = version.unwrap_or_default().split('.');
    let parts = parts.map(|part| {
        let digits = part.find(|each: char| !each.is_ascii_digit());
        part[..digits.unwrap_or(part.len())].parse().unwrap_or(0)
    });
    let parts: Vec<u32> = parts.collect();
    parts.as_slice() >= least.as_slice()
}

/// rsync with an environment of its own.
fn command() -> Command {
    let mut command = Command::new("rsync");
    command.env_clear().env("LC_ALL", "C");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    end_with_us(&mut command);
    command
}

/// Has the system end a program when the thread that starts it ends, however it ends: what rsync still sends after the server was
/// killed would come after what the next one sends.
fn end_with_us(command: &mut Command) {
    let end = || {
        let signal = rustix::process::Signal::KILL;
        rustix::process::set_parent_process_death_signal(Some(signal)).map_err(Into::into)
    };
    #[expect(
        unsafe_code,
        reason = "the only way to have it end when the server is killed"
    )]
    // SAFETY: between fork and exec it makes one system call, and neither allocates nor locks.
    unsafe {
        command.pre_exec(end);
    }
}

/// Tells whether rsync keeps paths from the shell of the other machine by itself. Asking it to is refused by accounts that may run
/// nothing but rsync.
fn keeps_paths() -> Result<bool, SendError> {
    let told = command().arg("--version").stdout(Stdio::piped()).output();
    let told = told.map_err(SendError::NotThere)?.stdout;
    Ok(is_since(&String::from_utf8_lossy(&told), [3, 2, 4]))
}

/// The state of a program.
#[derive(Default)]
enum State {
    #[default]
    Starting,
    Running(Child),
    /// It has ended, or is not to be started any more.
    Over,
}

/// A program that is ended when nobody waits for it any more.
#[derive(Default)]
struct Running(Arc<Mutex<State>>);

impl Drop for Running {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.0.lock(), State::Over);
        if let State::Running(mut child) = before {
            // One that has ended by itself is no trouble.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The way in which a program ended, and the end of what it said.
struct Ended {
    status: ExitStatus,
    said: String,
}

impl Ended {
    fn require_success(self, ssh: &Ssh, remote: &Remote) -> Result<(), SendError> {
        if self.status.success() {
            return Ok(());
        }
        let known = ssh.known_hosts.display().to_string();
        Err(SendError::Failed {
            host: remote.host.clone(),
            status: self.status,
            // Where the server keeps its files is nobody's business.
            said: self.said.replace(&known, "the file of known machines"),
        })
    }
}

/// Runs rsync on a thread of its own, which lasts as long as rsync does.
async fn program(arguments: Vec<OsString>) -> Result<Result<Ended, SendError>, ContentError> {
    let running = Running::default();
    let state = Arc::clone(&running.0);
    let ended = blocking::run(move || {
        let mut command = command();
        command.args(keeps_paths().map(|keeps| (!keeps).then_some("-s"))?);
        command.args(arguments);
        let errors = {
            let mut state = state.lock();
            if matches!(*state, State::Over) {
                return Err(SendError::Stopped);
            }
            let mut child = command.spawn().map_err(SendError::NotThere)?;
            let errors = child.stderr.take();
            *state = State::Running(child);
            errors
        };
        let said = errors.map_or_else(|| Ok(String::new()), end_of);
        let state = std::mem::replace(&mut *state.lock(), State::Over);
        match state {
            State::Running(mut child) => Ok(Ended {
                status: child.wait().map_err(SendError::Unread)?,
                said: said.map_err(SendError::Unread)?,
            }),
            State::Starting | State::Over => Err(SendError::Stopped),
        }
    });
    ended.await
}

/// The meaning of the way in which rsync ended.
fn meaning(status: ExitStatus) -> &'static str {
    match status.code() {
        Some(3 | 11) => "a file or folder there cannot be read or written",
        Some(10) => "no connection",
        Some(12 | 13) => "the other machine did not answer as rsync does",
        Some(23 | 24) => "not everything was sent",
        Some(25) => "more was to be removed than may be",
        Some(30 | 35) => "nothing came for too long",
        Some(255) => "ssh has failed",
        Some(_) => "see the manual of rsync",
        None => "it was stopped",
    }
}

/// The end of a text that a program writes.
fn end_of(mut errors: impl Read) -> std::io::Result<String> {
    let (mut end, mut piece) = (Vec::new(), [0; TOLD]);
    loop {
        match errors.read(&mut piece)? {
            0 => return Ok(String::from_utf8_lossy(&end).trim().to_owned()),
            read => end.extend_from_slice(&piece[..read]),
        }
        end.drain(..end.len().saturating_sub(TOLD));
    }
}

impl SendError {
    fn is_busy(&self) -> bool {
        match self {
            Self::Failed { said, .. } => BUSY.iter().any(|busy| said.contains(busy)),
            Self::NotThere(_) | Self::Unread(_) | Self::NoKey(_) | Self::Stopped => false,
        }
    }
}

/// A run of rsync to be.
struct Invocation<'a> {
    ssh: &'a Ssh,
    remote: &'a Remote,
    /// The file of the key.
    key: &'a Path,
}

impl Invocation<'_> {
    /// The arguments of rsync.
    fn arguments(&self, folder: &Path, errand: Errand<'_>) -> Vec<OsString> {
        let remote = self.remote;
        // Links to folders at the other machine are folders, unless that is not to be asked for.
        let is_plain = |given: &String| given == NO_LINKED_FOLDERS;
        let follows = !remote.arguments.iter().any(is_plain);
        let mut arguments: Vec<OsString> = vec![if follows { "-rOK" } else { "-rO" }.into()];
        arguments.push(format!("--timeout={PATIENCE}").into());
        let root = remote.root.trim_end_matches('/');
        let (from, to) = match errand {
            Errand::Make => {
                let to = if remote.root.starts_with('/') {
                    "/"
                } else {
                    ""
                };
                (folder.to_owned(), to.to_owned())
            }
            Errand::Send => {
                // A folder gives way to a file.
                arguments.extend(["-ltz", "--force", "--chmod=D755,F644"].map(OsString::from));
                arguments.extend(remote.is_forced.then(|| "-I".into()));
                arguments.extend(remote.arguments.iter().map(OsString::from));
                (folder.to_owned(), format!("{root}/"))
            }
            Errand::Prune { below, spared } => {
                let names = ["-l", "--delete", "--existing", "--ignore-existing"];
                arguments.extend(names.map(OsString::from));
                let given = remote.arguments.iter();
                let most = given.filter(|each| each.starts_with("--max-delete"));
                arguments.extend(most.map(OsString::from));
                let spared = spared.map(|spared| format!("--exclude=/{}", literal(spared)));
                arguments.extend(spared.map(OsString::from));
                (folder.join(below), format!("{root}/{below}/"))
            }
        };
        let host = match remote.host.contains(':') {
            true => format!("[{}]", remote.host),
            false => remote.host.clone(),
        };
        let mut from = from.into_os_string();
        from.push("/");
        let ssh = ssh_command(self.ssh, remote, self.key);
        arguments.extend(["-e".into(), ssh.into(), "--".into(), from]);
        arguments.push(format!("{host}:{to}").into());
        arguments
    }
}

/// A path as a pattern of rsync that means it alone.
fn literal(path: &str) -> String {
    let is_wild = path.contains(['*', '?', '[']);
    let escape = |each: char| match each {
        '*' | '?' | '[' | '\\' if is_wild => vec!['\\', each],
        each => vec![each],
    };
    path.chars().flat_map(escape).collect()
}

/// The command that rsync reaches the other machine with. It is taken apart at blanks, but for what is in quotes.
fn ssh_command(ssh: &Ssh, remote: &Remote, key: &Path) -> String {
    let known = ssh.known_hosts.display().to_string().replace('%', "%%");
    let check = if ssh.is_closed { "yes" } else { "accept-new" };
    let options = [
        "BatchMode=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ForwardAgent=no".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "ConnectTimeout=30".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        "GlobalKnownHostsFile=none".to_owned(),
        format!("UserKnownHostsFile=\"{known}\""),
        // Not `-i`, which ssh forgets when the file is not there.
        format!("IdentityFile=\"{}\"", key.display()),
        format!("StrictHostKeyChecking={check}"),
    ];
    let mut words = vec!["ssh".to_owned(), "-F".to_owned(), "none".to_owned()];
    for option in options {
        words.extend(["-o".to_owned(), option]);
    }
    words.extend(["-l".to_owned(), remote.user.clone()]);
    if let Some(port) = remote.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    let quoted = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "''")));
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use pith_core::RelativePath;

    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (told, is_new) in [
            ("rsync  version 3.2.4  protocol version 31", true),
            ("rsync  version v3.10.0dev  protocol", false),
            ("rsync  version 3.10.0dev  protocol version 32", true),
            ("rsync  version 3.2.3  protocol version 31", false),
            ("rsync  version 4  protocol version 31", true),
            ("", false),
        ] {
            assert_eq!(is_since(told, [3, 2, 4]), is_new, "{told}");
        }
    }

    fn remote(host: &str, root: &str) -> Remote {
        Remote {
            setting: "remote",
            host: host.to_owned(),
            port: Some(2222),
            user: "www".to_owned(),
            identity: "/keys/id".into(),
            root: root.to_owned(),
            arguments: vec!["--bwlimit=1m".to_owned(), "--max-delete=9".to_owned()],
            units: RelativePath::new("content/units").unwrap(),
            predistributor: None,
            deletes: false,
            is_forced: false,
        }
    }

    fn told(remote: &Remote, errand: Errand<'_>) -> Vec<String> {
        let ssh = Ssh {
            known_hosts: "/data/known hosts".into(),
            ..Ssh::default()
        };
        let invocation = Invocation {
            ssh: &ssh,
            remote,
            key: Path::new("/keys/it's mine"),
        };
        let arguments = invocation.arguments(Path::new("/spool/b"), errand);
        arguments
            .into_iter()
            .map(|each| each.into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_is_configured_stays_within_its_argument() {
        let sent = told(&remote("2001:db8::1", "/srv/$(id) x/"), Errand::Send);
        assert_eq!(sent.last().unwrap(), "[2001:db8::1]:/srv/$(id) x/");
        assert_eq!(sent[sent.len() - 2], "/spool/b/");
        assert_eq!(sent[sent.len() - 3], "--");
        let ssh = &sent[sent.len() - 4];
        assert!(
            ssh.contains("'-o' 'IdentityFile=\"/keys/it''s mine\"'")
                && ssh.contains("'-l' 'www' '-p' '2222'"),
            "{ssh}"
        );
        assert!(
            ssh.contains("'UserKnownHostsFile=\"/data/known hosts\"'"),
            "{ssh}"
        );
        assert!(ssh.contains("'StrictHostKeyChecking=accept-new'"), "{ssh}");
        assert!(sent.contains(&"--bwlimit=1m".to_owned()));
    }

    #[test]
    fn folders_are_made_where_the_root_begins() {
        let to = |root| told(&remote("mirror", root), Errand::Make).pop().unwrap();
        assert_eq!(to("/srv/www"), "mirror:/");
        assert_eq!(to("/"), "mirror:/");
        assert_eq!(to("www"), "mirror:");
    }

    #[test]
    fn pruning_removes_and_sends_nothing() {
        let errand = Errand::Prune {
            below: "zoo",
            spared: Some("a[b]"),
        };
        let pruned = told(&remote("mirror", "/srv"), errand);
        for argument in [
            "--delete",
            "--existing",
            "--ignore-existing",
            "--exclude=/a\\[b]",
            "--max-delete=9",
        ] {
            assert!(
                pruned.contains(&argument.to_owned()),
                "{argument}: {pruned:?}"
            );
        }
        assert_eq!(
            pruned[pruned.len() - 2..],
            ["/spool/b/zoo/", "mirror:/srv/zoo/"]
        );
    }
}
