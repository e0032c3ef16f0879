//! Why a request was not done: one place turns it into a status and a page (or JSON for the API).

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger::Role;
use workflow::{Refusal, WorkflowError};

use crate::access::Caller;

pub type PageResult<T> = Result<T, PageError>;

/// What the visitor is told. `frame::show_error` makes a page of it, which knows who asks.
#[derive(Clone, Debug)]
pub struct PageError {
    pub status: StatusCode,
    pub kind: ErrorKind,
    pub refusal: Refusal,
}

/// What the page offers as the way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Sign in, then go on.
    SignedOut,
    /// A second factor is still asked for.
    NeedsTotp,
    NeedsNewPassword,
    /// Load the form again.
    StaleForm,
    /// Go back and change what was asked.
    Refused,
    NotFound,
    /// Nothing that the visitor did; the log knows more.
    Internal,
}

impl PageError {
    #[must_use]
    pub fn refused(status: StatusCode, refusal: Refusal) -> PageError {
        PageError { status, kind: ErrorKind::Refused, refusal }
    }

    /// A value of the address or the form that makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> PageError {
        PageError::refused(StatusCode::BAD_REQUEST, Refusal::new(message))
    }

    #[must_use]
    pub fn not_found(what: impl Into<String>) -> PageError {
        PageError { status: StatusCode::NOT_FOUND, kind: ErrorKind::NotFound, refusal: Refusal::new(what) }
    }

    #[must_use]
    pub fn signed_out() -> PageError {
        PageError {
            status: StatusCode::UNAUTHORIZED,
            kind: ErrorKind::SignedOut,
            refusal: Refusal::new("you are not signed in"),
        }
    }

    /// Signed in, but not with everything that is asked for.
    #[must_use]
    pub fn unfinished(caller: &Caller) -> PageError {
        let pending_totp = caller.session.as_ref().is_some_and(|session| session.pending_totp);
        let (kind, words) = if pending_totp {
            (ErrorKind::NeedsTotp, "the code of your second factor is missing")
        } else {
            (ErrorKind::NeedsNewPassword, "choose a new password first")
        };
        PageError { status: StatusCode::UNAUTHORIZED, kind, refusal: Refusal::new(words) }
    }

    #[must_use]
    pub fn forbidden(needed: Role, has: Role) -> PageError {
        let words = format!("this needs the role {}, and you are a {}", needed.name(), has.name());
        let refusal = Refusal::new(words).hint("an admin can change what an account may do");
        PageError::refused(StatusCode::FORBIDDEN, refusal)
    }

    #[must_use]
    pub fn stale_form() -> PageError {
        let refusal = Refusal::new("this form is of an earlier session, so nothing was changed")
            .hint("load the page again and repeat what you did");
        PageError { status: StatusCode::FORBIDDEN, kind: ErrorKind::StaleForm, refusal }
    }

    #[must_use]
    pub fn foreign_form() -> PageError {
        let refusal = Refusal::new("this request was made by another site, so nothing was changed");
        PageError { status: StatusCode::FORBIDDEN, kind: ErrorKind::StaleForm, refusal }
    }

    #[must_use]
    pub fn internal(error: impl std::fmt::Display) -> PageError {
        tracing::error!(error = %error, "internal error");
        PageError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: ErrorKind::Internal,
            refusal: Refusal::new("something went wrong on our side; nothing was half done"),
        }
    }
}

impl From<WorkflowError> for PageError {
    fn from(error: WorkflowError) -> PageError {
        match error {
            WorkflowError::Refused(refusal) => PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, refusal),
            WorkflowError::Ledger(error) => error.into(),
            WorkflowError::Lake(error) => error.into(),
            other => PageError::internal(other),
        }
    }
}

impl From<ledger::LedgerError> for PageError {
    fn from(error: ledger::LedgerError) -> PageError {
        match error {
            ledger::LedgerError::Missing { .. } => PageError::not_found(error.to_string()),
            ledger::LedgerError::Busy { .. } => {
                let refusal = Refusal::new("somebody else's change took too long; nothing was changed")
                    .hint("try again in a moment");
                PageError::refused(StatusCode::SERVICE_UNAVAILABLE, refusal)
            }
            error @ ledger::LedgerError::NulCharacter { .. } => PageError::bad_request(error.to_string()),
            other => PageError::internal(other),
        }
    }
}

impl From<lake::LakeError> for PageError {
    fn from(error: lake::LakeError) -> PageError {
        match error {
            lake::LakeError::UnknownColumn { .. } => Refusal::new(error.to_string()).into(),
            other => PageError::internal(other),
        }
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> PageError {
        PageError::refused(StatusCode::UNPROCESSABLE_ENTITY, refusal)
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> PageError {
        PageError::internal(error)
    }
}

impl IntoResponse for PageError {
    /// A body for nobody: the middleware puts the page in its place.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
