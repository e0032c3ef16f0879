//! PIs as persons: their addresses, statements and what was spent; written down, given a new address, merged.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::Period;
use billing::people::{PeopleChange, Person, PersonId};
use jiff::civil::Date;
use ledger::AuditFilter;
use money::Minor;
use serde::Deserialize;
use workflow::statements::StatementStanding;
use workflow::{Refusal, audit, people, statements};

use super::rules::kind::{FormPage, add, new};
use super::rules::proposal::{Answer, Draft, RuleForm, answer};
use super::rules::sent::Sent;
use super::rules::table::{Cell, Table};
use super::rules::words::joined;
use super::rules::{A_DAY, said, today, unread};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::{ErrorKind, PageError, PageResult};
use crate::form::{Fields, Query, encoded, some};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default()
        .page("/people", Access::Viewer, list)
        .page("/people/new", Access::Reviewer, new::<PersonForm>)
        .act("/people/new", Access::Reviewer, "people add", add::<PersonForm>)
        .page("/people/{person}", Access::Viewer, show)
        .act("/people/{person}/address", Access::Reviewer, "people address", address)
        .act("/people/{person}/merge", Access::Reviewer, "people merge", merge)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    page: Option<usize>,
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct ListPage {
    frame: Frame,
    asked: Asked,
    table: Table,
    total: usize,
    first: usize,
    /// PIs of statements who are not written down.
    others: Table,
}

const ON_A_PAGE: usize = 100;

impl ListPage {
    fn last(&self) -> usize {
        self.first + self.table.rows.len()
    }

    fn at(&self, page: usize) -> String {
        format!("/people?q={}&page={page}", encoded(&self.asked.q))
    }

    fn earlier(&self) -> Option<String> {
        let page = self.asked.page.unwrap_or(1);
        (1 < page).then(|| self.at(page - 1))
    }

    fn later(&self) -> Option<String> {
        let page = self.asked.page.unwrap_or(1);
        (self.last() < self.total).then(|| self.at(page + 1))
    }
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(mut asked): Query<Asked>,
) -> PageResult<Response> {
    let all = people::list(&app.installation).await?;
    let known: BTreeSet<&str> =
        all.iter().flat_map(|person| &person.addresses).map(|known| known.address.as_str()).collect();
    let mut others = BTreeSet::new();
    if let Some(period) = frame.period {
        let rows = statements::list(&app.installation, Some(period), None, false).await?;
        others.extend(rows.into_iter().map(|one| one.row.pi_email).filter(|pi| !known.contains(pi.as_str())));
    }
    let words: Vec<String> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    let fits = |text: &str| words.iter().all(|word| text.to_lowercase().contains(word));
    let text = |person: &Person| {
        let addresses = person.addresses.iter().map(|known| known.address.as_str());
        format!("{} {} {}", person.id, person.name, addresses.collect::<Vec<_>>().join(" "))
    };
    let found: Vec<&Person> = all.iter().filter(|person| fits(&text(person))).collect();
    let total = found.len();
    let at = asked.page.unwrap_or(1).clamp(1, total.div_ceil(ON_A_PAGE).max(1));
    asked.page = Some(at);
    let first = (at - 1) * ON_A_PAGE;
    let empty = if all.is_empty() {
        "Nobody is written down: every PI is the address that files name. Write down a PI whose address changes, or who has several."
    } else {
        "Nobody fits. Choose fewer words."
    };
    let mut table = Table::new("People", &["Name", "Current address", "Also"], empty);
    let today = today(&caller);
    let row = |person: &&Person| {
        let current = person.address_on(today);
        let also = person.addresses.iter().map(|known| known.address.as_str());
        vec![
            Cell::link(person.name.clone(), format!("/people/{}", person.id)).sub(person.id.to_string()),
            current.into(),
            joined(also.filter(|address| *address != current)).into(),
        ]
    };
    table.rows = found.iter().skip(first).take(ON_A_PAGE).map(row).collect();
    let mut strangers = Table::new("Addresses of nobody who is written down", &["Address"], "");
    let row = |pi: &String| vec![Cell::link(pi.clone(), format!("/people/{}", encoded(pi)))];
    strangers.rows = others.iter().filter(|pi| fits(pi)).take(ON_A_PAGE).map(row).collect();
    let frame = frame.titled("People").help("people");
    page(&ListPage { frame, asked, table, total, first, others: strangers })
}

#[derive(Template)]
#[template(path = "people/show.html")]
struct ShowPage {
    frame: Frame,
    /// As the address of the page names them.
    who: String,
    /// `None`: an address of nobody who is written down.
    person: Option<Person>,
    addresses: Table,
    spend: Table,
    statements: Table,
    more_statements: usize,
    history: Vec<ledger::AuditRow>,
    /// Others, to be merged into.
    others: Vec<(String, String)>,
    address: AddressForm,
    merge: MergeForm,
    refusal: Option<Refusal>,
}

impl ShowPage {
    fn title(&self) -> &str {
        self.person.as_ref().map_or(&self.who, |person| &person.name)
    }

    fn first_words(act: &str) -> String {
        match act {
            "person.added" => "written down".to_owned(),
            "person.address" => "given an address".to_owned(),
            "person.merged" => "merged".to_owned(),
            other => other.to_owned(),
        }
    }

    /// A time in UTC, to the minute.
    fn moment(&self, row: &ledger::AuditRow) -> String {
        row.at.parse().map_or_else(|_| row.at.clone(), |at| self.frame.moment(&at))
    }

    fn note(row: &ledger::AuditRow) -> String {
        let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap_or_default();
        let text = |name: &str| detail.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let addresses = detail.get("addresses").and_then(|list| list.as_array());
        let addresses =
            joined(addresses.into_iter().flatten().filter_map(|one| one.get("address")?.as_str()));
        match (text("merged"), text("note")) {
            ("", "") => addresses,
            ("", note) => format!("{addresses}: {note}"),
            (merged, "") => format!("with {merged}: {addresses}"),
            (merged, note) => format!("with {merged}: {addresses}: {note}"),
        }
    }
}

async fn find(app: &App, who: &str) -> PageResult<Option<Person>> {
    match people::show(&app.installation, who).await {
        Ok(person) => Ok(Some(person)),
        Err(workflow::WorkflowError::Refused(_)) if who.contains('@') => Ok(None),
        Err(workflow::WorkflowError::Refused(refusal)) => Err(PageError::not_found(refusal.message)),
        Err(error) => Err(error.into()),
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(who): Path<String>,
    frame: Frame,
) -> PageResult<Response> {
    let shown = shown(&app, &caller, frame, &who).await?;
    page(&shown)
}

async fn shown(app: &App, caller: &Caller, frame: Frame, who: &str) -> PageResult<ShowPage> {
    let person = find(app, who).await?;
    let key = person.as_ref().map_or_else(|| who.to_lowercase(), |person| person.id.to_string());
    let standing = statements::list(&app.installation, None, Some(&key), false).await?;
    let current = person.as_ref().map(|person| person.address_on(today(caller)).to_owned());
    let mut addresses = Table::new("Addresses", &["Address", "For charges", "State"], "");
    for known in person.iter().flat_map(|person| &person.addresses) {
        let is_current = current.as_deref() == Some(known.address.as_str());
        let from = known.from.map_or_else(|| "of all times".to_owned(), |from| format!("from {from}"));
        let state = if is_current { Cell::pill("good", "current") } else { "–".into() };
        addresses.rows.push(vec![known.address.clone().into(), from.into(), state]);
    }
    let history = match &person {
        Some(person) => {
            let filter = AuditFilter {
                act: Some("person".to_owned()),
                subject: Some(person.id.to_string()),
                ..AuditFilter::default()
            };
            audit::list(&app.installation, &filter).await?
        }
        None => Vec::new(),
    };
    let others = people::list(&app.installation).await?.into_iter();
    let others = others
        .filter(|other| person.as_ref().is_some_and(|person| person.id != other.id))
        .take(500)
        .map(|other| (other.id.to_string(), format!("{} {}", other.id, other.name)));
    let (spend, listed) = (spend(&frame, &standing), list_statements(&frame, &standing));
    let title = person.as_ref().map_or_else(|| who.to_owned(), |person| person.name.clone());
    Ok(ShowPage {
        others: others.collect(),
        frame: frame.titled(title).help("people"),
        who: key,
        person,
        addresses,
        spend,
        more_statements: standing.len().saturating_sub(ON_A_PAGE),
        statements: listed,
        history,
        address: AddressForm::default(),
        merge: MergeForm::default(),
        refusal: None,
    })
}

/// By billing period, the latest first.
fn spend(frame: &Frame, standing: &[StatementStanding]) -> Table {
    let mut months: BTreeMap<Period, [Minor; 3]> = BTreeMap::new();
    for one in standing {
        let totals = &one.row.totals;
        let sums = months.entry(one.row.period).or_default();
        for (sum, amount) in sums.iter_mut().zip([totals.list, totals.subsidy, totals.due]) {
            *sum = [*sum, amount].into_iter().sum();
        }
    }
    let columns = ["Period", "#List cost", "#Others pay", "#Amount due"];
    let mut table = Table::new("Spend by period", &columns, "No statement was issued to them.");
    let row = |(period, sums): (&Period, &[Minor; 3])| {
        let mut cells = vec![Cell::link(period.to_string(), format!("/statements?period={period}"))];
        cells.extend(sums.iter().map(|sum| Cell::from(frame.money(sum))));
        cells
    };
    table.rows = months.iter().rev().take(36).map(row).collect();
    table
}

fn list_statements(frame: &Frame, standing: &[StatementStanding]) -> Table {
    let columns = ["Statement", "Period", "Project", "#Amount due", "Issued"];
    let mut table = Table::new("Statements", &columns, "No statement was issued to them.");
    let row = |one: &StatementStanding| {
        let row = &one.row;
        vec![
            Cell::link(row.id.number.to_string(), format!("/statements/{}", row.id.number)),
            row.period.to_string().into(),
            row.project_id.clone().into(),
            frame.money(&row.totals.due).into(),
            frame.moment(&row.issued.at).into(),
        ]
    };
    table.rows = standing.iter().rev().take(ON_A_PAGE).map(row).collect();
    table
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PersonForm {
    name: String,
    address: String,
    also: Vec<String>,
    note: String,
}

impl RuleForm for PersonForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let name = fields.text("name", &self.name);
        let address = fields.text("current address", &self.address);
        fields.finish("the person was not written down")?;
        let what = format!("Write down {name} with {address}");
        let addresses = said(&self.also).into_iter().chain([address]).collect();
        let change = PeopleChange::Add { name, addresses, note: some(&self.note) };
        Ok(Draft::new(what, "/people/new", sent, Change::People(change), "/people"))
    }
}

#[derive(Template)]
#[template(path = "people/new.html")]
struct NewPage {
    frame: Frame,
    form: PersonForm,
    refusal: Option<Refusal>,
}

impl FormPage for PersonForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&NewPage { frame: frame.titled("Write somebody down").help("people"), form: self, refusal })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AddressForm {
    person: String,
    address: String,
    from: String,
    note: String,
}

const A_PERSON: &str = "the number of a person, such as P-12";

impl RuleForm for AddressForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let person: Option<PersonId> = fields.required("person", &self.person, A_PERSON);
        let address = fields.text("address", &self.address);
        let from: Option<Date> = fields.optional("first day", &self.from, A_DAY);
        let what = "the address was not understood";
        let Some(person) = person else { return Err(unread(fields, what)) };
        fields.finish(what)?;
        let what = format!("Make {address} the current address of {person}");
        let change = PeopleChange::Address { person, address, from, note: some(&self.note) };
        let at = format!("/people/{person}");
        Ok(Draft::new(what, format!("{at}/address"), sent, Change::People(change), at))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MergeForm {
    person: String,
    into: String,
    note: String,
}

impl RuleForm for MergeForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let person: Option<PersonId> = fields.required("person", &self.person, A_PERSON);
        let into: Option<PersonId> = fields.required("into", &self.into, A_PERSON);
        let what = "the merge was not understood";
        let (Some(person), Some(into)) = (person, into) else { return Err(unread(fields, what)) };
        fields.finish(what)?;
        let what = format!("Merge {person} into {into}");
        let change = PeopleChange::Merge { person, into, note: some(&self.note) };
        let change = Change::People(change);
        Ok(Draft::new(what, format!("/people/{person}/merge"), sent, change, format!("/people/{into}")))
    }
}

/// What was sent, for the person that the address names.
fn of_person(mut sent: Sent, who: &str) -> Sent {
    sent.pairs.retain(|(name, _)| name != "person");
    sent.pairs.push(("person".to_owned(), who.to_owned()));
    sent
}

type About = (State<App>, Caller, Path<String>, Frame);

async fn address(about: About, sent: Sent) -> PageResult<Response> {
    changed::<AddressForm>(about, sent, |page, form| page.address = form).await
}

async fn merge(about: About, sent: Sent) -> PageResult<Response> {
    changed::<MergeForm>(about, sent, |page, form| page.merge = form).await
}

async fn changed<F: RuleForm>(
    (State(app), caller, Path(who), frame): About,
    sent: Sent,
    put: impl FnOnce(&mut ShowPage, F) + Send,
) -> PageResult<Response> {
    match answer::<F>(&app, &caller, &of_person(sent, &who)).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, refusal) => {
            again(&app, &caller, frame, &who, |page| put(page, form), refusal).await
        }
    }
}

/// The person's page with a form as it was typed.
async fn again(
    app: &App,
    caller: &Caller,
    frame: Frame,
    who: &str,
    fill: impl FnOnce(&mut ShowPage) + Send,
    refusal: Option<Refusal>,
) -> PageResult<Response> {
    let mut page_again = match shown(app, caller, frame, who).await {
        // Who is not known has no page to say it on.
        Err(error) if error.kind == ErrorKind::NotFound => {
            return Err(refusal.map_or(error, PageError::from));
        }
        shown => shown?,
    };
    fill(&mut page_again);
    page_again.refusal = refusal;
    if page_again.refusal.is_some() { refused_page(&page_again) } else { page(&page_again) }
}
