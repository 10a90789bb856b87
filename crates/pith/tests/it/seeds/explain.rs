//! The reasons why an answer is not the sample: the pages are older than the server whose behaviour pith has, and in places they
//! were never true (pulp2/server#printed-documentation).

use super::samples::Sample;

const ORDER: &str = "the real server's order: resource tags before the action";
const NEWER: &str = "the page is older than the field";
const EXAMPLE: &str = "the page's example names another plugin than its request";

/// The end of the field's path, a part of the section's title, the reason.
const REASONS: &[(&str, &str, &str)] = &[
    ("[0]/_id", "History", NEWER),
    ("[0]/_ns", "History", NEWER),
    ("[0]/id", "History", NEWER),
    ("[0]/summary", "History", NEWER),
    ("[0]/details", "History", NEWER),
    ("[0]/added_count", "History", NEWER),
    ("[0]/updated_count", "History", NEWER),
    ("[0]/removed_count", "History", NEWER),
    (
        "[0]/importer_id",
        "History",
        "an importer's id is its type's id",
    ),
    ("[0]/distributor_id", "History", EXAMPLE),
    (
        "status",
        "Update a Repository",
        "202 when tasks are queued, 200 otherwise; the page knows only 200",
    ),
    (
        "status",
        "Associate an Importer",
        "202: adding an importer is a task, and the page says so itself by its call report",
    ),
    (
        "status",
        "Scheduling a Sync",
        "400: the sample's start is a time without a date, which ISO 8601 intervals do not have",
    ),
    (
        "tags",
        "Update a Repository",
        "the task updates a distributor; the page's tags are those of another call",
    ),
    (
        "tags",
        "Associate an Importer",
        "`add_importer`, as the real server says; the page's tags are those of an update",
    ),
    ("tags", "Download", "`download`, as the real server says"),
    ("tags", "", ORDER),
    ("last_unit_added", "", NEWER),
    ("last_unit_removed", "", NEWER),
    ("last_updated", "", NEWER),
    ("last_override_config", "", NEWER),
    ("auto_publish", "", NEWER),
    (
        "result/scratchpad",
        "Update a Repository",
        "always shown; the page leaves it out",
    ),
    ("result/_href", "", "always shown; the page leaves it out"),
    (
        "_href",
        "Distributor",
        "always shown; the page leaves it out",
    ),
    (
        "_id",
        "",
        "object ids are documents of one key everywhere; the page shows an older form",
    ),
    (
        "_ns",
        "",
        "the collection's name today; the page shows an older one",
    ),
    (
        "scratchpad",
        "Distributor",
        "an empty object, as the real server says",
    ),
    ("publish_in_progress", "", "does not exist any more"),
    ("scheduled_syncs", "", "does not exist any more"),
    ("kwargs/scheduled_call_id", "", NEWER),
    ("task", "Publish", "the name that the real server shows"),
];

/// The reason for a difference, when there is one.
pub(super) fn why(sample: &Sample, path: &str, _answer: &str) -> Option<&'static str> {
    let name = path.trim_start_matches('/');
    let fits = |end: &str| name == end || name.ends_with(&format!("/{end}"));
    let mut reasons = REASONS.iter();
    reasons
        .find(|(end, section, _)| fits(end) && sample.section.contains(section))
        .map(|(_, _, why)| *why)
}
