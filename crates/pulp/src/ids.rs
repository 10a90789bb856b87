//! Ids that clients may give.

/// Longest id of a repository, a distributor or a group, in bytes: ids become paths, and databases index them.
pub(crate) const LONGEST_ID: usize = 255;

/// Letters, digits, `.`, `-` and `_`.
pub(crate) fn is_repository_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= LONGEST_ID
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Letters, digits, `-` and `_`; no dot, unlike a repository id.
pub(crate) fn is_distributor_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= LONGEST_ID
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
