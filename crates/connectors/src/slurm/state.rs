//! The states of runs, and what an office bills of each.

use super::split::Share;

/// States as Slurm names them, short and long, and whether they are billed where nothing else is said: what the
/// system did to a run is free, whatever the run did itself is billed. A run that was requeued or preempted
/// used its time, often up to a checkpoint from which it goes on; if it were free, requeueing oneself in time
/// would be a way not to pay.
const KNOWN: [(&str, &str, Share); 25] = [
    ("BF", "BOOT_FAIL", Share::NOTHING),
    ("CA", "CANCELLED", Share::WHOLE),
    ("CD", "COMPLETED", Share::WHOLE),
    ("CF", "CONFIGURING", Share::WHOLE),
    ("CG", "COMPLETING", Share::WHOLE),
    ("DL", "DEADLINE", Share::WHOLE),
    ("F", "FAILED", Share::WHOLE),
    ("LF", "LAUNCH_FAILED", Share::NOTHING),
    ("NF", "NODE_FAIL", Share::NOTHING),
    ("OOM", "OUT_OF_MEMORY", Share::WHOLE),
    ("PD", PENDING, Share::WHOLE),
    ("PR", "PREEMPTED", Share::WHOLE),
    ("R", "RUNNING", Share::WHOLE),
    ("RC", "RECONFIG_FAIL", Share::NOTHING),
    ("RD", "RESV_DEL_HOLD", Share::WHOLE),
    ("RF", "REQUEUE_FED", Share::WHOLE),
    ("RH", "REQUEUE_HOLD", Share::WHOLE),
    ("RQ", "REQUEUED", Share::WHOLE),
    ("RS", RESIZING, Share::WHOLE),
    ("RV", REVOKED, Share::NOTHING),
    ("S", "SUSPENDED", Share::WHOLE),
    ("SE", "SPECIAL_EXIT", Share::WHOLE),
    ("SI", "SIGNALING", Share::WHOLE),
    ("ST", "STOPPED", Share::WHOLE),
    ("TO", "TIMEOUT", Share::WHOLE),
];

const PENDING: &str = "PENDING";
const REVOKED: &str = "REVOKED";
const RESIZING: &str = "RESIZING";

pub(super) struct States {
    known: Vec<State>,
}

pub(super) struct State {
    pub name: String,
    short: &'static str,
    pub billed: Share,
    /// Why the rest is not.
    pub waived: String,
    pub is_pending: bool,
    pub is_revoked: bool,
    /// The job went on with other resources, as another record.
    pub is_resizing: bool,
}

impl Default for States {
    fn default() -> States {
        let known = KNOWN.iter().map(|(short, name, billed)| State {
            name: (*name).to_owned(),
            short,
            billed: *billed,
            waived: reason(name, *billed),
            is_pending: *name == PENDING,
            is_revoked: *name == REVOKED,
            is_resizing: *name == RESIZING,
        });
        States { known: known.collect() }
    }
}

fn reason(name: &str, billed: Share) -> String {
    if billed == Share::NOTHING {
        format!("{name} is free")
    } else {
        let (whole, rest) = (billed.0 / 10_000, billed.0 % 10_000);
        let decimals = format!("{rest:04}");
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        format!("{name} is billed at {whole}{point}{decimals} %")
    }
}

impl States {
    /// By any of its names; what follows a space says who cancelled it.
    pub(super) fn find(&self, text: &[u8]) -> Option<u8> {
        let name = text.split(|byte| *byte == b' ').next().unwrap_or(text);
        // `CANCELLED+` is a name cut to a column's width.
        let name = name.strip_suffix(b"+").unwrap_or(name);
        let is_named = |state: &State| {
            name.eq_ignore_ascii_case(state.name.as_bytes())
                || name.eq_ignore_ascii_case(state.short.as_bytes())
        };
        u8::try_from(self.known.iter().position(is_named)?).ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &State> {
        self.known.iter()
    }

    pub(super) fn get(&self, at: u8) -> &State {
        &self.known[usize::from(at)]
    }

    /// What is billed of a state, also of one that Slurm did not have when this was written.
    pub(super) fn set(&mut self, name: &str, policy: &str) -> Result<(), String> {
        let billed = share(policy)?;
        let at = match self.find(name.as_bytes()) {
            Some(at) => usize::from(at),
            None if self.known.len() < 200 && is_name(name) => {
                let name = name.to_ascii_uppercase();
                let waived = String::new();
                self.known.push(State {
                    name,
                    short: "-",
                    billed,
                    waived,
                    is_pending: false,
                    is_revoked: false,
                    is_resizing: false,
                });
                self.known.len() - 1
            }
            None => return Err("is the policy of no state; states are names such as `NODE_FAIL`".to_owned()),
        };
        let state = &mut self.known[at];
        if state.is_revoked || state.is_pending {
            let name = &state.name;
            return Err(format!("cannot be said of {name}: such a job ran elsewhere, or not at all"));
        }
        state.billed = billed;
        state.waived = reason(&state.name, billed);
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// `bill`, `free`, `50%` or `50`.
fn share(policy: &str) -> Result<Share, String> {
    let bad = || "is not `bill`, `free` or a percentage such as `50%`, with at most four decimals".to_owned();
    match policy.trim() {
        "bill" => Ok(Share::WHOLE),
        "free" => Ok(Share::NOTHING),
        percent => {
            let number = percent.strip_suffix('%').unwrap_or(percent).trim();
            let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if whole.is_empty()
                || 3 < whole.len()
                || 4 < decimals.len()
                || !digits(whole)
                || !digits(decimals)
            {
                return Err(bad());
            }
            let millionths: u32 = format!("{whole}{decimals:0<4}").parse().map_err(|_| bad())?;
            if millionths <= Share::WHOLE.0 { Ok(Share(millionths)) } else { Err(bad()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_found_by_each_of_their_names() {
        let states = States::default();
        for (text, expected) in [
            ("COMPLETED", Some("COMPLETED")),
            ("CANCELLED by 1000", Some("CANCELLED")),
            ("CANCELLED+", Some("CANCELLED")),
            ("NF", Some("NODE_FAIL")),
            ("oom", Some("OUT_OF_MEMORY")),
            ("EXPLODED", None),
            ("", None),
        ] {
            let found = states.find(text.as_bytes()).map(|at| states.get(at).name.as_str());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_the_system_did_is_free() {
        let free: Vec<&str> =
            KNOWN.iter().filter(|known| known.2 == Share::NOTHING).map(|known| known.1).collect();
        assert_eq!(free, ["BOOT_FAIL", "LAUNCH_FAILED", "NODE_FAIL", "RECONFIG_FAIL", "REVOKED"]);
    }

    #[test]
    fn policies() {
        for (name, policy, expected) in [
            ("PREEMPTED", "free", "0 PREEMPTED is free"),
            ("PREEMPTED", "50%", "500000 PREEMPTED is billed at 50 %"),
            ("to", "12.5 %", "125000 TIMEOUT is billed at 12.5 %"),
            ("NODE_FAIL", "bill", "1000000 NODE_FAIL is billed at 100 %"),
            ("HIBERNATED", "50", "500000 HIBERNATED is billed at 50 %"),
            ("TIMEOUT", "101%", "!"),
            ("TIMEOUT", "half", "!"),
            ("TIMEOUT", "-5%", "!"),
            ("TIMEOUT", "1.00001", "!"),
            ("REVOKED", "bill", "!"),
            ("PENDING", "bill", "!"),
            ("no name", "bill", "!"),
        ] {
            let mut states = States::default();
            let told = states.set(name, policy).map_or_else(
                |_| "!".to_owned(),
                |()| {
                    let state = states.get(states.find(name.as_bytes()).unwrap());
                    format!("{} {}", state.billed.0, state.waived)
                },
            );
            assert_eq!(told, expected, "{name}: {policy}");
        }
    }
}
