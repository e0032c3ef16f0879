//! A small mail server that misbehaves on request.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Accept,
    /// Says no when it knows the recipient: nothing was delivered.
    Refuse,
    /// Takes the whole message and is gone without a word: nobody knows whether it was delivered.
    Vanish,
    /// Takes the whole message and says nothing for as long as the client waits.
    Silence,
}

/// A message whose every byte reached the server.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub to: String,
    pub data: String,
    pub reply: Reply,
}

impl Delivered {
    /// The value of a header line.
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let line = self.data.lines().find(|line| line.to_lowercase().starts_with(&start.to_lowercase()));
        line.map_or_else(|| panic!("no {name} in\n{}", self.data), |line| line[start.len()..].trim())
    }
}

pub struct SmtpServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    replies: Vec<Reply>,
    /// Messages begun, whatever became of them.
    begun: usize,
    delivered: Vec<Delivered>,
}

impl SmtpServer {
    /// The n-th message gets the n-th reply; later ones are accepted.
    pub fn start(replies: &[Reply]) -> SmtpServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen { replies: replies.to_vec(), ..Seen::default() }));
        let shared = Arc::clone(&seen);
        // Ends with the test's process; a story runs one or two servers.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || talk(&connection, &shared));
            }
        });
        SmtpServer { port, seen }
    }

    /// The YAML that sends mail here.
    pub fn config(&self) -> String {
        format!("smtp: {{ host: 127.0.0.1, port: {}, use_tls: false }}\n", self.port)
    }

    pub fn delivered(&self) -> Vec<Delivered> {
        self.seen.lock().unwrap().delivered.clone()
    }

    /// What was sent to one address, in order.
    pub fn delivered_to(&self, address: &str) -> Vec<Delivered> {
        self.delivered().into_iter().filter(|message| message.to == address).collect()
    }

    /// Words of an answer without the port, which differs from run to run.
    pub fn without_port(&self, text: &str) -> String {
        text.replace(&self.port.to_string(), "PORT")
    }
}

/// One connection: RFC 5321 as far as a client needs it. An error means that the client is gone.
fn talk(connection: &TcpStream, seen: &Mutex<Seen>) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?);
    let say = |line: &str| {
        let mut stream = connection;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()
    };
    say("220 mail.example.edu ready")?;
    let (mut to, mut reply) = (String::new(), Reply::Accept);
    loop {
        let line = read_line(&mut lines)?;
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" | "HELO" => say("250 mail.example.edu")?,
            "MAIL" => {
                let mut seen = seen.lock().unwrap();
                reply = seen.replies.get(seen.begun).copied().unwrap_or(Reply::Accept);
                seen.begun += 1;
                say("250 go on")?;
            }
            "RCPT" if reply == Reply::Refuse => say("550 5.1.1 no such mailbox")?,
            "RCPT" => {
                line.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut to);
                say("250 go on")?;
            }
            "DATA" => {
                say("354 end with a dot")?;
                let data = read_data(&mut lines)?;
                seen.lock().unwrap().delivered.push(Delivered { to: to.clone(), data, reply });
                if reply == Reply::Vanish {
                    return connection.shutdown(std::net::Shutdown::Both).ok();
                }
                if reply != Reply::Silence {
                    say("250 taken")?;
                }
            }
            "QUIT" => return say("221 good bye"),
            "RSET" | "NOOP" => say("250 fine")?,
            _ => say("502 not here")?,
        }
    }
}

fn read_line(lines: &mut impl std::io::BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    lines.read_until(b'\n', &mut bytes).ok().filter(|&read| 0 < read)?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn read_data(lines: &mut impl std::io::BufRead) -> Option<String> {
    let mut data = String::new();
    loop {
        let line = read_line(lines)?;
        if line == "." {
            return Some(data);
        }
        data += line.strip_prefix('.').unwrap_or(&line);
        data.push('\n');
    }
}
