//! What must be known about a file before its rows can be read: where its columns are, and how it
//! writes the end of a period.

use focus::{Cells, FocusColumn, Header, Kind};

use crate::charge::COSTS;
use crate::intake::times::{last_day_of_month, month_of};

/// One file of a delivery, as every worker reads it.
#[derive(Clone, Debug)]
pub struct FileContext {
    pub(super) file: u32,
    pub(super) inclusive: bool,
    /// It says what was used: what that costs is in the rate book.
    pub(super) is_usage: bool,
    /// Delivered names by column, for messages.
    pub(super) delivered: Vec<String>,
    /// In [`COSTS`] order.
    pub(super) costs: [Option<usize>; 4],
    /// In [`TIMES`](crate::charge::TIMES) order.
    pub(super) times: [Option<usize>; 4],
    pub(super) tags: usize,
    pub(super) texts: Vec<Kept>,
    pub(super) numbers: Vec<Kept>,
}

/// A column that the charge keeps.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub column: usize,
    pub name: String,
    pub focus: Option<FocusColumn>,
}

/// Columns that every charge needs and the file does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("columns that every charge needs are missing: {} (FOCUS names its columns in the first line)", names(.0))]
pub struct MissingColumns(pub Vec<FocusColumn>);

fn names(columns: &[FocusColumn]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| format!("`{}`", column.name())).collect();
    quoted.join(", ")
}

const COST_COLUMNS: [FocusColumn; 4] =
    [FocusColumn::ListCost, FocusColumn::ContractedCost, FocusColumn::BilledCost, FocusColumn::EffectiveCost];
const TIME_COLUMNS: [FocusColumn; 4] = [
    FocusColumn::BillingPeriodStart,
    FocusColumn::BillingPeriodEnd,
    FocusColumn::ChargePeriodStart,
    FocusColumn::ChargePeriodEnd,
];

impl FileContext {
    /// `file` is the file's number in the delivery, from 0; `first` its first block (`None` for a file
    /// without rows), from which it is decided whether the file writes the last day of a period or the
    /// first instant after it.
    ///
    /// # Errors
    /// [`MissingColumns`] names all that are missing of `BillingPeriodStart`, `BilledCost` and `Tags`.
    pub fn new(file: u32, header: &Header, first: Option<&Cells>) -> Result<FileContext, MissingColumns> {
        FileContext::read(file, header, first, false)
    }

    /// As [`FileContext::new`], of a source whose files say what was used and not what it costs.
    pub(super) fn read(
        file: u32,
        header: &Header,
        first: Option<&Cells>,
        is_usage: bool,
    ) -> Result<FileContext, MissingColumns> {
        let mut missing = header.missing_required();
        missing.retain(|column| !(is_usage && *column == FocusColumn::BilledCost));
        let Some(tags) = header.find(FocusColumn::Tags).filter(|_| missing.is_empty()) else {
            return Err(MissingColumns(missing));
        };
        let times = TIME_COLUMNS.map(|column| header.find(column));
        let mut context = FileContext {
            file,
            inclusive: false,
            is_usage,
            delivered: header.columns.iter().map(|column| column.delivered.clone()).collect(),
            costs: COST_COLUMNS.map(|column| header.find(column).filter(|_| !is_usage)),
            times,
            tags,
            texts: Vec::new(),
            numbers: Vec::new(),
        };
        context.keep(header);
        context.inclusive = first.is_some_and(|cells| writes_last_days(cells, times[1]));
        Ok(context)
    }

    fn keep(&mut self, header: &Header) {
        for (at, column) in header.columns.iter().enumerate() {
            let taken = self.costs.contains(&Some(at)) || self.times.contains(&Some(at)) || at == self.tags;
            let Some(name) = column.kept_as.clone().filter(|_| !taken) else { continue };
            let twice = COSTS.contains(&name.as_str())
                || self.texts.iter().chain(&self.numbers).any(|kept| kept.name == name);
            if twice {
                continue;
            }
            let kept = Kept { column: at, name, focus: column.focus };
            if column.focus.is_some_and(|focus| matches!(focus.kind(), Kind::Cost | Kind::Decimal)) {
                self.numbers.push(kept);
            } else {
                self.texts.push(kept);
            }
        }
    }

    /// Whether date-only period ends name the last day that is inside (FOCUS ends are exclusive).
    #[must_use]
    pub fn is_inclusive(&self) -> bool {
        self.inclusive
    }

    /// What to tell about the file as a whole.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let told = "period ends are the last day inside the period, not the first after it as FOCUS says: \
                    read inclusively";
        if self.inclusive { vec![told.to_owned()] } else { Vec::new() }
    }
}

/// Whether most of the block's `BillingPeriodEnd`s that are dates alone are the last day of their month.
/// In FOCUS they are the first day of the next.
fn writes_last_days(cells: &Cells, column: Option<usize>) -> bool {
    let Some(column) = column else { return false };
    let (mut last_days, mut others, mut seen) = (0_usize, 0_usize, None);
    for row in 0..cells.rows {
        let text = cells.get(column, row);
        let is_last = match seen {
            Some((earlier, is_last)) if earlier == text => is_last,
            _ => focus::parse_time(text).ok().filter(|time| time.date_only).map(|time| {
                month_of(time.micros).is_some_and(|month| last_day_of_month(month) == time.micros)
            }),
        };
        seen = Some((text, is_last));
        match is_last {
            Some(true) => last_days += 1,
            Some(false) => others += 1,
            None => {}
        }
    }
    last_days > others
}
