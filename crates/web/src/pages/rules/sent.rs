//! What a form of rules sends: fields, with or without files, and which step is asked for. A change is looked
//! at first; the page that shows what it would do sends it again to be written.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::access::{Caller, is_token};
use crate::error::{PageError, PageResult};
use crate::form::Form;
use crate::upload::incoming::{self, TextFile};

/// Fields as they were typed, and files as they were chosen or pasted.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The address that it was sent to.
    pub path: String,
    pub pairs: Vec<(String, String)>,
    pub files: Vec<TextFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Show what it would do.
    Look,
    /// What was looked at is to be done.
    Write(u64),
    /// What was looked at is to be changed.
    Edit(u64),
}

impl Sent {
    pub fn field(&self, name: &str) -> &str {
        self.pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn step(&self) -> Step {
        match (self.field("step"), self.field("preview").parse()) {
            ("write", Ok(id)) => Step::Write(id),
            ("edit", Ok(id)) => Step::Edit(id),
            _ => Step::Look,
        }
    }

    /// The fields as a form.
    pub fn form<T: DeserializeOwned>(&self) -> PageResult<T> {
        form(&self.pairs)
    }
}

/// Fields as a form.
pub fn form<T: DeserializeOwned>(pairs: &[(String, String)]) -> PageResult<T> {
    let wrong = |error: &dyn std::fmt::Display| {
        PageError::bad_request(format!("the request cannot be understood: {error}"))
    };
    let text = serde_html_form::to_string(pairs).map_err(|error| wrong(&error))?;
    serde_html_form::from_str(&text).map_err(|error| wrong(&error))
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = PageError;

    async fn from_request(request: Request, _state: &S) -> Result<Sent, PageError> {
        let path = request.uri().path().to_owned();
        let session = request.extensions().get::<Caller>().and_then(|caller| caller.session.clone());
        let header = request.headers().get("x-csrf-token").and_then(|value| value.to_str().ok());
        let header = header.map(str::to_owned);
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_upload = kind.is_some_and(|kind| kind.starts_with("multipart/form-data"));
        let mut sent = if is_upload { uploaded(request).await? } else { typed(request).await? };
        let given = header.unwrap_or_else(|| sent.field("csrf").to_owned());
        if !session.is_some_and(|session| is_token(&session, &given)) {
            return Err(PageError::stale_form());
        }
        sent.path = path;
        sent.pairs.retain(|(name, _)| name != "csrf");
        let pasted = sent.field("pasted").trim().to_owned();
        if !pasted.is_empty() {
            sent.files.push(TextFile { name: "what was pasted".to_owned(), text: pasted });
        }
        Ok(sent)
    }
}

async fn typed(request: Request) -> PageResult<Sent> {
    let Form(pairs) = Form::from_request(request, &()).await?;
    Ok(Sent { pairs, ..Sent::default() })
}

async fn uploaded(request: Request) -> PageResult<Sent> {
    let (pairs, files) = incoming::small(incoming::form(request).await?).await?;
    Ok(Sent { pairs, files, ..Sent::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_of_a_preview_with_a_number() {
        let sent = |step: &str, preview: &str| Sent {
            pairs: vec![("step".to_owned(), step.to_owned()), ("preview".to_owned(), preview.to_owned())],
            ..Sent::default()
        };
        for (step, preview, expected) in [
            ("", "", Step::Look),
            ("write", "", Step::Look),
            ("write", "x", Step::Look),
            ("write", "7", Step::Write(7)),
            ("edit", "7", Step::Edit(7)),
        ] {
            assert_eq!(sent(step, preview).step(), expected, "{step} {preview}");
        }
    }
}
