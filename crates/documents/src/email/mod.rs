//! The message to a PI: one for a period, with all statements of that period.

use billing::Period;
use money::{Currency, Minor};

/// What the message says.
#[derive(Clone, Debug)]
pub struct EmailModel {
    pub institution: String,
    /// Where questions go; nothing is said when it is empty.
    pub contact_email: String,
    pub pi_email: String,
    pub period: Period,
    pub currency: Currency,
    /// In the order in which they are attached.
    pub statements: Vec<EmailStatement>,
    /// Checked with [`check_subject_template`].
    pub subject_template: String,
}

#[derive(Clone, Debug)]
pub struct EmailStatement {
    pub number: String,
    pub version: u32,
    pub project_id: String,
    pub list: Minor,
    pub discount: Minor,
    pub subsidy: Minor,
    pub due: Minor,
    /// Attached to this message; otherwise the text says that it follows.
    pub attached: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailText {
    pub subject: String,
    pub text: String,
    pub html: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error(
        "`{template}` has the unknown placeholder `{{{name}}}`; there are `{{billing_period}}`, `{{period}}`, \
         `{{pi_email}}` and `{{institution}}`"
    )]
    UnknownPlaceholder { template: String, name: String },
    #[error("`{template}` has a brace that is not closed; write `{{{{` for a brace")]
    OpenBrace { template: String },
}

/// Refuse a subject that could not be filled, at configuration check. `billing_period` is `January 2025`,
/// `period` is `2025-01`; doubled braces stand for themselves.
pub fn check_subject_template(template: &str) -> Result<(), SubjectError> {
    fill(template, |name| known(name).then(String::new)).map(|_| ())
}

fn known(name: &str) -> bool {
    ["billing_period", "period", "pi_email", "institution"].contains(&name)
}

/// The message. Plain text and HTML say the same.
pub fn statement_email(model: &EmailModel) -> Result<EmailText, SubjectError> {
    let subject = fill(&model.subject_template, |name| match name {
        "billing_period" => Some(model.period.name()),
        "period" => Some(model.period.to_string()),
        "pi_email" => Some(model.pi_email.clone()),
        "institution" => Some(model.institution.clone()),
        _ => None,
    })?;
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(EmailText { text: text(model), html: html(model, &subject), subject })
}

fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, SubjectError> {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            filled.push_str(brace);
            rest = after;
            continue;
        }
        let close = after.find('}').filter(|_| brace == "{");
        let close = close.ok_or_else(|| SubjectError::OpenBrace { template: template.to_owned() })?;
        let name = &after[..close];
        filled.push_str(&value(name).ok_or_else(|| SubjectError::UnknownPlaceholder {
            template: template.to_owned(),
            name: name.to_owned(),
        })?);
        rest = &after[close + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// One figure of a statement or of the total, with the sign with which it is added.
/// By subsidies and credits; the statements say which.
const PAID: &str = "Paid for you";

struct Figure {
    name: &'static str,
    amount: String,
}

fn figures(model: &EmailModel, [list, discount, subsidy, due]: [Minor; 4]) -> Vec<Figure> {
    let figure = |name, amount| Figure { name, amount: model.currency.display(amount) };
    let mut figures = vec![figure("List price", list)];
    if !discount.is_zero() {
        figures.push(figure(if discount.is_negative() { "Above list price" } else { "Discount" }, -discount));
    }
    if !subsidy.is_zero() {
        figures.push(figure(PAID, -subsidy));
    }
    figures.push(figure(if due.is_negative() { "Credit" } else { "Amount due" }, due));
    figures
}

fn sums(statement: &EmailStatement) -> [Minor; 4] {
    [statement.list, statement.discount, statement.subsidy, statement.due]
}

fn total(model: &EmailModel) -> [Minor; 4] {
    model
        .statements
        .iter()
        .map(sums)
        .fold([Minor::ZERO; 4], |total, statement| [0, 1, 2, 3].map(|at: usize| total[at] + statement[at]))
}

/// `statement 2025-01-00042, version 2`
fn reference(statement: &EmailStatement) -> String {
    let follows = if statement.attached { "" } else { " (in another message)" };
    format!("Statement {}, version {}{follows}", statement.number, statement.version)
}

fn opening(model: &EmailModel) -> String {
    let period = model.period.name();
    let (what, is) = match model.statements.len() {
        1 => (format!("Your research computing statement for {period}"), "is"),
        count => (format!("Your {count} research computing statements for {period}"), "are"),
    };
    let attached = model.statements.iter().any(|statement| statement.attached);
    let where_to = if attached { "attached" } else { "ready" };
    let [.., due] = total(model);
    let amount = model.currency.display(due.abs());
    let sum = if due.is_negative() {
        format!("You have a credit of {amount}; nothing is due.")
    } else if due.is_zero() {
        "Nothing is due.".to_owned()
    } else {
        format!("The amount due is {amount}.")
    };
    format!("{what} {is} {where_to}. {sum} This is not an invoice.")
}

fn closing(model: &EmailModel) -> Option<String> {
    (!model.contact_email.is_empty())
        .then(|| format!("Is something wrong or unclear? Write to {}.", model.contact_email))
}

/// Lines of at most 72 characters, so that no mail program breaks them again.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= 72 {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

fn text(model: &EmailModel) -> String {
    let mut parts = vec![wrapped(&opening(model))];
    let table = |figures: &[Figure]| -> String {
        let name = figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        let amount = figures.iter().map(|figure| figure.amount.chars().count()).max().unwrap_or(0);
        let line = |figure: &Figure| format!("\n  {:<name$}  {:>amount$}", figure.name, figure.amount);
        figures.iter().map(line).collect()
    };
    for statement in &model.statements {
        let figures = figures(model, sums(statement));
        parts.push(format!(
            "{}\n  {}{}",
            one_line(&statement.project_id),
            reference(statement),
            table(&figures)
        ));
    }
    if model.statements.len() > 1 {
        parts.push(format!("All projects{}", table(&figures(model, total(model)))));
    }
    parts.extend(closing(model).map(|closing| wrapped(&closing)));
    parts.extend((!model.institution.is_empty()).then(|| one_line(&model.institution)));
    parts.join("\n\n") + "\n"
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const CELL: &str = "padding:6px 0 6px 20px;text-align:right;vertical-align:top;white-space:nowrap";

/// One table, styled in place (mail programs drop style sheets) in colors of the reader's own: nothing is
/// said by color, so light and dark both work.
fn html(model: &EmailModel, subject: &str) -> String {
    let total = total(model);
    let [_, discount, subsidy, _] = total;
    let shown = |[list, discount_of, subsidy_of, due]: [Minor; 4]| -> Vec<String> {
        let mut cells = vec![list, -discount_of];
        cells.extend((!subsidy.is_zero()).then_some(-subsidy_of));
        cells.push(due);
        cells.into_iter().map(|amount| model.currency.display(amount)).collect()
    };
    let mut names = vec!["List price", if discount.is_negative() { "Above list price" } else { "Discount" }];
    names.extend((!subsidy.is_zero()).then_some(PAID));
    names.push("Amount due");
    let heads = concat(&names, |name| format!("<th scope=\"col\" style=\"{CELL}\">{name}</th>"));
    let amounts = |sums: [Minor; 4]| -> String {
        concat(&shown(sums), |amount| format!("<td style=\"{CELL}\">{}</td>", escaped(amount)))
    };
    let row = |statement: &EmailStatement| {
        format!(
            "<tr style=\"border-top:1px solid #8888\"><th scope=\"row\" style=\"padding:6px 0;text-align:left;\
             font-weight:normal;overflow-wrap:anywhere\">{}<br><small>{}</small></th>{}</tr>\n",
            escaped(&statement.project_id),
            escaped(&reference(statement)),
            amounts(sums(statement)),
        )
    };
    let rows = concat(&model.statements, row);
    let total_row = if model.statements.len() > 1 {
        format!(
            "<tr style=\"border-top:2px solid #888;font-weight:bold\"><th scope=\"row\" style=\"padding:6px 0;\
             text-align:left\">All projects</th>{}</tr>\n",
            amounts(total)
        )
    } else {
        String::new()
    };
    let paragraph = |text: String| format!("<p>{}</p>\n", escaped(&text));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n</head>\n\
         <body style=\"margin:0;padding:24px;font:16px/1.5 Georgia,serif;max-width:640px\">\n\
         {}<table style=\"border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums\">\n\
         <thead><tr><th scope=\"col\" style=\"padding:6px 0;text-align:left\">Project</th>{heads}</tr></thead>\n\
         <tbody>\n{rows}{total_row}</tbody>\n</table>\n{}{}</body>\n</html>\n",
        escaped(subject),
        paragraph(opening(model)),
        closing(model).map(paragraph).unwrap_or_default(),
        if model.institution.is_empty() { String::new() } else { paragraph(model.institution.clone()) },
    )
}

fn concat<T>(items: &[T], piece: impl Fn(&T) -> String) -> String {
    items.iter().map(piece).collect::<Vec<_>>().concat()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
