//! What every story needs: an installation in a temporary folder and the real binary run in it.
#![allow(dead_code, reason = "each story file uses a part of it")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A place where `focus-billing` runs: its own home folder and nothing of the environment.
pub struct Home {
    dir: TempDir,
}

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The twelve columns a chargeback needs.
pub const HEADER: &str = "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ListCost,\
ContractedCost,BilledCost,EffectiveCost,ResourceId,ResourceName,ServiceName,Tags";

/// A configuration with which the whole month works: two sources that are credited, and files for mail.
pub const CONFIG: &str = "\
dev_mode: true
institution:
  name: Example University
  contact_email: billing@example.edu
email:
  from_address: billing@example.edu
imports:
  known_sources:
    - { name: AWS, pattern: aws, fund_org: IT-AWS, account_code: \"54100\" }
    - { name: HPC, pattern: hpc, fund_org: IT-HPC, account_code: \"54200\" }
";

impl Home {
    /// An installation with [`CONFIG`].
    pub fn new() -> Home {
        let home = Home::bare();
        home.write("config.yaml", CONFIG);
        home
    }

    /// An empty folder: no configuration, nothing imported.
    pub fn bare() -> Home {
        Home { dir: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Write a file of the core columns: one line per row, each made by [`row`].
    pub fn focus(&self, name: &str, rows: &[String]) -> PathBuf {
        let mut text = format!("{HEADER}\n");
        for row in rows {
            writeln!(text, "{row}").unwrap();
        }
        self.write(name, text)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The binary, set up to run here; for stories that need more than [`Home::run`].
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_focus-billing"));
        command
            .args(words(line))
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USER", "casey")
            .stdin(Stdio::null());
        command
    }

    /// Run `focus-billing LINE` (words split at blanks; `'…'` keeps blanks).
    pub fn run(&self, line: &str) -> Answer {
        let output = self.command(line).output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: self.without_paths(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.without_paths(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// Run a command that must succeed, and return what it printed for machines.
    pub fn ok(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, 0, "`{line}` failed:\n{}{}", answer.stdout, answer.stderr);
        answer.stdout
    }

    pub fn json(&self, line: &str) -> serde_json::Value {
        let text = self.ok(&format!("{line} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{line}` gave no JSON: {error}\n{text}"))
    }

    /// Run a command that must be refused (exit 1), and return its words.
    pub fn refused(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, 1, "`{line}` was not refused:\n{}{}", answer.stdout, answer.stderr);
        answer.stderr
    }

    fn without_paths(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "HOME")
    }
}

/// One row of the core columns for January 2025.
pub fn row(resource: &str, service: &str, list: &str, billed: &str, tags: &str) -> String {
    row_of("2025-01", resource, service, list, billed, tags)
}

/// One row of the core columns, its charge on the first day of `period`.
pub fn row_of(period: &str, resource: &str, service: &str, list: &str, billed: &str, tags: &str) -> String {
    let day = format!("{period}-01");
    let end = format!("{period}-{}", if period.ends_with("02") { "28" } else { "31" });
    let end = if ["04", "06", "09", "11"].iter().any(|m| period.ends_with(m)) { format!("{period}-30") } else { end };
    format!(
        "{day},{end},{day},{day},{list},{billed},{billed},{billed},{resource},{resource},{service},\"{}\"",
        tags.replace('"', "\"\"")
    )
}

/// The tags of a project that has everything.
pub fn tags(pi: &str, project: &str, fund_org: &str) -> String {
    format!(r#"{{"pi_email": "{pi}", "project_id": "{project}", "fund_org": "{fund_org}"}}"#)
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut any) = (String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                any = true;
            }
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => word.push(letter),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}
