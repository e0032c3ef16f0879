//! Charges handed out as they stand, however many: in the order of their ids, batch by batch, so that memory
//! does not grow with their number.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::compute::{sort_to_indices, take_record_batch};
use billing::attribution::Attribution;
use datafusion::prelude::{Expr, SessionContext, ident};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::filter::Filter;
use crate::totals::texts;
use crate::{LakeError, View};

/// The columns handed out before and after the attribution.
const BEFORE: [&str; 7] =
    ["charge_id", "import", "row", "source", "period", "charge_period_start", "charge_period_end"];
const AFTER: [&str; 18] = [
    "service_name",
    "charge_category",
    "charge_description",
    "sku_id",
    "resource_id",
    "resource_name",
    "consumed_quantity",
    "consumed_unit",
    "pricing_quantity",
    "pricing_unit",
    "list_cost",
    "contracted_cost",
    "billed_cost",
    "effective_cost",
    "cost",
    "kind",
    "state",
    "billed_in",
];

impl View {
    /// The names of the columns that are handed out; one that no file has is empty.
    pub fn exported_columns() -> Vec<&'static str> {
        let names = BEFORE.into_iter().chain(Attribution::FIELDS).chain(AFTER).chain(["flags"]);
        let mut known: Vec<&str> = Vec::new();
        for name in names {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        known
    }

    /// Hand out rows as text: amounts as plain decimals, times as `2025-01-01T00:00:00Z`. Says how many.
    ///
    /// # Errors
    /// What could not be read, or what `write` says.
    pub async fn export_texts<E: From<LakeError>>(
        &self,
        filter: &Filter,
        mut write: impl FnMut(Vec<Vec<Option<String>>>) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.export(filter, |batch| {
            let columns =
                batch.columns().iter().map(texts).collect::<Result<Vec<_>, _>>().map_err(E::from)?;
            let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
            let row = |_| columns.iter_mut().map(|column| column.next().flatten()).collect();
            write((0..batch.num_rows()).map(row).collect())
        })
        .await
    }

    /// Write rows as Parquet: amounts as decimals, times as timestamps. Says how many.
    ///
    /// # Errors
    /// What could not be read or written.
    pub async fn export_parquet(&self, filter: &Filter, out: impl Write + Send) -> Result<u64, LakeError> {
        let nothing =
            RecordBatch::new_empty(self.exported(&Filter::ids(Vec::new()))?.schema().inner().clone());
        let level = ZstdLevel::try_new(3)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let mut writer = ArrowWriter::try_new(out, nothing.schema(), Some(properties))?;
        let rows = self
            .export(filter, |batch| {
                let batch = RecordBatch::try_new(nothing.schema(), batch.columns().to_vec())?;
                Ok::<_, LakeError>(writer.write(&batch)?)
            })
            .await?;
        writer.close()?;
        Ok(rows)
    }

    async fn export<E: From<LakeError>>(
        &self,
        filter: &Filter,
        mut write: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut count = 0;
        let in_order = self.one_by_one();
        for file in in_order.single_files().filter(|view| view.may_have(filter)) {
            let mut batches = file.exported(filter)?.execute_stream().await.map_err(LakeError::from)?;
            while let Some(batch) = batches.next().await {
                let batch = batch.map_err(LakeError::from)?;
                count += batch.num_rows() as u64;
                write(by_row(&batch).map_err(LakeError::from)?)?;
            }
        }
        Ok(count)
    }

    fn exported(&self, filter: &Filter) -> Result<datafusion::prelude::DataFrame, LakeError> {
        let column = |name: &'static str| -> Expr {
            let expr = match name {
                "row" => ident("row"),
                "consumed_quantity" | "pricing_quantity" => self.columns.number(name),
                _ => self.columns.get(name),
            };
            expr.alias(name)
        };
        Ok(self.rows(filter)?.select(View::exported_columns().into_iter().map(column).collect::<Vec<_>>())?)
    }

    /// The same view, read by one core from the first row to the last.
    fn one_by_one(&self) -> View {
        let config = self.context.copied_config().with_target_partitions(1);
        let context = SessionContext::new_with_config_rt(config, self.context.runtime_env());
        let mut view = self.clone();
        view.context = context;
        view
    }
}

/// Within a batch, rows with decisions stand apart from those without.
fn by_row(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let Some(rows) = batch.column_by_name("row") else { return Ok(batch.clone()) };
    take_record_batch(batch, &sort_to_indices(rows, None, None)?)
}
