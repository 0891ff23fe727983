//! The server inside the process: every page, every refusal, and what a panicking model does to it.

use std::time::{Duration, Instant};

use crate::running::{HOST, get, post, send, server};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use models::machine::Machine;
use serde_json::Value;

async fn ok(server: &Router, path: &str) -> String {
    let answer = get(server, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
    answer.text
}

async fn json(server: &Router, path: &str) -> Value {
    serde_json::from_str(&ok(server, path).await).expect("JSON")
}

/// Follows the redirect of a button to the end.
async fn press(server: &Router, path: &str) -> (String, String) {
    let answer = post(server, path).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text);
    let to = answer.headers["location"].to_str().expect("text").to_string();
    let text = ok(server, &to).await;
    (to, text)
}

#[tokio::test]
async fn every_page_opens_for_every_variant_of_every_mechanism() {
    let server = server();
    let catalogue = json(&server, "/api/catalogue").await;
    let mut variants = Vec::new();
    for mechanism in catalogue["mechanisms"].as_array().unwrap() {
        for variant in mechanism["variants"].as_array().unwrap() {
            let name = format!("{}/{}", mechanism["name"].as_str().unwrap(), variant["name"].as_str().unwrap());
            variants.push((name, variant["walkable"] == true));
        }
    }
    // Two at a time, as the searches behind the pages are work for one processor each.
    tokio::join!(
        every_page(&server, variants.iter().step_by(2)),
        every_page(&server, variants.iter().skip(1).step_by(2)),
    );
    let walkable = variants.iter().filter(|(_, walkable)| *walkable).count();
    assert!(walkable > 40, "{walkable} variants");
}

async fn every_page(server: &Router, variants: impl Iterator<Item = &(String, bool)>) {
    for (name, walkable) in variants {
        let page = ok(server, &format!("/variant/{name}")).await;
        assert!(page.contains("Expected"), "{name}");
        if *walkable {
            assert!(ok(server, &format!("/walk/{name}")).await.contains("Steps possible now"), "{name}");
            for page in ["search", "api/variant", "api/walk", "api/search", "timeline", "api/random"] {
                ok(server, &format!("/{page}/{name}")).await;
            }
            json(server, &format!("/stock/{name}/.status")).await;
            json(server, &format!("/stock/{name}/.states/0")).await;
        }
    }
}

#[tokio::test]
async fn heavier_pages_open_for_a_variant_of_each_mechanism() {
    let server = server();
    let catalogue = json(&server, "/api/catalogue").await;
    for mechanism in catalogue["mechanisms"].as_array().unwrap() {
        let broken = |v: &&Value| v["walkable"] == true && v["expected"].as_str().unwrap().starts_with("BROKEN");
        let Some(variant) = mechanism["variants"].as_array().unwrap().iter().find(broken) else { continue };
        let name = format!("{}/{}", mechanism["name"].as_str().unwrap(), variant["name"].as_str().unwrap());
        for page in ["graph", "compare", "api/graph", "api/compare"] {
            ok(&server, &format!("/{page}/{name}")).await;
        }
        let random = get(&server, &format!("/random/{name}?seed=7&length=5")).await;
        let to = random.headers["location"].to_str().unwrap();
        assert!(to.contains("seed=7"), "{to}");
        assert!(ok(&server, to).await.contains("seed 7"));
    }
}

#[tokio::test]
async fn every_step_of_a_counterexample_shows_what_it_changed() {
    let server = server();
    let (to, page) = press(&server, "/search/ldt/posted/start?goal=counterexample").await;
    assert!(page.contains("BROKEN"), "{to}");
    let (path, at) = to.split_once("at=").expect("the address has the steps");
    let steps: Vec<&str> = at.split('.').collect();
    assert!(steps.len() > 40, "{to}");
    for length in 2..=steps.len() {
        let page = ok(&server, &format!("{path}at={}", steps[..length].join("."))).await;
        let (_, panels) = page.split_once("class=\"panel").expect("the state is shown");
        let count = |what: &str| panels.matches(what).count();
        assert!(count("<tr class=\"changed\"") > 0, "step {} changes something", length - 1);
        let marks = [count("<ins>"), count("<del>")];
        assert_eq!(marks, [count("<tr class=\"changed\""); 2], "every changed row shows what it was: {}", length - 1);
    }
}

#[tokio::test]
async fn the_catalogue_can_be_searched_without_a_script() {
    let server = server();
    let page = ok(&server, "/?q=counter+PANICS").await.replace("&#x2f;", "/");
    assert!(page.contains("/variant/faulty/posted") && !page.contains("/variant/faulty/sound"));
    assert!(ok(&server, "/?q=no-such-word").await.contains("No variant matches"));
    assert_eq!(get(&server, "/?show=everything").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_state_that_breaks_a_property_is_shown_as_broken() {
    let server = server();
    let page = ok(&server, "/walk/faulty/sound?at=0.0.0.0").await;
    assert!(page.contains("BROKEN not-three"), "{page}");
    let page = ok(&server, "/walk/faulty/sound?at=0.0.0").await;
    assert!(page.contains("breaks not-three"), "the step there is marked");
    assert!(page.contains("<del>1</del> <ins>2</ins>"), "the change is marked");
    let page = ok(&server, "/walk/faulty/sound?at=0.0.0.0&pos=1").await;
    assert!(page.contains("Step 1 of 3"));
}

#[tokio::test]
async fn buttons_lead_to_the_shortest_runs() {
    let server = server();
    let (to, page) = press(&server, "/search/faulty/sound/start?goal=counterexample").await;
    assert_eq!(to, "/walk/faulty/sound?at=0.2");
    assert!(page.contains("BROKEN not-three"));
    let (to, _) = press(&server, "/search/faulty/sound/start?goal=two").await;
    assert_eq!(to, "/walk/faulty/sound?at=0.0.0");
    let graph = ok(&server, "/graph/faulty/sound").await;
    assert!(graph.contains("g-counterexample") && graph.contains("All 10 reachable states"), "{graph}");
}

#[tokio::test]
async fn two_variants_are_compared_under_the_same_steps() {
    let server = server();
    let page = ok(&server, "/compare/faulty/sound?at=0.0.0&with=posted").await;
    assert!(page.contains("the two stay in the same states"));
    let other = get(&server, "/compare/faulty/sound?with=nothing").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_panic_in_a_step_is_a_page_that_names_the_step() {
    let server = server();
    let page = ok(&server, "/walk/faulty/posted?at=0.0.2").await;
    assert!(page.contains("the model panics: four is too much"), "{page}");
    let answer = get(&server, "/walk/faulty/posted?at=0.0.2.0").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text.contains("model-panicked") && answer.text.contains("at step 3 (One: One)"), "{}", answer.text);
    let answer = get(&server, "/walk/faulty/posted?at=0.2.2.0").await;
    assert!(answer.text.contains("seven cannot be shown"), "{}", answer.text);
    let (_, page) = press(&server, "/search/faulty/posted/start").await;
    let mut page = page;
    let begun = Instant::now();
    while page.contains("data-poll") && begun.elapsed() < Duration::from_secs(10) {
        page = ok(&server, "/search/faulty/posted").await;
    }
    assert!(page.contains("four is too much"), "{page}");
    ok(&server, "/").await;
}

/// A size at which a search takes far longer than a test.
const LONG: &str = "ldt/mainline?size=cpus=2,threads=2,callers=2,writes=3";
const ALSO_LONG: &str = "ldt/posted?size=cpus=2,threads=2,callers=2,writes=3";

fn part(name: &str, below: &str) -> String {
    name.replace('?', &format!("/{below}?"))
}

#[tokio::test]
async fn a_search_shows_progress_is_stopped_and_leaves_the_rest_undecided() {
    let server = server();
    let answer = post(&server, &format!("/search/{}", part(LONG, "start"))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    // Nobody holds the page open: the search belongs to the server.
    let begun = Instant::now();
    let mut states = 0;
    while states == 0 && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let status = json(&server, &format!("/api/search/{LONG}")).await;
        assert_eq!(status["state"], "running");
        states = status["states"].as_u64().unwrap();
    }
    assert!(states > 0, "progress is shown");
    assert!(ok(&server, &format!("/search/{LONG}")).await.contains("data-poll"));
    assert!(ok(&server, "/").await.contains("Searching now"));
    let answer = post(&server, &format!("/api/search/{}", part(LONG, "stop"))).await;
    let status: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(status["state"], "done");
    assert!(status["found"]["limit"].is_string(), "{status}");
    let undecided = |p: &Value| p["verdict"] == "UNDECIDED";
    assert!(status["found"]["properties"].as_array().unwrap().iter().any(undecided), "{status}");
    assert!(ok(&server, &format!("/search/{LONG}")).await.contains("Not finished"));
    assert_eq!(json(&server, "/api/search/ldt/mainline").await["state"], "none", "another size is another search");
}

#[tokio::test]
async fn a_search_too_many_is_refused_until_another_ends() {
    let server = server();
    for name in [LONG, ALSO_LONG] {
        let answer = post(&server, &format!("/api/search/{}", part(name, "start"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let answer = post(&server, "/api/search/faulty/sound/start").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let problem: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(problem["error"], "busy");
    assert!(problem["message"].as_str().unwrap().contains("ldt/mainline, ldt/posted"), "{problem}");
    let answer = post(&server, "/search/faulty/sound/start?goal=counterexample").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.text.contains("class=\"problem\""));
    assert!(ok(&server, "/variant/iova-bitmap/posted").await.contains("wait or stop one"));
    let again = post(&server, &format!("/api/search/{}", part(LONG, "start"))).await;
    assert_eq!(again.status, StatusCode::OK, "one that runs is not started twice");
    post(&server, &format!("/api/search/{}", part(ALSO_LONG, "stop"))).await;
    let (to, _) = press(&server, "/search/faulty/sound/start?goal=counterexample").await;
    assert_eq!(to, "/walk/faulty/sound?at=0.2");
    post(&server, &format!("/api/search/{}", part(LONG, "stop"))).await;
}

#[tokio::test]
async fn an_address_keeps_its_size() {
    let server = server();
    let (to, page) = press(&server, "/search/faulty/sound/start?goal=counterexample&size=limit=5").await;
    assert_eq!(to, "/walk/faulty/sound?at=0.2&size=limit=5");
    assert!(page.contains("limit=5") && page.contains("BROKEN not-three"));
    let links =
        page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(|link| link.replace("&#x2f;", "/"));
    let own: Vec<String> = links.filter(|link| link.contains("faulty/sound")).collect();
    assert!(own.len() > 8);
    for link in own {
        assert!(link.contains("size=limit=5") || link.contains("size&#x3d;limit&#x3d;5"), "{link} forgets the size");
    }
    assert!(ok(&server, "/walk/faulty/sound?at=0.2").await.contains("limit=9"), "no size means quick");
    assert_eq!(get(&server, "/walk/faulty/sound?at=0.2.2&size=limit=5").await.status, StatusCode::NOT_FOUND);
    for size in ["limit=0", "limit=10", "limits=3", "limit", "limit=-1", "%3Cb%3E=1"] {
        let answer = get(&server, &format!("/walk/faulty/sound?size={size}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{size}");
        assert!(!answer.text.contains("<b>"), "{size}");
    }
}

#[tokio::test]
async fn arithmetic_shows_the_smallest_input_of_each_broken_property() {
    let server = server();
    let catalogue = json(&server, "/api/catalogue").await;
    let mechanisms = catalogue["mechanisms"].as_array().unwrap();
    let iova = mechanisms.iter().find(|mechanism| mechanism["name"] == "iova-bitmap").unwrap();
    assert!(iova["variants"].as_array().unwrap().iter().all(|variant| variant["walkable"] == false));
    let mut page = ok(&server, "/variant/iova-bitmap/posted-nbits").await;
    let begun = Instant::now();
    while page.contains("being looked at") && begun.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        page = ok(&server, "/variant/iova-bitmap/posted-nbits").await;
    }
    let counterexamples = page.matches("class=\"counterexample\"").count();
    assert_eq!(counterexamples, 2, "exact-bits and one more");
    let found = json(&server, "/api/search/iova-bitmap/posted-nbits").await;
    let properties = found["found"]["properties"].as_array().unwrap();
    let exact = properties.iter().find(|property| property["name"] == "exact-bits").unwrap();
    let inputs = exact["numbers"]["inputs"].as_array().unwrap();
    assert!(inputs.len() > 2);
    for pair in inputs {
        let row = format!("<th scope=\"row\">{}</th><td class=\"number\">{}</td>", pair[0].as_str().unwrap(), pair[1]);
        assert!(page.contains(&row), "{row}");
    }
    assert!(ok(&server, "/variant/iova-bitmap/mainline").await.contains("no states to walk through"));
    let refused = get(&server, "/walk/iova-bitmap/posted-nbits").await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.text.contains("arithmetic"));
}

#[tokio::test]
async fn variants_of_another_machine_are_named_and_not_compared() {
    let server = server();
    let page = ok(&server, "/compare/ldt/posted").await;
    assert!(page.contains("They are of another machine with other steps"), "{page}");
    let fork = models::ldt::fork::LdtFork::VARIANTS[0].name;
    assert!(page.contains(fork));
    let answer = get(&server, &format!("/compare/ldt/posted?with={fork}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("is of another machine"));
}

#[tokio::test]
async fn the_routes_of_stateright_have_its_shape() {
    let server = server();
    let states = json(&server, "/stock/faulty/sound/.states").await;
    assert_eq!(states[0]["actionIndex"], 0);
    assert!(states[0].get("action").is_none() && states[0]["fingerprint"].is_string());
    let states = json(&server, "/stock/faulty/sound/.states/0/0").await;
    assert_eq!(states.as_array().unwrap().len(), 3);
    assert_eq!(states[0]["action"], "One");
    assert!(states[1].get("state").is_none(), "a step that is not possible has no state");
    let status = json(&server, "/.status").await;
    for field in ["done", "model", "state_count", "unique_state_count", "max_depth", "properties", "recent_path"] {
        assert!(status.get(field).is_some(), "{field}");
    }
    assert_eq!(status["properties"][0][0], "Always");
    assert_eq!(post(&server, "/stock/faulty/sound/.runtocompletion").await.status, StatusCode::OK);
    let begun = Instant::now();
    let mut status = json(&server, "/stock/faulty/sound/.status").await;
    while status["done"] == false && begun.elapsed() < Duration::from_secs(10) {
        status = json(&server, "/stock/faulty/sound/.status").await;
    }
    assert_eq!(status["properties"][0].to_string(), r#"["Always","not-three","0/2"]"#, "a discovery is an address");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let server = server();
    let ask = |host: &str, more: &[(&str, &str)]| {
        let mut request = Request::get("/").header("host", host);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    };
    let foreign = [
        ask("evil.example", &[]),
        ask("evil.example:3000", &[]),
        ask("127.0.0.1:3001", &[]),
        ask("127.0.0.1.evil.example:3000", &[]),
        ask(HOST, &[("origin", "http://evil.example")]),
        ask(HOST, &[("origin", "null")]),
        ask(HOST, &[("origin", "https://127.0.0.1:3000")]),
        ask(HOST, &[("host", "evil.example")]),
        ask(HOST, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")]),
        Request::post("/search/faulty/sound/start")
            .header("host", HOST)
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "navigate")
            .body(Body::empty())
            .unwrap(),
    ];
    for request in foreign {
        let shown = format!("{:?}", request.headers());
        assert_eq!(send(&server, request).await.status, StatusCode::FORBIDDEN, "{shown}");
    }
    let own = [
        ask("localhost:3000", &[]),
        ask(HOST, &[("origin", "http://127.0.0.1:3000")]),
        ask(HOST, &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]),
    ];
    for request in own {
        assert_eq!(send(&server, request).await.status, StatusCode::OK);
    }
    let none = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(send(&server, none).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nothing_inline_is_allowed_and_nothing_shown_is_markup() {
    let server = server();
    for path in ["/", "/variant/markup/index", "/walk/faulty/sound?at=0.0", "/graph/faulty/sound", "/nothing"] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status.is_success(), path != "/nothing", "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for markup in [
            "<script>alert",
            "<img src=x",
            "<b>\"",
            "<u>limit",
            "<b>engine",
            "<b>name",
            "<b>because",
            "counts One from 0 <i>",
            " style=",
            " onclick=",
        ] {
            assert!(!answer.text.contains(markup), "{path} has {markup}");
        }
        for outside in ["http://", "https://"] {
            let inside = answer.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!inside.contains(&format!("src=\"{outside}")) && !inside.contains(&format!("href=\"{outside}")));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_a_reason() {
    let server = server();
    let long = format!("/walk/faulty/sound?at=0{}", ".0".repeat(500));
    let longer = format!("/?q={}", "a".repeat(5000));
    for (path, status) in [
        ("/nothing", StatusCode::NOT_FOUND),
        ("/walk/nothing/posted", StatusCode::NOT_FOUND),
        ("/walk/faulty/nothing", StatusCode::NOT_FOUND),
        ("/walk/markup/index", StatusCode::NOT_FOUND),
        ("/walk/faulty/sound?at=1", StatusCode::NOT_FOUND),
        ("/walk/faulty/sound?at=0.7", StatusCode::NOT_FOUND),
        ("/walk/faulty/sound?at=0.1", StatusCode::NOT_FOUND),
        ("/walk/faulty/sound?at=0.x", StatusCode::BAD_REQUEST),
        ("/walk/faulty/sound?at=0&at=1", StatusCode::BAD_REQUEST),
        ("/walk/faulty/sound?at=0.0&pos=2", StatusCode::BAD_REQUEST),
        ("/walk/%ff/sound", StatusCode::BAD_REQUEST),
        ("/random/faulty/sound?seed=-1", StatusCode::BAD_REQUEST),
        ("/search/faulty/sound?goal=nothing", StatusCode::NOT_FOUND),
        ("/search/faulty/sound/start", StatusCode::METHOD_NOT_ALLOWED),
        (&long, StatusCode::BAD_REQUEST),
        (&longer, StatusCode::URI_TOO_LONG),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert!(answer.text.contains("class=\"problem\""), "{path}");
    }
    let answer = get(&server, "/api/walk/faulty/sound?at=0.1").await;
    let problem: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(problem["error"], "no-such-state");
}

/// The load of 30 seconds is in `examples/load.rs`; this is a short one, so that an error is seen early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_walk_at_once() {
    let server = server();
    let mut clients = Vec::new();
    for seed in 0..32 {
        let server = server.clone();
        clients.push(tokio::spawn(async move {
            let answer = get(&server, &format!("/random/faulty/sound?seed={seed}&length=6")).await;
            let to = answer.headers["location"].to_str().expect("text").to_string();
            for _ in 0..10 {
                ok(&server, &to).await;
            }
        }));
    }
    for client in clients {
        client.await.expect("no client fails");
    }
}
