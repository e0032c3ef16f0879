use axum::extract::State;
use billing::LedgerNumber;
use ledger::AuditFilter;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use workflow::audit::{self, AnchorRef, ExportFormat};
use workflow::shapes::VerifiedChain;

use super::answer::{Answer, CSV, answer, file};
use super::asked::{Ask, Both, Nothing, Page, Paged};
use super::{Api, Door};
use crate::App;
use crate::access::Access;
use crate::error::{PageError, PageResult};

pub fn api() -> Api {
    Api::of("Audit")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/audit",
            "audit list",
            "What was done; the latest last, pages from the end",
            list,
        )
        .with_query::<AskedActs>()
        .listed()
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/audit/export",
            "audit export",
            "What was done, for another program",
            export,
        )
        .with_query::<Both<AskedActs, FileFormat>>()
        .answers_file("application/json")
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/audit/anchor",
            "audit anchor",
            "The end of the chain, to be kept elsewhere",
            anchor,
        )
        .on(
            Door::Read(Access::Viewer),
            "/api/v1/audit/verify",
            "audit verify",
            "Prove that no entry was edited, inserted or removed",
            verify,
        )
        .with_query::<AskedAnchor>()
        .on(
            Door::Read(Access::Admin),
            "/api/v1/configuration",
            "config show",
            "What statements, journals and e-mails depend on of the configuration; without secrets",
            configuration,
        )
        .answers("`digest`, and `settings`, `institution`, `email` as they are in force")
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedActs {
    /// Only these acts: `import` for all of imports, `import.committed` for one kind
    act: Option<String>,
    /// Only what this person did
    by: Option<String>,
    /// Only what was done to this: `import 12`, `2025-01`
    subject: Option<String>,
    /// From this entry on
    from: Option<i64>,
    /// Up to this entry
    to: Option<i64>,
}

impl AskedActs {
    fn filter(self, limit: Option<u64>) -> AuditFilter {
        AuditFilter {
            act: self.act,
            by: self.by,
            subject: self.subject,
            from: self.from.map(LedgerNumber),
            to: self.to.map(LedgerNumber),
            limit,
            ..AuditFilter::default()
        }
    }
}

/// The chain is read from its end: a page with an offset leaves the latest entries out.
async fn list(State(app): State<App>, Paged { query, page }: Paged<AskedActs>) -> Answer {
    let rows = audit::list(&app.installation, &query.filter(None)).await?;
    let Page { limit, offset } = page;
    let total = rows.len();
    let end = total.saturating_sub(page.offset());
    let items = &rows[end.saturating_sub(page.limit())..end];
    answer(json!({ "total": total, "limit": limit, "offset": offset, "items": items }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FileFormat {
    /// `json`, `csv` or `splunk`
    #[param(default = "json")]
    format: Option<String>,
    /// Where events come from, for Splunk
    host: Option<String>,
}

async fn export(State(app): State<App>, Ask(Both(acts, asked)): Ask<Both<AskedActs, FileFormat>>) -> Answer {
    let (format, kind, name) = match asked.format.as_deref() {
        None | Some("json") => (ExportFormat::Json, "application/json", "audit.json"),
        Some("csv") => (ExportFormat::Csv, CSV, "audit.csv"),
        Some("splunk") => (ExportFormat::Splunk, "application/json", "audit.jsonl"),
        Some(other) => {
            return Err(PageError::bad_request(format!("format: `{other}` is not json, csv or splunk")));
        }
    };
    let host = asked.host.unwrap_or_else(|| "focus-billing".to_owned());
    file(kind, name, audit::export(&app.installation, &acts.filter(None), format, &host).await?)
}

async fn anchor(State(app): State<App>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    answer(audit::anchor(&app.installation).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AskedAnchor {
    /// Prove, too, that the chain contains this hash of an anchor
    anchor: Option<String>,
}

async fn verify(State(app): State<App>, Ask(asked): Ask<AskedAnchor>) -> Answer {
    let anchor: PageResult<Option<AnchorRef>> =
        asked.anchor.map(|text| AnchorRef::read(&text).map_err(PageError::from)).transpose();
    let found = audit::verify(&app.installation, anchor?.as_ref()).await?;
    answer(VerifiedChain::of(&found))
}

async fn configuration(State(app): State<App>, Ask(Nothing {}): Ask<Nothing>) -> Answer {
    let kept = &app.installation.configuration;
    let mut told: serde_json::Value = serde_json::from_str(&kept.text).map_err(PageError::internal)?;
    told["digest"] = json!(kept.digest);
    answer(told)
}
