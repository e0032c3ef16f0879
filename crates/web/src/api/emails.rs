use axum::extract::State;
use ledger::MessageState;
use serde::Deserialize;
use utoipa::IntoParams;
use workflow::emails;

use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, Both, Nothing, OfPeriod, Paged};
use super::{Api, Door};
use crate::App;
use crate::access::Access;
use crate::error::PageError;

pub fn api() -> Api {
    Api::of("E-mails")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/emails",
            "emails list",
            "Messages, where each stands and why it did not go out",
            list,
        )
        .with_query::<Both<OfPeriod, InState>>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/emails/{message}",
            "emails show",
            "One message: its words, files and what became of it",
            show,
        )
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InState {
    /// `queued`, `sending`, `sent`, `failed` or `uncertain`
    state: Option<String>,
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<Both<OfPeriod, InState>>) -> Answer {
    let Both(OfPeriod { period }, InState { state }) = query;
    let names = MessageState::ALL.map(MessageState::name);
    if let Some(unknown) = state.as_ref().filter(|name| !names.contains(&name.as_str())) {
        return Err(PageError::bad_request(format!("state: `{unknown}` is none of {}", names.join(", "))));
    }
    let mut records = emails::list(&app.installation, period).await?;
    records.retain(|record| state.as_ref().is_none_or(|state| record.state.name() == state));
    listed(page, records)
}

async fn show(State(app): State<App>, At(message): At<String>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(emails::show(&app.installation, &message).await?)
}
