//! A client of the WebDriver protocol: the few commands that these tests send, as JSON over HTTP.
//!
//! A whole client library (fantoccini) brought 29 crates, which one processor compiles in 19 s.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

/// Keys that have no letter, by their numbers in the protocol.
pub mod key {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const END: &str = "\u{e010}";
    pub const HOME: &str = "\u{e011}";
    pub const LEFT: &str = "\u{e012}";
    pub const RIGHT: &str = "\u{e014}";
}

/// What the protocol calls an element: its name in the session.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser's session. A command that the driver refuses is an error with the driver's words.
pub struct Session {
    agent: Agent,
    address: String,
}

/// An element of the page that is open.
pub struct Element<'a> {
    session: &'a Session,
    name: String,
}

impl Session {
    /// Starts a browser, by the driver that listens on `port`.
    pub fn start(port: u16, capabilities: &Value) -> Result<Self, String> {
        let agent = Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build());
        let mut session = Self { agent, address: format!("http://127.0.0.1:{port}/session") };
        let begun = session.post("", &json!({ "capabilities": { "alwaysMatch": capabilities } }))?;
        let name = begun["sessionId"].as_str().ok_or_else(|| format!("no session: {begun}"))?;
        session.address = format!("{}/{name}", session.address);
        Ok(session)
    }

    /// Sends a command that takes parameters.
    pub fn post(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        answer(self.agent.post(format!("{}{command}", self.address)).send_json(parameters))
    }

    /// Sends a command that only asks.
    fn get(&self, command: &str) -> Result<Value, String> {
        answer(self.agent.get(format!("{}{command}", self.address)).call())
    }

    /// Ends the browser.
    pub fn end(&self) -> Result<(), String> {
        answer(self.agent.delete(&self.address).call()).map(drop)
    }

    pub fn open(&self, address: &str) -> Result<(), String> {
        self.post("/url", &json!({ "url": address })).map(drop)
    }

    pub fn reload(&self) -> Result<(), String> {
        self.post("/refresh", &json!({})).map(drop)
    }

    pub fn address(&self) -> Result<String, String> {
        self.get("/url").and_then(text)
    }

    /// Runs a script in the page.
    pub fn execute(&self, script: &str) -> Result<Value, String> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The element that has the focus.
    pub fn focus(&self) -> Result<Element<'_>, String> {
        self.get("/element/active").and_then(|found| self.element(&found))
    }

    /// The first element of a CSS selector.
    pub fn find(&self, selector: &str) -> Result<Element<'_>, String> {
        self.post("/element", &by(selector)).and_then(|found| self.element(&found))
    }

    /// How many elements a CSS selector has.
    pub fn count(&self, selector: &str) -> Result<usize, String> {
        let found = self.post("/elements", &by(selector))?;
        found.as_array().map(Vec::len).ok_or_else(|| format!("no list: {found}"))
    }

    /// A picture of the window, as PNG.
    pub fn picture(&self) -> Result<Vec<u8>, String> {
        let encoded = self.get("/screenshot").and_then(text)?;
        BASE64_STANDARD.decode(encoded).map_err(|error| error.to_string())
    }

    fn element(&self, found: &Value) -> Result<Element<'_>, String> {
        let name = found[ELEMENT].as_str().ok_or_else(|| format!("no element: {found}"))?;
        Ok(Element { session: self, name: name.to_string() })
    }
}

impl Element<'_> {
    pub fn send_keys(&self, keys: &str) -> Result<(), String> {
        self.session.post(&format!("/element/{}/value", self.name), &json!({ "text": keys })).map(drop)
    }

    pub fn text(&self) -> Result<String, String> {
        self.session.get(&format!("/element/{}/text", self.name)).and_then(text)
    }
}

fn by(selector: &str) -> Value {
    json!({ "using": "css selector", "value": selector })
}

fn text(value: Value) -> Result<String, String> {
    value.as_str().map(str::to_string).ok_or_else(|| format!("no text: {value}"))
}

/// The value of an answer; a picture of a large window has some megabytes.
fn answer(sent: Result<Response<Body>, ureq::Error>) -> Result<Value, String> {
    let mut response = sent.map_err(|error| error.to_string())?;
    let read: Result<Value, _> = response.body_mut().with_config().limit(64 << 20).read_json();
    let value = read.map_err(|error| error.to_string())?["value"].take();
    if response.status().is_success() { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
}
