//! A month at a glance: what is done, what comes next, the money, what changed.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use billing::period::NextAct;
use workflow::overview::{Change, MonthOf, Overview, Slices, overview};

use crate::App;
use crate::access::Access;
use crate::chart::{Bars, Trend};
use crate::error::PageResult;
use crate::form::encoded;
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/", Access::Viewer, dashboard)
}

/// Before anything was imported.
#[derive(Template)]
#[template(path = "dashboard/nothing.html")]
struct NothingPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "dashboard/dashboard.html")]
struct DashboardPage {
    frame: Frame,
    overview: Arc<Overview>,
    by_service: Bars,
    by_source: Bars,
    trend: Trend,
}

impl DashboardPage {
    /// What to do next: the button's words and where it leads.
    fn next(&self) -> Option<(&'static str, String)> {
        let period = self.overview.period;
        Some(match self.overview.next? {
            NextAct::Import => ("Import files", format!("/imports?period={period}")),
            NextAct::Review => ("Review held charges", format!("/review?period={period}")),
            NextAct::Close => ("Close the period", format!("/periods/{period}")),
            NextAct::Reopen => ("Open it again to decide", format!("/periods/{period}")),
            NextAct::Generate => ("Generate statements", format!("/statements/generate?period={period}")),
            NextAct::Send => ("Send statements", format!("/emails/outgoing?period={period}")),
            NextAct::SettleMessages => ("Settle uncertain e-mails", format!("/emails?period={period}")),
            NextAct::Export => ("Export the journal", format!("/journals/preview?period={period}")),
            NextAct::Answer => ("Record accounting's answer", format!("/journals?period={period}")),
            NextAct::Finalize => ("Finalize the period", format!("/periods/{period}")),
        })
    }

    fn changes(&self) -> [(&'static str, &[Change]); 3] {
        let changes = &self.overview.changes;
        [("PI", &changes.by_pi), ("Service", &changes.by_service), ("Source", &changes.by_source)]
    }

    /// Twelve bars say little when only one month is known.
    fn has_trend(&self) -> bool {
        1 < self.overview.trend.iter().filter(|month| month.of != MonthOf::Nothing).count()
    }

    fn paid_by_others(&self) -> money::Amount {
        self.overview.money.subsidy + self.overview.money.credits
    }

    fn is_up(&self, change: &Change) -> bool {
        change.before < change.now
    }
}

async fn dashboard(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let frame = frame.titled("Dashboard").help("overview");
    let Some(period) = frame.period else { return page(&NothingPage { frame }) };
    let overview = overview(&app.installation, period).await?;
    let currency = &frame.currency;
    let bars = |title: &str, of: &'static str, field: &str, slices: &Slices| {
        let mut rows: Vec<_> = slices
            .largest
            .iter()
            .map(|slice| {
                let to = slice
                    .name
                    .as_ref()
                    .map(|name| format!("/charges?period={period}&{field}={}", encoded(name)));
                (slice.name.clone().unwrap_or_else(|| "none".to_owned()), slice.spend.cost, to)
            })
            .collect();
        rows.extend(
            slices
                .others
                .as_ref()
                .map(|others| (format!("{} others", others.count), others.spend.cost, None)),
        );
        Bars::new(title, of, rows, currency)
    };
    let by_service = bars("Spend by service", "Service", "service", &overview.by_service);
    let by_source = bars("Spend by source", "Source", "source", &overview.by_source);
    let months: Vec<_> =
        overview.trend.iter().map(|month| (month.period.to_string(), month.list, month.billed)).collect();
    let trend = Trend::new("trend", "List and billed, twelve months", ["List", "Billed"], &months, currency);
    page(&DashboardPage { frame, overview, by_service, by_source, trend })
}
