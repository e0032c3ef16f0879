//! Slurm: what its accounting says of jobs, as usage of partitions.
//!
//! Files become runs (`slurm/reading.rs`, `text.rs`, `json.rs`), each run counts once (`runs.rs`), and runs
//! become rows of a month (`charges.rs`) by the office's clock (`clock.rs`, `split.rs`), its policy (`state.rs`)
//! and what partitions are charged by (`rating.rs`). What an office can say is in `settings.rs`.

mod charges;
mod clock;
mod json;
mod policy;
mod rating;
mod reading;
mod rows;
mod runs;
mod settings;
mod split;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod trace;
mod tres;

use std::collections::BTreeMap;
use std::io;

use billing::Period;
use serde_json::{Map, Value};

use crate::options::listed;
use crate::{
    BadOption, Connector, ConvertError, Counted, Kind, Open, Outcome, RawFile, ReconciledLine,
    Reconciliation, RecordsBehind, UsageRow,
};
use charges::Charging;
use reading::{Notes, Reading};
use settings::{Charges, Settings};

pub(crate) struct Slurm {
    settings: Settings,
}

impl Slurm {
    pub(crate) fn configured(options: &Map<String, Value>) -> Result<Slurm, Vec<BadOption>> {
        Ok(Slurm { settings: Settings::read(options)? })
    }

    fn read(&self, files: Vec<RawFile<'_>>) -> Result<Reading<'_>, ConvertError> {
        let mut reading = Reading::new(&self.settings);
        reading.read_all(files);
        if !reading.problems.is_empty() {
            return Err(ConvertError::Problems(reading.problems));
        }
        reading.runs.settle(&self.settings);
        Ok(reading)
    }
}

impl Connector for Slurm {
    fn kind(&self) -> Kind {
        Kind::Slurm
    }

    fn lineage_columns(&self) -> &'static [&'static str] {
        const ALL: [&str; 8] = [
            "x_Cluster",
            "x_Partition",
            "x_Jobs",
            "x_ElapsedSeconds",
            "x_JobId",
            "x_State",
            "x_Start",
            "x_End",
        ];
        if self.settings.charges == Charges::Job { &ALL } else { &ALL[..4] }
    }

    fn convert(
        &self,
        files: Vec<RawFile<'_>>,
        period: Period,
        sink: &mut dyn FnMut(&UsageRow<'_>) -> io::Result<()>,
    ) -> Result<Reconciliation, ConvertError> {
        let reading = self.read(files)?;
        let mut charging = Charging::new(&reading, period);
        let rows = charging.each_row(&mut |row, _| sink(row))?;
        let mut counted = charging.outcomes();
        for (outcome, more) in &reading.counted {
            *counted.entry(outcome.clone()).or_default() += *more;
        }
        Ok(reconciled(&reading, counted, &charging, rows))
    }

    fn records_behind(
        &self,
        open: &Open<'_>,
        period: Period,
        row: u64,
    ) -> Result<RecordsBehind, ConvertError> {
        let reading = self.read(open().map_err(ConvertError::Open)?)?;
        let mut charging = Charging::new(&reading, period);
        let (mut at, mut origin) = (0, None);
        let rows = charging.each_row(&mut |_, of| {
            at += 1;
            if at == row {
                origin = Some(of);
            }
            Ok(())
        })?;
        let origin = origin.ok_or(ConvertError::NoRow { row, rows, period })?;
        let places = charging.runs_behind(origin).into_iter().map(|run| (run.file, run.line)).collect();
        trace::records(open, places)
    }
}

fn reconciled(
    reading: &Reading<'_>,
    mut counted: BTreeMap<Outcome, Counted>,
    charging: &Charging<'_, '_>,
    rows: u64,
) -> Reconciliation {
    let mut read = Counted::default();
    for counted in reading.counted.values() {
        read += *counted;
    }
    for run in reading.runs.iter() {
        let of_run = Counted {
            records: 1,
            elapsed_seconds: run.elapsed.into(),
            core_seconds: u128::from(run.elapsed) * u128::from(reading.runs.shape_of(run).cpus),
        };
        read += of_run;
        if run.is_repeated {
            *counted.entry(Outcome::Repeated).or_default() += of_run;
        }
    }
    let lines = counted.into_iter().map(|(what, counted)| ReconciledLine { what, counted }).collect();
    let mut notes = notes(&reading.notes, charging.period);
    if !charging.products.uncharged.is_empty() {
        let names: Vec<&str> = charging.products.uncharged.iter().map(String::as_str).collect();
        notes.push(format!(
            "runs had {}, which `tres:` does not list, so nothing is charged for it",
            listed(&names)
        ));
    }
    Reconciliation { period: charging.period.to_string(), read, lines, rows, notes }
}

fn notes(notes: &Notes, period: Period) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |count: u64, what: String| {
        if 0 < count {
            told.push(what);
        }
    };
    tell(
        notes.without_times,
        format!(
            "{} records have no times (the six-field form): all of them are charged in {period}, and nothing \
             could be split between months",
            notes.without_times
        ),
    );
    tell(
        notes.without_cluster,
        "the files do not name their cluster, so it is called `cluster`; add the field `Cluster`, or say \
         `cluster:` below `slurm:` of the source"
            .to_owned(),
    );
    tell(
        notes.memory_rounded,
        "memory was rounded by sacct to units that are no whole MiB; run it with `--noconvert`".to_owned(),
    );
    told
}
