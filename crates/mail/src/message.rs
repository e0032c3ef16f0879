use std::time::SystemTime;

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as AttachmentPart, Body, Mailbox, MultiPart, SinglePart};

/// A mailbox: `"Research Computing" <billing@example.edu>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// May be empty, and in any script.
    pub name: String,
    pub email: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub file_name: String,
    /// `application/pdf`
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// An e-mail. All of it is handed in: the same message is the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `<2025-01.9f86d081@example.edu>`. The same message keeps its id when it is sent again, so that a
    /// mailbox shows it once.
    pub message_id: String,
    pub from: Address,
    pub to: Address,
    pub reply_to: Option<Address>,
    pub date: SystemTime,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub attachments: Vec<Attachment>,
}

/// A message that must not be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    #[error("{field} `{value}` is not an e-mail address")]
    NotAnAddress { field: &'static str, value: String },
    /// A line break in a header would let its text add headers of its own.
    #[error("{field} {value:?} has a control character in it")]
    ControlCharacter { field: &'static str, value: String },
    #[error("the mail server does not take addresses beyond ASCII such as `{0}`")]
    NeedsSmtpUtf8(String),
    #[error("message id `{0}` is not of the form `<unique@domain>`")]
    NotAMessageId(String),
    #[error("`{0}` is not a media type such as application/pdf")]
    NotAMediaType(String),
    #[error("the message cannot be written: {0}")]
    Other(String),
}

impl Message {
    /// The message as RFC 5322 has it: text and HTML as alternatives, attachments beside them, all of it
    /// in ASCII.
    pub fn bytes(&self) -> Result<Vec<u8>, BadMessage> {
        self.build().map(|message| message.formatted())
    }

    pub(crate) fn build(&self) -> Result<lettre::Message, BadMessage> {
        self.check()?;
        let mut builder = lettre::Message::builder()
            .from(mailbox("sender", &self.from)?)
            .to(mailbox("recipient", &self.to)?)
            .subject(&self.subject)
            .date(self.date)
            .message_id(Some(self.message_id.clone()))
            // RFC 3834: keeps absence notices from being sent back.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(mailbox("reply address", reply_to)?);
        }
        let words = MultiPart::alternative()
            .boundary(self.boundary("words"))
            .singlepart(words(ContentType::TEXT_PLAIN, &self.text)?)
            .singlepart(words(ContentType::TEXT_HTML, &self.html)?);
        let message = if self.attachments.is_empty() {
            builder.multipart(words)
        } else {
            let mut parts = MultiPart::mixed().boundary(self.boundary("parts")).multipart(words);
            for attachment in &self.attachments {
                parts = parts.singlepart(attached(attachment)?);
            }
            builder.multipart(parts)
        };
        message.map_err(|error| BadMessage::Other(error.to_string()))
    }

    /// A boundary that no part can contain: encoded text has no `=_` in it.
    fn boundary(&self, level: &str) -> String {
        let id: String = self.message_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        format!("=_{level}_{id}")
    }

    fn check(&self) -> Result<(), BadMessage> {
        let mut fields = vec![
            ("subject", &self.subject),
            ("sender's name", &self.from.name),
            ("sender", &self.from.email),
            ("recipient's name", &self.to.name),
            ("recipient", &self.to.email),
            ("message id", &self.message_id),
        ];
        if let Some(reply_to) = &self.reply_to {
            fields.extend([("name for replies", &reply_to.name), ("reply address", &reply_to.email)]);
        }
        for attachment in &self.attachments {
            fields.extend([
                ("attachment's name", &attachment.file_name),
                ("media type", &attachment.media_type),
            ]);
        }
        for (field, value) in fields {
            if value.chars().any(char::is_control) {
                return Err(BadMessage::ControlCharacter { field, value: value.clone() });
            }
        }
        let id = self.message_id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
        let is_id = id.and_then(|id| id.split_once('@')).is_some_and(|(unique, domain)| {
            [unique, domain].iter().all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>@".contains(&byte))
            })
        });
        if is_id { Ok(()) } else { Err(BadMessage::NotAMessageId(self.message_id.clone())) }
    }
}

fn mailbox(field: &'static str, address: &Address) -> Result<Mailbox, BadMessage> {
    let email = address
        .email
        .parse()
        .map_err(|_| BadMessage::NotAnAddress { field, value: address.email.clone() })?;
    Ok(Mailbox::new((!address.name.is_empty()).then(|| address.name.clone()), email))
}

fn words(content_type: ContentType, text: &str) -> Result<SinglePart, BadMessage> {
    let body = Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| BadMessage::Other("text that cannot be encoded".to_owned()))?;
    Ok(SinglePart::builder().content_type(content_type).body(body))
}

fn attached(attachment: &Attachment) -> Result<SinglePart, BadMessage> {
    let content_type = ContentType::parse(&attachment.media_type)
        .map_err(|_| BadMessage::NotAMediaType(attachment.media_type.clone()))?;
    let body = Body::new_with_encoding(attachment.bytes.clone(), ContentTransferEncoding::Base64)
        .map_err(|_| BadMessage::Other("an attachment that cannot be encoded".to_owned()))?;
    Ok(AttachmentPart::new(attachment.file_name.clone()).body(body, content_type))
}
