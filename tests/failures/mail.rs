//! Mail servers that refuse, vanish or keep silent: a statement is sent once or not at all.

use std::collections::BTreeSet;
use std::time::Duration;

use insta::assert_snapshot;

use crate::support::{CONFIG, Home, PATIENCE, Reply, SmtpServer, row, tags};

const PEOPLE: [&str; 4] = ["ann@x.edu", "bob@x.edu", "cyd@x.edu", "dan@x.edu"];

/// January billed to four people, and mail going to the server.
fn billed(server: &SmtpServer) -> Home {
    let home = Home::bare();
    home.write("config.yaml", CONFIG.replace("dev_mode: true\n", &server.config()));
    home.open("2025-01");
    let mut rows = Vec::new();
    for pi in PEOPLE {
        rows.extend(["one", "two"].map(|name| row(pi, "Compute", "1", "1", &tags(pi, name, "A-1"))));
    }
    home.focus("aws.csv", &rows);
    home.ok("ingest aws.csv");
    home.bill_january();
    home
}

/// How often each person was sent mail.
fn counts(server: &SmtpServer) -> [usize; 4] {
    PEOPLE.map(|pi| server.delivered_to(pi).len())
}

#[test]
fn a_server_that_takes_everything() {
    let server = SmtpServer::start(&[]);
    let home = billed(&server);
    home.ok("send --period 2025-01");
    assert_eq!(counts(&server), [1, 1, 1, 1], "one message a person, with all their statements");
    home.ok("send --period 2025-01");
    home.ok("send --period 2025-01 --retry-uncertain");
    assert_eq!(counts(&server), [1, 1, 1, 1]);

    let ids: BTreeSet<String> =
        server.delivered().iter().map(|message| message.header("Message-ID").to_owned()).collect();
    assert_eq!(ids.len(), 4);
    for message in server.delivered() {
        assert_eq!(message.header("From").matches("billing@example.edu").count(), 1);
        assert!(!message.header("Date").is_empty() && !message.header("Subject").is_empty());
        assert_eq!(message.data.matches("Content-Type: application/pdf").count(), 2, "{}", message.data);
        assert_eq!(message.data.matches("Content-Type: text/plain").count(), 1);
        assert_eq!(message.data.matches("Content-Type: text/html").count(), 1);
    }
}

#[test]
fn a_server_that_refuses_the_third_message() {
    let server = SmtpServer::start(&[Reply::Accept, Reply::Accept, Reply::Refuse]);
    let home = billed(&server);

    let words = home.refused("send --period 2025-01");
    assert_snapshot!(server.without_port(&words), @"
    cyd@x.edu: the mail server refused the message with 550: 5.1.1 no such mailbox
    error: 1 message was not sent, 0 uncertain
    hint: `focus-billing send` again sends what was refused, and nothing twice
    ");
    // The one that was refused does not keep the next one waiting.
    assert_eq!(counts(&server).iter().sum::<usize>(), 3);
    let refused = PEOPLE.into_iter().find(|pi| server.delivered_to(pi).is_empty()).unwrap();
    assert!(words.contains(refused) && words.contains("no such mailbox"), "{words}");

    home.ok("send --period 2025-01");
    assert_eq!(counts(&server), [1, 1, 1, 1]);
    home.ok("send --period 2025-01");
    assert_eq!(counts(&server), [1, 1, 1, 1]);
}

#[test]
fn a_server_that_vanishes_after_the_data() {
    let server = SmtpServer::start(&[Reply::Accept, Reply::Vanish]);
    let home = billed(&server);

    let words = home.refused("send --period 2025-01");
    assert_snapshot!(server.without_port(&words), @"
    bob@x.edu: uncertain: it is uncertain whether the message was sent: response error: incomplete response
    error: 0 messages were not sent, 1 uncertain
    hint: ask the PI or the mail server; `send --retry-uncertain` sends again what may have arrived
    ");
    assert!(words.contains("--retry-uncertain"), "{words}");
    assert_eq!(counts(&server), [1, 1, 1, 1], "the others are sent");
    let lost = server.delivered().into_iter().find(|message| message.reply == Reply::Vanish).unwrap();
    assert!(words.contains(&lost.to), "{words}");

    // It may have arrived: only a person decides to send it again.
    let again = home.run("send --period 2025-01");
    assert!(again.stderr.contains(&lost.to) && again.stderr.contains("uncertain"), "{}", again.stderr);
    assert_eq!(counts(&server), [1, 1, 1, 1]);
    home.ok("send --period 2025-01 --retry-uncertain");
    let twice = server.delivered_to(&lost.to);
    assert_eq!(twice.len(), 2);
    assert_eq!(twice[0].header("Message-ID"), twice[1].header("Message-ID"), "a reader's program can tell");
    assert_eq!(counts(&server).iter().sum::<usize>(), 5);
    home.ok("send --period 2025-01 --retry-uncertain");
    assert_eq!(counts(&server).iter().sum::<usize>(), 5);
}

#[test]
fn killed_while_the_server_keeps_silent() {
    let server = SmtpServer::start(&[Reply::Accept, Reply::Silence]);
    let home = billed(&server);
    let mut sending = home.start("send --period 2025-01");
    let started = std::time::Instant::now();
    while server.delivered().len() < 2 {
        assert!(started.elapsed() < PATIENCE, "nothing is sent");
        std::thread::sleep(Duration::from_millis(2));
    }
    sending.kill().unwrap();
    sending.wait().unwrap();
    let lost = server.delivered().into_iter().find(|message| message.reply == Reply::Silence).unwrap();

    let again = home.run("send --period 2025-01");
    assert!(
        again.stderr.contains(&lost.to) && again.stderr.contains("--retry-uncertain"),
        "{}",
        again.stderr
    );
    assert_eq!(counts(&server), [1, 1, 1, 1], "the others are sent, and nobody twice");
    home.ok("send --period 2025-01 --retry-uncertain");
    assert_eq!(server.delivered_to(&lost.to).len(), 2);
    home.ok("audit verify");
}

#[test]
fn no_server_at_all() {
    let server = SmtpServer::start(&[]);
    let home = billed(&server);
    // Nobody listens on the discard port of this machine.
    home.write(
        "config.yaml",
        CONFIG.replace("dev_mode: true\n", "smtp: { host: 127.0.0.1, port: 9, use_tls: false }\n"),
    );
    assert_snapshot!(home.refused("send --period 2025-01"), @"
    ann@x.edu: the message was not sent, connecting to the mail server: Connection error: Connection refused (os error 111)
    bob@x.edu: the message was not sent, connecting to the mail server: Connection error: Connection refused (os error 111)
    cyd@x.edu: the message was not sent, connecting to the mail server: Connection error: Connection refused (os error 111)
    dan@x.edu: the message was not sent, connecting to the mail server: Connection error: Connection refused (os error 111)
    error: 4 messages were not sent, 0 uncertain
    hint: `focus-billing send` again sends what was refused, and nothing twice
    ");
    home.write("config.yaml", CONFIG.replace("dev_mode: true\n", &server.config()));
    home.ok("send --period 2025-01");
    assert_eq!(counts(&server), [1, 1, 1, 1]);
}

#[test]
fn a_password_that_is_not_set() {
    let server = SmtpServer::start(&[]);
    let home = billed(&server);
    let smtp =
        "smtp: { host: 127.0.0.1, port: 9, use_tls: false, username: me, password: \"${SMTP_PASSWORD}\" }\n";
    home.write("config.yaml", CONFIG.replace("dev_mode: true\n", smtp));
    home.ok("report --period 2025-01");
    assert_snapshot!(home.refused("send --period 2025-01"), @"
    ann@x.edu: the message was not sent, before connecting: config.yaml:1: smtp.password: the environment variable `SMTP_PASSWORD` is not set
    bob@x.edu: the message was not sent, before connecting: config.yaml:1: smtp.password: the environment variable `SMTP_PASSWORD` is not set
    cyd@x.edu: the message was not sent, before connecting: config.yaml:1: smtp.password: the environment variable `SMTP_PASSWORD` is not set
    dan@x.edu: the message was not sent, before connecting: config.yaml:1: smtp.password: the environment variable `SMTP_PASSWORD` is not set
    error: 4 messages were not sent, 0 uncertain
    hint: `focus-billing send` again sends what was refused, and nothing twice
    ");
    assert_eq!(home.json("statements list --period 2025-01").as_array().map(Vec::len), Some(8));
    assert_eq!(server.delivered().len(), 0);
}

#[test]
fn no_sender_configured() {
    let server = SmtpServer::start(&[]);
    let home = billed(&server);
    home.write("config.yaml", CONFIG.replace("email:\n  from_address: billing@example.edu\n", ""));
    assert_snapshot!(home.refused("send --period 2025-01"), @"
    error: e-mails have no sender: `email.from_address` is not set
    hint: add to the configuration:
    email:
      from_address: billing@example.edu
    ");
    assert!(home.eml().is_empty());
}
