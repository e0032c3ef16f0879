//! A frame: a run of delivered bytes, compressed on its own, so that any core can make one and any line
//! can be read without what stands before it.

use std::borrow::Cow;
use std::cell::RefCell;

use zstd::bulk::Compressor;

/// A compressed run of delivered bytes.
pub struct Frame {
    pub(crate) raw_len: u64,
    pub(crate) first_line: Option<u64>,
    pub(crate) method: Method,
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// Length of the delivered bytes.
    pub fn raw_len(&self) -> u64 {
        self.raw_len
    }

    /// Length as kept.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored = 0,
    Zstd = 1,
}

impl Method {
    pub(crate) fn from_code(code: u64) -> Option<Method> {
        [Method::Stored, Method::Zstd].into_iter().find(|&method| method as u64 == code)
    }
}

/// Of 88 MB of the generator's core file, on one core: −5 gives 1570 MB/s and a seventh of the size, −1
/// 1480 MB/s and a twelfth, 1 1240 MB/s and a nineteenth; LZ4 1500 MB/s and a ninth; SHA-256 1630 MB/s.
const LEVEL: i32 = -1;

/// Compress a run of delivered bytes: whole records, 1 to 16 MB. `first_line` is the number of its first
/// line, where known. What does not shrink by a sixteenth (it was compressed when it came) is stored.
pub fn compress_frame(raw: &[u8], first_line: Option<u64>) -> Frame {
    let packed = zstd_packed(raw).filter(|packed| packed.len() < raw.len() / 16 * 15);
    let method = if packed.is_some() { Method::Zstd } else { Method::Stored };
    let bytes = packed.unwrap_or_else(|| raw.to_vec());
    Frame { raw_len: raw.len() as u64, first_line, method, bytes }
}

/// `None` when the library refuses; the bytes are then stored as they are.
fn zstd_packed(raw: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    }
    let mut packed = COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(raw).ok())?;
    packed.shrink_to_fit();
    Some(packed)
}

/// The delivered bytes of a frame, or why they cannot be had.
pub(crate) fn expand(method: Method, bytes: &[u8], raw_len: usize) -> Result<Cow<'_, [u8]>, String> {
    let raw = match method {
        Method::Stored => Cow::Borrowed(bytes),
        Method::Zstd => {
            zstd::bulk::decompress(bytes, raw_len).map(Cow::Owned).map_err(|error| error.to_string())?
        }
    };
    if raw.len() == raw_len {
        Ok(raw)
    } else {
        Err(format!("a frame has {} bytes, not {raw_len}", raw.len()))
    }
}
