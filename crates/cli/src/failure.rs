//! Failures that the server tells of: answers that are no success, and tasks that did not end well.

use pith_core::ErrorDetail;

use crate::text::clean;

/// An answer of the server that is not a success (pulp2/conventions#errors).
#[derive(Debug, Clone)]
pub struct ErrorAnswer {
    /// HTTP status.
    pub status: u16,
    /// Method and path of the request, for the message.
    pub request: String,
    /// The `error` object, or what could be read in its place.
    pub detail: ErrorDetail,
    /// The request named no user.
    pub anonymous: bool,
}

/// A task that did not end well.
#[derive(Debug, Clone)]
pub struct FailedTask {
    /// Its id.
    pub id: String,
    /// The work that it did, such as `sync of demo`.
    pub what: String,
    /// `error` or `canceled`.
    pub state: String,
    /// The `error` object of the task, when it has one.
    pub detail: Option<ErrorDetail>,
    /// The advice of the family that knows this error.
    pub hint: Option<&'static str>,
}

/// The message of an answer.
pub(crate) fn answer_message(answer: &ErrorAnswer) -> String {
    let text = clean(&answer.detail.description);
    match answer.status {
        401 if answer.anonymous => format!("nobody is logged in: {text}"),
        // Pulp answers 401 to people whom it knows, too.
        401 if answer.detail.code != "PLP0026" => {
            format!("the server does not accept these credentials: {text}")
        }
        401 | 403 => format!("this user may not do that: {text}"),
        status => format!(
            "{} answered {status}: {text} ({})",
            answer.request, answer.detail.code
        ),
    }
}

/// The message of tasks, a line for each and for their nested errors.
pub(crate) fn tasks_message(tasks: &[FailedTask]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for task in tasks {
        let what = clean(&task.what);
        match (&task.detail, task.state.as_str()) {
            (_, "canceled") => lines.push(format!("{what} was cancelled (task {})", task.id)),
            (Some(detail), _) => {
                let text = clean(&detail.description);
                lines.push(format!(
                    "{what} failed: {text} ({}, task {})",
                    detail.code, task.id
                ));
                sub_errors(detail, 1, &mut lines);
            }
            (None, state) => lines.push(format!(
                "{what} ended as {} (task {})",
                clean(state),
                task.id
            )),
        }
    }
    lines.join("\n")
}

/// Adds the nested errors, indented; the depth is bounded because the document comes from outside.
fn sub_errors(detail: &ErrorDetail, depth: usize, lines: &mut Vec<String>) {
    if depth > 5 {
        return;
    }
    for sub in detail.sub_errors.iter().take(20) {
        let text = clean(&sub.description);
        lines.push(format!("{}- {text} ({})", "  ".repeat(depth), sub.code));
        sub_errors(sub, depth + 1, lines);
    }
}
