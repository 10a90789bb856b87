//! Uploads (pulp2/rpm-upload).

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use futures::TryStreamExt;
use pith_content::unit::{Select, Source, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Bent, ContentError, blocking};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest, Document, ErrorDetail, RelativePath, Sha256, UnitId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::advisories;
use crate::config;
use crate::learned::{CHECKSUMS, SIGNING_KEY, USUAL};
use crate::metadata::comps::{self, Category, Comps, Environment, Group, Match};
use crate::metadata::dates;
use crate::metadata::delta_package;
use crate::metadata::describe::{FileFacts, describe};
use crate::metadata::header::{self, HeadFacts};
use crate::metadata::package_file::IdStream;
use crate::metadata::prestodelta::Delta;
use crate::metadata::snippet::Packer;
use crate::metadata::updateinfo::Erratum;
use crate::metadata::{MetadataError, primary};
use crate::modular::{self, Artifacts, IS_MODULAR};
use crate::module_file::ModuleFile;
use crate::parts::metadata_only;
use crate::said;
use crate::signature::SignaturePolicy;
use crate::sync::others;
use crate::sync::outbox::{self, Outbox};
use crate::type_ids::{
    CATEGORY, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE, MODULE_DOCUMENT,
    MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};
use crate::units::{self, Origin, Snippets};
use crate::upload_fields;

/// Largest comps.xml, in bytes, unpacked.
const MAX_COMPS: u64 = 256 << 20;

/// Changelog entries kept of an uploaded package when nothing is said.
const CHANGELOG_LIMIT: i64 = 10;

/// Makes units of an upload. What has no code of its own is a report of failure (PLP0047), as in Pulp.
///
/// # Errors
/// What the person did wrong, or what the context fails with.
pub async fn run(ctx: &dyn UploadContext, upload: Upload) -> Result<UploadReport, ContentError> {
    import(ctx, upload).await.map_err(|error| match error {
        ContentError::Other(source) => {
            let message = source.to_string();
            ContentError::Failed {
                summary: json!(""),
                details: json!({ "errors": [message] }),
                message,
            }
        }
        other => other,
    })
}

async fn import(ctx: &dyn UploadContext, upload: Upload) -> Result<UploadReport, ContentError> {
    let mut fields = upload.metadata.clone();
    fields.extend(upload.key.clone());
    fields.retain(|_, value| !value.is_null());
    upload_fields::rename(&upload.type_id, &mut fields);
    config::of_call(ctx.config())?;
    upload_fields::check(&upload.type_id, &ctx.repo().id, &fields).map_err(invalid)?;
    let bent = Bent::default();
    match upload.type_id.as_str() {
        RPM | SRPM => package(ctx, fields).await?,
        ERRATUM => erratum(ctx, fields, &bent).await?,
        GROUP | CATEGORY | ENVIRONMENT | LANGPACKS => {
            comps(ctx, &upload.type_id, fields, &bent).await?;
        }
        MODULEMD | MODULEMD_DEFAULTS | MODULE_DOCUMENT => modules(ctx, &bent).await?,
        METADATA_FILE => metadata_file(ctx, fields).await?,
        DRPM => delta(ctx, fields).await?,
        other => {
            return Err(ContentError::other(format!(
                "{other} is not a supported type for upload"
            )));
        }
    }
    let mut details = json!({});
    bent.add_to(&mut details, "upstream");
    Ok(UploadReport {
        summary: json!(""),
        details,
    })
}

fn not_an_rpm() -> ContentError {
    ContentError::coded(ErrorDetail::new(
        "RPM1016",
        "Uploaded file is not a valid RPM.",
    ))
}

fn invalid(error: impl std::fmt::Display) -> ContentError {
    ContentError::other(format!(
        "metadata for the uploaded file was invalid: {error}"
    ))
}

/// Reads fields that a client gave into what they must be.
fn typed<T: DeserializeOwned>(fields: Document) -> Result<T, ContentError> {
    serde_json::from_value(Value::Object(fields)).map_err(invalid)
}

/// A package as its file describes it.
struct Described {
    package: primary::Package,
    snippets: Snippets,
    facts: HeadFacts,
}

fn read_package(
    file: &mut File,
    sha256: &str,
    size: u64,
    limit: usize,
    time: i64,
) -> Result<Described, MetadataError> {
    let facts = FileFacts {
        sha256,
        size,
        time,
        changelog_limit: limit,
    };
    file.rewind()?;
    let description = describe(&mut BufReader::new(&mut *file), facts)?;
    let mut packer = Packer::new()?;
    let mut snippet = Vec::new();
    // What we wrote goes the way of what others wrote, so that one form is stored.
    let package = primary::package(&description.primary, &mut snippet)?;
    let primary = packer.pack(&snippet)?;
    let mut element = |root: &str, element: &[u8]| {
        let document = [
            format!("<{root}>").as_bytes(),
            element,
            format!("</{root}>").as_bytes(),
        ]
        .concat();
        IdStream::open(document.as_slice(), root)?.next(&mut snippet)?;
        Ok::<_, MetadataError>(packer.pack(&snippet)?)
    };
    let end = package.header_range.map_or(0, |(_, end)| end);
    let mut head = Vec::new();
    file.rewind()?;
    Read::take(file, end).read_to_end(&mut head)?;
    Ok(Described {
        snippets: Snippets {
            primary,
            filelists: Some(element("filelists", &description.filelists)?),
            other: Some(element("otherdata", &description.other)?),
        },
        package,
        facts: header::facts(&head).unwrap_or_default(),
    })
}

async fn package(ctx: &dyn UploadContext, fields: Document) -> Result<(), ContentError> {
    let limit = ctx
        .config()
        .integer("changelog_limit")
        .unwrap_or(CHANGELOG_LIMIT);
    let limit = usize::try_from(limit).unwrap_or(0);
    let mut file = package_file(ctx)?;
    let size = ctx.size();
    let time = ctx.clock().now().as_second();
    let described = read_on_thread(move || {
        let mut hasher = pith_core::MultiHasher::new(&[]);
        file.rewind()?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
        }
        let sha256 = hasher.finish().sha256.to_string();
        read_package(&mut file, &sha256, size, limit, time)
    })
    .await?;
    signatures(ctx, described.package.filename(), &described.facts)?;
    let type_id = units::package_type(&described.package);
    let mut doc = units::package_document(&described.package);
    if let Some(key) = described.facts.signing_key {
        doc.insert(SIGNING_KEY.to_owned(), key.into());
    }
    if type_id == RPM && described.facts.modular {
        doc.insert(IS_MODULAR.to_owned(), true.into());
    }
    let agree = |fields: &Document, checksums: &Document| {
        let doc = with_checksums(&doc, checksums);
        upload_fields::agree(type_id, fields, &doc).map_err(invalid)
    };
    let (source, checksums) = stored(ctx, &fields, agree).await?;
    let mut unit = units::package(&described.package, described.snippets, source);
    unit.doc = with_checksums(&doc, &checksums);
    let same = same_nevra(ctx, &unit).await?;
    ctx.remove(unit.type_id, same).await?;
    let (type_id, name) = (unit.type_id, modular::name_of(&unit.doc));
    ctx.stage(vec![unit]).await?;
    let mut listed = Artifacts::default();
    if type_id == RPM {
        let modules = ctx.units_after(modular::select_modules()).await?;
        if modular::artifacts(modules).await?.contains(&name) {
            listed.insert(&name);
        }
    }
    mark(ctx, &listed).await
}

/// A document with what is known of its file.
fn with_checksums(doc: &Document, checksums: &Document) -> Document {
    let mut doc = doc.clone();
    let checksums = Value::Object(checksums.clone());
    doc.insert(CHECKSUMS.to_owned(), checksums);
    doc
}

/// A delta package: what it leads to is in its header, what it starts from in the delta.
async fn delta(ctx: &dyn UploadContext, fields: Document) -> Result<(), ContentError> {
    let mut file = package_file(ctx)?;
    let own = read_on_thread(move || delta_package::read(&mut file)).await?;
    let path = own.path();
    signatures(ctx, &path, &own.facts)?;
    let filename: RelativePath = path.parse().map_err(|_| not_an_rpm())?;
    let size = ctx.size();
    let unit = |source: Source, checksums: &Document| {
        let sha256 = checksums.get("sha256").and_then(Value::as_str);
        let digest = Digest::new(Algorithm::Sha256, sha256.unwrap_or_default());
        let delta = Delta {
            name: own.name.clone(),
            arch: own.arch.clone(),
            new: own.new.clone(),
            old: own.old.clone(),
            filename: filename.clone(),
            given: None,
            sequence: own.sequence.clone(),
            size,
            digest: digest?,
        };
        let mut unit = units::delta(&delta, source);
        if let Some(key) = &own.facts.signing_key {
            unit.doc.insert(SIGNING_KEY.to_owned(), key.as_str().into());
        }
        unit.doc = with_checksums(&unit.doc, checksums);
        Ok::<_, ContentError>(unit)
    };
    let agree = |fields: &Document, checksums: &Document| {
        let sha256 = Sha256([0; 32]);
        let unit = unit(Source::Blob { sha256, size }, checksums)?;
        upload_fields::agree(DRPM, fields, &unit.doc).map_err(invalid)
    };
    let (source, checksums) = stored(ctx, &fields, agree).await?;
    ctx.stage(vec![unit(source, &checksums)?]).await
}

/// The uploaded file, which must begin as packages do.
fn package_file(ctx: &dyn UploadContext) -> Result<File, ContentError> {
    let mut file = ctx.open().map_err(|_| not_an_rpm())?;
    let mut magic = [0; 4];
    if file.read_exact(&mut magic).is_err() || magic != [0xed, 0xab, 0xee, 0xdb] {
        return Err(not_an_rpm());
    }
    Ok(file)
}

/// Reads a package on a thread that may block; what cannot be read is no RPM.
async fn read_on_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, MetadataError> + Send + 'static,
) -> Result<T, ContentError> {
    blocking::run(read).await?.map_err(|error| match error {
        error @ MetadataError::Limit { .. } => {
            ContentError::other(format!("the uploaded package {error}"))
        }
        _ => not_an_rpm(),
    })
}

/// Stores the uploaded file, if it is as the client said and `agree` accepts its checksums; returns its source and the checksums.
async fn stored(
    ctx: &dyn UploadContext,
    fields: &Document,
    agree: impl Fn(&Document, &Document) -> Result<(), ContentError> + Sync,
) -> Result<(Source, Document), ContentError> {
    let checksums = |hashed: &Hashed| -> Document {
        let all = hashed.all();
        all.map(|(algorithm, hex)| (algorithm.name().to_owned(), hex.into()))
            .collect()
    };
    let check = |hashed: &Hashed| {
        let (mut fields, checksums) = (fields.clone(), checksums(hashed));
        verify(&mut fields, &checksums)?;
        agree(&fields, &checksums)
    };
    let hashed = ctx.store(&USUAL, &check).await?;
    Ok((Source::from(&hashed), checksums(&hashed)))
}

/// Checks the signature policy, before anything is stored.
fn signatures(ctx: &dyn UploadContext, name: &str, facts: &HeadFacts) -> Result<(), ContentError> {
    let policy = SignaturePolicy::of(ctx.config());
    let key = facts.signing_key.as_deref();
    if policy.accepts(key) {
        return Ok(());
    }
    let allowed = policy.allowed;
    match key {
        None => Err(ContentError::coded(
            ErrorDetail::new("RPM1013", format!("Cannot import unsigned Package \"{name}\"."))
                .with("package", name),
        )),
        Some(key) => Err(ContentError::coded(
                ErrorDetail::new(
                    "RPM1014",
                    format!(
                        "Invalid signature key ID \"{key}\" found for Package: \"{name}\". Allowed Signatures keys \
                         \"{allowed:?}\"."
                    ),
                )
                .with("key", key)
                .with("package", name)
                .with("allowed", format!("{allowed:?}")),
        )),
    }
}

/// Compares the checksum that the client gave, if any.
fn verify(fields: &mut Document, checksums: &Document) -> Result<(), ContentError> {
    let own = fields.remove("checksumtype");
    let kind = fields.remove("checksum_type").or(own);
    let Some(expected) = fields.remove("checksum") else {
        return Ok(());
    };
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("sha256");
    let kind = kind.to_ascii_lowercase();
    let kind = if kind == "sha" { "sha1" } else { &kind };
    let expected = expected.as_str().unwrap_or_default().trim();
    match checksums.get(kind).and_then(Value::as_str) {
        None => Err(ContentError::coded(
            ErrorDetail::new(
                "RPM1009",
                format!("Checksum type \"{kind}\" is not supported."),
            )
            .with("checksumtype", kind),
        )),
        Some(actual) if !actual.eq_ignore_ascii_case(expected) => Err(ContentError::coded(
            ErrorDetail::new("PLP1013", "Checksum does not match calculated value."),
        )),
        Some(_) => Ok(()),
    }
}

/// Other packages of the repository with the same name and version as an uploaded one.
async fn same_nevra(
    ctx: &dyn UploadContext,
    unit: &WantedUnit,
) -> Result<Vec<UnitId>, ContentError> {
    const NEVRA: &[&str] = &["name", "epoch", "version", "release", "arch"];
    const KEY: &[&str] = &[
        "name",
        "epoch",
        "version",
        "release",
        "arch",
        "checksumtype",
        "checksum",
    ];
    let select = Select {
        fields: Some(KEY),
        ..Select::all(unit.type_id)
    };
    let select = select.narrow("name", [modular::text(&unit.doc, "name")]);
    let mut stream = ctx.units_after(select).await?;
    let mut same = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        let equal = |doc: &Document, fields: &[&str]| {
            fields.iter().all(|f| doc.get(*f) == unit.doc.get(*f))
        };
        // In place of the very package the upload comes by itself.
        let others = batch
            .iter()
            .filter(|u| equal(&u.doc, NEVRA) && !equal(&u.doc, KEY));
        same.extend(others.map(|u| u.id));
    }
    Ok(same)
}

/// An advisory. What is older than the one that is known changes nothing, and the report says so.
async fn erratum(
    ctx: &dyn UploadContext,
    fields: Document,
    bent: &Bent,
) -> Result<(), ContentError> {
    let erratum: Erratum = typed(fields)?;
    if erratum.id.is_empty() {
        return Err(invalid("the erratum has no id"));
    }
    if ctx.config().flag("skip_erratum_link") == Some(true) {
        return Err(ContentError::other(
            "skip_erratum_link is not supported: an erratum that no repository has cannot be stored",
        ));
    }
    let mut packer = Packer::new()?;
    let (id, updated) = (erratum.id.clone(), erratum.updated.clone());
    let unit = advisories::uploaded(erratum, &ctx.repo().id, &mut packer)?;
    if let Some(known) = ctx.known(&unit).await? {
        if !updated.trim().is_empty() && dates::moment(&updated).is_none() {
            return Err(invalid(format!(
                "the advisory '{id}' is known, and its new date '{updated}' cannot be compared with the date of that; \
                 write it as YYYY-MM-DD HH:MM:SS"
            )));
        }
        if advisories::compare(&unit.doc, &known).is_lt() {
            let sentence = "advisories that are older than what is known changed nothing";
            bent.note("older_advisory", sentence, id);
        }
    }
    ctx.stage(vec![unit]).await
}

async fn comps(
    ctx: &dyn UploadContext,
    type_id: &str,
    mut fields: Document,
    bent: &Bent,
) -> Result<(), ContentError> {
    if ctx.size() > 0 {
        return comps_file(ctx, bent).await;
    }
    fields.remove("repo_id");
    let element = match type_id {
        GROUP => Comps::Group(typed::<Group>(fields)?),
        CATEGORY => Comps::Category(typed::<Category>(fields)?),
        ENVIRONMENT => Comps::Environment(typed::<Environment>(fields)?),
        _ => {
            let matches = fields.remove("matches").unwrap_or_else(|| json!([]));
            let matches: Vec<Match> = serde_json::from_value(matches).map_err(invalid)?;
            Comps::Langpacks(matches)
        }
    };
    let unit = units::comps(&element, &ctx.repo().id);
    if type_id != LANGPACKS && unit.doc.get("id").and_then(Value::as_str) == Some("") {
        return Err(invalid(format!("the {type_id} has no id")));
    }
    ctx.stage(vec![unit]).await
}

/// Everything in a comps.xml, whatever type the client named. It replaces what the repository has of the same ids.
async fn comps_file(ctx: &dyn UploadContext, bent: &Bent) -> Result<(), ContentError> {
    let (file, repo_id, bent) = (ctx.open()?, ctx.repo().id.clone(), bent.clone());
    staged(ctx, move |out| {
        let documents = out.documents();
        let open = || {
            let mut again = file.try_clone()?;
            again.rewind()?;
            documents.at_most(again, MAX_COMPS)
        };
        let broken = comps::each(open, &bent, |element| {
            out.push(units::comps(&element, &repo_id))
        })?;
        broken.map_or(Ok(()), Err)
    })
    .await
}

/// Runs `work` on a thread that may block and stages what it puts into its outbox.
async fn staged<T: Send + 'static>(
    ctx: &dyn UploadContext,
    work: impl FnOnce(&mut Outbox) -> Result<T, MetadataError> + Send + 'static,
) -> Result<T, ContentError> {
    let (mut batches, ended) = outbox::start(&Bent::default(), work);
    while let Some(batch) = batches.recv().await {
        ctx.stage(batch.units).await?;
        drop(batch.room);
    }
    blocking::ended(ended.await)?.map_err(invalid)
}

async fn modules(ctx: &dyn UploadContext, bent: &Bent) -> Result<(), ContentError> {
    let (file, repo_id, bent) = (ctx.open()?, ctx.repo().id.clone(), bent.clone());
    let (survey, handed) = staged(ctx, move |out| {
        let mut file = ModuleFile::new(file, Origin::Upload, out.documents());
        let survey = file.survey(&bent)?;
        let handed = file.units(&survey, &repo_id, &bent, |unit| out.push(unit))?;
        Ok((survey, handed))
    })
    .await?;
    if survey.is_empty {
        return Err(invalid("the file has no module document"));
    }
    let all = said::read(ctx.units_after(said::select()).await?).await?;
    let (old, late) = said::settle(all, &handed);
    let outdated = [old, late].concat();
    if !outdated.is_empty() {
        ctx.remove(MODULE_DOCUMENT, outdated).await?;
    }
    mark(ctx, &survey.artifacts).await
}

/// Notes of the packages that modules list that they are modular, whichever came first.
async fn mark(ctx: &dyn UploadContext, listed: &Artifacts) -> Result<(), ContentError> {
    if listed.is_empty() {
        return Ok(());
    }
    let packages = ctx.units_after(listed.select_packages()).await?;
    let unmarked = modular::unmarked(packages, listed).await?;
    ctx.learn(RPM, IS_MODULAR, unmarked).await
}

async fn metadata_file(ctx: &dyn UploadContext, fields: Document) -> Result<(), ContentError> {
    let kind = fields
        .get("data_type")
        .and_then(Value::as_str)
        .filter(|kind| others::is_unknown(kind))
        .ok_or_else(|| invalid("data_type must name a type that pith does not write itself"))?
        .to_owned();
    let (source, checksums) = stored(ctx, &fields, |_, _| Ok(())).await?;
    let Some(sha256) = checksums.get("sha256").and_then(Value::as_str) else {
        return Err(invalid("the file has no digest"));
    };
    let doc = json!({
        "data_type": kind, "repo_id": ctx.repo().id, "checksum": sha256, "checksum_type": "sha256",
        "filename": pith_core::RelativePath::new(format!("{sha256}-{kind}")).map_err(invalid)?.file_name(),
    });
    let Value::Object(doc) = doc else {
        return Ok(());
    };
    let unit = metadata_only(METADATA_FILE, doc);
    ctx.stage(vec![unit.with_file(source)]).await
}
