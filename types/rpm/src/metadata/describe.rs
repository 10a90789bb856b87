//! The description that an uploaded package file gives of itself, written the way createrepo_c writes it. The only user
//! of the `rpm` crate, which changes often.

use std::collections::HashSet;
use std::io::{BufRead, Seek};
use std::panic::AssertUnwindSafe;

use rpm::{DependencyFlags, FileFlags, FileType, IndexSignatureTag, IndexTag, PackageMetadata};

use super::xml::push_escaped;
use super::{MetadataError, header};

/// The three elements that describe a package in repodata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The element for primary.xml.
    pub primary: Vec<u8>,
    /// The element for filelists.xml.
    pub filelists: Vec<u8>,
    /// The element for other.xml.
    pub other: Vec<u8>,
}

/// The facts of a package file that are not in its header.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'a> {
    /// SHA-256 of the file.
    pub sha256: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// Its time, seconds since 1970.
    pub time: i64,
    /// Most changelog entries taken over.
    pub changelog_limit: usize,
}

/// Reads a package file's header.
///
/// # Errors
/// [`MetadataError::Structure`] when it is no RPM, or lacks its name or version; [`MetadataError::Limit`] when it is larger than
/// that of any package.
pub fn describe(
    input: &mut (impl BufRead + Seek),
    facts: FileFacts<'_>,
) -> Result<Description, MetadataError> {
    with_header(input, |package| {
        let writer = Writer::new(package, facts)?;
        Ok(Description {
            primary: writer.primary()?,
            filelists: writer.filelists(),
            other: writer.other()?,
        })
    })
}

/// Shows `read` the header of a package file. The library panics on some damaged ones; that counts as any other damage: the file
/// is no package.
///
/// # Errors
/// As [`describe`], and what `read` fails with.
pub(super) fn with_header<T>(
    input: &mut (impl BufRead + Seek),
    read: impl FnOnce(&PackageMetadata) -> Result<T, MetadataError>,
) -> Result<T, MetadataError> {
    header::check(input)?;
    input.rewind()?;
    let parse = || read(&PackageMetadata::parse(input).map_err(broken)?);
    let parsed = std::panic::catch_unwind(AssertUnwindSafe(parse));
    parsed.unwrap_or_else(|_| Err(MetadataError::structure("its header is damaged")))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn broken(error: rpm::Error) -> MetadataError {
    MetadataError::structure(error.to_string())
}

struct Writer<'a> {
    package: &'a PackageMetadata,
    facts: FileFacts<'a>,
    name: &'a str,
    epoch: u32,
    version: &'a str,
    release: &'a str,
    arch: &'a str,
    /// Path and kind: empty, `dir` or `ghost`.
    files: Vec<(String, &'static str)>,
}

fn element(out: &mut Vec<u8>, indent: &str, name: &str, text: &str) {
    out.extend_from_slice(format!("{indent}<{name}>").as_bytes());
    push_escaped(out, text);
    out.extend_from_slice(format!("</{name}>\n").as_bytes());
}

fn attributes(out: &mut Vec<u8>, all: &[(&str, &str)]) {
    for (key, value) in all {
        out.extend_from_slice(format!(" {key}=\"").as_bytes());
        push_escaped(out, value);
        out.push(b'"');
    }
}

impl<'a> Writer<'a> {
    fn new(package: &'a PackageMetadata, facts: FileFacts<'a>) -> Result<Self, MetadataError> {
        let files = package.get_file_entries().map_err(broken)?;
        let files = files
            .iter()
            .map(|entry| {
                let kind = if entry.file_type() == FileType::Dir {
                    "dir"
                } else if entry.flags().contains(FileFlags::GHOST) {
                    "ghost"
                } else {
                    ""
                };
                (format!("{}{}", entry.dirname(), entry.basename()), kind)
            })
            .collect();
        Ok(Self {
            package,
            facts,
            name: package.get_name().map_err(broken)?,
            epoch: package.get_epoch().unwrap_or(0),
            version: package.get_version().map_err(broken)?,
            release: package.get_release().map_err(broken)?,
            arch: if package.is_source_package() {
                "src"
            } else {
                package.get_arch().map_err(broken)?
            },
            files,
        })
    }

    fn evr(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"  <version");
        let epoch = self.epoch.to_string();
        attributes(
            out,
            &[
                ("epoch", &epoch),
                ("ver", self.version),
                ("rel", self.release),
            ],
        );
        out.extend_from_slice(b"/>\n");
    }

    fn head(&self) -> Vec<u8> {
        let mut out = b"<package".to_vec();
        attributes(
            &mut out,
            &[
                ("pkgid", self.facts.sha256),
                ("name", self.name),
                ("arch", self.arch),
            ],
        );
        out.extend_from_slice(b">\n");
        self.evr(&mut out);
        out
    }

    fn filelists(&self) -> Vec<u8> {
        let mut out = self.head();
        self.push_files(&mut out, "  ", |_| true);
        out.extend_from_slice(b"</package>");
        out
    }

    fn push_files(&self, out: &mut Vec<u8>, indent: &str, wanted: impl Fn(&str) -> bool) {
        for (path, kind) in self.files.iter().filter(|(path, _)| wanted(path)) {
            out.extend_from_slice(indent.as_bytes());
            out.extend_from_slice(b"<file");
            if !kind.is_empty() {
                attributes(out, &[("type", kind)]);
            }
            out.push(b'>');
            push_escaped(out, path);
            out.extend_from_slice(b"</file>\n");
        }
    }

    fn other(&self) -> Result<Vec<u8>, MetadataError> {
        let mut out = self.head();
        let mut log = self.package.get_changelog_entries().map_err(broken)?;
        log.truncate(self.facts.changelog_limit);
        // Oldest first; of entries with one time, each later one counts a second more.
        let mut last = None;
        let mut bump = 0;
        for entry in log.iter().rev() {
            bump = if last == Some(entry.timestamp) {
                bump + 1
            } else {
                0
            };
            last = Some(entry.timestamp);
            let date = (entry.timestamp + bump).to_string();
            out.extend_from_slice(b"  <changelog");
            attributes(&mut out, &[("author", &entry.name), ("date", &date)]);
            out.push(b'>');
            push_escaped(&mut out, &entry.description);
            out.extend_from_slice(b"</changelog>\n");
        }
        out.extend_from_slice(b"</package>");
        Ok(out)
    }

    fn primary(&self) -> Result<Vec<u8>, MetadataError> {
        let package = self.package;
        let mut out = b"<package type=\"rpm\">\n".to_vec();
        element(&mut out, "  ", "name", self.name);
        element(&mut out, "  ", "arch", self.arch);
        self.evr(&mut out);
        let sha256 = self.facts.sha256;
        out.extend_from_slice(
            format!("  <checksum type=\"sha256\" pkgid=\"YES\">{sha256}</checksum>\n").as_bytes(),
        );
        for (name, text) in [
            ("summary", package.get_summary()),
            ("description", package.get_description()),
            ("packager", package.get_packager()),
            ("url", package.get_url()),
        ] {
            element(&mut out, "  ", name, text.unwrap_or(""));
        }
        let build = package.get_build_time().unwrap_or(0);
        out.extend_from_slice(
            format!(
                "  <time file=\"{}\" build=\"{build}\"/>\n  <size package=\"{}\" installed=\"{}\" archive=\"{}\"/>\n",
                self.facts.time,
                self.facts.size,
                package.get_installed_size().unwrap_or(0),
                self.archive_size()
            )
            .as_bytes(),
        );
        out.extend_from_slice(b"  <location");
        attributes(&mut out, &[("href", &self.filename())]);
        out.extend_from_slice(b"/>\n");
        self.format(&mut out)?;
        out.extend_from_slice(b"</package>");
        Ok(out)
    }

    /// Adds the fields that RPM packages alone have.
    fn format(&self, out: &mut Vec<u8>) -> Result<(), MetadataError> {
        let package = self.package;
        let indent = "    ";
        out.extend_from_slice(b"  <format>\n");
        for (name, text) in [
            ("rpm:license", package.get_license()),
            ("rpm:vendor", package.get_vendor()),
            ("rpm:group", package.get_group()),
            ("rpm:buildhost", package.get_build_host()),
            ("rpm:sourcerpm", package.get_source_rpm()),
        ] {
            element(out, indent, name, text.unwrap_or(""));
        }
        let header = package.get_package_segment_offsets();
        out.extend_from_slice(
            format!(
                "    <rpm:header-range start=\"{}\" end=\"{}\"/>\n",
                header.header, header.payload
            )
            .as_bytes(),
        );
        self.dependencies(out)?;
        let primary = |path: &str| {
            path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
        };
        self.push_files(out, indent, primary);
        out.extend_from_slice(b"  </format>\n");
        Ok(())
    }

    fn filename(&self) -> String {
        format!(
            "{}-{}-{}.{}.rpm",
            self.name, self.version, self.release, self.arch
        )
    }

    fn archive_size(&self) -> u64 {
        let signature = &self.package.signature;
        signature
            .get_entry_data_as_u64(IndexSignatureTag::RPMSIGTAG_LONGARCHIVESIZE)
            .or_else(|_| {
                signature
                    .get_entry_data_as_u32(IndexSignatureTag::RPMSIGTAG_PAYLOADSIZE)
                    .map(u64::from)
            })
            .or_else(|_| {
                self.package
                    .header
                    .get_entry_data_as_u32(IndexTag::RPMTAG_ARCHIVESIZE)
                    .map(u64::from)
            })
            .unwrap_or(0)
    }

    fn dependencies(&self, out: &mut Vec<u8>) -> Result<(), MetadataError> {
        let p = self.package;
        let provides = p.get_provides().map_err(broken)?;
        let requires = self.requires(&provides)?;
        for (list, all) in [
            ("provides", provides),
            ("requires", requires),
            ("conflicts", p.get_conflicts().map_err(broken)?),
            ("obsoletes", p.get_obsoletes().map_err(broken)?),
            ("suggests", p.get_suggests().map_err(broken)?),
            ("enhances", p.get_enhances().map_err(broken)?),
            ("recommends", p.get_recommends().map_err(broken)?),
            ("supplements", p.get_supplements().map_err(broken)?),
        ] {
            if all.is_empty() {
                continue;
            }
            out.extend_from_slice(format!("    <rpm:{list}>\n").as_bytes());
            for dependency in &all {
                push_entry(out, dependency, list == "requires");
            }
            out.extend_from_slice(format!("    </rpm:{list}>\n").as_bytes());
        }
        Ok(())
    }

    /// Requires less what every rpm has, what the package itself has, and repeats.
    fn requires(
        &self,
        provides: &[rpm::Dependency],
    ) -> Result<Vec<rpm::Dependency>, MetadataError> {
        let own: HashSet<&str> = self.files.iter().map(|(path, _)| path.as_str()).collect();
        let full =
            |d: &rpm::Dependency| (d.name.clone(), d.flags.comparator_str(), d.version.clone());
        let provided: HashSet<_> = provides.iter().map(full).collect();
        let mut seen = HashSet::new();
        let mut requires = self.package.get_requires().map_err(broken)?;
        requires.retain(|d| {
            !d.name.starts_with("rpmlib(")
                && !own.contains(d.name.as_str())
                && !provided.contains(&full(d))
                && seen.insert((full(d), is_pre(d)))
        });
        Ok(requires)
    }
}

fn is_pre(dependency: &rpm::Dependency) -> bool {
    dependency.flags.intersects(
        DependencyFlags::PREREQ | DependencyFlags::SCRIPT_PRE | DependencyFlags::SCRIPT_POST,
    )
}

fn push_entry(out: &mut Vec<u8>, dependency: &rpm::Dependency, with_pre: bool) {
    out.extend_from_slice(b"      <rpm:entry");
    attributes(out, &[("name", &dependency.name)]);
    let flags = match dependency.flags.comparator_str() {
        "<=" => "LE",
        ">=" => "GE",
        "<" => "LT",
        ">" => "GT",
        "=" => "EQ",
        _ => "",
    };
    if !flags.is_empty() {
        let (epoch, rest) = dependency
            .version
            .split_once(':')
            .unwrap_or(("0", &dependency.version));
        attributes(out, &[("flags", flags), ("epoch", epoch)]);
        match rest.rsplit_once('-') {
            Some((version, release)) => attributes(out, &[("ver", version), ("rel", release)]),
            None => attributes(out, &[("ver", rest)]),
        }
    }
    if with_pre && is_pre(dependency) {
        attributes(out, &[("pre", "1")]);
    }
    out.extend_from_slice(b"/>\n");
}
