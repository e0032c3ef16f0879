//! A statement as its reader sees it, through poppler's `pdftotext` (`scripts/test` installs it).

use std::path::Path;
use std::process::Command;

/// The words of a PDF in reading order.
pub fn pdf_text(path: &Path) -> String {
    pdftotext(&["-layout"], path)
}

/// A word and the box that it fills, in points from the top left of its page.
pub struct Word {
    pub page: usize,
    pub text: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Word {
    /// Whether two words are printed over each other, by more than their side bearings.
    pub fn covers(&self, other: &Word) -> bool {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        let smaller = (self.bottom - self.top).min(other.bottom - other.top);
        self.page == other.page && 1.0 < width && smaller * 0.5 < height
    }
}

/// Every word with its place, from `pdftotext -bbox`.
pub fn pdf_words(path: &Path) -> Vec<Word> {
    let mut words = Vec::new();
    let mut page = 0;
    for line in pdftotext(&["-bbox"], path).lines() {
        page += usize::from(line.trim_start().starts_with("<page "));
        let Some(rest) = line.trim_start().strip_prefix("<word ") else { continue };
        let attribute = |name: &str| -> f64 {
            let (_, value) = rest.split_once(&format!("{name}=\"")).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        let (_, text) = rest.split_once('>').unwrap();
        words.push(Word {
            page,
            text: text.trim_end_matches("</word>").to_owned(),
            left: attribute("xMin"),
            top: attribute("yMin"),
            right: attribute("xMax"),
            bottom: attribute("yMax"),
        });
    }
    words
}

fn pdftotext(options: &[&str], path: &Path) -> String {
    let output = Command::new("pdftotext").args(options).arg(path).arg("-").output();
    let output = output.expect("pdftotext is needed to read statements: `apt-get install poppler-utils`");
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
