//! Other prices over months that are known: a job, whose result is a page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use billing::Period;
use billing::rate::Rate;
use jiff::civil::Date;
use workflow::rates::{Trial, try_rates};

use super::rates::{ImportForm, KIND, latest};
use super::table::Table;
use super::words::{joined, or_dash};
use super::{A_DAY, A_PERIOD, today, unread};
use crate::App;
use crate::access::Caller;
use crate::download::{CSV, attachment};
use crate::error::{PageError, PageResult};
use crate::flash::Next;
use crate::form::Fields;
use crate::frame::{Frame, page};
use crate::jobs::{Ending, JobState};

/// A trial, and what it is of.
struct Tried {
    trial: Trial,
    first: Period,
    last: Period,
    on: Date,
}

/// A rate manager tries a year at most.
const MOST_MONTHS: i32 = 24;

pub async fn begin(app: &App, caller: &Caller, book: Vec<Rate>, form: &ImportForm) -> PageResult<Response> {
    let mut fields = Fields::default();
    let first: Option<Period> = fields.required("first month", &form.first, A_PERIOD);
    let last: Option<Period> = fields.optional("last month", &form.last, A_PERIOD);
    let on: Option<Date> = fields.optional("rates of", &form.on, A_DAY);
    let what = "the months were not understood";
    let Some(first) = first else { return Err(unread(fields, what)) };
    let last = last.unwrap_or(first);
    if last < first {
        fields.problem(format!("{last} comes before {first}"));
    } else if MOST_MONTHS <= last.code() - first.code() {
        fields.problem(format!("{first} to {last} are more than {MOST_MONTHS} months"));
    }
    fields.finish(what)?;
    let on = on.or_else(|| latest(&book)).unwrap_or_else(|| today(caller));
    let installation = Arc::clone(&app.installation);
    let name = format!("Other rates over {first} to {last}");
    let id = app.jobs.begin(name, None, &caller.actor(), move |progress| async move {
        progress.say("pricing what was used", 0, None);
        let trial = try_rates(&installation, &book, on, first, last).await?;
        let ending = Ending::new(
            "It is known what would have been billed.",
            format!("/rates/tried/{}", progress.job()),
        );
        Ok(Ending { kept: Some(Arc::new(Tried { trial, first, last, on })), ..ending })
    });
    match app.jobs.soon(id).await {
        Some(JobState::Ended(ending)) => Ok(Next::page(ending.to).into_response()),
        Some(JobState::Refused(refusal)) => Err(refusal.into()),
        _ => Ok(Next::page(format!("/jobs/{id}")).into_response()),
    }
}

#[derive(Template)]
#[template(path = "rules/tried.html")]
struct TriedPage {
    frame: Frame,
    id: u64,
    tried: Arc<Tried>,
    table: Table,
    unpriced: Table,
    more: usize,
}

impl TriedPage {
    fn difference(&self) -> String {
        self.frame.cost(&(self.tried.trial.would_be - self.tried.trial.billed))
    }
}

const SHOWN: usize = 300;

fn find(app: &App, id: u64) -> PageResult<Arc<Tried>> {
    let found = app.jobs.find(id).and_then(|job| job.kept::<Tried>());
    found.ok_or_else(|| PageError::not_found("what was tried is not known any more: try it again"))
}

pub async fn tried(State(app): State<App>, Path(id): Path<u64>, frame: Frame) -> PageResult<Response> {
    let tried = find(&app, id)?;
    let trial = &tried.trial;
    let mut table = Table::new(
        "By PI and fund",
        &["PI", "Fund", "#Charges", "#Billed", "#Would be", "#Difference"],
        "Nothing could be priced.",
    );
    let rows = trial.rows.iter().take(SHOWN).map(|row| {
        vec![
            row.pi_email.clone().into(),
            or_dash(row.fund_org.as_deref()).into(),
            frame.count(&row.charges).into(),
            frame.cost(&row.billed).into(),
            frame.cost(&row.would_be).into(),
            frame.cost(&(row.would_be - row.billed)).into(),
        ]
    });
    table.rows = rows.collect();
    let mut unpriced = Table::new("Without a price", &["Usage", "#Charges", "#Billed"], "");
    let rows = trial.unpriced.iter().take(SHOWN).map(|row| {
        let named = [("service", &row.service_name), ("SKU", &row.sku_id), ("unit", &row.unit)];
        let named = named.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        let of = joined(std::iter::once(row.source.clone()).chain(named));
        vec![of.into(), frame.count(&row.charges).into(), frame.cost(&row.billed).into()]
    });
    unpriced.rows = rows.collect();
    let more = trial.rows.len().saturating_sub(SHOWN);
    let frame = frame.titled("Other rates, tried").help(KIND.help);
    page(&TriedPage { frame, id, tried: Arc::clone(&tried), table, unpriced, more })
}

/// All rows, exactly, for a spreadsheet.
pub async fn tried_csv(State(app): State<App>, Path(id): Path<u64>) -> PageResult<Response> {
    let tried = find(&app, id)?;
    let header = ["pi_email", "fund_org", "charges", "billed", "would_be", "difference"];
    let rows = tried.trial.rows.iter().map(|row| {
        let sums = [row.billed, row.would_be, row.would_be - row.billed].map(|sum| sum.to_string());
        let fund_org = row.fund_org.clone().unwrap_or_default();
        [row.pi_email.clone(), fund_org, row.charges.to_string()].into_iter().chain(sums).collect()
    });
    Ok(attachment("rates-tried.csv", CSV, documents::table_for_people(&header, rows)))
}
