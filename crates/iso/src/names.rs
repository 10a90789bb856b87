//! The names that files and folders have for readers that know neither Rock Ridge nor POSIX.

use std::collections::HashSet;

/// The set of names of an image: each file and folder stands in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// ISO 9660 itself: few capital letters, with the real name beside them.
    Primary,
    /// Joliet: up to 103 characters in UTF-16.
    Joliet,
}

/// The most characters of a Joliet name.
const JOLIET: usize = 103;
/// The most characters of the name of a primary file before its ending.
const STEM: usize = 20;

/// Gives the names of one folder their form in a flavor, in order; no two are equal.
pub(crate) struct Namer {
    flavor: Flavor,
    used: HashSet<Vec<u8>>,
    next: u32,
}

impl Namer {
    pub(crate) fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            used: HashSet::new(),
            next: 0,
        }
    }

    /// The identifier of a name.
    pub(crate) fn identifier(&mut self, name: &str, is_folder: bool) -> Vec<u8> {
        let mut identifier = self.form(name, is_folder, "");
        while !self.used.insert(identifier.clone()) {
            self.next += 1;
            identifier = self.form(name, is_folder, &format!("_{:X}", self.next));
        }
        identifier
    }

    /// A name with a text that tells it apart from others.
    fn form(&self, name: &str, is_folder: bool, apart: &str) -> Vec<u8> {
        match self.flavor {
            Flavor::Primary => primary(name, is_folder, apart),
            Flavor::Joliet => joliet(name, apart),
        }
    }
}

fn primary(name: &str, is_folder: bool, apart: &str) -> Vec<u8> {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !is_folder && !stem.is_empty() => (stem, ending),
        _ => (name, ""),
    };
    let letters = |text: &str, most: usize| -> String {
        let letter = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        };
        text.chars().take(most).map(letter).collect()
    };
    let stem = letters(stem, STEM);
    match is_folder {
        true => format!("{stem}{apart}"),
        false => format!("{stem}{apart}.{};1", letters(ending, 3)),
    }
    .into_bytes()
}

fn joliet(name: &str, apart: &str) -> Vec<u8> {
    let letter = |c: char| match c {
        '*' | '/' | ':' | ';' | '?' | '\\' => '_',
        c => c,
    };
    let most = JOLIET - apart.len();
    let mut units = Vec::new();
    for c in name.chars().map(letter) {
        let mut pair = [0; 2];
        let next = c.encode_utf16(&mut pair);
        if units.len() + next.len() > most {
            break;
        }
        units.extend_from_slice(next);
    }
    units.extend(apart.encode_utf16());
    utf16(units)
}

/// UTF-16 as it stands in an image.
pub(crate) fn utf16(units: impl IntoIterator<Item = u16>) -> Vec<u8> {
    units.into_iter().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_no_two_are_equal() {
        let mut primary = Namer::new(Flavor::Primary);
        let mut text =
            |name: &str, is_folder| String::from_utf8(primary.identifier(name, is_folder)).unwrap();
        assert_eq!(
            text("greet-1.0-1.noarch.rpm", false),
            "GREET_1_0_1_NOARCH.RPM;1"
        );
        assert_eq!(
            text("greet-1.0+1.noarch.rpm", false),
            "GREET_1_0_1_NOARCH_1.RPM;1"
        );
        assert_eq!(text(".treeinfo", false), "_TREEINFO.;1");
        assert_eq!(text("x86.64", true), "X86_64");
        let mut joliet = Namer::new(Flavor::Joliet);
        let long = "ü".repeat(200);
        let [one, other] = [0; 2].map(|_| joliet.identifier(&long, false));
        assert_eq!((one.len(), other.len()), (206, 206));
        assert_ne!(one, other);
    }
}
