//! The packages of an advisory: as an updateinfo document or a client gives them.

use pith_core::Document;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::loose;

/// A module that a collection belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Document")]
pub struct ModuleRef {
    /// Name.
    pub name: String,
    /// Stream.
    pub stream: String,
    /// Version, as text.
    pub version: String,
    /// Context.
    pub context: String,
    /// Architecture.
    pub arch: String,
}

impl From<Document> for ModuleRef {
    fn from(mut given: Document) -> Self {
        let mut text = |key: &str| loose::take(&mut given, key).unwrap_or_default();
        Self {
            name: text("name"),
            stream: text("stream"),
            version: text("version"),
            context: text("context"),
            arch: text("arch"),
        }
    }
}

impl ModuleRef {
    /// Tells whether it may mean this module: what it leaves empty is not compared. One without a name or a stream means none.
    #[must_use]
    pub fn may_mean(&self, module: &Self) -> bool {
        let same = |own: &str, other: &str| own.is_empty() || own == other;
        !self.name.is_empty()
            && !self.stream.is_empty()
            && self.name == module.name
            && self.stream == module.stream
            && same(&self.version, &module.version)
            && same(&self.context, &module.context)
            && same(&self.arch, &module.arch)
    }
}

/// A package of an advisory. What a client gave stays as it is beside the fields read from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Document")]
pub struct ErratumPackage {
    /// Name.
    pub name: String,
    /// Epoch; `None` when absent.
    pub epoch: Option<String>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// Source package.
    pub src: Option<String>,
    /// File name.
    pub filename: Option<String>,
    /// Algorithm and digest, alternating; `None` when there is none.
    pub sum: Option<Vec<String>>,
    /// Raw text of the element, when there is one.
    pub reboot_suggested: Option<String>,
    /// Raw text of the element, when there is one.
    pub relogin_suggested: Option<String>,
    /// Raw text of the element, when there is one.
    pub restart_suggested: Option<String>,
    /// All that was given, when it is more or other than the fields say.
    pub given: Option<Document>,
}

/// The fields that are always there, and whether null is a value of them.
const FIELDS: [(&str, bool); 7] = [
    ("name", false),
    ("epoch", true),
    ("version", false),
    ("release", false),
    ("arch", false),
    ("src", true),
    ("filename", true),
];
/// The fields that are there when upstream has the element.
const SUGGESTIONS: [&str; 3] = ["reboot_suggested", "relogin_suggested", "restart_suggested"];

/// Tells whether the fields of a package say all that was given.
fn is_plain(given: &Document) -> bool {
    let known = FIELDS.iter().all(|(key, nullable)| match given.get(*key) {
        Some(Value::String(_)) => true,
        Some(Value::Null) => *nullable,
        _ => false,
    });
    let sum = match given.get("sum") {
        Some(Value::Null) => true,
        Some(Value::Array(sums)) => {
            !sums.is_empty() && sums.len() % 2 == 0 && sums.iter().all(Value::is_string)
        }
        _ => false,
    };
    let suggestions: Vec<_> = SUGGESTIONS
        .iter()
        .filter_map(|key| given.get(*key))
        .collect();
    known
        && sum
        && suggestions.iter().all(|value| value.is_string())
        && given.len() == FIELDS.len() + 1 + suggestions.len()
}

impl From<Document> for ErratumPackage {
    fn from(mut given: Document) -> Self {
        let kept = (!is_plain(&given)).then(|| given.clone());
        let sum = loose::take_sums(&mut given);
        let mut flag = |key: &str| loose::take_flag(&mut given, key);
        let (reboot_suggested, relogin_suggested, restart_suggested) = (
            flag("reboot_suggested"),
            flag("relogin_suggested"),
            flag("restart_suggested"),
        );
        let mut text = |key: &str| loose::take(&mut given, key);
        Self {
            name: text("name").unwrap_or_default(),
            epoch: text("epoch"),
            version: text("version").unwrap_or_default(),
            release: text("release").unwrap_or_default(),
            arch: text("arch").unwrap_or_default(),
            src: text("src"),
            filename: text("filename"),
            sum,
            reboot_suggested,
            relogin_suggested,
            restart_suggested,
            given: kept,
        }
    }
}

impl Serialize for ErratumPackage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(given) = &self.given {
            return given.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("epoch", &self.epoch)?;
        map.serialize_entry("version", &self.version)?;
        map.serialize_entry("release", &self.release)?;
        map.serialize_entry("arch", &self.arch)?;
        map.serialize_entry("src", &self.src)?;
        map.serialize_entry("filename", &self.filename)?;
        map.serialize_entry("sum", &self.sum)?;
        for (key, value) in SUGGESTIONS.iter().zip([
            &self.reboot_suggested,
            &self.relogin_suggested,
            &self.restart_suggested,
        ]) {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

impl ErratumPackage {
    /// The epoch without blanks around it; empty when there is none. One of blanks alone is none, for libsolv too.
    #[must_use]
    pub fn plain_epoch(&self) -> &str {
        self.epoch.as_deref().unwrap_or_default().trim()
    }

    /// The epoch as packages have it: an absent or empty one is `0`.
    #[must_use]
    pub fn epoch_or_zero(&self) -> &str {
        match self.plain_epoch() {
            "" => "0",
            epoch => epoch,
        }
    }
}

/// A collection of packages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document")]
pub struct Collection {
    /// Name.
    pub name: String,
    /// Short name.
    pub short: String,
    /// Packages.
    pub packages: Vec<ErratumPackage>,
    /// Module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleRef>,
    /// The module as a client gave it, when that is more or other than `module` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_module: Option<Document>,
    /// The other fields that a client gave.
    #[serde(flatten)]
    pub more: Document,
}

impl TryFrom<Document> for Collection {
    type Error = String;

    fn try_from(mut given: Document) -> Result<Self, String> {
        let list = |value: Option<Value>| match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(list) => serde_json::from_value(list)
                .map_err(|error| format!("'packages' of a collection: {error}")),
        };
        let document = |key: &str, value: Option<Value>| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(module)) if module.is_empty() => Ok(None),
            Some(Value::Object(module)) => Ok(Some(module)),
            Some(_) => Err(format!("'{key}' of a collection is no object")),
        };
        let packages = list(given.remove("packages"))?;
        let module = document("module", given.remove("module"))?;
        let stored = document("given_module", given.remove("given_module"))?;
        let read = module.clone().map(ModuleRef::from);
        let same = serde_json::to_value(&read).ok() == module.clone().map(Value::Object);
        Ok(Self {
            name: loose::take(&mut given, "name").unwrap_or_default(),
            short: loose::take(&mut given, "short").unwrap_or_default(),
            packages,
            module: read,
            given_module: stored.or(module.filter(|_| !same)),
            more: given,
        })
    }
}

impl Collection {
    /// The module as clients are shown it.
    #[must_use]
    pub fn shown_module(&self) -> Option<Value> {
        let read = || serde_json::to_value(self.module.as_ref()?).ok();
        self.given_module.clone().map(Value::Object).or_else(read)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(given: Value) -> ErratumPackage {
        serde_json::from_value(given).unwrap()
    }

    #[test]
    fn what_a_client_gave_comes_back_as_it_was() {
        for given in [
            json!({"name": "a", "epoch": 0, "version": "1", "release": "1"}),
            json!({"name": "a", "epoch": null, "version": 1.5, "release": "1", "arch": "noarch", "src": "s",
                   "filename": null, "sum": null, "reboot_suggested": true, "mine": [1, {"x": null}]}),
            json!({"name": "a", "epoch": "0", "version": "1", "release": "1", "arch": "noarch", "src": "s",
                   "filename": "f", "sum": ["md5", "00"], "relogin_suggested": "1"}),
            json!({}),
        ] {
            let read = package(given.clone());
            assert_eq!(serde_json::to_value(&read).unwrap(), given);
            assert_eq!(package(serde_json::to_value(&read).unwrap()), read);
        }
        let loose = package(json!({"name": "a", "epoch": 3, "reboot_suggested": false}));
        assert_eq!((loose.epoch_or_zero(), loose.arch.as_str()), ("3", ""));
        assert_eq!(loose.reboot_suggested, None);
        for (epoch, read) in [("", "0"), (" \t", "0"), (" 2 ", "2")] {
            assert_eq!(package(json!({"epoch": epoch})).epoch_or_zero(), read);
        }
    }

    #[test]
    fn digests_are_read_in_every_form() {
        let sums = |given: Value| package(given).sum.unwrap_or_default().join(" ");
        for (given, expected) in [
            (
                json!({"sum": ["md5", "aa", "sha256", "bb"]}),
                "md5 aa sha256 bb",
            ),
            (
                json!({"sum": [["md5", "aa"], ["sha256", "bb"]]}),
                "md5 aa sha256 bb",
            ),
            (json!({"sums": "aa", "type": "md5"}), "md5 aa"),
            (json!({"sums": ["aa"], "type": "md5"}), "md5 aa"),
            (json!({"sums": ["sha1", "aa"], "type": "md5"}), "sha1 aa"),
            (json!({"sum": {"md5": "aa"}}), "md5 aa"),
            (json!({"sum": null, "sums": "", "type": "md5"}), ""),
            (json!({"sums": "aa"}), ""),
        ] {
            assert_eq!(sums(given.clone()), expected, "{given}");
        }
    }

    #[test]
    fn a_collection_keeps_what_it_does_not_know() {
        let given = json!({"name": null, "mine": 1, "packages": null, "module": {"name": "m", "stream": "1", "version": 7}});
        let read: Collection = serde_json::from_value(given).unwrap();
        assert_eq!((read.name.as_str(), &read.more["mine"]), ("", &json!(1)));
        assert_eq!(read.module.as_ref().unwrap().version, "7");
        assert_eq!(
            read.shown_module(),
            Some(json!({"name": "m", "stream": "1", "version": 7}))
        );
        let stored = serde_json::to_value(&read).unwrap();
        assert_eq!(serde_json::from_value::<Collection>(stored).unwrap(), read);
        assert!(serde_json::from_value::<Collection>(json!({"packages": [1]})).is_err());
    }

    #[test]
    fn a_module_that_leaves_parts_out_may_mean_any_of_them() {
        let whole: ModuleRef = serde_json::from_value(
            json!({"name": "m", "stream": "1", "version": 7, "context": "c", "arch": "noarch"}),
        )
        .unwrap();
        let some = |given: Value| serde_json::from_value::<ModuleRef>(given).unwrap();
        assert!(whole.may_mean(&whole));
        assert!(some(json!({"name": "m", "stream": "1"})).may_mean(&whole));
        assert!(!some(json!({"name": "m", "stream": "1", "context": "d"})).may_mean(&whole));
        assert!(!some(json!({"name": "m"})).may_mean(&whole));
    }
}
