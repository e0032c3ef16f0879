use axum::extract::State;
use billing::decision::ChargeState;
use billing::{ChargeId, Flag, ImportId, Period};
use jiff::civil::Date;
use lake::{Filter, Sort};
use money::Amount;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use workflow::listing::{self, ExportFormat};
use workflow::story::charge_story;

use super::answer::{Answer, answer, page_of};
use super::asked::{Ask, At, Both, Nothing, Paged};
use super::{Api, Door};
use crate::App;
use crate::access::Access;
use crate::download;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Charges")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/charges",
            "charges list",
            "Charges with their decisions",
            list,
        )
        .with_query::<Both<AskedCharges, Order>>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/charges/export",
            "charges export",
            "All charges that are meant, with everything that is known of each, as CSV or Parquet",
            export,
        )
        .with_query::<Both<AskedCharges, FileFormat>>()
        .answers_file("text/csv")
        .on(
            Door::Read(Access::Viewer),
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
            pi_email: self.pi.map(|pi| pi.to_lowercase()),
            project_id: self.project,
            period: self.period,
            amount_min: self.min_amount,
            amount_max: self.max_amount,
            ..Filter::default()
        }
    }
}

/// What only lists of charges are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MoreOfCharges {
    /// `billable`, `held`, `rejected` or `deferred`; may be given again
    #[serde(default)]
    #[param(value_type = Vec<String>)]
    state: Vec<ChargeState>,
    /// Fund they are attributed to
    fund_org: Option<String>,
    /// Service, as the provider calls it
    service: Option<String>,
    /// First day of use
    #[param(value_type = Option<String>)]
    from: Option<Date>,
    /// Last day of use
    #[param(value_type = Option<String>)]
    to: Option<Date>,
    /// Found anywhere in source, service, SKU, resource, attribution or description, in any case
    text: Option<String>,
}

type AskedCharges = Both<ChargeFilter, MoreOfCharges>;

fn wanted(Both(filter, more): AskedCharges) -> Filter {
    Filter {
        states: more.state,
        fund_org: more.fund_org,
        service_name: more.service,
        charged_from: more.from,
        charged_to: more.to,
        text: more.text,
        ..filter.filter()
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Order {
    /// Column to order by, such as `billed_cost`; `-billed_cost` begins with the largest
    sort: Option<String>,
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<Both<AskedCharges, Order>>) -> Answer {
    let Both(asked, Order { sort }) = query;
    let sort: Vec<Sort> = sort.as_deref().map(sorted).into_iter().collect();
    let found = listing::page(&app.installation, &wanted(asked), &sort, page.limit(), page.offset()).await?;
    page_of(page, found.total, &found.charges)
}

fn sorted(text: &str) -> Sort {
    let (column, descending) = text.strip_prefix('-').map_or((text, false), |column| (column, true));
    Sort { column: column.to_owned(), descending }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FileFormat {
    /// `csv` for a spreadsheet, or `parquet`
    #[param(default = "csv")]
    format: Option<String>,
}

async fn export(State(app): State<App>, Ask(asked): Ask<Both<AskedCharges, FileFormat>>) -> Answer {
    let Both(asked, FileFormat { format }) = asked;
    let format = match format.as_deref() {
        None | Some("csv") => ExportFormat::Csv,
        Some("parquet") => ExportFormat::Parquet,
        Some(other) => {
            return Err(PageError::bad_request(format!("format: `{other}` is not csv or parquet")));
        }
    };
    Ok(download::charges(&app, wanted(asked), format, "charges"))
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
