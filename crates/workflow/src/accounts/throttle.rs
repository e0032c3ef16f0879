//! How fast passwords and codes may be tried. Who mistypes a few times notices nothing; who goes on waits longer
//! each time. Nobody is ever locked out: another address always has its first try at once.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use ledger::{SignInAttempt, sha256_hex};

use super::directory::key;
use super::secret::random_hex;
use crate::{Installation, WorkflowError};

/// Attempts are counted for so long.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// So many in a row cost nothing, for one account from one address.
const FREE: usize = 5;

/// Beyond so many for one account from everywhere, no address has free ones.
const ACCOUNT_MAX: usize = 100;

/// So many cost nothing for one address over all accounts: a whole department may be behind it.
const NETWORK_FREE: usize = 50;

const DELAY_MAX_SECONDS: i64 = 60;

/// An attempt to get past one lock, from one place.
#[derive(Debug)]
pub(super) struct Knock {
    subject: String,
    network: String,
}

impl Knock {
    /// `what` is tried of the account that is called `name`, whether there is one or not.
    pub fn new(what: &str, name: &str, address: &str) -> Knock {
        Knock { subject: sha256_hex(format!("{what}:{}", key(name)).as_bytes()), network: network(address) }
    }

    /// Count an attempt before it is looked at, so that many at once are many. How long to wait, when it is too
    /// early; then it was not counted.
    pub async fn attempt(
        &self,
        installation: &Installation,
        at: Timestamp,
    ) -> Result<Option<SignedDuration>, WorkflowError> {
        let mut book = installation.ledger.bookkeeping().await?;
        let before = book.sign_in_attempts(&self.subject, &self.network).await?;
        if let Some(wait) = wait(&before, &self.subject, &self.network, at) {
            return Ok(Some(wait));
        }
        let attempt = SignInAttempt {
            id: random_hex(16)?,
            subject: self.subject.clone(),
            network: self.network.clone(),
            at,
        };
        book.forget_sign_in_attempts_before(at - WINDOW).await?;
        book.put_sign_in_attempt(&attempt).await?;
        book.commit().await?;
        Ok(None)
    }

    /// It was right: what was tried from there before is forgotten.
    pub async fn succeeded(&self, book: &mut ledger::Bookkeeping) -> Result<(), WorkflowError> {
        Ok(book.forget_sign_in_attempts(&self.subject, &self.network).await?)
    }
}

/// How long until another attempt is looked at.
fn wait(before: &[SignInAttempt], subject: &str, network: &str, now: Timestamp) -> Option<SignedDuration> {
    let recent = || before.iter().filter(|attempt| now - WINDOW < attempt.at);
    let of_account = recent().filter(|attempt| attempt.subject == subject).count();
    let free = if ACCOUNT_MAX < of_account { 0 } else { FREE };
    let pair = recent().filter(|attempt| attempt.subject == subject && attempt.network == network);
    let all_of_network = recent().filter(|attempt| attempt.network == network);
    let until = [ready(pair, free), ready(all_of_network, NETWORK_FREE)].into_iter().flatten().max()?;
    (now < until).then(|| until.duration_since(now))
}

/// When the next of these may come.
fn ready<'a>(attempts: impl Iterator<Item = &'a SignInAttempt>, free: usize) -> Option<Timestamp> {
    let times: Vec<Timestamp> = attempts.map(|attempt| attempt.at).collect();
    let last = times.iter().max()?;
    let over = times.len().checked_sub(free)?;
    let seconds = 1_i64.checked_shl(u32::try_from(over).unwrap_or(u32::MAX)).unwrap_or(DELAY_MAX_SECONDS);
    let seconds = if over < 6 { seconds } else { DELAY_MAX_SECONDS };
    Some(*last + SignedDuration::from_secs(seconds))
}

/// What counts as one place: an IPv4 address, or the /64 of IPv6 that one household or attacker has whole.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(v4) => v4.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn tried(subject: &str, network: &str, seconds: impl IntoIterator<Item = i64>) -> Vec<SignInAttempt> {
        let attempt = |second: i64| SignInAttempt {
            id: second.to_string(),
            subject: subject.to_owned(),
            network: network.to_owned(),
            at: at(second),
        };
        seconds.into_iter().map(attempt).collect()
    }

    fn seconds(before: &[SignInAttempt], network: &str, now: i64) -> i64 {
        wait(before, "maria", network, at(now)).map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn delays_grow_up_to_a_minute_and_not_for_others() {
        let cases =
            [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 60), (40, 60)];
        for (attempts, expected) in cases {
            let before = tried("maria", "1.2.3.4", std::iter::repeat_n(0, attempts));
            assert_eq!(seconds(&before, "1.2.3.4", 0), expected, "{attempts}");
            assert_eq!(seconds(&before, "1.2.3.4", expected), 0, "{attempts}: then it is looked at");
            assert_eq!(seconds(&before, "5.6.7.8", 0), 0, "{attempts}: from elsewhere");
            assert_eq!(wait(&before, "casey", "1.2.3.4", at(0)), None, "{attempts}: of somebody else");
        }
    }

    #[test]
    fn an_hour_later_all_is_forgotten() {
        let before = tried("maria", "1.2.3.4", std::iter::repeat_n(0, 20));
        assert_eq!(seconds(&before, "1.2.3.4", 3600), 0);
    }

    #[test]
    fn when_many_places_try_one_account_each_has_one_free_attempt() {
        let mut before: Vec<SignInAttempt> =
            (0..=100).flat_map(|host| tried("maria", &format!("10.0.0.{host}"), [0])).collect();
        assert_eq!(seconds(&before, "10.0.0.7", 0), 2);
        assert_eq!(seconds(&before, "5.6.7.8", 0), 0, "the right person is not locked out");
        before.truncate(100);
        assert_eq!(seconds(&before, "10.0.0.7", 0), 0);
    }

    #[test]
    fn one_place_that_tries_many_accounts_is_slowed() {
        let spray = |names: usize| -> Vec<SignInAttempt> {
            (0..names).flat_map(|name| tried(&format!("user{name}"), "1.2.3.4", [0])).collect()
        };
        assert_eq!(seconds(&spray(49), "1.2.3.4", 0), 0);
        assert_eq!(seconds(&spray(50), "1.2.3.4", 0), 1);
        assert_eq!(seconds(&spray(60), "1.2.3.4", 0), 60);
        assert_eq!(seconds(&spray(60), "5.6.7.8", 0), 0);
    }

    #[test]
    fn places() {
        let cases = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("unknown", "unknown"),
        ];
        for (address, expected) in cases {
            assert_eq!(network(address), expected);
        }
    }
}
