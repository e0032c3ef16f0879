use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;

use workflow::verify::{Check, Progress, Request, Verified, verify};

use super::Door;
use super::words::{count, grouped};
use crate::args::VerifyArgs;
use crate::output::{self, Refusal};

pub async fn run(args: &VerifyArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    let bar = Bar { door, drawn: Mutex::new(None) };
    let request = Request { period: args.period, deep: args.deep };
    let found = verify(&installation, request, &|progress| bar.show(&progress)).await?;
    drop(bar);
    door.output.data(&found, told)?;
    if found.sound {
        if !found.deep {
            door.output.hint("the delivered bytes were not read again: `focus-billing verify --deep` does");
        }
        return Ok(());
    }
    let number = found.differences.len() as u64;
    let mut refusal =
        Refusal::new(format!("the books do not hold: {}", count(number, "difference", "differences")));
    let kinds: BTreeSet<Check> = found.differences.iter().map(|difference| difference.check).collect();
    refusal.hints = kinds.into_iter().map(|check| check.way_on().to_owned()).collect();
    Err(refusal)
}

/// A bar for each step.
struct Bar<'a> {
    door: &'a Door,
    drawn: Mutex<Option<(&'static str, output::Progress)>>,
}

impl Bar<'_> {
    fn show(&self, progress: &Progress) {
        let mut drawn = self.drawn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if drawn.as_ref().is_none_or(|(step, _)| *step != progress.step) {
            // The bar of the step before is cleared first.
            *drawn = None;
            *drawn = Some((progress.step, self.door.output.progress(progress.step, progress.bytes_total)));
        }
        if let Some((_, bar)) = &*drawn {
            bar.set(progress.bytes);
        }
    }
}

fn told(found: &Verified) -> String {
    let mut text = String::new();
    let number = |count: u64| grouped(count);
    let width = found.checks.iter().map(|made| number(made.count).len()).max().unwrap_or(1);
    for made in &found.checks {
        let result = match made.differences {
            0 => "ok".to_owned(),
            some => count(some, "difference", "differences"),
        };
        let name = made.check.name();
        let _ = writeln!(text, "{name:<16} {:>width$}  {}: {result}", number(made.count), made.what);
    }
    if !found.differences.is_empty() {
        text.push('\n');
    }
    for difference in &found.differences {
        let _ = writeln!(text, "{}: {}", difference.place, difference.what);
    }
    text
}
