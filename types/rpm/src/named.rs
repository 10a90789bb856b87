//! Packages as advisories name them: parts of a name that are left out stand for any.

use pith_core::Document;

use crate::metadata::updateinfo::ErratumPackage;
use crate::modular::text;

/// The parts of a name, the most important first.
pub const PARTS: [&str; 5] = ["name", "epoch", "version", "release", "arch"];

/// The parts that a name leaves out: a bit for each of [`PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LeftOut(u8);

impl LeftOut {
    /// A name that leaves nothing out.
    pub const NOTHING: Self = Self(0);

    /// The parts of a package's name that an advisory leaves out; `None` when it does not say which package it is at all.
    #[must_use]
    pub fn of(package: &ErratumPackage) -> Option<Self> {
        let empty = values(package).map(str::is_empty);
        let bits = empty.iter().enumerate();
        let bits = bits.map(|(at, empty)| u8::from(*empty) << at);
        (!empty[0]).then(|| Self(bits.sum()))
    }

    /// The rest of `values`.
    #[must_use]
    pub fn from(self, values: [&str; 5]) -> [Option<&str>; 5] {
        let mut at = 0;
        values.map(|value| {
            let left_out = self.0 & (1 << at) != 0;
            at += 1;
            (!left_out).then_some(value)
        })
    }
}

/// The parts of the name that an advisory gives a package, empty where it gives none.
#[must_use]
pub fn values(package: &ErratumPackage) -> [&str; 5] {
    [
        &package.name,
        package.plain_epoch(),
        &package.version,
        &package.release,
        &package.arch,
    ]
}

/// The name that an advisory gives a package when nothing else is meant by an absent epoch than epoch 0.
#[must_use]
pub fn exact(package: &ErratumPackage) -> [&str; 5] {
    let [name, _, version, release, arch] = values(package);
    [name, package.epoch_or_zero(), version, release, arch]
}

/// The parts of the name of a package; without an epoch it is 0.
#[must_use]
pub fn of_unit(doc: &Document) -> [&str; 5] {
    with_epoch(PARTS.map(|part| text(doc, part)))
}

/// The parts of the name of a package as they are compared: without an epoch it is 0.
#[must_use]
pub fn with_epoch([name, epoch, version, release, arch]: [&str; 5]) -> [&str; 5] {
    let epoch = if epoch.is_empty() { "0" } else { epoch };
    [name, epoch, version, release, arch]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn parts_that_are_left_out_are_not_compared() {
        let package = |given: Value| serde_json::from_value::<ErratumPackage>(given).unwrap();
        let doc: Document = serde_json::from_value(
            json!({"name": "a", "epoch": "1", "version": "2", "release": "3", "arch": "noarch"}),
        )
        .unwrap();
        let means = |given: Value| {
            let package = package(given);
            let left_out = LeftOut::of(&package)?;
            Some(left_out.from(values(&package)) == left_out.from(of_unit(&doc)))
        };
        for (given, same) in [
            (json!({"name": "a"}), Some(true)),
            (
                json!({"name": "a", "version": "2", "arch": null}),
                Some(true),
            ),
            (json!({"name": "a", "version": "1"}), Some(false)),
            (
                json!({"name": "a", "version": "2", "release": "3", "arch": "noarch", "epoch": ""}),
                Some(true),
            ),
            (json!({"name": "b"}), Some(false)),
            (json!({"version": "2"}), None),
        ] {
            assert_eq!(means(given.clone()), same, "{given}");
        }
        let whole =
            json!({"name": "a", "epoch": 1, "version": "2", "release": "3", "arch": "noarch"});
        assert_eq!(LeftOut::of(&package(whole)), Some(LeftOut::NOTHING));
    }
}
