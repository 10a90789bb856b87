//! Locations in metadata: where upstream has a file, and under which name it is known here. Nothing becomes a path that
//! points outside of the repository.

use pith_core::RelativePath;

use super::MetadataError;

/// Longest location, in bytes.
const MAX_LOCATION: usize = 4096;
/// Longest `xml:base`, in bytes.
const MAX_BASE: usize = 2048;

/// Where a document says that a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// A path inside the repository, for names here.
    pub path: RelativePath,
    /// The location as it stands, where it is something else: a path above the repository, an absolute one, a URL.
    pub outside: Option<String>,
}

/// Reads a `location href`. One that stays inside the repository, also after a URL library has decoded `%2e`, is known
/// by its path (without `./` before it); of any other one only the last name is used here, and `name` where that is none.
///
/// # Errors
/// [`MetadataError::UnsafePath`] when it is empty, too long or holds control characters, or when `name` is no name
/// either.
pub fn read(href: &str, name: impl FnOnce() -> String) -> Result<Location, MetadataError> {
    let plain = href.strip_prefix("./").unwrap_or(href);
    if let (Ok(path), false) = (RelativePath::new(plain), leads_out(plain)) {
        let outside = None;
        return Ok(Location { path, outside });
    }
    if href.is_empty() || href.len() > MAX_LOCATION || href.chars().any(char::is_control) {
        return Err(MetadataError::UnsafePath(format!(
            "'{}' is no location of a file",
            href.escape_debug().take(120).collect::<String>()
        )));
    }
    let last = href.split(['?', '#']).next().unwrap_or_default();
    let last = last.rsplit('/').next().unwrap_or_default();
    let path = match RelativePath::new(last) {
        Ok(path) if !leads_out(last) => path,
        _ => RelativePath::new(name().replace('/', "_"))
            .map_err(|error| MetadataError::UnsafePath(error.to_string()))?,
    };
    Ok(Location {
        path,
        outside: Some(href.to_owned()),
    })
}

/// Tells whether a path could lead outside for somebody who decodes it, or is a URL.
fn leads_out(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let dots = lower.replace("%2e", ".");
    dots.split('/').any(|s| matches!(s, "." | ".."))
        || lower.contains("%2f")
        || lower.contains("%5c")
        || lower.contains("://")
}

/// Reads an `xml:base`. Where it leads is judged when something is fetched from there.
///
/// # Errors
/// [`MetadataError::UnsafePath`] when it is too long or holds control characters.
pub fn base(base: &str) -> Result<String, MetadataError> {
    if base.len() > MAX_BASE || base.chars().any(char::is_control) {
        return Err(MetadataError::UnsafePath(format!(
            "the base '{}' is no URL",
            base.escape_debug().take(120).collect::<String>()
        )));
    }
    Ok(base.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(href: &str) -> Location {
        read(href, || "name-1-1.noarch.rpm".to_owned()).unwrap()
    }

    #[test]
    fn locations_inside_are_known_by_their_paths() {
        for (href, path) in [
            ("./a/b.rpm", "a/b.rpm"),
            ("a~1^2+3%20b.rpm", "a~1^2+3%20b.rpm"),
            ("a b/ü#?.rpm", "a b/ü#?.rpm"),
        ] {
            let location = of(href);
            assert_eq!((location.path.as_str(), location.outside), (path, None));
        }
    }

    #[test]
    fn of_locations_outside_only_the_last_name_is_used_here() {
        for href in [
            "../pool/x.rpm",
            "a/../../x.rpm",
            "/etc/x.rpm",
            "%2e%2e/x.rpm",
            "%2E./x.rpm",
            "a//x.rpm",
            "http://elsewhere/p/x.rpm",
            "http://elsewhere/x.rpm?signature=1/2",
        ] {
            let location = of(href);
            assert_eq!(location.path.as_str(), "x.rpm", "{href}");
            assert_eq!(location.outside.as_deref(), Some(href));
        }
        for href in ["a/..%2fx.rpm", "a%5c..%5cx", "a\\b", "..", "a/..", "a/"] {
            assert_eq!(of(href).path.as_str(), "name-1-1.noarch.rpm", "{href}");
        }
        for bad in ["", "a\0b", "a\nb", &"a/".repeat(5000)] {
            assert!(read(bad, || "x".to_owned()).is_err(), "{bad:?}");
        }
        assert!(read("..", || "..".to_owned()).is_err());
    }
}
