//! Reading again what alternate content sources have (pulp2/content-sources#catalog).

use crate::error::Error;
use pith_core::error::ErrorDetail;
use serde_json::json;

use super::steps::Step;
use crate::attempt::{Done, Run};

/// Reads these sources again. One that went away meanwhile is passed over; one that cannot be read does not keep the others from being
/// read. `key` is that of the progress report.
pub(crate) async fn run(
    run: Run,
    key: &'static str,
    source_ids: Vec<String>,
) -> Result<Done, Error> {
    let engine = &run.engine;
    let mut sources = engine.content_sources().await;
    sources.retain(|source| source_ids.iter().any(|id| id == source.id()));
    let total = sources.len() as u64;
    let mut step = Step::new(
        "refresh_content_source",
        "Refreshing content sources",
        total,
    );
    run.progress.set_key(key);
    run.progress.report(step.report());
    for source in &sources {
        match run.in_time(engine.refresh_source(source)).await {
            Ok(()) => step.succeeded(),
            Err(error) => {
                tracing::warn!(%error, source = source.id(), "a content source cannot be read");
                let folders: Vec<String> =
                    source.folders().iter().map(ToString::to_string).collect();
                let url = folders.join(" ");
                let text = format!("Content source {} could not be found at {url}", source.id());
                let detail = ErrorDetail::new("PLP0031", text)
                    .with("id", source.id())
                    .with("url", url);
                step.failed(&json!(detail));
            }
        }
        run.progress.report(step.report());
    }
    step.finish();
    run.progress.report(step.report());
    let task = run.task.to_string();
    let text = format!("Task {task} encountered one or more failures during execution.");
    let error = ErrorDetail::new("PLP0032", text).with("task_id", task);
    Ok(Done {
        error: (step.failures() > 0).then_some(error),
        ..Done::default()
    })
}
