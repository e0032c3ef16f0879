use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::Door;
use crate::args::{ConfigCommand, GlobalArgs, InitArgs};
use crate::config::{COMMENTED, Config, ConfigError, Finding, Location, Place};
use crate::output::{Hint, Output, Refusal};

pub(super) fn run(command: &ConfigCommand, global: &GlobalArgs, output: Output) -> Result<(), Refusal> {
    match command {
        ConfigCommand::Init(args) => init(args, output),
        ConfigCommand::Check => check(global, output),
        ConfigCommand::Show => {
            let door = Door::open(global, output)?;
            Ok(output.data(&door.config.to_json(), |_| door.config.to_yaml())?)
        }
    }
}

fn init(args: &InitArgs, output: Output) -> Result<(), Refusal> {
    let name = args.file.display();
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&args.file) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Refusal::new(format!("`{name}` exists and is not overwritten")))
                .hint("name another file: `focus-billing config init config.new.yaml`");
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write `{name}`"))?,
    };
    file.write_all(COMMENTED.as_bytes()).with_context(|| format!("cannot write `{name}`"))?;
    output.message(&format!("wrote `{name}`"));
    output.hint(&format!("edit it, then `focus-billing config check --config {name}`"));
    Ok(())
}

/// What `config check --json` prints.
#[derive(Serialize)]
struct Checked<'a> {
    file: Option<String>,
    home: Option<String>,
    problems: Vec<&'a Finding>,
    notes: Vec<&'a Finding>,
}

fn check(global: &GlobalArgs, output: Output) -> Result<(), Refusal> {
    let location = Location::new(global.config.as_deref(), global.home.as_deref());
    let shown = |path: &Path| path.display().to_string();
    let (file, home, findings) = match Config::load(&location) {
        Ok(config) => {
            let mut findings = config.notes.clone();
            findings.extend(unset_variables(&config));
            (config.file.as_deref().map(shown), Some(shown(&config.home)), findings)
        }
        Err(ConfigError::Problems { file, findings }) => (Some(file), None, findings),
        Err(other) => return Err(other.into()),
    };
    let (problems, notes): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| f.is_problem);
    let checked = Checked { file, home, problems, notes };
    output.data(&checked, in_words)?;
    match (checked.problems.len(), &checked.file) {
        (0, Some(_)) => Ok(()),
        (0, None) => {
            output.hint("`focus-billing config init` writes a commented file to start from");
            Ok(())
        }
        (1, _) => Err(Refusal::new("the configuration has 1 problem")),
        (count, _) => Err(Refusal::new(format!("the configuration has {count} problems"))),
    }
}

/// Not problems: only the command that uses such a value is refused.
fn unset_variables(config: &Config) -> impl Iterator<Item = Finding> {
    let missing = config.missing_variables(&|name| std::env::var(name).ok());
    missing.into_iter().map(|missing| Finding {
        place: missing.place.unwrap_or(Place { file: String::new(), line: 1 }),
        key: missing.key,
        message: format!("the environment variable `{}` is not set", missing.variable),
        is_problem: false,
    })
}

fn in_words(checked: &Checked<'_>) -> String {
    let problems = checked.problems.iter().map(|finding| format!("{finding}\n"));
    let notes = checked.notes.iter().map(|finding| format!("note: {finding}\n"));
    let mut text: String = problems.chain(notes).collect();
    if checked.problems.is_empty() {
        let file = checked.file.as_deref();
        text += &file.map_or("no configuration file: the defaults hold".to_owned(), |f| format!("{f}: good"));
        text += "\n";
        if let Some(home) = &checked.home {
            text += "home: ";
            text += home;
            text += "\n";
        }
    }
    text
}
