//! Ten thousand damaged addresses and headers: no panic, and no 5xx but that of a model that panics.

use crate::running::{HOST, get, send, server};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};

const REQUESTS: u64 = 10_000;

/// SplitMix64: the same requests in every run.
struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const SEEDS: &[&str] = &[
    "/",
    "/?q=a&mechanism=ldt&show=broken",
    "/variant/ldt/posted?at=0.0",
    "/walk/faulty/posted?at=0.0.2.0",
    "/walk/faulty/sound?at=0.0.0.0&pos=2&seed=3",
    "/walk/pkeys/mainline?at=0.1.0",
    "/random/faulty/sound?seed=3&length=9",
    "/compare/faulty/sound?at=0.0&with=posted",
    "/graph/faulty/sound?at=0.0",
    "/timeline/faulty/sound?at=0.0",
    "/search/faulty/sound?goal=two",
    "/search/faulty/sound/start?goal=two",
    "/search/faulty/sound/stop",
    "/api/walk/faulty/posted?at=0.2",
    "/api/graph/faulty/sound",
    "/api/compare/faulty/sound?with=posted",
    "/stock/faulty/sound/.states/0/0/2",
    "/stock/faulty/posted/.status",
    "/.states/0/0",
    "/walk/faulty/sound?at=0.2&size=limit=5",
    "/variant/faulty/posted?size=limit=8",
    "/variant/iova-bitmap/posted-nbits",
    "/api/search/iova-bitmap/posted-nbits/start",
    "/static/explorer.css",
];
const PIECES: &[&str] = &[
    "%00",
    "%ff",
    "%",
    "%2",
    "..",
    "/../",
    "//",
    "?",
    "&",
    "&at=",
    "=",
    "9999999999999999999999",
    "-1",
    ".",
    "0.",
    "%2e%2e%2f",
    "<script>",
    "%3Cscript%3E",
    "'",
    "\"",
    "%0d%0aSet-Cookie:a=b",
    "%f0%9f%92%a9",
    ";",
    "+",
    "*",
    "{x}",
    "{*path}",
    "at=0.0.0",
    "pos=18446744073709551616",
    "with=",
    "goal=%ff",
    "seed=1e9",
    "length=400",
    ".0.0.0.0",
    "0x1",
    "size=",
    "&size=limit=3",
    "limit=256",
    "\u{661}",
];
const HOSTS: &[&str] = &[
    HOST,
    HOST,
    HOST,
    "localhost:3000",
    "evil.example",
    "",
    ":",
    "[::1]:3000",
    "[",
    "127.0.0.1:99999",
    "a:b:c",
    "%00",
];
const HEADERS: &[&str] = &[
    "origin",
    "accept",
    "sec-fetch-site",
    "sec-fetch-mode",
    "content-length",
    "range",
    "cookie",
    "host",
    "referer",
    "if-none-match",
];

fn damaged(generator: &mut Generator) -> String {
    let mut text: Vec<char> = generator.pick(SEEDS).chars().collect();
    for _ in 0..generator.below(4) {
        let place = generator.below(text.len() + 1);
        match generator.below(4) {
            0 => drop(text.drain(place..(place + 3).min(text.len()))),
            1 if place < text.len() => text[place] = char::from(33 + generator.below(94) as u8),
            2 => text.truncate(place.max(1)),
            _ => drop(text.splice(place..place, generator.pick(PIECES).chars().collect::<Vec<_>>())),
        }
    }
    if generator.below(200) == 0 {
        text.extend(".0".repeat(generator.below(4000)).chars());
    }
    text.into_iter().collect()
}

fn request(generator: &mut Generator) -> Option<Request<Body>> {
    let uri: Uri = damaged(generator).parse().ok()?;
    let method = generator.pick(&["GET", "GET", "GET", "GET", "POST", "HEAD", "PUT", "OPTIONS", "BREW"]);
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).ok()?).uri(uri);
    if generator.below(30) > 0 {
        request = request.header("host", generator.pick(HOSTS));
    }
    for _ in 0..generator.below(3) {
        let bytes: Vec<u8> = (0..generator.below(40)).map(|_| generator.below(256) as u8).collect();
        let text = generator.pick(&["http://127.0.0.1:3000", "null", "same-origin", "application/json", "navigate"]);
        let value = if generator.below(2) == 0 { bytes } else { text.as_bytes().to_vec() };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            request = request.header(generator.pick(HEADERS), value);
        }
    }
    request.body(Body::empty()).ok()
}

#[tokio::test]
async fn damaged_requests_get_a_page_or_a_json_error() {
    let server = server();
    let mut generator = Generator(20_260_701);
    let mut sent = 0;
    while sent < REQUESTS {
        let Some(request) = request(&mut generator) else { continue };
        let shown = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let answer = send(&server, request).await;
        sent += 1;
        if answer.status.is_server_error() {
            // The one documented: the model itself panicked, and the answer names the step.
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{shown}");
            let named = answer.text.contains("at step") && answer.text.contains("model-panicked");
            assert!(named || shown.starts_with("HEAD"), "{shown}: {}", answer.text);
        }
        assert!(answer.headers.contains_key("content-security-policy"), "{shown}");
    }
    assert_eq!(get(&server, "/").await.status, StatusCode::OK, "the server goes on");
}
