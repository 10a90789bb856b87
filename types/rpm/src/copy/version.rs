//! Dependencies: a name, and perhaps a range of versions (pulp2/rpm-copy#dependencies). Names and versions are kept once and told
//! apart by numbers: this is what a solve holds of every package.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::entry::{DependencyRef, Text};
use crate::interned::{Names, Symbol, compare_versions};

/// Versions by number.
#[derive(Default)]
pub(super) struct Versions {
    numbers: HashMap<[Symbol; 3], Symbol>,
    parts: Vec<[Symbol; 3]>,
}

/// The texts and versions of a solve.
#[derive(Default)]
pub(super) struct Table {
    pub(super) names: Names,
    versions: Versions,
}

impl Table {
    /// The number of a version; no epoch is epoch 0.
    pub(super) fn version(&mut self, [epoch, version, release]: [&str; 3]) -> Symbol {
        let epoch = if epoch.is_empty() { "0" } else { epoch };
        let parts = [epoch, version, release].map(|part| self.names.number(part));
        let versions = &mut self.versions;
        if let Some(number) = versions.numbers.get(&parts) {
            return *number;
        }
        let number = Symbol::try_from(versions.parts.len()).unwrap_or(Symbol::MAX);
        versions.parts.push(parts);
        versions.numbers.insert(parts, number);
        number
    }

    /// Epoch, version and release.
    pub(super) fn parts(&self, version: Symbol) -> [&str; 3] {
        let parts = self.versions.parts.get(version as usize);
        parts.map_or(["0", "", ""], |parts| {
            parts.map(|part| self.names.text(part))
        })
    }

    /// Compares versions as RPM does.
    pub(super) fn compare(&self, a: Symbol, b: Symbol) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        compare_versions(self.parts(a), self.parts(b))
    }

    /// Compares, leaving releases aside where one has none.
    fn compare_loosely(&self, a: Symbol, b: Symbol) -> Ordering {
        let (mut a, mut b) = (self.parts(a), self.parts(b));
        if a[2].is_empty() || b[2].is_empty() {
            (a[2], b[2]) = ("", "");
        }
        compare_versions(a, b)
    }

    /// Tells whether providing `have` satisfies `need` of the same name. What is provided, or needed, without a version is
    /// so in every version, as RPM has it.
    pub(super) fn satisfies(&self, have: Option<Bound>, need: Option<Bound>) -> bool {
        let (have, need) = match (have, need) {
            (_, None) | (None, Some(_)) => return true,
            (Some(have), Some(need)) => (have, need),
        };
        match self.compare_loosely(have.version, need.version) {
            Ordering::Less => have.range.greater || need.range.less,
            Ordering::Greater => have.range.less || need.range.greater,
            Ordering::Equal => {
                (have.range.equal && need.range.equal)
                    || (have.range.less && need.range.less)
                    || (have.range.greater && need.range.greater)
            }
        }
    }

    /// An entry of `provides`, `requires` or `recommends`.
    pub(super) fn dependency(&mut self, entry: &DependencyRef<'_>) -> Option<Dependency> {
        let name = Some(entry.name.as_str()).filter(|name| !name.is_empty())?;
        let name = self.names.number(name);
        let version = [&entry.epoch, &entry.version, &entry.release];
        let bound = Range::of(entry.flags.as_str()).map(|range| Bound {
            range,
            version: self.version(version.map(Text::as_str)),
        });
        Some(Dependency { name, bound })
    }
}

/// The relations to the named version that satisfy a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Range {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Range {
    /// Returns what stands between a name and a version.
    pub(super) fn of(flags: &str) -> Option<Self> {
        let (less, equal, greater) = match flags {
            "EQ" | "=" | "==" => (false, true, false),
            "LT" | "<" => (true, false, false),
            "GT" | ">" => (false, false, true),
            "LE" | "<=" => (true, true, false),
            "GE" | ">=" => (false, true, true),
            _ => return None,
        };
        Some(Self {
            less,
            equal,
            greater,
        })
    }
}

/// A version with its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bound {
    pub(super) range: Range,
    pub(super) version: Symbol,
}

/// A name with a bound, as packages provide and require it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Dependency {
    pub(super) name: Symbol,
    pub(super) bound: Option<Bound>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_meet_as_rpm_says() {
        let mut table = Table::default();
        let mut dependency = |(flags, version): (&str, &str)| {
            let (version, release) = version.split_once('-').unwrap_or((version, ""));
            let entry = DependencyRef {
                name: "x".into(),
                flags: flags.into(),
                version: version.into(),
                release: release.into(),
                ..DependencyRef::default()
            };
            table.dependency(&entry).unwrap()
        };
        let cases = [
            (("EQ", "1.0-1"), ("EQ", "1.0-1"), true),
            (("EQ", "1.0-1"), ("EQ", "1.0"), true),
            (("EQ", "1.0-2"), ("EQ", "1.0-1"), false),
            (("EQ", "1.10-1"), ("GE", "1.9"), true),
            (("EQ", "1.0~rc1-1"), ("GE", "1.0"), false),
            (("EQ", "1.0-1"), ("LT", "1.0-1"), false),
            (("EQ", "1.0-1"), ("LE", "1.0-1"), true),
            (("GE", "2"), ("LT", "2"), false),
            (("GE", "1"), ("LT", "2"), true),
            (("EQ", "1"), ("", ""), true),
            (("", ""), ("EQ", "1"), true),
        ]
        .map(|(have, need, expected)| (dependency(have), dependency(need), expected));
        for (have, need, expected) in cases {
            assert_eq!(
                table.satisfies(have.bound, need.bound),
                expected,
                "{have:?} {need:?}"
            );
        }
    }
}
