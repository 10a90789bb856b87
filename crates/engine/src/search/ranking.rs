//! Keeping the best of many under a sort.

use std::cmp::Ordering;

use pith_core::criteria::{SortKey, compare_by};
use serde_json::Value;

/// The first `wanted` items under a sort, however many are offered. Equal ones keep the order in which they came.
#[derive(Debug)]
pub struct Ranking<T> {
    keys: Vec<SortKey>,
    wanted: Option<usize>,
    offered: u64,
    items: Vec<(Vec<Value>, u64, T)>,
}

/// The number of hits beyond those wanted that are held before the worst are dropped.
const SLACK: usize = 4096;

impl<T> Ranking<T> {
    /// A ranking for an answer of `limit` items after the first `skip`; without a limit it keeps everything.
    #[must_use]
    pub fn new(keys: Vec<SortKey>, skip: u64, limit: Option<u64>) -> Self {
        let wanted = limit.and_then(|limit| usize::try_from(limit.saturating_add(skip)).ok());
        Self {
            keys,
            wanted,
            offered: 0,
            items: Vec::new(),
        }
    }

    /// Offers an item with the values it sorts by.
    pub fn offer(&mut self, values: Vec<Value>, item: T) {
        self.items.push((values, self.offered, item));
        self.offered += 1;
        if let Some(wanted) = self.wanted
            && self.items.len() >= wanted.saturating_mul(2).saturating_add(SLACK)
        {
            self.prune(wanted);
        }
    }

    fn prune(&mut self, wanted: usize) {
        let keys = &self.keys;
        let order = |a: &(Vec<Value>, u64, T), b: &(Vec<Value>, u64, T)| -> Ordering {
            compare_by(keys, &a.0, &b.0).then(a.1.cmp(&b.1))
        };
        self.items.sort_unstable_by(order);
        self.items.truncate(wanted);
    }

    /// The items in order, without the first `skip`.
    pub fn finish(mut self, skip: u64) -> impl Iterator<Item = T> {
        self.prune(self.wanted.unwrap_or(usize::MAX));
        self.items
            .into_iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .map(|(_, _, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(descending: bool) -> Vec<SortKey> {
        vec![SortKey {
            field: "n".into(),
            descending,
        }]
    }

    #[test]
    fn it_keeps_the_first_of_many_and_is_stable() {
        let mut ranking = Ranking::new(keys(false), 2, Some(3));
        for number in 0..20_000u32 {
            ranking.offer(vec![json!((number * 7919) % 5000)], number);
        }
        let values: Vec<u32> = ranking
            .finish(2)
            .map(|number| (number * 7919) % 5000)
            .collect();
        assert_eq!(values, [0, 0, 1]);
        let mut ties = Ranking::new(keys(true), 0, None);
        for number in 0..5 {
            ties.offer(vec![json!(1)], number);
        }
        assert_eq!(ties.finish(0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
