//! `/v2/plugins/`: types, importers and distributors (pulp2/server#plugins).

use pith_content::{PluginDescriptor, UnitType};
use pith_core::Sha256;
use pith_core::error::PulpError;
use pith_engine::{Error, Registry};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Call, Json, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{NONE, READ, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/plugins/distributors/", READ, distributors, "List the distributor types.", [], NONE => Many("Plugin")),
    operation!(Get "/plugins/distributors/<distributor>/", READ, distributor, "Read a distributor type.", [], NONE => One("Plugin")),
    operation!(Get "/plugins/importers/", READ, importers, "List the importer types.", [], NONE => Many("Plugin")),
    operation!(Get "/plugins/importers/<importer>/", READ, importer, "Read an importer type.", [], NONE => One("Plugin")),
    operation!(Get "/plugins/types/", READ, types, "List the unit types.", [], NONE => Many("Plugin")),
    operation!(Get "/plugins/types/<type>/", READ, unit_type, "Read a unit type.", [], NONE => One("Plugin")),
];

const BASE: &str = "/pulp/api/v2/plugins";

fn type_document(kind: &UnitType, href: &str) -> Value {
    // Types are compiled in and have no row; their identity is a name's digest, the same on every server.
    let oid = Sha256::of(kind.id.as_bytes()).to_string()[..24].to_owned();
    let key: Vec<&str> = kind.key.iter().map(|field| field.stored).collect();
    json!({
        "_id": { "$oid": oid },
        "_ns": "content_types",
        "_href": href,
        "id": kind.id,
        "display_name": kind.display_name,
        "description": kind.description,
        "unit_key": key,
        "search_indexes": kind.search_indexes(),
        "referenced_types": kind.referenced_types,
    })
}

fn plugin_document(registry: &Registry, plugin: &PluginDescriptor, href: &str) -> Value {
    let shown = |type_id: &&&str| registry.is_shown(type_id);
    let types: Vec<&&str> = plugin.types.iter().filter(shown).collect();
    json!({
        "_href": href,
        "id": plugin.id,
        "display_name": plugin.display_name,
        "types": types,
    })
}

/// The documents of the importer or distributor types, which `plural` are called in their addresses.
fn plugin_documents(
    call: &Call,
    plural: &str,
    descriptors: impl Iterator<Item = &'static PluginDescriptor>,
) -> Vec<Value> {
    let registry = &call.pulp.engine.registry;
    let document = |plugin: &'static PluginDescriptor| {
        plugin_document(registry, plugin, &format!("{BASE}/{plural}/{}/", plugin.id))
    };
    descriptors.map(document).collect()
}

/// Every content type.
pub(crate) async fn types(call: Call) -> Result<Json<impl Serialize>, Error> {
    let kinds = call.pulp.engine.registry.shown_types();
    let documents: Vec<Value> = kinds
        .map(|kind| type_document(kind, &format!("{BASE}/types/{}/", kind.id)))
        .collect();
    Ok(Json(documents))
}

/// One content type.
pub(crate) async fn unit_type(
    call: Call,
    Segments([type_id]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let id = &type_id;
    let kind = call.pulp.engine.registry.unit_type(id);
    let kind = kind.ok_or_else(|| PulpError::missing_resource(&[("type", id)]))?;
    Ok(Json(type_document(kind, &call.href)))
}

/// Every importer type.
pub(crate) async fn importers(call: Call) -> Result<Json<impl Serialize>, Error> {
    let plugins = call.pulp.engine.registry.importers();
    let descriptors = plugins.map(|plugin| plugin.descriptor());
    Ok(Json(plugin_documents(&call, "importers", descriptors)))
}

/// One importer type.
pub(crate) async fn importer(
    call: Call,
    Segments([importer]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let id = &importer;
    let plugin = call.pulp.engine.registry.importer(id);
    let plugin = plugin.ok_or_else(|| PulpError::missing_resource(&[("importer_type_id", id)]))?;
    Ok(Json(plugin_document(
        &call.pulp.engine.registry,
        plugin.descriptor(),
        &call.href,
    )))
}

/// Every distributor type.
pub(crate) async fn distributors(call: Call) -> Result<Json<impl Serialize>, Error> {
    let plugins = call.pulp.engine.registry.distributors();
    let descriptors = plugins.map(|plugin| plugin.descriptor());
    Ok(Json(plugin_documents(&call, "distributors", descriptors)))
}

/// One distributor type.
pub(crate) async fn distributor(
    call: Call,
    Segments([distributor]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let id = &distributor;
    let plugin = call.pulp.engine.registry.distributor(id);
    let plugin =
        plugin.ok_or_else(|| PulpError::missing_resource(&[("distributor_type_id", id)]))?;
    Ok(Json(plugin_document(
        &call.pulp.engine.registry,
        plugin.descriptor(),
        &call.href,
    )))
}
