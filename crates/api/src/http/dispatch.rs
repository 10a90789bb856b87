//! The way from a request to its response: routing, authentication, permission, body, handler, errors, in that order
//! (pulp2/conventions#paths, pulp2/conventions#bodies).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{FutureExt, Stream, StreamExt};
use http::header::{ALLOW, EXPECT, LOCATION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use pith_core::Document;
use pith_core::error::{ErrorDetail, PulpError};
use pith_engine::turns::Turn;
use pith_engine::{Caller, Error, on_behalf_of};
use pith_pulp::auth::Principal;
use pith_pulp::error::{is_for_operators, told};
use serde_json::{Value, json};

use super::answer::{self, RestAnswer};
use super::call::{Call, Payload};
use super::credentials::{authenticate, origin};
use super::cross_site::{refuse_foreign, refuse_text};
use super::handler::RestBodyKind;
use super::intake::{self, Intake, Pending, Taken};
use super::notes::note;
use super::shared::Shared;
use crate::operation::{Disk, RestRoute};

const MOUNT: &str = "/pulp/api/v2/";
/// The bytes that are read of the body of a refused request.
const MAX_DRAINED: usize = 64 * 1024 * 1024;
/// The time that reading them may take.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Answers a request below `/pulp/api`.
pub(crate) async fn dispatch(shared: Arc<Shared>, request: Request) -> Response {
    let method = request.method().as_str().to_owned();
    // As it was asked for: clients are told it again, and the log is not, since secrets may be in a query.
    let href = request
        .uri()
        .path_and_query()
        .map_or_else(|| request.uri().path().to_owned(), ToString::to_string);
    let head = method == "HEAD";
    let path = collapse(request.uri().path());
    let (Some(inside), slash) = (below_mount(&path), path.ends_with('/')) else {
        return answer::not_found(head);
    };
    let Some(matched) = shared.matcher.find(&inside) else {
        return answer::not_found(head);
    };
    if !slash {
        return with_slash(&path, request.uri().query());
    }
    let Some(route) = matched.route(&method) else {
        let code = if method == "OPTIONS" {
            StatusCode::OK
        } else {
            StatusCode::METHOD_NOT_ALLOWED
        };
        let mut response = answer::empty(code);
        if let Ok(allow) = HeaderValue::try_from(matched.allow()) {
            response.headers_mut().insert(ALLOW, allow);
        }
        return response;
    };
    let params = matched.params;
    note(request.extensions(), |notes| {
        notes.asks_for(route.purpose());
    });
    let call = run(&shared, route, params, href.clone(), inside, request);
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok((answer, pending))) => intake::hold(answer.into_response(head), pending),
        Ok(Err(error)) => {
            if is_for_operators(&error) {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(%method, path, error = cause, "a request failed");
            }
            answer::error(&told(&error), &method, &href)
        }
        Err(_) => {
            tracing::error!(%method, path, "a request panicked");
            answer::failure(&method, &href)
        }
    }
}

async fn run(
    shared: &Shared,
    route: &RestRoute,
    params: Vec<String>,
    href: String,
    inside: String,
    request: Request,
) -> Result<(RestAnswer, Pending), Error> {
    let (request, body) = request.into_parts();
    let admitted = match admit(shared, route, &inside, &request).await {
        Ok(admitted) => admitted,
        Err(refused) => {
            let_finish(request, body).await;
            return Err(refused);
        }
    };
    // Nothing of a client's head is kept while its body is waited for.
    drop(request);
    let Admitted {
        principal,
        caller,
        query,
    } = admitted;
    let is_super_user = principal.as_ref().is_some_and(Principal::is_super_user);
    let intake = &shared.intake;
    let (payload, turn, _taken) = take_in(intake, &caller, Wanted::of(route), body).await?;
    let call = Call {
        pulp: Arc::clone(&shared.pulp),
        href,
        params,
        query,
        payload,
        principal,
        paths: Arc::clone(&shared.paths),
    };
    let memory = intake.answer();
    let work = on_behalf_of(caller, is_super_user, (route.run)(call));
    let answer = memory.clone().scope(work).await?;
    Ok((answer, Pending::new(turn, memory)))
}

/// A caller who may do what they ask, and what of the head of their request matters from then on.
struct Admitted {
    principal: Option<Principal>,
    caller: Caller,
    query: Option<String>,
}

/// Returns the caller, when they may do this and there is room for it.
async fn admit(
    shared: &Shared,
    route: &RestRoute,
    inside: &str,
    request: &Parts,
) -> Result<Admitted, Error> {
    let principal = authorize(shared, route, inside, request).await?;
    if !matches!(route.body, RestBodyKind::Ignored | RestBodyKind::Raw) {
        refuse_text(&request.headers)?;
    }
    let caller = match &principal {
        Some(principal) => Caller::Login(principal.name().into()),
        None => Caller::Network(origin(request), 0),
    };
    Ok(Admitted {
        principal,
        caller,
        query: request.uri.query().map(str::to_owned),
    })
}

/// Returns the caller, when the route is not open to everybody.
async fn authorize(
    shared: &Shared,
    route: &RestRoute,
    inside: &str,
    request: &Parts,
) -> Result<Option<Principal>, Error> {
    if route.operation.is_none() {
        return Ok(None);
    }
    refuse_foreign(request)?;
    let principal = authenticate(shared, request).await?;
    permit(&principal, route, inside)?;
    match route.disk() {
        Disk::Nothing => {}
        Disk::Room => shared.pulp.engine.require_room()?,
        Disk::Reserve => shared.pulp.engine.make_way().await,
    }
    Ok(Some(principal))
}

/// Refuses an operation on a path below the mount point to whoever may not do it.
///
/// # Errors
/// 401 PLP0026.
pub(super) fn permit(
    principal: &Principal,
    route: &RestRoute,
    inside: &str,
) -> Result<(), PulpError> {
    let path = resource(inside);
    match (route.operation, route.makes_inside()) {
        (None, _) => Ok(()),
        // Below `/v2/`.
        (_, Some(segments)) => principal.permit_inside(first(&path, segments + 1), &path),
        (Some(operation), None) => principal.permit(operation, &path),
    }
}

/// Lets the client of a request that was refused by its head send the rest. A client that waits for `100 Continue` has sent
/// nothing, and is not asked to.
pub(super) async fn let_finish(request: Parts, body: Body) {
    let sends = !request.headers.contains_key(EXPECT);
    drop(request);
    if sends {
        drain(body.into_data_stream()).await;
    }
}

/// Reads what a refused client still sends, within limits: a connection that is closed before would take the answer with it.
pub(crate) async fn drain<E>(mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let read = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(piece)) = body.next().await {
            match left.checked_sub(piece.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

/// The resource that rights are granted on, of a path below the mount point: its segments as the route saw them, so that
/// no way of writing slashes makes a difference.
fn resource(inside: &str) -> String {
    let mut path = String::with_capacity(inside.len() + 4);
    path.push_str("/v2/");
    for segment in inside.split('/').filter(|segment| !segment.is_empty()) {
        path.push_str(segment);
        path.push('/');
    }
    path
}

/// The resource that the first segments of a path name.
fn first(path: &str, segments: usize) -> &str {
    let end = path.match_indices('/').nth(segments);
    end.map_or(path, |(at, _)| &path[..=at])
}

/// Joins consecutive slashes.
fn collapse(path: &str) -> String {
    if !path.contains("//") {
        return path.to_owned();
    }
    let mut joined = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !joined.ends_with('/') {
            joined.push(character);
        }
    }
    joined
}

/// Returns what is below the mount point, decoded; an encoded slash is a slash, as it was for Pulp.
fn below_mount(path: &str) -> Option<String> {
    let inside = path.strip_prefix(MOUNT)?;
    let decoded = percent_decode_str(inside).decode_utf8().ok()?;
    (!decoded.is_empty() && !decoded.contains('\0')).then(|| decoded.into_owned())
}

fn with_slash(path: &str, query: Option<&str>) -> Response {
    let mut response = answer::empty(StatusCode::MOVED_PERMANENTLY);
    let location = match query {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    };
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The body that a route takes.
#[derive(Clone, Copy)]
struct Wanted {
    kind: RestBodyKind,
    is_long: bool,
}

impl Wanted {
    fn of(route: &RestRoute) -> Self {
        Self {
            kind: route.body,
            is_long: route.takes_long_bodies(),
        }
    }
}

/// Reads a body as its route says, and gets the request its turn: in this order, so that a client that sends slowly keeps
/// nobody waiting.
async fn take_in(
    intake: &Intake,
    caller: &Caller,
    wanted: Wanted,
    body: Body,
) -> Result<(Payload, Option<Turn<Caller>>, Taken), Error> {
    let Wanted { kind, is_long } = wanted;
    match kind {
        RestBodyKind::Ignored => {
            // One that is left on the way would end the connection under the client's next request.
            drain(body.into_data_stream()).await;
            let turn = intake.request(caller, None).await?;
            Ok((Payload::None, Some(turn), Taken::default()))
        }
        // Bytes go to the disk as they come, and take as long as they take.
        RestBodyKind::Raw => Ok((Payload::Raw(body.into()), None, Taken::default())),
        RestBodyKind::Object
        | RestBodyKind::OptionalObject
        | RestBodyKind::Any
        | RestBodyKind::OptionalAny => {
            let body = intake.read(caller, body).await?;
            let turn = intake.request(caller, Some(&body)).await?;
            let parse = |bytes: &[u8]| json_of(kind, bytes);
            let (value, taken) = intake.json(caller, body, is_long, parse).await?;
            Ok((Payload::Json(value), Some(turn), taken))
        }
    }
}

fn json_of(kind: RestBodyKind, bytes: &[u8]) -> Result<Value, PulpError> {
    let optional = matches!(
        kind,
        RestBodyKind::OptionalObject | RestBodyKind::OptionalAny
    );
    if bytes.is_empty() && optional {
        return Ok(json!({}));
    }
    // The parser refuses what is nested deeper than 128 levels.
    let value: Value = serde_json::from_slice(bytes).map_err(|_| PulpError::not_json())?;
    if let Some(text) = zero_in(bytes, &value) {
        return Err(unstorable(text));
    }
    let wants_object = matches!(kind, RestBodyKind::Object | RestBodyKind::OptionalObject);
    if wants_object && !value.is_object() {
        return Err(PulpError::not_an_object());
    }
    Ok(value)
}

/// A text with a zero character, which not every database can keep. Bodies without its escape are not looked through.
fn zero_in<'a>(bytes: &[u8], value: &'a Value) -> Option<&'a str> {
    fn look(value: &Value) -> Option<&str> {
        let has_zero = |text: &&str| text.contains('\0');
        match value {
            Value::String(text) => Some(text.as_str()).filter(has_zero),
            Value::Array(items) => items.iter().find_map(look),
            Value::Object(map) => map.iter().find_map(|(key, value)| {
                Some(key.as_str()).filter(has_zero).or_else(|| look(value))
            }),
            _ => None,
        }
    }
    let escaped = bytes.windows(6).any(|window| window == b"\\u0000");
    escaped.then(|| look(value)).flatten()
}

/// 400 PLP0019.
fn unstorable(text: &str) -> PulpError {
    let shown = text.replace('\0', "\\0");
    let message = format!("Pulp only accepts input encoded in UTF-8: {shown}");
    let mut error =
        PulpError::validation(ErrorDetail::new("PLP0019", message).with("value", shown.as_str()));
    error.extra = Document::from_iter([("value".to_owned(), Value::String(shown))]);
    error
}

#[cfg(test)]
mod tests {
    use super::super::arrivals::MAX_BODY;
    use super::*;

    #[test]
    fn paths_are_collapsed_and_decoded() {
        assert_eq!(collapse("/pulp/api//v2///x//"), "/pulp/api/v2/x/");
        assert_eq!(below_mount("/pulp/api/v2/a%20b/").as_deref(), Some("a b/"));
        assert_eq!(below_mount("/pulp/api/v2/"), None);
        assert_eq!(below_mount("/pulp/api/v2/%ff/"), None);
        assert_eq!(below_mount("/pulp/api/v2/tasks/%00/"), None);
    }

    #[test]
    fn the_owner_is_the_first_segments_of_a_path() {
        let path = resource("/repositories//x/importers/");
        assert_eq!(first(&path, 3), "/v2/repositories/x/");
        assert_eq!(first("/v2/", 3), "/v2/");
    }

    #[tokio::test]
    async fn bodies_are_read_as_the_route_says() {
        let intake = Intake::default();
        let read = |kind, text: &str| {
            let wanted = Wanted {
                kind,
                is_long: true,
            };
            take_in(
                &intake,
                &Caller::Nobody,
                wanted,
                Body::from(text.to_owned()),
            )
        };
        let code = |result: Result<_, Error>| told(&result.err().unwrap()).code().to_owned();
        assert_eq!(code(read(RestBodyKind::Object, "").await), "PLP1009");
        assert_eq!(
            code(read(RestBodyKind::OptionalObject, "{").await),
            "PLP1009"
        );
        assert_eq!(
            code(read(RestBodyKind::OptionalObject, "null").await),
            "PLP1015"
        );
        assert_eq!(code(read(RestBodyKind::Any, "").await), "PLP1009");
        assert!(read(RestBodyKind::OptionalObject, "").await.is_ok());
        assert!(read(RestBodyKind::Any, "[1]").await.is_ok());
        assert!(read(RestBodyKind::Any, r#"["\\u0000"]"#).await.is_ok());
        assert_eq!(
            code(read(RestBodyKind::Any, r#"{"a": ["\u0000"]}"#).await),
            "PLP0019"
        );
        let deep = "[".repeat(100_000);
        assert_eq!(code(read(RestBodyKind::Any, &deep).await), "PLP1009");
        let large = format!("\"{}\"", "x".repeat(MAX_BODY));
        assert_eq!(code(read(RestBodyKind::Any, &large).await), "PLP0000");
    }
}
