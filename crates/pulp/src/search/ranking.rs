//! Keeping the best of many under a sort.

use std::cmp::Ordering;

use pith_core::criteria::{SortKey, compare_by};
use pith_core::error::PulpError;
use pith_core::{Pool, Taken, value_weight};
use pith_engine::Error;
use pith_store::reading;
use serde_json::Value;

/// The first `wanted` items under a sort, however many are offered. Equal ones keep the order in which they came.
#[derive(Debug)]
pub struct Ranking<T> {
    keys: Vec<SortKey>,
    wanted: Option<usize>,
    offered: u64,
    items: Vec<Held<T>>,
    /// Bytes of what is held, about.
    held: usize,
    /// Memory taken for it; `None` where nobody counts.
    taken: Option<Taken>,
    is_over: bool,
}

#[derive(Debug)]
struct Held<T> {
    values: Vec<Value>,
    /// Its place among all that were offered.
    number: u64,
    /// Bytes in memory, about.
    weight: usize,
    item: T,
}

/// Bytes that are taken of the memory at once.
const STEP: usize = 256 * 1024;
/// Bytes of an item beside its values, about.
const ITEM: usize = 128;

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
            held: 0,
            taken: None,
            is_over: false,
        }
    }

    /// Takes the memory that the values need from `pool`.
    #[must_use]
    pub fn within(mut self, pool: &Pool) -> Self {
        self.taken = pool.take(0);
        self
    }

    /// Offers an item with the values it sorts by.
    pub fn offer(&mut self, values: Vec<Value>, item: T) {
        self.offer_of(values, item, 0);
    }

    /// Does what [`Ranking::offer`] does, for an item of so many bytes.
    pub fn offer_of(&mut self, values: Vec<Value>, item: T, bytes: usize) {
        if self.is_over {
            return;
        }
        let weight = ITEM + bytes + values.iter().map(value_weight).sum::<usize>();
        self.count(weight);
        self.items.push(Held {
            values,
            number: self.offered,
            weight,
            item,
        });
        self.offered += 1;
        if let Some(wanted) = self.wanted
            && self.items.len() >= wanted.saturating_mul(2).saturating_add(SLACK)
        {
            self.prune(wanted);
        }
    }

    fn count(&mut self, weight: usize) {
        let Some(taken) = &mut self.taken else { return };
        self.held += weight;
        let more = self.held.saturating_sub(taken.amount());
        self.is_over = more > 0 && !taken.grow(more.next_multiple_of(STEP));
    }

    fn prune(&mut self, wanted: usize) {
        let keys = &self.keys;
        let order = |a: &Held<T>, b: &Held<T>| -> Ordering {
            compare_by(keys, &a.values, &b.values).then(a.number.cmp(&b.number))
        };
        self.items.sort_unstable_by(order);
        self.items.truncate(wanted);
        if let Some(taken) = &mut self.taken {
            self.held = self.items.iter().map(|held| held.weight).sum();
            taken.shrink(self.held.next_multiple_of(STEP));
        }
    }

    /// The items in order, without the first `skip`.
    ///
    /// # Errors
    /// 503 when there was no memory to hold them all.
    pub fn finish(mut self, skip: u64) -> Result<impl Iterator<Item = T>, Error> {
        if self.is_over {
            let text = "there is no memory to sort so much at the moment: sort by fewer keys, or ask with a limit";
            return Err(PulpError::unavailable(text).into());
        }
        self.prune(self.wanted.unwrap_or(usize::MAX));
        // From here on it is the request's.
        reading::count(self.held)?;
        Ok(self
            .items
            .into_iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .map(|held| held.item))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::told;

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
            .unwrap()
            .map(|number| (number * 7919) % 5000)
            .collect();
        assert_eq!(values, [0, 0, 1]);
        let mut ties = Ranking::new(keys(true), 0, None);
        for number in 0..5 {
            ties.offer(vec![json!(1)], number);
        }
        assert_eq!(ties.finish(0).unwrap().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_does_not_fit_into_memory_is_refused_and_gives_it_back() {
        let pool = Pool::new(1 << 20);
        let text = json!("x".repeat(10_000));
        let mut all = Ranking::new(keys(false), 0, None).within(&pool);
        let mut few = Ranking::new(keys(false), 0, Some(3)).within(&pool);
        for number in 0..200u32 {
            few.offer(vec![json!(number)], number);
        }
        for number in 0..200u32 {
            all.offer(vec![text.clone()], number);
        }
        assert_eq!(told(&all.finish(0).err().unwrap()).status, 503);
        assert_eq!(few.finish(0).unwrap().count(), 3);
        assert_eq!(pool.left(), 1 << 20);
    }
}
