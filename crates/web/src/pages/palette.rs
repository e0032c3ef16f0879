//! `Ctrl K`: any page, PI, project, statement by a few letters.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use billing::{ChargeId, StatementNumber};
use serde::Deserialize;
use workflow::kept;

use crate::App;
use crate::access::Access;
use crate::error::PageResult;
use crate::form::{Query, segment};
use crate::frame::{Frame, NAVIGATION, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/palette", Access::Viewer, find)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

struct Found {
    to: String,
    name: String,
    kind: &'static str,
}

#[derive(Template)]
#[template(path = "palette/found.html")]
struct FoundPart {
    found: Vec<Found>,
    asked: String,
}

/// Charges and statements by their number, PIs and projects of the month by a part of their name.
async fn named(app: &App, frame: &Frame, wanted: &str, found: &mut Vec<Found>) -> PageResult<()> {
    if wanted.parse::<ChargeId>().is_ok() {
        found.push(Found {
            to: format!("/charges/{wanted}"),
            name: format!("Charge {wanted}"),
            kind: "charge",
        });
    }
    let number = StatementNumber(wanted.to_uppercase());
    if wanted.starts_with("s-")
        && app.installation.ledger.read().await?.find_statement(&number, None).await?.is_some()
    {
        found.push(Found { to: format!("/statements/{number}"), name: number.0, kind: "statement" });
    }
    let Some(period) = frame.period else { return Ok(()) };
    let sums = kept::sums(&app.installation, period).await?;
    let (mut pis, mut projects) = (BTreeSet::new(), BTreeSet::new());
    for sums in &sums.by_project {
        pis.extend(sums.pi_email.as_ref().filter(|pi| pi.to_lowercase().contains(wanted)));
        projects.extend(sums.project_id.as_ref().filter(|name| name.to_lowercase().contains(wanted)));
    }
    let pi = |pi: &String| Found { to: format!("/pis/{}", segment(pi)), name: pi.clone(), kind: "PI" };
    let project = |name: &String| Found {
        to: format!("/projects/{}", segment(name)),
        name: name.clone(),
        kind: "project",
    };
    found.extend(pis.into_iter().take(SHOWN).map(pi));
    found.extend(projects.into_iter().take(SHOWN).map(project));
    Ok(())
}

const SHOWN: usize = 12;

async fn find(State(app): State<App>, frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let wanted = asked.q.trim().to_lowercase();
    let mut found = Vec::new();
    for link in NAVIGATION.iter().flat_map(|group| group.links) {
        if frame.shows(link) && link.name.to_lowercase().contains(&wanted) {
            found.push(Found { to: frame.address(link), name: link.name.to_owned(), kind: "page" });
        }
    }
    for known in frame.periods.iter() {
        let period = known.period.to_string();
        if !wanted.is_empty() && period.contains(&wanted) {
            found.push(Found { to: format!("/periods/{period}"), name: period, kind: known.state.name() });
        }
    }
    if 2 <= wanted.chars().count() {
        named(&app, &frame, &wanted, &mut found).await?;
    }
    found.truncate(SHOWN);
    page(&FoundPart { found, asked: asked.q })
}
