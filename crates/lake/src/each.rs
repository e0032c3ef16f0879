//! Charges one after the other, for questions that sums cannot answer.

use arrow::datatypes::DataType;
use datafusion::prelude::{Expr, cast};
use futures::StreamExt;
use money::Amount;

use crate::decode::{Batch, Text};
use crate::filter::Filter;
use crate::{LakeError, View};

impl View {
    /// Show `see` the texts of `columns` and the cost of every charge, in no order. Memory holds one batch
    /// at a time.
    ///
    /// # Errors
    /// [`LakeError::UnknownColumn`] with names that are near.
    pub async fn each(
        &self,
        columns: &[&str],
        filter: &Filter,
        mut see: impl FnMut(&[Option<&str>], Amount),
    ) -> Result<(), LakeError> {
        let name = |at: usize| format!("text_{at}");
        let mut wanted = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Ok(cast(self.columns.named(column)?, DataType::Utf8View).alias(name(at))))
            .collect::<Result<Vec<Expr>, LakeError>>()?;
        wanted.push(self.columns.cost().alias("cost"));
        let mut batches = self.rows(filter)?.select(wanted)?.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            let batch = Batch(batch?);
            let texts =
                (0..columns.len()).map(|at| batch.text(&name(at))).collect::<Result<Vec<Text<'_>>, _>>()?;
            let costs = batch.amounts("cost")?;
            let mut values = vec![None; texts.len()];
            for row in 0..batch.rows() {
                for (value, text) in values.iter_mut().zip(&texts) {
                    *value = text.get(row);
                }
                see(&values, costs.or_zero(row));
            }
        }
        Ok(())
    }
}
