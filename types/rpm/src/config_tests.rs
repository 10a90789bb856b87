//! Tables of configurations and the messages recorded for them.

use serde_json::json;

use super::*;

fn config(value: Value) -> Config {
    Config::new(serde_json::from_value(value).unwrap())
}

#[test]
fn importer_messages_are_those_of_the_recordings() {
    let key = "The configuration parameter";
    for (value, message) in [
        (json!({"feed": 5}), "<feed> must be a string.".to_owned()),
        (
            json!({"ssl_ca_cert": 5}),
            format!("{key} <ssl_ca_cert> should be a string, but it was <type 'int'>."),
        ),
        (
            json!({"ssl_client_key": "k"}),
            format!(
                "{key} <ssl_client_key> requires the <ssl_client_cert> parameter to also be set."
            ),
        ),
        (
            json!({"ssl_validation": 5}),
            format!(
                "{key} <ssl_validation> must be set to a boolean value, but is currently set to <5>."
            ),
        ),
        (
            json!({"proxy_host": "p", "proxy_port": -1}),
            format!(
                "{key} <proxy_port> must be set to a positive integer, but is currently set to <-1>."
            ),
        ),
        (
            json!({"proxy_port": 80}),
            format!(
                "{key} <proxy_host> is required when any of the following other parameters are defined: proxy_password, proxy_port, proxy_username."
            ),
        ),
        (
            json!({"proxy_host": "p", "proxy_password": "p"}),
            format!(
                "{key} <proxy_password> requires the <proxy_username> parameter to also be set."
            ),
        ),
        (
            json!({"max_speed": -1}),
            format!(
                "{key} <max_speed> must be set to a positive numerical value, but is currently set to <-1.0>."
            ),
        ),
        (
            json!({"max_speed": "x"}),
            format!(
                "{key} <max_speed> must be set to a positive numerical value, but is currently set to <x>."
            ),
        ),
        (
            json!({"max_downloads": 1.5}),
            format!(
                "{key} <max_downloads> must be set to a positive integer, but is currently set to <1.5>."
            ),
        ),
        (
            json!({"retain_old_count": -1}),
            format!(
                "{key} <retain_old_count> must be set to an integer greater than or equal to zero, but is currently set to <-1>."
            ),
        ),
        (
            json!({"download_policy": 5}),
            "download_policy must be: ['immediate', 'background', 'on_demand']".to_owned(),
        ),
    ] {
        let expected = format!("Configuration errors:\n{message}");
        let refused = importer(&config(value.clone())).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{value}");
    }
}

#[test]
fn importers_accept_what_pulp_accepted() {
    for value in [
        json!({}),
        json!({"feed": "http://x/", "unknown": 1, "max_downloads": "7", "retain_old_count": 0}),
        json!({"ssl_validation": "true", "remove_missing": null}),
        json!({"allowed_keys": ["269d9d98"], "require_signature": true}),
        json!({"on_download_failure": "continue"}),
    ] {
        assert_eq!(importer(&config(value.clone())), Ok(()), "{value}");
    }
}

#[test]
fn signature_rules_come_first_and_alone() {
    let given = json!({"allowed_keys": ["zz"], "download_policy": "on_demand", "feed": 5});
    let refused = importer(&config(given)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Signature key ID zz should be 8 characters long\non_demand download policy and signature filter are not \
         compatible"
    );
    let fields = refused.all().iter().map(|problem| problem.field.as_str());
    let fields: Vec<_> = fields.collect();
    assert_eq!(fields, ["allowed_keys", "download_policy", "feed"]);
}

fn check(value: Value, others: &[OtherDistributor]) -> Result<(), Problems> {
    distributor("r", &config(value), others)
}

#[test]
fn distributor_messages_are_those_of_the_recordings() {
    for (extra, message) in [
        (
            json!({"http": "x"}),
            "Configuration value for [http] should a boolean, but is a <type 'str'>",
        ),
        (
            json!({"http": false}),
            "Settings serve via http and https are both set to false. At least one option should be set to true.",
        ),
        (
            json!({"relative_url": "/lead"}),
            "Value for [relative_url]  must be be a relative path: /lead",
        ),
        (
            json!({"relative_url": "a/../b"}),
            "Value for [relative_url]  must be be a relative path: a/../b",
        ),
        (
            json!({"relative_url": 5}),
            "Configuration value for [relative_url] must be a string, but is a <type 'int'>",
        ),
        (
            json!({"auth_ca": "junk"}),
            "Configuration value for [auth_ca] is not a valid certificate",
        ),
        (
            json!({"checksum_type": "bogus"}),
            "Configuration value for [checksum_type] is not supported: bogus",
        ),
        (
            json!({"http_publish_dir": "/nope"}),
            "Configuration value for [http_publish_dir] must be an existing directory",
        ),
        (
            json!({"skip": {"rpm": 1}}),
            "Configuration value for [skip] should be a list, but is a <type 'dict'>",
        ),
        (
            json!({"gpg_cmd": "x"}),
            "Configuration key [gpg_cmd] is not allowed in repository plugin configuration",
        ),
        (
            json!({"bogus": 1}),
            "Configuration key [bogus] is not supported",
        ),
    ] {
        let mut value = json!({"http": true, "https": false, "relative_url": "t"});
        for (key, item) in extra.as_object().unwrap() {
            value[key] = item.clone();
        }
        let refused = check(value.clone(), &[]).unwrap_err();
        assert_eq!(refused.to_string(), message, "{value}");
    }
    assert_eq!(
        check(json!({}), &[]).unwrap_err().to_string(),
        "Configuration key [http] is required, but was not provided\nConfiguration key [relative_url] is required, but was \
         not provided\nConfiguration key [https] is required, but was not provided\nSettings serve via http and https are \
         both set to false. At least one option should be set to true."
    );
}

#[test]
fn switches_and_times_that_cannot_be_are_refused_by_name() {
    let base = json!({"http": true, "https": false, "relative_url": "t"});
    for (key, bad, good) in [
        ("force_full", json!("x"), json!("True")),
        ("gpg_sign_metadata", json!(1), json!(false)),
        ("remove_old_repodata", json!("no"), json!(true)),
        ("remove_old_repodata_threshold", json!(-1), json!("86400")),
    ] {
        let with = |value: &Value| {
            let mut config = base.clone();
            config[key] = value.clone();
            check(config, &[])
        };
        assert!(with(&bad).unwrap_err().to_string().contains(key), "{key}");
        assert_eq!(with(&good), Ok(()), "{key}");
    }
    for (key, bad) in [
        ("require_signature", json!("yes")),
        ("force_full", json!(5)),
        ("connect_timeout", json!(0)),
        ("read_timeout", json!("soon")),
        ("proxy_port", json!(70000)),
        ("allowed_keys", json!([12_345_678])),
    ] {
        let mut given = json!({"proxy_host": "http://p"});
        given[key] = bad;
        assert!(importer(&config(given)).is_err(), "{key}");
    }
    for (key, bad) in [("recursive", json!(1)), ("changelog_limit", json!("x"))] {
        let given = config(json!({ key: bad }));
        assert!(
            of_call(&given).unwrap_err().to_string().contains(key),
            "{key}"
        );
    }
    // A copy into a repository with a deferred policy may ask for signatures.
    let policy = json!({"download_policy": "on_demand", "require_signature": true});
    assert_eq!(of_call(&config(policy)), Ok(()));
}

#[test]
fn paths_of_two_repositories_must_not_overlap() {
    let other = |url: Value| {
        [OtherDistributor {
            repo_id: "o".to_owned(),
            id: "d".to_owned(),
            relative_url: url.as_str().map(str::to_owned),
        }]
    };
    let at = |path: &str| json!({"http": true, "https": true, "relative_url": path});
    assert!(check(at("a/b"), &other(json!("a/b/"))).is_err());
    assert!(check(at("a"), &other(json!("a/b"))).is_err());
    assert!(check(at("a/b/c"), &other(json!("a/b"))).is_err());
    assert!(check(at("a/bc"), &other(json!("a/b"))).is_ok());
    assert!(check(at("o/x"), &other(Value::Null)).is_err());
    assert!(check(at("p/o"), &other(Value::Null)).is_ok());
}

#[test]
fn certificates_are_recognised_by_their_frame() {
    assert!(is_certificate(
        "-----BEGIN CERTIFICATE-----\nMIIB+a==\n-----END CERTIFICATE-----\n"
    ));
    assert!(!is_certificate("-----BEGIN CERTIFICATE-----\n?\n"));
}
