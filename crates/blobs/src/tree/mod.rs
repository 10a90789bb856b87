//! Trees of files for others: a publication as a folder of this machine, for people, web servers and programs that look there.
//!
//! A tree is written beside its place and then swapped in, whole. What it is put in the place of must be a tree that the same owner
//! has written before, which a mark in it tells: nobody else's files are removed. Everything is opened from the folder down, one
//! name at a time and without following symbolic links, so that nobody who can write there leads the server elsewhere.

mod bundle;
mod dir;
mod folders;
mod withdraw;
mod writer;

pub use bundle::Bundle;
pub(crate) use bundle::is_bundle;
pub use folders::{OpenFolders, Refused};
pub use withdraw::withdraw;
pub use writer::{Place, TreeWriter};

#[cfg(test)]
mod tests;
