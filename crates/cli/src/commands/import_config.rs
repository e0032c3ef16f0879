use std::fmt::Write as _;
use std::path::PathBuf;

use billing::SourceName;
use billing::subsidy::Opening;
use serde_json::json;
use workflow::import::GivenFile;
use workflow::import_config::{Planned, Wanted, plan, preview, write};

use super::Door;
use super::reading::{read_again, told};
use super::words::{count, joined};
use crate::args::ImportConfigArgs;
use crate::output::Refusal;

/// Show what would be written, ask, write, and read again what it concerns.
pub async fn run(args: &ImportConfigArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let source = args.source.clone().map(SourceName);
    let wanted = Wanted { source, key: args.key.clone(), from: args.from };
    let named = |path: &PathBuf| GivenFile { name: path.display().to_string(), path: path.clone() };
    let files: Vec<GivenFile> = args.files.iter().map(named).collect();
    let planned = plan(&installation, &files, &wanted).await?;
    for note in &planned.notes {
        door.output.message(&format!("note: {note}"));
    }
    if planned.is_empty() {
        let answer = json!({ "planned": planned });
        return Ok(door
            .output
            .data(&answer, |_| "all of it is there already: nothing changed\n".to_owned())?);
    }
    let effect = preview(&installation, &door.stamp(), &planned).await?;
    let shown = format!("{}{}", rules(&planned), told(&effect, door));
    if args.sure.dry_run {
        let answer = json!({ "planned": planned, "effect": effect });
        return Ok(door.output.data(&answer, |_| shown)?);
    }
    if !door.output.is_json() {
        door.output.message(shown.trim_end());
    }
    door.output.confirm("write these rules?", args.sure.yes)?;
    let called: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let number = write(&installation, &door.stamp(), &planned, &called).await?;
    let reread = read_again(&installation, door).await?;
    let answer = json!({ "number": number, "planned": planned, "effect": effect, "read_again": reread });
    Ok(door.output.data(&answer, |_| format!("the rules are written (act {number})\n"))?)
}

fn rules(planned: &Planned) -> String {
    let mut text = String::new();
    for rule in &planned.attribution {
        let given = rule.gives.values().into_iter().flatten();
        let _ = writeln!(text, "  {} is of {}", rule.subject(), joined(given));
    }
    for rate in &planned.rates {
        let to = rate.to.map_or_else(String::new, |to| format!(" to {to}"));
        let _ = writeln!(text, "  rate {} costs {} from {}{to}", rate.subject(), rate.price, rate.from);
    }
    for rule in &planned.subsidies {
        let most = rule.tiers.last().and_then(|tier| tier.up_to);
        let most = most.map_or_else(String::new, |most| format!(", up to {most}"));
        let _ = writeln!(text, "  subsidy `{}`, paid by {}{most}, from {}", rule.name, rule.payer, rule.from);
        for opening in &rule.opening {
            let Opening { pi_email, project_id, user, period, paid, .. } = opening;
            let whom = user.clone().unwrap_or_else(|| format!("{project_id} of {pi_email}"));
            let _ = writeln!(text, "    had paid {paid} for {whom} in the year of {period}");
        }
    }
    let new = (planned.attribution.len() + planned.rates.len() + planned.subsidies.len()) as u64;
    let known = match planned.known as u64 {
        0 => String::new(),
        known => format!(", {} there already", count(known, "is", "are")),
    };
    let _ = writeln!(text, "{} would be written{known}", count(new, "rule", "rules"));
    text
}
