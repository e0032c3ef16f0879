//! The PDF of a statement: `page` says what stands on it, `templates/statement.typ` where, `words` makes
//! names printable, `world` gives Typst all that and nothing else.

mod page;
pub mod sample;
mod words;
mod world;

use std::fmt;
use std::sync::Arc;

use billing::statement::Statement;
use typst::foundations::Smart;
use typst::syntax::Source;
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use page::{Page, Spacing};
use words::{Script, Words};
use world::{Fonts, World};

/// Whose statements these are: the letterhead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Institution {
    pub name: String,
    pub logo: Option<Logo>,
    /// Where questions go; nothing is said when it is empty.
    pub contact_email: String,
    pub paper: Paper,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    pub bytes: Vec<u8>,
    pub kind: LogoKind,
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoKind {
    Png,
    Jpeg,
    Svg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    #[default]
    UsLetter,
    A4,
}

/// An institution's own page instead of the built-in one: the text of a `.typ` file.
///
/// It reads `json("/statement.json")`, has the fonts of Typst and the institution's own, and nothing
/// else: no files, no packages, no clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What errors call it, usually its path.
    pub name: String,
    pub text: String,
}

/// Renders statements. Cheap to share: threads may render through one renderer at a time each.
#[derive(Debug)]
pub struct StatementRenderer {
    template: Source,
    /// The same with a word across every page, whoever wrote the template.
    draft_template: Source,
    template_name: String,
    institution: Institution,
    fonts: Arc<Fonts>,
}

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// What Typst says about the template, one line for each error: `statement.typ:3:7: unknown variable`.
    #[error("statement template: {}", .0.join("; "))]
    Template(Vec<String>),
    #[error("statement `{number}` does not become an accessible PDF: {}", .problems.join("; "))]
    Pdf { number: String, problems: Vec<String> },
    #[error("font {0} of the institution is not an OpenType or TrueType font")]
    Font(usize),
}

/// Statements up to this many resource lines are set tighter where that keeps them on one page.
const ONE_PAGE_LINES: usize = 20;

/// More rows than this never fit on one page when set roomily, so that is not tried.
const ROOMY_ROWS: usize = 29;

fn first_spacing(statement: &Statement) -> Spacing {
    // Each service is a row among the services and the head of a group among the resources.
    let rows = statement.resources.len() + 2 * statement.lines.len();
    let short = statement.resources.len() <= ONE_PAGE_LINES;
    if short && ROOMY_ROWS < rows { Spacing::Dense } else { Spacing::Roomy }
}

/// Pale, behind the text, and no part of what a screen reader reads: the template says it in words.
const DRAFT_MARK: &str =
    "#set page(background: rotate(-55deg, text(150pt, weight: \"bold\", fill: luma(235))[DRAFT]));";

const BUILT_IN: &str = include_str!("../../templates/statement.typ");

impl StatementRenderer {
    /// `fonts` are files of the institution's own, for its template and for scripts that the built-in
    /// fonts do not cover.
    pub fn new(
        template: Option<Template>,
        institution: Institution,
        fonts: &[Vec<u8>],
    ) -> Result<StatementRenderer, RenderError> {
        let template = template
            .unwrap_or_else(|| Template { name: "statement.typ".to_owned(), text: BUILT_IN.to_owned() });
        // On the template's first line, so that its errors keep their lines.
        let draft = format!("{DRAFT_MARK}{}", template.text);
        Ok(StatementRenderer {
            draft_template: Source::new(world::file_id("/draft.typ"), draft),
            template: Source::new(world::file_id("/statement.typ"), template.text),
            template_name: template.name,
            institution,
            fonts: Fonts::with(fonts).map_err(RenderError::Font)?,
        })
    }

    /// Whether template, logo and fonts make a statement, tried with an invented one. For the check of a
    /// configuration, before anything is committed.
    pub fn check(&self) -> Result<(), RenderError> {
        let shape = sample::Shape { subsidy: true, several_funds: true, rest: 1, ..sample::Shape::default() };
        self.render(&sample::statement(&shape)).map(|_| ())
    }

    /// The statement as a tagged PDF (PDF/UA-1). The same statement gives the same bytes. One of version 0
    /// was not issued, and every page says DRAFT.
    pub fn render(&self, statement: &Statement) -> Result<Vec<u8>, RenderError> {
        let words = Words::new(&self.fonts, Script::Any);
        let mut result = self.render_with(statement, &words);
        if let Err(RenderError::Pdf { .. }) = result {
            // A character was covered by some font, but not together with its neighbours (combining
            // marks): say its number instead of failing.
            result = self.render_with(statement, &Words::new(&self.fonts, Script::Plain));
        }
        // What Typst remembers grows without end; the next statement shares little with this one.
        typst::comemo::evict(0);
        result
    }

    fn render_with(&self, statement: &Statement, words: &Words) -> Result<Vec<u8>, RenderError> {
        export(statement, &self.lay_out(statement, words)?)
    }

    /// As roomy as fits: a short statement is set tighter before it takes a second page.
    fn lay_out(&self, statement: &Statement, words: &Words) -> Result<PagedDocument, RenderError> {
        let mut document = self.compile(statement, words, first_spacing(statement))?;
        let tighter = [Spacing::Dense, Spacing::Tight];
        for spacing in tighter.into_iter().filter(|&spacing| first_spacing(statement) < spacing) {
            if document.pages().len() > 1 && statement.resources.len() <= ONE_PAGE_LINES {
                document = self.compile(statement, words, spacing)?;
            }
        }
        Ok(document)
    }

    fn compile(
        &self,
        statement: &Statement,
        words: &Words,
        spacing: Spacing,
    ) -> Result<PagedDocument, RenderError> {
        let page = Page::of(statement, &self.institution, words, spacing);
        let template = if page::is_draft(statement) { &self.draft_template } else { &self.template };
        let world = World::new(
            &self.fonts,
            template,
            self.institution.logo.as_ref(),
            page.json(),
            statement.issued_on,
        );
        typst::compile(&world)
            .output
            .map_err(|errors| RenderError::Template(world.describe(&self.template_name, &errors)))
    }
}

fn export(statement: &Statement, document: &PagedDocument) -> Result<Vec<u8>, RenderError> {
    let refuse = |problems| RenderError::Pdf { number: statement.number.to_string(), problems };
    let standards =
        PdfStandards::new(&[PdfStandard::Ua_1]).map_err(|error| refuse(vec![error.message().to_string()]))?;
    let options = PdfOptions {
        ident: Smart::Custom(format!("{} v{}", statement.number, statement.version)),
        creator: Smart::Custom(Some("OpenChargeback".to_owned())),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(document, &options)
        .map_err(|errors| refuse(errors.iter().map(|error| error.message.to_string()).collect()))
}
#[cfg(test)]
mod tests;
