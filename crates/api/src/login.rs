//! `/v2/actions/login/` (pulp2/people#login).

use pith_core::error::PulpError;
use pith_core::{Document, Operation};
use pith_engine::Error;
use pith_pulp::auth::Principal;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;

use crate::http::{Call, Json};
use crate::operation::Shape::One;
use crate::operation::{NONE, READ, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Post "/actions/login/", READ, login, "Get a client certificate that stands for the caller.", [], NONE => One("KeyAndCertificate")),
];

/// Hands out a certificate and its key.
pub(crate) async fn login(call: Call) -> Result<Json<impl Serialize>, Error> {
    let account = match call.principal()? {
        Principal::User(account) => account,
        // Certificates are for users; a consumer has one from its registration.
        other @ (Principal::Consumer(_) | Principal::System) => {
            other.permit(Operation::Read, "/v2/actions/login/")?;
            return Err(PulpError::execution("only users can log in").into());
        }
    };
    let issued = call.pulp.login_certificate(account).await?;
    let mut answer = Document::new();
    answer.insert("certificate".to_owned(), json!(issued.certificate));
    // The one place where a key is shown: to whom it is made for.
    answer.insert("key".to_owned(), json!(issued.key.expose_secret()));
    Ok(Json(answer))
}
