//! Files of earlier integrations become rules; what they meant there and mean otherwise here is said first.

use askama::Template;
use axum::response::Response;
use billing::attribution_table::RuleKey;
use billing::{Period, SourceName};
use serde::Deserialize;
use workflow::Refusal;
use workflow::import_config::{Planned, Wanted, plan_content};

use super::A_PERIOD;
use super::kind::{FormPage, add, new};
use super::proposal::{Draft, RuleForm};
use super::sent::Sent;
use super::words::{gives, money, when};
use crate::App;
use crate::access::Access;
use crate::change::Change;
use crate::error::PageResult;
use crate::form::{Fields, some};
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/import-config", Access::Admin, new::<ConfigForm>).upload(
        "/import-config",
        Access::Admin,
        "import-config",
        add::<ConfigForm>,
    )
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigForm {
    source: String,
    key: String,
    from: String,
    pasted: String,
}

impl RuleForm for ConfigForm {
    async fn draft(&self, app: &App, sent: &Sent) -> PageResult<Draft> {
        let mut fields = Fields::default();
        let key = match self.key.trim() {
            "" => None,
            text => match text.parse::<RuleKey>() {
                Ok(key) => Some(key),
                Err(error) => {
                    fields.problem(format!("looked for in: {error}"));
                    None
                }
            },
        };
        let from: Option<Period> = fields.optional("first billing period", &self.from, A_PERIOD);
        if sent.files.is_empty() {
            fields.problem("no file was chosen, and nothing was pasted".to_owned());
        }
        fields.finish("the files were not read")?;
        let wanted = Wanted { source: some(&self.source).map(SourceName), key, from };
        let files = sent.files.iter().map(|file| (file.name.clone(), Ok(file.text.clone()))).collect();
        let planned = plan_content(&app.installation, files, &wanted).await?;
        if planned.is_empty() {
            let refusal = Refusal::new("all of it is there already: nothing would change");
            return Err(refusal.details(planned.notes).into());
        }
        let lines = lines(&planned, app);
        let notes = planned.notes.clone();
        let what = match lines.len() {
            1 => "Write 1 rule of these files".to_owned(),
            many => format!("Write {many} rules of these files"),
        };
        let names = sent.files.iter().map(|file| file.name.clone()).collect();
        let change = Change::Configuration(Box::new(planned), names);
        Ok(Draft { notes, lines, ..Draft::new(what, "/import-config", sent, change, "/attribution") })
    }
}

fn lines(planned: &Planned, app: &App) -> Vec<String> {
    let currency = &app.installation.settings.currency;
    let attribution =
        planned.attribution.iter().map(|rule| format!("{} gives {}", rule.subject(), gives(&rule.gives)));
    let rates = planned
        .rates
        .iter()
        .map(|rate| format!("rate {} at {}, {}", rate.subject(), rate.price, when(Some(rate.from), rate.to)));
    let subsidies = planned.subsidies.iter().map(|rule| {
        let had: money::Amount = rule.opening.iter().map(|opening| opening.paid).sum();
        let had = if rule.opening.is_empty() {
            String::new()
        } else {
            format!("; had paid {} before", money(had, currency))
        };
        let pays = super::words::pays(rule, currency);
        format!("subsidy `{}`, paid by {}: {pays}, from {}{had}", rule.name, rule.payer, rule.from)
    });
    attribution.chain(rates).chain(subsidies).collect()
}

#[derive(Template)]
#[template(path = "rules/import_config.html")]
struct ConfigPage {
    frame: Frame,
    form: ConfigForm,
    refusal: Option<Refusal>,
}

impl FormPage for ConfigForm {
    fn page(self, frame: Frame, refusal: Option<Refusal>) -> PageResult<Response> {
        let frame = frame.titled("Files of integrations").help("attribution");
        page(&ConfigPage { frame, form: self, refusal })
    }
}
