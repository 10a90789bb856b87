//! The file of a delta package: the header of the package it leads to, then a compressed delta that begins with what it
//! starts from (pulp2/rpm-upload; the format is that of the deltarpm tools).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use rpm::PackageMetadata;

use super::header::{self, HeadFacts};
use super::{MetadataError, compression, describe};

/// Longest name or sequence of a delta, in bytes. The order of the files of a large package takes a few KB.
const MAX_TEXT: u32 = 1 << 20;
/// Most that is unpacked of a delta, in bytes: both texts and what is around them.
const MAX_OPEN: u64 = 4 << 20;

/// The facts that the file of a delta package tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaFile {
    /// Name of the package it leads to.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// Epoch, version and release it leads to.
    pub new: [String; 3],
    /// Epoch, version and release it starts from.
    pub old: [String; 3],
    /// The base that it was made of: the package it starts from, and the order of that package's files.
    pub sequence: String,
    /// The facts of its header.
    pub facts: HeadFacts,
}

impl DeltaFile {
    /// The path that such a file has in repositories.
    #[must_use]
    pub fn path(&self) -> String {
        let ([_, old, from], [_, new, to]) = (&self.old, &self.new);
        let Self { name, arch, .. } = self;
        format!("drpms/{name}-{old}-{from}_{new}-{to}.{arch}.drpm")
    }
}

/// Reads the file of a delta package.
///
/// # Errors
/// When it is none: an RPM without a delta, a delta without the header of an RPM, or no such file at all.
pub fn read(file: &mut File) -> Result<DeltaFile, MetadataError> {
    let mut input = BufReader::new(file.try_clone()?);
    let (leads_to, payload) = describe::with_header(&mut input, |package| {
        let payload = package.get_package_segment_offsets().payload;
        LeadsTo::of(package).map(|own| (own, payload))
    })?;
    let mut head = Vec::new();
    file.rewind()?;
    Read::take(&mut *file, payload.min(header::MAX_HEAD as u64)).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(payload))?;
    let mut delta = compression::open(file.try_clone()?, MAX_OPEN)?;
    let mut magic = [0; 4];
    delta.read_exact(&mut magic)?;
    if !matches!(&magic, b"DLT1" | b"DLT2" | b"DLT3") {
        return Err(MetadataError::structure("its content is no delta"));
    }
    let from = counted(&mut delta)?;
    let from = String::from_utf8(from).map_err(|error| error.utf8_error())?;
    let from = from.trim_end_matches('\0');
    let sequence = counted(&mut delta)?;
    let LeadsTo { name, arch, new } = leads_to;
    Ok(DeltaFile {
        name,
        arch,
        new,
        old: old_version(from)
            .ok_or_else(|| MetadataError::structure("it does not say what it starts from"))?,
        sequence: format!("{from}-{}", hex::encode(sequence)),
        facts: header::facts(&head).unwrap_or_default(),
    })
}

/// The package that a delta leads to.
struct LeadsTo {
    name: String,
    arch: String,
    new: [String; 3],
}

impl LeadsTo {
    fn of(package: &PackageMetadata) -> Result<Self, MetadataError> {
        let broken = |error: rpm::Error| MetadataError::structure(error.to_string());
        let text = |text: &str| text.to_owned();
        Ok(Self {
            name: package.get_name().map(text).map_err(broken)?,
            arch: package.get_arch().map(text).map_err(broken)?,
            new: [
                package.get_epoch().unwrap_or(0).to_string(),
                package.get_version().map(text).map_err(broken)?,
                package.get_release().map(text).map_err(broken)?,
            ],
        })
    }
}

/// A text behind its length in four bytes.
fn counted(input: &mut impl Read) -> Result<Vec<u8>, MetadataError> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_TEXT {
        return Err(MetadataError::Limit {
            what: "length of a text in a delta",
            limit: MAX_TEXT.into(),
            found: length.into(),
        });
    }
    let mut text = Vec::new();
    input.take(length.into()).read_to_end(&mut text)?;
    if text.len() < usize::try_from(length).unwrap_or(usize::MAX) {
        return Err(MetadataError::structure("it ends too early"));
    }
    Ok(text)
}

/// Epoch, version and release out of `name-[epoch:]version-release`.
fn old_version(nevr: &str) -> Option<[String; 3]> {
    let (rest, release) = nevr.rsplit_once('-')?;
    let (_, version) = rest.rsplit_once('-')?;
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    Some([epoch, version, release].map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dashes_and_epochs_are_taken_apart() {
        let parts = |nevr| old_version(nevr).unwrap();
        assert_eq!(parts("a-b-1.0-2.el9"), ["0", "1.0", "2.el9"]);
        assert_eq!(parts("a-3:1.0-2"), ["3", "1.0", "2"]);
        assert_eq!(old_version("a-1"), None);
    }

    #[test]
    fn a_length_that_promises_more_than_there_is_is_refused() {
        assert!(counted(&mut [0, 0, 0, 9, b'x'].as_slice()).is_err());
        assert!(counted(&mut [0xff; 8].as_slice()).is_err());
        assert_eq!(
            counted(&mut [0, 0, 0, 1, b'x', b'y'].as_slice()).unwrap(),
            b"x"
        );
    }
}
