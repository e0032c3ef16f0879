//! The promises of an outbox, kept against a small SMTP server that misbehaves on purpose.

#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

mod server;

use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use mail::{
    Address, Attachment, Credentials, Directory, Memory, Message, Outbox, SendError, Sent, Smtp, SmtpSettings,
};
use server::{Behavior, Server, Wire};

fn message(number: u32) -> Message {
    Message {
        message_id: format!("<2025-01.{number}@example.edu>"),
        from: Address {
            name: "Centre de Calcul Gößweinstein".to_owned(),
            email: "billing@example.edu".to_owned(),
        },
        to: Address { name: String::new(), email: format!("pi{number}@example.edu") },
        reply_to: Some(Address { name: "Help, desk".to_owned(), email: "help@example.edu".to_owned() }),
        date: SystemTime::UNIX_EPOCH + Duration::from_hours(482_976),
        subject: "Research Computing Charges – January 2025".to_owned(),
        text: "You owe −$1.00.\n.\nA line with one dot must not end the message.\n".to_owned(),
        html: "<p>You owe <b>−$1.00</b>.</p>".to_owned(),
        attachments: vec![Attachment {
            file_name: "2025-01_pi.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            bytes: b"%PDF-1.7 not really".to_vec(),
        }],
    }
}

/// Settings for the server in the clear.
fn plain(server: &Server) -> SmtpSettings {
    SmtpSettings { use_tls: false, ..SmtpSettings::new("localhost", server.port) }
}

const LITTLE: Duration = Duration::from_millis(100);

async fn send(settings: SmtpSettings, number: u32) -> Result<Sent, SendError> {
    Smtp::new(settings).unwrap().send(&message(number)).await
}

#[test]
fn a_message_is_the_same_bytes_each_time() {
    let bytes = String::from_utf8(message(1).bytes().unwrap()).unwrap();
    assert_eq!(message(1).bytes().unwrap(), bytes.as_bytes());
    assert!(bytes.is_ascii());
    assert_snapshot!(bytes.replace("\r\n", "\n"), @r#"
    From: =?utf-8?b?Q2VudHJlIGRlIENhbGN1bCBHw7bDn3dlaW5zdGVpbg==?= <billing@example.edu>
    To: pi1@example.edu
    Subject: Research Computing Charges =?utf-8?b?4oCT?= January 2025
    Date: Wed, 05 Feb 2025 00:00:00 +0000
    Message-ID: <2025-01.1@example.edu>
    Auto-Submitted: auto-generated
    Reply-To: =?utf-8?b?SGVscCwgZGVzaw==?= <help@example.edu>
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="=_parts_2025011exampleedu"

    --=_parts_2025011exampleedu
    Content-Type: multipart/alternative; boundary="=_words_2025011exampleedu"

    --=_words_2025011exampleedu
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    You owe =E2=88=92$1.00.
    .
    A line with one dot must not end the message.

    --=_words_2025011exampleedu
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    <p>You owe <b>=E2=88=92$1.00</b>.</p>
    --=_words_2025011exampleedu--
    --=_parts_2025011exampleedu
    Content-Disposition: attachment; filename="2025-01_pi.pdf"
    Content-Type: application/pdf
    Content-Transfer-Encoding: base64

    JVBERi0xLjcgbm90IHJlYWxseQ==
    --=_parts_2025011exampleedu--
    "#);
    let without = Message { attachments: Vec::new(), ..message(1) };
    assert!(!String::from_utf8(without.bytes().unwrap()).unwrap().contains("multipart/mixed"));
}

#[test]
fn a_header_cannot_be_smuggled_in() {
    let spoil = |spoil: fn(&mut Message)| {
        let mut message = message(1);
        spoil(&mut message);
        message.bytes().unwrap_err().to_string()
    };
    let refusals = [
        spoil(|m| m.subject.push_str("\r\nBcc: all@example.edu")),
        spoil(|m| m.from.name.push('\n')),
        spoil(|m| m.to.email.push_str("\r\nBcc: all@example.edu")),
        spoil(|m| m.to.email = "a@b.edu, c@d.edu".to_owned()),
        spoil(|m| m.to.email = "nobody".to_owned()),
        spoil(|m| m.message_id = "<a@b>\nX: y".to_owned()),
        spoil(|m| m.message_id = "<a b@c>".to_owned()),
        spoil(|m| m.attachments[0].file_name.push('\r')),
        spoil(|m| m.attachments[0].media_type = "pdf".to_owned()),
    ];
    assert_snapshot!(refusals.join("\n"), @r#"
    subject "Research Computing Charges – January 2025\r\nBcc: all@example.edu" has a control character in it
    sender's name "Centre de Calcul Gößweinstein\n" has a control character in it
    recipient "pi1@example.edu\r\nBcc: all@example.edu" has a control character in it
    recipient `a@b.edu, c@d.edu` is not an e-mail address
    recipient `nobody` is not an e-mail address
    message id "<a@b>\nX: y" has a control character in it
    message id `<a b@c>` is not of the form `<unique@domain>`
    attachment's name "2025-01_pi.pdf\r" has a control character in it
    `pdf` is not a media type such as application/pdf
    "#);
}

#[tokio::test]
async fn messages_go_over_one_connection_and_arrive_whole() {
    let server = Server::start(Wire::Plain, Behavior::Polite).await;
    let settings = SmtpSettings {
        credentials: Some(Credentials { username: "rc".to_owned(), password: "secret".to_owned() }),
        ..plain(&server)
    };
    let smtp = Smtp::new(settings).unwrap();
    for number in 1..=3 {
        let sent = smtp.send(&message(number)).await.unwrap();
        assert_eq!(sent, Sent::Accepted { reply: format!("kept as {number}") });
    }
    smtp.close().await;
    let seen = server.seen();
    assert_eq!(seen.connections, 1);
    assert_eq!(seen.logins, 1);
    assert_eq!(seen.recipients, ["pi1@example.edu", "pi2@example.edu", "pi3@example.edu"]);
    assert_eq!(seen.messages[1], message(2).bytes().unwrap());
    assert!(seen.quit);
}

#[tokio::test]
async fn a_refusal_says_whether_to_try_again_and_the_next_message_goes_on() {
    for (code, permanent) in [(550, true), (451, false)] {
        let server = Server::start(Wire::Plain, Behavior::RefuseThird { code }).await;
        let smtp = Smtp::new(plain(&server)).unwrap();
        smtp.send(&message(1)).await.unwrap();
        smtp.send(&message(2)).await.unwrap();
        let error = smtp.send(&message(3)).await.unwrap_err();
        assert!(!error.is_uncertain());
        assert!(
            matches!(&error, SendError::Refused { permanent: p, code: c, .. } if *p == permanent && *c == code),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("the mail server refused the message with {code}: no such mailbox")
        );
        smtp.send(&message(4)).await.unwrap();
        assert_eq!(server.seen().recipients, ["pi1@example.edu", "pi2@example.edu", "pi4@example.edu"]);
    }
}

#[tokio::test]
async fn a_refusal_after_the_text_is_certain() {
    let server = Server::start(Wire::Plain, Behavior::RefuseText).await;
    let error = send(plain(&server), 1).await.unwrap_err();
    assert!(matches!(error, SendError::Refused { permanent: true, code: 554, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_vanishes_after_the_text_leaves_it_uncertain() {
    for behavior in [Behavior::VanishAfterText, Behavior::SilentAfterText] {
        let server = Server::start(Wire::Plain, behavior).await;
        let patience_for_text =
            if behavior == Behavior::SilentAfterText { LITTLE } else { Duration::from_secs(30) };
        let error = send(SmtpSettings { patience_for_text, ..plain(&server) }, 1).await.unwrap_err();
        assert!(error.is_uncertain(), "{behavior:?}: {error:?}");
        if behavior == Behavior::VanishAfterText {
            assert_eq!(server.seen().messages.len(), 1, "the server has the message, whatever we know");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_lost_before_the_text_has_sent_nothing() {
    for behavior in [Behavior::VanishAtRecipient, Behavior::SilentAtGreeting] {
        let server = Server::start(Wire::Plain, behavior).await;
        let patience = if behavior == Behavior::SilentAtGreeting { LITTLE } else { Duration::from_secs(30) };
        let error = send(SmtpSettings { patience, ..plain(&server) }, 1).await.unwrap_err();
        assert!(matches!(error, SendError::NotSent { .. }), "{behavior:?}: {error:?}");
    }
    let closed = Server::start(Wire::Plain, Behavior::Polite).await.stop().await;
    let error =
        send(SmtpSettings { use_tls: false, ..SmtpSettings::new("127.0.0.1", closed) }, 1).await.unwrap_err();
    assert!(
        error.to_string().starts_with("the message was not sent, connecting to the mail server: "),
        "{error}"
    );
}

/// Defect 43: certificates were not checked.
#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    for (wire, tls_from_start) in [(Wire::StartTls, false), (Wire::Tls, true)] {
        let server = Server::start(wire, Behavior::Polite).await;
        let settings = SmtpSettings { use_tls: true, tls_from_start, ..plain(&server) };
        let refused = |result| match result {
            Err(SendError::NotSent { cause, .. }) => assert!(cause.contains("certificate"), "{cause}"),
            other => panic!("{wire:?}: {other:?}"),
        };
        refused(send(settings.clone(), 1).await);
        assert!(server.seen().recipients.is_empty() && server.seen().logins == 0);

        // Vouched for, it is good for its own name and for no other.
        let trusting =
            SmtpSettings { extra_roots: vec![server.certificate.clone().into_bytes()], ..settings };
        let sent = send(trusting.clone(), 1).await.unwrap();
        assert_eq!(sent, Sent::Accepted { reply: "kept as 1".to_owned() });
        let other_name = SmtpSettings { host: "127.0.0.1".to_owned(), ..trusting };
        refused(send(other_name, 2).await);
    }
    assert!(SmtpSettings::new("localhost", 465).tls_from_start);
    assert!(!SmtpSettings::new("localhost", 587).tls_from_start);
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_the_clear() {
    let server = Server::start(Wire::Plain, Behavior::Polite).await;
    let settings = SmtpSettings {
        use_tls: true,
        credentials: Some(Credentials { username: "rc".to_owned(), password: "secret".to_owned() }),
        ..plain(&server)
    };
    let error = send(settings, 1).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { stage: "starting TLS", .. }), "{error:?}");
    assert_eq!(server.seen().logins, 0);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let no_host = Smtp::new(SmtpSettings::new(" ", 587)).unwrap_err();
    assert_snapshot!(no_host, @r"
    `smtp.host` is empty; name the mail relay, or set `dev_mode: true` to write e-mails to files
    ");
    let bad_root =
        SmtpSettings { extra_roots: vec![b"no PEM".to_vec()], ..SmtpSettings::new("localhost", 587) };
    assert_snapshot!(Smtp::new(bad_root).unwrap_err(), @"certificate 1 of the mail server is not a PEM certificate");
    let secret = Credentials { username: "rc".to_owned(), password: "secret".to_owned() };
    assert!(!format!("{secret:?}").contains("secret"));
}

#[tokio::test]
async fn a_folder_gets_the_message_and_its_page_under_safe_names() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Directory::new(folder.path().join("emails"));
    let mut message = message(1);
    message.to.email = "x/y+z@example.edu".to_owned();
    let Sent::Written { eml, html } = outbox.send(&message).await.unwrap() else {
        panic!("files are written")
    };
    assert_eq!(std::fs::read(&eml).unwrap(), message.bytes().unwrap());
    assert_eq!(std::fs::read_to_string(&html).unwrap(), message.html);
    assert_eq!(eml.parent().unwrap(), folder.path().join("emails"));
    // The same message again is the same files, another one is not.
    outbox.send(&message).await.unwrap();
    message.message_id = "<2025-01/1@example.edu>".to_owned();
    outbox.send(&message).await.unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("emails"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("to_x-y-z-example.edu_2025-01")), "{names:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_has_sent_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let error = Directory::new(&file).send(&message(1)).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { stage: "writing its file", .. }), "{error:?}");
}

#[tokio::test]
async fn memory_keeps_what_could_be_sent() {
    let outbox = Memory::default();
    outbox.send(&message(1)).await.unwrap();
    let mut bad = message(2);
    bad.to.email.clear();
    assert!(matches!(outbox.send(&bad).await, Err(SendError::BadMessage(_))));
    assert_eq!(outbox.messages(), [message(1)]);
}
