//! Who supplies charges. How a source delivers and is credited is said by the configuration.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use billing::SourceName;
use billing::settings::{Basis, Delivery, PricedBy};
use serde::Deserialize;
use workflow::sources::{self, SourceSummary};

use crate::App;
use crate::access::{Access, Caller};
use crate::error::PageResult;
use crate::flash::Next;
use crate::form::{Form, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/sources", Access::Viewer, list).act(
        "/sources",
        Access::Reviewer,
        "sources add",
        add,
    )
}

#[derive(Template)]
#[template(path = "sources/list.html")]
struct ListPage {
    frame: Frame,
    sources: Vec<SourceSummary>,
    /// The configuration's file, as one may be told.
    file: String,
}

/// The source's own word and what it means.
fn delivers(source: &SourceSummary) -> &'static str {
    match source.delivery {
        Delivery::Snapshot => "the whole month each time",
        Delivery::Increment => "only new rows",
        Delivery::Ask => "not said: asked when unclear",
    }
}

fn bills(source: &SourceSummary) -> &'static str {
    match source.basis {
        Basis::Billed => "billed cost",
        Basis::Effective => "effective cost",
        Basis::Contracted => "contracted cost",
    }
}

fn priced_by(source: &SourceSummary) -> &'static str {
    match source.priced_by {
        PricedBy::File => "its files",
        PricedBy::Rates => "the rate book",
    }
}

async fn list(State(app): State<App>, frame: Frame) -> PageResult<Response> {
    let sources = sources::list(&app.installation).await?;
    let file = super::settings::file_shown(&app, &frame);
    page(&ListPage { frame: frame.titled("Sources").help("web#sources"), sources, file })
}

#[derive(Deserialize)]
struct NewSource {
    name: String,
    #[serde(default)]
    description: String,
}

async fn add(State(app): State<App>, caller: Caller, Form(new): Form<NewSource>) -> PageResult<Next> {
    let name = SourceName(new.name.trim().to_owned());
    sources::add(&app.installation, &caller.actor(), &name, some(&new.description).as_deref()).await?;
    Ok(Next::page("/sources").saying(format!("source {name} is known now")))
}
