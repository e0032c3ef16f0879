use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::subsidy::{Scope, SubsidyId, SubsidyRule, Tier, Window};
use billing::{Period, SourceName};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use serde::Deserialize;
use workflow::subsidies::{self, Balance};
use workflow::{Installation, Refusal, WorkflowError, given};

use super::kind::{EndForm, EndOf, FormPage, Kind, RuleKind, add, all, end, new};
use super::proposal::{Draft, RuleForm};
use super::sent::Sent;
use super::table::{Cell, Table};
use super::words::{joined, money, name_of, or_dash, pays, subsidy_for, when};
use super::{A_PERIOD, ShowPage, When, Words, amount, find, paid, pairs, said, today, unread};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::PageResult;
use crate::form::{Fields, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

const KIND: Kind = Kind {
    noun: "subsidy",
    title: "Subsidies",
    path: "/subsidies",
    lead: "Who else pays: a fund that owes what the PI does not. The statement shows what it paid, and the journal debits it.",
    empty: "Nobody pays for others yet. Write a subsidy: who pays, how much, and for whom.",
    add: "Write a subsidy",
    needs: Role::Admin,
    views: &[
        ("/subsidies/balances", "What is left", Role::Viewer),
        ("/import-config", "Files of integrations", Role::Admin),
    ],
    help: "subsidies",
    has_file: false,
    columns: &["Name", "Payer", "Pays", "For", "When", "#Order", "State"],
    ends_by: EndOf::Period,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/subsidies", Access::Viewer, all::<SubsidyRule>)
        .page("/subsidies/balances", Access::Viewer, balances)
        .page("/subsidies/new", Access::Admin, new::<SubsidyForm>)
        .act("/subsidies/new", Access::Admin, "subsidies add", add::<SubsidyForm>)
        .page("/subsidies/{id}", Access::Viewer, show)
        .act("/subsidies/{id}/end", Access::Admin, "subsidies end", end::<SubsidyRule>)
}

impl RuleKind for SubsidyRule {
    const OF: &'static Kind = &KIND;

    async fn list(installation: &Installation) -> Result<Vec<RuleRow<SubsidyRule>>, WorkflowError> {
        subsidies::list(installation).await
    }

    fn when(&self, today: Date) -> When {
        When::of(Some(self.from), self.to, &Period::of(today))
    }

    fn words(&self) -> Words<'_> {
        Words { title: self.name.clone(), note: self.note.as_deref(), last: self.to.map(|to| to.to_string()) }
    }

    fn cells(&self, _all: &[RuleRow<SubsidyRule>], frame: &Frame) -> Vec<Cell> {
        vec![
            Cell::link(self.name.clone(), format!("/subsidies/{}", self.id))
                .sub(format!("subsidy {}", self.id)),
            self.payer.clone().into(),
            pays(self, &frame.currency).into(),
            subsidy_for(self).into(),
            when(Some(self.from), self.to).into(),
            self.order.to_string().into(),
        ]
    }

    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)> {
        let last: Period = fields.required("last billing period", &form.last, A_PERIOD)?;
        let change = subsidies::Change::End { rule: self.id, last, note: some(&form.note) };
        Some((format!("End the subsidy `{}` with {last}", self.name), Change::Subsidy(change)))
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let row = find(subsidies::list(&app.installation).await?, &KIND, id)?;
    let paid_rows = given::by_subsidy(&app.installation, SubsidyId(id)).await?;
    let paid = paid(&frame, &paid_rows);
    let currency = frame.currency.clone();
    let rule = &row.rule;
    let mut shown = ShowPage::new(frame, &row, id, today(&caller));
    shown.fact("Number", rule.id.to_string());
    shown.fact("Payer", rule.payer.clone());
    shown
        .fact("Posted to account", rule.account_code.clone().unwrap_or_else(|| "that of the charges".into()));
    shown.fact("Pays", pays(rule, &currency));
    shown.fact("For", subsidy_for(rule));
    shown.fact("Billing periods", when(Some(rule.from), rule.to));
    shown.fact("Order", rule.order.to_string());
    shown.fact(
        "Where others pay already",
        if rule.stacks { "pays of what they leave" } else { "pays nothing" },
    );
    let opening = rule.opening.iter().map(|one| {
        format!("{} for {} of {} in {}", money(one.paid, &currency), one.project_id, one.pi_email, one.period)
    });
    shown.fact("Had paid before", joined(opening));
    shown.given(paid);
    shown.more.push(("/subsidies/balances".to_owned(), "What is left".to_owned()));
    page(&shown)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SubsidyForm {
    name: String,
    payer: String,
    account_code: String,
    up_to: Vec<String>,
    percent: Vec<String>,
    cap: String,
    per: String,
    every: String,
    carry_over: String,
    order: String,
    alone: String,
    source: Vec<String>,
    service: Vec<String>,
    pi: Vec<String>,
    project: Vec<String>,
    from: String,
    to: String,
    note: String,
}

const PER: [(&str, &str); 4] =
    [("project", "each project"), ("pi", "each PI"), ("user", "each user"), ("all", "everybody together")];
const EVERY: [(&str, &str); 5] = [
    ("month", "a month"),
    ("quarter", "a quarter"),
    ("year", "a calendar year"),
    ("fiscal-year", "a fiscal year"),
    ("once", "all its time, once"),
];

fn scope(name: &str) -> Option<Scope> {
    serde_json::from_value(name.into()).ok()
}

fn window(name: &str) -> Option<Window> {
    serde_json::from_value(name.into()).ok()
}

impl SubsidyForm {
    fn tiers(&self, fields: &mut Fields) -> Vec<Tier> {
        let mut tiers = Vec::new();
        for (at, percent) in self.percent.iter().enumerate() {
            let up_to = self.up_to.get(at).map_or("", |text| text.trim());
            if percent.trim().is_empty() {
                if !up_to.is_empty() {
                    fields.problem(format!("how much: up to {up_to} is without a percentage"));
                }
                continue;
            }
            let up_to = amount(fields, "up to", up_to);
            let share = percent.trim().parse::<billing::subsidy::Percent>();
            match share {
                Ok(percent) => tiers.push(Tier { up_to, percent }),
                Err(error) => fields.problem(format!("how much: {error}")),
            }
        }
        tiers
    }
}

impl RuleForm for SubsidyForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let tiers = self.tiers(&mut fields);
        let cap = amount(&mut fields, "at most", &self.cap);
        let order = if self.order.trim().is_empty() { "0" } else { &self.order };
        let order: Option<i64> = fields.required("order", order, "a whole number");
        let from: Option<Period> = fields.required("first billing period", &self.from, A_PERIOD);
        let to: Option<Period> = fields.optional("last billing period", &self.to, A_PERIOD);
        let scope = if self.per.is_empty() { Some(Scope::default()) } else { scope(&self.per) };
        let window = if self.every.is_empty() { Some(Window::default()) } else { window(&self.every) };
        if scope.is_none() || window.is_none() {
            fields.problem("counted per and over: choose from the lists".to_owned());
        }
        let what = "the subsidy was not understood";
        let (Some(order), Some(from), Some(scope), Some(window)) = (order, from, scope, window) else {
            return Err(unread(fields, what));
        };
        fields.finish(what)?;
        let rule = SubsidyRule {
            id: SubsidyId::default(),
            name: self.name.trim().to_owned(),
            payer: self.payer.trim().to_owned(),
            account_code: some(&self.account_code),
            order,
            stacks: self.alone.is_empty(),
            sources: said(&self.source).into_iter().map(SourceName).collect(),
            services: said(&self.service),
            pis: said(&self.pi),
            projects: said(&self.project),
            tiers,
            cap,
            carries_over: !self.carry_over.is_empty(),
            scope,
            window,
            from,
            to,
            note: some(&self.note),
            opening: Vec::new(),
        };
        let what = format!("Write the subsidy `{}`, paid by {}", rule.name, rule.payer);
        let change = Change::Subsidy(subsidies::Change::Add(Box::new(rule)));
        Ok(Draft::new(what, "/subsidies/new", sent, change, "/subsidies"))
    }
}

#[derive(Template)]
#[template(path = "rules/subsidy.html")]
struct SubsidyPage {
    frame: Frame,
    form: SubsidyForm,
    refusal: Option<Refusal>,
}

impl SubsidyPage {
    fn tiers(&self) -> Vec<(usize, String, String)> {
        pairs(&self.form.up_to, &self.form.percent, 3)
    }

    /// Those of these that the rules know.
    fn per() -> Vec<(&'static str, &'static str)> {
        PER.into_iter()
            .filter(|(name, _)| scope(name).is_some_and(|scope| name_of(&scope) == *name))
            .collect()
    }

    fn every() -> [(&'static str, &'static str); 5] {
        EVERY
    }
}

impl FormPage for SubsidyForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&SubsidyPage { frame: frame.titled("Write a subsidy").help(KIND.help), form: self, refusal })
    }
}

#[derive(Template)]
#[template(path = "rules/balances.html")]
pub struct BalancesPage {
    pub frame: Frame,
    pub kind: &'static Kind,
    pub lead: String,
    pub table: Table,
}

impl BalancesPage {
    fn action(&self) -> String {
        format!("{}/balances", self.kind.path)
    }
}

async fn balances(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    let balances = subsidies::balances(&app.installation, period).await?;
    let mut table = Table::new(
        "What is left of subsidies",
        &["Subsidy", "PI", "Project", "Counted over", "#Carried over", "#Cost seen", "#Paid", "#Left"],
        "No subsidy pays anything of this period.",
    );
    let cost = |amount| frame.cost(&amount);
    let row = |balance: &Balance| {
        let over = match (balance.first, balance.last) {
            (first, last) if first == last => first.to_string(),
            (first, last) if last.year() == 9999 => format!("from {first}"),
            (first, last) => format!("{first} to {last}"),
        };
        vec![
            Cell::link(balance.name.clone(), format!("/subsidies/{}", balance.rule)),
            or_dash(balance.pi_email.as_deref()).into(),
            or_dash(balance.project_id.as_deref()).into(),
            over.into(),
            balance.carried.map_or_else(|| "–".to_owned(), cost).into(),
            cost(balance.seen).into(),
            cost(balance.paid).into(),
            balance.left.map_or_else(|| "–".to_owned(), cost).into(),
        ]
    };
    table.rows = balances.iter().take(MOST_BALANCES).map(row).collect();
    let mut lead = format!("What each pool has seen and paid when {period} is billed as it stands.");
    if MOST_BALANCES < balances.len() {
        lead = format!("{lead} The first {MOST_BALANCES} of {}.", balances.len());
    }
    let frame = frame.titled("What is left of subsidies").help(KIND.help);
    page(&BalancesPage { frame, kind: &KIND, lead, table })
}

pub const MOST_BALANCES: usize = 500;
