//! Charges with their decisions, as one view: the live files joined with the overlay.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use billing::settings::Basis;
use billing::{ImportId, Period};
use datafusion::common::ScalarValue;
use datafusion::prelude::{DataFrame, Expr, SessionContext, ident, lit};

use crate::columns::{self, Columns};
use crate::filter::Filter;
use crate::overlay::{self, OverlayRef};
use crate::table::{Table, TableFile, union};
use crate::{Lake, LakeError, MAX_ROWS};

/// A charge file that counts, as the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFile {
    /// As in [`ChargeFile::path`](crate::ChargeFile::path).
    pub path: String,
    pub import: ImportId,
    pub source: String,
    pub period: Period,
    /// The billing accounts whose charges of this file count (`None` in the list: charges without an
    /// account); `None`: all charges.
    pub accounts: Option<Vec<Option<String>>>,
    /// Which cost is billed.
    pub basis: Basis,
}

/// What a view is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewSpec {
    pub files: Vec<LiveFile>,
    /// `None`: nothing has been decided yet.
    pub overlay: Option<OverlayRef>,
    /// Only charges of this period or billed in it; their state is then as seen from this period.
    pub period: Option<Period>,
}

/// Charges with their decisions. A view is cheap; it reads footers when it is made and rows when it is
/// asked.
///
/// Columns, besides those of the files (a column that a file does not have is null): `import`, `source`,
/// `period`; `billed_in` (the period the charge is billed in); the attribution and `flags` as they stand
/// after the decisions, and as delivered under `delivered_…`; `state` (billable, held, rejected,
/// deferred); `cost` (on the source's billing basis), `effective` (the effective cost, else the billed),
/// `list_known` and `list` (the list cost, where it is not known the cost), `kind` (usage, credit, tax,
/// adjustment) and `charge_id`.
#[derive(Clone)]
pub struct View {
    pub(crate) context: SessionContext,
    pub(crate) columns: Columns,
    files: Vec<(LiveFile, TableFile)>,
    fields: Vec<FieldRef>,
    overlay: Option<Arc<Table>>,
}

impl Lake {
    /// Charges of these files with these decisions.
    ///
    /// # Errors
    /// [`LakeError::NoChargeFile`] when a file is gone; [`LakeError::TooManyRows`] above [`MAX_ROWS`].
    pub fn view(&self, spec: ViewSpec) -> Result<View, LakeError> {
        let mut files = Vec::with_capacity(spec.files.len());
        for live in spec.files {
            let path = self.inside(&live.path)?;
            if !path.exists() {
                return Err(LakeError::NoChargeFile { path: live.path, import: live.import });
            }
            let footer = self.footers().get(&path)?;
            let constants = constants(&live);
            files.push((live, TableFile { path, footer, constants }));
        }
        let rows = files.iter().map(|(_, file)| file.footer.rows).sum();
        if rows > MAX_ROWS {
            return Err(LakeError::TooManyRows { rows });
        }
        let fields = union(files.iter().map(|(_, file)| file.footer.as_ref()));
        let decided = spec.overlay.filter(|overlay| overlay.charges > 0);
        let overlay = decided.map(|overlay| overlay::table(self.root(), self.footers(), &overlay));
        let overlay = overlay.transpose()?.map(Arc::new);
        let bases = files.iter().map(|(live, _)| live.basis).collect();
        let columns = Columns::new(&fields, bases, overlay.is_some(), spec.period);
        Ok(View { context: self.context()?.clone(), columns, files, fields, overlay })
    }
}

/// Columns that a file's place in the list gives: see [`constants`].
fn constant_fields() -> Vec<FieldRef> {
    let field = |name: &str, kind| Arc::new(Field::new(name, kind, true));
    vec![
        field("import", DataType::Int64),
        field("period", DataType::Utf8View),
        field("source", DataType::Utf8View),
        field(columns::BASIS, DataType::Int8),
    ]
}

fn constants(live: &LiveFile) -> Vec<ScalarValue> {
    vec![
        ScalarValue::Int64(Some(live.import.0)),
        ScalarValue::Utf8View(Some(live.period.to_string())),
        ScalarValue::Utf8View(Some(live.source.clone())),
        ScalarValue::Int8(Some(columns::basis_code(live.basis))),
    ]
}

impl View {
    /// How many rows the files have, whether or not they count.
    pub(crate) fn rows_of_files(&self) -> u64 {
        self.files.iter().map(|(_, file)| file.footer.rows).sum()
    }

    /// Views of one file each, by import and file.
    pub(crate) fn single_files(&self) -> impl Iterator<Item = View> + '_ {
        let mut files: Vec<&(LiveFile, TableFile)> = self.files.iter().collect();
        files.sort_by(|(a, _), (b, _)| (a.import, &a.path).cmp(&(b.import, &b.path)));
        files.into_iter().map(|file| View { files: vec![file.clone()], ..self.clone() })
    }

    /// Whether any file can have what is asked for.
    pub(crate) fn may_have(&self, filter: &Filter) -> bool {
        self.files.iter().any(|(live, _)| filter.may_match(live))
    }

    /// The rows of the files that can have what `filter` asks for, with their overlay, filtered.
    pub(crate) fn rows(&self, filter: &Filter) -> Result<DataFrame, LakeError> {
        let kept: Vec<&(LiveFile, TableFile)> =
            self.files.iter().filter(|(live, _)| filter.may_match(live)).collect();
        let files = kept.iter().map(|(_, file)| file.clone()).collect();
        let table = Table::new(files, self.fields.clone(), constant_fields());
        let mut rows = self.context.read_table(Arc::new(table))?;
        for (live, _) in kept {
            if let Some(accounts) = &live.accounts {
                rows = rows.filter(self.only_accounts(live, accounts))?;
            }
        }
        if let Some(overlay) = &self.overlay {
            let overlay = self.context.read_table(Arc::clone(overlay) as _)?;
            // The build side of a hash join is the left one: the overlay, which is small.
            let keys = (["_o_import", "_o_row"], ["import", "row"]);
            rows = overlay.join(rows, datafusion::common::JoinType::Right, &keys.0, &keys.1, None)?;
        }
        let filters = self.columns.in_period().into_iter().chain(filter.exprs(&self.columns));
        filters.into_iter().try_fold(rows, |rows, expr| Ok(rows.filter(expr)?))
    }

    /// Of one file with several accounts, those that count.
    fn only_accounts(&self, live: &LiveFile, accounts: &[Option<String>]) -> Expr {
        let elsewhere = ident("import")
            .not_eq(lit(live.import.0))
            .or(ident("period").not_eq(columns::text(&live.period.to_string())));
        let account = self.columns.delivered("billing_account_id");
        let mut counts = lit(false);
        let named: Vec<Expr> = accounts.iter().flatten().map(|name| columns::text(name)).collect();
        if !named.is_empty() {
            counts = counts.or(account.clone().in_list(named, false));
        }
        if accounts.iter().any(Option::is_none) {
            counts = counts.or(account.clone().is_null());
        }
        // An unknown answer (a null compared) is no.
        elsewhere.or(counts.is_true())
    }

    /// Whether the files it reads are where they were when it was made: an overlay may be thrown away.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.overlay.as_ref().is_none_or(|overlay| overlay.is_there())
            && self.files.iter().all(|(_, file)| file.path.exists())
    }

    /// Every column that can be asked for.
    pub fn column_names(&self) -> Vec<String> {
        self.columns.names()
    }
}
