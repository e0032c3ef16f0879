use axum::extract::State;
use billing::decision::ChargeState;
use billing::{ChargeId, Flag, ImportId, Period};
use lake::{Filter, Sort};
use money::Amount;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use workflow::listing;
use workflow::report::{ReportRequest, report};
use workflow::story::charge_story;

use super::Api;
use super::answer::{Answer, answer, page_of};
use super::asked::{Ask, At, Nothing, Paged};
use crate::App;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Charges")
        .read("/api/v1/charges", "charges list", "Charges with their decisions", list)
        .with_query::<AskedCharges>()
        .listed()
        .read(
            "/api/v1/charges/{charge}",
            "charges show",
            "One charge: the row as delivered, what was made of it, its flags and decisions",
            show,
        )
}

/// A flag by its name.
#[derive(Clone, Copy, Debug)]
pub struct FlagName(Flag);

impl<'de> Deserialize<'de> for FlagName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<FlagName, D::Error> {
        let text = String::deserialize(deserializer)?;
        Flag::from_name(&text.to_lowercase()).map(FlagName).ok_or_else(|| {
            let names: Vec<&str> = Flag::ALL.into_iter().map(Flag::name).collect();
            serde::de::Error::custom(format!("`{text}` is not a flag: there is {}", names.join(", ")))
        })
    }
}

fn flags(names: &[FlagName]) -> Vec<Flag> {
    names.iter().map(|name| name.0).collect()
}

/// Which charges: all that is given must hold, and of several values of one name any.
#[derive(Clone, Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChargeFilter {
    /// Charges by id; may be given again
    #[param(value_type = Vec<String>, example = json!(["12:345"]))]
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    pub id: Vec<ChargeId>,
    /// Billing period
    #[param(value_type = Option<String>, example = "2025-01")]
    #[schema(value_type = Option<String>, example = "2025-01")]
    pub period: Option<Period>,
    /// Flag that still stands, such as `missing_fund_org`; may be given again
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    #[serde(default)]
    pub flag: Vec<FlagName>,
    /// Source that delivered them
    pub source: Option<String>,
    /// Number of the import that brought them
    pub import: Option<i64>,
    /// E-mail address of the PI
    pub pi: Option<String>,
    /// Project they are attributed to
    pub project: Option<String>,
    /// Cost at least
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    pub min_amount: Option<Amount>,
    /// Cost at most
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    pub max_amount: Option<Amount>,
}

impl ChargeFilter {
    pub fn filter(self) -> Filter {
        Filter {
            import: self.import.map(ImportId),
            ids: self.id,
            flags: flags(&self.flag),
            source: self.source,
            pi_email: self.pi,
            project_id: self.project,
            period: self.period,
            amount_min: self.min_amount,
            amount_max: self.max_amount,
            ..Filter::default()
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedCharges {
    /// Charges by id; may be given again
    #[serde(default)]
    #[param(value_type = Vec<String>, example = json!(["12:345"]))]
    id: Vec<ChargeId>,
    /// Billing period
    #[param(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// Flag that still stands, such as `missing_fund_org`; may be given again
    #[serde(default)]
    #[param(value_type = Vec<String>)]
    flag: Vec<FlagName>,
    /// `billable`, `held`, `rejected` or `deferred`; may be given again
    #[serde(default)]
    #[param(value_type = Vec<String>)]
    state: Vec<ChargeState>,
    /// Source that delivered them
    source: Option<String>,
    /// Number of the import that brought them
    import: Option<i64>,
    /// E-mail address of the PI
    pi: Option<String>,
    /// Project they are attributed to
    project: Option<String>,
    /// Fund they are attributed to
    fund_org: Option<String>,
    /// Service, as the provider calls it
    service: Option<String>,
    /// Cost at least
    #[param(value_type = Option<String>)]
    min_amount: Option<Amount>,
    /// Cost at most
    #[param(value_type = Option<String>)]
    max_amount: Option<Amount>,
    /// Found anywhere in service, resource, attribution or description, in any case
    text: Option<String>,
    /// Column to order by, such as `billed_cost`; `-billed_cost` begins with the largest
    sort: Option<String>,
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<AskedCharges>) -> Answer {
    let sort: Vec<Sort> = query.sort.as_deref().map(sorted).into_iter().collect();
    let filter = Filter {
        import: query.import.map(ImportId),
        ids: query.id,
        flags: flags(&query.flag),
        states: query.state,
        source: query.source,
        pi_email: query.pi,
        project_id: query.project,
        fund_org: query.fund_org,
        service_name: query.service,
        period: query.period,
        amount_min: query.min_amount,
        amount_max: query.max_amount,
        text: query.text,
        ..Filter::default()
    };
    let charges = listing::list(&app.installation, &filter, &sort, Some(page.limit()), page.offset()).await?;
    // A first page that is not full says how many there are.
    let total = if page.offset == 0 && charges.len() < page.limit() {
        charges.len() as u64
    } else {
        count(&app, filter).await?
    };
    page_of(page, total, &charges)
}

fn sorted(text: &str) -> Sort {
    let (column, descending) = text.strip_prefix('-').map_or((text, false), |column| (column, true));
    Sort { column: column.to_owned(), descending }
}

async fn count(app: &App, filter: Filter) -> PageResult<u64> {
    let (period, states) = (filter.period, filter.states.clone());
    let request = ReportRequest { period, states, filter, ..ReportRequest::default() };
    let rows = report(&app.installation, &request).await?;
    Ok(rows.iter().map(|row| row.rows).sum())
}

async fn show(State(app): State<App>, At(id): At<ChargeId>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(charge_story(&app.installation, id).await?)
}

/// Deciding about everything is rather asked than guessed.
///
/// # Errors
/// A filter that names nothing.
pub fn need_some(filter: &ChargeFilter) -> PageResult<()> {
    let ChargeFilter { id, period, flag, source, import, pi, project, min_amount, max_amount } = filter;
    let is_empty = id.is_empty()
        && flag.is_empty()
        && period.is_none()
        && import.is_none()
        && [source, pi, project].iter().all(|text| text.is_none())
        && min_amount.is_none()
        && max_amount.is_none();
    if is_empty {
        let words = "charges: say which: by id, period, flag or another field";
        return Err(PageError::bad_request(words));
    }
    Ok(())
}
