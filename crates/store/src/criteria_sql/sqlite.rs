//! Conditions in SQLite's words.
//!
//! Lists are walked with `json_each`; its rows are elements for a list and members for an object, so that the kind of
//! the container is asked first.

use serde_json::Value as Json;

use super::{Test, after_prefix};
use crate::dialect::Sql;
use crate::field::Field;

/// Writes the condition that a value at `field` of `u.doc` passes `test`.
pub(super) fn write(out: &mut Sql, field: &Field, plain: bool, test: &Test) {
    if plain {
        let path = json_path(field.names());
        value(
            out,
            &format!("json_type(u.doc,{path})"),
            &field.scalar("u.doc"),
            test,
        );
        return;
    }
    walk(out, "u.doc", &[], field.names(), 0, test);
}

fn json_path(names: &[String]) -> String {
    let path: String = names.iter().map(|name| format!(".\"{name}\"")).collect();
    format!("'${path}'")
}

/// Walks on below `json`: the names in `done` lead through objects to where `rest` starts. `depth` names the tables.
fn walk(out: &mut Sql, json: &str, done: &[String], rest: &[String], depth: usize, test: &Test) {
    let Some((next, rest)) = rest.split_first() else {
        return;
    };
    let names: Vec<String> = done.iter().chain([next]).cloned().collect();
    let path = json_path(&names);
    let kind = format!("json_type({json},{path})");
    let each = format!("e{depth}");
    if rest.is_empty() {
        last(out, json, &path, &kind, &each, test);
        return;
    }
    out.push(&format!(
        "CASE {kind} WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each({json},{path}) {each} WHERE {each}.type = 'object' AND "
    ));
    walk(out, &format!("{each}.value"), &[], rest, depth + 1, test);
    out.push(") WHEN 'object' THEN ");
    walk(out, json, &names, rest, depth + 1, test);
    out.push(" ELSE ");
    value(out, "NULL", "NULL", test);
    out.push(" END");
}

/// The value at the end of a path, or the elements of the list there.
fn last(out: &mut Sql, json: &str, path: &str, kind: &str, each: &str, test: &Test) {
    match test {
        Test::Exists => {
            out.push(&format!("({kind} IS NOT NULL)"));
        }
        Test::Size(size) => {
            out.push(&format!(
                "({kind} = 'array' AND json_array_length({json},{path}) = {size})"
            ));
        }
        _ => {
            out.push(&format!(
                "CASE {kind} WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each({json},{path}) {each} WHERE "
            ));
            value(out, &format!("{each}.type"), &format!("{each}.atom"), test);
            out.push(") ELSE ");
            value(out, kind, &format!("({json}->>{path})"), test);
            out.push(" END");
        }
    }
}

/// One value: `kind` is its JSON type, NULL when it is missing.
fn value(out: &mut Sql, kind: &str, value: &str, test: &Test) {
    match test {
        Test::In(values) => one_of(out, kind, value, values),
        Test::Text(operator, text) => {
            out.push(&format!("({kind} = 'text' AND {value} {operator} "))
                .bind(text)
                .push(")");
        }
        Test::Number(operator, number) => {
            // As serde_json prints it, which is a number of SQL.
            out.push(&format!(
                "({kind} IN ('integer','real') AND {value} {operator} {number})"
            ));
        }
        Test::Has {
            text,
            at_start,
            at_end,
        } => has(out, kind, value, text, *at_start, *at_end),
        Test::Exists => {
            out.push(&format!("({kind} IS NOT NULL)"));
        }
        Test::Size(_) => {
            out.push("1 = 0");
        }
        Test::IsText => {
            out.push(&format!("({kind} = 'text')"));
        }
        Test::IsNumber => {
            out.push(&format!("({kind} IN ('integer','real'))"));
        }
        Test::IsBool => {
            out.push(&format!("({kind} IN ('true','false'))"));
        }
        Test::IsNull => {
            out.push(&format!("({kind} = 'null')"));
        }
    }
}

fn one_of(out: &mut Sql, kind: &str, value: &str, values: &[Json]) {
    let texts: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
    let numbers: Vec<String> = values
        .iter()
        .filter(|v| v.is_number())
        .map(Json::to_string)
        .collect();
    let flags: Vec<String> = values
        .iter()
        .filter_map(Json::as_bool)
        .map(|flag| format!("'{flag}'"))
        .collect();
    out.push("(1 = 0");
    if !texts.is_empty() {
        out.push(&format!(" OR ({kind} = 'text' AND "))
            .bind_in(value, texts)
            .push(")");
    }
    if !numbers.is_empty() {
        let numbers = numbers.join(",");
        out.push(&format!(
            " OR ({kind} IN ('integer','real') AND {value} IN ({numbers}))"
        ));
    }
    if !flags.is_empty() {
        out.push(&format!(" OR {kind} IN ({})", flags.join(",")));
    }
    if values.iter().any(Json::is_null) {
        out.push(&format!(" OR {kind} IS NULL OR {kind} = 'null'"));
    }
    out.push(")");
}

fn has(out: &mut Sql, kind: &str, value: &str, text: &str, at_start: bool, at_end: bool) {
    out.push("(");
    if at_start {
        // A range, so that an index can be used.
        out.push(value).push(" >= ").bind(text);
        if let Some(after) = after_prefix(text) {
            out.push(&format!(" AND {value} < ")).bind(after);
        }
    }
    if at_end {
        out.push(if at_start { " AND " } else { "" })
            .push(&format!("substr({value}, -length("))
            .bind(text)
            .push(")) = ")
            .bind(text);
    }
    if !at_start && !at_end {
        // Every text is at least '': an index on the value is walked instead of the documents.
        out.push(&format!("{value} >= '' AND instr({value}, "))
            .bind(text)
            .push(") > 0");
    }
    out.push(&format!(" AND {kind} = 'text')"));
}
