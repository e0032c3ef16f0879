//! Where fields and records end, 64 bytes at a time.
//!
//! RFC 4180 makes a newline or a comma inside quotes part of the text, so where a record ends depends on
//! every quote before it. Instead of stepping through the bytes, a [`Scanner`] turns 64 of them into bit
//! sets (one bit a byte) and finds "inside quotes" as the running parity of the quotes. The parity is
//! right as long as quotes only open at the start of a field; a quote anywhere else (`5" disk`) is text
//! and is struck from the set, so that cutting and parsing always agree.

/// Bytes looked at in one step.
pub(crate) const STEP: usize = 64;

/// What 64 bytes hold; bit `i` stands for byte `i`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Commas and newlines that end a field.
    pub fields: u64,
    /// Newlines that end a record.
    pub records: u64,
    /// Every newline, also those in quotes: they count as lines.
    pub newlines: u64,
}

/// The state between two steps. The default is the start of a record.
#[derive(Clone)]
pub(crate) struct Scanner {
    /// All ones inside a quoted field, else zero.
    inside: u64,
    /// One if a field may start at the next byte, or if an escaped quote may go on there.
    opens: u64,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner { inside: 0, opens: 1 }
    }
}

impl Scanner {
    pub fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    #[inline]
    pub fn step(&mut self, bytes: &[u8; STEP]) -> Marks {
        let commas = positions(bytes, b',');
        let newlines = positions(bytes, b'\n');
        let mut quotes = positions(bytes, b'"');
        let mut inside;
        loop {
            inside = parity(quotes) ^ self.inside;
            let opening = quotes & inside;
            // After a comma or a newline a field starts; after a quote it is the second of an escaped pair.
            let may_open = ((commas | newlines | quotes) << 1) | self.opens;
            let stray = opening & !may_open;
            if stray == 0 {
                break;
            }
            quotes &= !(stray & stray.wrapping_neg());
        }
        self.inside = if inside >> 63 == 0 { 0 } else { u64::MAX };
        self.opens = (commas | newlines | quotes) >> 63;
        Marks { fields: (commas | newlines) & !inside, records: newlines & !inside, newlines }
    }

    /// Call `visit` with every step of `bytes` and where it begins; the last step is filled up with zeros.
    #[inline]
    pub fn walk(&mut self, bytes: &[u8], mut visit: impl FnMut(usize, Marks)) {
        let (steps, tail) = bytes.as_chunks::<STEP>();
        for (index, step) in steps.iter().enumerate() {
            let marks = self.step(step);
            visit(index * STEP, marks);
        }
        if !tail.is_empty() {
            let marks = self.step(&padded(tail));
            visit(steps.len() * STEP, marks);
        }
    }
}

/// Fewer than 64 bytes as a whole step.
pub(crate) fn padded(tail: &[u8]) -> [u8; STEP] {
    let mut step = [0; STEP];
    step[..tail.len()].copy_from_slice(tail);
    step
}

/// The bit set of the places where `bytes` holds `wanted`.
#[inline]
pub(crate) fn positions(bytes: &[u8; STEP], wanted: u8) -> u64 {
    // The comparison becomes vector instructions; the multiplication gathers eight 0/1 bytes into eight
    // bits. This is as fast as the instruction made for it, and needs neither `unsafe` nor a processor.
    let mut hits = [0_u8; STEP];
    for (hit, byte) in hits.iter_mut().zip(bytes) {
        *hit = u8::from(*byte == wanted);
    }
    let (words, _) = hits.as_chunks::<8>();
    words.iter().rev().fold(0, |set, word| {
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        (set << 8) | gathered
    })
}

/// Bit `i` of the result is the parity of bits `0..=i`.
#[inline]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Where the first record of `bytes` ends (after its newline), if it does.
pub(crate) fn first_record_end(bytes: &[u8]) -> Option<usize> {
    let mut scanner = Scanner::default();
    let (steps, tail) = bytes.as_chunks::<STEP>();
    for (index, step) in steps.iter().enumerate() {
        let records = scanner.step(step).records;
        if records != 0 {
            return Some(index * STEP + bit(records.trailing_zeros()) + 1);
        }
    }
    let records = scanner.step(&padded(tail)).records;
    (records != 0).then(|| steps.len() * STEP + bit(records.trailing_zeros()) + 1)
}

/// A bit's number as a place in a step.
#[inline]
pub(crate) fn bit(number: u32) -> usize {
    number as usize
}

/// Looks for the last record end in bytes that arrive bit by bit, without looking at any twice.
#[derive(Default)]
pub(crate) struct Cutter {
    scanner: Scanner,
    scanned: usize,
    last_end: Option<usize>,
}

impl Cutter {
    /// Where the last whole record of `bytes` ends. `bytes` begins at a record and has only grown since
    /// the last call.
    pub fn last_record_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let (steps, tail) = bytes[self.scanned..].as_chunks::<STEP>();
        for step in steps {
            if let Some(end) = end_of(self.scanner.step(step).records) {
                self.last_end = Some(self.scanned + end);
            }
            self.scanned += STEP;
        }
        // The tail is looked at on the side: the next call sees it again with what follows it.
        let records = self.scanner.clone().step(&padded(tail)).records;
        end_of(records).map(|end| self.scanned + end).or(self.last_end)
    }
}

fn end_of(records: u64) -> Option<usize> {
    (records != 0).then(|| STEP - bit(records.leading_zeros()))
}
