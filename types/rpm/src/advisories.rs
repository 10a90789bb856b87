//! Advisories as units: one document for all repositories, and for each repository what it says of the packages
//! (pulp2/rpm-units#advisories, pulp2/rpm-sync#advisories).

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use pith_content::unit::{Part, WantedUnit};
use pith_core::{Document, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::metadata::dates;
use crate::metadata::snippet::{self, Packer};
use crate::metadata::updateinfo::{Collection, Erratum, ErratumPackage, ModuleRef};
use crate::modular::text;
use crate::parts::{PKGLIST, document, metadata_only};
use crate::type_ids::ERRATUM;

/// The value of [`RepoPkglist::said`] after an upload.
const UPLOADED: &str = "upload";
/// Fields in which clients say something of a unit: no part of what upstream says.
const USER_METADATA: &str = "pulp_user_metadata";

/// The packages of an advisory as one repository knows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RepoPkglist {
    /// The repository.
    pub repo_id: String,
    /// Its collections.
    pub collections: Vec<Collection>,
    /// The digest of the document that its upstream gave last, or `upload`; `None` when an older version stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// An advisory with its packages as the upstream of repository `repo_id` knows them.
///
/// # Errors
/// When the packages cannot be packed.
pub fn unit(
    mut erratum: Erratum,
    repo_id: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let collections = std::mem::take(&mut erratum.pkglist);
    let doc = document(&erratum);
    let said = Some(digest(&doc));
    whole(doc, repo_id, collections, said, packer)
}

/// An advisory as a client gave it to repository `repo_id`.
///
/// # Errors
/// When the packages cannot be packed.
pub fn uploaded(
    mut erratum: Erratum,
    repo_id: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let collections = std::mem::take(&mut erratum.pkglist);
    let said = Some(UPLOADED.to_owned());
    whole(document(&erratum), repo_id, collections, said, packer)
}

fn whole(
    doc: Document,
    repo_id: &str,
    collections: Vec<Collection>,
    said: Option<String>,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let list = RepoPkglist {
        repo_id: repo_id.to_owned(),
        collections,
        said,
    };
    let mut unit = metadata_only(ERRATUM, doc);
    unit.parts.push(part(&[list], packer)?);
    Ok(unit)
}

fn part(lists: &[RepoPkglist], packer: &mut Packer) -> std::io::Result<Part> {
    Ok(Part {
        name: PKGLIST,
        data: packer.pack(&serde_json::to_vec(lists)?)?,
    })
}

/// Reads the part of an advisory.
#[must_use]
pub fn pkglists(stored: &[u8]) -> Vec<RepoPkglist> {
    pkglists_with_size(stored).0
}

/// Reads the part of an advisory; answers how large it is, too.
#[must_use]
pub fn pkglists_with_size(stored: &[u8]) -> (Vec<RepoPkglist>, usize) {
    let Ok(bytes) = snippet::unpack(stored) else {
        return Default::default();
    };
    (
        serde_json::from_slice(&bytes).unwrap_or_default(),
        bytes.len(),
    )
}

/// The digest of what an upstream says in the document of an advisory.
fn digest(doc: &Document) -> String {
    let fields = doc.iter().filter(|(key, _)| *key != USER_METADATA);
    let fields: Document = fields
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Sha256::of(Value::Object(fields).to_string().as_bytes()).to_string()
}

/// Compares the document of an advisory with the one that is known: by date, then by version.
#[must_use]
pub fn compare(wanted: &Document, known: &Document) -> Ordering {
    let of = |doc| (text(doc, "updated"), text(doc, "version"));
    dates::compare(of(wanted), of(known))
}

/// The outcome for a known advisory that is handed over again. The newer document stands. A repository whose upstream says
/// something else than before counts without a newer date too, and with an older date when the document that stands is its own.
/// Each repository's packages are what it says now; those of other repositories stay.
pub fn merge(known: &Document, known_lists: &[RepoPkglist], wanted: &mut WantedUnit) {
    let part_of = |unit: &WantedUnit| unit.parts.iter().find(|p| p.name == PKGLIST).cloned();
    let incoming = part_of(wanted)
        .map(|p| pkglists(&p.data))
        .unwrap_or_default();
    let mut lists = known_lists.to_vec();
    let mut taken = false;
    for list in incoming {
        let before = known_lists.iter().find(|own| own.repo_id == list.repo_id);
        let heard = hears(&wanted.doc, known, before, &list);
        taken |= heard.document;
        match lists.iter_mut().find(|own| own.repo_id == list.repo_id) {
            Some(own) if heard.packages => *own = list,
            Some(_) => {}
            None => lists.push(list),
        }
    }
    if !taken {
        let metadata = wanted.doc.remove(USER_METADATA);
        wanted.doc = known.clone();
        wanted
            .doc
            .extend(metadata.map(|value| (USER_METADATA.to_owned(), value)));
    }
    if let Ok(part) = Packer::new().and_then(|mut packer| part(&lists, &mut packer)) {
        wanted.parts = vec![part];
    }
}

/// The part of an incoming advisory that counts.
struct Heard {
    document: bool,
    packages: bool,
}

fn hears(
    wanted: &Document,
    known: &Document,
    before: Option<&RepoPkglist>,
    now: &RepoPkglist,
) -> Heard {
    let order = compare(wanted, known);
    let newer = order.is_gt();
    let all = |yes| Heard {
        document: yes,
        packages: yes,
    };
    if now.said.as_deref() == Some(UPLOADED) {
        return all(order.is_ge());
    }
    let Some(before) = before else {
        return Heard {
            document: newer,
            packages: true,
        };
    };
    let document = match before.said.as_deref() {
        // What a client gave stands until upstream has something newer.
        Some(UPLOADED) => return all(newer),
        None => order.is_ge(),
        said if said == now.said.as_deref() => newer,
        Some(said) => order.is_ge() || said == digest(known),
    };
    Heard {
        document,
        packages: true,
    }
}

/// The packages of an advisory grouped by module, duplicates dropped. A group may be empty.
#[must_use]
pub fn by_module(lists: &[RepoPkglist]) -> Vec<(Option<ModuleRef>, Vec<ErratumPackage>)> {
    let mut groups: Vec<(Option<ModuleRef>, Vec<ErratumPackage>)> = Vec::new();
    let mut places: HashMap<Option<&ModuleRef>, usize> = HashMap::new();
    for collection in lists.iter().flat_map(|l| &l.collections) {
        let at = *places.entry(collection.module.as_ref()).or_insert_with(|| {
            groups.push((collection.module.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.extend(collection.packages.iter().cloned());
    }
    for (_, packages) in &mut groups {
        let mut seen = HashSet::new();
        packages.retain(|p| seen.insert(identity(p)));
    }
    groups
}

/// The fields that tell packages of an advisory apart; digests count in any case.
fn identity(p: &ErratumPackage) -> String {
    let sum = p.sum.as_ref().map(|sum| sum.join(" ").to_ascii_lowercase());
    format!(
        "{}\0{:?}\0{}\0{}\0{}\0{:?}\0{:?}\0{sum:?}\0{:?}",
        p.name, p.epoch, p.version, p.release, p.arch, p.src, p.filename, p.given
    )
}

/// `pkglist` as the REST API shows it (pulp2/rpm-units#advisories).
#[must_use]
pub fn presented_pkglist(stored: &[u8]) -> Value {
    let lists = pkglists(stored);
    let mut modules: HashMap<&ModuleRef, Value> = HashMap::new();
    for collection in lists.iter().flat_map(|list| &list.collections) {
        let shown = collection.module.as_ref().zip(collection.shown_module());
        if let Some((module, shown)) = shown {
            modules.entry(module).or_insert(shown);
        }
    }
    by_module(&lists)
        .into_iter()
        .filter(|(_, packages)| !packages.is_empty())
        .enumerate()
        .map(|(n, (module, packages))| {
            let mut collection =
                json!({"packages": packages, "short": "", "name": format!("collection-{n}")});
            if let Some(module) = module.as_ref().and_then(|module| modules.get(module)) {
                collection["module"] = module.clone();
            }
            collection
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erratum(title: &str, updated: &str, version: &str, package: &str) -> Erratum {
        let collection: Collection =
            serde_json::from_value(json!({"packages": [{"name": package}]})).unwrap();
        Erratum {
            id: "A".to_owned(),
            title: Some(title.to_owned()),
            updated: updated.to_owned(),
            version: version.to_owned(),
            pkglist: vec![collection],
            ..Erratum::default()
        }
    }

    /// The stored state of one advisory.
    #[derive(Default)]
    struct Stored(Option<WantedUnit>);

    impl Stored {
        fn take(&mut self, mut unit: WantedUnit) -> &mut Self {
            if let Some(known) = &self.0 {
                let lists = pkglists(&known.parts[0].data);
                merge(&known.doc, &lists, &mut unit);
            }
            self.0 = Some(unit);
            self
        }

        fn sync(&mut self, repo: &str, erratum: Erratum) -> &mut Self {
            self.take(unit(erratum, repo, &mut Packer::new().unwrap()).unwrap())
        }

        fn upload(&mut self, repo: &str, erratum: Erratum) -> &mut Self {
            self.take(uploaded(erratum, repo, &mut Packer::new().unwrap()).unwrap())
        }

        /// The title, then the packages by repository.
        fn shown(&self) -> String {
            let unit = self.0.as_ref().unwrap();
            let lists = pkglists(&unit.parts[0].data);
            let lists = lists.iter().map(|list| {
                let names = list.collections.iter().flat_map(|c| &c.packages);
                let names: Vec<_> = names.map(|p| p.name.as_str()).collect();
                format!("{}={}", list.repo_id, names.join("+"))
            });
            let lists: Vec<String> = lists.collect();
            format!("{} {}", text(&unit.doc, "title"), lists.join(" "))
        }
    }

    #[test]
    fn upstream_is_heard_when_it_says_something_new() {
        let mut stored = Stored::default();
        stored.sync("a", erratum("T1", "2024-01-01", "1", "p"));
        assert_eq!(
            stored
                .sync("a", erratum("T2", "2024-01-01", "1", "q"))
                .shown(),
            "T2 a=q"
        );
        assert_eq!(
            stored
                .sync("a", erratum("T3", "1704153600", "1", "q"))
                .shown(),
            "T3 a=q"
        );
        // Rolled back: what stands is its own.
        assert_eq!(
            stored
                .sync("a", erratum("T0", "2023-01-01", "1", "p"))
                .shown(),
            "T0 a=p"
        );
        assert_eq!(
            stored.sync("a", erratum("T4", "soon", "1", "p")).shown(),
            "T4 a=p"
        );
    }

    #[test]
    fn repositories_that_differ_do_not_take_turns() {
        let old = || erratum("old", "2024-01-01", "1", "p");
        let new = || erratum("new", "2024-01-02", "1", "q");
        let mut stored = Stored::default();
        stored.sync("a", old()).sync("b", new());
        assert_eq!(stored.shown(), "new a=p b=q");
        let settled = stored.0.clone().unwrap();
        stored.sync("a", old()).sync("b", new()).sync("a", old());
        assert_eq!(stored.0.as_ref().unwrap().doc, settled.doc);
        assert_eq!(
            stored.0.as_ref().unwrap().parts[0].data,
            settled.parts[0].data
        );
        // An older one that changes adds its packages and leaves the newer text.
        stored.sync("a", erratum("older", "2023-12-31", "1", "r"));
        assert_eq!(stored.shown(), "new a=r b=q");
        let mut twins = Stored::default();
        twins.sync("a", erratum("x", "2024-01-01", "1", "p"));
        twins.sync("b", erratum("y", "2024-01-01", "1", "p"));
        assert_eq!(twins.shown(), "x a=p b=p");
        twins.sync("b", erratum("z", "2024-01-01", "1", "p"));
        assert_eq!(twins.shown(), "z a=p b=p");
    }

    #[test]
    fn an_upload_stands_until_upstream_is_newer_and_an_older_one_changes_nothing() {
        let mut stored = Stored::default();
        stored.sync("a", erratum("T1", "2024-01-01", "1", "p"));
        stored.upload("a", erratum("mine", "2024-01-01", "1", "q"));
        assert_eq!(stored.shown(), "mine a=q");
        stored.upload("a", erratum("older", "2023-01-01", "1", "r"));
        assert_eq!(stored.shown(), "mine a=q");
        stored.sync("a", erratum("T1", "2024-01-01", "1", "p"));
        assert_eq!(stored.shown(), "mine a=q");
        stored.sync("a", erratum("T2", "2024-01-03", "1", "p"));
        assert_eq!(stored.shown(), "T2 a=p");
    }

    #[test]
    fn packages_are_shown_as_they_came_and_empty_groups_are_not() {
        let given = json!({"name": "p", "epoch": 0, "mine": [null, true]});
        let mut advisory = erratum("T", "", "", "p");
        advisory.pkglist = serde_json::from_value(json!([
            {"packages": [given, given], "module": {"name": "m"}},
            {"packages": [], "module": {"name": "n", "stream": "1"}},
        ]))
        .unwrap();
        let unit = uploaded(advisory, "a", &mut Packer::new().unwrap()).unwrap();
        let shown = presented_pkglist(&unit.parts[0].data);
        let expected = json!([{"packages": [given], "short": "", "name": "collection-0", "module": {"name": "m"}}]);
        assert_eq!(shown, expected);
    }
}
