//! The table.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::measure::{Sample, median};

/// The unit of the numbers of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Less is better.
    Seconds,
    /// Less is better.
    Mebibytes,
    /// More is better.
    PerSecond,
    /// More is better.
    MebibytesPerSecond,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds if value < 1.0 => format!("{:.1} ms", value * 1000.0),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Mebibytes => format!("{value:.0} MiB"),
            Unit::PerSecond => format!("{value:.0}/s"),
            Unit::MebibytesPerSecond => format!("{value:.0} MiB/s"),
        }
    }
}

/// One measured comparison.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) unit: Unit,
    pub(crate) pith: Vec<Sample>,
    /// The peer, and how it did.
    pub(crate) peer: (&'static str, Vec<Sample>),
    /// The debt of pith, in words.
    pub(crate) owes: &'static str,
    error: Option<String>,
}

impl Row {
    pub(crate) fn new(unit: Unit, peer: &'static str, owes: &'static str) -> Self {
        Self {
            unit,
            pith: Vec::new(),
            peer: (peer, Vec::new()),
            owes,
            error: None,
        }
    }

    pub(crate) fn failed(error: &anyhow::Error) -> Self {
        // The first line says what; the rest is somebody's output.
        let text = format!("{error:#}");
        let first = text.lines().next().unwrap_or_default().to_owned();
        Self {
            error: Some(first),
            ..Self::new(Unit::Seconds, "", "")
        }
    }

    /// Both sides once, pith first.
    pub(crate) fn round(&mut self, pith: Sample, peer: Sample) {
        self.pith.push(pith);
        self.peer.1.push(peer);
    }

    /// pith's median by the peer's.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.pith).value / median(&self.peer.1).value
    }
}

/// The rows as aligned text.
pub(crate) fn table(rows: &[(String, Row)]) -> String {
    let mut lines = vec![
        [
            "row", "pith", "p99", "cpu", "peak", "peer", "", "p99", "cpu", "peak", "ratio", "owes",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (name, row) in rows {
        lines.push(match &row.error {
            Some(error) => vec![name.clone(), format!("not measured: {error}")],
            None => cells(name, row),
        });
    }
    let width = |column: usize| {
        lines
            .iter()
            .filter(|line| line.len() > 2)
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(padded, "{cell:<width$}  ");
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

fn cells(name: &str, row: &Row) -> Vec<String> {
    let (pith, peer) = (median(&row.pith), median(&row.peer.1));
    let seconds = |value: f64| {
        if value > 0.0 {
            format!("{value:.2} s")
        } else {
            "–".to_owned()
        }
    };
    let memory = |value: f64| {
        if value > 0.0 {
            format!("{value:.0} MiB")
        } else {
            "–".to_owned()
        }
    };
    let late = |value: f64| {
        if value > 0.0 {
            format!("{value:.1} ms")
        } else {
            "–".to_owned()
        }
    };
    vec![
        name.to_owned(),
        row.unit.show(pith.value),
        late(pith.p99),
        seconds(pith.cpu),
        memory(pith.peak),
        row.unit.show(peer.value),
        row.peer.0.to_owned(),
        late(peer.p99),
        seconds(peer.cpu),
        memory(peer.peak),
        format!("{:.2}", row.ratio()),
        row.owes.to_owned(),
    ]
}

/// The rows with every sample.
pub(crate) fn json(rows: &[(String, Row)]) -> Value {
    let samples = |samples: &[Sample]| -> Vec<Value> {
        samples
            .iter()
            .map(|sample| json!({"value": sample.value, "cpu_seconds": sample.cpu, "peak_mib": sample.peak, "p99_ms": sample.p99}))
            .collect()
    };
    rows.iter()
        .map(|(name, row)| {
            json!({
                "row": name,
                "unit": format!("{:?}", row.unit),
                "pith": samples(&row.pith),
                "peer": row.peer.0,
                "peer_samples": samples(&row.peer.1),
                "ratio": row.ratio(),
                "owes": row.owes,
                "error": row.error,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_medians_the_ratio_and_what_failed() {
        let mut row = Row::new(Unit::Seconds, "createrepo_c", "< 0.4 s");
        for value in [1.0, 2.0, 30.0] {
            let sample = |value| Sample {
                value,
                cpu: 0.5,
                peak: 10.0,
                p99: 0.0,
            };
            row.round(sample(value), sample(4.0));
        }
        let failed = Row::failed(&anyhow::anyhow!("on_demand refused\nlong story"));
        let text = table(&[("publish".to_owned(), row), ("sync".to_owned(), failed)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].contains("2.00 s")
                && lines[1].contains("0.50")
                && lines[1].ends_with("< 0.4 s")
        );
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>().join(" "),
            "sync not measured: on_demand refused"
        );
    }
}
