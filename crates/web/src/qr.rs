//! A text as the square code that telephones read: one SVG path, without a style of its own.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Modules around the code that stay light (ISO/IEC 18004 asks for four).
const QUIET: usize = 4;

pub struct Qr {
    /// Of the square, in modules, with the quiet zone.
    pub size: usize,
    /// The dark modules, as the `d` of a path: one piece a run of a row.
    pub path: String,
}

impl Qr {
    /// `None` for a text that is too long to be a code.
    #[must_use]
    pub fn of(text: &str) -> Option<Qr> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] == Color::Dark {
                    let _ = write!(path, "M{} {}h{}v1h-{}z", x + QUIET, y + QUIET, run.len(), run.len());
                }
                x += run.len();
            }
        }
        Some(Qr { size: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_square_with_its_corners() {
        let qr = Qr::of("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!((qr.size - 2 * QUIET - 17) % 4, 0, "a size of the standard");
        assert!(qr.path.starts_with("M4 4h7v1h-7z"), "the finder at the corner: {}", &qr.path[..40]);
        assert!(Qr::of(&"x".repeat(5000)).is_none());
    }
}
