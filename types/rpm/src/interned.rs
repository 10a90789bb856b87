//! Texts that are kept once and told apart by numbers: what holds something of every package of a repository holds little of it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use rpm_version::Evr;

/// The number of a text.
pub(crate) type Symbol = u32;

/// Texts by number.
#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The number of a text, which is new when nobody asked before.
    pub(crate) fn number(&mut self, text: &str) -> Symbol {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = text.into();
        // A pool of four thousand million names does not fit into memory.
        let number = Symbol::try_from(self.texts.len()).unwrap_or(Symbol::MAX);
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// The number of a text that somebody asked for.
    pub(crate) fn known(&self, text: &str) -> Option<Symbol> {
        self.numbers.get(text).copied()
    }

    /// The text of a number.
    pub(crate) fn text(&self, number: Symbol) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    /// The number of texts.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Compares versions as RPM does: epoch, version and release of each. No epoch is epoch 0.
pub(crate) fn compare_versions(a: [&str; 3], b: [&str; 3]) -> Ordering {
    Evr::new(a[0], a[1], a[2]).cmp(&Evr::new(b[0], b[1], b[2]))
}
