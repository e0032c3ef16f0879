use axum::extract::State;
use billing::Period;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use workflow::journal::{Format, Request, export};
use workflow::journals::{self, Answer as OfAccounting};

use super::answer::{Answer, answer, file, list as listed};
use super::asked::{Ask, At, Given, Nothing, OfPeriod, Paged, Words};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::error::PageError;

pub fn api() -> Api {
    Api::of("Journals")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/journals",
            "journals list",
            "Journals with their control totals and states",
            list,
        )
        .with_query::<OfPeriod>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/journals/{journal}",
            "journals show",
            "One journal: lines, control totals, files",
            show,
        )
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/journals/{journal}/file",
            "journals show",
            "A file of a journal with the bytes that were handed out",
            download,
        )
        .with_query::<AskedFile>()
        .answers_file("application/octet-stream")
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods/{period}/journal",
            "export-journal",
            "Export the journal of a closed period: what is not posted yet, else a copy of the last one",
            make,
        )
        .may_take::<Exporting>(r#"{"format": "gl"}"#)
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/journals/{journal}/accept",
            "journals accept",
            "Accounting has it in its books; this is final",
            accept,
        )
        .may_take::<JournalNote>(r#"{"note": "posted as 4711"}"#)
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/journals/{journal}/reject",
            "journals reject",
            "Accounting did not take it: the next export posts its money again",
            reject,
        )
        .takes::<JournalReason>(r#"{"reason": "fund closed"}"#)
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/journals/{journal}/waive",
            "journals waive",
            "Go on without an answer of accounting",
            waive,
        )
        .takes::<JournalReason>(r#"{"reason": "posted by hand"}"#)
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<OfPeriod>) -> Answer {
    listed(page, journals::list(&app.installation, query.period).await?)
}

async fn show(State(app): State<App>, At(journal): At<String>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(journals::show(&app.installation, &journal).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedFile {
    /// `detail`, `summary`, `gl` or `template`
    format: Option<String>,
}

async fn download(State(app): State<App>, At(journal): At<String>, Ask(asked): Ask<AskedFile>) -> Answer {
    let detail = journals::show(&app.installation, &journal).await?;
    let document = &detail.summary.record.journal.document;
    let found =
        detail.files.iter().rev().find(|one| asked.format.as_ref().is_none_or(|of| *of == one.format));
    let found = found.ok_or_else(|| {
        PageError::not_found(match &asked.format {
            Some(format) => format!("{document} was never exported as `{format}`"),
            None => format!("{document} has no file"),
        })
    })?;
    let path = app.installation.folders.home.join(&found.path);
    let bytes = tokio::fs::read(&path).await.ok().filter(|bytes| ledger::sha256_hex(bytes) == found.sha256);
    let bytes = bytes.ok_or_else(|| {
        let gone = format!("`{}` is not there any more, or is not as it was handed out", found.path);
        PageError::not_found(gone)
    })?;
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name));
    file("application/octet-stream", name.unwrap_or("journal"), bytes)
}

/// What a header can carry as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JournalFormat {
    Detail,
    Summary,
    #[default]
    Gl,
    Template,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Exporting {
    /// What accounting takes: `detail`, `summary`, `gl` or `template`
    #[schema(value_type = Option<String>, default = "gl")]
    format: JournalFormat,
    /// A copy of this document
    document: Option<String>,
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(given): Given<Exporting>,
) -> Answer {
    let format = match given.format {
        JournalFormat::Detail => Format::Detail,
        JournalFormat::Summary => Format::Summary,
        JournalFormat::Gl => Format::Gl,
        JournalFormat::Template => Format::Template,
    };
    // Where files of the server are is no business of who asks from elsewhere.
    let request = Request { period, format, template: None, output: None, document: given.document };
    answer(export(&app.installation, &caller.actor(), &request).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JournalNote {
    /// What accounting said, for example its own number
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JournalReason {
    /// What accounting said, or why no answer is needed
    #[schema(value_type = String)]
    reason: Words,
}

async fn accept(
    State(app): State<App>,
    caller: Caller,
    At(journal): At<String>,
    Given(given): Given<JournalNote>,
) -> Answer {
    let said = OfAccounting::Accept { note: given.note.map(|note| note.0) };
    answer(journals::answer(&app.installation, &caller.actor(), &journal, &said).await?)
}

async fn reject(
    State(app): State<App>,
    caller: Caller,
    At(journal): At<String>,
    Given(given): Given<JournalReason>,
) -> Answer {
    let said = OfAccounting::Reject { reason: given.reason.0 };
    answer(journals::answer(&app.installation, &caller.actor(), &journal, &said).await?)
}

async fn waive(
    State(app): State<App>,
    caller: Caller,
    At(journal): At<String>,
    Given(given): Given<JournalReason>,
) -> Answer {
    let said = OfAccounting::Waive { reason: given.reason.0 };
    answer(journals::answer(&app.installation, &caller.actor(), &journal, &said).await?)
}
