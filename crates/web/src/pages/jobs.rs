//! How far long work is.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use crate::App;
use crate::access::Access;
use crate::error::{PageError, PageResult};
use crate::frame::{Frame, page};
use crate::jobs::{Job, JobState};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/jobs/{id}", Access::Viewer, show).page("/jobs/{id}/state", Access::Viewer, state)
}

#[derive(Template)]
#[template(path = "jobs/job.html")]
struct JobPage {
    frame: Frame,
    job: Job,
}

/// The part that is fetched again while the job runs.
#[derive(Template)]
#[template(path = "jobs/state.html")]
struct StatePart {
    job: Job,
}

async fn show(State(app): State<App>, Path(id): Path<u64>, frame: Frame) -> PageResult<Response> {
    let job = find(&app, id)?;
    let frame = match job.period {
        Some(period) => frame.of_period(period),
        None => frame,
    };
    page(&JobPage { frame: frame.titled(job.name.clone()), job })
}

async fn state(State(app): State<App>, Path(id): Path<u64>) -> PageResult<Response> {
    page(&StatePart { job: find(&app, id)? })
}

fn find(app: &App, id: u64) -> PageResult<Job> {
    app.jobs.find(id).ok_or_else(|| {
        PageError::not_found(
            "this work is not known any more: it ended long ago, or the server was started again",
        )
    })
}
