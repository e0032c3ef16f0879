//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

mod audit;
mod dashboard;
mod emails;
mod generate;
mod help;
mod imports;
mod jobs;
mod journals;
mod palette;
mod people;
mod periods;
mod reports;
mod rules;
mod settings;
mod sign_in;
mod sources;
mod statements;
mod system;
mod uploads;
mod verify;

use crate::routes::Routes;

/// All of them.
#[must_use]
pub fn routes() -> Routes {
    system::routes()
        .and(sign_in::routes())
        .and(dashboard::routes())
        .and(periods::routes())
        .and(jobs::routes())
        .and(palette::routes())
        .and(statements::routes())
        .and(generate::routes())
        .and(emails::routes())
        .and(journals::routes())
        .and(reports::routes())
        .and(audit::routes())
        .and(verify::routes())
        .and(uploads::routes())
        .and(imports::routes())
        .and(sources::routes())
        .and(settings::routes())
        .and(help::routes())
        .and(rules::routes())
        .and(people::routes())
}
