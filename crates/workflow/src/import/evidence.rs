//! The delivered bytes, kept as they are read: hashed, framed and appended in their order.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lake::{DeliveryWriter, Frame, LakeError};
use sha2::{Digest, Sha256};

/// The evidence of one file while it is read. Dropped before [`finish`](Evidence::finish), it was never there.
pub struct Evidence {
    writer: DeliveryWriter,
    hash: Sha256,
    size_bytes: u64,
}

/// Bytes that cannot be cut where records end are framed by this many.
const RAW_FRAME: usize = 4 << 20;

impl Evidence {
    pub fn new(writer: DeliveryWriter) -> Evidence {
        Evidence { writer, hash: Sha256::new(), size_bytes: 0 }
    }

    /// Hash what comes next; its frame follows by [`append`](Evidence::append).
    pub fn see(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    pub fn append(&mut self, frame: &Frame) -> Result<(), LakeError> {
        self.writer.append(frame)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), LakeError> {
        self.see(bytes);
        self.append(&lake::compress_frame(bytes, None))
    }

    /// Keep a file that is not read from its first byte to its last (Parquet).
    pub fn keep_file(&mut self, path: &Path) -> Result<(), KeepError> {
        self.keep_rest(path)
    }

    /// Keep what of a file has not been seen yet.
    pub fn keep_rest(&mut self, path: &Path) -> Result<(), KeepError> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.size_bytes))?;
        let mut buffer = vec![0; RAW_FRAME];
        loop {
            let filled = fill(&mut file, &mut buffer)?;
            if filled == 0 {
                return Ok(());
            }
            self.keep(&buffer[..filled])?;
        }
    }

    /// SHA-256 and size of the delivered bytes.
    pub fn digest(&self) -> ([u8; 32], u64) {
        (self.hash.clone().finalize().into(), self.size_bytes)
    }

    /// Keep the bytes under their digest.
    pub fn finish(self) -> Result<(), LakeError> {
        let (digest, _) = self.digest();
        self.writer.finish(digest)?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Lake(#[from] LakeError),
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

/// Reads a compressed file and keeps its bytes on the way, so that what is kept is what was read.
pub struct Tee {
    file: File,
    evidence: Arc<Mutex<Evidence>>,
    pending: Vec<u8>,
}

impl Tee {
    pub fn new(file: File, evidence: Arc<Mutex<Evidence>>) -> Tee {
        Tee { file, evidence, pending: Vec::with_capacity(RAW_FRAME) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        evidence.keep(&self.pending).map_err(io::Error::other)?;
        self.pending.clear();
        Ok(())
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.pending.extend_from_slice(&buffer[..read]);
        if RAW_FRAME <= self.pending.len() || (read == 0 && !self.pending.is_empty() && !buffer.is_empty()) {
            self.flush()?;
        }
        Ok(read)
    }
}
