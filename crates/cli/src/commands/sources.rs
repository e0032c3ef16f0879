use billing::SourceName;
use workflow::sources::{self, SourceSummary};

use super::Door;
use super::words::{moment, or_dash};
use crate::args::SourceCommand;
use crate::output::{Column, Refusal, Table};

pub async fn run(command: SourceCommand, door: &Door) -> Result<(), Refusal> {
    let installation = door.installation().await?;
    match command {
        SourceCommand::List => {
            let sources = sources::list(&installation).await?;
            Ok(door.output.data(&sources, |sources| list(sources))?)
        }
        SourceCommand::Add { name } => {
            let name = SourceName(name);
            sources::add(&installation, &door.stamp(), &name, None).await?;
            door.output.message(&format!("source `{name}` is known now"));
            door.output
                .hint("for journals, give it a `fund_org` under imports.known_sources in the configuration");
            Ok(())
        }
    }
}

fn list(sources: &[SourceSummary]) -> String {
    let mut table = Table::new(vec![
        Column::text("source"),
        Column::text("file name has"),
        Column::text("credited fund_org"),
        Column::number("last import"),
        Column::number("charges"),
        Column::text("when (UTC)"),
    ]);
    for source in sources {
        let last = source.last_import.as_ref();
        table.row([
            source.name.to_string(),
            or_dash(source.pattern.as_deref()),
            or_dash(source.fund_org.as_deref()),
            last.map_or_else(|| "–".to_owned(), |last| last.import.to_string()),
            last.map_or_else(String::new, |last| last.charges.to_string()),
            last.map_or_else(String::new, |last| moment(last.at)),
        ]);
    }
    table.render()
}
