//! modules.yaml: module streams and their defaults. Documents are kept as they are written and only read here:
//! `stream: 1.10` is a text and must never pass through a number.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::MetadataError;

/// Largest single document, in bytes.
const MAX_DOCUMENT: usize = 4 << 20;
/// Most documents in one file.
const MAX_DOCUMENTS: usize = 100_000;

/// A module stream (reference: rpm §2.10).
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

/// Defaults of a module (reference: rpm §2.11).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleDefaults {
    /// The module.
    pub name: String,
    /// Its default stream, if any.
    pub stream: Option<String>,
    /// Default profiles by stream.
    pub profiles: BTreeMap<String, Vec<String>>,
}

/// A document of modules.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// `modulemd`.
    Modulemd(Modulemd),
    /// `modulemd-defaults`.
    Defaults(ModuleDefaults),
    /// Something else, such as translations.
    Unknown,
}

/// Splits a file into its documents, each beginning with `---` and ending with a line end.
///
/// # Errors
/// When it is not UTF-8, or a document or their number is too large.
pub fn split(text: &str) -> Result<Vec<String>, MetadataError> {
    let mut documents = Vec::new();
    let mut current = String::new();
    let mut close = |current: &mut String| {
        let body = std::mem::take(current);
        let blank = body
            .lines()
            .all(|l| l.trim().is_empty() || l.starts_with('#') || l.trim_end() == "---");
        if !blank {
            let start = if body.starts_with("---") { "" } else { "---\n" };
            documents.push(format!("{start}{body}...\n"));
        }
        if documents.len() > MAX_DOCUMENTS {
            return Err(MetadataError::Limit {
                what: "number of documents",
                limit: MAX_DOCUMENTS as u64,
            });
        }
        Ok(())
    };
    for line in text.lines() {
        if line.starts_with("---") && line[3..].trim_start().len() < line.len() - 2 {
            close(&mut current)?;
        } else if line.trim_end() == "..." {
            close(&mut current)?;
            continue;
        }
        current.push_str(line);
        current.push('\n');
        if current.len() > MAX_DOCUMENT {
            return Err(MetadataError::Limit {
                what: "a document",
                limit: MAX_DOCUMENT as u64,
            });
        }
    }
    close(&mut current)?;
    Ok(documents)
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    document: String,
    #[serde(default)]
    version: u32,
}

#[derive(Deserialize)]
struct Body<T> {
    data: T,
}

#[derive(Deserialize)]
struct ModuleData<D> {
    #[serde(default)]
    name: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    context: String,
    #[serde(default)]
    arch: Option<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
    #[serde(default)]
    artifacts: Artifacts,
    #[serde(default)]
    dependencies: D,
}

#[derive(Default, Deserialize)]
struct Profile {
    #[serde(default)]
    rpms: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Artifacts {
    #[serde(default)]
    rpms: Vec<String>,
}

#[derive(Default, Deserialize)]
struct DependenciesV1 {
    #[serde(default)]
    requires: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct DependenciesV2 {
    #[serde(default)]
    requires: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct DefaultsData {
    module: String,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Vec<String>>,
}

/// Reads one document.
///
/// # Errors
/// When it is not YAML, or lacks what makes its identity.
pub fn read(text: &str) -> Result<Document, MetadataError> {
    let envelope: Envelope = yaml(text)?;
    match (envelope.document.as_str(), envelope.version) {
        ("modulemd", 1) => {
            let data: ModuleData<DependenciesV1> = yaml::<Body<_>>(text)?.data;
            let requires = data
                .dependencies
                .requires
                .iter()
                .map(|(module, stream)| (module.clone(), vec![stream.clone()]))
                .collect::<BTreeMap<_, _>>();
            let dependencies = if requires.is_empty() {
                Vec::new()
            } else {
                vec![requires]
            };
            modulemd(data, dependencies)
        }
        ("modulemd", _) => {
            let mut data: ModuleData<Vec<DependenciesV2>> = yaml::<Body<_>>(text)?.data;
            let dependencies = std::mem::take(&mut data.dependencies)
                .into_iter()
                .map(|d| d.requires)
                .collect();
            modulemd(data, dependencies)
        }
        ("modulemd-defaults", _) => {
            let data: DefaultsData = yaml::<Body<_>>(text)?.data;
            if data.module.is_empty() {
                return Err(MetadataError::structure("module defaults name no module"));
            }
            Ok(Document::Defaults(ModuleDefaults {
                name: data.module,
                stream: data.stream.filter(|s| !s.is_empty()),
                profiles: data.profiles,
            }))
        }
        _ => Ok(Document::Unknown),
    }
}

fn modulemd<D>(
    data: ModuleData<D>,
    dependencies: Vec<BTreeMap<String, Vec<String>>>,
) -> Result<Document, MetadataError> {
    if data.name.is_empty() || data.stream.is_empty() {
        return Err(MetadataError::structure(
            "a module has no name or no stream",
        ));
    }
    Ok(Document::Modulemd(Modulemd {
        name: data.name,
        stream: data.stream,
        version: data.version,
        context: data.context,
        arch: data
            .arch
            .filter(|a| !a.is_empty())
            .unwrap_or_else(|| "noarch".to_owned()),
        summary: data.summary,
        description: data.description,
        profiles: data
            .profiles
            .into_iter()
            .map(|(name, profile)| (name, profile.rpms))
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
        let Document::Modulemd(module) = read(&documents[0]).unwrap() else {
            panic!("not a module");
        };
        assert_eq!(
            (module.stream.as_str(), module.version),
            ("1.10", 20_180_730_223_407)
        );
        assert_eq!(module.dependencies[0]["platform"], ["el8", "010"]);
        let Document::Defaults(defaults) = read(&documents[1]).unwrap() else {
            panic!("not defaults");
        };
        assert_eq!(defaults.stream.as_deref(), Some("no"));
        assert_eq!(defaults.profiles["5.10"], ["default"]);
    }

    #[test]
    fn the_first_version_of_the_format_is_read() {
        let text = "document: modulemd\nversion: 1\ndata:\n  name: a\n  stream: f28\n  version: 3\n  dependencies:\n    requires: {platform: f28}\n";
        let Document::Modulemd(module) = read(text).unwrap() else {
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
        assert_eq!(
            read("document: modulemd-translations\nversion: 1\n").unwrap(),
            Document::Unknown
        );
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
