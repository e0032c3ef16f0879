use axum::extract::State;
use billing::people::{PeopleChange, PersonId};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;
use workflow::people;

use super::answer::{Answer, answer, list as listed};
use super::asked::{Ask, At, DryRun, Given, Nothing, Paged, Words};
use super::changes::{CHANGED, change, text};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("People")
        .on(Door::Read(Access::Viewer), "/api/v1/people", "people list", "People with their addresses", list)
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/people/{person}",
            "people show",
            "One person, by number or any address",
            show,
        )
        .on(Door::Act(Access::Reviewer), "/api/v1/people", "people add", "Write somebody down", add)
        .with_query::<DryRun>()
        .takes::<NewPerson>(
            r#"{"name": "Ada Okafor", "address": "ada@example.edu", "also": ["a.okafor@example.edu"]}"#,
        )
        .answers(CHANGED)
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/people/{person}/address",
            "people address",
            "Give a person a new address, which is current then",
            address,
        )
        .with_query::<DryRun>()
        .takes::<NewAddress>(r#"{"address": "ada@new.example.edu"}"#)
        .answers(CHANGED)
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/people/{person}/merge",
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
    let asked = PeopleChange::Add { name: new.name.0, addresses, note: text(new.note) };
    change(&app, &caller, dry.dry_run, Change::People(asked)).await
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
    let note = text(new.note);
    let asked = PeopleChange::Address { person, address: new.address.0.to_lowercase(), from: new.from, note };
    change(&app, &caller, dry.dry_run, Change::People(asked)).await
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
    let asked = PeopleChange::Merge { person, into, note: text(given.note) };
    change(&app, &caller, dry.dry_run, Change::People(asked)).await
}

fn read(text: &str) -> PageResult<PersonId> {
    text.parse().map_err(|_| {
        PageError::bad_request(format!("into: `{text}` is not the number of a person such as P-12"))
    })
}
