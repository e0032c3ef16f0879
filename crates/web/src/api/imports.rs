use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use billing::delivery::Choice;
use billing::{ImportId, Period, SourceName};
use ledger::ImportFilter;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use workflow::import::{self, Outcome, Progress as Read, ingest, reread};
use workflow::shapes::{import_refusal, problem_lines};
use workflow::{import_config, imports};

use super::answer::{Answer, CSV, Done, answer, done, file, job, list as listed};
use super::asked::{Ask, At, Given, Nothing, Paged, Words};
use super::changes::{CHANGED, write};
use super::{Api, Door};
use crate::App;
use crate::access::{Access, Caller};
use crate::change::Change;
use crate::error::{PageError, PageResult};
use crate::jobs::Progress;
use crate::upload::incoming::{self, Incoming};

pub fn api() -> Api {
    Api::of("Imports")
        .on(Door::Read(Access::Viewer), "/api/v1/imports", "imports list", "Deliveries: what came, what counts, what replaced what", list)
        .listed()
        .on(Door::Upload(Access::Reviewer), "/api/v1/imports", "ingest",
            "Import the files of one delivery of one source: one file as the body, or several as multipart/form-data",
            take,
        )
        .with_query::<AskedImport>()
        .takes_bytes("application/octet-stream", "a FOCUS file (CSV, .gz, .zst, Parquet) as it is")
        .begins_job()
        .on(Door::Read(Access::Viewer), "/api/v1/imports/{import}", "imports show", "One delivery: parts, counts, exact totals, flags", show)
        .on(Door::Read(Access::Viewer), "/api/v1/imports/{import}/quarantined",
            "imports show",
            "The rows of a delivery that were kept aside, as CSV",
            quarantined,
        )
        .answers_file("text/csv")
        .on(Door::Act(Access::Reviewer), "/api/v1/imports/{import}/reread", "imports reread",
            "Read the kept bytes again under today's configuration",
            again,
        )
        .begins_job()
        .on(Door::Act(Access::Reviewer), "/api/v1/imports/{import}/withdraw", "imports withdraw",
            "Take a delivery out of the books, while its periods are open",
            withdraw,
        )
        .takes::<WithdrawReason>(r#"{"reason": "wrong source"}"#)
        .answers("`number` of the act")
        .on(Door::Upload(Access::Admin), "/api/v1/import-config", "import-config",
            "Rules from the files of earlier integrations (accounts.json, tiers.json, …), as multipart/form-data",
            configure,
        )
        .with_query::<AskedConfiguration>()
        .takes_bytes("multipart/form-data", "the files, each with its name")
        .answers(CHANGED)
}

async fn list(State(app): State<App>, paged: Paged<Nothing>) -> Answer {
    listed(paged.page, imports::list(&app.installation, &ImportFilter::default()).await?)
}

async fn show(State(app): State<App>, At(import): At<ImportId>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(imports::show(&app.installation, import).await?)
}

async fn quarantined(
    State(app): State<App>,
    At(import): At<ImportId>,
    Ask(Nothing {}): Ask<Nothing>,
) -> Answer {
    let bytes = imports::quarantined(&app.installation, import).await?;
    file(CSV, &format!("import_{import}_quarantined.csv"), bytes)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command")]
struct AskedImport {
    /// Name of the file, where the body is one; source and period are guessed from it
    name: Option<String>,
    /// Who delivers
    source: Option<String>,
    /// Expected period; charges of another are flagged
    #[param(value_type = Option<String>, example = "2025-01")]
    period: Option<Period>,
    /// Say what would happen, and change nothing
    #[serde(default)]
    dry_run: bool,
    /// Take the good rows of a file with problems, keep the bad ones aside
    #[serde(default)]
    quarantine: bool,
    /// This delivery takes the place of this earlier import
    replace: Option<i64>,
    /// This delivery comes beside earlier ones, although they overlap
    #[serde(default)]
    append: bool,
    /// Accept a delivery that is empty or has lost more than half
    #[serde(default)]
    force: bool,
    /// Take only the charges of open periods
    #[serde(default)]
    only_open: bool,
}

async fn take(
    State(app): State<App>,
    caller: Caller,
    Ask(asked): Ask<AskedImport>,
    request: Request,
) -> Answer {
    if asked.append && asked.replace.is_some() {
        return Err(PageError::bad_request("append: it comes beside earlier ones or replaces one, not both"));
    }
    let incoming = receive(&app, request, asked.name.as_deref()).await?;
    let files = incoming.given();
    let name = match files.as_slice() {
        [one] => format!("Import of {}", one.name),
        many => format!("Import of {} files", many.len()),
    };
    let wanted = import::Request {
        source: asked.source.map(SourceName),
        period: asked.period,
        choice: match (asked.replace, asked.append) {
            (Some(import), _) => Choice::Replace(ImportId(import)),
            (None, true) => Choice::Append,
            (None, false) => Choice::Automatic,
        },
        dry_run: asked.dry_run,
        quarantine: asked.quarantine,
        force: asked.force,
        only_open: asked.only_open,
        unpacked_max_bytes: Some(UNPACKED_MAX_BYTES),
        ..import::Request::new(files)
    };
    let (installation, actor) = (app.installation.clone(), caller.actor());
    job(&app, &caller, (name, asked.period), |progress| async move {
        let outcome = ingest(&installation, &actor, wanted, &told(progress)).await?;
        drop(incoming);
        came(outcome)
    })
}

/// Beyond what any month of a campus holds; a bomb ends here.
const UNPACKED_MAX_BYTES: u64 = 20 << 30;

/// Files of a form, or one as the body itself.
async fn receive(app: &App, request: Request, name: Option<&str>) -> PageResult<Incoming> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = kind.starts_with("multipart/form-data");
    let mut incoming = Incoming::begin(app, request.headers())?;
    if is_form {
        incoming.take_form(incoming::form(request).await?).await?;
    } else {
        let name = name.map(str::trim).filter(|name| !name.is_empty()).ok_or_else(|| {
            PageError::bad_request("name: say what the file is called, such as aws_2025-01.csv")
        })?;
        incoming.take_body(name, request.into_body()).await?;
    }
    Ok(incoming)
}

fn told(progress: Progress) -> impl Fn(Read) + Sync {
    move |at| progress.say("reading", at.bytes.min(at.bytes_total), Some(at.bytes_total))
}

/// A refusal of the act is one of the job, with every problem.
fn came(mut outcome: Outcome) -> PageResult<Done> {
    if let Some(refusal) = import_refusal(&mut outcome) {
        return Err(refusal.into());
    }
    // So many are told; all of them are in the quarantine.
    problem_lines(&mut outcome);
    let (said, to) = match outcome.import {
        _ if outcome.unchanged => (format!("{}: nothing to import", outcome.source), "/imports".to_owned()),
        Some(import) => (
            format!("import {import}: {} charges of {}", outcome.charges, outcome.source),
            format!("/imports/{import}"),
        ),
        None => (
            format!("dry run: {} charges of {} would be imported", outcome.charges, outcome.source),
            "/imports".to_owned(),
        ),
    };
    Done::new(said, to, outcome)
}

async fn again(
    State(app): State<App>,
    caller: Caller,
    At(import): At<ImportId>,
    Given(Nothing {}): Given<Nothing>,
) -> Answer {
    let (installation, actor) = (app.installation.clone(), caller.actor());
    // An import that is not there is said at once.
    imports::show(&app.installation, import).await?;
    job(&app, &caller, (format!("Import {import} read again"), None), |progress| async move {
        came(reread(&installation, &actor, import, false, &told(progress)).await?)
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WithdrawReason {
    /// Why, for the audit trail
    #[schema(value_type = String)]
    reason: Words,
}

async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    At(import): At<ImportId>,
    Given(given): Given<WithdrawReason>,
) -> Answer {
    done(imports::withdraw(&app.installation, &caller.actor(), import, &given.reason.0).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedConfiguration {
    /// Rules only for charges of this source
    source: Option<String>,
    /// Where accounts, paths or users are looked for
    key: Option<String>,
    /// First billing period of prices and subsidies
    #[param(value_type = Option<String>, example = "2025-01")]
    from: Option<Period>,
    /// Answer what it would change, and change nothing
    #[serde(default)]
    dry_run: bool,
}

async fn configure(
    State(app): State<App>,
    caller: Caller,
    Ask(asked): Ask<AskedConfiguration>,
    request: Request,
) -> Answer {
    let key =
        asked.key.map(|text| text.parse().map_err(|error| PageError::bad_request(format!("key: {error}"))));
    let wanted = import_config::Wanted {
        source: asked.source.map(SourceName),
        key: key.transpose()?,
        from: asked.from,
    };
    let (_, files) = incoming::small(incoming::form(request).await?).await?;
    if files.is_empty() {
        return Err(PageError::bad_request("the form has no file"));
    }
    let names = files.iter().map(|file| file.name.clone()).collect();
    let files = files.into_iter().map(|file| (file.name, Ok(file.text))).collect();
    let planned = import_config::plan_content(&app.installation, files, &wanted).await?;
    if planned.is_empty() {
        return answer(json!({ "number": null, "planned": planned, "effect": null }));
    }
    let shown = json!(planned);
    let change = Change::Configuration(Box::new(planned), names);
    let effect = change.preview(&app.installation, &caller.actor()).await?;
    let mut told = if asked.dry_run {
        json!({ "effect": effect })
    } else {
        write(&app, &caller, &change, &effect).await?
    };
    told["planned"] = shown;
    answer(told)
}
