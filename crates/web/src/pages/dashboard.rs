use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::App;
use crate::access::Access;
use crate::error::PageResult;
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/", Access::Viewer, dashboard)
}

#[derive(Template)]
#[template(path = "dashboard/dashboard.html")]
struct DashboardPage {
    frame: Frame,
}

async fn dashboard(State(_app): State<App>, frame: Frame) -> PageResult<Response> {
    page(&DashboardPage { frame: frame.titled("Dashboard") })
}
