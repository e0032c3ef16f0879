use axum::extract::State;
use serde_json::{Value, json};

use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, Nothing, Paged};
use super::{Api, Door};
use crate::App;
use crate::access::Access;
use crate::error::PageError;
use crate::jobs::{Job, JobState};

pub fn api() -> Api {
    const JOB: &str = "`id`, `name`, `by`, `period`, `begun`, `state` (running, ended, refused, failed); while it \
        runs `doing`, `done` and `of`; when it has ended `said` and `result`, as the command writes it with \
        `--json`; when it was refused `error`";
    Api::of("Jobs")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/jobs",
            "",
            "Long work under way and of late, the latest first",
            list,
        )
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/jobs/{job}",
            "",
            "How far long work is, and what it came to",
            show,
        )
        .answers(JOB)
}

async fn list(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, app.jobs.list().iter().map(told).collect())
}

async fn show(State(app): State<App>, At(id): At<u64>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    let job = app.jobs.find(id).ok_or_else(|| {
        PageError::not_found(
            "this work is not known any more: it ended long ago, or the server was started again",
        )
    })?;
    answer(told(&job))
}

fn told(job: &Job) -> Value {
    let mut told = json!({
        "id": job.id, "name": job.name, "by": job.by, "period": job.period, "begun": job.begun,
    });
    let more = match &job.state {
        JobState::Running { doing, done, of } => {
            json!({ "state": "running", "doing": doing, "done": done, "of": of })
        }
        JobState::Ended(ending) => {
            let result = job.kept::<Value>().map(|kept| kept.as_ref().clone());
            json!({ "state": "ended", "said": ending.said, "page": ending.to, "result": result })
        }
        JobState::Refused(refusal) => json!({ "state": "refused", "error": {
            "message": refusal.message, "details": refusal.details, "hints": refusal.hints } }),
        JobState::Failed { request } => json!({ "state": "failed", "error": {
            "message": "something went wrong on our side; nothing was half done", "request": request } }),
    };
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}
