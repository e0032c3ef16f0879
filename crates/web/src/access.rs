//! Who may use a route. Every route is guarded; what is not said is refused.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ledger::Role;
use subtle::ConstantTimeEq;
use workflow::accounts::Session;
use workflow::{Actor, Refusal};

use crate::error::PageError;
use crate::routes::Token;
use crate::unsent::Unsent;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody: signing in, health, the look of pages.
    Public,
    /// Signed in, also where a second factor or a new password is still asked for.
    HalfSignedIn,
    Viewer,
    Reviewer,
    Admin,
}

impl Access {
    fn needs(self) -> Option<Role> {
        match self {
            Access::Public | Access::HalfSignedIn => None,
            Access::Viewer => Some(Role::Viewer),
            Access::Reviewer => Some(Role::Reviewer),
            Access::Admin => Some(Role::Admin),
        }
    }
}

/// Who asks: a person with a session, or a program with a token.
#[derive(Clone, Debug)]
pub struct Caller {
    pub name: String,
    pub display_name: String,
    pub role: Role,
    /// `None` for a program with a token.
    pub session: Option<Session>,
    pub at: jiff::Timestamp,
}

impl Caller {
    /// The person of a session.
    #[must_use]
    pub fn of(session: Session, at: jiff::Timestamp) -> Caller {
        Caller {
            name: session.user.name.clone(),
            display_name: session.user.display_name.clone(),
            role: session.user.role,
            session: Some(session),
            at,
        }
    }

    /// Who acts, and when the request came in.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { by: self.name.clone(), at: self.at }
    }

    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        role <= self.role
    }

    #[must_use]
    pub fn csrf(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.csrf)
    }

    /// Signed in with all that is asked for.
    fn is_whole(&self) -> bool {
        self.session.as_ref().is_none_or(|session| !session.pending_totp && !session.must_change_password)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Caller, PageError> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(PageError::signed_out)
    }
}

/// Let a request through, or say why not.
pub async fn guard(access: Access, token: Token, request: Request, next: Next) -> Response {
    match check(access, token, request).await {
        Ok(request) => next.run(request).await,
        Err(Stopped { error, unsent }) => {
            let mut response = error.into_response();
            if let Some(unsent) = unsent {
                response.extensions_mut().insert(*unsent);
            }
            response
        }
    }
}

/// Why a request goes no further, and what was typed into its form.
struct Stopped {
    error: PageError,
    unsent: Option<Box<Unsent>>,
}

impl From<PageError> for Stopped {
    fn from(error: PageError) -> Stopped {
        Stopped { error, unsent: None }
    }
}

async fn check(access: Access, token: Token, request: Request) -> Result<Request, Stopped> {
    let caller = request.extensions().get::<Caller>().cloned();
    if access != Access::Public {
        let Some(caller) = &caller else {
            let unsent = match same_site(request.headers()) {
                Ok(()) => Unsent::read(request).await.map(Box::new),
                Err(_) => None,
            };
            return Err(Stopped { error: PageError::signed_out(), unsent });
        };
        if access != Access::HalfSignedIn && !caller.is_whole() {
            return Err(PageError::unfinished(caller).into());
        }
        if let Some(needed) = access.needs()
            && !caller.may(needed)
        {
            return Err(PageError::forbidden(needed, caller.role).into());
        }
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    same_site(request.headers())?;
    match caller.as_ref().and_then(|caller| caller.session.as_ref()) {
        Some(session) if token == Token::InForm => prove(session, request).await,
        Some(session) if token == Token::InUpload && is_form(request.headers()) => {
            prove(session, request).await
        }
        _ => Ok(request),
    }
}

/// Browsers say where a request comes from; one that another site made is refused, whatever it holds.
fn same_site(headers: &HeaderMap) -> Result<(), PageError> {
    match headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(PageError::foreign_form()),
    }
}

/// A form that changes something is one that we gave to this session.
async fn prove(session: &Session, request: Request) -> Result<Request, Stopped> {
    if let Some(given) = request.headers().get("x-csrf-token").and_then(|value| value.to_str().ok()) {
        return if is_token(session, given) { Ok(request) } else { Err(PageError::stale_form().into()) };
    }
    if !is_form(request.headers()) {
        return Err(PageError::stale_form().into());
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, FORM_MAX_BYTES).await.map_err(|_| {
        PageError::refused(StatusCode::PAYLOAD_TOO_LARGE, Refusal::new("the form holds more than 2 MB"))
    })?;
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(&bytes).unwrap_or_default();
    let given = fields.iter().find(|(name, _)| name == "csrf");
    if !given.is_some_and(|(_, given)| is_token(session, given)) {
        let unsent = Unsent::of(&parts, fields).map(Box::new);
        return Err(Stopped { error: PageError::stale_form(), unsent });
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Ten thousand chosen charges fit.
const FORM_MAX_BYTES: usize = 2 << 20;

/// Whether a form's token is the session's.
#[must_use]
pub fn is_token(session: &Session, given: &str) -> bool {
    given.as_bytes().ct_eq(session.csrf.as_bytes()).into()
}

/// Whether fields are sent, without files.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
