//! What a column of the view is, as an expression over the files' columns and the overlay's.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, FieldRef};
use billing::Period;
use billing::attribution::Attribution;
use billing::intake::{FALLBACK_AFTER, FALLBACK_FROM};
use billing::settings::Basis;
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions::string::expr_fn::concat;
use datafusion::prelude::{Expr, cast, ident, lit, when};
use money::Amount;

use crate::LakeError;

/// Name of the constant column that tells the files' billing bases apart.
pub(crate) const BASIS: &str = "_basis";

/// Attribution that a reassignment can change.
const REASSIGNED: [&str; 6] =
    ["pi_email", "project_id", "fund_org", "account_code", "reference_1", "reference_2"];

const DERIVED: [&str; 10] =
    ["import", "period", "source", "billed_in", "state", "cost", "effective", "list_known", "list", "kind"];

pub(crate) fn text(value: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(value.to_owned())))
}

pub(crate) fn no_text() -> Expr {
    lit(ScalarValue::Utf8View(None))
}

pub(crate) fn amount(amount: Amount) -> Expr {
    lit(ScalarValue::Decimal128(Some(amount.units()), 38, 18))
}

fn zero() -> Expr {
    amount(Amount::ZERO)
}

pub(crate) fn no_amount() -> Expr {
    lit(ScalarValue::Decimal128(None, 38, 18))
}

pub(crate) const fn basis_code(basis: Basis) -> i8 {
    match basis {
        Basis::Billed => 0,
        Basis::Effective => 1,
        Basis::Contracted => 2,
    }
}

/// The columns of one view.
#[derive(Clone)]
pub(crate) struct Columns {
    /// Columns of the files, by name, and whether they are text.
    files: Vec<(String, DataType)>,
    bases: BTreeSet<i8>,
    decided: bool,
    period: Option<Period>,
}

impl Columns {
    pub(crate) fn new(
        fields: &[FieldRef],
        bases: Vec<Basis>,
        decided: bool,
        period: Option<Period>,
    ) -> Columns {
        Columns {
            files: fields.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect(),
            bases: bases.into_iter().map(basis_code).collect(),
            decided,
            period,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|(known, _)| known == name)
    }

    /// Whether any charge can have a value: of a file, of the view, or by a decision.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.has(name) || DERIVED.contains(&name) || (self.decided && REASSIGNED.contains(&name))
    }

    /// Every column of the view, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.files.iter().map(|(name, _)| name.clone()).collect();
        names.extend(DERIVED.map(str::to_owned));
        names.insert("charge_id".to_owned());
        names.insert("flags".to_owned());
        names.insert("delivered_flags".to_owned());
        names.extend(Attribution::FIELDS.map(str::to_owned));
        names.extend(REASSIGNED.map(|name| format!("delivered_{name}")));
        names.into_iter().collect()
    }

    /// The files' own columns.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// The expression of a column that a person named.
    pub(crate) fn named(&self, name: &str) -> Result<Expr, LakeError> {
        let known = self.names();
        if known.iter().any(|column| column == name) {
            return Ok(self.get(name));
        }
        // A column of FOCUS that none of these files has is empty, not unknown.
        if focus::FocusColumn::ALL.iter().any(|column| column.snake() == name) {
            return Ok(lit(ScalarValue::Utf8View(None)));
        }
        let near = known.iter().filter(|column| is_near(column, name)).cloned().collect();
        Err(LakeError::UnknownColumn { name: name.to_owned(), near, known })
    }

    /// The expression of a column of the view; text that no file has is null.
    pub(crate) fn get(&self, name: &str) -> Expr {
        match name {
            "import" | "period" | "source" => ident(name),
            "billed_in" => self.billed_in(),
            "state" => self.state(),
            "cost" => self.cost(),
            "effective" => or_billed("effective_cost"),
            "list_known" => self.list_known(),
            "list" => self.list(),
            "kind" => self.kind(),
            "flags" => self.flags(),
            FALLBACK_FROM | FALLBACK_AFTER => self.of_fallback(name),
            "charge_id" => {
                let number = |name: &str| cast(ident(name), DataType::Utf8View);
                concat(vec![number("import"), text(":"), number("row")])
            }
            _ if REASSIGNED.contains(&name) && self.decided => {
                coalesce(vec![ident(format!("_o_{name}")), self.delivered(name)])
            }
            _ => self.delivered(name.strip_prefix("delivered_").unwrap_or(name)),
        }
    }

    /// What is said of a fallback counts as long as nobody has put the charge on another fund.
    fn of_fallback(&self, name: &str) -> Expr {
        let is_fallback = self.get("fund_org").eq(self.delivered("fallback_fund_org"));
        choose(is_fallback, self.delivered(name), no_text())
    }

    /// A column as the files have it.
    pub(crate) fn delivered(&self, name: &str) -> Expr {
        if self.has(name) { ident(name) } else { no_text() }
    }

    /// A decimal column; none if no file has it.
    pub(crate) fn number(&self, name: &str) -> Expr {
        if self.has(name) { ident(name) } else { no_amount() }
    }

    fn flags(&self) -> Expr {
        let delivered = self.delivered("flags");
        if !self.decided {
            return delivered;
        }
        choose(is_decided(), ident("_o_flags"), delivered)
    }

    pub(crate) fn billed_in(&self) -> Expr {
        if self.decided { coalesce(vec![ident("_o_billed_in"), ident("period")]) } else { ident("period") }
    }

    /// Whether the charge is billable in the period that it is billed in.
    pub(crate) fn is_billable(&self) -> Expr {
        let clear = self.flags().is_null();
        if !self.decided {
            return clear;
        }
        // What was deferred is open again in the period it was deferred to: held if it is flagged.
        let open = ident("_o_state").is_null().or(ident("_o_state").eq(text("deferred")));
        ident("_o_state").eq(text("billable")).is_true().or(open.and(clear))
    }

    /// Whether the charge is held back from the period that it is billed in.
    pub(crate) fn is_held(&self) -> Expr {
        let flagged = self.flags().is_not_null();
        if !self.decided {
            return flagged;
        }
        let open = ident("_o_state").is_null().or(ident("_o_state").eq(text("deferred")));
        ident("_o_state").eq(text("held")).is_true().or(open.and(flagged))
    }

    /// Where the charge stands: seen from the view's period, if it has one.
    fn state(&self) -> Expr {
        let open = choose(self.flags().is_null(), text("billable"), text("held"));
        if !self.decided {
            return open;
        }
        match self.period {
            None => choose(is_decided(), ident("_o_state"), open),
            Some(period) => {
                let elsewhere = self.billed_in().not_eq(text(&period.to_string()));
                let said = is_decided().and(ident("_o_state").not_eq(text("deferred")));
                choose(elsewhere, text("deferred"), choose(said, ident("_o_state"), open))
            }
        }
    }

    /// The condition that a charge is of the view's period or billed in it.
    pub(crate) fn in_period(&self) -> Option<Expr> {
        let period = text(&self.period?.to_string());
        let own = ident("period").eq(period.clone());
        Some(if self.decided { own.or(self.billed_in().eq(period)) } else { own })
    }

    /// The cost that is billed, by the basis of the file's source.
    pub(crate) fn cost(&self) -> Expr {
        let mut bases = self.bases.iter().copied();
        let first = on_basis(bases.next().unwrap_or_default());
        bases.fold(first, |others, basis| choose(ident(BASIS).eq(lit(basis)), on_basis(basis), others))
    }

    /// A list cost of zero beside a cost is a list cost that the provider does not know.
    pub(crate) fn list_known(&self) -> Expr {
        let unknown = ident("list_cost").eq(zero()).and(self.cost().not_eq(zero()));
        ident("list_cost").is_not_null().and(!unknown)
    }

    pub(crate) fn list(&self) -> Expr {
        choose(self.list_known(), ident("list_cost"), self.cost())
    }

    /// FOCUS `ChargeCategory` as a statement tells it apart.
    fn kind(&self) -> Expr {
        let by_sign = choose(self.cost().lt(zero()), text("credit"), text("usage"));
        if !self.has("charge_category") {
            return by_sign;
        }
        let category = ident("charge_category");
        let named = choose(
            category.clone().in_list(vec![text("Usage"), text("Purchase")], false),
            text("usage"),
            choose(
                category.clone().eq(text("Credit")),
                text("credit"),
                choose(category.clone().eq(text("Tax")), text("tax"), text("adjustment")),
            ),
        );
        choose(category.is_null(), by_sign, named)
    }

    /// Whether a discount may be stated: usage with a known list price.
    pub(crate) fn has_discount(&self) -> Expr {
        let positive = self.cost().gt_eq(zero());
        let usage = if self.has("charge_category") {
            let category = ident("charge_category");
            let named = category.clone().in_list(vec![text("Usage"), text("Purchase")], false);
            named.or(category.is_null().and(positive))
        } else {
            positive
        };
        usage.and(self.list_known())
    }
}

/// Whether the charge has been decided about.
fn is_decided() -> Expr {
    ident("_o_state").is_not_null()
}

fn or_billed(cost: &str) -> Expr {
    coalesce(vec![ident(cost), ident("billed_cost")])
}

fn on_basis(basis: i8) -> Expr {
    match basis {
        1 => or_billed("effective_cost"),
        2 => or_billed("contracted_cost"),
        _ => ident("billed_cost"),
    }
}

pub(crate) fn choose(condition: Expr, yes: Expr, no: Expr) -> Expr {
    // `when` fails only for a CASE without branches.
    when(condition, yes).otherwise(no.clone()).unwrap_or(no)
}

/// Whether a person may have meant `column`: it holds the name or is held by it, or differs by a letter or
/// two.
fn is_near(column: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    name.len() > 2 && (column.contains(&name) || name.contains(column)) || distance(column, &name) <= 2
}

/// Letters to add, drop or change to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
