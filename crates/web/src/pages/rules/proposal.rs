//! A change of rules before it is written: what it would do is found first, in a job where that takes long,
//! and shown; what is written then is exactly what was shown.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use billing::LedgerNumber;
use serde::de::DeserializeOwned;
use workflow::{Actor, Installation, Refusal, WorkflowError, reading, subsidies};

use super::sent::{self, Sent, Step};
use crate::App;
use crate::access::Caller;
use crate::change::{Change, Effect, Written};
use crate::error::{ErrorKind, PageError, PageResult};
use crate::flash::Next;
use crate::frame::{Frame, page};
use crate::jobs::{Ending, JobState};

/// A change that a person asked for.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What is asked: `Write the rule AWS sub_account_id 1111`.
    pub what: String,
    /// The address that takes the change.
    pub action: String,
    /// The form as it was typed.
    pub fields: Vec<(String, String)>,
    pub change: Change,
    /// What is to be known of it.
    pub notes: Vec<String>,
    /// What would be written, one a line, where it is more than one.
    pub lines: Vec<String>,
    /// The page to see after it.
    pub then: String,
}

impl Draft {
    /// A change with nothing to be known of it.
    pub fn new(
        what: String,
        action: impl Into<String>,
        sent: &Sent,
        change: Change,
        then: impl Into<String>,
    ) -> Draft {
        Draft {
            what,
            action: action.into(),
            fields: sent.pairs.clone(),
            change,
            notes: Vec::new(),
            lines: Vec::new(),
            then: then.into(),
        }
    }

    /// What is said of it once it is written, and the page to see then.
    async fn write(
        &self,
        installation: &Installation,
        actor: &Actor,
    ) -> Result<(String, String), WorkflowError> {
        let Written { number, about, said } = self.change.write(installation, actor).await?;
        Ok((format!("{said} (act {number})"), about.page().unwrap_or_else(|| self.then.clone())))
    }
}

pub struct Proposal {
    pub draft: Draft,
    pub effect: Effect,
    /// The last change of rules when it was looked at.
    number: LedgerNumber,
}

/// A form that makes a change.
pub trait RuleForm: DeserializeOwned + Send + Sync {
    fn draft(&self, app: &App, sent: &Sent) -> impl Future<Output = PageResult<Draft>> + Send;
}

/// What a form comes to: the next page, or the form again with why it was refused.
pub enum Answer<F> {
    Done(Response),
    Again(F, Option<Refusal>),
}

/// Answer a form that was sent: look, write, or let it be changed.
///
/// # Errors
/// A preview that is not known any more; what went wrong on our side.
pub async fn answer<F: RuleForm>(app: &App, caller: &Caller, sent: &Sent) -> PageResult<Answer<F>> {
    match sent.step() {
        Step::Write(id) => Ok(Answer::Done(write(app, caller, find_sent(app, id, sent)?).await?)),
        Step::Edit(id) => Ok(Answer::Again(sent::form(&find_sent(app, id, sent)?.draft.fields)?, None)),
        Step::Look => {
            let form: F = sent.form()?;
            let looked = match form.draft(app, sent).await {
                Ok(draft) => look(app, caller, draft).await,
                Err(error) => Err(error),
            };
            match looked {
                Ok(response) => Ok(Answer::Done(response)),
                Err(error) if error.kind == ErrorKind::Refused => {
                    Ok(Answer::Again(form, Some(error.refusal)))
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// The same for a form that is part of another page: a refusal is a page of its own.
///
/// # Errors
/// As [`answer`]; why it was refused.
pub async fn answer_or_refuse<F: RuleForm>(
    app: &App,
    caller: &Caller,
    sent: &Sent,
    page_of_form: &str,
) -> PageResult<Response> {
    match answer::<F>(app, caller, sent).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(_, Some(refusal)) => Err(refusal.into()),
        Answer::Again(_, None) => Ok(Next::page(page_of_form).into_response()),
    }
}

async fn last_change(app: &App) -> PageResult<LedgerNumber> {
    Ok(app.installation.ledger.read().await?.last_rule_act().await?)
}

async fn look(app: &App, caller: &Caller, draft: Draft) -> PageResult<Response> {
    let number = last_change(app).await?;
    let (installation, actor) = (Arc::clone(&app.installation), caller.actor());
    let by = actor.clone();
    let id = app.jobs.begin(draft.what.clone(), None, &by, move |progress| async move {
        progress.say("finding out what it would change", 0, None);
        let effect = draft.change.preview(&installation, &actor).await?;
        let ending =
            Ending::new("It is known what this would change.", format!("/changes/{}", progress.job()));
        Ok(Ending { kept: Some(Arc::new(Proposal { draft, effect, number })), ..ending })
    });
    after(app, id, |ending| Next::page(ending.to)).await
}

/// The page after work that may have ended by now.
async fn after(app: &App, id: u64, next: impl FnOnce(Ending) -> Next) -> PageResult<Response> {
    match app.jobs.soon(id).await {
        Some(JobState::Ended(ending)) => Ok(next(ending).into_response()),
        Some(JobState::Refused(refusal)) => Err(refusal.into()),
        _ => Ok(Next::page(format!("/jobs/{id}")).into_response()),
    }
}

fn find(app: &App, id: u64) -> PageResult<Arc<Proposal>> {
    app.jobs.find(id).and_then(|job| job.kept::<Proposal>()).ok_or_else(|| {
        PageError::not_found(
            "what this would change is not known any more, and nothing was written: fill in the form again",
        )
    })
}

/// What was looked at is written where it was asked for: who may send that, may write it.
fn find_sent(app: &App, id: u64, sent: &Sent) -> PageResult<Arc<Proposal>> {
    let proposal = find(app, id)?;
    if proposal.draft.action == sent.path {
        return Ok(proposal);
    }
    Err(PageError::not_found(format!("what was looked at as {id} is not written at {}", sent.path)))
}

async fn write(app: &App, caller: &Caller, proposal: Arc<Proposal>) -> PageResult<Response> {
    if last_change(app).await? != proposal.number {
        let mut draft = proposal.draft.clone();
        let note = "Rules were changed since you looked at this, so nothing was written. Look again: it may be \
                    written already.";
        draft.notes.retain(|known| known != note);
        draft.notes.insert(0, note.to_owned());
        return look(app, caller, draft).await;
    }
    let (installation, actor) = (Arc::clone(&app.installation), caller.actor());
    if matches!(proposal.effect, Effect::Funding(_)) {
        let (said, to) = proposal.draft.write(&installation, &actor).await?;
        return Ok(Next::page(to).saying(said).into_response());
    }
    let by = actor.clone();
    let id = app.jobs.begin(proposal.draft.what.clone(), None, &by, move |progress| async move {
        progress.say("writing it", 0, None);
        let (said, to) = proposal.draft.write(&installation, &actor).await?;
        let read = read_again(&installation, &actor, &progress).await?;
        Ok(Ending::new(format!("{said}{read}"), to))
    });
    after(app, id, |ending| Next::page(ending.to).saying(ending.said)).await
}

/// Read again what was read before the rules changed, and say what was: nothing where nothing was.
async fn read_again(
    installation: &Installation,
    actor: &Actor,
    progress: &crate::jobs::Progress,
) -> PageResult<String> {
    let say = |import| progress.say(&format!("reading import {import} again"), 0, None);
    let done = reading::apply(installation, actor, &say).await?;
    Ok(match done.len() {
        0 => String::new(),
        1 => "; 1 import was read again".to_owned(),
        many => format!("; {many} imports were read again"),
    })
}

/// `attribution apply` and `rates apply`: finish what stopped in between.
///
/// # Errors
/// An import that cannot be read again.
pub async fn apply(app: &App, caller: &Caller, then: &'static str) -> PageResult<Response> {
    let (installation, actor) = (Arc::clone(&app.installation), caller.actor());
    let by = actor.clone();
    let id = app.jobs.begin("Reading again", None, &by, move |progress| async move {
        let read = read_again(&installation, &actor, &progress).await?;
        let said = match read.strip_prefix("; ") {
            Some(read) => read.to_owned(),
            None => "everything was read with the rules as they stand".to_owned(),
        };
        Ok(Ending::new(said, then))
    });
    after(app, id, |ending| Next::page(ending.to).saying(ending.said)).await
}

#[derive(Template)]
#[template(path = "rules/preview.html")]
struct PreviewPage {
    frame: Frame,
    proposal: Arc<Proposal>,
    id: u64,
}

/// So many PIs and projects, and lines of what would be written, are shown.
const SHOWN: usize = 50;

impl PreviewPage {
    fn draft(&self) -> &Draft {
        &self.proposal.draft
    }

    fn lines(&self) -> &[String] {
        let lines = &self.proposal.draft.lines;
        &lines[..lines.len().min(SHOWN)]
    }

    fn more_lines(&self) -> usize {
        self.proposal.draft.lines.len().saturating_sub(SHOWN)
    }

    fn reading(&self) -> Option<&reading::Effect> {
        match &self.proposal.effect {
            Effect::Reading(effect) => Some(effect),
            Effect::Funding(_) => None,
        }
    }

    fn funding(&self) -> Option<&[subsidies::Effect]> {
        match &self.proposal.effect {
            Effect::Reading(_) => None,
            Effect::Funding(effects) => Some(effects),
        }
    }

    fn imports(effect: &reading::Effect) -> String {
        let imports: Vec<String> = effect.imports.iter().map(ToString::to_string).collect();
        match imports.as_slice() {
            [one] => format!("import {one}"),
            some if some.len() <= SHOWN => format!("imports {}", some.join(", ")),
            many => format!("{} imports", many.len()),
        }
    }

    fn projects(effect: &reading::Effect) -> &[workflow::import::ProjectChange] {
        &effect.projects[..effect.projects.len().min(SHOWN)]
    }

    fn more_projects(effect: &reading::Effect) -> usize {
        effect.projects.len().saturating_sub(SHOWN)
    }
}

pub async fn show(State(app): State<App>, Path(id): Path<u64>, frame: Frame) -> PageResult<Response> {
    let proposal = find(&app, id)?;
    let frame = frame.titled(proposal.draft.what.clone());
    page(&PreviewPage { frame, proposal, id })
}
