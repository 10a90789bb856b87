//! The settings of rsync distributors, and what is wrong with them (pulp2/rsync#settings).

use std::path::PathBuf;

use pith_core::{Document, RelativePath};
use serde_json::Value;

use crate::descriptor::{Setting, SettingKind};
use crate::remote::Remote;
use crate::settings::printed;
use crate::{Config, Problem, Problems, Wording};

/// The settings of every rsync distributor.
pub const SETTINGS: &[Setting] = &[
    Setting::new(
        REMOTE,
        SettingKind::Object,
        "machine and folder to send to: host, ssh_user, ssh_identity_file (a file that the server may use: --allow-ssh-keys), root, \
         and port where it is not 22; only super-users change it",
    ),
    Setting::new(
        PREDISTRIBUTOR,
        SettingKind::Text,
        "distributor of this repository whose publications are sent",
    ),
    Setting::new(
        UNITS_PATH,
        SettingKind::Text,
        "folder below the root that files of units are sent to (default content/units)",
    ),
    Setting::new(
        CONTENT_UNITS_ONLY,
        SettingKind::Bool,
        "send the files of units, and neither links to them nor metadata (default false)",
    ),
    Setting::new(
        DELETE,
        SettingKind::Bool,
        "remove from the repository's folder there what is not published, and compare everything (default false)",
    ),
    Setting::new(
        ARGUMENTS,
        SettingKind::List,
        "further options of rsync, such as --bwlimit=10m; none that runs programs or names files of the server",
    ),
    Setting::new(
        "force_full",
        SettingKind::Bool,
        "send everything again, whatever is there and although nothing has changed (default false)",
    ),
];

/// The setting with the machine and the folder.
pub const REMOTE: &str = "remote";
/// The setting with the distributor whose publications are sent.
pub(crate) const PREDISTRIBUTOR: &str = "predistributor_id";
/// The setting with the folder of units. Also looked for in `remote`.
const UNITS_PATH: &str = "remote_units_path";
/// The setting for units alone.
pub(super) const CONTENT_UNITS_ONLY: &str = "content_units_only";
/// The setting for removing what is not published.
pub(super) const DELETE: &str = "delete";
/// The setting with further arguments.
const ARGUMENTS: &str = "rsync_extra_args";
/// The folder of units without that setting.
const DEFAULT_UNITS_PATH: &str = "content/units";

/// The texts that `remote` must have.
const REQUIRED: [&str; 4] = ["ssh_user", "ssh_identity_file", "host", "root"];
/// The switches.
const SWITCHES: [&str; 4] = [
    CONTENT_UNITS_ONLY,
    DELETE,
    "force_full",
    super::SKIP_DOCUMENTS,
];

/// The option for accounts that may run nothing but rsync, which are not asked to go through links to folders.
pub const NO_LINKED_FOLDERS: &str = "--no-keep-dirlinks";

/// Options of rsync that say how bytes travel and what they look like there, and nothing else.
const FLAGS: [&str; 31] = [
    "-c",
    "--checksum",
    "-W",
    "--whole-file",
    "--no-whole-file",
    "-z",
    "--compress",
    "--no-compress",
    "--no-z",
    "-S",
    "--sparse",
    "-I",
    "--ignore-times",
    "--size-only",
    "-y",
    "--fuzzy",
    "--inplace",
    "--partial",
    "--delay-updates",
    "--fsync",
    "--preallocate",
    "-4",
    "--ipv4",
    "-6",
    "--ipv6",
    "-v",
    "--verbose",
    "-q",
    "--quiet",
    "--stats",
    NO_LINKED_FOLDERS,
];
/// The same with a value behind `=`.
const VALUED: [&str; 9] = [
    "--bwlimit",
    "--timeout",
    "--compress-level",
    "--compress-choice",
    "--checksum-choice",
    "--block-size",
    "--modify-window",
    "--chmod",
    "--max-delete",
];

/// Looks for all that is wrong with the settings, in Pulp's words where it had some.
///
/// # Errors
/// The problems, each on a line.
pub(super) fn check(config: &Config) -> Result<(), Problems> {
    let mut found = of_remote(config);
    let units = [config.get(UNITS_PATH), within(config, UNITS_PATH)];
    for value in units.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        if text.starts_with('/') {
            let text = format!("{UNITS_PATH} : attribute cannot start with a /");
            found.push(Problem::new(UNITS_PATH, text));
        } else if RelativePath::new(text.trim_end_matches('/')).is_err() {
            let text = format!("{UNITS_PATH} : {} is no path of a folder", printed(value));
            found.push(Problem::new(UNITS_PATH, text));
        }
    }
    found.extend(of_arguments(config));
    for name in SWITCHES {
        if let Some(value) = config.get(name).filter(|_| config.flag(name).is_none()) {
            let text = format!("{name} : must be a boolean, and is {}", printed(value));
            found.push(Problem::new(name, text));
        }
    }
    let id = config.get(PREDISTRIBUTOR);
    if let Some(value) = id.filter(|value| !value.is_string()) {
        let text = format!(
            "{PREDISTRIBUTOR} : must be a text, and is {}",
            printed(value)
        );
        found.push(Problem::new(PREDISTRIBUTOR, text));
    }
    Problems::check(found, Wording::Lines)
}

fn of_remote(config: &Config) -> Vec<Problem> {
    let problem = |text: String| Problem::new(REMOTE, text);
    let Some(remote) = remote(config) else {
        let text = "'remote' dict missing in distributor's configuration";
        return vec![problem(text.to_owned())];
    };
    let mut found = Vec::new();
    for name in REQUIRED {
        match remote.get(name) {
            // The quotes are Pulp's.
            None | Some(Value::Null) => found.push(problem(format!(
                "'{name}' is missing in 'remote' section of distributor's 'configuration"
            ))),
            Some(Value::String(text)) if text.is_empty() => {
                found.push(problem(format!("{name} : attribute cannot be empty")));
            }
            Some(Value::String(text)) if is_fit(name, text) => {}
            Some(value) => found.push(problem(format!(
                "{name} : {} cannot be used",
                printed(value)
            ))),
        }
    }
    let port = remote.get("port").filter(|port| !port.is_null());
    if let Some(value) = port.filter(|_| port_of(remote).is_none()) {
        found.push(problem(format!("port : {} is no port", printed(value))));
    }
    found
}

/// Tells whether a text can be what it stands for, and is no option, no command and no other syntax of the programs that get it.
fn is_fit(name: &str, text: &str) -> bool {
    let is_made_of = |others: &str| {
        let mut all = text.chars();
        all.all(|each| each.is_ascii_alphanumeric() || others.contains(each))
    };
    let is_plain =
        text.len() <= 4096 && !text.starts_with('-') && !text.chars().any(char::is_control);
    is_plain
        && match name {
            "host" => is_made_of(".-_:"),
            "ssh_user" => is_made_of(".-_"),
            "root" => is_root(text),
            // ssh would put other texts in the place of `%h` and `${HOME}`.
            _ => is_made_of("/._-+@=, "),
        }
}

/// Tells whether a text is a folder of the other machine, or of the user's home there: `host::module` is another protocol, and a
/// shell is not asked what `~` is.
fn is_root(text: &str) -> bool {
    let path = text.trim_matches('/');
    let is_path = RelativePath::new(path).is_ok() || (path.is_empty() && text.starts_with('/'));
    is_path && !text.starts_with([':', '~'])
}

fn of_arguments(config: &Config) -> Option<Problem> {
    let problem = |text| Some(Problem::new(ARGUMENTS, text));
    let value = config.get(ARGUMENTS)?;
    let is_list = |value: &Value| {
        let mut all = value.as_array()?.iter();
        all.all(Value::is_string).then_some(())
    };
    if is_list(value).is_none() {
        let text = format!(
            "{ARGUMENTS} : must be a list of texts, and is {}",
            printed(value)
        );
        return problem(text);
    }
    let refused = config
        .list(ARGUMENTS)
        .into_iter()
        .find(|each| !is_known(each))?;
    problem(format!(
        "{ARGUMENTS} : {refused} cannot be used; options that can are {}, and with a value {}=",
        FLAGS.join(", "),
        VALUED.join("=, ")
    ))
}

fn is_known(argument: &str) -> bool {
    let is_value = |value: &str| {
        let plain = |each: char| each.is_ascii_alphanumeric() || ".,=+-".contains(each);
        !value.is_empty() && value.chars().all(plain)
    };
    match argument.split_once('=') {
        Some((name, value)) => VALUED.contains(&name) && is_value(value),
        None => FLAGS.contains(&argument),
    }
}

fn remote(config: &Config) -> Option<&Document> {
    config.get(REMOTE)?.as_object()
}

fn within<'a>(config: &'a Config, name: &str) -> Option<&'a Value> {
    remote(config)?.get(name)
}

fn port_of(remote: &Document) -> Option<u16> {
    let port = remote.get("port")?.as_u64()?;
    u16::try_from(port).ok().filter(|port| *port > 0)
}

impl Remote {
    /// The one that the settings of an rsync distributor name; `None` when [`check`] refuses them.
    #[must_use]
    pub fn of_settings(config: &Config) -> Option<Self> {
        check(config).ok()?;
        let text = |name: &str| within(config, name)?.as_str().map(str::to_owned);
        let is_on = |name| config.flag(name) == Some(true);
        Some(Self {
            setting: REMOTE,
            host: text("host")?,
            port: port_of(remote(config)?),
            user: text("ssh_user")?,
            identity: PathBuf::from(text("ssh_identity_file")?),
            root: text("root")?,
            arguments: config
                .list(ARGUMENTS)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            units: units_path(config).ok()?,
            predistributor: config.text(PREDISTRIBUTOR).map(str::to_owned),
            deletes: is_on(DELETE),
            is_forced: is_on("force_full"),
        })
    }
}

/// The folder of units, which the settings name beside `remote` or, what Pulp took and did not read, in it.
pub(super) fn units_path(config: &Config) -> Result<RelativePath, pith_core::path::UnsafePath> {
    let named = config.text(UNITS_PATH);
    let named = named.or_else(|| within(config, UNITS_PATH)?.as_str());
    RelativePath::new(named.unwrap_or(DEFAULT_UNITS_PATH).trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(change: impl FnOnce(&mut Value)) -> Config {
        let mut config = json!({
            "remote": {"host": "mirror.example.org", "ssh_user": "www", "ssh_identity_file": "/keys/id", "root": "/srv/www"},
        });
        change(&mut config);
        Config::new(serde_json::from_value(config).unwrap())
    }

    fn told(change: impl FnOnce(&mut Value)) -> String {
        let told = check(&config(change));
        told.map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn what_pulp_refused_is_refused_in_its_words() {
        assert_eq!(told(|_| ()), "");
        let missing = told(|config| config["remote"] = json!("host"));
        assert_eq!(
            missing,
            "'remote' dict missing in distributor's configuration"
        );
        let two = told(|config| {
            config["remote"]["host"] = json!("");
            config["remote"].as_object_mut().unwrap().remove("root");
            config["remote_units_path"] = json!("/units");
        });
        assert_eq!(
            two,
            "host : attribute cannot be empty\n\
             'root' is missing in 'remote' section of distributor's 'configuration\n\
             remote_units_path : attribute cannot start with a /"
        );
    }

    #[test]
    fn nothing_that_is_an_option_a_command_or_another_protocol_passes() {
        for (name, value) in [
            ("host", "-oProxyCommand=touch /tmp/x"),
            ("host", "a b"),
            ("host", "a@b"),
            ("host", "$(id)"),
            ("ssh_user", "-l"),
            ("ssh_user", "a b"),
            ("root", ":module"),
            ("root", "-e"),
            ("root", "/srv\n/www"),
            ("root", "/srv/../etc"),
            ("root", "~/www"),
            ("ssh_identity_file", "-x"),
            ("ssh_identity_file", "/keys/%d/.ssh/id_ed25519"),
            ("ssh_identity_file", "/keys/${HOME}"),
        ] {
            let told = told(|config| config["remote"][name] = json!(value));
            assert!(told.ends_with("cannot be used"), "{name}: {value}: {told}");
        }
        for port in [json!(0), json!(70000), json!("22; id"), json!(-1)] {
            assert!(told(|config| config["remote"]["port"] = port.clone()).contains("is no port"));
        }
        for argument in [
            "-e",
            "-e ssh",
            "--rsh=sh",
            "--rsync-path=sh",
            "--files-from=/etc/shadow",
            "--log-file=/x",
            "--password-file=/x",
            "--delete",
            "--bwlimit=1;id",
            "--chmod=",
            "--temp-dir=/x",
            "/etc/passwd",
            "-av",
            "--bwlimit",
            "",
        ] {
            let told = told(|config| config["rsync_extra_args"] = json!([argument]));
            assert!(
                told.contains("cannot be used; options that can are"),
                "{argument}: {told}"
            );
        }
        assert!(told(|config| config["rsync_extra_args"] = json!("-z")).contains("must be a list"));
        assert!(told(|config| config["rsync_extra_args"] = json!([5])).contains("must be a list"));
        assert!(told(|config| config["delete"] = json!("perhaps")).contains("delete : must be"));
    }

    #[test]
    fn what_is_fit_is_read() {
        let config = config(|config| {
            config["remote"]["port"] = json!(2222);
            config["remote"]["remote_units_path"] = json!("units/");
            config["remote"]["host"] = json!("2001:db8::1");
            config["rsync_extra_args"] = json!(["--bwlimit=10m", "-W", "--chmod=D755,F644"]);
            config["delete"] = json!(true);
        });
        let remote = Remote::of_settings(&config).unwrap();
        assert_eq!((remote.port, remote.deletes), (Some(2222), true));
        assert_eq!(remote.arguments.len(), 3);
        assert_eq!(units_path(&config).unwrap().as_str(), "units");
    }
}
