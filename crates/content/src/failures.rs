//! Failures of a run that goes on, such as files that could not be had: all are counted, the first of them are shown.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Failures that are shown; those beyond are only counted.
const MOST_SHOWN: usize = 1000;
/// Failures that stand in the error of a task.
const MOST_NAMED: usize = 20;

/// Failures. Memory is flat, however many there are.
#[derive(Debug, Default)]
pub struct Failures {
    count: u64,
    shown: Vec<Value>,
    named: Vec<String>,
}

impl Failures {
    /// Notes one: as reports show it, and as the error of the task names it.
    pub fn note(&mut self, shown: Value, named: String) {
        self.count += 1;
        if self.shown.len() < MOST_SHOWN {
            self.shown.push(shown);
        }
        if self.named.len() < MOST_NAMED {
            self.named.push(named);
        }
    }

    /// The number of failures.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The number of all these failures, and a line that names the first of them; `None` when nothing has failed.
    pub fn told<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<(u64, String)> {
        let (mut count, mut named) = (0, Vec::new());
        for failures in all {
            count += failures.count;
            named.extend(failures.named.iter().map(String::as_str));
        }
        let more = match count.saturating_sub(named.len() as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (count > 0).then(|| (count, format!("{}{more}", named.join("; "))))
    }
}

/// The list of those that are shown.
impl Serialize for Failures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_failures_are_counted_and_only_the_first_are_shown_and_named() {
        let (mut many, mut one) = (Failures::default(), Failures::default());
        assert_eq!(Failures::told([&many, &one]), None);
        for number in 0..1500 {
            many.note(json!({ "name": number }), format!("f{number}"));
        }
        one.note(json!("last"), "last".to_owned());
        assert_eq!(json!(many).as_array().unwrap().len(), MOST_SHOWN);
        let (count, line) = Failures::told([&many, &one]).unwrap();
        assert_eq!((many.count(), count), (1500, 1501));
        assert!(line.starts_with("f0; f1; "), "{line}");
        assert!(line.ends_with("; f19; last; and 1480 more"), "{line}");
    }
}
