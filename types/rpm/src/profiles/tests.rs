//! The rules of what applies, and that the index answers as they are written.

use std::collections::{BTreeMap, BTreeSet};

use pith_content::Profiler;
use pith_content::profile::{Applicability, Applies, Profile, Profiles};
use pith_core::UnitId;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::YumProfiler;
use super::index::{Builder, Index};
use super::modules::Module;
use super::packages::Collected;
use crate::advisories::RepoPkglist;
use crate::interned::compare_versions;
use crate::modular::nevra;
use crate::type_ids::{ERRATUM, MODULEMD, RPM};

/// Name, epoch, version, release and architecture.
type Nevra = [&'static str; 5];

/// A module: name, stream, version, the modules and streams that it needs, and its packages.
#[derive(Debug, Clone)]
struct Build {
    key: (&'static str, &'static str, u64),
    needs: Vec<(&'static str, Vec<&'static str>)>,
    lists: Vec<Nevra>,
}

/// A collection of an advisory: whether it names a module, and packages.
type Listed = (bool, Vec<Nevra>);

/// A repository in which units have numbers for ids: packages from 0, modules from 1,000, advisories from 2,000.
#[derive(Debug, Clone, Default)]
struct World {
    packages: Vec<Nevra>,
    modules: Vec<Build>,
    advisories: Vec<Vec<Listed>>,
}

const MODULES: usize = 1_000;
const ADVISORIES: usize = 2_000;

fn id(number: usize) -> UnitId {
    let text = format!("00000000-0000-4000-8000-{number:012}");
    text.parse().unwrap()
}

fn pkglist(repo_id: &str, collections: &[Listed]) -> RepoPkglist {
    let package = |[name, epoch, version, release, arch]: &Nevra| {
        let epoch = Some(*epoch).filter(|epoch| !epoch.is_empty());
        json!({"name": name, "epoch": epoch, "version": version, "release": release, "arch": arch})
    };
    let collection = |(is_modular, packages): &Listed| {
        let packages: Vec<Value> = packages.iter().map(package).collect();
        match is_modular {
            true => json!({"packages": packages, "module": {"name": "any"}}),
            false => json!({"packages": packages}),
        }
    };
    let collections: Vec<Value> = collections.iter().map(collection).collect();
    serde_json::from_value(json!({"repo_id": repo_id, "collections": collections})).unwrap()
}

impl World {
    fn index(&self) -> Index {
        let mut collected = Collected::default();
        for (number, package) in self.packages.iter().enumerate() {
            collected.push(id(number), *package);
        }
        let mut index = Builder::new(collected.sorted());
        for (number, build) in self.modules.iter().enumerate() {
            let (name, stream, version) = build.key;
            let needs = build.needs.iter().map(|(module, streams)| {
                let streams = streams.iter().map(|stream| (*stream).to_owned());
                ((*module).to_owned(), streams.collect())
            });
            let module = Module {
                id: id(MODULES + number),
                name: name.to_owned(),
                stream: stream.to_owned(),
                version,
                context: "c0".to_owned(),
                arch: "x86_64".to_owned(),
                needs: vec![needs.collect()],
            };
            index.module(module, build.lists.iter().map(|listed| nevra(*listed)));
        }
        for (number, collections) in self.advisories.iter().enumerate() {
            let lists = [pkglist("zoo", collections)];
            index.advisory(id(ADVISORIES + number), &lists, "zoo");
        }
        index.finish()
    }

    /// Returns what applies, rule by rule.
    fn naive(&self, host: &Host) -> Applicability {
        let is_enabled = |build: &&Build| {
            let needs = build
                .needs
                .iter()
                .filter(|(module, _)| *module != "platform");
            host.enabled.contains(&build.key)
                && needs.into_iter().all(|(module, wanted)| {
                    let mut streams = host.enabled.iter().filter(|it| it.0 == *module);
                    streams.any(|(_, stream, _)| {
                        let excluded = format!("-{stream}");
                        let listed = wanted.iter().filter(|it| !it.starts_with('-'));
                        !wanted.contains(&excluded.as_str())
                            && (listed.clone().count() == 0
                                || listed.clone().any(|it| it == stream))
                    })
                })
        };
        let modules = self.modules.iter().enumerate();
        let enabled: Vec<(usize, &Build)> =
            modules.filter(|(_, build)| is_enabled(build)).collect();
        let mut found: BTreeMap<&'static str, BTreeSet<UnitId>> = BTreeMap::new();
        let (mut all, mut modular) = (BTreeSet::new(), BTreeSet::new());
        for (number, package) in self.packages.iter().enumerate() {
            let same = |it: &&Nevra| (it[0], it[4]) == (package[0], package[4]);
            let newer = |it: &Nevra| {
                compare_versions([package[1], package[2], package[3]], [it[1], it[2], it[3]])
                    .is_gt()
            };
            let mut installed = host.installed.iter().filter(same).peekable();
            if installed.peek().is_none() || !installed.all(newer) {
                continue;
            }
            let name = nevra(*package);
            let lists = |build: &Build| build.lists.iter().any(|it| nevra(*it) == name);
            if self.modules.iter().any(lists) {
                let mut sources = enabled.iter().filter(|(_, build)| lists(build)).peekable();
                if sources.peek().is_none() {
                    continue;
                }
                let ids = sources.map(|(number, _)| id(MODULES + number));
                found.entry(MODULEMD).or_default().extend(ids);
                modular.insert(name.clone());
            } else if (enabled.iter()).any(|(_, it)| it.lists.iter().any(|it| it[0] == package[0]))
            {
                continue;
            }
            all.insert(name);
            found.entry(RPM).or_default().insert(id(number));
        }
        for (number, collections) in self.advisories.iter().enumerate() {
            let applies = collections.iter().any(|(is_modular, packages)| {
                let applicable = if *is_modular { &modular } else { &all };
                packages.iter().any(|it| applicable.contains(&nevra(*it)))
            });
            if applies {
                found
                    .entry(ERRATUM)
                    .or_default()
                    .insert(id(ADVISORIES + number));
            }
        }
        let found = found.into_iter();
        found
            .map(|(kind, ids)| (kind, ids.into_iter().collect()))
            .collect()
    }
}

/// A host: packages that are installed, and modules that are enabled.
#[derive(Debug, Clone, Default)]
struct Host {
    installed: Vec<Nevra>,
    enabled: Vec<(&'static str, &'static str, u64)>,
}

impl Host {
    fn profiles(&self) -> Profiles {
        let packages = self.installed.iter().map(|[name, epoch, version, release, arch]| {
            json!({
                "name": name, "epoch": epoch.parse::<u64>().ok(), "version": version, "release": release, "arch": arch,
                "vendor": "x",
            })
        });
        let modules = self.enabled.iter().map(|(name, stream, version)| {
            json!({
                "name": name, "stream": stream, "version": version.to_string(), "context": "c0", "arch": "x86_64",
            })
        });
        let kept = [(RPM, packages.collect()), (MODULEMD, modules.collect())];
        let kept = kept.map(|(kind, sent): (&str, Value)| {
            let read = YumProfiler.read(kind, sent).unwrap();
            (kind.to_owned(), Profile::new(&read).unwrap())
        });
        Profiles::from_iter(kept)
    }
}

/// Returns what applies, in the numbers of the world.
fn applicable(world: &World, host: &Host) -> Vec<(&'static str, Vec<usize>)> {
    let applicable = world.index().to(&host.profiles());
    assert_eq!(applicable, world.naive(host));
    let number = |id: UnitId| id.to_string()[24..].parse().unwrap();
    let numbers = |ids: Vec<UnitId>| ids.into_iter().map(number).collect();
    let applicable = applicable.into_iter();
    applicable.map(|(kind, ids)| (kind, numbers(ids))).collect()
}

#[test]
fn packages_apply_that_are_newer_than_the_newest_of_their_name_and_architecture() {
    let world = World {
        packages: vec![
            ["bear", "0", "4.0", "1", "noarch"],
            ["bear", "0", "4.10", "1", "noarch"],
            ["bear", "", "4.9", "1", "noarch"],
            ["bear", "1", "0.1", "1", "noarch"],
            ["bear", "0", "5", "1", "x86_64"],
            ["cat", "0", "2~rc1", "1", "noarch"],
            ["dog", "0", "9", "1", "noarch"],
        ],
        ..World::default()
    };
    let host = Host {
        installed: vec![
            ["bear", "", "4.1", "1", "noarch"],
            ["bear", "0", "4.9", "1", "noarch"],
            ["cat", "0", "2", "1", "noarch"],
        ],
        ..Host::default()
    };
    assert_eq!(applicable(&world, &host), [(RPM, vec![1, 3])]);
    assert!(applicable(&world, &Host::default()).is_empty());
}

/// Two streams of perl, a package of the same name beside them, and advisories.
fn perl() -> World {
    World {
        packages: vec![
            ["perl", "4", "5.24", "2", "x86_64"],
            ["perl", "4", "5.30", "1", "x86_64"],
            ["perl", "4", "5.26", "9", "x86_64"],
            ["bash", "0", "5", "2", "x86_64"],
        ],
        modules: vec![
            Build {
                key: ("perl", "5.24", 1),
                needs: vec![("platform", vec!["el8"])],
                lists: vec![["perl", "4", "5.24", "2", "x86_64"]],
            },
            Build {
                key: ("perl", "5.30", 1),
                needs: vec![("runtime", vec!["-1"])],
                lists: vec![["perl", "4", "5.30", "1", "x86_64"]],
            },
        ],
        advisories: vec![
            vec![(true, vec![["perl", "4", "5.24", "2", "x86_64"]])],
            vec![(true, vec![["perl", "4", "5.30", "1", "x86_64"]])],
            vec![(true, vec![["bash", "", "5", "2", "x86_64"]])],
            vec![(false, vec![["bash", "", "5", "2", "x86_64"]])],
            vec![(false, vec![["perl", "4", "5.30", "1", "x86_64"]])],
        ],
    }
}

#[test]
fn packages_of_modules_apply_where_their_stream_is_enabled() {
    let world = perl();
    let with = |enabled: &[(&'static str, &'static str, u64)]| {
        let host = Host {
            installed: vec![
                ["perl", "4", "5.24", "1", "x86_64"],
                ["bash", "0", "5", "1", "x86_64"],
            ],
            enabled: enabled.to_vec(),
        };
        applicable(&world, &host)
    };
    let plain = vec![(ERRATUM, vec![2_003]), (RPM, vec![2, 3])];
    assert_eq!(with(&[]), plain, "nothing is enabled");
    let old = vec![
        (ERRATUM, vec![2_000, 2_003]),
        (MODULEMD, vec![1_000]),
        (RPM, vec![0, 3]),
    ];
    assert_eq!(
        with(&[("perl", "5.24", 1)]),
        old,
        "the plain perl is hidden"
    );
    assert_eq!(
        with(&[("perl", "5.24", 2)]),
        plain,
        "another build is enabled"
    );
    assert_eq!(
        with(&[("perl", "5.30", 1)]),
        plain,
        "it needs another module"
    );
    assert_eq!(
        with(&[("perl", "5.30", 1), ("runtime", "1", 1)]),
        plain,
        "it needs another stream"
    );
    let new = vec![
        (ERRATUM, vec![2_001, 2_003, 2_004]),
        (MODULEMD, vec![1_001]),
        (RPM, vec![1, 3]),
    ];
    assert_eq!(with(&[("perl", "5.30", 1), ("runtime", "2", 1)]), new);
}

#[test]
fn of_an_advisory_counts_what_this_repository_says_or_else_what_all_say() {
    let packages = [
        ["bear", "0", "2", "1", "noarch"],
        ["cat", "0", "2", "1", "noarch"],
    ];
    let world = World {
        packages: packages.to_vec(),
        ..World::default()
    };
    let host = Host {
        installed: vec![["bear", "0", "1", "1", "noarch"]],
        ..Host::default()
    };
    let lists = packages.map(|package| pkglist(package[0], &[(false, vec![package])]));
    let counts = |repo_id: &str| {
        let mut collected = Collected::default();
        for (number, package) in world.packages.iter().enumerate() {
            collected.push(id(number), *package);
        }
        let mut index = Builder::new(collected.sorted());
        index.advisory(id(ADVISORIES), &lists, repo_id);
        index.finish().to(&host.profiles()).contains_key(ERRATUM)
    };
    assert!(counts("bear"));
    assert!(!counts("cat"), "it says nothing of the bear");
    assert!(counts("dog"));
}

fn any_package() -> impl Strategy<Value = Nevra> {
    let names = prop::sample::select(vec!["a", "b", "c-d"]);
    let epochs = prop::sample::select(vec!["", "0", "1"]);
    let versions = prop::sample::select(vec!["1", "1.0", "1.10", "1.9", "1~a", "01"]);
    let archs = prop::sample::select(vec!["x86_64", "noarch"]);
    let releases = prop::sample::select(vec!["1", "2.el8"]);
    (names, epochs, versions, releases, archs)
        .prop_map(|(name, epoch, version, release, arch)| [name, epoch, version, release, arch])
}

fn any_build() -> impl Strategy<Value = (&'static str, &'static str, u64)> {
    let names = prop::sample::select(vec!["m", "n"]);
    let streams = prop::sample::select(vec!["1", "2"]);
    (names, streams, 1..3_u64)
}

prop_compose! {
    fn any_module()(
        key in any_build(),
        needs in prop::collection::vec(
            (
                prop::sample::select(vec!["m", "n", "platform"]),
                prop::collection::vec(prop::sample::select(vec!["1", "2", "-1"]), 0..3),
            ),
            0..2,
        ),
        lists in prop::collection::vec(any_package(), 0..4),
    ) -> Build {
        // What is said of a module twice is said once in a document.
        let needs: BTreeMap<&str, Vec<&str>> = needs.into_iter().collect();
        Build { key, needs: needs.into_iter().collect(), lists }
    }
}

prop_compose! {
    fn any_world()(
        packages in prop::collection::vec(any_package(), 0..12),
        modules in prop::collection::btree_map(any_build(), any_module(), 0..4),
        advisories in prop::collection::vec(
            prop::collection::vec((any::<bool>(), prop::collection::vec(any_package(), 0..3)), 0..3),
            0..6,
        ),
    ) -> World {
        let modules = modules.into_iter().map(|(key, module)| Build { key, ..module });
        World { packages, modules: modules.collect(), advisories }
    }
}

prop_compose! {
    fn any_host()(
        installed in prop::collection::vec(any_package(), 0..6),
        enabled in prop::collection::vec(any_build(), 0..3),
    ) -> Host {
        Host { installed, enabled }
    }
}

proptest! {
    #[test]
    fn the_index_answers_as_the_rules_are_written(world in any_world(), hosts in prop::collection::vec(any_host(), 1..4)) {
        let index = world.index();
        for host in hosts {
            prop_assert_eq!(index.to(&host.profiles()), world.naive(&host));
        }
    }
}
