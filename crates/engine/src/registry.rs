//! The content types of this server, looked up by the ids that the API uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use pith_content::roots::RootError;
use pith_content::routes::Template;
use pith_content::{
    Cataloger, ContentType, Distributor, GroupDistributor, Importer, Profiler, Root, Route,
    UnitType,
};

/// Every importer, distributor and unit type, by id.
#[derive(Clone, Default)]
pub struct Registry {
    types: Vec<Arc<dyn ContentType>>,
    units: BTreeMap<&'static str, &'static UnitType>,
    importers: BTreeMap<&'static str, Arc<dyn Importer>>,
    distributors: BTreeMap<&'static str, Arc<dyn Distributor>>,
    group_distributors: BTreeMap<&'static str, Arc<dyn GroupDistributor>>,
    /// The roots of each family.
    roots: Vec<(&'static str, &'static Root)>,
    /// The roots of the family of each distributor.
    roots_of: BTreeMap<&'static str, &'static [Root]>,
    routes: Vec<OwnRoute>,
}

/// An endpoint of a family.
#[derive(Clone)]
pub struct OwnRoute {
    /// The family.
    pub family: Arc<dyn ContentType>,
    /// The root that it lies below.
    pub root: &'static Root,
    /// The endpoint as data.
    pub route: &'static Route,
    /// Its path.
    pub template: Template,
}

impl Registry {
    /// A registry of `types`. Where two name the same id the later one wins; the list is ours, and a test of the
    /// binary checks that no id stands twice.
    ///
    /// # Errors
    /// When the roots of two families meet, or one meets the platform's paths.
    pub fn new(types: Vec<Arc<dyn ContentType>>) -> Result<Self, RootError> {
        let mut registry = Self::default();
        for content_type in &types {
            registry.take_roots(&**content_type)?;
            registry.take_routes(content_type)?;
            for unit in content_type.unit_types() {
                registry.units.insert(unit.id, unit);
            }
            for importer in content_type.importers() {
                registry
                    .importers
                    .insert(importer.descriptor().id, importer);
            }
            for distributor in content_type.distributors() {
                registry
                    .distributors
                    .insert(distributor.descriptor().id, distributor);
            }
            for distributor in content_type.group_distributors() {
                registry
                    .group_distributors
                    .insert(distributor.descriptor().id, distributor);
            }
        }
        registry.types = types;
        Ok(registry)
    }

    fn take_roots(&mut self, family: &dyn ContentType) -> Result<(), RootError> {
        for root in family.roots() {
            root.check(self.roots.iter().copied())?;
            self.roots.push((family.name(), root));
        }
        let distributors = family.distributors();
        let of = distributors
            .iter()
            .map(|one| (one.descriptor().id, family.roots()));
        self.roots_of.extend(of);
        let groups = family.group_distributors();
        let of = groups
            .iter()
            .map(|one| (one.descriptor().id, family.roots()));
        self.roots_of.extend(of);
        Ok(())
    }

    fn take_routes(&mut self, family: &Arc<dyn ContentType>) -> Result<(), RootError> {
        for route in family.routes() {
            let no_route = || RootError::NoRoute(route.path);
            let template = Template::new(route.path).map_err(|_| no_route())?;
            let mut roots = family.roots().iter();
            let root = roots.find(|root| root.holds(route.path));
            self.routes.push(OwnRoute {
                family: Arc::clone(family),
                root: root.ok_or_else(no_route)?,
                route,
                template,
            });
        }
        Ok(())
    }

    /// The endpoints of all families.
    pub fn routes(&self) -> impl Iterator<Item = &OwnRoute> {
        self.routes.iter()
    }

    /// The roots of all families.
    pub fn roots(&self) -> impl Iterator<Item = &'static Root> {
        self.roots.iter().map(|(_, root)| *root)
    }

    /// The roots of the family that has the distributor type `id`.
    #[must_use]
    pub fn roots_of(&self, id: &str) -> &'static [Root] {
        self.roots_of.get(id).copied().unwrap_or_default()
    }

    /// Every family of types.
    #[must_use]
    pub fn types(&self) -> &[Arc<dyn ContentType>] {
        &self.types
    }

    /// The unit type `id`.
    #[must_use]
    pub fn unit_type(&self, id: &str) -> Option<&'static UnitType> {
        self.units.get(id).copied()
    }

    /// Every unit type, by id.
    pub fn unit_types(&self) -> impl Iterator<Item = &'static UnitType> {
        self.units.values().copied()
    }

    /// Tells whether clients are shown units of the type `id` where they did not ask for them by name.
    #[must_use]
    pub fn is_shown(&self, id: &str) -> bool {
        self.unit_type(id).is_none_or(|unit| unit.shown)
    }

    /// Every unit type that clients are shown, by id.
    pub fn shown_types(&self) -> impl Iterator<Item = &'static UnitType> {
        self.unit_types().filter(|unit| unit.shown)
    }

    /// The fields that are worked out of the files of a type's units.
    pub(crate) fn learned(&self, id: &str) -> &'static [&'static str] {
        self.unit_type(id).map_or(&[], |unit| unit.learned)
    }

    /// Takes away from numbers of units by type those that clients are not shown.
    pub fn show(&self, counts: &mut BTreeMap<String, i64>) {
        counts.retain(|type_id, _| self.is_shown(type_id));
    }

    /// The cataloger `id`.
    #[must_use]
    pub fn cataloger(&self, id: &str) -> Option<Arc<dyn Cataloger>> {
        let mut all = self.types.iter().flat_map(|family| family.catalogers());
        all.find(|cataloger| cataloger.id() == id)
    }

    /// Every reader of profiles.
    pub fn profilers(&self) -> impl Iterator<Item = Arc<dyn Profiler>> {
        self.types.iter().flat_map(|family| family.profilers())
    }

    /// The reader of profiles of a content type.
    #[must_use]
    pub fn profiler(&self, content_type: &str) -> Option<Arc<dyn Profiler>> {
        let mut all = self.profilers();
        all.find(|profiler| profiler.content_types().contains(&content_type))
    }

    /// The importer type `id`.
    #[must_use]
    pub fn importer(&self, id: &str) -> Option<&Arc<dyn Importer>> {
        self.importers.get(id)
    }

    /// Every importer type, by id.
    pub fn importers(&self) -> impl Iterator<Item = &Arc<dyn Importer>> {
        self.importers.values()
    }

    /// The distributor type `id`.
    #[must_use]
    pub fn distributor(&self, id: &str) -> Option<&Arc<dyn Distributor>> {
        self.distributors.get(id)
    }

    /// The group distributor type `id`. `/v2/plugins/` does not show them, nor did Pulp's.
    #[must_use]
    pub fn group_distributor(&self, id: &str) -> Option<&Arc<dyn GroupDistributor>> {
        self.group_distributors.get(id)
    }

    /// Every distributor type, by id.
    pub fn distributors(&self) -> impl Iterator<Item = &Arc<dyn Distributor>> {
        self.distributors.values()
    }
}
