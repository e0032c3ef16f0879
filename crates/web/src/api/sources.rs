use axum::extract::State;
use billing::SourceName;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::sources;

use super::answer::{Answer, done, list as listed};
use super::asked::{Given, Nothing, Paged, Words};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};

pub fn api() -> Api {
    Api::of("Sources")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/sources",
            "sources list",
            "Who supplies charges, with their last imports",
            list,
        )
        .listed()
        .on(Door::Act(Access::Reviewer), "/api/v1/sources", "sources add", "Make a source known", add)
        .takes::<NewSource>(r#"{"name": "Sequencing"}"#)
        .answers("`number`: of the act in the audit trail")
}

async fn list(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, sources::list(&app.installation).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSource {
    /// Its name
    #[schema(value_type = String)]
    name: Words,
}

async fn add(State(app): State<App>, caller: Caller, Given(new): Given<NewSource>) -> Answer {
    done(sources::add(&app.installation, &caller.actor(), &SourceName(new.name.0), None).await?)
}
