//! Conditions in PostgreSQL's words: JSON paths, which walk through lists on the way as filters do. Values go along as
//! variables, so that each shape of a filter is one statement.

use serde_json::{Value as Json, json};

use super::{Test, after_prefix};
use crate::dialect::Sql;
use crate::field::Field;
use crate::value::json_text;

/// Writes the condition that a value at `field` of `u.doc` passes `test`.
pub(super) fn write(out: &mut Sql, field: &Field, plain: bool, test: &Test) {
    let doc = field.json("u.doc");
    let path: String = field
        .names()
        .iter()
        .map(|name| format!(".\"{name}\""))
        .collect();
    match test {
        Test::In(values) => {
            out.push("(");
            // A list in a list is no element that a plain value equals.
            found(
                out,
                &path,
                "@.type() != \"array\" && @ == $v[*]",
                &json!(values),
            );
            if values.iter().any(Json::is_null) {
                out.push(&format!(" OR {doc} IS NULL"));
            }
            out.push(")");
        }
        Test::Text(operator, text) => {
            let condition = format!("@.type() == \"string\" && @ {operator} $v");
            found(out, &path, &condition, &json!(text));
        }
        Test::Number(operator, number) => {
            let number: Json = number.parse().unwrap_or_default();
            let condition = format!("@.type() == \"number\" && @ {operator} $v");
            found(out, &path, &condition, &number);
        }
        Test::Has {
            text,
            at_start,
            at_end,
        } if plain => has(out, field, text, *at_start, *at_end),
        Test::Has {
            text,
            at_start,
            at_end,
        } => within(out, &path, text, *at_start, *at_end),
        Test::Exists => {
            out.push(&format!("jsonb_path_exists(u.doc, '${path}')"));
        }
        Test::Size(size) => {
            out.push(&format!(
                "(CASE WHEN jsonb_typeof({doc}) = 'array' THEN jsonb_array_length({doc}) = {size} ELSE FALSE END)"
            ));
        }
        Test::IsText => is_of(out, &path, "string"),
        Test::IsNumber => is_of(out, &path, "number"),
        Test::IsBool => is_of(out, &path, "boolean"),
        Test::IsNull => is_of(out, &path, "null"),
    }
}

/// A value at `path` passes `condition`, in which `$v` is `value`.
fn found(out: &mut Sql, path: &str, condition: &str, value: &Json) {
    out.push(&format!(
        "jsonb_path_exists(u.doc, '${path} ? ({condition})', "
    ))
    .bind(json_text(&json!({ "v": value })))
    .push("::text::jsonb)");
}

fn is_of(out: &mut Sql, path: &str, kind: &str) {
    out.push(&format!(
        "jsonb_path_exists(u.doc, '${path} ? (@.type() == \"{kind}\")')"
    ));
}

/// A plain value: functions over text are quicker than paths.
fn has(out: &mut Sql, field: &Field, text: &str, at_start: bool, at_end: bool) {
    let value = field.scalar("u.doc");
    out.push(&format!(
        "(jsonb_typeof({}) = 'string'",
        field.json("u.doc")
    ));
    if at_start {
        out.push(&format!(" AND starts_with({value}, "))
            .bind(text)
            .push("::text)");
    }
    if at_end {
        out.push(&format!(" AND right({value}, length("))
            .bind(text)
            .push("::text)) = ")
            .bind(text)
            .push("::text");
    }
    if !at_start && !at_end {
        out.push(&format!(" AND strpos({value}, "))
            .bind(text)
            .push("::text) > 0");
    }
    out.push(")");
}

/// A value somewhere below lists.
fn within(out: &mut Sql, path: &str, text: &str, at_start: bool, at_end: bool) {
    if at_start && !at_end {
        let range = after_prefix(text).map_or("", |_| " && @ < $v[1]");
        let condition = format!("@.type() == \"string\" && @ >= $v[0]{range}");
        let bounds = json!([text, after_prefix(text).unwrap_or_default()]);
        found(out, path, &condition, &bounds);
        return;
    }
    // An expression cannot be a variable: the whole path is bound. A single ^ or $ holds at the ends of the text only,
    // for newlines get no special treatment unless a flag asks for it.
    let start = if at_start { "^" } else { "" };
    let end = if at_end { "$" } else { "" };
    let expression = format!("{start}{}{end}", literally(text));
    let condition = format!("like_regex {}", json!(expression));
    let whole = format!("${path} ? (@.type() == \"string\" && @ {condition})");
    out.push("jsonb_path_exists(u.doc, ")
        .bind(whole)
        .push("::text::jsonpath)");
}

/// The expression that finds just `text`: before what is neither letter nor digit, a backslash takes its meaning away.
fn literally(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for each in text.chars() {
        if each.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(each);
    }
    expression
}
