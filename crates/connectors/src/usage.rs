//! A row of usage, and how it is written as FOCUS.

use std::io;

use billing::Period;
use money::Amount;

/// What was used, by whom, when; not what it costs.
#[derive(Clone, Debug)]
pub struct UsageRow<'a> {
    pub period: Period,
    /// On the office's clock, in seconds since 1970; the end is exclusive. Never outside the period, unless a
    /// run is charged in the month of its end.
    pub charged: (i64, i64),
    /// `BillingAccountId`: what a later delivery of the same month replaces.
    pub billing_account: &'a str,
    pub provider: &'a str,
    pub service_name: &'a str,
    pub service_category: &'a str,
    pub sub_account: &'a str,
    pub resource_id: &'a str,
    pub resource_name: &'a str,
    pub resource_type: &'a str,
    pub sku: &'a str,
    pub description: &'a str,
    pub quantity: Amount,
    pub unit: &'a str,
    /// A JSON object.
    pub tags: &'a str,
    pub kind: crate::Kind,
    /// The same for the same usage in every delivery of the month, and no other row's.
    pub record_id: &'a str,
    /// Why policy bills nothing for it; empty where it is billed.
    pub waived: &'a str,
    /// In the order of the connector's own columns.
    pub lineage: &'a [String],
}

impl UsageRow<'_> {
    pub const COLUMNS: [&'static str; 23] = [
        "BillingAccountId",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "ChargeCategory",
        "ChargeDescription",
        "ChargeFrequency",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "ConsumedQuantity",
        "ConsumedUnit",
        "InvoiceIssuerName",
        "ProviderName",
        "PublisherName",
        "ResourceId",
        "ResourceName",
        "ResourceType",
        "ServiceCategory",
        "ServiceName",
        "SkuId",
        "SubAccountId",
        "Tags",
        "x_Connector",
        "x_RecordId",
    ];
    /// Follows [`COLUMNS`](UsageRow::COLUMNS); the connector's own come after it.
    pub const WAIVED: &'static str = "x_Waived";
}

/// Writes rows as FOCUS CSV, the header first.
pub struct FocusCsv<W: io::Write> {
    to: W,
    columns: usize,
    /// Lines that are not written yet.
    lines: Vec<u8>,
    /// Period and its two ends as text: every row has the same.
    ends: Option<(Period, String, String)>,
}

const BUFFER: usize = 1 << 16;

impl<W: io::Write> FocusCsv<W> {
    /// `lineage` are the connector's own columns.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(to: W, lineage: &[&str]) -> io::Result<FocusCsv<W>> {
        let columns = UsageRow::COLUMNS.len() + 1 + lineage.len();
        let mut csv = FocusCsv { to, columns, lines: Vec::with_capacity(2 * BUFFER), ends: None };
        csv.line(UsageRow::COLUMNS.iter().chain(&[UsageRow::WAIVED]).chain(lineage).copied())?;
        Ok(csv)
    }

    /// # Errors
    /// When it cannot be written, or has other columns than the header.
    pub fn write(&mut self, row: &UsageRow<'_>) -> io::Result<()> {
        if self.columns != UsageRow::COLUMNS.len() + 1 + row.lineage.len() {
            return Err(io::Error::other("the row has other columns than the header"));
        }
        let (period_start, period_end) = match self.ends.take() {
            Some((period, start, end)) if period == row.period => (start, end),
            _ => {
                let end = |period: Period| instant(period.start_micros().div_euclid(1_000_000));
                (end(row.period)?, end(row.period.next())?)
            }
        };
        let (start, end) = (instant(row.charged.0)?, instant(row.charged.1)?);
        let quantity = row.quantity.to_string();
        let cells = [
            row.billing_account,
            &period_start,
            &period_end,
            "Usage",
            row.description,
            "Usage-Based",
            &start,
            &end,
            &quantity,
            row.unit,
            row.provider,
            row.provider,
            row.provider,
            row.resource_id,
            row.resource_name,
            row.resource_type,
            row.service_category,
            row.service_name,
            row.sku,
            row.sub_account,
            row.tags,
            row.kind.name(),
            row.record_id,
            row.waived,
        ];
        self.line(cells.into_iter().chain(row.lineage.iter().map(String::as_str)))?;
        self.ends = Some((row.period, period_start, period_end));
        Ok(())
    }

    fn line<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> io::Result<()> {
        for (at, cell) in cells.enumerate() {
            if 0 < at {
                self.lines.push(b',');
            }
            push_cell(&mut self.lines, cell.as_bytes());
        }
        self.lines.push(b'\n');
        if BUFFER < self.lines.len() {
            self.to.write_all(&self.lines)?;
            self.lines.clear();
        }
        Ok(())
    }

    /// Everything written, and where to.
    ///
    /// # Errors
    /// When the last rows cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&self.lines)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// In quotes where it holds what separates (RFC 4180).
fn push_cell(line: &mut Vec<u8>, cell: &[u8]) {
    let is_plain =
        memchr::memchr3(b',', b'"', b'\n', cell).is_none() && memchr::memchr(b'\r', cell).is_none();
    if is_plain {
        line.extend_from_slice(cell);
        return;
    }
    line.push(b'"');
    for byte in cell {
        if *byte == b'"' {
            line.push(b'"');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

/// `2025-01-31T23:00:00Z`.
pub(crate) fn instant(seconds: i64) -> io::Result<String> {
    jiff::Timestamp::from_second(seconds).map(|instant| instant.to_string()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cells_are_read_as_they_were_written(cells in prop::collection::vec("[a-z ,\"\r\n]{0,8}", 2..6)) {
            let mut csv = FocusCsv { to: Vec::new(), columns: 0, lines: Vec::new(), ends: None };
            csv.line(cells.iter().map(String::as_str)).unwrap();
            let written = csv.finish().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_slice());
            let records: Vec<Vec<String>> = reader.deserialize().map(Result::unwrap).collect();
            prop_assert_eq!(records, vec![cells]);
        }
    }
}
