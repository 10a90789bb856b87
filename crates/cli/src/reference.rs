//! The reference page of the command line, from clap's own definition.

use std::fmt::Write;

use clap::{Arg, Args, Command};

use crate::criteria::{SEARCH_HEADING, SearchArgs};
use crate::error::Exit;
use crate::families::Families;

/// The page `docs/reference/cli.md` for the client commands of these families, as Markdown.
#[must_use]
pub fn reference(families: &Families) -> String {
    let mut command = crate::command(families);
    command.build();
    let introduction = INTRODUCTION.replace("{section}", families.usual_section());
    let mut page = format!(
        "# The commands of `{}`\n\n{introduction}",
        command.get_name()
    );
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (exit, meaning) in Exit::TABLE {
        let _ = writeln!(page, "| {} | {meaning} |", exit.code());
    }
    page.push_str("\n## Options of every command\n\n");
    options(
        &mut page,
        command.get_arguments().filter(|arg| arg.is_global_set()),
    );
    page.push_str("\n## Search options\n\n");
    let search = SearchArgs::augment_args(Command::new("search"));
    options(&mut page, search.get_arguments());
    page.push_str("\n## Commands\n");
    let mut path = vec![command.get_name().to_owned()];
    below(&mut page, &command, &mut path);
    page
}

const INTRODUCTION: &str = "\
<!-- Made from the program's own definition; change that, not this page. -->

Every command asks a server over its REST API. Results go to the standard output, progress and errors to the
standard error stream. Progress is bars on a terminal and a line for each step elsewhere.

`--json` prints the API's own documents and no progress: the resource, the list of a search, or, for commands that
wait for tasks, the array of finished tasks (with `--background`: the call report that started them). An error is one
JSON object on the standard error stream: `message`, `hint`, `exit_code`, and `error` as the API shows it.

Address, user and password come from options, then from the environment (`PITH_URL`, `PITH_USER`, `PITH_PASSWORD`,
`PITH_CA_CERT`), then from what `pith login` stored in `$XDG_CONFIG_HOME/pith/login.json`. Over https
`pith login` stores a certificate that counts for seven days, otherwise the password. Either goes only to the server and
user that it was stored for, and no password goes over plain HTTP to another machine unless `--insecure` is given.
A variable that is empty counts as not set.

An upload is remembered in `$XDG_STATE_HOME/pith/uploads` (or below `~/.local/state`) until it is imported, so that
`pith {section} repo uploads resume` goes on where an interrupted one stopped.

Ctrl-C while waiting leaves the task running: `pith task wait` waits again, `pith task cancel` cancels it.
";

/// Every command that does something, depth first.
fn below(page: &mut String, command: &Command, path: &mut Vec<String>) {
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help" && !sub.is_hide_set())
    {
        path.push(sub.get_name().to_owned());
        if sub.has_subcommands() {
            below(page, sub, path);
        } else {
            leaf(page, sub, path);
        }
        path.pop();
    }
}

fn leaf(page: &mut String, command: &Command, path: &[String]) {
    let _ = writeln!(page, "\n### `{}`\n", path.join(" "));
    if let Some(about) = command.get_about() {
        let _ = writeln!(page, "{about}.\n");
    }
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|name| format!("`{name}`"))
        .collect();
    if !aliases.is_empty() {
        let _ = writeln!(page, "Also {}.\n", aliases.join(", "));
    }
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help";
    let (search, others): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(own)
        .partition(|arg| arg.get_help_heading() == Some(SEARCH_HEADING));
    let blank = if others.is_empty() { "" } else { "\n" };
    options(page, others.into_iter());
    if !search.is_empty() {
        let _ = writeln!(
            page,
            "{blank}It takes the [search options](#search-options)."
        );
    }
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    let mut rows = String::new();
    for arg in args {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let takes_values = arg.get_action().takes_values();
        let mut notes = vec![help];
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| takes_values && !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            notes.push(format!("one of {}", values.join(", ")));
        }
        let defaults: Vec<String> = arg
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        if !defaults.is_empty() && takes_values {
            notes.push(format!("default {}", defaults.join(", ")));
        }
        if let Some(name) = arg.get_env() {
            notes.push(format!("or `{}`", name.to_string_lossy()));
        }
        let _ = writeln!(
            rows,
            "| {} | {} |",
            names(arg),
            notes.join("; ").replace('|', "\\|")
        );
    }
    if !rows.is_empty() {
        page.push_str("| option | meaning |\n|---|---|\n");
        page.push_str(&rows);
    }
}

/// `-f`, `--file FILE`, with the aliases that are meant to be seen.
fn names(arg: &Arg) -> String {
    let value = if arg.get_action().takes_values() {
        let names: Vec<&str> = arg
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(clap::builder::Str::as_str)
            .collect();
        names.join(" ")
    } else {
        String::new()
    };
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("`-{short}`"));
    }
    let mut longs: Vec<String> = arg.get_long().map(str::to_owned).into_iter().collect();
    longs.extend(
        arg.get_visible_aliases()
            .unwrap_or_default()
            .iter()
            .map(|name| (*name).to_owned()),
    );
    for long in longs {
        names.push(format!("`--{long} {value}`").replace(" `", "`"));
    }
    if names.is_empty() {
        return format!("`{value}`");
    }
    names.join(", ")
}
