//! modules.yaml: module streams, their defaults, and documents that are only passed on. Documents are kept as they are
//! written and only read here: `stream: 1.10` is a text and must never pass through a number.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::MetadataError;
use super::limits::{MODULE_DOCUMENTS, Sum};

/// Largest single document, in bytes.
const MAX_DOCUMENT: usize = 4 << 20;

/// A module stream (pulp2/rpm-units#modules).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modulemd {
    /// Name.
    pub name: String,
    /// Stream.
    pub stream: String,
    /// Version.
    pub version: u64,
    /// Context.
    pub context: String,
    /// Architecture; `noarch` when absent.
    pub arch: String,
    /// Summary.
    pub summary: String,
    /// Description.
    pub description: String,
    /// Packages by profile.
    pub profiles: BTreeMap<String, Vec<String>>,
    /// Packages, as `name-epoch:version-release.arch`.
    pub artifacts: Vec<String>,
    /// Streams by required module.
    pub dependencies: Vec<BTreeMap<String, Vec<String>>>,
}

/// Defaults of a module (pulp2/rpm-units#module-defaults).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleDefaults {
    /// The module.
    pub name: String,
    /// Its default stream, if any.
    pub stream: Option<String>,
    /// Default profiles by stream.
    pub profiles: BTreeMap<String, Vec<String>>,
    /// The time of the document's last change, as a number of digits: of several for one module the last counts.
    pub modified: u64,
}

/// A document that is passed on without being understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Other {
    /// Its kind, such as `modulemd-obsoletes`.
    pub kind: String,
    /// The module that it is about; empty when it names none.
    pub module: String,
    /// The stream that it is about; empty when it names none.
    pub stream: String,
}

/// The build that a document is about, as far as it says so, and when it was changed.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct About {
    /// Version.
    #[serde(default, deserialize_with = "or_default")]
    pub version: String,
    /// Context.
    #[serde(default, deserialize_with = "or_default")]
    pub context: String,
    /// Architecture.
    #[serde(default, deserialize_with = "or_default")]
    pub arch: String,
    /// The time of its last change, as it is written.
    #[serde(default, deserialize_with = "or_default")]
    pub modified: String,
}

/// A document of modules.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleDocument {
    /// `modulemd`.
    Modulemd(Modulemd),
    /// `modulemd-defaults`.
    Defaults(ModuleDefaults),
    /// Something else, such as translations.
    Other(Other),
}

/// Tells whether there is nothing but comments.
fn is_blank(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

/// The documents of a file, one after the other, each beginning with `---` and ending with a line end.
pub struct DocumentStream<R> {
    input: R,
    line: Vec<u8>,
    current: String,
    count: Sum,
    ended: bool,
}

impl<R: BufRead> DocumentStream<R> {
    /// A stream of what `input` has, which is UTF-8.
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            current: String::new(),
            count: Sum::new("number of module documents", MODULE_DOCUMENTS),
            ended: false,
        }
    }

    /// The input that it reads from.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// The next document; `None` after the last.
    ///
    /// # Errors
    /// When it is not UTF-8, or a document or their number is too large.
    pub fn next_document(&mut self) -> Result<Option<String>, MetadataError> {
        while !self.ended {
            let mut closed = None;
            if self.read_line()? {
                let line = std::str::from_utf8(&self.line)?;
                if line.starts_with("---") && line[3..].trim_start().len() < line.len() - 2 {
                    closed = close(&mut self.current);
                } else if line.trim_end() == "..." {
                    match close(&mut self.current) {
                        None => continue,
                        closed => return self.counted(closed),
                    }
                } else if line.starts_with('%') && is_blank(&self.current) {
                    // A directive holds for the document after it, whose `---` follows.
                    continue;
                }
                self.current.push_str(line);
                self.current.push('\n');
                within(self.current.len())?;
            } else {
                self.ended = true;
                closed = close(&mut self.current);
            }
            if closed.is_some() {
                return self.counted(closed);
            }
        }
        Ok(None)
    }

    fn counted(&mut self, document: Option<String>) -> Result<Option<String>, MetadataError> {
        self.count.add(1)?;
        Ok(document)
    }

    /// Reads a line without its end; false when there is none.
    fn read_line(&mut self) -> Result<bool, MetadataError> {
        self.line.clear();
        let limit = MAX_DOCUMENT as u64 + 2;
        let read = self
            .input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        within(self.line.len().saturating_sub(1))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        Ok(read > 0)
    }
}

/// Takes a document out; `None` when it has nothing but comments.
fn close(current: &mut String) -> Option<String> {
    let body = std::mem::take(current);
    let start = if body.starts_with("---") { "" } else { "---\n" };
    (!is_blank(&body)).then(|| format!("{start}{body}...\n"))
}

fn within(size: usize) -> Result<(), MetadataError> {
    if size <= MAX_DOCUMENT {
        return Ok(());
    }
    Err(MetadataError::Limit {
        what: "bytes of a module document",
        limit: MAX_DOCUMENT as u64,
        found: size as u64,
    })
}

/// Reads null as nothing, as libmodulemd does.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "or_default")]
    document: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
}

#[derive(Deserialize)]
struct Body<T> {
    data: T,
}

#[derive(Deserialize)]
struct ModuleData<D: Default> {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    stream: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    context: String,
    #[serde(default, deserialize_with = "or_default")]
    arch: String,
    #[serde(default, deserialize_with = "or_default")]
    summary: String,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default, deserialize_with = "or_default")]
    profiles: BTreeMap<String, Option<Rpms>>,
    #[serde(default, deserialize_with = "or_default")]
    artifacts: Rpms,
    #[serde(
        default,
        bound(deserialize = "D: Deserialize<'de>"),
        deserialize_with = "or_default"
    )]
    dependencies: D,
}

#[derive(Default, Deserialize)]
struct Rpms {
    #[serde(default, deserialize_with = "or_default")]
    rpms: Vec<String>,
}

#[derive(Default, Deserialize)]
struct DependenciesV1 {
    #[serde(default, deserialize_with = "or_default")]
    requires: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct DependenciesV2 {
    #[serde(default, deserialize_with = "or_default")]
    requires: BTreeMap<String, Option<Vec<String>>>,
}

/// Dependencies of a version of the format that is not known here.
#[derive(Default)]
struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[derive(Deserialize)]
struct DefaultsData {
    #[serde(default, deserialize_with = "or_default")]
    module: String,
    #[serde(default, deserialize_with = "or_default")]
    stream: String,
    #[serde(default, deserialize_with = "or_default")]
    profiles: BTreeMap<String, Option<Vec<String>>>,
    #[serde(default, deserialize_with = "or_default")]
    modified: String,
}

#[derive(Default, Deserialize)]
struct Subject {
    #[serde(default, deserialize_with = "or_default")]
    module: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    stream: String,
}

/// Reads one document.
///
/// # Errors
/// When it is not YAML, or of a kind that is understood and lacks what makes its identity.
pub fn read(text: &str) -> Result<ModuleDocument, MetadataError> {
    let envelope: Envelope = yaml(text)?;
    match (envelope.document.as_str(), envelope.version.as_str()) {
        ("modulemd", "1") => {
            let data: ModuleData<DependenciesV1> = yaml::<Body<_>>(text)?.data;
            let requires = &data.dependencies.requires;
            let requires: BTreeMap<_, _> = requires
                .iter()
                .map(|(module, stream)| (module.clone(), vec![stream.clone()]))
                .collect();
            let dependencies = Some(requires).filter(|requires| !requires.is_empty());
            modulemd(data, dependencies.into_iter().collect())
        }
        ("modulemd", "2" | "") => {
            let mut data: ModuleData<Vec<DependenciesV2>> = yaml::<Body<_>>(text)?.data;
            let streams = |(module, streams): (String, Option<Vec<String>>)| {
                (module, streams.unwrap_or_default())
            };
            let dependencies = std::mem::take(&mut data.dependencies)
                .into_iter()
                .map(|d| d.requires.into_iter().map(streams).collect())
                .collect();
            modulemd(data, dependencies)
        }
        ("modulemd", _) => {
            // What later versions say of their identity is believed; the rest may be written in another way.
            let read = yaml::<Body<ModuleData<Unread>>>(text);
            let module = read.and_then(|body| modulemd(body.data, Vec::new()));
            Ok(module.unwrap_or_else(|_| other(&envelope, text)))
        }
        ("modulemd-defaults", "1" | "") => defaults(text),
        ("modulemd-defaults", _) => Ok(defaults(text).unwrap_or_else(|_| other(&envelope, text))),
        _ => Ok(other(&envelope, text)),
    }
}

fn defaults(text: &str) -> Result<ModuleDocument, MetadataError> {
    let data: DefaultsData = yaml::<Body<_>>(text)?.data;
    if data.module.is_empty() {
        return Err(MetadataError::structure("module defaults name no module"));
    }
    let profiles = data.profiles.into_iter();
    Ok(ModuleDocument::Defaults(ModuleDefaults {
        name: data.module,
        stream: Some(data.stream).filter(|s| !s.is_empty()),
        profiles: profiles
            .map(|(stream, names)| (stream, names.unwrap_or_default()))
            .collect(),
        modified: data.modified.parse().unwrap_or(0),
    }))
}

/// A document that is not understood, with the module that it is about as far as it says so in the usual way.
fn other(envelope: &Envelope, text: &str) -> ModuleDocument {
    let about = yaml::<Body<Subject>>(text).map_or_else(|_| Subject::default(), |body| body.data);
    let module = if about.module.is_empty() {
        about.name
    } else {
        about.module
    };
    ModuleDocument::Other(Other {
        kind: envelope.document.clone(),
        module,
        stream: about.stream,
    })
}

/// The build that a document is about, as far as it says so in the usual way.
#[must_use]
pub fn build(text: &str) -> About {
    yaml::<Body<About>>(text).map_or_else(|_| About::default(), |body| body.data)
}

fn modulemd<D: Default>(
    data: ModuleData<D>,
    dependencies: Vec<BTreeMap<String, Vec<String>>>,
) -> Result<ModuleDocument, MetadataError> {
    if data.name.is_empty() || data.stream.is_empty() {
        return Err(MetadataError::structure(
            "a module has no name or no stream",
        ));
    }
    let version = match data.version.as_str() {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| MetadataError::structure("the version of a module is no number"))?,
    };
    let arch = match data.arch.as_str() {
        "" => "noarch".to_owned(),
        arch => arch.to_owned(),
    };
    let profiles = data.profiles.into_iter();
    Ok(ModuleDocument::Modulemd(Modulemd {
        name: data.name,
        stream: data.stream,
        version,
        context: data.context,
        arch,
        summary: data.summary,
        description: data.description,
        profiles: profiles
            .map(|(name, profile)| (name, profile.unwrap_or_default().rpms))
            .collect(),
        artifacts: data.artifacts.rpms,
        dependencies,
    }))
}

fn yaml<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, MetadataError> {
    serde_saphyr::from_str(text).map_err(|e| {
        let message = e.to_string();
        let first = message.lines().next().unwrap_or_default().to_owned();
        MetadataError::Structure(first)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Result<Vec<String>, MetadataError> {
        let mut stream = DocumentStream::new(text.as_bytes());
        let mut documents = Vec::new();
        while let Some(document) = stream.next_document()? {
            documents.push(document);
        }
        Ok(documents)
    }

    #[test]
    fn lines_documents_and_their_number_are_limited() {
        let line = "x".repeat(MAX_DOCUMENT + 1);
        let lines = "xxxxxxxxxxxxxxx\n".repeat(MAX_DOCUMENT / 16 + 1);
        let documents = "---\na\n".repeat(100_001);
        for bad in [line, lines, documents] {
            let error = split(&bad).unwrap_err();
            assert!(matches!(error, MetadataError::Limit { .. }), "{error}");
        }
        let line = "x".repeat(MAX_DOCUMENT - 5);
        assert_eq!(split(&format!("{line}\r\n---\n{line}")).unwrap().len(), 2);
    }

    const SOURCE: &str = "---
document: modulemd
version: 2
data:
  name: kangaroo
  stream: 1.10
  version: 20180730223407
  context: deadbeef
  arch: noarch
  summary: S
  description: >-
    A module
  license: {module: [MIT]}
  dependencies:
  - buildrequires: {platform: [f28]}
    requires: {platform: [el8, 010]}
  profiles:
    default: {rpms: [kangaroo]}
  artifacts: {rpms: [kangaroo-0:0.3-1.noarch]}
...
---
document: modulemd-defaults
version: 1
data:
  module: walrus
  stream: no
  profiles: {5.10: [default], 0.71: [flipper]}
...
";

    #[test]
    fn streams_stay_texts() {
        let documents = split(SOURCE).unwrap();
        assert_eq!(documents.concat(), SOURCE);
        let ModuleDocument::Modulemd(module) = read(&documents[0]).unwrap() else {
            panic!("not a module");
        };
        assert_eq!(
            (module.stream.as_str(), module.version),
            ("1.10", 20_180_730_223_407)
        );
        assert_eq!(module.dependencies[0]["platform"], ["el8", "010"]);
        let ModuleDocument::Defaults(defaults) = read(&documents[1]).unwrap() else {
            panic!("not defaults");
        };
        assert_eq!(defaults.stream.as_deref(), Some("no"));
        assert_eq!(defaults.profiles["5.10"], ["default"]);
    }

    #[test]
    fn the_first_version_of_the_format_is_read() {
        let text = "document: modulemd\nversion: 1\ndata:\n  name: a\n  stream: f28\n  version: 3\n  dependencies:\n    requires: {platform: f28}\n";
        let ModuleDocument::Modulemd(module) = read(text).unwrap() else {
            panic!("not a module");
        };
        assert_eq!(module.arch, "noarch");
        assert_eq!(module.dependencies[0]["platform"], ["f28"]);
    }

    #[test]
    fn bombs_and_nonsense_are_refused() {
        let mut bomb = "document: &a [x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 0..12 {
            bomb.push_str(&format!("k{i}: &b{i} [*a,*a,*a,*a,*a,*a,*a,*a]\n"));
        }
        assert!(read(&bomb).is_err());
        assert!(read("document: modulemd\nversion: 2\ndata: {name: x}\n").is_err());
        assert!(read("[[[[").is_err());
    }

    #[test]
    fn documents_that_are_not_understood_tell_what_they_are_about() {
        let about = |text: &str| match read(text).unwrap() {
            ModuleDocument::Other(Other {
                kind,
                module,
                stream,
            }) => [kind, module, stream].join("/"),
            other => panic!("{other:?}"),
        };
        for (text, expected) in [
            (
                "document: modulemd-obsoletes\nversion: 1\ndata: {module: perl, stream: 5.30, message: gone}\n",
                "modulemd-obsoletes/perl/5.30",
            ),
            (
                "document: modulemd-packager\nversion: 3\ndata: {name: perl, stream: 010}\n",
                "modulemd-packager/perl/010",
            ),
            (
                "document: modulemd-future\nversion: 9-rc\ndata: [1, {a: b}]\n",
                "modulemd-future//",
            ),
            ("document: modulemd-future\n", "modulemd-future//"),
            (
                "document: modulemd\nversion: 7\ndata: {title: x}\n",
                "modulemd//",
            ),
        ] {
            assert_eq!(about(text), expected, "{text}");
        }
        let later = "document: modulemd\nversion: 3\ndata: {name: a, stream: 1.0, version: 4, dependencies: {platform: f33}}\n";
        let ModuleDocument::Modulemd(module) = read(later).unwrap() else {
            panic!("not a module");
        };
        assert_eq!((module.stream.as_str(), module.version), ("1.0", 4));
    }

    #[test]
    fn comments_directives_and_nulls_do_no_harm() {
        let text = "# one\n%YAML 1.2\n--- # two\n# three\ndocument: modulemd\nversion: 2\ndata:\n  name: a\n  stream: \"5.30\"\n  \
                    version: 1\n  profiles: {default: }\n  artifacts:\n  dependencies:\n  - requires: {platform: }\n...\n# four\n";
        let documents = split(text).unwrap();
        assert_eq!(documents.len(), 1, "{documents:?}");
        assert!(documents[0].contains("# three"), "comments are kept");
        let ModuleDocument::Modulemd(module) = read(&documents[0]).unwrap() else {
            panic!("not a module");
        };
        assert_eq!(module.stream, "5.30");
        assert!(module.profiles["default"].is_empty() && module.artifacts.is_empty());
        assert!(module.dependencies[0]["platform"].is_empty());
    }

    proptest! {
        #[test]
        fn damaged_documents_never_panic(at in 0usize..600, byte in "[ -~\n]") {
            let mut text = SOURCE.to_owned();
            let at = at.min(text.len() - 1);
            text.replace_range(at..=at, &byte);
            for document in split(&text).unwrap() {
                let _ = read(&document);
            }
        }
    }
}
