//! Errors as Pulp shows them: one type that knows its status, its code and the keys that its class adds
//! (pulp2/conventions#errors). Every other crate has its own error type and turns into this one last.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Document;

/// The `error` object of an answer or a task: code, text, data and nested errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// `PLP0009`, `RPM1004`, …
    pub code: String,
    /// The text for people.
    pub description: String,
    /// Values that the text was made of.
    #[serde(default)]
    pub data: Document,
    /// Errors this one gathers.
    #[serde(default)]
    pub sub_errors: Vec<ErrorDetail>,
}

impl ErrorDetail {
    /// An error without data.
    pub fn new(code: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            description: description.into(),
            data: Document::new(),
            sub_errors: Vec::new(),
        }
    }

    /// Adds a value to `data`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

/// An error with its HTTP status and the extra top-level keys of its class.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .detail.description)]
pub struct PulpError {
    /// HTTP status of an answer; 500 for errors that only tasks have.
    pub status: u16,
    /// The `error` object.
    pub detail: Box<ErrorDetail>,
    /// Keys merged into the top level of the answer.
    pub extra: Document,
}

/// Prints names the way Pulp's language did: `['a', 'b']`. Clients show the text, so the form matters.
#[must_use]
pub fn printed_list(names: &[Value]) -> String {
    let items: Vec<String> = names.iter().map(printed).collect();
    format!("[{}]", items.join(", "))
}

/// Prints a value the way Pulp's language did: texts in quotes, `None`, `True`.
#[must_use]
pub fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let quote = if text.contains('\'') && !text.contains('"') {
                '"'
            } else {
                '\''
            };
            let escaped = text.replace('\\', "\\\\");
            let escaped = if quote == '\'' {
                escaped.replace('\'', "\\'")
            } else {
                escaped
            };
            format!("{quote}{escaped}{quote}")
        }
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Names a value's type the way Pulp's messages do: `<type 'str'>`.
#[must_use]
pub fn type_printed(value: &Value) -> &'static str {
    match value {
        Value::Null => "<type 'NoneType'>",
        Value::Bool(_) => "<type 'bool'>",
        Value::Number(number) if number.is_f64() => "<type 'float'>",
        Value::Number(_) => "<type 'int'>",
        Value::String(_) => "<type 'str'>",
        Value::Array(_) => "<type 'list'>",
        Value::Object(_) => "<type 'dict'>",
    }
}

impl PulpError {
    fn of(status: u16, detail: ErrorDetail, extra: Value) -> Self {
        let extra = match extra {
            Value::Object(map) => map,
            _ => Document::new(),
        };
        Self {
            status,
            detail: Box::new(detail),
            extra,
        }
    }

    /// The code, such as `PLP0009`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.detail.code
    }

    /// 404 PLP0009: what is missing, as `(type, id)` pairs in order.
    #[must_use]
    pub fn missing_resource(resources: &[(&str, &str)]) -> Self {
        let text: Vec<String> = resources
            .iter()
            .map(|(kind, id)| format!("{kind}={id}"))
            .collect();
        let map: Document = resources
            .iter()
            .map(|(kind, id)| ((*kind).to_owned(), json!(id)))
            .collect();
        let detail = ErrorDetail::new(
            "PLP0009",
            format!("Missing resource(s): {}", text.join(", ")),
        )
        .with("resources", map.clone());
        Self::of(404, detail, json!({ "resources": map }))
    }

    fn properties(code: &str, label: &str, key: &str, names: &[Value]) -> Self {
        let printed = printed_list(names);
        let detail = ErrorDetail::new(code, format!("{label}: {printed}"))
            .with("property_names", Value::Array(names.to_vec()))
            .with("properties", printed);
        Self::of(400, detail, json!({ key: names }))
    }

    /// 400 PLP0015: these properties have values that cannot be.
    #[must_use]
    pub fn invalid_value(names: &[&str]) -> Self {
        Self::invalid_values(&names.iter().map(|n| json!(n)).collect::<Vec<_>>())
    }

    /// Makes [`Self::invalid_value`], for the few places where a name is not a text.
    #[must_use]
    pub fn invalid_values(names: &[Value]) -> Self {
        Self::properties("PLP0015", "Invalid properties", "property_names", names)
    }

    /// 400 PLP0016: these properties must be given.
    #[must_use]
    pub fn missing_value(names: &[&str]) -> Self {
        let names: Vec<Value> = names.iter().map(|n| json!(n)).collect();
        Self::properties(
            "PLP0016",
            "Missing values for",
            "missing_property_names",
            &names,
        )
    }

    /// 400 PLP0017: these properties may not be given.
    #[must_use]
    pub fn unsupported_value(names: &[&str]) -> Self {
        let names: Vec<Value> = names.iter().map(|n| json!(n)).collect();
        Self::properties(
            "PLP0017",
            "Unsupported properties",
            "unsupported_property_names",
            &names,
        )
    }

    /// 409 PLP0018: the id is in use.
    #[must_use]
    pub fn duplicate(id: &str) -> Self {
        let detail = ErrorDetail::new("PLP0018", format!("Duplicate resource: {id}"))
            .with("resource_id", id);
        Self::of(409, detail, json!({ "resource_id": id }))
    }

    /// 400 PLP0000: data refused, mostly by a plugin, with its own words.
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = ErrorDetail::new("PLP0000", message.clone());
        Self::of(400, detail, json!({ "args": [message] }))
    }

    /// 400 with `code`: a coded validation error.
    #[must_use]
    pub fn validation(detail: ErrorDetail) -> Self {
        Self::of(400, detail, json!({ "args": [] }))
    }

    /// 500 with `code`: a coded error, of a task or of the server.
    #[must_use]
    pub fn coded(detail: ErrorDetail) -> Self {
        Self::of(500, detail, json!({ "args": [] }))
    }

    /// 500 PLP0000: something failed that has no code of its own.
    #[must_use]
    pub fn execution(message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = ErrorDetail::new("PLP0000", message.clone());
        Self::of(500, detail, json!({ "args": [message] }))
    }

    /// 507 PLP0000: there is no room to do it.
    #[must_use]
    pub fn no_room(message: impl Into<String>) -> Self {
        Self {
            status: 507,
            ..Self::execution(message)
        }
    }

    /// 503 PLP0000: what it takes does not work now, and may later.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            status: 503,
            ..Self::execution(message)
        }
    }

    /// 429 PLP0000: this caller has asked too often, or too much at once.
    #[must_use]
    pub fn too_many(message: impl Into<String>) -> Self {
        Self {
            status: 429,
            ..Self::data(message)
        }
    }

    /// 400 PLP1009: the body is not JSON.
    #[must_use]
    pub fn not_json() -> Self {
        Self::validation(ErrorDetail::new(
            "PLP1009",
            "The request body does not contain valid JSON",
        ))
    }

    /// 400 PLP1015: the body is JSON of another type than an object.
    #[must_use]
    pub fn not_an_object() -> Self {
        let detail = ErrorDetail::new("PLP1015", "The JSON data must be of type 'dict'.")
            .with("data_type", "dict");
        Self::validation(detail)
    }

    /// 400 PLP1010: `field` has `value`, which is not a `field_type`.
    #[must_use]
    pub fn wrong_type(field: &str, field_type: &str, value: &Value) -> Self {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => printed(other),
        };
        let detail = ErrorDetail::new(
            "PLP1010",
            format!("Provided value {shown} for field {field} must be of type {field_type}."),
        )
        .with("field", field)
        .with("field_type", field_type)
        .with("value", value.clone());
        Self::validation(detail)
    }

    /// 401: `code` is one of PLP0025 to PLP0030, `legacy` its old name.
    #[must_use]
    pub fn unauthenticated(detail: ErrorDetail, legacy: &str) -> Self {
        Self::of(401, detail, json!({ "auth_error_code": legacy }))
    }

    /// 403 PLP0026: asked in a way that pith does not take from anybody.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::of(
            403,
            ErrorDetail::new("PLP0026", message),
            json!({ "args": [] }),
        )
    }

    /// 415 PLP0000: a body of another kind than JSON.
    #[must_use]
    pub fn unsupported_media(message: impl Into<String>) -> Self {
        Self {
            status: 415,
            ..Self::data(message)
        }
    }

    /// The body of the answer (pulp2/conventions#errors). `href` is the request URI as sent.
    #[must_use]
    pub fn to_body(&self, method: &str, href: &str) -> Value {
        let server_fault = self.status >= 500;
        let mut body = json!({
            "http_request_method": method,
            "http_status": self.status,
            "_href": href,
            "error_message": self.detail.description,
            "exception": if server_fault { json!([self.detail.description]) } else { Value::Null },
            "traceback": if server_fault { json!([]) } else { Value::Null },
            "error": self.detail,
        });
        if let Some(body) = body.as_object_mut() {
            for (key, value) in &self.extra {
                body.insert(key.clone(), value.clone());
            }
        }
        body
    }
}

impl From<ErrorDetail> for PulpError {
    fn from(detail: ErrorDetail) -> Self {
        Self::coded(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_resource_names_what_is_missing_twice() {
        let error = PulpError::missing_resource(&[("repository", "missing")]);
        assert_eq!(
            error.to_body("GET", "/pulp/api/v2/repositories/missing/"),
            json!({
                "http_request_method": "GET", "http_status": 404,
                "_href": "/pulp/api/v2/repositories/missing/",
                "error_message": "Missing resource(s): repository=missing",
                "exception": null, "traceback": null,
                "resources": {"repository": "missing"},
                "error": {"code": "PLP0009", "description": "Missing resource(s): repository=missing",
                          "data": {"resources": {"repository": "missing"}}, "sub_errors": []}
            })
        );
    }

    #[test]
    fn invalid_properties_are_printed_as_pulp_prints_them() {
        let error = PulpError::invalid_value(&["repo_id"]);
        assert_eq!(error.status, 400);
        assert_eq!(error.detail.description, "Invalid properties: ['repo_id']");
        assert_eq!(error.detail.data["properties"], "['repo_id']");
        assert_eq!(error.extra["property_names"], json!(["repo_id"]));
        assert_eq!(
            printed_list(&[json!("it's"), Value::Null]),
            "[\"it's\", None]"
        );
    }
}
