//! The pages in headless Chromium, driven through WebDriver.
//!
//! They run where `chromium` and `chromedriver` are installed, and otherwise say that they did not. With
//! `KVERDICT_REQUIRE_TOOLS` set their absence is a failure; with `EXPLORER_SCREENSHOTS=DIR` pictures are kept.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

/// A running browser with a server, both gone when this is dropped.
struct Stage {
    client: Client,
    base: String,
    /// How many requests the browser has sent.
    requests: AtomicUsize,
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

/// A command of Chromium's driver that WebDriver does not have.
#[derive(Debug)]
struct Chromium(&'static str, Value);

impl WebDriverCompatibleCommand for Chromium {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }
    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.1.to_string()))
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
    async fn set() -> Option<Self> {
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
        let capabilities = capabilities.as_object().expect("an object").clone();
        let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = ClientBuilder::new(connector);
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        let client = client.expect("Chromium starts");
        Some(Self { client, base, requests: AtomicUsize::new(0), _driver: driver, _profile: profile })
    }

    async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.expect("the page opens");
    }

    /// Presses a key on whatever has the focus, and waits until the page is another one if it shall be.
    async fn press(&self, key: &str, until: &str) {
        self.key(key).await;
        self.wait(until).await;
    }

    async fn key(&self, key: &str) {
        let element = self.client.active_element().await.expect("something has the focus");
        element.send_keys(key).await.expect("it takes a key");
    }

    /// Waits until a condition in the page is true.
    async fn wait(&self, condition: &str) {
        let begun = Instant::now();
        let script = format!("return document.readyState === 'complete' && Boolean({condition})");
        while begun.elapsed() < Duration::from_secs(20) {
            if let Ok(Value::Bool(true)) = self.client.execute(&script, Vec::new()).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not so in 20 s: {condition} at {}", self.client.current_url().await.expect("an address"));
    }

    async fn eval(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.expect("a value")
    }

    async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.expect("a list").len()
    }

    async fn text(&self, selector: &str) -> String {
        let found = self.client.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}")).text().await.expect("text")
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.client.issue_cmd(Chromium("se/log", json!({ "type": kind }))).await.expect("a log");
        log.as_array().cloned().unwrap_or_default()
    }

    async fn protocol(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Chromium("goog/cdp/execute", body)).await.expect("the command is known");
    }

    async fn width(&self, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.protocol("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn scheme(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.protocol("Emulation.setEmulatedMedia", media).await;
    }

    async fn picture(&self, name: &str) {
        let folder = std::env::var_os("EXPLORER_SCREENSHOTS").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
        let bytes = self.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("explorer-{name}.png")), bytes).expect("it is written");
    }

    /// No console error since the last time, and no request to anything but the server.
    async fn is_clean(&self) {
        let errors: Vec<Value> =
            self.log("browser").await.into_iter().filter(|entry| entry["level"] == "SEVERE").collect();
        assert!(errors.is_empty(), "console errors: {errors:?}");
        for entry in self.log("performance").await {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or("null")).expect("JSON");
            if message["message"]["method"] == "Network.requestWillBeSent" {
                let address = message["message"]["params"]["request"]["url"].as_str().unwrap_or_default().to_string();
                let inside = address.starts_with(&format!("{}/", self.base)) || address.starts_with("data:");
                // The browser's own first tab, which never leaves the process.
                let inside = inside || address.starts_with("chrome://");
                assert!(inside, "a request to {address}");
                self.requests.fetch_add(1, Relaxed);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_in_a_browser() {
    let Some(stage) = Stage::set().await else { return };
    let variants = broken_variants();
    for mechanism in ["io-bitmap", "ldt", "iommu-flush", "pkeys"] {
        assert!(variants.iter().any(|(name, _)| name == mechanism), "{mechanism} has no variant to show");
    }
    catalogue(&stage).await;
    for (mechanism, variant) in &variants {
        every_page(&stage, &format!("{mechanism}/{variant}")).await;
    }
    arithmetic(&stage).await;
    walk_by_keyboard(&stage, "ldt/posted").await;
    narrow_and_dark(&stage, "ldt/posted").await;
    a_panic(&stage).await;
    stage.is_clean().await;
    let requests = stage.requests.load(Relaxed);
    assert!(requests > 100, "the requests are counted: {requests}");
    stage.client.clone().close().await.expect("the browser ends");
}

async fn catalogue(stage: &Stage) {
    // The whole catalogue has the mechanisms of the tests as well, and would show a number that is not true.
    stage.open("/?mechanism=io-bitmap").await;
    stage.picture("catalogue").await;
    stage.open("/").await;
    assert_eq!(stage.count("section.mechanism").await, 7, "five mechanisms, and two of the tests");
    stage.key("/").await;
    stage.press(&format!("counter panics{}", char::from(Key::Enter)), "location.search.includes('counter')").await;
    assert_eq!(stage.count("table.catalogue tbody tr").await, 1, "the filter works by keyboard");
}

async fn every_page(stage: &Stage, name: &str) {
    for page in ["variant", "walk", "compare", "graph", "search"] {
        stage.open(&format!("/{page}/{name}")).await;
        assert_eq!(stage.count("main h1").await, 1, "{page} of {name}");
        assert_eq!(stage.count(".problem").await, 0, "{page} of {name}");
        assert!(stage.text("main").await.len() > 100, "{page} of {name} says something");
    }
    stage.open(&format!("/walk/{name}")).await;
    stage.press("1", "/^Step 1( |$)/.test(document.querySelector('h1').textContent.trim())").await;
    assert!(stage.count(".panel tr.changed").await > 0, "the first step of {name} changes something");
    assert_eq!(stage.count("svg.diagram .d-step").await, 1);
    stage.is_clean().await;
}

/// The mechanism without states: its page has the smallest input that breaks each property.
async fn arithmetic(stage: &Stage) {
    stage.open("/variant/iova-bitmap/posted-nbits").await;
    for _ in 0..100 {
        if stage.count(".counterexample").await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        stage.client.refresh().await.expect("it reloads");
    }
    assert_eq!(stage.count(".counterexample").await, 2);
    assert!(stage.text("[data-property='exact-bits']").await.contains("input"));
    stage.picture("arithmetic").await;
    stage.is_clean().await;
}

/// A panic in a model is a page with the step. The browser logs the answer 500 by itself, and only that.
async fn a_panic(stage: &Stage) {
    stage.is_clean().await;
    stage.open("/walk/faulty/posted?at=0.0.2.0").await;
    assert!(stage.text(".problem").await.contains("at step 3 (One: One): four is too much"));
    let errors: Vec<Value> =
        stage.log("browser").await.into_iter().filter(|entry| entry["level"] == "SEVERE").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0]["message"].as_str().unwrap_or_default().contains("status of 500"), "{errors:?}");
    stage.open("/").await;
}

async fn walk_by_keyboard(stage: &Stage, name: &str) {
    stage.open(&format!("/variant/{name}")).await;
    stage.press("c", "location.pathname.startsWith('/walk') && document.querySelector('.banner.bad')").await;
    let bookmark = stage.client.current_url().await.expect("an address");
    let length = stage.count(".jumps a").await - 1;
    assert!(length > 1);
    stage.picture("walk").await;
    let property = stage.text(".banner.bad b").await.replace("BROKEN ", "");
    let row = format!("[data-property='{property}'] .truth");
    stage
        .press(&char::from(Key::Home).to_string(), "document.querySelector('h1').textContent.startsWith('Step 0')")
        .await;
    assert_eq!(stage.text(&row).await, "holds");
    // All of its steps are looked at without a browser; here, both ways to take one.
    for step in 1..=length.min(12) {
        let digit = stage.eval("[...document.querySelectorAll('.option')].find(o => o.textContent.includes('next in the trace')).dataset.key || ''").await;
        let digit = digit.as_str().expect("text").to_string();
        let key = if digit.is_empty() || step % 2 == 0 { char::from(Key::Right).to_string() } else { digit };
        stage.press(&key, &format!("/^Step {step}( |$)/.test(document.querySelector('h1').textContent.trim())")).await;
        let counts =
            "['.panel tr.changed', '.panel ins', '.panel del'].map(all => document.querySelectorAll(all).length)";
        let [changed, new, old]: [u64; 3] = serde_json::from_value(stage.eval(counts).await).expect("three numbers");
        assert!(changed > 0, "step {step} changes something");
        assert_eq!((new, old), (changed, changed), "every changed row shows what it was");
    }
    stage.press(&char::from(Key::End).to_string(), "document.querySelector('.banner.bad')").await;
    assert_eq!(stage.text(&row).await, "BROKEN");
    assert!(stage.text(".banner.bad").await.contains(&property));
    stage
        .press(
            &char::from(Key::Left).to_string(),
            &format!("document.querySelector('h1').textContent.startsWith('Step {}')", length - 1),
        )
        .await;
    assert_eq!(stage.text(&row).await, "holds");
    assert!(stage.text(".breaks").await.contains(&property), "the step that breaks it is marked");
    tab_to_a_step(stage).await;
    stage.client.goto(bookmark.as_str()).await.expect("the bookmark opens");
    stage.client.refresh().await.expect("it reloads");
    assert_eq!(stage.text(&row).await, "BROKEN", "a bookmark shows the same state");
    stage.open(&bookmark.as_str()[stage.base.len()..].replace("/walk/", "/compare/")).await;
    assert_eq!(stage.count("#divergence").await, 1, "the two forms diverge");
    stage.picture("compare").await;
}

/// Every step can be reached with Tab and taken with Enter, and the focus can be seen.
async fn tab_to_a_step(stage: &Stage) {
    stage.client.refresh().await.expect("it reloads");
    let before = stage.client.current_url().await.expect("an address");
    for _ in 0..60 {
        stage.key(&char::from(Key::Tab).to_string()).await;
        if stage.eval("document.activeElement.classList.contains('option')").await == true {
            let outline = stage.eval("getComputedStyle(document.activeElement).outlineStyle").await;
            assert_eq!(outline, "solid", "the focus is visible");
            stage.press(&char::from(Key::Enter).to_string(), &format!("location.href !== '{before}'")).await;
            return;
        }
    }
    panic!("no step within 60 tabs");
}

/// No cell is so narrow that its words stand one letter below the other.
async fn no_word_is_torn(stage: &Stage, path: &str) {
    let torn = "[...document.querySelectorAll('td, th')].filter(cell => cell.textContent.trim().length > 3 \
                && cell.getBoundingClientRect().width > 0 && cell.getBoundingClientRect().width < 34).length";
    assert_eq!(stage.eval(torn).await, 0, "{path} has cells of one letter's width");
}

async fn narrow_and_dark(stage: &Stage, name: &str) {
    let found = stage.eval("(new URLSearchParams(location.search)).get('at')").await;
    let at = found.as_str().unwrap_or("0").to_string();
    for width in [1280, 400] {
        stage.width(width).await;
        for path in [
            "/".to_string(),
            format!("/variant/{name}"),
            format!("/walk/{name}?at={at}"),
            format!("/compare/{name}?at={at}"),
            format!("/graph/{name}?at={at}"),
            format!("/search/{name}"),
        ] {
            stage.open(&path).await;
            let over = stage.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
            assert_eq!(over, 0, "{path} fits {width} pixels");
            no_word_is_torn(stage, &path).await;
            if width == 1280 && !path.starts_with("/compare") && !path.starts_with("/walk") && path != "/" {
                stage.picture(path.split('/').nth(1).expect("a page")).await;
            }
        }
    }
    stage.open(&format!("/walk/{name}?at={at}")).await;
    stage.picture("walk-400").await;
    stage.scheme("dark").await;
    stage.width(1280).await;
    stage.open(&format!("/walk/{name}?at={at}")).await;
    assert_ne!(stage.eval("getComputedStyle(document.body).backgroundColor").await, "rgb(255, 255, 255)");
    stage.picture("walk-dark").await;
    stage.open(&format!("/graph/{name}?at={at}")).await;
    stage.picture("graph-dark").await;
    stage.open("/graph/faulty/sound").await;
    assert!(stage.count("svg.graph a").await == 10);
    stage.scheme("light").await;
}
