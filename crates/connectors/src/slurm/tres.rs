//! What a run was given: `billing=41,cpu=1,gres/gpu:a100=2,gres/gpu=2,mem=100M,node=1`.

/// What a run was given, for as long as it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Shape {
    pub cpus: u64,
    pub nodes: u64,
    pub mem_mib: u64,
    /// What Slurm's own weights made of it.
    pub billing: Option<u64>,
    /// Everything else, by name, each once: `gres/gpu:a100`, `license/ansys`.
    pub others: Vec<(String, u64)>,
    /// Whether anything but cores was said.
    pub is_whole: bool,
}

/// A number of resources that no cluster has.
pub(super) const COUNT_MAX: u64 = 100_000_000;
const MEM_MAX_MIB: u64 = 1 << 50;

impl Shape {
    /// One entry, as text and JSON have it. Energy and file systems are not given but measured.
    pub(super) fn give(&mut self, name: &str, count: u64) {
        match name {
            "cpu" => self.cpus = count,
            "node" => self.nodes = count,
            "mem" => self.mem_mib = count,
            "billing" => self.billing = Some(count),
            "energy" | "pages" | "vmem" => {}
            name if name.starts_with("fs/") || name.starts_with("ic/") => {}
            name => self.others.push((name.to_owned(), count)),
        }
        self.is_whole = true;
    }

    /// After the last entry.
    pub(super) fn settle(&mut self) {
        self.others.retain(|(_, count)| 0 < *count);
        self.others.sort_unstable();
        self.others.dedup_by(|later, first| later.0 == first.0);
    }

    /// `AllocTRES` as text. Whether memory had to be rounded to whole MiB, or what is wrong.
    pub(super) fn parse(&mut self, text: &str) -> Result<bool, String> {
        let mut is_rounded = false;
        for entry in text.split(',').filter(|entry| !entry.is_empty()) {
            let (name, value) =
                entry.split_once('=').ok_or_else(|| format!("has `{entry}`, which has no number"))?;
            let name = name.to_ascii_lowercase();
            let counted = if name == "mem" || name.starts_with("bb/") {
                mebibytes(value).map(|(mib, rounded)| {
                    is_rounded |= rounded;
                    mib
                })
            } else if matches!(name.as_str(), "energy" | "pages" | "vmem") || name.starts_with("fs/") {
                Some(0)
            } else {
                super::clock::number(value.as_bytes()).filter(|count| *count <= COUNT_MAX)
            };
            let count = counted.ok_or_else(|| format!("has `{entry}`, which is no number of anything"))?;
            self.give(&name, count);
        }
        self.settle();
        Ok(is_rounded)
    }

    /// GPUs by type. Typed and untyped entries are the same devices: what is typed is counted by its type, and
    /// what of the untyped number is left is of a type that nobody said.
    pub(super) fn gpus(&self) -> Vec<(&str, u64)> {
        let of = |prefix: &'static str| {
            self.others.iter().filter_map(move |(name, count)| Some((name.strip_prefix(prefix)?, *count)))
        };
        let mut gpus: Vec<(&str, u64)> = of("gres/gpu:").collect();
        let typed: u64 = gpus.iter().map(|(_, count)| count).sum();
        let all: u64 = of("gres/gpu").find(|(rest, _)| rest.is_empty()).map_or(0, |(_, count)| count);
        if typed < all {
            gpus.push(("", all - typed));
        }
        gpus
    }

    pub(super) fn gpu_count(&self) -> u64 {
        self.gpus().iter().map(|(_, count)| count).sum()
    }
}

/// `100M`, `1.50G`, `0`: in MiB, as Slurm's sizes are binary; and whether it is rounded.
fn mebibytes(text: &str) -> Option<(u64, bool)> {
    let (number, power) = match text.char_indices().last()? {
        (_, '0'..='9') => (text, 1),
        (at, unit) => (&text[..at], "KMGTPE".find(unit.to_ascii_uppercase())?),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if 6 < decimals.len() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = super::clock::number(format!("{whole}{decimals:0<6}").as_bytes())?;
    // In millionths of a KiB.
    let kib = u128::from(digits).checked_mul(1024_u128.checked_pow(u32::try_from(power).ok()?)?)?;
    let mib_of = 1024 * 1_000_000;
    let mib = u64::try_from((kib + mib_of / 2) / mib_of).ok().filter(|mib| *mib <= MEM_MAX_MIB)?;
    Some((mib, !kib.is_multiple_of(mib_of)))
}

/// A size that an administrator writes: `512 GiB`, `500GB` (which Slurm would call `500G`), `768000M`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").or(unit.strip_suffix('B')).unwrap_or(&unit);
    mebibytes(&format!("{number}{unit}")).map(|(mib, _)| mib).filter(|mib| 0 < *mib)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mut shape = Shape::default();
        match shape.parse(text) {
            Err(message) => message,
            Ok(rounded) => {
                let gpus: Vec<String> =
                    shape.gpus().iter().map(|(kind, count)| format!("{kind}×{count}")).collect();
                let billing = shape.billing.map_or("-".to_owned(), |billing| billing.to_string());
                let (cpus, nodes, mem) = (shape.cpus, shape.nodes, shape.mem_mib);
                let rounded = if rounded { " rounded" } else { "" };
                format!("{cpus} cpu {nodes} node {mem} MiB {billing} [{}]{rounded}", gpus.join(" "))
            }
        }
    }

    #[test]
    fn what_was_given() {
        for (text, expected) in [
            (
                "billing=41,cpu=1,gres/gpu:a100=2,gres/gpu=2,mem=100M,node=1",
                "1 cpu 1 node 100 MiB 41 [a100×2]",
            ),
            ("cpu=4,gres/gpu=3,mem=1536M", "4 cpu 0 node 1536 MiB - [×3]"),
            ("cpu=4,gres/gpu:a100=2,gres/gpu:v100=1,gres/gpu=4", "4 cpu 0 node 0 MiB - [a100×2 v100×1 ×1]"),
            ("cpu=4,gres/gpu:a100=2", "4 cpu 0 node 0 MiB - [a100×2]"),
            ("cpu=1,mem=1.50G", "1 cpu 0 node 1536 MiB - []"),
            ("cpu=1,mem=1.43G", "1 cpu 0 node 1464 MiB - [] rounded"),
            ("cpu=1,mem=2T", "1 cpu 0 node 2097152 MiB - []"),
            ("cpu=1,mem=512K", "1 cpu 0 node 1 MiB - [] rounded"),
            ("cpu=1,energy=4000000000,fs/disk=99999999999,mem=0", "1 cpu 0 node 0 MiB - []"),
            ("CPU=1,gres/GPU:A100=1", "1 cpu 0 node 0 MiB - [a100×1]"),
            ("", "0 cpu 0 node 0 MiB - []"),
            ("cpu", "has `cpu`, which has no number"),
            ("cpu=many", "has `cpu=many`, which is no number of anything"),
            ("cpu=4,mem=xG", "has `mem=xG`, which is no number of anything"),
            ("cpu=999999999999", "has `cpu=999999999999`, which is no number of anything"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_as_administrators_write_them() {
        for (text, expected) in [
            ("512 GiB", Some(524_288)),
            ("500GB", Some(512_000)),
            ("768000M", Some(768_000)),
            ("1.5T", Some(1_572_864)),
            ("1000", Some(1000)),
            ("0", None),
            ("lots", None),
            ("", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }
}
