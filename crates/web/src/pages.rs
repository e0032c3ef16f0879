//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

mod dashboard;
mod help;
mod imports;
mod jobs;
mod palette;
mod periods;
mod settings;
mod sign_in;
mod sources;
mod system;
mod uploads;

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
        .and(uploads::routes())
        .and(imports::routes())
        .and(sources::routes())
        .and(settings::routes())
        .and(help::routes())
}
