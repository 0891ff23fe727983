//! Clients that walk at once, for some seconds: `load ADDRESS:PORT [CLIENTS] [SECONDS]`, against a running
//! `kverdict explore`. Prints requests, errors, the median and the 99th percentile of a step.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request; the status and the body.
async fn get(address: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok((status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_string())))
}

/// The steps that a page offers.
fn steps(page: &str) -> Vec<String> {
    let links = page.split("class=\"option\" href=\"").skip(1);
    links.filter_map(|rest| rest.split('"').next()).map(|link| link.replace("&#x2f;", "/")).collect()
}

/// Walks through one variant after another until the time is up.
async fn client(address: String, names: Vec<String>, number: usize, end: Instant) -> (Vec<Duration>, usize) {
    let (mut times, mut errors, mut turn) = (Vec::new(), 0, number);
    while Instant::now() < end {
        let mut path = format!("/walk/{}", names[turn % names.len()]);
        for step in 0..25 {
            let begun = Instant::now();
            let answer = get(&address, &path).await;
            times.push(begun.elapsed());
            let Ok((200, page)) = answer else {
                errors += 1;
                break;
            };
            let next = steps(&page);
            if next.is_empty() || Instant::now() >= end {
                break;
            }
            path.clone_from(&next[(number * 7 + step * 3) % next.len()]);
        }
        turn += 7;
    }
    (times, errors)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let address = arguments.first().cloned().unwrap_or_else(|| "127.0.0.1:3000".to_string());
    let (clients, seconds) = (number(1, 32).clamp(1, 256), number(2, 30).clamp(1, 600));
    let (_, catalogue) = get(&address, "/api/catalogue").await.expect("the server answers");
    let catalogue: serde_json::Value = serde_json::from_str(&catalogue).expect("JSON");
    let mut names = Vec::new();
    for mechanism in catalogue["mechanisms"].as_array().expect("a list") {
        for variant in mechanism["variants"].as_array().expect("a list").iter().filter(|v| v["walkable"] == true) {
            names.push(format!(
                "{}/{}",
                mechanism["name"].as_str().expect("text"),
                variant["name"].as_str().expect("text")
            ));
        }
    }
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    let walks: Vec<_> = (0..clients).map(|n| tokio::spawn(client(address.clone(), names.clone(), n, end))).collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for walk in walks {
        let (more, failed) = walk.await.expect("a client does not panic");
        times.extend(more);
        errors += failed;
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{clients} clients, {seconds} s, {} variants: {} requests, {errors} errors", names.len(), times.len());
    println!("median {:.1} ms, 99th percentile {:.1} ms, slowest {:.1} ms", at(50), at(99), at(100));
}
