//! Relations between things that have numbers.

/// The links from each of some things to others, in two lists for all of them.
pub(super) struct Links {
    /// The place in `ends` at which those of each begin, and at last the end.
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Links {
    /// The links of `count` things; each pair is one. A link that comes twice counts once.
    pub(super) fn new(count: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(count + 1);
        let mut at = 0;
        for from in (0..).take(count) {
            starts.push(number(at));
            at += pairs[at..].partition_point(|(other, _)| *other <= from);
        }
        starts.push(number(at));
        let ends = pairs.into_iter().map(|(_, to)| to).collect();
        Self { starts, ends }
    }

    /// Returns what a thing leads to.
    pub(super) fn of(&self, from: u32) -> &[u32] {
        let from = from as usize;
        let bounds = self.starts.get(from).zip(self.starts.get(from + 1));
        let range = bounds.map(|(start, end)| *start as usize..*end as usize);
        range
            .and_then(|range| self.ends.get(range))
            .unwrap_or_default()
    }
}

/// A place as a number. There are never as many things in memory as would be too many.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_were_said_to() {
        let links = Links::new(4, vec![(3, 1), (1, 7), (1, 2), (1, 7)]);
        let of: Vec<&[u32]> = (0..5).map(|from| links.of(from)).collect();
        assert_eq!(of, [&[][..], &[2, 7], &[], &[1], &[]]);
        assert!(Links::new(0, Vec::new()).of(0).is_empty());
    }
}
