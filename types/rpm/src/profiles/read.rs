//! Profiles as hosts send them, and the form in which they are kept (pulp2/applicability#profiles).

use std::cmp::Ordering;

use pith_content::{Problem, Problems, Wording};
use pith_core::Document;
use serde_json::Value;

/// The most packages of a host.
const MOST_PACKAGES: usize = 100_000;
/// The most modules of a host.
const MOST_MODULES: usize = 10_000;
/// Problems that a host is told.
const MOST_TOLD: usize = 10;

/// The fields of a package that all have, in the order in which packages are sorted.
const PACKAGE: [&str; 6] = ["name", "epoch", "version", "release", "arch", "vendor"];
/// The fields of a module that all have.
const MODULE: [&str; 5] = ["name", "stream", "version", "context", "arch"];

/// Reads the packages of a host: hosts with the same ones give the same list.
pub(super) fn packages(sent: Value) -> Result<Value, Problems> {
    let mut list = list(sent, ("packages", MOST_PACKAGES), |entry| {
        missing(entry, &PACKAGE)
            .or_else(|| not_text(entry, &["name", "version", "release", "arch", "vendor"]))
            .or_else(|| not_number(entry, "epoch"))
    })?;
    list.sort_by(compare_packages);
    Ok(Value::Array(list.into_iter().map(Value::Object).collect()))
}

/// Reads the modules that are enabled at a host, which are kept as they were sent.
pub(super) fn modules(sent: Value) -> Result<Value, Problems> {
    let list = list(sent, ("modules", MOST_MODULES), |entry| {
        missing(entry, &MODULE)
            .or_else(|| not_text(entry, &["name", "stream", "context", "arch"]))
            .or_else(|| not_number(entry, "version"))
    })?;
    Ok(Value::Array(list.into_iter().map(Value::Object).collect()))
}

/// Reads a list of at most so many objects of which each must pass a check.
fn list(
    sent: Value,
    (things, most): (&str, usize),
    check: impl Fn(&Document) -> Option<String>,
) -> Result<Vec<Document>, Problems> {
    let problem = |text: String| Problem::new("profile", text);
    let Value::Array(entries) = sent else {
        return Err(problem(format!("a profile of {things} is a list of objects")).into());
    };
    if entries.len() > most {
        let found = entries.len();
        let text = format!("the profile has {found} {things}, and pith takes {most} at most");
        return Err(problem(text).into());
    }
    let (mut good, mut problems) = (Vec::with_capacity(entries.len()), Vec::new());
    for (at, entry) in (0_usize..).zip(entries) {
        let found = match entry {
            Value::Object(entry) => match check(&entry) {
                None => {
                    good.push(entry);
                    continue;
                }
                Some(found) => found,
            },
            _ => "is no object".to_owned(),
        };
        problems.push(problem(format!("entry {at} of the profile {found}")).with("entry", at));
        if problems.len() == MOST_TOLD {
            break;
        }
    }
    Problems::check(problems, Wording::Lines)?;
    Ok(good)
}

fn missing(entry: &Document, fields: &[&str]) -> Option<String> {
    let mut absent = fields.iter().filter(|field| !entry.contains_key(**field));
    let absent = absent.next()?;
    Some(format!("has no '{absent}'"))
}

fn not_text(entry: &Document, fields: &[&str]) -> Option<String> {
    let is_text = |field: &str| matches!(entry.get(field), Some(Value::String(_) | Value::Null));
    let wrong = fields.iter().find(|field| !is_text(field))?;
    Some(format!("has something else than a text as '{wrong}'"))
}

fn not_number(entry: &Document, field: &str) -> Option<String> {
    let is_number = match entry.get(field) {
        Some(Value::Number(number)) => number.is_u64(),
        // What hosts have no epoch for is said in many ways.
        Some(Value::String(_) | Value::Null) => true,
        _ => false,
    };
    (!is_number).then(|| format!("has something else than a number as '{field}'"))
}

fn compare_packages(a: &Document, b: &Document) -> Ordering {
    let mut fields = PACKAGE.iter();
    let order =
        fields.find_map(
            |field| match a.get(*field).map(rank).cmp(&b.get(*field).map(rank)) {
                Ordering::Equal => None,
                order => Some(order),
            },
        );
    order.unwrap_or_else(|| {
        let text = |entry: &Document| serde_json::to_string(entry).unwrap_or_default();
        text(a).cmp(&text(b))
    })
}

/// The order of unlike values: nothing, numbers, texts.
fn rank(value: &Value) -> (u8, u64, &str) {
    match value {
        Value::String(text) => (2, 0, text),
        Value::Number(number) => (1, number.as_u64().unwrap_or_default(), ""),
        _ => (0, 0, ""),
    }
}

#[cfg(test)]
mod tests {
    use pith_content::profile::Profile;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn package(name: &str, epoch: impl Into<Value>) -> Value {
        let epoch: Value = epoch.into();
        json!({"name": name, "epoch": epoch, "version": "1", "release": "1", "arch": "noarch", "vendor": null})
    }

    #[test]
    fn packages_are_in_the_order_of_the_recordings() {
        let installed = |name: &str, version: &str| {
            let mut package = package(name, 0);
            (package["version"], package["vendor"]) = (json!(version), json!("x"));
            package
        };
        let read = packages(json!([installed("cat", "0.5"), installed("bear", "4.0")])).unwrap();
        assert_eq!(
            Profile::new(&read).unwrap().digest().to_string(),
            "1baed0daeeab7c0cd3c957806f477055e6db92aad39d548037bb77819727f3a7"
        );
    }

    #[test]
    fn hosts_with_the_same_packages_have_the_same_profile() {
        let list = [
            package("a", Value::Null),
            package("a", 2),
            package("a", 10),
            package("a", "0"),
            package("b", 0),
        ];
        let sorted = packages(json!(list)).unwrap();
        assert_eq!(sorted, json!(list));
        let mut turned = list;
        turned.reverse();
        let turned = packages(json!(turned)).unwrap();
        let digest = |value: &Value| Profile::new(value).unwrap().digest();
        assert_eq!(digest(&turned), digest(&sorted));
    }

    #[test]
    fn every_problem_is_told_up_to_a_number() {
        let with = |field: &str, value: Value| {
            let mut package = package("a", 0);
            package[field] = value;
            package
        };
        let short = json!({"name": "a"});
        let sent = json!([
            5,
            short,
            with("arch", json!(1)),
            with("epoch", json!(-1)),
            package("a", 0)
        ]);
        assert_eq!(
            packages(sent).unwrap_err().to_string(),
            "entry 0 of the profile is no object\nentry 1 of the profile has no 'epoch'\n\
             entry 2 of the profile has something else than a text as 'arch'\n\
             entry 3 of the profile has something else than a number as 'epoch'"
        );
        let many = packages(Value::from(vec![5; 50])).unwrap_err();
        assert_eq!(many.all().len(), MOST_TOLD);
        let text = |sent: Value| packages(sent).unwrap_err().to_string();
        assert_eq!(
            text(json!({"a": 1})),
            "a profile of packages is a list of objects"
        );
        let million = text(Value::from(vec![Value::Null; 1_000_000]));
        assert_eq!(
            million,
            "the profile has 1000000 packages, and pith takes 100000 at most"
        );
    }

    #[test]
    fn modules_are_kept_as_they_were_sent() {
        let module = |version: Value| json!({"name": "b", "stream": "1.10", "version": version, "context": "c0", "arch": "x86_64"});
        let sent = json!([module(json!(2)), module(json!("1"))]);
        assert_eq!(modules(sent.clone()), Ok(sent));
        let float = modules(json!([module(json!(1.5))])).unwrap_err();
        assert_eq!(
            float.to_string(),
            "entry 0 of the profile has something else than a number as 'version'"
        );
    }
    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            3 => Just(Value::Null),
            1 => (-2..3_i64).prop_map(Value::from),
            20 => prop::sample::select(vec!["", "0", "1", "a\u{e9}"]).prop_map(Value::from),
            1 => Just(json!([1.5])),
        ]
    }

    prop_compose! {
        fn any_entry()(
            values in prop::collection::vec(any_value(), 6),
            lacks in prop::option::weighted(0.1, 0..6_usize),
            more in any::<bool>(),
        ) -> Value {
            let fields = PACKAGE.iter().zip(values).enumerate();
            let fields = fields.filter(|(at, _)| Some(*at) != lacks);
            let mut entry: Document = fields.map(|(_, (field, value))| ((*field).to_owned(), value)).collect();
            if more {
                entry.insert("more".to_owned(), json!({"x": entry.len()}));
            }
            Value::Object(entry)
        }
    }

    proptest! {
        #[test]
        fn what_passes_has_one_form_that_stays(mut sent in prop::collection::vec(any_entry(), 0..4)) {
            let read = packages(json!(sent));
            sent.reverse();
            prop_assert_eq!(packages(json!(sent)).is_ok(), read.is_ok());
            if let Ok(read) = read {
                prop_assert_eq!(packages(json!(sent)).unwrap(), read.clone());
                prop_assert_eq!(packages(read.clone()).unwrap(), read);
            }
        }
    }
}
