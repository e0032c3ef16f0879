//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

mod dashboard;
mod jobs;
mod palette;
mod people;
mod periods;
mod rules;
mod sign_in;
mod system;

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
        .and(rules::routes())
        .and(people::routes())
}
