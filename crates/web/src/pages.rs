//! One file a subject, with templates of the same name. A handler fetches, calls an act, returns a page.

pub mod charges;
mod dashboard;
mod jobs;
mod palette;
mod periods;
pub mod projects;
mod review;
mod sign_in;
mod system;
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
