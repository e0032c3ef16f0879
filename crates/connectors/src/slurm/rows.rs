//! What a row says, in the words of a bill.

use money::Amount;

use super::charges::{Charging, Key, Sum};
use super::rating::Product;
use super::runs::Owner;
use super::settings::{ChargePeriod, Charges};
use super::template::Part;
use crate::{ConvertError, Kind, UsageRow};

/// The texts of a row, kept for the next one.
#[derive(Default)]
pub(super) struct Texts {
    sku: String,
    resource_id: String,
    resource_name: String,
    resource_type: &'static str,
    description: String,
    record_id: String,
    tags: String,
    unit: String,
    quantity: Amount,
    lineage: Vec<String>,
}

impl Texts {
    pub(super) fn of_sum(
        &mut self,
        charging: &Charging<'_, '_>,
        key: Key,
        sum: &Sum,
    ) -> Result<(), ConvertError> {
        let owner = &charging.reading.runs.owned()[key.owner as usize];
        let (cluster, account) = (owner.get(Part::Cluster), named(owner.get(Part::Account)));
        let (partition, user) = (named(owner.get(Part::Partition)), owner.get(Part::User));
        let by_user = charging.settings.charges == Charges::User;
        self.resource_id = format!("slurm:{cluster}:{account}:{partition}");
        self.resource_name = format!("{account} on {partition}");
        self.resource_type = "Slurm account";
        let who = if by_user && !user.is_empty() {
            self.resource_id.push(':');
            self.resource_id.push_str(user);
            self.resource_type = "Slurm user";
            format!("{user} for {account}")
        } else {
            account.to_owned()
        };
        let runs = if sum.runs == 1 { "1 run".to_owned() } else { format!("{} runs", sum.runs) };
        self.description = format!("{runs} of {who} on {partition}");
        self.lineage.clear();
        self.lineage.extend([
            cluster.to_owned(),
            owner.get(Part::Partition).to_owned(),
            sum.runs.to_string(),
            sum.seconds.to_string(),
        ]);
        self.of_both(charging, key, sum, owner)?;
        self.record_id = self.identity(charging, key, owner);
        Ok(())
    }

    pub(super) fn of_run(
        &mut self,
        charging: &Charging<'_, '_>,
        key: Key,
        sum: &Sum,
        at: u32,
    ) -> Result<(), ConvertError> {
        let runs = &charging.reading.runs;
        let run = runs.get(at);
        let owner = runs.owner_of(run);
        let (cluster, partition) = (owner.get(Part::Cluster), owner.get(Part::Partition));
        let job = runs.job_of(run);
        let label = runs.label_of(at).unwrap_or(&job);
        let state = &charging.settings.states.get(run.state).name;
        self.resource_id = format!("slurm:{cluster}:{job}");
        self.resource_name = format!("job {label}");
        self.resource_type = "Slurm job";
        self.description =
            format!("job {label} of {} on {}, {state}", named(owner.get(Part::Account)), named(partition));
        let instant = |at: u32| if at == 0 { Ok(String::new()) } else { crate::usage::instant(at.into()) };
        self.lineage.clear();
        self.lineage.extend([
            cluster.to_owned(),
            partition.to_owned(),
            sum.runs.to_string(),
            sum.seconds.to_string(),
            label.to_owned(),
            state.clone(),
            instant(run.begins()).map_err(ConvertError::Sink)?,
            if run.has_ended { instant(run.end).map_err(ConvertError::Sink)? } else { String::new() },
        ]);
        self.of_both(charging, key, sum, owner)?;
        self.record_id = format!("{}@{}", self.identity(charging, key, owner), run.begins());
        Ok(())
    }

    fn of_both(
        &mut self,
        charging: &Charging<'_, '_>,
        key: Key,
        sum: &Sum,
        owner: &Owner,
    ) -> Result<(), ConvertError> {
        let product = charging.products.get(key.product);
        let of = |part| owner.get(part).to_owned();
        let rules = charging.settings.rules_of(owner.get(Part::Partition));
        self.sku = rules.sku.fill(of, &product.resource).unwrap_or_default();
        let waived = charging.policy.why(key.reason);
        if !waived.is_empty() {
            self.description.push_str(": ");
            self.description.push_str(waived);
        } else if let Some(why) = &product.held {
            self.description.push_str(": ");
            self.description.push_str(why);
        }
        let mut tags = serde_json::Map::new();
        let user = owner.get(Part::User);
        if charging.settings.charges != Charges::Account && !user.is_empty() {
            tags.insert("usage_user".to_owned(), user.into());
        }
        for (name, template) in &charging.settings.tags {
            if let Some(value) = template.fill(of, &product.resource) {
                tags.insert(name.clone(), value.into());
            }
        }
        self.tags = serde_json::Value::Object(tags).to_string();
        (self.quantity, self.unit) = quantity(sum.ticks, product).ok_or_else(|| ConvertError::TooLarge {
            what: self.description.clone(),
            quantity: format!("{} × {}", sum.ticks / product.ticks, product.amount),
            unit: product.unit.clone(),
        })?;
        Ok(())
    }

    /// What no other row of the month has.
    fn identity(&self, charging: &Charging<'_, '_>, key: Key, owner: &Owner) -> String {
        let product = charging.products.get(key.product);
        let mut identity = format!("{}|{}|{}", self.resource_id, product.resource, product.unit);
        identity.extend(product.held.iter().flat_map(|why| ["|", why]));
        for part in &charging.settings.parts {
            let is_in_resource = matches!(part, Part::Cluster | Part::Account | Part::Partition);
            if !is_in_resource {
                identity.push('|');
                identity.push_str(owner.get(*part));
            }
        }
        let waived = charging.policy.why(key.reason);
        if !waived.is_empty() {
            identity.push('|');
            identity.push_str(waived);
        }
        if charging.settings.charge_period == ChargePeriod::Day {
            identity.push('|');
            identity.push_str(&(key.cut + 1).to_string());
        }
        identity
    }

    pub(super) fn row<'t>(
        &'t self,
        charging: &'t Charging<'_, '_>,
        key: Key,
        charged: (i64, i64),
    ) -> UsageRow<'t> {
        let settings = charging.settings;
        let owner = &charging.reading.runs.owned()[key.owner as usize];
        let cluster = owner.get(Part::Cluster);
        UsageRow {
            period: charging.period,
            charged,
            billing_account: cluster,
            provider: settings.provider.as_deref().unwrap_or(cluster),
            service_name: &settings.service_name,
            service_category: &settings.service_category,
            sub_account: owner.get(Part::Account),
            resource_id: &self.resource_id,
            resource_name: &self.resource_name,
            resource_type: self.resource_type,
            sku: &self.sku,
            description: &self.description,
            quantity: self.quantity,
            unit: &self.unit,
            tags: &self.tags,
            kind: Kind::Slurm,
            record_id: &self.record_id,
            waived: charging.policy.why(key.reason),
            lineage: &self.lineage,
        }
    }
}

fn named(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

/// Ticks as a quantity. A charge is below 10¹²; what is larger is counted in thousands or millions of its unit.
fn quantity(ticks: u128, product: &Product) -> Option<(Amount, String)> {
    [1_u32, 1000, 1_000_000].into_iter().find_map(|count| {
        let quantity = product.amount.scaled(ticks, product.ticks * u128::from(count))?;
        let unit = if count == 1 { product.unit.clone() } else { format!("{count} {}", product.unit) };
        (quantity < Amount::LIMIT).then_some((quantity, unit))
    })
}
