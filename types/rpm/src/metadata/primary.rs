//! primary.xml: a stream of packages, each typed and with its snippet.

use std::io::BufRead;

use pith_content::Bent;
use pith_core::{Digest, RelativePath};
use quick_xml::events::BytesStart;

use super::limits::Sum;
use super::odd::Odd;
use super::package_file::{Action, Splitter, Visitor, version};
use super::snippet::push_literal;
use super::xml::{attribute, check_bytes, push_escaped, unescape};
use super::{MetadataError, href};

/// Most provides, requires and recommends of one package.
const MAX_ENTRIES: u64 = 50_000;
/// Most bytes of one package. Kernels, whose symbols are provides, have 2 MB.
const MAX_PACKAGE: usize = 8 << 20;

/// A dependency as primary.xml has it; absent attributes are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DependencyEntry {
    /// The name that is provided or required.
    pub name: String,
    /// `EQ`, `LT`, `GT`, `LE` or `GE`.
    pub flags: Option<String>,
    /// Epoch.
    pub epoch: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Release.
    pub release: Option<String>,
}

/// A package as primary.xml has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Epoch; `0` when absent.
    pub epoch: String,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture; `src` for source packages.
    pub arch: String,
    /// The digest of the file, which is also its pkgid.
    pub digest: Option<Digest>,
    /// Summary.
    pub summary: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Home page.
    pub url: Option<String>,
    /// Time of the file, seconds since 1970.
    pub time: Option<i64>,
    /// Time of the build, seconds since 1970.
    pub build_time: Option<i64>,
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// The file's path in the repository or below `base`; of a file that is elsewhere only its name.
    pub href: Option<RelativePath>,
    /// The location as it stands, where that is something else.
    pub given: Option<String>,
    /// Is true when the location leads outside of the repository.
    pub outside: bool,
    /// Another place than the repository (`xml:base`).
    pub base: Option<String>,
    /// Licence.
    pub license: Option<String>,
    /// Vendor.
    pub vendor: Option<String>,
    /// Group.
    pub group: Option<String>,
    /// The machine it was built on.
    pub buildhost: Option<String>,
    /// The source package.
    pub sourcerpm: Option<String>,
    /// First and last byte of the header within the file.
    pub header_range: Option<(u64, u64)>,
    /// Provides.
    pub provides: Vec<DependencyEntry>,
    /// Requires.
    pub requires: Vec<DependencyEntry>,
    /// Recommends.
    pub recommends: Vec<DependencyEntry>,
}

impl Package {
    /// The file name: the last segment of `href`.
    #[must_use]
    pub fn filename(&self) -> &str {
        self.href.as_ref().map_or("", RelativePath::file_name)
    }

    /// `name-epoch:version-release.arch`.
    #[must_use]
    pub fn nevra(&self) -> String {
        format!(
            "{}-{}:{}-{}.{}",
            self.name, self.epoch, self.version, self.release, self.arch
        )
    }

    /// The place where upstream says that the file is.
    #[must_use]
    pub fn location(&self) -> &str {
        let href = || self.href.as_ref().map_or("", RelativePath::as_str);
        self.given.as_deref().unwrap_or_else(href)
    }

    /// Tells whether it is a source package (pulp2/rpm-units#packages).
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.arch.eq_ignore_ascii_case("src")
    }
}

/// The path in a published tree of a package of this file name: `Packages/<l>/<filename>`; where the letter would be the dot that
/// stands for the folder itself, it is left out.
#[must_use]
pub fn published_path(filename: &str) -> String {
    let first: String = filename
        .chars()
        .next()
        .map(|c| c.to_lowercase().collect())
        .unwrap_or_default();
    if first == "." {
        return format!("Packages/{filename}");
    }
    format!("Packages/{first}/{filename}")
}

/// The location element of a template.
fn location_element(path: &str) -> Vec<u8> {
    let mut escaped = Vec::new();
    push_escaped(&mut escaped, path);
    let mut element = b"<location href=\"".to_vec();
    push_literal(&mut element, &escaped);
    element.extend_from_slice(b"\"/>");
    element
}

/// A template that says of the package called `filename` that it is at `path`; `None` when it does not say where any package is.
/// What upstream may have written inside of `format` under the same name is left alone where that can be told.
#[must_use]
pub fn moved(template: &[u8], filename: &str, path: &RelativePath) -> Option<Vec<u8>> {
    let own = location_element(&published_path(filename));
    let (at, end) = match memchr::memmem::find(template, &own) {
        Some(at) => (at, at + own.len()),
        None => {
            let at = memchr::memmem::find(template, b"<location href=\"")?;
            let length = memchr::memmem::find(&template[at..], b"/>")?;
            (at, at + length + 2)
        }
    };
    let element = location_element(path.as_str());
    Some([&template[..at], &element, &template[end..]].concat())
}

/// A primary document, package by package.
pub struct PrimaryStream<R> {
    splitter: Splitter<R>,
    odd: Odd,
    left_out: u64,
}

impl<R: BufRead> PrimaryStream<R> {
    /// Opens a primary document.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(input: R) -> Result<Self, MetadataError> {
        Ok(Self {
            splitter: Splitter::open(input, "metadata")?,
            odd: Odd::default(),
            left_out: 0,
        })
    }

    /// Notes what is odd in `bent`.
    #[must_use]
    pub fn noting(mut self, bent: &Bent) -> Self {
        self.odd = Odd::new(bent);
        self
    }

    /// Packages so far that lack what makes their identity, or where they are.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The next package; its snippet goes into `snippet`. `None` after the last. One that lacks what makes its identity, or
    /// where it is, is left out: nobody could fetch or verify it.
    ///
    /// # Errors
    /// When the document is broken, or a location is too long.
    pub fn next(&mut self, snippet: &mut Vec<u8>) -> Result<Option<Package>, MetadataError> {
        loop {
            let mut visitor = PrimaryVisitor::default();
            if !self.splitter.next(&mut visitor, snippet)? {
                return Ok(None);
            }
            match visitor.complete(&self.odd) {
                Ok(package) => {
                    self.odd.bytes(self.splitter.replaced(), &package.nevra());
                    return Ok(Some(package));
                }
                Err(why) => {
                    self.left_out += 1;
                    self.odd.left_out(&why);
                }
            }
        }
    }
}

/// Reads one primary snippet.
///
/// # Errors
/// As [`PrimaryStream::next`].
pub fn package(element: &[u8], snippet: &mut Vec<u8>) -> Result<Package, MetadataError> {
    let document = [b"<metadata>".as_slice(), element, b"</metadata>"].concat();
    PrimaryStream::open(document.as_slice())?
        .next(snippet)?
        .ok_or_else(|| MetadataError::structure("it holds no package"))
}

#[derive(Clone, Copy, PartialEq)]
enum List {
    Provides,
    Requires,
    Recommends,
    Other,
}

struct PrimaryVisitor {
    package: Package,
    checksum_type: String,
    list: List,
    entries: Sum,
}

impl Default for PrimaryVisitor {
    fn default() -> Self {
        Self {
            package: Package::default(),
            checksum_type: String::new(),
            list: List::Other,
            entries: Sum::new("number of dependencies of one package", MAX_ENTRIES),
        }
    }
}

impl PrimaryVisitor {
    /// The package, when it has what makes its identity and what it can be verified by. What else is missing counts as
    /// dnf counts it.
    fn complete(self, odd: &Odd) -> Result<Package, String> {
        let mut package = self.package;
        let missing = if package.name.is_empty() {
            Some("name")
        } else if package.digest.is_none() {
            Some("checksum")
        } else if package.href.is_none() {
            Some("location")
        } else {
            None
        };
        if let Some(what) = missing {
            return Err(format!("the package '{}' has no {what}", package.name));
        }
        let broken = [
            &package.name,
            &package.epoch,
            &package.version,
            &package.release,
            &package.arch,
        ]
        .into_iter()
        .any(|part| part.contains(char::REPLACEMENT_CHARACTER));
        if broken {
            return Err(format!(
                "the package '{}' has a name or a version that is no text",
                package.name
            ));
        }
        for (field, value, default) in [
            ("epoch", &mut package.epoch, "0"),
            ("version", &mut package.version, ""),
            ("release", &mut package.release, ""),
            ("arch", &mut package.arch, "noarch"),
        ] {
            if value.is_empty() {
                odd.missing(&format!("package {}: {field}", package.name));
                value.push_str(default);
            }
        }
        Ok(package)
    }

    fn child(
        &mut self,
        start: &BytesStart<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Action, MetadataError> {
        match start.name().as_ref() {
            b"version" => {
                once(self.package.version.is_empty(), "version")?;
                let epoch = attribute(start, b"epoch")?.unwrap_or_default();
                epoch.trim().clone_into(&mut self.package.epoch);
                self.package.version = attribute(start, b"ver")?.unwrap_or_default();
                self.package.release = attribute(start, b"rel")?.unwrap_or_default();
                return version(start, out);
            }
            b"checksum" => {
                once(self.checksum_type.is_empty(), "checksum")?;
                self.checksum_type = attribute(start, b"type")?.unwrap_or_default();
                out.extend_from_slice(
                    b"<checksum type=\"{{ checksumtype }}\" pkgid=\"YES\">{{ checksum }}",
                );
                return Ok(Action::Owned);
            }
            b"time" => {
                self.package.time = seconds(attribute(start, b"file")?.as_deref());
                self.package.build_time = seconds(attribute(start, b"build")?.as_deref());
            }
            b"size" => {
                self.package.size =
                    attribute(start, b"package")?.and_then(|s| s.trim().parse().ok());
                // Clients take 0 as nothing said.
                self.package.size = self.package.size.filter(|size| *size > 0);
            }
            b"location" => {
                self.location(start, out)?;
                return Ok(Action::Drop);
            }
            _ => {}
        }
        Ok(Action::Copy)
    }

    fn location(&mut self, start: &BytesStart<'_>, out: &mut Vec<u8>) -> Result<(), MetadataError> {
        once(self.package.href.is_none(), "location")?;
        let path = attribute(start, b"href")?.unwrap_or_default();
        if path.trim().is_empty() {
            return Ok(());
        }
        let package = &self.package;
        let location = href::read(&path, || {
            let (name, version) = (&package.name, &package.version);
            format!("{name}-{version}-{}.{}.rpm", package.release, package.arch)
        })?;
        self.package.base = attribute(start, b"xml:base")?
            .filter(|base| !base.is_empty())
            .map(|base| href::base(&base))
            .transpose()?;
        out.extend_from_slice(&location_element(&published_path(
            location.path.file_name(),
        )));
        self.package.href = Some(location.path);
        self.package.given = location.given;
        self.package.outside = location.outside;
        Ok(())
    }

    fn format_child(&mut self, start: &BytesStart<'_>) -> Result<(), MetadataError> {
        self.list = match start.name().as_ref() {
            b"rpm:provides" => List::Provides,
            b"rpm:requires" => List::Requires,
            b"rpm:recommends" => List::Recommends,
            b"rpm:header-range" => {
                let at = |key: &[u8]| -> Result<Option<u64>, MetadataError> {
                    Ok(attribute(start, key)?.and_then(|v| v.trim().parse().ok()))
                };
                self.package.header_range = at(b"start")?.zip(at(b"end")?);
                List::Other
            }
            _ => List::Other,
        };
        Ok(())
    }

    fn entry(&mut self, start: &BytesStart<'_>) -> Result<(), MetadataError> {
        let list = match self.list {
            List::Provides => &mut self.package.provides,
            List::Requires => &mut self.package.requires,
            List::Recommends => &mut self.package.recommends,
            List::Other => return Ok(()),
        };
        self.entries.add(1)?;
        let mut entry = DependencyEntry::default();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute?;
            let value = || unescape(&attribute.value).map(std::borrow::Cow::into_owned);
            match attribute.key.as_ref() {
                b"name" => entry.name = value()?,
                b"flags" => entry.flags = Some(value()?),
                b"epoch" => entry.epoch = Some(value()?),
                b"ver" => entry.version = Some(value()?),
                b"rel" => entry.release = Some(value()?),
                _ => {}
            }
        }
        list.push(entry);
        Ok(())
    }
}

impl Visitor for PrimaryVisitor {
    const TEXT: bool = true;
    const MOST: usize = MAX_PACKAGE;

    fn open(
        &mut self,
        level: usize,
        start: &BytesStart<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Action, MetadataError> {
        match level {
            2 => return self.child(start, out),
            3 => self.format_child(start)?,
            4 => self.entry(start)?,
            _ => {}
        }
        Ok(Action::Copy)
    }

    fn close(&mut self, level: usize, name: &[u8], text: &[u8]) -> Result<(), MetadataError> {
        let package = &mut self.package;
        let slot = match (level, name) {
            (2, b"name") => {
                once(package.name.is_empty(), "name")?;
                package.name = check_bytes(text)?.trim().to_owned();
                return Ok(());
            }
            (2, b"arch") => {
                once(package.arch.is_empty(), "arch")?;
                package.arch = check_bytes(text)?.trim().to_owned();
                return Ok(());
            }
            (2, b"checksum") => {
                let algorithm = self
                    .checksum_type
                    .parse()
                    .map_err(|e| MetadataError::structure(format!("{e}")))?;
                let digest = Digest::new(algorithm, check_bytes(text)?.trim())
                    .map_err(|e| MetadataError::structure(e.to_string()))?;
                package.digest = Some(digest);
                return Ok(());
            }
            (2, b"summary") => &mut package.summary,
            (2, b"description") => &mut package.description,
            (2, b"url") => &mut package.url,
            (3, b"rpm:license") => &mut package.license,
            (3, b"rpm:vendor") => &mut package.vendor,
            (3, b"rpm:group") => &mut package.group,
            (3, b"rpm:buildhost") => &mut package.buildhost,
            (3, b"rpm:sourcerpm") => &mut package.sourcerpm,
            _ => return Ok(()),
        };
        let text = check_bytes(text)?;
        *slot = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }
}

/// Refuses a second name or location: a package with two would mean one thing to us and another to a client.
fn once(first: bool, what: &str) -> Result<(), MetadataError> {
    if first {
        return Ok(());
    }
    Err(MetadataError::structure(format!(
        "a package has more than one {what}"
    )))
}

/// Whole seconds of a number that may have a fraction.
fn seconds(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_moved_and_nothing_else_in_it_changes() {
        let filename = "{{ a }}&b.rpm";
        let own = published_path(filename);
        let element = format!(
            "<package type=\"rpm\"><name>a</name><arch>noarch</arch><version ver=\"1\" rel=\"1\"/><checksum \
             type=\"sha256\" pkgid=\"YES\">{}</checksum><location href=\"x/{}\"/></package>",
            "0".repeat(64),
            filename.replace('&', "&amp;")
        );
        let mut template = Vec::new();
        package(element.as_bytes(), &mut template).unwrap();
        let path: RelativePath = "Packages/a/a{%b.rpm".parse().unwrap();
        let new = moved(&template, filename, &path).unwrap();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        crate::metadata::snippet::render(&template, "", "", &mut before);
        crate::metadata::snippet::render(&new, "", "", &mut after);
        let (before, after) = (
            String::from_utf8(before).unwrap(),
            String::from_utf8(after).unwrap(),
        );
        let escaped = own.replace('&', "&amp;");
        assert!(before.contains(&escaped), "{before}");
        assert_eq!(after, before.replace(&escaped, path.as_str()));
        assert_eq!(moved(&template, "other.rpm", &path), Some(new));
        assert_eq!(moved(b"<package></package>", filename, &path), None);
    }

    #[test]
    fn a_package_without_an_epoch_is_published_with_the_epoch_0() {
        for version in [
            "ver='1' rel='2'",
            "epoch='' ver='1' rel='2'",
            "rel='2' epoch=' ' ver='1'",
        ] {
            let element = format!(
                "<package type='rpm'><name>a</name><arch>noarch</arch><version {version}/><checksum type='sha256' \
                 pkgid='YES'>{}</checksum><location href='a.rpm'/></package>",
                "0".repeat(64)
            );
            let mut template = Vec::new();
            let package = package(element.as_bytes(), &mut template).unwrap();
            assert_eq!(package.epoch, "0");
            let template = String::from_utf8(template).unwrap();
            let written = "<version epoch=\"0\" ver=\"1\" rel=\"2\"></version>";
            assert!(template.contains(written), "{template}");
        }
    }

    #[test]
    fn a_package_goes_below_its_letter_unless_that_is_a_dot() {
        assert_eq!(
            published_path("Zebra-1-1.noarch.rpm"),
            "Packages/z/Zebra-1-1.noarch.rpm"
        );
        assert_eq!(published_path(".noarch.rpm"), "Packages/.noarch.rpm");
    }
}
