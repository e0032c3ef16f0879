use std::fmt::Write as _;

use ledger::EmailRecord;
use workflow::emails::{self, EmailDetail};
use workflow::send::{self, Attached, Pending};

use super::Door;
use super::words::{count, joined, moment, or_dash};
use crate::args::{EmailCommand, SendArgs};
use crate::output::{Column, Refusal, Table};

pub async fn run(command: EmailCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        EmailCommand::List { period, state } => {
            let mut records = emails::list(&installation, period).await?;
            records.retain(|record| state.as_ref().is_none_or(|state| record.state.name() == state));
            Ok(door.output.data(&records, |records| list(records))?)
        }
        EmailCommand::Show { id } => {
            let detail = emails::show(&installation, &id).await?;
            Ok(door.output.data(&detail, show)?)
        }
    }
}

/// `send --dry-run`.
pub async fn run_preview(args: &SendArgs, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    // clap lets no other command line through.
    let Some(period) = args.period else { return Err(Refusal::new("no period was given")) };
    let pending = send::preview(&installation, &door.stamp(), period, args.retry_uncertain).await?;
    door.output.data(&pending, preview)?;
    if !pending.not_rendered.is_empty() {
        let which = joined(&pending.not_rendered);
        door.output.warning(&format!("not rendered yet, `generate --period {period}` does: {which}"));
    }
    for delivery in &pending.uncertain {
        door.output.warning(&format!("left alone: {}: {}", delivery.pi_email, delivery.detail));
    }
    let messages = count(pending.messages.len() as u64, "message", "messages");
    door.output.message(&format!(
        "dry run: {messages} would be sent; {} had been sent before",
        pending.already_sent
    ));
    Ok(())
}

fn preview(pending: &Pending) -> String {
    let mut text = String::new();
    for message in &pending.messages {
        let (to, subject) = (&message.pi_email, &message.subject);
        let _ = writeln!(
            text,
            "to        {to}\nsubject   {subject}\nattached  {}\n",
            files(&message.attachments)
        );
        for line in message.text.lines() {
            let _ = writeln!(text, "{}", format!("  {line}").trim_end());
        }
        text.push('\n');
    }
    text
}

fn files(files: &[Attached]) -> String {
    or_dash(Some(joined(files.iter().map(|file| &file.file_name)).as_str()).filter(|text| !text.is_empty()))
}

fn list(records: &[EmailRecord]) -> String {
    if records.is_empty() {
        return "no such message; `focus-billing send --period YYYY-MM` makes them\n".to_owned();
    }
    let mut table = Table::new(vec![
        Column::text("to"),
        Column::text("period"),
        Column::text("statements"),
        Column::text("state"),
        Column::text("since"),
        Column::text("id"),
        Column::text("why"),
    ]);
    for record in records {
        let (message, last) = (&record.message, record.events.last());
        table.row([
            message.pi_email.clone(),
            message.period.to_string(),
            joined(message.statements.iter().map(|id| format!("{} v{}", id.number, id.version))),
            record.state.name().to_owned(),
            or_dash(last.map(|event| moment(event.stamp.at)).as_deref()),
            message.message_id.clone(),
            or_dash(last.and_then(|event| event.error.as_deref())),
        ]);
    }
    table.render()
}

fn show(detail: &EmailDetail) -> String {
    let message = &detail.record.message;
    let mut text = format!(
        "message {}, {}\n  to               {}\n  subject          {}\n  attached         {}\n\n{}\n",
        message.message_id,
        detail.record.state.name(),
        message.pi_email,
        message.subject,
        files(&detail.attachments),
        detail.text.trim_end(),
    );
    text.push_str(if detail.as_recorded {
        "\nthe digest that was recorded proves these words\n\n"
    } else {
        "\nthe institution's name, its contact or the files have changed since: so it would read today\n\n"
    });
    for event in &detail.record.events {
        let why = event.error.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let (at, by) = (moment(event.stamp.at), &event.stamp.by);
        let _ = writeln!(text, "{at}  {} by {by}{why}", event.state.name());
    }
    text
}
