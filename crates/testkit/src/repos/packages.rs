//! Tiny RPMs with realistic headers.

use anyhow::Result;
use pith_core::{Algorithm, MultiHasher};
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};

use super::Spec;

/// The time at which every package was built.
pub const BUILD_TIME: u32 = 1_600_000_000;

const FIRST: [&str; 20] = [
    "amber", "brisk", "calm", "dusty", "eager", "fuzzy", "gentle", "hollow", "icy", "jolly",
    "kind", "lucid", "mellow", "noble", "opal", "proud", "quiet", "rustic", "silent", "tidy",
];
const SECOND: [&str; 25] = [
    "anvil", "badger", "cedar", "drum", "ember", "falcon", "garnet", "harbor", "iris", "jackal",
    "kettle", "lantern", "maple", "needle", "otter", "pebble", "quill", "raven", "saddle", "tulip",
    "urchin", "violet", "walrus", "yarrow", "zephyr",
];

/// The description of one package.
#[derive(Debug, Clone)]
pub struct PackageSpec {
    /// Name.
    pub name: String,
    /// Epoch; zero is not written into the header.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture; `src` makes a source package.
    pub arch: String,
    /// Names of packages it needs.
    pub requires: Vec<String>,
    /// Bytes of payload that compress badly.
    pub payload: usize,
    /// Digest algorithm that the repodata will use.
    pub checksum: Algorithm,
    /// Changes the payload and nothing else.
    pub seed: u64,
}

impl PackageSpec {
    /// Package `number` of a repository.
    #[must_use]
    pub fn of(spec: &Spec, number: usize) -> Self {
        let named = spec.named.get(number);
        let name = named.map_or_else(|| name(number), |(name, _)| (*name).to_owned());
        let requires = if number > 0 && number.is_multiple_of(3) {
            vec![self::name(number / 2)]
        } else {
            Vec::new()
        };
        Self {
            name,
            epoch: u32::from(named.is_none() && number % 10 == 7),
            version: match named {
                Some((_, version)) => (*version).to_owned(),
                None => format!("{}.{}.{}", 1 + number % 4, number % 13, number % 7),
            },
            release: match named {
                Some(_) => "1".to_owned(),
                None => format!("{}.el9", 1 + number % 5),
            },
            arch: if number >= spec.packages {
                "src".to_owned()
            } else {
                "noarch".to_owned()
            },
            requires,
            payload: spec.payload,
            checksum: spec.checksum,
            seed: spec.seed,
        }
    }
}

fn name(number: usize) -> String {
    let first = FIRST[number % FIRST.len()];
    let second = SECOND[(number / FIRST.len()) % SECOND.len()];
    let round = number / (FIRST.len() * SECOND.len());
    if round == 0 {
        format!("{first}-{second}")
    } else {
        format!("{first}-{second}-{round}")
    }
}

/// A package that was made, with what repodata says of it.
#[derive(Debug, Clone)]
pub struct MadePackage {
    /// The description that it was made from.
    pub spec: PackageSpec,
    /// Digest of the file, hexadecimal.
    pub digest: String,
    /// Size of the file.
    pub size: u64,
    /// Size of the files inside.
    pub installed: u64,
    /// First byte of the header.
    pub header_start: u64,
    /// First byte after the header.
    pub header_end: u64,
    /// Paths inside.
    pub files: Vec<String>,
    /// Texts of the changelog, newest first, with their times.
    pub changelog: Vec<(u32, String)>,
    /// Summary.
    pub summary: String,
    /// Description.
    pub description: String,
}

impl MadePackage {
    /// `name-version-release.arch.rpm`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let PackageSpec {
            name,
            version,
            release,
            arch,
            ..
        } = &self.spec;
        format!("{name}-{version}-{release}.{arch}.rpm")
    }

    /// The path at which it lies in the repository.
    #[must_use]
    pub fn location(&self) -> String {
        format!("Packages/{}", self.file_name())
    }

    /// `name-epoch:version-release.arch`.
    #[must_use]
    pub fn nevra(&self) -> String {
        let PackageSpec {
            name,
            epoch,
            version,
            release,
            arch,
            ..
        } = &self.spec;
        format!("{name}-{epoch}:{version}-{release}.{arch}")
    }
}

/// Makes a package and its bytes.
///
/// # Errors
/// When the names cannot be part of a package.
pub fn build(spec: &PackageSpec) -> Result<(MadePackage, Vec<u8>)> {
    let name = &spec.name;
    let summary = format!("The {name} tool & library");
    let description = format!(
        "{name} does what its name says, no more and no less.\nIt is <small>, it is \"tested\", and it was made for a \
         repository that nobody but a test will ever see."
    );
    let config = BuildConfig::v4()
        .source_date(BUILD_TIME)
        .compression(CompressionWithLevel::None)
        .reserved_space(None);
    let mut builder = PackageBuilder::new(name, &spec.version, "MIT", &spec.arch, &summary);
    builder
        .using_config(config)
        .release(spec.release.clone())
        .url(format!("https://example.com/{name}"))
        .vendor("Example")
        .group("Applications/System")
        .packager("Example <packager@example.com>")
        .build_host("builder.example.com")
        .description(description.clone());
    if spec.epoch > 0 {
        builder.epoch(spec.epoch);
    }
    for needed in &spec.requires {
        builder.requires(Dependency::any(needed.clone()));
    }
    builder.provides(Dependency::eq(format!("{name}(api)"), "2"));
    builder.recommends(Dependency::greater_eq(format!("{name}-doc"), "1.0"));
    let mut files = Vec::new();
    let mut installed = 0;
    for (path, bytes) in contents(spec) {
        installed += bytes.len() as u64;
        files.push(path.clone());
        builder.with_file_contents(bytes, FileOptions::new(path))?;
    }
    let changelog: Vec<(u32, String)> = (0..3)
        .map(|n| {
            (
                BUILD_TIME - n * 86_400 * 30,
                format!("- change {} of {name} & friends", 3 - n),
            )
        })
        .collect();
    for (time, text) in &changelog {
        let author = format!(
            "Example <packager@example.com> - {}-{}",
            spec.version, spec.release
        );
        builder.add_changelog_entry(author, text, *time);
    }
    let package = builder.build()?;
    let offsets = package.metadata.get_package_segment_offsets();
    let mut bytes = Vec::new();
    package.write(&mut bytes)?;
    let mut hasher = MultiHasher::new(&[spec.checksum]);
    hasher.update(&bytes);
    let digest = hasher.finish().hex(spec.checksum).unwrap_or_default();
    let made = MadePackage {
        spec: spec.clone(),
        digest,
        size: bytes.len() as u64,
        installed,
        header_start: offsets.header,
        header_end: offsets.payload,
        files,
        changelog,
        summary,
        description,
    };
    Ok((made, bytes))
}

fn contents(spec: &PackageSpec) -> Vec<(String, Vec<u8>)> {
    let name = &spec.name;
    let mut files = vec![
        (
            format!("/usr/bin/{name}"),
            format!("#!/bin/sh\necho {name} {}\n", spec.version).into_bytes(),
        ),
        (
            format!("/usr/share/doc/{name}/README"),
            format!("This is {name}.\n").into_bytes(),
        ),
        (format!("/usr/share/{name}/noise"), noise(spec)),
    ];
    if spec.arch == "src" {
        files = vec![(
            format!("/{name}.spec"),
            format!("Name: {name}\n").into_bytes(),
        )];
    }
    files
}

/// Bytes without a pattern, the same for the same package and seed.
fn noise(spec: &PackageSpec) -> Vec<u8> {
    let mut state =
        pith_core::Sha256::of(format!("{}-{}-{}", spec.name, spec.version, spec.seed).as_bytes());
    let mut bytes = Vec::with_capacity(spec.payload + 32);
    while bytes.len() < spec.payload {
        bytes.extend_from_slice(&state.0);
        state = pith_core::Sha256::of(&state.0);
    }
    bytes.truncate(spec.payload);
    bytes
}
