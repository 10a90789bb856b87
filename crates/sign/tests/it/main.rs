//! Keys and signatures as GnuPG reads them, and keys that GnuPG exports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gpg;
mod hostile;
mod imports;
mod signatures;
