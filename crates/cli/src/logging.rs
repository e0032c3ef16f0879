//! The log of a running server, as `logging` of the configuration says: on standard error, and in a file
//! beside it. One line an event, so that no text of a request can begin a line of its own.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::config::{LogFormat, LogLevel, Logging};
use crate::output::{Hint as _, Refusal};

/// From now on events are written.
///
/// # Errors
/// A file that cannot be written to.
pub fn begin(logging: &Logging, clock: fn() -> jiff::Timestamp) -> Result<(), Refusal> {
    if !logging.enabled {
        return Ok(());
    }
    let file = match &logging.file {
        None => None,
        Some(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = File::options().create(true).append(true).open(path);
            let file = file.hint(format!("logging.file: `{}` cannot be written to", path.display()))?;
            Some(Arc::new(Mutex::new(file)))
        }
    };
    let level = match logging.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let lines = Lines { format: logging.format, file, clock }.with_filter(level);
    // Fails only when a log was begun before, which then goes on.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(lines));
    Ok(())
}

struct Lines {
    format: LogFormat,
    file: Option<Arc<Mutex<File>>>,
    clock: fn() -> jiff::Timestamp,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        // What libraries say of themselves is for those who work on them.
        let metadata = event.metadata();
        let is_ours = ["web", "workflow", "cli"].iter().any(|ours| metadata.target().starts_with(ours));
        if !is_ours && Level::WARN < *metadata.level() {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = line(self.format, (self.clock)(), metadata.level().as_str(), metadata.target(), &fields);
        eprint!("{line}");
        if let Some(file) = &self.file
            && let Ok(mut file) = file.lock()
        {
            let _ = std::io::Write::write_all(&mut *file, line.as_bytes());
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }
}

impl Fields {
    fn keep(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name, value)),
        }
    }
}

fn line(format: LogFormat, at: jiff::Timestamp, level: &str, target: &str, fields: &Fields) -> String {
    let head = [("level", level), ("target", target), ("message", fields.message.as_str())];
    let all = head.into_iter().chain(fields.others.iter().map(|(name, value)| (*name, value.as_str())));
    match format {
        LogFormat::Json => {
            let time = ("time", at.to_string().into());
            let map = std::iter::once(time).chain(all.map(|(name, value)| (name, value.into())));
            let map: serde_json::Map<String, serde_json::Value> =
                map.map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value)).collect();
            format!("{}\n", serde_json::Value::Object(map))
        }
        LogFormat::Splunk => {
            let mut line = format!("time={at}");
            for (name, value) in all {
                let _ = write!(line, " {name}={}", quoted(value));
            }
            line.push('\n');
            line
        }
    }
}

/// As Splunk reads it: quoted where it holds more than one word, on one line always.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '=' && c != '\\';
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let at = "2025-02-03T04:05:06Z".parse().unwrap();
        let fields = Fields {
            message: "sign-in refused".to_owned(),
            others: vec![
                ("user", "eve\nlevel=INFO message=\"signed in\"".to_owned()),
                ("status", "422".to_owned()),
            ],
        };
        assert_eq!(
            line(LogFormat::Splunk, at, "WARN", "web::sign_in", &fields),
            "time=2025-02-03T04:05:06Z level=WARN target=web::sign_in message=\"sign-in refused\" \
             user=\"eve\\nlevel=INFO message=\\\"signed in\\\"\" status=422\n"
        );
        assert_eq!(
            line(LogFormat::Json, at, "WARN", "web", &fields),
            "{\"time\":\"2025-02-03T04:05:06Z\",\"level\":\"WARN\",\"target\":\"web\",\
             \"message\":\"sign-in refused\",\"user\":\"eve\\nlevel=INFO message=\\\"signed in\\\"\",\
             \"status\":\"422\"}\n"
        );
    }
}
