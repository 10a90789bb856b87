//! Handlers: what they take of a request, and what they answer. Body, status and number of variable segments of an operation are
//! read off its handler's types, so that its description cannot say otherwise.

use futures::FutureExt;
use futures::future::BoxFuture;
use pith_core::{Document, TaskId};
use pith_engine::{Error, Job};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::answer::RestAnswer;
use super::call::Call;

/// The variable segments of the path, in their order.
pub(crate) struct Segments<const N: usize>(pub(crate) [String; N]);

/// The body of an operation that takes an object.
pub(crate) struct Object(pub(crate) Document);

/// The body of an operation that takes an object; an empty one when nothing came.
pub(crate) struct OptionalObject(pub(crate) Document);

/// The body of an operation that takes any JSON.
pub(crate) struct AnyJson(pub(crate) Value);

/// The body of an operation that takes any JSON; an empty object when nothing came.
pub(crate) struct OptionalJson(pub(crate) Value);

/// The body of an operation that takes bytes as they come.
pub(crate) struct Raw(pub(crate) axum::body::Body);

/// The kind of body that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestBodyKind {
    /// Whatever comes is not read.
    Ignored,
    /// A JSON object.
    Object,
    /// A JSON object; nothing counts as an empty one.
    OptionalObject,
    /// Any JSON.
    Any,
    /// Any JSON; nothing counts as an empty object.
    OptionalAny,
    /// Bytes, as they come.
    Raw,
}

/// A part of a request.
pub(crate) trait Part: Sized {
    /// The number of variable segments that it takes.
    const SEGMENTS: usize = 0;
    /// The body that it takes; `None` for what is no body.
    const BODY: Option<RestBodyKind> = None;

    /// Takes it out of the request.
    fn of(call: &mut Call) -> Self;
}

impl<const N: usize> Part for Segments<N> {
    const SEGMENTS: usize = N;

    fn of(call: &mut Call) -> Self {
        let mut segments = std::mem::take(&mut call.params).into_iter();
        Self(std::array::from_fn(|_| segments.next().unwrap_or_default()))
    }
}

impl Part for Object {
    const BODY: Option<RestBodyKind> = Some(RestBodyKind::Object);

    fn of(call: &mut Call) -> Self {
        Self(call.object())
    }
}

impl Part for OptionalObject {
    const BODY: Option<RestBodyKind> = Some(RestBodyKind::OptionalObject);

    fn of(call: &mut Call) -> Self {
        Self(call.object())
    }
}

impl Part for AnyJson {
    const BODY: Option<RestBodyKind> = Some(RestBodyKind::Any);

    fn of(call: &mut Call) -> Self {
        Self(call.any())
    }
}

impl Part for OptionalJson {
    const BODY: Option<RestBodyKind> = Some(RestBodyKind::OptionalAny);

    fn of(call: &mut Call) -> Self {
        Self(call.any())
    }
}

impl Part for Raw {
    const BODY: Option<RestBodyKind> = Some(RestBodyKind::Raw);

    fn of(call: &mut Call) -> Self {
        Self(call.raw())
    }
}

/// An answer of one kind.
pub(crate) trait Reply {
    /// Its status.
    const STATUS: u16 = 200;
    /// Is true when it tells of a queued task.
    const QUEUES: bool = false;

    /// Makes the answer.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    fn answer(self) -> Result<RestAnswer, Error>;
}

/// A document.
pub(crate) struct Json<T>(pub(crate) T);

/// A document of something new, which names itself by `_href`.
pub(crate) struct Created(pub(crate) Value);

/// The call report of queued work.
pub(crate) struct Queued(pub(crate) TaskId);

impl Call {
    /// Queues a job of one task.
    ///
    /// # Errors
    /// When it cannot be queued.
    pub(crate) async fn queue(&self, job: impl Job) -> Result<Queued, Error> {
        Ok(Queued(self.pulp.engine.enqueue(job).await?))
    }
}

/// The report of a group of queued tasks.
pub(crate) struct QueuedGroup(pub(crate) Uuid);

/// `null`: it is done, and there is nothing to tell.
pub(crate) struct Done;

/// No body at all.
pub(crate) struct NoContent;

/// One of two answers. Descriptions tell of the first.
pub(crate) enum Either<A, B> {
    /// The usual one.
    Usual(A),
    /// The other one.
    Other(B),
}

impl<T: Serialize> Reply for Json<T> {
    fn answer(self) -> Result<RestAnswer, Error> {
        RestAnswer::json(&self.0)
    }
}

impl Reply for Created {
    const STATUS: u16 = 201;

    fn answer(self) -> Result<RestAnswer, Error> {
        RestAnswer::created(&self.0)
    }
}

impl Reply for Queued {
    const STATUS: u16 = 202;
    const QUEUES: bool = true;

    fn answer(self) -> Result<RestAnswer, Error> {
        RestAnswer::queued(self.0)
    }
}

impl Reply for QueuedGroup {
    const STATUS: u16 = 202;
    const QUEUES: bool = true;

    fn answer(self) -> Result<RestAnswer, Error> {
        RestAnswer::queued_group(self.0)
    }
}

impl Reply for Done {
    fn answer(self) -> Result<RestAnswer, Error> {
        Ok(RestAnswer::null())
    }
}

impl Reply for NoContent {
    const STATUS: u16 = 204;

    fn answer(self) -> Result<RestAnswer, Error> {
        Ok(RestAnswer::no_content())
    }
}

impl Reply for RestAnswer {
    fn answer(self) -> Result<RestAnswer, Error> {
        Ok(self)
    }
}

impl<A: Reply, B: Reply> Reply for Either<A, B> {
    const STATUS: u16 = A::STATUS;
    const QUEUES: bool = A::QUEUES;

    fn answer(self) -> Result<RestAnswer, Error> {
        match self {
            Self::Usual(usual) => usual.answer(),
            Self::Other(other) => other.answer(),
        }
    }
}

/// A function that takes a call and parts of the request, and answers.
pub(crate) trait Handler<Parts>: Send + 'static {
    /// The number of variable segments that it takes.
    const SEGMENTS: usize;
    /// The body that it takes.
    const BODY: RestBodyKind;
    /// The status of its answer.
    const STATUS: u16;
    /// Is true when it queues a task.
    const QUEUES: bool;

    /// Runs it.
    fn run(self, call: Call) -> BoxFuture<'static, Result<RestAnswer, Error>>;
}

impl<F, Fut, R> Handler<()> for F
where
    F: FnOnce(Call) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
    R: Reply,
{
    const SEGMENTS: usize = 0;
    const BODY: RestBodyKind = RestBodyKind::Ignored;
    const STATUS: u16 = R::STATUS;
    const QUEUES: bool = R::QUEUES;

    fn run(self, call: Call) -> BoxFuture<'static, Result<RestAnswer, Error>> {
        self(call).map(|done| done?.answer()).boxed()
    }
}

macro_rules! handler {
    ($($Part:ident $part:ident),+) => {
        impl<F, Fut, R, $($Part),+> Handler<($($Part,)+)> for F
        where
            F: FnOnce(Call, $($Part),+) -> Fut + Send + 'static,
            Fut: Future<Output = Result<R, Error>> + Send + 'static,
            R: Reply,
            $($Part: Part,)+
        {
            const SEGMENTS: usize = 0 $(+ $Part::SEGMENTS)+;
            const BODY: RestBodyKind = one_body(&[$($Part::BODY),+]);
            const STATUS: u16 = R::STATUS;
            const QUEUES: bool = R::QUEUES;

            fn run(self, mut call: Call) -> BoxFuture<'static, Result<RestAnswer, Error>> {
                $(let $part = $Part::of(&mut call);)+
                self(call, $($part),+).map(|done| done?.answer()).boxed()
            }
        }
    };
}

handler!(A a);
handler!(A a, B b);

/// The only body among parts; it is not read when there is none.
const fn one_body(bodies: &[Option<RestBodyKind>]) -> RestBodyKind {
    let mut only = RestBodyKind::Ignored;
    let mut at = 0;
    while at < bodies.len() {
        if let Some(body) = bodies[at] {
            assert!(matches!(only, RestBodyKind::Ignored), "there is one body");
            only = body;
        }
        at += 1;
    }
    only
}
