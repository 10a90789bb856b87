//! One importer's settings that touch downloads.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::urls::clean;

/// A user name with its password.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// One importer's settings that touch downloads (pulp2/importers#settings).
///
/// The default is an importer with nothing set. Its `Debug` text shows no secret.
#[derive(Clone)]
pub struct DownloadSettings {
    /// The address that a person gave, the feed's. Its server alone, and those in [`DownloadSettings::also`], get user name, password, token and client
    /// certificate: servers that its documents name get none, and nobody does when this is not set. Only where it is
    /// a `file://` URL are files of this machine read.
    pub home: Option<Url>,
    /// Is true when `home` is known to be in the internet: a name that leads elsewhere now is not followed.
    pub in_internet: bool,
    /// Further servers that get the secrets, such as mirrors that the feed's documents name.
    pub also: Vec<Url>,
    /// Is true for what the server's own settings name: it may be in a private network, or a folder of this machine, whatever
    /// is allowed to feeds.
    pub by_operator: bool,
    /// PEM certificates that *replace* the system's roots.
    pub ssl_ca_cert: Option<String>,
    /// PEM client certificate with its chain.
    pub ssl_client_cert: Option<String>,
    /// PEM key of the client certificate; may be left out when the certificate's text holds it too.
    pub ssl_client_key: Option<SecretString>,
    /// Is true when the server's certificate is verified.
    pub ssl_validation: bool,
    /// Proxy, with or without a scheme (`http`, `https`, `socks5`, `socks5h`); `http` when there is none.
    pub proxy_host: Option<String>,
    /// Port of the proxy.
    pub proxy_port: Option<u16>,
    /// User name and password for the proxy.
    pub proxy_auth: Option<BasicAuth>,
    /// User name and password for the upstream.
    pub basic_auth: Option<BasicAuth>,
    /// Replaces the query string of every URL asked for at [`DownloadSettings::home`]'s server.
    pub query_auth_token: Option<SecretString>,
    /// Downloads in flight.
    pub max_downloads: usize,
    /// Bytes per second over all downloads of the session; no limit when `None` or zero.
    pub max_speed: Option<u64>,
    /// Time limit for name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Time limit for the answer's head and for each read of its body.
    pub read_timeout: Duration,
    /// The `User-Agent` header; the default is Pulp's, so that rules at upstreams keep working.
    pub user_agent: String,
}

impl DownloadSettings {
    /// The same ways for a feed at `home`, which gets no secret.
    #[must_use]
    pub fn openly(self, home: Option<Url>) -> Self {
        Self {
            home,
            also: Vec::new(),
            ssl_client_cert: None,
            ssl_client_key: None,
            basic_auth: None,
            query_auth_token: None,
            ..self
        }
    }
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self {
            home: None,
            in_internet: false,
            also: Vec::new(),
            by_operator: false,
            ssl_ca_cert: None,
            ssl_client_cert: None,
            ssl_client_key: None,
            ssl_validation: true,
            proxy_host: None,
            proxy_port: None,
            proxy_auth: None,
            basic_auth: None,
            query_auth_token: None,
            max_downloads: 5,
            max_speed: None,
            connect_timeout: Duration::from_millis(6050),
            read_timeout: Duration::from_secs(27),
            user_agent: "pulp/2.21".to_owned(),
        }
    }
}

impl fmt::Debug for DownloadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The certificate's text may hold the key, and the proxy's may hold a password: neither is shown.
        f.debug_struct("Upstream")
            .field(
                "home",
                &self.home.as_ref().map(|home| String::from(clean(home))),
            )
            .field("in_internet", &self.in_internet)
            .field("also", &self.also.len())
            .field("by_operator", &self.by_operator)
            .field("ssl_ca_cert", &self.ssl_ca_cert.is_some())
            .field("ssl_client_cert", &self.ssl_client_cert.is_some())
            .field("ssl_validation", &self.ssl_validation)
            .field("proxy", &self.proxy_host.is_some())
            .field("basic_auth", &self.basic_auth)
            .field("query_auth_token", &self.query_auth_token.is_some())
            .field("max_downloads", &self.max_downloads)
            .field("max_speed", &self.max_speed)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
