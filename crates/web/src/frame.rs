//! What surrounds every page: who is signed in, where one is, the period one looks at, what was just done;
//! and how amounts, counts and times are written for people.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use billing::Period;
use billing::period::PeriodState;
use ledger::Role;
use money::{Amount, Currency, Minor, grouped};

use crate::access::Caller;
use crate::error::{ErrorKind, PageError, PageResult};
use crate::flash::{Notice, Tone};
use crate::unsent::{self, Unsent};
use crate::{App, assets, cookies};

/// A page is a struct with a template; this makes the response.
///
/// # Errors
/// A template that cannot be rendered.
pub fn page(template: &impl Template) -> PageResult<Response> {
    Ok(Html(template.render()?).into_response())
}

/// The same for a form that was refused: the page again, saying why.
///
/// # Errors
/// A template that cannot be rendered.
pub fn refused_page(template: &impl Template) -> PageResult<Response> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(template.render()?)).into_response())
}

#[derive(Clone, Debug)]
pub struct Frame {
    /// Of the page; the browser's title adds the program's name.
    pub title: String,
    /// The guide's page for this one.
    pub help: &'static str,
    /// Of the address, without what stands behind `?`.
    pub path: String,
    /// `None` for a visitor.
    pub caller: Option<Arc<Caller>>,
    pub theme: Theme,
    pub notice: Option<Notice>,
    pub currency: Arc<Currency>,
    pub institution: String,
    /// The period that the page is about, or that was looked at before.
    pub period: Option<Period>,
    /// The latest first.
    pub periods: Arc<Vec<KnownPeriod>>,
    pub version: &'static str,
}

#[derive(Clone, Debug)]
pub struct KnownPeriod {
    pub period: Period,
    pub state: PeriodState,
}

impl KnownPeriod {
    /// Whether it is the one that was chosen.
    #[must_use]
    pub fn is(&self, chosen: &Option<Period>) -> bool {
        *chosen == Some(self.period)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    #[must_use]
    pub fn named(name: &str) -> Theme {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// A group of the navigation.
pub struct NavGroup {
    pub name: &'static str,
    pub links: &'static [NavLink],
}

pub struct NavLink {
    pub to: &'static str,
    pub name: &'static str,
    pub icon: &'static str,
    pub needs: Role,
    /// Whether it shows one period, which the link carries along.
    pub of_period: bool,
}

const fn link(to: &'static str, name: &'static str, icon: &'static str, of_period: bool) -> NavLink {
    NavLink { to, name, icon, needs: Role::Viewer, of_period }
}

pub const NAVIGATION: [NavGroup; 4] = [
    NavGroup {
        name: "Month",
        links: &[
            link("/", "Dashboard", "home", true),
            link("/imports", "Imports", "inbox", true),
            link("/review", "Review", "check", true),
            link("/statements", "Statements", "file", true),
            link("/emails", "E-mails", "mail", true),
            link("/journals", "Journals", "book", true),
            link("/periods", "Periods", "calendar", false),
        ],
    },
    NavGroup {
        name: "Look up",
        links: &[
            link("/charges", "Charges", "list", true),
            link("/projects", "Projects", "folder", true),
            link("/people", "People", "people", false),
            link("/reports", "Reports", "chart", true),
            link("/audit", "Audit", "shield", false),
        ],
    },
    NavGroup {
        name: "Rules",
        links: &[
            link("/attribution", "Attribution", "tag", false),
            link("/rates", "Rates", "price", false),
            link("/subsidies", "Subsidies", "gift", false),
            link("/credits", "Credits", "wallet", false),
            link("/splits", "Splits", "split", false),
        ],
    },
    NavGroup {
        name: "Set up",
        links: &[
            link("/sources", "Sources", "plug", false),
            link("/settings", "Settings", "gear", false),
            NavLink { to: "/users", name: "Users", icon: "key", needs: Role::Admin, of_period: false },
            link("/help", "Help", "help", false),
        ],
    },
];

impl Frame {
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Frame {
        self.title = title.into();
        self
    }

    /// The guide's page for this one: `review`, or `review#bulk`.
    #[must_use]
    pub fn help(mut self, page: &'static str) -> Frame {
        self.help = page;
        self
    }

    #[must_use]
    pub fn of_period(mut self, period: Period) -> Frame {
        self.period = Some(period);
        self
    }

    /// The page of somebody who has just signed in.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub async fn of_caller(mut self, app: &App, caller: Caller) -> PageResult<Frame> {
        let periods = known_periods(app).await?;
        self.period = current(&periods);
        self.periods = Arc::new(periods);
        self.caller = Some(Arc::new(caller));
        "/".clone_into(&mut self.path);
        Ok(self)
    }

    /// The period of the page, for pages that are always about one.
    ///
    /// # Errors
    /// When no period is known yet.
    pub fn need_period(&self) -> PageResult<Period> {
        self.period.ok_or_else(|| PageError::not_found("there is no billing period yet; import a file first"))
    }

    #[must_use]
    pub fn navigation(&self) -> &'static [NavGroup] {
        &NAVIGATION
    }

    #[must_use]
    pub fn shows(&self, link: &NavLink) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(link.needs))
    }

    #[must_use]
    pub fn is_at(&self, link: &NavLink) -> bool {
        if link.to == "/" { self.path == "/" } else { under(&self.path, link.to) }
    }

    #[must_use]
    pub fn address(&self, link: &NavLink) -> String {
        match self.period {
            Some(period) if link.of_period => format!("{}?period={period}", link.to),
            _ => link.to.to_owned(),
        }
    }

    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    #[must_use]
    pub fn csrf(&self) -> &str {
        self.caller.as_ref().map_or("", |caller| caller.csrf())
    }

    #[must_use]
    pub fn may_review(&self) -> bool {
        self.may(Role::Reviewer)
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.may(Role::Admin)
    }

    fn may(&self, role: Role) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(role))
    }

    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.notice.as_ref().is_some_and(|notice| notice.tone == Tone::Warning)
    }

    /// `open`, `closed` or `finalized`.
    #[must_use]
    pub fn state_of(&self, period: &Period) -> &'static str {
        self.periods.iter().find(|known| known.period == *period).map_or("", |known| known.state.name())
    }

    /// Posted money.
    #[must_use]
    pub fn money(&self, amount: &Minor) -> String {
        self.currency.display(*amount)
    }

    /// An exact amount, shown to the minor unit.
    #[must_use]
    pub fn cost(&self, amount: &Amount) -> String {
        self.currency.display(amount.round(self.currency.code.places()))
    }

    #[must_use]
    pub fn count(&self, number: &u64) -> String {
        grouped(*number)
    }

    /// `1 statement`, `1,204 statements`.
    #[must_use]
    pub fn some(&self, number: &u64, one: &str, many: &str) -> String {
        if *number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(*number)) }
    }

    /// The page down to what it is about: navigation. Compiled once, not into each page.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        Head { frame: self }
    }

    /// From there to the page's own content: tools, and what an act says.
    #[must_use]
    pub fn tools(&self) -> Tools<'_> {
        Tools { frame: self }
    }

    /// What follows the page's content.
    #[must_use]
    pub fn foot(&self) -> Foot<'_> {
        Foot { frame: self }
    }

    /// A time in UTC, to the minute.
    #[must_use]
    pub fn moment(&self, at: &jiff::Timestamp) -> String {
        at.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

#[derive(Template)]
#[template(path = "parts/head.html")]
pub struct Head<'a> {
    frame: &'a Frame,
}

#[derive(Template)]
#[template(path = "parts/tools.html")]
pub struct Tools<'a> {
    frame: &'a Frame,
}

#[derive(Template)]
#[template(path = "parts/foot.html")]
pub struct Foot<'a> {
    frame: &'a Frame,
}

fn under(path: &str, to: &str) -> bool {
    path.strip_prefix(to).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// [`grouped`], as templates call it.
#[must_use]
pub fn counted(number: &u64) -> String {
    grouped(*number)
}

impl FromRequestParts<App> for Frame {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Frame, PageError> {
        let caller = parts.extensions.get::<Caller>().cloned().map(Arc::new);
        let periods = match &caller {
            Some(_) => known_periods(app).await?,
            None => Vec::new(),
        };
        let asked = parts.uri.query().and_then(|query| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix("period="))?;
            pair.parse::<Period>().ok()
        });
        Ok(Frame {
            title: String::new(),
            help: "",
            path: parts.uri.path().to_owned(),
            caller,
            theme: theme(parts, app),
            notice: parts.extensions.get::<Notice>().cloned(),
            currency: Arc::new(app.installation.settings.currency.clone()),
            institution: app.installation.institution.name.clone(),
            period: asked.or_else(|| current(&periods)),
            periods: Arc::new(periods),
            version: app.settings.version,
        })
    }
}

async fn known_periods(app: &App) -> PageResult<Vec<KnownPeriod>> {
    let mut reader = app.installation.ledger.read().await?;
    let mut periods: Vec<KnownPeriod> = reader
        .list_periods(None)
        .await?
        .into_iter()
        .map(|record| KnownPeriod { period: record.period, state: record.state })
        .collect();
    periods.sort_by_key(|known| std::cmp::Reverse(known.period));
    Ok(periods)
}

/// What the office works on: the earliest period that is not final, else the latest.
fn current(periods: &[KnownPeriod]) -> Option<Period> {
    let unfinished = periods.iter().rev().find(|known| !matches!(known.state, PeriodState::Finalized { .. }));
    unfinished.or(periods.first()).map(|known| known.period)
}

fn theme(parts: &Parts, app: &App) -> Theme {
    let name = cookies::name("theme", app.settings.is_secure());
    cookies::read(&parts.headers, &name).map_or(Theme::System, Theme::named)
}

/// The page of an error.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    error: PageError,
    /// Where the visitor came from or wanted to.
    back: String,
    request_id: String,
}

impl ErrorPage {
    fn is(&self, kind: ErrorKind) -> bool {
        self.error.kind == kind
    }
}

/// The page that a form was on.
fn back(parts: &Parts) -> String {
    let referer = parts.headers.get("referer").and_then(|value| value.to_str().ok());
    let uri = referer.and_then(|text| text.parse::<axum::http::Uri>().ok());
    let path = uri.and_then(|uri| uri.path_and_query().map(|path| path.as_str().to_owned()));
    crate::form::own(&path.unwrap_or_default())
}

/// Make a page, a part of one, or JSON of an error, by who asks.
pub async fn show_error(
    app: &App,
    mut parts: Parts,
    error: PageError,
    request_id: &str,
    unsent: Option<Unsent>,
) -> Response {
    if parts.uri.path().starts_with("/api/") && parts.uri.path() != "/api/docs" {
        return crate::api::error(error, request_id);
    }
    let goes_to = match error.kind {
        ErrorKind::SignedOut if parts.method == axum::http::Method::GET => {
            let next = parts.uri.path_and_query().map_or("/", |next| next.as_str());
            Some(format!("/sign-in?next={}", crate::form::encoded(next)))
        }
        ErrorKind::NeedsTotp => Some("/sign-in/code".to_owned()),
        ErrorKind::NeedsNewPassword => Some("/account/password".to_owned()),
        _ => None,
    };
    let is_part = parts.headers.contains_key("hx-request");
    if let Some(to) = goes_to {
        let header = if is_part { "hx-redirect" } else { "location" };
        let status = if is_part { StatusCode::OK } else { StatusCode::SEE_OTHER };
        return (status, [(header, to)]).into_response();
    }
    let back = back(&parts);
    let status = error.status;
    let title = status.canonical_reason().unwrap_or("Error").to_owned();
    let frame = match Frame::from_request_parts(&mut parts, app).await {
        Ok(frame) => frame.titled(title),
        Err(_) => return (status, "something went wrong; the log knows more").into_response(),
    };
    if !is_part
        && let Ok(Some(page)) = unsent::instead(app, &parts.headers, &frame, error.kind, unsent, &back)
    {
        return (status, page).into_response();
    }
    let request_id = request_id.to_owned();
    let page = ErrorPage { frame, error, back, request_id };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => status.into_response(),
    }
}
