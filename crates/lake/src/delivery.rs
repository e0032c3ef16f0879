//! The evidence: every delivered file, byte for byte, in frames under its SHA-256.
//!
//! A `.frames` file is: 8 bytes of magic; the frames end to end; per frame six little-endian `u64`
//! (offset and length of the delivered bytes, number of the first line or 0, offset and length in this
//! file, method); and a tail: the file's SHA-256 (32 bytes), the number of frames (`u64`), the first 8
//! bytes of the index's SHA-256, and the magic again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::LakeError;
use crate::files::{NewFile, make_folder};
use crate::frame::{Frame, Method, expand};

const MAGIC: &[u8; 8] = b"OCBFRM1\n";
const ENTRY: usize = 48;
const TAIL: usize = 56;

/// Keeps one delivered file. Dropped before [`finish`](DeliveryWriter::finish), nothing is left.
pub struct DeliveryWriter {
    root: PathBuf,
    file: NewFile,
    index: Vec<Entry>,
    raw_len: u64,
}

/// A delivered file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRef {
    /// Relative to the lake: `deliveries/ab/<sha256>.frames`.
    pub path: String,
    pub sha256: [u8; 32],
    /// Of the delivered bytes.
    pub size_bytes: u64,
    /// As kept; of the older copy where there was one.
    pub kept_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    raw_offset: u64,
    raw_len: u64,
    first_line: u64,
    offset: u64,
    len: u64,
    method: Method,
}

impl DeliveryWriter {
    pub(crate) fn new(root: &Path, owner: &str) -> Result<DeliveryWriter, LakeError> {
        let mut file = NewFile::create(&root.join("deliveries"), owner)?;
        let path = file.path().to_owned();
        file.write_all(MAGIC).map_err(LakeError::io("write", &path))?;
        Ok(DeliveryWriter { root: root.to_owned(), file, index: Vec::new(), raw_len: 0 })
    }

    /// Append the next run of the delivered file.
    pub fn append(&mut self, frame: &Frame) -> Result<(), LakeError> {
        let offset = self.file.written();
        let path = self.file.path().to_owned();
        self.file.write_all(&frame.bytes).map_err(LakeError::io("write", &path))?;
        self.index.push(Entry {
            raw_offset: self.raw_len,
            raw_len: frame.raw_len,
            first_line: frame.first_line.unwrap_or(0),
            offset,
            len: frame.bytes.len() as u64,
            method: frame.method,
        });
        self.raw_len += frame.raw_len;
        Ok(())
    }

    /// Keep the file under the digest of all its delivered bytes. A copy that is there already stays.
    pub fn finish(mut self, sha256: [u8; 32]) -> Result<DeliveryRef, LakeError> {
        let relative = path_of(&sha256);
        let target = self.root.join(&relative);
        let size_bytes = self.raw_len;
        if let Ok(known) = Delivery::open(&self.root, &sha256) {
            return Ok(DeliveryRef { path: relative, sha256, size_bytes, kept_bytes: known.kept_bytes });
        }
        let index: Vec<u8> = self.index.iter().flat_map(|entry| entry.to_bytes()).collect();
        let mut tail = Vec::with_capacity(TAIL);
        tail.extend_from_slice(&sha256);
        tail.extend_from_slice(&(self.index.len() as u64).to_le_bytes());
        tail.extend_from_slice(&Sha256::digest(&index)[..8]);
        tail.extend_from_slice(MAGIC);
        let temporary = self.file.path().to_owned();
        let written = self.file.write_all(&index).and_then(|()| self.file.write_all(&tail));
        written.map_err(LakeError::io("write", &temporary))?;
        let kept_bytes = self.file.written();
        make_folder(target.parent().unwrap_or(&self.root))?;
        self.file.commit(&target)?;
        Ok(DeliveryRef { path: relative, sha256, size_bytes, kept_bytes })
    }
}

fn path_of(sha256: &[u8; 32]) -> String {
    delivery_path(&hex::encode(sha256))
}

/// Where a delivered file is kept, relative to the lake: by its SHA-256 in lower-case hexadecimal.
pub fn delivery_path(sha256: &str) -> String {
    format!("deliveries/{}/{sha256}.frames", sha256.get(..2).unwrap_or_default())
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let numbers =
            [self.raw_offset, self.raw_len, self.first_line, self.offset, self.len, self.method as u64];
        for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Entry> {
        let mut numbers = bytes.chunks_exact(8).map(number);
        let mut next = || numbers.next();
        Some(Entry {
            raw_offset: next()?,
            raw_len: next()?,
            first_line: next()?,
            offset: next()?,
            len: next()?,
            method: Method::from_code(next()?)?,
        })
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// A kept file, opened.
pub(crate) struct Delivery {
    path: PathBuf,
    file: File,
    index: Vec<Entry>,
    kept_bytes: u64,
}

impl Delivery {
    pub(crate) fn open(root: &Path, sha256: &[u8; 32]) -> Result<Delivery, LakeError> {
        let path = root.join(path_of(sha256));
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LakeError::NoDelivery { sha256: hex::encode(sha256) });
            }
            Err(error) => return Err(LakeError::io("open", &path)(error)),
        };
        let kept_bytes = file.metadata().map_err(LakeError::io("read", &path))?.len();
        let index = read_index(&file, kept_bytes, sha256).map_err(|what| LakeError::damaged(&path, what))?;
        Ok(Delivery { path, file, index, kept_bytes })
    }

    fn raw_len(&self) -> u64 {
        self.index.last().map_or(0, |entry| entry.raw_offset + entry.raw_len)
    }

    /// Whether the frames stand end to end and fill the file up to the index. Returns the length of the
    /// delivered bytes.
    pub(crate) fn check_index(&self) -> Result<u64, LakeError> {
        let (mut raw, mut kept) = (0, MAGIC.len() as u64);
        for entry in &self.index {
            if (entry.raw_offset, entry.offset) != (raw, kept) {
                return Err(LakeError::damaged(&self.path, "its frames do not follow each other"));
            }
            raw += entry.raw_len;
            kept += entry.len;
        }
        let whole = kept + (self.index.len() * ENTRY + TAIL) as u64;
        if whole != self.kept_bytes {
            let what = format!("it has {} bytes, and its frames come to {whole}", self.kept_bytes);
            return Err(LakeError::damaged(&self.path, what));
        }
        Ok(raw)
    }

    fn frame(&self, at: usize) -> Result<Vec<u8>, LakeError> {
        let entry = self.index[at];
        let place = || format!("its frame {} (from byte {})", at + 1, entry.raw_offset);
        let len = usize::try_from(entry.len).map_err(|_| LakeError::damaged(&self.path, place()))?;
        let raw_len = usize::try_from(entry.raw_len).map_err(|_| LakeError::damaged(&self.path, place()))?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, entry.offset).map_err(LakeError::io("read", &self.path))?;
        expand(entry.method, &bytes, raw_len)
            .map(std::borrow::Cow::into_owned)
            .map_err(|why| LakeError::damaged(&self.path, format!("{} cannot be expanded: {why}", place())))
    }

    /// `len` delivered bytes from `offset`; fewer where the file ends.
    pub(crate) fn bytes(&self, offset: u64, len: u64) -> Result<Vec<u8>, LakeError> {
        let end = offset.saturating_add(len).min(self.raw_len());
        let mut bytes = Vec::new();
        let mut at = self.index.partition_point(|entry| entry.raw_offset + entry.raw_len <= offset);
        let mut from = offset;
        while from < end {
            let entry = self.index[at];
            let frame = self.frame(at)?;
            let within = |position: u64| usize::try_from(position - entry.raw_offset).unwrap_or(usize::MAX);
            let stop = within(end).min(frame.len());
            bytes.extend_from_slice(&frame[within(from)..stop]);
            from = entry.raw_offset + entry.raw_len;
            at += 1;
        }
        Ok(bytes)
    }

    /// Whether the delivered bytes still have their digest.
    pub(crate) fn check(&self, sha256: &[u8; 32]) -> Result<(), LakeError> {
        let mut digest = Sha256::new();
        for at in 0..self.index.len() {
            digest.update(&self.frame(at)?);
        }
        let found: [u8; 32] = digest.finalize().into();
        if found == *sha256 {
            return Ok(());
        }
        let what = format!("its content has SHA-256 {}", hex::encode(found));
        Err(LakeError::damaged(&self.path, what))
    }

    pub(crate) fn reader(self) -> DeliveryReader {
        DeliveryReader { delivery: self, position: 0, frame: None }
    }
}

fn read_index(file: &File, size: u64, sha256: &[u8; 32]) -> Result<Vec<Entry>, String> {
    let short = || "it is too short".to_owned();
    let cannot_read = |error: io::Error| error.to_string();
    let tail_at = size.checked_sub(TAIL as u64).filter(|&at| at >= 8).ok_or_else(short)?;
    let mut tail = [0; TAIL];
    file.read_exact_at(&mut tail, tail_at).map_err(cannot_read)?;
    if &tail[48..] != MAGIC {
        return Err("its last bytes are not those of a kept delivery".to_owned());
    }
    if tail[..32] != sha256[..] {
        return Err(format!("it is of another file, with SHA-256 {}", hex::encode(&tail[..32])));
    }
    let count = usize::try_from(number(&tail[32..40])).map_err(|_| short())?;
    let index_len = count.checked_mul(ENTRY).ok_or_else(short)?;
    let index_at = tail_at.checked_sub(index_len as u64).ok_or_else(short)?;
    let mut index = vec![0; index_len];
    file.read_exact_at(&mut index, index_at).map_err(cannot_read)?;
    if Sha256::digest(&index)[..8] != tail[40..48] {
        return Err("its index is not as written".to_owned());
    }
    let entries = index.chunks_exact(ENTRY).map(Entry::from_bytes).collect::<Option<Vec<Entry>>>();
    entries.ok_or_else(|| "its index names an unknown method of compression".to_owned())
}

/// Reads a kept file as it was delivered.
pub struct DeliveryReader {
    delivery: Delivery,
    position: u64,
    /// The frame last expanded, and its number.
    frame: Option<(usize, Vec<u8>)>,
}

impl DeliveryReader {
    /// Length of the delivered bytes.
    pub fn size_bytes(&self) -> u64 {
        self.delivery.raw_len()
    }
}

impl Read for DeliveryReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let index = &self.delivery.index;
        let at = index.partition_point(|entry| entry.raw_offset + entry.raw_len <= self.position);
        let Some(&entry) = index.get(at) else { return Ok(0) };
        let frame = match self.frame.take() {
            Some((known, frame)) if known == at => frame,
            _ => self.delivery.frame(at).map_err(io::Error::other)?,
        };
        let from = usize::try_from(self.position - entry.raw_offset).unwrap_or(usize::MAX);
        let rest = frame.get(from..).unwrap_or(&[]);
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        self.position += len as u64;
        self.frame = Some((at, frame));
        Ok(len)
    }
}

impl Seek for DeliveryReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.size_bytes().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before_start = || io::Error::new(io::ErrorKind::InvalidInput, "a seek before the first byte");
        self.position = position.ok_or_else(before_start)?;
        Ok(self.position)
    }
}
