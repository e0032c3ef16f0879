//! `Ctrl K`: any page, PI, project, statement by a few letters.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::App;
use crate::access::Access;
use crate::error::PageResult;
use crate::form::Query;
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
    let _ = &app;
    found.truncate(SHOWN);
    page(&FoundPart { found, asked: asked.q })
}
