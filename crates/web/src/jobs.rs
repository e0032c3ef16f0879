//! Work that takes longer than a request may: imports, statements, e-mails. A job runs apart from requests,
//! says how far it is, and ends with a result that its page shows. It lives in this process: after a
//! restart its page is gone, and what it committed stands in the books.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use billing::Period;
use workflow::Refusal;

/// How many jobs that ended are kept for their pages.
const KEPT: usize = 200;

/// What ends within this time is answered at once.
const SOON: Duration = Duration::from_millis(1500);

#[derive(Clone)]
pub struct Jobs {
    work: tokio::runtime::Handle,
    jobs: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    next: u64,
    jobs: BTreeMap<u64, Job>,
}

/// A job as its page shows it.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: u64,
    /// As a heading: `Import of aws_2025-01.csv`.
    pub name: String,
    pub by: String,
    pub period: Option<Period>,
    pub begun: jiff::Timestamp,
    pub state: JobState,
}

#[derive(Clone, Debug)]
pub enum JobState {
    /// What it does now, and how much of what is known.
    Running {
        doing: String,
        done: u64,
        of: Option<u64>,
    },
    Ended(Ending),
    Refused(Refusal),
    /// It broke off; the log knows why.
    Failed {
        request: String,
    },
}

/// How a job ended well.
#[derive(Clone, Debug)]
pub struct Ending {
    pub said: String,
    /// The page that shows what it made.
    pub to: String,
    /// Files to look at before the act is done, and the like: kept for the next step.
    pub kept: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

impl Ending {
    #[must_use]
    pub fn new(said: impl Into<String>, to: impl Into<String>) -> Ending {
        Ending { said: said.into(), to: to.into(), kept: None }
    }
}

/// Where a running job says how far it is.
#[derive(Clone)]
pub struct Progress {
    id: u64,
    jobs: Arc<Mutex<Known>>,
}

impl Progress {
    /// The number of the job.
    #[must_use]
    pub fn job(&self) -> u64 {
        self.id
    }

    pub fn say(&self, doing: &str, done: u64, of: Option<u64>) {
        self.set(JobState::Running { doing: doing.to_owned(), done, of });
    }

    fn set(&self, state: JobState) {
        if let Ok(mut known) = self.jobs.lock()
            && let Some(job) = known.jobs.get_mut(&self.id)
        {
            job.state = state;
        }
    }
}

impl Jobs {
    #[must_use]
    pub fn new(work: tokio::runtime::Handle) -> Jobs {
        Jobs { work, jobs: Arc::default() }
    }

    /// Begin a job and return its number at once.
    pub fn begin<F, W>(
        &self,
        name: impl Into<String>,
        period: Option<Period>,
        actor: &workflow::Actor,
        work: W,
    ) -> u64
    where
        W: FnOnce(Progress) -> F,
        F: Future<Output = Result<Ending, crate::PageError>> + Send + 'static,
    {
        let id = self.enter(name.into(), period, actor);
        let progress = Progress { id, jobs: Arc::clone(&self.jobs) };
        let future = work(progress.clone());
        self.work.spawn(async move {
            // A panic ends the inner task alone; the job says that it failed.
            let ended = tokio::spawn(future).await;
            progress.set(match ended {
                Ok(Ok(ending)) => JobState::Ended(ending),
                Ok(Err(error)) if error.status.is_server_error() => {
                    JobState::Failed { request: format!("job-{id}") }
                }
                Ok(Err(error)) => JobState::Refused(error.refusal),
                Err(error) => {
                    tracing::error!(job = id, error = %error, "a job broke off");
                    JobState::Failed { request: format!("job-{id}") }
                }
            });
        });
        id
    }

    fn enter(&self, name: String, period: Option<Period>, actor: &workflow::Actor) -> u64 {
        let Ok(mut known) = self.jobs.lock() else { return 0 };
        known.next += 1;
        let id = known.next;
        let state = JobState::Running { doing: "beginning".to_owned(), done: 0, of: None };
        let job = Job { id, name, by: actor.by.clone(), period, begun: actor.at, state };
        known.jobs.insert(id, job);
        let ended: Vec<u64> = known.jobs.values().filter(|job| !job.is_running()).map(|job| job.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(KEPT)) {
            known.jobs.remove(id);
        }
        id
    }

    #[must_use]
    pub fn find(&self, id: u64) -> Option<Job> {
        self.jobs.lock().ok()?.jobs.get(&id).cloned()
    }

    /// What a job came to, waiting a little for it: small work needs no page of its own.
    pub async fn soon(&self, id: u64) -> Option<JobState> {
        let end = tokio::time::Instant::now() + SOON;
        loop {
            let job = self.find(id)?;
            if !job.is_running() || end <= tokio::time::Instant::now() {
                return Some(job.state);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The latest first.
    #[must_use]
    pub fn list(&self) -> Vec<Job> {
        self.jobs.lock().map(|known| known.jobs.values().rev().cloned().collect()).unwrap_or_default()
    }

    #[must_use]
    pub fn running(&self) -> usize {
        self.list().iter().filter(|job| job.is_running()).count()
    }
}

impl Job {
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, JobState::Running { .. })
    }

    /// What it keeps for the next step.
    #[must_use]
    pub fn kept<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        match &self.state {
            JobState::Ended(ending) => Arc::clone(ending.kept.as_ref()?).downcast().ok(),
            _ => None,
        }
    }
}
