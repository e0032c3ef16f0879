//! What the five kinds of rules have in common: a list, a form that writes one, and a form that ends one. A
//! kind says what it is ([`RuleKind`]); the handlers here do the same for each.

use std::marker::PhantomData;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use ledger::{Role, Rule, RuleRow};
use serde::Deserialize;
use workflow::{Installation, Refusal, WorkflowError};

use super::proposal::{Answer, Draft, RuleForm, answer, answer_or_refuse};
use super::sent::Sent;
use super::table::Cell;
use super::{Asked, Listed, When, Words, find, list, of_rule, today, unread};
use crate::App;
use crate::access::Caller;
use crate::change::Change;
use crate::error::PageResult;
use crate::form::{Fields, Query};
use crate::frame::Frame;

/// A kind of rule, as its pages name it.
pub struct Kind {
    /// `subsidy`
    pub noun: &'static str,
    /// `Subsidies`
    pub title: &'static str,
    pub path: &'static str,
    /// What these are, in a sentence or two.
    pub lead: &'static str,
    /// What to do while there are none.
    pub empty: &'static str,
    /// The button that makes one: `Write a subsidy`.
    pub add: &'static str,
    /// Who may change them.
    pub needs: Role,
    /// Other views: address, name, who may see them.
    pub views: &'static [(&'static str, &'static str, Role)],
    /// The guide's page.
    pub help: &'static str,
    pub has_file: bool,
    /// Of its list; those that begin with `#` are of numbers. The last is the rule's state.
    pub columns: &'static [&'static str],
    pub ends_by: EndOf,
}

/// How a rule of a kind is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOf {
    /// With a last day.
    Day,
    /// With a last billing period.
    Period,
}

/// The form that ends a rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndForm {
    pub rule: i64,
    pub last: String,
    pub note: String,
}

pub trait RuleKind: Rule + Sync + 'static {
    const OF: &'static Kind;

    fn list(
        installation: &Installation,
    ) -> impl Future<Output = Result<Vec<RuleRow<Self>>, WorkflowError>> + Send;

    fn when(&self, today: Date) -> When;

    /// What it says of itself.
    fn words(&self) -> Words<'_>;

    /// A row of the list without the state. `all` are all of the kind: one may have taken a part of another.
    fn cells(&self, all: &[RuleRow<Self>], frame: &Frame) -> Vec<Cell>;

    /// What ending it is, in words and as a change; `None` where the form cannot be read.
    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)>;
}

/// The list of a kind.
pub async fn all<R: RuleKind>(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> PageResult<Response> {
    let (rows, today) = (R::list(&app.installation).await?, today(&caller));
    let listed = rows.iter().map(|row| {
        let when = row.rule.when(today);
        let mut cells = row.rule.cells(&rows, &frame);
        cells.push(when.cell());
        Listed { when, cells }
    });
    let listed = listed.collect();
    list(frame, R::OF, asked, listed)
}

/// The end of a rule of this kind.
#[derive(Deserialize)]
#[serde(transparent, bound = "")]
struct End<R> {
    form: EndForm,
    #[serde(skip)]
    of: PhantomData<fn() -> R>,
}

impl<R: RuleKind> RuleForm for End<R> {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let Kind { noun, path, .. } = R::OF;
        let row = find(R::list(&app.installation).await?, R::OF, self.form.rule)?;
        let mut fields = Fields::default();
        let refused = format!("the {noun} was not ended");
        let Some((what, change)) = row.rule.ended(&self.form, &mut fields) else {
            return Err(unread(fields, &refused));
        };
        fields.finish(&refused)?;
        let at = format!("{path}/{}", self.form.rule);
        Ok(Draft::new(what, format!("{at}/end"), sent, change, at))
    }
}

pub async fn end<R: RuleKind>(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    sent: Sent,
) -> PageResult<Response> {
    let at = format!("{}/{id}", R::OF.path);
    answer_or_refuse::<End<R>>(&app, &caller, &of_rule(sent, id), &at).await
}

/// A form that has a page of its own.
pub trait FormPage: RuleForm {
    /// The page, with why the form was refused.
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response>;
}

/// The form, filled in as far as the address says it.
pub async fn new<F: FormPage>(frame: Frame, Query(form): Query<F>) -> PageResult<Response> {
    form.page(frame, None)
}

pub async fn add<F: FormPage>(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    sent: Sent,
) -> PageResult<Response> {
    match answer::<F>(&app, &caller, &sent).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, None) => form.page(frame, None),
        Answer::Again(form, Some(refusal)) => refused(form, frame, refusal),
    }
}

/// The form again, with why it was refused.
pub fn refused<F: FormPage>(form: F, frame: Frame, refusal: Refusal) -> PageResult<Response> {
    let mut response = form.page(frame, Some(refusal))?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
