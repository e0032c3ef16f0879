//! The equations: what was delivered is what was kept, and what is charged is posted or accounted for.

use std::collections::BTreeMap;

use billing::correction::is_of_corrections;
use billing::decision::ChargeState;
use billing::rate::Rate;
use billing::settings::{Basis, Settings};
use billing::{LedgerNumber, Period};
use lake::{Filter, View, ViewSpec};
use ledger::{ImportRow, LivePart, PartFilter, Reader};
use money::{Amount, Minor};

use super::{Check, Verifying, import_place};
use crate::charges::live_files;
use crate::rules::rules;
use crate::{WorkflowError, kept};

/// Rows and their cost on the billing basis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    cost: Amount,
}

impl Sum {
    fn add(&mut self, rows: u64, cost: Amount) {
        self.rows += rows;
        self.cost += cost;
    }
}

/// Where the charges of one source stand, seen from one period.
#[derive(Clone, Copy, Debug, Default)]
struct Stands {
    /// Charges of the period.
    own: Sum,
    /// Of these: billed in it, held, rejected, billed later.
    billable: Sum,
    held: Sum,
    rejected: Sum,
    deferred: Sum,
    /// Billed in the period, of whatever period.
    billed_here: Sum,
}

impl Verifying<'_> {
    /// The sums that pages show without asking the lake are those of the charges.
    pub(super) async fn kept_sums(
        &mut self,
        reader: &mut Reader,
        period: Period,
    ) -> Result<(), WorkflowError> {
        let compared = kept::kept_and_fresh(self.installation, reader, period).await?;
        if let Some((kept, fresh)) = compared
            && kept != fresh
        {
            let what =
                "the sums that pages show are not those of the charges; any act about them makes them anew";
            self.findings.differ(Check::Periods, period, what);
        }
        Ok(())
    }

    /// Rows delivered = charges + quarantined + left out, of every import and of every file of it.
    pub(super) async fn imports(
        &mut self,
        reader: &mut Reader,
        imports: &[ImportRow],
    ) -> Result<(), WorkflowError> {
        self.findings.count(Check::Imports, imports.len() as u64);
        for row in imports {
            let place = import_place(row);
            let files = reader.list_delivered_files(row.import).await?;
            let (charges, quarantined) = (row.charges, row.quarantined);
            let mut equal = |what: &str, expected: u64, found: u64| {
                self.findings.compare(Check::Imports, &place, what, &expected, &found);
            };
            let filter = PartFilter { import: Some(row.import), ..PartFilter::default() };
            let parts: Vec<_> =
                reader.list_parts(&filter, None).await?.into_iter().map(|(part, _)| part).collect();
            // Adjustments of a finalized period are charges that no row of their own was delivered for.
            let adjustments = parts.iter().filter(|part| is_of_corrections(&part.key.account));
            let of_rows = charges.saturating_sub(adjustments.map(|part| part.rows).sum());
            let left_out = row.left_out.unwrap_or_else(|| row.rows.saturating_sub(of_rows + quarantined));
            equal("rows: charges, quarantined and left out", row.rows, of_rows + quarantined + left_out);
            equal("rows of its files", row.rows, files.iter().map(|file| file.rows).sum());
            equal(
                "quarantined rows of its files",
                quarantined,
                files.iter().map(|file| file.quarantined).sum(),
            );
            let kept = reader.list_charge_files(Some(row.import), None).await?;
            equal("rows of its charge files", charges, kept.iter().map(|file| file.rows).sum());
            equal("charges of its parts", charges, parts.iter().map(|part| part.rows).sum());
            equal("flagged charges of its parts", row.flagged, parts.iter().map(|part| part.flagged).sum());
            let costs = [
                (
                    "list cost of its parts",
                    row.costs.list_cost,
                    parts.iter().map(|part| part.list_cost).sum(),
                ),
                (
                    "contracted cost of its parts",
                    row.costs.contracted_cost,
                    parts.iter().map(|part| part.contracted_cost).sum(),
                ),
                (
                    "billed cost of its parts",
                    row.costs.billed_cost,
                    parts.iter().map(|part| part.billed_cost).sum(),
                ),
                (
                    "effective cost of its parts",
                    row.costs.effective_cost,
                    parts.iter().map(|part| part.effective_cost).sum(),
                ),
            ];
            for (what, expected, found) in costs {
                let found: Amount = found;
                self.findings.compare(Check::Imports, &place, what, &expected, &found);
            }
        }
        Ok(())
    }

    /// What the ledger says of every live part is what its charge files come to.
    pub(super) async fn parts(&mut self, reader: &mut Reader) -> Result<(), WorkflowError> {
        let filter = PartFilter { period: self.request.period, ..PartFilter::default() };
        let live = reader.live_parts(&filter, None).await?;
        self.findings.count(Check::Parts, live.len() as u64);
        let mut periods: BTreeMap<Period, Vec<LivePart>> = BTreeMap::new();
        for part in live {
            periods.entry(part.part.key.period).or_default().push(part);
        }
        for (period, parts) in periods {
            let compared = self.parts_of(&parts).await;
            self.findings.keep(Check::Parts, format!("parts of {period}"), compared);
        }
        Ok(())
    }

    async fn parts_of(&mut self, parts: &[LivePart]) -> Result<(), WorkflowError> {
        let files = live_files(parts, &self.installation.settings);
        let view = self.installation.lake.view(ViewSpec { files, ..ViewSpec::default() })?;
        let by = ["import".to_owned(), "billing_account_id".to_owned()];
        // Nothing is decided in this view: what has flags is held.
        let flagged = Filter { states: vec![ChargeState::Held], ..Filter::default() };
        let key = |row: &lake::TotalsRow| {
            let text = |at: usize| row.keys.get(at).cloned().flatten().unwrap_or_default();
            (text(0), text(1))
        };
        let all: BTreeMap<_, _> =
            view.totals(&by, &Filter::default()).await?.into_iter().map(|row| (key(&row), row)).collect();
        let held: BTreeMap<_, _> =
            view.totals(&by, &flagged).await?.into_iter().map(|row| (key(&row), row)).collect();
        for live in parts {
            let part = &live.part;
            let account = if part.key.account.is_empty() {
                String::new()
            } else {
                format!(", account {}", part.key.account)
            };
            let place =
                format!("import {} of {} in {}{account}", part.key.import, live.source_name, part.key.period);
            let key = (part.key.import.to_string(), part.key.account.clone());
            let (rows, flags) = (all.get(&key), held.get(&key));
            let counts = [
                ("charges", part.rows, rows.map_or(0, |row| row.rows)),
                ("flagged charges", part.flagged, flags.map_or(0, |row| row.rows)),
            ];
            for (what, expected, found) in counts {
                self.findings.compare(Check::Parts, &place, what, &expected, &found);
            }
            let cost = |of: fn(&lake::TotalsRow) -> Amount| rows.map_or(Amount::ZERO, of);
            let costs = [
                ("list cost", part.list_cost, cost(|row| row.list_cost)),
                ("contracted cost", part.contracted_cost, cost(|row| row.contracted_cost)),
                ("billed cost", part.billed_cost, cost(|row| row.billed_cost)),
                ("effective cost", part.effective_cost, cost(|row| row.effective_cost)),
                (
                    "billed cost of flagged",
                    part.flagged_cost,
                    flags.map_or(Amount::ZERO, |row| row.billed_cost),
                ),
            ];
            for (what, expected, found) in costs {
                self.findings.compare(Check::Parts, &place, what, &expected, &found);
            }
        }
        Ok(())
    }

    /// Charges = posted + held + rejected + deferred + a residual below a minor unit a line, by source.
    /// `issued_by` is the act that issued the latest statements; `view` is as of what it was computed from.
    pub(super) async fn equation(
        &mut self,
        reader: &mut Reader,
        period: Period,
        view: &View,
        settings: &Settings,
        issued_by: Option<LedgerNumber>,
    ) -> Result<(), WorkflowError> {
        let stands = stands(view, period).await?;
        let delivered = self.delivered_by_source(reader, period, settings, issued_by).await?;
        let posted = match issued_by {
            Some(_) => Some(posted_by_source(reader, period, issued_by).await?),
            None => None,
        };
        let adjusted = adjusted_by_source(reader, period, issued_by).await?;
        let mut sources: Vec<&String> = stands.keys().chain(delivered.keys()).collect();
        sources.extend(posted.iter().flat_map(BTreeMap::keys));
        sources.sort_unstable();
        sources.dedup();
        self.findings.count(Check::Periods, sources.len() as u64);
        let unit = Amount::from_minor(Minor::new(1), settings.currency.code.places());
        for source in sources {
            let place = format!("{period}, {source}");
            let at = stands.get(source).copied().unwrap_or_default();
            let (rows, billed) = delivered.get(source).copied().unwrap_or_default();
            self.findings.compare(Check::Periods, &place, "charges of the live parts", &rows, &at.own.rows);
            if let Some(billed) = billed {
                self.findings.compare(
                    Check::Periods,
                    &place,
                    "cost of the live parts",
                    &billed,
                    &at.own.cost,
                );
            }
            let parts = [at.billable, at.held, at.rejected, at.deferred];
            let rows = parts.iter().map(|sum| sum.rows).sum();
            self.findings.compare(Check::Periods, &place, "charges by state", &at.own.rows, &rows);
            let cost = parts.iter().map(|sum| sum.cost).sum();
            self.findings.compare(Check::Periods, &place, "cost by state", &at.own.cost, &cost);
            let Some(posted) = &posted else { continue };
            let (lines, due) = posted.get(source).copied().unwrap_or_default();
            let due = Amount::from_minor(due, settings.currency.code.places());
            // What rates make of a month, beside quantity times price.
            let billable = at.billed_here.cost + adjusted.get(source).copied().unwrap_or_default();
            let residual = billable - due;
            let most = Amount::from_units(unit.units() * i128::from(lines));
            // Every line is less than a unit off; without lines nothing may be billable.
            if residual.abs() >= most && !residual.is_zero() {
                let what = format!(
                    "{due} is posted by {lines} lines, and {billable} is billable: the rest of {residual} is more than \
                     rounding makes"
                );
                self.findings.differ(Check::Periods, place, what);
            }
        }
        Ok(())
    }

    /// Charges and, where that is what is billed, billed cost of the parts that were live.
    async fn delivered_by_source(
        &self,
        reader: &mut Reader,
        period: Period,
        settings: &Settings,
        issued_by: Option<LedgerNumber>,
    ) -> Result<BTreeMap<String, (u64, Option<Amount>)>, WorkflowError> {
        let filter = PartFilter { period: Some(period), ..PartFilter::default() };
        let mut sources: BTreeMap<String, (u64, Option<Amount>)> = BTreeMap::new();
        for live in reader.live_parts(&filter, issued_by).await? {
            let known = settings.sources.iter().find(|source| source.name == live.source_name);
            let is_billed = known.map(|source| source.basis).unwrap_or_default() == Basis::Billed;
            let sum = sources.entry(live.source_name.0).or_insert((0, is_billed.then_some(Amount::ZERO)));
            sum.0 += live.part.rows;
            sum.1 = sum.1.map(|billed| billed + live.part.billed_cost);
        }
        Ok(sources)
    }
}

async fn stands(view: &View, period: Period) -> Result<BTreeMap<String, Stands>, WorkflowError> {
    let by = ["source", "period", "billed_in", "state"].map(str::to_owned);
    let own = period.to_string();
    let mut sources: BTreeMap<String, Stands> = BTreeMap::new();
    for row in view.totals(&by, &Filter::default()).await? {
        let [Some(source), Some(of), Some(billed_in), Some(state)] = row.keys.as_slice() else { continue };
        let at = sources.entry(source.clone()).or_default();
        if *of == own {
            at.own.add(row.rows, row.cost);
            match state.as_str() {
                "billable" => at.billable.add(row.rows, row.cost),
                "held" => at.held.add(row.rows, row.cost),
                "rejected" => at.rejected.add(row.rows, row.cost),
                "deferred" => at.deferred.add(row.rows, row.cost),
                _ => {}
            }
        }
        if *billed_in == own && state == "billable" {
            at.billed_here.add(row.rows, row.cost);
        }
    }
    Ok(sources)
}

/// What free units, tiers and minima of rates change on the current statements, by source.
async fn adjusted_by_source(
    reader: &mut Reader,
    period: Period,
    as_of: Option<LedgerNumber>,
) -> Result<BTreeMap<String, Amount>, WorkflowError> {
    let mut sources: BTreeMap<String, Amount> = BTreeMap::new();
    let rates: Vec<Rate> = rules(reader, as_of).await?;
    if as_of.is_none() || !rates.iter().any(Rate::is_pooled) {
        return Ok(sources);
    }
    for row in reader.current_statements(period, as_of).await? {
        for used in reader.load_statement(&row.id).await?.rates {
            let adjustment = used.adjustment();
            *sources.entry(used.source).or_default() += adjustment;
        }
    }
    Ok(sources)
}

/// Lines and Σ amount due of the current statements, by source.
async fn posted_by_source(
    reader: &mut Reader,
    period: Period,
    as_of: Option<LedgerNumber>,
) -> Result<BTreeMap<String, (u64, Minor)>, WorkflowError> {
    let mut sources: BTreeMap<String, (u64, Minor)> = BTreeMap::new();
    for (_, lines) in reader.current_statement_lines(period, as_of).await? {
        for line in lines {
            let sum = sources.entry(line.posted.group.source).or_default();
            sum.0 += 1;
            sum.1 += line.posted.due + line.posted.subsidy;
        }
    }
    Ok(sources)
}
