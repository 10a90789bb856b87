//! Limits on what documents hold, as sums: on one element, because it is in memory whole, and on the number of elements,
//! because something is remembered of each. Real repositories stay far below all of them; the numbers are in
//! `docs/security.md`.

use super::MetadataError;

/// Most bytes of names, attributes and texts in one element that is read as a tree. Pulp's database took no more either.
pub(crate) const TREE_BYTES: u64 = 16 << 20;
/// Most elements in one tree.
pub(crate) const TREE_ELEMENTS: u64 = 100_000;
/// Most attributes in one tree.
const TREE_ATTRIBUTES: u64 = 500_000;
/// Most bytes of memory of one tree: what an element and an attribute take beside their texts counts.
const TREE_MEMORY: u64 = 64 << 20;
/// Bytes that an element takes, as an object of a document.
const ELEMENT: usize = 400;
/// Bytes that an attribute takes, as a value in one.
const ATTRIBUTE: usize = 160;
/// Most attributes of one tag.
const TAG_ATTRIBUTES: u64 = 1000;
/// Most packages of one repository.
const PACKAGES: u64 = 1_000_000;
/// Most advisories of one repository.
pub(crate) const ADVISORIES: u64 = 500_000;
/// Most groups, categories, environments and language packs of one repository.
pub(crate) const COMPS: u64 = 100_000;
/// Most module documents of one repository.
pub(crate) const MODULE_DOCUMENTS: u64 = 100_000;
/// Most packages that all modules of one document list.
pub(crate) const ARTIFACTS: u64 = 500_000;
/// Most packages that one advisory lists; in a collection with several modules they count once for each.
pub(crate) const LISTED: u64 = TREE_ELEMENTS;
/// Most bytes that are remembered of names.
pub(crate) const NAMES: u64 = 64 << 20;

/// A sum that must not grow beyond its limit.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    what: &'static str,
    limit: u64,
    found: u64,
}

impl Sum {
    pub(crate) const fn new(what: &'static str, limit: u64) -> Self {
        Self {
            what,
            limit,
            found: 0,
        }
    }

    pub(crate) const fn packages() -> Self {
        Self::new("number of packages", PACKAGES)
    }

    /// Adds what was found.
    ///
    /// # Errors
    /// [`MetadataError::Limit`] when it is too much now.
    pub(crate) fn add(&mut self, found: usize) -> Result<(), MetadataError> {
        self.found = self.found.saturating_add(found as u64);
        match self.found > self.limit {
            true => Err(self.exceeded()),
            false => Ok(()),
        }
    }

    fn exceeded(&self) -> MetadataError {
        MetadataError::Limit {
            what: self.what,
            limit: self.limit,
            found: self.found,
        }
    }
}

/// The room that one tree takes.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    bytes: Sum,
    elements: Sum,
    attributes: Sum,
    memory: Sum,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: Sum::new("bytes of one element", TREE_BYTES),
            elements: Sum::new("number of elements in one", TREE_ELEMENTS),
            attributes: Sum::new("number of attributes in one element", TREE_ATTRIBUTES),
            memory: Sum::new("bytes of memory of one element", TREE_MEMORY),
        }
    }
}

impl Room {
    /// Makes room for an element with these attributes.
    ///
    /// # Errors
    /// [`MetadataError::Limit`] when the tree is too large with it.
    pub(crate) fn element(
        &mut self,
        name: &str,
        attributes: &[(String, String)],
    ) -> Result<(), MetadataError> {
        self.elements.add(1)?;
        self.attributes.add(attributes.len())?;
        self.memory.add(ELEMENT + ATTRIBUTE * attributes.len())?;
        let texts = attributes
            .iter()
            .map(|(key, value)| key.len() + value.len());
        self.text(name.len() + texts.sum::<usize>())
    }

    /// Makes room for so many bytes of text.
    ///
    /// # Errors
    /// [`MetadataError::Limit`] when the tree is too large with them.
    pub(crate) fn text(&mut self, bytes: usize) -> Result<(), MetadataError> {
        self.memory.add(bytes)?;
        self.bytes.add(bytes)
    }

    /// Adds the room of another tree that is kept beside this one.
    ///
    /// # Errors
    /// [`MetadataError::Limit`] when both together are too large.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), MetadataError> {
        for (own, other) in [
            (&mut self.bytes, &other.bytes),
            (&mut self.elements, &other.elements),
            (&mut self.attributes, &other.attributes),
            (&mut self.memory, &other.memory),
        ] {
            own.add(usize::try_from(other.found).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }

    /// Gives back the room of a tree that was added.
    pub(crate) fn give_back(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.bytes, &other.bytes),
            (&mut self.elements, &other.elements),
            (&mut self.attributes, &other.attributes),
            (&mut self.memory, &other.memory),
        ] {
            own.found = own.found.saturating_sub(other.found);
        }
    }
}

/// The number of attributes of one tag.
pub(crate) const fn attributes_of_tag() -> Sum {
    Sum::new("number of attributes of one tag", TAG_ATTRIBUTES)
}
