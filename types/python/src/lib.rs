//! Python packages: what pip installs (pulp2/python).
//!
//! Descriptors are here. [`names`] says what projects and files are called, [`index`] reads what indexes list, [`archive`] and
//! [`metadata`] read what packages say of themselves; then there is one file for each operation. No Python is run, and nothing is
//! unpacked to disk.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod archive;
mod config;
pub mod index;
pub mod metadata;
pub mod names;
mod publish;
mod sync;
mod unit;
mod upload;
mod words;

use std::sync::Arc;

use pith_content::descriptor::{PluginDescriptor, Setting, SettingKind, UnitType};
use pith_content::settings::{DOWNLOAD_POLICY, NETWORK, ON_DOWNLOAD_FAILURE, REMOVE_MISSING};
use pith_content::{ContentType, Distributor, Importer, Root, Words};

pub use publish::PythonDistributor;
pub use sync::PythonImporter;
pub use unit::PACKAGE;

static IMPORTER: PluginDescriptor = PluginDescriptor {
    id: "python_importer",
    display_name: "Python Importer",
    types: &["python_package"],
    platform: &[NETWORK],
    own: &[
        Setting::new(
            "feed",
            SettingKind::Text,
            "URL of the index, such as https://pypi.org/ or a folder with a simple index",
        ),
        Setting::new(
            "package_names",
            SettingKind::Text,
            "projects to mirror, with commas between them or as a list, each with versions where not all are meant \
             (django>=4,<5)",
        ),
        Setting::new(
            "package_types",
            SettingKind::List,
            "kinds of files to mirror, of sdist, bdist_wheel, bdist_egg, bdist_wininst, bdist_msi and bdist_rpm (default all)",
        ),
        Setting::new(
            "prereleases",
            SettingKind::Bool,
            "mirror versions before a release too (default true)",
        ),
        REMOVE_MISSING.help(
            "remove files that left the feed, or are not meant any more (default false)",
        ),
        DOWNLOAD_POLICY,
        ON_DOWNLOAD_FAILURE.help(
            "when projects or files cannot be had or do not verify: fail the sync and leave the repository as it was \
             (default), or continue without them",
        ),
    ],
};

static DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "python_distributor",
    display_name: "Python Python Distributor",
    types: &["python_package"],
    platform: &[],
    own: &[Setting::without_effect(
        "python_publish_directory",
        SettingKind::Text,
        "no effect: nothing is written to folders of the server",
    )],
};

static ROOT: Root = Root {
    index: &["index.html", "index.json"],
    ..Root::at("pulp/python/web")
};

/// The family of Python packages.
#[derive(Debug, Default, Clone, Copy)]
pub struct Python;

impl ContentType for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const { &[PACKAGE] }
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(PythonImporter)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        vec![Arc::new(PythonDistributor)]
    }

    fn roots(&self) -> &'static [Root] {
        std::slice::from_ref(&ROOT)
    }

    fn words(&self) -> Option<&'static Words> {
        Some(&words::WORDS)
    }
}
