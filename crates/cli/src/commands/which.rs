//! The type of content that a command works on: a word where a kind has several, nothing where it has one.

use std::marker::PhantomData;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command};

use super::typed::OfKind;
use crate::kind::UnitType;

/// The word for content of every type.
const EVERYTHING: &str = "all";

/// A type of content. With `ALL` the word `all` is one of them.
#[derive(Debug, Clone)]
pub(super) struct Which<K: OfKind, const ALL: bool> {
    unit: Option<&'static UnitType>,
    of: PhantomData<K>,
}

impl<K: OfKind, const ALL: bool> Which<K, ALL> {
    /// The type; `None` for every type, or for an only one that need not be told.
    pub(super) fn unit(&self) -> Option<&'static UnitType> {
        self.unit
    }

    fn values() -> PossibleValuesParser {
        let types = K::kind().units.iter().map(|unit| {
            let value = PossibleValue::new(unit.word);
            if unit.id == unit.word {
                value
            } else {
                value.alias(unit.id)
            }
        });
        let all = ALL.then(|| PossibleValue::new(EVERYTHING));
        PossibleValuesParser::new(types.chain(all))
    }
}

impl<K: OfKind, const ALL: bool> clap::FromArgMatches for Which<K, ALL> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let unit = match K::kind().units {
            [only] => Some(only),
            _ => matches
                .get_one::<String>("content_type")
                .and_then(|word| K::kind().unit(word)),
        };
        Ok(Self {
            unit,
            of: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<K: OfKind, const ALL: bool> clap::Args for Which<K, ALL> {
    fn augment_args(command: Command) -> Command {
        if K::kind().units.len() == 1 {
            return command;
        }
        let arg = Arg::new("content_type")
            .value_name("TYPE")
            .help("Type of content")
            .required(true)
            .value_parser(Self::values());
        command.arg(arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
