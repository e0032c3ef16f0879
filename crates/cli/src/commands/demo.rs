//! A whole month on bundled data, so that a newcomer sees everything before setting anything up.

use std::path::{Path, PathBuf};

use billing::decision::{ChargeState, Reassignment};
use billing::{Flag, Period};
use lake::Filter;
use workflow::import::{Request, ingest};
use workflow::journal::{self, Format};
use workflow::review::{self, Act};
use workflow::{Installation, generate, periods, send};

use super::Door;
use super::words::count;
use crate::args::{DemoArgs, GlobalArgs};
use crate::output::{Output, Refusal, exact, posted};
use crate::sample;

/// The demo's home when none is given.
const FOLDER: &str = "focus-billing-demo";

pub async fn run(args: &DemoArgs, global: &GlobalArgs, output: Output) -> Result<(), Refusal> {
    let home = args.dir.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
    lay_out(&home)?;
    let config = home.join("config.yaml");
    let door = Door::open(&GlobalArgs { config: Some(config), home: None, ..global.clone() }, output)?;
    let installation = door.installation().await?;
    let month = month()?;
    import(&installation, &door, &home, month).await?;
    decide(&installation, &door, month).await?;
    periods::close(&installation, &door.stamp(), month, Some("demo")).await?;
    say(&door, &format!("closed {month}"));
    bill(&installation, &door, month).await?;
    post(&installation, &door, month).await?;
    where_it_is(&door, &home, month)
}

fn month() -> Result<Period, Refusal> {
    Ok("2025-01".parse::<Period>()?)
}

fn say(door: &Door, line: &str) {
    door.output.message(&format!("• {line}"));
}

fn lay_out(home: &Path) -> Result<(), Refusal> {
    if home.join("instance").exists() {
        return Err(Refusal::new(format!("`{}` has a demo already", home.display()))
            .with_hint("name another folder: `focus-billing demo --dir demo2`"));
    }
    let files = home.join("sample_data");
    std::fs::create_dir_all(&files)?;
    for file in sample::FILES {
        std::fs::write(files.join(file.name), file.bytes)?;
    }
    Ok(std::fs::write(home.join(sample::CONFIG.name), sample::CONFIG.bytes)?)
}

async fn import(installation: &Installation, door: &Door, home: &Path, month: Period) -> Result<(), Refusal> {
    for period in [month, "2025-12".parse::<Period>()?] {
        periods::open(installation, &door.stamp(), period).await?;
    }
    for file in sample::FILES {
        let request = Request::new(vec![home.join("sample_data").join(file.name).into()]);
        let outcome = ingest(installation, &door.stamp(), request, &|_| {}).await?;
        if let Some(refused) = outcome.refusal {
            return Err(Refusal::new(refused.to_string()));
        }
        let billed = exact(outcome.billed_cost, door.currency());
        let held = match outcome.flagged {
            0 => String::new(),
            flagged => format!(", {flagged} held for review"),
        };
        say(
            door,
            &format!(
                "imported {}: {}, billed {billed}{held}",
                file.name,
                count(outcome.charges, "charge", "charges")
            ),
        );
    }
    Ok(())
}

/// Some flagged charges get an owner, some are approved, the rest waits for next month.
async fn decide(installation: &Installation, door: &Door, month: Period) -> Result<(), Refusal> {
    let queue =
        review::list(installation, &Filter { billed_in: Some(month), ..Filter::default() }, None).await?;
    say(door, &format!("{} of {month} held for review:", count(queue.total, "charge", "charges")));
    for charge in &queue.charges {
        let service = charge.service_name.as_deref().unwrap_or("–");
        let cost = exact(charge.cost, door.currency());
        door.output.message(&format!(
            "    {:<6} {cost:>12}  {service}: {}",
            charge.id.to_string(),
            charge.flags
        ));
    }
    let flagged = |flag: Flag| Filter { billed_in: Some(month), flags: vec![flag], ..Filter::default() };
    let owner = Reassignment {
        pi_email: Some("maren.okafor@example.edu".to_owned()),
        project_id: Some("glacier-genomics".to_owned()),
        fund_org: Some("BIOL-40210".to_owned()),
        ..Reassignment::default()
    };
    let held = Filter { billed_in: Some(month), states: vec![ChargeState::Held], ..Filter::default() };
    let acts = [
        (Act::Approve, Filter { billed_in: Some(month), ..Filter::default() }, "looked at in the demo"),
        (Act::Reassign(owner), flagged(Flag::MissingPiEmail), "found the owner in the demo"),
        (Act::Defer(None), held, "to be asked about in the demo"),
    ];
    for (act, filter, note) in acts {
        let selection = review::select(installation, act, &filter).await?;
        if selection.charges.is_empty() {
            continue;
        }
        let name = selection.act.name();
        let decided = review::decide(installation, &door.stamp(), &selection, &filter, Some(note)).await?;
        let cost = exact(decided.cost, door.currency());
        say(door, &format!("{name}: {}, {cost}", count(decided.charges, "charge", "charges")));
    }
    Ok(())
}

async fn bill(installation: &Installation, door: &Door, month: Period) -> Result<(), Refusal> {
    let generated = generate::generate(installation, &door.stamp(), month, false, &|_, _| {}).await?;
    let due = generated.statements.iter().map(|issued| issued.totals.due).sum();
    let statements = count(generated.statements.len() as u64, "statement", "statements");
    say(door, &format!("issued {statements}, {} due", posted(due, door.currency())));
    let sent = send::send(installation, &door.stamp(), month, false, &|_, _| {}).await?;
    say(door, &format!("wrote {} as files", count(sent.sent.len() as u64, "e-mail", "e-mails")));
    Ok(())
}

async fn post(installation: &Installation, door: &Door, month: Period) -> Result<(), Refusal> {
    for format in [Format::Gl, Format::Detail] {
        let request =
            journal::Request { period: month, format, template: None, output: None, document: None };
        let exported = journal::export(installation, &door.stamp(), &request).await?;
        let currency = door.currency();
        let (debits, credits) =
            (posted(exported.totals.debits, currency), posted(exported.totals.credits, currency));
        say(
            door,
            &format!(
                "exported journal {} ({}): debits {debits}, credits {credits}",
                exported.document, exported.format
            ),
        );
    }
    Ok(())
}

fn where_it_is(door: &Door, home: &Path, month: Period) -> Result<(), Refusal> {
    let home = home.display();
    let text = format!(
        "
A month is billed. Everything is in {home}:
  statements   {home}/instance/output/pdfs
  e-mails      {home}/instance/output/emails
  journals     {home}/instance/output/journals
  the files    {home}/sample_data
  settings     {home}/config.yaml

Try next:
  focus-billing --home {home} statements list
  focus-billing --home {home} why S-{month}-0001
  focus-billing --home {home} report --period {month} --by project_id,service_name
  focus-billing --home {home} review list --period 2025-12
  focus-billing --home {home} verify
"
    );
    Ok(door.output.text(&text)?)
}
