//! How a credit stands after what was drawn by now, relative to the period: never to the clock, so that the same
//! statement says the same whenever it is made.

use std::fmt::{self, Write as _};

use money::{Amount, Currency};
use serde::Serialize;

use super::{Credit, Credits, Drawn};
use crate::Period;

/// From so many days before its end on, it is said that a credit expires.
const DAYS_BEFORE: i32 = 90;

/// A credit as a period leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    #[serde(flatten)]
    pub credit: Credit,
    pub moved_on: Amount,
    /// By the statements of earlier periods.
    pub drawn_before: Amount,
    pub drawn: Amount,
    pub left: Amount,
    pub alerts: Vec<Alert>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "alert")]
pub enum Alert {
    UsedUp,
    /// Less than a fifth is left.
    Low,
    /// Something is left, and it can be used until so many days after the period; `0`: no longer.
    Expires {
        days: i32,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alert::UsedUp => f.write_str("used up"),
            Alert::Low => f.write_str("less than 20% left"),
            Alert::Expires { days: 0 } => f.write_str("expires with this period"),
            Alert::Expires { days } => write!(f, "expires {days} days after this period"),
        }
    }
}

impl Drawn {
    fn standing(&self, period: Period) -> Standing {
        let left = (self.amount() - self.before - self.now).max(Amount::ZERO);
        let fifth = Amount::from_units(self.amount().units() / 5);
        let mut alerts = Vec::new();
        if left.is_zero() {
            alerts.extend((!self.amount().is_zero()).then_some(Alert::UsedUp));
        } else {
            alerts.extend((left < fifth).then_some(Alert::Low));
            let days = self.credit.to.and_then(|to| period.last_day().until(to.last_day()).ok());
            let days = days.map(|span| span.get_days()).filter(|days| *days <= DAYS_BEFORE);
            alerts.extend(days.map(|days| Alert::Expires { days }));
        }
        Standing {
            credit: self.credit.clone(),
            moved_on: self.moved,
            drawn_before: self.before,
            drawn: self.now,
            left,
            alerts,
        }
    }

    /// Whether there is anything to say of it: what was used up before is said once.
    fn is_of_interest(&self) -> bool {
        self.before < self.amount() || !self.now.is_zero()
    }
}

impl Credits {
    /// In the order in which they are used.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.drawn.iter().map(|drawn| drawn.standing(self.period)).collect()
    }

    /// What the office should know after the statements of the period were made.
    #[must_use]
    pub fn alerts(&self, currency: &Currency) -> Vec<String> {
        let alerting = |drawn: &Drawn| {
            let standing = drawn.standing(self.period);
            let said = standing.alerts.iter().map(Alert::to_string).collect::<Vec<_>>().join(", ");
            let Standing { credit, left, .. } = standing;
            let left = currency.display(left.round(currency.code.places()));
            match said.as_str() {
                "" => None,
                "used up" => Some(format!("credit {} \"{}\": {said}", credit.id, credit.name)),
                _ => Some(format!("credit {} \"{}\": {left} left, {said}", credit.id, credit.name)),
            }
        };
        self.drawn.iter().filter(|drawn| drawn.is_of_interest()).filter_map(alerting).collect()
    }

    /// What the statement of a project says: the balance of each credit that it may use, after it.
    #[must_use]
    pub fn notes(&self, pi_email: &str, project_id: &str, currency: &Currency) -> Vec<String> {
        let own = self.drawn.iter().filter(|drawn| drawn.credit.is_held_by(pi_email, project_id));
        own.filter(|drawn| drawn.is_of_interest()).map(|drawn| self.note(drawn, currency)).collect()
    }

    fn note(&self, drawn: &Drawn, currency: &Currency) -> String {
        let Standing { credit, left, alerts, .. } = drawn.standing(self.period);
        let name = format!("Credit \"{}\"", credit.name);
        let left = currency.display(left.round(currency.code.places()));
        if alerts.contains(&Alert::UsedUp) {
            return format!("{name} is used up.");
        }
        if alerts.contains(&Alert::Expires { days: 0 }) {
            return format!("{name}: {left} was not used and expires with this period.");
        }
        let until = credit.to.map_or_else(String::new, |to| format!(", to be used by {to}"));
        let mut text = format!("{name}: {left} left{until}.");
        for alert in alerts {
            match alert {
                Alert::Low => text.push_str(" That is less than 20% of it."),
                Alert::Expires { days } => {
                    let _ = write!(text, " It expires {days} days after the end of this period.");
                }
                Alert::UsedUp => {}
            }
        }
        text
    }
}
