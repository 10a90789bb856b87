//! The texts that say that a file is not what was promised (pulp2/iso#sync).

pub(crate) fn wrong_size(name: &str, expected: u64, actual: u64) -> String {
    format!(
        "Downloading <{name}> failed validation. The manifest specified that the file should be {expected} bytes, but \
         the downloaded file is {actual} bytes."
    )
}

pub(crate) fn wrong_digest(name: &str, expected: &str, actual: &str) -> String {
    format!(
        "Downloading <{name}> failed checksum validation. The manifest specified the checksum to be {expected}, but \
         it was {actual}."
    )
}
