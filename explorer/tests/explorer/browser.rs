//! The pages in headless Chromium, driven through WebDriver.
//!
//! They run where `chromium` and `chromedriver` are installed, and otherwise say that they did not. With
//! `KVERDICT_REQUIRE_TOOLS` set their absence is a failure; with `EXPLORER_SCREENSHOTS=DIR` pictures are kept.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::webdriver::{Session, key};

/// A running browser with a server, both gone when this is dropped.
struct Stage {
    session: Session,
    base: String,
    /// How many requests the browser has sent.
    requests: Cell<usize>,
    _driver: Driver,
    _profile: Profile,
}

/// The driver's process.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Where the browser keeps its files, in a folder of its own.
struct Profile(tempfile::TempDir);

impl Drop for Profile {
    /// Chromium outlives its driver when a test fails.
    fn drop(&mut self) {
        let mut left = Command::new("pkill");
        let with_this_folder = format!("--user-data-dir={}", self.0.path().display());
        drop(left.args(["-KILL", "-f", "--", &with_this_folder]).status());
    }
}

fn start_driver() -> Option<(Driver, u16)> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let out = child.stdout.take()?;
    let driver = Driver(child);
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            return Some((driver, rest.trim_end_matches('.').parse().ok()?));
        }
    }
    None
}

fn missing() -> Option<&'static str> {
    let there =
        |name: &str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    ["chromium", "chromedriver"].into_iter().find(|name| !there(name))
}

impl Stage {
    fn set() -> Option<Self> {
        if let Some(name) = missing() {
            let line = format!(
                "the browser tests did NOT run: {name} is not installed (apt-get install chromium chromium-driver)"
            );
            assert!(std::env::var_os("KVERDICT_REQUIRE_TOOLS").is_none(), "{line}");
            eprintln!("{line}");
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it has one"));
        std::thread::spawn(|| explorer::serve(crate::running::catalogue(), explorer::Limits::default(), listener));
        let (driver, port) = start_driver().expect("chromedriver starts");
        let profile = Profile(tempfile::tempdir().expect("a folder for the profile"));
        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--window-size=1280,1000", format!("--user-data-dir={}", profile.0.path().display()),
            ] },
        });
        let session = Session::start(port, &capabilities).expect("Chromium starts");
        Some(Self { session, base, requests: Cell::new(0), _driver: driver, _profile: profile })
    }

    fn open(&self, path: &str) {
        self.session.open(&format!("{}{path}", self.base)).expect("the page opens");
    }

    /// Presses a key on whatever has the focus, and waits until the page is another one if it shall be.
    fn press(&self, key: &str, until: &str) {
        self.key(key);
        self.wait(until);
    }

    fn key(&self, key: &str) {
        let element = self.session.focus().expect("something has the focus");
        element.send_keys(key).expect("it takes a key");
    }

    /// Waits until a condition in the page is true.
    fn wait(&self, condition: &str) {
        let begun = Instant::now();
        let script = format!("return document.readyState === 'complete' && Boolean({condition})");
        while begun.elapsed() < Duration::from_secs(20) {
            if let Ok(Value::Bool(true)) = self.session.execute(&script) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("not so in 20 s: {condition} at {}", self.session.address().expect("an address"));
    }

    fn eval(&self, expression: &str) -> Value {
        self.session.execute(&format!("return {expression}")).expect("a value")
    }

    fn count(&self, selector: &str) -> usize {
        self.session.count(selector).expect("a list")
    }

    fn text(&self, selector: &str) -> String {
        let found = self.session.find(selector);
        found.unwrap_or_else(|error| panic!("{selector}: {error}")).text().expect("text")
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.session.post("/se/log", &json!({ "type": kind })).expect("a log");
        log.as_array().cloned().unwrap_or_default()
    }

    fn protocol(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.session.post("/goog/cdp/execute", &body).expect("the command is known");
    }

    fn width(&self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.protocol("Emulation.setDeviceMetricsOverride", size);
    }

    fn scheme(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.protocol("Emulation.setEmulatedMedia", media);
    }

    fn picture(&self, name: &str) {
        let folder = std::env::var_os("EXPLORER_SCREENSHOTS").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
        let bytes = self.session.picture().expect("a picture");
        std::fs::write(folder.join(format!("explorer-{name}.png")), bytes).expect("it is written");
    }

    /// The console's errors since the last time.
    fn errors(&self) -> Vec<Value> {
        self.log("browser").into_iter().filter(|entry| entry["level"] == "SEVERE").collect()
    }

    /// No console error since the last time, and no request to anything but the server.
    fn is_clean(&self) {
        let errors = self.errors();
        assert!(errors.is_empty(), "console errors: {errors:?}");
        for entry in self.log("performance") {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or("null")).expect("JSON");
            if message["message"]["method"] == "Network.requestWillBeSent" {
                let address = message["message"]["params"]["request"]["url"].as_str().unwrap_or_default().to_string();
                let inside = address.starts_with(&format!("{}/", self.base)) || address.starts_with("data:");
                // The browser's own first tab, which never leaves the process.
                let inside = inside || address.starts_with("chrome://");
                assert!(inside, "a request to {address}");
                self.requests.set(self.requests.get() + 1);
            }
        }
    }
}

/// A variant that is expected to break, for each mechanism with states.
fn broken_variants() -> Vec<(String, String)> {
    let catalogue = crate::running::catalogue();
    let of = |mechanism: &explorer::Mechanism| {
        let posted = |v: &&explorer::Variant| v.walk.is_some() && !v.expected_broken.is_empty();
        let variant = mechanism.variants.iter().filter(posted).min_by_key(|v| !v.name.starts_with("posted"))?;
        Some((mechanism.name.clone(), variant.name.clone()))
    };
    catalogue.mechanisms.iter().filter_map(of).collect()
}

#[test]
fn pages_in_a_browser() {
    let Some(stage) = Stage::set() else { return };
    let variants = broken_variants();
    for mechanism in ["io-bitmap", "ldt", "iommu-flush", "pkeys"] {
        assert!(variants.iter().any(|(name, _)| name == mechanism), "{mechanism} has no variant to show");
    }
    catalogue(&stage);
    for (mechanism, variant) in &variants {
        every_page(&stage, &format!("{mechanism}/{variant}"));
    }
    arithmetic(&stage);
    walk_by_keyboard(&stage, "ldt/posted");
    narrow_and_dark(&stage, "ldt/posted");
    a_panic(&stage);
    stage.is_clean();
    let requests = stage.requests.get();
    assert!(requests > 100, "the requests are counted: {requests}");
    stage.session.end().expect("the browser ends");
}

fn catalogue(stage: &Stage) {
    // The whole catalogue has the mechanisms of the tests as well, and would show a number that is not true.
    stage.open("/?mechanism=io-bitmap");
    stage.picture("catalogue");
    stage.open("/");
    assert_eq!(stage.count("section.mechanism"), 7, "five mechanisms, and two of the tests");
    stage.key("/");
    stage.press(&format!("counter panics{}", key::ENTER), "location.search.includes('counter')");
    assert_eq!(stage.count("table.catalogue tbody tr"), 1, "the filter works by keyboard");
}

fn every_page(stage: &Stage, name: &str) {
    for page in ["variant", "walk", "compare", "graph", "search"] {
        stage.open(&format!("/{page}/{name}"));
        assert_eq!(stage.count("main h1"), 1, "{page} of {name}");
        assert_eq!(stage.count(".problem"), 0, "{page} of {name}");
        assert!(stage.text("main").len() > 100, "{page} of {name} says something");
    }
    stage.open(&format!("/walk/{name}"));
    stage.press("1", "/^Step 1( |$)/.test(document.querySelector('h1').textContent.trim())");
    assert!(stage.count(".panel tr.changed") > 0, "the first step of {name} changes something");
    assert_eq!(stage.count("svg.diagram .d-step"), 1);
    stage.is_clean();
}

/// The mechanism without states: its page has the smallest input that breaks each property.
fn arithmetic(stage: &Stage) {
    stage.open("/variant/iova-bitmap/posted-nbits");
    for _ in 0..100 {
        if stage.count(".counterexample") > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
        stage.session.reload().expect("it reloads");
    }
    assert_eq!(stage.count(".counterexample"), 2);
    assert!(stage.text("[data-property='exact-bits']").contains("input"));
    stage.picture("arithmetic");
    stage.is_clean();
}

/// A panic in a model is a page with the step. The browser logs the answer 500 by itself, and only that.
fn a_panic(stage: &Stage) {
    stage.is_clean();
    stage.open("/walk/faulty/posted?at=0.0.2.0");
    assert!(stage.text(".problem").contains("at step 3 (One: One): four is too much"));
    let errors = stage.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap_or_default().contains("status of 500"), "{errors:?}");
    stage.open("/");
}

fn walk_by_keyboard(stage: &Stage, name: &str) {
    stage.open(&format!("/variant/{name}"));
    stage.press("c", "location.pathname.startsWith('/walk') && document.querySelector('.banner.bad')");
    let bookmark = stage.session.address().expect("an address");
    let length = stage.count(".jumps a") - 1;
    assert!(length > 1);
    stage.picture("walk");
    let property = stage.text(".banner.bad b").replace("BROKEN ", "");
    let row = format!("[data-property='{property}'] .truth");
    stage.press(key::HOME, "document.querySelector('h1').textContent.startsWith('Step 0')");
    assert_eq!(stage.text(&row), "holds");
    // All of its steps are looked at without a browser; here, both ways to take one.
    for step in 1..=length.min(12) {
        let digit = stage.eval("[...document.querySelectorAll('.option')].find(o => o.textContent.includes('next in the trace')).dataset.key || ''");
        let digit = digit.as_str().expect("text");
        let key = if digit.is_empty() || step % 2 == 0 { key::RIGHT } else { digit };
        stage.press(key, &format!("/^Step {step}( |$)/.test(document.querySelector('h1').textContent.trim())"));
        let counts =
            "['.panel tr.changed', '.panel ins', '.panel del'].map(all => document.querySelectorAll(all).length)";
        let [changed, new, old]: [u64; 3] = serde_json::from_value(stage.eval(counts)).expect("three numbers");
        assert!(changed > 0, "step {step} changes something");
        assert_eq!((new, old), (changed, changed), "every changed row shows what it was");
    }
    stage.press(key::END, "document.querySelector('.banner.bad')");
    assert_eq!(stage.text(&row), "BROKEN");
    assert!(stage.text(".banner.bad").contains(&property));
    stage.press(key::LEFT, &format!("document.querySelector('h1').textContent.startsWith('Step {}')", length - 1));
    assert_eq!(stage.text(&row), "holds");
    assert!(stage.text(".breaks").contains(&property), "the step that breaks it is marked");
    tab_to_a_step(stage);
    stage.session.open(&bookmark).expect("the bookmark opens");
    stage.session.reload().expect("it reloads");
    assert_eq!(stage.text(&row), "BROKEN", "a bookmark shows the same state");
    stage.open(&bookmark[stage.base.len()..].replace("/walk/", "/compare/"));
    assert_eq!(stage.count("#divergence"), 1, "the two forms diverge");
    stage.picture("compare");
}

/// Every step can be reached with Tab and taken with Enter, and the focus can be seen.
fn tab_to_a_step(stage: &Stage) {
    stage.session.reload().expect("it reloads");
    let before = stage.session.address().expect("an address");
    for _ in 0..60 {
        stage.key(key::TAB);
        if stage.eval("document.activeElement.classList.contains('option')") == true {
            let outline = stage.eval("getComputedStyle(document.activeElement).outlineStyle");
            assert_eq!(outline, "solid", "the focus is visible");
            stage.press(key::ENTER, &format!("location.href !== '{before}'"));
            return;
        }
    }
    panic!("no step within 60 tabs");
}

/// No cell is so narrow that its words stand one letter below the other.
fn no_word_is_torn(stage: &Stage, path: &str) {
    let torn = "[...document.querySelectorAll('td, th')].filter(cell => cell.textContent.trim().length > 3 \
                && cell.getBoundingClientRect().width > 0 && cell.getBoundingClientRect().width < 34).length";
    assert_eq!(stage.eval(torn), 0, "{path} has cells of one letter's width");
}

fn narrow_and_dark(stage: &Stage, name: &str) {
    let found = stage.eval("(new URLSearchParams(location.search)).get('at')");
    let at = found.as_str().unwrap_or("0").to_string();
    for width in [1280, 400] {
        stage.width(width);
        for path in [
            "/".to_string(),
            format!("/variant/{name}"),
            format!("/walk/{name}?at={at}"),
            format!("/compare/{name}?at={at}"),
            format!("/graph/{name}?at={at}"),
            format!("/search/{name}"),
        ] {
            stage.open(&path);
            let over = stage.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(over, 0, "{path} fits {width} pixels");
            no_word_is_torn(stage, &path);
            if width == 1280 && !path.starts_with("/compare") && !path.starts_with("/walk") && path != "/" {
                stage.picture(path.split('/').nth(1).expect("a page"));
            }
        }
    }
    stage.open(&format!("/walk/{name}?at={at}"));
    stage.picture("walk-400");
    stage.scheme("dark");
    stage.width(1280);
    stage.open(&format!("/walk/{name}?at={at}"));
    assert_ne!(stage.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    stage.picture("walk-dark");
    stage.open(&format!("/graph/{name}?at={at}"));
    stage.picture("graph-dark");
    stage.open("/graph/faulty/sound");
    assert!(stage.count("svg.graph a") == 10);
    stage.scheme("light");
}
