use std::fmt::Write as _;

use money::Amount;
use workflow::kept::Spent;
use workflow::overview::{MonthOf, current_period};
use workflow::projects::{self, Detail, MonthUse, PiUse, ProjectUse, Span, Who};

use super::words::{grouped, joined, or_dash};
use super::{Door, splits, statements};
use crate::args::{PiCommand, ProjectCommand, SpanArgs, UntilArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(command: ProjectCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        ProjectCommand::List(args) => {
            let installation = door.installation().await?;
            let span = span(&args, door).await?;
            let projects = projects::list(&installation, span).await?;
            Ok(door.output.data(&projects, |projects| project_table(projects, door))?)
        }
        ProjectCommand::Show { project, until } => show(&Who::Project(project), &until, door).await,
    }
}

pub async fn run_pis(command: PiCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        PiCommand::List(args) => {
            let installation = door.installation().await?;
            let span = span(&args, door).await?;
            let pis = projects::list_pis(&installation, span).await?;
            Ok(door.output.data(&pis, |pis| pi_table(pis, door))?)
        }
        PiCommand::Show { who, until } => show(&Who::Pi(who), &until, door).await,
    }
}

async fn span(args: &SpanArgs, door: &Door) -> Result<Span, Refusal> {
    if let Some(year) = args.fiscal_year {
        return Ok(Span::FiscalYear(year));
    }
    let period = match args.period {
        Some(period) => Some(period),
        None => current_period(&door.installation().await?).await?,
    };
    let none =
        || Refusal::new("no period is open yet").with_hint("`ingest FILE` opens the periods of its rows");
    Ok(Span::Period(period.ok_or_else(none)?))
}

/// Columns that PIs and projects have alike.
const SPENT: [&str; 5] = ["charges", "list price", "cost", "held", "due"];

fn spent(spent: &Spent, due: Amount, door: &Door) -> [String; 5] {
    [
        grouped(spent.billed.charges),
        exact(spent.billed.list, door.currency()),
        exact(spent.billed.cost, door.currency()),
        exact(spent.held.cost, door.currency()),
        exact(due, door.currency()),
    ]
}

fn project_table(projects: &[ProjectUse], door: &Door) -> String {
    if projects.is_empty() {
        return "no project has charges\n".to_owned();
    }
    let mut columns = vec![
        Column::text("project"),
        Column::text("PI"),
        Column::text("fund_org"),
        Column::text("award ends"),
    ];
    columns.extend(SPENT.map(Column::number));
    let mut table = Table::new(columns);
    let (mut sum, mut due) = (Spent::default(), Amount::ZERO);
    for project in projects {
        let of = [
            or_dash(project.project_id.as_deref()),
            or_dash(project.pi_email.as_deref()),
            joined(&project.fund_orgs),
            or_dash(project.end_date.as_deref()),
        ];
        table.row(of.into_iter().chain(spent(&project.spent, project.due, door)));
        sum = sum.and(&project.spent);
        due += project.due;
    }
    let blank = ["total", "", "", ""].map(str::to_owned);
    table.total(blank.into_iter().chain(spent(&sum, due, door)));
    table.render()
}

fn pi_table(pis: &[PiUse], door: &Door) -> String {
    if pis.is_empty() {
        return "no PI has charges\n".to_owned();
    }
    let mut columns = vec![Column::text("PI"), Column::number("projects")];
    columns.extend(SPENT.map(Column::number));
    let mut table = Table::new(columns);
    let (mut sum, mut due) = (Spent::default(), Amount::ZERO);
    for pi in pis {
        let of = [or_dash(pi.pi_email.as_deref()), grouped(pi.projects)];
        table.row(of.into_iter().chain(spent(&pi.spent, pi.due, door)));
        sum = sum.and(&pi.spent);
        due += pi.due;
    }
    let projects: u64 = pis.iter().map(|pi| pi.projects).sum();
    table.total(["total".to_owned(), grouped(projects)].into_iter().chain(spent(&sum, due, door)));
    table.render()
}

async fn show(who: &Who, until: &UntilArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let detail = projects::show(&installation, who, until.period).await?;
    Ok(door.output.data(&detail, |detail| told(detail, door))?)
}

fn told(detail: &Detail, door: &Door) -> String {
    let mut text = String::new();
    for pi in &detail.pis {
        let name = pi.name.as_ref().map_or_else(String::new, |name| format!("{name}, "));
        let _ = writeln!(text, "PI: {name}{}", joined(&pi.addresses));
    }
    if !detail.fund_orgs.is_empty() {
        let _ = writeln!(text, "funds: {}", joined(&detail.fund_orgs));
    }
    if let Some(end) = &detail.end_date {
        let _ = writeln!(text, "award ends: {end}");
    }
    let _ = write!(text, "\n{}", project_table(&detail.projects, door));
    let _ = write!(text, "\n{}", months(&detail.months, door));
    if !detail.statements.is_empty() {
        let _ = write!(text, "\n{}", statements::list_table(&detail.statements, door));
    }
    for rule in &detail.splits {
        let to = rule.to.map_or_else(String::new, |to| format!(" to {to}"));
        let _ = writeln!(text, "\nsplit {} from {}{to}: {}", rule.id, rule.from, splits::shares(rule, door));
    }
    text.push_str(&left(detail, door));
    text
}

fn months(months: &[MonthUse], door: &Door) -> String {
    let mut columns = vec![Column::text("month")];
    columns.extend(SPENT.map(Column::number));
    let mut table = Table::new(columns);
    for month in months.iter().filter(|month| month.of != MonthOf::Nothing) {
        let figures = spent(&month.spent, month.due, door);
        table.row(std::iter::once(month.period.to_string()).chain(figures));
    }
    table.render()
}

/// What is left of subsidies and credits.
fn left(detail: &Detail, door: &Door) -> String {
    let mut text = String::new();
    if !detail.subsidies.is_empty() || !detail.credits.is_empty() {
        text.push('\n');
    }
    for pool in &detail.subsidies {
        let paid = exact(pool.paid, door.currency());
        let left = pool.left.map_or_else(String::new, |left| {
            format!(", {} left until {}", exact(left, door.currency()), pool.last)
        });
        let of = pool.project_id.as_ref().or(pool.pi_email.as_ref()).map_or("", String::as_str);
        let _ = writeln!(text, "subsidy {} ({}) of {of}: {paid} paid{left}", pool.rule, pool.name);
    }
    for standing in &detail.credits {
        let credit = &standing.credit;
        let until = credit.to.map_or_else(String::new, |to| format!(" until {to}"));
        let (left, of) = (exact(standing.left, door.currency()), exact(credit.amount, door.currency()));
        let _ = writeln!(text, "credit {} ({}): {left} of {of} left{until}", credit.id, credit.name);
    }
    text
}
