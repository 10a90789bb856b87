//! The files that describe content sources: INI, one section a source (pulp2/content-sources#settings).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use pith_content::Config;
use pith_content::base::Base;
use pith_core::{Sha256, SignedDuration};
use pith_fetch::DownloadSettings;
use serde_json::{Value, json};

use crate::masks::{MASK, shown_address};
use crate::upstream::upstream;

/// Settings that are not shown.
const SECRETS: [&str; 2] = ["basic_auth_password", "proxy_password"];
/// The values where nothing is set.
const DEFAULTS: [(&str, &str); 4] = [
    ("priority", "0"),
    ("expires", "24h"),
    ("max_concurrent", "2"),
    ("ssl_validation", "true"),
];
/// Settings that name a file with the certificate or the key.
const FILES: [&str; 3] = ["ssl_ca_cert", "ssl_client_cert", "ssl_client_key"];
/// Largest certificate or key, in bytes.
const MAX_PEM: u64 = 256 << 10;

/// A content source.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentSource {
    id: String,
    settings: BTreeMap<String, String>,
}

/// The reason why a section describes no content source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("line {0} is neither a section, nor 'name: value', nor a continuation")]
    Line(usize),
    #[error("content source '{id}' has no '{key}'")]
    Missing { id: String, key: &'static str },
    #[error("content source '{id}' has an unusable '{key}'")]
    Unusable { id: String, key: &'static str },
}

impl ContentSource {
    fn new(id: String, settings: BTreeMap<String, String>) -> Result<Self, Invalid> {
        let source = Self { id, settings };
        let missing = ["enabled", "type", "base_url"]
            .into_iter()
            .find(|key| source.get(key).is_none());
        if let Some(key) = missing {
            return Err(Invalid::Missing { id: source.id, key });
        }
        let unusable = [
            ("base_url", source.base().is_some()),
            ("expires", source.given_expires().is_some()),
            ("priority", source.given_priority().is_some()),
        ];
        if let Some((key, _)) = unusable.into_iter().find(|(_, fine)| !fine) {
            return Err(Invalid::Unusable { id: source.id, key });
        }
        Ok(source)
    }

    fn get(&self, key: &str) -> Option<&str> {
        let given = self.settings.get(key).map(String::as_str);
        let default = || DEFAULTS.iter().find(|(name, _)| *name == key);
        given.or_else(|| default().map(|(_, value)| *value))
    }

    /// The section's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The cataloger that reads it.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.get("type").unwrap_or_default()
    }

    pub(super) fn is_enabled(&self) -> bool {
        is_true(self.get("enabled").unwrap_or_default())
    }

    fn given_priority(&self) -> Option<i64> {
        self.get("priority")?.parse().ok()
    }

    /// The priority: the higher, the sooner it is asked.
    pub(super) fn priority(&self) -> i64 {
        self.given_priority().unwrap_or(0)
    }

    fn given_expires(&self) -> Option<SignedDuration> {
        duration(self.get("expires")?)
    }

    /// Returns how long what was read of it is good.
    pub(super) fn expires(&self) -> SignedDuration {
        self.given_expires()
            .unwrap_or(SignedDuration::from_hours(24))
    }

    /// The address that its paths are below.
    pub(super) fn base(&self) -> Option<Base> {
        Base::parse(self.get("base_url").unwrap_or_default()).ok()
    }

    /// The repositories that it has.
    pub(crate) fn folders(&self) -> Vec<Base> {
        let Some(base) = self.base() else {
            return Vec::new();
        };
        let paths: Vec<&str> = self
            .get("paths")
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        if paths.is_empty() {
            return vec![base];
        }
        // With a dot before it, so that a colon makes no URL of it.
        let below = |path: &str| {
            let path = path.trim_start_matches('/');
            base.beside(&format!("./{path}")).ok()
        };
        paths.into_iter().filter_map(below).collect()
    }

    /// Changes when a setting does.
    pub(super) fn fingerprint(&self) -> Sha256 {
        Sha256::of(format!("{:?}", self.settings).as_bytes())
    }

    /// The settings for downloads, in the importers' names; certificates are read from their files.
    pub(super) fn upstream(&self) -> Result<DownloadSettings, String> {
        let mut config = pith_core::Document::new();
        for (key, value) in &self.settings {
            let (key, value) = match key.as_str() {
                key if FILES.contains(&key) => {
                    let pem = read_text(Path::new(value), MAX_PEM)
                        .map_err(|error| format!("cannot read {key} {value}: {error}"))?;
                    (key, pem)
                }
                "max_concurrent" => ("max_downloads", value.clone()),
                "proxy_url" => ("proxy_host", value.clone()),
                "ssl_validation" => ("ssl_validation", is_true(value).to_string()),
                key => (key, value.clone()),
            };
            config.insert(key.to_owned(), Value::String(value));
        }
        config
            .entry("max_downloads")
            .or_insert_with(|| json!(self.get("max_concurrent")));
        config.insert("feed".to_owned(), json!(self.get("base_url")));
        let reached = pith_content::sync::FeedAccess::from_config(&Config::new(config));
        let mut settings = upstream(&reached);
        settings.by_operator = true;
        // It is there to be quick; a slow one is not waited for as long as a feed.
        settings.connect_timeout = settings.connect_timeout.min(Duration::from_secs(10));
        Ok(settings)
    }

    /// The source as the API shows it: texts, and no passwords.
    #[must_use]
    pub fn document(&self) -> Value {
        let defaults = DEFAULTS.iter().map(|(key, value)| (*key, *value));
        let given = self
            .settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let mut document: serde_json::Map<String, Value> = defaults
            .chain(given)
            .map(|(key, value)| {
                let shown = match key {
                    "base_url" | "proxy_url" => shown_address(value),
                    key if SECRETS.contains(&key) => MASK.to_owned(),
                    _ => value.to_owned(),
                };
                (key.to_owned(), json!(shown))
            })
            .collect();
        document.insert("source_id".to_owned(), json!(self.id));
        let href = format!("/pulp/api/v2/content/sources/{}/", self.id);
        document.insert("_href".to_owned(), json!(href));
        Value::Object(document)
    }
}

fn is_true(text: &str) -> bool {
    ["1", "true", "yes"].contains(&text.trim().to_ascii_lowercase().as_str())
}

/// `90`, `90s`, `15m`, `24h` or `3d`.
fn duration(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1),
        (at, 'm') => (&text[..at], 60),
        (at, 'h') => (&text[..at], 3600),
        (at, 'd') => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let number: i64 = number.trim().parse().ok().filter(|number| *number >= 0)?;
    let most = 10 * 365 * 86_400;
    Some(SignedDuration::from_secs(
        number.saturating_mul(unit).min(most),
    ))
}

/// The text of a file of at most `max` bytes.
pub(super) fn read_text(path: &Path, max: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::other(format!("it has more than {max} bytes")));
    }
    Ok(text)
}

/// The sections of a file. A line that makes no sense spoils its section only.
pub(super) fn parse(text: &str) -> Vec<Result<ContentSource, Invalid>> {
    let mut sections: Vec<(String, BTreeMap<String, String>, Option<Invalid>)> = Vec::new();
    let mut last: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sections.push((name.trim().to_owned(), BTreeMap::new(), None));
            last = None;
            continue;
        }
        let Some((_, settings, problem)) = sections.last_mut() else {
            continue;
        };
        let continues = line.starts_with([' ', '\t']);
        if let (true, Some(key)) = (continues, &last) {
            if let Some(value) = settings.get_mut(key) {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        let Some(at) = trimmed.find(['=', ':']) else {
            problem.get_or_insert(Invalid::Line(number + 1));
            continue;
        };
        let key = trimmed[..at].trim().to_ascii_lowercase();
        settings.insert(key.clone(), trimmed[at + 1..].trim().to_owned());
        last = Some(key);
    }
    sections
        .into_iter()
        .map(|(id, settings, problem)| match problem {
            Some(problem) => Err(problem),
            None => ContentSource::new(id, settings),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "# nearer than the feed\n[disk]\nenabled: 1\nType = yum\nbase_url: file:///opt/content\n\
        paths: f18/os/\n  f18/updates/\nexpires: 3d\nbasic_auth_password: secret\n\n[off]\nenabled = no\ntype=yum\n\
        base_url=http://a/\n";

    #[test]
    fn a_section_is_a_source() {
        let sources: Vec<_> = parse(TEXT).into_iter().map(Result::unwrap).collect();
        let [disk, off] = sources.as_slice() else {
            panic!("{} sections", sources.len());
        };
        assert!(disk.is_enabled() && !off.is_enabled());
        assert_eq!((disk.id(), disk.kind()), ("disk", "yum"));
        let folders = |source: &ContentSource| -> Vec<String> {
            source.folders().iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            folders(disk),
            [
                "file:///opt/content/f18/os/",
                "file:///opt/content/f18/updates/"
            ]
        );
        assert_eq!(folders(off), ["http://a/"]);
        assert_eq!(disk.expires(), SignedDuration::from_hours(72));
        assert_eq!(disk.upstream().unwrap().max_downloads, 2);
    }

    #[test]
    fn passwords_are_not_shown() {
        let disk = parse(TEXT).remove(0).unwrap().document();
        assert_eq!(disk["basic_auth_password"], MASK);
        assert_eq!(disk["priority"], "0");
        assert_eq!(disk["source_id"], "disk");
        assert_eq!(disk["_href"], "/pulp/api/v2/content/sources/disk/");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let of = |text: &str| {
            parse(&format!("[x]\nenabled=1\n{text}"))
                .remove(0)
                .err()
                .map(|error| error.to_string())
        };
        assert!(of("type=yum").unwrap().contains("base_url"));
        assert!(
            of("type=yum\nbase_url=nonsense")
                .unwrap()
                .contains("base_url")
        );
        assert!(
            of("type=yum\nbase_url=http://a\nexpires=soon")
                .unwrap()
                .contains("expires")
        );
        assert!(of("nonsense").unwrap().contains("line 3"));
        assert_eq!(of("type=yum\nbase_url=http://a\nexpires=15m"), None);
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [
            ("7", 7),
            ("7s", 7),
            ("2m", 120),
            (" 24h ", 86_400),
            ("1d", 86_400),
        ] {
            assert_eq!(
                duration(text),
                Some(SignedDuration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "h", "-1h", "1w", "ü"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_stumble(text in "(?s)[\\[\\]a-z=: \n\t#üenabled]{0,200}") {
            for source in parse(&text).into_iter().flatten() {
                prop_assert!(!source.folders().is_empty());
            }
        }
    }
}
