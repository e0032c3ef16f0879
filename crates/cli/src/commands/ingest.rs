use std::fmt::Write as _;

use billing::delivery::Choice;
use billing::{Flag, SourceName};
use money::Amount;
use serde::Serialize;
use workflow::import::{GivenFile, Outcome, Progress, Request, ingest, reread};
use workflow::shapes::problem_lines;

use super::Door;
use super::words::{count, joined};
use crate::args::{ImportRef, IngestArgs};
use crate::output::{Column, Refusal, Table, exact};

pub async fn run(args: IngestArgs, door: &Door) -> Result<(), Refusal> {
    let request = Request {
        files: args.files.into_iter().map(GivenFile::from).collect(),
        source: args.source.map(SourceName),
        period: args.period,
        choice: match (args.replace, args.append) {
            (Some(import), _) => Choice::Replace(import),
            (None, true) => Choice::Append,
            (None, false) => Choice::Automatic,
        },
        dry_run: args.dry_run,
        quarantine: args.quarantine,
        force: args.force,
        only_open: args.only_open,
        unpacked_max_bytes: None,
        problems_to: None,
    };
    let installation = door.installation().await?;
    let label = request.files.first().map(|file| file.name.clone());
    let bar = Bar::new(door, &label.unwrap_or_default());
    let outcome = ingest(&installation, &door.stamp(), request, &|progress| bar.show(progress)).await?;
    drop(bar);
    told(outcome, door)
}

pub async fn run_reread(args: &ImportRef, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let bar = Bar::new(door, &format!("import {}", args.import));
    let show = |progress| bar.show(progress);
    let outcome = reread(&installation, &door.stamp(), args.import, false, &show).await?;
    drop(bar);
    told(outcome, door)
}

/// A progress bar that learns how much there is from the first report.
struct Bar<'a> {
    door: &'a Door,
    label: String,
    drawn: std::sync::OnceLock<crate::output::Progress>,
}

impl<'a> Bar<'a> {
    fn new(door: &'a Door, label: &str) -> Bar<'a> {
        Bar { door, label: label.to_owned(), drawn: std::sync::OnceLock::new() }
    }

    fn show(&self, progress: Progress) {
        let bar = self.drawn.get_or_init(|| self.door.output.progress(&self.label, progress.bytes_total));
        bar.set(progress.bytes.min(progress.bytes_total));
    }
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn told(mut outcome: Outcome, door: &Door) -> Result<(), Refusal> {
    let refusal = outcome.refusal.take();
    let mut details = problem_lines(&mut outcome);
    if door.output.is_json() {
        door.output.data(&Told { outcome: &outcome }, |_| String::new())?;
    }
    if let Some(refused) = refusal {
        details.extend(refused.details);
        let mut refusal = Refusal::new(refused.message).with_details(details);
        refusal.hints = refused.hints;
        return Err(refusal);
    }
    for detail in &details {
        door.output.message(detail);
    }
    for note in &outcome.notes {
        match note.strip_prefix("warning: ") {
            Some(warning) => door.output.warning(warning),
            None => door.output.message(&format!("note: {note}")),
        }
    }
    if !door.output.is_json() {
        door.output.text(&summary(&outcome, door))?;
    }
    if let Some(import) = outcome.import {
        if 0 < outcome.adjustments {
            // They are in another period than what was delivered.
            door.output.hint("`focus-billing review list` shows what to decide");
        } else if 0 < outcome.flagged {
            door.output.hint(&format!(
                "`focus-billing review list --period {}` shows what to decide",
                first_period(&outcome)
            ));
        }
        if 0 < outcome.quarantined {
            door.output
                .hint(&format!("`focus-billing imports show {import}` shows the rows that were kept aside"));
        }
    }
    Ok(())
}

fn first_period(outcome: &Outcome) -> String {
    outcome.periods.first().map_or_else(String::new, ToString::to_string)
}

fn summary(outcome: &Outcome, door: &Door) -> String {
    let currency = door.currency();
    let amount = |amount: Amount| exact(amount, currency);
    let mut text = match outcome.import {
        _ if outcome.unchanged => format!("{}: nothing to import\n", outcome.source),
        Some(import) => format!(
            "import {import}: {} of {}\n",
            count(outcome.charges, "charge", "charges"),
            outcome.source
        ),
        None => format!(
            "dry run: {} of {} would be imported\n",
            count(outcome.charges, "charge", "charges"),
            outcome.source
        ),
    };
    if outcome.unchanged {
        return text;
    }
    let mut facts = vec![
        ("periods", joined(&outcome.periods)),
        (
            "rows",
            format!(
                "{} delivered, {} charges, {} quarantined",
                outcome.rows, outcome.charges, outcome.quarantined
            ),
        ),
        ("list cost", amount(outcome.list_cost)),
        ("billed cost", amount(outcome.billed_cost)),
    ];
    if 0 < outcome.flagged {
        let flagged = count(outcome.flagged, "charge", "charges");
        facts.push(("held for review", format!("{flagged}, {}", amount(outcome.flagged_cost))));
    }
    for superseded in &outcome.superseded {
        let line = format!(
            "import {}: {} added, {} gone, {} changed; billed {} before, {} after",
            superseded.import,
            superseded.added.rows,
            superseded.gone.rows,
            superseded.changed,
            amount(superseded.billed_before),
            amount(superseded.billed_after),
        );
        facts.push(("supersedes", line));
    }
    for (name, fact) in facts {
        let _ = writeln!(text, "  {name:<16} {fact}");
    }
    text.push_str(&flags(&outcome.flags, door));
    text
}

fn flags(flags: &[(Flag, u64, Amount)], door: &Door) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec![
        Column::text("flag"),
        Column::number("charges"),
        Column::number("billed cost"),
        Column::text("why"),
    ]);
    for (flag, rows, billed) in flags {
        let cells = [
            flag.name().to_owned(),
            rows.to_string(),
            exact(*billed, door.currency()),
            flag.reason().to_owned(),
        ];
        table.row(cells);
    }
    format!("\n{}", table.render())
}
