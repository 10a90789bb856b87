//! Everything that can go wrong for a person at a terminal: one type, its exit code and what to do next.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::failure::{ErrorAnswer, FailedTask, answer_message, tasks_message};
use crate::hint;

/// The end of a command, as the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// A task ended with an error or was cancelled.
    TaskFailed = 1,
    /// The command line, a local file or the stored login is wrong.
    Usage = 2,
    /// The server knows no such thing.
    NotFound = 3,
    /// The server refuses these credentials, or they would travel unprotected.
    Refused = 4,
    /// No server answers.
    Unreachable = 5,
    /// Any other answer that is not a success.
    ServerError = 6,
    /// Interrupted while waiting; the tasks go on.
    Interrupted = 130,
}

impl Exit {
    /// Every code with its meaning, for the reference page.
    pub const TABLE: [(Self, &'static str); 8] = [
        (Self::Done, "done"),
        (Self::TaskFailed, "a task failed or was cancelled"),
        (
            Self::Usage,
            "wrong usage, or a local file or the stored login cannot be used",
        ),
        (Self::NotFound, "not found"),
        (
            Self::Refused,
            "refused: credentials missing, wrong, without the right, or about to travel in the clear",
        ),
        (Self::Unreachable, "the server cannot be reached"),
        (
            Self::ServerError,
            "any other error of the server, such as an id in use or a refused setting",
        ),
        (
            Self::Interrupted,
            "interrupted while waiting; the task goes on",
        ),
    ];

    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The reason why a command stopped. Texts say what failed; [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something the person wrote cannot be used.
    #[error("{what}")]
    Usage {
        /// The fault.
        what: String,
        /// Advice on what to write instead.
        hint: String,
    },
    /// Nothing of that name is there, as other answers of the server show.
    #[error("{what}")]
    Missing {
        /// The thing that is missing.
        what: String,
        /// The place to look.
        hint: String,
    },
    /// Credentials would travel where anybody can read them.
    #[error("refusing to send a password to {url} over plain HTTP")]
    Exposed {
        /// The server's address.
        url: String,
    },
    /// No connection, or it broke.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The server's address.
        url: String,
        /// The network's own words.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{}", answer_message(.0))]
    Answer(Box<ErrorAnswer>),
    /// The server answered something that is no Pulp document.
    #[error("the answer to {request} is not what Pulp's API answers: {reason}")]
    Nonsense {
        /// Method and path.
        request: String,
        /// The fault in it.
        reason: String,
    },
    /// Tasks failed; there is at least one.
    #[error("{}", tasks_message(.0))]
    Tasks(Vec<FailedTask>),
    /// Interrupted while these tasks go on.
    #[error("stopped waiting; {} on the server", go_on(.0))]
    Interrupted(Vec<String>),
    /// A local file cannot be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Nothing can be printed any more.
    #[error("cannot write the output: {0}")]
    Output(std::io::Error),
}

fn go_on(tasks: &[String]) -> String {
    match tasks {
        [one] => format!("task {one} goes on"),
        many => format!("tasks {} go on", many.join(", ")),
    }
}

impl Error {
    /// Wrong usage: what is wrong, and what to write instead.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// Nothing of that name: what is missing, and where to look.
    pub fn missing(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Missing {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A local file that cannot be used.
    pub fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }

    /// Tells whether the server answered with this HTTP status.
    #[must_use]
    pub fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Answer(answer) if answer.status == status)
    }

    /// Tells whether the server refused because of who asks.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.exit() == Exit::Refused
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::File { .. } => Exit::Usage,
            Self::Missing { .. } => Exit::NotFound,
            Self::Exposed { .. } => Exit::Refused,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Answer(answer) => match answer.status {
                401 | 403 => Exit::Refused,
                404 => Exit::NotFound,
                _ => Exit::ServerError,
            },
            Self::Nonsense { .. } | Self::Output(_) => Exit::ServerError,
            Self::Tasks(_) => Exit::TaskFailed,
            Self::Interrupted(_) => Exit::Interrupted,
        }
    }

    /// Returns what the person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Usage { hint, .. } | Self::Missing { hint, .. } => hint.clone(),
            Self::Exposed { .. } => "use https, or --insecure if the network is yours alone".into(),
            Self::Unreachable { .. } => {
                "start it with `pith serve`, or name another server with --url or PITH_URL".into()
            }
            Self::Answer(answer) => hint::after_answer(answer),
            Self::Nonsense { .. } => {
                "check that --url is the root of a pith or Pulp 2 server, without /pulp/api".into()
            }
            Self::Tasks(tasks) => hint::after_tasks(tasks),
            Self::Interrupted(tasks) => {
                let id = tasks.first().map_or("ID", String::as_str);
                format!("`pith task wait {id}` waits again, `pith task cancel {id}` cancels it")
            }
            Self::File { .. } => "check the path and its permissions".into(),
            Self::Output(_) => "check the disk or the program that reads the output".into(),
        }
    }

    /// The document that `--json` prints on the standard error stream.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let detail = match self {
            Self::Answer(answer) => Some(answer.detail.clone()),
            Self::Tasks(tasks) => tasks.iter().find_map(|task| task.detail.clone()),
            _ => None,
        };
        json!({
            "message": self.to_string(),
            "hint": self.hint(),
            "exit_code": self.exit().code(),
            "error": detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use pith_core::ErrorDetail;

    use super::*;

    #[test]
    fn every_exit_code_of_the_table_is_different() {
        let mut codes: Vec<u8> = Exit::TABLE.iter().map(|(exit, _)| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 130]);
    }

    #[test]
    fn a_failed_task_shows_its_nested_errors_and_no_control_characters() {
        let mut detail = ErrorDetail::new("PLP0034", "publish \u{1b}[31mfailed");
        detail
            .sub_errors
            .push(ErrorDetail::new("PLP0000", "no space"));
        let error = Error::Tasks(vec![FailedTask {
            id: "t1".into(),
            what: "publish of demo".into(),
            state: "error".into(),
            detail: Some(detail),
            hint: None,
        }]);
        let text = error.to_string();
        assert_eq!(
            text,
            "publish of demo failed: publish \u{fffd}[31mfailed (PLP0034, task t1)\n  - no space (PLP0000)"
        );
        assert_eq!(error.exit(), Exit::TaskFailed);
    }
}
