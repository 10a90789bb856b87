//! The authority itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pith_core::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SanType, SerialNumber,
};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{ClientCertificate, Subject, TrustError, names};

const DAY: i64 = 24 * 60 * 60;
/// Life of a new authority, in days.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// Life of the server's own certificate, in days: what browsers accept at most.
const SERVER_DAYS: i64 = 397;
/// The seconds by which clocks of two servers may differ: a certificate from one counts with the other at once.
const SKEW: i64 = 300;
/// Certificates that a client may send: its own and a few in between.
const MOST_CERTIFICATES: usize = 8;

/// A certificate authority: its certificate and its key, and the certificates of those that it came after.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// All certificates, its own first.
    pem: String,
    certificate: CertificateDer<'static>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A certificate with its key, for handing out.
#[derive(Debug)]
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: String,
    /// The key, PKCS #8 in PEM.
    pub key: SecretString,
}

/// The certificate and key that the server shows to its clients.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The certificate, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The time at which it runs out.
    pub not_after: Timestamp,
}

fn unusable(error: impl std::fmt::Display) -> TrustError {
    TrustError::Unusable(error.to_string())
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The first of some certificates in PEM form, and the others.
fn split_first(certificates: &str) -> (&str, &str) {
    let end = certificates.find(END).map(|at| at + END.len() + 1);
    certificates.split_at(end.unwrap_or_default().min(certificates.len()))
}

/// The certificates of a text in PEM form, and nothing of what else stands there: it may be a key.
fn certificates_in(mut text: &str) -> String {
    let mut found = String::new();
    while let Some(start) = text.find(BEGIN) {
        let rest = &text[start..];
        let Some(end) = rest.find(END).map(|at| at + END.len()) else {
            break;
        };
        found.push_str(&rest[..end]);
        found.push('\n');
        text = &rest[end..];
    }
    found
}

/// Sets the time a certificate counts: whole seconds from 1970 on.
fn set_validity(params: &mut CertificateParams, from: i64, until: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: i64| epoch + Duration::from_secs(seconds.max(0).unsigned_abs());
    params.not_before = at(from);
    params.not_after = at(until);
}

fn random_serial() -> SerialNumber {
    SerialNumber::from_slice(Uuid::new_v4().as_bytes())
}

/// The certificate of an authority that signs logins, and servers of these names.
fn params(name: &str, (from, until): (i64, i64), names: &[String]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.name_constraints = Some(names::constraints(names));
    params.serial_number = Some(random_serial());
    set_validity(&mut params, from, until);
    params
}

impl Authority {
    /// A new one: an elliptic key and a certificate for twenty years, for logins and for servers of these host names and
    /// addresses alone: with a stolen key nobody can pose as any other server.
    ///
    /// # Errors
    /// When the machine gives no random numbers, or a name cannot stand in a certificate.
    pub fn generate(names: &[String], now: Timestamp) -> Result<Self, TrustError> {
        let key = KeyPair::generate()?;
        // A name of its own, so that a client can trust two servers' authorities.
        let number = Uuid::new_v4().simple().to_string();
        let name = format!("pith certificate authority {}", &number[..8]);
        let now = now.as_second();
        let validity = (now - DAY, now + AUTHORITY_DAYS * DAY);
        let certificate = params(&name, validity, names).self_signed(&key)?;
        let key = SecretString::from(key.serialize_pem());
        Self::from_pem(&certificate.pem(), &key)
    }

    /// Tells whether a server's certificate for all of these names would count. One that an earlier version made is for
    /// servers of every name.
    ///
    /// # Errors
    /// When its own certificate cannot be read.
    pub fn permits(&self, names: &[String]) -> Result<bool, TrustError> {
        let (_, own) = x509_parser::parse_x509_certificate(&self.certificate).map_err(unusable)?;
        Ok(names::permitted(&own).is_none_or(|permitted| names::are_among(&permitted, names)))
    }

    /// The same authority, of the same key, for servers of these names too. Certificates that it signed stay good; whoever is
    /// to trust servers of the new names needs its new certificate.
    ///
    /// # Errors
    /// When its own certificate cannot be read.
    pub fn extended(&self, names: &[String]) -> Result<Self, TrustError> {
        let (_, own) = x509_parser::parse_x509_certificate(&self.certificate).map_err(unusable)?;
        let mut name = own.subject().iter_common_name();
        let name = name.next().and_then(|name| name.as_str().ok());
        let validity = (
            own.validity().not_before.timestamp(),
            own.validity().not_after.timestamp(),
        );
        let names = [names::permitted(&own).unwrap_or_default(), names.to_vec()].concat();
        let params = params(name.unwrap_or_default(), validity, &names);
        let certificate = params.self_signed(self.issuer.key())?.pem();
        let (_, former) = split_first(&self.pem);
        Self::kept(&format!("{certificate}{former}"), &self.key_pem())
    }

    /// Puts this authority in the place of `former`: what that one signed stays good until it expires.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn after(&self, former: &Self) -> Result<Self, TrustError> {
        Self::kept(&format!("{}{}", self.pem, former.pem), &self.key_pem())
    }

    /// The authority of this certificate and key, both PEM. Only the first certificate counts: others may be of those above.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn from_pem(certificate: &str, key: &SecretString) -> Result<Self, TrustError> {
        let all = certificates_in(certificate);
        Self::kept(split_first(&all).0, key)
    }

    /// An authority as it was kept, from [`Self::certificate_pem`] and [`Self::key_pem`]: further certificates are those of the
    /// authorities that it came after.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn kept(certificate: &str, key: &SecretString) -> Result<Self, TrustError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(unusable)?;
        let key =
            PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(unusable)?;
        let key = KeyPair::try_from(&key).map_err(unusable)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(unusable)?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(unusable("the key is not that of the certificate"));
        }
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(unusable)?;
        let pem = certificates_in(certificate);
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(root.map_err(unusable)?).map_err(unusable)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(unusable)?;
        Ok(Self {
            issuer,
            pem,
            certificate: der,
            verifier,
        })
    }

    /// The certificates that clients verify others with, PEM: its own first.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The key, PKCS #8 in PEM, for keeping it.
    #[must_use]
    pub fn key_pem(&self) -> SecretString {
        self.issuer.key().serialize_pem().into()
    }

    /// A certificate that a client proves with who it is: an RSA key of 2048 bits, as clients of Pulp expect. Making the
    /// key takes a good part of a second of computing.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn issue_client(
        &self,
        subject: &Subject,
        now: Timestamp,
        days: u32,
    ) -> Result<Issued, TrustError> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let now = now.as_second();
        let certificate = self.sign_client(subject, &key, now, now + i64::from(days) * DAY)?;
        Ok(Issued {
            certificate,
            key: key.serialize_pem().into(),
        })
    }

    fn sign_client(
        &self,
        subject: &Subject,
        key: &KeyPair,
        from: i64,
        until: i64,
    ) -> Result<String, TrustError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject.name();
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(random_serial());
        set_validity(&mut params, from, until);
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// A certificate for the server under these host names and addresses.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn issue_server(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerIdentity, TrustError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into()?),
            });
        }
        let mut subject = DistinguishedName::new();
        subject.push(
            DnType::CommonName,
            names.first().map_or("pith", String::as_str),
        );
        params.distinguished_name = subject;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(random_serial());
        let now = now.as_second();
        let until = now + SERVER_DAYS * DAY;
        set_validity(&mut params, now - DAY, until);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            not_after: Timestamp::from_second(until)
                .map_err(|e| TrustError::Failed(e.to_string()))?,
        })
    }

    /// Returns what the first certificate of a chain says, when the chain leads here, is meant for clients and counts at `now`.
    /// That the client has the key is for the TLS handshake to prove.
    #[must_use]
    pub fn verify_client(
        &self,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Option<ClientCertificate> {
        if chain.len() > MOST_CERTIFICATES {
            return None;
        }
        let (own, between) = chain.split_first()?;
        let found = ClientCertificate::read(own)?;
        let mut at = now.as_second();
        let ahead = found.not_before.as_second() - at;
        if (1..=SKEW).contains(&ahead) {
            at = found.not_before.as_second();
        }
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).ok()?));
        self.verifier.verify_client_cert(own, between, at).ok()?;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn chain(issued: &Issued) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()]
    }

    #[test]
    fn a_login_certificate_counts_for_its_days_and_with_its_authority_only() {
        let now = at("2026-01-01T00:00:00Z");
        let authority = Authority::generate(&[], now).unwrap();
        let subject = Subject::user("ann", "5638e2f7a21e1a0d9c8a7b11");
        let issued = authority.issue_client(&subject, now, 7).unwrap();
        assert!(
            issued
                .key
                .expose_secret()
                .starts_with("-----BEGIN PRIVATE KEY-----\n")
        );
        let chain = chain(&issued);
        let found = authority.verify_client(&chain, now).unwrap();
        assert_eq!(found.common_name, subject.common_name);
        assert_eq!(
            (found.not_before, found.not_after),
            (now, at("2026-01-08T00:00:00Z"))
        );
        assert!(found.is_valid_at(at("2026-01-08T00:00:00Z")));
        assert!(!found.is_valid_at(at("2026-01-08T00:00:01Z")));
        assert_eq!(
            authority.verify_client(&chain, at("2026-01-09T00:00:00Z")),
            None
        );
        // A clock that is a little behind does not lock anybody out, one that is far behind does.
        assert!(
            authority
                .verify_client(&chain, at("2025-12-31T23:58:00Z"))
                .is_some()
        );
        assert_eq!(
            authority.verify_client(&chain, at("2025-12-31T12:00:00Z")),
            None
        );
        let other = Authority::generate(&[], now).unwrap();
        assert_eq!(other.verify_client(&chain, now), None);
        assert_eq!(authority.verify_client(&[], now), None);
        assert_eq!(
            authority.verify_client(&[CertificateDer::from(vec![0x30, 0])], now),
            None
        );
    }

    #[test]
    fn the_servers_own_certificate_is_no_login() {
        let now = at("2026-01-01T00:00:00Z");
        let authority = Authority::generate(&[], now).unwrap();
        let names = [
            "pith.example".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        let server = authority.issue_server(&names, now).unwrap();
        assert_eq!(authority.verify_client(&server.chain, now), None);
        assert!(authority.issue_server(&["ü".to_owned()], now).is_err());
    }

    #[test]
    fn an_authority_is_for_the_names_it_was_made_for_and_those_that_came_later() {
        let now = at("2026-01-01T00:00:00Z");
        let named = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let first = named(&["pith.example", "127.0.0.1", "::1"]);
        let authority = Authority::generate(&first, now).unwrap();
        let more = named(&["*.mirror.example", "10.0.0.1"]);
        let extended = authority.extended(&more).unwrap();
        assert!(authority.permits(&first).unwrap());
        // Written in another way, the same names.
        assert!(
            authority
                .permits(&named(&["0:0::1", "PITH.example"]))
                .unwrap()
        );
        for name in ["evil.example", "10.0.0.1", "notpith.example", "example"] {
            assert!(!authority.permits(&named(&[name])).unwrap(), "{name}");
        }
        assert!(
            extended
                .permits(&[first.clone(), more.clone()].concat())
                .unwrap()
        );
        // As clients see it.
        let trusts = |trusted: &Authority, issuer: &Authority, name: &str| {
            let server = issuer.issue_server(&named(&[name]), now).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(trusted.certificate.clone()).unwrap();
            let provider = Arc::new(aws_lc_rs::default_provider());
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            let name = name.replace('*', "a").try_into().unwrap();
            let at = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
            let verifier = verifier.build().unwrap();
            verifier
                .verify_server_cert(&server.chain[0], &[], &name, &[], at)
                .is_ok()
        };
        for name in ["pith.example", "127.0.0.1", "::1"] {
            assert!(trusts(&authority, &authority, name), "{name}");
            assert!(trusts(&authority, &extended, name), "{name}");
        }
        for name in ["evil.example", "10.0.0.1", "a.mirror.example"] {
            assert!(!trusts(&authority, &extended, name), "{name}");
        }
        for name in ["10.0.0.1", "*.mirror.example"] {
            assert!(trusts(&extended, &extended, name), "{name}");
        }
        let login = authority.issue_client(&Subject::user("ann", "ff"), now, 1);
        assert!(
            extended
                .verify_client(&chain(&login.unwrap()), now)
                .is_some()
        );
    }

    #[test]
    fn an_authority_takes_what_the_one_before_it_signed() {
        let now = at("2026-01-01T00:00:00Z");
        let old = Authority::generate(&[], now).unwrap();
        let new = Authority::generate(&[], now).unwrap().after(&old).unwrap();
        let issue = |by: &Authority| by.issue_client(&Subject::user("ann", "ff"), now, 1);
        for by in [&old, &new] {
            let chain = chain(&issue(by).unwrap());
            assert!(new.verify_client(&chain, now).is_some());
        }
        assert!(
            old.verify_client(&chain(&issue(&new).unwrap()), now)
                .is_none()
        );
        let again = Authority::kept(new.certificate_pem(), &new.key_pem()).unwrap();
        assert_eq!(again.certificate_pem(), new.certificate_pem());
        let alone = Authority::from_pem(new.certificate_pem(), &new.key_pem()).unwrap();
        assert!(
            alone
                .verify_client(&chain(&issue(&old).unwrap()), now)
                .is_none()
        );
        let extended = again.extended(&["pith.example".to_owned()]).unwrap();
        assert!(extended.certificate_pem().ends_with(old.certificate_pem()));
    }

    #[test]
    fn an_authority_comes_back_from_its_certificate_and_key_and_not_from_those_of_others() {
        let now = at("2026-01-01T00:00:00Z");
        let (one, two) = (
            Authority::generate(&[], now).unwrap(),
            Authority::generate(&[], now).unwrap(),
        );
        let again = Authority::from_pem(one.certificate_pem(), &one.key_pem()).unwrap();
        let issued = again
            .issue_client(&Subject::consumer("c1", "ff"), now, 1)
            .unwrap();
        assert!(one.verify_client(&chain(&issued), now).is_some());
        // Both may stand in one file, in any order; what is shown is the certificate alone.
        for both in [
            format!("{}{}", one.certificate_pem(), one.key_pem().expose_secret()),
            format!("{}{}", one.key_pem().expose_secret(), one.certificate_pem()),
        ] {
            let again = Authority::from_pem(&both, &both.clone().into()).unwrap();
            assert_eq!(again.certificate_pem().trim(), one.certificate_pem().trim());
            assert!(!again.certificate_pem().contains("PRIVATE"));
        }
        let mixed = Authority::from_pem(one.certificate_pem(), &two.key_pem()).unwrap_err();
        assert!(mixed.to_string().contains("not that of the certificate"));
        assert!(Authority::from_pem("junk", &one.key_pem()).is_err());
        assert!(!format!("{one:?} {issued:?}").contains("PRIVATE KEY"));
    }
}
