//! The queue of charges that wait for a decision, deciding with a preview, and what was decided.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use billing::decision::{ChargeState, Reassignment};
use billing::{ChargeId, LedgerNumber, Period};
use lake::{Filter, Sort};
use money::grouped;
use serde::{Deserialize, Serialize};
use workflow::listing::{self, ChargeList};
use workflow::review::{self, Act, Decided, PastAct, Seen, Selection, Suggestions};
use workflow::{Refusal, kept};

use super::which::{Known, Pager, ROWS, Which};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::{Form, Query, some};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/review", Access::Viewer, queue)
        .page("/review/history", Access::Viewer, history)
        .form("/review/preview", Access::Reviewer, preview)
        .act("/review/approve", Access::Reviewer, "review approve", approve)
        .act("/review/reject", Access::Reviewer, "review reject", reject)
        .act("/review/defer", Access::Reviewer, "review defer", defer)
        .act("/review/reassign", Access::Reviewer, "review reassign", reassign)
        .act("/review/undo", Access::Reviewer, "review undo", undo)
}

#[derive(Template)]
#[template(path = "review/queue.html")]
struct QueuePage {
    frame: Frame,
    action: &'static str,
    which: Which,
    known: Known,
    list: std::sync::Arc<ChargeList>,
    pager: Pager,
    /// The books that the page is of; an act about later ones is refused.
    seen: LedgerNumber,
    /// The visitor's own latest act, to be taken back with one button.
    latest: Option<PastAct>,
    refusal: Option<Refusal>,
}

impl QueuePage {
    fn back(&self) -> String {
        format!("/review{}", self.which.page_query(&self.which.page()))
    }

    fn decides(&self) -> bool {
        let is_open = self.frame.period.is_some_and(|period| self.frame.state_of(&period) == "open");
        self.frame.may_review() && is_open
    }
}

async fn queue(State(app): State<App>, frame: Frame, Query(mut which): Query<Which>) -> PageResult<Response> {
    let frame = frame.titled("Review").help("review");
    let Some(period) = frame.period else {
        return page(&NothingPage { frame });
    };
    which.period = period.to_string();
    let known = Known::of(&*kept::sums(&app.installation, period).await?);
    let (seen, latest) = latest_of(&app, &frame).await?;
    let asked = wanted(&which).and_then(|filter| Ok((filter, by_cost(&which)?)));
    let (list, pager, refusal) = match asked {
        Ok((filter, sort)) => {
            let list = listing::page(&app.installation, &filter, &sort, ROWS, which.offset()).await?;
            let pager = Pager::new(which.page(), list.charges.len(), list.total);
            (list, pager, None)
        }
        Err(refusal) => {
            let none = ChargeList {
                charges: Vec::new(),
                total: 0,
                list_cost: money::Amount::ZERO,
                billed_cost: money::Amount::ZERO,
                cost: money::Amount::ZERO,
            };
            (std::sync::Arc::new(none), Pager::new(1, 0, 0), Some(refusal))
        }
    };
    let is_refused = refusal.is_some();
    let action = "/review";
    let shown = QueuePage { frame, action, which, known, list, pager, seen, latest, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

#[derive(Template)]
#[template(path = "review/nothing.html")]
struct NothingPage {
    frame: Frame,
}

/// Where charges are billed is where they are decided; without a state, those that wait.
fn wanted(which: &Which) -> Result<Filter, Refusal> {
    let period: Option<Period> = which.period.parse().ok();
    let mut filter = which.filter(period, true)?;
    if filter.states.is_empty() {
        filter.states = vec![ChargeState::Held];
    }
    Ok(filter)
}

fn by_cost(which: &Which) -> Result<Vec<Sort>, Refusal> {
    let sort = which.sort()?;
    if sort.is_empty() {
        return Ok(vec![Sort { column: "cost".to_owned(), descending: true }]);
    }
    Ok(sort)
}

async fn latest_of(app: &App, frame: &Frame) -> PageResult<(LedgerNumber, Option<PastAct>)> {
    let seen = app.installation.ledger.read().await?.head();
    let (acts, _) = review::history(&app.installation, 1, 0).await?;
    let name = frame.caller.as_ref().map_or("", |caller| &caller.name);
    let latest = acts.into_iter().find(|act| act.by == name && 0 < act.standing);
    Ok((seen, latest.filter(|_| frame.may_review())))
}

/// What a form of review says: which act, about which charges, and what its sender had seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    act: String,
    /// `all`: all that the filter finds; else the chosen ones.
    of: String,
    charge: Vec<String>,
    /// As the address of the queue had it.
    filter: String,
    seen: String,
    digest: String,
    note: String,
    back: String,
    to: String,
    pi_email: String,
    project_id: String,
    fund_org: String,
    account_code: String,
    reference_1: String,
    reference_2: String,
    /// A reassignment to be taken as it is.
    suggestion: String,
}

impl Asked {
    fn is_all(&self) -> bool {
        self.of == "all"
    }

    fn filter(&self) -> Result<Filter, Refusal> {
        if self.is_all() {
            let which: Which = serde_html_form::from_str(&self.filter)
                .map_err(|_| Refusal::new("the filter of this form cannot be read; load the queue again"))?;
            if which.period.parse::<Period>().is_err() {
                return Err(Refusal::new("the filter of this form names no period; load the queue again"));
            }
            return wanted(&which);
        }
        let mut ids = Vec::with_capacity(self.charge.len());
        for text in &self.charge {
            let id: ChargeId =
                text.parse().map_err(|_| Refusal::new(format!("`{text}` is not a charge such as 12:345")))?;
            ids.push(id);
        }
        if ids.is_empty() {
            return Err(Refusal::new("no charge was chosen")
                .hint("check the boxes of those that you mean, or take all that the filter finds"));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Filter::ids(ids))
    }

    fn seen(&self) -> Result<Seen, Refusal> {
        let number = match some(&self.seen) {
            None => None,
            Some(text) => Some(LedgerNumber(text.parse().map_err(|_| {
                Refusal::new(format!("`{text}` is no number of the books; load the page again"))
            })?)),
        };
        Ok(Seen { number, digest: some(&self.digest) })
    }

    fn change(&self) -> Reassignment {
        if let Some(suggestion) = some(&self.suggestion)
            && let Ok(taken) = serde_html_form::from_str::<Asked>(&suggestion)
        {
            return Asked { suggestion: String::new(), ..taken }.change();
        }
        Reassignment {
            pi_email: some(&self.pi_email),
            project_id: some(&self.project_id),
            fund_org: some(&self.fund_org),
            account_code: some(&self.account_code),
            reference_1: some(&self.reference_1),
            reference_2: some(&self.reference_2),
        }
    }

    fn act(&self) -> Result<Act, Refusal> {
        match self.act.as_str() {
            "approve" => Ok(Act::Approve),
            "reject" => Ok(Act::Reject),
            "defer" => match some(&self.to) {
                None => Ok(Act::Defer(None)),
                Some(text) => text
                    .parse()
                    .map(|to| Act::Defer(Some(to)))
                    .map_err(|_| Refusal::new(format!("`{text}` is not a billing period such as 2025-02"))),
            },
            "reassign" => Ok(Act::Reassign(self.change())),
            other => Err(Refusal::new(format!("`{other}` is no act of review"))
                .hint("it is approve, reject, defer or reassign")),
        }
    }

    /// Only pages of ours, where charges are decided.
    fn back(&self) -> String {
        let is_ours = ["/review", "/charges"].iter().any(|start| self.back.starts_with(start));
        let is_plain = self.back.chars().all(|c| c.is_ascii_graphic() && c != '\\');
        if is_ours && is_plain { self.back.clone() } else { "/review".to_owned() }
    }
}

/// What an act would do, before it is done; for a reassignment also the form that says to whom.
#[derive(Template)]
#[template(path = "review/preview.html")]
struct PreviewPage {
    frame: Frame,
    asked: Asked,
    /// `None` while it is not said to whom.
    selection: Option<Selection>,
    digest: String,
    seen: String,
    list: std::sync::Arc<ChargeList>,
    suggestions: Suggestions,
    refusal: Option<Refusal>,
}

#[derive(Serialize)]
struct ChangeText<'a> {
    pi_email: &'a str,
    project_id: &'a str,
    fund_org: &'a str,
}

impl PreviewPage {
    fn verb(&self) -> &'static str {
        match self.asked.act.as_str() {
            "approve" => "Approve",
            "reject" => "Reject",
            "defer" => "Defer",
            _ => "Reassign",
        }
    }

    /// What a reassignment gives, name and value.
    fn gives(&self) -> Vec<(&'static str, String)> {
        let change = self.asked.change();
        change.in_words().into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    fn suggested(&self) -> Vec<(String, String, &str)> {
        let suggested = |one: &'_ review::Suggested| {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            let change = &one.change;
            let (pi, project, fund) =
                (text(&change.pi_email), text(&change.project_id), text(&change.fund_org));
            let given = ChangeText { pi_email: &pi, project_id: &project, fund_org: &fund };
            (serde_html_form::to_string(given).unwrap_or_default(), change.to_string())
        };
        self.suggestions
            .changes
            .iter()
            .map(|one| {
                let (value, words) = suggested(one);
                (value, words, one.why.as_str())
            })
            .collect()
    }

    fn chosen(&self) -> u64 {
        self.selection.as_ref().map_or(0, |selection| selection.charges.len() as u64)
    }

    fn cost(&self) -> money::Amount {
        self.selection.as_ref().map_or(money::Amount::ZERO, Selection::cost)
    }

    fn skipped(&self) -> Vec<String> {
        let skipped = self.selection.iter().flat_map(|selection| &selection.skipped);
        skipped.map(review::Skipped::line).collect()
    }

    fn beyond(&self) -> u64 {
        self.chosen().saturating_sub(self.list.charges.len() as u64)
    }

    /// Ids are sent again; what a filter finds is looked up again.
    fn sent(&self) -> &[String] {
        if self.asked.is_all() { &[] } else { &self.asked.charge }
    }
}

/// So many of the charges are listed in a preview.
const LISTED: usize = 20;

async fn preview(State(app): State<App>, frame: Frame, Form(mut asked): Form<Asked>) -> PageResult<Response> {
    let frame = frame.titled("Preview").help("review");
    if !asked.suggestion.is_empty() {
        let change = asked.change();
        let text = |field: Option<String>| field.unwrap_or_default();
        asked.pi_email = text(change.pi_email);
        asked.project_id = text(change.project_id);
        asked.fund_org = text(change.fund_org);
        asked.suggestion = String::new();
    }
    let act = asked.act()?;
    let filter = asked.filter()?;
    // The page that is confirmed is the newer one.
    let seen = app.installation.ledger.read().await?.head();
    // Until it is said to whom, the charges are shown as for a rejection, which leaves none out.
    let is_said = !matches!(&act, Act::Reassign(change) if change.is_empty());
    let looked_up = if is_said { act } else { Act::Reject };
    let (selection, refusal) = match review::select(&app.installation, looked_up, &filter).await {
        Ok(selection) => (Some(selection), None),
        Err(workflow::WorkflowError::Refused(refusal)) => (None, Some(refusal)),
        Err(error) => return Err(error.into()),
    };
    let ids: Vec<ChargeId> = selection
        .iter()
        .flat_map(|selection| &selection.charges)
        .map(|charge| charge.id)
        .take(LISTED)
        .collect();
    let list = listing::page(&app.installation, &Filter::ids(some_or_none(ids)), &[], LISTED, 0).await?;
    let period =
        selection.iter().flat_map(|selection| &selection.charges).map(|charge| charge.billed_in).max();
    let frame = match period {
        Some(period) => frame.of_period(period),
        None => frame,
    };
    let suggestions = match (asked.act.as_str(), period) {
        ("reassign", Some(period)) => review::suggest(&app.installation, period, &list.charges).await?,
        _ => Suggestions::default(),
    };
    let digest = selection.as_ref().map(Selection::digest).unwrap_or_default();
    let selection = selection.filter(|_| is_said);
    let is_refused = refusal.is_some();
    let seen = seen.0.to_string();
    let shown = PreviewPage { frame, asked, selection, digest, seen, list, suggestions, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

/// No ids would mean any charge.
fn some_or_none(ids: Vec<ChargeId>) -> Vec<ChargeId> {
    if ids.is_empty() { vec![ChargeId { import: billing::ImportId(0), row: 0 }] } else { ids }
}

async fn approve(state: State<App>, caller: Caller, form: Form<Asked>) -> PageResult<Next> {
    decide(state, caller, "approve", form).await
}

async fn reject(state: State<App>, caller: Caller, form: Form<Asked>) -> PageResult<Next> {
    decide(state, caller, "reject", form).await
}

async fn defer(state: State<App>, caller: Caller, form: Form<Asked>) -> PageResult<Next> {
    decide(state, caller, "defer", form).await
}

async fn reassign(state: State<App>, caller: Caller, form: Form<Asked>) -> PageResult<Next> {
    decide(state, caller, "reassign", form).await
}

async fn decide(
    State(app): State<App>,
    caller: Caller,
    act: &str,
    Form(mut asked): Form<Asked>,
) -> PageResult<Next> {
    act.clone_into(&mut asked.act);
    // Many are only decided as a preview showed them.
    if asked.digest.is_empty() && (asked.is_all() || asked.charge.len() != 1) {
        return Err(PageError::bad_request("many charges are decided from their preview"));
    }
    let (act, filter, seen) = (asked.act()?, asked.filter()?, asked.seen()?);
    let note = some(&asked.note);
    let decided =
        review::decide_as_seen(&app.installation, &caller.actor(), act, &filter, note.as_deref(), &seen)
            .await?;
    let next = Next::page(asked.back());
    let words = told(&decided, &app);
    Ok(if decided.skipped.is_empty() { next.saying(words) } else { next.warning(words) })
}

fn told(decided: &Decided, app: &App) -> String {
    let past = match decided.act {
        "approve" => "Approved",
        "reject" => "Rejected",
        "defer" => "Deferred",
        "reassign" => "Reassigned",
        _ => "Took back the decisions about",
    };
    let charges = if decided.charges == 1 {
        "1 charge".to_owned()
    } else {
        format!("{} charges", grouped(decided.charges))
    };
    let currency = &app.installation.settings.currency;
    let cost = currency.display(decided.cost.round(currency.code.places()));
    let mut words = format!("{past} {charges}, {cost} in all (act {}).", decided.number);
    for skipped in &decided.skipped {
        words.push(' ');
        words.push_str(&skipped.line());
        words.push('.');
    }
    words
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Undo {
    /// Of a whole act.
    number: String,
    charge: Vec<String>,
    back: String,
}

async fn undo(State(app): State<App>, caller: Caller, Form(form): Form<Undo>) -> PageResult<Next> {
    let back = Asked { back: form.back, ..Asked::default() }.back();
    let decided = if let Some(number) = some(&form.number) {
        let number = number
            .parse()
            .map_err(|_| PageError::bad_request(format!("`{number}` is not the number of an act")))?;
        review::undo_act(&app.installation, &caller.actor(), LedgerNumber(number)).await?
    } else {
        let filter = Asked { charge: form.charge, ..Asked::default() }.filter()?;
        review::undo(&app.installation, &caller.actor(), &filter).await?
    };
    Ok(Next::page(back).saying(told(&decided, &app)))
}

#[derive(Template)]
#[template(path = "review/history.html")]
struct HistoryPage {
    frame: Frame,
    acts: Vec<PastAct>,
    pager: Pager,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PageOf {
    page: String,
}

async fn history(State(app): State<App>, frame: Frame, Query(asked): Query<PageOf>) -> PageResult<Response> {
    let at = asked.page.trim().parse().unwrap_or(1).clamp(1, 1_000_000_usize);
    let (acts, total) = review::history(&app.installation, ROWS, (at - 1) * ROWS).await?;
    let pager = Pager::new(at, acts.len(), total);
    Ok(page(&HistoryPage { frame: frame.titled("Decisions").help("review"), acts, pager })?.into_response())
}
