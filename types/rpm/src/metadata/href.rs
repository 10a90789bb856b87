//! Paths and URLs from metadata: nothing may point outside of the repository.

use pith_core::RelativePath;

use super::MetadataError;

/// Checks a `location href`: a relative path that stays inside the repository, also after a URL library has decoded
/// `%2e`. A leading `./` is dropped.
///
/// # Errors
/// [`MetadataError::UnsafePath`] with the path and what is wrong with it.
pub fn check(href: &str) -> Result<RelativePath, MetadataError> {
    let plain = href.strip_prefix("./").unwrap_or(href);
    // A URL library takes `%2e%2e` for `..`, and `?` or `#` for the end of the path.
    let dots = plain.replace("%2e", ".").replace("%2E", ".");
    let climbs = dots.split('/').any(|s| matches!(s, "." | ".."));
    let encoded = plain.to_ascii_lowercase();
    let hides = climbs || encoded.contains("%2f") || encoded.contains("%5c");
    match RelativePath::new(plain) {
        Ok(path) if !hides => Ok(path),
        Ok(_) => Err(MetadataError::UnsafePath(format!(
            "'{plain}' is not a safe relative path: it points outside of its folder"
        ))),
        Err(error) => Err(MetadataError::UnsafePath(error.to_string())),
    }
}

/// Checks an `xml:base`: a URL of a scheme that packages may come from.
///
/// # Errors
/// [`MetadataError::UnsafePath`] when it is not an absolute `http` or `https` URL.
pub fn check_base(base: &str) -> Result<String, MetadataError> {
    let lower = base.to_ascii_lowercase();
    let fine = (lower.starts_with("http://") || lower.starts_with("https://"))
        && base.len() <= 2048
        && !base.chars().any(|c| c.is_control() || c.is_whitespace());
    if !fine {
        return Err(MetadataError::UnsafePath(format!(
            "the base '{}' is not an http or https URL",
            base.chars().take(120).collect::<String>()
        )));
    }
    Ok(base.to_owned())
}

/// `base/path`, with exactly one slash between them. `%`, `?` and `#` in the path are data and are escaped.
#[must_use]
pub fn join(base: &str, path: &str) -> String {
    let mut url = String::with_capacity(base.len() + path.len() + 8);
    url.push_str(base.trim_end_matches('/'));
    url.push('/');
    for c in path.chars() {
        match c {
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            other => url.push(other),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_climb_out_are_refused_in_every_spelling() {
        for bad in [
            "../x.rpm",
            "a/../../x.rpm",
            "/etc/passwd",
            "%2e%2e/x.rpm",
            "%2E./x.rpm",
            "a/..%2fx.rpm",
            "a%5c..%5cx",
            "a\\b",
            "",
            "a//b",
        ] {
            assert!(check(bad).is_err(), "{bad:?} passed");
        }
        assert_eq!(check("./a/b.rpm").unwrap().as_str(), "a/b.rpm");
        assert_eq!(
            check("a~1^2+3%20b.rpm").unwrap().as_str(),
            "a~1^2+3%20b.rpm"
        );
    }

    #[test]
    fn a_base_is_a_web_address() {
        assert!(check_base("http://mirror/os/").is_ok());
        assert!(check_base("file:///etc/").is_err());
        assert!(check_base("media://123").is_err());
        assert_eq!(join("http://m/os/", "a#b.rpm"), "http://m/os/a%23b.rpm");
    }
}
