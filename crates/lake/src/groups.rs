//! What statements are made of: posting groups, resources, and what is known of each project.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use billing::intake::{FALLBACK_AFTER, FALLBACK_FROM, RATED_BY, WAIVED};
use billing::rate::RateId;
use billing::statement::{Fallback, LineKind, PostingGroup};
use billing::{ChargeId, Period};
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::logical_expr::ExprFunctionExt;
use datafusion::prelude::{DataFrame, Expr, cast, ident, lit};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use money::Amount;

use crate::columns::{choose, no_text, text};
use crate::decode::{Batch, count as counted};
use crate::filter::Filter;
use crate::rows::kind_of;
use crate::{LakeError, View};

/// A resource of a project in a period: its billable charges of one service and kind, summed exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub pi_email: String,
    pub project_id: String,
    pub service_name: Option<String>,
    pub resource_id: Option<String>,
    pub resource_name: Option<String>,
    pub kind: LineKind,
    pub charges: u64,
    /// Consumed quantity, else pricing quantity, where every charge has it in one unit.
    pub quantity: Option<Amount>,
    pub unit: Option<String>,
    /// List cost; where it is not known, the cost.
    pub list_cost: Amount,
    pub cost: Amount,
}

/// What is known of a project of a PI from its charges billed in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub pi_email: String,
    pub project_id: String,
    /// Of billable charges, each once, sorted.
    pub fund_orgs: Vec<String>,
    /// `reference_1` and `reference_2` of billable charges, each once, sorted.
    pub references: Vec<String>,
    /// The latest, as delivered in the tags.
    pub end_date: Option<String>,
    pub reconciliation_end: Option<String>,
    pub fallback_fund_org: Option<String>,
    /// Funds that pay instead of an award's, each once, sorted.
    pub fallbacks: Vec<Fallback>,
    pub charges: u64,
    pub cost: Amount,
    /// Charges that are held back, which no statement has.
    pub held_charges: u64,
    pub held_cost: Amount,
}

/// What is to be summed apart, because others may pay for it.
#[derive(Clone, Debug, Default)]
pub struct Apart {
    /// Charge periods that begin before and from each.
    pub days: Vec<Date>,
    pub charges: Vec<ChargeId>,
    /// Whether by who used it.
    pub users: bool,
}

/// What a posted line is of, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub pi_email: String,
    pub project_id: String,
    /// How many of the days of [`Apart`] the charges begin on or after.
    pub after: usize,
    /// Which of its charges it is, if it is one.
    pub charge: Option<usize>,
    /// Who used it, where that is asked and said.
    pub user: Option<String>,
    /// The fund of an award that has ended; the group's is the one that stands in for it.
    pub fallback_from: Option<String>,
    /// The rate that priced them, if one did, and the quantity in its unit.
    pub rated: Option<(RateId, Amount)>,
    pub group: PostingGroup,
}

/// Charges that any rate treats alike, summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageGroup {
    pub pi_email: String,
    pub project_id: String,
    pub fund_org: Option<String>,
    pub source: String,
    pub service_name: Option<String>,
    pub sku_id: Option<String>,
    pub customer_class: Option<String>,
    /// Which rate priced them, if one did.
    pub rate: Option<RateId>,
    /// As it was priced, else as it was delivered.
    pub quantity: Option<Amount>,
    pub unit: Option<String>,
    pub charges: u64,
    pub cost: Amount,
}

const USED: [&str; 8] =
    ["pi_email", "project_id", "fund_org", "source", "service_name", "sku_id", "customer_class", RATED_BY];
const POSTED: [&str; 9] = [
    "pi_email",
    "project_id",
    "fund_org",
    "source",
    "service_name",
    "account_code",
    "kind",
    FALLBACK_FROM,
    RATED_BY,
];
const PROJECT: [&str; 10] = [
    "pi_email",
    "project_id",
    "fund_org",
    "reference_1",
    "reference_2",
    "end_date",
    "reconciliation_end",
    "fallback_fund_org",
    FALLBACK_FROM,
    FALLBACK_AFTER,
];

impl View {
    /// Sums of the billable charges that are billed in `period`, by PI, project, what is to be summed
    /// `apart`, what a posted line is of, and the rate that priced them; sorted by these.
    ///
    /// # Errors
    /// [`LakeError::NobodyToBill`] if a billable charge has no PI or no project: it would be lost.
    pub async fn posting_groups(&self, period: Period, apart: &Apart) -> Result<Vec<Posted>, LakeError> {
        let start = || cast(ident("charge_period_start"), DataType::Int64);
        let micros = |day: &Date| {
            day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |start| start.timestamp().as_microsecond())
        };
        let is_after = |day: &Date| cast(start().gt_eq(lit(micros(day))).is_true(), DataType::Int64);
        let after = apart.days.iter().map(is_after).reduce(|one, other| one + other).unwrap_or(lit(0_i64));
        let mut keys = self.keys(&POSTED);
        keys.push(after.alias("_after"));
        keys.push(which(&apart.charges).alias("_charge"));
        let user = if apart.users { self.columns.get("usage_user") } else { no_text() };
        keys.push(user.alias("_usage_user"));
        let sums = vec![
            count(lit(1)).alias("charges"),
            sum(self.columns.list()).alias("list"),
            sum(self.columns.cost()).alias("cost"),
            sum(self.columns.number("pricing_quantity")).alias("quantity"),
        ];
        let mut groups = Vec::new();
        for batch in self.billable(period)?.aggregate(keys, sums)?.collect().await? {
            decode_posted(&Batch(batch), period, &mut groups)?;
        }
        groups.sort_by(|a, b| posted_order(a).cmp(&posted_order(b)));
        Ok(groups)
    }

    /// What the billable charges of a period used, by everything that a price may depend on; sorted.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn usage_groups(&self, period: Period) -> Result<Vec<UsageGroup>, LakeError> {
        let (quantity, unit) = self.columns.used();
        let mut keys = self.keys(&USED);
        keys.push(unit.alias("_unit"));
        let sums = vec![
            count(lit(1)).alias("charges"),
            sum(quantity).alias("quantity"),
            sum(self.columns.cost()).alias("cost"),
        ];
        let mut groups = Vec::new();
        // What is waived costs nothing, whatever the prices.
        let rows = self.billable(period)?.filter(self.columns.delivered(WAIVED).is_null())?;
        for batch in rows.aggregate(keys, sums)?.collect().await? {
            decode_usage(&Batch(batch), &mut groups)?;
        }
        groups.sort_by(|a, b| usage_order(a).cmp(&usage_order(b)));
        Ok(groups)
    }

    /// Resources of the billable charges billed in `period`, of all projects or of one `(PI, project)`:
    /// by PI, project and service, the largest |cost| first. Memory stays bounded however many there are.
    pub async fn resources(
        &self,
        period: Period,
        project: Option<(&str, &str)>,
    ) -> Result<impl Stream<Item = Result<Resource, LakeError>> + Send + 'static, LakeError> {
        let mut rows = self.billable(period)?;
        if let Some((pi, project)) = project {
            let of = |name: &str, value: &str| self.columns.get(name).eq(text(value));
            rows = rows.filter(of("pi_email", pi).and(of("project_id", project)))?;
        }
        let mut keys = self.keys(&["pi_email", "project_id", "service_name", "resource_id", "kind"]);
        let name = || self.columns.get("resource_name");
        // Without an id, the name is what tells resources apart.
        let id = self.columns.get("resource_id");
        keys.push(choose(id.is_null(), name(), no_text()).alias("_named"));
        let (quantity, unit) = self.columns.quantity();
        let sums = vec![
            max(name()).alias("_name"),
            count(lit(1)).alias("charges"),
            count(unit.clone()).alias("measured"),
            sum(quantity).alias("quantity"),
            min(unit.clone()).alias("unit"),
            max(unit).alias("other_unit"),
            sum(self.columns.list()).alias("list"),
            sum(self.columns.cost()).alias("cost"),
        ];
        let cost = || ident("cost");
        let zero = Amount::ZERO;
        let size = choose(cost().lt(crate::columns::amount(zero)), -cost(), cost());
        let order = vec![
            ident("_pi_email").sort(true, true),
            ident("_project_id").sort(true, true),
            ident("_service_name").sort(true, true),
            size.sort(false, false),
            ident("_resource_id").sort(true, true),
            ident("_named").sort(true, true),
            ident("_kind").sort(true, true),
        ];
        let batches = rows.aggregate(keys, sums)?.sort(order)?.execute_stream().await?;
        let resources = batches.map(|batch| decode_resources(&Batch(batch?)));
        Ok(resources.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten())
    }

    /// What is known of every project with charges billed in `period`, by PI and project.
    pub async fn projects(&self, period: Period) -> Result<Vec<Project>, LakeError> {
        let (billable, held) = (self.columns.is_billable(), self.columns.is_held());
        let cost_of = |rows: &Expr| sum(self.columns.cost()).filter(rows.clone()).build();
        let count_of = |rows: &Expr| count(lit(1)).filter(rows.clone()).build();
        let sums = vec![
            count_of(&billable)?.alias("charges"),
            cost_of(&billable)?.alias("cost"),
            count_of(&held)?.alias("held_charges"),
            cost_of(&held)?.alias("held_cost"),
        ];
        let rows = self.rows(&Filter { billed_in: Some(period), ..Filter::default() })?;
        let rows = rows.filter(billable.or(held))?;
        let mut projects = BTreeMap::new();
        for batch in rows.aggregate(self.keys(&PROJECT), sums)?.collect().await? {
            fold_projects(&Batch(batch), &mut projects)?;
        }
        Ok(projects.into_values().map(ProjectFacts::done).collect())
    }

    pub(crate) fn billable(&self, period: Period) -> Result<DataFrame, LakeError> {
        let rows = self.rows(&Filter { billed_in: Some(period), ..Filter::default() })?;
        Ok(rows.filter(self.columns.is_billable())?)
    }

    /// Columns as they stand, under their names after `_`.
    fn keys(&self, names: &[&str]) -> Vec<Expr> {
        names.iter().map(|name| self.columns.get(name).alias(format!("_{name}"))).collect()
    }
}

/// Which of some charges a row is, from 1; 0 where it is none of them.
fn which(charges: &[ChargeId]) -> Expr {
    let is = |id: &ChargeId| ident("import").eq(lit(id.import.0)).and(ident("row").eq(lit(id.row)));
    let numbered = (1_i64..).zip(charges);
    numbered.fold(lit(0_i64), |others, (number, id)| choose(is(id), lit(number), others))
}

impl crate::columns::Columns {
    /// The quantity that a rate would price and its unit: as it was priced, else as delivered.
    fn used(&self) -> (Expr, Expr) {
        let (quantity, unit) = self.quantity();
        if !self.has(RATED_BY) {
            return (quantity, unit);
        }
        let is_rated = ident(RATED_BY).is_not_null();
        (
            choose(is_rated.clone(), self.number("pricing_quantity"), quantity),
            choose(is_rated, self.delivered("pricing_unit"), unit),
        )
    }

    /// The quantity to state and its unit: consumed, else pricing, where both are there.
    fn quantity(&self) -> (Expr, Expr) {
        let (consumed, consumed_unit) = (self.number("consumed_quantity"), self.delivered("consumed_unit"));
        let (pricing, pricing_unit) = (self.number("pricing_quantity"), self.delivered("pricing_unit"));
        let both =
            |quantity: &Expr, unit: &Expr| quantity.clone().is_not_null().and(unit.clone().is_not_null());
        let is_consumed = both(&consumed, &consumed_unit);
        let is_priced = both(&pricing, &pricing_unit);
        let priced_unit = choose(is_priced.clone(), pricing_unit, no_text());
        let priced = choose(is_priced, pricing, crate::columns::no_amount());
        (choose(is_consumed.clone(), consumed, priced), choose(is_consumed, consumed_unit, priced_unit))
    }
}

fn usage_order(group: &UsageGroup) -> [Option<&str>; 8] {
    [
        Some(&group.pi_email),
        Some(&group.project_id),
        group.fund_org.as_deref(),
        Some(&group.source),
        group.service_name.as_deref(),
        group.sku_id.as_deref(),
        group.customer_class.as_deref(),
        group.unit.as_deref(),
    ]
}

fn decode_usage(batch: &Batch, groups: &mut Vec<UsageGroup>) -> Result<(), LakeError> {
    let [pi, project, fund_org, source, service, sku, class, rate] =
        USED.map(|name| batch.text(&format!("_{name}")));
    let (pi, project, fund_org, source) = (pi?, project?, fund_org?, source?);
    let (service, sku, class, rate, unit) = (service?, sku?, class?, rate?, batch.text("_unit")?);
    let (charges, quantity, cost) =
        (batch.integers("charges")?, batch.amounts("quantity")?, batch.amounts("cost")?);
    groups.extend((0..batch.rows()).map(|row| UsageGroup {
        pi_email: pi.owned(row).unwrap_or_default(),
        project_id: project.owned(row).unwrap_or_default(),
        fund_org: fund_org.owned(row),
        source: source.owned(row).unwrap_or_default(),
        service_name: service.owned(row),
        sku_id: sku.owned(row),
        customer_class: class.owned(row),
        rate: rate.get(row).and_then(|rate| rate.parse().ok()).map(RateId),
        quantity: quantity.get(row),
        unit: unit.owned(row),
        charges: counted(charges, row),
        cost: cost.or_zero(row),
    }));
    Ok(())
}

type PostedOrder<'a> =
    ((&'a str, &'a str, usize, Option<usize>), [Option<&'a str>; 6], LineKind, Option<RateId>);

fn posted_order(posted: &Posted) -> PostedOrder<'_> {
    let PostingGroup { fund_org, source, service_name, account_code, kind, .. } = &posted.group;
    let texts = [
        fund_org.as_deref(),
        Some(source.as_str()),
        service_name.as_deref(),
        account_code.as_deref(),
        posted.fallback_from.as_deref(),
        posted.user.as_deref(),
    ];
    let rate = posted.rated.map(|(rate, _)| rate);
    ((&posted.pi_email, &posted.project_id, posted.after, posted.charge), texts, *kind, rate)
}

fn decode_posted(batch: &Batch, period: Period, groups: &mut Vec<Posted>) -> Result<(), LakeError> {
    let columns = POSTED.map(|name| batch.text(&format!("_{name}")));
    let [pi, project, fund_org, source, service, account, kind, fallback_from, rated_by] = columns;
    let (pi, project, fund_org, source) = (pi?, project?, fund_org?, source?);
    let (service, account, kind, fallback_from) = (service?, account?, kind?, fallback_from?);
    let (rated_by, quantity) = (rated_by?, batch.amounts("quantity")?);
    let (charges, after) = (batch.integers("charges")?, batch.integers("_after")?);
    let (which, user) = (batch.integers("_charge")?, batch.text("_usage_user")?);
    let (list, cost) = (batch.amounts("list")?, batch.amounts("cost")?);
    for row in 0..batch.rows() {
        let (Some(pi), Some(project)) = (pi.owned(row), project.owned(row)) else {
            return Err(LakeError::NobodyToBill { period, charges: counted(charges, row) });
        };
        let group = PostingGroup {
            fund_org: fund_org.owned(row),
            source: source.owned(row).unwrap_or_default(),
            service_name: service.owned(row),
            account_code: account.owned(row),
            kind: kind_of(kind.get(row)),
            charges: counted(charges, row),
            list_cost: list.or_zero(row),
            cost: cost.or_zero(row),
        };
        let after = usize::try_from(after.value(row)).unwrap_or_default();
        let charge = usize::try_from(which.value(row)).ok().and_then(|number| number.checked_sub(1));
        let fallback_from = fallback_from.owned(row);
        let rate = rated_by.get(row).and_then(|rate| rate.parse().ok()).map(RateId);
        let rated = rate.map(|rate| (rate, quantity.or_zero(row)));
        groups.push(Posted {
            pi_email: pi,
            project_id: project,
            after,
            charge,
            user: user.owned(row),
            fallback_from,
            rated,
            group,
        });
    }
    Ok(())
}

fn decode_resources(batch: &Batch) -> Result<Vec<Resource>, LakeError> {
    let names = ["_pi_email", "_project_id", "_service_name", "_resource_id", "_kind", "_name"];
    let [pi, project, service, id, kind, name] = names.map(|name| batch.text(name));
    let (pi, project, service, id, kind, name) = (pi?, project?, service?, id?, kind?, name?);
    let (unit, other_unit) = (batch.text("unit")?, batch.text("other_unit")?);
    let (charges, measured) = (batch.integers("charges")?, batch.integers("measured")?);
    let (quantity, list, cost) = (batch.amounts("quantity")?, batch.amounts("list")?, batch.amounts("cost")?);
    let resource = |row: usize| {
        let one_unit =
            counted(measured, row) == counted(charges, row) && unit.get(row) == other_unit.get(row);
        Resource {
            pi_email: pi.owned(row).unwrap_or_default(),
            project_id: project.owned(row).unwrap_or_default(),
            service_name: service.owned(row),
            resource_id: id.owned(row),
            resource_name: name.owned(row),
            kind: kind_of(kind.get(row)),
            charges: counted(charges, row),
            quantity: quantity.get(row).filter(|_| one_unit),
            unit: unit.owned(row).filter(|_| one_unit),
            list_cost: list.or_zero(row),
            cost: cost.or_zero(row),
        }
    };
    Ok((0..batch.rows()).map(resource).collect())
}

#[derive(Default)]
struct ProjectFacts {
    known: Project,
    fund_orgs: BTreeSet<String>,
    references: BTreeSet<String>,
    fallbacks: BTreeSet<Fallback>,
}

impl ProjectFacts {
    fn done(self) -> Project {
        Project {
            fund_orgs: self.fund_orgs.into_iter().collect(),
            references: self.references.into_iter().collect(),
            fallbacks: self.fallbacks.into_iter().collect(),
            ..self.known
        }
    }
}

fn fold_projects(
    batch: &Batch,
    projects: &mut BTreeMap<(String, String), ProjectFacts>,
) -> Result<(), LakeError> {
    let columns = PROJECT.map(|name| batch.text(&format!("_{name}")));
    let [pi, project, fund_org, first, second, end_date, reconciliation_end, fallback, from, after] = columns;
    let (pi, project, fund_org, first, second) = (pi?, project?, fund_org?, first?, second?);
    let (end_date, reconciliation_end) = (end_date?, reconciliation_end?);
    let (fallback, from, after) = (fallback?, from?, after?);
    let (charges, held) = (batch.integers("charges")?, batch.integers("held_charges")?);
    let (cost, held_cost) = (batch.amounts("cost")?, batch.amounts("held_cost")?);
    for row in 0..batch.rows() {
        // A charge without either is held, and is on nobody's statement.
        let (Some(pi), Some(project)) = (pi.owned(row), project.owned(row)) else { continue };
        let facts = projects.entry((pi.clone(), project.clone())).or_default();
        (facts.known.pi_email, facts.known.project_id) = (pi, project);
        facts.known.held_charges += counted(held, row);
        facts.known.held_cost += held_cost.or_zero(row);
        if counted(charges, row) == 0 {
            continue;
        }
        facts.known.charges += counted(charges, row);
        facts.known.cost += cost.or_zero(row);
        facts.fund_orgs.extend(fund_org.owned(row));
        facts.references.extend(first.owned(row).into_iter().chain(second.owned(row)));
        // ISO dates: the latest is the largest.
        facts.known.end_date = facts.known.end_date.take().max(end_date.owned(row));
        let end = &mut facts.known.reconciliation_end;
        *end = end.take().max(reconciliation_end.owned(row));
        let known = &mut facts.known.fallback_fund_org;
        *known = known.take().max(fallback.owned(row));
        if let Some((fund_org, after)) = fund_org.owned(row).zip(after.owned(row)) {
            let of_use = end_date.get(row) == Some(after.as_str());
            facts.fallbacks.insert(Fallback { fund_org, from: from.owned(row), after, of_use });
        }
    }
    Ok(())
}
