//! Statements: numbered, versioned, immutable. The model is kept whole; lines are kept as rows, too, for
//! `why` and for journals.

use std::collections::BTreeMap;

use billing::credit::CreditId;
use billing::period::Stamp;
use billing::statement::{PostedLeg, PostedLine, PostingGroup, Statement, Totals};
use billing::subsidy::{Leg, PaidBy, Seen, SubsidyId, Used};
use billing::{LedgerNumber, Period, StatementNumber};
use money::CurrencyCode;
use serde::Serialize;

use crate::books::{Table, Value, canonical_json, sha256_hex};
use crate::error::LedgerError;
use crate::query::{Cells, Query, Reader};
use crate::tx::Tx;

pub(crate) const STATEMENT_NUMBER: Table = Table {
    name: "statement_number",
    columns: &["statement_number", "period", "ordinal", "pi_email", "project_id"],
};

pub(crate) const STATEMENT: Table = Table {
    name: "statement",
    columns: &[
        "statement_number",
        "version",
        "period",
        "pi_email",
        "project_id",
        "currency",
        "list_minor",
        "discount_minor",
        "subsidy_minor",
        "due_minor",
        "computed_at",
        "configuration_digest",
        "rule_version",
        "model",
        "model_digest",
        "at",
        "by_user",
    ],
};

pub(crate) const STATEMENT_LINE: Table = Table {
    name: "statement_line",
    columns: &[
        "statement_number",
        "version",
        "line",
        "fund_org",
        "source_name",
        "service_name",
        "account_code",
        "kind",
        "charge_count",
        "list_cost",
        "cost",
        "list_minor",
        "discount_minor",
        "subsidy_minor",
        "due_minor",
    ],
};

pub(crate) const STATEMENT_LEG: Table = Table {
    name: "statement_leg",
    columns: &[
        "statement_number",
        "version",
        "line",
        "leg",
        "rule_id",
        "name",
        "payer",
        "account_code",
        "seen",
        "paid",
        "amount_minor",
        "kind",
        "usage_user",
    ],
};

pub(crate) const STATEMENT_DOCUMENT: Table = Table {
    name: "statement_document",
    columns: &["statement_number", "version", "kind", "sha256", "path", "size_bytes"],
};

/// A statement to record, and what it was computed from.
#[derive(Clone, Copy, Debug)]
pub struct NewStatement<'a> {
    pub statement: &'a Statement,
    /// The books it was computed as of.
    pub computed_at: LedgerNumber,
    pub configuration_digest: &'a str,
    pub rule_version: u32,
}

/// One version of a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StatementVersion {
    pub number: StatementNumber,
    pub version: u32,
}

/// A recorded statement without its model ([`Reader::load_statement`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementRow {
    #[serde(flatten)]
    pub id: StatementVersion,
    pub ledger_number: LedgerNumber,
    pub period: Period,
    pub pi_email: String,
    pub project_id: String,
    pub currency: CurrencyCode,
    pub totals: Totals,
    pub computed_at: LedgerNumber,
    pub configuration_digest: String,
    pub rule_version: u32,
    /// SHA-256 of the model as canonical JSON.
    pub model_digest: String,
    pub issued: Stamp,
}

/// A posted line of a recorded statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    pub id: StatementVersion,
    /// From 1.
    pub line: u32,
    pub posted: PostedLine,
}

/// A rendered document, kept by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementDocument {
    #[serde(flatten)]
    pub id: StatementVersion,
    /// `pdf` or `csv`.
    pub kind: String,
    pub sha256: String,
    /// Relative to the home, with `/`.
    pub path: String,
    pub size_bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub struct StatementFilter {
    pub period: Option<Period>,
    pub pi_email: Option<String>,
    pub project_id: Option<String>,
    pub number: Option<StatementNumber>,
    /// Only the latest version of each.
    pub current: bool,
}

const STATEMENTS: &str = "SELECT statement.number, statement.statement_number, statement.version,
    statement.period, statement.pi_email, statement.project_id, statement.currency, statement.list_minor,
    statement.discount_minor, statement.subsidy_minor, statement.due_minor, statement.computed_at,
    statement.configuration_digest, statement.rule_version, statement.model_digest, statement.at,
    statement.by_user
    FROM statement WHERE statement.number <= $1";

const CURRENT: &str = "AND NOT EXISTS (SELECT 1 FROM statement later
    WHERE later.statement_number = statement.statement_number AND later.version > statement.version
      AND later.number <= $1)";

fn read_id(row: &Cells) -> Result<StatementVersion, LedgerError> {
    Ok(StatementVersion {
        number: StatementNumber(row.text("statement_number")?),
        version: row.small("version")?,
    })
}

fn read_totals(row: &Cells) -> Result<Totals, LedgerError> {
    Ok(Totals {
        list: row.minor("list_minor")?,
        discount: row.minor("discount_minor")?,
        subsidy: row.minor("subsidy_minor")?,
        due: row.minor("due_minor")?,
    })
}

fn read_statement(row: &Cells) -> Result<StatementRow, LedgerError> {
    let currency = row.str("currency")?;
    Ok(StatementRow {
        id: read_id(row)?,
        ledger_number: row.number()?,
        period: row.period("period")?,
        pi_email: row.text("pi_email")?,
        project_id: row.text("project_id")?,
        currency: currency.parse().map_err(|_| LedgerError::unreadable("statement.currency", currency))?,
        totals: read_totals(row)?,
        computed_at: LedgerNumber(row.int("computed_at")?),
        configuration_digest: row.text("configuration_digest")?,
        rule_version: row.small("rule_version")?,
        model_digest: row.text("model_digest")?,
        issued: row.stamp()?,
    })
}

fn read_line(row: &Cells) -> Result<StatementLine, LedgerError> {
    let kind = row.str("kind")?;
    let totals = read_totals(row)?;
    let group = PostingGroup {
        fund_org: row.opt_text("fund_org")?,
        source: row.text("source_name")?,
        service_name: row.opt_text("service_name")?,
        account_code: row.opt_text("account_code")?,
        kind: serde_json::from_value(kind.into()).map_err(|_| LedgerError::unreadable("kind", kind))?,
        charges: row.count("charge_count")?,
        list_cost: row.amount("list_cost")?,
        cost: row.amount("cost")?,
    };
    let Totals { list, discount, subsidy, due } = totals;
    let posted = PostedLine { group, list, discount, subsidy, due, legs: Vec::new() };
    Ok(StatementLine { id: read_id(row)?, line: row.small("line")?, posted })
}

impl Reader {
    /// A version, or with `None` the latest.
    pub async fn find_statement(
        &mut self,
        number: &StatementNumber,
        version: Option<u32>,
    ) -> Result<Option<StatementRow>, LedgerError> {
        let query = Query::new(STATEMENTS).until(None).and("statement.statement_number =", number);
        let query = query.and_some("statement.version =", version).then("ORDER BY statement.version DESC");
        self.row(query, read_statement).await
    }

    /// The model as canonical JSON text, for digests and for versions whose shape is older.
    pub async fn load_statement_model(&mut self, id: &StatementVersion) -> Result<String, LedgerError> {
        let query = Query::new("SELECT model FROM statement WHERE statement_number = $1 AND version = $2");
        let query = query.bind(&id.number).bind(id.version);
        let model = self.row(query, |row| row.text("model")).await?;
        model
            .ok_or_else(|| LedgerError::missing("statement", format!("{} version {}", id.number, id.version)))
    }

    /// The model. Fails when it was written in a shape this program does not read.
    pub async fn load_statement(&mut self, id: &StatementVersion) -> Result<Statement, LedgerError> {
        let model = self.load_statement_model(id).await?;
        serde_json::from_str(&model).map_err(|_| LedgerError::unreadable("statement.model", &id.number))
    }

    /// By number and version.
    pub async fn list_statements(
        &mut self,
        filter: &StatementFilter,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<StatementRow>, LedgerError> {
        let query = Query::new(STATEMENTS)
            .until(as_of)
            .and_some("statement.period =", filter.period)
            .and_some("statement.pi_email =", filter.pi_email.as_deref())
            .and_some("statement.project_id =", filter.project_id.as_deref())
            .and_some("statement.statement_number =", filter.number.as_ref());
        let query = if filter.current { query.then(CURRENT) } else { query };
        self.rows(query.then("ORDER BY statement.statement_number, statement.version"), read_statement).await
    }

    /// The latest version of every statement of a period.
    pub async fn current_statements(
        &mut self,
        period: Period,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<StatementRow>, LedgerError> {
        let filter = StatementFilter { period: Some(period), current: true, ..StatementFilter::default() };
        self.list_statements(&filter, as_of).await
    }

    /// The posted lines of the latest versions of a period's statements: what journals sum.
    pub async fn current_statement_lines(
        &mut self,
        period: Period,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<(StatementRow, Vec<StatementLine>)>, LedgerError> {
        let statements = self.current_statements(period, as_of).await?;
        let query = Query::new(LINES_OF_PERIOD).until(as_of).bind(period);
        let mut lines = self.rows(query, read_line).await?;
        let legs = Query::new(LEGS_OF_PERIOD).until(as_of).bind(period);
        give_legs(&mut lines, self.rows(legs, read_leg).await?);
        let mut lines = lines.into_iter().peekable();
        let mut found = Vec::with_capacity(statements.len());
        for statement in statements {
            let mut own = Vec::new();
            while let Some(line) = lines.next_if(|line| line.id <= statement.id) {
                if line.id == statement.id {
                    own.push(line);
                }
            }
            found.push((statement, own));
        }
        Ok(found)
    }

    /// The funds of the lines of statements, in order; by the filter's period and number.
    pub async fn list_statement_funds(
        &mut self,
        filter: &StatementFilter,
    ) -> Result<BTreeMap<StatementVersion, Vec<String>>, LedgerError> {
        let query = Query::new(
            "SELECT DISTINCT line.statement_number, line.version, line.fund_org FROM statement_line line \
             JOIN statement ON statement.statement_number = line.statement_number \
             AND statement.version = line.version WHERE line.fund_org IS NOT NULL",
        );
        let query = query
            .and_some("statement.period =", filter.period)
            .and_some("statement.statement_number =", filter.number.as_ref());
        let mut funds: BTreeMap<StatementVersion, Vec<String>> = BTreeMap::new();
        self.each(query.then("ORDER BY line.fund_org"), |row| {
            funds.entry(read_id(row)?).or_default().push(row.text("fund_org")?);
            Ok(())
        })
        .await?;
        Ok(funds)
    }

    pub async fn list_statement_lines(
        &mut self,
        id: &StatementVersion,
    ) -> Result<Vec<StatementLine>, LedgerError> {
        let query = Query::new("SELECT * FROM statement_line WHERE statement_number = $1 AND version = $2");
        let mut lines =
            self.rows(query.bind(&id.number).bind(id.version).then("ORDER BY line"), read_line).await?;
        let query = Query::new("SELECT * FROM statement_leg WHERE statement_number = $1 AND version = $2");
        let query = query.bind(&id.number).bind(id.version).then("ORDER BY line, leg");
        give_legs(&mut lines, self.rows(query, read_leg).await?);
        Ok(lines)
    }

    /// What subsidies or credits saw and paid on the current statements of periods from `first` to `last`, but
    /// not of `except`.
    pub async fn used(
        &mut self,
        kind: LegKind,
        (first, last): (Period, Period),
        except: Option<Period>,
        as_of: Option<LedgerNumber>,
    ) -> Result<Vec<Used>, LedgerError> {
        let query = Query::new(LEGS).until(as_of).and("leg.kind =", kind.name());
        let query = query.and("statement.period >=", first).and("statement.period <=", last);
        let query = query.and_some("statement.period <>", except).then(CURRENT);
        let query = query.then("ORDER BY statement.period, statement.statement_number, leg.line, leg.leg");
        self.rows(query, |row| {
            Ok(Used {
                period: row.period("period")?,
                pi_email: row.text("pi_email")?,
                project_id: row.text("project_id")?,
                user: row.opt_text("usage_user")?,
                by: read_paid_by(row)?,
                seen: Seen { cost: row.amount("seen")?, paid: row.amount("paid")? },
            })
        })
        .await
    }

    /// Documents of every version of the statements of a period; the last of a kind counts.
    pub async fn list_statement_documents(
        &mut self,
        filter: &StatementFilter,
    ) -> Result<Vec<StatementDocument>, LedgerError> {
        let query = Query::new(
            "SELECT document.statement_number, document.version, document.kind, document.sha256, \
             document.path, document.size_bytes FROM statement_document document \
             JOIN statement ON statement.statement_number = document.statement_number \
             AND statement.version = document.version WHERE statement.number <= $1",
        );
        let query = query
            .until(None)
            .and_some("statement.period =", filter.period)
            .and_some("statement.pi_email =", filter.pi_email.as_deref())
            .and_some("statement.project_id =", filter.project_id.as_deref())
            .and_some("statement.statement_number =", filter.number.as_ref());
        let query = if filter.current { query.then(CURRENT) } else { query };
        let query = query.then("ORDER BY document.number, document.seq");
        self.rows(query, |row| {
            Ok(StatementDocument {
                id: read_id(row)?,
                kind: row.text("kind")?,
                sha256: row.text("sha256")?,
                path: row.text("path")?,
                size_bytes: row.count("size_bytes")?,
            })
        })
        .await
    }
}

const LINES_OF_PERIOD: &str = "SELECT line.* FROM statement_line line
    JOIN statement ON statement.statement_number = line.statement_number AND statement.version = line.version
    WHERE line.number <= $1 AND statement.period = $2
    ORDER BY line.statement_number, line.version, line.line";

const LEGS_OF_PERIOD: &str = "SELECT leg.* FROM statement_leg leg
    JOIN statement ON statement.statement_number = leg.statement_number AND statement.version = leg.version
    WHERE leg.number <= $1 AND statement.period = $2
    ORDER BY leg.statement_number, leg.version, leg.line, leg.leg";

const LEGS: &str = "SELECT statement.period, statement.pi_email, statement.project_id, leg.kind,
    leg.rule_id, leg.usage_user, leg.seen, leg.paid FROM statement_leg leg
    JOIN statement ON statement.statement_number = leg.statement_number AND statement.version = leg.version
    WHERE statement.number <= $1";

/// By which kind of rule legs are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegKind {
    Subsidy,
    Credit,
}

impl LegKind {
    const fn name(self) -> &'static str {
        match self {
            LegKind::Subsidy => "subsidy",
            LegKind::Credit => "credit",
        }
    }
}

fn read_paid_by(row: &Cells) -> Result<PaidBy, LedgerError> {
    let rule = row.int("rule_id")?;
    match row.str("kind")? {
        "subsidy" => Ok(PaidBy::Subsidy(SubsidyId(rule))),
        "credit" => Ok(PaidBy::Credit(CreditId(rule))),
        other => Err(LedgerError::unreadable("statement_leg.kind", other)),
    }
}

/// Of which version and line, and the leg.
fn read_leg(row: &Cells) -> Result<(StatementVersion, u32, PostedLeg), LedgerError> {
    let leg = Leg {
        by: read_paid_by(row)?,
        name: row.text("name")?,
        payer: row.text("payer")?,
        account_code: row.opt_text("account_code")?,
        user: row.opt_text("usage_user")?,
        seen: row.amount("seen")?,
        paid: row.amount("paid")?,
    };
    Ok((read_id(row)?, row.small("line")?, PostedLeg { leg, amount: row.minor("amount_minor")? }))
}

/// Both are in order.
fn give_legs(lines: &mut [StatementLine], legs: Vec<(StatementVersion, u32, PostedLeg)>) {
    for (id, line, leg) in legs {
        if let Ok(at) = lines.binary_search_by(|known| (&known.id, known.line).cmp(&(&id, line))) {
            lines[at].posted.legs.push(leg);
        }
    }
}

impl Tx {
    /// The number of a PI's project in a period: `S-2025-01-0001`. Asked again it is the same; a new one
    /// is the period's next.
    pub async fn allot_statement_number(
        &mut self,
        period: Period,
        pi_email: &str,
        project_id: &str,
    ) -> Result<StatementNumber, LedgerError> {
        let query = Query::new(
            "SELECT statement_number FROM statement_number \
             WHERE period = $1 AND pi_email = $2 AND project_id = $3",
        );
        let query = query.bind(period).bind(pi_email).bind(project_id);
        if let Some(number) = self.row(query, |row| row.text("statement_number")).await? {
            return Ok(StatementNumber(number));
        }
        let query =
            Query::new("SELECT COALESCE(MAX(ordinal), 0) AS last FROM statement_number WHERE period = $1");
        let ordinal = self.row(query.bind(period), |row| row.int("last")).await?.unwrap_or(0) + 1;
        let number = format!("S-{period}-{ordinal:04}");
        let row =
            vec![number.as_str().into(), period.into(), ordinal.into(), pi_email.into(), project_id.into()];
        self.insert_one(&STATEMENT_NUMBER, row).await?;
        Ok(StatementNumber(number))
    }

    /// Record the next version of a statement. Returns the digest of its model.
    ///
    /// # Errors
    /// [`LedgerError::WrongVersion`] when the version is not one more than the last.
    pub async fn record_statement(
        &mut self,
        new: &NewStatement<'_>,
        issued: &Stamp,
    ) -> Result<String, LedgerError> {
        let statement = new.statement;
        let latest = self.find_statement(&statement.number, None).await?.map_or(0, |row| row.id.version);
        if statement.version != latest + 1 {
            let (number, given) = (statement.number.0.clone(), statement.version);
            return Err(LedgerError::WrongVersion { number, latest, given });
        }
        let model = serde_json::to_value(statement)
            .map_err(|error| LedgerError::unreadable("statement.model", error))?;
        let model = canonical_json(&model);
        let digest = sha256_hex(model.as_bytes());
        self.insert_one(&STATEMENT, statement_row(new, model, &digest, issued)).await?;
        let lines: Vec<Vec<Value>> =
            (1_u32..).zip(&statement.lines).map(|(line, posted)| line_row(statement, line, posted)).collect();
        self.insert(&STATEMENT_LINE, lines).await?;
        let legs: Vec<Vec<Value>> = (1_u32..)
            .zip(&statement.lines)
            .flat_map(|(line, posted)| (1_u32..).zip(&posted.legs).map(move |(at, leg)| (line, at, leg)))
            .map(|(line, at, leg)| leg_row(statement, line, at, leg))
            .collect();
        self.insert(&STATEMENT_LEG, legs).await?;
        Ok(digest)
    }

    /// Attach what was rendered from a recorded statement.
    pub async fn record_statement_documents(
        &mut self,
        documents: &[StatementDocument],
    ) -> Result<(), LedgerError> {
        let rows: Vec<Vec<Value>> = documents
            .iter()
            .map(|document| {
                vec![
                    (&document.id.number).into(),
                    document.id.version.into(),
                    (&document.kind).into(),
                    (&document.sha256).into(),
                    (&document.path).into(),
                    document.size_bytes.into(),
                ]
            })
            .collect();
        self.insert(&STATEMENT_DOCUMENT, rows).await?;
        Ok(())
    }
}

fn statement_row(new: &NewStatement<'_>, model: String, digest: &str, issued: &Stamp) -> Vec<Value> {
    let statement = new.statement;
    vec![
        (&statement.number).into(),
        statement.version.into(),
        statement.period.into(),
        (&statement.pi_email).into(),
        (&statement.project_id).into(),
        statement.currency.code.as_str().into(),
        statement.totals.list.into(),
        statement.totals.discount.into(),
        statement.totals.subsidy.into(),
        statement.totals.due.into(),
        new.computed_at.into(),
        new.configuration_digest.into(),
        new.rule_version.into(),
        model.into(),
        digest.into(),
        issued.at.into(),
        issued.by.as_str().into(),
    ]
}

fn line_row(statement: &Statement, line: u32, posted: &PostedLine) -> Vec<Value> {
    let group = &posted.group;
    vec![
        (&statement.number).into(),
        statement.version.into(),
        line.into(),
        (&group.fund_org).into(),
        (&group.source).into(),
        (&group.service_name).into(),
        (&group.account_code).into(),
        kind_name(group).into(),
        group.charges.into(),
        group.list_cost.into(),
        group.cost.into(),
        posted.list.into(),
        posted.discount.into(),
        posted.subsidy.into(),
        posted.due.into(),
    ]
}

fn leg_row(statement: &Statement, line: u32, at: u32, PostedLeg { leg, amount }: &PostedLeg) -> Vec<Value> {
    let (kind, rule) = match leg.by {
        PaidBy::Subsidy(id) => (LegKind::Subsidy, id.0),
        PaidBy::Credit(id) => (LegKind::Credit, id.0),
    };
    vec![
        (&statement.number).into(),
        statement.version.into(),
        line.into(),
        at.into(),
        rule.into(),
        (&leg.name).into(),
        (&leg.payer).into(),
        (&leg.account_code).into(),
        leg.seen.into(),
        leg.paid.into(),
        (*amount).into(),
        kind.name().into(),
        (&leg.user).into(),
    ]
}

fn kind_name(group: &PostingGroup) -> &'static str {
    use billing::statement::LineKind;
    match group.kind {
        LineKind::Usage => "usage",
        LineKind::Credit => "credit",
        LineKind::Tax => "tax",
        LineKind::Adjustment => "adjustment",
    }
}
