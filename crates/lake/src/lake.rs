use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use billing::decision::Standing;
use billing::{ChargeId, ImportId, SourceName};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use tempfile::NamedTempFile;

use crate::LakeError;
use crate::charges::{ChargeWriter, owner};
use crate::delivery::{Delivery, DeliveryReader, DeliveryWriter};
use crate::files::{FileFound, TEMPORARY, check_file, digest_file, make_folder, remove_where};
use crate::memory::Pools;
use crate::overlay::{self, OverlayRef};
use crate::table::Footers;

/// Facts under one root: `deliveries/`, `charges/`, and the disposable `overlay/`. Clones share what they
/// have read.
#[derive(Clone)]
pub struct Lake {
    root: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    context: OnceLock<SessionContext>,
    footers: Footers,
}

/// What questions may hold in memory before they spill to disk, and of what cannot spill.
const SPILLING_BYTES: usize = 256 << 20;
const STAYING_BYTES: usize = 1 << 30;

impl Lake {
    /// Open the lake at `root` (`…/instance/lake`), making its folders where they are missing.
    pub fn open(root: &Path) -> Result<Lake, LakeError> {
        for folder in ["deliveries", "charges", "overlay"] {
            make_folder(&root.join(folder))?;
        }
        let root = root.canonicalize().map_err(LakeError::io("open the lake", root))?;
        Ok(Lake { root, shared: Arc::default() })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keep one delivered file of an import.
    pub fn delivery_writer(&self, import: ImportId) -> Result<DeliveryWriter, LakeError> {
        DeliveryWriter::new(&self.root, &owner(import))
    }

    /// A file for as long as an import needs it; a sweep finds what a crash left of it.
    pub fn scratch(&self, import: ImportId) -> Result<NamedTempFile, LakeError> {
        let folder = self.root.join("deliveries");
        let prefix = format!("{TEMPORARY}{}-", owner(import));
        let made = tempfile::Builder::new().prefix(&prefix).tempfile_in(&folder);
        made.map_err(LakeError::io("write into", &folder))
    }

    /// `len` bytes of a delivered file from byte `offset`; fewer where it ends.
    pub fn delivered_bytes(&self, sha256: &[u8; 32], offset: u64, len: u64) -> Result<Vec<u8>, LakeError> {
        Delivery::open(&self.root, sha256)?.bytes(offset, len)
    }

    /// A delivered file from its first byte to its last.
    pub fn delivered_reader(&self, sha256: &[u8; 32]) -> Result<DeliveryReader, LakeError> {
        Ok(Delivery::open(&self.root, sha256)?.reader())
    }

    /// Read the whole of a delivered file and compare its SHA-256.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when a byte is not as delivered, [`LakeError::NoDelivery`] when it is gone.
    pub fn check_delivery(&self, sha256: &[u8; 32]) -> Result<(), LakeError> {
        Delivery::open(&self.root, sha256)?.check(sha256)
    }

    /// Write the charges of one import.
    pub fn charge_writer(&self, import: ImportId, source: &SourceName) -> ChargeWriter {
        ChargeWriter::new(&self.root, import, source)
    }

    /// Remove what an import that never counted left behind: its temporary files and its charge files.
    /// Kept deliveries stay. Gives the number of files removed. The caller knows that the import's lease
    /// has expired; beside [`remove_pruned`](Lake::remove_pruned) nothing else is ever removed from the lake.
    pub fn sweep(&self, import: ImportId) -> Result<usize, LakeError> {
        let charge_file = format!("{}-", owner(import));
        let temporary = format!("{TEMPORARY}{charge_file}");
        let charges = remove_where(&self.root.join("charges"), &|name| {
            name.starts_with(&charge_file) || name.starts_with(&temporary)
        })?;
        let deliveries = remove_where(&self.root.join("deliveries"), &|name| name.starts_with(&temporary))?;
        Ok(charges + deliveries)
    }

    /// The size of a file as it is kept, by its path; `None` when it is not there.
    pub fn kept_bytes(&self, path: &str) -> Result<Option<u64>, LakeError> {
        let path = self.inside(path)?;
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            known => Ok(Some(known.map_err(LakeError::io("look at", &path))?.len())),
        }
    }

    /// Remove one file, of which the caller knows that it was recorded as pruned. Whether it was there.
    pub fn remove_pruned(&self, path: &str) -> Result<bool, LakeError> {
        let path = self.inside(path)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).map_err(LakeError::io("remove", &path)),
        }
    }

    /// Write where decided charges stand, for [`view`](Lake::view) to join. `name` says for people which
    /// state of the books it is (a ledger number, say). An overlay with the same name and content that is
    /// there already is taken.
    pub fn write_overlay(
        &self,
        name: &str,
        standings: &[(ChargeId, Standing)],
    ) -> Result<OverlayRef, LakeError> {
        overlay::write(&self.root, name, standings)
    }

    /// Remove the overlays that are not `kept`. An overlay can be written again at any time.
    pub fn remove_overlays(&self, kept: &[OverlayRef]) -> Result<usize, LakeError> {
        let is_kept = |name: &str| kept.iter().any(|kept| kept.path.strip_prefix("overlay/") == Some(name));
        remove_where(&self.root.join("overlay"), &|name| !name.starts_with(TEMPORARY) && !is_kept(name))
    }

    /// Compare a charge file's bytes with the SHA-256 that was given when it was written.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] when they differ.
    pub fn check_charge_file(&self, path: &str, sha256: &[u8; 32]) -> Result<(), LakeError> {
        check_file(&self.inside(path)?, sha256)
    }

    /// Size and SHA-256 of a file of the lake as it is now; `None` where there is none. `seen` is told how
    /// many bytes were read, run by run. Memory does not grow with the file.
    ///
    /// # Errors
    /// [`LakeError::NotInLake`], and what could not be read.
    pub fn digest_file(&self, path: &str, seen: &dyn Fn(u64)) -> Result<Option<FileFound>, LakeError> {
        digest_file(&self.inside(path)?, seen)
    }

    /// How many delivered bytes are kept under this digest, from the index alone: the file is there, whole,
    /// and of this delivery, but the bytes themselves are not read ([`check_delivery`](Lake::check_delivery)
    /// does).
    ///
    /// # Errors
    /// [`LakeError::NoDelivery`], [`LakeError::Damaged`].
    pub fn kept_delivery_bytes(&self, sha256: &[u8; 32]) -> Result<u64, LakeError> {
        Delivery::open(&self.root, sha256)?.check_index()
    }

    pub(crate) fn footers(&self) -> &Footers {
        &self.shared.footers
    }

    /// A path that was handed out, absolute again.
    pub(crate) fn inside(&self, relative: &str) -> Result<PathBuf, LakeError> {
        let plain =
            Path::new(relative).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if plain && !relative.is_empty() {
            Ok(self.root.join(relative))
        } else {
            Err(LakeError::NotInLake(relative.to_owned()))
        }
    }

    /// The query engine, made when first needed.
    pub(crate) fn context(&self) -> Result<&SessionContext, LakeError> {
        if let Some(context) = self.shared.context.get() {
            return Ok(context);
        }
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Pools::new(SPILLING_BYTES, STAYING_BYTES)));
        let context = SessionContext::new_with_config_rt(session_config(), runtime.build_arc()?);
        Ok(self.shared.context.get_or_init(|| context))
    }
}

fn session_config() -> SessionConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut config = SessionConfig::new()
        .with_target_partitions(cores)
        .with_collect_statistics(false)
        .with_parquet_page_index_pruning(false)
        .with_parquet_bloom_filter_pruning(false);
    let options = config.options_mut();
    // The overlay is small beside the charges: build its hash table once, and let charges stream past.
    options.optimizer.hash_join_single_partition_threshold = 64 << 20;
    options.optimizer.hash_join_single_partition_threshold_rows = 4_000_000;
    config
}
