//! nginx, wrk and curl, each with what it needs to be fair and nothing of this machine's configuration.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use pith_e2e::tools::{find, is_root, run, wait_for};
use tempfile::TempDir;

/// An nginx that serves one folder on loopback.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    pub(crate) fn serve(root: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let here = folder.path().display();
        let user = if is_root() { "user root;" } else { "" };
        let configuration = format!(
            "{user} worker_processes auto; pid {here}/pid; error_log {here}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
             client_body_temp_path {here}/a; proxy_temp_path {here}/b; fastcgi_temp_path {here}/c;\n\
             uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;\n\
             types {{ application/json json; }}\n\
             server {{ listen {address}; root {}; }} }}\n",
            root.display()
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration)?;
        let child = Command::new(find("nginx").context("nginx is not installed")?)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&path)
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .args(["-g", "daemon off;"])
            .stdin(Stdio::null())
            .spawn()?;
        let server = Self {
            child,
            address,
            _folder: folder,
        };
        wait_for("nginx", || Ok(TcpStream::connect(address).ok()))?;
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its workers along only when it is asked to end, not when it is killed.
        let _ = run(Command::new("kill").arg(self.child.id().to_string()));
        let _ = self.child.wait();
    }
}

/// The numbers that wrk counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// Milliseconds that 99 of 100 requests take at most.
    pub(crate) p99: f64,
}

/// The load that wrk makes.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    /// `http://ADDR`.
    pub(crate) server: String,
    pub(crate) method: &'a str,
    /// Asked for in turn.
    pub(crate) paths: Vec<String>,
    /// Sent in turn; empty for requests without a body.
    pub(crate) bodies: Vec<String>,
    pub(crate) authorization: Option<&'a str>,
}

impl Load<'_> {
    /// Requests a second over 16 connections in three seconds.
    pub(crate) fn rate(&self) -> anyhow::Result<Rate> {
        let folder = tempfile::tempdir()?;
        let script = folder.path().join("load.lua");
        fs::write(&script, self.script())?;
        let mut wrk = Command::new(find("wrk").context("wrk is not installed")?);
        wrk.args(["-t2", "-c16", "-d3s", "--latency", "-s"])
            .arg(&script)
            .arg(&self.server);
        let printed = run(&mut wrk)?;
        ensure!(!printed.contains("Non-2xx"), "refused requests:\n{printed}");
        ensure!(
            !printed.contains("Socket errors"),
            "broken connections:\n{printed}"
        );
        let after = |label: &str| {
            let mut lines = printed.lines();
            lines.find_map(|line| line.trim().strip_prefix(label).map(str::trim))
        };
        let rate = after("Requests/sec:").context("wrk printed no rate")?;
        Ok(Rate {
            per_second: rate.parse()?,
            p99: after("99%")
                .and_then(milliseconds)
                .context("wrk printed no latency")?,
        })
    }

    fn script(&self) -> String {
        // JSON strings without escapes beyond \" and \\ are Lua strings.
        let list = |texts: &[String]| {
            let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            format!("{{{}}}", quoted.join(","))
        };
        let authorization = self
            .authorization
            .map(|value| format!("wrk.headers[\"Authorization\"] = {value:?}\n"))
            .unwrap_or_default();
        format!(
            "local paths, bodies, at = {}, {}, 0\n\
             wrk.headers[\"Content-Type\"] = \"application/json\"\n\
             {authorization}\
             request = function()\n\
             at = at + 1\n\
             local body = nil\n\
             if #bodies > 0 then body = bodies[at % #bodies + 1] end\n\
             return wrk.format({:?}, paths[at % #paths + 1], nil, body)\n\
             end\n",
            list(&self.paths),
            list(&self.bodies),
            self.method,
        )
    }
}

/// A time as wrk prints it.
fn milliseconds(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60_000.0)
    } else {
        (text.strip_suffix('s')?, 1000.0)
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// Downloads these URLs over 16 connections and hashes what came: what a sync cannot do without.
pub(crate) fn download_and_hash(urls: &[String], folder: &Path) -> anyhow::Result<Command> {
    let list = folder.join("urls");
    let mut text = String::new();
    for (number, url) in urls.iter().enumerate() {
        text.push_str(&format!(
            "url = \"{url}\"\noutput = \"{}/{number}\"\n",
            folder.display()
        ));
    }
    fs::write(&list, text)?;
    let mut shell = Command::new("sh");
    shell.arg("-ec").arg(
        "curl --silent --fail --noproxy '*' --parallel --parallel-max 16 --config \"$1\"\n\
         find \"$2\" -type f -print0 | xargs -0 -P 2 -n 500 sha256sum > /dev/null",
    );
    shell.arg("sh").arg(list).arg(folder);
    Ok(shell)
}

/// One download to nowhere.
pub(crate) fn download(url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--fail",
        "--noproxy",
        "*",
        "--output",
        "/dev/null",
        url,
    ]);
    curl
}

/// The names of the files in a folder, as paths from the root of a server.
pub(crate) fn paths(files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .filter_map(|path| Some(format!("/{}", path.file_name()?.to_str()?)))
        .collect()
}
