//! What stands on a statement's page, in words: the shape of `/statement.json`, which a template reads.

use billing::rate::RatedUse;
use billing::statement::{
    LineKind, PostedLine, ResourceLine, Statement, discount_percent, paid_by, paid_name,
};
use money::{Amount, Currency, Minor, grouped};
use serde::Serialize;

use super::words::Words;
use super::{Institution, Paper, world};

/// From wide to narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spacing {
    Roomy,
    Dense,
    /// Dense, and of a resource that has a name the id is left out.
    Tight,
}

/// Texts are ready to print. In names, U+200B marks where they may break.
#[derive(Debug, Serialize)]
pub struct Page<'a> {
    /// Font families, the first for everything it covers.
    fonts: &'a [String],
    /// A Typst paper name.
    paper: &'static str,
    /// Set tighter, to keep a short statement on one page.
    dense: bool,
    institution: Letterhead,
    /// The document's title, for PDF readers.
    title: String,
    /// Not issued: every page must say so.
    draft: bool,
    number: String,
    version: u32,
    /// The statement this one replaces, and what changed.
    replaces: Option<String>,
    /// `February 3, 2025`
    issued_on: String,
    issued_date: Day,
    /// `January 2025`
    period_name: String,
    project: String,
    /// Pairs of name and value: PI, project, funds, references, period.
    about: Vec<(&'static str, String)>,
    /// List price, discount, subsidy; then the amount due.
    figures: Vec<Figure>,
    due: Figure,
    /// Heads of the amounts in `funds`, `services` and `total`.
    amount_names: Vec<&'static str>,
    /// What each fund is charged; of interest when there are several.
    funds: Vec<Row>,
    services: Vec<Row>,
    total: Row,
    /// Where the rate book says what things cost.
    rates: Vec<Rated>,
    /// Heads of the amounts in `resources`, `rest` and `resource_total`.
    resource_amount_names: Vec<&'static str>,
    resources: Vec<ResourceGroup>,
    /// None or one: the resources that are not listed.
    rest: Vec<Row>,
    resource_total: Row,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Letterhead {
    name: String,
    /// Path of the image in the template's world.
    logo: Option<&'static str>,
    logo_alt: String,
    contact_email: String,
}

/// As Typst's `datetime` takes it.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names that Typst gives them")]
struct Day {
    year: i16,
    month: i8,
    day: i8,
}

#[derive(Debug, Serialize)]
struct Figure {
    label: &'static str,
    amount: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    amounts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ResourceGroup {
    service: String,
    lines: Vec<Resource>,
}

#[derive(Debug, Serialize)]
struct Resource {
    name: String,
    /// Empty when it is the name.
    id: String,
    quantity: String,
    amounts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Rated {
    name: String,
    quantity: String,
    price: String,
    /// What free units, tiers and a minimum change, in words.
    adjusted: String,
}

/// Figures of one row, before they become words.
#[derive(Clone, Copy, Default)]
struct Sums {
    list: Minor,
    discount: Minor,
    subsidy: Minor,
    due: Minor,
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.list += other.list;
        self.discount += other.discount;
        self.subsidy += other.subsidy;
        self.due += other.due;
    }
}

impl From<&PostedLine> for Sums {
    fn from(line: &PostedLine) -> Sums {
        Sums { list: line.list, discount: line.discount, subsidy: line.subsidy, due: line.due }
    }
}

impl From<&ResourceLine> for Sums {
    fn from(line: &ResourceLine) -> Sums {
        Sums { list: line.list, discount: line.discount, subsidy: Minor::ZERO, due: line.due }
    }
}

impl<'a> Page<'a> {
    pub fn of(
        statement: &Statement,
        institution: &Institution,
        words: &'a Words<'a>,
        spacing: Spacing,
    ) -> Page<'a> {
        let totals = &statement.totals;
        let with_subsidy = !totals.subsidy.is_zero();
        let rows = Rows {
            currency: &statement.currency,
            words,
            with_subsidy,
            paid_name: paid_name(&statement.lines),
            ids: spacing != Spacing::Tight,
        };
        let total =
            Sums { list: totals.list, discount: totals.discount, subsidy: totals.subsidy, due: totals.due };
        let services = rows.by(&statement.lines, |line| {
            (line.group.kind, service(line.group.kind, line.group.service_name.as_deref(), words))
        });
        let (resources, rest, resource_total) = rows.resources(statement, &services);
        Page {
            fonts: words.families(),
            paper: match institution.paper {
                Paper::UsLetter => "us-letter",
                Paper::A4 => "a4",
            },
            dense: spacing != Spacing::Roomy,
            institution: letterhead(institution, words),
            title: words.plain(&format!(
                "{}: {}, {}",
                name(statement),
                statement.project_id,
                statement.period.name()
            )),
            draft: is_draft(statement),
            number: words.plain(&statement.number.0),
            version: statement.version,
            replaces: statement.replaces.as_deref().map(|text| words.breakable(text)),
            issued_on: day_name(statement.issued_on),
            issued_date: Day {
                year: statement.issued_on.year(),
                month: statement.issued_on.month(),
                day: statement.issued_on.day(),
            },
            period_name: statement.period.name(),
            project: words.breakable(&statement.project_id),
            about: about(statement, words),
            figures: figures(statement, words),
            due: due(statement, words),
            amount_names: rows.amount_names("Amount due"),
            funds: rows.by(&statement.lines, |line| {
                let fund = line.group.fund_org.as_deref().unwrap_or("No fund");
                (LineKind::Usage, words.breakable(fund))
            }),
            services,
            total: rows.row("Total".to_owned(), total),
            rates: statement.rates.iter().map(|used| rows.rated(used)).collect(),
            // The resource table knows no subsidy: with one, its last column is what it shares.
            resource_amount_names: Rows { with_subsidy: false, ..rows }.amount_names(if with_subsidy {
                "After discount"
            } else {
                "Amount due"
            }),
            resources,
            rest,
            resource_total,
            notes: statement.notes.iter().map(|note| words.breakable(note)).collect(),
        }
    }

    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers become JSON")
    }
}

/// Statements that are issued have versions from 1.
pub fn is_draft(statement: &Statement) -> bool {
    statement.version == 0
}

/// `Statement S-2025-01-0042, version 1`
fn name(statement: &Statement) -> String {
    if is_draft(statement) {
        "DRAFT statement".to_owned()
    } else {
        format!("Statement {}, version {}", statement.number, statement.version)
    }
}

fn letterhead(institution: &Institution, words: &Words) -> Letterhead {
    let name = words.plain(&institution.name);
    Letterhead {
        logo: institution.logo.as_ref().map(|logo| world::logo_path(logo.kind)),
        logo_alt: if name.is_empty() { "Logo".to_owned() } else { format!("Logo of {name}") },
        contact_email: words.plain(&institution.contact_email),
        name,
    }
}

fn about(statement: &Statement, words: &Words) -> Vec<(&'static str, String)> {
    let joined = |texts: &[String]| words.breakable(&texts.join(", "));
    let first = statement.period.first_day();
    let period =
        format!("{} ({} 1 to {})", statement.period.name(), month(first), first.last_of_month().day());
    let mut about = vec![
        ("Principal investigator", words.breakable(&statement.pi_email)),
        ("Project", words.breakable(&statement.project_id)),
    ];
    if !statement.fund_orgs.is_empty() {
        about.push(("Charged to", joined(&statement.fund_orgs)));
    }
    if !statement.references.is_empty() {
        about.push(("References", joined(&statement.references)));
    }
    about.push(("Billing period", period));
    about
}

fn figures(statement: &Statement, words: &Words) -> Vec<Figure> {
    let show = |amount| statement.currency.display(amount);
    let totals = &statement.totals;
    let mut figures = vec![Figure { label: "List price", amount: show(totals.list), note: String::new() }];
    figures.push(if totals.discount.is_negative() {
        Figure { label: "Above list price", amount: show(-totals.discount), note: percent_of_list(statement) }
    } else {
        Figure { label: "Discount", amount: show(-totals.discount), note: percent_of_list(statement) }
    });
    if !totals.subsidy.is_zero() {
        let note = match paid_by(&statement.lines).as_slice() {
            [] => "paid for you by others".to_owned(),
            [(leg, _)] => format!("paid by {}", words.breakable(&leg.name)),
            payers => format!("paid by {} others, named below", payers.len()),
        };
        figures.push(Figure { label: paid_name(&statement.lines), amount: show(-totals.subsidy), note });
    }
    figures
}

fn due(statement: &Statement, words: &Words) -> Figure {
    let due = statement.totals.due;
    let (label, note) = if due.is_negative() {
        ("Credit", "in your favor, nothing is due".to_owned())
    } else if due.is_zero() {
        ("Amount due", "nothing is due".to_owned())
    } else {
        let note = match statement.fund_orgs.as_slice() {
            [] => String::new(),
            [fund] => format!("charged to {}", words.breakable(fund)),
            funds => format!("charged to {} funds, listed below", funds.len()),
        };
        ("Amount due", note)
    };
    Figure { label, amount: statement.currency.display(due), note }
}

/// `12.5% of list price`: of what a discount can apply to, so without credits, taxes and adjustments.
fn percent_of_list(statement: &Statement) -> String {
    let usage = |line: &&PostedLine| line.group.kind == LineKind::Usage;
    let list: Minor = statement.lines.iter().filter(usage).map(|line| line.list).sum();
    let discount = Minor::new(statement.totals.discount.get().saturating_abs());
    let of = if list == statement.totals.list { "list price" } else { "list price of usage" };
    match discount_percent(list, discount) {
        _ if discount.is_zero() => String::new(),
        None => String::new(),
        Some(percent) if percent == "0.0" => format!("below 0.1% of {of}"),
        Some(percent) => format!("{}% of {of}", percent.strip_suffix(".0").unwrap_or(&percent)),
    }
}

fn service(kind: LineKind, name: Option<&str>, words: &Words) -> String {
    let name = words.breakable(name.unwrap_or("Service not named"));
    match kind {
        LineKind::Usage => name,
        LineKind::Credit => format!("Credit: {name}"),
        LineKind::Tax => format!("Tax: {name}"),
        LineKind::Adjustment => format!("Adjustment: {name}"),
    }
}

#[derive(Clone, Copy)]
struct Rows<'a> {
    currency: &'a Currency,
    words: &'a Words<'a>,
    with_subsidy: bool,
    paid_name: &'static str,
    /// Whether ids stand beside names.
    ids: bool,
}

impl Rows<'_> {
    fn amount_names(&self, last: &'static str) -> Vec<&'static str> {
        let mut names = vec!["List price", "Discount"];
        names.extend(self.with_subsidy.then_some(self.paid_name));
        names.push(last);
        names
    }

    /// Discount and what others pay stand with the sign with which they are added across.
    fn row(&self, name: String, sums: Sums) -> Row {
        let mut amounts = vec![self.currency.display(sums.list), self.currency.display(-sums.discount)];
        amounts.extend(self.with_subsidy.then(|| self.currency.display(-sums.subsidy)));
        amounts.push(self.currency.display(sums.due));
        Row { name, amounts }
    }

    /// Lines summed by a kind and a name: kinds in their order, then the largest first.
    fn by(&self, lines: &[PostedLine], key: impl Fn(&PostedLine) -> (LineKind, String)) -> Vec<Row> {
        let mut groups: std::collections::BTreeMap<(LineKind, String), Sums> =
            std::collections::BTreeMap::new();
        for line in lines {
            groups.entry(key(line)).or_default().add(Sums::from(line));
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((kind, _), sums)| (*kind, std::cmp::Reverse(sums.due.abs())));
        groups.into_iter().map(|((_, name), sums)| self.row(name, sums)).collect()
    }

    /// The resource table: its groups in the order of the services, the rest line, and its total.
    fn resources(&self, statement: &Statement, services: &[Row]) -> (Vec<ResourceGroup>, Vec<Row>, Row) {
        let rows = Rows { with_subsidy: false, ..*self };
        let mut groups: Vec<ResourceGroup> = Vec::new();
        let mut total = Sums::default();
        for line in &statement.resources {
            total.add(Sums::from(line));
            let service = service(line.kind, line.service_name.as_deref(), self.words);
            let at = groups.iter().position(|group| group.service == service).unwrap_or_else(|| {
                groups.push(ResourceGroup { service, lines: Vec::new() });
                groups.len() - 1
            });
            groups[at].lines.push(rows.resource(line));
        }
        groups.sort_by_key(|group| services.iter().position(|service| service.name == group.service));
        let rest = statement.rest.as_ref().map(|rest| {
            let sums = Sums { list: rest.list, discount: rest.discount, subsidy: Minor::ZERO, due: rest.due };
            total.add(sums);
            let plural = if rest.resources == 1 { "resource" } else { "resources" };
            rows.row(format!("and {} more {plural}, see the CSV", grouped(rest.resources)), sums)
        });
        (groups, rest.into_iter().collect(), rows.row("Total".to_owned(), total))
    }

    fn rated(&self, used: &RatedUse) -> Rated {
        let show = |amount: Amount| self.currency.display(amount.round(self.currency.code.places()));
        let adjusted = used.adjustments().map(|(what, amount)| format!("{what} {}", show(amount)));
        let version = if used.version == 1 { String::new() } else { format!(", version {}", used.version) };
        Rated {
            name: format!("{}{version}", self.words.breakable(&used.code)),
            quantity: format!(
                "{} {}",
                quantity_name(used.quantity),
                self.words.plain(&used.unit.to_string())
            ),
            price: self.unit_price(used.price),
            adjusted: adjusted.collect::<Vec<_>>().join(", "),
        }
    }

    /// Exact, with at least the currency's decimals.
    fn unit_price(&self, price: Amount) -> String {
        let places = usize::from(self.currency.code.places());
        let plain = price.to_string();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let point = if 0 < places.max(fraction.len()) { "." } else { "" };
        format!("{}{}{point}{fraction:0<places$}", self.currency.symbol, grouped(whole))
    }

    fn resource(&self, line: &ResourceLine) -> Resource {
        let name = line.resource_name.as_deref().or(line.resource_id.as_deref());
        let id = line.resource_id.as_deref().filter(|id| self.ids && name != Some(*id));
        let quantity = line.quantity.map(quantity_name).unwrap_or_default();
        let unit = self.words.plain(line.unit.as_deref().unwrap_or_default());
        Resource {
            name: self.words.breakable(name.unwrap_or("Resource not named")),
            id: id.map(|id| self.words.breakable(id)).unwrap_or_default(),
            quantity: if quantity.is_empty() {
                quantity
            } else {
                format!("{quantity} {unit}").trim_end().to_owned()
            },
            amounts: self.row(String::new(), Sums::from(line)).amounts,
        }
    }
}

/// A quantity a person can take in: whole, or with two decimals from 100 up, three from 1 up, six below.
/// Information beside the amounts, which stay exact.
fn quantity_name(quantity: Amount) -> String {
    let one = Amount::from_minor(Minor::new(1), 0).units();
    let magnitude = quantity.units().abs();
    let places = match magnitude {
        whole if whole % one == 0 => 0,
        large if large >= 100 * one => 2,
        middling if middling >= one => 3,
        _ => 6,
    };
    let step = one / 10_i128.pow(places);
    let mut rounded = magnitude / step;
    let twice = magnitude % step * 2;
    if twice > step || (twice == step && rounded % 2 == 1) {
        rounded += 1;
    }
    if rounded == 0 && magnitude != 0 {
        return "<0.000001".to_owned();
    }
    let sign = if quantity.is_negative() { "\u{2212}" } else { "" };
    let digits = format!("{rounded:0width$}", width = places as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places as usize);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

/// `January`
fn month(date: jiff::civil::Date) -> &'static str {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    MONTHS[usize::try_from(date.month() - 1).unwrap_or(0)]
}

/// `February 3, 2025`
fn day_name(date: jiff::civil::Date) -> String {
    format!("{} {}, {}", month(date), date.day(), date.year())
}
