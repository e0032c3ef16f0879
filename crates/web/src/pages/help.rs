//! The guide: its pages as they are in `docs/guide`, compiled in, with a search over their sections.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};
use serde::Deserialize;

use crate::access::Access;
use crate::error::{PageError, PageResult};
use crate::form::Query;
use crate::frame::{Frame, page};
use crate::routes::Routes;

pub fn routes() -> Routes {
    Routes::default().page("/help", Access::Viewer, index).page("/help/{page}", Access::Viewer, show)
}

macro_rules! guide {
    ($($folder:literal: $($name:literal),* $(,)?);* $(;)?) => {
        /// File names in `docs/guide` and the folders beside it, in the order that they are read in, and their
        /// texts.
        const TEXTS: &[(&str, &str)] =
            &[$($(($name, include_str!(concat!("../../../../docs/", $folder, "/", $name, ".md")))),*),*];
    };
}

guide![
    "guide": "web",
    "operations",
    "overview",
    "review",
    "attribution",
    "people",
    "awards",
    "rates",
    "connectors",
    "subsidies",
    "credits",
    "splits",
    "statements-and-journals",
    "why",
    "verify",
    "accounts",
    "api";
    "integrations": "slurm", "TEMPLATE", "TAG-SPECIFICATION";
];

/// A page of the guide.
struct GuidePage {
    name: &'static str,
    title: String,
    /// Its first sentences.
    about: String,
    html: String,
    sections: Vec<Section>,
}

/// What stands under a heading.
struct Section {
    heading: String,
    /// Of the heading in its page; the whole page's is empty.
    id: String,
    text: String,
}

static GUIDE: LazyLock<Vec<GuidePage>> =
    LazyLock::new(|| TEXTS.iter().map(|(name, text)| GuidePage::read(name, text)).collect());

impl GuidePage {
    fn read(name: &'static str, text: &str) -> GuidePage {
        let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
        let sections = head(&mut events);
        let about = sentences(&events);
        let events = events.into_iter().flat_map(safe);
        let mut html = String::with_capacity(2 * text.len());
        pulldown_cmark::html::push_html(&mut html, events);
        let first = sections.first();
        let title = first.map_or_else(|| name.to_owned(), |section| section.heading.clone());
        GuidePage { name, title, about, html, sections }
    }
}

/// Give every heading an id, and gather what stands under each.
fn head(events: &mut [Event<'_>]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut at = 0;
    while at < events.len() {
        if let Event::Start(Tag::Heading { .. }) = events[at] {
            let end = events[at..]
                .iter()
                .position(|event| matches!(event, Event::End(TagEnd::Heading(_))))
                .map_or(events.len(), |length| at + length);
            let heading: String = events[at + 1..end].iter().filter_map(words).collect();
            let id = if sections.is_empty() { String::new() } else { unique(&slug(&heading), &sections) };
            if let (Event::Start(Tag::Heading { id: given, .. }), false) = (&mut events[at], id.is_empty()) {
                *given = Some(CowStr::from(id.clone()));
            }
            sections.push(Section { heading, id, text: String::new() });
            at = end;
        } else if let (Some(section), Some(words)) = (sections.last_mut(), words(&events[at])) {
            section.text.push_str(words);
        } else if let (Some(section), Event::End(_)) = (sections.last_mut(), &events[at])
            && !section.text.ends_with(' ')
            && is_block_end(&events[at])
        {
            section.text.push(' ');
        }
        at += 1;
    }
    sections
}

fn is_block_end(event: &Event<'_>) -> bool {
    use TagEnd::{CodeBlock, Item, Paragraph, TableCell};
    matches!(event, Event::End(Paragraph | Item | CodeBlock | TableCell))
}

fn words<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    }
}

/// As the guide's own links have it: lower case, words with hyphens between.
fn slug(heading: &str) -> String {
    let mut slug = String::new();
    for c in heading.to_lowercase().chars() {
        match c {
            c if c.is_alphanumeric() || c == '_' => slug.push(c),
            ' ' | '-' => slug.push('-'),
            _ => {}
        }
    }
    slug
}

fn unique(slug: &str, sections: &[Section]) -> String {
    let is_taken = |id: &str| sections.iter().any(|section| section.id == id);
    let mut id = slug.to_owned();
    let mut number = 1;
    while is_taken(&id) {
        id = format!("{slug}-{number}");
        number += 1;
    }
    id
}

/// What the page may hold: no markup of its own, no style that browsers would be told to refuse, links to
/// other pages of the guide as pages here, and no links to files that are not served.
fn safe(event: Event<'_>) -> Vec<Event<'_>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
        Event::Start(Tag::Table(columns)) => {
            let open = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\">";
            let plain = vec![pulldown_cmark::Alignment::None; columns.len()];
            vec![Event::Html(open.into()), Event::Start(Tag::Table(plain))]
        }
        end @ Event::End(TagEnd::Table) => vec![end, Event::Html("</div>\n".into())],
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => Vec::new(),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = CowStr::from(address(&dest_url));
            vec![Event::Start(Tag::Link { link_type, dest_url, title, id })]
        }
        other => vec![other],
    }
}

/// Where a link of the guide leads here; what is not served leads to the guide's first page.
fn address(link: &str) -> String {
    if link.starts_with('#') || link.starts_with("https://") {
        return link.to_owned();
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let name = file.strip_suffix(".md").unwrap_or_default().rsplit('/').next().unwrap_or_default();
    if !TEXTS.iter().any(|(known, _)| *known == name) {
        return "/help".to_owned();
    }
    let anchor = anchor.map_or_else(String::new, |anchor| format!("#{anchor}"));
    format!("/help/{name}{anchor}")
}

/// What a page begins with: its first sentences, as long as they are short.
fn sentences(events: &[Event<'_>]) -> String {
    const ABOUT: usize = 160;
    let from = events.iter().position(|event| matches!(event, Event::Start(Tag::Paragraph)));
    let paragraph = from.map_or(&[][..], |from| &events[from..]);
    let to = paragraph.iter().position(|event| matches!(event, Event::End(TagEnd::Paragraph)));
    let text: String = paragraph[..to.unwrap_or(0)].iter().filter_map(words).collect();
    let ends = text.match_indices(". ").map(|(at, _)| at + 1);
    let end = ends.take_while(|end| *end <= ABOUT).last().or_else(|| text.find(". ").map(|at| at + 1));
    text[..end.unwrap_or(text.len())].trim_end_matches(':').to_owned()
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

/// A section that says what was asked for.
struct Found {
    to: String,
    page: &'static str,
    heading: &'static str,
    /// What stands around the words, and whether each piece is one of them.
    excerpt: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "help/index.html")]
struct IndexPage {
    frame: Frame,
    asked: String,
    found: Vec<Found>,
    pages: &'static [GuidePage],
}

async fn index(frame: Frame, Query(asked): Query<Asked>) -> PageResult<Response> {
    let found = search(&asked.q);
    page(&IndexPage { frame: frame.titled("Help"), asked: asked.q, found, pages: &GUIDE })
}

#[derive(Template)]
#[template(path = "help/show.html")]
struct ShowPage {
    frame: Frame,
    shown: &'static GuidePage,
    pages: &'static [GuidePage],
}

async fn show(Path(name): Path<String>, frame: Frame) -> PageResult<Response> {
    let shown = GUIDE.iter().find(|page| page.name == name);
    let shown = shown.ok_or_else(|| PageError::not_found("the guide has no such page"))?;
    page(&ShowPage { frame: frame.titled(shown.title.clone()), shown, pages: &GUIDE })
}

const FOUND: usize = 30;

/// Sections that have every word, those that have them in their headings first.
fn search(asked: &str) -> Vec<Found> {
    let terms: Vec<String> = asked.to_lowercase().split_whitespace().take(8).map(str::to_owned).collect();
    if terms.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, Found)> = Vec::new();
    for page in GUIDE.iter() {
        for section in &page.sections {
            let (heading, text) = (section.heading.to_lowercase(), section.text.to_lowercase());
            let title = page.title.to_lowercase();
            if !terms.iter().all(|term| [&heading, &text, &title].iter().any(|part| part.contains(term))) {
                continue;
            }
            // Every section of a page has its title; the page itself is enough then.
            let in_own = terms.iter().filter(|term| heading.contains(*term) || text.contains(*term)).count();
            if in_own == 0 {
                continue;
            }
            let weight = terms
                .iter()
                .map(|term| {
                    20 * heading.matches(term).count()
                        + 5 * title.matches(term).count()
                        + text.matches(term).count().min(10)
                })
                .sum();
            let anchor = if section.id.is_empty() { String::new() } else { format!("#{}", section.id) };
            let to = format!("/help/{}{anchor}", page.name);
            let excerpt = excerpt(&section.text, &terms);
            found.push((weight, Found { to, page: &page.title, heading: &section.heading, excerpt }));
        }
    }
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().take(FOUND).map(|(_, found)| found).collect()
}

/// Some words around the first of the terms, with all of them marked.
fn excerpt(text: &str, terms: &[String]) -> Vec<(String, bool)> {
    const BEFORE: usize = 60;
    const LONG: usize = 220;
    let characters: Vec<char> = text.chars().collect();
    // One character is one character here, also where its lower case is two.
    let lower: Vec<char> = characters.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let starts_at = |at: usize| {
        terms.iter().map(|term| term.chars().count()).zip(terms).find_map(|(length, term)| {
            let slice = lower.get(at..at + length)?;
            (length > 0 && slice.iter().copied().eq(term.chars())).then_some(length)
        })
    };
    let first = (0..lower.len()).find(|at| starts_at(*at).is_some()).unwrap_or(0);
    let mut from = first.saturating_sub(BEFORE);
    while from > 0 && from < first && !characters[from - 1].is_whitespace() {
        from += 1;
    }
    let to = (from + LONG).min(characters.len());
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut plain = if from > 0 { "… ".to_owned() } else { String::new() };
    let mut at = from;
    while at < to {
        if let Some(length) = starts_at(at) {
            pieces.push((std::mem::take(&mut plain), false));
            pieces.push((characters[at..at + length].iter().collect(), true));
            at += length;
        } else {
            plain.push(characters[at]);
            at += 1;
        }
    }
    if to < characters.len() {
        plain.push_str(" …");
    }
    pieces.push((plain, false));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_guide_is_here_and_its_links_lead_somewhere() {
        let folders = ["guide", "integrations"].map(|name| {
            std::fs::read_dir(format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        });
        let mut files: Vec<String> = folders
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        let mut known: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).collect();
        known.sort_unstable();
        assert_eq!(known, files);
        let mut wrong = Vec::new();
        for page in GUIDE.iter() {
            assert!(!page.html.contains("style=") && !page.html.contains("<img"), "{}", page.name);
            for link in page.html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                if !leads_somewhere(page.name, link) {
                    wrong.push(format!("{}: {link}", page.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn leads_somewhere(on: &str, link: &str) -> bool {
        if link.starts_with("https://") || link == "/help" {
            return true;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let name = path.strip_prefix("/help/").unwrap_or(on);
        GUIDE.iter().any(|page| {
            page.name == name
                && (anchor.is_empty() || page.sections.iter().any(|section| section.id == anchor))
        })
    }

    #[test]
    fn a_page_holds_no_markup_of_its_own() {
        let text = "# T\n\n<script>alert(1)</script> ![x](y.png) [decision](../decisions/0001.md)\n\n|a|b|\n|--:|---|\n|1|2|\n\n## A b!\n\n[there](review.md#x) <b>bold</b>\n";
        let page = GuidePage::read("web", text);
        for never in ["<script", "<img", "<b>", "style="] {
            assert!(!page.html.contains(never), "{}", page.html);
        }
        assert!(page.html.contains("<h2 id=\"a-b\">"), "{}", page.html);
        assert!(page.html.contains("href=\"/help/review#x\""), "{}", page.html);
    }

    #[test]
    fn what_is_asked_for_is_found_in_headings_first() {
        let found = search("quarantine");
        assert!(!found.is_empty());
        assert!(found.iter().all(|one| one.excerpt.iter().any(|(_, is_term)| *is_term)
            || one.heading.to_lowercase().contains("quarantine")));
        assert!(search("withdraw")[0].to.starts_with("/help/web"), "{}", search("withdraw")[0].to);
        assert!(search("no-such-word-anywhere").is_empty() && search("  ").is_empty());
        let marked = excerpt("Ünder the Tree", &["tree".to_owned()]);
        assert_eq!(marked[1], ("Tree".to_owned(), true));
    }
}
