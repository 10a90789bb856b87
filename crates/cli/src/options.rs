//! Options from words: as clap has them, as they were given, and as JSON.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use pith_content::descriptor::SettingKind;
use pith_content::words::{Choice, Family, Input, OnCreate, OptionGroup, OptionWords};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::criteria::pair;
use crate::csv;
use crate::error::Error;

/// Largest file with certificates or a key.
const MOST_PEM_BYTES: u64 = 1024 * 1024;

/// A family's options, as a command takes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a> {
    family: &'a Family,
    groups: &'static [OptionGroup],
}

impl<'a> Options<'a> {
    /// Takes these groups of options of a family.
    pub(crate) fn new(family: &'a Family, groups: &'static [OptionGroup]) -> Self {
        Self { family, groups }
    }

    /// Adds them to a command.
    pub(crate) fn augment(self, command: Command) -> Command {
        self.groups.iter().fold(command, |command, group| {
            let heading = |arg: Arg| arg.help_heading(group.heading);
            command.args(
                group
                    .options
                    .iter()
                    .map(|one| heading(arg(self.family, one))),
            )
        })
    }

    /// Those that were given.
    pub(crate) fn given(self, matches: &ArgMatches) -> Vec<GivenOption> {
        let all = self.groups.iter().flat_map(|group| group.options);
        all.filter_map(|words| given(self.family, words, matches))
            .collect()
    }
}

/// Adds options without a heading to a command.
pub(crate) fn augment(
    command: Command,
    family: &Family,
    options: &'static [OptionWords],
) -> Command {
    command.args(options.iter().map(|words| arg(family, words)))
}

/// An option that was given. Files are read when the command runs.
#[derive(Debug, Clone)]
pub(crate) struct GivenOption {
    /// The option.
    pub(crate) words: &'static OptionWords,
    raw: Raw,
}

#[derive(Debug, Clone)]
enum Raw {
    Value(Value),
    Secret(SecretString),
    Map(Vec<(String, String)>, &'static str),
    File(PathBuf),
    Table(PathBuf, &'static [&'static str]),
}

/// The value that an option takes, by the words or by the kind of the setting.
fn input(family: &Family, words: &OptionWords) -> Input {
    let Input::Setting = words.input else {
        return words.input;
    };
    match family.setting(words) {
        Some(setting) if setting.secret && setting.kind == SettingKind::Text => Input::Secret,
        Some(setting) => match setting.kind {
            SettingKind::Text | SettingKind::Choice(_) | SettingKind::Object => Input::Text,
            SettingKind::Bool => Input::Bool,
            SettingKind::Integer => Input::Integer {
                least: i64::MIN,
                most: i64::MAX,
            },
            SettingKind::Number => Input::Number,
            SettingKind::Pem => Input::File,
            SettingKind::List => Input::List(&[]),
        },
        None => Input::Text,
    }
}

fn arg(family: &Family, words: &'static OptionWords) -> Arg {
    let setting = family.setting(words);
    let input = input(family, words);
    let mut arg = Arg::new(words.long)
        .long(words.long)
        .visible_aliases(words.aliases.iter().copied())
        .required(words.required)
        .help(help(words, setting.map_or("", |setting| setting.help)));
    arg = match (words.input, setting.map(|setting| setting.kind)) {
        (Input::Setting, Some(SettingKind::Choice(names))) => {
            arg.value_parser(PossibleValuesParser::new(names))
        }
        _ => parsed(arg, input),
    };
    if let Some(short) = words.short {
        arg = arg.short(short);
    }
    if let Some(value) = words.default {
        arg = arg.default_value(value);
    }
    if let Some(name) = words.value.or_else(|| value_name(input)) {
        arg = arg.value_name(name);
    }
    arg
}

/// An option that takes values of a kind.
fn parsed(arg: Arg, input: Input) -> Arg {
    match input {
        Input::Setting | Input::Text => arg,
        Input::Secret => arg.value_parser(value_parser!(SecretString)),
        Input::Bool => arg
            .num_args(0..=1)
            .default_missing_value("true")
            .value_parser(value_parser!(bool)),
        Input::Switch => arg.action(ArgAction::SetTrue),
        Input::Integer { least, most } => arg.value_parser(value_parser!(i64).range(least..=most)),
        Input::Number => arg.value_parser(value_parser!(f64)),
        Input::OneOf(choices) => {
            arg.value_parser(PossibleValuesParser::new(choices.iter().map(possible)))
        }
        Input::Texts => arg.action(ArgAction::Append),
        Input::List(names) => {
            let arg = arg.action(ArgAction::Append).value_delimiter(',');
            match names {
                [] => arg,
                names => arg.value_parser(PossibleValuesParser::new(names)),
            }
        }
        Input::Pairs | Input::Map { .. } => arg.action(ArgAction::Append).value_parser(pair),
        Input::File | Input::Table(_) => arg.value_parser(value_parser!(PathBuf)),
    }
}

fn possible(choice: &Choice) -> PossibleValue {
    let value = PossibleValue::new(choice.name).aliases(choice.aliases.iter().copied());
    match choice.help {
        Some(help) => value.help(help),
        None => value,
    }
}

fn value_name(input: Input) -> Option<&'static str> {
    Some(match input {
        Input::Switch => return None,
        Input::Bool => "BOOL",
        Input::Integer { .. } | Input::Number => "N",
        Input::File | Input::Table(_) => "FILE",
        Input::Pairs | Input::Map { .. } => "NAME=VALUE",
        _ => "TEXT",
    })
}

/// The line of help: of the words, else of the setting, with what a new repository gets.
fn help(words: &OptionWords, of_setting: &str) -> String {
    let text = match words.help {
        Some(text) => text.to_owned(),
        None => capitalized(of_setting),
    };
    match words.on_create {
        None => text,
        Some(OnCreate::Flag(flag)) => format!("{text} [default on create: {flag}]"),
        Some(OnCreate::PathOfFeed) => {
            format!("{text} [default: the path of the feed, else the id]")
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// An option as it was given; none when it was not and has no default.
fn given(
    family: &Family,
    words: &'static OptionWords,
    matches: &ArgMatches,
) -> Option<GivenOption> {
    let id = words.long;
    let text = || matches.get_one::<String>(id);
    let texts = || matches.get_many::<String>(id);
    let path = || matches.get_one::<PathBuf>(id).cloned();
    let pairs = || matches.get_many::<(String, String)>(id);
    let raw = match input(family, words) {
        Input::Setting | Input::Text => Raw::Value(json!(text()?)),
        Input::Secret => Raw::Secret(matches.get_one::<SecretString>(id)?.clone()),
        Input::Bool => Raw::Value(json!(matches.get_one::<bool>(id)?)),
        Input::Switch => Raw::Value(matches.get_flag(id).then_some(Value::Bool(true))?),
        Input::Integer { .. } => Raw::Value(json!(matches.get_one::<i64>(id)?)),
        Input::Number => Raw::Value(json!(matches.get_one::<f64>(id)?)),
        Input::OneOf(choices) => Raw::Value(json!(chosen(choices, text()?))),
        Input::Texts | Input::List(_) => Raw::Value(json!(texts()?.collect::<Vec<_>>())),
        Input::Pairs => Raw::Value(json!(pairs()?.collect::<Vec<_>>())),
        Input::Map { once } => Raw::Map(pairs()?.cloned().collect(), once),
        Input::File => Raw::File(path()?),
        Input::Table(columns) => Raw::Table(path()?, columns),
    };
    Some(GivenOption { words, raw })
}

/// The word on the wire for a spelling of it.
fn chosen<'a>(choices: &[Choice], text: &'a str) -> &'a str {
    let choice = choices.iter().find(|choice| choice.aliases.contains(&text));
    choice.map_or(text, |choice| choice.name)
}

impl GivenOption {
    /// The value as JSON.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or a name is there twice.
    pub(crate) fn value(&self) -> Result<Value, Error> {
        Ok(match &self.raw {
            Raw::Value(value) => value.clone(),
            Raw::Secret(secret) => json!(secret.expose_secret()),
            Raw::Map(pairs, once) => Value::Object(map(self.words.long, pairs, once)?),
            Raw::File(path) if path.as_os_str().is_empty() => json!(""),
            Raw::File(path) => json!(read_small(path)?),
            Raw::Table(path, columns) => json!(csv::read(path, columns)?),
        })
    }

    /// Fails when the option is there without those that it needs.
    ///
    /// # Errors
    ///
    /// Wrong usage.
    pub(crate) fn is_in_company(&self, all: &[Self]) -> Result<(), Error> {
        let Some(with) = self.words.with else {
            return Ok(());
        };
        if all.iter().any(|one| with.any_of.contains(&one.words.long)) {
            return Ok(());
        }
        let long = self.words.long;
        let others: Vec<String> = with.any_of.iter().map(|one| format!("--{one}")).collect();
        Err(Error::usage(
            format!("--{long} is for {}", with.purpose),
            format!("add {}", others.join(" or ")),
        ))
    }
}

fn map(long: &str, pairs: &[(String, String)], once: &str) -> Result<Map<String, Value>, Error> {
    let mut map = Map::new();
    for (name, value) in pairs {
        if map.insert(name.clone(), json!(value)).is_some() {
            return Err(Error::usage(format!("--{long} names {name} twice"), once));
        }
    }
    Ok(map)
}

pub(crate) fn read_small(path: &Path) -> Result<String, Error> {
    let failed = |e| Error::file(path, e);
    if std::fs::metadata(path).map_err(failed)?.len() > MOST_PEM_BYTES {
        return Err(Error::usage(
            format!("{} is too large for a certificate or key", path.display()),
            "give the PEM file itself",
        ));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The options of an upload by their names. Those that take several values, and switches, are never absent.
///
/// # Errors
///
/// When a file cannot be read.
pub(crate) fn named(
    options: &[OptionWords],
    given: &[GivenOption],
) -> Result<Map<String, Value>, Error> {
    let mut named = Map::new();
    for option in options {
        let none = match option.input {
            Input::Texts | Input::List(_) | Input::Pairs => json!([]),
            Input::Switch => json!(false),
            _ => continue,
        };
        named.insert(option.long.to_owned(), none);
    }
    for one in given {
        named.insert(one.words.long.to_owned(), one.value()?);
    }
    Ok(named)
}

/// Options without groups, as they were given.
pub(crate) fn all_given(
    family: &Family,
    options: &'static [OptionWords],
    matches: &ArgMatches,
) -> Vec<GivenOption> {
    let given = |words| given(family, words, matches);
    options.iter().filter_map(given).collect()
}
