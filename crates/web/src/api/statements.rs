use axum::extract::State;
use billing::{Period, StatementNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use workflow::drafts::write_drafts;
use workflow::generate::{Generated, Issued, generate};
use workflow::render::load_documents;
use workflow::send::{Outcome, send};
use workflow::send_again::send_again;
use workflow::shapes::{ListedStatement, ShownStatement};
use workflow::statements;

use super::answer::{Answer, CSV, Done, answer, file, job, list as listed};
use super::asked::{Ask, At, Given, InPeriod, Nothing, Paged, Words};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::download;
use crate::error::{PageError, PageResult};
use crate::jobs::Progress;

pub fn api() -> Api {
    Api::of("Statements")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements",
            "statements list",
            "Statements, with what became of each version",
            list,
        )
        .with_query::<AskedStatements>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements/zip",
            "statements zip",
            "The documents of all statements of a period in one ZIP file",
            zip,
        )
        .with_query::<InPeriod>()
        .answers_file("application/zip")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements/{number}",
            "statements show",
            "One statement: lines, versions, e-mails",
            show,
        )
        .with_query::<AskedVersion>()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements/{number}/pdf",
            "statements show",
            "The statement as it was sent",
            pdf,
        )
        .with_query::<AskedVersion>()
        .answers_file("application/pdf")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements/{number}/csv",
            "statements show",
            "Its charges as CSV, as they were sent",
            csv,
        )
        .with_query::<AskedVersion>()
        .answers_file("text/csv")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/statements/{number}/diff",
            "statements diff",
            "How two statements differ: two versions, or a project's in two periods",
            diff,
        )
        .with_query::<AskedOther>()
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods/{period}/generate",
            "generate",
            "Make the statements of a closed period, or say what would be made",
            make,
        )
        .may_take::<Making>(r#"{"dry_run": true}"#)
        .begins_job()
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/periods/{period}/send",
            "send",
            "E-mail the statements of a period that have not been sent",
            send_all,
        )
        .may_take::<Sending>(r#"{"retry_uncertain": false}"#)
        .begins_job()
        .on(
            Door::Act(Access::Reviewer),
            "/api/v1/statements/{number}/send",
            "send",
            "Send one statement again that was sent before",
            again,
        )
        .takes::<Again>(r#"{"reason": "the PI has lost it"}"#)
        .begins_job()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedStatements {
    /// Billing period
    #[param(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// E-mail address of the PI
    pi: Option<String>,
    /// Project they are of
    project: Option<String>,
}

async fn list(State(app): State<App>, Paged { query, page }: Paged<AskedStatements>) -> Answer {
    let mut rows = statements::list(&app.installation, query.period, query.pi.as_deref(), true).await?;
    rows.retain(|one| query.project.as_ref().is_none_or(|project| *project == one.row.project_id));
    let places = app.installation.settings.currency.code.places();
    listed(page, rows.iter().map(|row| ListedStatement::of(row, places)).collect())
}

async fn zip(State(app): State<App>, Ask(InPeriod { period }): Ask<InPeriod>) -> Answer {
    Ok(download::statements(statements::bundle(&app.installation, period).await?, period))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedVersion {
    /// An earlier version; the latest when it is not given
    version: Option<u32>,
}

async fn show(
    State(app): State<App>,
    At(number): At<StatementNumber>,
    Ask(asked): Ask<AskedVersion>,
) -> Answer {
    let detail = statements::show(&app.installation, &number, asked.version).await?;
    answer(ShownStatement::of(&detail))
}

async fn pdf(app: State<App>, At(number): At<StatementNumber>, Ask(asked): Ask<AskedVersion>) -> Answer {
    document(app, number, asked, ("pdf", "application/pdf")).await
}

async fn csv(app: State<App>, At(number): At<StatementNumber>, Ask(asked): Ask<AskedVersion>) -> Answer {
    document(app, number, asked, ("csv", CSV)).await
}

async fn document(
    State(app): State<App>,
    number: StatementNumber,
    asked: AskedVersion,
    (kind, content): (&'static str, &'static str),
) -> Answer {
    let detail = statements::show(&app.installation, &number, asked.version).await?;
    let version = detail.statement.version;
    let id = detail.versions.iter().map(|one| &one.row.id).find(|id| id.version == version);
    let id = id.ok_or_else(|| PageError::internal(format!("{number} has no version {version}")))?;
    let mut reader = app.installation.ledger.read().await?;
    let documents = load_documents(&app.installation, &mut reader, id).await?;
    let found = documents.into_iter().find(|(document, _)| document.kind == kind);
    let (_, bytes) =
        found.ok_or_else(|| PageError::not_found(format!("{number} has no document `{kind}`")))?;
    file(content, &format!("{number}_v{version}.{kind}"), bytes)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedOther {
    /// The later one, such as S-2025-02-0042 or a version, 2; the latest version when it is not given
    with: Option<String>,
}

async fn diff(State(app): State<App>, At(number): At<String>, Ask(asked): Ask<AskedOther>) -> Answer {
    answer(statements::compare(&app.installation, &number, asked.with.as_deref()).await?)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Making {
    /// Say what would be made, and change nothing
    dry_run: bool,
    /// Write PDFs marked DRAFT on the server; nothing is issued, recorded or sent
    draft: bool,
}

/// Counts of a long act, as its job shows them.
fn counted(progress: &Progress, doing: &'static str) -> impl Fn(usize, usize) + Sync + use<> {
    let progress = progress.clone();
    move |done, of| progress.say(doing, done as u64, Some(of as u64))
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(making): Given<Making>,
) -> Answer {
    if making.dry_run && making.draft {
        return Err(PageError::bad_request("draft: a dry run writes no drafts; ask for one of them"));
    }
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let name = format!("Statements of {period}");
    job(&app, &caller, (name, Some(period)), |progress| async move {
        let told = counted(&progress, "making statements");
        let made = if making.draft {
            write_drafts(&installation, &actor, period, &told).await?
        } else {
            generate(&installation, &actor, period, making.dry_run, &told).await?
        };
        let verb = if making.dry_run { "would be" } else { "are" };
        let said = format!("{} statements {verb} those of {period}", made.statements.len());
        Done::new(said, format!("/statements?period={period}"), Made::of(&made))
    })
}

/// More than `generate --json` writes, which says the rest on the side.
#[derive(Serialize)]
struct Made<'a> {
    statements: &'a [Issued],
    held: workflow::report::Sum,
    alerts: &'a [String],
    rendered: usize,
}

impl Made<'_> {
    fn of(made: &Generated) -> Made<'_> {
        Made { statements: &made.statements, held: made.held, alerts: &made.alerts, rendered: made.rendered }
    }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Sending {
    /// Also send what may have been sent before a crash
    retry_uncertain: bool,
}

async fn send_all(
    State(app): State<App>,
    caller: Caller,
    At(period): At<Period>,
    Given(sending): Given<Sending>,
) -> Answer {
    let (installation, actor) = (app.installation.clone(), caller.actor());
    let name = format!("E-mails of {period}");
    job(&app, &caller, (name, Some(period)), |progress| async move {
        let told = counted(&progress, "sending messages");
        let outcome = send(&installation, &actor, period, sending.retry_uncertain, &told).await?;
        sent(&outcome, format!("/emails?period={period}"))
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Again {
    /// Why it is sent again, for the audit trail
    #[schema(value_type = String)]
    reason: Words,
}

async fn again(
    State(app): State<App>,
    caller: Caller,
    At(number): At<StatementNumber>,
    Ask(Nothing {}): Ask<Nothing>,
    Given(again): Given<Again>,
) -> Answer {
    let (installation, actor) = (app.installation.clone(), caller.actor());
    job(&app, &caller, (format!("{number} sent again"), None), |_| async move {
        let outcome = send_again(&installation, &actor, &number, &again.reason.0).await?;
        sent(&outcome, format!("/statements/{number}"))
    })
}

fn sent(outcome: &Outcome, to: String) -> PageResult<Done> {
    let (sent, failed, uncertain) = (outcome.sent.len(), outcome.failed.len(), outcome.uncertain.len());
    let said = format!("{sent} messages were sent, {failed} failed, {uncertain} are uncertain");
    Done::new(said, to, outcome)
}
