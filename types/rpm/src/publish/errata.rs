//! The published part of advisories: the packages that the repository has, and a digest of each (pulp2/rpm-metadata#updateinfo).

use std::collections::{BTreeSet, HashMap, HashSet};

use pith_content::ContentError;
use pith_content::publish::PublishContext;
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Algorithm, ErrorDetail, UnitId};

use super::checksums::Learned;
use super::known::Known;
use super::texts::text;
use crate::advisories::RepoPkglist;
use crate::learned::known_checksum;
use crate::metadata::updateinfo::{Collection, Erratum, ErratumPackage, ModuleRef};
use crate::type_ids::RPM;

/// Packages read at once.
const READ: usize = 256;

/// The module builds of a repository.
#[derive(Default)]
pub struct Builds {
    all: HashSet<ModuleRef>,
    /// The builds by name and stream, which an advisory must name.
    by_stream: HashMap<(String, String), Vec<ModuleRef>>,
}

impl FromIterator<ModuleRef> for Builds {
    fn from_iter<T: IntoIterator<Item = ModuleRef>>(builds: T) -> Self {
        let mut found = Self::default();
        for build in builds {
            let stream = (build.name.clone(), build.stream.clone());
            found
                .by_stream
                .entry(stream)
                .or_default()
                .push(build.clone());
            found.all.insert(build);
        }
        found
    }
}

impl Builds {
    /// Tells whether the repository has a build that `module` may mean.
    fn has(&self, module: &ModuleRef) -> bool {
        let stream = (module.name.clone(), module.stream.clone());
        let meant = || self.by_stream.get(&stream).into_iter().flatten();
        self.all.contains(module) || meant().any(|build| module.may_mean(build))
    }
}

/// Decides what of advisories is published.
pub struct AdvisoryFilter<'a> {
    ctx: &'a dyn PublishContext,
    algorithm: Algorithm,
    /// The algorithm that all packages must have a digest of.
    wanted: Option<String>,
}

impl<'a> AdvisoryFilter<'a> {
    /// A filter for a publication with checksums of this algorithm.
    #[must_use]
    pub fn new(ctx: &'a dyn PublishContext, algorithm: Algorithm) -> Self {
        let wanted = ctx.config().text("updateinfo_checksum_type");
        let wanted = wanted.map(|kind| kind.trim().to_ascii_lowercase());
        Self {
            ctx,
            algorithm,
            wanted: wanted
                .filter(|kind| !kind.is_empty())
                .map(|kind| match kind.as_str() {
                    "sha" => "sha1".to_owned(),
                    _ => kind,
                }),
        }
    }

    /// The advisories that concern the repository, with what is published of them.
    ///
    /// # Errors
    /// RPM1012, or what the context fails with.
    pub async fn published(
        &self,
        errata: Vec<(Erratum, Vec<RepoPkglist>)>,
        known: &mut Known,
        modules: &Builds,
    ) -> Result<Vec<Erratum>, ContentError> {
        let lists = errata.iter().flat_map(|(_, lists)| lists);
        let collections = lists.flat_map(|list| &list.collections);
        let packages = collections.flat_map(|collection| &collection.packages);
        known
            .prepare(self.ctx, packages, |package| self.lacks(package))
            .await?;
        let mut concerned = Vec::new();
        for (mut erratum, lists) in errata {
            erratum.pkglist = self.collections(&lists, known, modules);
            if !erratum.pkglist.is_empty() {
                concerned.push(erratum);
            }
        }
        self.digests(&mut concerned, known).await?;
        Ok(concerned)
    }

    fn collections(
        &self,
        lists: &[RepoPkglist],
        known: &Known,
        modules: &Builds,
    ) -> Vec<Collection> {
        let repo_id = &self.ctx.repo().id;
        let mut collections = Vec::new();
        let mut number = 0;
        for (module, mut packages) in crate::advisories::by_module(lists) {
            let label = match &module {
                Some(module) if !modules.has(module) => continue,
                Some(module) => {
                    number += 1;
                    format!("{repo_id}_{number}_{}", module.name)
                }
                None => format!("{repo_id}_0_default"),
            };
            let mut names = HashSet::new();
            packages.retain(|package| {
                let name = (nevra(package), package.filename.clone());
                known.contains(package) && names.insert(name)
            });
            for package in &mut packages {
                package.sum = self.given(package);
            }
            if !packages.is_empty() || module.is_some() {
                collections.push(Collection {
                    name: label.clone(),
                    short: label,
                    packages,
                    module,
                    ..Collection::default()
                });
            }
        }
        collections
    }

    /// Tells whether the digest that is wanted of a package is not in the advisory.
    fn lacks(&self, package: &ErratumPackage) -> bool {
        self.wanted
            .as_ref()
            .is_some_and(|wanted| of_kind(package, wanted).is_none())
    }

    /// The digest that is written of those that an advisory gives: the one asked for, else that of the publication, else the
    /// longest. All of them while the one asked for is to be found.
    fn given(&self, package: &ErratumPackage) -> Option<Vec<String>> {
        if self.lacks(package) {
            return package.sum.clone();
        }
        let wanted = self.wanted.as_deref();
        let own = || of_kind(package, self.algorithm.name());
        let longest = || pairs(package).max_by_key(|pair| pair[1].len());
        let chosen = match wanted {
            Some(wanted) => of_kind(package, wanted),
            None => own().or_else(longest),
        };
        chosen.map(<[String]>::to_vec)
    }

    /// Gives packages the digest that is wanted where the advisory does not: that of the repository's package.
    async fn digests(&self, errata: &mut [Erratum], known: &Known) -> Result<(), ContentError> {
        let Some(wanted) = &self.wanted else {
            return Ok(());
        };
        let collections = errata.iter_mut().flat_map(|erratum| &mut erratum.pkglist);
        let packages = collections.flat_map(|collection| &mut collection.packages);
        let lacking: Vec<&mut ErratumPackage> =
            packages.filter(|package| self.lacks(package)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let algorithm: Algorithm = wanted.parse().map_err(|_| unavailable(wanted))?;
        let ids = lacking.iter().flat_map(|package| known.candidates(package));
        let ids: BTreeSet<UnitId> = ids.collect();
        let ids: Vec<UnitId> = ids.into_iter().collect();
        let mut units: HashMap<UnitId, RepoUnit> = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ) {
            let select = Select {
                fields: Some(&["filename", "checksum", "checksumtype", "checksums"]),
                ..Select::all(RPM)
            };
            let read = self.ctx.pick(select, ids).await?;
            units.extend(read.into_iter().map(|unit| (unit.id, unit)));
        }
        let mut learned = Learned::default();
        let mut found: HashMap<UnitId, String> = HashMap::new();
        for package in lacking {
            let candidates = known.candidates(package);
            let candidates = candidates.iter().filter_map(|id| units.get(id));
            let unit = meant(package, candidates).ok_or_else(|| unavailable(wanted))?;
            let hex = match found.get(&unit.id) {
                Some(hex) => hex.clone(),
                None if known_checksum(unit, algorithm).is_none() && unit.blob.is_none() => {
                    return Err(unavailable(wanted));
                }
                None => learned.checksum(self.ctx, unit, algorithm).await?,
            };
            found.insert(unit.id, hex.clone());
            package.sum = Some(vec![algorithm.name().to_owned(), hex]);
        }
        learned.keep(self.ctx, RPM).await
    }
}

/// RPM1012: neither the advisory nor the package here has the digest.
fn unavailable(wanted: &str) -> ContentError {
    ContentError::coded(
        ErrorDetail::new(
            "RPM1012",
            format!(
                "Checksum type \"{wanted}\" requested for updateinfo.xml is not available for all packages listed in the \
                 errata."
            ),
        )
        .with("checksumtype", wanted),
    )
}

/// Tells packages apart, together with their file name: one may have none, and two may have the same.
fn nevra(p: &ErratumPackage) -> String {
    format!(
        "{}-{}:{}-{}.{}",
        p.name,
        p.epoch_or_zero(),
        p.version,
        p.release,
        p.arch
    )
}

/// The digests of a package of an advisory: kind and text.
fn pairs(package: &ErratumPackage) -> impl Iterator<Item = &[String]> {
    let sums = package.sum.as_deref().unwrap_or_default();
    let all = sums.chunks_exact(2);
    all.filter(|pair| !pair[0].is_empty() && !pair[1].is_empty())
}

fn of_kind<'a>(package: &'a ErratumPackage, kind: &str) -> Option<&'a [String]> {
    pairs(package)
        .find(|pair| pair[0].eq_ignore_ascii_case(kind) || (kind == "sha1" && pair[0] == "sha"))
}

/// The package that an advisory means: one with the digests that the advisory gives, as far as they are known; of several, one
/// with some of the digests comes first, then one with its file name.
fn meant<'a>(
    package: &ErratumPackage,
    candidates: impl Iterator<Item = &'a RepoUnit>,
) -> Option<&'a RepoUnit> {
    let mut best: Option<((bool, bool), &RepoUnit)> = None;
    for unit in candidates {
        let compared = pairs(package).filter_map(|pair| {
            let known = known_checksum(unit, pair[0].parse().ok()?)?;
            Some(known.eq_ignore_ascii_case(pair[1].trim()))
        });
        let compared: Vec<bool> = compared.collect();
        if compared.contains(&false) {
            continue;
        }
        let file = package.filename.as_deref().unwrap_or_default();
        let file = file.rsplit('/').next() == Some(text(unit, "filename"));
        let rank = (!compared.is_empty(), file);
        if best.is_none_or(|(other, _)| other < rank) {
            best = Some((rank, unit));
        }
    }
    best.map(|(_, unit)| unit)
}
