use axum::extract::State;
use billing::people::{PeopleChange, PersonId};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use workflow::people;

use super::Api;
use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, DryRun, Given, Nothing, Paged, Words};
use super::reading::{CHANGED, changed};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("People")
        .read("/api/v1/people", "people list", "People with their addresses", list)
        .listed()
        .read("/api/v1/people/{person}", "people show", "One person, by number or any address", show)
        .act("/api/v1/people", Access::Reviewer, "people add", "Write somebody down", add)
        .with_query::<DryRun>()
        .takes::<NewPerson>(
            r#"{"name": "Ada Okafor", "address": "ada@example.edu", "also": ["a.okafor@example.edu"]}"#,
        )
        .answers(CHANGED)
        .act(
            "/api/v1/people/{person}/address",
            Access::Reviewer,
            "people address",
            "Give a person a new address, which is current then",
            address,
        )
        .with_query::<DryRun>()
        .takes::<NewAddress>(r#"{"address": "ada@new.example.edu"}"#)
        .answers(CHANGED)
        .act(
            "/api/v1/people/{person}/merge",
            Access::Reviewer,
            "people merge",
            "Make one of two people who are the same",
            merge,
        )
        .with_query::<DryRun>()
        .takes::<Merge>(r#"{"into": "P-3"}"#)
        .answers(CHANGED)
}

async fn list(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, people::list(&app.installation).await?)
}

async fn show(State(app): State<App>, At(who): At<String>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(people::show(&app.installation, &who.to_lowercase()).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    /// Name
    #[schema(value_type = String)]
    name: Words,
    /// Current e-mail address
    #[schema(value_type = String)]
    address: Words,
    /// Their other addresses
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    also: Vec<Words>,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewPerson>,
) -> Answer {
    let addresses =
        new.also.into_iter().chain([new.address]).map(|address| address.0.to_lowercase()).collect();
    let asked = PeopleChange::Add { name: new.name.0, addresses, note: new.note.map(|note| note.0) };
    change(&app, &caller, dry, asked).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAddress {
    /// The new e-mail address
    #[schema(value_type = String)]
    address: Words,
    /// Only for charges from the first of this day's month on
    #[schema(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

async fn address(
    State(app): State<App>,
    caller: Caller,
    At(person): At<PersonId>,
    Ask(dry): Ask<DryRun>,
    Given(new): Given<NewAddress>,
) -> Answer {
    let note = new.note.map(|note| note.0);
    let asked = PeopleChange::Address { person, address: new.address.0.to_lowercase(), from: new.from, note };
    change(&app, &caller, dry, asked).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Merge {
    /// Number of the person who stays, with the current address
    #[schema(value_type = String, example = "P-3")]
    into: String,
    /// Why, for the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

async fn merge(
    State(app): State<App>,
    caller: Caller,
    At(person): At<PersonId>,
    Ask(dry): Ask<DryRun>,
    Given(given): Given<Merge>,
) -> Answer {
    let into = read(&given.into)?;
    change(&app, &caller, dry, PeopleChange::Merge { person, into, note: given.note.map(|note| note.0) })
        .await
}

fn read(text: &str) -> PageResult<PersonId> {
    text.parse().map_err(|_| {
        PageError::bad_request(format!("into: `{text}` is not the number of a person such as P-12"))
    })
}

async fn change(app: &App, caller: &Caller, dry: DryRun, change: PeopleChange) -> Answer {
    let (installation, actor) = (&app.installation, caller.actor());
    let effect = people::preview(installation, &actor, &change).await?;
    if dry.dry_run {
        return answer(effect);
    }
    let (person, number) = people::change(installation, &actor, &change).await?;
    let known = people::show(installation, &person.to_string()).await?;
    changed(app, caller, number, &effect, json!({ "person": known }))
}
