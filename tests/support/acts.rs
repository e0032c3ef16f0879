//! How each act is spelled. Stories call these; only here stand arguments that the issue leaves open.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Child;

use money::Amount;
use serde_json::Value;

use super::{Home, Table, amount, entries, text, texts};

/// What a reassignment sets; `None` leaves what is there.
#[derive(Default)]
pub struct Change<'a> {
    pub pi: Option<&'a str>,
    pub project: Option<&'a str>,
    pub fund_org: Option<&'a str>,
    pub account: Option<&'a str>,
}

impl Home {
    pub fn open(&self, period: &str) {
        self.ok(&format!("periods open {period}"));
    }

    pub fn close(&self, period: &str) {
        self.ok(&format!("periods close {period}"));
    }

    pub fn reopen(&self, period: &str, reason: &str) {
        self.ok(&format!("periods reopen {period} --reason '{reason}'"));
    }

    /// Post what is not posted, let accounting accept it, and finalize.
    pub fn finalize(&self, period: &str) {
        self.settle(period);
        self.ok(&format!("periods finalize {period} --notes 'signed off'"));
    }

    /// Export the journal of a period to a file of its own, and accept all that is open.
    pub fn settle(&self, period: &str) {
        self.ok(&format!("export-journal --period {period} --output settled-{period}.csv"));
        for journal in entries(&self.json(&format!("journals list --period {period}"))) {
            if text(&journal, "state") == "exported" {
                self.ok(&format!("journals accept {}", text(&journal, "document")));
            }
        }
    }

    /// The journals of a period as `document state`.
    pub fn journals(&self, period: &str) -> Vec<String> {
        let journals = entries(&self.json(&format!("journals list --period {period}")));
        journals
            .iter()
            .map(|journal| format!("{} {}", text(journal, "document"), text(journal, "state")))
            .collect()
    }

    /// `open`, `closed` or `finalized`.
    pub fn period_state(&self, period: &str) -> String {
        text(&self.json(&format!("periods show {period}")), "state").to_owned()
    }

    /// Close January 2025 and issue its statements.
    pub fn bill_january(&self) -> Vec<Value> {
        self.close("2025-01");
        self.generate("2025-01")
    }

    pub fn generate(&self, period: &str) -> Vec<Value> {
        entries(&self.json(&format!("generate --period {period}")))
    }

    /// Decide about charges: `act` is approve, reject or defer, `filter` as for `review list`.
    pub fn decide(&self, act: &str, filter: &str) {
        self.ok(&format!("review {act} {filter} --note 'as agreed' --yes"));
    }

    /// The command that reassigns: `--pi`, `--project` and the like filter, `--to-…` sets.
    pub fn reassignment(filter: &str, to: &Change<'_>) -> String {
        let mut line = format!("review reassign {filter}");
        let fields =
            [("pi", to.pi), ("project", to.project), ("fund-org", to.fund_org), ("account-code", to.account)];
        for (name, value) in fields {
            if let Some(value) = value {
                write!(line, " --to-{name} '{value}'").unwrap();
            }
        }
        line + " --note 'as agreed' --yes"
    }

    pub fn reassign(&self, filter: &str, to: &Change<'_>) {
        self.ok(&Home::reassignment(filter, to));
    }

    /// Take back the decisions about the charges of a filter.
    pub fn undo(&self, filter: &str) {
        self.ok(&format!("review undo {filter} --yes"));
    }

    /// A `report` for machines, with every digit.
    pub fn report(&self, arguments: &str) -> Table {
        Table::read(&self.ok(&format!("report {arguments} --format csv")))
    }

    /// Σ `billed_cost` of January 2025 in a state: billable, held, rejected or all.
    pub fn billed(&self, state: &str) -> Amount {
        self.report(&format!("--period 2025-01 --state {state}")).sum("billed_cost")
    }

    /// The general-ledger journal of a period.
    pub fn gl(&self, period: &str) -> Table {
        self.ok(&format!("export-journal --period {period} --format gl --output gl.csv"));
        Table::read(&self.read("gl.csv"))
    }

    /// Charges as `charges list --json` gives them, in the order of their ids.
    pub fn charges(&self, filter: &str) -> Vec<Value> {
        let mut charges = entries(&self.json(&format!("charges list {filter}")));
        let place = |charge: &Value| {
            let id = text(charge, "id").to_owned();
            let (import, row) = id.split_once(':').unwrap();
            (import.parse::<u64>().unwrap(), row.parse::<u64>().unwrap())
        };
        charges.sort_by_key(place);
        charges
    }

    /// The lines of a statement's model: each with list, discount, subsidy and due.
    pub fn statement_lines(&self, number: &str) -> Vec<Value> {
        entries(&self.json(&format!("statements show {number}"))["lines"])
    }

    /// Where a statement's PDF is: `path` as `generate --json` gives it.
    pub fn document(&self, statement: &Value) -> PathBuf {
        let path = text(statement, "path");
        self.path().join(path.strip_prefix("HOME/").unwrap_or(path))
    }

    /// The flags of January's only charge.
    pub fn flags_of_only_charge(&self) -> Vec<String> {
        let charges = self.charges("--period 2025-01");
        assert_eq!(charges.len(), 1, "{charges:?}");
        texts(&charges[0]["flags"])
    }

    /// Messages that `dev_mode` wrote: name and content of every `.eml`.
    pub fn eml(&self) -> Vec<(String, String)> {
        let files = self.tree("instance/output/emails");
        let messages = files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "eml"));
        messages
            .map(|(path, bytes)| (path.display().to_string(), String::from_utf8_lossy(bytes).into_owned()))
            .collect()
    }

    /// Start a command and leave it running; nothing of it is shown.
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    }
}

/// Σ `amount_due` of statements as `generate --json` and `statements list --json` give them.
pub fn due(statements: &[Value]) -> Amount {
    statements.iter().map(|statement| amount(statement, "amount_due")).sum()
}
