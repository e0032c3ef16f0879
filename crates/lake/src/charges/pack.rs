//! Parquet's integer encodings, driven directly: keys that the intake has already made are written as
//! they are, and nothing is hashed or boxed a second time (Apache Parquet, Encodings).

/// Append `values` with `width` bits each, lowest bit first, padded to whole bytes.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let (mut word, mut filled) = (0_u64, 0_u32);
    for value in values {
        word |= value << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            word = if filled == 0 { 0 } else { value >> (width - filled) };
        }
    }
    let rest = filled.div_ceil(8) as usize;
    out.extend_from_slice(&word.to_le_bytes()[..rest]);
}

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

/// Bits that hold every number up to `max`.
pub(crate) fn width_of(max: u64) -> u32 {
    64 - max.leading_zeros()
}

/// `DELTA_BINARY_PACKED`, in blocks of 128 with four miniblocks.
pub(crate) fn delta(values: &[i64], out: &mut Vec<u8>) {
    const BLOCK: usize = 128;
    const MINI: usize = 32;
    varint(BLOCK as u64, out);
    varint((BLOCK / MINI) as u64, out);
    varint(values.len() as u64, out);
    let Some(&first) = values.first() else {
        zigzag(0, out);
        return;
    };
    zigzag(first, out);
    let mut previous = first;
    let mut deltas = [0_i64; BLOCK];
    for block in values[1..].chunks(BLOCK) {
        let mut least = i64::MAX;
        for (delta, &value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(previous);
            previous = value;
            least = least.min(*delta);
        }
        // What is beyond the last value is padding, and costs no bits.
        deltas[block.len()..].fill(least);
        zigzag(least, out);
        let mut above = [0_u64; BLOCK];
        for (above, delta) in above.iter_mut().zip(&deltas) {
            *above = delta.wrapping_sub(least).cast_unsigned();
        }
        let mut widths = [0_u8; BLOCK / MINI];
        for (width, mini) in widths.iter_mut().zip(above.chunks_exact(MINI)) {
            *width = width_of(mini.iter().fold(0, |bits, &value| bits | value)).to_le_bytes()[0];
        }
        out.extend_from_slice(&widths);
        for (&width, mini) in widths.iter().zip(above.chunks_exact(MINI)) {
            pack(mini.iter().copied(), u32::from(width), out);
        }
    }
}

/// The RLE / bit-packed hybrid: one run where all values are equal, else one bit-packed run.
pub(crate) fn hybrid(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let Some((&first, rest)) = values.split_first() else { return };
    if rest.iter().all(|&value| value == first) {
        varint((values.len() as u64) << 1, out);
        out.extend_from_slice(&first.to_le_bytes()[..width.div_ceil(8) as usize]);
        return;
    }
    let groups = values.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let padding = groups * 8 - values.len();
    pack(values.iter().map(|&value| u64::from(value)).chain(std::iter::repeat_n(0, padding)), width, out);
}

/// Definition levels of an optional column: which of `rows` values are there.
pub(crate) fn presence(rows: usize, nulls: usize, present: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    if nulls == 0 || nulls == rows {
        varint((rows as u64) << 1, out);
        out.push(u8::from(nulls == 0));
        return;
    }
    let groups = rows.div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let padding = groups * 8 - rows;
    pack(present.map(u64::from).chain(std::iter::repeat_n(0, padding)), 1, out);
}
