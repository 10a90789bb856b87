//! The size of what a page has between two files: nothing that is read as one may become large in memory, whatever the page is.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes of the entry of one file, with what stands before it.
const LONGEST_ENTRY: u64 = 256 * 1024;
/// Bytes of what a page says beside its files, such as the description of the project.
const LONGEST_REST: u64 = 8 * 1024 * 1024;

/// The bytes that may come until something is done with them.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    pub(super) fn new() -> Self {
        Self(Rc::new(Cell::new(LONGEST_ENTRY)))
    }

    /// Begins a new entry.
    pub(super) fn entry(&self) {
        self.0.set(LONGEST_ENTRY);
    }

    /// Begins something else.
    pub(super) fn rest(&self) {
        self.0.set(LONGEST_REST);
    }
}

/// A page that ends with an error where an entry is longer than allowed.
pub(super) struct Bounded<R> {
    page: R,
    allowance: Allowance,
}

impl<R> Bounded<R> {
    pub(super) fn new(page: R, allowance: &Allowance) -> Self {
        let allowance = allowance.clone();
        Self { page, allowance }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = &self.allowance.0;
        let most = usize::try_from(left.get()).unwrap_or(usize::MAX);
        let most = most.min(bytes.len());
        if most == 0 && !bytes.is_empty() {
            return Err(io::Error::other("one of its entries is too long"));
        }
        let read = self.page.read(&mut bytes[..most])?;
        left.set(left.get().saturating_sub(read as u64));
        Ok(read)
    }
}
