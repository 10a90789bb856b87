//! Dependencies: a name, and perhaps a range of versions (reference: rpm §9.2).

use std::cmp::Ordering;

use rpm_version::Evr;
use serde_json::Value;

/// Which versions beside the one named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Range {
    fn of(flags: &str) -> Option<Self> {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    range: Range,
    epoch: Box<str>,
    version: Box<str>,
    release: Box<str>,
}

/// A name with a bound, as packages provide and require it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: Box<str>,
    pub(super) bound: Option<Bound>,
}

/// Compares, leaving releases aside where one has none.
fn compare(a: &Bound, b: &Bound) -> Ordering {
    let bare = a.release.is_empty() || b.release.is_empty();
    let release = |bound: &Bound| if bare { "" } else { &*bound.release }.to_owned();
    let (ra, rb) = (release(a), release(b));
    Evr::new(&*a.epoch, &*a.version, &*ra).cmp(&Evr::new(&*b.epoch, &*b.version, &*rb))
}

impl Bound {
    /// Whether some version lies in both.
    fn meets(&self, other: &Self) -> bool {
        match compare(self, other) {
            Ordering::Less => self.range.greater || other.range.less,
            Ordering::Greater => self.range.less || other.range.greater,
            Ordering::Equal => {
                (self.range.equal && other.range.equal)
                    || (self.range.less && other.range.less)
                    || (self.range.greater && other.range.greater)
            }
        }
    }
}

impl Dependency {
    /// An entry of `provides`, `requires` or `recommends`.
    pub(super) fn of(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry[key].as_str().unwrap_or("");
        let name: Box<str> = entry["name"].as_str()?.into();
        let epoch = match text("epoch") {
            "" => "0",
            epoch => epoch,
        };
        let bound = Range::of(text("flags")).map(|range| Bound {
            range,
            epoch: epoch.into(),
            version: text("version").into(),
            release: text("release").into(),
        });
        Some(Self { name, bound })
    }

    /// Whether providing `self` satisfies `need` of the same name. What is provided without a version satisfies no need
    /// for one.
    pub(super) fn satisfies(&self, need: &Self) -> bool {
        match (&self.bound, &need.bound) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(have), Some(need)) => have.meets(need),
        }
    }

    /// The plain dependencies behind a requirement. Of a rich one, those that hold whatever else is installed: the sides of
    /// `and`, `or`, `with`, and what stands before `if` and `unless`.
    pub(super) fn plain(self) -> Vec<Self> {
        if !self.name.starts_with('(') {
            let internal = self.name.starts_with("rpmlib(");
            return if internal { Vec::new() } else { vec![self] };
        }
        let mut found: Vec<Self> = Vec::new();
        let mut words = words(&self.name).into_iter().peekable();
        while let Some(word) = words.next() {
            match word {
                "and" | "or" | "with" => {}
                // Conditions, and what must not be there.
                "if" | "unless" | "else" | "without" => break,
                _ => {
                    let range = words.peek().and_then(|next| Range::of(next));
                    let bound = range.and_then(|range| {
                        words.next();
                        let version = words.next()?;
                        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
                        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
                        (!version.is_empty()).then(|| Bound {
                            range,
                            epoch: epoch.into(),
                            version: version.into(),
                            release: release.into(),
                        })
                    });
                    found.push(Self {
                        name: word.into(),
                        bound,
                    });
                }
            }
        }
        found
    }
}

/// The words of a rich dependency; parentheses within names stay.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .map(|word| {
            let mut word = word.trim_start_matches('(');
            let surplus = word
                .matches(')')
                .count()
                .saturating_sub(word.matches('(').count());
            for _ in 0..surplus {
                word = word.strip_suffix(')').unwrap_or(word);
            }
            word
        })
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn dependency(flags: &str, version: &str) -> Dependency {
        let (version, release) = version.split_once('-').unwrap_or((version, ""));
        let entry = json!({"name": "x", "flags": flags, "epoch": null, "version": version, "release": release});
        Dependency::of(&entry).unwrap()
    }

    #[test]
    fn ranges_meet_as_rpm_says() {
        for (have, need, expected) in [
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
            (("", ""), ("EQ", "1"), false),
        ] {
            let (have, need) = (dependency(have.0, have.1), dependency(need.0, need.1));
            assert_eq!(have.satisfies(&need), expected, "{have:?} {need:?}");
        }
    }

    #[test]
    fn rich_dependencies_give_their_sides_and_no_conditions() {
        let names = |text: &str| -> Vec<String> {
            let one = Dependency {
                name: text.into(),
                bound: None,
            };
            let plain = one.plain().into_iter();
            plain.map(|each| each.name.to_string()).collect()
        };
        assert_eq!(names("(a and b)"), ["a", "b"]);
        assert_eq!(names("(a if b)"), ["a"]);
        assert_eq!(
            names("(perl(Foo) >= 0:1.2 or (b with c))"),
            ["perl(Foo)", "b", "c"]
        );
        assert_eq!(names("(a and perl(Foo)))"), ["a", "perl(Foo)"]);
        assert_eq!(names("(6)éui and é)"), ["6)éui", "é"]);
        assert!(names("rpmlib(PayloadIsZstd)").is_empty());
        assert_eq!(names("/bin/sh"), ["/bin/sh"]);
    }

    proptest! {
        #[test]
        fn no_dependency_panics(name in "\\(?[a-z() <>=:.0-9é-]{0,60}") {
            let one = Dependency { name: name.into(), bound: None };
            let _ = one.plain();
        }
    }
}
