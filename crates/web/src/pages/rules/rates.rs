//! The rate book: its rates, what differs between two days, and other prices tried over months that are known
//! (`try_rates.rs`).

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::SourceName;
use billing::rate::{Above, Rate, RateId, version};
use billing::unit::{Prorate, Unit};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use serde::Deserialize;
use workflow::rates::{self, PriceChange, difference, file};
use workflow::{Installation, Refusal, WorkflowError, given};

use super::kind::{EndForm, EndOf, FormPage, Kind, RuleKind, add, all, end, new, refused};
use super::proposal::{Draft, RuleForm, apply};
use super::sent::Sent;
use super::table::{Cell, Table};
use super::try_rates;
use super::words::{pooled, price, rate_for, when};
use super::{A_DAY, Given, ShowPage, When, Words, amount, find, needed_amount, reached, today, unread};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::download::{CSV, attachment};
use crate::error::{ErrorKind, PageResult};
use crate::form::{Fields, Query, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub const KIND: Kind = Kind {
    noun: "rate",
    title: "Rates",
    path: "/rates",
    lead: "What a unit of a service costs, for whom, and from when to when: the prices of sources that deliver usage.",
    empty: "There are no prices yet. Write a rate, or read a file of them, for sources that deliver usage without prices.",
    add: "Write a rate",
    needs: Role::Admin,
    views: &[
        ("/rates/diff", "What differs", Role::Viewer),
        ("/rates/import", "Try other rates", Role::Admin),
        ("/import-config", "Files of integrations", Role::Admin),
    ],
    help: "rates",
    has_file: true,
    columns: &["Code", "For", "Unit", "#Price", "#List price", "By month and project", "When", "State"],
    ends_by: EndOf::Day,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/rates", Access::Viewer, all::<Rate>)
        .page("/rates/new", Access::Admin, new::<RateForm>)
        .act("/rates/new", Access::Admin, "rates add", add::<RateForm>)
        .page("/rates/diff", Access::Viewer, diff)
        .page("/rates/export", Access::Viewer, export)
        .page("/rates/import", Access::Admin, new_import)
        .upload("/rates/import", Access::Admin, "rates import", import)
        .page("/rates/tried/{id}", Access::Viewer, try_rates::tried)
        .page("/rates/tried/{id}/csv", Access::Viewer, try_rates::tried_csv)
        .act("/rates/apply", Access::Admin, "rates apply", read_again)
        .page("/rates/{id}", Access::Viewer, show)
        .act("/rates/{id}/end", Access::Admin, "rates end", end::<Rate>)
}

impl RuleKind for Rate {
    const OF: &'static Kind = &KIND;

    async fn list(installation: &Installation) -> Result<Vec<RuleRow<Rate>>, WorkflowError> {
        rates::list(installation).await
    }

    fn when(&self, today: Date) -> When {
        When::of(Some(self.from), self.to, &today)
    }

    fn words(&self) -> Words<'_> {
        Words { title: self.code.clone(), note: self.note.as_deref(), last: self.to.map(|to| to.to_string()) }
    }

    fn cells(&self, _all: &[RuleRow<Rate>], _frame: &Frame) -> Vec<Cell> {
        vec![
            Cell::link(self.code.clone(), format!("/rates/{}", self.id)).sub(format!("rate {}", self.id)),
            rate_for(self).into(),
            self.unit.to_string().into(),
            price(self).into(),
            self.list_price().to_string().into(),
            pooled(self).into(),
            when(Some(self.from), self.to).into(),
        ]
    }

    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)> {
        let on: Date = fields.required("last day", &form.last, A_DAY)?;
        let change = rates::Change { end: vec![(self.id, on)], note: some(&form.note), ..Default::default() };
        Some((format!("End the rate {} on {on}", self.subject()), Change::Rates(change)))
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let all = rates::list(&app.installation).await?;
    let book: Vec<Rate> = all.iter().map(|row| row.rule.clone()).collect();
    let row = find(all, &KIND, id)?;
    let period = frame.period.filter(|period| !frame.state_of(period).is_empty());
    let found = match period {
        Some(period) => given::rated(&app.installation, period, RateId(id)).await?,
        None => Vec::new(),
    };
    let gave = reached(&frame, &found, "priced");
    let rate = &row.rule;
    let mut shown = ShowPage::new(frame, &row, id, today(&caller));
    shown.fact("Number", format!("{}, version {} of {}", rate.id, version(&book, rate), rate.code));
    shown.fact("For", rate_for(rate));
    shown.fact("Unit", rate.unit.to_string());
    shown.fact("Price of a unit", price(rate));
    shown.fact("List price", rate.list_price().to_string());
    shown.fact("By month and project", pooled(rate));
    shown.fact("Prorated by", rate.prorate.map(|step| step.to_string()).unwrap_or_default());
    shown.fact("Account", rate.account_code.clone().unwrap_or_default());
    shown.fact("Charge periods that begin", when(Some(rate.from), rate.to));
    let versions: Vec<&Rate> = book.iter().filter(|one| one.code_key() == rate.code_key()).collect();
    if 1 < versions.len() {
        shown.given(versions_of(&versions));
    }
    if period.is_some() {
        shown.given(gave);
    }
    page(&shown)
}

fn versions_of(versions: &[&Rate]) -> Given {
    let mut table =
        Table::new("Versions", &["Rate", "When", "For", "Unit", "#Price", "By month and project"], "");
    let row = |rate: &&Rate| {
        vec![
            Cell::link(format!("rate {}", rate.id), format!("/rates/{}", rate.id)),
            when(Some(rate.from), rate.to).into(),
            rate_for(rate).into(),
            rate.unit.to_string().into(),
            price(rate).into(),
            pooled(rate).into(),
        ]
    };
    table.rows = versions.iter().map(row).collect();
    Given {
        heading: "Versions".to_owned(),
        lead: String::new(),
        of_period: false,
        figures: Vec::new(),
        table,
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RateForm {
    code: String,
    unit: String,
    price: String,
    list_price: String,
    source: String,
    service: String,
    sku: String,
    class: String,
    above_quantity: Vec<String>,
    above_price: Vec<String>,
    free: String,
    minimum: String,
    prorate: String,
    account_code: String,
    from: String,
    to: String,
    note: String,
    replacing: String,
}

impl RateForm {
    fn tiers(&self, fields: &mut Fields) -> Vec<Above> {
        let mut tiers = Vec::new();
        for (at, quantity) in self.above_quantity.iter().enumerate() {
            let price = self.above_price.get(at).map_or("", String::as_str);
            let quantity = amount(fields, "above", quantity);
            let price = amount(fields, "price above", price);
            match (quantity, price) {
                (Some(quantity), Some(price)) => tiers.push(Above { quantity, price }),
                (None, None) => {}
                _ => fields.problem("above: a tier is a quantity and a price".to_owned()),
            }
        }
        tiers
    }
}

impl RuleForm for RateForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let code = fields.text("code", &self.code);
        let unit: Option<Unit> =
            fields.required("unit", &self.unit, "a unit: GB, TiB-month, core-hour, 1000 requests");
        let price = needed_amount(&mut fields, "price", &self.price);
        let list_price = amount(&mut fields, "list price", &self.list_price);
        let above = self.tiers(&mut fields);
        let free = amount(&mut fields, "free", &self.free);
        let minimum = amount(&mut fields, "minimum", &self.minimum);
        let prorate: Option<Prorate> = fields.optional("prorated", &self.prorate, "by day or by hour");
        let from: Option<Date> = fields.required("first day", &self.from, A_DAY);
        let to: Option<Date> = fields.optional("last day", &self.to, A_DAY);
        let what = "the rate was not understood";
        let (Some(unit), Some(price), Some(from)) = (unit, price, from) else {
            return Err(unread(fields, what));
        };
        fields.finish(what)?;
        let rate = Rate {
            id: RateId::default(),
            code,
            source: some(&self.source).map(SourceName),
            service: some(&self.service),
            sku: some(&self.sku),
            class: some(&self.class),
            unit,
            price,
            list_price,
            above,
            free,
            minimum,
            prorate,
            account_code: some(&self.account_code),
            from,
            to,
            note: some(&self.note),
        };
        let what = format!("Write the rate {} at {}", rate.subject(), rate.price);
        let replacing = !self.replacing.is_empty();
        let change =
            rates::Change { add: vec![rate], replacing, note: some(&self.note), ..Default::default() };
        Ok(Draft::new(what, "/rates/new", sent, Change::Rates(change), "/rates"))
    }
}

#[derive(Template)]
#[template(path = "rules/rate.html")]
struct RatePage {
    frame: Frame,
    form: RateForm,
    refusal: Option<Refusal>,
}

impl RatePage {
    fn tiers(&self) -> Vec<(usize, String, String)> {
        let places = (self.form.above_quantity.len()).max(3);
        let text = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
        let tier = |at| (at + 1, text(&self.form.above_quantity, at), text(&self.form.above_price, at));
        (0..places).map(tier).collect()
    }

    fn prorates() -> [(&'static str, &'static str); 3] {
        [("", "no: the quantity has its time"), ("day", "by the day"), ("hour", "by the hour")]
    }
}

impl FormPage for RateForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&RatePage { frame: frame.titled("Write a rate").help(KIND.help), form: self, refusal })
    }
}

async fn read_again(State(app): State<App>, caller: Caller) -> PageResult<Response> {
    apply(&app, &caller, "/rates").await
}

async fn export(State(app): State<App>) -> PageResult<Response> {
    let rows = rates::list(&app.installation).await?;
    let rates: Vec<Rate> = rows.into_iter().map(|row| row.rule).collect();
    Ok(attachment("rates.csv", CSV, file::write(&rates)?))
}

/// A file of rates: written, compared with the book, or tried.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    pub pasted: String,
    pub replacing: String,
    /// `diff`, `try`; else it is imported.
    pub to_do: String,
    /// The months to try it over, and the day whose rates are taken.
    pub first: String,
    pub last: String,
    pub on: String,
}

/// The rates of what was chosen or pasted.
fn read_files(sent: &Sent) -> PageResult<Vec<Rate>> {
    let mut rates = Vec::new();
    for one in &sent.files {
        rates.extend(file::read_bytes(&one.name, one.text.as_bytes())?);
    }
    if sent.files.is_empty() {
        return Err(Refusal::new("no file was chosen, and nothing was pasted").into());
    }
    Ok(rates)
}

impl RuleForm for ImportForm {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let wanted = read_files(sent)?;
        let read = wanted.len();
        let add = rates::new_rates(&app.installation, wanted).await?;
        if add.is_empty() {
            return Err(
                Refusal::new(format!("all {read} rates are there already: nothing would change")).into()
            );
        }
        let known = read - add.len();
        let notes =
            if known == 0 { Vec::new() } else { vec![format!("{known} of {read} rates are there already.")] };
        let line =
            |rate: &Rate| format!("{} at {}, {}", rate.subject(), rate.price, when(Some(rate.from), rate.to));
        let lines = add.iter().map(line).collect();
        let what =
            if add.len() == 1 { "Write 1 rate".to_owned() } else { format!("Write {} rates", add.len()) };
        let replacing = !self.replacing.is_empty();
        let change = Change::Rates(rates::Change { add, replacing, ..Default::default() });
        Ok(Draft { notes, lines, ..Draft::new(what, "/rates/import", sent, change, "/rates") })
    }
}

#[derive(Template)]
#[template(path = "rules/rates_import.html")]
struct ImportPage {
    frame: Frame,
    form: ImportForm,
    refusal: Option<Refusal>,
}

impl FormPage for ImportForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&ImportPage { frame: frame.titled("Rates from a file").help(KIND.help), form: self, refusal })
    }
}

async fn new_import(frame: Frame) -> PageResult<Response> {
    let last = frame.period.map(|period| period.to_string()).unwrap_or_default();
    ImportForm { first: last.clone(), last, ..ImportForm::default() }.page(frame, None)
}

/// A file is compared, tried or written.
async fn import(state: State<App>, caller: Caller, frame: Frame, sent: Sent) -> PageResult<Response> {
    let answered = match sent.field("to_do") {
        "diff" => compare(&state, &caller, frame.clone(), &sent).await,
        "try" => match read_files(&sent) {
            Ok(rates) => try_rates::begin(&state, &caller, rates, &sent.form()?).await,
            Err(error) => Err(error),
        },
        _ => return add::<ImportForm>(state, caller, frame, sent).await,
    };
    match answered {
        Err(error) if error.kind == ErrorKind::Refused => {
            refused(sent.form::<ImportForm>()?, frame, error.refusal)
        }
        other => other,
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DiffForm {
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "rules/diff.html")]
struct DiffPage {
    frame: Frame,
    first: Date,
    second: Date,
    /// What the second day's rates are taken from.
    other: Option<String>,
    table: Table,
    refusal: Option<Refusal>,
}

/// The latest day on which one of the rates begins.
pub fn latest(rates: &[Rate]) -> Option<Date> {
    rates.iter().map(|rate| rate.from).max()
}

async fn diff(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(form): Query<DiffForm>,
) -> PageResult<Response> {
    let book: Vec<Rate> = rates::list(&app.installation).await?.into_iter().map(|row| row.rule).collect();
    let mut fields = Fields::default();
    let first: Option<Date> = fields.optional("first day", &form.from, A_DAY);
    let second: Option<Date> = fields.optional("second day", &form.to, A_DAY);
    let first = first.unwrap_or_else(|| today(&caller));
    let second = second.or_else(|| latest(&book)).unwrap_or(first);
    let refusal = fields.finish("the days were not understood").err();
    let table = changes(&book, first, &book, second);
    let frame = frame.titled("What differs").help(KIND.help);
    page(&DiffPage { frame, first, second, other: None, table, refusal })
}

/// The book of today beside a file.
async fn compare(app: &App, caller: &Caller, frame: Frame, sent: &Sent) -> PageResult<Response> {
    let other = read_files(sent)?;
    let book: Vec<Rate> = rates::list(&app.installation).await?.into_iter().map(|row| row.rule).collect();
    let form: ImportForm = sent.form()?;
    let mut fields = Fields::default();
    let on: Option<Date> = fields.optional("on", &form.on, A_DAY);
    fields.finish("the day was not understood")?;
    let first = today(caller);
    let second = on.or_else(|| latest(&other)).unwrap_or(first);
    let table = changes(&book, first, &other, second);
    let names: Vec<&str> = sent.files.iter().map(|file| file.name.as_str()).collect();
    let frame = frame.titled("What differs").help(KIND.help);
    page(&DiffPage { frame, first, second, other: Some(names.join(", ")), table, refusal: None })
}

fn changes(before: &[Rate], first: Date, after: &[Rate], second: Date) -> Table {
    let on = |rates: &[Rate], day: Date| -> Vec<Rate> {
        rates.iter().filter(|rate| rate.is_in_force(day)).cloned().collect()
    };
    let mut table = Table::new(
        "What differs",
        &["Code", "Unit", "#Price", "#Then", "By month and project", "Then"],
        "The rates of the two days are the same.",
    );
    let row = |change: &PriceChange| {
        let of = |rate: &Option<Rate>, words: fn(&Rate) -> String| {
            rate.as_ref().map_or_else(|| "–".to_owned(), words)
        };
        let unit = change.after.as_ref().or(change.before.as_ref()).map(|rate| rate.unit.to_string());
        vec![
            change.code.clone().into(),
            unit.unwrap_or_default().into(),
            of(&change.before, price).into(),
            of(&change.after, price).into(),
            of(&change.before, pooled).into(),
            of(&change.after, pooled).into(),
        ]
    };
    table.rows = difference(&on(before, first), &on(after, second)).iter().map(row).collect();
    table
}
