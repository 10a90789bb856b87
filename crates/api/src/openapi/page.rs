//! The description as a page for people.

use std::fmt::Write;

use serde_json::Value;

/// The description rendered as Markdown: operations by group, then the bodies that they take and answer.
#[must_use]
pub fn page(document: &Value) -> String {
    let mut out = String::from(
        "# REST API\n\nGenerated from the code, as is [openapi.json](openapi.json); a running server answers the same at \
         `/pith/openapi.json`.\nEvery operation but the status wants basic authentication or a client certificate. What \
         is refused is answered with an\n[Error](#error).\n",
    );
    let empty = serde_json::Map::new();
    let mut group = String::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&empty) {
        for (verb, operation) in item.as_object().unwrap_or(&empty) {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            if tag != group {
                let _ = write!(out, "\n## {tag}\n");
                tag.clone_into(&mut group);
            }
            write_operation(&mut out, verb, path, operation);
        }
    }
    out.push_str("\n## Bodies\n");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .unwrap_or(&empty)
    {
        let _ = write!(out, "\n### {name}\n");
        if let Some(text) = schema["description"].as_str() {
            let _ = write!(out, "\n{text}\n");
        }
        write_fields(&mut out, schema);
    }
    out
}

fn write_operation(out: &mut String, verb: &str, path: &str, operation: &Value) {
    let verb = verb.to_ascii_uppercase();
    let summary = operation["summary"].as_str().unwrap_or_default();
    let _ = write!(out, "\n**`{verb} {path}`** {summary}\n");
    let permission = operation["x-permission"].as_str().unwrap_or("none");
    let _ = write!(out, "Permission: {permission}.");
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let _ = write!(out, " Body: {}.", kind(body));
    }
    let responses = operation["responses"].as_object();
    for (status, response) in responses.into_iter().flatten() {
        if status.starts_with('2') {
            let answer = &response["content"]["application/json"]["schema"];
            let _ = write!(out, " Answers {status}: {}.", kind(answer));
        }
    }
    out.push('\n');
    let query = operation["parameters"].as_array().into_iter().flatten();
    let query: Vec<_> = query.filter(|p| p["in"] == "query").collect();
    if !query.is_empty() {
        out.push('\n');
    }
    for parameter in query {
        let name = parameter["name"].as_str().unwrap_or_default();
        let help = parameter["description"].as_str().unwrap_or_default();
        let _ = writeln!(out, "- `{name}` ({}): {help}", kind(&parameter["schema"]));
    }
}

fn write_fields(out: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object().filter(|p| !p.is_empty()) else {
        return;
    };
    let required = schema["required"].as_array();
    out.push_str("\n| field | type | |\n|---|---|---|\n");
    for (name, field) in properties {
        let needed = required.is_some_and(|all| all.iter().any(|r| r == name));
        let mut notes = Vec::new();
        if needed {
            notes.push("always".to_owned());
        }
        notes.extend(field["description"].as_str().map(str::to_owned));
        let _ = writeln!(out, "| `{name}` | {} | {} |", kind(field), notes.join("; "));
    }
}

/// A schema in a few words, with a link where it has a name.
fn kind(schema: &Value) -> String {
    let or_null = if schema["nullable"] == true {
        " or null"
    } else {
        ""
    };
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}{or_null}", kind(&schema["items"])),
        Some(name) => format!("{name}{or_null}"),
        None if schema["enum"].is_array() => "null".to_owned(),
        None if schema["oneOf"].is_array() => {
            let all = schema["oneOf"].as_array().into_iter().flatten();
            all.map(kind).collect::<Vec<_>>().join(" or ")
        }
        None => "any".to_owned(),
    }
}
