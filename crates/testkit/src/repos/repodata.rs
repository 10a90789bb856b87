//! Repodata in the plainest way: strings put together.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use pith_core::{Algorithm, MultiHasher};

use super::{BUILD_TIME, MadePackage, Spec};

/// Gathers the documents of a repository.
pub(super) struct Writer<'a> {
    folder: &'a Path,
    spec: &'a Spec,
    primary: String,
    filelists: String,
    other: String,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The name of the algorithm as repodata writes it: createrepo's `sha` for SHA-1 is not used.
fn named(algorithm: Algorithm) -> &'static str {
    algorithm.name()
}

impl<'a> Writer<'a> {
    pub(super) fn new(folder: &'a Path, spec: &'a Spec) -> Self {
        Self {
            folder,
            spec,
            primary: String::new(),
            filelists: String::new(),
            other: String::new(),
        }
    }

    pub(super) fn package(&mut self, package: &MadePackage) -> Result<()> {
        self.add_primary(package)?;
        let spec = &package.spec;
        let head = format!(
            "<package pkgid=\"{}\" name=\"{}\" arch=\"{}\">\n  <version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>\n",
            package.digest, spec.name, spec.arch, spec.epoch, spec.version, spec.release
        );
        self.filelists.push_str(&head);
        for file in &package.files {
            writeln!(self.filelists, "  <file>{file}</file>")?;
        }
        self.filelists.push_str("</package>\n");
        self.other.push_str(&head);
        for (time, text) in package.changelog.iter().rev() {
            let author = format!(
                "Example <packager@example.com> - {}-{}",
                spec.version, spec.release
            );
            writeln!(
                self.other,
                "  <changelog author=\"{}\" date=\"{time}\">{}</changelog>",
                escaped(&author),
                escaped(text)
            )?;
        }
        self.other.push_str("</package>\n");
        Ok(())
    }

    fn add_primary(&mut self, package: &MadePackage) -> Result<()> {
        let spec = &package.spec;
        let (name, arch) = (&spec.name, &spec.arch);
        let evr = format!(
            "epoch=\"{}\" ver=\"{}\" rel=\"{}\"",
            spec.epoch, spec.version, spec.release
        );
        write!(
            self.primary,
            "<package type=\"rpm\">\n  <name>{name}</name>\n  <arch>{arch}</arch>\n  <version {evr}/>\n  \
             <checksum type=\"{}\" pkgid=\"YES\">{}</checksum>\n  <summary>{}</summary>\n  \
             <description>{}</description>\n  <packager>Example &lt;packager@example.com&gt;</packager>\n  \
             <url>https://example.com/{name}</url>\n  <time file=\"{BUILD_TIME}\" build=\"{BUILD_TIME}\"/>\n  \
             <size package=\"{}\" installed=\"{}\" archive=\"{}\"/>\n  <location href=\"{}\"/>\n  <format>\n    \
             <rpm:license>MIT</rpm:license>\n    <rpm:vendor>Example</rpm:vendor>\n    \
             <rpm:group>Applications/System</rpm:group>\n    <rpm:buildhost>builder.example.com</rpm:buildhost>\n    \
             <rpm:sourcerpm></rpm:sourcerpm>\n    <rpm:header-range start=\"{}\" end=\"{}\"/>\n    <rpm:provides>\n      \
             <rpm:entry name=\"{name}\" flags=\"EQ\" {evr}/>\n      \
             <rpm:entry name=\"{name}(api)\" flags=\"EQ\" epoch=\"0\" ver=\"2\"/>\n    </rpm:provides>\n",
            named(spec.checksum),
            package.digest,
            escaped(&package.summary),
            escaped(&package.description),
            package.size,
            package.installed,
            package.installed,
            escaped(&(self.spec.location)(package)),
            package.header_start,
            package.header_end,
        )?;
        if !spec.requires.is_empty() {
            self.primary.push_str("    <rpm:requires>\n");
            for needed in &spec.requires {
                writeln!(self.primary, "      <rpm:entry name=\"{needed}\"/>")?;
            }
            self.primary.push_str("    </rpm:requires>\n");
        }
        writeln!(
            self.primary,
            "    <rpm:recommends>\n      <rpm:entry name=\"{name}-doc\" flags=\"GE\" epoch=\"0\" ver=\"1.0\"/>\n    \
             </rpm:recommends>"
        )?;
        for file in package
            .files
            .iter()
            .filter(|file| file.contains("bin/") || file.starts_with("/etc/"))
        {
            writeln!(self.primary, "    <file>{file}</file>")?;
        }
        self.primary.push_str("  </format>\n</package>\n");
        Ok(())
    }

    /// Writes every document, and `repomd.xml` last.
    pub(super) fn finish(self, made: &[MadePackage]) -> Result<()> {
        let count = made.len();
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let mut documents: Vec<(&str, &str, String)> = vec![
            (
                "primary",
                "primary.xml",
                format!(
                    "{head}<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
                     xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">\n{}</metadata>\n",
                    self.primary
                ),
            ),
            (
                "filelists",
                "filelists.xml",
                format!(
                    "{head}<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"{count}\">\n{}</filelists>\n",
                    self.filelists
                ),
            ),
            (
                "other",
                "other.xml",
                format!(
                    "{head}<otherdata xmlns=\"http://linux.duke.edu/metadata/other\" packages=\"{count}\">\n{}</otherdata>\n",
                    self.other
                ),
            ),
        ];
        if self.spec.errata > 0 {
            documents.push(("updateinfo", "updateinfo.xml", updateinfo(self.spec, made)));
        }
        if self.spec.groups > 0 {
            documents.push(("group", "comps.xml", comps(self.spec, made)));
        }
        if self.spec.modules > 0 {
            documents.push(("modules", "modules.yaml", modules(self.spec, made)));
        }
        if self.spec.product_id {
            documents.push((
                "productid",
                "productid",
                "-----BEGIN CERTIFICATE-----\nnobody\n".to_owned(),
            ));
        }
        let mut repomd = format!(
            "{head}<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>{}</revision>\n",
            self.spec.revision
        );
        for (kind, name, text) in documents {
            self.document(&mut repomd, kind, name, text.as_bytes())?;
        }
        repomd.push_str("</repomd>\n");
        fs::write(self.folder.join("repodata/repomd.xml"), repomd)?;
        Ok(())
    }

    fn document(&self, repomd: &mut String, kind: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let algorithm = self.spec.checksum;
        let digest = |bytes: &[u8]| {
            let mut hasher = MultiHasher::new(&[algorithm]);
            hasher.update(bytes);
            hasher.finish().hex(algorithm).unwrap_or_default()
        };
        let stored = self.spec.compression.compress(bytes)?;
        let file = format!(
            "repodata/{}-{name}{}",
            digest(&stored),
            self.spec.compression.suffix()
        );
        write!(
            repomd,
            "  <data type=\"{kind}\">\n    <checksum type=\"{algorithm}\">{}</checksum>\n    \
             <open-checksum type=\"{algorithm}\">{}</open-checksum>\n    <location href=\"{file}\"/>\n    \
             <timestamp>{BUILD_TIME}</timestamp>\n    <size>{}</size>\n    <open-size>{}</open-size>\n  </data>\n",
            digest(&stored),
            digest(bytes),
            stored.len(),
            bytes.len(),
        )?;
        fs::write(self.folder.join(&file), stored)?;
        Ok(())
    }
}

/// Binary packages, for documents that speak of those only.
fn binary<'a>(spec: &Spec, made: &'a [MadePackage]) -> &'a [MadePackage] {
    &made[..spec.packages.min(made.len())]
}

fn updateinfo(spec: &Spec, made: &[MadePackage]) -> String {
    let packages = binary(spec, made);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n");
    for number in 0..spec.errata {
        let mut list = String::new();
        for package in packages
            .iter()
            .skip(number * 3 % packages.len().max(1))
            .take(3)
        {
            let p = &package.spec;
            let _ = write!(
                list,
                "<package name=\"{}\" version=\"{}\" release=\"{}\" epoch=\"{}\" arch=\"{}\" src=\"{0}-{1}-{2}.src.rpm\">\
                 <filename>{}</filename><sum type=\"{}\">{}</sum></package>",
                p.name,
                p.version,
                p.release,
                p.epoch,
                p.arch,
                package.file_name(),
                p.checksum,
                package.digest
            );
        }
        let _ = writeln!(
            text,
            "<update from=\"security@example.com\" status=\"final\" type=\"security\" version=\"1\">\
             <id>EXSA-2026:{number:04}</id><title>Important: update {number}</title><issued date=\"2026-01-02 03:04:05\"/>\
             <updated date=\"2026-01-03 03:04:05\"/><rights>Example</rights><release>1</release>\
             <severity>Important</severity><summary>A fix &amp; more</summary><description>Fixes bug {number}.</description>\
             <solution>Install it.</solution><references><reference href=\"https://example.com/CVE-2026-{number:04}\" \
             id=\"CVE-2026-{number:04}\" type=\"cve\" title=\"CVE-2026-{number:04}\"/></references>\
             <pkglist><collection short=\"EX\"><name>example</name>{list}</collection></pkglist></update>"
        );
    }
    text.push_str("</updates>\n");
    text
}

fn comps(spec: &Spec, made: &[MadePackage]) -> String {
    let packages = binary(spec, made);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \
         \"comps.dtd\">\n<comps>\n",
    );
    let mut ids = String::new();
    for number in 0..spec.groups {
        let mut list = String::new();
        for (index, package) in packages
            .iter()
            .skip(number)
            .step_by(spec.groups)
            .take(5)
            .enumerate()
        {
            let kind = ["mandatory", "default", "optional"][index % 3];
            let _ = write!(
                list,
                "<packagereq type=\"{kind}\">{}</packagereq>",
                package.spec.name
            );
        }
        let _ = writeln!(
            text,
            "<group><id>group-{number}</id><name>Group {number}</name><name xml:lang=\"de\">Gruppe {number}</name>\
             <description>Packages &amp; more</description><default>true</default><uservisible>true</uservisible>\
             <packagelist>{list}</packagelist></group>"
        );
        let _ = write!(ids, "<groupid>group-{number}</groupid>");
    }
    let _ = writeln!(
        text,
        "<category><id>everything</id><name>Everything</name><description>All groups</description>\
         <display_order>10</display_order><grouplist>{ids}</grouplist></category>"
    );
    if spec.environment {
        text.push_str(
            "<environment><id>minimal</id><name>Minimal</name><description>The least</description>\
             <display_order>5</display_order><grouplist><groupid>group-0</groupid></grouplist>\
             <optionlist><groupid default=\"true\">group-0</groupid></optionlist></environment>\n",
        );
    }
    text.push_str(
        "<langpacks><match install=\"dictionary-%s\" name=\"dictionary\"/></langpacks>\n",
    );
    text.push_str("</comps>\n");
    text
}

fn modules(spec: &Spec, made: &[MadePackage]) -> String {
    let packages = binary(spec, made);
    let mut text = String::new();
    for number in 0..spec.modules {
        let artifacts: String = packages
            .iter()
            .skip(number)
            .take(2)
            .fold(String::new(), |text, package| {
                text + &format!("    - {}\n", package.nevra())
            });
        let _ = write!(
            text,
            "---\ndocument: modulemd\nversion: 2\ndata:\n  name: module-{number}\n  stream: \"1.10\"\n  \
             version: 2026010203040{number}\n  context: deadbeef\n  arch: x86_64\n  summary: Module {number}\n  \
             description: >-\n    A module.\n  license:\n    module:\n    - MIT\n  dependencies:\n  - requires:\n      \
             platform: [el9]\n  profiles:\n    default:\n      rpms:\n      - {}\n  artifacts:\n    rpms:\n{artifacts}...\n\
             ---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: module-{number}\n  stream: \"1.10\"\n  \
             profiles:\n    \"1.10\": [default]\n...\n",
            packages[number % packages.len()].spec.name
        );
    }
    text
}
