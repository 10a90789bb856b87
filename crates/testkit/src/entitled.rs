//! Authorities of guarded content, and the certificates that their clients show.

use std::io::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationList,
    CertificateRevocationListParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

/// The place of what entitlement certificates tell.
const NAMESPACE: [u64; 8] = [1, 3, 6, 1, 4, 1, 2312, 9];

/// An authority that signs entitlement certificates.
pub struct EntitlementCa {
    params: CertificateParams,
    key: KeyPair,
    cert: Certificate,
}

/// The things that a certificate opens.
#[derive(Debug, Clone, Copy)]
pub enum Opens<'a> {
    /// It says nothing of it.
    Nothing,
    /// These paths, each in an extension of its own (version 1).
    Paths(&'a [&'a str]),
    /// These paths, in one compressed extension (version 3).
    Payload(&'a [&'a str]),
    /// These bytes as the value of the compressed extension, of a certificate of this version.
    Raw(&'a str, &'a [u8]),
}

/// A client to be certified.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its common name.
    pub name: &'a str,
    /// The serial number of its certificate.
    pub serial: u64,
    /// The things that it may read.
    pub opens: Opens<'a>,
    /// The first and the last year in which its certificate counts.
    pub years: (i32, i32),
}

impl<'a> Client<'a> {
    /// One whose certificate counts, and opens these paths.
    #[must_use]
    pub fn of(name: &'a str, serial: u64, opens: Opens<'a>) -> Self {
        Self {
            name,
            serial,
            opens,
            years: (2020, 2090),
        }
    }
}

impl EntitlementCa {
    /// A new one that nobody vouches for.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        Self::valid(name, (2020, 2090))
    }

    /// A new one whose certificate counts in these years.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn valid(name: &str, years: (i32, i32)) -> io::Result<Self> {
        Self::of(authority(name, years))
    }

    /// A new one of another kind.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> io::Result<Self> {
        let mut params = authority(name, (2020, 2090));
        change(&mut params);
        Self::of(params)
    }

    fn of(params: CertificateParams) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let cert = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { params, key, cert })
    }

    /// One of the same key and another name.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn renamed(&self, name: &str) -> io::Result<Self> {
        let params = authority(name, (2020, 2090));
        let key = KeyPair::from_pem(&self.key.serialize_pem()).map_err(io::Error::other)?;
        let cert = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { params, key, cert })
    }

    /// A certificate of another authority, signed by this one, PEM.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn vouch(&self, other: &Self) -> io::Result<String> {
        let signed = other.params.signed_by(&other.key, &self.issuer());
        Ok(signed.map_err(io::Error::other)?.pem())
    }

    /// A new one that this one vouches for.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn below(&self, name: &str, serial: u64) -> io::Result<Self> {
        let mut params = authority(name, (2020, 2090));
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let cert = params
            .signed_by(&key, &self.issuer())
            .map_err(io::Error::other)?;
        Ok(Self { params, key, cert })
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.cert.pem()
    }

    /// A client's certificate and key, PEM.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn certify(&self, client: &Client<'_>) -> io::Result<(String, String)> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(client.name);
        params.serial_number = Some(SerialNumber::from(client.serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        set_years(&mut params, client.years);
        params.custom_extensions = extensions(&client.opens)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let cert = params
            .signed_by(&key, &self.issuer())
            .map_err(io::Error::other)?;
        Ok((cert.pem(), key.serialize_pem()))
    }

    /// A list that revokes these serial numbers, PEM.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn revoke(&self, serials: &[u64]) -> io::Result<String> {
        self.list(serials)?.pem().map_err(io::Error::other)
    }

    /// A list of what has changed since another one, as it says of itself, PEM.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn revoke_since(&self, serials: &[u64]) -> io::Result<String> {
        let mut der = self.list(serials)?.der().to_vec();
        // The number of the list becomes that of the one before.
        let (own, before) = ([0x55, 0x1d, 20], 27);
        let at = der.windows(own.len()).position(|bytes| *bytes == own);
        let at = at.ok_or_else(|| io::Error::other("the list has no number"))?;
        der[at + 2] = before;
        let text = STANDARD.encode(der);
        Ok(format!(
            "-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n"
        ))
    }

    fn list(&self, serials: &[u64]) -> io::Result<CertificateRevocationList> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2021, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()).map_err(io::Error::other)
    }
}

fn authority(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_years(&mut params, years);
    params
}

fn set_years(params: &mut CertificateParams, (first, last): (i32, i32)) {
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 12, 31);
}

fn common_name(name: &str) -> DistinguishedName {
    let mut made = DistinguishedName::new();
    made.push(DnType::CommonName, name);
    made
}

fn extensions(opens: &Opens<'_>) -> io::Result<Vec<CustomExtension>> {
    let at = |below: &[u64], value: Vec<u8>| {
        CustomExtension::from_oid_content(&[&NAMESPACE, below].concat(), value)
    };
    let of_payload = |version: &str, bytes: &[u8]| {
        vec![
            at(&[6], der(0x0c, version.as_bytes())),
            at(&[7], der(0x04, bytes)),
        ]
    };
    Ok(match opens {
        Opens::Nothing => Vec::new(),
        Opens::Paths(paths) => (0..)
            .zip(*paths)
            .map(|(number, path)| at(&[2, 7000 + number, 1, 6], der(0x0c, path.as_bytes())))
            .collect(),
        Opens::Payload(paths) => of_payload("3.4", &payload(paths)?),
        Opens::Raw(version, bytes) => of_payload(version, bytes),
    })
}

/// A value in DER with its tag.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length = match value.len() {
        0..=0x7f => vec![length[7]],
        0x80..=0xff => vec![0x81, length[7]],
        _ => vec![0x82, length[6], length[7]],
    };
    [&[tag], length.as_slice(), value].concat()
}

/// A compressed payload that opens these paths.
///
/// # Errors
/// Never: it is written into memory.
pub fn payload(paths: &[&str]) -> io::Result<Vec<u8>> {
    let (mut words, mut nodes) = (Vec::new(), vec![Vec::new()]);
    for path in paths {
        let mut from = 0;
        for word in path.split('/').filter(|word| !word.is_empty()) {
            let known = words.iter().position(|known| *known == word);
            let number = known.unwrap_or_else(|| {
                words.push(word);
                words.len() - 1
            });
            nodes.push(Vec::new());
            let to = nodes.len() - 1;
            nodes[from].push((number, to));
            from = to;
        }
    }
    raw_payload(&words, &nodes)
}

/// A compressed payload of these words and nodes. Each node has edges: a word and the node behind it.
///
/// # Errors
/// Never: it is written into memory.
pub fn raw_payload(words: &[&str], nodes: &[Vec<(usize, usize)>]) -> io::Result<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(words.join("\0").as_bytes())?;
    zlib.write_all(b"\0")?;
    let mut payload = zlib.finish()?;
    match nodes.len() {
        few @ 0..=0x7f => payload.extend(u8::try_from(few)),
        many => {
            payload.push(0x82);
            payload.extend(u16::try_from(many).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    let (word_codes, node_codes) = (codes(words.len() + 1), codes(nodes.len().saturating_sub(1)));
    let mut bits = String::new();
    for node in nodes {
        for (word, to) in node {
            bits += &word_codes[*word];
            bits += &node_codes[to - 1];
        }
        bits += &word_codes[words.len()];
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let byte = |at: usize| {
        bits[at..at + 8]
            .bytes()
            .fold(0, |byte, bit| byte << 1 | (bit & 1))
    };
    payload.extend((0..bits.len()).step_by(8).map(byte));
    Ok(payload)
}

/// Huffman codes of numbers that weigh one more than they are.
fn codes(count: usize) -> Vec<String> {
    let mut codes = vec![String::new(); count];
    // Sorted; of two that weigh the same the older one comes first.
    let mut waiting: Vec<(usize, Vec<usize>)> = (0..count)
        .map(|number| (number + 1, vec![number]))
        .collect();
    while waiting.len() > 1 {
        let right = waiting.remove(1);
        let left = waiting.remove(0);
        for (bit, (_, numbers)) in [('0', &left), ('1', &right)] {
            for number in numbers {
                codes[*number].insert(0, bit);
            }
        }
        let weight = left.0 + right.0;
        let place = waiting.partition_point(|(other, _)| *other <= weight);
        waiting.insert(place, (weight, [left.1, right.1].concat()));
    }
    codes
}
