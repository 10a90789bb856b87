//! Downloads with a session: the whole of each, from its first mirror to its end.

use crate::download::{Fetched, Outcome, Request};
use crate::error::{ErrorKind, FetchError};
use crate::headers::Validators;
use crate::session::Session;
use crate::sink::Sink;
use crate::transfer::Transfer;

impl Session {
    /// Streams a file into `sink`, from the first mirror that has it as promised.
    ///
    /// Failures that may pass are tried again with growing waits, resuming where the server can do that safely; a mirror
    /// that asks for a wait (`Retry-After`) is obeyed when it is the last one, and left for the next one otherwise. A wrong
    /// size or digest is never tried again on the same mirror.
    ///
    /// # Errors
    /// [`FetchError`] of the last mirror tried, with those of the others in [`FetchError::earlier`].
    pub async fn get(&self, request: Request, sink: &mut dyn Sink) -> Result<Fetched, FetchError> {
        match self.run(&request, None, sink).await? {
            Outcome::Fetched(fetched) => Ok(*fetched),
            Outcome::NotModified { .. } => Err(FetchError::settings(
                "a server has nothing new, which it was not asked for",
            )),
        }
    }

    /// Does what [`Session::get`] does, unless the first mirror that answers has the version of the file that `known` is of: then
    /// nothing comes into `sink`, and size and digests are not looked at. A file of this machine always comes.
    ///
    /// # Errors
    /// As [`Session::get`].
    pub async fn get_unless(
        &self,
        known: &Validators,
        request: Request,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, FetchError> {
        self.run(&request, Some(known), sink).await
    }

    async fn run(
        &self,
        request: &Request,
        known: Option<&Validators>,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, FetchError> {
        let Some(first) = request.urls.first() else {
            return Err(FetchError::settings("there is no URL to fetch"));
        };
        let transfer = Transfer::new(self, request, known, sink);
        let limit = self.state.shared.policy.longest;
        let done = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(FetchError::new(ErrorKind::Cancelled, first, "")),
            done = transfer.run() => done,
            () = tokio::time::sleep(limit) => Err(FetchError::new(ErrorKind::TooLong { limit }, first, "")),
        };
        self.state.shared.figures.ended(&done);
        match done {
            Ok(mut outcome) => {
                self.hush(match &mut outcome {
                    Outcome::Fetched(fetched) => &mut fetched.failed_mirrors,
                    Outcome::NotModified { failed_mirrors, .. } => failed_mirrors,
                })
                .await;
                Ok(outcome)
            }
            Err(mut error) => {
                self.hush(&mut error.earlier).await;
                self.hush(std::slice::from_mut(&mut error)).await;
                Err(error)
            }
        }
    }

    /// Takes from the errors of a discreet session what they tell of servers that are not in the internet.
    async fn hush(&self, errors: &mut [FetchError]) {
        if !self.is_discreet {
            return;
        }
        for error in errors {
            if self.is_inner(&error.url).await {
                tracing::info!(%error, "a server that is not in the internet did not give a file");
                error.hush();
            }
        }
    }
}
