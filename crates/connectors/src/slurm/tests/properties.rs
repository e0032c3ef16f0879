//! What holds of every delivery.

use super::*;
use money::Amount;

/// A run as none of the forms writes it.
#[derive(Clone, Debug)]
struct Any {
    job: u32,
    account: &'static str,
    user: &'static str,
    partition: &'static str,
    state: &'static str,
    start: i64,
    elapsed: u64,
    suspended: u64,
    cpus: u64,
    mem: u64,
    gpus: u64,
    is_typed: bool,
}

/// 2025-02-20 to 2025-04-10, over the change of clocks on both continents.
const FROM: i64 = 1_740_000_000;
const TO: i64 = 1_744_300_000;
const MONTHS: [&str; 6] = ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"];

fn any_run() -> impl Strategy<Value = Any> {
    let names = (
        prop::sample::select(vec!["physics", "chemistry", "Biology"]),
        prop::sample::select(vec!["ann", "bob"]),
        prop::sample::select(vec!["gpu", "def", "condo"]),
        prop::sample::select(vec!["COMPLETED", "FAILED", "NODE_FAIL", "PREEMPTED", "TIMEOUT", "RUNNING"]),
    );
    let numbers = (FROM..TO, 0_u64..4_000_000, 0_u64..100_000, 1_u64..500, 0_u64..1_000_000, 0_u64..9);
    (names, numbers, any::<bool>()).prop_map(|(names, numbers, is_typed)| {
        let (account, user, partition, state) = names;
        let (start, elapsed, suspended, cpus, mem, gpus) = numbers;
        let job = 0;
        Any { job, account, user, partition, state, start, elapsed, suspended, cpus, mem, gpus, is_typed }
    })
}

fn any_runs() -> impl Strategy<Value = Vec<Any>> {
    prop::collection::vec(any_run(), 1..30).prop_map(|mut runs| {
        for (number, run) in (1..).zip(&mut runs) {
            run.job = number;
        }
        runs
    })
}

impl Any {
    fn end(&self) -> Option<i64> {
        let lasted = i64::try_from(self.elapsed + self.suspended).unwrap();
        (self.state != "RUNNING").then(|| self.start + lasted)
    }

    fn line(&self) -> String {
        let mut tres = format!("billing={0},cpu={0},mem={1}M,node=1", self.cpus, self.mem);
        if 0 < self.gpus {
            write!(tres, ",gres/gpu={}", self.gpus).unwrap();
            if self.is_typed {
                write!(tres, ",gres/gpu:a100={}", self.gpus).unwrap();
            }
        }
        let Any { job, account, user, partition, state, start, elapsed, suspended, cpus, .. } = self;
        let end = self.end().map_or("Unknown".to_owned(), |end| end.to_string());
        format!(
            "hpc|{job}|{job}|{job}|{account}|{user}|{partition}|normal|{state}|{start}|{end}|{elapsed}|{suspended}|{cpus}|1|{tres}"
        )
    }

    fn json(&self) -> Value {
        let mut allocated = vec![
            json!({ "type": "cpu", "name": "", "count": self.cpus }),
            json!({ "type": "mem", "name": "", "count": self.mem }),
            json!({ "type": "node", "name": null, "count": 1 }),
            json!({ "type": "billing", "name": null, "count": self.cpus }),
        ];
        if 0 < self.gpus {
            allocated.push(json!({ "type": "gres", "name": "gpu", "count": self.gpus }));
            if self.is_typed {
                allocated.push(json!({ "type": "gres", "name": "gpu:a100", "count": self.gpus }));
            }
        }
        json!({
            "cluster": "hpc", "job_id": self.job, "account": self.account, "user": self.user,
            "partition": self.partition, "qos": "normal", "state": { "current": [self.state] },
            "time": { "start": self.start, "end": self.end().unwrap_or(0), "elapsed": self.elapsed,
                      "suspended": self.suspended },
            "tres": { "allocated": allocated },
        })
    }
}

fn text_of(runs: &[Any]) -> String {
    let lines: Vec<String> = std::iter::once(HEADER.to_owned()).chain(runs.iter().map(Any::line)).collect();
    lines.join("\n")
}

fn any_options() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(vec!["account", "user", "job"]),
        prop::sample::select(vec!["core-hours", "tres", "billing", "node-hours", "su"]),
        prop::sample::select(vec!["month", "day"]),
        prop::sample::select(vec!["at_boundary", "at_end"]),
        prop::sample::select(vec!["UTC", "America/Chicago", "Europe/Zurich", "Pacific/Apia"]),
        prop::sample::select(vec!["bill", "free", "50%", "33.3333%"]),
    )
        .prop_map(|(charges, rating, charge_period, split, time_zone, preempted)| {
            let gpu = if rating == "su" { json!({ "multiplier": "2.5" }) } else { json!({}) };
            json!({
                "charges": charges, "rating": rating, "charge_period": charge_period, "split": split,
                "time_zone": time_zone, "states": { "PREEMPTED": preempted }, "minimum_seconds": 60,
                "partitions": { "gpu": gpu, "condo": { "free_for": "physics" } },
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_files_and_lines_is_nothing(
        runs in any_runs(),
        order in Just(()).prop_perturb(|(), mut rng| (0..30).map(|_| rng.next_u32()).collect::<Vec<u32>>()),
        cut in 0_usize..30,
        options in any_options(),
    ) {
        let connector = connector(&options);
        let (csv, reconciliation) = csv_of(&*connector, &[("a", text_of(&runs).as_bytes())], "2025-03").unwrap();
        let mut shuffled: Vec<(u32, Any)> = order.into_iter().zip(runs).collect();
        shuffled.sort_by_key(|(at, _)| *at);
        let mut shuffled: Vec<Any> = shuffled.into_iter().map(|(_, run)| run).collect();
        // What stands in both files counts once.
        let overlap = shuffled[0].clone();
        let mut second = shuffled.split_off(cut.min(shuffled.len()));
        second.push(overlap.clone());
        shuffled.push(overlap);
        let (first, second) = (text_of(&shuffled), text_of(&second));
        let files: [(&str, &[u8]); 2] = [("x", first.as_bytes()), ("y", second.as_bytes())];
        let (other, other_reconciliation) = csv_of(&*connector, &files, "2025-03").unwrap();
        prop_assert_eq!(csv, other);
        let charged = |reconciliation: &Reconciliation| {
            let lines = reconciliation.lines.iter().filter(|line| line.what.is_charged());
            lines.cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(charged(&reconciliation), charged(&other_reconciliation));
    }

    #[test]
    fn text_and_json_make_the_same_rows(runs in any_runs(), options in any_options()) {
        let connector = connector(&options);
        let json = json!({ "jobs": runs.iter().map(Any::json).collect::<Vec<_>>() }).to_string();
        let text = csv_of(&*connector, &[("a", text_of(&runs).as_bytes())], "2025-03").unwrap();
        let json = csv_of(&*connector, &[("a", json.as_bytes())], "2025-03").unwrap();
        prop_assert_eq!(text, json);
    }

    #[test]
    fn rows_are_what_the_reconciliation_says_and_months_add_up(runs in any_runs(), options in any_options()) {
        let mut options = options;
        options["rating"] = json!("core-hours");
        options["partitions"] = json!({ "condo": { "free_for": "physics" } });
        let text = text_of(&runs);
        let (mut core_seconds, mut running) = (0, 0);
        for month in MONTHS {
            let converted = convert(&options, &[("a", text.as_bytes())], month).unwrap();
            let (mut billed, mut waived) = (Amount::ZERO, Amount::ZERO);
            for row in &converted.rows {
                let quantity: Amount = row[2].parse().unwrap();
                prop_assert!(row[4] < row[5], "{} to {}", row[4], row[5]);
                if row[7].is_empty() { billed += quantity } else { waived += quantity }
            }
            let (mut said_billed, mut said_waived) = (0, 0);
            for line in &converted.reconciliation.lines {
                match &line.what {
                    Outcome::Billed => said_billed += line.counted.core_seconds,
                    Outcome::Waived(_) => said_waived += line.counted.core_seconds,
                    Outcome::NotEnded => running = line.counted.core_seconds,
                    _ => {}
                }
            }
            prop_assert_eq!(billed.to_string(), said_billed.to_string());
            prop_assert_eq!(waived.to_string(), said_waived.to_string());
            core_seconds += said_billed + said_waived;
        }
        let all: u128 = runs.iter().map(|run| u128::from(run.elapsed * run.cpus)).sum();
        prop_assert_eq!(core_seconds + running, all);
    }

    #[test]
    fn no_two_rows_have_one_record_id(runs in any_runs(), options in any_options()) {
        let (csv, _) = csv_of(&*connector(&options), &[("a", text_of(&runs).as_bytes())], "2025-03").unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let at = reader.headers().unwrap().iter().position(|name| name == "x_RecordId").unwrap();
        let ids: Vec<String> = reader.records().map(|row| row.unwrap()[at].to_owned()).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), ids.len(), "{:?}", ids);
    }

    #[test]
    fn no_bytes_stop_the_program(bytes in prop::collection::vec(any::<u8>(), 0..300), is_text in any::<bool>()) {
        let mut file = if is_text { format!("{HEADER}\n").into_bytes() } else { b"{\"jobs\":[".to_vec() };
        file.extend(bytes);
        if let Ok((_, reconciliation)) = csv_of(&*connector(&json!({})), &[("a", &file)], "2025-01") {
            prop_assert!(reconciliation.is_even());
        }
    }
}
