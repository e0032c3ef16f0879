//! Files of the lake as one table: every column that any of them has, and what is constant per file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use billing::charge::{COSTS, TIMES};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;

use crate::LakeError;
use crate::charges::{HASHES, PLACES};

/// What a footer says, in the types that the lake reads with.
#[derive(Debug)]
pub(crate) struct Footer {
    pub fields: Vec<FieldRef>,
    pub rows: u64,
    pub size_bytes: u64,
}

/// Footers read so far. A charge file never changes under its name.
#[derive(Default)]
pub(crate) struct Footers(Mutex<HashMap<PathBuf, Arc<Footer>>>);

impl Footers {
    pub(crate) fn get(&self, path: &Path) -> Result<Arc<Footer>, LakeError> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(Arc::clone(known));
        }
        let footer = Arc::new(read_footer(path)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), Arc::clone(&footer));
        Ok(footer)
    }
}

fn read_footer(path: &Path) -> Result<Footer, LakeError> {
    let file = File::open(path).map_err(LakeError::io("open", path))?;
    let size_bytes = file.metadata().map_err(LakeError::io("read", path))?.len();
    let failed = |source| LakeError::Parquet { act: "read", path: path.to_owned(), source };
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let metadata = reader.metadata().file_metadata();
    let schema = parquet_to_arrow_schema(metadata.schema_descr(), metadata.key_value_metadata());
    let fields = schema.map_err(failed)?.fields().iter().map(read_as).collect();
    let rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
    Ok(Footer { fields, rows, size_bytes })
}

/// Decimals are read with 18 places whatever the file has, and text as views into the pages.
fn read_as(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Decimal128(..) => DECIMAL,
        DataType::Utf8 => DataType::Utf8View,
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), kind, true))
}

pub(crate) const DECIMAL: DataType = DataType::Decimal128(38, 18);

/// One file of a table, with its constants.
#[derive(Clone, Debug)]
pub(crate) struct TableFile {
    pub path: PathBuf,
    pub footer: Arc<Footer>,
    pub constants: Vec<ScalarValue>,
}

/// A table of Parquet files.
#[derive(Debug)]
pub(crate) struct Table {
    schema: TableSchema,
    files: Vec<TableFile>,
}

impl Table {
    /// `constants` are the columns that the files' constants fill.
    pub(crate) fn new(files: Vec<TableFile>, columns: Vec<FieldRef>, constants: Vec<FieldRef>) -> Table {
        let schema =
            TableSchema::builder(Arc::new(Schema::new(columns))).with_table_partition_cols(constants).build();
        Table { schema, files }
    }
}

/// Every column of any of the footers, and those that every charge file has, in order of name. Text wins
/// where files do not agree on the type.
pub(crate) fn union<'a>(footers: impl Iterator<Item = &'a Footer>) -> Vec<FieldRef> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let kinds =
        [(&PLACES[..], DataType::Int64), (&COSTS, DECIMAL), (&TIMES, time), (&HASHES, DataType::UInt64)];
    let of_all = kinds.into_iter().flat_map(|(names, kind)| {
        names.iter().map(move |name| Arc::new(Field::new(*name, kind.clone(), true)))
    });
    let mut columns: BTreeMap<String, FieldRef> = of_all.map(|field| (field.name().clone(), field)).collect();
    for field in footers.flat_map(|footer| &footer.fields) {
        let known = columns.entry(field.name().clone()).or_insert_with(|| Arc::clone(field));
        if field.data_type() == &DataType::Utf8View {
            *known = Arc::clone(field);
        }
    }
    columns.into_values().collect()
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = projection
                .map_or_else(|| Ok(self.schema()), |columns| self.schema().project(columns).map(Arc::new))?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let url = ObjectStoreUrl::local_filesystem();
        let store = state.runtime_env().object_store(&url)?;
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, cache)));
        let groups = self.files.iter().map(|file| Ok(FileGroup::new(vec![partitioned(file)?])));
        let scan = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups.collect::<Result<Vec<_>>>()?)
            .with_statistics(self.statistics_of_files())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

impl Table {
    pub(crate) fn is_there(&self) -> bool {
        self.files.iter().all(|file| file.path.exists())
    }

    fn statistics_of_files(&self) -> Statistics {
        let sum = |of: fn(&Footer) -> u64| {
            usize::try_from(self.files.iter().map(|file| of(&file.footer)).sum::<u64>()).unwrap_or(usize::MAX)
        };
        Statistics::new_unknown(self.schema.table_schema())
            .with_num_rows(Precision::Exact(sum(|footer| footer.rows)))
            .with_total_byte_size(Precision::Inexact(sum(|footer| footer.size_bytes)))
    }
}

fn partitioned(file: &TableFile) -> Result<PartitionedFile> {
    let location = object_store::path::Path::from_absolute_path(&file.path)
        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    let mut entry = PartitionedFile::new("", file.footer.size_bytes);
    entry.object_meta = ObjectMeta { location, ..entry.object_meta };
    Ok(entry.with_partition_values(file.constants.clone()))
}
