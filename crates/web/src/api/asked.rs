//! What a request asks, read once, with words for what is wrong with it.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use workflow::Refusal;

use crate::error::PageError;

/// A JSON body. None at all is one without any field.
pub struct Given<T>(pub T);

/// Ten thousand charges by id fit.
const BODY_MAX_BYTES: usize = 2 << 20;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, _state: &S) -> Result<Given<T>, PageError> {
        let bytes = bytes(request).await?;
        let text = if bytes.trim_ascii().is_empty() { b"{}".as_slice() } else { bytes.as_slice() };
        let read = serde_json::from_slice(text);
        read.map(Given).map_err(|error| PageError::bad_request(format!("the body cannot be read: {error}")))
    }
}

async fn bytes(request: Request) -> Result<Vec<u8>, PageError> {
    let read = axum::body::to_bytes(request.into_body(), BODY_MAX_BYTES).await;
    read.map(Into::into).map_err(|_| {
        PageError::refused(StatusCode::PAYLOAD_TOO_LARGE, Refusal::new("the body holds more than 2 MB"))
    })
}

/// A small file as the body, such as the CSV of rules.
pub struct GivenText(pub String);

impl<S: Send + Sync> FromRequest<S> for GivenText {
    type Rejection = PageError;

    async fn from_request(request: Request, _state: &S) -> Result<GivenText, PageError> {
        let text = String::from_utf8(bytes(request).await?);
        text.map(GivenText).map_err(|_| PageError::bad_request("the body is not text in UTF-8"))
    }
}

/// What the body is called where it is refused.
pub const GIVEN: &str = "the file";

/// What stands behind the `?`; a name that nobody knows is refused.
pub use crate::form::Query as Ask;

/// Nothing may stand behind the `?`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most, up to 1000
    #[serde(default = "default_limit")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    pub limit: u32,
    /// How many to leave out before
    #[serde(default)]
    #[param(default = 0, minimum = 0)]
    pub offset: u32,
}

const LIMIT_MAX: u32 = 1000;

fn default_limit() -> u32 {
    100
}

impl Page {
    #[must_use]
    pub fn limit(self) -> usize {
        self.limit as usize
    }

    #[must_use]
    pub fn offset(self) -> usize {
        self.offset as usize
    }
}

/// Two parts of what stands behind the `?`: the first takes the names that are its own, the second all others.
pub struct Both<A, B>(pub A, pub B);

impl<'de, A: DeserializeOwned + IntoParams, B: DeserializeOwned> Deserialize<'de> for Both<A, B> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Both<A, B>, D::Error> {
        let pairs = Vec::<(String, String)>::deserialize(deserializer)?;
        let names: Vec<String> = A::into_params(|| None).into_iter().map(|known| known.name).collect();
        let (first, second): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| names.contains(name));
        Ok(Both(part(&first)?, part(&second)?))
    }
}

fn part<T: DeserializeOwned, E: serde::de::Error>(pairs: &[(String, String)]) -> Result<T, E> {
    let text = serde_html_form::to_string(pairs).map_err(E::custom)?;
    serde_html_form::from_str(&text).map_err(E::custom)
}

impl<A: IntoParams, B: IntoParams> IntoParams for Both<A, B> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = A::into_params(&place);
        all.extend(B::into_params(place));
        all
    }
}

/// A [`Page`] of what [`Ask`] would ask.
pub struct Paged<Q> {
    pub query: Q,
    pub page: Page,
}

impl<S: Sync, Q: DeserializeOwned> FromRequestParts<S> for Paged<Q> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Paged<Q>, PageError> {
        let Ask(Both(page, query)) = Ask::<Both<Page, Q>>::from_request_parts(parts, state).await?;
        if !(1..=LIMIT_MAX).contains(&page.limit) {
            return Err(PageError::bad_request(format!("limit: {} is not 1 to {LIMIT_MAX}", page.limit)));
        }
        Ok(Paged { query, page })
    }
}

/// What can stand in an address in place of `{…}`.
pub trait Place: Sized {
    /// Ends "… is not".
    const WHAT: &'static str;
    fn place(text: &str) -> Option<Self>;
}

/// The value of the address.
pub struct At<T>(pub T);

impl<S: Send + Sync, T: Place> FromRequestParts<S> for At<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, PageError> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|_| PageError::bad_request("the address is not text in UTF-8"))?;
        let place = T::place(text.trim());
        place.map(At).ok_or_else(|| PageError::bad_request(format!("`{text}` is not {}", T::WHAT)))
    }
}

macro_rules! parsed {
    ($($kind:ty: $what:literal;)*) => {$(
        impl Place for $kind {
            const WHAT: &'static str = $what;
            fn place(text: &str) -> Option<$kind> { <$kind>::from_str(text).ok() }
        }
    )*};
}

macro_rules! numbered {
    ($($kind:path: $what:literal;)*) => {$(
        impl Place for $kind {
            const WHAT: &'static str = $what;
            fn place(text: &str) -> Option<$kind> {
                text.parse().ok().filter(|number: &i64| 0 < *number).map($kind)
            }
        }
    )*};
}

parsed! {
    billing::Period: "a billing period such as 2025-01";
    billing::ChargeId: "the id of a charge such as 12:345";
    billing::StatementNumber: "the number of a statement such as S-2025-01-0042";
    billing::people::PersonId: "the number of a person such as P-12";
    u64: "the number of a job";
    i64: "a number";
}

numbered! {
    billing::ImportId: "the number of an import";
    billing::attribution_table::RuleId: "the number of a rule";
    billing::rate::RateId: "the number of a rate";
    billing::subsidy::SubsidyId: "the number of a subsidy";
    billing::credit::CreditId: "the number of a credit";
    billing::split::SplitId: "the number of a split";
}

impl Place for String {
    const WHAT: &'static str = "a name";
    fn place(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// Words for the books: a reason, a note. Blank is none.
#[derive(Clone, Debug)]
pub struct Words(pub String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.trim() {
            "" => Err(serde::de::Error::custom("it is empty, and needs words")),
            words => Ok(Words(words.to_owned())),
        }
    }
}

/// `?dry_run=true`: say what would be changed, and change nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Answer what it would change, and change nothing
    #[serde(default)]
    pub dry_run: bool,
}

/// Whether rules that have ended are listed, too.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlsoEnded {
    /// Also rules that have ended
    #[serde(default)]
    pub all: bool,
}

impl AlsoEnded {
    /// Whether a rule with such an end is listed.
    #[must_use]
    pub fn lists<D: Ord + Copy>(self, end: Option<D>, today: D) -> bool {
        self.all || end.is_none_or(|end| today <= end)
    }
}

/// `?period=2025-01`, or all.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfPeriod {
    /// Billing period
    #[param(value_type = Option<String>, example = "2025-01")]
    pub period: Option<billing::Period>,
}

/// `?period=2025-01`
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InPeriod {
    /// Billing period
    #[param(value_type = String, example = "2025-01")]
    pub period: billing::Period,
}

/// A month or a fiscal year.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MonthOrYear {
    /// Billing period; the oldest that is open, else the latest, when nothing is given
    #[param(value_type = Option<String>, example = "2025-01")]
    pub period: Option<billing::Period>,
    /// All periods of a fiscal year, named by the year it ends in
    pub fiscal_year: Option<i16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_by_the_part_that_knows_it() {
        let read = |text: &str| serde_html_form::from_str::<Both<OfPeriod, AlsoEnded>>(text);
        let Both(of, ended) = read("all=true&period=2025-01").unwrap();
        assert!(ended.all && of.period.is_some());
        let Both(of, ended) = read("").unwrap();
        assert!(!ended.all && of.period.is_none());
        for wrong in ["all=true&none-such=1", "period=2025-13", "all=7", "period=2025-01&period=2025-02"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
