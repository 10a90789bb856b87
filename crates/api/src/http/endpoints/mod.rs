//! Endpoints of content types: found below their roots, let in, and answered within the bounds of the API's own requests.

mod context;
mod head;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::{FutureExt, StreamExt};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use pith_content::Root;
use pith_content::routes::{self, Answer, AnswerBody, BodyKind, Login, Params, Refusal, Who};
use pith_core::error::PulpError;
use pith_core::{Area, Purpose};
use pith_engine::registry::OwnRoute;
use pith_engine::turns::Turn;
use pith_engine::{Caller, Error, on_behalf_of};
use pith_pulp::auth::Principal;
use pith_trust::PeerCertificate;

use self::context::EndpointContext;
use self::head::{Head, segments};
use super::answer::RETRY;
use super::call::query_pairs;
use super::credentials::{authenticate, is_basic, origin};
use super::cross_site::refuse_foreign;
use super::dispatch::{drain, let_finish};
use super::intake::{self, Pending, Taken};
use super::notes::note;
use super::shared::Shared;

/// Headers of every answer.
const PROTECTION: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox"),
];

/// The published content, as the clients of one listener see it.
#[async_trait]
pub trait PublishedContent: Send + Sync {
    /// Answers a `GET` or `HEAD`.
    async fn respond(&self, request: &Parts) -> Response;
}

/// The endpoints of all content types.
#[derive(Clone)]
pub struct Endpoints {
    shared: Arc<Shared>,
}

/// An endpoint of which a request is.
pub struct FoundEndpoint {
    shared: Arc<Shared>,
    own: OwnRoute,
    params: Params,
}

impl Endpoints {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Tells whether no type has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.pulp.engine.registry.routes().next().is_none()
    }

    /// The endpoint that a request is for; `None` when what is published answers it. `HEAD` is answered as `GET`.
    #[must_use]
    pub fn find(&self, request: &Request) -> Option<FoundEndpoint> {
        let path = segments(request.uri().path())?;
        let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
        let routes = self.shared.pulp.engine.registry.routes();
        let mut routes = routes.filter(|own| own.route.verb.answers(request.method()));
        let (own, params) = routes.find_map(|own| Some((own, own.template.find(&path)?)))?;
        Some(FoundEndpoint {
            shared: Arc::clone(&self.shared),
            own: own.clone(),
            params,
        })
    }
}

impl FoundEndpoint {
    /// Answers the request.
    pub async fn answer(self, published: Arc<dyn PublishedContent>, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (family, root) = (Arc::clone(&self.own.family), self.own.root);
        let refuse = |refusal: &Refusal| {
            let mut answer = family.refuse(refusal);
            if matches!(refusal.status.as_u16(), 429 | 503) {
                answer.headers.entry(RETRY_AFTER).or_insert(RETRY);
            }
            response(answer, root, is_head)
        };
        match AssertUnwindSafe(self.run(published, request))
            .catch_unwind()
            .await
        {
            Ok(Ok((answer, pending))) => intake::hold(response(answer, root, is_head), pending),
            Ok(Err(refusal)) => {
                let is_own = refusal.status.is_server_error() && refusal.status != 503;
                if refusal.cause().is_some() || is_own {
                    let cause: &dyn std::error::Error = refusal.cause().unwrap_or(&refusal);
                    tracing::error!(%method, path, error = cause, "a request failed");
                }
                refuse(&refusal)
            }
            Err(_) => {
                tracing::error!(%method, path, "a request panicked");
                refuse(&Refusal::failed("the server failed to answer this request"))
            }
        }
    }

    async fn run(
        self,
        published: Arc<dyn PublishedContent>,
        request: Request,
    ) -> Result<(Answer, Pending), Refusal> {
        let Self {
            shared,
            own,
            params,
        } = self;
        let (request, body) = request.into_parts();
        note(&request.extensions, |notes| {
            notes.asks_for(Purpose {
                area: Area::Endpoint,
                group: own.root.path,
                changes: !matches!(request.method, Method::GET | Method::HEAD),
            });
        });
        let admitted = match admit(&shared, &own, &request).await {
            Ok(admitted) => admitted,
            Err(why) => {
                let_finish(request, body).await;
                return Err(context::refused(why));
            }
        };
        let head = Head::of(request, own.route);
        let is_super_user = (admitted.principal.as_ref()).is_some_and(Principal::is_super_user);
        let (body, turn, _taken) = take_in(&shared, &admitted.caller, own.route.body, body).await?;
        let call = routes::Request {
            method: head.parts.method.clone(),
            path: head.parts.uri.path().to_owned(),
            params,
            query: query_pairs(head.parts.uri.query().unwrap_or_default()),
            headers: head.told.clone(),
            body,
        };
        let ctx = EndpointContext {
            shared: Arc::clone(&shared),
            family: own.family,
            published,
            who: admitted.who,
            principal: admitted.principal,
            head: head.parts,
            turn: Mutex::new(turn),
            queued: Mutex::default(),
        };
        let memory = shared.intake.answer();
        let work = own.route.endpoint.answer(&ctx, call);
        let work = on_behalf_of(admitted.caller, is_super_user, work);
        let answer = memory.clone().scope(work).await?;
        Ok((answer, Pending::new(ctx.turn.into_inner(), memory)))
    }
}

/// A caller who may come in.
struct Admitted {
    who: Who,
    principal: Option<Principal>,
    caller: Caller,
}

async fn admit(shared: &Shared, own: &OwnRoute, request: &Parts) -> Result<Admitted, Error> {
    let is_reading = matches!(request.method, Method::GET | Method::HEAD);
    if !is_reading {
        refuse_foreign(request)?;
    }
    let principal = match own.route.login {
        Login::Required => Some(authenticate(shared, request).await?),
        Login::Optional if is_basic(&request.headers) => Some(authenticate(shared, request).await?),
        Login::Optional => None,
    };
    let engine = &shared.pulp.engine;
    match request.method {
        _ if is_reading => {}
        Method::DELETE => engine.make_way().await,
        _ => engine.require_room()?,
    }
    let name = principal.as_ref().map(Principal::name);
    Ok(Admitted {
        who: match name {
            Some(name) => Who::Login(name.to_owned()),
            None if request.extensions.get::<PeerCertificate>().is_some() => Who::Certificate,
            None => Who::Nobody,
        },
        caller: match name {
            Some(name) => Caller::Login(name.into()),
            None => Caller::Network(origin(request), 0),
        },
        principal,
    })
}

/// Reads a body as its route takes it, and gets the request its turn, in this order; bytes as they come take none.
async fn take_in(
    shared: &Shared,
    caller: &Caller,
    kind: BodyKind,
    body: Body,
) -> Result<(routes::Body, Option<Turn<Caller>>, Taken), PulpError> {
    let intake = &shared.intake;
    match kind {
        BodyKind::Nothing => {
            drain(body.into_data_stream()).await;
            let turn = intake.request(caller, None).await?;
            Ok((routes::Body::Nothing, Some(turn), Taken::default()))
        }
        BodyKind::Document => {
            let body = intake.read(caller, body).await?;
            let turn = intake.request(caller, Some(&body)).await?;
            let (bytes, taken) = intake.document(body).await?;
            Ok((routes::Body::Document(bytes), Some(turn), taken))
        }
        BodyKind::Stream => {
            let pieces = body.into_data_stream();
            let pieces = pieces.map(|piece| piece.map_err(std::io::Error::other));
            Ok((routes::Body::Stream(pieces.boxed()), None, Taken::default()))
        }
    }
}

/// An answer with what every answer below its root has, and with what keeps browsers from taking it for a page of this server.
fn response(answer: Answer, root: &Root, is_head: bool) -> Response {
    let Answer {
        status,
        mut headers,
        body,
    } = answer;
    for (name, value) in root.headers.iter().chain(PROTECTION) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            headers.entry(name).or_insert(value);
        }
    }
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = match body {
        AnswerBody::Bytes(bytes) => {
            if !is_empty {
                let length = HeaderValue::from(bytes.len());
                headers.entry(CONTENT_LENGTH).or_insert(length);
            }
            Body::from(bytes)
        }
        AnswerBody::Stream(stream) => Body::from_stream(stream),
    };
    let mut response = Response::new(if is_head { Body::empty() } else { body });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
