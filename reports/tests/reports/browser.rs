//! The page in a real browser, where one is: it draws, it complains about nothing, it asks nobody.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

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
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("it does not wait");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
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
    match proxy.accept() {
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        Ok((mut stream, _)) => {
            let mut start = [0; 200];
            let read = std::io::Read::read(&mut stream, &mut start).unwrap_or(0);
            panic!("the page asked for something: {}", String::from_utf8_lossy(&start[..read]));
        }
    }
    // The check can fail: a page that complains is noticed.
    let loud = html.replace("<main>", "<main><script>console.error('noticed')</script>");
    let loud = loud.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'");
    assert!(log("loud", &loud).contains("CONSOLE"), "console messages are in the log");
}
