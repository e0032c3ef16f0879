//! Which charges a part has, as one number: to compare what is kept with what is read again.

use std::collections::BTreeMap;

use billing::intake::PartIdentity;
use billing::{ImportId, Period};
use datafusion::prelude::ident;
use futures::StreamExt;

use crate::decode::Batch;
use crate::filter::Filter;
use crate::{LakeError, View};

/// By import, period and billing account.
pub type Identities = BTreeMap<(ImportId, Period, Option<String>), PartIdentity>;

impl View {
    /// The identity of every part that the view's files hold. Memory holds one batch at a time.
    ///
    /// # Errors
    /// What could not be read.
    pub async fn identities(&self) -> Result<Identities, LakeError> {
        let mut columns: Vec<_> =
            ["import", "period", "file", "line", "fingerprint", "content_digest"].map(ident).to_vec();
        columns.push(self.columns.delivered("billing_account_id").alias("_account"));
        let mut identities = Identities::new();
        let mut batches = self.rows(&Filter::default())?.select(columns)?.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            add(&Batch(batch?), &mut identities)?;
        }
        Ok(identities)
    }
}

fn add(batch: &Batch, identities: &mut Identities) -> Result<(), LakeError> {
    let (imports, files, lines) =
        (batch.integers("import")?, batch.integers("file")?, batch.integers("line")?);
    let (fingerprints, digests) = (batch.hashes("fingerprint")?, batch.hashes("content_digest")?);
    let (periods, accounts) = (batch.text("period")?, batch.text("_account")?);
    // Rows of one part stand together: the part is looked up when it changes.
    let mut run: Option<(ImportId, Option<&str>, Option<&str>, PartIdentity)> = None;
    let mut keep = |run: Option<(ImportId, Option<&str>, Option<&str>, PartIdentity)>| {
        let Some((import, period, account, identity)) = run else { return };
        let period = period.and_then(|text| text.parse().ok()).unwrap_or(Period::from_code(0));
        identities.entry((import, period, account.map(str::to_owned))).or_default().merge(&identity);
    };
    for row in 0..batch.rows() {
        let (import, period, account) = (ImportId(imports.value(row)), periods.get(row), accounts.get(row));
        if run.as_ref().is_none_or(|known| (known.0, known.1, known.2) != (import, period, account)) {
            keep(run.replace((import, period, account, PartIdentity::default())));
        }
        if let Some((.., identity)) = &mut run {
            identity.add(files.value(row), lines.value(row), fingerprints.value(row), digests.value(row));
        }
    }
    keep(run);
    Ok(())
}
