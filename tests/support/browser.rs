//! Chromium, driven through `ChromeDriver` as a person would use it. Whatever the browser complains of, on the
//! console or about the policy, fails the story. The protocol is W3C `WebDriver`: JSON over HTTP to a process of
//! this machine, for which the client of `web.rs` does.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::web::{PASSWORD, Server, Visitor};

/// A running `ChromeDriver`; it ends with the value.
pub struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    pub fn start() -> Driver {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is there; `scripts/test` installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "chromedriver did not start");
            if let Some((_, rest)) = line.split_once("successfully on port ") {
                break rest.trim().trim_end_matches('.').to_owned();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Driver { child, address: format!("127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a window is opened.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
    pub scripts: bool,
}

impl Look {
    pub const DESK: Look = Look { width: 1280, dark: false, scripts: true };
}

/// A window of a browser of its own.
pub struct Window {
    driver: Visitor,
    session: String,
    base: String,
    scripts: bool,
}

/// The name under which the protocol hands out elements (`WebDriver`, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Window {
    pub fn open(driver: &Driver, server: &Server, look: Look) -> Window {
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            format!("--window-size={},900", look.width.max(500)),
        ];
        if look.dark {
            arguments.push("--force-dark-mode".to_owned());
        }
        let mut options = json!({ "args": arguments });
        if look.width < 500 {
            // Windows of the system are not this narrow; the emulation of a telephone is.
            let metrics = json!({ "width": look.width, "height": 900, "pixelRatio": 1.0, "mobile": false });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        if !look.scripts {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut driver = Visitor::of(&driver.address);
        let made = command(&mut driver, "POST", "/session", &wanted)
            .expect("chromium starts; `scripts/test` installs it");
        let session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        Window { driver, session, base: format!("http://{}", server.address), scripts: look.scripts }
    }

    /// Anything of the protocol, below this session.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        command(&mut self.driver, method, &format!("{}{path}", self.session), body)
    }

    fn find(&mut self, using: &str, value: &str) -> Option<String> {
        let found = self.ask("POST", "/element", &json!({ "using": using, "value": value })).ok()?;
        found[ELEMENT].as_str().map(str::to_owned)
    }

    fn css(&mut self, css: &str) -> String {
        match self.find("css selector", css) {
            Some(element) => element,
            None => panic!("no {css} at {}:\n{}", self.path(), self.words()),
        }
    }

    pub fn sign_in(&mut self, name: &str) {
        self.go("/sign-in");
        self.fill("#name", name);
        self.fill("#password", PASSWORD);
        self.press("Sign in");
        self.sees("Sign out");
    }

    pub fn go(&mut self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.ask("POST", "/url", &json!({ "url": url })).unwrap();
    }

    /// The browser's button.
    pub fn back(&mut self) {
        self.ask("POST", "/back", &json!({})).unwrap();
    }

    pub fn path(&mut self) -> String {
        let url = self.ask("GET", "/url", &Value::Null).unwrap();
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.base).unwrap_or(url).to_owned()
    }

    pub fn fill(&mut self, css: &str, text: &str) {
        let field = self.css(css);
        self.ask("POST", &format!("/element/{field}/clear"), &json!({})).unwrap();
        self.ask("POST", &format!("/element/{field}/value"), &json!({ "text": text })).unwrap();
    }

    /// Choose files, as the dialog of the system would.
    pub fn choose_files(&mut self, css: &str, paths: &[PathBuf]) {
        let field = self.css(css);
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let text = paths.join("\n");
        self.ask("POST", &format!("/element/{field}/value"), &json!({ "text": text })).unwrap();
    }

    /// Press the button, or follow the link, that is called so; one of the page before one of the frame.
    pub fn press(&mut self, name: &str) {
        for place in ["//main", ""] {
            let path = format!(
                "{place}//button[normalize-space()=\"{name}\"] | {place}//a[normalize-space()=\"{name}\"] | \
                 {place}//summary[normalize-space()=\"{name}\"]"
            );
            if let Some(element) = self.find("xpath", &path) {
                self.ask("POST", &format!("/element/{element}/click"), &json!({})).unwrap();
                return;
            }
        }
        panic!("nothing is called `{name}` at {}:\n{}", self.path(), self.words());
    }

    pub fn click(&mut self, css: &str) {
        let element = self.css(css);
        self.ask("POST", &format!("/element/{element}/click"), &json!({})).unwrap();
    }

    /// Press keys, one after the other, wherever the focus is; `\u{E004}` is Tab, `\u{E007}` Enter.
    pub fn keys(&mut self, keys: &str) {
        let mut actions = Vec::new();
        for key in keys.chars() {
            actions.push(json!({ "type": "keyDown", "value": key.to_string() }));
            actions.push(json!({ "type": "keyUp", "value": key.to_string() }));
        }
        self.press_keys(&actions);
    }

    /// A key while Control is held.
    pub fn control(&mut self, key: char) {
        let key = key.to_string();
        self.press_keys(&[
            json!({ "type": "keyDown", "value": "\u{E009}" }),
            json!({ "type": "keyDown", "value": key }),
            json!({ "type": "keyUp", "value": key }),
            json!({ "type": "keyUp", "value": "\u{E009}" }),
        ]);
    }

    fn press_keys(&mut self, actions: &[Value]) {
        let body = json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] });
        self.ask("POST", "/actions", &body).unwrap();
    }

    /// The words of the page, as they are seen.
    pub fn words(&mut self) -> String {
        let Some(body) = self.find("css selector", "body") else { return String::new() };
        let text = self.ask("GET", &format!("/element/{body}/text"), &Value::Null);
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Wait until the page says so.
    pub fn sees(&mut self, words: &str) {
        for _ in 0..600 {
            if self.words().contains(words) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("`{words}` is not said at {}:\n{}", self.path(), self.words());
    }

    pub fn run(&mut self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// What the console has to say since it was asked last.
    pub fn complaints(&mut self) -> Vec<String> {
        let said = self.ask("POST", "/se/log", &json!({ "type": "browser" })).unwrap();
        let entries = said.as_array().cloned().unwrap_or_default();
        let lines = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        lines.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn has_nothing_to_complain_of(&mut self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "at {}: {complaints:#?}", self.path());
    }

    /// Rules of accessibility that the page breaks, as axe says them (WCAG 2.2 A and AA, best practice).
    pub fn axe(&mut self) -> Vec<String> {
        assert!(self.scripts, "axe is a script");
        let source = std::fs::read_to_string(axe()).expect("axe-core is there; `scripts/test` fetches it");
        self.run(&source);
        let script = "const done = arguments[arguments.length - 1]; \
            axe.run(document).then(result => done(result.violations.map(found => `${found.impact} ${found.id}: ` \
            + found.nodes.slice(0, 4).map(node => node.target.join(' ') + ' ' + node.failureSummary).join(' | '))))";
        let found = self.ask("POST", "/execute/async", &json!({ "script": script, "args": [] })).unwrap();
        found.as_array().unwrap().iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.ask("DELETE", "", &Value::Null);
    }
}

/// One command of the protocol: its value, or the driver's words.
fn command(driver: &mut Visitor, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = driver.ask(method, path, &[("content-type", "application/json")], body.as_bytes());
    let value = reply.json()["value"].clone();
    if reply.status == 200 {
        Ok(value)
    } else {
        Err(value["message"].as_str().unwrap_or_default().to_owned())
    }
}

/// Where `scripts/test` puts axe-core.
fn axe() -> PathBuf {
    if let Some(path) = std::env::var_os("FOCUS_BILLING_AXE") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or(home).unwrap_or_default().join("openchargeback/axe-core-4.14.1/axe.min.js")
}
