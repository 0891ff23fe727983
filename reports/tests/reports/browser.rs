//! The page in a real browser, where one is: it draws, it complains about nothing, it asks nobody.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fixture::{everything, report};

fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()))
}

/// Opens a page, takes a picture, and gives back what the browser logged.
fn open(browser: &str, page: &Path, picture: &Path, proxy: &str) -> String {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-default-apps"])
        .args(["--disable-client-side-phishing-detection", "--disable-domain-reliability", "--enable-logging=stderr"])
        .args(["--window-size=1200,1600", "--hide-scrollbars", "--proxy-bypass-list=<-loopback>"])
        .arg(format!("--proxy-server={proxy}"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_page_opens_without_complaint_and_without_a_request() {
    let Some(browser) = browser() else {
        assert!(std::env::var_os("KVERDICT_REQUIRE_TOOLS").is_none(), "there is no chromium");
        eprintln!("NOT RUN: there is no chromium; .ci/run installs it");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (address, requests) = proxy();
    let log = |name: &str, html: &str| {
        let (page, picture) = (folder.path().join(format!("{name}.html")), folder.path().join(format!("{name}.png")));
        std::fs::write(&page, html).expect("the page is written");
        let log = open(browser, &page, &picture, &address);
        let size = std::fs::metadata(&picture).map_or(0, |picture| picture.len());
        assert!(size > 10_000, "the picture has {size} bytes: {log}");
        if let Some(keep) = std::env::var_os("KVERDICT_SCREENSHOTS") {
            std::fs::copy(&picture, Path::new(&keep).join(format!("{name}.png"))).expect("the picture is kept");
        }
        log
    };
    let html = report(everything()).to_html();
    let complaints = log("everything", &html);
    assert!(!complaints.contains("CONSOLE"), "{complaints}");
    let unfolded = log("unfolded", &html.replace("<details>", "<details open>"));
    assert!(!unfolded.contains("CONSOLE"), "{unfolded}");
    assert_eq!(requests(), [] as [String; 0]);

    // The check can fail: a page that complains and asks is noticed.
    let asks = "<main><script>console.error('noticed')</script><img src='http://outside.invalid/picture'>";
    let loud = html.replacen("<main>", asks, 1).replace("default-src 'none'", "default-src * 'unsafe-inline'");
    let loud = loud.replace("img-src data:", "img-src *");
    assert!(log("loud", &loud).contains("CONSOLE"), "console messages are in the log");
    assert!(requests().iter().any(|line| line.contains("outside.invalid")), "requests reach the proxy");
}

/// A proxy that refuses everything: its address, and the first lines of the requests so far, without those that
/// the browser makes for itself.
fn proxy() -> (String, impl Fn() -> Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    // It ends with the test program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let mut start = [0; 300];
            let read = stream.read(&mut start).unwrap_or(0);
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let line = String::from_utf8_lossy(&start[..read]).lines().next().unwrap_or("").to_string();
            lines.lock().expect("nobody panics with it").push(line);
        }
    });
    // What it asks its makers, whatever the page; the page has no address of theirs, nor any other.
    let its_own = |line: &str| {
        let target = line.split(' ').nth(1).unwrap_or("");
        let host = target.split("://").last().unwrap_or("").split(['/', ':']).next().unwrap_or("");
        [".google.com", ".googleapis.com", ".gvt1.com"].iter().any(|maker| host.ends_with(maker))
    };
    let foreign = move |line: &&String| !line.is_empty() && !its_own(line);
    let requests = move || seen.lock().expect("nobody panics with it").iter().filter(foreign).cloned().collect();
    (address, requests)
}
