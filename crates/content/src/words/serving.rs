//! The options of what is served, as pulp-admin spells them for every family; types have names of their own for the settings.

use super::{Key, OnCreate, OptionWords};

/// The switch for plain HTTP, which is off for a new repository.
#[must_use]
pub const fn serve_http(keys: &'static [Key]) -> OptionWords {
    OptionWords::of("serve-http", keys)
        .help("Serve it over HTTP")
        .on_create(OnCreate::Flag(false))
}

/// The switch for HTTPS, which is on for a new repository.
#[must_use]
pub const fn serve_https(keys: &'static [Key]) -> OptionWords {
    OptionWords::of("serve-https", keys)
        .help("Serve it over HTTPS")
        .on_create(OnCreate::Flag(true))
}

/// The authorities of the clients that may read.
#[must_use]
pub const fn readers(keys: &'static [Key]) -> OptionWords {
    OptionWords::of("auth-ca", keys).help(
        "File with the certificate authority of the clients that may read the repository; an empty file lets everybody",
    )
}
