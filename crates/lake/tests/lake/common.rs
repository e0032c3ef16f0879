//! Charges by hand, and a lake to put them in.

use std::collections::BTreeSet;

use billing::charge::{AmountColumn, TextColumn, TimeColumn};
use billing::settings::Basis;
use billing::{ChargeColumns, ChargeId, ImportId, Period, SourceName};
use lake::{ChargeFile, Lake, LiveFile, View, ViewSpec};
use money::Amount;

/// One charge; what is not said is absent.
#[derive(Clone, Debug, Default)]
pub struct Charge {
    pub period: Option<Period>,
    pub costs: [Option<Amount>; 4],
    pub times: [Option<i64>; 4],
    pub text: Vec<(&'static str, String)>,
    pub numbers: Vec<(&'static str, Amount)>,
    pub fingerprint: u64,
    pub content_digest: u64,
    pub overlap_key: u64,
}

pub fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

pub fn period(text: &str) -> Period {
    text.parse().unwrap()
}

pub fn id(text: &str) -> ChargeId {
    text.parse().unwrap()
}

pub fn charge(billed: &str) -> Charge {
    let mut charge = Charge { period: Some(period("2025-01")), ..Charge::default() };
    charge.costs[2] = Some(amount(billed));
    charge
}

impl Charge {
    pub fn with(mut self, name: &'static str, value: &str) -> Charge {
        self.text.push((name, value.to_owned()));
        self
    }

    pub fn of(self, pi: &str, project: &str) -> Charge {
        self.with("pi_email", pi).with("project_id", project)
    }

    pub fn number(mut self, name: &'static str, value: &str) -> Charge {
        self.numbers.push((name, amount(value)));
        self
    }

    pub fn list(mut self, cost: &str) -> Charge {
        self.costs[0] = Some(amount(cost));
        self
    }

    pub fn effective(mut self, cost: &str) -> Charge {
        self.costs[3] = Some(amount(cost));
        self
    }

    pub fn in_period(mut self, text: &str) -> Charge {
        self.period = Some(period(text));
        self
    }

    pub fn during(mut self, start: i64, end: i64) -> Charge {
        self.times[2] = Some(start);
        self.times[3] = Some(end);
        self
    }

    pub fn hashed(mut self, fingerprint: u64, content_digest: u64, overlap_key: u64) -> Charge {
        (self.fingerprint, self.content_digest, self.overlap_key) =
            (fingerprint, content_digest, overlap_key);
        self
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.text.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn amount(&self, name: &str) -> Option<Amount> {
        self.numbers.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

/// A block of charges, numbered from `first_row`. Odd text columns are plain, even ones coded.
pub fn block(charges: &[Charge], first_row: i64) -> ChargeColumns {
    let names: BTreeSet<&str> = charges.iter().flat_map(|c| c.text.iter().map(|(name, _)| *name)).collect();
    let numbers: BTreeSet<&str> =
        charges.iter().flat_map(|c| c.numbers.iter().map(|(name, _)| *name)).collect();
    let rows = i64::try_from(charges.len()).unwrap();
    let units = |value: Option<Amount>| value.map_or(AmountColumn::NULL, Amount::units);
    ChargeColumns {
        rows: charges.len(),
        row: (first_row..first_row + rows).collect(),
        file: 0,
        line: (first_row + 1..first_row + 1 + rows).collect(),
        byte_offset: (first_row..first_row + rows).map(|row| row * 100).collect(),
        byte_len: vec![100; charges.len()],
        period: charges.iter().map(|c| c.period.unwrap()).collect(),
        costs: std::array::from_fn(|at| AmountColumn(charges.iter().map(|c| units(c.costs[at])).collect())),
        times: std::array::from_fn(|at| {
            TimeColumn(charges.iter().map(|c| c.times[at].unwrap_or(TimeColumn::NULL)).collect())
        }),
        text: names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let values: Vec<Option<&str>> = charges.iter().map(|c| c.value(name)).collect();
                ((*name).to_owned(), if at % 2 == 0 { coded(&values) } else { plain(&values) })
            })
            .collect(),
        numbers: numbers
            .iter()
            .map(|name| {
                let values = charges.iter().map(|c| units(c.amount(name))).collect();
                ((*name).to_owned(), AmountColumn(values))
            })
            .collect(),
        fingerprint: charges.iter().map(|c| c.fingerprint).collect(),
        content_digest: charges.iter().map(|c| c.content_digest).collect(),
        overlap_key: charges.iter().map(|c| c.overlap_key).collect(),
    }
}

fn coded(values: &[Option<&str>]) -> TextColumn {
    let mut distinct: Vec<Box<str>> = Vec::new();
    let key = |value: &Option<&str>| {
        let Some(value) = value else { return TextColumn::NULL_KEY };
        let at = distinct.iter().position(|known| known.as_ref() == *value).unwrap_or_else(|| {
            distinct.push((*value).into());
            distinct.len() - 1
        });
        u32::try_from(at).unwrap()
    };
    let keys = values.iter().map(key).collect();
    TextColumn::Coded { keys, values: distinct }
}

fn plain(values: &[Option<&str>]) -> TextColumn {
    let mut bytes = Vec::new();
    let end = |value: &Option<&str>| {
        bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
        u32::try_from(bytes.len()).unwrap()
    };
    let ends = values.iter().map(end).collect();
    TextColumn::Plain { ends, bytes }
}

pub struct Home {
    pub lake: Lake,
    /// Removed with everything in it when the test ends.
    _folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(&folder.path().join("lake")).unwrap();
        Home { lake, _folder: folder }
    }

    /// Write an import of blocks.
    pub fn import(&self, number: i64, source: &str, blocks: &[Vec<Charge>]) -> Vec<LiveFile> {
        let files = self.write(number, source, blocks);
        files.into_iter().map(|file| live(&file, number, source)).collect()
    }

    pub fn write(&self, number: i64, source: &str, blocks: &[Vec<Charge>]) -> Vec<ChargeFile> {
        let mut writer = self.lake.charge_writer(ImportId(number), &SourceName(source.to_owned()));
        let encoder = writer.encoder();
        let mut first_row = 1;
        for charges in blocks {
            writer.append(encoder.encode(&block(charges, first_row)).unwrap()).unwrap();
            first_row += i64::try_from(charges.len()).unwrap();
        }
        writer.finish().unwrap()
    }

    pub fn view(&self, files: Vec<LiveFile>) -> View {
        self.lake.view(ViewSpec { files, ..ViewSpec::default() }).unwrap()
    }
}

pub fn live(file: &ChargeFile, import: i64, source: &str) -> LiveFile {
    LiveFile {
        path: file.path.clone(),
        import: ImportId(import),
        source: source.to_owned(),
        period: file.period,
        accounts: None,
        basis: Basis::Billed,
    }
}

/// Every file below the folder, relative, sorted.
pub fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}
