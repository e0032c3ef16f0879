//! The header line: which column is which, under whatever name it was delivered.

use std::fmt;

use crate::FocusColumn;

/// The columns of one file.
#[derive(Clone, Debug)]
pub struct Header {
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug)]
pub struct Column {
    /// As delivered.
    pub delivered: String,
    /// The FOCUS column it is, after aliases (`Region` → `RegionId`) and without regard to case.
    pub focus: Option<FocusColumn>,
    /// Snake-case name under which the charge keeps it: a FOCUS column (`service_name`), or a custom
    /// column that begins with `x_` or `oci_`. `None`: it stays in the delivered bytes only.
    pub kept_as: Option<String>,
}

/// Why a header cannot be used. Follows "the file" or "the header".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error(
        "columns {} and {} have the same name, `{name}`; remove or rename one of them", first + 1, second + 1
    )]
    SameName { first: usize, second: usize, name: String },
    #[error(
        "columns {} (`{first_name}`) and {} (`{second_name}`) are the same column, `{kept_as}`; remove or \
         rename one of them", first + 1, second + 1
    )]
    SameColumn { first: usize, first_name: String, second: usize, second_name: String, kept_as: String },
    #[error("the header line is not UTF-8 text: byte 0x{byte:02X} at position {position} of the line")]
    NotText { byte: u8, position: usize },
    #[error("column {} of the header: {reason}", column + 1)]
    Quotes { column: usize, reason: String },
    #[error(
        "the columns are separated by {0}, but FOCUS CSV is comma-separated; ask the source for commas or \
         convert the file"
    )]
    Delimiter(&'static str),
    #[error("the lines end in a lone carriage return (old Macintosh style); convert the file to line feeds")]
    CarriageReturns,
}

/// Names of earlier versions and of dialects, and the column that each became.
const ALIASES: [(&str, FocusColumn); 8] = [
    ("AmortizedCost", FocusColumn::EffectiveCost),
    ("ChargeType", FocusColumn::ChargeCategory),
    ("InvoiceIssuer", FocusColumn::InvoiceIssuerName),
    ("Provider", FocusColumn::ProviderName),
    ("Publisher", FocusColumn::PublisherName),
    ("Region", FocusColumn::RegionId),
    ("UsageQuantity", FocusColumn::ConsumedQuantity),
    ("UsageUnit", FocusColumn::ConsumedUnit),
];

/// Prefixes of columns that are kept although FOCUS does not name them.
const CUSTOM_PREFIXES: [&str; 2] = ["x_", "oci_"];

impl Header {
    /// Recognise columns by the names delivered, in their order.
    ///
    /// # Errors
    /// When two columns have the same name. An older name beside the newer one (`Region` beside
    /// `RegionId`) is no error: the newer one counts.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Header, HeaderError> {
        let delivered: Vec<String> = names.into_iter().map(|name| name.trim().to_owned()).collect();
        let columns: Vec<Column> = delivered.iter().map(|name| recognise(name, &delivered)).collect();
        let header = Header { columns };
        header.check_unique()?;
        Ok(header)
    }

    fn check_unique(&self) -> Result<(), HeaderError> {
        let mut seen = std::collections::HashMap::new();
        let named = self.columns.iter().enumerate().filter(|(_, column)| !column.delivered.is_empty());
        for (second, column) in named {
            let key = column.kept_as.clone().unwrap_or_else(|| column.delivered.to_lowercase());
            let Some(first) = seen.insert(key, second) else { continue };
            let first_name = &self.columns[first].delivered;
            let Some(kept_as) = column.kept_as.clone().filter(|_| *first_name != column.delivered) else {
                return Err(HeaderError::SameName { first, second, name: column.delivered.clone() });
            };
            return Err(HeaderError::SameColumn {
                first,
                first_name: first_name.clone(),
                second,
                second_name: column.delivered.clone(),
                kept_as,
            });
        }
        Ok(())
    }

    /// The place of a FOCUS column in the file.
    #[must_use]
    pub fn find(&self, column: FocusColumn) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.focus == Some(column))
    }

    /// The place of the column that a charge keeps under this snake-case name.
    #[must_use]
    pub fn find_kept(&self, kept_as: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.kept_as.as_deref() == Some(kept_as))
    }

    /// Which of `BillingPeriodStart`, `BilledCost` and `Tags` the file does not have.
    #[must_use]
    pub fn missing_required(&self) -> Vec<FocusColumn> {
        FocusColumn::REQUIRED.into_iter().filter(|column| self.find(*column).is_none()).collect()
    }

    /// The version of FOCUS that the names speak of; `None` when they are those of every version.
    #[must_use]
    pub fn version(&self) -> Option<FocusVersion> {
        let has = |name: &str| self.columns.iter().any(|column| column.delivered.eq_ignore_ascii_case(name));
        let any = |names: &[&str]| names.iter().any(|name| has(name));
        if any(&["InvoiceDetailId", "CommitmentProgramEligibilityDetails"]) {
            Some(FocusVersion::V1_4)
        } else if any(&["ServiceProviderName", "HostProviderName", "ContractApplied"]) || self.is_split() {
            // 1.3 still required the two names that 1.4 removed.
            let old = any(&["ProviderName", "PublisherName"]);
            Some(if old { FocusVersion::V1_3 } else { FocusVersion::V1_4 })
        } else if any(&["InvoiceId", "PricingCurrency"]) {
            // `BillingAccountType` alone proves nothing: Azure's 1.0 has it.
            Some(FocusVersion::V1_2)
        } else if any(&["SkuMeter", "ServiceSubcategory", "CapacityReservationId"]) {
            Some(FocusVersion::V1_1)
        } else if any(&["ChargeClass", "ContractedCost", "RegionId", "ConsumedQuantity"]) {
            Some(FocusVersion::V1_0)
        } else if any(&["ChargeSubcategory", "UsageQuantity", "UsageUnit"]) {
            Some(FocusVersion::V1_0Preview)
        } else if any(&["AmortizedCost", "ChargeType"]) {
            Some(FocusVersion::V0_5)
        } else {
            has("Region").then_some(FocusVersion::V1_0Preview)
        }
    }

    fn is_split(&self) -> bool {
        self.columns
            .iter()
            .any(|column| column.focus.is_some_and(|focus| focus.name().starts_with("Allocated")))
    }

    /// What a reader of the import should know about the columns, as sentences.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut unknown = Vec::new();
        for column in &self.columns {
            let alias = alias(&column.delivered);
            match (column.focus, alias) {
                (Some(focus), Some(_)) => {
                    notes.push(format!("column `{}` is read as `{}`", column.delivered, focus.name()));
                }
                (None, Some(focus)) => notes.push(format!(
                    "column `{}` is not used, because the file also has `{}`",
                    column.delivered,
                    focus.name()
                )),
                (None, None) if column.kept_as.is_none() => unknown.push(format!("`{}`", column.delivered)),
                _ => {}
            }
        }
        match unknown.len() {
            0 => {}
            1 => notes.push(format!(
                "column {} is not of FOCUS; it stays in the delivered file only",
                unknown.concat()
            )),
            count => notes.push(format!(
                "{count} columns are not of FOCUS and stay in the delivered file only: {}",
                unknown.join(", ")
            )),
        }
        notes
    }
}

/// The version of FOCUS a file speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FocusVersion {
    V0_5,
    V1_0Preview,
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V1_4,
}

impl FocusVersion {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FocusVersion::V0_5 => "0.5",
            FocusVersion::V1_0Preview => "1.0-preview",
            FocusVersion::V1_0 => "1.0",
            FocusVersion::V1_1 => "1.1",
            FocusVersion::V1_2 => "1.2",
            FocusVersion::V1_3 => "1.3",
            FocusVersion::V1_4 => "1.4",
        }
    }
}

impl fmt::Display for FocusVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn alias(name: &str) -> Option<FocusColumn> {
    ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
}

fn recognise(name: &str, all: &[String]) -> Column {
    // The alias gives way to the real name: some files of a transition have both.
    let is_free = |column: &FocusColumn| !all.iter().any(|other| other.eq_ignore_ascii_case(column.name()));
    let focus = FocusColumn::named(name).or_else(|| alias(name).filter(is_free));
    let lower = name.to_lowercase();
    let is_custom = CUSTOM_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    let custom = || is_custom.then(|| snake_case(name));
    let kept_as = focus.map(|column| column.snake().to_owned()).or_else(custom);
    Column { delivered: name.to_owned(), focus, kept_as }
}

/// The name a column is kept under: `x_BilledCostInUsd` → `x_billed_cost_in_usd`, `X_SKUMeter` → `x_sku_meter`, `oci_Back-Ref` → `oci_back_ref`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 8);
    for (at, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            if !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|at| characters[at]);
        let is_new_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase()
                        && characters.get(at + 1).is_some_and(|after| after.is_lowercase()))
            });
        if is_new_word {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Header {
        Header::new(names.split(',')).unwrap()
    }

    #[test]
    fn names_are_found_in_any_case_and_under_old_names() {
        let header = header(" BILLEDCOST ,tags,Region,UsageUnit,publisher,X_CostCenter,oci_BackRef,Id,");
        for (column, place) in [
            (FocusColumn::BilledCost, Some(0)),
            (FocusColumn::Tags, Some(1)),
            (FocusColumn::RegionId, Some(2)),
            (FocusColumn::ConsumedUnit, Some(3)),
            (FocusColumn::PublisherName, Some(4)),
            (FocusColumn::ListCost, None),
        ] {
            assert_eq!(header.find(column), place, "{column:?}");
        }
        let kept: Vec<Option<&str>> = header.columns[5..].iter().map(|c| c.kept_as.as_deref()).collect();
        assert_eq!(kept, [Some("x_cost_center"), Some("oci_back_ref"), None, None]);
        assert_eq!(header.find_kept("x_cost_center"), Some(5));
        assert_eq!(header.missing_required(), [FocusColumn::BillingPeriodStart]);
    }

    #[test]
    fn every_alias_is_noted_and_gives_way_to_the_real_name() {
        for (alias, column) in ALIASES {
            let alone = header(alias);
            assert_eq!(alone.find(column), Some(0));
            assert_eq!(alone.notes(), [format!("column `{alias}` is read as `{}`", column.name())]);
            let both = header(&format!("{alias},{}", column.name()));
            assert_eq!(both.find(column), Some(1));
            let note = format!("column `{alias}` is not used, because the file also has `{}`", column.name());
            assert_eq!(both.notes(), [note]);
        }
        let notes = header("Tags,Id,Cost Center").notes();
        let wanted = "2 columns are not of FOCUS and stay in the delivered file only: `Id`, `Cost Center`";
        assert_eq!(notes, [wanted]);
    }

    #[test]
    fn the_version_is_told_by_the_names() {
        for (names, version) in [
            ("BilledCost,InvoiceDetailId", Some(FocusVersion::V1_4)),
            ("ServiceProviderName,HostProviderName", Some(FocusVersion::V1_4)),
            ("ServiceProviderName,ProviderName,PublisherName", Some(FocusVersion::V1_3)),
            ("AllocatedTags,ProviderName", Some(FocusVersion::V1_3)),
            ("InvoiceId,ProviderName", Some(FocusVersion::V1_2)),
            ("BillingAccountType,ChargeClass", Some(FocusVersion::V1_0)),
            ("SkuMeter,ChargeClass", Some(FocusVersion::V1_1)),
            ("chargeclass,RegionId", Some(FocusVersion::V1_0)),
            ("ChargeSubcategory,Region", Some(FocusVersion::V1_0Preview)),
            ("Provider,Region,UsageQuantity", Some(FocusVersion::V1_0Preview)),
            ("ChargeType,AmortizedCost,Region", Some(FocusVersion::V0_5)),
            ("BillingPeriodStart,BilledCost,Tags", None),
        ] {
            assert_eq!(header(names).version(), version, "{names}");
        }
        assert_eq!(format!("{:>12}", FocusVersion::V1_0Preview), " 1.0-preview");
    }

    #[test]
    fn custom_names_become_snake_case() {
        for (name, wanted) in [
            ("x_CostCategories", "x_cost_categories"),
            ("x_BilledCostInUsd", "x_billed_cost_in_usd"),
            ("X_SKUMeterName", "x_sku_meter_name"),
            ("x_already_snake", "x_already_snake"),
            ("oci_Back-Ref No.2", "oci_back_ref_no_2"),
            ("x_Ipv4Count", "x_ipv4_count"),
        ] {
            assert_eq!(header(name).columns[0].kept_as.as_deref(), Some(wanted), "{name}");
        }
    }
}
