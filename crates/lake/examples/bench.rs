//! What writing and asking cost, on a file of `gen_focus.py --columns core`:
//! `cargo run --release -p lake --example bench -- FILE.csv [ROWS_PER_BLOCK]`.
//! The reading here is a stand-in, and not measured.

#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::collections::HashMap;
use std::time::Instant;

use billing::charge::TextColumn;
use billing::settings::Basis;
use billing::{ChargeColumns, ImportId, Period, SourceName};
use futures::TryStreamExt;
use lake::{Filter, Lake, LiveFile, Sort, View, ViewSpec, compress_frame};
use money::Amount;

#[derive(Default)]
struct Coder {
    keys: Vec<u32>,
    values: Vec<Box<str>>,
    known: HashMap<String, u32>,
}

impl Coder {
    fn push(&mut self, value: Option<&str>) {
        let key = match value {
            None => TextColumn::NULL_KEY,
            Some(value) => {
                if let Some(&key) = self.known.get(value) {
                    key
                } else {
                    let key = u32::try_from(self.values.len()).unwrap();
                    self.values.push(value.into());
                    self.known.insert(value.to_owned(), key);
                    key
                }
            }
        };
        self.keys.push(key);
    }
}

/// Records of the generator: eleven plain fields and one quoted.
fn fields(line: &str) -> Vec<&str> {
    line.splitn(12, ',').collect()
}

fn tag<'a>(tags: &'a str, name: &str) -> Option<&'a str> {
    let at = tags.find(&format!("\"\"{name}\"\": \"\""))? + name.len() + 8;
    let rest = &tags[at..];
    Some(&rest[..rest.find('"')?])
}

const TAGS: [(&str, &str); 7] = [
    ("pi_email", "pi_email"),
    ("project_id", "project_id"),
    ("fund_org", "fund_org"),
    ("cost_center", "cost_center"),
    ("account_code", "account_code"),
    ("reference_1", "grant_number"),
    ("end_date", "end_date"),
];
const TEXT: [&str; 3] = ["resource_id", "resource_name", "service_name"];

fn block(lines: &[&str], first_row: i64, offset: &mut i64) -> ChargeColumns {
    let rows = lines.len();
    let mut columns = ChargeColumns { rows, ..ChargeColumns::default() };
    let mut coders: Vec<Coder> = (0..TAGS.len() + TEXT.len() + 2).map(|_| Coder::default()).collect();
    let day = |text: &str| {
        let day: i64 = text[8..10].parse().unwrap();
        (20_089 + day - 1) * 86_400_000_000
    };
    for (at, line) in lines.iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        let cells = fields(line);
        columns.row.push(first_row + at);
        columns.line.push(first_row + at + 1);
        columns.byte_offset.push(*offset);
        let len = i32::try_from(line.len()).unwrap() + 1;
        columns.byte_len.push(len);
        *offset += i64::from(len);
        columns.period.push(Period::new(2025, 1).unwrap());
        for (cost, cell) in columns.costs.iter_mut().zip(&cells[4..8]) {
            cost.0.push(cell.parse::<Amount>().unwrap().units());
        }
        for (time, micros) in columns.times.iter_mut().zip([
            day("2025-01-01"),
            day("2025-01-01") + 31 * 86_400_000_000,
            day(cells[2]),
            day(cells[3]) + 86_400_000_000,
        ]) {
            time.0.push(micros);
        }
        for (coder, (_, name)) in coders.iter_mut().zip(TAGS) {
            coder.push(tag(cells[11], name));
        }
        for (coder, cell) in coders[TAGS.len()..].iter_mut().zip(&cells[8..11]) {
            coder.push(Some(cell));
        }
        coders[TAGS.len() + 3].push(Some(cells[11].trim_matches('"')));
        coders[TAGS.len() + 4].push(None);
        let hash = |n: i64| n.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555;
        columns.fingerprint.push(hash(first_row + at));
        columns.content_digest.push(hash(-first_row - at));
        columns.overlap_key.push(hash((first_row + at) / 7));
    }
    let names = TAGS.iter().map(|(name, _)| *name).chain(TEXT).chain(["tags", "flags"]);
    columns.text = names
        .zip(coders)
        .map(|(name, coder)| (name.to_owned(), TextColumn::Coded { keys: coder.keys, values: coder.values }))
        .collect();
    columns
}

struct Clock(Instant);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now())
    }

    fn say(self, what: &str, per: usize) {
        let taken = self.0.elapsed();
        let each = taken.as_nanos() / per.max(1) as u128;
        println!("{what:<44} {:>7.1} ms  {each:>6} ns each", taken.as_secs_f64() * 1e3);
    }
}

fn write(lake: &Lake, import: i64, text: &str, rows_per_block: usize) -> Vec<LiveFile> {
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let mut offset = 100;
    let mut first_row = 1;
    let blocks: Vec<ChargeColumns> = lines
        .chunks(rows_per_block)
        .map(|lines| {
            let block = block(lines, first_row, &mut offset);
            first_row += i64::try_from(lines.len()).unwrap();
            block
        })
        .collect();
    let mut writer = lake.charge_writer(ImportId(import), &SourceName("AWS".to_owned()));
    let encoder = writer.encoder();
    let clock = Clock::start();
    let groups: Vec<_> = blocks.iter().map(|block| encoder.encode(block).unwrap()).collect();
    clock.say("encode, one thread", lines.len());
    let clock = Clock::start();
    for block in groups {
        writer.append(block).unwrap();
    }
    clock.say("append (with SHA-256)", lines.len());
    let clock = Clock::start();
    let files = writer.finish().unwrap();
    clock.say("finish (footer, fsync, rename)", lines.len());
    let size: u64 = files.iter().map(|file| file.size_bytes).sum();
    println!("{} files, {} MB, {} bytes a charge", files.len(), size >> 20, size / lines.len() as u64);
    let live = |file: &lake::ChargeFile| LiveFile {
        path: file.path.clone(),
        import: ImportId(import),
        source: "AWS".to_owned(),
        period: file.period,
        accounts: None,
        basis: Basis::Billed,
    };
    files.iter().map(live).collect()
}

fn frames(text: &str) {
    let clock = Instant::now();
    let kept: usize = text.as_bytes().chunks(4 << 20).map(|raw| compress_frame(raw, None).size_bytes()).sum();
    let taken = clock.elapsed().as_micros().max(1);
    let rate = text.len() as u128 / taken;
    println!("frames: {rate} MB/s, to {} % of {} MB", kept * 100 / text.len(), text.len() >> 20);
}

async fn ask(lake: &Lake, files: Vec<LiveFile>, rows: usize) {
    let spec = ViewSpec { files: files.clone(), ..ViewSpec::default() };
    let clock = Clock::start();
    let view = lake.view(spec.clone()).unwrap();
    clock.say("open the view", rows);
    let by = ["project_id", "fund_org", "service_name"].map(str::to_owned);
    for run in 1..=4 {
        let clock = Clock::start();
        let totals = view.totals(&by, &Filter::default()).await.unwrap();
        clock.say(&format!("totals by 3 columns, {} groups, run {run}", totals.len()), rows);
    }
    let clock = Clock::start();
    view.totals(&[], &Filter::default()).await.unwrap();
    clock.say("totals of all", rows);
    let period = files[0].period;
    let clock = Clock::start();
    let groups = view.posting_groups(period, &lake::Apart::default()).await.unwrap();
    clock.say(&format!("{} posting groups", groups.len()), rows);
    let clock = Clock::start();
    view.projects(period).await.unwrap();
    clock.say("projects", rows);
    let clock = Clock::start();
    let resources = view.resources(period, None).await.unwrap().try_fold(0, async |n, _| Ok(n + 1)).await;
    clock.say(&format!("{} resources", resources.unwrap()), rows);
    let largest = groups.iter().max_by_key(|posted| posted.group.charges).unwrap();
    let (pi, project) = (&largest.pi_email, &largest.project_id);
    let clock = Clock::start();
    let one =
        view.resources(period, Some((pi, project))).await.unwrap().try_fold(0, async |n, _| Ok(n + 1)).await;
    clock.say(&format!("{} resources of one project", one.unwrap()), rows);
    let clock = Clock::start();
    let sort = [Sort { column: "cost".to_owned(), descending: true }];
    view.charges(&Filter::default(), &sort, Some(50), 0).await.unwrap();
    clock.say("50 largest charges", rows);
    let clock = Clock::start();
    view.charge("1:500000".parse().unwrap()).await.unwrap();
    clock.say("one charge", 1);
    let clock = Clock::start();
    let found = view.locate(&(0..100_000).collect::<Vec<u64>>()).await.unwrap();
    clock.say(&format!("locate 100,000, {} found", found.len()), rows);
    let clock = Clock::start();
    let difference = View::compare(&view, &view).await.unwrap();
    clock.say(&format!("compare with itself, {} added", difference.added.rows), rows);
    let clock = Clock::start();
    let both = View::overlap(&view, &view).await.unwrap();
    clock.say(&format!("overlap with itself, {} rows", both.rows), rows);
    let clock = Clock::start();
    let ids = (1..=100_000).map(|n| billing::ChargeId { import: ImportId(1), row: n * 9 }).collect();
    let matched = view.matching(&Filter::ids(ids)).await.unwrap();
    clock.say(&format!("{} charges by id", matched.len()), matched.len());
    let clock = Clock::start();
    let standing = billing::decision::Standing {
        state: billing::decision::ChargeState::Billable,
        billed_in: None,
        change: billing::decision::Reassignment::default(),
        flags: billing::Flags::NONE,
    };
    let standings: Vec<_> = matched.iter().map(|matched| (matched.id, standing.clone())).collect();
    let overlay = lake.write_overlay("1", &standings).unwrap();
    clock.say("write an overlay", standings.len());
    let view = lake.view(ViewSpec { overlay: Some(overlay), ..spec }).unwrap();
    let clock = Clock::start();
    view.totals(&by, &Filter::default()).await.unwrap();
    clock.say("totals by 3 columns over the overlay", rows);
    let clock = Clock::start();
    view.posting_groups(period, &lake::Apart::default()).await.unwrap();
    clock.say("posting groups over the overlay", rows);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a CSV file");
    let rows_per_block = arguments.next().map_or(16_384, |text| text.parse().expect("a number"));
    let text = std::fs::read_to_string(path).expect("a readable file");
    let rows = text.lines().count() - 1;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(folder.path()).expect("a lake");
    frames(&text);
    let files = write(&lake, 1, &text, rows_per_block);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(ask(&lake, files, rows));
}
