//! The modules of a repository, and which of them are enabled at a host (pulp2/applicability#modules).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use pith_content::outline::{Fields, Outline};
use pith_core::UnitId;

use super::reported::Enabled;
use crate::modular::artifact;

/// The fields of a module that count.
pub(super) const FIELDS: &[&str] = &[
    "name",
    "stream",
    "version",
    "context",
    "arch",
    "artifacts",
    "dependencies",
];

/// Every system has it, and no profile lists it.
const PLATFORM: &str = "platform";

/// Streams by the module that is needed.
type Needs = BTreeMap<String, Vec<String>>;

/// A build of a stream of a module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) id: UnitId,
    pub(super) name: String,
    pub(super) stream: String,
    pub(super) version: u64,
    pub(super) context: String,
    pub(super) arch: String,
    /// All alternatives of what it needs.
    pub(super) needs: Vec<Needs>,
}

impl Module {
    /// Reads a module.
    pub(super) fn of(unit: &Outline) -> Self {
        let text = |field| unit.doc.text(field).into_owned();
        Self {
            id: unit.id,
            name: text("name"),
            stream: text("stream"),
            version: unit.doc.get("version").unwrap_or_default(),
            context: text("context"),
            arch: text("arch"),
            needs: unit.doc.get("dependencies").unwrap_or_default(),
        }
    }

    /// Tells whether it is the build that a host names.
    fn is(&self, enabled: &Enabled<'_>) -> bool {
        self.name == enabled.name.as_str()
            && self.stream == enabled.stream.as_str()
            && enabled.version.as_str().trim().parse() == Ok(self.version)
            && self.context == enabled.context.as_str()
            && self.arch == enabled.arch.as_str()
    }
}

/// The artifacts of a module.
pub(super) fn artifacts(doc: &Fields) -> Vec<String> {
    let written: Vec<Cow<'_, str>> = doc.get("artifacts").unwrap_or_default();
    let all = written.iter().map(|written| artifact(written).into_owned());
    all.collect()
}

/// Returns those of `modules`, which are found by their names, that are enabled at a host: the host names them, and the modules that
/// they need are enabled there too, wherever those come from.
pub(super) fn enabled(
    modules: &[Module],
    by_name: &HashMap<String, Vec<u32>>,
    named: &[Enabled<'_>],
) -> HashSet<u32> {
    let mut streams: HashMap<&str, Vec<&str>> = HashMap::new();
    for entry in named {
        let of_one = streams.entry(entry.name.as_str()).or_default();
        of_one.push(entry.stream.as_str());
    }
    let mut found = HashSet::new();
    for entry in named {
        let builds = by_name.get(entry.name.as_str()).into_iter().flatten();
        found.extend(builds.copied().filter(|build| {
            let module = &modules[*build as usize];
            module.is(entry) && module.needs.iter().all(|needs| hold(needs, &streams))
        }));
    }
    found
}

/// Tells whether all of one alternative are enabled.
fn hold(needs: &Needs, streams: &HashMap<&str, Vec<&str>>) -> bool {
    let mut needs = needs.iter().filter(|(module, _)| *module != PLATFORM);
    needs.all(|(module, wanted)| {
        let enabled = streams.get(module.as_str()).into_iter().flatten();
        let mut enabled = enabled.copied();
        enabled.any(|stream| fits(wanted, stream))
    })
}

/// Tells whether a stream is one of those that are wanted: `-x` excludes x, and where nothing else is said every other one will do.
fn fits(wanted: &[String], stream: &str) -> bool {
    let mut is_listed = false;
    let mut lists_any = false;
    for one in wanted {
        match one.strip_prefix('-') {
            Some(excluded) if excluded == stream => return false,
            Some(_) => {}
            None => {
                lists_any = true;
                is_listed |= one == stream;
            }
        }
    }
    is_listed || !lists_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_fit_as_dependencies_write_them() {
        for (wanted, stream, expected) in [
            (&[][..], "1", true),
            (&["1", "2"], "2", true),
            (&["1", "2"], "3", false),
            (&["-1"], "1", false),
            (&["-1"], "2", true),
            (&["-1", "1"], "1", false),
            (&["-1", "2"], "3", false),
        ] {
            let wanted: Vec<String> = wanted
                .iter()
                .map(|text: &&str| (*text).to_owned())
                .collect();
            assert_eq!(fits(&wanted, stream), expected, "{wanted:?} {stream}");
        }
    }
}
