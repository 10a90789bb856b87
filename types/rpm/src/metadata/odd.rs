//! Oddities of a document that is taken all the same: noted by kind, so that every reader uses the same words.

use pith_content::Bent;

/// Notes what one document has of odd things.
#[derive(Debug, Clone, Default)]
pub(crate) struct Odd {
    bent: Bent,
    /// Replaced characters that were noted.
    replaced: u64,
}

impl Odd {
    pub(crate) fn new(bent: &Bent) -> Self {
        Self {
            bent: bent.clone(),
            replaced: 0,
        }
    }

    /// Something that was not there and counts as empty.
    pub(crate) fn missing(&self, what: &str) {
        let sentence = "attributes and elements that were missing were taken as empty";
        self.bent.note("missing_attribute", sentence, what);
    }

    /// Something that could not be taken at all.
    pub(crate) fn left_out(&self, what: &str) {
        let sentence = "entries that cannot be read or have no identity were left out";
        self.bent.note("left_out", sentence, what);
    }

    /// A document of a kind that came before.
    pub(crate) fn again(&self, what: &str) {
        let sentence = "documents of a kind that repomd.xml lists more than once: the first of each kind was taken";
        self.bent.note("document_twice", sentence, what);
    }

    /// A document that is broken somewhere.
    pub(crate) fn broken(&self, what: &str) {
        let sentence =
            "documents that a repository can do without were read up to where they are broken";
        self.bent.note("broken_document", sentence, what);
    }

    /// A date that cannot be compared.
    pub(crate) fn date(&self, what: &str) {
        let sentence = "dates that cannot be read were kept as they are and not compared";
        self.bent.note("odd_date", sentence, what);
    }

    /// A collection of an advisory with more than one module.
    pub(crate) fn several_modules(&self, what: &str) {
        let sentence = "collections that name several modules were taken once for each";
        self.bent.note("several_modules", sentence, what);
    }

    /// Bytes that are no text, when more of them were replaced than were noted. `replaced` counts from the start of the
    /// document.
    pub(crate) fn bytes(&mut self, replaced: u64, what: &str) {
        if replaced > self.replaced {
            self.replaced = replaced;
            let sentence = "bytes and characters that are no text became U+FFFD";
            self.bent.note("bad_encoding", sentence, what);
        }
    }
}
