//! The program rsync, which sends folders of scratch files to other machines over ssh
//! ([decision 20](../../../docs/decisions/0020-rsync.md)). No shell is between: what configurations say is an argument, or part of
//! one whose syntax it cannot leave.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pith_blobs::OpenFolders;
use pith_content::ContentError;
use pith_content::remote::Remote;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// The most of what rsync says in an error that is told: its end.
const TOLD: usize = 2048;
/// Tries while the other machine has too many connections, and the time between them.
const TRIES: u32 = 10;
/// The time between two tries.
const WAIT: Duration = Duration::from_secs(30);
/// Words of ssh when the other machine takes no more connections.
const BUSY: [&str; 3] = [
    "kex_exchange_identification",
    "ssh_exchange_identification",
    "Connection reset by",
];
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
    /// Its output cannot be read.
    #[error("what rsync says cannot be read: {0}")]
    Unread(#[source] std::io::Error),
    /// It has failed.
    #[error("rsync to {host} failed ({status}): {said}")]
    Failed {
        /// The other machine.
        host: String,
        /// The way it ended.
        status: std::process::ExitStatus,
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
    let arguments = arguments(ssh, remote, folder, errand);
    let mut tries = 0;
    loop {
        tries += 1;
        let once = once(&arguments, &remote.host);
        let ended = cancel.run_until_cancelled(once).await;
        match ended.ok_or(ContentError::Cancelled)? {
            Err(error) if tries < TRIES && error.is_busy() => {
                tracing::warn!(%error, "the other machine takes no more connections now: trying again");
                let waited = cancel.run_until_cancelled(tokio::time::sleep(WAIT)).await;
                waited.ok_or(ContentError::Cancelled)?;
            }
            ended => return ended.map_err(ContentError::other),
        }
    }
}

async fn once(arguments: &[OsString], host: &str) -> Result<(), SendError> {
    let mut command = Command::new("rsync");
    command.args(arguments).env_clear().env("LC_ALL", "C");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(SendError::NotThere)?;
    let said = match child.stderr.take() {
        Some(errors) => end_of(errors).await.map_err(SendError::Unread)?,
        None => String::new(),
    };
    let status = child.wait().await.map_err(SendError::Unread)?;
    match status.success() {
        true => Ok(()),
        false => Err(SendError::Failed {
            host: host.to_owned(),
            status,
            said,
        }),
    }
}

/// The end of a text that a program writes.
async fn end_of(mut errors: impl AsyncRead + Unpin) -> std::io::Result<String> {
    let (mut end, mut piece) = (Vec::new(), [0; TOLD]);
    loop {
        match errors.read(&mut piece).await? {
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
            Self::NotThere(_) | Self::Unread(_) => false,
        }
    }
}

/// The arguments of rsync.
fn arguments(ssh: &Ssh, remote: &Remote, folder: &Path, errand: Errand<'_>) -> Vec<OsString> {
    // Links to folders at the other machine are folders; paths there go through no shell.
    let mut arguments: Vec<OsString> = vec!["-rOKs".into(), format!("--timeout={PATIENCE}").into()];
    let root = remote.root.trim_end_matches('/');
    let (from, to) = match errand {
        Errand::Make => {
            let to = if root.is_empty() || root.starts_with('/') {
                "/"
            } else {
                ""
            };
            (folder.to_owned(), to.to_owned())
        }
        Errand::Send => {
            arguments.extend(["-ltz".into(), "--chmod=D755,F644".into()]);
            arguments.extend(remote.arguments.iter().map(OsString::from));
            (folder.to_owned(), format!("{root}/"))
        }
        Errand::Prune { below, spared } => {
            let names = ["-l", "--delete", "--existing", "--ignore-existing"];
            arguments.extend(names.map(OsString::from));
            let most = remote
                .arguments
                .iter()
                .filter(|each| each.starts_with("--max-delete"));
            arguments.extend(most.map(OsString::from));
            arguments.extend(spared.map(|spared| format!("--exclude=/{}", literal(spared)).into()));
            (folder.join(below), format!("{root}/{below}/"))
        }
    };
    let host = match remote.host.contains(':') {
        true => format!("[{}]", remote.host),
        false => remote.host.clone(),
    };
    let mut from = from.into_os_string();
    from.push("/");
    arguments.extend([
        "-e".into(),
        ssh_command(ssh, remote).into(),
        "--".into(),
        from,
    ]);
    arguments.push(format!("{host}:{to}").into());
    arguments
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
fn ssh_command(ssh: &Ssh, remote: &Remote) -> String {
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
        format!("StrictHostKeyChecking={check}"),
    ];
    let mut words = vec!["ssh".to_owned(), "-F".to_owned(), "none".to_owned()];
    for option in options {
        words.extend(["-o".to_owned(), option]);
    }
    words.extend(["-l".to_owned(), remote.user.clone()]);
    words.extend(["-i".to_owned(), remote.identity.display().to_string()]);
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
    use super::*;

    fn remote(host: &str, root: &str) -> Remote {
        Remote {
            setting: "remote",
            host: host.to_owned(),
            port: Some(2222),
            user: "www".to_owned(),
            identity: "/keys/it's mine".into(),
            root: root.to_owned(),
            arguments: vec!["--bwlimit=1m".to_owned(), "--max-delete=9".to_owned()],
            is_anew: false,
        }
    }

    fn told(remote: &Remote, errand: Errand<'_>) -> Vec<String> {
        let ssh = Ssh {
            known_hosts: "/data/known hosts".into(),
            ..Ssh::default()
        };
        let arguments = arguments(&ssh, remote, Path::new("/spool/b"), errand);
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
            ssh.contains("'-l' 'www' '-i' '/keys/it''s mine' '-p' '2222'"),
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
