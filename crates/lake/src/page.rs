//! A page of a list of charges, with how many there are in all and what they come to: one scan, however
//! long the list and whatever its order.

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::{SortOptions, sum};
use arrow::datatypes::Decimal128Type;
use arrow::row::{OwnedRow, RowConverter, SortField};
use billing::ChargeId;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;
use money::Amount;

use crate::decode::Batch;
use crate::filter::Filter;
use crate::rows::{ChargeRow, Sort, id};
use crate::{LakeError, View};

/// Some of the charges that a filter finds, and all of them summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargePage {
    /// Without the columns of the file that no list shows.
    pub charges: Vec<ChargeRow>,
    pub total: u64,
    /// As delivered; a missing one counts as billed.
    pub list_cost: Amount,
    pub billed_cost: Amount,
    /// On the billing basis of each charge's source.
    pub cost: Amount,
}

/// What one partition has seen.
#[derive(Default)]
struct Seen {
    /// Those that may be on the page, in no order.
    first: Vec<Candidate>,
    total: u64,
    list: i128,
    billed: i128,
    cost: i128,
}

type Candidate = (OwnedRow, i64, i64);

const IMPORT: usize = 0;
const ROW: usize = 1;
const SUMMED: usize = 2;
const SORTED: usize = 5;

impl View {
    /// Charges in an order (by id, if none is given), `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// [`LakeError::UnknownColumn`] for a sort by a column that is not there.
    pub async fn page(
        &self,
        filter: &Filter,
        sort: &[Sort],
        limit: usize,
        offset: usize,
    ) -> Result<ChargePage, LakeError> {
        let billed = || ident("billed_cost");
        let mut exprs: Vec<Expr> = vec![
            ident("import"),
            ident("row"),
            coalesce(vec![ident("list_cost"), billed()]).alias("_list"),
            billed(),
            self.columns.cost().alias("_cost"),
        ];
        for (at, Sort { column, .. }) in sort.iter().enumerate() {
            exprs.push(self.columns.named(column)?.alias(format!("_sort_{at}")));
        }
        let orders: Vec<SortOptions> =
            sort.iter().map(|sort| SortOptions { descending: sort.descending, nulls_first: false }).collect();
        let wanted = limit.saturating_add(offset);
        let partitions = self.rows(filter)?.select(exprs)?.execute_stream_partitioned().await?;
        let tasks: Vec<_> = partitions
            .into_iter()
            .map(|partition| SpawnedTask::spawn(look(partition, orders.clone(), wanted)))
            .collect();
        let mut seen = Seen::default();
        for task in tasks {
            let part = task.join().await.map_err(|error| {
                datafusion::error::DataFusionError::Internal(format!("a page was not read: {error}"))
            })??;
            seen.total += part.total;
            seen.list += part.list;
            seen.billed += part.billed;
            seen.cost += part.cost;
            seen.first.extend(part.first);
        }
        let ids: Vec<ChargeId> =
            between(seen.first, offset, limit).into_iter().map(|(_, import, row)| id(import, row)).collect();
        Ok(ChargePage {
            charges: self.listed(&ids).await?,
            total: seen.total,
            list_cost: Amount::from_units(seen.list),
            billed_cost: Amount::from_units(seen.billed),
            cost: Amount::from_units(seen.cost),
        })
    }
}

async fn look(
    mut batches: SendableRecordBatchStream,
    orders: Vec<SortOptions>,
    wanted: usize,
) -> Result<Seen, LakeError> {
    let mut seen = Seen::default();
    let (mut converter, mut last) = (None, None);
    // Now and then, so that the cost of a row does not depend on how deep the page is.
    let most = wanted.saturating_mul(2).max(wanted.saturating_add(KEPT_MORE));
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        seen.total += batch.num_rows() as u64;
        let summed = |at: usize| {
            let column = batch.column(SUMMED + at).as_primitive_opt::<Decimal128Type>();
            column.and_then(sum).unwrap_or_default()
        };
        seen.list += summed(0);
        seen.billed += summed(1);
        seen.cost += summed(2);
        // Ties are in order of the ids.
        let mut keys: Vec<ArrayRef> = batch.columns()[SORTED..].to_vec();
        keys.extend([IMPORT, ROW].map(|at| batch.column(at).clone()));
        let converter = if let Some(converter) = &mut converter {
            converter
        } else {
            let by_id = [SortOptions::default(); 2];
            let fields = keys
                .iter()
                .zip(orders.iter().chain(&by_id))
                .map(|(key, order)| SortField::new_with_options(key.data_type().clone(), *order));
            converter.insert(RowConverter::new(fields.collect())?)
        };
        let rows = converter.convert_columns(&keys)?;
        let batch = Batch(batch);
        let ids = [batch.integers("import")?, batch.integers("row")?].map(Int64Array::values);
        for (at, row) in rows.iter().enumerate() {
            if last.as_ref().is_none_or(|last: &OwnedRow| row < last.row()) {
                seen.first.push((row.owned(), ids[0][at], ids[1][at]));
            }
        }
        if most <= seen.first.len() {
            last = keep(&mut seen.first, wanted);
        }
    }
    keep(&mut seen.first, wanted);
    Ok(seen)
}

const KEPT_MORE: usize = 8192;

/// Keep the first `wanted`; the last of these is the one that others must come before.
fn keep(candidates: &mut Vec<Candidate>, wanted: usize) -> Option<OwnedRow> {
    if wanted == 0 {
        candidates.clear();
    }
    let at = wanted.checked_sub(1).filter(|_| wanted <= candidates.len())?;
    let (_, last, _) = candidates.select_nth_unstable(at);
    let last = last.0.clone();
    candidates.truncate(wanted);
    Some(last)
}

/// `limit` of them after the first `offset`, in order.
fn between(mut candidates: Vec<Candidate>, offset: usize, limit: usize) -> Vec<Candidate> {
    if candidates.len() <= offset {
        return Vec::new();
    }
    candidates.select_nth_unstable(offset);
    let mut page = candidates.split_off(offset);
    keep(&mut page, limit);
    page.truncate(limit);
    page.sort_unstable();
    page
}
