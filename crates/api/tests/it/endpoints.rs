//! Every operation of Pulp 2's API: that it is there, that its permission, status and queueing are those of the
//! index in `endpoints.tsv`, and which test has seen it succeed. `docs/reference/endpoints.md` is the table.
//!
//! Seen means seen: a replay fails when a line is answered otherwise and not listed as such, so each line of a recording
//! that succeeded and is not listed is an operation that the replay has used with success. What no recording at hand
//! shows is used by the test in `calls.rs`, from the same list that is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pith_api::routes::{RestRoute, routes};
use pith_testkit::golden;

use crate::calls::CALLS;
use crate::groups::{GROUPS, KNOWN_GROUPS};
use crate::recordings::RECORDINGS;
use crate::replay::read;

/// The last operation that belongs to what is built; the others are consumers and events.
const BUILT: u32 = 114;

/// A row of the index.
struct Row {
    number: u32,
    method: &'static str,
    path: &'static str,
    permission: &'static str,
    status: &'static str,
    queues: &'static str,
    /// The section that describes its behaviour, as the code cites it; `-` for what is not built.
    section: &'static str,
}

/// A link from `docs/reference` to a section that is cited as `pulp2/PAGE#HEADING`.
fn link(section: &str) -> String {
    let cited = section.strip_prefix("pulp2/").unwrap_or(section);
    let target = cited.replace('#', ".md#");
    format!("[{cited}](pulp2/{target})")
}

fn index() -> Vec<Row> {
    let lines = include_str!("../endpoints.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&'static str> = line.split('\t').collect();
            let [number, method, path, permission, status, queues, section] = fields[..] else {
                panic!("{line}");
            };
            Row {
                number: number.parse().unwrap(),
                method,
                path,
                permission,
                status,
                queues,
                section,
            }
        })
        .collect()
}

/// A path with its variables unnamed: the index and the routes call them differently.
fn unnamed(path: &str) -> String {
    let segments = path.split('/');
    let segments = segments.map(|segment| {
        if segment.starts_with('<') {
            "<>"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn route_of(row: &Row) -> Option<&'static RestRoute> {
    let same = |route: &&RestRoute| {
        route.verb.name() == row.method && unnamed(route.path) == unnamed(row.path)
    };
    routes().find(same)
}

/// The row that a request meant. Fixed segments win over variables.
fn row_of<'a>(index: &'a [Row], method: &str, path: &str) -> Option<&'a Row> {
    let path = path.split('?').next()?.strip_prefix("/pulp/api/v2")?;
    let fits = |row: &&Row| {
        let (pattern, given) = (row.path.split('/'), path.split('/'));
        row.method == method
            && pattern.clone().count() == given.clone().count()
            && pattern
                .zip(given)
                .all(|(a, b)| a == b || (a.starts_with('<') && !b.is_empty()))
    };
    let fixed = |row: &&Row| row.path.split('/').filter(|s| !s.starts_with('<')).count();
    index.iter().filter(fits).max_by_key(fixed)
}

/// Number of the operation -> the tests that have seen it succeed.
fn seen(index: &[Row]) -> BTreeMap<u32, BTreeSet<String>> {
    let mut seen: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let replays = RECORDINGS.iter().copied();
    for (name, text, known) in replays.chain([("12", GROUPS, KNOWN_GROUPS)]) {
        for exchange in read(text) {
            let differs = known.iter().any(|(line, _)| *line == exchange.n);
            let Some(row) = row_of(index, &exchange.method, &exchange.path) else {
                continue;
            };
            let status = exchange.status.to_string();
            if !differs && row.status.split('/').any(|success| success == status) {
                seen.entry(row.number)
                    .or_default()
                    .insert(format!("recording {name}"));
            }
        }
    }
    for (method, path, _, _) in CALLS {
        let same = |row: &&Row| row.method == *method && unnamed(row.path) == unnamed(path);
        let row = index.iter().find(same);
        let row = row.unwrap_or_else(|| panic!("{method} {path} is not in the index"));
        seen.entry(row.number)
            .or_default()
            .insert("calls".to_owned());
    }
    seen
}

#[test]
fn every_route_is_in_the_index_with_its_permission_status_and_queueing() {
    let index = index();
    assert_eq!(index.len(), 172);
    // Pulp had none of pith's own, which `signing_keys.rs` uses.
    for route in routes().filter(|route| !route.path.starts_with("/pith/")) {
        let name = format!("{} {}", route.verb.name(), route.path);
        let row = index
            .iter()
            .find(|row| route_of(row).is_some_and(|found| std::ptr::eq(found, route)));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the index"));
        let permission = route.operation.map_or("none", |operation| operation.name());
        assert_eq!(permission, row.permission, "{name}");
        let success = route.success.to_string();
        // What Pulp never answered with success has no status to agree on.
        assert!(
            row.status == "404" || row.status.split('/').any(|status| status == success),
            "{name}: {success}"
        );
        match row.queues {
            "yes" => assert!(route.queues, "{name}"),
            "no" => assert!(!route.queues, "{name}"),
            _ => {}
        }
    }
}

#[test]
fn every_operation_is_there_and_a_test_has_seen_it_succeed() {
    let index = index();
    let seen = seen(&index);
    let mut page = String::from(
        "# Operations of the API\n\n\
         Every operation that Pulp 2 has, consumers and events aside, with the tests that have seen it succeed. Written by the test\n\
         that checks it (`PITH_REGENERATE=1 cargo nextest run -p pith-api endpoints`).\n\n\
         | # | Method | Path | Permission | Status | Queues | Behaviour | Seen by |\n|---|---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for row in index.iter().filter(|row| row.number <= BUILT) {
        let Row {
            number,
            method,
            path,
            permission,
            status,
            queues,
            section,
        } = row;
        let there = route_of(row).is_some();
        let by: Vec<String> = seen.get(number).into_iter().flatten().cloned().collect();
        if !there {
            wrong.push(format!("{number} {method} {path} is not there"));
        } else if by.is_empty() {
            wrong.push(format!(
                "{number} {method} {path}: no test has seen it succeed"
            ));
        }
        let (section, by) = (link(section), by.join(", "));
        writeln!(page, "| {number} | {method} | `/v2{path}` | {permission} | {status} | {queues} | {section} | {by} |").unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    golden::check("docs/reference/endpoints.md", &page);
}
