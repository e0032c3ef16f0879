//! Single charges: lists, one in full, and what decisions need to know.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use billing::attribution::Attribution;
use billing::decision::ChargeState;
use billing::statement::LineKind;
use billing::{ChargeId, ContentDigest, Fingerprint, Flags, ImportId, Period};
use datafusion::prelude::{DataFrame, Expr, ident};
use money::Amount;

use crate::decode::{Batch, Text};
use crate::filter::Filter;
use crate::overlay::state_of;
use crate::totals::texts;
use crate::{LakeError, View};

/// A charge with its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRow {
    pub id: ChargeId,
    /// Which file of the delivery, from 0, and where in it: line from 1, bytes of the (decompressed) file.
    pub file: i64,
    pub line: i64,
    pub byte_offset: i64,
    pub byte_len: i64,
    pub source: String,
    pub period: Period,
    pub billed_in: Period,
    pub attribution: Attribution,
    pub service_name: Option<String>,
    pub resource_id: Option<String>,
    pub resource_name: Option<String>,
    /// As delivered; `None` where the file had no value.
    pub list_cost: Option<Amount>,
    pub billed_cost: Amount,
    /// On the source's billing basis.
    pub cost: Amount,
    pub kind: LineKind,
    pub state: ChargeState,
    /// Flags that stand.
    pub flags: Flags,
    pub delivered_flags: Flags,
    pub fingerprint: Fingerprint,
    pub content_digest: ContentDigest,
    /// Every column of the file that has a value, as delivered: name and text.
    pub delivered: Vec<(String, String)>,
}

/// What a decision about a charge needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub id: ChargeId,
    pub source: String,
    pub period: Period,
    pub billed_in: Period,
    pub fingerprint: Fingerprint,
    pub content_digest: ContentDigest,
    pub state: ChargeState,
    /// Flags that stand.
    pub flags: Flags,
    pub delivered_flags: Flags,
    pub cost: Amount,
}

/// An order of charges. Ties are in order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: String,
    pub descending: bool,
}

/// So many charges are looked up by id after the list is made; reading all columns to sort would cost more.
const LOOKED_UP: usize = 1000;

/// Columns of the files that a list needs.
const LISTED: [&str; 12] = [
    "row",
    "file",
    "line",
    "byte_offset",
    "byte_len",
    "list_cost",
    "billed_cost",
    "fingerprint",
    "content_digest",
    "charge_period_start",
    "account_code",
    "flag_detail",
];

const TEXT: [&str; 5] = ["service_name", "resource_id", "resource_name", "state", "kind"];
const MATCHED: [&str; 6] = ["source", "period", "billed_in", "state", "flags", "delivered_flags"];

impl View {
    /// Charges in an order (by id, if none is given), `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// [`LakeError::UnknownColumn`] for a sort by a column that is not there.
    pub async fn charges(
        &self,
        filter: &Filter,
        sort: &[Sort],
        limit: Option<usize>,
        offset: usize,
    ) -> Result<Vec<ChargeRow>, LakeError> {
        let order = self.order(sort)?;
        match limit {
            Some(limit) if limit <= LOOKED_UP => {
                let ids = self.ids(filter, order, limit, offset).await?;
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                let rows = self.rows(&Filter::ids(ids.clone()))?;
                let mut found = self.decode_charges(rows).await?;
                let place = |id: ChargeId| ids.iter().position(|&known| known == id);
                found.sort_by_cached_key(|charge| place(charge.id));
                Ok(found)
            }
            _ => {
                let rows = self.rows(filter)?.sort(order)?.limit(offset, limit)?;
                self.decode_charges(rows).await
            }
        }
    }

    /// One charge; `None` if no live file has it.
    pub async fn charge(&self, id: ChargeId) -> Result<Option<ChargeRow>, LakeError> {
        let rows = self.rows(&Filter::ids(vec![id]))?;
        Ok(self.decode_charges(rows).await?.pop())
    }

    /// What decisions need of the charges that are meant, by id.
    pub async fn matching(&self, filter: &Filter) -> Result<Vec<Matched>, LakeError> {
        let mut matched = Vec::new();
        for batch in self.rows(filter)?.select(self.matched())?.collect().await? {
            matched.extend(decode_matched(&Batch(batch))?);
        }
        matched.sort_unstable_by_key(|matched| matched.id);
        Ok(matched)
    }

    /// As [`matching`](View::matching), each with its attribution as delivered.
    pub async fn matching_as_delivered(
        &self,
        filter: &Filter,
    ) -> Result<Vec<(Matched, Attribution)>, LakeError> {
        let delivered = Attribution::FIELDS
            .into_iter()
            .map(|name| self.columns.delivered(name).alias(format!("_delivered_{name}")));
        let exprs: Vec<Expr> = self.matched().into_iter().chain(delivered).collect();
        let mut matched = Vec::new();
        for batch in self.rows(filter)?.select(exprs)?.collect().await? {
            let batch = Batch(batch);
            let delivered = Attributions::of(&batch, "_delivered_")?;
            let known = decode_matched(&batch)?.into_iter().enumerate();
            matched.extend(known.map(|(row, known)| (known, delivered.get(row))));
        }
        matched.sort_unstable_by_key(|(matched, _)| matched.id);
        Ok(matched)
    }

    fn matched(&self) -> Vec<Expr> {
        let mut exprs = vec![ident("import"), ident("row"), ident("fingerprint"), ident("content_digest")];
        exprs.extend(MATCHED.map(|name| self.columns.get(name).alias(format!("_{name}"))));
        exprs.push(self.columns.cost().alias("_cost"));
        exprs
    }

    fn order(&self, sort: &[Sort]) -> Result<Vec<datafusion::logical_expr::SortExpr>, LakeError> {
        let mut order = Vec::new();
        for Sort { column, descending } in sort {
            let expr = self.columns.named(column)?;
            // None comes last either way.
            order.push(expr.sort(!descending, false));
        }
        order.push(ident("import").sort(true, false));
        order.push(ident("row").sort(true, false));
        Ok(order)
    }

    async fn ids(
        &self,
        filter: &Filter,
        order: Vec<datafusion::logical_expr::SortExpr>,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<ChargeId>, LakeError> {
        let rows = self.rows(filter)?.sort(order)?.limit(offset, Some(limit))?;
        let mut ids = Vec::new();
        for batch in rows.select(vec![ident("import"), ident("row")])?.collect().await? {
            let batch = Batch(batch);
            let (imports, rows) = (batch.integers("import")?, batch.integers("row")?);
            ids.extend((0..batch.rows()).map(|at| id(imports.value(at), rows.value(at))));
        }
        Ok(ids)
    }

    /// These charges, in this order, without the columns of the file that no list shows.
    pub(crate) async fn listed(&self, ids: &[ChargeId]) -> Result<Vec<ChargeRow>, LakeError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.columns.file_names().filter(|name| LISTED.contains(name)).map(str::to_owned);
        let rows = self.rows(&Filter::ids(ids.to_vec()))?;
        let mut found = self.decode_columns(rows, names.collect()).await?;
        let places: HashMap<ChargeId, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        found.sort_by_key(|charge| places.get(&charge.id));
        Ok(found)
    }

    async fn decode_charges(&self, rows: DataFrame) -> Result<Vec<ChargeRow>, LakeError> {
        let names = self.columns.file_names().map(str::to_owned).collect();
        self.decode_columns(rows, names).await
    }

    async fn decode_columns(&self, rows: DataFrame, names: Vec<String>) -> Result<Vec<ChargeRow>, LakeError> {
        let mut exprs = vec![ident("import")];
        exprs.extend(names.iter().map(ident));
        exprs.extend(
            MATCHED
                .iter()
                .chain(&TEXT)
                .filter(|name| **name != "state")
                .map(|name| self.columns.get(name).alias(format!("_{name}"))),
        );
        exprs.push(self.columns.get("state").alias("_state"));
        exprs.push(self.columns.cost().alias("_cost"));
        let standing = |name: &str| self.columns.get(name).alias(format!("_{name}"));
        exprs.extend(Attribution::FIELDS.into_iter().map(standing));
        let mut charges = Vec::new();
        for batch in rows.select(exprs)?.collect().await? {
            decode_charge(&Batch(batch), &names, &mut charges)?;
        }
        Ok(charges)
    }
}

pub(crate) fn id(import: i64, row: i64) -> ChargeId {
    ChargeId { import: ImportId(import), row }
}

/// The view writes periods; what is not one cannot come back.
pub(crate) fn period(text: Option<&str>) -> Period {
    text.and_then(|text| text.parse().ok()).unwrap_or(Period::from_code(0))
}

pub(crate) fn kind_of(name: Option<&str>) -> LineKind {
    match name {
        Some("usage") => LineKind::Usage,
        Some("credit") => LineKind::Credit,
        Some("tax") => LineKind::Tax,
        _ => LineKind::Adjustment,
    }
}

pub(crate) fn flags(text: Option<&str>) -> Flags {
    text.map_or(Flags::NONE, Flags::from_text)
}

/// The columns of an attribution, by the prefix of their names.
struct Attributions<'a>(Vec<Text<'a>>);

impl<'a> Attributions<'a> {
    fn of(batch: &'a Batch, prefix: &str) -> Result<Attributions<'a>, LakeError> {
        let columns = Attribution::FIELDS.iter().map(|name| batch.text(&format!("{prefix}{name}")));
        Ok(Attributions(columns.collect::<Result<_, _>>()?))
    }

    fn get(&self, row: usize) -> Attribution {
        let mut values = self.0.iter().map(|column| column.owned(row));
        let mut next = || values.next().flatten();
        Attribution::from_values(std::array::from_fn(|_| next()))
    }
}

fn decode_matched(batch: &Batch) -> Result<Vec<Matched>, LakeError> {
    let (imports, rows) = (batch.integers("import")?, batch.integers("row")?);
    let (fingerprints, digests) = (batch.hashes("fingerprint")?, batch.hashes("content_digest")?);
    let [source, own, billed_in, state, standing, delivered] =
        MATCHED.map(|name| batch.text(&format!("_{name}")));
    let (source, own, billed_in, state) = (source?, own?, billed_in?, state?);
    let (standing, delivered_flags) = (standing?, delivered?);
    let costs = batch.amounts("_cost")?;
    let matched = |row| Matched {
        id: id(imports.value(row), rows.value(row)),
        source: source.owned(row).unwrap_or_default(),
        period: period(own.get(row)),
        billed_in: period(billed_in.get(row)),
        fingerprint: Fingerprint(fingerprints.value(row)),
        content_digest: ContentDigest(digests.value(row)),
        state: state_of(state.get(row).unwrap_or_default()),
        flags: flags(standing.get(row)),
        delivered_flags: flags(delivered_flags.get(row)),
        cost: costs.or_zero(row),
    };
    Ok((0..batch.rows()).map(matched).collect())
}

fn decode_charge(batch: &Batch, names: &[String], charges: &mut Vec<ChargeRow>) -> Result<(), LakeError> {
    let matched = decode_matched(batch)?;
    let attribution = Attributions::of(batch, "_")?;
    let [file, line, byte_offset, byte_len] =
        ["file", "line", "byte_offset", "byte_len"].map(|name| batch.integers(name));
    let (file, line, byte_offset, byte_len) = (file?, line?, byte_offset?, byte_len?);
    let [service, resource, resource_name, _, kind] = TEXT.map(|name| batch.text(&format!("_{name}")));
    let (service, resource, resource_name, kind) = (service?, resource?, resource_name?, kind?);
    let (list, billed) = (batch.amounts("list_cost")?, batch.amounts("billed_cost")?);
    let place = |name: &str| ["row", "file", "line", "byte_offset", "byte_len"].contains(&name);
    let columns = names
        .iter()
        .filter(|name| !place(name))
        .filter_map(|name| batch.0.column_by_name(name).map(|column: &ArrayRef| Ok((name, texts(column)?))))
        .collect::<Result<Vec<_>, LakeError>>()?;
    for (row, known) in matched.into_iter().enumerate() {
        let delivered =
            columns.iter().filter_map(|(name, values)| Some(((*name).clone(), values[row].clone()?)));
        charges.push(ChargeRow {
            id: known.id,
            file: file.value(row),
            line: line.value(row),
            byte_offset: byte_offset.value(row),
            byte_len: byte_len.value(row),
            source: known.source,
            period: known.period,
            billed_in: known.billed_in,
            attribution: attribution.get(row),
            service_name: service.owned(row),
            resource_id: resource.owned(row),
            resource_name: resource_name.owned(row),
            list_cost: list.get(row),
            billed_cost: billed.or_zero(row),
            cost: known.cost,
            kind: kind_of(kind.get(row)),
            state: known.state,
            flags: known.flags,
            delivered_flags: known.delivered_flags,
            fingerprint: known.fingerprint,
            content_digest: known.content_digest,
            delivered: delivered.collect(),
        });
    }
    Ok(())
}
