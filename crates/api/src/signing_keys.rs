//! `/v2/pith/signing_keys/`: the keys that sign what is published. They are pith's own; Pulp had none.

use pith_core::{Document, Operation};
use pith_engine::Error;
use pith_pulp::signing_keys::document;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Call, Created, Done, Json, Object, OptionalObject, Segments};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{CREATE, DELETE, EXECUTE, NONE, READ, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/pith/signing_keys/", READ, list, "List the keys that sign or did, with their public parts.", [], NONE => Many("SigningKey")),
    operation!(Post "/pith/signing_keys/", CREATE, create, "Make a key that signs.", [], One("NewSigningKey") => One("SigningKey")),
    operation!(Post "/pith/signing_keys/actions/import/", CREATE, import, "Import a secret key that another program exported.", [], One("ImportedSigningKey") => One("SigningKey")),
    operation!(Get "/pith/signing_keys/<key>/", READ, read, "Read a key, by its name or fingerprint.", [], NONE => One("SigningKey")),
    operation!(Delete "/pith/signing_keys/<key>/", DELETE, delete, "Delete a key that no distributor signs with.", [], NONE => Null),
    operation!(Post "/pith/signing_keys/<key>/actions/export/", EXECUTE, export, "Export a key with its secret part; for super-users.", [], One("SigningKeyExport") => One("SecretSigningKey")),
    operation!(Post "/pith/signing_keys/<key>/actions/rotate/", UPDATE, rotate, "Have a new key sign in the place of one.", [], One("SigningKeyRotation") => One("SigningKey")),
];

/// Every key.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.signing_key_documents().await?))
}

/// Makes a key.
pub(crate) async fn create(call: Call, Object(body): Object) -> Result<Created, Error> {
    permit_default(&call, &body)?;
    Ok(Created(call.pulp.signing_key_create(&body).await?))
}

/// Reads a key of another program.
pub(crate) async fn import(call: Call, Object(body): Object) -> Result<Created, Error> {
    permit_default(&call, &body)?;
    Ok(Created(call.pulp.signing_key_import(&body).await?))
}

/// Leaves it to super-users which key is the default one: it signs for everybody.
fn permit_default(call: &Call, body: &Document) -> Result<(), Error> {
    match body.get("default") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(_) => Ok(call.principal()?.permit_super_user(Operation::Create)?),
    }
}

/// One key.
pub(crate) async fn read(
    call: Call,
    Segments([key]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let key = call.pulp.signing_key_require(&key).await?;
    Ok(Json(document(&key)))
}

/// Deletes a key.
pub(crate) async fn delete(call: Call, Segments([key]): Segments<1>) -> Result<Done, Error> {
    call.pulp.signing_key_delete(&key).await?;
    Ok(Done)
}

/// Gives out a key with its secret part, to super-users alone: whoever has it signs in the server's name anywhere.
pub(crate) async fn export(
    call: Call,
    Segments([key]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    let key = call.pulp.signing_key_require(&key).await?;
    call.principal()?.permit_super_user(Operation::Execute)?;
    let secret = call.pulp.signing_key_export(&key, &body).await?;
    Ok(Json(json!({
        "name": key.name,
        "fingerprint": key.fingerprint,
        "secret_key": secret.expose_secret(),
    })))
}

/// Has a new key sign in the place of one.
pub(crate) async fn rotate(
    call: Call,
    Segments([key]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Created, Error> {
    if body.contains_key("key") {
        // Whoever has its secret part elsewhere would sign for all repositories that the old one was chosen for.
        call.principal()?.permit_super_user(Operation::Update)?;
    }
    Ok(Created(call.pulp.signing_key_rotate(&key, &body).await?))
}
