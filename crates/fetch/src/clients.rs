//! Connection pools: one for each set of proxy, certificates and TLS settings.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use pith_core::Sha256;
use reqwest::{Certificate, Client, Identity, Proxy};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::egress::{Egress, GuardedResolver, Reach};
use crate::error::FetchError;
use crate::upstream::{BasicAuth, DownloadSettings};

/// Pools kept; the one used longest ago goes first.
const MAX_CLIENTS: usize = 128;
/// Idle connections kept per host.
const MAX_IDLE: usize = 64;
const IDLE: Duration = Duration::from_secs(60);

/// The settings that make a pool, checked.
pub(crate) struct Recipe {
    roots: Option<Vec<Certificate>>,
    /// Certificate and key in one PEM text.
    identity: Option<SecretString>,
    validate: bool,
    proxy: Option<(Url, Option<BasicAuth>)>,
    connect_timeout: Duration,
    /// The digest of everything but the identity.
    digest: Sha256,
    identity_digest: Option<Sha256>,
}

/// The choice of a pool, among those of a recipe, that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    /// Shows the client certificate.
    pub(crate) identity: bool,
    /// Needs trusted roots. Loading the system's is slow, and plain HTTP works on machines that have none.
    pub(crate) tls: bool,
    /// The addresses that names may have.
    pub(crate) reach: Reach,
}

impl Recipe {
    pub(crate) fn new(upstream: &DownloadSettings) -> Result<Self, FetchError> {
        let roots = match upstream
            .ssl_ca_cert
            .as_deref()
            .filter(|pem| !pem.trim().is_empty())
        {
            None => None,
            Some(pem) => {
                let roots = Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
                if roots.is_empty() {
                    return Err(FetchError::settings("ssl_ca_cert holds no PEM certificate"));
                }
                Some(roots)
            }
        };
        let identity = upstream
            .ssl_client_cert
            .as_deref()
            .filter(|pem| !pem.trim().is_empty())
            .map(|cert| {
                let key = upstream
                    .ssl_client_key
                    .as_ref()
                    .map_or("", ExposeSecret::expose_secret);
                SecretString::from(format!("{cert}\n{key}"))
            });
        if let Some(pem) = &identity {
            parse_identity(pem)?;
        }
        let proxy = proxy(upstream)?;
        let proxy_text = proxy.as_ref().map(|(url, auth)| {
            let auth = auth
                .as_ref()
                .map(|auth| (&auth.username, auth.password.expose_secret()));
            format!("{url} {auth:?}")
        });
        // Only a digest is kept, so that the pool's keys hold no secret.
        let settings = (
            &upstream.ssl_ca_cert,
            upstream.ssl_validation,
            proxy_text,
            upstream.connect_timeout,
        );
        Ok(Self {
            roots,
            validate: upstream.ssl_validation,
            connect_timeout: upstream.connect_timeout,
            digest: Sha256::of(format!("{settings:?}").as_bytes()),
            identity_digest: identity
                .as_ref()
                .map(|pem| Sha256::of(pem.expose_secret().as_bytes())),
            identity,
            proxy,
        })
    }

    /// The proxy's URL, for the egress guard.
    pub(crate) fn proxy(&self) -> Option<&Url> {
        self.proxy.as_ref().map(|(url, _)| url)
    }

    fn build(&self, variant: Variant, egress: &Egress) -> Result<Client, FetchError> {
        let unusable = |error: reqwest::Error| {
            let error = error.without_url();
            FetchError::settings(format!(
                "the TLS or proxy settings do not work ({})",
                innermost(&error)
            ))
        };
        // Automatic decompression is not compiled in: bytes are hashed as served.
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .dns_resolver(GuardedResolver {
                egress: egress.clone(),
                reach: variant.reach,
            });
        if !variant.tls {
            builder = builder.tls_certs_only([]);
        } else if let Some(roots) = &self.roots {
            builder = builder.tls_certs_only(roots.iter().cloned());
        }
        if !self.validate {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(pem) = self.identity.as_ref().filter(|_| variant.identity) {
            builder = builder.identity(parse_identity(pem)?);
        }
        if let Some((url, auth)) = &self.proxy {
            let mut proxy = Proxy::all(url.clone()).map_err(unusable)?;
            if let Some(auth) = auth {
                proxy = proxy.basic_auth(&auth.username, auth.password.expose_secret());
            }
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(unusable)
    }
}

fn parse_identity(pem: &SecretString) -> Result<Identity, FetchError> {
    // The parser's own message may quote the text.
    Identity::from_pem(pem.expose_secret().as_bytes()).map_err(|_| {
        FetchError::settings(
            "ssl_client_cert and ssl_client_key are not a PEM certificate with its key",
        )
    })
}

/// The proxy of the settings; Pulp's clients give the host with or without a scheme.
fn proxy(upstream: &DownloadSettings) -> Result<Option<(Url, Option<BasicAuth>)>, FetchError> {
    let Some(host) = upstream
        .proxy_host
        .as_deref()
        .filter(|host| !host.is_empty())
    else {
        return Ok(None);
    };
    let text = if host.contains("://") {
        host.to_owned()
    } else {
        format!("http://{host}")
    };
    let wrong = || {
        FetchError::settings(
            "proxy_host is not a host name, optionally after http://, https:// or socks5://",
        )
    };
    let mut url = Url::parse(&text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || !url.has_host() {
        return Err(wrong());
    }
    if upstream.proxy_port.is_some() {
        url.set_port(upstream.proxy_port).map_err(|()| wrong())?;
    }
    Ok(Some((url, upstream.proxy_auth.clone())))
}

/// Returns what the innermost cause of an error says.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

type Key = (Sha256, Option<Sha256>, Variant);

/// The pools of a process.
#[derive(Default)]
pub(crate) struct Clients {
    pools: Mutex<Pools>,
}

#[derive(Default)]
struct Pools {
    clients: HashMap<Key, (Client, u64)>,
    uses: u64,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("pools", &self.pools.lock().clients.len())
            .finish()
    }
}

impl Clients {
    /// The pool for `recipe`, made on first use.
    pub(crate) fn get(
        &self,
        recipe: &Recipe,
        variant: Variant,
        egress: &Egress,
    ) -> Result<Client, FetchError> {
        let key = (
            recipe.digest,
            recipe.identity_digest.filter(|_| variant.identity),
            variant,
        );
        if let Some(client) = self.pools.lock().find(&key) {
            return Ok(client);
        }
        // Loading roots takes a while, so the lock is not held; a second one made meanwhile is dropped.
        let client = recipe.build(variant, egress)?;
        let mut pools = self.pools.lock();
        if let Some(first) = pools.find(&key) {
            return Ok(first);
        }
        if pools.clients.len() >= MAX_CLIENTS {
            let oldest = pools
                .clients
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key);
            oldest.and_then(|key| pools.clients.remove(&key));
        }
        let used = pools.uses;
        pools.clients.insert(key, (client.clone(), used));
        Ok(client)
    }
}

impl Pools {
    fn find(&mut self, key: &Key) -> Option<Client> {
        self.uses += 1;
        let now = self.uses;
        let (client, used) = self.clients.get_mut(key)?;
        *used = now;
        Some(client.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn proxy_of(host: &str, port: Option<u16>) -> Result<String, FetchError> {
        let upstream = DownloadSettings {
            proxy_host: Some(host.to_owned()),
            proxy_port: port,
            ..DownloadSettings::default()
        };
        Ok(proxy(&upstream)?.unwrap().0.into())
    }

    #[test]
    fn a_proxy_is_named_with_or_without_scheme() {
        assert_eq!(
            proxy_of("proxy.example", Some(3128)).unwrap(),
            "http://proxy.example:3128/"
        );
        assert_eq!(
            proxy_of("https://proxy.example/", Some(3128)).unwrap(),
            "https://proxy.example:3128/"
        );
        assert_eq!(
            proxy_of("socks5://10.0.0.1", Some(1080)).unwrap(),
            "socks5://10.0.0.1:1080"
        );
        assert!(proxy_of("ftp://proxy.example", None).is_err());
        assert!(proxy_of("http://", None).is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_refused_without_being_quoted() {
        let upstream = DownloadSettings {
            ssl_client_cert: Some("hunter2".to_owned()),
            ssl_client_key: Some("hunter2".into()),
            ..DownloadSettings::default()
        };
        let error = Recipe::new(&upstream).err().unwrap();
        assert!(!format!("{error} {error:?} {upstream:?}").contains("hunter2"));
        let upstream = DownloadSettings {
            ssl_ca_cert: Some("nonsense".to_owned()),
            ..DownloadSettings::default()
        };
        assert!(Recipe::new(&upstream).is_err());
    }

    #[test]
    fn equal_settings_share_a_pool_and_old_pools_go() {
        let clients = Clients::default();
        let variant = Variant {
            identity: false,
            tls: false,
            reach: Reach::Settings,
        };
        for n in 0..MAX_CLIENTS + 10 {
            let connect_timeout = Duration::from_millis(n as u64 / 2);
            let recipe = Recipe::new(&DownloadSettings {
                connect_timeout,
                ..DownloadSettings::default()
            })
            .unwrap();
            clients.get(&recipe, variant, &Egress::default()).unwrap();
        }
        assert_eq!(clients.pools.lock().clients.len(), (MAX_CLIENTS + 10) / 2);
    }
}
