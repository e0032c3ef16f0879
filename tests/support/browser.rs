//! Chromium, driven through `ChromeDriver` as a person would use it. Whatever the browser complains of, on the
//! console or about the policy, fails the story. The protocol is W3C `WebDriver`: JSON over HTTP to a process of
//! this machine, for which the client of `web.rs` does.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
    pub dark: bool,
    pub scripts: bool,
}

impl Look {
    pub const DESK: Look = Look { dark: false, scripts: true };
}

/// A window of a browser of its own.
pub struct Window {
    driver: Visitor,
    session: String,
    base: String,
    scripts: bool,
}

/// How long a page is waited for, and how long between two looks at it.
const PATIENCE: Duration = Duration::from_secs(40);
const A_MOMENT: Duration = Duration::from_millis(30);

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
            "--window-size=1280,900".to_owned(),
        ];
        if look.dark {
            arguments.push("--force-dark-mode".to_owned());
        }
        let mut options = json!({ "args": arguments });
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
        let called = format!("[normalize-space()=\"{name}\" or @aria-label=\"{name}\"]");
        let paths = ["//main", ""].map(|place| {
            ["button", "a", "summary"].map(|kind| format!("{place}//{kind}{called}")).join(" | ")
        });
        let is_pressed = self.comes_true(|window| paths.iter().any(|path| window.try_to_press(path)));
        assert!(is_pressed, "nothing is called `{name}` at {}:\n{}", self.path(), self.words());
    }

    fn try_to_press(&mut self, xpath: &str) -> bool {
        let Some(element) = self.find("xpath", xpath) else { return false };
        match self.ask("POST", &format!("/element/{element}/click"), &json!({})) {
            Ok(_) => true,
            // The page was exchanged between looking and pressing.
            Err(refusal) if refusal.contains("stale") => false,
            Err(refusal) => panic!("{xpath} at {}: {refusal}", self.path()),
        }
    }

    pub fn click(&mut self, css: &str) {
        let element = self.css(css);
        self.ask("POST", &format!("/element/{element}/click"), &json!({})).unwrap();
    }

    /// Choose in a list, as a person would; one that loads a page does so.
    pub fn choose(&mut self, css: &str, value: &str) {
        self.click(&format!("{css} option[value='{value}']"));
    }

    /// Press Tab until that is reached which has this name, or is the field of this name. It must show that it is.
    pub fn tab_to(&mut self, name: &str) {
        let focus = "const at = document.activeElement; const style = getComputedStyle(at); \
            const words = at.ariaLabel ?? (at.matches('input, select, textarea') ? at.name : at.innerText); \
            return [words.trim(), style.outlineStyle !== 'none' || style.boxShadow !== 'none']";
        let mut passed = Vec::new();
        for _ in 0..200 {
            let at = self.run(focus);
            let words = at[0].as_str().unwrap_or_default().to_owned();
            if words == name {
                assert_eq!(at[1], true, "the focus is not seen at `{words}`, {}", self.path());
                return;
            }
            passed.push(words);
            self.keys("\u{E004}");
        }
        panic!("Tab does not reach `{name}` at {}, but {passed:?}", self.path());
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
        let is_said = self.comes_true(|window| window.words().contains(words));
        assert!(is_said, "`{words}` is not said at {}:\n{}", self.path(), self.words());
    }

    pub fn arrives_at(&mut self, path: &str) {
        let is_there = self.comes_true(|window| window.path().starts_with(path));
        assert!(is_there, "at {} instead of {path}", self.path());
    }

    fn comes_true(&mut self, is_so: impl Fn(&mut Window) -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if is_so(self) {
                return true;
            }
            std::thread::sleep(A_MOMENT);
        }
        false
    }

    /// As on a telephone, until it is wide again.
    pub fn narrow(&mut self, width: u32) {
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    pub fn wide(&mut self) {
        self.devtools("Emulation.clearDeviceMetricsOverride", &json!({}));
    }

    fn devtools(&mut self, name: &str, parameters: &Value) {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": name, "params": parameters })).unwrap();
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

    /// A page that refuses is a complaint of the browser, too.
    pub fn complains_only_of(&mut self, words: &str) {
        let complaints = self.complaints();
        assert!(complaints.iter().all(|one| one.contains(words)), "at {}: {complaints:#?}", self.path());
    }

    /// As axe hears it; a browser without scripts says nothing.
    pub fn is_accessible(&mut self) {
        if self.scripts {
            let broken = self.axe();
            assert!(broken.is_empty(), "at {}: {broken:#?}", self.path());
        }
    }

    /// Rules of accessibility that the page breaks, as axe says them (WCAG 2.2 A and AA, best practice).
    pub fn axe(&mut self) -> Vec<String> {
        self.heard("")
    }

    pub fn axe_of(&mut self, rule: &str) -> Vec<String> {
        self.heard(&format!("runOnly: ['{rule}'],"))
    }

    fn heard(&mut self, options: &str) -> Vec<String> {
        if self.run("return 'axe' in window") != true {
            let source =
                std::fs::read_to_string(axe()).expect("axe-core is there; `scripts/test` fetches it");
            self.run(&source);
        }
        // What is right is not listed, and there are no other documents to load: both take axe long.
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
            axe.run(document, {{ {options} resultTypes: ['violations'], preload: false }}).then(result => \
            done(result.violations.map(found => `${{found.impact}} ${{found.id}}: ` + found.nodes.slice(0, 4).map( \
            node => node.target.join(' ') + ' ' + node.failureSummary).join(' | '))))"
        );
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
