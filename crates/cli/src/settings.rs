//! Options that become the configuration of a repository, its importer and its distributors.

use clap::Args;
use pith_content::words::{Form, OnCreate, SettingOwner, Words};
use serde_json::{Map, Value, json};

use crate::criteria::pair;
use crate::error::Error;
use crate::options::GivenOption;

/// Name, text and notes of a repository.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AboutArgs {
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Purpose, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A note of your own; can be repeated, and an empty value removes the note
    #[arg(long = "note", value_name = "KEY=VALUE", value_parser = pair)]
    pub notes: Vec<(String, String)>,
}

/// The settings that options give. An absent option is an absent key.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// Importer configuration.
    pub importer: Map<String, Value>,
    /// Configuration of the distributor that publishes.
    pub distributor: Map<String, Value>,
    /// Configuration of the extra distributor.
    pub extra: Map<String, Value>,
    /// Overrides of one run.
    pub run: Map<String, Value>,
}

/// Tells whether a value removes a setting: an empty text does, and a list of nothing but one.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => matches!(&items[..], [only] if only == ""),
        _ => false,
    }
}

/// Makes an empty value null, which removes a setting on the server.
fn or_null(value: Value) -> Value {
    if is_empty(&value) { Value::Null } else { value }
}

impl Settings {
    /// The settings of these options.
    ///
    /// # Errors
    ///
    /// When a named file cannot be read, or options do not fit together.
    pub(crate) fn of(given: &[GivenOption]) -> Result<Self, Error> {
        let mut settings = Self::default();
        for one in given {
            one.is_in_company(given)?;
            let value = one.value()?;
            for key in one.words.keys {
                let value = match key.form {
                    Form::Value => or_null(value.clone()),
                    Form::Presence => json!(!is_empty(&value)),
                    Form::Truth if value == true => value.clone(),
                    Form::Truth => continue,
                };
                settings.of_owner(key.owner).insert(key.name.into(), value);
            }
        }
        Ok(settings)
    }

    fn of_owner(&mut self, owner: SettingOwner) -> &mut Map<String, Value> {
        match owner {
            SettingOwner::Importer => &mut self.importer,
            SettingOwner::Distributor => &mut self.distributor,
            SettingOwner::Extra => &mut self.extra,
            SettingOwner::Run => &mut self.run,
        }
    }

    /// Tells whether nothing is set.
    pub(crate) fn is_empty(&self) -> bool {
        let all = [&self.importer, &self.distributor, &self.extra, &self.run];
        all.into_iter().all(Map::is_empty)
    }

    /// Fills in what a new repository must have.
    pub(crate) fn complete_for_create(&mut self, words: &Words, id: &str) {
        let feed = self.importer.get("feed").and_then(Value::as_str);
        let path = feed.and_then(feed_path).unwrap_or_else(|| id.to_owned());
        for option in words.settings.iter().flat_map(|group| group.options) {
            let value = match option.on_create {
                None => continue,
                Some(OnCreate::Flag(flag)) => json!(flag),
                Some(OnCreate::PathOfFeed) => json!(path),
            };
            for key in option.keys {
                let map = self.of_owner(key.owner);
                map.entry(key.name).or_insert_with(|| value.clone());
            }
        }
    }
}

/// The path of a feed without slashes at its ends; `None` when it has none.
fn feed_path(feed: &str) -> Option<String> {
    let url = url::Url::parse(feed).ok()?;
    let path = url.path().trim_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

/// Notes as an object; an empty value is null, which removes the note.
#[must_use]
pub(crate) fn notes(pairs: &[(String, String)]) -> Map<String, Value> {
    let one = |(key, value): &(String, String)| (key.clone(), or_null(json!(value)));
    pairs.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::family;
    use crate::options::Options;

    fn settings(section: &str, line: &str) -> Settings {
        let family = family(section);
        let options = Options::new(family, family.words.settings);
        let matches = options
            .augment(clap::Command::new("create"))
            .try_get_matches_from(std::iter::once("create").chain(line.split(' ')))
            .unwrap();
        Settings::of(&options.given(&matches)).unwrap()
    }

    #[test]
    fn a_new_repository_is_served_below_the_path_of_its_feed() {
        let words = |section| family(section).words;
        let mut settings = settings("rpm", "--feed https://host/a/b/");
        settings.complete_for_create(words("rpm"), "demo");
        assert_eq!(
            Value::Object(settings.distributor),
            json!({"relative_url": "a/b", "http": false, "https": true})
        );
        let mut bare = Settings::default();
        bare.importer.insert("feed".into(), json!("https://host"));
        bare.complete_for_create(words("rpm"), "demo");
        assert_eq!(bare.distributor["relative_url"], "demo");
        let mut files = Settings::default();
        files.complete_for_create(words("iso"), "demo");
        assert_eq!(
            Value::Object(files.distributor),
            json!({"serve_http": false, "serve_https": true})
        );
    }

    #[test]
    fn an_empty_text_removes_a_setting() {
        let settings = settings("iso", "--feed= --proxy-pass=");
        assert_eq!(
            Value::Object(settings.importer),
            json!({"feed": null, "proxy_password": null})
        );
    }

    #[test]
    fn skipped_types_are_skipped_by_importer_and_distributor() {
        let settings = settings("rpm", "--skip srpm --repoview --generate-sqlite false");
        assert_eq!(
            Value::Object(settings.importer),
            json!({"type_skip_list": ["srpm"]})
        );
        assert_eq!(
            Value::Object(settings.distributor),
            json!({"skip": ["srpm"], "repoview": true, "generate_sqlite": true})
        );
    }

    #[test]
    fn both_spellings_of_a_policy_are_the_word_of_the_wire() {
        for spelling in ["on-demand", "on_demand"] {
            let settings = settings("iso", &format!("--download-policy {spelling}"));
            assert_eq!(settings.importer["download_policy"], "on_demand");
        }
    }
}
