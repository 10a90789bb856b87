//! Counts of requests. What is told apart is known when the server starts: no request makes a count that was not there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pith_core::{Area, Purpose};

use crate::exposition::{MetricKind, MetricsPage};

/// The methods that are told apart; the last one is all others.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other",
];
/// The statuses that are told apart, in their order.
const STATUSES: [u16; 32] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 409, 411,
    412, 413, 415, 416, 422, 429, 431, 500, 501, 502, 503, 504, 507,
];
/// The count for any other status, and the one for clients that left before there was any.
const OTHER: usize = STATUSES.len();
const NONE: usize = OTHER + 1;
const CODES: usize = NONE + 1;
/// The bounds of the durations, in microseconds and as they are shown in seconds.
const BOUNDS: [(u64, &str); 10] = [
    (1_000, "0.001"),
    (3_000, "0.003"),
    (10_000, "0.01"),
    (30_000, "0.03"),
    (100_000, "0.1"),
    (300_000, "0.3"),
    (1_000_000, "1"),
    (3_000_000, "3"),
    (10_000_000, "10"),
    (30_000_000, "30"),
];

/// The requests of one group of operations.
struct Group {
    area: Area,
    name: &'static str,
    /// By method, then by status.
    ended: Vec<AtomicU64>,
    /// Answers by the first bound that they kept; the last one is for those that kept none.
    within: [AtomicU64; BOUNDS.len() + 1],
    /// The sum of the durations, in microseconds.
    micros: AtomicU64,
    bytes: AtomicU64,
}

/// All requests, since the process began.
pub(crate) struct Traffic(Vec<Group>);

/// One request that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) method: &'a str,
    /// The status of the answer, and the time until it was there; `None` without an answer.
    pub(crate) head: Option<(u16, Duration)>,
    pub(crate) bytes: u64,
}

impl Group {
    fn new(area: Area, name: &'static str) -> Self {
        Self {
            area,
            name,
            ended: (0..METHODS.len() * CODES)
                .map(|_| AtomicU64::new(0))
                .collect(),
            within: Default::default(),
            micros: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    fn labels(&self) -> [(&str, &str); 2] {
        [("area", self.area.name()), ("group", self.name)]
    }
}

impl Traffic {
    /// No requests yet: to the API's groups, to endpoints below these roots, and elsewhere.
    pub(crate) fn new(api: &[&'static str], roots: &[&'static str]) -> Self {
        let mut groups: Vec<Group> = Area::ALL.map(|area| Group::new(area, "")).into();
        groups.extend(api.iter().map(|name| Group::new(Area::Api, name)));
        groups.extend(roots.iter().map(|name| Group::new(Area::Endpoint, name)));
        Self(groups)
    }

    /// The group of a request. One that nobody named counts for its area.
    fn group(&self, purpose: Purpose) -> Option<&Group> {
        let is_meant = |group: &&Group| group.area == purpose.area && group.name == purpose.group;
        let named = self.0.iter().find(is_meant);
        named.or_else(|| self.0.get(purpose.area as usize))
    }

    /// Counts a request that has ended.
    pub(crate) fn count(&self, ended: Ended<'_>) {
        let Some(group) = self.group(ended.purpose) else {
            return;
        };
        let add = |count: Option<&AtomicU64>, by| {
            if let Some(count) = count {
                count.fetch_add(by, Ordering::Relaxed);
            }
        };
        let method = METHODS.iter().position(|known| *known == ended.method);
        let code = match ended.head {
            Some((status, _)) => STATUSES.binary_search(&status).unwrap_or(OTHER),
            None => NONE,
        };
        let at = method.unwrap_or(METHODS.len() - 1) * CODES + code;
        add(group.ended.get(at), 1);
        add(Some(&group.bytes), ended.bytes);
        if let Some((_, after)) = ended.head {
            let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
            let bound = BOUNDS.partition_point(|(bound, _)| *bound < micros);
            add(group.within.get(bound), 1);
            add(Some(&group.micros), micros);
        }
    }

    /// Writes the counts, without those that nothing was counted in.
    pub(super) fn write(&self, page: &mut MetricsPage) {
        let name = "pith_http_requests_total";
        page.metric(name, MetricKind::Counter, "Requests that have ended.");
        for group in &self.0 {
            group.write_ended(page, name);
        }
        let name = "pith_http_sent_bytes_total";
        page.metric(name, MetricKind::Counter, "Bytes of bodies of answers.");
        for group in self.0.iter().filter(|group| load(&group.bytes) > 0) {
            page.sample(name, &group.labels(), load(&group.bytes));
        }
        let name = "pith_http_request_duration_seconds";
        page.metric(
            name,
            MetricKind::Histogram,
            "Time from the head of a request to that of its answer.",
        );
        for group in &self.0 {
            group.write_durations(page, name);
        }
    }
}

impl Group {
    fn write_ended(&self, page: &mut MetricsPage, name: &str) {
        for (at, count) in self.ended.iter().enumerate() {
            let count = load(count);
            let Some(method) = METHODS.get(at / CODES).filter(|_| count > 0) else {
                continue;
            };
            let status = match at % CODES {
                NONE => "none".to_owned(),
                code => STATUSES
                    .get(code)
                    .map_or("other".to_owned(), u16::to_string),
            };
            let [area, group] = self.labels();
            page.sample(
                name,
                &[area, group, ("method", *method), ("status", &status)],
                count,
            );
        }
    }

    fn write_durations(&self, page: &mut MetricsPage, name: &str) {
        let within: Vec<u64> = self.within.iter().map(load).collect();
        let all: u64 = within.iter().sum();
        if all == 0 {
            return;
        }
        let [area, group] = self.labels();
        let bounds = BOUNDS.iter().map(|(_, shown)| *shown).chain(["+Inf"]);
        let (bucket, mut sum) = (format!("{name}_bucket"), 0);
        for (count, bound) in within.iter().zip(bounds) {
            sum += count;
            page.sample(&bucket, &[area, group, ("le", bound)], sum);
        }
        let seconds = Duration::from_micros(load(&self.micros)).as_secs_f64();
        page.sample(&format!("{name}_sum"), &[area, group], seconds);
        page.sample(&format!("{name}_count"), &[area, group], all);
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended<'a>(method: &'a str, group: &'static str, head: Option<(u16, u64)>) -> Ended<'a> {
        Ended {
            purpose: Purpose {
                area: Area::Api,
                group,
                changes: false,
            },
            method,
            head: head.map(|(status, micros)| (status, Duration::from_micros(micros))),
            bytes: 5,
        }
    }

    #[test]
    fn what_is_told_apart_is_a_closed_set() {
        assert!(STATUSES.is_sorted());
        let traffic = Traffic::new(&["tasks"], &["v2"]);
        let page = || {
            let mut page = MetricsPage::default();
            traffic.write(&mut page);
            page.finish()
        };
        traffic.count(ended("GET", "tasks", Some((200, 1000))));
        traffic.count(ended("GET", "tasks", Some((200, 1001))));
        traffic.count(ended("BREW", "tea", Some((418, 60_000_000))));
        traffic.count(ended("GET", "tasks", None));
        let text = page();
        for line in [
            r#"pith_http_requests_total{area="api",group="tasks",method="GET",status="200"} 2"#,
            r#"pith_http_requests_total{area="api",group="tasks",method="GET",status="none"} 1"#,
            r#"pith_http_requests_total{area="api",group="",method="other",status="other"} 1"#,
            r#"pith_http_request_duration_seconds_bucket{area="api",group="tasks",le="0.001"} 1"#,
            r#"pith_http_request_duration_seconds_bucket{area="api",group="tasks",le="+Inf"} 2"#,
            r#"pith_http_request_duration_seconds_sum{area="api",group="tasks"} 0.002001"#,
            r#"pith_http_request_duration_seconds_bucket{area="api",group="",le="30"} 0"#,
            r#"pith_http_sent_bytes_total{area="api",group="tasks"} 15"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for code in 100..1000 {
            traffic.count(ended(&format!("M{code}"), "tea", Some((code, 1))));
        }
        assert!(page().lines().count() < text.lines().count() + STATUSES.len() + 1);
    }
}
