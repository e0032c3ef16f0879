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
    csv: csv::Writer<W>,
    /// Period and its two ends as text: every row has the same.
    ends: Option<(Period, String, String)>,
}

impl<W: io::Write> FocusCsv<W> {
    /// `lineage` are the connector's own columns.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(to: W, lineage: &[&str]) -> io::Result<FocusCsv<W>> {
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(to);
        csv.write_record(UsageRow::COLUMNS.iter().chain(&[UsageRow::WAIVED]).chain(lineage))?;
        Ok(FocusCsv { csv, ends: None })
    }

    /// # Errors
    /// When it cannot be written, or has other columns than the header.
    pub fn write(&mut self, row: &UsageRow<'_>) -> io::Result<()> {
        if self.ends.as_ref().is_none_or(|(period, ..)| *period != row.period) {
            let end = |period: Period| instant(period.start_micros().div_euclid(1_000_000));
            self.ends = Some((row.period, end(row.period)?, end(row.period.next())?));
        }
        let Some((_, period_start, period_end)) = &self.ends else { return Ok(()) };
        let cells = [
            row.billing_account,
            period_start,
            period_end,
            "Usage",
            row.description,
            "Usage-Based",
            &instant(row.charged.0)?,
            &instant(row.charged.1)?,
            &row.quantity.to_string(),
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
        self.csv.write_record(cells.into_iter().chain(row.lineage.iter().map(String::as_str)))?;
        Ok(())
    }

    /// Everything written, and where to.
    ///
    /// # Errors
    /// When the last rows cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

/// `2025-01-31T23:00:00Z`.
pub(crate) fn instant(seconds: i64) -> io::Result<String> {
    jiff::Timestamp::from_second(seconds).map(|instant| instant.to_string()).map_err(io::Error::other)
}
