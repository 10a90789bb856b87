//! modules.yaml, as a feed has it or a client uploads it. It is read twice, a document at a time: the first pass finds out
//! which packages it lists and which of several documents about one thing counts, the second one makes the units.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, Seek};

use pith_content::Bent;
use pith_content::seen::SeenHashes;
use pith_content::text::Text;
use pith_content::unit::WantedUnit;

use crate::metadata::MetadataError;
use crate::metadata::limits::{ARTIFACTS, NAMES, Sum};
use crate::metadata::modules::{
    self, DocumentStream, ModuleDefaults, ModuleDocument, Modulemd, Other,
};
use crate::metadata::odd::Odd;
use crate::metadata::snippet::Packer;
use crate::modular::{Artifacts, artifact, text};
use crate::sync::documents::Documents;
use crate::units::{self, Origin};

/// Largest modules.yaml, in bytes, unpacked.
const MAX_MODULES: u64 = 256 << 20;

type Yaml = Text<Box<dyn BufRead + Send>>;

/// A modules.yaml.
pub struct ModuleFile {
    file: File,
    origin: Origin,
    documents: Documents,
}

/// The facts of a modules.yaml.
#[derive(Debug, Default)]
pub struct Survey {
    /// The packages that its streams list.
    pub artifacts: Artifacts,
    /// The module of each stream, and the stream.
    pub streams: HashSet<(String, String)>,
    /// Is true when there is no document in it.
    pub is_empty: bool,
    /// The places among the documents of those defaults that count, one for each module.
    defaults: HashSet<usize>,
}

/// Documents that came before.
#[derive(Default)]
struct Seen {
    texts: SeenHashes,
    builds: SeenHashes,
}

impl Seen {
    fn is_new_build(&mut self, m: &Modulemd) -> bool {
        let build = (&m.name, &m.stream, m.version, &m.context, &m.arch);
        self.builds.insert(build)
    }
}

impl ModuleFile {
    /// A file that came in this way. What cannot be read in it is left out when it came from a feed, as clients do without it.
    pub fn new(file: File, origin: Origin, documents: Documents) -> Self {
        Self {
            file,
            origin,
            documents,
        }
    }

    /// Reads it for the first time. Oddities are noted in `bent`.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or a document that a client gave is broken.
    pub fn survey(&mut self, bent: &Bent) -> Result<Survey, MetadataError> {
        let mut found = Survey {
            is_empty: true,
            ..Survey::default()
        };
        let mut artifacts = Sum::new("number of packages that modules list", ARTIFACTS);
        let mut names = Sum::new("bytes of the names of modules", NAMES);
        let mut defaults: HashMap<String, (u64, usize)> = HashMap::new();
        self.each(bent, |place, _, document| {
            found.is_empty = false;
            match document {
                ModuleDocument::Modulemd(m) => {
                    artifacts.add(m.artifacts.len())?;
                    for name in &m.artifacts {
                        found.artifacts.insert(&artifact(name));
                    }
                    names.add(m.name.len() + m.stream.len())?;
                    found.streams.insert((m.name, m.stream));
                }
                ModuleDocument::Defaults(ModuleDefaults { name, modified, .. }) => {
                    names.add(name.len())?;
                    let known = defaults.get(&name);
                    if known.is_none_or(|(known, _)| *known < modified) {
                        defaults.insert(name, (modified, place));
                    }
                }
                ModuleDocument::Other(_) => {}
            }
            Ok(())
        })?;
        found.defaults = defaults.into_values().map(|(_, place)| place).collect();
        Ok(found)
    }

    /// Hands the documents to `take` as units of repository `repo_id`; answers their digests. Of several documents about the
    /// same thing one becomes the unit that Pulp had, of defaults the one changed last; the others are passed on beside it.
    ///
    /// # Errors
    /// As [`Self::survey`], and what `take` fails with.
    pub fn units(
        &mut self,
        survey: &Survey,
        repo_id: &str,
        bent: &Bent,
        mut take: impl FnMut(WantedUnit) -> Result<(), MetadataError>,
    ) -> Result<HashSet<String>, MetadataError> {
        let origin = self.origin;
        let mut packer = Packer::new()?;
        let mut seen = Seen::default();
        let mut digests = HashSet::new();
        // What is odd was noted in the first pass.
        self.each(&Bent::default(), |place, text, document| {
            let beside = match document {
                ModuleDocument::Modulemd(m) if seen.is_new_build(&m) => {
                    let unit = units::modulemd(&m, text, &mut packer)?;
                    return hand(unit, &mut digests, &mut take);
                }
                ModuleDocument::Modulemd(m) => {
                    let sentence = "module documents about a build that another one before is about were kept beside it";
                    let name = format!("{}:{}:{}", m.name, m.stream, m.version);
                    bent.note("module_twice", sentence, name);
                    beside("modulemd", m.name, m.stream)
                }
                ModuleDocument::Defaults(d) if survey.defaults.contains(&place) => {
                    let unit = units::module_defaults(&d, repo_id, text, &mut packer)?;
                    return hand(unit, &mut digests, &mut take);
                }
                ModuleDocument::Defaults(d) => beside("modulemd-defaults", d.name, String::new()),
                ModuleDocument::Other(other) => other,
            };
            let unit = units::module_document(&beside, repo_id, origin, text, &mut packer)?;
            hand(unit, &mut digests, &mut take)
        })?;
        Ok(digests)
    }

    /// Shows `see` each document that can be read and did not come before: its place, its text, its meaning.
    fn each(
        &mut self,
        bent: &Bent,
        mut see: impl FnMut(usize, &str, ModuleDocument) -> Result<(), MetadataError>,
    ) -> Result<(), MetadataError> {
        let mut seen = Seen::default();
        let mut stream = self.open()?;
        let mut place = 0;
        while let Some(text) = stream.next_document()? {
            place += 1;
            if !seen.texts.insert(&text) {
                continue;
            }
            match modules::read(&text) {
                Ok(document) => see(place, &text, document)?,
                Err(error) if self.origin == Origin::Feed => left_out(bent, &text, &error),
                Err(error) => return Err(error),
            }
        }
        Odd::new(bent).bytes(stream.input().replaced(), "modules.yaml");
        Ok(())
    }

    fn open(&mut self) -> Result<DocumentStream<Yaml>, MetadataError> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let document = self.documents.at_most(file, MAX_MODULES)?;
        Ok(DocumentStream::new(Text::plain(document)))
    }
}

fn beside(kind: &str, module: String, stream: String) -> Other {
    Other {
        kind: kind.to_owned(),
        module,
        stream,
    }
}

fn hand(
    unit: WantedUnit,
    digests: &mut HashSet<String>,
    take: &mut impl FnMut(WantedUnit) -> Result<(), MetadataError>,
) -> Result<(), MetadataError> {
    digests.insert(text(&unit.doc, "checksum").to_owned());
    take(unit)
}

fn left_out(bent: &Bent, text: &str, error: &MetadataError) {
    let head: Vec<&str> = text.lines().filter(|line| *line != "---").take(6).collect();
    let head: String = head.join(" ").chars().take(200).collect();
    Odd::new(bent).left_out(&format!("a module document: {error}: {head}"));
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str, origin: Origin) -> ModuleFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        ModuleFile::new(file, origin, Documents::default())
    }

    #[test]
    fn a_module_document_that_nobody_can_read_is_left_out_alone() {
        let good = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: a\n  stream: \"1\"\n...\n";
        let broken = [
            "---\ndocument: [\n...\n",
            "---\ndocument: modulemd\ndata: {name: x}\n...\n",
        ];
        let text = [broken[0], good, broken[1]].concat();
        let bent = Bent::default();
        let mut feed = file(&text, Origin::Feed);
        let survey = feed.survey(&bent).unwrap();
        let mut names = Vec::new();
        let digests = feed.units(&survey, "r", &bent, |unit| {
            names.push(self::text(&unit.doc, "name").to_owned());
            Ok(())
        });
        assert_eq!(names, ["a"]);
        assert_eq!(digests.unwrap().len(), 1);
        assert_eq!(bent.count("left_out"), 2);
        assert!(file(&text, Origin::Upload).survey(&bent).is_err());
    }

    #[test]
    fn packages_that_modules_list_are_limited_as_a_sum() {
        let artifacts = "   - a\n".repeat(100_001);
        let module = |n: usize| {
            format!(
                "---\ndocument: modulemd\nversion: 2\ndata:\n  name: m{n}\n  stream: s\n  artifacts:\n   rpms:\n{artifacts}...\n"
            )
        };
        let text: String = (0..5).map(module).collect();
        let error = file(&text, Origin::Feed).survey(&Bent::default());
        assert!(matches!(error, Err(MetadataError::Limit { .. })));
    }
}
