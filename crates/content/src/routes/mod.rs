//! Endpoints of a family: what it answers by code below its roots, where a publication alone is not enough.
//!
//! A [`Route`] is data: method, path, who must say who they are, the body it takes. The platform finds it, reads the body within its
//! own bounds, asks who sent it, and calls the [`Endpoint`], which sees the platform through a [`RouteContext`]: publications as
//! clients see them, its own repositories as far as whoever asks may use them, uploads and tasks.

mod answer;
mod context;
mod request;
mod template;

use async_trait::async_trait;
use http::Method;

pub use answer::{Answer, AnswerBody, Refusal};
pub use context::{Import, RouteContext, TaskEnd, UploadId};
pub use request::{Body, BodyStream, Request, Who};
pub use template::{BadTemplate, Params, Template};

/// One endpoint, as data.
pub struct Route {
    /// Its method. `HEAD` is answered by the route of `GET`.
    pub verb: Verb,
    /// Its path without slashes at its ends: `v2/<name...>/blobs/<digest>`. `<digest>` stands for one segment, `<name...>` for one
    /// or more, once in a path. It lies below one of the family's roots.
    pub path: &'static str,
    /// The callers who may come in.
    pub login: Login,
    /// The body that it takes.
    pub body: BodyKind,
    /// Request headers that it reads, in small letters. Others are not kept, and those with credentials never are.
    pub headers: &'static [&'static str],
    /// The code behind it.
    pub endpoint: &'static dyn Endpoint,
}

/// The methods that routes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Verb {
    /// Tells whether requests of this method are of such a route.
    #[must_use]
    pub fn answers(self, method: &Method) -> bool {
        match self {
            Self::Get => matches!(*method, Method::GET | Method::HEAD),
            Self::Post => *method == Method::POST,
            Self::Put => *method == Method::PUT,
            Self::Patch => *method == Method::PATCH,
            Self::Delete => *method == Method::DELETE,
        }
    }
}

/// The callers who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Everybody. Who tells a login and a password is asked whether they are right.
    Optional,
    /// Users and consumers. Others get 401.
    Required,
}

/// The body that a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// None; what comes is not read.
    Nothing,
    /// A document, which is in memory when the endpoint is called: 5 MiB at most.
    Document,
    /// Bytes as they come, of any length.
    Stream,
}

impl Route {
    /// A route that reads: `GET`, for everybody, without a body.
    #[must_use]
    pub const fn get(path: &'static str, endpoint: &'static dyn Endpoint) -> Self {
        Self {
            verb: Verb::Get,
            path,
            login: Login::Optional,
            body: BodyKind::Nothing,
            headers: &[],
            endpoint,
        }
    }
}

/// The code behind a route.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// Answers one request.
    ///
    /// # Errors
    /// A [`Refusal`], which the family writes in its own form ([`crate::ContentType::refuse`]).
    async fn answer(&self, ctx: &dyn RouteContext, request: Request) -> Result<Answer, Refusal>;
}
