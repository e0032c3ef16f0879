use std::sync::Arc;

use workflow::Installation;

use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::upload::Uploads;

/// What every handler has at hand. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub struct Inner {
    pub installation: Arc<Installation>,
    pub settings: Settings,
    pub jobs: Jobs,
    pub metrics: Metrics,
    pub uploads: Uploads,
    /// When this process began to serve.
    pub begun: jiff::Timestamp,
    /// Where requests are worked on, so that none delays the answer of `/health`.
    pub work: tokio::runtime::Handle,
}

impl App {
    #[must_use]
    pub fn new(installation: Arc<Installation>, settings: Settings, work: tokio::runtime::Handle) -> App {
        let jobs = Jobs::new(work.clone());
        let begun = (settings.clock)();
        let uploads = Uploads::open(installation.folders.home.join("instance").join("uploads"), begun);
        let metrics = Metrics::default();
        App(Arc::new(Inner { installation, settings, jobs, metrics, uploads, begun, work }))
    }

    /// Now, by the clock that was handed in.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        (self.settings.clock)()
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
