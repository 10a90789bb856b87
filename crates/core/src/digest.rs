//! Digests: the algorithms repositories use, digests as checked values, and a hasher for several at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A digest algorithm that repository metadata may name, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5; known to upstreams, never trusted alone.
    Md5,
    /// SHA-1, also written `sha`; never trusted alone.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256, the name of every blob.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

#[expect(clippy::len_without_is_empty, reason = "a digest is never empty")]
impl Algorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 6] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The lower-case name used in metadata and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the digest in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest text or algorithm name that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The algorithm's name is not known.
    #[error("the digest algorithm '{0}' is unknown")]
    UnknownAlgorithm(String),
    /// A text that is not the right number of hexadecimal digits.
    #[error("'{text}' is not a {algorithm} digest")]
    Malformed {
        /// The algorithm that the digest should be of.
        algorithm: Algorithm,
        /// The text as it came.
        text: String,
    },
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "md5" => Self::Md5,
            "sha" | "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm(name.to_owned())),
        })
    }
}

/// A digest with its algorithm; the hexadecimal text is lower case and of the right length.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// Checks `text` against the length of `algorithm`; upper case is folded.
    ///
    /// # Errors
    /// [`DigestError::Malformed`] when `text` is not that many hexadecimal digits.
    pub fn new(algorithm: Algorithm, text: &str) -> Result<Self, DigestError> {
        let well_formed =
            text.len() == algorithm.len() * 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !well_formed {
            return Err(DigestError::Malformed {
                algorithm,
                text: text.to_owned(),
            });
        }
        Ok(Self {
            algorithm,
            hex: text.to_ascii_lowercase(),
        })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest as lower-case hexadecimal text.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The digest as a blob name, when it is a SHA-256.
    #[must_use]
    pub fn as_sha256(&self) -> Option<Sha256> {
        (self.algorithm == Algorithm::Sha256)
            .then(|| self.hex.parse().ok())
            .flatten()
    }
}

/// The digests that decide whether bytes are the right ones: of all that are `given` for one thing, those of strong algorithms, or,
/// without any, those of the strongest. A weak one that contradicts them is somebody's mistake and does not count; but whoever is
/// promised a strong one gets nothing else, whatever stands beside it.
pub fn deciding(given: &[Digest]) -> impl Iterator<Item = &Digest> {
    let strongest = given.iter().map(Digest::algorithm).max();
    let counts = move |algorithm| algorithm >= Algorithm::Sha224 || Some(algorithm) == strongest;
    (given.iter()).filter(move |digest| counts(digest.algorithm()))
}

impl From<Sha256> for Digest {
    fn from(sha256: Sha256) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            hex: sha256.to_string(),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex)
    }
}

/// The SHA-256 of some bytes: the name of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Hashes `bytes` whole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Takes 32 raw bytes; `None` for any other length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError::Malformed {
            algorithm: Algorithm::Sha256,
            text: text.to_owned(),
        })?;
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

enum One {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha224(sha2::Sha224),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

/// Hashes a stream with several algorithms at once; SHA-256 is always among them, since it names the blob.
pub struct MultiHasher {
    sha256: sha2::Sha256,
    others: Vec<(Algorithm, One)>,
    size: u64,
}

impl MultiHasher {
    /// A hasher for SHA-256 and every algorithm in `also` (repeats do no harm).
    #[must_use]
    pub fn new(also: &[Algorithm]) -> Self {
        let mut others: Vec<(Algorithm, One)> = Vec::new();
        for &algorithm in also {
            if algorithm == Algorithm::Sha256 || others.iter().any(|(have, _)| *have == algorithm) {
                continue;
            }
            let one = match algorithm {
                Algorithm::Md5 => One::Md5(md5::Md5::new()),
                Algorithm::Sha1 => One::Sha1(sha1::Sha1::new()),
                Algorithm::Sha224 => One::Sha224(sha2::Sha224::new()),
                Algorithm::Sha256 => One::Sha256(sha2::Sha256::new()),
                Algorithm::Sha384 => One::Sha384(sha2::Sha384::new()),
                Algorithm::Sha512 => One::Sha512(sha2::Sha512::new()),
            };
            others.push((algorithm, one));
        }
        Self {
            sha256: sha2::Sha256::new(),
            others,
            size: 0,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
        for (_, one) in &mut self.others {
            match one {
                One::Md5(h) => h.update(bytes),
                One::Sha1(h) => h.update(bytes),
                One::Sha224(h) => h.update(bytes),
                One::Sha256(h) => h.update(bytes),
                One::Sha384(h) => h.update(bytes),
                One::Sha512(h) => h.update(bytes),
            }
        }
    }

    /// The digests of everything taken in.
    #[must_use]
    pub fn finish(self) -> Hashed {
        let sha256 = Sha256(self.sha256.finalize().into());
        let others = self.others.into_iter().map(|(algorithm, one)| {
            let hex = match one {
                One::Md5(h) => hex::encode(h.finalize()),
                One::Sha1(h) => hex::encode(h.finalize()),
                One::Sha224(h) => hex::encode(h.finalize()),
                One::Sha256(h) => hex::encode(h.finalize()),
                One::Sha384(h) => hex::encode(h.finalize()),
                One::Sha512(h) => hex::encode(h.finalize()),
            };
            Digest { algorithm, hex }
        });
        Hashed {
            sha256,
            others: others.collect(),
            size: self.size,
        }
    }
}

/// The digests and the size of what a [`MultiHasher`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The name of the blob.
    pub sha256: Sha256,
    /// Every other digest asked for.
    pub others: Vec<Digest>,
    /// Bytes taken in.
    pub size: u64,
}

impl Hashed {
    /// The digest of `algorithm` as hexadecimal text, when it was computed.
    #[must_use]
    pub fn hex(&self, algorithm: Algorithm) -> Option<String> {
        if algorithm == Algorithm::Sha256 {
            return Some(self.sha256.to_string());
        }
        self.others
            .iter()
            .find(|d| d.algorithm == algorithm)
            .map(|d| d.hex.clone())
    }

    /// Every digest that was computed: algorithm and hexadecimal text.
    pub fn all(&self) -> impl Iterator<Item = (Algorithm, String)> {
        let others = self.others.iter();
        let others = others.map(|digest| (digest.algorithm, digest.hex.clone()));
        std::iter::once((Algorithm::Sha256, self.sha256.to_string())).chain(others)
    }

    /// Tells whether these bytes have `expected` as their digest; false when that algorithm was not computed.
    #[must_use]
    pub fn matches(&self, expected: &Digest) -> bool {
        self.hex(expected.algorithm())
            .is_some_and(|actual| actual == expected.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn several_digests_come_from_one_pass() {
        let mut hasher = MultiHasher::new(&[
            Algorithm::Md5,
            Algorithm::Sha1,
            Algorithm::Md5,
            Algorithm::Sha512,
        ]);
        hasher.update(b"ab");
        hasher.update(b"c");
        let hashed = hasher.finish();
        assert_eq!(hashed.size, 3);
        assert_eq!(hashed.sha256, Sha256::of(b"abc"));
        assert_eq!(
            hashed.hex(Algorithm::Md5).unwrap(),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(
            hashed.hex(Algorithm::Sha1).unwrap(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(hashed.hex(Algorithm::Sha384).is_none());
        assert!(hashed.matches(
            &Digest::new(Algorithm::Sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D").unwrap()
        ));
    }

    #[test]
    fn every_strong_digest_decides_or_else_the_strongest() {
        let digest = |algorithm: Algorithm, fill: &str| {
            Digest::new(algorithm, &fill.repeat(algorithm.len() * 2)).unwrap()
        };
        let (md5, sha1) = (digest(Algorithm::Md5, "1"), digest(Algorithm::Sha1, "2"));
        let (sha256, other) = (
            digest(Algorithm::Sha256, "3"),
            digest(Algorithm::Sha256, "4"),
        );
        let given = [md5.clone(), sha256.clone(), sha1.clone(), other.clone()];
        assert_eq!(
            deciding(&given).collect::<Vec<_>>(),
            [&sha256, &other],
            "none of two that contradict each other is passed over"
        );
        let longer = digest(Algorithm::Sha512, "5");
        let given = [longer.clone(), sha256.clone(), md5.clone()];
        assert_eq!(deciding(&given).collect::<Vec<_>>(), [&longer, &sha256]);
        assert_eq!(deciding(&[md5, sha1.clone()]).collect::<Vec<_>>(), [&sha1]);
        assert_eq!(deciding(&[]).count(), 0);
    }

    #[test]
    fn digests_of_the_wrong_length_or_alphabet_are_refused() {
        assert!(Digest::new(Algorithm::Sha256, EMPTY).is_ok());
        assert!(Digest::new(Algorithm::Sha1, EMPTY).is_err());
        assert!(Digest::new(Algorithm::Md5, "zz0150983cd24fb0d6963f7d28e17f72").is_err());
        assert_eq!("sha".parse::<Algorithm>().unwrap(), Algorithm::Sha1);
        assert!("crc32".parse::<Algorithm>().is_err());
        assert_eq!(EMPTY.parse::<Sha256>().unwrap().to_string(), EMPTY);
    }
}
