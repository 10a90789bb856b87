//! The type of content that a command works on: a word where a family has several, nothing where it has one.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command};
use pith_content::words::{UnitWords, Words};

/// The word for content of every type.
const EVERYTHING: &str = "all";

/// The name of the argument.
const ID: &str = "content_type";

/// Adds the argument to a command; with `all` the word `all` is one of its values.
pub(super) fn augment(command: Command, words: &Words, all: bool) -> Command {
    if words.units.len() == 1 {
        return command;
    }
    let types = words.units.iter().map(|unit| {
        let value = PossibleValue::new(unit.word);
        if unit.id == unit.word {
            value
        } else {
            value.alias(unit.id)
        }
    });
    let all = all.then(|| PossibleValue::new(EVERYTHING));
    let arg = Arg::new(ID)
        .value_name("TYPE")
        .help("Type of content")
        .required(true)
        .value_parser(PossibleValuesParser::new(types.chain(all)));
    command.arg(arg)
}

/// The type; `None` for every type.
pub(super) fn unit(matches: &ArgMatches, words: &Words) -> Option<&'static UnitWords> {
    match words.units {
        [only] => Some(only),
        _ => words.unit(matches.get_one::<String>(ID)?),
    }
}
