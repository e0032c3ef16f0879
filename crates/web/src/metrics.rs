//! What the server counts, in the text format of Prometheus (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the answer times, in milliseconds.
const BOUNDS_MS: [u64; 9] = [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

#[derive(Default)]
pub struct Metrics {
    /// By route and status class.
    requests: Mutex<BTreeMap<(String, u16), Histogram>>,
    pub sign_ins: AtomicU64,
    pub sign_ins_refused: AtomicU64,
    pub forms_refused: AtomicU64,
}

#[derive(Clone, Default)]
struct Histogram {
    buckets: [u64; BOUNDS_MS.len()],
    count: u64,
    sum_ms: u64,
}

impl Metrics {
    pub fn answered(&self, route: &str, status: u16, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let Ok(mut requests) = self.requests.lock() else { return };
        let histogram = requests.entry((route.to_owned(), status)).or_default();
        histogram.count += 1;
        histogram.sum_ms = histogram.sum_ms.saturating_add(took_ms);
        for (bucket, bound) in histogram.buckets.iter_mut().zip(BOUNDS_MS) {
            *bucket += u64::from(took_ms <= bound);
        }
    }

    #[must_use]
    pub fn text(&self, jobs_running: usize) -> String {
        let mut text = String::new();
        let _ =
            writeln!(text, "# HELP http_request_duration_milliseconds Time to answer, by route and status.");
        let _ = writeln!(text, "# TYPE http_request_duration_milliseconds histogram");
        let requests = self.requests.lock().map(|requests| requests.clone()).unwrap_or_default();
        for ((route, status), histogram) in &requests {
            let labels = format!("route=\"{route}\",status=\"{status}\"");
            for (count, bound) in histogram.buckets.iter().zip(BOUNDS_MS) {
                let _ = writeln!(
                    text,
                    "http_request_duration_milliseconds_bucket{{{labels},le=\"{bound}\"}} {count}"
                );
            }
            let (count, sum) = (histogram.count, histogram.sum_ms);
            let _ = writeln!(
                text,
                "http_request_duration_milliseconds_bucket{{{labels},le=\"+Inf\"}} {count}\n\
                 http_request_duration_milliseconds_sum{{{labels}}} {sum}\n\
                 http_request_duration_milliseconds_count{{{labels}}} {count}"
            );
        }
        for (name, help, value) in [
            ("sign_ins_total", "People who signed in.", self.sign_ins.load(Ordering::Relaxed)),
            (
                "sign_ins_refused_total",
                "Tries to sign in that were refused.",
                self.sign_ins_refused.load(Ordering::Relaxed),
            ),
            (
                "forms_refused_total",
                "Changes refused for a missing or stale token.",
                self.forms_refused.load(Ordering::Relaxed),
            ),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        let _ = writeln!(
            text,
            "# HELP jobs_running Imports, statements and e-mails under way.\n# TYPE jobs_running gauge\n\
             jobs_running {jobs_running}"
        );
        text
    }
}
