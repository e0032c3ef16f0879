//! The real server of the binary, and visitors who ask it over the wire.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::Home;

/// A running `focus-billing web`; it ends with the value.
pub struct Server {
    child: Child,
    /// `127.0.0.1:40123`
    pub address: String,
    /// The token of the link that makes the first account, where there is none.
    pub set_up: Option<String>,
}

/// The password of everybody in tests.
pub const PASSWORD: &str = "correct horse battery";

/// One account of each role, by the names of the roles.
pub const ROLES: [&str; 3] = ["viewer", "reviewer", "admin"];

impl Home {
    /// Make an account for each role.
    pub fn accounts(&self) {
        for role in ROLES {
            self.account(role, role);
        }
    }

    pub fn account(&self, name: &str, role: &str) {
        let line = format!("users add {name} --email {name}@example.edu --role {role} --keep-password");
        let mut child = self
            .command(&line)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Start the web server at a port of the system's choice.
    pub fn serve(&self) -> Server {
        let mut child =
            self.command("web --port 0").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut set_up, mut said) = (None, None, String::new());
        loop {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the server did not start:\n{said}");
            said.push_str(&line);
            if let Some((_, at)) = line.split_once("is at http://") {
                address = Some(at.trim().to_owned());
            }
            if let Some((_, token)) = line.split_once("/set-up/") {
                set_up = Some(token.trim().to_owned());
            }
            if line.contains("Ctrl C") {
                break;
            }
        }
        // Nobody reads the log of a test, and a full pipe would hold the server up.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Server { child, address: address.expect("the server says where it is"), set_up }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Somebody who is not signed in.
    pub fn visitor(&self) -> Visitor {
        Visitor::of(&self.address)
    }

    /// Somebody who signed in; the name of a role is the name of its account.
    pub fn sign_in(&self, name: &str) -> Visitor {
        let mut visitor = self.visitor();
        let answer = visitor.post("/sign-in", &[("name", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{name} cannot sign in: {}", answer.text());
        visitor.look();
        visitor
    }
}

/// A browser without scripts: it keeps cookies, and the token of the last page.
#[derive(Clone)]
pub struct Visitor {
    address: String,
    cookies: Vec<(String, String)>,
    pub csrf: String,
    /// For the API.
    pub bearer: Option<String>,
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Where a form leads.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// The page's words without its markup, blanks as one.
    pub fn words(&self) -> String {
        let text = self.text();
        let main = text.split_once("<main").map_or(text.as_str(), |(_, main)| main);
        let main = main.split_once("</main>").map_or(main, |(main, _)| main);
        let mut words = String::new();
        let mut inside = true;
        for c in main.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    words.push(' ');
                }
                c if !inside => words.push(c),
                _ => {}
            }
        }
        let words = words.replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">");
        let words = words.replace("&#34;", "\"").replace("&#39;", "'").replace("&amp;", "&");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Visitor {
    /// Of whatever listens there.
    pub fn of(address: &str) -> Visitor {
        Visitor { address: address.to_owned(), cookies: Vec::new(), csrf: String::new(), bearer: None }
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    /// A page that must be there, as its words.
    pub fn page(&mut self, path: &str) -> String {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.words());
        reply.words()
    }

    /// Send a form, with the token of the last page.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf.clone();
        let mut fields: Vec<(&str, &str)> = fields.to_vec();
        if !csrf.is_empty() {
            fields.push(("csrf", &csrf));
        }
        self.post_bare(path, &fields)
    }

    /// Send a form as it is given.
    pub fn post_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let pairs: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.ask("POST", path, &[kind], pairs.join("&").as_bytes())
    }

    /// Send a form that must be taken, and see the page that it leads to.
    pub fn act(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.post(path, fields);
        assert_eq!(reply.status, 303, "{path}: {}", reply.words());
        let to = reply.location().to_owned();
        self.page(&to)
    }

    /// Send files (name, bytes) with fields before them, as a browser does.
    pub fn upload(&mut self, path: &str, fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Reply {
        const BOUNDARY: &str = "----a-boundary-of-tests";
        let mut body = Vec::new();
        let csrf = self.csrf.clone();
        for (name, value) in std::iter::once(("csrf", csrf.as_str())).chain(fields.iter().copied()) {
            write!(
                body,
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .unwrap();
        }
        for (name, bytes) in files {
            let head = format!("name=\"files\"; filename=\"{}\"", name.replace('"', "%22"));
            write!(
                body,
                "--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\nContent-Type: text/csv\r\n\r\n"
            )
            .unwrap();
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        write!(body, "--{BOUNDARY}--\r\n").unwrap();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.ask("POST", path, &[("content-type", &kind)], &body)
    }

    /// Wait until the work of a page `/jobs/N` has ended, and see what it says.
    pub fn job(&mut self, path: &str) -> String {
        assert!(path.starts_with("/jobs/"), "no work was begun: {path}");
        loop {
            let words = self.page(path);
            if !words.contains("the work goes on") {
                return words;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Fetch a page to have its token.
    pub fn look(&mut self) {
        let _ = self.get("/account");
    }

    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len().to_string();
        let head = self.head(method, path, &[headers, &[("Content-Length", &*length)]].concat());
        // A server that has seen enough may close before all is sent.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let bytes = read_whole(&mut stream);
        let reply = read_reply(&bytes);
        self.keep(&reply);
        reply
    }

    /// What stands before the body of a request.
    pub fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let address = &self.address;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(key, _)| *key == "host") {
            write!(head, "Host: {address}\r\n").unwrap();
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(key, value)| format!("{key}={value}")).collect();
            write!(head, "Cookie: {}\r\n", pairs.join("; ")).unwrap();
        }
        if let Some(bearer) = &self.bearer {
            write!(head, "Authorization: Bearer {bearer}\r\n").unwrap();
        }
        for (key, value) in headers {
            write!(head, "{key}: {value}\r\n").unwrap();
        }
        head + "\r\n"
    }

    fn keep(&mut self, reply: &Reply) {
        for (_, value) in reply.headers.iter().filter(|(key, _)| key == "set-cookie") {
            let pair = value.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let text = reply.text();
        if let Some((_, rest)) = text.split_once("name=\"csrf\" value=\"")
            && let Some((token, _)) = rest.split_once('"')
        {
            token.clone_into(&mut self.csrf);
        }
    }

    /// The cookie of the session, to be stolen in tests.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(known, _)| known != name);
        self.cookies.push((name.to_owned(), value.to_owned()));
    }
}

/// All of a reply; not every server closes after it.
fn read_whole(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    while !is_whole(&bytes) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
    bytes
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) => at + 4 + length <= bytes.len(),
        None => head.contains("transfer-encoding: chunked") && bytes.ends_with(b"\r\n0\r\n\r\n"),
    }
}

fn read_reply(bytes: &[u8]) -> Reply {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a reply has a head");
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|text| text.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[at + 4..];
    let chunked = headers.iter().any(|(key, value)| key == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunked(body) } else { body.to_vec() };
    Reply { status: status.expect("a reply has a status"), headers, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap().trim(), 16).unwrap();
        if length == 0 {
            break;
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + length]);
        rest = &rest[at + 2 + length + 2..];
    }
    body
}

/// As a form or an address carries it.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            byte => write!(encoded, "%{byte:02X}").unwrap(),
        }
    }
    encoded
}
