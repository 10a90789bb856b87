//! `pith mirror FEED`: a repository that follows a feed, filled and published, in one call.

use std::path::{Path, PathBuf};

use pith_content::words::{MirrorWords, Served, Words};
use serde_json::{Value, json};
use url::Url;

use crate::client::{Client, spawned};
use crate::commands::create_body;
use crate::error::Error;
use crate::families::Families;
use crate::output::Ui;
use crate::settings::{AboutArgs, Settings};
use crate::text::clean;
use crate::wait::{check, wait};

/// Longest id that is derived from a feed.
const LONGEST_ID: usize = 120;

/// Options of a mirror.
#[derive(Debug, Clone, Default)]
pub struct MirrorOptions {
    /// Address of the repository, or a local folder.
    pub feed: String,
    /// The family of the content; guessed when absent, see [`guess_type`].
    pub content_type: Option<&'static Words>,
    /// Id of the repository; derived from the feed when absent, see [`derive_repo_id`].
    pub repo_id: Option<String>,
    /// Path below which it is served; the id when absent.
    pub relative_url: Option<String>,
}

/// A mirror that is filled and served.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// Id of the repository.
    pub repo_id: String,
    /// The address at which clients find it.
    pub url: String,
    /// The family of the content.
    pub content_type: &'static Words,
    /// Path below which it is served.
    pub relative_url: String,
}

/// Makes the repository if it is not there, syncs it, and sees to it that it is published.
///
/// # Errors
///
/// When the feed cannot be understood, the server refuses, or a task fails. What exists then stays, and the same
/// call goes on from there.
pub async fn mirror(
    client: &Client,
    options: &MirrorOptions,
    ui: &mut Ui,
) -> Result<Mirrored, Error> {
    let content_type = options
        .content_type
        .or_else(|| guess_type(&options.feed, ui.families));
    let (words, own) = content_type
        .and_then(|words| Some((words, words.mirror.as_ref()?)))
        .ok_or_else(cannot_be_mirrored)?;
    let feed = feed_url(&options.feed, own)?;
    let id = match &options.repo_id {
        Some(id) => id.clone(),
        None => derive_repo_id(feed.as_str()),
    };
    match client
        .get(&["repositories", &id], &[("details", "true")])
        .await
    {
        Ok(repository) => adopt(client, words, &repository, &feed, &id, options, ui).await?,
        Err(error) if error.is_status(404) => {
            client
                .post(
                    &["repositories"],
                    &new_repository(words, own, &id, &feed, options),
                )
                .await?;
            ui.note(&format!("created repository {}", clean(&id)));
        }
        Err(error) => return Err(error),
    }
    let sync = json!({ "override_config": {} });
    let report = client
        .post(&["repositories", &id, "actions", "sync"], &sync)
        .await?;
    let tasks = wait(client, spawned(&report), ui).await?;
    check(&tasks, ui)?;
    let relative_url = published(client, words, &id, &tasks, ui).await?;
    Ok(Mirrored {
        url: served_url(client.base(), own, &relative_url),
        repo_id: id,
        content_type: words,
        relative_url,
    })
}

fn cannot_be_mirrored() -> Error {
    Error::usage(
        "repositories of this kind follow no feed",
        "leave out --type, or name another one",
    )
}

fn new_repository(
    words: &Words,
    own: &MirrorWords,
    id: &str,
    feed: &Url,
    options: &MirrorOptions,
) -> Value {
    let mut settings = Settings::default();
    settings
        .importer
        .insert("feed".into(), json!(feed.as_str()));
    // The id and not the path of the feed: two feeds may lie below one another, two published paths may not.
    let relative_url = options.relative_url.as_deref().unwrap_or(id);
    settings
        .distributor
        .insert("relative_url".into(), json!(relative_url));
    for (name, value) in own.settings {
        settings.distributor.insert((*name).into(), json!(value));
    }
    create_body(words, id, &AboutArgs::default(), settings, None)
}

/// Uses a repository that is there, and gives it the feed and path that were asked for.
async fn adopt(
    client: &Client,
    words: &Words,
    repository: &Value,
    feed: &Url,
    id: &str,
    options: &MirrorOptions,
    ui: &mut Ui,
) -> Result<(), Error> {
    let other = |what: &str| {
        Error::usage(
            format!("repository {} exists and {what}", clean(id)),
            "choose another id with --repo-id",
        )
    };
    let importer = &repository["importers"][0];
    if importer["importer_type_id"] != words.importer {
        return Err(other("is of another type"));
    }
    let present = importer["config"]["feed"].as_str().unwrap_or_default();
    let same_place = Url::parse(present).is_ok_and(|present| place(&present) == place(feed));
    if options.repo_id.is_none() && !present.is_empty() && !same_place {
        return Err(other("mirrors another feed"));
    }
    let mut importer_config = serde_json::Map::new();
    if present != feed.as_str() {
        importer_config.insert("feed".into(), json!(feed.as_str()));
    }
    let mut distributors = serde_json::Map::new();
    if let Some(path) = &options.relative_url
        && distributor(repository, words).is_some_and(|one| one["config"]["relative_url"] != *path)
    {
        distributors.insert(words.distributor.into(), json!({ "relative_url": path }));
    }
    if importer_config.is_empty() && distributors.is_empty() {
        return Ok(());
    }
    let body = json!({ "delta": {}, "importer_config": importer_config, "distributor_configs": distributors });
    let report = client.put(&["repositories", id], &body).await?;
    let tasks = wait(client, spawned(&report), ui).await?;
    check(&tasks, ui)
}

/// Publishes unless a task of the sync did, and gives the path that the repository is served below.
async fn published(
    client: &Client,
    words: &Words,
    id: &str,
    tasks: &[Value],
    ui: &mut Ui,
) -> Result<String, Error> {
    let did = tasks.iter().any(|task| {
        let tags = task["tags"].as_array();
        tags.is_some_and(|tags| tags.iter().any(|tag| tag == "pulp:action:publish"))
    });
    if !did {
        let body = json!({ "id": words.distributor, "override_config": {} });
        let report = client
            .post(&["repositories", id, "actions", "publish"], &body)
            .await?;
        let tasks = wait(client, spawned(&report), ui).await?;
        check(&tasks, ui)?;
    }
    let repository = client
        .get(&["repositories", id], &[("details", "true")])
        .await?;
    let path =
        distributor(&repository, words).and_then(|one| one["config"]["relative_url"].as_str());
    Ok(path
        .filter(|path| !path.is_empty())
        .unwrap_or(id)
        .to_owned())
}

fn distributor<'a>(repository: &'a Value, words: &Words) -> Option<&'a Value> {
    let all = repository["distributors"].as_array()?;
    all.iter()
        .find(|one| one["distributor_type_id"] == words.distributor)
}

/// The family of what a feed holds: the one whose marker it names, or has as a local folder; the first one when nothing
/// tells.
#[must_use]
pub fn guess_type(feed: &str, families: &Families) -> Option<&'static Words> {
    let folder = local_folder(feed, families);
    let holds = |marker: &str| {
        let folder = folder.as_ref();
        feed.ends_with(marker) || folder.is_some_and(|folder| folder.join(marker).is_file())
    };
    let mut all = families.mirrored();
    all.find(|(_, mirror)| holds(mirror.marker))
        .or_else(|| families.mirrored().next())
        .map(|(words, _)| words)
}

/// The folder that a feed names on this machine, itself or by its marker file, if it is one.
#[must_use]
pub fn local_folder(feed: &str, families: &Families) -> Option<PathBuf> {
    let mut markers = families.mirrored().map(|(_, mirror)| mirror.marker);
    let marker = markers.find_map(|marker| feed.strip_suffix(marker));
    let feed = marker.unwrap_or(feed);
    let feed = if feed.is_empty() { "." } else { feed };
    let path = match Url::parse(feed) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok()?,
        Ok(_) => return None,
        Err(_) => PathBuf::from(feed),
    };
    path.is_dir().then_some(path)
}

/// The feed as an address that ends with a slash, without the marker file that a person may have copied along.
fn feed_url(feed: &str, words: &MirrorWords) -> Result<Url, Error> {
    let refuse = || {
        // The text is not repeated: it may hold a password.
        Error::usage(
            "the feed is neither an address nor a folder of this machine",
            "write it as https://host/path/, or name a folder that is there",
        )
    };
    let feed = feed.strip_suffix(words.marker).unwrap_or(feed);
    let mut url = match Url::parse(feed) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => url,
        Ok(_) => return Err(refuse()),
        Err(_) => {
            let path = if feed.is_empty() {
                Path::new(".")
            } else {
                Path::new(feed)
            };
            let absolute = std::fs::canonicalize(path).map_err(|_| refuse())?;
            Url::from_directory_path(absolute).map_err(|()| refuse())?
        }
    };
    url.set_fragment(None);
    // A mirror list keeps its query, and the path before it.
    if url.query().is_none() && !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Host and path: what makes two feeds the same, whatever scheme, user or slash they have.
fn place(feed: &Url) -> String {
    let mut place = feed.host_str().unwrap_or_default().to_owned();
    if let Some(port) = feed.port() {
        place = format!("{place}:{port}");
    }
    place.push('/');
    place.push_str(feed.path().trim_matches('/'));
    if let Some(query) = feed.query() {
        place = format!("{place}?{query}");
    }
    place
}

/// An id made of the host and path of a feed: always the same for the same feed, and free of passwords.
#[must_use]
pub fn derive_repo_id(feed: &str) -> String {
    let place = Url::parse(feed).map_or_else(|_| feed.to_owned(), |url| place(&url));
    let mut id = String::with_capacity(place.len());
    for c in place.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        };
        if c != '-' || !(id.is_empty() || id.ends_with('-')) {
            id.push(c);
        }
    }
    let id = id.trim_matches(['-', '.']).to_owned();
    if id.is_empty() {
        return "mirror".to_owned();
    }
    if id.len() <= LONGEST_ID {
        return id;
    }
    // Long feeds that begin alike must stay apart.
    let digest = pith_core::Sha256::of(place.as_bytes()).to_string();
    format!("{}-{}", &id[..LONGEST_ID - 13], &digest[..12])
}

fn served_url(base: &Url, words: &MirrorWords, relative_url: &str) -> String {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend(words.below)
            .extend(relative_url.split('/').filter(|part| !part.is_empty()))
            .push("");
    }
    // Quotes would end the text that this address is pasted into.
    url.to_string().replace('\'', "%27")
}

/// Returns what a person pastes on a client machine, such as a dnf `.repo` file or commands that fetch the files.
///
/// `base_url` is the root of the server as clients reach it.
///
/// # Errors
///
/// When `base_url` is no HTTP address, or the family follows no feeds.
pub fn client_configuration(
    content_type: &Words,
    base_url: &str,
    repo_id: &str,
    relative_url: &str,
) -> Result<String, Error> {
    let words = content_type
        .mirror
        .as_ref()
        .ok_or_else(cannot_be_mirrored)?;
    let base = crate::address::parse_url(base_url)?;
    let url = served_url(&base, words, relative_url);
    let id = derive_repo_id(repo_id);
    Ok((words.client)(&Served { id: &id, url: &url }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::{families, family};
    use proptest::prelude::*;

    #[test]
    fn an_id_is_made_of_host_and_path_without_credentials() {
        let id = |feed| derive_repo_id(feed);
        assert_eq!(
            id("https://u:secret@Dl.Example.org/pub/epel/9/x86_64/"),
            "dl.example.org-pub-epel-9-x86_64"
        );
        assert_eq!(
            id("http://dl.example.org/pub/epel/9/x86_64"),
            "dl.example.org-pub-epel-9-x86_64"
        );
        assert_eq!(id("http://127.0.0.1:8080/"), "127.0.0.1-8080");
        assert_eq!(id("file:///srv/repo/"), "srv-repo");
        assert_eq!(id("///"), "mirror");
        let long = format!("https://host/{}", "a".repeat(300));
        assert_eq!(id(&long).len(), LONGEST_ID);
        assert_ne!(id(&long), id(&format!("{long}b")));
    }

    #[test]
    fn the_type_of_a_feed_is_guessed_from_what_it_names_or_holds() {
        let guess = |feed: &str| guess_type(feed, families()).unwrap().section;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        assert_eq!(guess(&path), "rpm");
        std::fs::write(folder.path().join("PULP_MANIFEST"), "").unwrap();
        assert_eq!(guess(&path), "iso");
        assert_eq!(guess(&format!("file://{path}")), "iso");
        assert_eq!(guess("https://host/isos/PULP_MANIFEST"), "iso");
        assert_eq!(guess("https://host/isos/"), "rpm");
    }

    #[test]
    fn a_feed_becomes_an_address_that_ends_with_a_slash() {
        let words = family("rpm").words.mirror.as_ref().unwrap();
        let url = |feed| feed_url(feed, words).map(|url| url.to_string());
        assert_eq!(url("https://host/a").unwrap(), "https://host/a/");
        assert_eq!(
            url("https://host/a/repodata/repomd.xml").unwrap(),
            "https://host/a/"
        );
        assert_eq!(
            url("https://host/mirrorlist?repo=a").unwrap(),
            "https://host/mirrorlist?repo=a"
        );
        assert!(url("ftp://host/").is_err());
        assert!(url("/surely/not/there").is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(
            url(folder.path().to_str().unwrap())
                .unwrap()
                .starts_with("file:///")
        );
    }

    #[test]
    fn the_dnf_configuration_says_where_it_belongs() {
        let text = client_configuration(
            family("rpm").words,
            "https://pulp.example:8443",
            "epel 9",
            "epel/9",
        )
        .unwrap();
        insta::assert_snapshot!(text, @r"
        # save as /etc/yum.repos.d/epel-9.repo
        [epel-9]
        name=epel-9
        baseurl=https://pulp.example:8443/pulp/repos/epel/9/
        enabled=1
        # set to 1, with gpgkey=..., when the packages are signed
        gpgcheck=0
        ");
    }

    #[test]
    fn the_commands_for_files_cut_every_directory_of_the_address() {
        let text = client_configuration(
            family("iso").words,
            "http://127.0.0.1:8080/",
            "files",
            "a/it's",
        )
        .unwrap();
        insta::assert_snapshot!(text, @r"
        # everything
        wget --recursive --no-parent --no-host-directories --cut-dirs=4 'http://127.0.0.1:8080/pulp/isos/a/it%27s/'
        # names, digests and sizes; one file is 'http://127.0.0.1:8080/pulp/isos/a/it%27s/' and its name
        curl --fail --location 'http://127.0.0.1:8080/pulp/isos/a/it%27s/PULP_MANIFEST'
        ");
    }

    proptest! {
        #[test]
        fn every_derived_id_is_one_that_pulp_takes(feed in "\\PC{0,200}") {
            let id = derive_repo_id(&feed);
            prop_assert!(!id.is_empty() && id.len() <= LONGEST_ID);
            prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')));
            prop_assert_eq!(derive_repo_id(&feed), id);
        }

        #[test]
        fn no_relative_url_breaks_out_of_the_configuration(path in "\\PC{0,60}") {
            let text = client_configuration(family("iso").words, "http://h", "r", &path).unwrap();
            prop_assert_eq!(text.matches('\'').count(), 6);
            prop_assert_eq!(text.lines().count(), 4);
        }
    }
}
