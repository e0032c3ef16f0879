//! Every exported journal, made again from the statements of then.

use billing::Period;
use billing::journal::{Journal, JournalLine, Party};
use ledger::{JournalLineRow, JournalRow, Reader, sha256_hex};
use money::{Currency, Minor};

use super::{Check, Difference, Verifying};
use crate::WorkflowError;
use crate::installation::RULES_VERSION;
use crate::journal::{all_postings, recompute};

impl Verifying<'_> {
    pub(super) async fn journals(
        &mut self,
        reader: &mut Reader,
        period: Period,
    ) -> Result<(), WorkflowError> {
        let rows = reader.list_journals(Some(period), None).await?;
        self.findings.count(Check::Journals, rows.len() as u64);
        for row in &rows {
            let place = format!("journal {}", row.document);
            let compared = self.journal(reader, row).await;
            self.findings.keep(Check::Journals, place, compared);
        }
        if !rows.is_empty() {
            let compared = self.payers(reader, period).await;
            self.findings.keep(Check::Journals, format!("journals of {period}"), compared);
        }
        Ok(())
    }

    async fn journal(&mut self, reader: &mut Reader, row: &JournalRow) -> Result<(), WorkflowError> {
        let check = Check::Journals;
        let place = format!("journal {}", row.document);
        let kept = self.lines(reader, row).await?;
        if row.rule_version != RULES_VERSION {
            let what = format!(
                "computed by version {} of the rules; this program has {RULES_VERSION}: use the one that exported it",
                row.rule_version
            );
            self.findings.differ(check, place, what);
            return Ok(());
        }
        let made = recompute(self.installation, reader, row).await?;
        let digest = sha256_hex(made.text.as_bytes());
        self.findings.compare(check, &place, "digest of the model", &row.model_digest, &digest);
        let currency = self.installation.settings.currency.clone();
        let recorded: Vec<&JournalLine> = made.recorded.lines().collect();
        let kept: Vec<&JournalLine> = kept.iter().map(|line| &line.posted).collect();
        self.compare_lines(&place, "recorded in the ledger's lines", &kept, &recorded, &currency);
        let follows: Vec<&JournalLine> = made.follows.lines().collect();
        self.compare_lines(&place, "exported", &recorded, &follows, &currency);
        self.entries(&place, &made.recorded, &made.follows);
        Ok(())
    }

    /// The lines as the ledger has them: they balance, and come to what the journal's row says.
    async fn lines(
        &mut self,
        reader: &mut Reader,
        row: &JournalRow,
    ) -> Result<Vec<JournalLineRow>, WorkflowError> {
        let check = Check::Journals;
        let place = format!("journal {}", row.document);
        let lines = reader.list_journal_lines(&row.document).await?;
        let of_side = |debit: bool| {
            let signed = lines.iter().map(|line| line.posted.debit_less_credit());
            signed.filter(|amount| amount.is_negative() != debit).map(Minor::abs).sum::<Minor>()
        };
        let (debits, credits) = (of_side(true), of_side(false));
        let currency = self.installation.settings.currency.clone();
        let text = |minor| currency.display(minor);
        self.findings.compare(
            check,
            &place,
            "debits and credits of its lines",
            &text(debits),
            &text(credits),
        );
        self.findings.compare(check, &place, "debits of its lines", &text(row.debits), &text(debits));
        self.findings.compare(check, &place, "credits of its lines", &text(row.credits), &text(credits));
        self.findings.compare(check, &place, "number of its lines", &row.lines, &(lines.len() as u64));
        Ok(lines)
    }

    fn compare_lines(
        &mut self,
        place: &str,
        how: &str,
        recorded: &[&JournalLine],
        follows: &[&JournalLine],
        currency: &Currency,
    ) {
        for at in 0..recorded.len().max(follows.len()) {
            let (was, is) = (recorded.get(at), follows.get(at));
            if was == is {
                continue;
            }
            let told =
                |line: Option<&&JournalLine>| line.map_or("nothing".to_owned(), |line| told(line, currency));
            let (found, expected) = (told(was), told(is));
            self.findings.differences.push(Difference {
                check: Check::Journals,
                place: place.to_owned(),
                what: format!("line {}: {found} was {how}, {expected} follows", at + 1),
                expected: Some(expected),
                found: Some(found),
            });
        }
    }

    fn entries(&mut self, place: &str, recorded: &Journal, follows: &Journal) {
        let names = |journal: &Journal| {
            let names = journal
                .entries
                .iter()
                .map(|entry| format!("{} ({})", entry.source_name(), entry.lines().len()));
            names.collect::<Vec<_>>().join(", ")
        };
        self.findings.compare(Check::Journals, place, "entries", &names(follows), &names(recorded));
    }

    /// Over all journals of a period that stand, those who pay are debited what is posted of statements.
    async fn payers(&mut self, reader: &mut Reader, period: Period) -> Result<(), WorkflowError> {
        let (mut debited, mut owed) = (Minor::ZERO, Minor::ZERO);
        let records = reader.list_journal_records(Some(period), None).await?;
        for (record, postings) in all_postings(reader, &records).await? {
            if !record.state.stands() {
                continue;
            }
            let lines = reader.list_journal_lines(&record.journal.document).await?;
            let payers = lines.iter().filter(|line| line.posted.party == Party::Payer);
            debited += payers.map(|line| line.posted.debit_less_credit()).sum();
            let lines = postings.iter().flat_map(|posting| &posting.lines);
            owed += lines.map(|line| line.due + line.subsidy).sum();
        }
        let currency = &self.installation.settings.currency;
        let (owed, debited) = (currency.display(owed), currency.display(debited));
        let what = "amounts due and subsidies, and what payers were debited";
        self.findings.compare(Check::Journals, format!("journals of {period}"), what, &owed, &debited);
        Ok(())
    }
}

/// A line for people, with everything in which two lines may differ.
fn told(line: &JournalLine, currency: &Currency) -> String {
    let side = match line.side {
        billing::journal::Side::Debit => "debit",
        billing::journal::Side::Credit => "credit",
    };
    let JournalLine { fund_org, account, reference_id, source_name, description, .. } = line;
    let amount = currency.display(line.amount);
    format!(
        "{side} {amount} on {fund_org} account {account} ({reference_id}, {source_name}, `{description}`)"
    )
}
