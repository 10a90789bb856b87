//! Unit types as the command line speaks of them.

/// A unit type as a command lists it.
#[derive(Debug, Clone, Copy)]
pub struct UnitWords {
    /// The word on the command line.
    pub word: &'static str,
    /// The type id of the API.
    pub id: &'static str,
    /// Fields that a table shows.
    pub columns: &'static [&'static str],
    /// Fields that the server needs of what is copied or removed; empty for all. Whole documents can be large.
    pub picked: &'static [&'static str],
    /// Endings of the names of files that are such units; the longest that fits any type counts.
    pub endings: &'static [&'static str],
    /// Is true when the client tells the key of an uploaded file: its name, size and checksum.
    pub key_from_file: bool,
    /// The field of the unit key that the client gives the name of an uploaded file in; none where the key is told otherwise.
    pub name_field: Option<&'static str>,
    /// Is true when a policy on signatures keeps such units out.
    pub signed: bool,
    /// Fields that do not compare as texts.
    pub sort_index: Option<SortIndex>,
}

impl UnitWords {
    /// A unit type with a word, its type id, and the fields that a table shows.
    #[must_use]
    pub const fn new(
        word: &'static str,
        id: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        Self {
            word,
            id,
            columns,
            picked: &[],
            endings: &[],
            key_from_file: false,
            name_field: None,
            signed: false,
            sort_index: None,
        }
    }
}

/// Fields of which units keep an index, under the field's name with `_sort_index` behind it: a text that compares as the
/// field should.
#[derive(Debug, Clone, Copy)]
pub struct SortIndex {
    /// The fields.
    pub fields: &'static [&'static str],
    /// Returns the index of a value; none for one that has none.
    pub of: fn(&str) -> Option<String>,
}
