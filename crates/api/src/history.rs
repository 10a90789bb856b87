//! `/v2/repositories/<repo>/history/` (pulp2/sync-and-publish#history).

use pith_core::error::PulpError;
use pith_core::iso8601::DateTime;
use pith_core::{SignedDuration, Timestamp};
use pith_engine::Error;
use pith_pulp::history::to_json;
use pith_store::{HistoryKind, HistoryQuery};
use serde::Serialize;
use serde_json::Value;

use crate::http::{Call, Json, Segments};
use crate::operation::Shape::Many;
use crate::operation::{NONE, Param, READ, RestRoute, operation, param};

/// The parameters of a list of entries.
const HISTORY: &[Param] = &[
    param("limit", "integer", "At most this many."),
    param(
        "sort",
        "string",
        "ascending or descending, by start; descending when not given.",
    ),
    param(
        "start_date",
        "string",
        "Only what started then or later: ISO 8601, with a time.",
    ),
    param(
        "end_date",
        "string",
        "Only what started then or earlier: ISO 8601, with a time.",
    ),
];

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/repositories/<repo>/history/publish/<distributor>/", READ, publish, "List what publishes did.", [HISTORY], NONE => Many("HistoryEntry")),
    operation!(Get "/repositories/<repo>/history/sync/", READ, sync, "List what syncs did.", [HISTORY], NONE => Many("HistoryEntry")),
];

/// The parameters of the query.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    limit: Option<u64>,
    ascending: bool,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// Reads the query; all that is wrong is named together.
fn asked(pairs: &[(String, String)]) -> Result<Asked, PulpError> {
    let mut wrong = Vec::new();
    let last = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let mut result = Asked::default();
    if let Some(limit) = last("limit") {
        result.limit = limit.trim().parse().ok().filter(|limit| *limit >= 1);
        if result.limit.is_none() {
            wrong.push("limit");
        }
    }
    match last("sort") {
        None | Some("" | "descending") => {}
        Some("ascending") => result.ascending = true,
        Some(_) => wrong.push("sort"),
    }
    for (name, target) in [
        ("start_date", &mut result.start),
        ("end_date", &mut result.end),
    ] {
        if let Some(text) = last(name) {
            *target = DateTime::parse(text).and_then(|date| date.timestamp());
            if target.is_none() {
                wrong.push(name);
            }
        }
    }
    if wrong.is_empty() {
        Ok(result)
    } else {
        Err(PulpError::invalid_value(&wrong))
    }
}

/// The end of the second of `at`: entries show whole seconds, so one that shows the end asked for is included.
fn end_of_second(at: Timestamp) -> Timestamp {
    let rest = SignedDuration::from_micros(999_999 - i64::from(at.subsec_microsecond()));
    at.saturating_add(rest).unwrap_or(Timestamp::MAX)
}

async fn entries(
    call: &Call,
    kind: HistoryKind,
    asked: Asked,
    (repo_id, actor_id): (&str, Option<&str>),
) -> Result<Json<Vec<Value>>, Error> {
    let query = HistoryQuery {
        repo_id,
        actor_id,
        limit: asked.limit,
        ascending: asked.ascending,
        start: asked.start,
        end: asked.end.map(end_of_second),
    };
    let found = call.pulp.engine.store.history_list(kind, &query).await;
    let found = found?.iter().map(|entry| to_json(kind, entry)).collect();
    Ok(Json(found))
}

/// Returns what syncs did.
pub(crate) async fn sync(
    call: Call,
    Segments([repo]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let asked = asked(&call.query())?;
    call.pulp.repository_require(&repo).await?;
    entries(&call, HistoryKind::Sync, asked, (&repo, None)).await
}

/// Returns what publishes of one distributor did.
pub(crate) async fn publish(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let asked = asked(&call.query())?;
    call.pulp.repository_require(&repo).await?;
    call.pulp.distributor_require(&repo, &distributor).await?;
    let of = (repo.as_str(), Some(distributor.as_str()));
    entries(&call, HistoryKind::Publish, asked, of).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::query_pairs;

    #[test]
    fn everything_wrong_is_named_in_one_order() {
        let query = "end_date=x&start_date=2014-01-01&sort=up&limit=0";
        let error = asked(&query_pairs(query)).unwrap_err();
        assert_eq!(
            error.extra["property_names"],
            json!(["limit", "sort", "start_date", "end_date"])
        );
    }

    #[test]
    fn the_end_asked_for_includes_its_second() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for given in ["2014-01-01T00:00:05Z", "2014-01-01T00:00:05.5Z"] {
            assert_eq!(end_of_second(at(given)), at("2014-01-01T00:00:05.999999Z"));
        }
    }

    #[test]
    fn dates_need_a_time_and_default_to_utc() {
        let query = "start_date=2014-01-01T00:00:00&end_date=2014-01-01T00:00:00Z&limit=2&sort=";
        let read = asked(&query_pairs(query)).unwrap();
        assert_eq!(read.start, read.end);
        assert!(read.start.is_some() && !read.ascending);
        let basic = asked(&query_pairs("start_date=20140101T010000%2B0100")).unwrap();
        assert_eq!(basic.start, read.start);
        assert_eq!(read.limit, Some(2));
    }
}
