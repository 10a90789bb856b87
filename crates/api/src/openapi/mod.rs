//! The API's description in OpenAPI 3.0, made of the operations.
//!
//! `GET /pith/openapi.json` answers it, docs/reference/ holds it and its readable form; a test holds all of them
//! together.

mod page;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::operation::{Param, RestBodyKind, RestRoute, RestVerb, Shape};
use crate::routes::routes;

pub use self::page::page;

/// The path at which the API is mounted.
const MOUNT: &str = "/pulp/api/v2";
/// Names in paths that a reader can picture; the check of the description against a live server makes them real.
const EXAMPLES: &[(&str, &str)] = &[
    ("repo", "zoo"),
    ("distributor", "gate"),
    ("type", "rpm"),
    ("group", "zoos"),
    ("login", "keeper"),
    ("role", "keepers"),
    ("action", "refresh"),
];
/// The bodies that operations take and answer, by name.
const SCHEMAS: &str = include_str!("schemas.json");

/// The whole description.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = format!("{MOUNT}{}", route.path.replace('<', "{").replace('>', "}"));
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[route.verb.name().to_ascii_lowercase()] = operation(route);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "pith",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST API of Pulp 2.21, as pith serves it.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "responses": {
                "Refused": {
                    "description": "Refused or failed; the document says why.",
                    "content": json_content(&json!({"$ref": "#/components/schemas/Error"})),
                },
            },
            "schemas": schemas,
        },
    })
}

fn operation(route: &RestRoute) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route.path);
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [route.path.split('/').nth(1).unwrap_or_default()],
        "responses": responses(route),
    });
    operation["summary"] = route.about.summary.into();
    let query = route.about.query.iter().copied().flatten();
    parameters.extend(query.map(query_parameter));
    if let Some(body) = request_body(route) {
        operation["requestBody"] = body;
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    match route.operation {
        Some(needed) => operation["x-permission"] = needed.name().into(),
        None => operation["security"] = json!([]),
    }
    operation["x-queues"] = route.queues.into();
    operation
}

/// A name for generated clients: the method and the words of the path.
fn operation_id(route: &RestRoute) -> String {
    let words = route.path.split(['/', '<', '>']).filter(|w| !w.is_empty());
    std::iter::once(route.verb.name().to_ascii_lowercase())
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("_")
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('<')?.strip_suffix('>'))
        .map(|name| {
            let kind = if name == "offset" {
                "integer"
            } else {
                "string"
            };
            let mut parameter =
                json!({"name": name, "in": "path", "required": true, "schema": {"type": kind}});
            if let Some((_, example)) = EXAMPLES.iter().find(|(known, _)| *known == name) {
                parameter["example"] = (*example).into();
            }
            parameter
        })
        .collect()
}

fn query_parameter(param: &Param) -> Value {
    let one = json!({"type": param.kind});
    let schema = if param.many {
        json!({"type": "array", "items": one})
    } else {
        one
    };
    json!({"name": param.name, "in": "query", "description": param.help, "schema": schema})
}

fn json_content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn schema(shape: Shape) -> Value {
    let named = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    match shape {
        Shape::One(name) => named(name),
        Shape::Many(name) => json!({"type": "array", "items": named(name)}),
        Shape::Null => json!({"nullable": true, "enum": [null]}),
        Shape::Bytes => json!({"type": "string", "format": "binary"}),
        Shape::Any | Shape::Empty => json!({}),
    }
}

fn request_body(route: &RestRoute) -> Option<Value> {
    let shape = route.about.takes;
    let content = match shape {
        Shape::Empty => return None,
        Shape::Bytes => json!({"application/octet-stream": {"schema": schema(shape)}}),
        _ => json_content(&schema(shape)),
    };
    let required = matches!(
        route.body,
        RestBodyKind::Object | RestBodyKind::Any | RestBodyKind::Raw
    );
    Some(json!({"required": required, "content": content}))
}

fn responses(route: &RestRoute) -> Value {
    let answer = route.about.answers;
    let mut good = json!({"description": reason(route.success)});
    if answer != Shape::Empty {
        good["content"] = json_content(&schema(answer));
    }
    let mut responses = json!({"default": {"$ref": "#/components/responses/Refused"}});
    responses[route.success.to_string()] = good.clone();
    // Answered at once when nothing is left to do, queued otherwise.
    if route.verb == RestVerb::Put && route.path == "/repositories/<repo>/" {
        good["description"] = reason(202).into();
        responses["202"] = good;
    }
    if route.path.ends_with("/action/<action>/") {
        let text = json!({"text/html": {"schema": {"type": "string"}}});
        responses["400"] = json!({"description": "There is no such action.", "content": text});
    }
    if route.path == "/content/units/<type>/<unit>/" || route.path.ends_with("/pulp_user_metadata/")
    {
        let missing = schema(Shape::One("Missing"));
        responses["404"] =
            json!({"description": "There is no such unit.", "content": json_content(&missing)});
    }
    responses
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Done")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_schema_that_is_named_is_there_and_every_one_there_is_named() {
        let text = document().to_string();
        let schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).unwrap();
        for name in schemas.keys() {
            assert!(
                text.contains(&format!("schemas/{name}\"")),
                "{name} is unused"
            );
        }
        for piece in text.split("#/components/schemas/").skip(1) {
            let name = piece.split('"').next().unwrap_or_default();
            assert!(schemas.contains_key(name), "{name} is missing");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut seen = HashSet::new();
        for route in routes() {
            assert!(seen.insert(operation_id(route)), "{}", operation_id(route));
        }
    }

    #[test]
    fn the_files_in_docs_are_what_the_code_says() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
        let mut text = serde_json::to_string_pretty(&document()).unwrap();
        text.push('\n');
        for (name, wanted) in [("openapi.json", text), ("api.md", page(&document()))] {
            let path = format!("{folder}/{name}");
            if std::env::var_os("PITH_REGENERATE").is_some() {
                std::fs::write(&path, &wanted).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == wanted,
                "docs/reference/{name} is out of date: PITH_REGENERATE=1 cargo test -p pith-api openapi"
            );
        }
    }
}
