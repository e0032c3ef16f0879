//! What things cost: `tiers.json` of Slurm and of Azure Local, `rates.json` of `PowerScale` and Qumulo,
//! `pricing.json` of `OpenAI`.

use std::collections::BTreeMap;

use billing::rate::{Rate, RateId};
use billing::subsidy::Percent;
use billing::unit::{Prorate, Unit};
use jiff::civil::Date;
use money::Amount;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Read, Wanted, parsed, said};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlurmTiers {
    service_name: Option<String>,
    #[serde(alias = "tiers")]
    partitions: BTreeMap<String, Partition>,
    rates: SuRate,
    billable_states: Option<Vec<String>>,
    exclude_accounts: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    su_multiplier: Number,
    subsidy_percent: Option<Number>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuRate {
    su_rate: Number,
}

/// `tiers.json` of Slurm: a price a core-hour by partition, which is the SKU.
pub(super) fn partitions(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let SlurmTiers { service_name, partitions, rates, billable_states, exclude_accounts } = parsed(file)?;
    let mut read = Read::default();
    read.notes.push(
        "a partition is the SKU of a charge, its unit a core-hour: suMultiplier × suRate is the list price"
            .to_owned(),
    );
    for (name, partition) in partitions {
        let list = amount(&partition.su_multiplier)?.times(amount(&rates.su_rate)?);
        let list = list.ok_or_else(|| format!("`{name}`: its price is too large"))?;
        let price = less_subsidy(&name, list, partition.subsidy_percent, &mut read)?;
        let rate = Rate {
            sku: Some(name.clone()),
            list_price: (price != list).then_some(list),
            note: said(partition.description),
            ..plain(&name, "core-hour", price, wanted)?
        };
        read.rates.push(rate);
    }
    if let Some(service) = said(service_name) {
        read.notes
            .push(format!("serviceName `{service}` is not looked at: any service of the source is priced"));
    }
    if let Some(states) = billable_states {
        let states = states.join(", ");
        read.notes
            .push(format!("billableStates {states} are a policy of who delivers, and are not read here"));
    }
    if let Some(accounts) = exclude_accounts {
        let accounts = accounts.join(", ");
        read.notes.push(format!(
            "excludeAccounts {accounts} were left out; what is delivered of them is priced and held for review"
        ));
    }
    Ok(read)
}

#[derive(Deserialize)]
struct Machines {
    #[serde(alias = "vmTiers")]
    tiers: BTreeMap<String, Machine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    annual_cost: Number,
    description: Option<String>,
}

/// `tiers.json` of Azure Local: a price a machine and month by tier, which is the SKU.
pub(super) fn machines(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let Machines { tiers } = parsed(file)?;
    let mut read = Read::default();
    read.notes.push("a tier is the SKU of a charge, its unit a VM-month: a twelfth of annualCost, by the days that a machine was there".to_owned());
    for (name, tier) in tiers {
        let price = amount(&tier.annual_cost)?.scaled(1, 12).unwrap_or_default();
        let rate = Rate {
            sku: Some(name.clone()),
            prorate: Some(Prorate::Day),
            note: said(tier.description),
            ..plain(&name, "VM-month", price, wanted)?
        };
        read.rates.push(rate);
    }
    Ok(read)
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "serviceName")]
    service_name: Option<String>,
    #[serde(rename = "ratePerTBMonth")]
    a_tb: Option<Number>,
    #[serde(rename = "monthlyRatePerGB")]
    a_gb: Option<Number>,
    #[serde(rename = "freeGBPerProject", alias = "defaultFreeGB")]
    free_gb: Option<Number>,
}

/// `rates.json` of `PowerScale` (by terabyte) and of Qumulo (by gigabyte); both meant binary ones.
pub(super) fn storage(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let file: Storage = parsed(file)?;
    let (price, unit, per_gb) = match (file.a_tb, file.a_gb) {
        (Some(price), None) => (price, "TiB-month", 1024),
        (None, Some(price)) => (price, "GiB-month", 1),
        _ => return Err("it has ratePerTBMonth or monthlyRatePerGB".to_owned()),
    };
    let mut read = Read::default();
    read.notes.push(format!("a GB was 1024³ bytes: the unit is {unit}, by the days that it was used"));
    let free = match file.free_gb {
        Some(free) => amount(&free)?.scaled(1, per_gb).filter(|free| !free.is_zero()),
        None => None,
    };
    if free.is_some() {
        read.notes.push("what is free counts once for a project and month, over all its folders; it counted for each folder".to_owned());
    }
    let service = said(file.service_name);
    let code = service.clone().unwrap_or_else(|| "storage".to_owned());
    let rate =
        Rate { service, free, prorate: Some(Prorate::Day), ..plain(&code, unit, amount(&price)?, wanted)? };
    read.rates.push(rate);
    Ok(read)
}

#[derive(Deserialize)]
struct Pricing {
    currency: Option<String>,
    credit_pools: Vec<Pool>,
}

#[derive(Deserialize)]
struct Pool {
    #[serde(rename = "pool_id")]
    id: String,
    effective_date: Option<Date>,
    #[serde(alias = "expiry_date", alias = "expires")]
    expiry: Option<Date>,
    credits_purchased: Number,
    purchase_amount: Number,
}

/// `pricing.json` of `OpenAI`: what a credit cost, pool after pool.
pub(super) fn pools(file: Value, wanted: &Wanted) -> Result<Read, String> {
    let Pricing { currency, mut credit_pools } = parsed(file)?;
    credit_pools.sort_by_key(|pool| pool.effective_date);
    let mut read = Read::default();
    if let Some(currency) = said(currency) {
        read.notes.push(format!("prices are in the ledger's currency; the file says {currency}"));
    }
    if 1 < credit_pools.len() {
        read.notes.push(
            "each pool's price holds from its day until the next one's; only the first pool's was used"
                .to_owned(),
        );
    }
    let begins: Vec<Option<Date>> = credit_pools.iter().skip(1).map(|pool| pool.effective_date).collect();
    for (at, pool) in credit_pools.into_iter().enumerate() {
        let (bought, paid) = (amount(&pool.credits_purchased)?, amount(&pool.purchase_amount)?);
        let bought = u128::try_from(bought.units()).ok().filter(|bought| 0 < *bought);
        let price = bought.and_then(|bought| paid.scaled(10_u128.pow(Amount::SCALE), bought));
        let price = price.ok_or_else(|| format!("`{}`: no credits were bought", pool.id))?;
        let next = begins.get(at).copied().flatten().and_then(|next| next.yesterday().ok());
        let rate = Rate {
            to: pool.expiry.into_iter().chain(next).min(),
            note: Some(format!("pool {}", pool.id)),
            ..plain("openai-credit", "credit", price, wanted)?
        };
        read.rates.push(Rate { from: pool.effective_date.unwrap_or(rate.from), ..rate });
    }
    Ok(read)
}

/// A rate for any charge of the source from the first day of `--from`.
fn plain(code: &str, unit: &str, price: Amount, wanted: &Wanted) -> Result<Rate, String> {
    let from = wanted.from.ok_or("prices need a first billing period: `--from 2025-07`")?.first_day();
    let unit: Unit = unit.parse().map_err(|error: billing::unit::BadUnit| error.to_string())?;
    Ok(Rate {
        id: RateId::default(),
        code: code.to_owned(),
        source: wanted.source.clone(),
        service: None,
        sku: None,
        class: None,
        unit,
        price,
        list_price: None,
        above: Vec::new(),
        free: None,
        minimum: None,
        prorate: None,
        account_code: None,
        from,
        to: None,
        note: None,
    })
}

fn less_subsidy(
    name: &str,
    list: Amount,
    percent: Option<Number>,
    read: &mut Read,
) -> Result<Amount, String> {
    let Some(percent) = percent else { return Ok(list) };
    let percent: Percent = percent.to_string().parse().map_err(|error| format!("`{name}`: {error}"))?;
    if percent != Percent::default() {
        read.notes.push(format!(
            "`{name}`: subsidyPercent {percent} becomes a discount, which nobody pays; where a fund pays it, write a subsidy"
        ));
    }
    Ok(list - percent.of(list))
}

fn amount(number: &Number) -> Result<Amount, String> {
    let text = number.to_string();
    Amount::parse_total(&text).ok_or_else(|| format!("`{text}` is not an amount"))
}
