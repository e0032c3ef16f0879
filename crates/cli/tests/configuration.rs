//! The binary, from the outside: exit codes, what goes where, the configuration commands.
#![cfg(test)]

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

/// Run `focus-billing` in a folder; exit code, standard output and standard error as one text.
fn run(folder: &Path, line: &str) -> String {
    run_with(folder, line, &[])
}

fn run_with(folder: &Path, line: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_focus-billing"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let out = text(&output.stdout).replace(folder.to_str().unwrap(), "HOME");
    format!("{}\n{out}--\n{}", output.status.code().unwrap(), text(&output.stderr))
}

fn folder_with(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    folder
}

#[test]
fn both_spellings_of_version_answer() {
    let folder = tempfile::tempdir().unwrap();
    let expected = format!("0\nfocus-billing {}\n--\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(folder.path(), "version"), expected);
    assert_eq!(run(folder.path(), "--version"), expected);
}

#[test]
fn problems_are_listed_and_refused() {
    let folder = folder_with("currncy: x\nsmtp: {port: abc}\n");
    assert_snapshot!(run(folder.path(), "config check"), @"
    1
    config.yaml:1: currncy: unknown key (did you mean currency?)
    config.yaml:2: smtp.port: `abc` is not a port number
    --
    error: the configuration has 2 problems
    ");
    assert_snapshot!(run(folder.path(), "config show"), @"
    1
    --
    config.yaml:1: currncy: unknown key (did you mean currency?)
    config.yaml:2: smtp.port: `abc` is not a port number
    error: config.yaml has 2 problems
    ");
    assert_snapshot!(run(folder.path(), "config check --json"), @r#"
    1
    {
      "file": "config.yaml",
      "home": null,
      "problems": [
        {
          "file": "config.yaml",
          "line": 1,
          "key": "currncy",
          "message": "unknown key (did you mean currency?)"
        },
        {
          "file": "config.yaml",
          "line": 2,
          "key": "smtp.port",
          "message": "`abc` is not a port number"
        }
      ],
      "notes": []
    }
    --
    error: the configuration has 2 problems
    "#);
}

#[test]
fn a_good_configuration_says_what_it_lacks_for_later() {
    let folder = folder_with("smtp: {host: smtp.example.edu, password: '${MAIL_PASSWORD}'}\n");
    assert_snapshot!(run(folder.path(), "config check"), @"
    0
    note: config.yaml:1: smtp.password: the environment variable `MAIL_PASSWORD` is not set
    HOME/config.yaml: good
    home: HOME
    --
    ");
    assert_snapshot!(run_with(folder.path(), "config check", &[("MAIL_PASSWORD", "x")]), @"
    0
    HOME/config.yaml: good
    home: HOME
    --
    ");
}

#[test]
fn without_a_file_the_way_to_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(run(folder.path(), "config check"), @"
    0
    no configuration file: the defaults hold
    home: HOME
    --
    hint: `focus-billing config init` writes a commented file to start from
    ");
    assert_snapshot!(run(folder.path(), "config init"), @"
    0
    --
    wrote `config.yaml`
    hint: edit it, then `focus-billing config check --config config.yaml`
    ");
    assert_snapshot!(run(folder.path(), "config check"), @"
    0
    HOME/config.yaml: good
    home: HOME
    --
    ");
    assert_snapshot!(run(folder.path(), "config init"), @"
    1
    --
    error: `config.yaml` exists and is not overwritten
    hint: name another file: `focus-billing config init config.new.yaml`
    ");
    assert_snapshot!(run(folder.path(), "--quiet config init other.yaml"), @"
    0
    --
    ");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(run(folder.path(), "config check --config nowhere.yaml"), @"
    1
    --
    error: --config: there is no file `nowhere.yaml`
    ");
    let named = [("FOCUS_BILLING_CONFIG", "missing.yaml")];
    assert_snapshot!(run_with(folder.path(), "config show", &named), @"
    1
    --
    error: FOCUS_BILLING_CONFIG: there is no file `missing.yaml`
    ");
    assert_snapshot!(run(folder.path(), "--home nowhere config show"), @"
    1
    --
    error: --home: there is no folder `nowhere`
    ");
}

#[test]
fn bad_arguments_end_with_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(run(folder.path(), "periods close 2025-1"), @"
    2
    --
    error: invalid value '2025-1' for '<YYYY-MM>': `2025-1` is not a period such as 2025-01

    For more information, try '--help'.
    ");
}

#[test]
fn the_completions_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let script = run(folder.path(), "completions bash");
    assert!(script.starts_with("0\n") && script.contains("export-journal"), "{script}");
}
