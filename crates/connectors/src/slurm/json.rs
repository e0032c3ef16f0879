//! `sacct --json` and slurmrestd's `/slurmdb/…/jobs`, of every version from 22.05: read job by job, and tolerant
//! of what versions spell differently.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::clock;
use super::reading::{Reading, Record, Times, Wrong, count_below_max, elapsed_below_max};
use super::text::unknown_state;
use super::tres::Shape;
use crate::error::shorten;
use crate::raw::Content;

/// What is read of a job. Everything else, such as command lines and scripts, is nobody's business.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Job {
    account: Value,
    association: Value,
    cluster: Value,
    user: Value,
    partition: Value,
    qos: Value,
    wckey: Value,
    reservation: Value,
    #[serde(rename = "job_id")]
    id: Value,
    db_index: Value,
    sluid: Value,
    state: Value,
    time: Value,
    tres: Tres,
    allocation_nodes: Value,
    array: Value,
    het: Value,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Tres {
    allocated: Value,
}

pub(super) fn read(content: Content<'_>, reading: &mut Reading<'_>) {
    let mut wrongs: Vec<Wrong> = Vec::new();
    let read = each_job(content, |number, job| {
        if let Err(wrong) = add(number, &job, reading) {
            reading.refuse(Some(number), wrong);
        }
    });
    match read {
        Ok(answer) => {
            if let Some(said) = answer.said {
                wrongs.push(("", String::new(), format!("is no list of jobs but a refusal: {said}")));
            } else if !answer.has_jobs {
                let message =
                    "has no `jobs`; it is no answer of `sacct --json` or /slurmdb/…/jobs".to_owned();
                wrongs.push(("", String::new(), message));
            }
        }
        Err(error) => wrongs.push(("", String::new(), format!("is no whole JSON: {error}; fetch it again"))),
    }
    for wrong in wrongs {
        reading.refuse(None, wrong);
    }
}

/// Each job with its number, from 1.
pub(super) fn each_job(
    content: Content<'_>,
    each: impl FnMut(u64, Job),
) -> Result<Answer, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(content.into_reader());
    let answer = AnswerOf { each }.deserialize(&mut json)?;
    json.end()?;
    Ok(answer)
}

#[derive(Default)]
pub(super) struct Answer {
    has_jobs: bool,
    /// What went wrong at the other side.
    said: Option<String>,
}

struct AnswerOf<F> {
    each: F,
}

impl<'de, F: FnMut(u64, Job)> DeserializeSeed<'de> for AnswerOf<F> {
    type Value = Answer;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Answer, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, F: FnMut(u64, Job)> Visitor<'de> for AnswerOf<F> {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `jobs`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Answer, A::Error> {
        let mut answer = Answer::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "jobs" if answer.has_jobs => return Err(A::Error::custom("it has `jobs` twice")),
                "jobs" => {
                    answer.has_jobs = true;
                    map.next_value_seed(JobsOf { each: &mut self.each })?;
                }
                "errors" => {
                    let errors: Value = map.next_value()?;
                    if errors.as_array().is_some_and(|errors| !errors.is_empty()) {
                        answer.said = Some(shorten(errors.to_string().as_bytes()));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(answer)
    }
}

struct JobsOf<'f, F> {
    each: &'f mut F,
}

impl<'de, F: FnMut(u64, Job)> DeserializeSeed<'de> for JobsOf<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(u64, Job)> Visitor<'de> for JobsOf<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of jobs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut jobs: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(job) = jobs.next_element()? {
            number += 1;
            (self.each)(number, job);
        }
        Ok(())
    }
}

fn add(number: u64, job: &Job, reading: &mut Reading<'_>) -> Result<(), Wrong> {
    let id = text(&job.id);
    if id.is_empty() {
        return Err(("job_id", String::new(), "says no job".to_owned()));
    }
    if !job.time.is_object() {
        let message = "says no times; ask slurmrestd for /slurmdb/…/jobs, not /slurm/…/jobs".to_owned();
        return Err(("time", String::new(), message));
    }
    let seconds = |name: &'static str, field: &str| {
        let value = &job.time[field];
        match unsigned(value) {
            None => Ok(0),
            known => elapsed_below_max(known).ok_or_else(|| {
                (name, shorten(value.to_string().as_bytes()), "is no time that a run takes".to_owned())
            }),
        }
    };
    let time = |field: &str| {
        unsigned(&job.time[field]).and_then(|seconds| i64::try_from(seconds).ok()).and_then(clock::known)
    };
    let (elapsed, suspended) = (seconds("time.elapsed", "elapsed")?, seconds("time.suspended", "suspended")?);
    let (cluster, account) = (of(job, &job.cluster, "cluster"), of(job, &job.account, "account"));
    let (user, partition) = (of(job, &job.user, "user"), of(job, &job.partition, "partition"));
    let (qos, wckey) = (text(&job.qos), named(&job.wckey, "wckey"));
    let reservation = named(&job.reservation, "name");
    let record = Record {
        cluster: cluster.as_bytes(),
        job: &id,
        label: &label(job),
        db_index: job.db_index.as_u64(),
        sluid: &text(&job.sluid),
        account: account.as_bytes(),
        user: user.as_bytes(),
        partition: partition.as_bytes(),
        qos: qos.as_bytes(),
        wckey: wckey.as_bytes(),
        reservation: reservation.as_bytes(),
        state: state(&job.state, reading)?,
        times: Times::Said { start: time("start"), end: time("end"), suspended },
        elapsed,
        shape: if elapsed == 0 { 0 } else { shape(job, reading)? },
    };
    reading.add(number, &record)
}

/// A field, or where versions have it too.
fn of(job: &Job, own: &Value, name: &str) -> String {
    let own = text(own);
    if own.is_empty() { text(&job.association[name]) } else { own }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        value => unsigned(value).map_or_else(String::new, |number| number.to_string()),
    }
}

/// A text, or an object that has it; versions that have none say 0.
fn named(value: &Value, name: &str) -> String {
    let named = if value.is_object() { &value[name] } else { value };
    named.as_str().unwrap_or_default().trim_start_matches('*').to_owned()
}

/// `5_4` of an array, `14+1` of a heterogeneous job.
fn label(job: &Job) -> String {
    let of = |group: &Value, part: &str| {
        let id = unsigned(&group["job_id"]).filter(|id| 0 < *id)?;
        Some((id, unsigned(&group[part])?))
    };
    if let Some((id, task)) = of(&job.array, "task_id") {
        format!("{id}_{task}")
    } else if let Some((id, offset)) = of(&job.het, "job_offset") {
        format!("{id}+{offset}")
    } else {
        String::new()
    }
}

/// A number as it is, as a text, or as `{set, infinite, number}`; what is not set is none.
fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => clock::number(digits.as_bytes()),
        Value::Object(object) => {
            let says = |name: &str| object.get(name).and_then(Value::as_bool);
            let is_number = says("set") != Some(false) && says("infinite") != Some(true);
            object.get("number").filter(|number| is_number && !number.is_object()).and_then(unsigned)
        }
        _ => None,
    }
}

/// `"COMPLETED"`, `["COMPLETED"]`, or a state with flags beside it: what is resized or requeued is also pending.
fn state(value: &Value, reading: &Reading<'_>) -> Result<u8, Wrong> {
    let current = if value.is_object() { &value["current"] } else { value };
    let names: Vec<&str> = match current {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let states = &reading.settings.states;
    let found = || names.iter().filter_map(|name| states.find(name.as_bytes()));
    let best = found().find(|state| !states.get(*state).is_pending).or_else(|| found().next());
    best.ok_or_else(|| unknown_state(names.join(" ").as_bytes()))
}

fn shape(job: &Job, reading: &mut Reading<'_>) -> Result<u32, Wrong> {
    let mut shape = Shape::default();
    for entry in job.tres.allocated.as_array().into_iter().flatten() {
        let (kind, name) = (text(&entry["type"]).to_ascii_lowercase(), text(&entry["name"]));
        let name = if name.is_empty() { kind } else { format!("{kind}/{}", name.to_ascii_lowercase()) };
        // Measured ones are negative or nothing where they are not known.
        let Some(count) = unsigned(&entry["count"]) else { continue };
        let is_measured = matches!(name.as_str(), "energy" | "pages" | "vmem") || name.starts_with("fs/");
        let count = if is_measured || name == "mem" { Some(count) } else { count_below_max(Some(count)) };
        let Some(count) = count else {
            let entry = shorten(entry.to_string().as_bytes());
            return Err(("tres.allocated", entry, "is no number of them".to_owned()));
        };
        shape.give(&name, count);
    }
    shape.settle();
    let nodes = count_below_max(unsigned(&job.allocation_nodes));
    Ok(reading.shape(shape, None, nodes))
}
