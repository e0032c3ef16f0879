//! A frame: a run of delivered bytes, compressed on its own, so that any core can make one and any line
//! can be read without what stands before it.

use std::borrow::Cow;

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
    Lz4 = 1,
    Zstd = 2,
}

impl Method {
    pub(crate) fn from_code(code: u64) -> Option<Method> {
        [Method::Stored, Method::Lz4, Method::Zstd].into_iter().find(|&method| method as u64 == code)
    }
}

/// Fast levels are negative. See `examples/frames.rs` for what each costs and gains.
const LEVEL: i32 = -3;

/// Compress a run of delivered bytes: whole records, 1 to 16 MB. `first_line` is the number of its first
/// line, where known. What does not shrink by a sixteenth (it was compressed when it came) is stored.
pub fn compress_frame(raw: &[u8], first_line: Option<u64>) -> Frame {
    let packed = zstd::bulk::compress(raw, LEVEL).ok().filter(|packed| packed.len() < raw.len() / 16 * 15);
    let (method, bytes) =
        packed.map_or_else(|| (Method::Stored, raw.to_vec()), |bytes| (Method::Zstd, bytes));
    Frame { raw_len: raw.len() as u64, first_line, method, bytes }
}

/// The delivered bytes of a frame, or why they cannot be had.
pub(crate) fn expand(method: Method, bytes: &[u8], raw_len: usize) -> Result<Cow<'_, [u8]>, String> {
    let raw = match method {
        Method::Stored => Cow::Borrowed(bytes),
        Method::Lz4 => {
            lz4_flex::block::decompress(bytes, raw_len).map(Cow::Owned).map_err(|error| error.to_string())?
        }
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
