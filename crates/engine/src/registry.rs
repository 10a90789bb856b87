//! The content types of this server, looked up by the ids that the API uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use pith_content::{Cataloger, ContentType, Distributor, GroupDistributor, Importer, UnitType};

/// Every importer, distributor and unit type, by id.
#[derive(Clone, Default)]
pub struct Registry {
    types: Vec<Arc<dyn ContentType>>,
    units: BTreeMap<&'static str, (usize, &'static UnitType)>,
    importers: BTreeMap<&'static str, Arc<dyn Importer>>,
    distributors: BTreeMap<&'static str, Arc<dyn Distributor>>,
    group_distributors: BTreeMap<&'static str, Arc<dyn GroupDistributor>>,
}

impl Registry {
    /// A registry of `types`. Where two name the same id the later one wins; the list is ours, and a test of the
    /// binary checks that no id stands twice.
    #[must_use]
    pub fn new(types: Vec<Arc<dyn ContentType>>) -> Self {
        let mut registry = Self::default();
        for (index, content_type) in types.iter().enumerate() {
            for unit in content_type.unit_types() {
                registry.units.insert(unit.id, (index, unit));
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
        registry
    }

    /// Every family of types.
    #[must_use]
    pub fn types(&self) -> &[Arc<dyn ContentType>] {
        &self.types
    }

    /// The unit type `id`.
    #[must_use]
    pub fn unit_type(&self, id: &str) -> Option<&'static UnitType> {
        self.units.get(id).map(|(_, unit)| *unit)
    }

    /// Every unit type, by id.
    pub fn unit_types(&self) -> impl Iterator<Item = &'static UnitType> {
        self.units.values().map(|(_, unit)| *unit)
    }

    /// Tells whether clients are shown units of the type `id` where they did not ask for them by name.
    #[must_use]
    pub fn is_listed(&self, id: &str) -> bool {
        self.content_type_of(id)
            .is_none_or(|family| family.is_listed(id))
    }

    /// Every unit type that clients are shown, by id.
    pub fn listed_types(&self) -> impl Iterator<Item = &'static UnitType> {
        self.unit_types().filter(|unit| self.is_listed(unit.id))
    }

    /// Takes away from numbers of units by type those that clients are not shown.
    pub(crate) fn show(&self, counts: &mut BTreeMap<String, i64>) {
        counts.retain(|type_id, _| self.is_listed(type_id));
    }

    /// The cataloger `id`.
    #[must_use]
    pub fn cataloger(&self, id: &str) -> Option<Arc<dyn Cataloger>> {
        let mut all = self.types.iter().flat_map(|family| family.catalogers());
        all.find(|cataloger| cataloger.id() == id)
    }

    /// The family that the unit type `id` belongs to.
    #[must_use]
    pub fn content_type_of(&self, unit_type: &str) -> Option<&Arc<dyn ContentType>> {
        self.units
            .get(unit_type)
            .map(|(index, _)| &self.types[*index])
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
