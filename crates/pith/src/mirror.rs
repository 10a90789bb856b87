//! `pith mirror FEED`: the main job in one command.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use pith_cli::{
    Client, Credentials, MirrorOptions, NotAType, Trust, Ui, client_configuration, local_folder,
    mirror,
};
use pith_content::Words;

use crate::admin;
use crate::log;
use crate::options::ServerOptions;
use crate::server::Server;
use crate::types::families;

/// Options of `pith mirror`.
#[derive(Debug, Args)]
pub(crate) struct MirrorCommand {
    /// Source of the mirror: an http, https or file URL, or the path of a local folder
    feed: String,
    // The help names the types that there are.
    #[arg(long = "type", value_name = "TYPE", value_parser = content_type, help = types_help())]
    content_type: Option<&'static Words>,
    /// Id of the repository [default: made from the feed]
    #[arg(long, value_name = "ID")]
    repo_id: Option<String>,
    /// Stop after publishing instead of going on serving
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    server: ServerOptions,
}

fn content_type(name: &str) -> Result<&'static Words, NotAType> {
    families().mirror_type(name)
}

fn types_help() -> String {
    let names: Vec<String> = families()
        .mirror_types()
        .map(|name| format!("`{name}`"))
        .collect();
    let names = names.join(" or ");
    format!("Kind of content, {names} [default: seen from the feed]")
}

/// Starts a server (unless `--url` names one that runs), mirrors and publishes, prints the client configuration, and
/// goes on serving.
pub(crate) async fn run(
    command: MirrorCommand,
    globals: &pith_cli::Globals,
) -> anyhow::Result<ExitCode> {
    let server = match globals.server() {
        Some(_) => None,
        None => Some(start(&command).await?),
    };
    let client = match &server {
        // Nobody is asked for a password: a mirror is often made by a script.
        None => globals.client(pith_cli::login_file().as_deref(), &mut |_| None)?,
        Some(server) => own_client(server, &command.server)?,
    };
    let mut ui = Ui::of_process(globals.json, globals.no_color, families());
    let options = MirrorOptions {
        feed: command.feed,
        content_type: command.content_type,
        repo_id: command.repo_id,
        ..MirrorOptions::default()
    };
    let mirrored = match mirror(&client, &options, &mut ui).await {
        Ok(mirrored) => mirrored,
        Err(error) => {
            ui.failure(&error);
            if let Some(server) = server {
                server.stop().await?;
            }
            return Ok(error.exit().into());
        }
    };
    let text = client_configuration(
        mirrored.content_type,
        client.base().as_str(),
        &mirrored.repo_id,
        &mirrored.relative_url,
    )?;
    let mut out = std::io::stdout();
    let printed = write!(out, "{text}").and_then(|()| out.flush());
    let printed = printed.context("cannot print");
    match server {
        None => printed?,
        Some(server) if command.exit => {
            server.stop().await?;
            printed?;
        }
        Some(server) => {
            // Nobody need read any of this for the server to serve.
            let _ = writeln!(
                std::io::stderr(),
                "serving on http://{}; stop with Ctrl-C",
                server.address
            );
            server.run_until_told().await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A client of the server in this process, as its administrator.
fn own_client(server: &Server, options: &ServerOptions) -> anyhow::Result<Client> {
    let password = admin::known_password(&options.data).context(
        "the administrator's password is not known here; set PITH_ADMIN_PASSWORD, or use a running server with --url \
         and --user",
    )?;
    let mut address = server.address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let base = format!("http://{address}/")
        .parse()
        .context("the server's own address is no URL")?;
    let credentials = Credentials::password(admin::LOGIN, password);
    Ok(Client::new(base, Some(credentials), &Trust::default())?)
}

/// Starts the server of the command, which may read the folder that the command names.
async fn start(command: &MirrorCommand) -> anyhow::Result<Server> {
    log::start("warn");
    let mut options = command.server.clone();
    options
        .folders
        .allow_file_feeds
        .extend(local_folder(&command.feed, families()));
    Server::start(&options).await
}
