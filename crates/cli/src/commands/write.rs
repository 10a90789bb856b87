//! `… repo create` and `… repo update` (pulp2/repositories#changes).

use clap::{ArgMatches, Args, Command};
use pith_content::words::{Family, Words};
use serde_json::{Map, Value, json};

use super::assembly::read;
use super::common::{RepoRef, WaitArgs};
use super::running::CommandSession;
use crate::client::{Client, spawned};
use crate::error::Error;
use crate::options::{GivenOption, Options};
use crate::settings::{AboutArgs, Settings, notes};
use crate::text::clean;

/// `… create`
#[derive(Debug, Clone)]
pub(super) struct CreateArgs {
    repo: RepoRef,
    about: AboutArgs,
    given: Vec<GivenOption>,
}

/// `… update`
#[derive(Debug, Clone)]
pub(super) struct UpdateArgs {
    repo: RepoRef,
    about: AboutArgs,
    given: Vec<GivenOption>,
    wait: WaitArgs,
}

/// Adds the options of `create`.
pub(super) fn augment_create(command: Command, family: &Family) -> Command {
    let command = AboutArgs::augment_args(RepoRef::augment_args(command));
    options(family).augment(command)
}

/// Adds the options of `update`.
pub(super) fn augment_update(command: Command, family: &Family) -> Command {
    WaitArgs::augment_args(augment_create(command, family))
}

fn options(family: &Family) -> Options<'_> {
    Options::new(family, family.words.settings)
}

impl CreateArgs {
    /// The options that were given.
    pub(super) fn from_matches(matches: &ArgMatches, family: &Family) -> Result<Self, clap::Error> {
        Ok(Self {
            repo: read(matches)?,
            about: read(matches)?,
            given: options(family).given(matches),
        })
    }
}

impl UpdateArgs {
    /// The options that were given.
    pub(super) fn from_matches(matches: &ArgMatches, family: &Family) -> Result<Self, clap::Error> {
        Ok(Self {
            repo: read(matches)?,
            about: read(matches)?,
            given: options(family).given(matches),
            wait: read(matches)?,
        })
    }
}

pub(super) async fn create(
    args: &CreateArgs,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let id = args.repo.id();
    let mut settings = Settings::of(&args.given)?;
    settings.complete_for_create(words, id);
    let extra = extra_distributor(words, &session.client).await?;
    let body = create_body(words, id, &args.about, settings, extra);
    let repository = session.client.post(&["repositories"], &body).await?;
    let section = words.section;
    let id = clean(id);
    let line = format!("created {id}; `pith {section} repo sync run {id}` fills it");
    session.ui.either(&repository, &line)
}

/// The extra distributor of a family, when the server has its type.
async fn extra_distributor(words: &Words, client: &Client) -> Result<Option<&'static str>, Error> {
    let Some(extra) = words.extra_distributor else {
        return Ok(None);
    };
    match client.get(&["plugins", "distributors", extra], &[]).await {
        Ok(_) => Ok(Some(extra)),
        // Without the right to read plugins, pulp-admin's assumption stands.
        Err(error) if error.is_status(403) => Ok(Some(extra)),
        Err(error) if error.is_status(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The body that creates a repository, as pulp-admin sends it.
pub(crate) fn create_body(
    words: &Words,
    id: &str,
    about: &AboutArgs,
    settings: Settings,
    extra: Option<&str>,
) -> Value {
    let mut notes = notes(&about.notes);
    notes.retain(|_, value| !value.is_null());
    notes.insert("_repo-type".into(), json!(words.note));
    let one = |id: &str, config: Map<String, Value>, auto_publish: bool| {
        json!({ "distributor_type_id": id, "distributor_id": id, "distributor_config": config,
                "auto_publish": auto_publish })
    };
    let without_null = |mut map: Map<String, Value>| {
        map.retain(|_, value| !value.is_null());
        map
    };
    let mut distributors = vec![one(
        words.distributor,
        without_null(settings.distributor),
        true,
    )];
    distributors.extend(extra.map(|extra| one(extra, without_null(settings.extra), false)));
    json!({
        "id": id,
        "display_name": about.display_name.as_deref().unwrap_or(id),
        "description": about.description,
        "notes": notes,
        "importer_type_id": words.importer,
        "importer_config": without_null(settings.importer),
        "distributors": distributors,
    })
}

/// Returns what changes of name, text and notes; empty when nothing does.
pub(super) fn delta(about: &AboutArgs) -> Map<String, Value> {
    let mut delta = Map::new();
    if let Some(name) = &about.display_name {
        delta.insert("display_name".into(), json!(name));
    }
    if let Some(text) = &about.description {
        delta.insert("description".into(), json!(text));
    }
    if !about.notes.is_empty() {
        delta.insert("notes".into(), Value::Object(notes(&about.notes)));
    }
    delta
}

/// The error of an update that changes nothing.
pub(super) fn nothing_to_change() -> Error {
    Error::usage(
        "nothing to change",
        "`--help` at the end of the same command lists what can be changed",
    )
}

pub(super) async fn update(
    args: &UpdateArgs,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let settings = Settings::of(&args.given)?;
    let about_only = settings.is_empty();
    let delta = delta(&args.about);
    if about_only && delta.is_empty() {
        return Err(nothing_to_change());
    }
    if !about_only {
        is_of_family(words, args.repo.id(), session).await?;
    }
    let mut distributors = Map::new();
    if !settings.distributor.is_empty() {
        distributors.insert(
            words.distributor.into(),
            Value::Object(settings.distributor),
        );
    }
    if !settings.extra.is_empty()
        && let Some(extra) = extra_distributor(words, &session.client).await?
    {
        distributors.insert(extra.into(), Value::Object(settings.extra));
    }
    let body = json!({ "delta": delta, "importer_config": settings.importer,
                       "distributor_configs": distributors });
    put(args.repo.id(), &body, &args.wait, session).await
}

/// Fails for a repository of another family, whose plugins would keep settings that mean nothing to them.
async fn is_of_family(words: &Words, id: &str, session: &CommandSession<'_>) -> Result<(), Error> {
    let repository = match session.client.get(&["repositories", id], &[]).await {
        Err(error) if error.is_refusal() => return Ok(()),
        other => other?,
    };
    let other = match repository["notes"]["_repo-type"].as_str() {
        Some(note) if note == words.note => return Ok(()),
        Some(note) => session.ui.families.of_note(note),
        // One that was made in another way: its importer tells.
        None => {
            let path = ["repositories", id, "importers"];
            let importers = session.client.get(&path, &[]).await?;
            match importers[0]["importer_type_id"].as_str() {
                Some(type_id) if type_id != words.importer => {
                    session.ui.families.of_importer(type_id)
                }
                _ => return Ok(()),
            }
        }
    };
    let id = clean(id);
    Err(match other {
        Some(Words { section, .. }) => Error::usage(
            format!("{id} is a repository of another kind"),
            format!("`pith {section} repo update {id}` changes it"),
        ),
        None => Error::usage(
            format!("{id} is a repository of a kind that this command does not know"),
            "`pith repo importer update` and `pith repo distributor update` change it",
        ),
    })
}

/// Sends an update of a repository and ends the command: with its document, or the tasks of its distributors.
pub(super) async fn put(
    id: &str,
    body: &Value,
    wait_args: &WaitArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let report = session.client.put(&["repositories", id], body).await?;
    if spawned(&report).is_empty() {
        return session
            .ui
            .either(&report["result"], &format!("updated {}", clean(id)));
    }
    session.ui.line(&format!("updated {}", clean(id)))?;
    if wait_args.background || !session.ui.is_json() {
        return session.finish(&report, wait_args).await;
    }
    let tasks = crate::wait::wait(&session.client, spawned(&report), session.ui).await?;
    crate::wait::check(&tasks, session.ui)?;
    session.ui.document(&report["result"])
}
