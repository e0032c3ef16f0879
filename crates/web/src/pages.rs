//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

#![expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates call methods of their page, by reference"
)]

mod account;
mod audit;
pub mod charges;
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
pub mod projects;
mod reports;
mod review;
mod rules;
mod second_factor;
mod settings;
pub(crate) mod sign_in;
mod sources;
mod statements;
mod system;
mod uploads;
mod users;
mod verify;
mod which;

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
        .and(account::routes())
        .and(second_factor::routes())
        .and(users::routes())
        .and(review::routes())
        .and(charges::routes())
        .and(projects::routes())
}

/// For templates: what is not known.
#[must_use]
pub fn or_dash(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("–")
}

#[must_use]
pub fn all_flags() -> [billing::Flag; 19] {
    billing::Flag::ALL
}
