//! Fix-ups are counted and told, never applied to a cost and never silent.

use std::collections::BTreeMap;

/// What was noticed about rows that are charges all the same. The order is the order of telling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Note {
    /// `ListCost` is 0 beside a cost that is not (common at Azure): it stays 0, the list price counts
    /// as unknown.
    ListPriceUnknown,
    /// A cost column other than `BilledCost` has no value, by FOCUS name.
    CostMissing(&'static str),
    /// More than eighteen places, rounded half-even.
    AmountRounded(String),
    /// A quantity or unit price that is not a number, by delivered column name: null in the charge.
    NotANumber(String),
    /// An enum value in the wrong case, by delivered column name: the charge has FOCUS' spelling.
    WrongCase(String),
    /// `BillingPeriodStart` has a time without a zone: read as UTC.
    NoZone,
    PeriodEndMissing,
    ChargePeriodMissing,
    /// The charge period is not inside the billing period: late or corrected charges.
    OutsidePeriod,
    /// `BillingPeriodEnd`, made exclusive, is not the end of the month: perhaps rows with inclusive and
    /// with exclusive ends were put into one file.
    PeriodEndElsewhere,
    /// The source's charges cost what the rate book says.
    PricedByRates,
}

/// How many rows each note is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoteCounts(BTreeMap<Note, u64>);

impl NoteCounts {
    pub fn add(&mut self, note: Note, rows: u64) {
        if rows > 0 {
            *self.0.entry(note).or_default() += rows;
        }
    }

    pub fn merge(&mut self, other: &NoteCounts) {
        for (note, rows) in &other.0 {
            *self.0.entry(note.clone()).or_default() += rows;
        }
    }

    #[must_use]
    pub fn get(&self, note: &Note) -> u64 {
        self.0.get(note).copied().unwrap_or_default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A sentence for each note, for people.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        self.0.iter().map(|(note, &rows)| note.sentence(rows)).collect()
    }
}

impl Note {
    fn sentence(&self, rows: u64) -> String {
        let rows = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        match self {
            Note::ListPriceUnknown => {
                format!("ListCost is 0 beside a cost in {rows}: the list price counts as unknown there")
            }
            Note::CostMissing(column) => {
                format!("{column} is missing in {rows}: BilledCost stands for it")
            }
            Note::AmountRounded(column) => {
                format!("{column} has more than 18 decimal places in {rows}: rounded half-even to 18")
            }
            Note::NotANumber(column) => {
                format!("{column} is not a number in {rows}: left empty in the charge, kept as delivered")
            }
            Note::WrongCase(column) => {
                format!("{column} is not spelled as FOCUS spells it in {rows}: the FOCUS spelling is used")
            }
            Note::NoZone => format!("BillingPeriodStart has no time zone in {rows}: read as UTC"),
            Note::PeriodEndMissing => {
                format!("BillingPeriodEnd is missing in {rows}: the end of the month stands for it")
            }
            Note::ChargePeriodMissing => {
                format!("the charge period is missing in {rows}: the billing period stands for it")
            }
            Note::OutsidePeriod => {
                format!(
                    "the charge period is not inside the billing period in {rows} (late or corrected charges)"
                )
            }
            Note::PeriodEndElsewhere => {
                format!("BillingPeriodEnd is not the end of the month in {rows}: look at the period ends")
            }
            Note::PricedByRates => {
                format!("the rate book priced {rows}; costs that the file may have are not billed")
            }
        }
    }
}
