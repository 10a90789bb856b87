//! Locations in metadata: where upstream has a file, and under which name it is known here. Nothing becomes a path that
//! points outside of the repository.

use pith_core::RelativePath;

use super::MetadataError;

/// Longest location, in bytes.
const MAX_LOCATION: usize = 4096;
/// Longest `xml:base`, in bytes.
const MAX_BASE: usize = 2048;

/// The place where a document says that a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// A path inside the repository, for names here.
    pub path: RelativePath,
    /// The location as it stands, where that is something else.
    pub given: Option<String>,
    /// Is true when it leads outside of the repository: above it, or to another address.
    pub outside: bool,
}

/// Reads a `location href`. One that stays inside the repository, also after a URL library has decoded `%2e` and `%2f`, is known
/// by its path, without blanks around it and in its shortest form; of any other one only the last name is used here, or `name`
/// where that is none.
///
/// # Errors
/// [`MetadataError::UnsafePath`] when it is empty or too long, or when `name` is no name either.
pub fn read(href: &str, name: impl FnOnce() -> String) -> Result<Location, MetadataError> {
    let plain = href.trim();
    if plain.is_empty() || href.len() > MAX_LOCATION {
        return Err(MetadataError::UnsafePath(format!(
            "'{}' is no location of a file",
            href.escape_debug().take(120).collect::<String>()
        )));
    }
    let last = plain.split(['?', '#']).next().unwrap_or_default();
    let last = last.rsplit('/').next().unwrap_or_default();
    let path = match inside(plain).or_else(|| inside(last)) {
        Some(path) => path,
        None => RelativePath::new(name().trim().replace('/', "_"))
            .map_err(|error| MetadataError::UnsafePath(error.to_string()))?,
    };
    Ok(Location {
        given: (path.as_str() != href).then(|| href.to_owned()),
        outside: leads_out(plain),
        path,
    })
}

/// The path that a location means inside of the repository.
fn inside(location: &str) -> Option<RelativePath> {
    let decoded = decoded(location);
    let plain = !leads_out(location) && !decoded.to_ascii_lowercase().contains("%5c");
    let path = plain.then(|| RelativePath::cleaned(decoded.trim_start_matches('/')).ok())??;
    // Blanks may have been behind what was cleaned away, and a name of nothing but blanks is none.
    match path.as_str().trim() {
        same if same == path.as_str() => Some(path),
        trimmed => RelativePath::cleaned(trimmed).ok(),
    }
}

/// A location with those escapes resolved that would move it.
fn decoded(location: &str) -> String {
    let dots = location.replace("%2e", ".").replace("%2E", ".");
    dots.replace("%2f", "/").replace("%2F", "/")
}

/// Tells whether a location leads above its folder for somebody who decodes it, or is a URL.
fn leads_out(location: &str) -> bool {
    let mut depth = 0_usize;
    let climbs = decoded(location).split(['/', '\\']).any(|segment| {
        match segment {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
        false
    });
    climbs || location.contains("://")
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
            ("a~1^2+3%20b.rpm", "a~1^2+3%20b.rpm"),
            ("a b/ü#?.rpm", "a b/ü#?.rpm"),
            ("./a/b.rpm", "a/b.rpm"),
            ("a//b/./c/../x.rpm", "a/b/x.rpm"),
            ("a%2Fb.rpm", "a/b.rpm"),
            ("a/..%2fx.rpm", "x.rpm"),
            ("/a/x.rpm", "a/x.rpm"),
            ("\n a/x.rpm\t", "a/x.rpm"),
            ("/ a/x.rpm", "a/x.rpm"),
            ("./ /../ x.rpm", "x.rpm"),
        ] {
            let location = of(href);
            let given = location.given.as_deref().unwrap_or(path);
            assert_eq!(
                (location.path.as_str(), given, location.outside),
                (path, href, false)
            );
        }
    }

    #[test]
    fn of_locations_outside_only_the_last_name_is_used_here() {
        for href in [
            "../pool/x.rpm",
            "a/../../x.rpm",
            "a/..%2F../x.rpm",
            "%2e%2e/x.rpm",
            "%2E./x.rpm",
            "http://elsewhere/p/x.rpm",
            "http://elsewhere/x.rpm?signature=1/2",
        ] {
            let location = of(href);
            assert_eq!(location.path.as_str(), "x.rpm", "{href}");
            assert_eq!(location.given.as_deref(), Some(href));
            assert!(location.outside, "{href}");
        }
        for href in [
            "a%5c..%5cx",
            "a\\b",
            "..",
            "a/..",
            "a/",
            "a\0b",
            "a\nb",
            "http://elsewhere/p/  ?x",
        ] {
            assert_eq!(of(href).path.as_str(), "name-1-1.noarch.rpm", "{href}");
        }
        for bad in ["", " \n", &"a/".repeat(5000)] {
            assert!(read(bad, || "x".to_owned()).is_err(), "{bad:?}");
        }
        assert!(read("..", || "..".to_owned()).is_err());
    }
}
