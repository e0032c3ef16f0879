//! E-mails: what would go out, what went, what did not and why.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use ledger::{EmailRecord, MessageState};
use money::grouped;
use serde::{Deserialize, Serialize};
use workflow::Refusal;
use workflow::emails::{self, EmailDetail};
use workflow::send::{self, Outcome, Outgoing, Pending};

use super::periods::read;
use super::statements::not_found;
use crate::App;
use crate::access::{Access, Caller};
use crate::download;
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, query, segment};
use crate::frame::{Frame, page};
use crate::jobs::Ending;
use crate::pager::Pager;
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/emails", Access::Viewer, list)
        .page("/emails/outgoing", Access::Viewer, outgoing)
        .act("/emails/send", Access::Reviewer, "send", send_all)
        .page("/emails/{id}", Access::Viewer, show)
        .page("/emails/{id}/html", Access::Viewer, html)
}

const SHOWN: usize = 50;
const SHOWN_WHOLE: usize = 20;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    period: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    find: String,
    #[serde(skip_serializing)]
    page: usize,
}

impl Asked {
    fn finds(&self, record: &EmailRecord) -> bool {
        let wanted = self.find.trim().to_lowercase();
        let message = &record.message;
        let in_state = self.state.is_empty() || record.state.name() == self.state;
        let says = |text: &str| text.to_lowercase().contains(&wanted);
        let numbers = || message.statements.iter().any(|id| says(&id.number.0));
        in_state && (wanted.is_empty() || says(&message.pi_email) || says(&message.subject) || numbers())
    }
}

#[derive(Template)]
#[template(path = "emails/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    period: Option<Period>,
    rows: Vec<EmailRecord>,
    /// By state, without the filter.
    counts: Vec<(MessageState, u64)>,
    known: usize,
    pager: Pager,
}

const STATES: [MessageState; 5] = [
    MessageState::Sent,
    MessageState::Failed,
    MessageState::Uncertain,
    MessageState::Sending,
    MessageState::Queued,
];

impl ListPage {
    fn states() -> [MessageState; 5] {
        STATES
    }

    fn failed(&self) -> u64 {
        self.count_of(&MessageState::Failed)
    }

    fn uncertain(&self) -> u64 {
        self.count_of(&MessageState::Uncertain)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn count_of(&self, state: &MessageState) -> u64 {
        self.counts.iter().find(|(known, _)| known == state).map_or(0, |(_, count)| *count)
    }
}

async fn list(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let period = if asked.period == "all" { None } else { frame.period };
    let mut rows = emails::list(&app.installation, period).await?;
    let known = rows.len();
    let of_state = |state| rows.iter().filter(|record| record.state == state).count() as u64;
    let counts = STATES.map(|state| (state, of_state(state))).to_vec();
    rows.retain(|record| asked.finds(record));
    rows.reverse();
    let pager = Pager::new(asked.page, SHOWN, rows.len(), "/emails", &query(&asked));
    let frame = frame.titled("E-mails").help("statements-and-journals");
    page(&ListPage { frame, period, counts, known, rows: pager.part(rows), pager, asked })
}

/// A state as a word with a colour.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
pub fn pill(state: &MessageState) -> String {
    let tone = match state {
        MessageState::Sent => "good",
        MessageState::Failed => "bad",
        MessageState::Uncertain => "warn",
        MessageState::Queued | MessageState::Sending => "info",
    };
    format!("<span class=\"pill {tone}\">{}</span>", state.name())
}

/// What became of it last, where that needs words.
fn reason(record: &EmailRecord) -> Option<&str> {
    record.events.last()?.error.as_deref()
}

fn since(record: &EmailRecord) -> Option<&billing::period::Stamp> {
    record.events.last().map(|event| &event.stamp)
}

/// A message's id in an address: without the angle brackets.
pub fn path_of(message_id: &str) -> String {
    segment(message_id.trim_start_matches('<').trim_end_matches('>'))
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct AskedOutgoing {
    #[serde(skip_serializing_if = "String::is_empty")]
    period: String,
    #[serde(skip_serializing_if = "is_false")]
    retry_uncertain: bool,
    #[serde(skip_serializing)]
    page: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Template)]
#[template(path = "emails/outgoing.html")]
struct OutgoingPage {
    frame: Frame,
    period: Period,
    asked: AskedOutgoing,
    pending: Pending,
    messages: Vec<Outgoing>,
    sender: String,
    is_open: bool,
    pager: Pager,
}

impl OutgoingPage {
    fn may_send(&self) -> bool {
        !self.is_open && self.pending.not_rendered.is_empty() && 0 < self.pager.total
    }
}

async fn outgoing(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(asked): Query<AskedOutgoing>,
) -> PageResult<Response> {
    let period = frame.need_period()?;
    let retry = asked.retry_uncertain;
    let mut pending = send::preview(&app.installation, &caller.actor(), period, retry).await?;
    let messages = std::mem::take(&mut pending.messages);
    let pager = Pager::new(asked.page, SHOWN_WHOLE, messages.len(), "/emails/outgoing", &query(&asked));
    let is_open = frame.state_of(&period) == "open";
    let email = &app.installation.email;
    let sender = match (email.from_name.as_str(), email.from_address.as_str()) {
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    };
    let frame = frame.titled("Messages before they are sent").help("statements-and-journals");
    page(&OutgoingPage {
        frame,
        period,
        pending,
        messages: pager.part(messages),
        sender,
        is_open,
        pager,
        asked,
    })
}

#[derive(Deserialize)]
struct Wanted {
    period: String,
    #[serde(default)]
    retry_uncertain: bool,
}

async fn send_all(State(app): State<App>, caller: Caller, Form(wanted): Form<Wanted>) -> PageResult<Next> {
    let period = read(&wanted.period)?;
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let retry = wanted.retry_uncertain;
    let name = format!("Sending the statements of {period}");
    let id = app.jobs.begin(name, Some(period), &caller.actor(), move |progress| async move {
        progress.say("composing messages", 0, None);
        let seen = |done: usize, of: usize| progress.say("sending messages", done as u64, Some(of as u64));
        let outcome = send::send(&installation, &actor, period, retry, &seen).await?;
        told(&outcome, format!("/emails?period={period}"))
    });
    Ok(Next::page(format!("/jobs/{id}")))
}

/// How sending ended. What did not go out is a refusal with its reasons, as the command says it.
pub fn told(outcome: &Outcome, to: String) -> PageResult<Ending> {
    let sent = outcome.sent.len() as u64;
    let said = format!("{} sent; {} had been sent before", grouped(sent), grouped(outcome.already_sent));
    if outcome.failed.is_empty() && outcome.uncertain.is_empty() {
        return Ok(Ending::new(said, to));
    }
    let failed = outcome.failed.iter().map(|one| format!("{}: {}", one.pi_email, one.detail));
    let uncertain =
        outcome.uncertain.iter().map(|one| format!("{}: uncertain: {}", one.pi_email, one.detail));
    let mut refusal = Refusal::new(format!(
        "{} not sent, {} uncertain; {said}",
        grouped(outcome.failed.len() as u64),
        grouped(outcome.uncertain.len() as u64)
    ))
    .details(failed.chain(uncertain));
    if !outcome.failed.is_empty() {
        refusal = refusal.hint("sending again sends what was refused, and nothing twice");
    }
    if !outcome.uncertain.is_empty() {
        refusal = refusal.hint(
            "ask the PI or the mail server whether what is uncertain has arrived, before it is sent again",
        );
    }
    Err(PageError::from(refusal))
}

#[derive(Template)]
#[template(path = "emails/show.html")]
struct ShowPage {
    frame: Frame,
    detail: EmailDetail,
}

async fn show(State(app): State<App>, Path(id): Path<String>, frame: Frame) -> PageResult<Response> {
    let detail = emails::show(&app.installation, &id).await.map_err(not_found)?;
    let frame = frame.titled(format!("E-mail to {}", detail.record.message.pi_email));
    let frame = frame.help("statements-and-journals").of_period(detail.record.message.period);
    page(&ShowPage { frame, detail })
}

async fn html(State(app): State<App>, Path(id): Path<String>) -> PageResult<Response> {
    let detail = emails::show(&app.installation, &id).await.map_err(not_found)?;
    Ok(download::framed_html(detail.html))
}
