//! Suggestions for forms of rules: PIs, projects, funds, sources and services of the period that the office
//! works on. They come after the page, which does not wait for them.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use workflow::report::{ReportRequest, report};
use workflow::{people, sources};

use crate::App;
use crate::error::PageResult;
use crate::frame::{Frame, page};

/// Of each list, so many at most.
const MOST: usize = 500;

#[derive(Template)]
#[template(path = "rules/known.html")]
struct KnownPart {
    lists: Vec<(&'static str, Vec<String>)>,
}

pub async fn known(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let mut lists: [BTreeSet<String>; 4] = Default::default();
    if let Some(period) = frame.period.filter(|period| !frame.state_of(period).is_empty()) {
        let by = ["pi_email", "project_id", "fund_org", "service_name"].map(str::to_owned).into();
        let request = ReportRequest { period: Some(period), by, ..ReportRequest::default() };
        for row in report(&app.installation, &request).await?.iter() {
            for (list, key) in lists.iter_mut().zip(&row.keys) {
                list.extend(key.clone().filter(|key| !key.trim().is_empty()));
            }
        }
    }
    let [mut pis, projects, funds, services] = lists;
    for person in people::list(&app.installation).await? {
        pis.extend(person.addresses.last().map(|known| known.address.clone()));
    }
    let sources = sources::list(&app.installation).await?.into_iter().map(|source| source.name.0).collect();
    let lists = [
        ("pis", pis),
        ("projects", projects),
        ("funds", funds),
        ("services", services),
        ("sources", sources),
    ];
    let first =
        |(name, list): (&'static str, BTreeSet<String>)| (name, list.into_iter().take(MOST).collect());
    page(&KnownPart { lists: lists.into_iter().map(first).collect() })
}
