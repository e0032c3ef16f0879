use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::SourceName;
use billing::attribution::Attribution;
use billing::attribution_table::{AttributionRule, RuleId, RuleKey};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use serde::Deserialize;
use workflow::attribution::{self, Change, Tested, Unreached, days, file};
use workflow::{Refusal, given};

use super::proposal::{self, Answer, Draft, RuleForm, answer, answer_or_refuse, apply};
use super::sent::Sent;
use super::table::{Cell, Table};
use super::words::{field_label, gives, joined, or_dash};
use super::{
    A_DAY, Asked, EndForm, EndOf, Kind, Listed, ShowPage, When, Words, csv, find, list, of_rule, reached,
    today, unread,
};
use crate::App;
use crate::access::{Access, Caller};
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
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/attribution", Access::Viewer, all)
        .page("/attribution/new", Access::Reviewer, new)
        .act("/attribution/new", Access::Reviewer, "attribution add", add)
        .page("/attribution/test", Access::Viewer, test)
        .page("/attribution/unreached", Access::Viewer, unreached)
        .page("/attribution/export", Access::Viewer, export)
        .page("/attribution/import", Access::Reviewer, new_import)
        .upload("/attribution/import", Access::Reviewer, "attribution import", import)
        .act("/attribution/apply", Access::Reviewer, "attribution apply", read_again)
        .page("/attribution/{id}", Access::Viewer, show)
        .act("/attribution/{id}/end", Access::Reviewer, "attribution end", end)
}

async fn all(
    State(app): State<App>,
    caller: Caller,
    frame: Frame,
    Query(asked): Query<Asked>,
) -> PageResult<Response> {
    let today = today(&caller);
    let row = |RuleRow { rule, .. }: RuleRow<AttributionRule>| {
        let when = When::of(rule.from, rule.to, &today);
        let source = rule.source.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string);
        let cells = vec![
            Cell::link(rule.value.clone(), format!("/attribution/{}", rule.id))
                .sub(format!("rule {}", rule.id)),
            rule.key.to_string().into(),
            source.into(),
            gives(&rule.gives).into(),
            days(&rule).into(),
            rule.note.clone().unwrap_or_default().into(),
            when.cell(),
        ];
        Listed { when, cells }
    };
    let rows = attribution::list(&app.installation).await?.into_iter().map(row).collect();
    list(frame, &KIND, &["Value", "Looked for in", "Source", "Gives", "When", "Note", "State"], asked, rows)
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
    let words = Words {
        title: format!("{} {}", rule.key, rule.value),
        note: rule.note.as_deref(),
        last: rule.to.map(|to| to.to_string()),
    };
    let in_force = When::of(rule.from, rule.to, &today(&caller));
    let mut shown = ShowPage::new(frame, &KIND, &row, id, in_force, words);
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
    shown.ends_by(EndOf::Day);
    page(&shown)
}

fn draft(what: String, action: &str, sent: &Sent, change: Change, then: &str) -> Draft {
    Draft {
        what,
        action: action.to_owned(),
        fields: sent.pairs.clone(),
        change: proposal::Change::Attribution(change),
        notes: Vec::new(),
        lines: Vec::new(),
        then: then.to_owned(),
    }
}

/// The last day of one.
#[derive(Deserialize)]
#[serde(transparent)]
struct RuleEnd(EndForm);

impl RuleForm for RuleEnd {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let id = RuleId(self.0.rule);
        let row = find(attribution::list(&app.installation).await?, &KIND, self.0.rule)?;
        let mut fields = Fields::default();
        let on: Option<Date> = fields.required("last day", &self.0.last, A_DAY);
        let Some(on) = on else { return Err(unread(fields, "the rule was not ended")) };
        let change = Change { end: vec![(id, on)], note: some(&self.0.note), ..Change::default() };
        let what = format!("End the rule {} on {on}", row.rule.subject());
        let at = format!("/attribution/{id}");
        Ok(draft(what, &format!("{at}/end"), sent, change, &at))
    }
}

async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    sent: Sent,
) -> PageResult<Response> {
    answer_or_refuse::<RuleEnd>(&app, &caller, &of_rule(sent, id), &format!("/attribution/{id}")).await
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
        let change = Change { add: vec![rule], note: some(&self.note), ..Change::default() };
        Ok(Draft { lines, ..draft(what, "/attribution/new", sent, change, "/attribution") })
    }
}

#[derive(Template)]
#[template(path = "rules/attribution.html")]
struct FormPage {
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

impl FormPage {
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

fn form_page(frame: Frame, form: AttributionForm, refusal: Option<Refusal>) -> PageResult<Response> {
    let is_refused = refusal.is_some();
    let shown =
        FormPage { frame: frame.titled("Write a rule of attribution").help(KIND.help), form, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

async fn new(frame: Frame, Query(form): Query<AttributionForm>) -> PageResult<Response> {
    form_page(frame, form, None)
}

async fn add(State(app): State<App>, caller: Caller, frame: Frame, sent: Sent) -> PageResult<Response> {
    match answer::<AttributionForm>(&app, &caller, &sent).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, refusal) => form_page(frame, form, refusal),
    }
}

async fn read_again(State(app): State<App>, caller: Caller) -> PageResult<Response> {
    apply(&app, &caller, "/attribution").await
}

async fn export(State(app): State<App>) -> PageResult<Response> {
    let rows = attribution::list(&app.installation).await?;
    let rules: Vec<AttributionRule> = rows.into_iter().map(|row| row.rule).collect();
    Ok(csv("attribution.csv", file::write(&rules)?))
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
        let change = Change { add, ..Change::default() };
        Ok(Draft { notes, lines, ..draft(what, "/attribution/import", sent, change, "/attribution") })
    }
}

#[derive(Template)]
#[template(path = "rules/attribution_import.html")]
struct ImportPage {
    frame: Frame,
    form: ImportForm,
    refusal: Option<Refusal>,
}

fn import_page(frame: Frame, form: ImportForm, refusal: Option<Refusal>) -> PageResult<Response> {
    let is_refused = refusal.is_some();
    let shown = ImportPage { frame: frame.titled("Rules from a file").help(KIND.help), form, refusal };
    if is_refused { refused_page(&shown) } else { page(&shown) }
}

async fn new_import(frame: Frame) -> PageResult<Response> {
    import_page(frame, ImportForm::default(), None)
}

async fn import(State(app): State<App>, caller: Caller, frame: Frame, sent: Sent) -> PageResult<Response> {
    match answer::<ImportForm>(&app, &caller, &sent).await? {
        Answer::Done(response) => Ok(response),
        Answer::Again(form, refusal) => import_page(frame, form, refusal),
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
