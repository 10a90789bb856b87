//! The options of feeds, as pulp-admin spells them for every family. A type takes those whose settings it has.

use super::{Choice, Input, OptionGroup, OptionWords, importer};

/// The feed's address.
pub const FEED: OptionWords = OptionWords::of("feed", const { &[importer("feed")] })
    .value("URL")
    .help("Address of the repository to mirror");

/// The time at which files are fetched.
pub const DOWNLOAD_POLICY: OptionWords =
    OptionWords::of("download-policy", const { &[importer("download_policy")] })
        .value("POLICY")
        .input(Input::OneOf(POLICIES));

const POLICIES: &[Choice] = &[
    Choice::new("immediate").help("With the sync"),
    Choice::new("background").help("After the sync, by a task of its own"),
    Choice {
        aliases: &["on-demand"],
        ..Choice::new("on_demand").help("When a client asks for them")
    },
];

/// The check of what is downloaded.
pub const VALIDATE: OptionWords = OptionWords::of("validate", const { &[importer("validate")] });

/// The removal of what has left the feed.
pub const REMOVE_MISSING: OptionWords =
    OptionWords::of("remove-missing", const { &[importer("remove_missing")] })
        .help("Remove what the feed does not have any more");

/// Limits, certificates, logins and proxies of the requests to the feed.
pub const TRANSFER: OptionGroup = OptionGroup {
    heading: "Feed",
    options: &[
        OptionWords::of("max-downloads", const { &[importer("max_downloads")] })
            .input(Input::count(1))
            .help("Parallel downloads"),
        OptionWords::of("max-speed", const { &[importer("max_speed")] })
            .input(Input::at_least(1))
            .help("Bytes per second, of all downloads of a sync together"),
        OptionWords::of("feed-ca-cert", const { &[importer("ssl_ca_cert")] })
            .help("File with the certificate authority of the feed"),
        OptionWords::of("feed-cert", const { &[importer("ssl_client_cert")] })
            .help("File with the certificate to show to the feed"),
        OptionWords::of("feed-key", const { &[importer("ssl_client_key")] })
            .help("File with the key of that certificate"),
        OptionWords::of("verify-feed-ssl", const { &[importer("ssl_validation")] })
            .help("Verify the certificate of the feed"),
        OptionWords::of("proxy-host", const { &[importer("proxy_host")] })
            .value("URL")
            .help("Proxy, as http://host"),
        OptionWords::of("proxy-port", const { &[importer("proxy_port")] })
            .value("PORT")
            .input(Input::Integer {
                least: 0,
                most: u16::MAX as i64,
            })
            .help("Port of the proxy"),
        OptionWords::of("proxy-user", const { &[importer("proxy_username")] })
            .value("LOGIN")
            .aliases(&["proxy-username"])
            .help("User of the proxy"),
        OptionWords::of("proxy-pass", const { &[importer("proxy_password")] })
            .value("PASSWORD")
            .aliases(&["proxy-password"])
            .help("Password of the proxy"),
        OptionWords::of(
            "basicauth-user",
            const { &[importer("basic_auth_username")] },
        )
        .value("LOGIN")
        .aliases(&["basicauth-username"])
        .help("User of the feed"),
        OptionWords::of(
            "basicauth-pass",
            const { &[importer("basic_auth_password")] },
        )
        .value("PASSWORD")
        .aliases(&["basicauth-password"])
        .help("Password of the feed"),
    ],
};
