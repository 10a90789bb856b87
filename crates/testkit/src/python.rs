//! Small Python packages: wheels that pip installs, and source archives.

use std::io::{self, Write};

use flate2::Crc;

/// A wheel of a project: one module that holds its version and `text`.
#[must_use]
pub fn wheel(name: &str, version: &str, text: &str) -> Vec<u8> {
    let module = name.replace(['-', '.'], "_");
    let info = format!("{module}-{version}.dist-info");
    let record = format!("{module}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n");
    zip(&[
        (
            format!("{module}.py"),
            format!("VERSION = {version:?}\nTEXT = {text:?}\n"),
        ),
        (format!("{info}/METADATA"), metadata(name, version)),
        (
            format!("{info}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: pith\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                .to_owned(),
        ),
        (format!("{info}/RECORD"), record),
    ])
}

/// The name of such a wheel.
#[must_use]
pub fn wheel_name(name: &str, version: &str) -> String {
    let module = name.replace(['-', '.'], "_");
    format!("{module}-{version}-py3-none-any.whl")
}

/// A source archive, `tar.gz`, with its metadata.
///
/// # Errors
/// None in memory.
pub fn sdist(name: &str, version: &str, text: &str) -> io::Result<Vec<u8>> {
    let folder = format!("{name}-{version}");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for (path, bytes) in [
        (format!("{folder}/text"), text.to_owned()),
        (format!("{folder}/PKG-INFO"), metadata(name, version)),
    ] {
        packed.write_all(&tar_header(&path, bytes.len()))?;
        packed.write_all(bytes.as_bytes())?;
        packed.write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()])?;
    }
    packed.write_all(&[0; 1024])?;
    packed.finish()
}

/// The metadata of a package.
fn metadata(name: &str, version: &str) -> String {
    format!(
        "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {name} in one line\nAuthor: the makers of {name}\n\
         Requires-Python: >=3.6\n\nA longer text.\n"
    )
}

fn tar_header(path: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    for (at, field) in [
        (100, "0000644\0"),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (136, "00000000000\0"),
        (148, "        "),
        (156, "0"),
        (257, "ustar\0"),
        (263, "00"),
    ] {
        header[at..at + field.len()].copy_from_slice(field.as_bytes());
    }
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A zip file of members that are stored as they are.
#[must_use]
pub fn zip(members: &[(String, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in members {
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let start = u32::try_from(out.len()).unwrap_or_default();
        let size = u32::try_from(text.len()).unwrap_or_default();
        let name_size = u16::try_from(name.len()).unwrap_or_default();
        // Version, flags, method, time and date; 1980-01-01 is the first day that there is.
        let mut shared = Vec::from([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        shared.extend(crc.sum().to_le_bytes());
        shared.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
        shared.extend(name_size.to_le_bytes());
        shared.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&shared);
        out.extend(name.as_bytes());
        out.extend(text.as_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(members.len())
        .unwrap_or_default()
        .to_le_bytes();
    let size = u32::try_from(directory.len())
        .unwrap_or_default()
        .to_le_bytes();
    let start = u32::try_from(out.len()).unwrap_or_default().to_le_bytes();
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([size, start].concat());
    out.extend([0, 0]);
    out
}
