//! Which charges are meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int64Type};
use billing::decision::ChargeState;
use billing::{ChargeId, Flag, ImportId, Period};
use datafusion::functions::string::expr_fn::contains;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::{Expr, cast, ident, lit};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use money::Amount;
use serde::Serialize;

use crate::columns::{Columns, amount, text};
use crate::find::mentions;
use crate::overlay::state_name;
use crate::view::LiveFile;

/// Conditions that a charge meets all of. The default meets every charge. Attribution and flags are those
/// that stand after the decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    pub import: Option<ImportId>,
    /// Any of these; empty: any.
    pub ids: Vec<ChargeId>,
    /// Which file of the delivery, from 0, and the line the row begins at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// Any of these; empty: any.
    pub flags: Vec<Flag>,
    /// In any spelling of upper and lower case.
    pub source: Option<String>,
    pub pi_email: Option<String>,
    /// Or any of these: the other addresses of the PI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pi_also: Vec<String>,
    pub project_id: Option<String>,
    pub fund_org: Option<String>,
    pub service_name: Option<String>,
    /// Any of these; empty: any.
    pub states: Vec<ChargeState>,
    /// The period the charge is billed in.
    pub billed_in: Option<Period>,
    /// The period the charge is of.
    pub period: Option<Period>,
    /// Bounds of |cost|, both included.
    pub amount_min: Option<Amount>,
    pub amount_max: Option<Amount>,
    /// Of the day that the charge period begins on, both included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charged_from: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charged_to: Option<Date>,
    /// Found anywhere in source, service, SKU, resource, attribution or description, in any case.
    pub text: Option<String>,
}

const SEARCHED: [&str; 11] = [
    "source",
    "service_name",
    "sku_id",
    "account_code",
    "resource_id",
    "resource_name",
    "charge_description",
    "pi_email",
    "project_id",
    "fund_org",
    "flag_detail",
];

impl Filter {
    /// Only these charges.
    pub fn ids(ids: Vec<ChargeId>) -> Filter {
        Filter { ids, ..Filter::default() }
    }

    /// Whether a file can have a charge that is meant, by what is the same in all of it.
    pub(crate) fn may_match(&self, file: &LiveFile) -> bool {
        let same = |name: &String| name.trim().to_lowercase() == file.source.trim().to_lowercase();
        self.import.is_none_or(|import| import == file.import)
            && self.source.as_ref().is_none_or(same)
            && self.period.is_none_or(|period| period == file.period)
            && (self.ids.is_empty() || self.ids.iter().any(|id| id.import == file.import))
    }

    /// The conditions that [`may_match`](Filter::may_match) does not already see to.
    pub(crate) fn exprs(&self, columns: &Columns) -> Vec<Expr> {
        let mut exprs = Vec::new();
        if !self.ids.is_empty() {
            exprs.push(any_of(&self.ids));
        }
        exprs.extend(self.file.map(|file| ident("file").eq(lit(file))));
        exprs.extend(self.line.map(|line| ident("line").eq(lit(line))));
        // No flag's name is part of another's.
        let has = |flag: &Flag| contains(columns.get("flags"), text(flag.name()));
        if let Some(any) = self.flags.iter().map(has).reduce(Expr::or) {
            exprs.push(any);
        }
        let equal = [
            ("project_id", &self.project_id),
            ("fund_org", &self.fund_org),
            ("service_name", &self.service_name),
        ];
        if let Some(address) = &self.pi_email {
            let any = std::iter::once(address).chain(&self.pi_also).map(|address| text(address)).collect();
            exprs.push(columns.get("pi_email").in_list(any, false));
        }
        for (name, value) in equal {
            exprs.extend(value.as_ref().map(|value| columns.get(name).eq(text(value))));
        }
        if !self.states.is_empty() {
            let states = self.states.iter().map(|&state| text(state_name(state))).collect();
            exprs.push(columns.get("state").in_list(states, false));
        }
        if let Some(period) = self.billed_in {
            exprs.push(columns.billed_in().eq(text(&period.to_string())));
        }
        exprs.extend(self.amount_min.map(|least| {
            let cost = columns.cost();
            cost.clone().gt_eq(amount(least)).or(cost.lt_eq(amount(-least)))
        }));
        exprs.extend(self.amount_max.map(|most| columns.cost().between(amount(-most), amount(most))));
        let start = || cast(ident("charge_period_start"), DataType::Int64);
        exprs.extend(self.charged_from.map(|day| start().gt_eq(lit(start_micros(day)))));
        exprs.extend(
            self.charged_to
                .and_then(|day| day.tomorrow().ok())
                .map(|next| start().lt(lit(start_micros(next)))),
        );
        if let Some(words) = &self.text {
            let known = SEARCHED.into_iter().filter(|name| columns.may_have(name));
            exprs.push(mentions(known.map(|name| columns.get(name)).collect(), words));
        }
        exprs
    }
}

fn start_micros(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |start| start.timestamp().as_microsecond())
}

/// By import, with the bounds of the rows beside the list, so that row groups without any are not read.
fn any_of(ids: &[ChargeId]) -> Expr {
    let mut rows: BTreeMap<ImportId, Vec<i64>> = BTreeMap::new();
    for id in ids {
        rows.entry(id.import).or_default().push(id.row);
    }
    let of_import = |(import, mut rows): (ImportId, Vec<i64>)| {
        rows.sort_unstable();
        rows.dedup();
        let first = rows.first().copied().unwrap_or_default();
        let last = rows.last().copied().unwrap_or_default();
        let within = ident("row").between(lit(first), lit(last));
        let here = ident("import").eq(lit(import.0)).and(within);
        match rows.len() {
            0 | 1 => here,
            ..=LISTED => here.and(ident("row").in_list(rows.into_iter().map(lit).collect(), false)),
            _ => here.and(among(rows)),
        }
    };
    rows.into_iter().map(of_import).reduce(Expr::or).unwrap_or(lit(false))
}

/// A list that is written into the plan; the planner looks at each element of it several times.
const LISTED: usize = 1000;

/// `row` is one of these, which are in order and many.
fn among(rows: Vec<i64>) -> Expr {
    let is_among = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let column = arrays[0].as_primitive::<Int64Type>();
        let found: BooleanArray =
            column.iter().map(|row| row.map(|row| rows.binary_search(&row).is_ok())).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    };
    let name = "is_among";
    let function =
        create_udf(name, vec![DataType::Int64], DataType::Boolean, Volatility::Immutable, Arc::new(is_among));
    function.call(vec![ident("row")])
}
