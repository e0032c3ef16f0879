use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use billing::split::{Share, SplitId, SplitPart, SplitRule};
use billing::{ChargeId, SourceName};
use jiff::civil::Date;
use ledger::{Role, RuleRow};
use money::Amount;
use serde::Deserialize;
use workflow::{Installation, Refusal, WorkflowError, given, splits};

use super::kind::{EndForm, EndOf, FormPage, Kind, RuleKind, add, all, end, new};
use super::proposal::{Draft, RuleForm};
use super::sent::Sent;
use super::table::{Cell, Table};
use super::words::{shares, split_of, when};
use super::{A_DAY, Given, ShowPage, When, Words, find, pairs, today};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::PageResult;
use crate::form::{Fields, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

const KIND: Kind = Kind {
    noun: "split",
    title: "Splits",
    path: "/splits",
    lead: "One project, PI, source or charge over several funds: so much of the first, so many percent of the rest.",
    empty: "Nothing is split. Write a split to put one project’s charges on several funds.",
    add: "Write a split",
    needs: Role::Reviewer,
    views: &[],
    help: "splits",
    has_file: false,
    columns: &["For", "Over", "When", "Basis", "State"],
    ends_by: EndOf::Day,
};

pub fn routes() -> Routes {
    Routes::default()
        .page("/splits", Access::Viewer, all::<SplitRule>)
        .page("/splits/new", Access::Reviewer, new::<SplitForm>)
        .act("/splits/new", Access::Reviewer, "splits add", add::<SplitForm>)
        .page("/splits/{id}", Access::Viewer, show)
        .act("/splits/{id}/end", Access::Reviewer, "splits end", end::<SplitRule>)
}

impl RuleKind for SplitRule {
    const OF: &'static Kind = &KIND;

    async fn list(installation: &Installation) -> Result<Vec<RuleRow<SplitRule>>, WorkflowError> {
        splits::list(installation).await
    }

    fn when(&self, today: Date) -> When {
        When::of(Some(self.from), self.to, &today)
    }

    fn words(&self) -> Words<'_> {
        Words {
            title: format!("Split of {}", split_of(self)),
            note: Some(&self.note),
            last: self.to.map(|to| to.to_string()),
        }
    }

    fn cells(&self, _all: &[RuleRow<SplitRule>], frame: &Frame) -> Vec<Cell> {
        vec![
            Cell::link(split_of(self), format!("/splits/{}", self.id)).sub(format!("split {}", self.id)),
            shares(self, &frame.currency).into(),
            when(Some(self.from), self.to).into(),
            self.note.clone().into(),
        ]
    }

    fn ended(&self, form: &EndForm, fields: &mut Fields) -> Option<(String, Change)> {
        let on: Option<Date> = fields.required("last day", &form.last, A_DAY);
        let note = fields.text("reason", &form.note);
        let on = on?;
        let change = splits::Change::End { rule: self.id, on, note };
        Some((format!("End the split of {} on {on}", split_of(self)), Change::Split(change)))
    }
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    frame: Frame,
) -> PageResult<Response> {
    let row = find(splits::list(&app.installation).await?, &KIND, id)?;
    let rule = &row.rule;
    let carried = match frame.period {
        Some(period) => given::by_split(&app.installation, period, rule.id).await?,
        None => Vec::new(),
    };
    let gave = carried_by(&frame, &carried);
    let currency = frame.currency.clone();
    let mut shown = ShowPage::new(frame, &row, id, today(&caller));
    shown.fact("Number", rule.id.to_string());
    shown.fact("For", split_of(rule));
    for (at, part) in rule.parts.iter().enumerate() {
        let name = if at == 0 { "Funds, in their order" } else { "then" };
        shown.fact(name, format!("{}: {}", part.fund_org, super::words::share(part.share, &currency)));
    }
    shown.fact("Charge periods", when(Some(rule.from), rule.to));
    shown.given(gave);
    page(&shown)
}

fn carried_by(frame: &Frame, rows: &[given::Carried]) -> Given {
    let period = frame.period.map_or_else(String::new, |period| period.to_string());
    let mut table = Table::new(
        "Its funds on statements",
        &["Fund", "PI", "Project", "#Cost"],
        "No issued statement of this period has its funds.",
    );
    let row = |row: &given::Carried| {
        vec![
            row.fund_org.clone().into(),
            row.pi_email.clone().into(),
            row.project_id.clone().into(),
            frame.cost(&row.cost).into(),
        ]
    };
    table.rows = rows.iter().take(200).map(row).collect();
    let total: Amount = rows.iter().map(|row| row.cost).sum();
    Given {
        heading: format!("Its funds on the statements of {period}"),
        lead: "Of the PIs, projects and sources that it is for; before others pay.".to_owned(),
        of_period: true,
        figures: vec![("On these funds", frame.cost(&total))],
        table,
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SplitForm {
    source: String,
    pi: String,
    project: String,
    charge: String,
    fund: Vec<String>,
    share: Vec<String>,
    from: String,
    to: String,
    note: String,
}

impl SplitForm {
    fn parts(&self, fields: &mut Fields) -> Vec<SplitPart> {
        let mut parts = Vec::new();
        for (at, fund) in self.fund.iter().enumerate() {
            let share = self.share.get(at).map_or("", |text| text.trim());
            let fund_org = fund.trim().to_owned();
            match (fund_org.is_empty(), share.is_empty()) {
                (true, true) => {}
                (true, false) => fields.problem(format!("funds: {share} is of no fund")),
                (false, true) => {
                    fields.problem(format!("funds: `{fund_org}` takes nothing; write 60% or 500"));
                }
                (false, false) => match read_share(share) {
                    Some(share) => parts.push(SplitPart { fund_org, share }),
                    None => {
                        fields.problem(format!("funds: `{share}` of `{fund_org}` is neither 60% nor 500"));
                    }
                },
            }
        }
        parts
    }
}

/// `60%` of what is left, or the first `500`.
fn read_share(text: &str) -> Option<Share> {
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(Share::Percent),
        None => Amount::parse_total(text).map(Share::UpTo),
    }
}

impl RuleForm for SplitForm {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let parts = self.parts(&mut fields);
        let charge: Option<ChargeId> = fields.optional("charge", &self.charge, "a charge such as 12:345");
        let of_many = [&self.source, &self.pi, &self.project].iter().any(|text| !text.trim().is_empty());
        if charge.is_some() && of_many {
            fields.problem("for what: a charge alone, or a source, a PI or a project".to_owned());
        }
        let from: Option<Date> = match charge {
            Some(_) => fields.optional("first day", &self.from, A_DAY),
            None => fields.required("first day", &self.from, A_DAY),
        };
        let to: Option<Date> = fields.optional("last day", &self.to, A_DAY);
        let note = fields.text("basis", &self.note);
        fields.finish("the split was not understood")?;
        let charge = match charge {
            Some(id) => Some(splits::charge(&app.installation, id).await?),
            None => None,
        };
        let (charge, first) = charge.unzip();
        let rule = SplitRule {
            id: SplitId::default(),
            source: some(&self.source).map(SourceName),
            pi_email: some(&self.pi),
            project_id: some(&self.project),
            charge,
            parts,
            from: from.or(first).unwrap_or_default(),
            to,
            note,
        };
        let currency = &app.installation.settings.currency;
        let what = format!("Split {} over {}", split_of(&rule), shares(&rule, currency));
        let new = Change::Split(splits::Change::Add(Box::new(rule)));
        Ok(Draft::new(what, "/splits/new", sent, new, "/splits"))
    }
}

#[derive(Template)]
#[template(path = "rules/split.html")]
struct SplitPage {
    frame: Frame,
    form: SplitForm,
    refusal: Option<Refusal>,
}

impl SplitPage {
    fn parts(&self) -> Vec<(usize, String, String)> {
        pairs(&self.form.fund, &self.form.share, 4)
    }
}

impl FormPage for SplitForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        page(&SplitPage { frame: frame.titled("Write a split").help(KIND.help), form: self, refusal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_an_amount() {
        let percent = |text: &str| Some(Share::Percent(text.parse().unwrap()));
        for (text, expected) in [
            ("60%", percent("60")),
            ("33.3333 %", percent("33.3333")),
            ("500", Some(Share::UpTo("500".parse().unwrap()))),
            ("", None),
            ("101%", None),
            ("half", None),
        ] {
            assert_eq!(read_share(text), expected, "{text}");
        }
    }
}
