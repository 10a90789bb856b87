//! Options that would count for nothing where they are written: refused, so that nobody believes in them.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use crate::options::ServerOptions;

/// Options of the connection to a server.
const CONNECTION: &[&str] = &["url", "user", "password", "ca_cert", "insecure"];
/// Options of a server that a change of its authority looks at.
const AUTHORITY: &[&str] = &[
    "data",
    "database",
    "listen",
    "tls_listen",
    "tls_names",
    "authority_cert",
    "authority_key",
    "secrets_key",
    "accept_lost_secrets",
];
/// Options of what is printed.
const PRINTED: &[&str] = &["json", "no_color"];

/// The sentence about options of a command line that the command would not look at; `None` when there are none.
/// Variables of the environment are for all commands, and none is to blame for them.
pub(crate) fn idle(matches: &ArgMatches) -> Option<String> {
    let (name, own) = matches.subcommand()?;
    let given = |id: &str| {
        own.try_contains_id(id).unwrap_or(false)
            && own.value_source(id) == Some(ValueSource::CommandLine)
    };
    let first = |ids: &[&str]| {
        ids.iter()
            .find(|id| given(id))
            .map(|id| id.replace('_', "-"))
    };
    let without = |ids: &[&str], why: &str| Some(format!("--{} {why}", first(ids)?));
    match name {
        "serve" => without(
            CONNECTION,
            "is for commands that talk to a server; `pith serve` is one",
        )
        .or_else(|| without(PRINTED, "is for commands that print what a server answers")),
        "authority" => without(CONNECTION, "is for commands that talk to a server").or_else(|| {
            let (_, command) = own.subcommand()?;
            let given = |id: &&String| command.value_source(id) == Some(ValueSource::CommandLine);
            let option = server_options()
                .into_iter()
                .filter(|id| !AUTHORITY.contains(&id.as_str()))
                .find(|id| given(&id))?;
            Some(format!(
                "--{} is for `pith serve`; a change of the authority does not look at it",
                option.replace('_', "-")
            ))
        }),
        "mirror"
            if own
                .get_one::<String>("url")
                .is_some_and(|url| !url.is_empty()) =>
        {
            let options = server_options();
            let ids: Vec<&str> = options.iter().map(String::as_str).collect();
            let why = "is for a server that this command starts, and --url or PITH_URL names one that runs";
            without(&ids, why).or_else(|| without(&["exit"], why))
        }
        "mirror" => without(
            &["user", "password", "ca_cert", "insecure"],
            "is for a server that --url names; without it this command starts its own",
        ),
        "logout" => without(CONNECTION, "has no part in forgetting the stored login"),
        "login" if given("server") && given("url") => {
            Some("the address of the server is given twice".to_owned())
        }
        "login" if given("password_stdin") && given("password") => {
            Some("the password is given twice".to_owned())
        }
        _ => None,
    }
}

/// The options of a server, by the names that clap has for them.
fn server_options() -> Vec<String> {
    ServerOptions::augment_args(clap::Command::new("serve"))
        .get_arguments()
        .map(|arg| arg.get_id().to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<String> {
        let matches = crate::command()
            .try_get_matches_from(line.split(' '))
            .unwrap();
        idle(&matches)
    }

    #[test]
    fn options_that_a_command_would_not_look_at_are_named() {
        for (line, option) in [
            ("pith serve --url http://x/", "--url"),
            ("pith --json serve", "--json"),
            ("pith authority rotate --url http://x/", "--url"),
            ("pith authority rotate --workers 2", "--workers"),
            ("pith serve --data d --insecure", "--insecure"),
            ("pith mirror feed --url http://x/ --data d", "--data"),
            ("pith mirror feed --url http://x/ --exit", "--exit"),
            ("pith mirror feed --user eve", "--user"),
            ("pith logout --url http://x/", "--url"),
            ("pith login http://x/ --url http://y/", "address"),
            ("pith login --password p --password-stdin", "password"),
        ] {
            assert!(of(line).is_some_and(|text| text.contains(option)), "{line}");
        }
    }

    #[test]
    fn options_that_count_are_taken() {
        for line in [
            "pith serve --data d --workers 2",
            "pith authority rotate --data d --tls-names pith.example --revoke",
            "pith mirror feed --data d --exit --json",
            "pith mirror feed --url http://x/ --user eve --repo-id r",
            "pith logout --json",
            "pith login http://x/ --user eve --password-stdin",
            "pith repo list --url http://x/ --user eve --insecure --no-color",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
