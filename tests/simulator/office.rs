//! The office: what people do, chosen by a seed, and what must then be so.

use std::collections::BTreeMap;

use money::Amount;

use super::model::{Model, SourcePeriod, State};
use crate::support::{Answer, CONFIG, Engine, HEADER, Home, amount, entries, row_of, tags, text};

const PERIODS: [&str; 6] = ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"];
/// Lab delivers what was used; its rate is one a unit, so that quantities are costs before the month is priced.
const SOURCES: [&str; 3] = ["AWS", "HPC", "Lab"];
const USAGE: &str = "BillingPeriodStart,ServiceName,ResourceId,ConsumedQuantity,ConsumedUnit,Tags";
const PROJECTS: [(&str, &str, &str); 4] = [
    ("ada@example.edu", "looms", "MATH-1"),
    ("ada@example.edu", "engines", "MATH-2"),
    ("bo@example.edu", "quanta", "PHYS-1"),
    ("cy@example.edu", "genome", "BIO-7"),
];

/// Small numbers that look random and are the same for the same seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub struct Office {
    seed: u64,
    dice: Dice,
    home: Home,
    model: Model,
    /// What was done, for whoever must find out why.
    log: Vec<String>,
    done: BTreeMap<&'static str, (u32, u32)>,
    files: u32,
    failpoints: Vec<String>,
}

/// A delivery that was written to a file, and what it comes to.
struct Delivery {
    line: String,
    source: &'static str,
    period: String,
    sum: Amount,
}

impl Office {
    pub fn open(seed: u64, engine: Engine) -> Office {
        let home = Home::on(engine);
        let config = CONFIG
            .replace("name: AWS,", "name: AWS, delivery: snapshot,")
            .replace("name: HPC,", "name: HPC, delivery: increment,");
        let lab = "    - { name: Lab, pattern: lab, fund_org: IT-LAB, account_code: \"54300\", delivery: snapshot, priced_by: rates }\n";
        home.write("config.yaml", format!("{config}{lab}review:\n  flag_patterns: [sandbox]\n"));
        home.ok("rates add core --unit core-hour --price 1 --list-price 1.5 --from 2025-01-01 --yes");
        let mut model = Model::default();
        for period in PERIODS {
            if period != "2025-01" {
                home.open(period);
            }
            model.periods.insert(period.to_owned(), State::Open);
        }
        let failpoints = home.ok("debug failpoints").lines().map(str::to_owned).collect();
        let (dice, log) = (Dice(seed), Vec::new());
        Office { seed, dice, home, model, log, done: BTreeMap::new(), files: 0, failpoints }
    }

    pub fn summary(&self) -> String {
        let done =
            self.done.iter().map(|(act, (served, refused))| format!("{act} {served}/{}", served + refused));
        done.collect::<Vec<_>>().join(", ")
    }

    /// One act, and what must be so after it.
    pub fn act(&mut self) {
        match self.dice.below(100) {
            0..=29 => self.deliver(),
            30..=34 => self.deliver_and_crash(),
            35..=39 => self.withdraw(),
            40..=59 => self.decide(),
            60..=63 => self.close(),
            64..=69 => self.reopen(),
            70..=78 => self.bill(),
            79..=83 => self.answer_journals(),
            84..=87 => self.finish_month(),
            88..=92 => self.two_at_once(),
            93 => self.attribute(),
            94 => self.price(),
            95..=97 => self.fund(),
            _ => self.reread(),
        }
        self.check();
    }

    /// Run a command that may be served or refused, never anything else.
    fn run(&mut self, name: &'static str, line: &str) -> Answer {
        let answer = self.home.run(line);
        self.note(name, line, &answer);
        answer
    }

    fn note(&mut self, name: &'static str, line: &str, answer: &Answer) {
        self.log.push(format!("{line}  → {}", answer.code));
        let done = self.done.entry(name).or_default();
        match answer.code {
            0 => done.0 += 1,
            1 => done.1 += 1,
            code => self.fail(&format!("`{line}` ended with {code}:\n{}", answer.stderr)),
        }
        if answer.stderr.contains("internal") || answer.stderr.contains("panicked") {
            self.fail(&format!("`{line}` says:\n{}", answer.stderr));
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!(
            "seed {}, act {}: {what}\n\nwhat was done:\n{}",
            self.seed,
            self.log.len(),
            self.log.join("\n")
        )
    }

    fn period(&mut self) -> String {
        // Early months are busier, so that they get through their whole life.
        let at = self.dice.below(PERIODS.len()).min(self.dice.below(PERIODS.len()));
        PERIODS[at].to_owned()
    }

    fn write_delivery(&mut self) -> Delivery {
        let source = *self.dice.pick(&SOURCES);
        let period = self.period();
        self.files += 1;
        let name = format!("{}-{}.csv", source.to_lowercase(), self.files);
        let header = if source == "Lab" { USAGE } else { HEADER };
        let (mut text, mut sum) = (format!("{header}\n"), Amount::ZERO);
        for n in 0..=self.dice.below(12) {
            // A snapshot has the same resources again and again, an increment has new ones.
            let resource = match source {
                "AWS" | "Lab" => format!("vm-{n}{}", if self.dice.below(9) == 0 { "-sandbox" } else { "" }),
                _ => format!("job-{}-{n}", self.files),
            };
            let micro = i128::try_from(self.dice.below(9_000_000)).unwrap() - 500_000;
            let billed = Amount::from_units(micro * 10_i128.pow(12));
            let list = Amount::from_units((micro + 1_000_000) * 10_i128.pow(12));
            let (pi, project, fund) = *self.dice.pick(&PROJECTS);
            let former = pi.replace('@', "@old.");
            let pi = if self.dice.below(6) == 0 { &former } else { pi };
            let tags = if self.dice.below(10) == 0 { "{}".to_owned() } else { tags(pi, project, fund) };
            let user = [pi, "lab-1", "lab-2", ""][self.dice.below(4)];
            let tags = match user {
                "" => tags,
                user => tags.replacen('{', &format!(r#"{{"user": "{user}", "#), 1).replace(", }", "}"),
            };
            let (list, cost) = (list.to_string(), billed.to_string());
            let quoted = tags.replace('"', "\"\"");
            let row = match source {
                "Lab" => format!("{period}-01,Compute,{resource},{cost},CPU Hours,\"{quoted}\""),
                _ => row_of(&period, &resource, "Compute", &list, &cost, &tags),
            };
            text.push_str(&row);
            text.push('\n');
            sum += billed;
        }
        self.home.write(&name, text);
        Delivery { line: format!("ingest {name} --source {source} --force"), source, period, sum }
    }

    fn deliver(&mut self) {
        let delivery = self.write_delivery();
        let answer = self.run("deliver", &format!("{} --json", delivery.line));
        self.delivered(&delivery, &answer);
        if self.dice.below(4) == 0 && answer.code == 0 {
            let again = self.run("deliver again", &format!("{} --json", delivery.line));
            if again.code != 0 || !again.stdout.contains("\"unchanged\": true") {
                self.fail(&format!("the same bytes are not recognized: {}{}", again.stdout, again.stderr));
            }
        }
    }

    /// What a delivery that was answered so has come to.
    fn delivered(&mut self, delivery: &Delivery, answer: &Answer) {
        let key: SourcePeriod = (delivery.source, delivery.period.clone());
        let state = self.model.state(&delivery.period);
        if answer.code != 0 {
            return;
        }
        if state == State::Closed {
            self.fail("a closed period took a delivery");
        }
        let told: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        let Some(import) = told["import"].as_u64() else { return };
        self.counts(&key, import, delivery.sum);
    }

    fn counts(&mut self, key: &SourcePeriod, import: u64, sum: Amount) {
        let is_snapshot = key.0 != "HPC";
        if self.model.state(&key.1) == State::Finalized {
            let billed = self.model.sum(key) + self.model.corrected(key);
            let difference = if is_snapshot { sum - billed } else { sum };
            let into = self.model.takes_corrections(&key.1).unwrap();
            self.model.billed_in.insert(import, into);
            self.model.corrections.entry(key.clone()).or_default().insert(import, difference);
            return;
        }
        let live = self.model.live.entry(key.clone()).or_default();
        if is_snapshot {
            live.clear();
        }
        live.insert(import, sum);
    }

    /// Killed in the middle, a delivery counts or does not; repeated, it counts once.
    fn deliver_and_crash(&mut self) {
        let delivery = self.write_delivery();
        let point = self.dice.pick(&self.failpoints.clone()).clone();
        let mut command = self.home.command(&delivery.line);
        let status = command.env("FOCUS_BILLING_ABORT_AT", &point).output().unwrap().status;
        self.log.push(format!("{} killed at {point}  → {status}", delivery.line));
        self.done.entry("crash").or_default().0 += 1;
        let before = self.model.imports();
        let imports = entries(&self.home.json("imports list"));
        let new = imports.iter().filter_map(|row| row["import"].as_u64()).find(|id| !before.contains(id));
        let answer = self.home.run(&format!("{} --json", delivery.line));
        self.note("repeat", &delivery.line, &answer);
        if answer.code != 0 {
            return;
        }
        let told: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        let key = (delivery.source, delivery.period.clone());
        // When it is told that nothing changed, the first time counted already.
        let counted = new.filter(|id| imports.iter().any(|row| row["import"].as_u64() == Some(*id)));
        if let Some(import) = told["import"].as_u64().or(counted) {
            self.counts(&key, import, delivery.sum);
        }
    }

    fn withdraw(&mut self) {
        let imports: Vec<u64> = self.model.imports().into_iter().collect();
        if imports.is_empty() {
            return;
        }
        let import = *self.dice.pick(&imports);
        let line = format!("imports withdraw {import} --reason 'by mistake' --yes");
        if self.run("withdraw", &line).code == 0 {
            self.model.withdraw(import);
        }
    }

    fn reread(&mut self) {
        let imports: Vec<u64> = self.model.imports().into_iter().collect();
        if !imports.is_empty() {
            let import = *self.dice.pick(&imports);
            self.run("reread", &format!("imports reread {import}"));
        }
    }

    /// A rule of the attribution table: what it concerns is read again, and comes to the same sums.
    fn attribute(&mut self) {
        let (pi, project, fund) = *self.dice.pick(&PROJECTS);
        let resource = self.dice.below(12);
        let day = if self.dice.below(2) == 0 { "--from 2025-02-10" } else { "" };
        let award = format!(
            "attribution add --key project_id --value {project} --end-date 2025-0{}-15 --fallback-fund-org FALL-9 --yes",
            self.dice.below(4) + 1
        );
        let owner = format!(
            "attribution add --key resource_id --value vm-{resource} --pi {pi} --project {project} --fund-org {fund} {day} --yes"
        );
        let (name, _) = pi.split_once('@').unwrap();
        let person = format!("people add {name} {pi} --also {name}@old.example.edu --yes");
        let line = match self.dice.below(6) {
            0 => award,
            1 => person,
            _ => owner,
        };
        let answer = self.run("attribute", &format!("{line} --json"));
        self.read_again(&answer);
    }

    /// Another version of the rate: free units, tiers and a minimum are of the month, and leave charges alone.
    fn price(&mut self) {
        let (free, above, minimum) =
            (self.dice.below(5) + 1, self.dice.below(9) + 1, self.dice.below(20) + 1);
        let pooled = match self.dice.below(3) {
            0 => format!("--free {free}"),
            1 => format!("--above {above}:0.5 --minimum {minimum}"),
            _ => format!("--free {free} --above {above}:0.75 --above {}:0.3", above + free),
        };
        let (month, day) = (self.dice.below(6) + 1, self.dice.below(28) + 1);
        let line = format!(
            "rates add core --unit core-hour --price 1 {pooled} --from 2025-{month:02}-{day:02} --replacing --yes"
        );
        let answer = self.run("price", &format!("{line} --json"));
        self.read_again(&answer);
    }

    /// What a change of rules had read again counts under other numbers.
    fn read_again(&mut self, answer: &Answer) {
        if answer.code == 0 {
            let told: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
            for again in told["read_again"].as_array().unwrap() {
                let number = |name: &str| again[name].as_u64().unwrap();
                self.model.renumber(number("replaces"), number("import"));
            }
        }
    }

    /// A subsidy, a credit, or a split over funds: who pays changes, not how much.
    fn fund(&mut self) {
        let (pi, project, _) = *self.dice.pick(&PROJECTS);
        let percent = 5 * self.dice.below(20) + 5;
        let line = match self.dice.below(9) {
            0 => format!(
                "subsidies add College --payer SCI-1 --percent {percent} --from 2025-01 --alone --yes"
            ),
            1 => format!(
                "subsidies add Provost --payer PROV-1 --tier {percent}:100 --every fiscal-year --per pi --pi {pi} --from 2025-01 --yes"
            ),
            2 => format!("subsidies end {} --last 2025-02 --yes", self.dice.below(4) + 1),
            3 => format!(
                "subsidies add Starter --payer NEW-1 --percent {percent} --cap {percent} --carry-over --from 2025-01 --yes"
            ),
            4 => format!(
                "credits add Cloud --amount {percent} --payer CR-1 --project {project} --from 2025-01 --to 2025-0{} --yes",
                self.dice.below(4) + 1
            ),
            5 => format!(
                "credits move {} --to-pi {pi} --amount {} --note 'needed there' --yes",
                self.dice.below(4) + 1,
                self.dice.below(30) + 1
            ),
            6 => format!("credits end {} --last 2025-01 --yes", self.dice.below(4) + 1),
            7 => format!(
                "subsidies add Tokens --payer USER-1 --tier {percent}:100 --per user --every {} --from 2025-01 --yes",
                ["month", "quarter", "year"][self.dice.below(3)]
            ),
            _ => format!(
                "splits add --project {project} A-1:{percent} B-2:{percent}% C-3:{}% --from 2025-01-01 --to 2025-0{}-01 --note agreed --yes",
                100 - percent,
                self.dice.below(5) + 1
            ),
        };
        self.run("fund", &line);
    }

    fn decide(&mut self) {
        let period = self.period();
        // Mostly a charge that is there; now and then a filter that may find nothing.
        let charges = entries(&self.home.json(&format!("charges list --period {period} --limit 40")));
        let filter = match self.dice.below(6) {
            0 => format!("--period {period} --project looms"),
            1 => format!("--period {period} --flag pattern_match"),
            2 => format!("--period {period} --flag correction"),
            _ if charges.is_empty() => return,
            _ => format!("--id {}", text(self.dice.pick(&charges), "id")),
        };
        let line = match self.dice.below(6) {
            0 | 1 => format!("review approve {filter} --note fine --yes"),
            2 => format!("review reject {filter} --note no --yes"),
            3 => format!("review defer {filter} --note later --yes"),
            4 => format!("review undo {filter} --yes"),
            _ => format!(
                "review reassign {filter} --to-pi dee@example.edu --to-project found --to-fund-org CHEM-3 --note found --yes"
            ),
        };
        let answer = self.run("decide", &line);
        if answer.code == 0 && line.starts_with("review reject") {
            self.model.rejected.insert(period);
        }
    }

    fn close(&mut self) {
        let period = self.period();
        if self.run("close", &format!("periods close {period}")).code == 0 {
            self.model.periods.insert(period, State::Closed);
        }
    }

    fn reopen(&mut self) {
        let period = self.period();
        if self.run("reopen", &format!("periods reopen {period} --reason 'more to come'")).code == 0 {
            self.model.periods.insert(period, State::Open);
        }
    }

    fn bill(&mut self) {
        let period = self.period();
        self.run("generate", &format!("generate --period {period}"));
        self.run("send", &format!("send --period {period}"));
        self.run("export", &format!("export-journal --period {period} --format gl --output gl.csv"));
    }

    fn answer_journals(&mut self) {
        let journals = entries(&self.home.json("journals list"));
        if journals.is_empty() {
            return;
        }
        let document = text(self.dice.pick(&journals), "document").to_owned();
        let line = match self.dice.below(3) {
            0 => format!("journals reject {document} --reason 'wrong fund'"),
            _ => format!("journals accept {document}"),
        };
        self.run("answer journal", &line);
    }

    /// Everything a month needs to its end; any step may be refused.
    fn finish_month(&mut self) {
        let period = self.period();
        let flagged = format!("--period {period} --flag missing_pi_email");
        self.run("decide", &format!(
            "review reassign {flagged} --to-pi dee@example.edu --to-project found --to-fund-org CHEM-3 --note found --yes"
        ));
        self.run("decide", &format!("review approve --period {period} --note fine --yes"));
        if self.run("close", &format!("periods close {period}")).code == 0 {
            self.model.periods.insert(period.clone(), State::Closed);
        }
        self.run("generate", &format!("generate --period {period}"));
        self.run("export", &format!("export-journal --period {period} --format gl --output gl.csv"));
        for journal in entries(&self.home.json(&format!("journals list --period {period}"))) {
            self.run("answer journal", &format!("journals accept {}", text(&journal, "document")));
        }
        if self.run("finalize", &format!("periods finalize {period} --notes done")).code == 0 {
            self.model.periods.insert(period, State::Finalized);
        }
    }

    /// A delivery and an act on the same period at the same moment: each is served or refused.
    fn two_at_once(&mut self) {
        let delivery = self.write_delivery();
        let period = delivery.period.clone();
        let other = match self.dice.below(3) {
            0 => format!("periods close {period}"),
            1 => format!("review approve --period {period} --note fine --yes"),
            _ => format!("generate --period {period}"),
        };
        let import = self.home.start(&format!("{} --json", delivery.line));
        let act = self.home.start(&other);
        let import = self.home.answer(&import.wait_with_output().unwrap());
        let act = self.home.answer(&act.wait_with_output().unwrap());
        self.note("at once", &delivery.line, &import);
        self.note("at once", &other, &act);
        self.delivered(&delivery, &import);
        if act.code == 0 && other.starts_with("periods close") {
            self.model.periods.insert(period, State::Closed);
        }
    }

    /// The books say what the model says, to the last digit, and every charge is in one state.
    fn check(&mut self) {
        let all = self.home.report("--by source,period,billing_account_id --state all");
        for source in SOURCES {
            for period in PERIODS {
                let key = (source, period.to_owned());
                let (live, corrections) = (self.model.sum(&key), self.model.corrected(&key));
                let own = all.sum_where_all(
                    "billed_cost",
                    &[("source", source), ("period", period), ("billing_account_id", "")],
                );
                if own != live {
                    self.fail(&format!("{source} {period}: {live} was delivered, the books have {own}"));
                }
                let account = format!("(corrections of {period})");
                let made =
                    all.sum_where_all("billed_cost", &[("source", source), ("billing_account_id", &account)]);
                if self.model.rejected.contains(period) {
                    continue;
                }
                if made != corrections {
                    self.fail(&format!(
                        "{source} {period}: corrections of {corrections} follow, the books have {made}"
                    ));
                }
            }
        }
        for period in entries(&self.home.json("periods list")) {
            let (name, state) = (text(&period, "period"), text(&period, "state"));
            let known = format!("{:?}", self.model.state(name)).to_lowercase();
            if state != known {
                self.fail(&format!("{name} is {state}, and the acts made it {known}"));
            }
            let (kept, fresh) =
                (amount(&period["totals"]["charges"], "cost"), all.sum_where("billed_cost", "period", name));
            if kept != fresh {
                self.fail(&format!("{name}: the kept sum is {kept}, and its charges come to {fresh}"));
            }
        }
        if self.log.len().is_multiple_of(10) {
            self.prove();
        }
    }

    /// Statements and journals follow from the books, the equations hold, every file is what it was.
    pub fn prove(&self) {
        let answer = self.home.run("verify");
        if answer.code != 0 {
            self.fail(&format!("verify:\n{}{}", answer.stdout, answer.stderr));
        }
        let mut sent: BTreeMap<String, u32> = BTreeMap::new();
        for (name, message) in self.home.eml() {
            let id =
                message.lines().find(|line| line.to_lowercase().starts_with("message-id:")).unwrap_or(&name);
            *sent.entry(id.to_owned()).or_default() += 1;
        }
        if let Some((id, times)) = sent.iter().find(|(_, times)| 1 < **times) {
            self.fail(&format!("{id} went out {times} times"));
        }
        for statement in entries(&self.home.json("statements list")) {
            let across = amount(&statement, "list_cost")
                - amount(&statement, "discount")
                - amount(&statement, "subsidy");
            if across != amount(&statement, "amount_due") {
                self.fail(&format!("a statement does not add across: {statement}"));
            }
        }
    }
}
