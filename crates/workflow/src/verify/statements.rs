//! Every issued statement, computed again as of the ledger number it was computed from.

use std::collections::{BTreeMap, BTreeSet};

use billing::statement::{PostedLine, Statement, Totals, changed, differences};
use billing::{LedgerNumber, Period};
use lake::View;
use ledger::{Reader, StatementFilter, StatementRow, sha256_hex};

use super::{Check, Verifying};
use crate::WorkflowError;
use crate::charges::{Scope, charges};
use crate::generate::{Owner, compute};
use crate::installation::RULES_VERSION;

/// The statements that one act issued: they were computed together, and are computed together again.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    issued_by: LedgerNumber,
    computed_at: LedgerNumber,
    configuration_digest: String,
    rule_version: u32,
}

impl Verifying<'_> {
    /// The statements of a period and its equation.
    pub(super) async fn period(&mut self, reader: &mut Reader, period: Period) -> Result<(), WorkflowError> {
        let filter = StatementFilter { period: Some(period), ..StatementFilter::default() };
        let rows = reader.list_statements(&filter, None).await?;
        self.findings.count(Check::Statements, rows.len() as u64);
        let runs = runs(&rows);
        let last = runs.iter().map(|run| run.issued_by).max();
        for run in &runs {
            let place = format!("statements of {period} computed as of {}", run.computed_at);
            if run.rule_version != RULES_VERSION {
                let what = format!(
                    "computed by version {} of the rules; this program has {RULES_VERSION}: use the one that issued them",
                    run.rule_version
                );
                self.findings.differ(Check::Statements, place, what);
                continue;
            }
            let computed = self.run(reader, period, run, last == Some(run.issued_by)).await;
            self.findings.keep(Check::Statements, place, computed);
        }
        if last.is_none() {
            let view = self.open_period(reader, period).await;
            self.findings.keep(Check::Periods, period, view);
        }
        Ok(())
    }

    /// A period without statements: its charges still are where they are.
    async fn open_period(&mut self, reader: &mut Reader, period: Period) -> Result<(), WorkflowError> {
        let settings = self.installation.settings_of(reader, period).await?;
        let view = charges(self.installation, reader, Scope::period(period), &settings, None).await?;
        self.equation(reader, period, &view, &settings, None).await
    }

    async fn run(
        &mut self,
        reader: &mut Reader,
        period: Period,
        run: &Run,
        is_last: bool,
    ) -> Result<(), WorkflowError> {
        let as_of = Some(run.computed_at);
        let settings = self.settings(reader, &run.configuration_digest).await?;
        let view = charges(self.installation, reader, Scope::period(period), &settings, as_of).await?;
        self.statements(reader, period, run, &view, &settings).await?;
        if is_last {
            let equation = self.equation(reader, period, &view, &settings, Some(run.issued_by)).await;
            self.findings.keep(Check::Periods, period, equation);
        }
        Ok(())
    }

    async fn statements(
        &mut self,
        reader: &mut Reader,
        period: Period,
        run: &Run,
        view: &View,
        settings: &billing::settings::Settings,
    ) -> Result<(), WorkflowError> {
        let owner = |row: &StatementRow| (row.pi_email.clone(), row.project_id.clone());
        let before = reader.current_statements(period, Some(run.computed_at)).await?;
        let had_one: BTreeSet<Owner> = before.iter().map(owner).collect();
        let as_of = Some(run.computed_at);
        let mut funding = crate::funding::of_period(reader, period, settings, as_of).await?;
        let computed = compute(view, period, settings, had_one, &mut funding).await?;
        // What the act left: the versions it issued, and those it found unchanged.
        let after = reader.current_statements(period, Some(run.issued_by)).await?;
        let mut after: BTreeMap<Owner, StatementRow> =
            after.into_iter().map(|row| (owner(&row), row)).collect();
        for (follows, _) in computed {
            let owner = (follows.pi_email.clone(), follows.project_id.clone());
            let Some(row) = after.remove(&owner) else {
                let due = follows.currency.display(follows.totals.due);
                let place = format!("{} of {} in {period}", owner.1, owner.0);
                self.findings.differ(
                    Check::Statements,
                    place,
                    format!("{due} is due, and no statement says so"),
                );
                continue;
            };
            if row.ledger_number == run.issued_by {
                self.statement(reader, &row, Some(&follows)).await?;
            } else {
                self.left_unchanged(reader, &row, &follows).await?;
            }
        }
        // Nothing follows from the books for these.
        for row in after.into_values().filter(|row| row.ledger_number == run.issued_by) {
            self.statement(reader, &row, None).await?;
        }
        Ok(())
    }

    /// A version against what follows from the books, and against its own rows.
    async fn statement(
        &mut self,
        reader: &mut Reader,
        row: &StatementRow,
        follows: Option<&Statement>,
    ) -> Result<(), WorkflowError> {
        let place = place(row);
        let model = reader.load_statement_model(&row.id).await?;
        // A model is kept as canonical JSON: its text is what was digested.
        let digest = sha256_hex(model.as_bytes());
        self.findings.compare(Check::Statements, &place, "digest of the model", &row.model_digest, &digest);
        let issued: Statement = match serde_json::from_str(&model) {
            Ok(issued) => issued,
            Err(error) => {
                self.findings.differ(Check::Statements, place, format!("its model cannot be read: {error}"));
                return Ok(());
            }
        };
        let lines = reader.list_statement_lines(&row.id).await?;
        let lines: Vec<PostedLine> = lines.into_iter().map(|line| line.posted).collect();
        self.own_rows(row, &issued, &lines);
        let Some(follows) = follows else {
            let due = issued.currency.display(issued.totals.due);
            let what = format!("{due} was issued, and nothing of it follows from the books");
            self.findings.differ(Check::Statements, place, what);
            return Ok(());
        };
        for differs in differences(&issued, follows) {
            self.findings.differences.push(super::Difference {
                check: Check::Statements,
                place: place.clone(),
                what: format!(
                    "{}: {} was issued, {} follows from the books",
                    differs.what, differs.issued, differs.follows
                ),
                expected: Some(differs.follows),
                found: Some(differs.issued),
            });
        }
        Ok(())
    }

    /// What the ledger says beside a model says the same, and the figures add across and down.
    fn own_rows(&mut self, row: &StatementRow, issued: &Statement, lines: &[PostedLine]) {
        let check = Check::Statements;
        let place = place(row);
        let pairs = [
            ("number", &row.id.number.0, &issued.number.0),
            ("PI", &row.pi_email, &issued.pi_email),
            ("project", &row.project_id, &issued.project_id),
        ];
        for (what, expected, found) in pairs {
            self.findings.compare(check, &place, &format!("{what} of the model"), expected, found);
        }
        self.findings.compare(check, &place, "version of the model", &row.id.version, &issued.version);
        self.findings.compare(check, &place, "period of the model", &row.period, &issued.period);
        let totals = |totals: Totals| {
            let text = |minor| issued.currency.display(minor);
            format!(
                "list {}, discount {}, subsidy {}, due {}",
                text(totals.list),
                text(totals.discount),
                text(totals.subsidy),
                text(totals.due)
            )
        };
        let (recorded, model) = (totals(row.totals), totals(issued.totals));
        self.findings.compare(check, &place, "totals of the model", &recorded, &model);
        let added = totals(Totals::of(&issued.lines));
        self.findings.compare(check, &place, "sum of the lines of the model", &model, &added);
        for (at, line) in (1..).zip(&issued.lines) {
            if line.list - line.discount - line.subsidy != line.due {
                self.findings.differ(check, &place, format!("line {at} does not add across"));
            }
        }
        if lines != issued.lines {
            let differing = lines.iter().zip(&issued.lines).position(|(kept, model)| kept != model);
            let at = differing.unwrap_or(lines.len().min(issued.lines.len())) + 1;
            let due = |lines: &[PostedLine]| {
                lines.get(at - 1).map_or("no line".to_owned(), |line| issued.currency.display(line.due))
            };
            let what = format!(
                "line {at}: the model says {}, the ledger's line says {}",
                due(&issued.lines),
                due(lines)
            );
            self.findings.differ(check, &place, what);
        }
    }

    /// A version that a later run found unchanged: what is said to its reader is still so.
    async fn left_unchanged(
        &mut self,
        reader: &mut Reader,
        row: &StatementRow,
        follows: &Statement,
    ) -> Result<(), WorkflowError> {
        let issued = reader.load_statement(&row.id).await?;
        for words in changed(&issued, follows).into_iter().flatten() {
            let what = format!("{words}; no version says so");
            self.findings.differ(Check::Statements, place(row), what);
        }
        Ok(())
    }
}

fn runs(rows: &[StatementRow]) -> Vec<Run> {
    let runs: BTreeSet<Run> = rows
        .iter()
        .map(|row| Run {
            issued_by: row.ledger_number,
            computed_at: row.computed_at,
            configuration_digest: row.configuration_digest.clone(),
            rule_version: row.rule_version,
        })
        .collect();
    runs.into_iter().collect()
}

fn place(row: &StatementRow) -> String {
    format!("statement {} v{}", row.id.number, row.id.version)
}
