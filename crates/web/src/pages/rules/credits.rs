use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::credit::{Alert, Credit, CreditId, CreditKind, Standing};
use billing::{Period, SourceName};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use money::Amount;
use serde::Deserialize;
use workflow::credits::{self, Move};
use workflow::{Installation, Refusal, WorkflowError, given};

use super::kind::{EndForm, EndOf, FormPage, Kind, RuleKind, add, all, end, new};
use super::proposal::{Answer, Draft, RuleForm, answer};
use super::sent::Sent;
use super::subsidies::{BalancesPage, MOST_BALANCES};
use super::table::{Cell, Table};
use super::words::{credit_for, holders, joined, money, when};
use super::{
    A_PERIOD, Happened, ShowPage, When, Words, find, needed_amount, of_rule, paid, said, today, unread,
};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::{PageError, PageResult};
use crate::form::{Fields, some};
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
    columns: &["Name", "Kind", "Payer", "#Amount", "#Moved on", "Held by", "For", "When", "State"],
    ends_by: EndOf::Period,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/credits", Access::Viewer, all::<Credit>)
        .page("/credits/balances", Access::Viewer, balances)
        .page("/credits/new", Access::Admin, new::<CreditForm>)
        .act("/credits/new", Access::Admin, "credits add", add::<CreditForm>)
        .page("/credits/{id}", Access::Viewer, show)
        .page("/credits/{id}/move", Access::Admin, new_move)
        .act("/credits/{id}/move", Access::Admin, "credits move", add_move)
        .act("/credits/{id}/end", Access::Admin, "credits end", end::<Credit>)
}

impl RuleKind for Credit {
    const OF: &'static Kind = &KIND;

    async fn list(installation: &Installation) -> Result<Vec<RuleRow<Credit>>, WorkflowError> {
        credits::list(installation).await
    }

    fn when(&self, today: Date) -> When {
        When::of(Some(self.from), self.to, &Period::of(today))
    }

    fn words(&self) -> Words<'_> {
        Words { title: self.name.clone(), note: self.note.as_deref(), last: self.to.map(|to| to.to_string()) }
    }

    fn cells(&self, all: &[RuleRow<Credit>], frame: &Frame) -> Vec<Cell> {
        let part = self.moved_from.map_or_else(String::new, |from| format!(", of credit {from}"));
        let moved: Amount = parts(all, self.id).map(|part| part.rule.amount).sum();
        vec![
            Cell::link(self.name.clone(), format!("/credits/{}", self.id))
                .sub(format!("credit {}{part}", self.id)),
            self.kind.name().into(),
            self.payer.clone().into(),
            frame.cost(&self.amount).into(),
            if moved.is_zero() { "–".into() } else { frame.cost(&moved).into() },
            holders(&self.pis, &self.projects).into(),
            credit_for(self).into(),
            when(Some(self.from), self.to).into(),
        ]
    }

    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)> {
        let last: Period = fields.required("last billing period", &form.last, A_PERIOD)?;
        let change = credits::Change::End { credit: self.id, last, note: some(&form.note) };
        Some((format!("End the credit `{}` with {last}", self.name), Change::Credit(change)))
    }
}

/// What was moved on of a credit.
fn parts(all: &[RuleRow<Credit>], of: CreditId) -> impl Iterator<Item = &RuleRow<Credit>> {
    all.iter().filter(move |row| row.rule.moved_from == Some(of))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let all = credits::list(&app.installation).await?;
    let parts: Vec<RuleRow<Credit>> = parts(&all, CreditId(id)).cloned().collect();
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
    let mut shown = ShowPage::new(frame, &row, id, today(&caller));
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
        let what = format!("Grant `{}`, {amount} paid by {}, to {to}", credit.name, credit.payer);
        let change = Change::Credit(credits::Change::Add(Box::new(credit)));
        Ok(Draft::new(what, "/credits/new", sent, change, "/credits"))
    }
}

#[derive(Template)]
#[template(path = "rules/credit.html")]
struct CreditPage {
    frame: Frame,
    form: CreditForm,
    refusal: Option<Refusal>,
}

impl CreditPage {
    fn kinds() -> [(&'static str, &'static str); 3] {
        [CreditKind::Provider, CreditKind::Prepayment, CreditKind::Award]
            .map(|kind| (kind.name(), kind_label(kind)))
    }
}

impl FormPage for CreditForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&CreditPage { frame: frame.titled("Grant a credit").help(KIND.help), form: self, refusal })
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
        if amount <= Amount::ZERO {
            fields.problem(format!("amount: {amount} is none to move"));
        }
        fields.finish(what)?;
        let to = holders(&pis, &projects);
        let change = Change::Credit(credits::Change::Move(Move { from, amount, pis, projects, note }));
        let (what, at) =
            (format!("Move {amount} of `{}` to {to}", row.rule.name), format!("/credits/{from}"));
        Ok(Draft::new(what, format!("{at}/move"), sent, change, at))
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
