//! Servers of others: an ssh server that rsync can send to, and a web server for what was sent.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

use crate::server::free_address;
use crate::tools::{find, is_root, run, wait_for};

/// An ssh server of the user who runs the test, for one key.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Sshd {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("keys"))?;
        for key in ["host", "other_host", "keys/id", "keys/stranger"] {
            let key = folder.path().join(key);
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(key))?;
        }
        // The server wants it, where it is root.
        if is_root() {
            fs::create_dir_all("/run/sshd")?;
        }
        let address = free_address()?;
        let child = serve(folder.path(), "host", address)?;
        Ok(Self {
            folder,
            child,
            address,
        })
    }

    /// Starts again, as another machine at the same address.
    ///
    /// # Errors
    /// When it does not start.
    pub fn become_another(&mut self) -> anyhow::Result<()> {
        stop(&mut self.child);
        self.child = serve(self.folder.path(), "other_host", self.address)?;
        Ok(())
    }

    /// Stops taking connections.
    pub fn stop(&mut self) {
        stop(&mut self.child);
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The folder of private keys: `id` is let in, `stranger` is not.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// The user who is let in.
    ///
    /// # Errors
    /// When the machine does not know who that is.
    pub fn user(&self) -> anyhow::Result<String> {
        Ok(run(Command::new("id").arg("-un"))?.trim().to_owned())
    }

    /// The line of a `known_hosts` file for it.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn known(&self) -> anyhow::Result<String> {
        let key = fs::read_to_string(self.folder.path().join("host.pub"))?;
        Ok(format!("[127.0.0.1]:{} {key}", self.port()))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn serve(folder: &Path, host_key: &str, address: SocketAddr) -> anyhow::Result<Child> {
    let shown = folder.display();
    let config = format!(
        "HostKey {shown}/{host_key}\nAuthorizedKeysFile {shown}/keys/id.pub\nListenAddress {address}\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    );
    let file = folder.join("sshd_config");
    fs::write(&file, config)?;
    let mut command = Command::new(find("sshd").context("sshd")?);
    command.args(["-D", "-e", "-f"]).arg(file);
    started(command, address, &folder.join("sshd.log"))
}

/// A web server for the files below a folder.
#[derive(Debug)]
pub struct Nginx {
    _folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Serves a folder on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn of(root: &Path) -> anyhow::Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let (here, root) = (folder.path().display(), root.display());
        // What a test has in its own folder, no other user may read.
        let user = if is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; master_process off; {user} pid {here}/pid; error_log stderr;\nevents {{}}\n\
             http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;\n\
             uwsgi_temp_path {here}/u; scgi_temp_path {here}/s; server {{ listen {address}; root {root}; }} }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config)?;
        let mut command = Command::new(find("nginx").context("nginx")?);
        command.arg("-c").arg(file);
        let child = started(command, address, &folder.path().join("nginx.log"))?;
        Ok(Self {
            _folder: folder,
            child,
            address,
        })
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Starts a server, and waits until it answers.
fn started(mut command: Command, address: SocketAddr, log: &Path) -> anyhow::Result<Child> {
    let errors = fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors);
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let answers = wait_for("a server to answer", || {
        // Before it is asked whether it has ended: somebody else may have taken the port and answer.
        let answers = TcpStream::connect(address).is_ok() && is_listening(&child)?;
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("{command:?} ended ({status}): {}", fs::read_to_string(log)?);
        }
        Ok(answers.then_some(()))
    });
    match answers {
        Ok(()) => Ok(child),
        Err(error) => {
            stop(&mut child);
            Err(error)
        }
    }
}

/// Tells whether a program has a socket open: one that could not have its port has none.
fn is_listening(child: &Child) -> anyhow::Result<bool> {
    for entry in fs::read_dir(format!("/proc/{}/fd", child.id()))? {
        let target = fs::read_link(entry?.path());
        if target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:")) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn stop(child: &mut Child) {
    // One that has ended is no trouble.
    let _ = child.kill();
    let _ = child.wait();
}
