//! The payload of entitlement certificates of version 3: a compressed list of words, then a graph of paths in bits.
//!
//! The words are a zlib stream, each ended by a zero byte but for the last; then comes the number of nodes and for each
//! node its edges, a word and a node at a time, ended by the empty word. Words and nodes are written in Huffman codes
//! whose weights are their places in the list: nothing but the order of the list is needed to know the codes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use flate2::{Decompress, FlushDecompress, Status};

use super::paths::PathGraph;

/// Bytes of the payload; a certificate in a TLS handshake has no more.
const MOST_BYTES: usize = 64 * 1024;
/// Bytes of all words together.
const MOST_TEXT: usize = 256 * 1024;
/// Words, and nodes.
const MOST_SYMBOLS: usize = 16 * 1024;
/// Edges of all nodes together.
const MOST_EDGES: usize = 64 * 1024;

/// Reads a payload; `None` for one that is damaged, cut short or larger than any that is used.
pub(super) fn decode(payload: &[u8]) -> Option<PathGraph> {
    if payload.len() > MOST_BYTES {
        return None;
    }
    let (text, used) = inflate(payload)?;
    let words: Vec<Box<str>> = text.split('\0').map(Into::into).collect();
    if words.len() > MOST_SYMBOLS {
        return None;
    }
    let mut bits = Bits::new(payload.get(used..)?);
    let count = node_count(&mut bits)?;
    let word_codes = Codes::new(words.len())?;
    // The first node is that of no path at all: nothing leads to it.
    let node_codes = Codes::new(count.checked_sub(1)?);
    let mut nodes = Vec::with_capacity(count);
    let mut edges = 0;
    for _ in 0..count {
        let mut node = Vec::new();
        loop {
            let word = word_codes.read(&mut bits)?;
            if words.get(word)?.is_empty() {
                break;
            }
            let to = node_codes.as_ref()?.read(&mut bits)? + 1;
            edges += 1;
            if edges > MOST_EDGES {
                return None;
            }
            node.push((u32::try_from(word).ok()?, u32::try_from(to).ok()?));
        }
        nodes.push(node);
    }
    Some(PathGraph::new(words, nodes))
}

/// The text that a zlib stream holds, and the length of the stream.
fn inflate(bytes: &[u8]) -> Option<(String, usize)> {
    let mut stream = Decompress::new(true);
    // One more than may be, to tell apart what is full and what is too much.
    let mut text = Vec::with_capacity(MOST_TEXT + 1);
    let status = stream.decompress_vec(bytes, &mut text, FlushDecompress::Finish);
    if !matches!(status, Ok(Status::StreamEnd)) || text.len() > MOST_TEXT {
        return None;
    }
    let used = usize::try_from(stream.total_in()).ok()?;
    Some((String::from_utf8(text).ok()?, used))
}

/// The number of nodes: one byte, or one that says how many bytes follow.
fn node_count(bits: &mut Bits<'_>) -> Option<usize> {
    let first = bits.byte()?;
    if first < 0x80 {
        return Some(first.into());
    }
    let mut count = 0usize;
    for _ in 0..first & 0x7f {
        count = count.checked_mul(0x100)? + usize::from(bits.byte()?);
        if count > MOST_SYMBOLS {
            return None;
        }
    }
    Some(count)
}

/// Bits of a byte string, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<usize> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = 0;
        for _ in 0..8 {
            byte = byte << 1 | u8::try_from(self.bit()?).ok()?;
        }
        Some(byte)
    }
}

/// Huffman codes for numbers from 0 on, the weight of each of which is one more than itself.
struct Codes {
    leaves: usize,
    /// The branches: both nodes below, where the leaves come first in the count.
    branches: Vec<[usize; 2]>,
}

impl Codes {
    /// Joins nodes by their weights; of two that weigh the same the one that was there first goes first.
    fn new(leaves: usize) -> Option<Self> {
        if leaves == 0 {
            return None;
        }
        let mut queue: BinaryHeap<Reverse<(u64, usize)>> = (0..leaves)
            .map(|leaf| Reverse((leaf as u64 + 1, leaf)))
            .collect();
        let mut branches = Vec::with_capacity(leaves - 1);
        while let (Some(Reverse(left)), Some(Reverse(right))) = (queue.pop(), queue.pop()) {
            queue.push(Reverse((left.0 + right.0, leaves + branches.len())));
            branches.push([left.1, right.1]);
        }
        Some(Self { leaves, branches })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let mut node = self.leaves + self.branches.len() - 1;
        while node >= self.leaves {
            node = self.branches.get(node - self.leaves)?[bits.bit()?];
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use pith_testkit::entitled::{payload, raw_payload};
    use proptest::prelude::*;

    use super::*;

    fn encoded(paths: &[&str]) -> Vec<u8> {
        payload(paths).unwrap()
    }

    fn raw(words: &[&str], nodes: &[Vec<(usize, usize)>]) -> Vec<u8> {
        raw_payload(words, nodes).unwrap()
    }

    #[test]
    fn of_two_nodes_of_one_weight_the_older_one_goes_first() {
        let codes = |leaves| Codes::new(leaves).unwrap().branches;
        assert_eq!(codes(1), [[0usize; 2]; 0]);
        assert_eq!(codes(2), [[0, 1]]);
        // 1 and 2 make 3, which is younger than the leaf that weighs 3.
        assert_eq!(codes(3), [[0, 1], [2, 3]]);
        assert_eq!(codes(4), [[0, 1], [2, 4], [3, 5]]);
        assert!(Codes::new(0).is_none());
    }

    #[test]
    fn a_payload_opens_the_paths_that_were_put_in() {
        let graph = decode(&encoded(&[
            "/foo/path/bar",
            "/foo/path/always/$releasever",
            "/x",
        ]));
        let graph = graph.unwrap();
        for covered in [
            "foo/path/bar/a",
            "foo/path/always/2",
            "x",
            "foo/path/always/listing",
        ] {
            assert!(graph.covers(covered), "{covered}");
        }
        for other in [
            "",
            "foo",
            "foo/path",
            "foo/path/always",
            "bar",
            "foo/listing",
        ] {
            assert!(!graph.covers(other), "{other}");
        }
        // More than 127 nodes.
        let many: Vec<String> = (0..300)
            .map(|number| format!("/content/{number}/os"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let graph = decode(&encoded(&many)).unwrap();
        assert!(graph.covers("content/299/os") && !graph.covers("content/300/os"));
        // One path of one segment: one node to refer to, and no bit to do it.
        assert!(decode(&encoded(&["/one"])).unwrap().covers("one"));
    }

    #[test]
    fn what_is_cut_short_or_too_large_opens_nothing() {
        let whole = encoded(&["/foo/path/bar", "/foo/path/always/$releasever"]);
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None, "{end}");
        }
        assert_eq!(decode(&vec![0; MOST_BYTES + 1]), None);
        let long = "a".repeat(MOST_TEXT + 1);
        assert_eq!(decode(&encoded(&[&long])), None);
        let words = vec!["a"; MOST_SYMBOLS + 1];
        assert_eq!(decode(&raw(&words, &[Vec::new()])), None);
        let edges = vec![(0, 1); MOST_EDGES + 1];
        assert_eq!(decode(&raw(&["a"], &[edges, Vec::new()])), None);
        // As many nodes as a number can say.
        let mut many = raw(&["a"], &[Vec::new()]);
        many.truncate(many.len() - 2);
        many.extend([0xff; 200]);
        assert_eq!(decode(&many), None);
    }

    proptest! {
        #[test]
        fn paths_come_back(
            paths in proptest::collection::vec(proptest::collection::vec("[a-c]", 1..4), 1..20),
            asked in proptest::collection::vec("[a-c]", 1..5),
        ) {
            let paths: Vec<String> = paths.iter().map(|path| path.join("/")).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let asked = asked.join("/");
            let is_above = |path: &&str| format!("{asked}/").starts_with(&format!("{path}/"));
            let expected = paths.iter().any(is_above);
            prop_assert_eq!(decode(&encoded(&paths)).unwrap().covers(&asked), expected);
        }

        #[test]
        fn no_payload_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..60, flip: u8) {
            decode(&bytes);
            let mut changed = encoded(&["/a/$b/c", "/d"]);
            let at = at % changed.len();
            changed[at] ^= flip;
            if let Some(graph) = decode(&changed) {
                graph.covers("a/b/c");
            }
            // Behind a good list of words.
            let mut behind = raw(&["a", "b", "c"], &[Vec::new()]);
            behind.truncate(behind.len() - 2);
            behind.extend(bytes);
            decode(&behind);
        }
    }
}
