//! Notes: a family that shows all of what a type can declare, outside of `/pulp`. A note has a name and a text,
//! a binder has a name and many papers. For tests only; no release has it.

mod along;
mod binders;
mod fold;
mod importer;
mod profile;
mod publish;
mod routes;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use pith_content::descriptor::{KeyField, StorageName};
use pith_content::job::{self, JobKind};
use pith_content::routes::{Answer, Refusal};
use pith_content::settings::{DOWNLOAD_POLICY, NETWORK};
use pith_content::{
    ContentType, Distributor, Importer, Inspected, PluginDescriptor, Profiler, Root, Route,
    Setting, SettingKind, UnitType,
};
use pith_core::Algorithm;
use serde_json::json;

/// The unit type.
pub const NOTE: UnitType = UnitType {
    id: "note",
    display_name: "Note",
    description: "A text with a name",
    key: &[KeyField::same("name")],
    indexed: &["name"],
    file_backed: true,
    storage_name: StorageName::Field("name"),
    learned: &["lines", "digests", along::SEES],
    inspected: Inspected::Whole,
    digests: &[Algorithm::Md5, Algorithm::Sha224, Algorithm::Sha384],
    rules: &rules::NoteRules,
    ..UnitType::PLAIN
};

/// The root below which notes are served.
pub static ROOT: Root = Root {
    pages: false,
    index: &["names"],
    headers: &[("X-Notes", "1")],
    ..Root::at("notes")
};

static IMPORTER: PluginDescriptor = PluginDescriptor {
    id: "notes_importer",
    display_name: "Notes Importer",
    types: &["note", "binder"],
    platform: &[NETWORK],
    own: &[
        Setting::new(
            "feed",
            SettingKind::Text,
            "URL of the folder with the file `names`",
        ),
        DOWNLOAD_POLICY.help("when notes are fetched (default immediate)"),
        Setting::new(
            "recursive",
            SettingKind::Bool,
            "copy and remove what notes name along with them",
        ),
    ],
};

static DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "notes_distributor",
    display_name: "Notes Distributor",
    types: &["note", "binder"],
    platform: &[],
    own: &[
        Setting::new(
            "relative_url",
            SettingKind::Text,
            "path below /notes (default: the repository's id)",
        ),
        Setting::new(
            "readers_ca",
            SettingKind::Pem,
            "CA of the client certificates that may read the notes",
        ),
        Setting::new(
            "signed",
            SettingKind::Bool,
            "sign the list of notes, beside it and around it",
        ),
        Setting::new(
            "signing_key",
            SettingKind::Text,
            "name or fingerprint of the key (default: the default key)",
        ),
        Setting::new(
            "shelf",
            SettingKind::Text,
            "folder of the server to which notes are exported instead of being served",
        ),
        Setting::new(
            "passes_on",
            SettingKind::Text,
            "id of the distributor whose publication is published here too",
        ),
    ],
};

/// The family.
#[derive(Debug, Default, Clone, Copy)]
pub struct Notes;

impl ContentType for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const { &[NOTE, binders::BINDER] }
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(importer::NotesImporter)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        vec![Arc::new(publish::NotesDistributor)]
    }

    fn roots(&self) -> &'static [Root] {
        std::slice::from_ref(&ROOT)
    }

    fn routes(&self) -> &'static [Route] {
        routes::ROUTES
    }

    fn jobs(&self) -> &'static [&'static dyn JobKind] {
        const { &[job::kind::<fold::Fold>()] }
    }

    fn profilers(&self) -> Vec<Arc<dyn Profiler>> {
        vec![Arc::new(profile::NotesProfiler)]
    }

    fn refuse(&self, refusal: &Refusal) -> Answer {
        let mut answer = Answer::json(refusal.status, &json!({ "note": refusal.message }));
        let asked = refusal.plain().headers.remove(WWW_AUTHENTICATE);
        answer
            .headers
            .extend(asked.map(|asked| (WWW_AUTHENTICATE, asked)));
        answer
    }
}
