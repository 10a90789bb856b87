//! The paths that an entitlement certificate opens, as a graph of path segments.

/// The node at which every path begins.
pub(super) const ROOT: u32 = 0;
/// The name that stands for a variable in the certificates that have a payload (pulp2/serving#entitlements).
const LISTING: &str = "listing";
/// Segments of a path that are looked at: no entitlement is deeper.
const DEEPEST: usize = 64;
/// The most edges that are looked at for one path: as many as a payload may have. Only where paths meet again and again would
/// there be more.
const MOST_LOOKED_AT: usize = 64 * 1024;

/// A graph whose edges are segments and whose ends, nodes without edges, are entitlements. Paths may share nodes, and a
/// hostile certificate may lead in circles.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct PathGraph {
    words: Vec<Box<str>>,
    /// The edges of each node: a word and the node behind it.
    nodes: Vec<Vec<(u32, u32)>>,
    /// Is true when `listing` may stand for a variable at the end of a path.
    has_listings: bool,
    /// Is true when an entitlement is the root itself.
    opens_all: bool,
}

impl PathGraph {
    /// The graph of these words and nodes.
    pub(super) fn new(words: Vec<Box<str>>, nodes: Vec<Vec<(u32, u32)>>) -> Self {
        Self {
            words,
            nodes,
            has_listings: true,
            opens_all: false,
        }
    }

    /// The graph of paths as they stand in certificates without a payload.
    pub(super) fn of_paths<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut this = Self {
            nodes: vec![Vec::new()],
            ..Self::default()
        };
        for path in paths {
            this.add(path);
        }
        this
    }

    fn add(&mut self, path: &str) {
        let mut from = ROOT as usize;
        for word in path.split('/').filter(|word| !word.is_empty()) {
            let (Ok(number), Ok(to)) = (
                u32::try_from(self.words.len()),
                u32::try_from(self.nodes.len()),
            ) else {
                return;
            };
            self.words.push(word.into());
            self.nodes.push(Vec::new());
            self.nodes[from].push((number, to));
            from = to as usize;
        }
        self.opens_all |= from == ROOT as usize;
    }

    /// Tells whether one of the entitlements is `path`, or a folder above it. A segment that begins with `$` stands for any one.
    /// A path that takes too long to decide is not.
    pub(super) fn covers(&self, path: &str) -> bool {
        if self.opens_all {
            return true;
        }
        let mut at = vec![ROOT];
        let mut left = MOST_LOOKED_AT;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        for _ in 0..DEEPEST {
            let Some(segment) = segments.next() else {
                return false;
            };
            let is_last = segments.clone().next().is_none();
            let count = at.iter().map(|node| self.edges(*node).len()).sum();
            let Some(less) = left.checked_sub(count) else {
                return false;
            };
            left = less;
            let mut next = Vec::new();
            for &(word, to) in at.iter().flat_map(|node| self.edges(*node)) {
                let word = self.words.get(word as usize).map_or("", |word| &**word);
                let is_variable = word.starts_with('$');
                if is_variable && is_last && self.has_listings && segment == LISTING {
                    return true;
                }
                if is_variable || word == segment {
                    next.push(to);
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.iter().any(|node| self.is_end(*node)) {
                return true;
            }
            if next.is_empty() {
                return false;
            }
            at = next;
        }
        false
    }

    fn is_end(&self, node: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(Vec::is_empty)
    }

    fn edges(&self, node: u32) -> &[(u32, u32)] {
        self.nodes.get(node as usize).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_segment_by_segment_and_variables_stand_for_one() {
        let graph = PathGraph::of_paths(["/a/$releasever/os", "/a/b/", "c//d", "/a/b/x"]);
        for covered in [
            "a/43/os",
            "a/43/os/repodata/repomd.xml",
            "/a/b",
            "a/b/y",
            "c/d/e",
            "a/$x/os",
        ] {
            assert!(graph.covers(covered), "{covered}");
        }
        for other in [
            "",
            "a",
            "a/43",
            "a/43/osx",
            "a/4/3/os",
            "a/bc",
            "c",
            "c/dd",
            "x/a/b",
            "A/b",
            "a/listing",
        ] {
            assert!(!graph.covers(other), "{other}");
        }
    }

    #[test]
    fn what_grants_nothing_covers_nothing_and_the_root_covers_all() {
        assert!(!PathGraph::of_paths([]).covers("a"));
        assert!(!PathGraph::new(Vec::new(), vec![Vec::new()]).covers("a"));
        assert!(!PathGraph::new(Vec::new(), Vec::new()).covers("a"));
        assert!(PathGraph::of_paths(["/"]).covers("a"));
        assert!(PathGraph::of_paths(["/"]).covers(""));
    }

    #[test]
    fn a_listing_stands_for_a_variable_at_the_end_alone() {
        let words: Vec<Box<str>> = ["a", "$releasever", "os"].map(Into::into).into();
        let nodes = vec![vec![(0, 1)], vec![(1, 2)], vec![(2, 3)], vec![]];
        let graph = PathGraph::new(words, nodes);
        assert!(graph.covers("a/listing"));
        assert!(graph.covers("a/listing/os"));
        assert!(!graph.covers("listing"));
        assert!(!graph.covers("a/listing/x"));
        assert!(!graph.covers("a/1/listing"));
    }

    #[test]
    fn nodes_that_all_lead_to_each_other_open_nothing_after_so_many_edges() {
        let count = 200u32;
        let all: Vec<(u32, u32)> = (0..count).map(|to| (0, to)).collect();
        let mut nodes = vec![all; count as usize];
        nodes.push(Vec::new());
        // The end stands behind the last segment that is looked at.
        nodes[1].push((1, count));
        let words = || -> Vec<Box<str>> { ["$a", "end"].map(Into::into).into() };
        let graph = PathGraph::new(words(), nodes);
        assert!(graph.covers("a/end"));
        assert!(!graph.covers("a/a/a/end"));
        assert!(!graph.covers(&"a/".repeat(62)));
        // A tree of the same size is looked at as a whole.
        let mut flat: Vec<(u32, u32)> = vec![(0, 1); MOST_LOOKED_AT - 1];
        flat.push((1, 1));
        assert!(PathGraph::new(words(), vec![flat, Vec::new()]).covers("end"));
    }

    #[test]
    fn circles_end() {
        let words: Vec<Box<str>> = ["$a", "$b"].map(Into::into).into();
        let graph = PathGraph::new(words, vec![vec![(0, 0), (1, 1)], vec![(0, 0)]]);
        assert!(!graph.covers(&"x/".repeat(10_000)));
        // A node that is not there leads nowhere, and is no entitlement.
        let graph = PathGraph::new(vec!["a".into()], vec![vec![(7, 1), (0, 2)]]);
        assert!(!graph.covers("a"));
    }
}
