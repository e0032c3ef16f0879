use axum::extract::State;
use billing::rate::{Above, Rate, RateId};
use billing::unit::{Prorate, Unit};
use billing::{Period, SourceName};
use jiff::civil::Date;
use money::Amount;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use workflow::given;
use workflow::rates::{self, Change, difference, file};

use super::answer::{Answer, CSV, Done, answer, file as as_file, job, list as listed};
use super::asked::{
    AlsoEnded, Ask, At, Both, DryRun, GIVEN, Given, GivenText, InPeriod, Nothing, Paged, Words,
};
use super::changes::{CHANGED, LastDay, change, nothing_new, read_again, text, today};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change as Rules;
use crate::error::PageResult;

pub fn api() -> Api {
    Api::of("Rates")
        .on(Door::Read(Access::Viewer), "/api/v1/rates", "rates list", "The rate book: what things cost", list)
        .with_query::<Both<AlsoEnded, InForce>>()
        .listed()
        .on(Door::Act(Access::Admin), "/api/v1/rates", "rates add", "Write a rate", add)
        .with_query::<HowToWrite>()
        .takes::<NewRate>(
            r#"{"code": "cpu", "source": "HPC", "unit": "core-hour", "price": "0.012", "from": "2025-07-01"}"#,
        )
        .answers(CHANGED)
        .on(Door::Act(Access::Admin), "/api/v1/rates/{rate}/end", "rates end", "Say the last day of a rate", end)
        .with_query::<DryRun>()
        .takes::<LastDay>(r#"{"on": "2025-06-30", "note": "new prices"}"#)
        .answers(CHANGED)
        .on(Door::Act(Access::Admin), "/api/v1/rates/import", "rates import", "Write the rates of a CSV file, all or none", import)
        .with_query::<HowToWrite>()
        .takes_bytes("text/csv", "the CSV that the export writes")
        .answers(CHANGED)
        .on(Door::Ask(Access::Viewer), "/api/v1/rates/check", "rates check", "Everything that is wrong with a CSV file of rates", check)
        .with_query::<Replacing>()
        .takes_bytes("text/csv", "the CSV that the export writes")
        .answers("`rates`: how many could be written; what is wrong is a refusal (422)")
        .on(Door::Read(Access::Viewer), "/api/v1/rates/export", "rates export", "The rates as the CSV that import reads", export)
        .answers_file("text/csv")
        .on(Door::Read(Access::Viewer), "/api/v1/rates/diff", "rates diff", "What differs between the rates of two days", diff)
        .with_query::<Days>()
        .on(Door::Ask(Access::Viewer), "/api/v1/rates/diff", "rates diff",
            "What differs between the book and a CSV file of rates",
            diff_file,
        )
        .with_query::<Days>()
        .takes_bytes("text/csv", "the CSV that the export writes")
        .on(Door::Ask(Access::Viewer), "/api/v1/rates/try", "rates try",
            "What other rates would have made of months that are known, by PI and fund",
            try_rates,
        )
        .with_query::<Months>()
        .takes_bytes("text/csv", "the CSV that the export writes")
        .begins_job()
        .on(Door::Act(Access::Admin), "/api/v1/rates/apply", "rates apply",
            "Read again what was read before the rate book changed",
            read_again,
        )
        .begins_job()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/rates/{rate}/priced",
            "rates priced",
            "What a rate priced in a period, the most expensive first",
            priced,
        )
        .with_query::<InPeriod>()
        .listed()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InForce {
    /// In force on this day
    #[param(value_type = Option<String>)]
    on: Option<Date>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Paged { query: Both(ended, InForce { on }), page }: Paged<Both<AlsoEnded, InForce>>,
) -> Answer {
    let mut rows = rates::list(&app.installation).await?;
    rows.retain(|row| match on {
        Some(day) => row.rule.is_in_force(day),
        None => ended.lists(row.rule.to, today(&caller)),
    });
    listed(page, rows)
}

#[derive(Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Replacing {
    /// End what it takes the place of, the day before
    #[serde(default)]
    replacing: bool,
}

type HowToWrite = Both<DryRun, Replacing>;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRate {
    /// The same for all its versions
    #[schema(value_type = String)]
    code: Words,
    /// Only charges of this source
    #[schema(value_type = Option<String>)]
    source: Option<SourceName>,
    /// Only this service (`Storage*`: whatever begins so)
    service: Option<String>,
    /// Only this SKU (`gpu-*`: whatever begins so)
    sku: Option<String>,
    /// Only this class of customer
    class: Option<String>,
    /// What is counted: core-hour, GPU-hour, SU, TB-month, GiB
    #[schema(value_type = String)]
    unit: Unit,
    /// Of one unit
    #[schema(value_type = String, example = "0.012")]
    price: Amount,
    /// Price without a discount; the price when it is not given
    #[schema(value_type = Option<String>)]
    list_price: Option<Amount>,
    /// Other prices beyond so many units of a project and month
    #[serde(default)]
    above: Vec<RateStep>,
    /// So many units of a project and month cost nothing
    #[schema(value_type = Option<String>)]
    free: Option<Amount>,
    /// What a project pays at least in a month in which it uses any
    #[schema(value_type = Option<String>)]
    minimum: Option<Amount>,
    /// How a quantity without a time is one over time: `day` or `hour`
    #[schema(value_type = Option<String>)]
    prorate: Option<Prorate>,
    /// Account of charges whose tags name none
    account_code: Option<String>,
    /// First day that charge periods begin on
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// Last day
    #[schema(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// Why, for the book and the audit trail
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

/// Beyond so many units of a project and month, another price.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RateStep {
    #[schema(value_type = String)]
    quantity: Amount,
    #[schema(value_type = String)]
    price: Amount,
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Ask(Both(dry, Replacing { replacing })): Ask<HowToWrite>,
    Given(new): Given<NewRate>,
) -> Answer {
    let note = text(new.note);
    let rate = Rate {
        id: RateId::default(),
        code: new.code.0,
        source: new.source,
        service: new.service,
        sku: new.sku,
        class: new.class,
        unit: new.unit,
        price: new.price,
        list_price: new.list_price,
        above: new.above.iter().map(|step| Above { quantity: step.quantity, price: step.price }).collect(),
        free: new.free,
        minimum: new.minimum,
        prorate: new.prorate,
        account_code: new.account_code,
        from: new.from,
        to: new.to,
        note: note.clone(),
    };
    let added = Change { add: vec![rate], replacing, note, ..Change::default() };
    change(&app, &caller, dry.dry_run, Rules::Rates(added)).await
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    At(rate): At<RateId>,
    Ask(dry): Ask<DryRun>,
    Given(LastDay { on, note }): Given<LastDay>,
) -> Answer {
    let ended = Change { end: vec![(rate, on)], note: text(note), ..Change::default() };
    change(&app, &caller, dry.dry_run, Rules::Rates(ended)).await
}

/// Those of a file that the book does not have.
async fn new_of(app: &App, text: &str, replacing: bool) -> PageResult<Change> {
    let add = rates::new_rates(&app.installation, read(text)?).await?;
    Ok(Change { add, replacing, ..Change::default() })
}

async fn import(
    State(app): State<App>,
    caller: Caller,
    Ask(Both(dry, Replacing { replacing })): Ask<HowToWrite>,
    GivenText(given): GivenText,
) -> Answer {
    let new = new_of(&app, &given, replacing).await?;
    if new.add.is_empty() {
        return nothing_new();
    }
    change(&app, &caller, dry.dry_run, Rules::Rates(new)).await
}

async fn check(
    State(app): State<App>,
    caller: Caller,
    Ask(Replacing { replacing }): Ask<Replacing>,
    GivenText(given): GivenText,
) -> Answer {
    let new = new_of(&app, &given, replacing).await?;
    if !new.add.is_empty() {
        rates::preview(&app.installation, &caller.actor(), &new).await?;
    }
    answer(json!({ "rates": new.add.len() }))
}

async fn export(State(app): State<App>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    as_file(CSV, "rates.csv", file::write(&book(&app).await?)?)
}

async fn book(app: &App) -> PageResult<Vec<Rate>> {
    Ok(rates::list(&app.installation).await?.into_iter().map(|row| row.rule).collect())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Days {
    /// First day; today when it is not given
    #[param(value_type = Option<String>)]
    from: Option<Date>,
    /// Second day; the latest on which a rate begins when it is not given
    #[param(value_type = Option<String>)]
    to: Option<Date>,
}

async fn diff(State(app): State<App>, caller: Caller, Ask(days): Ask<Days>) -> Answer {
    let book = book(&app).await?;
    differing(&caller, &days, book.clone(), book)
}

async fn diff_file(
    State(app): State<App>,
    caller: Caller,
    Ask(days): Ask<Days>,
    GivenText(given): GivenText,
) -> Answer {
    differing(&caller, &days, book(&app).await?, read(&given)?)
}

fn differing(caller: &Caller, days: &Days, book: Vec<Rate>, other: Vec<Rate>) -> Answer {
    let first = days.from.unwrap_or_else(|| today(caller));
    let second = days.to.or_else(|| latest(&other)).unwrap_or(first);
    let on = |rates: Vec<Rate>, day: Date| -> Vec<Rate> {
        rates.into_iter().filter(|rate| rate.is_in_force(day)).collect()
    };
    answer(difference(&on(book, first), &on(other, second)))
}

/// The latest day on which one of the rates begins.
fn latest(rates: &[Rate]) -> Option<Date> {
    rates.iter().map(|rate| rate.from).max()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Months {
    /// First billing period
    #[param(value_type = String, example = "2025-01")]
    from: Period,
    /// Last billing period; the first when it is not given
    #[param(value_type = Option<String>, example = "2025-03")]
    to: Option<Period>,
    /// Day whose rates are tried; the latest on which a rate begins when it is not given
    #[param(value_type = Option<String>)]
    on: Option<Date>,
}

async fn try_rates(
    State(app): State<App>,
    caller: Caller,
    Ask(months): Ask<Months>,
    GivenText(given): GivenText,
) -> Answer {
    let book = read(&given)?;
    let on = months.on.or_else(|| latest(&book)).unwrap_or_else(|| today(&caller));
    let (first, last) = (months.from, months.to.unwrap_or(months.from));
    let installation = app.installation.clone();
    job(&app, &caller, ("Other rates tried".to_owned(), None), |_| async move {
        let trial = rates::try_rates(&installation, &book, on, first, last).await?;
        Done::new(format!("rates of {on} over {first} to {last}"), "/rates", trial)
    })
}

fn read(text: &str) -> PageResult<Vec<Rate>> {
    Ok(file::read_bytes(GIVEN, text.as_bytes())?)
}

async fn priced(
    State(app): State<App>,
    At(rate): At<RateId>,
    Paged { query, page }: Paged<InPeriod>,
) -> Answer {
    listed(page, given::rated(&app.installation, query.period, rate).await?)
}
