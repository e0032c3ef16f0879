//! What Typst may see: a template, a model, a logo, fonts. No files, no packages, no clock.

use std::fmt;
use std::sync::{Arc, LazyLock};

use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, WorldExt};

use super::{Logo, LogoKind};

/// The fonts of a renderer, those of the institution last.
pub struct Fonts {
    book: LazyHash<FontBook>,
    faces: Vec<Font>,
    /// Families in the order in which they are asked for a character.
    pub families: Vec<String>,
}

impl fmt::Debug for Fonts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.families).finish()
    }
}

static BUILT_IN: LazyLock<Vec<Font>> =
    LazyLock::new(|| typst_assets::fonts().flat_map(|data| Font::iter(Bytes::new(data))).collect());
static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));

const FAMILIES: [&str; 3] = ["Libertinus Serif", "New Computer Modern", "DejaVu Sans Mono"];

impl Fonts {
    /// The built-in fonts and those in `files`; the number (from 1) of a file that is no font.
    pub fn with(files: &[Vec<u8>]) -> Result<Arc<Fonts>, usize> {
        let mut faces = BUILT_IN.clone();
        let mut families: Vec<String> = FAMILIES.map(str::to_owned).to_vec();
        for (at, file) in files.iter().enumerate() {
            let before = faces.len();
            faces.extend(Font::iter(Bytes::new(file.clone())));
            if faces.len() == before {
                return Err(at + 1);
            }
            for font in &faces[before..] {
                if !families.contains(&font.info().family) {
                    families.push(font.info().family.clone());
                }
            }
        }
        Ok(Arc::new(Fonts { book: LazyHash::new(FontBook::from_fonts(&faces)), faces, families }))
    }

    /// Whether the main family has the character (`only_main`), or any family that is asked.
    pub fn cover(&self, character: char, only_main: bool) -> bool {
        let families = if only_main { &self.families[..1] } else { &self.families[..] };
        families.iter().any(|family| {
            self.book
                .select_family(&family.to_lowercase())
                .take(1)
                .filter_map(|at| self.book.info(at))
                .any(|info| info.coverage.contains(u32::from(character)))
        })
    }
}

/// One document's world.
pub struct World<'a> {
    fonts: &'a Fonts,
    template: &'a Source,
    logo: Option<&'a Logo>,
    model: Bytes,
    today: jiff::civil::Date,
}

/// The id of a file that exists only here.
pub fn file_id(path: &str) -> FileId {
    let path = VirtualPath::new(path).expect("a constant path");
    RootedPath::new(VirtualRoot::Project, path).intern()
}

pub fn logo_path(kind: LogoKind) -> &'static str {
    match kind {
        LogoKind::Png => "/logo.png",
        LogoKind::Jpeg => "/logo.jpg",
        LogoKind::Svg => "/logo.svg",
    }
}

impl<'a> World<'a> {
    pub fn new(
        fonts: &'a Fonts,
        template: &'a Source,
        logo: Option<&'a Logo>,
        model: Vec<u8>,
        today: jiff::civil::Date,
    ) -> World<'a> {
        World { fonts, template, logo, model: Bytes::new(model), today }
    }

    /// `statement.typ:3:7: unknown variable: x (did you mean …)`, one for each error.
    pub fn describe(&self, name: &str, errors: &[SourceDiagnostic]) -> Vec<String> {
        let one = |error: &SourceDiagnostic| {
            let place = self
                .range(error.span)
                .and_then(|range| self.template.lines().byte_to_line_column(range.start))
                .map_or_else(
                    || name.to_owned(),
                    |(line, column)| format!("{name}:{}:{}", line + 1, column + 1),
                );
            let hints = error.hints.iter().map(|hint| format!(" ({})", hint.v)).collect::<Vec<_>>().concat();
            format!("{place}: {}{hints}", error.message)
        };
        errors.iter().map(one).collect()
    }
}

impl typst::World for World<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.fonts.book
    }

    fn main(&self) -> FileId {
        self.template.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() { Ok(self.template.clone()) } else { Err(missing(id)) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        match (id.vpath().get_with_slash(), self.logo) {
            ("/statement.json", _) => Ok(self.model.clone()),
            (path, Some(logo)) if path == logo_path(logo.kind) => Ok(Bytes::new(logo.bytes.clone())),
            _ => Err(missing(id)),
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.faces.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        let month = u8::try_from(self.today.month()).ok()?;
        Datetime::from_ymd(self.today.year().into(), month, u8::try_from(self.today.day()).ok()?)
    }
}

fn missing(id: FileId) -> FileError {
    FileError::NotFound(id.vpath().get_without_slash().into())
}
