use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::SourceName;
use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use serde::Deserialize;
use workflow::attribution::{self, Tested, Unreached, days, file};
use workflow::{Installation, Refusal, WorkflowError, given};

use super::kind::{EndForm, EndOf, FormPage, Kind, RuleKind, add, all, end, new};
use super::proposal::{Draft, RuleForm, apply};
use super::sent::Sent;
use super::table::{Cell, Table};
use super::words::{field_label, gives, joined, or_dash};
use super::{A_DAY, ShowPage, When, Words, find, reached, today, unread};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::download::{CSV, attachment};
use crate::error::{PageError, PageResult};
use crate::form::{Fields, Query, encoded, some};
use crate::frame::{Frame, page, refused_page};
use crate::routes::Routes;

const KIND: Kind = Kind {
    noun: "rule",
    title: "Attribution",
    path: "/attribution",
    lead: "Whose a cloud account, a label, a path or an address is, where the tags of a file do not say it.",
    empty: "The table is empty: charges belong to whom their tags name. Write a rule for accounts that are not tagged.",
    add: "Write a rule",
    needs: Role::Reviewer,
    views: &[
        ("/attribution/unreached", "What nothing reaches", Role::Viewer),
        ("/attribution/test", "Try it", Role::Viewer),
        ("/import-config", "Files of integrations", Role::Admin),
    ],
    help: "attribution",
    has_file: true,
    columns: &["Value", "Looked for in", "Source", "Gives", "When", "Note", "State"],
    ends_by: EndOf::Day,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/attribution", Access::Viewer, all::<AttributionRule>)
        .page("/attribution/new", Access::Reviewer, new::<AttributionForm>)
        .act("/attribution/new", Access::Reviewer, "attribution add", add::<AttributionForm>)
        .page("/attribution/test", Access::Viewer, test)
        .page("/attribution/unreached", Access::Viewer, unreached)
        .page("/attribution/export", Access::Viewer, export)
        .page("/attribution/import", Access::Reviewer, new::<ImportForm>)
        .upload("/attribution/import", Access::Reviewer, "attribution import", add::<ImportForm>)
        .act("/attribution/apply", Access::Reviewer, "attribution apply", read_again)
        .page("/attribution/{id}", Access::Viewer, show)
        .act("/attribution/{id}/end", Access::Reviewer, "attribution end", end::<AttributionRule>)
}

impl RuleKind for AttributionRule {
    const OF: &'static Kind = &KIND;

    async fn list(installation: &Installation) -> Result<Vec<RuleRow<AttributionRule>>, WorkflowError> {
        attribution::list(installation).await
    }

    fn when(&self, today: Date) -> When {
        When::of(self.from, self.to, &today)
    }

    fn words(&self) -> Words<'_> {
        Words {
            title: format!("{} {}", self.key, self.value),
            note: self.note.as_deref(),
            last: self.to.map(|to| to.to_string()),
        }
    }

    fn cells(&self, _all: &[RuleRow<AttributionRule>], _frame: &Frame) -> Vec<Cell> {
        let source = self.source.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string);
        vec![
            Cell::link(self.value.clone(), format!("/attribution/{}", self.id))
                .sub(format!("rule {}", self.id)),
            self.key.to_string().into(),
            source.into(),
            gives(&self.gives).into(),
            days(self).into(),
            self.note.clone().unwrap_or_default().into(),
        ]
    }

    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)> {
        let on: Date = fields.required("last day", &form.last, A_DAY)?;
        let change =
            attribution::Change { end: vec![(self.id, on)], note: some(&form.note), ..Default::default() };
        Some((format!("End the rule {} on {on}", self.subject()), Change::Attribution(change)))
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let row = find(attribution::list(&app.installation).await?, &KIND, id)?;
    let period = frame.period.filter(|period| !frame.state_of(period).is_empty());
    let found = match period {
        Some(period) => given::attributed(&app.installation, period, RuleId(id)).await?,
        None => Vec::new(),
    };
    let gave = reached(&frame, &found, "reached");
    let rule = &row.rule;
    let mut shown = ShowPage::new(frame, &row, id, today(&caller));
    shown.fact("Number", rule.id.to_string());
    shown.fact("Source", rule.source.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string));
    shown.fact("Looked for in", rule.key.to_string());
    shown.fact("Value", rule.value.clone());
    let names: [&'static str; Attribution::COUNT] = Attribution::FIELDS;
    for (name, value) in names.into_iter().zip(rule.gives.values()) {
        if let Some(value) = value {
            shown.fact("Gives", format!("{} {value}", field_label(name)));
        }
    }
    shown.fact("Charge periods", days(rule));
    if period.is_some() {
        shown.given(gave);
    }
    page(&shown)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AttributionForm {
    source: String,
    key: String,
    value: String,
    /// In the order of [`Attribution::FIELDS`].
    gives: Vec<String>,
    from: String,
    to: String,
    note: String,
}

impl RuleForm for AttributionForm {
    async fn draft(&self, _app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let key = match self.key.trim().parse::<RuleKey>() {
            Ok(key) => Some(key),
            Err(error) => {
                fields.problem(format!("looked for in: {error}"));
                None
            }
        };
        let from: Option<Date> = fields.optional("first day", &self.from, A_DAY);
        let to: Option<Date> = fields.optional("last day", &self.to, A_DAY);
        let what = "the rule was not understood";
        let Some(key) = key else { return Err(unread(fields, what)) };
        fields.finish(what)?;
        let given = std::array::from_fn(|at| self.gives.get(at).and_then(|text| some(text)));
        let rule = AttributionRule {
            id: RuleId(0),
            source: some(&self.source).map(SourceName),
            key,
            value: self.value.trim().to_owned(),
            gives: Attribution::from_values(given),
            from,
            to,
            note: some(&self.note),
        };
        let what = format!("Write the rule {}", rule.subject());
        let lines = vec![format!("gives {}", gives(&rule.gives))];
        let change = attribution::Change { add: vec![rule], note: some(&self.note), ..Default::default() };
        let change = Change::Attribution(change);
        Ok(Draft { lines, ..Draft::new(what, "/attribution/new", sent, change, "/attribution") })
    }
}

#[derive(Template)]
#[template(path = "rules/attribution.html")]
struct AttributionPage {
    frame: Frame,
    form: AttributionForm,
    refusal: Option<Refusal>,
}

/// A field that a rule may give.
struct GivenField {
    label: String,
    /// What was typed.
    given: String,
    hint: &'static str,
    /// The list of suggestions, if there is one.
    list: &'static str,
    is_date: bool,
}

impl AttributionPage {
    fn gives(&self) -> Vec<(usize, GivenField)> {
        let names: [&'static str; Attribution::COUNT] = Attribution::FIELDS;
        let field = |(at, name): (usize, &'static str)| {
            let (hint, list) = match name {
                "pi_email" => ("E-mail address", "pis"),
                "project_id" => ("", "projects"),
                "fund_org" => ("", "funds"),
                "end_date" => ("Last day for new charges", ""),
                "reconciliation_end" => ("Last day for late charges", ""),
                "fallback_fund_org" => ("Who pays after the award has ended", "funds"),
                "customer_class" => ("The rate book may price it differently", ""),
                _ => ("", ""),
            };
            let mut label = field_label(name);
            if let Some(first) = label.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let given = self.form.gives.get(at).cloned().unwrap_or_default();
            let is_date = ["end_date", "reconciliation_end"].contains(&name);
            (at, GivenField { label, given, hint, list, is_date })
        };
        names.into_iter().enumerate().map(field).collect()
    }
}

impl FormPage for AttributionForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        let frame = frame.titled("Write a rule of attribution").help(KIND.help);
        page(&AttributionPage { frame, form: self, refusal })
    }
}

async fn read_again(State(app): State<App>, caller: Caller) -> PageResult<Response> {
    apply(&app, &caller, "/attribution").await
}

async fn export(State(app): State<App>) -> PageResult<Response> {
    let rows = attribution::list(&app.installation).await?;
    let rules: Vec<AttributionRule> = rows.into_iter().map(|row| row.rule).collect();
    Ok(attachment("attribution.csv", CSV, file::write(&rules)?))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ImportForm {
    pasted: String,
}

impl RuleForm for ImportForm {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut wanted = Vec::new();
        for one in &sent.files {
            wanted.extend(file::read_bytes(&one.name, one.text.as_bytes())?);
        }
        if sent.files.is_empty() {
            return Err(Refusal::new("no file was chosen, and nothing was pasted").into());
        }
        let read = wanted.len();
        let add = attribution::new_rules(&app.installation, wanted).await?;
        if add.is_empty() {
            return Err(
                Refusal::new(format!("all {read} rules are there already: nothing would change")).into()
            );
        }
        let known = read - add.len();
        let notes =
            if known == 0 { Vec::new() } else { vec![format!("{known} of {read} rules are there already.")] };
        let lines =
            add.iter().map(|rule| format!("{} gives {}, {}", rule.subject(), gives(&rule.gives), days(rule)));
        let lines = lines.collect();
        let what =
            if add.len() == 1 { "Write 1 rule".to_owned() } else { format!("Write {} rules", add.len()) };
        let change = Change::Attribution(attribution::Change { add, ..Default::default() });
        Ok(Draft { notes, lines, ..Draft::new(what, "/attribution/import", sent, change, "/attribution") })
    }
}

#[derive(Template)]
#[template(path = "rules/attribution_import.html")]
struct ImportPage {
    frame: Frame,
    form: ImportForm,
    refusal: Option<Refusal>,
}

impl FormPage for ImportForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        let frame = frame.titled("Rules from a file").help(KIND.help);
        page(&ImportPage { frame, form: self, refusal })
    }
}

/// A charge that is thought of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct TestForm {
    source: String,
    key: Vec<String>,
    value: Vec<String>,
    on: String,
}

#[derive(Template)]
#[template(path = "rules/test.html")]
struct TestPage {
    frame: Frame,
    form: TestForm,
    refusal: Option<Refusal>,
    tested: Option<Tested>,
    on: Date,
}

impl TestPage {
    fn values(&self) -> Vec<(usize, String, String)> {
        let places = (self.form.key.len() + 1).clamp(3, 12);
        let text = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
        (0..places).map(|at| (at + 1, text(&self.form.key, at), text(&self.form.value, at))).collect()
    }

    fn given(tested: &Tested) -> Vec<(String, String)> {
        let values = Attribution::FIELDS.into_iter().zip(tested.attribution.values());
        values.filter_map(|(name, value)| Some((field_label(name), value?.to_owned()))).collect()
    }

    fn rules(tested: &Tested) -> String {
        joined(&tested.rules)
    }
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(form): Query<TestForm>,
) -> PageResult<Response> {
    let frame = frame.titled("Try the attribution table").help(KIND.help);
    let mut fields = Fields::default();
    let on: Option<Date> = fields.optional("day", &form.on, A_DAY);
    let on = on.unwrap_or_else(|| today(&caller));
    let mut with: Vec<(RuleKey, String)> = Vec::new();
    for (at, key) in form.key.iter().enumerate().filter(|(_, key)| !key.trim().is_empty()) {
        let value = form.value.get(at).map_or("", |value| value.trim());
        match key.parse() {
            Ok(key) => with.push((key, value.to_owned())),
            Err(error) => fields.problem(format!("value {}: {error}", at + 1)),
        }
    }
    let is_asked = !form.source.trim().is_empty() || !with.is_empty();
    if is_asked && form.source.trim().is_empty() {
        fields.problem("source is missing: rules may be for one source".to_owned());
    }
    if let Err(refusal) = fields.finish("the charge was not understood") {
        let shown = TestPage { frame, form, refusal: Some(refusal), tested: None, on };
        return refused_page(&shown);
    }
    let mut tags: [Option<String>; Attribution::COUNT] = Default::default();
    for (key, value) in &with {
        if let RuleKey::Field(field) = key {
            tags[*field] = Some(value.clone());
        }
    }
    let tested = if is_asked {
        let source = SourceName(form.source.trim().to_owned());
        let tags = Attribution::from_values(tags);
        Some(attribution::test(&app.installation, &source, &tags, &with, on).await?)
    } else {
        None
    };
    page(&TestPage { frame, form, refusal: None, tested, on })
}

#[derive(Template)]
#[template(path = "rules/unreached.html")]
struct UnreachedPage {
    frame: Frame,
    table: Table,
    more: usize,
    may_write: bool,
}

const MOST: usize = 200;

async fn unreached(State(app): State<App>, caller: Caller, frame: Frame) -> PageResult<Response> {
    let period = frame.need_period()?;
    if frame.state_of(&period).is_empty() {
        return Err(PageError::not_found(format!("{period} was never opened")));
    }
    let rows = attribution::unreached(&app.installation, Some(period)).await?;
    let may_write = caller.may(Role::Reviewer);
    let mut table = Table::new(
        "What nothing reaches",
        &["Source", "Billing account", "Sub-account", "#Charges", "#Billed cost", "Whose is it?"],
        "Every charge has a PI, a project and a fund.",
    );
    let row = |row: &Unreached| {
        let at = match (&row.sub_account_id, &row.billing_account_id) {
            (Some(account), _) => Some(("sub_account_id", account)),
            (None, Some(account)) => Some(("billing_account_id", account)),
            (None, None) => None,
        };
        let write = at.filter(|_| may_write).map(|(key, value)| {
            let to = format!(
                "/attribution/new?source={}&key={key}&value={}",
                encoded(&row.source),
                encoded(value)
            );
            Cell::link("Write a rule", to)
        });
        let review =
            || Cell::link("Review", format!("/review?period={period}&source={}", encoded(&row.source)));
        vec![
            row.source.clone().into(),
            or_dash(row.billing_account_id.as_deref()).into(),
            or_dash(row.sub_account_id.as_deref()).into(),
            frame.count(&row.charges).into(),
            frame.cost(&row.billed_cost).into(),
            write.unwrap_or_else(review),
        ]
    };
    table.rows = rows.iter().take(MOST).map(row).collect();
    let more = rows.len().saturating_sub(MOST);
    let frame = frame.titled("What nothing reaches").help(KIND.help);
    page(&UnreachedPage { frame, table, more, may_write })
}
