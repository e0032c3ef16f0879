//! Rules in words: what pays what, for whom, and from when to when.

use std::fmt::Display;

use billing::SourceName;
use billing::attribution::Attribution;
use billing::credit::Credit;
use billing::rate::Rate;
use billing::split::{Share, SplitRule};
use billing::subsidy::{SubsidyRule, Tier};
use money::{Amount, Currency};
use serde::Serialize;

pub const EVERYTHING: &str = "everything";

pub fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

pub fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("–").to_owned()
}

/// As its name in files: `fiscal-year`.
pub fn name_of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// An amount to the minor unit, as people read it.
pub fn money(amount: Amount, currency: &Currency) -> String {
    currency.display(amount.round(currency.code.places()))
}

/// `from 2025-01 to 2025-06`, with open ends.
pub fn when<D: Display>(from: Option<D>, to: Option<D>) -> String {
    match (from, to) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("to {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    }
}

fn named(lists: &[(&str, &[String])], nothing: &str) -> String {
    let said = lists.iter().filter(|(_, list)| !list.is_empty());
    let said = joined(said.map(|(what, list)| format!("{what} {}", list.join(" or "))));
    if said.is_empty() { nothing.to_owned() } else { said }
}

fn names(sources: &[SourceName]) -> Vec<String> {
    sources.iter().map(ToString::to_string).collect()
}

/// What a rule of the attribution table gives.
pub fn gives(given: &Attribution) -> String {
    let both = Attribution::FIELDS.into_iter().zip(given.values());
    joined(both.filter_map(|(name, value)| Some(format!("{} {}", field_label(name), value?))))
}

/// A field of the attribution, for people.
pub fn field_label(name: &str) -> String {
    match name {
        "pi_email" => "PI".to_owned(),
        "project_id" => "project".to_owned(),
        "fund_org" => "fund".to_owned(),
        other => other.replace('_', " "),
    }
}

pub fn rate_for(rate: &Rate) -> String {
    let source = rate.source.as_ref().map(|source| source.0.clone());
    let said = [("", &source), ("service ", &rate.service), ("SKU ", &rate.sku), ("class ", &rate.class)];
    let said = joined(said.into_iter().filter_map(|(what, name)| Some(format!("{what}{}", name.as_ref()?))));
    if said.is_empty() { EVERYTHING.to_owned() } else { said }
}

/// Prices have as many digits as they were written with.
pub fn price(rate: &Rate) -> String {
    rate.price.to_string()
}

/// What counts by month and project.
pub fn pooled(rate: &Rate) -> String {
    let free = rate.free.map(|free| format!("{free} free"));
    let above = rate.above.iter().map(|tier| format!("above {} at {}", tier.quantity, tier.price));
    let minimum = rate.minimum.map(|minimum| format!("at least {minimum}"));
    joined(free.into_iter().chain(above).chain(minimum))
}

/// `100% up to $500.00, per project and fiscal year`.
pub fn pays(rule: &SubsidyRule, currency: &Currency) -> String {
    let tier = |tier: &Tier| match tier.up_to {
        Some(end) => format!("{}% up to {}", tier.percent, money(end, currency)),
        None => format!("{}%", tier.percent),
    };
    let mut text = joined(rule.tiers.iter().map(tier));
    if let Some(cap) = rule.cap {
        text = format!("{text}, at most {}", money(cap, currency));
    }
    if rule.cap.is_none() && rule.tiers.iter().all(|tier| tier.up_to.is_none()) {
        return text;
    }
    let scope = match name_of(&rule.scope).as_str() {
        "pi" => "PI".to_owned(),
        "all" => "everybody together".to_owned(),
        scope => scope.to_owned(),
    };
    let window = match name_of(&rule.window).as_str() {
        "once" => ", once".to_owned(),
        window => format!(" and {}", window.replace('-', " ")),
    };
    let carried = if rule.carries_over { ", carried over" } else { "" };
    format!("{text}, per {scope}{window}{carried}")
}

pub fn subsidy_for(rule: &SubsidyRule) -> String {
    let sources = names(&rule.sources);
    let lists: [(&str, &[String]); 4] =
        [("source", &sources), ("service", &rule.services), ("PI", &rule.pis), ("project", &rule.projects)];
    named(&lists, EVERYTHING)
}

pub fn holders(pis: &[String], projects: &[String]) -> String {
    named(&[("PI", pis), ("project", projects)], "nobody yet")
}

pub fn credit_for(credit: &Credit) -> String {
    let sources = names(&credit.sources);
    named(&[("source", &sources), ("service", &credit.services)], EVERYTHING)
}

/// `PI ada@example.edu, project looms`.
pub fn split_of(rule: &SplitRule) -> String {
    let source = rule.source.as_ref().map(ToString::to_string);
    let charge = rule.charge.as_ref().map(|charge| charge.id.to_string());
    let said =
        [("charge", &charge), ("source", &source), ("PI", &rule.pi_email), ("project", &rule.project_id)];
    joined(said.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?))))
}

pub fn shares(rule: &SplitRule, currency: &Currency) -> String {
    joined(rule.parts.iter().map(|part| format!("{} {}", part.fund_org, share(part.share, currency))))
}

pub fn share(share: Share, currency: &Currency) -> String {
    match share {
        Share::UpTo(amount) => format!("up to {}", money(amount, currency)),
        Share::Percent(percent) => format!("{percent}%"),
    }
}
