//! Reports: what was delivered and who paid for it, as statements say; and charges summed by any columns.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use billing::Period;
use billing::decision::ChargeState;
use billing::payers::{PayerKey, Shares};
use lake::TotalsRow;
use money::Amount;
use serde::{Deserialize, Serialize};
use workflow::payers::{PaidRow, Payers, PayersRequest, payers};
use workflow::report::{ReportRequest, report_over};
use workflow::{Refusal, WorkflowError};

use crate::App;
use crate::access::Access;
use crate::chart::Bars;
use crate::download::{self, CSV};
use crate::error::PageResult;
use crate::form::{Fields, Query, query};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/reports", Access::Viewer, value)
        .page("/reports/payers.csv", Access::Viewer, value_csv)
        .page("/reports/charges", Access::Viewer, sums)
        .page("/reports/charges.csv", Access::Viewer, sums_csv)
}

/// Rows of a report that a page shows; the CSV has all.
const SHOWN: usize = 500;

/// The bars of a chart.
const BARS: usize = 12;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    /// A period, `all`, or a fiscal year as `FY2025`; none is the period being worked on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    over: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    period: String,
    #[serde(default)]
    by: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    drafts: bool,
}

/// What a key of the sums is called.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
fn title(key: &PayerKey) -> &'static str {
    match key {
        PayerKey::Payer => "Payer",
        PayerKey::Subsidy => "Subsidy or credit",
        PayerKey::Period => "Period",
        PayerKey::FiscalYear => "Fiscal year",
        PayerKey::Source => "Source",
        PayerKey::Service => "Service",
        PayerKey::Pi => "PI",
        PayerKey::Project => "Project",
        PayerKey::FundOrg => "Fund charged",
        PayerKey::AccountCode => "Account",
    }
}

impl Asked {
    fn keys(&self) -> Result<Vec<PayerKey>, Refusal> {
        let mut fields = Fields::default();
        let named: Vec<&String> = self.by.iter().filter(|name| !name.trim().is_empty()).collect();
        let mut keys: Vec<PayerKey> = Vec::new();
        for name in named {
            match name.parse::<PayerKey>() {
                Ok(key) if keys.contains(&key) => {}
                Ok(key) => keys.push(key),
                Err(error) => fields.problem(error.to_string()),
            }
        }
        fields.finish("cannot sum by this")?;
        Ok(if keys.is_empty() { vec![PayerKey::Payer, PayerKey::Subsidy] } else { keys })
    }

    fn request(&self, frame: &Frame) -> Result<PayersRequest, Refusal> {
        let over = self.over.trim();
        let mut request = PayersRequest { by: self.keys()?, drafts: self.drafts, ..PayersRequest::default() };
        if let Some(year) = over.strip_prefix("FY") {
            let bad = || Refusal::new(format!("`{over}` is not a fiscal year such as FY2025"));
            request.fiscal_year = Some(year.parse().map_err(|_| bad())?);
        } else if over.is_empty() {
            request.periods.extend(frame.period);
        } else if over != "all" {
            let bad = || Refusal::new(format!("`{over}` is not a billing period such as 2025-01"));
            request.periods.push(over.parse().map_err(|_| bad())?);
        }
        Ok(request)
    }

    fn over(&self, frame: &Frame) -> String {
        if self.over.is_empty() {
            return frame.period.map_or_else(|| "all".to_owned(), |period| period.to_string());
        }
        self.over.clone()
    }
}

#[derive(Template)]
#[template(path = "reports/value.html")]
struct ValuePage {
    frame: Frame,
    asked: Asked,
    over: String,
    years: Vec<i16>,
    keys: Vec<PayerKey>,
    rows: Vec<PaidRow>,
    count: usize,
    total: Shares,
    payers: Payers,
    bars: Option<Bars>,
    refusal: Option<Refusal>,
}

impl ValuePage {
    fn all_keys() -> [PayerKey; 10] {
        PayerKey::ALL
    }

    /// Groupings that are asked for often.
    fn usual() -> [(&'static str, &'static str); 7] {
        [
            ("Who paid", "by=payer&by=subsidy_name"),
            ("By source", "by=source"),
            ("By service", "by=service_name"),
            ("By PI", "by=pi_email"),
            ("By project", "by=project_id"),
            ("By fiscal year", "by=fiscal_year&over=all"),
            ("By month", "by=period&over=all"),
        ]
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_chosen(&self, at: &usize, key: &PayerKey) -> bool {
        self.keys.get(*at) == Some(key)
    }

    fn query(&self) -> String {
        query(&self.asked)
    }

    fn list(&self) -> String {
        self.frame.money(&self.total.list())
    }

    fn places(periods: &[Period]) -> String {
        periods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

async fn value(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let start = app.installation.settings.subsidies.fiscal_year_start;
    let mut years: Vec<i16> = frame.periods.iter().map(|known| known.period.fiscal_year(start)).collect();
    years.dedup();
    let over = asked.over(&frame);
    let frame = frame.titled("Value delivered").help("subsidies");
    let found = match asked.request(&frame) {
        Ok(request) => {
            let keys = request.by.clone();
            payers(&app.installation, &request).await.map(|found| (keys, found))
        }
        Err(refusal) => Err(refusal.into()),
    };
    let (keys, mut found) = match found {
        Ok(found) => found,
        Err(WorkflowError::Refused(refusal)) => {
            return refused_page(&ValuePage {
                frame,
                over,
                years,
                asked,
                keys: Vec::new(),
                rows: Vec::new(),
                count: 0,
                total: Shares::default(),
                payers: Payers::default(),
                bars: None,
                refusal: Some(refusal),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let mut rows = std::mem::take(&mut found.rows);
    let mut total = Shares::default();
    for row in &rows {
        total.add(&row.shares);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.shares.list()));
    let by_time = keys.first().is_some_and(|key| matches!(key, PayerKey::Period | PayerKey::FiscalYear));
    if by_time {
        rows.sort_by(|a, b| a.keys.cmp(&b.keys));
    }
    let places = frame.currency.code.places();
    let drawn = rows
        .iter()
        .take(BARS)
        .map(|row| (named(&row.keys), Amount::from_minor(row.shares.list(), places), None));
    let bars = keys.first().map(|key| {
        Bars::new("List price of what was delivered", title(key), drawn.collect(), &frame.currency)
    });
    let count = rows.len();
    rows.truncate(SHOWN);
    page(&ValuePage {
        frame,
        asked,
        over,
        years,
        keys,
        rows,
        count,
        total,
        payers: found,
        bars,
        refusal: None,
    })
}

fn named(keys: &[Option<String>]) -> String {
    let known: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
    if known.is_empty() { "nobody: a discount".to_owned() } else { known.join(", ") }
}

async fn value_csv(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let request = asked.request(&frame)?;
    let found = payers(&app.installation, &request).await?;
    let places = frame.currency.code.places();
    let mut names: Vec<&str> = request.by.iter().map(|key| key.name()).collect();
    names.extend(["list_price", "discount", "subsidy", "due"]);
    let rows = found.rows.iter().map(|row| {
        let PaidRow { keys, shares } = row;
        let amounts = [shares.list(), shares.discount, shares.subsidy, shares.due];
        let keys = keys.iter().map(|key| key.clone().unwrap_or_default());
        keys.chain(amounts.map(|amount| amount.decimal(places))).collect()
    });
    let name = format!("payers_{}.csv", asked.over(&frame));
    Ok(download::attachment(&name, CSV, documents::table_for_people(&names, rows)))
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct AskedSums {
    by: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    to: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    period: String,
}

/// Columns that are asked for often; any other column of charges can be typed.
const COLUMNS: [&str; 22] = [
    "source",
    "service_name",
    "pi_email",
    "project_id",
    "fund_org",
    "account_code",
    "period",
    "billed_in",
    "state",
    "import",
    "kind",
    "cost_center",
    "reference_1",
    "reference_2",
    "resource_id",
    "resource_name",
    "resource_type",
    "region_name",
    "sub_account_name",
    "service_category",
    "charge_category",
    "sku_id",
];

impl AskedSums {
    fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for name in self.by.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
        if columns.is_empty() { vec!["source".to_owned()] } else { columns }
    }

    fn states(&self) -> Vec<ChargeState> {
        match self.state.as_str() {
            "held" => vec![ChargeState::Held],
            "rejected" => vec![ChargeState::Rejected],
            "deferred" => vec![ChargeState::Deferred],
            "all" => Vec::new(),
            _ => vec![ChargeState::Billable],
        }
    }

    /// The known periods between the two; the one being worked on when neither is said.
    fn periods(&self, frame: &Frame) -> Result<Vec<Period>, Refusal> {
        let mut fields = Fields::default();
        let from = fields.optional::<Period>("from", &self.from, "a billing period such as 2025-01");
        let to = fields.optional::<Period>("to", &self.to, "a billing period such as 2025-01");
        fields.finish("cannot report over this")?;
        if from.is_none() && to.is_none() {
            return Ok(frame.period.into_iter().collect());
        }
        let (from, to) = (from.or(to), to.or(from));
        let known = frame.periods.iter().map(|known| known.period);
        let mut periods: Vec<Period> =
            known.filter(|period| from <= Some(*period) && Some(*period) <= to).collect();
        periods.sort_unstable();
        if periods.is_empty() {
            return Err(Refusal::new("no billing period is known between these months"));
        }
        Ok(periods)
    }
}

#[derive(Template)]
#[template(path = "reports/charges.html")]
struct SumsPage {
    frame: Frame,
    asked: AskedSums,
    columns: Vec<String>,
    periods: Vec<Period>,
    rows: Vec<TotalsRow>,
    count: usize,
    total: Option<TotalsRow>,
    refusal: Option<Refusal>,
}

impl SumsPage {
    fn known() -> [&'static str; 22] {
        COLUMNS
    }

    fn states() -> [(&'static str, &'static str); 5] {
        [
            ("billable", "billable"),
            ("held", "held for review"),
            ("rejected", "rejected"),
            ("deferred", "deferred"),
            ("all", "all"),
        ]
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn column(&self, at: &usize) -> &str {
        self.columns.get(*at).map_or("", String::as_str)
    }

    fn query(&self) -> String {
        query(&self.asked)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_in(&self, at: &str, period: &Period) -> bool {
        let end = if at == "from" { self.periods.first() } else { self.periods.last() };
        end == Some(period)
    }
}

async fn found(app: &App, frame: &Frame, asked: &AskedSums) -> PageResult<Result<Found, Refusal>> {
    let periods = match asked.periods(frame) {
        Ok(periods) => periods,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let request = ReportRequest { by: asked.columns(), states: asked.states(), ..ReportRequest::default() };
    match report_over(&app.installation, &request, &periods).await {
        Ok(rows) => Ok(Ok((periods, rows))),
        Err(WorkflowError::Refused(refusal)) => Ok(Err(refusal)),
        // A column that charges do not have was typed.
        Err(WorkflowError::Lake(error @ lake::LakeError::UnknownColumn { .. })) => {
            Ok(Err(Refusal::new(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

type Found = (Vec<Period>, Vec<TotalsRow>);

async fn sums(State(app): State<App>, frame: Frame, Query(asked): Query<AskedSums>) -> PageResult<Response> {
    let columns = asked.columns();
    let found = found(&app, &frame, &asked).await?;
    let frame = frame.titled("Charges, summed").help("operations");
    let (periods, mut rows) = match found {
        Ok(found) => found,
        Err(refusal) => {
            let (periods, rows, refusal) = (Vec::new(), Vec::new(), Some(refusal));
            return refused_page(&SumsPage {
                frame,
                asked,
                columns,
                periods,
                rows,
                count: 0,
                total: None,
                refusal,
            });
        }
    };
    let total = rows.iter().cloned().reduce(|mut sum, row| {
        sum.add(&row);
        sum
    });
    let count = rows.len();
    if SHOWN < count {
        rows.sort_by_key(|row| std::cmp::Reverse(row.cost.abs()));
        rows.truncate(SHOWN);
    }
    page(&SumsPage { frame, asked, columns, periods, rows, count, total, refusal: None })
}

async fn sums_csv(
    State(app): State<App>,
    frame: Frame,
    Query(asked): Query<AskedSums>,
) -> PageResult<Response> {
    let (_, rows) = found(&app, &frame, &asked).await??;
    let columns = asked.columns();
    let mut names: Vec<&str> = columns.iter().map(String::as_str).collect();
    names.extend(["rows", "list_cost", "contracted_cost", "billed_cost", "effective_cost", "discount"]);
    let rows = rows.iter().map(|row| {
        let keys = row.keys.iter().map(|key| key.clone().unwrap_or_default());
        let amounts = [row.list_cost, row.contracted_cost, row.billed_cost, row.effective_cost, row.discount];
        keys.chain([row.rows.to_string()]).chain(amounts.map(|amount| amount.to_string())).collect()
    });
    Ok(download::attachment("charges_summed.csv", CSV, documents::table_for_people(&names, rows)))
}
