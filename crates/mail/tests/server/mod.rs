//! An SMTP server of one page: enough of RFC 5321 to be polite, and every way of not being so.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    Polite,
    /// Says no to the third recipient.
    RefuseThird {
        code: u16,
    },
    RefuseText,
    VanishAtRecipient,
    VanishAfterText,
    SilentAfterText,
    SilentAtGreeting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Plain,
    /// Plain until STARTTLS, with a certificate for `localhost` that it signed itself.
    StartTls,
    /// With that certificate from the first byte.
    Tls,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub connections: u32,
    pub logins: u32,
    pub recipients: Vec<String>,
    pub messages: Vec<Vec<u8>>,
    pub quit: bool,
    attempts: u32,
}

pub struct Server {
    pub port: u16,
    /// PEM.
    pub certificate: String,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

struct Session {
    behavior: Behavior,
    wire: Wire,
    tls: TlsAcceptor,
    seen: Arc<Mutex<Seen>>,
}

/// What the conversation comes to: go on under TLS, or the end.
enum Turn {
    StartTls,
    End,
}

impl Server {
    pub async fn start(wire: Wire, behavior: Behavior) -> Server {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let session = Arc::new(Session { behavior, wire, tls, seen: seen.clone() });
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                session.seen.lock().unwrap().connections += 1;
                let session = session.clone();
                // A client that hangs up in the middle is part of the game.
                tokio::spawn(async move { session.run(socket).await.ok() });
            }
        });
        Server { port, certificate: own.cert.pem(), seen, task }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Stop listening; the port, where nobody answers now.
    pub async fn stop(self) -> u16 {
        self.task.abort();
        self.task.await.unwrap_err();
        self.port
    }
}

impl Session {
    async fn run(&self, socket: TcpStream) -> std::io::Result<()> {
        if self.behavior == Behavior::SilentAtGreeting {
            std::future::pending::<()>().await;
        }
        if self.wire == Wire::Tls {
            let mut stream = BufStream::new(self.tls.accept(socket).await?);
            say(&mut stream, "220 test").await?;
            self.converse(&mut stream, false).await?;
            return Ok(());
        }
        let mut stream = BufStream::new(socket);
        say(&mut stream, "220 test").await?;
        if let Turn::StartTls = self.converse(&mut stream, self.wire == Wire::StartTls).await? {
            let tls = self.tls.accept(stream.into_inner()).await?;
            self.converse(&mut BufStream::new(tls), false).await?;
        }
        Ok(())
    }

    async fn converse<S>(&self, stream: &mut BufStream<S>, offer_tls: bool) -> std::io::Result<Turn>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(Turn::End);
            }
            let command = line.trim_end();
            match command.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" if offer_tls => say(stream, "250-test\r\n250 STARTTLS").await?,
                "EHLO" => say(stream, "250-test\r\n250 AUTH PLAIN").await?,
                "STARTTLS" => {
                    say(stream, "220 go").await?;
                    return Ok(Turn::StartTls);
                }
                "AUTH" => {
                    self.seen.lock().unwrap().logins += 1;
                    say(stream, "235 welcome").await?;
                }
                "RCPT" => {
                    let attempt = {
                        let mut seen = self.seen.lock().unwrap();
                        seen.attempts += 1;
                        seen.attempts
                    };
                    match self.behavior {
                        Behavior::VanishAtRecipient => return Ok(Turn::End),
                        Behavior::RefuseThird { code } if attempt == 3 => {
                            say(stream, &format!("{code} no such mailbox")).await?;
                        }
                        _ => {
                            let to = command.trim_start_matches("RCPT TO:<").trim_end_matches('>');
                            self.seen.lock().unwrap().recipients.push(to.to_owned());
                            say(stream, "250 yes").await?;
                        }
                    }
                }
                "DATA" => {
                    say(stream, "354 go").await?;
                    let number = self.take_text(stream).await?;
                    match self.behavior {
                        Behavior::VanishAfterText => return Ok(Turn::End),
                        Behavior::SilentAfterText => std::future::pending::<()>().await,
                        Behavior::RefuseText => say(stream, "554 this looks like a bill").await?,
                        _ => say(stream, &format!("250 kept as {number}")).await?,
                    }
                }
                "QUIT" => {
                    self.seen.lock().unwrap().quit = true;
                    say(stream, "221 bye").await?;
                    return Ok(Turn::End);
                }
                _ => say(stream, "250 yes").await?,
            }
        }
    }

    /// The text up to the lone dot, with doubled dots made single again.
    async fn take_text<S>(&self, stream: &mut BufStream<S>) -> std::io::Result<usize>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut text = Vec::new();
        loop {
            let mut line = Vec::new();
            stream.read_until(b'\n', &mut line).await?;
            if line == b".\r\n" {
                break;
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        // The line end before the dot belongs to the dot.
        text.truncate(text.len().saturating_sub(2));
        let mut seen = self.seen.lock().unwrap();
        seen.messages.push(text);
        Ok(seen.messages.len())
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    line: &str,
) -> std::io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await
}
