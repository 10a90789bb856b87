//! `/v2/plugins/`: types, importers and distributors (pulp2/server#plugins).

use pith_content::{PluginDescriptor, UnitType};
use pith_core::Sha256;
use pith_core::error::PulpError;
use pith_engine::{Error, Registry};
use serde_json::{Value, json};

use crate::http::{Answer, Call};

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

/// Every content type.
pub(crate) async fn types(call: Call) -> Result<Answer, Error> {
    let kinds = call.pulp.engine.registry.shown_types();
    let documents: Vec<Value> = kinds
        .map(|kind| type_document(kind, &format!("{BASE}/types/{}/", kind.id)))
        .collect();
    Answer::json(&documents)
}

/// One content type.
pub(crate) async fn unit_type(call: Call) -> Result<Answer, Error> {
    let id = call.param(0);
    let kind = call.pulp.engine.registry.unit_type(id);
    let kind = kind.ok_or_else(|| PulpError::missing_resource(&[("type", id)]))?;
    Answer::json(&type_document(kind, &call.href))
}

/// Every importer type.
pub(crate) async fn importers(call: Call) -> Result<Answer, Error> {
    let plugins = call.pulp.engine.registry.importers();
    let documents: Vec<Value> = plugins
        .map(|plugin| plugin.descriptor())
        .map(|plugin| {
            plugin_document(
                &call.pulp.engine.registry,
                plugin,
                &format!("{BASE}/importers/{}/", plugin.id),
            )
        })
        .collect();
    Answer::json(&documents)
}

/// One importer type.
pub(crate) async fn importer(call: Call) -> Result<Answer, Error> {
    let id = call.param(0);
    let plugin = call.pulp.engine.registry.importer(id);
    let plugin = plugin.ok_or_else(|| PulpError::missing_resource(&[("importer_type_id", id)]))?;
    Answer::json(&plugin_document(
        &call.pulp.engine.registry,
        plugin.descriptor(),
        &call.href,
    ))
}

/// Every distributor type.
pub(crate) async fn distributors(call: Call) -> Result<Answer, Error> {
    let plugins = call.pulp.engine.registry.distributors();
    let documents: Vec<Value> = plugins
        .map(|plugin| plugin.descriptor())
        .map(|plugin| {
            plugin_document(
                &call.pulp.engine.registry,
                plugin,
                &format!("{BASE}/distributors/{}/", plugin.id),
            )
        })
        .collect();
    Answer::json(&documents)
}

/// One distributor type.
pub(crate) async fn distributor(call: Call) -> Result<Answer, Error> {
    let id = call.param(0);
    let plugin = call.pulp.engine.registry.distributor(id);
    let plugin =
        plugin.ok_or_else(|| PulpError::missing_resource(&[("distributor_type_id", id)]))?;
    Answer::json(&plugin_document(
        &call.pulp.engine.registry,
        plugin.descriptor(),
        &call.href,
    ))
}
