use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::credit::{Alert, Credit, CreditId, CreditKind, Standing, moved_on};
use billing::{Period, SourceName};
use ledger::{Role, RuleRow};
use serde::Deserialize;
use workflow::credits::{self, Change, Move};
use workflow::{Refusal, given};

use super::proposal::{self, Answer, Draft, RuleForm, answer, answer_or_refuse};
use super::sent::Sent;
use super::subsidies::{BalancesPage, MOST_BALANCES};
use super::table::{Cell, Table};
use super::words::{credit_for, holders, joined, money, when};
use super::{
    A_PERIOD, Asked, EndForm, EndOf, Happened, Kind, Listed, ShowPage, When, Words, find, list,
    needed_amount, of_rule, paid, said, today, unread,
};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};
use crate::form::{Fields, Query, some};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

const KIND: Kind = Kind {
    noun: "credit",
    title: "Credits",
    path: "/credits",
    lead: "Amounts that pay charges until they are used up or expire: given by a provider, paid before, or granted. They pay what subsidies leave.",
    empty: "Nothing is granted yet. Grant a credit: how much, from which fund, and to whom.",
    add: "Grant a credit",
    needs: Role::Admin,
    views: &[("/credits/balances", "What is left", Role::Viewer)],
    help: "credits",
    has_file: false,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/credits", Access::Viewer, all)
        .page("/credits/balances", Access::Viewer, balances)
        .page("/credits/new", Access::Admin, new)
        .act("/credits/new", Access::Admin, "credits add", add)
        .page("/credits/{id}", Access::Viewer, show)
        .page("/credits/{id}/move", Access::Admin, new_move)
        .act("/credits/{id}/move", Access::Admin, "credits move", add_move)
        .act("/credits/{id}/end", Access::Admin, "credits end", end)
}

fn in_force(credit: &Credit, caller: &Caller) -> When {
    When::of(Some(credit.from), credit.to, &Period::of(today(caller)))
}

async fn all(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> PageResult<Response> {
    let rows = credits::list(&app.installation).await?;
    let known: Vec<Credit> = rows.iter().map(|row| row.rule.clone()).collect();
    let row = |RuleRow { rule: credit, .. }: RuleRow<Credit>| {
        let when_in_force = in_force(&credit, &caller);
        let part = credit.moved_from.map_or_else(String::new, |from| format!(", of credit {from}"));
        let moved = moved_on(&known, credit.id);
        let cells = vec![
            Cell::link(credit.name.clone(), format!("/credits/{}", credit.id))
                .sub(format!("credit {}{part}", credit.id)),
            credit.kind.name().into(),
            credit.payer.clone().into(),
            frame.cost(&credit.amount).into(),
            if moved.is_zero() { "–".into() } else { frame.cost(&moved).into() },
            holders(&credit.pis, &credit.projects).into(),
            credit_for(&credit).into(),
            when(Some(credit.from), credit.to).into(),
            when_in_force.cell(),
        ];
        Listed { when: when_in_force, cells }
    };
    let listed = rows.into_iter().map(row).collect();
    let columns = ["Name", "Kind", "Payer", "#Amount", "#Moved on", "Held by", "For", "When", "State"];
    list(frame, &KIND, &columns, asked, listed)
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let all = credits::list(&app.installation).await?;
    let parts: Vec<RuleRow<Credit>> =
        all.iter().filter(|row| row.rule.moved_from == Some(CreditId(id))).cloned().collect();
    let row = find(all, &KIND, id)?;
    let paid_rows = given::by_credit(&app.installation, CreditId(id)).await?;
    let mut gave = paid(&frame, &paid_rows);
    let currency = frame.currency.clone();
    let credit = &row.rule;
    let used = paid_rows.iter().map(|row| row.paid).sum();
    let moved = parts.iter().map(|part| part.rule.amount).sum();
    let left = credit.amount - used - moved;
    gave.figures = vec![
        ("Granted", frame.cost(&credit.amount)),
        ("Moved on", frame.cost(&moved)),
        ("Used by issued statements", frame.cost(&used)),
        ("Left", frame.cost(&left)),
    ];
    let words = Words {
        title: credit.name.clone(),
        note: credit.note.as_deref(),
        last: credit.to.map(|to| to.to_string()),
    };
    let mut shown = ShowPage::new(frame, &KIND, &row, id, in_force(credit, &caller), words);
    shown.fact("Number", credit.id.to_string());
    shown.fact("Amount", money(credit.amount, &currency));
    shown.fact("Where it comes from", kind_label(credit.kind));
    shown.fact("Payer", credit.payer.clone());
    shown.fact(
        "Posted to account",
        credit.account_code.clone().unwrap_or_else(|| "that of the charges".into()),
    );
    shown.fact("Held by", holders(&credit.pis, &credit.projects));
    shown.fact("For", credit_for(credit));
    shown.fact("Billing periods", when(Some(credit.from), credit.to));
    shown.fact("Order", credit.order.to_string());
    if let Some(from) = credit.moved_from {
        shown.fact("A part of", Cell::link(format!("credit {from}"), format!("/credits/{from}")));
    }
    for part in &parts {
        let to = holders(&part.rule.pis, &part.rule.projects);
        let amount = money(part.rule.amount, &currency);
        shown.happened(Happened {
            at: part.written.at,
            what: format!("{amount} moved on to {to}, as credit {} (act {})", part.rule.id, part.number),
            by: part.written.by.clone(),
            note: part.rule.note.clone().unwrap_or_default(),
        });
    }
    shown.given(gave);
    shown.ends_by(EndOf::Period);
    if shown.may_change() {
        shown.more.push((format!("/credits/{id}/move"), "Move a part".to_owned()));
    }
    shown.more.push(("/credits/balances".to_owned(), "What is left".to_owned()));
    page(&shown)
}

fn kind_label(kind: CreditKind) -> &'static str {
    match kind {
        CreditKind::Provider => "given by who supplies the charges",
        CreditKind::Prepayment => "paid before",
        CreditKind::Award => "granted: an allocation",
    }
}

/// The last period of one.
#[derive(Deserialize)]
#[serde(transparent)]
struct CreditEnd(EndForm);

impl RuleForm for CreditEnd {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let id = CreditId(self.0.rule);
        let row = find(credits::list(&app.installation).await?, &KIND, self.0.rule)?;
        let mut fields = Fields::default();
        let last = fields.required("last billing period", &self.0.last, A_PERIOD);
        let Some(last) = last else { return Err(unread(fields, "the credit was not ended")) };
        Ok(Draft {
            what: format!("End the credit `{}` with {last}", row.rule.name),
            action: format!("/credits/{id}/end"),
            fields: sent.pairs.clone(),
            change: proposal::Change::Credit(Change::End { credit: id, last, note: some(&self.0.note) }),
            notes: Vec::new(),
            lines: Vec::new(),
            then: format!("/credits/{id}"),
        })
    }
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    sent: Sent,
) -> PageResult<Response> {
    answer_or_refuse::<CreditEnd>(&app, &caller, &of_rule(sent, id), &format!("/credits/{id}")).await
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CreditForm {
    name: String,
    amount: String,
    kind: String,
    payer: String,
    account_code: String,
    pi: Vec<String>,
    project: Vec<String>,
    kept_back: String,
    source: Vec<String>,
    service: Vec<String>,
    from: String,
    to: String,
    order: String,
    note: String,
}

/// Somebody, or nobody on purpose.
fn whose(
    pis: &[String],
    projects: &[String],
    kept_back: &str,
    fields: &mut Fields,
) -> (Vec<String>, Vec<String>) {
    let (pis, projects) = (said(pis), said(projects));
    match (pis.is_empty() && projects.is_empty(), kept_back.is_empty()) {
        (true, true) => {
            fields.problem("who may use it: name a PI or a project, or say that it is kept back".to_owned());
        }
        (false, false) => {
            fields
                .problem("who may use it: it is kept back and has a PI or a project; choose one".to_owned());
        }
        _ => {}
    }
    (pis, projects)
}

impl RuleForm for CreditForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let amount = needed_amount(&mut fields, "amount", &self.amount);
        let kind = match self.kind.as_str() {
            "prepayment" => CreditKind::Prepayment,
            "award" => CreditKind::Award,
            _ => CreditKind::Provider,
        };
        let (pis, projects) = whose(&self.pi, &self.project, &self.kept_back, &mut fields);
        let order = if self.order.trim().is_empty() { "0" } else { &self.order };
        let order: Option<i64> = fields.required("order", order, "a whole number");
        let from: Option<Period> = fields.required("first billing period", &self.from, A_PERIOD);
        let to: Option<Period> = fields.optional("last billing period", &self.to, A_PERIOD);
        let what = "the credit was not understood";
        let (Some(amount), Some(order), Some(from)) = (amount, order, from) else {
            return Err(unread(fields, what));
        };
        fields.finish(what)?;
        let credit = Credit {
            id: CreditId::default(),
            kind,
            name: self.name.trim().to_owned(),
            payer: self.payer.trim().to_owned(),
            account_code: some(&self.account_code),
            amount,
            order,
            pis,
            projects,
            sources: said(&self.source).into_iter().map(SourceName).collect(),
            services: said(&self.service),
            from,
            to,
            moved_from: None,
            note: some(&self.note),
        };
        let to = holders(&credit.pis, &credit.projects);
        Ok(Draft {
            what: format!("Grant `{}`, {amount} paid by {}, to {to}", credit.name, credit.payer),
            action: "/credits/new".to_owned(),
            fields: sent.pairs.clone(),
            change: proposal::Change::Credit(Change::Add(Box::new(credit))),
            notes: Vec::new(),
            lines: Vec::new(),
            then: "/credits".to_owned(),
        })
    }
}

#[derive(Template)]
#[template(path = "rules/credit.html")]
struct FormPage {
    frame: Frame,
    form: CreditForm,
    refusal: Option<Refusal>,
}

impl FormPage {
    fn kinds() -> [(&'static str, &'static str); 3] {
        [CreditKind::Provider, CreditKind::Prepayment, CreditKind::Award]
            .map(|kind| (kind.name(), kind_label(kind)))
    }
}

fn form_page(frame: Frame, form: CreditForm, refusal: Option<Refusal>) -> PageResult<Response> {
    let is_refused = refusal.is_some();
    let shown = FormPage { frame: frame.titled("Grant a credit").help(KIND.help), form, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

async fn new(frame: Frame, Query(form): Query<CreditForm>) -> PageResult<Response> {
    form_page(frame, form, None)
}

async fn add(State(app): State<App>, caller: Caller, frame: Frame, sent: Sent) -> PageResult<Response> {
    match answer::<CreditForm>(&app, &caller, &sent).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, refusal) => form_page(frame, form, refusal),
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MoveForm {
    rule: i64,
    amount: String,
    pi: Vec<String>,
    project: Vec<String>,
    kept_back: String,
    note: String,
}

impl RuleForm for MoveForm {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let row = find(credits::list(&app.installation).await?, &KIND, self.rule)?;
        let from = CreditId(self.rule);
        let mut fields = Fields::default();
        let amount = needed_amount(&mut fields, "amount", &self.amount);
        let (pis, projects) = whose(&self.pi, &self.project, &self.kept_back, &mut fields);
        let note = fields.text("reason", &self.note);
        let what = "the move was not understood";
        let Some(amount) = amount else { return Err(unread(fields, what)) };
        if amount <= money::Amount::ZERO {
            fields.problem(format!("amount: {amount} is none to move"));
        }
        fields.finish(what)?;
        let to = holders(&pis, &projects);
        let part = Move { from, amount, pis, projects, note };
        Ok(Draft {
            what: format!("Move {amount} of `{}` to {to}", row.rule.name),
            action: format!("/credits/{from}/move"),
            fields: sent.pairs.clone(),
            change: proposal::Change::Credit(Change::Move(part)),
            notes: Vec::new(),
            lines: Vec::new(),
            then: format!("/credits/{from}"),
        })
    }
}

#[derive(Template)]
#[template(path = "rules/move.html")]
struct MovePage {
    frame: Frame,
    name: String,
    form: MoveForm,
    refusal: Option<Refusal>,
}

impl MovePage {
    fn back(&self) -> String {
        format!("/credits/{}", self.form.rule)
    }
}

async fn move_page(
    app: &App,
    frame: Frame,
    form: MoveForm,
    refusal: Option<Refusal>,
) -> PageResult<Response> {
    let row = find(credits::list(&app.installation).await?, &KIND, form.rule)?;
    let frame = frame.titled(format!("Move a part of {}", row.rule.name)).help(KIND.help);
    let is_refused = refusal.is_some();
    let shown = MovePage { frame, name: row.rule.name, form, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

async fn new_move(State(app): State<App>, Path(id): Path<i64>, frame: Frame) -> PageResult<Response> {
    move_page(&app, frame, MoveForm { rule: id, ..MoveForm::default() }, None).await
}

async fn add_move(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
    sent: Sent,
) -> PageResult<Response> {
    match answer::<MoveForm>(&app, &caller, &of_rule(sent, id)).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, _) if form.rule != id => {
            Err(PageError::bad_request(format!("this is not a part of credit {id}")))
        }
        Answer::Again(form, refusal) => move_page(&app, frame, form, refusal).await,
    }
}

async fn balances(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    let balances = credits::balances(&app.installation, Some(period)).await?.credits;
    let mut table = Table::new(
        "What is left of credits",
        &["Credit", "Held by", "#Amount", "#Moved on", "#Used before", "#Used now", "#Left", "Until", "Note"],
        "No credit is in force in this period.",
    );
    let row = |standing: &Standing| {
        let credit = &standing.credit;
        let note = joined(standing.alerts.iter().map(Alert::to_string));
        vec![
            Cell::link(credit.name.clone(), format!("/credits/{}", credit.id)),
            holders(&credit.pis, &credit.projects).into(),
            frame.cost(&credit.amount).into(),
            frame.cost(&standing.moved_on).into(),
            frame.cost(&standing.drawn_before).into(),
            frame.cost(&standing.drawn).into(),
            frame.cost(&standing.left).into(),
            credit.to.map_or_else(|| "–".to_owned(), |to| to.to_string()).into(),
            if note.is_empty() { "–".into() } else { Cell::pill("warn", note) },
        ]
    };
    table.rows = balances.iter().take(MOST_BALANCES).map(row).collect();
    let lead = format!("How the credits stand when {period} is billed as it is.");
    let frame = frame.titled("What is left of credits").help(KIND.help);
    page(&BalancesPage { frame, kind: &KIND, lead, table })
}
