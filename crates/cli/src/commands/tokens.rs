use ledger::ApiTokenRecord;
use serde_json::json;
use workflow::accounts::{self, NewToken, Whose};

use super::Door;
use super::words::moment;
use crate::args::{TokenAddArgs, TokenCommand};
use crate::output::{Column, Refusal, Table};

pub async fn run(command: TokenCommand, door: &Door) -> Result<(), Refusal> {
    match command {
        TokenCommand::Add(args) => add(args, door).await,
        TokenCommand::List => {
            let tokens = accounts::token_list(&door.installation().await?).await?;
            let now = door.stamp().at;
            Ok(door.output.data(&tokens, |tokens| table(tokens, now))?)
        }
        TokenCommand::Revoke { id } => {
            let installation = door.installation().await?;
            let number = accounts::token_revoke(&installation, &door.stamp(), id, Whose::Anybodys).await?;
            if door.output.is_json() {
                door.output.data(&json!({ "number": number }), |_| String::new())?;
            }
            door.output.message(&format!("token {id} is good no more"));
            Ok(())
        }
    }
}

async fn add(args: TokenAddArgs, door: &Door) -> Result<(), Refusal> {
    let (installation, known, actor) = (door.installation().await?, door.accounts()?, door.stamp());
    let owner = args.owner.unwrap_or_else(|| actor.by.clone());
    // Whoever may run commands on the installation may do everything.
    let within = ledger::Role::Admin;
    let new = NewToken { name: args.name, owner, scope: args.scope, days: args.expires, within };
    let made = accounts::token_add(&installation, &known, &actor, &new).await?;
    door.output.data(&made, |made| format!("{}\n", made.secret))?;
    door.output.message(&format!(
        "token {} of `{}` may {} until {} UTC; it is shown this once",
        made.token.id,
        made.token.owner,
        made.token.scope.name(),
        moment(made.token.expires_at)
    ));
    Ok(())
}

fn table(tokens: &[ApiTokenRecord], now: jiff::Timestamp) -> String {
    if tokens.is_empty() {
        return "no tokens; `focus-billing tokens add NAME --owner USER --scope read` makes one\n".to_owned();
    }
    let names = ["name", "owner", "scope", "made (UTC)", "good until (UTC)", "state"];
    let columns = [Column::number("token")].into_iter().chain(names.map(Column::text));
    let mut table = Table::new(columns.collect());
    for ApiTokenRecord { token, created, revoked } in tokens {
        let state = match revoked {
            Some(stamp) => format!("revoked by {}", stamp.by),
            None if token.expires_at <= now => "expired".to_owned(),
            None => "good".to_owned(),
        };
        table.row([
            token.id.to_string(),
            token.name.clone(),
            token.owner.clone(),
            token.scope.name().to_owned(),
            moment(created.at),
            moment(token.expires_at),
            state,
        ]);
    }
    table.render()
}
