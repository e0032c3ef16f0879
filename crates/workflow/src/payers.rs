//! Who paid what of the list price, as the statements of one or several periods say.

use std::collections::BTreeMap;

use billing::Period;
use billing::payers::{Billed, PayerKey, Shares};
use billing::statement::PostedLine;
use ledger::Reader;
use serde::Serialize;

use crate::generate::draft;
use crate::{Installation, WorkflowError, people, periods};

/// What `payers` is asked.
#[derive(Clone, Debug, Default)]
pub struct PayersRequest {
    /// Empty: all that are known.
    pub periods: Vec<Period>,
    pub fiscal_year: Option<i16>,
    pub by: Vec<PayerKey>,
    /// Open periods as they would be billed today.
    pub drafts: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Payers {
    pub rows: Vec<PaidRow>,
    /// The periods whose issued statements are counted.
    pub issued: Vec<Period>,
    /// Those of which drafts are.
    pub drafts: Vec<Period>,
    /// Those of which nothing is, because no statement was issued.
    pub left_out: Vec<Period>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PaidRow {
    /// In the order of [`PayersRequest::by`].
    pub keys: Vec<Option<String>>,
    #[serde(flatten)]
    pub shares: Shares,
}

/// # Errors
/// A period that was never opened; what could not be read.
pub async fn payers(installation: &Installation, request: &PayersRequest) -> Result<Payers, WorkflowError> {
    let mut reader = installation.ledger.read().await?;
    let people = people::people(&mut reader, None).await?;
    let (mut payers, mut sums) = (Payers::default(), BTreeMap::new());
    for period in periods_of(installation, &mut reader, request).await? {
        let record = periods::load(&mut reader, period).await?;
        let statements = reader.current_statement_lines(period, None).await?;
        let as_draft = request.drafts && (record.state.is_open() || statements.is_empty());
        let settings = installation.settings_of(&mut reader, period).await?;
        let mut add = |pi_email: &str, project_id: &str, line: &PostedLine| {
            let fiscal_year_start = settings.subsidies.fiscal_year_start;
            let pi_email = &people.current(pi_email);
            let billed = Billed { period, fiscal_year_start, pi_email, project_id, line };
            for (keys, shares) in billed.shares(&request.by) {
                sums.entry(keys).or_insert_with(Shares::default).add(&shares);
            }
        };
        if as_draft {
            const CHANGES_NOTHING: bool = true;
            for draft in draft(installation, period, CHANGES_NOTHING).await?.drafts {
                let statement = &draft.statement;
                for line in &statement.lines {
                    add(&statement.pi_email, &statement.project_id, line);
                }
            }
            payers.drafts.push(period);
        } else if statements.is_empty() {
            payers.left_out.push(period);
        } else {
            for (row, lines) in &statements {
                for line in lines {
                    add(&row.pi_email, &row.project_id, &line.posted);
                }
            }
            payers.issued.push(period);
        }
    }
    payers.rows = sums.into_iter().map(|(keys, shares)| PaidRow { keys, shares }).collect();
    Ok(payers)
}

async fn periods_of(
    installation: &Installation,
    reader: &mut Reader,
    request: &PayersRequest,
) -> Result<Vec<Period>, WorkflowError> {
    if !request.periods.is_empty() {
        return Ok(request.periods.clone());
    }
    let start = installation.settings.subsidies.fiscal_year_start;
    let known = reader.list_periods(None).await?.into_iter().map(|record| record.period);
    Ok(known
        .filter(|period| request.fiscal_year.is_none_or(|year| period.fiscal_year(start) == year))
        .collect())
}
