//! The manifest: parser and writer, no I/O of their own.

pub mod manifest;
