//! Options: how a person spells a setting, or a part of a unit.

/// Options that help shows together.
#[derive(Debug)]
pub struct OptionGroup {
    /// Heading; groups may share one.
    pub heading: &'static str,
    /// The options, in the order of the help.
    pub options: &'static [OptionWords],
}

/// An option of the command line.
#[derive(Debug, Clone, Copy)]
pub struct OptionWords {
    /// Name, without the dashes.
    pub long: &'static str,
    /// The letter that stands for it.
    pub short: Option<char>,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// The word that stands for the value in help; by the kind of the value when absent.
    pub value: Option<&'static str>,
    /// The value.
    pub input: Input,
    /// One line of help; that of the setting when absent.
    pub help: Option<&'static str>,
    /// Is true when the command cannot do without it.
    pub required: bool,
    /// The value when it is not given.
    pub default: Option<&'static str>,
    /// The keys under which the value goes; none for options of uploads.
    pub keys: &'static [Key],
    /// The value that a new repository gets when it is not given.
    pub on_create: Option<OnCreate>,
    /// The options that it needs.
    pub with: Option<With>,
}

impl OptionWords {
    /// An option of an upload.
    #[must_use]
    pub const fn new(long: &'static str, input: Input) -> Self {
        Self {
            long,
            short: None,
            aliases: &[],
            value: None,
            input,
            help: None,
            required: false,
            default: None,
            keys: &[],
            on_create: None,
            with: None,
        }
    }

    /// An option whose value goes under `keys`; the setting that the first of them names gives help and kind.
    #[must_use]
    pub const fn of(long: &'static str, keys: &'static [Key]) -> Self {
        Self {
            keys,
            ..Self::new(long, Input::Setting)
        }
    }

    /// The same with a line of help of its own.
    #[must_use]
    pub const fn help(self, help: &'static str) -> Self {
        Self {
            help: Some(help),
            ..self
        }
    }

    /// The same with a word for its value.
    #[must_use]
    pub const fn value(self, value: &'static str) -> Self {
        Self {
            value: Some(value),
            ..self
        }
    }

    /// The same with another kind of value.
    #[must_use]
    pub const fn input(self, input: Input) -> Self {
        Self { input, ..self }
    }

    /// The same with a letter that stands for it.
    #[must_use]
    pub const fn short(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    /// The same with other names.
    #[must_use]
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The same as a required option.
    #[must_use]
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The same with the value that stands when it is not given.
    #[must_use]
    pub const fn default(self, value: &'static str) -> Self {
        Self {
            default: Some(value),
            ..self
        }
    }

    /// The same with what a new repository gets when it is not given.
    #[must_use]
    pub const fn on_create(self, value: OnCreate) -> Self {
        Self {
            on_create: Some(value),
            ..self
        }
    }

    /// The same for an option that needs others.
    #[must_use]
    pub const fn with(self, with: With) -> Self {
        Self {
            with: Some(with),
            ..self
        }
    }
}

/// The value of an option.
#[derive(Debug, Clone, Copy)]
pub enum Input {
    /// A value of the setting's kind.
    Setting,
    /// A text; an empty one removes a setting.
    Text,
    /// A text that is never shown.
    Secret,
    /// `true` or `false`; `true` for the option alone.
    Bool,
    /// None: the option is there or not.
    Switch,
    /// A whole number from `least` to `most`.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// A number.
    Number,
    /// One of these words.
    OneOf(&'static [Choice]),
    /// A text, as often as the option is given.
    Texts,
    /// Texts with commas between them: of these, or any when there are none.
    List(&'static [&'static str]),
    /// `NAME=VALUE`, as often as the option is given.
    Pairs,
    /// `NAME=VALUE`, as often as the option is given and each name once.
    Map {
        /// The reason why a name cannot be there twice.
        once: &'static str,
    },
    /// A file whose text is the value; an empty name removes a setting.
    File,
    /// A file of lines with commas between these columns.
    Table(&'static [&'static str]),
}

impl Input {
    /// A whole number of this size or more.
    #[must_use]
    pub const fn at_least(least: i64) -> Self {
        Self::Integer {
            least,
            most: i64::MAX,
        }
    }

    /// A whole number that fits 32 bits, of this size or more.
    #[must_use]
    pub const fn count(least: i64) -> Self {
        Self::Integer {
            least,
            most: u32::MAX as i64,
        }
    }
}

/// A word that an option takes.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The word, as it is on the wire.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// One line of help.
    pub help: Option<&'static str>,
}

impl Choice {
    /// A word that says all by itself.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            help: None,
        }
    }

    /// The same with a line of help.
    #[must_use]
    pub const fn help(self, help: &'static str) -> Self {
        Self {
            help: Some(help),
            ..self
        }
    }
}

/// A place in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The owner of the settings.
    pub owner: SettingOwner,
    /// The key.
    pub name: &'static str,
    /// The part of the value.
    pub form: Form,
}

/// The owner of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingOwner {
    /// Those of the importer.
    Importer,
    /// Those of the distributor that publishes.
    Distributor,
    /// Those of the distributor that is there besides.
    Extra,
    /// Those of one run.
    Run,
}

/// The part of a value that goes under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value.
    Value,
    /// True, or false for an empty value.
    Presence,
    /// The value when it is true, in place of what another option says.
    Truth,
}

impl Key {
    const fn new(owner: SettingOwner, name: &'static str) -> Self {
        Self {
            owner,
            name,
            form: Form::Value,
        }
    }

    /// The same key for the presence of a value.
    #[must_use]
    pub const fn presence(self) -> Self {
        Self {
            form: Form::Presence,
            ..self
        }
    }

    /// The same key for a value that is true.
    #[must_use]
    pub const fn truth(self) -> Self {
        Self {
            form: Form::Truth,
            ..self
        }
    }
}

/// A setting of the importer.
#[must_use]
pub const fn importer(name: &'static str) -> Key {
    Key::new(SettingOwner::Importer, name)
}

/// A setting of the distributor that publishes.
#[must_use]
pub const fn distributor(name: &'static str) -> Key {
    Key::new(SettingOwner::Distributor, name)
}

/// A setting of the distributor that is there besides.
#[must_use]
pub const fn extra(name: &'static str) -> Key {
    Key::new(SettingOwner::Extra, name)
}

/// A setting of one run.
#[must_use]
pub const fn of_run(name: &'static str) -> Key {
    Key::new(SettingOwner::Run, name)
}

/// The value that a new repository gets when nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCreate {
    /// This.
    Flag(bool),
    /// The path of the feed, else the repository's id.
    PathOfFeed,
}

/// The options that another one needs, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct With {
    /// One of these is enough.
    pub any_of: &'static [&'static str],
    /// The purpose of the option, behind `--name is for `.
    pub purpose: &'static str,
}
