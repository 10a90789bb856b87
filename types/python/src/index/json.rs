//! Pages in JSON: the simple index (PEP 691) and the JSON API. Files are handed over one by one, so that a page is never in memory
//! as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use pith_core::Digest;
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::entry::{Allowance, Bounded};
use super::{About, Item, Listed, Location, PageError, Take, digest, text};

/// Digests of one file that are looked at.
const MOST_DIGESTS: usize = 16;

/// Reads a page of either kind.
pub(super) fn read(page: impl BufRead, take: &mut dyn Take) -> Result<(), PageError> {
    let allowance = Allowance::new();
    let mut json = serde_json::Deserializer::from_reader(Bounded::new(page, &allowance));
    let mut reading = Reading {
        take,
        allowance,
        has_ended: false,
    };
    let read = Page(&mut reading)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    match read {
        // An error that nobody made but the taker, which wants no more.
        Err(_) if reading.has_ended => Ok(()),
        read => Ok(read?),
    }
}

struct Reading<'a> {
    take: &'a mut dyn Take,
    allowance: Allowance,
    has_ended: bool,
}

impl Reading<'_> {
    fn give<E: serde::de::Error>(&mut self, item: Item) -> Result<(), E> {
        if self.take.take(item) {
            return Ok(());
        }
        self.has_ended = true;
        Err(E::custom("nothing more is wanted"))
    }
}

/// The page as a whole.
struct Page<'a, 'b>(&'a mut Reading<'b>);

impl<'de> DeserializeSeed<'de> for Page<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a project")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut has_files = false;
        while let Some(key) = map.next_key::<String>()? {
            self.0.allowance.rest();
            match key.as_str() {
                "info" => {
                    let info: Info = map.next_value()?;
                    self.0.give(Item::About(info.into()))?;
                }
                "name" => {
                    let about = About {
                        name: Some(map.next_value()?),
                        ..About::default()
                    };
                    self.0.give(Item::About(about))?;
                }
                "releases" => {
                    has_files = true;
                    map.next_value_seed(Releases(self.0))?;
                }
                "files" => {
                    has_files = true;
                    map.next_value_seed(Files {
                        reading: self.0,
                        version: None,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            self.0.allowance.entry();
        }
        match has_files {
            true => Ok(()),
            false => Err(A::Error::custom("it has neither 'releases' nor 'files'")),
        }
    }
}

/// Lists of files by version.
struct Releases<'a, 'b>(&'a mut Reading<'b>);

impl<'de> DeserializeSeed<'de> for Releases<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Releases<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of files by version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.allowance.entry();
        while let Some(version) = map.next_key::<String>()? {
            map.next_value_seed(Files {
                reading: self.0,
                version: Some(version),
            })?;
        }
        Ok(())
    }
}

/// A list of files.
struct Files<'a, 'b> {
    reading: &'a mut Reading<'b>,
    version: Option<String>,
}

impl<'de> DeserializeSeed<'de> for Files<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Files<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut files: A) -> Result<(), A::Error> {
        self.reading.allowance.entry();
        while let Some(file) = files.next_element::<File>()? {
            self.reading.allowance.entry();
            let listed = file.listed(self.version.clone());
            let listed =
                listed.ok_or_else(|| A::Error::custom("a file has no 'url' and no 'path'"))?;
            self.reading.give(Item::File(Box::new(listed)))?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Info {
    name: Option<String>,
    author: Option<String>,
    summary: Option<String>,
}

impl From<Info> for About {
    fn from(info: Info) -> Self {
        let read = |given: Option<String>| given.and_then(|given| text(&given));
        Self {
            name: info.name,
            author: read(info.author),
            summary: read(info.summary),
        }
    }
}

/// A file of either kind of page.
#[derive(Deserialize)]
struct File {
    filename: String,
    url: Option<String>,
    path: Option<String>,
    packagetype: Option<String>,
    md5_digest: Option<String>,
    checksum: Option<String>,
    checksum_type: Option<String>,
    #[serde(default, alias = "hashes")]
    digests: Option<BTreeMap<String, String>>,
    size: Option<u64>,
    #[serde(alias = "requires-python")]
    requires_python: Option<String>,
    yanked: Option<Yanked>,
    yanked_reason: Option<String>,
}

/// Yanked or not, or the reason.
#[derive(Deserialize)]
#[serde(untagged)]
enum Yanked {
    Flag(bool),
    Reason(String),
}

impl File {
    fn listed(self, version: Option<String>) -> Option<Listed> {
        let digests = self.digests();
        let location = match (self.path, self.url) {
            (Some(path), _) if path.contains("://") => Location::OfPage(path),
            (Some(path), _) => Location::OfPackages(path),
            (None, Some(url)) => Location::OfPage(url),
            (None, None) => return None,
        };
        let yanked = match self.yanked {
            None | Some(Yanked::Flag(false)) => None,
            Some(Yanked::Flag(true)) => Some(self.yanked_reason.unwrap_or_default()),
            Some(Yanked::Reason(reason)) => Some(reason),
        };
        Some(Listed {
            filename: self.filename,
            location,
            digests,
            size: self.size,
            version,
            package_type: self.packagetype,
            requires_python: self.requires_python.and_then(|value| text(&value)),
            yanked: yanked.map(|reason| text(&reason).unwrap_or_default()),
        })
    }

    /// Digests of algorithms that are known; others do not matter.
    fn digests(&self) -> Vec<Digest> {
        let listed = self.digests.iter().flatten().take(MOST_DIGESTS);
        let mut found: Vec<Digest> = listed.filter_map(|(name, hex)| digest(name, hex)).collect();
        let checksum = self.checksum_type.as_deref().zip(self.checksum.as_deref());
        let md5 = self.md5_digest.as_deref().map(|hex| ("md5", hex));
        for more in [checksum, md5].into_iter().flatten() {
            let more = digest(more.0, more.1);
            found.extend(more.filter(|more| !found.contains(more)));
        }
        found
    }
}
