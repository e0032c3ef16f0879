//! Exact sums by any columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::ExprFunctionExt;
use datafusion::prelude::{Expr, ident, lit};
use money::Amount;
use serde::Serialize;

use crate::decode::{Batch, count as counted};
use crate::filter::Filter;
use crate::{LakeError, View};

/// Sums of the charges that share `keys`. Exact, and as delivered, except that a missing list cost counts
/// as billed; other missing costs count nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TotalsRow {
    /// Values of the columns asked for, in their order; `None` where the charges have none.
    pub keys: Vec<Option<String>>,
    pub rows: u64,
    pub list_cost: Amount,
    pub contracted_cost: Amount,
    pub billed_cost: Amount,
    pub effective_cost: Amount,
    /// List minus billed, over usage with a known list cost.
    pub discount: Amount,
    /// On the billing basis of each charge's source.
    pub cost: Amount,
}

impl TotalsRow {
    pub fn add(&mut self, other: &TotalsRow) {
        self.rows += other.rows;
        self.list_cost += other.list_cost;
        self.contracted_cost += other.contracted_cost;
        self.billed_cost += other.billed_cost;
        self.effective_cost += other.effective_cost;
        self.discount += other.discount;
        self.cost += other.cost;
    }
}

impl View {
    /// Sums by the columns `by` (none: one row, also where there are no charges), sorted by them, none
    /// first.
    ///
    /// # Errors
    /// [`LakeError::UnknownColumn`] with names that are near.
    pub async fn totals(&self, by: &[String], filter: &Filter) -> Result<Vec<TotalsRow>, LakeError> {
        let keys = by
            .iter()
            .enumerate()
            .map(|(at, name)| Ok(self.columns.named(name)?.alias(key(at))))
            .collect::<Result<Vec<Expr>, LakeError>>()?;
        let billed = || ident("billed_cost");
        let discounted = |cost: Expr| sum(cost).filter(self.columns.has_discount()).build();
        let sums = vec![
            count(lit(1)).alias("rows"),
            sum(coalesce(vec![ident("list_cost"), billed()])).alias("list"),
            sum(ident("contracted_cost")).alias("contracted"),
            sum(billed()).alias("billed"),
            sum(ident("effective_cost")).alias("effective"),
            discounted(ident("list_cost"))?.alias("discount_from"),
            discounted(billed())?.alias("discount_to"),
            sum(self.columns.cost()).alias("cost"),
        ];
        let batches = self.rows(filter)?.aggregate(keys, sums)?.collect().await?;
        let mut totals = Vec::new();
        for batch in batches {
            decode(&Batch(batch), by.len(), &mut totals)?;
        }
        totals.sort_by(|a, b| a.keys.cmp(&b.keys));
        Ok(totals)
    }
}

fn key(at: usize) -> String {
    format!("key_{at}")
}

fn decode(batch: &Batch, keys: usize, totals: &mut Vec<TotalsRow>) -> Result<(), LakeError> {
    let keys = (0..keys).map(|at| texts(batch.0.column(at))).collect::<Result<Vec<_>, _>>()?;
    let rows = batch.integers("rows")?;
    let [list, contracted, billed, effective, from, to, cost] =
        ["list", "contracted", "billed", "effective", "discount_from", "discount_to", "cost"]
            .map(|name| batch.amounts(name));
    let (list, contracted, billed, effective) = (list?, contracted?, billed?, effective?);
    let (from, to, cost) = (from?, to?, cost?);
    for row in 0..batch.rows() {
        let discount = from.or_zero(row).checked_add(-to.or_zero(row));
        totals.push(TotalsRow {
            keys: keys.iter().map(|values| values[row].clone()).collect(),
            rows: counted(rows, row),
            list_cost: list.or_zero(row),
            contracted_cost: contracted.or_zero(row),
            billed_cost: billed.or_zero(row),
            effective_cost: effective.or_zero(row),
            discount: discount.ok_or_else(|| LakeError::Overflow { column: "discount".to_owned() })?,
            cost: cost.or_zero(row),
        });
    }
    Ok(())
}

/// Any column as text: amounts as plain decimals, times as `2025-01-01T00:00:00Z`.
pub(crate) fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, LakeError> {
    if let Some(amounts) = column.as_primitive_opt::<Decimal128Type>() {
        let text = |units: i128| Amount::from_units(units).to_string();
        return Ok(amounts.iter().map(|units| units.map(text)).collect());
    }
    let column = match column.data_type() {
        DataType::Dictionary(_, values) => arrow::compute::cast(column, values)?,
        _ => Arc::clone(column),
    };
    let options = FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let text = |row: usize| column.is_valid(row).then(|| formatter.value(row).to_string());
    Ok((0..column.len()).map(text).collect())
}
