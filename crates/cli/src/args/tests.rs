use std::collections::BTreeSet;

use clap::Command as ClapCommand;
use insta::assert_snapshot;

use super::*;

/// Every command that can be typed, with its path.
fn leaves(command: &ClapCommand, path: &str, found: &mut Vec<(String, ClapCommand)>) {
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        if sub.has_subcommands() {
            leaves(sub, &path, found);
        } else {
            found.push((path, sub.clone()));
        }
    }
}

fn all_commands() -> Vec<(String, ClapCommand)> {
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    leaves(&command, "focus-billing", &mut found);
    found
}

fn examples(command: &ClapCommand) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    help.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
}

/// Words as a shell would split them; the examples quote with `"` only.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(OsString::from));
        }
    }
    words
}

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(words(line))
}

#[test]
fn clap_finds_nothing_wrong_with_the_tree() {
    Cli::command().debug_assert();
}

#[test]
fn names_and_examples() {
    let mut tree = Vec::new();
    for (path, command) in all_commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        tree.push(format!("{path}: {about}"));
        tree.extend(examples(&command).iter().map(|line| format!("    {line}")));
    }
    let tree = tree.join("\n");
    assert_snapshot!(tree);
}

#[test]
fn every_command_says_what_it_is_for_and_has_examples_that_parse() {
    for (path, command) in all_commands() {
        assert!(command.get_about().is_some(), "{path} has no about");
        let examples = examples(&command);
        assert!(!examples.is_empty(), "{path} has no example");
        for example in examples {
            assert!(example.starts_with(&path), "`{example}` is no example of `{path}`");
            read(&example).unwrap_or_else(|error| panic!("{example}: {error}"));
        }
        let silent: Vec<String> = command
            .get_arguments()
            .filter(|argument| argument.get_help().is_none() && !argument.is_positional())
            .map(ToString::to_string)
            .collect();
        assert!(silent.is_empty(), "{path}: {silent:?} have no help");
    }
}

#[test]
fn every_example_of_the_sample_data_names_a_file_that_is_there() {
    let named: BTreeSet<String> = all_commands()
        .iter()
        .flat_map(|(_, command)| examples(command))
        .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.starts_with("sample_data/"))
        .collect();
    assert!(named.len() > 1);
    for file in named {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file);
        assert!(path.is_file(), "{file}");
    }
}

#[test]
fn bad_arguments_are_refused_with_the_value_and_the_reason() {
    let refused = |line: &str| {
        let Err(error) = read(&format!("focus-billing {line}")) else { panic!("{line} is taken") };
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string().lines().next().unwrap_or_default().to_owned()
    };
    let lines = [
        "periods close 2025-13",
        "periods close january",
        "charges show 12",
        "imports show first",
        "review list --flag missing_pi",
        "review list --min-amount 12,50",
        "review approve --yes",
        "review undo",
        "review reassign --id 1:7",
        "review approve --id 1:7 --note \"\"",
        "show maren --period 2025-01",
        "generate",
        "generate --period 2025-01 --dry-run --send",
        "ingest",
        "ingest a.csv --replace 1 --append",
        "users set-role maria owner",
        "ingst a.csv",
        "imports withdraw 1",
    ];
    let table: Vec<String> = lines.iter().map(|line| format!("{line}\n    {}", refused(line))).collect();
    assert_snapshot!(table.join("\n"), @r#"
    periods close 2025-13
        error: invalid value '2025-13' for '<YYYY-MM>': `2025-13` is not a period such as 2025-01
    periods close january
        error: invalid value 'january' for '<YYYY-MM>': `january` is not a period such as 2025-01
    charges show 12
        error: invalid value '12' for '<CHARGE>': `12` is not a charge id such as 12:345
    imports show first
        error: invalid value 'first' for '<IMPORT>': not the number of an import such as 12
    review list --flag missing_pi
        error: invalid value 'missing_pi' for '--flag <FLAG>': not a flag: there is missing_pi_email, invalid_pi_email, missing_project_id, missing_fund_org, unparsed_fund_org, currency_mismatch, invalid_fund_org, pattern_match, period_mismatch, invalid_tags, possible_duplicate, project_ended, past_reconciliation, unusual_cost, period_start, unknown_category, changed_since_decision, correction, no_rate
    review list --min-amount 12,50
        error: invalid value '12,50' for '--min-amount <AMOUNT>': has a thousands separator or a decimal comma; write 1234.50
    review approve --yes
        error: say which charges: --id, --period, --flag or another filter
    review undo
        error: say which charges: --id, --period, --flag or another filter
    review reassign --id 1:7
        error: the following required arguments were not provided:
    review approve --id 1:7 --note ""
        error: invalid value '' for '--note <WORDS>': it is empty
    show maren --period 2025-01
        error: invalid value 'maren' for '<PI>': not an e-mail address such as maren.okafor@example.edu, or P-12
    generate
        error: the following required arguments were not provided:
    generate --period 2025-01 --dry-run --send
        error: the argument '--dry-run' cannot be used with '--send'
    ingest
        error: the following required arguments were not provided:
    ingest a.csv --replace 1 --append
        error: the argument '--replace <IMPORT>' cannot be used with '--append'
    users set-role maria owner
        error: invalid value 'owner' for '<ROLE>'
    ingst a.csv
        error: unrecognized subcommand 'ingst'
    imports withdraw 1
        error: the following required arguments were not provided:
    "#);
}

#[test]
fn filters_take_lists_and_signs() {
    let line = "focus-billing review approve --id 1:7,1:8 --id 2:1 --flag pattern_match,INVALID_TAGS \
                --pi Maren.Okafor@Example.edu --min-amount -5 --max-amount 1e3 --import #4 --yes --json";
    let cli = read(line).unwrap();
    let Command::Review(ReviewCommand::Approve(act)) = cli.command else { panic!("not an approval") };
    assert!(act.yes && cli.global.json);
    assert_eq!(act.filter.ids.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1:7", "1:8", "2:1"]);
    assert_eq!(act.filter.flags, [billing::Flag::PatternMatch, billing::Flag::InvalidTags]);
    assert_eq!(act.filter.pi.as_deref(), Some("maren.okafor@example.edu"));
    assert_eq!(act.filter.min_amount, Some("-5".parse().unwrap()));
    assert_eq!(act.filter.max_amount, Some("1000".parse().unwrap()));
    assert_eq!(act.filter.import, Some(billing::ImportId(4)));
}

#[test]
fn version_and_help_are_no_mistakes() {
    for line in ["focus-billing --version", "focus-billing --help", "focus-billing review approve --help"] {
        assert_eq!(read(line).unwrap_err().exit_code(), 0, "{line}");
    }
    assert!(matches!(read("focus-billing version").unwrap().command, Command::Version));
    assert_eq!(read("focus-billing").unwrap_err().exit_code(), 2);
}

/// Commands of a page: the lines of its code blocks, without what a shell makes of `#` and `>`.
fn commands_of(page: &str) -> Vec<String> {
    let lines = page.lines().filter(|line| line.starts_with("focus-billing "));
    let before = |line: &str, mark: &str| line.split(mark).next().unwrap_or_default().trim().to_owned();
    lines.map(|line| before(&before(line, " #"), " > ")).collect()
}

#[test]
fn the_commands_of_the_documents_parse() {
    let pages = [
        include_str!("../../../../README.md"),
        include_str!("../../../../docs/guide/operations.md"),
        include_str!("../../../../docs/guide/verify.md"),
    ];
    let commands: Vec<String> = pages.into_iter().flat_map(commands_of).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        read(&command).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}
