//! TLS: the server's certificate, and what its clients show.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::RwLock;
use pith_core::clock::{Clock, SignedDuration, Timestamp};
use pith_trust::{Authority, PeerCertificate, ServerIdentity};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::private;

/// A client that has not finished its handshake by then is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two looks at the server's certificate.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// A certificate that we make is replaced when it counts for less than this.
const RENEW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The source of the server's certificate.
#[derive(Debug)]
pub(crate) enum CertificateSource {
    /// Files of a certificate with its chain, and of its key.
    Files(PathBuf, PathBuf),
    /// The authority, for these names.
    Authority(Vec<String>),
}

/// The server's certificate, which may change while it runs.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// Takes any client certificate whose key the client has. Whose it is and what it opens is decided request by request:
/// the API knows its own authority, published content may be guarded by others.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The things that a TLS listener needs.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    source: CertificateSource,
    current: Arc<Current>,
    /// The time at which the present certificate is to be replaced; `None` for files, which are read again each time.
    renew: RwLock<Option<Timestamp>>,
}

impl Tls {
    /// Reads or makes the server's certificate.
    pub(crate) fn new(
        authority: Arc<Authority>,
        clock: Arc<dyn Clock>,
        source: CertificateSource,
    ) -> anyhow::Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (key, renew) = certified(&source, &authority, clock.now(), &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(key))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("cannot set up TLS")?
            .with_client_cert_verifier(Arc::new(AnyClient(provider)))
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority,
            clock,
            source,
            current,
            renew: RwLock::new(renew),
        }))
    }

    /// Shakes hands; `None` for a client that does not, or not in time.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
    ) -> Option<TlsStream<S>> {
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    }

    /// Returns what the client showed, if anything.
    pub(crate) fn peer<S>(&self, stream: &TlsStream<S>) -> Option<PeerCertificate> {
        let chain = stream.get_ref().1.peer_certificates()?;
        let trusted = self.authority.verify_client(chain, self.clock.now());
        let owned = chain.iter().cloned().map(CertificateDer::into_owned);
        let chain = owned.collect();
        Some(PeerCertificate::new(chain, trusted.map(Arc::new)))
    }

    /// Replaces the certificate in time, until `shutdown` fires.
    pub(crate) async fn renew(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown
            .run_until_cancelled(tokio::time::sleep(LOOK))
            .await
            .is_some()
        {
            if self.renew.read().is_some_and(|at| self.clock.now() < at) {
                continue;
            }
            let provider = aws_lc_rs::default_provider();
            match certified(&self.source, &self.authority, self.clock.now(), &provider) {
                Ok((key, renew)) => {
                    *self.current.0.write() = Arc::new(key);
                    *self.renew.write() = renew;
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the server's certificate stays as it was"
                    );
                }
            }
        }
    }
}

/// The server's certificate with its key, and when to look for another.
fn certified(
    source: &CertificateSource,
    authority: &Authority,
    now: Timestamp,
    provider: &CryptoProvider,
) -> anyhow::Result<(CertifiedKey, Option<Timestamp>)> {
    let (chain, key, renew) = match source {
        CertificateSource::Authority(names) => {
            let ServerIdentity {
                chain,
                key,
                not_after,
            } = authority
                .issue_server(names, now)
                .context("cannot make the server's certificate")?;
            (chain, key, Some(not_after - RENEW))
        }
        CertificateSource::Files(certificate, key) => {
            let read = private::read(certificate)?;
            let chain = CertificateDer::pem_slice_iter(read.expose_secret().as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .with_context(|| {
                    format!("{} is no certificate in PEM form", certificate.display())
                })?;
            let text = private::read(key)?;
            let key = PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes())
                .with_context(|| format!("{} is no key in PEM form", key.display()))?;
            (chain, key, None)
        }
    };
    let key = CertifiedKey::from_der(chain, key, provider)
        .context("the server's certificate and key cannot be used together")?;
    Ok((key, renew))
}
