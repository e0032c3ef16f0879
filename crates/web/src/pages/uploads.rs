//! Files on their way into the books: sent, looked at before anything is kept, then kept or discarded.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use billing::delivery::Choice;
use billing::{ImportId, Period, SourceName};
use ledger::PartFilter;
use serde::Deserialize;
use workflow::import::{FileProblem, Outcome, Progress as Read, ProjectChange, Superseded, ingest};
use workflow::{Actor, Refusal, WorkflowError, sources};

use crate::App;
use crate::access::{Access, Caller};
use crate::download::{CSV, attachment, read_out};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Fields, Form, some};
use crate::frame::{Frame, page};
use crate::jobs::{Ending, Job, JobState, Progress};
use crate::routes::Routes;
use crate::upload::{self, Choices, Delivery, DeliveryState, Upload, UploadedFile};

pub fn routes() -> Routes {
    Routes::default()
        .page("/imports/new", Access::Reviewer, ask)
        .upload("/imports/uploads", Access::Reviewer, "ingest", receive)
        .page("/imports/uploads/{upload}", Access::Reviewer, show)
        .form("/imports/uploads/{upload}/preview", Access::Reviewer, preview)
        .act("/imports/uploads/{upload}/keep", Access::Reviewer, "ingest", keep_all)
        .form("/imports/uploads/{upload}/discard", Access::Reviewer, discard)
        .form("/imports/uploads/{upload}/{delivery}/preview", Access::Reviewer, preview_one)
        .act("/imports/uploads/{upload}/{delivery}/keep", Access::Reviewer, "ingest", keep_one)
        .page("/imports/uploads/{upload}/{delivery}/problems.csv", Access::Reviewer, problems)
}

#[derive(Template)]
#[template(path = "uploads/new.html")]
struct NewPage {
    frame: Frame,
    limit_bytes: u64,
    waiting: Vec<Upload>,
}

impl NewPage {
    fn limit(&self) -> String {
        money::grouped(self.limit_bytes >> 20)
    }

    fn names(upload: &Upload) -> String {
        upload.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

async fn ask(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let frame = frame.titled("Import files").help("web#import");
    let waiting = app.uploads.waiting();
    page(&NewPage { frame, limit_bytes: app.settings.upload_limit_bytes, waiting })
}

/// The files are here; they are looked at at once if it is clear whose they are.
async fn receive(State(app): State<App>, caller: Caller, request: Request) -> PageResult<Next> {
    let upload = upload::receive(&app, &caller, request).await?;
    tracing::info!(upload = %upload.id, by = %caller.name, files = upload.files.len(), "files were uploaded");
    if upload.is_sorted_out() {
        begin(&app, &caller, &upload.id, Work::Preview, None)?;
    }
    Ok(Next::page(address(&upload.id)))
}

fn address(upload: &str) -> String {
    format!("/imports/uploads/{upload}")
}

#[derive(Template)]
#[template(path = "uploads/show.html")]
struct ShowPage {
    frame: Frame,
    upload: Upload,
    job: Option<Job>,
    known_sources: Vec<String>,
    refusal: Option<Refusal>,
}

/// So many problems are on the page; the rest is in the file.
const SHOWN_PROBLEMS: usize = 100;
const SHOWN_PROJECTS: usize = 50;

impl ShowPage {
    fn is_running(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_running)
    }

    fn has_failed(&self) -> bool {
        self.job.as_ref().is_some_and(|job| matches!(job.state, JobState::Failed { .. }))
    }

    fn progress(&self) -> (String, u64, Option<u64>) {
        match self.job.as_ref().map(|job| &job.state) {
            Some(JobState::Running { doing, done, of }) => (doing.clone(), *done, *of),
            _ => ("beginning".to_owned(), 0, None),
        }
    }

    /// Deliveries with their places.
    fn deliveries(&self) -> Vec<(usize, &Delivery)> {
        self.upload.deliveries.iter().enumerate().collect()
    }

    fn open_files(&self) -> Vec<&UploadedFile> {
        self.upload.files.iter().filter(|file| !file.is_done).collect()
    }

    fn names(&self, delivery: &Delivery) -> String {
        let names = delivery.files.iter().filter_map(|at| self.upload.files.get(*at));
        names.map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn keepable(&self) -> usize {
        self.upload.deliveries.iter().filter(|delivery| delivery.can_be_kept()).count()
    }

    fn problems<'a>(&self, outcome: &'a Outcome) -> &'a [FileProblem] {
        &outcome.problems[..outcome.problems.len().min(SHOWN_PROBLEMS)]
    }

    fn projects<'a>(&self, superseded: &'a Superseded) -> &'a [ProjectChange] {
        &superseded.projects[..superseded.projects.len().min(SHOWN_PROJECTS)]
    }

    fn difference(&self, change: &ProjectChange) -> String {
        self.frame.cost(&(change.billed_after - change.billed_before))
    }

    fn whole_difference(&self, superseded: &Superseded) -> String {
        self.frame.cost(&(superseded.billed_after - superseded.billed_before))
    }

    /// Notes in two kinds: what should be read, and the rest.
    fn warnings<'a>(&self, outcome: &'a Outcome) -> Vec<&'a str> {
        outcome.notes.iter().filter_map(|note| note.strip_prefix("warning: ")).collect()
    }

    fn notes<'a>(&self, outcome: &'a Outcome) -> Vec<&'a str> {
        outcome.notes.iter().filter(|note| !note.starts_with("warning: ")).map(String::as_str).collect()
    }

    fn first_period(&self, outcome: &Outcome) -> String {
        outcome.periods.first().map_or_else(String::new, ToString::to_string)
    }
}

impl Delivery {
    pub(crate) fn can_be_kept(&self) -> bool {
        matches!(&self.state, DeliveryState::Seen { outcome, .. } if outcome.refusal.is_none() && !outcome.unchanged)
    }

    /// Whether something about it is still to be said or seen.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, DeliveryState::Kept(_))
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            DeliveryState::Seen { outcome, .. } | DeliveryState::Kept(outcome) => Some(outcome),
            _ => None,
        }
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match &self.state {
            DeliveryState::Refused(refusal) => Some(refusal),
            DeliveryState::Seen { outcome, .. } => outcome.refusal.as_ref(),
            _ => None,
        }
    }

    /// The import that a refusal or a choice names.
    pub(crate) fn replaced(&self) -> String {
        if let Choice::Replace(import) = self.choices.choice {
            return import.to_string();
        }
        let hints = self.refusal().map(|refusal| refusal.hints.as_slice()).unwrap_or_default();
        let named = hints.iter().find_map(|hint| hint.split("--replace ").nth(1));
        named.map_or_else(String::new, |rest| rest.chars().take_while(char::is_ascii_digit).collect())
    }

    pub(crate) fn is_choice(&self, name: &str) -> bool {
        match self.choices.choice {
            Choice::Automatic => name == "automatic",
            Choice::Replace(_) => name == "replace",
            Choice::Append => name == "append",
        }
    }

    pub(crate) fn title(&self) -> String {
        match self.period {
            Some(period) => format!("{}, {period}", self.source),
            None => self.source.clone(),
        }
    }
}

/// `12.3 MB`
#[must_use]
pub fn megabytes(bytes: &u64) -> String {
    if *bytes < 1_000_000 {
        return format!("{} kB", bytes.div_ceil(1000));
    }
    let tenths = bytes / 100_000;
    format!("{}.{} MB", money::grouped(tenths / 10), tenths % 10)
}

async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> PageResult<Response> {
    page(&shown(&app, &id, frame, None).await?)
}

async fn shown(app: &App, id: &str, frame: Frame, refusal: Option<Refusal>) -> PageResult<ShowPage> {
    let upload = app.uploads.find(id)?;
    let job = upload.job.and_then(|job| app.jobs.find(job));
    let known = sources::list(&app.installation).await?;
    let known_sources = known.into_iter().map(|source| source.name.0).collect();
    let frame = frame.titled("Look before you keep").help("web#import");
    Ok(ShowPage { frame, upload, job, known_sources, refusal })
}

#[derive(Deserialize)]
struct Sorted {
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    period: Vec<String>,
}

/// Whose the files are, and a look at all of them.
async fn preview(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    frame: Frame,
    Form(sorted): Form<Sorted>,
) -> PageResult<Response> {
    use axum::response::IntoResponse as _;
    refuse_while_busy(&app, &id)?;
    let said = app.uploads.change(&id, |upload| {
        let mut fields = Fields::default();
        let open = upload.files.iter_mut().filter(|file| !file.is_done);
        for (file, (source, period)) in open.zip(sorted.source.iter().zip(&sorted.period)) {
            if source.trim().is_empty() {
                fields.problem(format!("{}: the source is missing", file.name));
            }
            source.trim().clone_into(&mut file.source);
            file.period =
                fields.optional(&format!("{}: period", file.name), period, "a month such as 2025-01");
        }
        upload.sort_out();
        Ok(fields.finish("it is not clear yet whose the files are"))
    })?;
    if let Err(refusal) = said {
        return crate::frame::refused_page(&shown(&app, &id, frame, Some(refusal)).await?);
    }
    begin(&app, &caller, &id, Work::Preview, None)?;
    Ok(Next::page(address(&id)).into_response())
}

/// The switches of `ingest`, as a form says them.
#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    choice: String,
    #[serde(default)]
    replace: String,
    #[serde(default)]
    quarantine: Option<String>,
    #[serde(default)]
    force: Option<String>,
    #[serde(default)]
    only_open: Option<String>,
}

impl Chosen {
    fn choices(&self) -> Result<Choices, Refusal> {
        let choice = match (self.choice.as_str(), some(&self.replace)) {
            ("append", _) => Choice::Append,
            ("replace", Some(import)) => {
                let number = import
                    .parse()
                    .map_err(|_| Refusal::new(format!("`{import}` is not the number of an import")))?;
                Choice::Replace(ImportId(number))
            }
            ("replace", None) => {
                return Err(Refusal::new("say which import this delivery takes the place of"));
            }
            _ => Choice::Automatic,
        };
        Ok(Choices {
            choice,
            quarantine: self.quarantine.is_some(),
            force: self.force.is_some(),
            only_open: self.only_open.is_some(),
        })
    }
}

async fn preview_one(
    State(app): State<App>,
    caller: Caller,
    Path((id, at)): Path<(String, usize)>,
    Form(chosen): Form<Chosen>,
) -> PageResult<Next> {
    refuse_while_busy(&app, &id)?;
    let choices = chosen.choices()?;
    app.uploads.change(&id, |upload| {
        delivery(upload, at)?.choices = choices;
        Ok(())
    })?;
    begin(&app, &caller, &id, Work::Preview, Some(at))?;
    Ok(Next::page(address(&id)))
}

fn delivery(upload: &mut Upload, at: usize) -> Result<&mut Delivery, Refusal> {
    upload.deliveries.get_mut(at).ok_or_else(|| Refusal::new("this delivery is not there any more"))
}

async fn keep_one(
    State(app): State<App>,
    caller: Caller,
    Path((id, at)): Path<(String, usize)>,
) -> PageResult<Next> {
    refuse_while_busy(&app, &id)?;
    let upload = app.uploads.find(&id)?;
    if !upload.deliveries.get(at).is_some_and(Delivery::can_be_kept) {
        return Err(Refusal::new("this delivery cannot be kept as it was seen").into());
    }
    begin(&app, &caller, &id, Work::Keep, Some(at))?;
    Ok(Next::page(address(&id)))
}

async fn keep_all(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> PageResult<Next> {
    refuse_while_busy(&app, &id)?;
    begin(&app, &caller, &id, Work::Keep, None)?;
    Ok(Next::page(address(&id)))
}

async fn discard(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> PageResult<Next> {
    refuse_while_busy(&app, &id)?;
    app.uploads.find(&id)?;
    app.uploads.discard(&id);
    tracing::info!(upload = %id, by = %caller.name, "an upload was discarded");
    Ok(Next::page("/imports").saying("the files were removed; nothing was imported"))
}

/// Every problem of a delivery, as CSV.
async fn problems(State(app): State<App>, Path((id, at)): Path<(String, usize)>) -> PageResult<Response> {
    let upload = app.uploads.find(&id)?;
    let source = upload.deliveries.get(at).map(|delivery| delivery.source.clone());
    let file = std::fs::File::open(app.uploads.problems_path(&upload, at));
    let (Some(source), Ok(file)) = (source, file) else {
        return Err(PageError::not_found("nobody has looked at this delivery yet"));
    };
    Ok(attachment(&format!("problems-{source}.csv"), CSV, read_out(file)))
}

fn refuse_while_busy(app: &App, id: &str) -> PageResult<()> {
    let upload = app.uploads.find(id)?;
    let is_busy = upload.job.and_then(|job| app.jobs.find(job)).is_some_and(|job| job.is_running());
    if is_busy { Err(busy().into()) } else { Ok(()) }
}

fn busy() -> Refusal {
    Refusal::new("these files are being read right now").hint("wait until that has ended")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Preview,
    Keep,
}

/// Begin to look at deliveries or to keep them; `only` one, or all that wait for it.
fn begin(app: &App, caller: &Caller, id: &str, work: Work, only: Option<usize>) -> PageResult<()> {
    let actor = caller.actor();
    app.uploads.change(id, |upload| {
        // Two visitors who press the button at once begin one piece of work.
        if upload.job.and_then(|job| app.jobs.find(job)).is_some_and(|job| job.is_running()) {
            return Err(busy());
        }
        let wanted = |(at, delivery): (usize, &Delivery)| {
            let waits = if work == Work::Keep { delivery.can_be_kept() } else { delivery.is_open() };
            (waits && only.is_none_or(|only| only == at)).then_some(at)
        };
        let places: Vec<usize> = upload.deliveries.iter().enumerate().filter_map(wanted).collect();
        let names: Vec<&str> = upload.files.iter().map(|file| file.name.as_str()).collect();
        let title = if work == Work::Keep { "Import of" } else { "A look at" };
        let (app_then, id_then, by) = (app.clone(), id.to_owned(), actor.clone());
        let job = app.jobs.begin(
            format!("{title} {}", shortened(&names.join(", "))),
            None,
            &actor,
            move |progress| async move {
                for at in places {
                    do_one(&app_then, &by, &id_then, at, work, &progress).await?;
                }
                Ok(Ending::new("done", address(&id_then)))
            },
        );
        upload.job = Some(job);
        Ok(())
    })
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(79).chain(['…']).collect() }
}

async fn do_one(
    app: &App,
    actor: &Actor,
    id: &str,
    at: usize,
    work: Work,
    progress: &Progress,
) -> PageResult<()> {
    let upload = app.uploads.find(id)?;
    let Some(delivery) = upload.deliveries.get(at) else { return Ok(()) };
    let live = live_imports(app, &delivery.source).await?;
    let changed = match &delivery.state {
        DeliveryState::Seen { outcome, beside } => within(&live, &outcome.periods) != *beside,
        _ => false,
    };
    // What was seen is no longer what would happen: it is looked at again, and nothing is kept unseen.
    let dry_run = work == Work::Preview || changed;
    let Some(request) = app.uploads.request(app, &upload, at, dry_run) else { return Ok(()) };
    let doing = format!("reading {}", delivery.title());
    let show = |read: Read| {
        let whole = read.bytes_total.max(1);
        progress.say(&doing, read.bytes.min(whole), Some(whole));
    };
    let state = match ingest(&app.installation, actor, request, &show).await {
        Ok(mut outcome) => {
            if work == Work::Keep && changed {
                outcome.notes.push(
                    "warning: another delivery of this source was imported meanwhile, so this was looked at again and not kept yet"
                        .to_owned(),
                );
            }
            let beside = within(&live, &outcome.periods);
            let outcome = Arc::new(outcome);
            if outcome.import.is_some() || (outcome.unchanged && !dry_run) {
                DeliveryState::Kept(outcome)
            } else {
                DeliveryState::Seen { outcome, beside }
            }
        }
        Err(WorkflowError::Refused(refusal)) => DeliveryState::Refused(refusal),
        Err(error) => return Err(error.into()),
    };
    finish(app, id, at, state)
}

fn finish(app: &App, id: &str, at: usize, state: DeliveryState) -> PageResult<()> {
    let kept = app.uploads.change(id, |upload| {
        let delivery = delivery(upload, at)?;
        delivery.state = state;
        let kept = (!delivery.is_open()).then(|| delivery.clone());
        for file in kept.iter().flat_map(|delivery| &delivery.files) {
            if let Some(file) = upload.files.get_mut(*file) {
                file.is_done = true;
            }
        }
        Ok(kept.map(|delivery| (upload.clone(), delivery)))
    })?;
    if let Some((upload, delivery)) = kept {
        app.uploads.remove_files(&upload, &delivery);
    }
    Ok(())
}

/// What counts of a source, by import and period.
async fn live_imports(app: &App, source: &str) -> PageResult<Vec<(ImportId, Period)>> {
    let mut reader = app.installation.ledger.read().await?;
    let filter = PartFilter { source: Some(SourceName(source.to_owned())), ..PartFilter::default() };
    let parts = reader.live_parts(&filter, None).await?;
    Ok(parts.iter().map(|part| (part.part.key.import, part.part.key.period)).collect())
}

fn within(live: &[(ImportId, Period)], periods: &[Period]) -> BTreeSet<ImportId> {
    live.iter().filter(|(_, period)| periods.contains(period)).map(|(import, _)| *import).collect()
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_told_as_people_say_them() {
        for (bytes, told) in [(0, "0 kB"), (1, "1 kB"), (999_999, "1000 kB"), (12_345_678, "12.3 MB")] {
            assert_eq!(megabytes(&bytes), told);
        }
    }
}
