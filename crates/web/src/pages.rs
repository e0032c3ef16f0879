//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

mod account;
mod dashboard;
mod jobs;
mod palette;
mod periods;
mod second_factor;
mod sign_in;
mod system;
mod users;

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
        .and(account::routes())
        .and(second_factor::routes())
        .and(users::routes())
}
