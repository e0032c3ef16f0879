//! What pages cost, on the installation of a home whose ledger and lake are where they are by default:
//! `cargo run --release -p cli -p workflow --example pages -- HOME YYYY-MM`.

#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use billing::Period;
use billing::decision::ChargeState;
use billing::period::Stamp;
use billing::settings::Settings;
use documents::{Institution, Paper};
use lake::{Filter, Lake, Sort};
use ledger::{ImportFilter, Ledger, Location};
use workflow::installation::{EmailSettings, Folders, KeptConfiguration};
use workflow::projects::{Span, Who};
use workflow::{Installation, kept, listing, overview, periods, projects, statements};

#[derive(serde::Deserialize)]
struct Configuration {
    settings: Settings,
}

async fn open(home: &str) -> Installation {
    let home = PathBuf::from(home);
    let instance = home.join("instance");
    let stamp = Stamp { by: "bench".to_owned(), at: jiff::Timestamp::UNIX_EPOCH };
    let ledger = Ledger::open(&Location::Sqlite(instance.join("ledger.db")), &stamp).await.unwrap();
    let mut reader = ledger.read().await.unwrap();
    let imports = reader.list_imports(&ImportFilter::default()).await.unwrap();
    let digest = imports.last().unwrap().configuration_digest.clone();
    let text = reader.load_configuration(&digest).await.unwrap();
    drop(reader);
    let folder = |name: &str| instance.join(name);
    Installation {
        ledger,
        lake: Lake::open(&folder("lake")).unwrap(),
        settings: serde_json::from_str::<Configuration>(&text).unwrap().settings,
        configuration: KeptConfiguration { digest, text },
        folders: Folders {
            home: home.clone(),
            documents: folder("documents"),
            pdfs: folder("pdfs"),
            drafts: folder("drafts"),
            journals: folder("journals"),
            emails: folder("emails"),
            templates: Vec::new(),
        },
        institution: Institution {
            name: "Example University".to_owned(),
            logo: None,
            contact_email: String::new(),
            paper: Paper::default(),
        },
        email: EmailSettings {
            from_address: "billing@example.edu".to_owned(),
            from_name: "Billing".to_owned(),
            subject_template: String::new(),
            outbox: Arc::new(mail::Directory::new(folder("emails"))),
        },
        template_config: serde_json::Value::Null,
        kept: kept::Kept::default(),
    }
}

async fn timed<T>(what: &str, of: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let made = of.await;
    println!("{:>8.1} ms  {what}", begun.elapsed().as_secs_f64() * 1000.0);
    made
}

/// Lists that nobody has asked for before.
fn lists(period: Period, round: usize) -> Vec<(&'static str, Filter, Vec<Sort>, usize)> {
    let of = |text: Option<&str>| Filter {
        period: Some(period),
        text: text.map(str::to_owned),
        ..Filter::default()
    };
    let by = |column: &str, descending| vec![Sort { column: column.to_owned(), descending }];
    let held = Filter { states: vec![ChargeState::Held], ..of(None) };
    vec![
        ("by id", of(None), Vec::new(), round * 100),
        ("by cost", of(None), by("cost", true), round * 100),
        ("by resource", of(None), by("resource_name", false), round * 100),
        ("by PI, from the end", of(None), by("pi_email", true), round * 100),
        ("find `gpu` by cost", of(Some("gpu")), by("cost", true), round * 100),
        ("find `-17` by service", of(Some("-17")), by("service_name", false), round * 100),
        ("find what is not there", of(Some(&format!("zebra{round}"))), by("cost", true), 0),
        ("held by date", held, by("charge_period_start", false), round * 100),
        ("page 5000 by cost", of(None), by("billed_cost", true), 500_000 + round * 100),
    ]
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (home, period) = (&arguments[1], arguments[2].parse::<Period>().unwrap());
    let installation = Arc::new(open(home).await);
    let of = &*installation;
    timed("overview, first", overview::overview(of, period)).await.unwrap();
    timed("overview, again", overview::overview(of, period)).await.unwrap();
    timed("kept sums", kept::sums(of, period)).await.unwrap();
    timed("periods", periods::list(of)).await.unwrap();
    timed("statements", statements::list(of, Some(period), None, false)).await.unwrap();
    timed("projects", projects::list(of, Span::Period(period))).await.unwrap();
    let pi = projects::list_pis(of, Span::Period(period)).await.unwrap()[0].pi_email.clone().unwrap();
    timed("a PI, first", projects::show(of, &Who::Pi(pi.clone()), None)).await.unwrap();
    timed("a PI, again", projects::show(of, &Who::Pi(pi), None)).await.unwrap();
    for (what, filter, sort, offset) in lists(period, 0) {
        let page = timed(what, listing::page(of, &filter, &sort, 100, offset)).await.unwrap();
        timed(&format!("  again ({} found)", page.total), listing::page(of, &filter, &sort, 100, offset))
            .await
            .unwrap();
    }
    let mut taken: Vec<Duration> = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    let begun = Instant::now();
    for worker in 0..20_usize {
        let installation = Arc::clone(&installation);
        tasks.spawn(async move {
            let mut taken = Vec::new();
            for turn in 0..20_usize {
                let begun = Instant::now();
                match (worker + turn) % 5 {
                    0 => drop(overview::overview(&installation, period).await.unwrap()),
                    1 => drop(periods::list(&installation).await.unwrap()),
                    2 => drop(projects::list(&installation, Span::Period(period)).await.unwrap()),
                    3 => drop(statements::list(&installation, Some(period), None, false).await.unwrap()),
                    _ => {
                        let lists = lists(period, 0);
                        let (_, filter, sort, offset) = &lists[turn % lists.len()];
                        drop(listing::page(&installation, filter, sort, 100, *offset).await.unwrap());
                    }
                }
                taken.push(begun.elapsed());
            }
            taken
        });
    }
    while let Some(of_worker) = tasks.join_next().await {
        taken.extend(of_worker.unwrap());
    }
    taken.sort();
    let at =
        |percent: usize| taken[(taken.len() * percent / 100).min(taken.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "20 in flight, {} pages in {:.1} s: p50 {:.1} ms, p95 {:.1} ms, most {:.1} ms",
        taken.len(),
        begun.elapsed().as_secs_f64(),
        at(50),
        at(95),
        at(100)
    );
}
