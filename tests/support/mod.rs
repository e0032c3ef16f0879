//! What every story needs: an installation in a temporary folder and the real binary run in it.
//!
//! [`Home`] runs commands; `acts.rs` knows how each act is spelled, so that a renamed argument is one
//! line here and not fifty in the stories; `tables.rs` reads what commands print for machines; `smtp.rs`
//! is a mail server that misbehaves on request; `pdf.rs` reads a statement as a person would.
//!
//! Stories name their months, so nothing may depend on today: a month too far back to be opened by an
//! import is opened by `periods open` first ([`Home::new`] does so for January 2025).
#![allow(dead_code, unused_imports, reason = "each story file uses a part of it")]

mod acts;
mod engines;
mod pdf;
mod smtp;
mod tables;
pub mod web;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

pub use acts::{Change, due};
pub use engines::{Engine, empty_schema, engines, sql};
pub use pdf::{pdf_text, pdf_words};
pub use smtp::{Delivered, Reply, SmtpServer};
pub use tables::{Table, amount, entries, exact, is_said, posted, text, texts};

/// A place where `focus-billing` runs: its own home folder and nothing of the environment.
pub struct Home {
    dir: TempDir,
    /// Where the ledger is, when it is no file.
    database: Option<String>,
}

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary of this build, or another (a release with failpoints, for long runs).
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let other = std::env::var_os("FOCUS_BILLING_TEST_BINARY");
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_focus-billing").into()).into()
});

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
    /// An installation with [`CONFIG`] and January 2025 open.
    pub fn new() -> Home {
        Home::with("")
    }

    /// The same with more YAML at the end of the configuration.
    pub fn with(more: &str) -> Home {
        let home = Home::bare();
        home.write("config.yaml", format!("{CONFIG}{more}"));
        home.open("2025-01");
        home
    }

    /// A copy of another installation, as it stands on the disk.
    pub fn copy_of(other: &Home) -> Home {
        let home = Home::bare();
        copy_folder(other.path(), home.path());
        home
    }

    /// An empty folder: no configuration, nothing imported.
    pub fn bare() -> Home {
        Home::bare_on(Engine::of_stories())
    }

    /// The same with its ledger in a database of this engine, which an otherwise empty configuration names.
    pub fn bare_on(engine: Engine) -> Home {
        let home = Home { dir: TempDir::new().unwrap(), database: engine.empty_database() };
        if home.database.is_some() {
            home.write("instance/config.yaml", "");
        }
        home
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        if let (Some(url), true) = (&self.database, name.ends_with("config.yaml")) {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, format!("{text}\ndatabase: {{ url: \"{url}\" }}\n")).unwrap();
        }
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
        let mut command = Command::new(BINARY.as_path());
        command.args(words(line));
        self.confine(command)
    }

    /// The same after a line of shell, which may set limits for it.
    pub fn command_after(&self, shell: &str, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(BINARY.as_path()).args(words(line));
        self.confine(command)
    }

    fn confine(&self, mut command: Command) -> Command {
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USER", "casey")
            .stdin(Stdio::null());
        command
    }

    /// Run `focus-billing LINE` (words split at blanks; `'…'` keeps blanks).
    pub fn run(&self, line: &str) -> Answer {
        self.answer(&self.command(line).output().unwrap())
    }

    /// What a command answered, without what differs from run to run.
    pub fn answer(&self, output: &Output) -> Answer {
        let text = |bytes: &[u8]| self.without_paths(std::str::from_utf8(bytes).unwrap());
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
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

    /// Run a command that must be refused (exit 1) and says so to machines as well.
    pub fn refused_json(&self, line: &str) -> serde_json::Value {
        let answer = self.run(&format!("{line} --json"));
        assert_eq!(answer.code, 1, "`{line}` was not refused:\n{}{}", answer.stdout, answer.stderr);
        serde_json::from_str(&answer.stdout).unwrap_or_else(|error| {
            panic!("`{line}` gave no JSON: {error}\n{}{}", answer.stdout, answer.stderr)
        })
    }

    /// Run a command that must be refused (exit 1), and return its words.
    pub fn refused(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, 1, "`{line}` was not refused:\n{}{}", answer.stdout, answer.stderr);
        answer.stderr
    }

    /// Every file below a folder of the home with its bytes; empty when the folder is not there.
    pub fn tree(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(
                        path.strip_prefix(self.path()).unwrap().to_owned(),
                        std::fs::read(&path).unwrap(),
                    );
                }
            }
        }
        files
    }

    /// After a refusal: no import, no charge, and no file of one in the lake.
    pub fn assert_nothing_stored(&self) {
        assert_eq!(self.json("imports list"), serde_json::json!([]), "an import was kept");
        let mut facts = self.tree("instance/lake/charges");
        facts.append(&mut self.tree("instance/lake/deliveries"));
        assert!(facts.is_empty(), "left in the lake: {:?}", facts.keys());
    }

    fn without_paths(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "HOME")
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Many commands at once may run longer than a person waits, but never for ever.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// The tags of a project of `pi@example.edu`, paid by PHYS-1001.
pub fn project(project: &str) -> String {
    tags("pi@example.edu", project, "PHYS-1001")
}

/// One row of the core columns for January 2025.
pub fn row(resource: &str, service: &str, list: &str, billed: &str, tags: &str) -> String {
    row_of("2025-01", resource, service, list, billed, tags)
}

/// One row of the core columns, its charge on the first day of `period`.
pub fn row_of(period: &str, resource: &str, service: &str, list: &str, billed: &str, tags: &str) -> String {
    let day = format!("{period}-01");
    let final_day = match &period[5..] {
        "02" => 28,
        "04" | "06" | "09" | "11" => 30,
        _ => 31,
    };
    let end = format!("{period}-{final_day}");
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
