//! The server on a real socket: clients that are slow, rude or gone, and connections without end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use explorer::{ConnectionLimits, Limits};

/// A server with short times; it ends with the test's process.
fn start(at_once: usize) -> SocketAddr {
    let connections = ConnectionLimits { at_once, head: Duration::from_millis(400), life: Duration::from_secs(2) };
    let limits = Limits { connections, ..Limits::default() };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || explorer::serve(crate::running::catalogue(), limits, listener));
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    stream
}

/// The first line of the answer to a whole request.
fn status(address: SocketAddr) -> String {
    let mut stream = connect(address);
    write!(stream, "GET /static/icon.svg HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_string()
}

/// How long it takes until the server closes the connection.
fn closed_after(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end as well; only a timeout is none.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection stays open");
    }
    begun.elapsed()
}

#[test]
fn a_head_that_comes_too_slowly_ends_the_connection() {
    let address = start(8);
    assert_eq!(status(address), "HTTP/1.1 200 OK");
    let mut slow = connect(address);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: 127").expect("it is sent");
    let time = closed_after(&mut slow);
    assert!(time > Duration::from_millis(200) && time < Duration::from_secs(4), "{time:?}");
    assert_eq!(status(address), "HTTP/1.1 200 OK");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let address = start(8);
    // The server is up, and waits.
    assert_eq!(status(address), "HTTP/1.1 200 OK");
    let time = closed_after(&mut connect(address));
    assert!(time < Duration::from_secs(4), "{time:?}");
}

#[test]
fn slow_clients_on_all_connections_hold_others_up_only_for_a_moment() {
    let address = start(8);
    let mut slow: Vec<TcpStream> = (0..24).map(|_| connect(address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HT").expect("it is sent");
    }
    let begun = Instant::now();
    assert_eq!(status(address), "HTTP/1.1 200 OK");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn dropped_connections_and_other_protocols_do_not_end_the_server() {
    let address = start(8);
    for junk in [&b"\x16\x03\x01\x02\x00"[..], b"GET", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", &[0xff; 70_000]] {
        let mut stream = connect(address);
        // The server may close before all of it is sent.
        drop(stream.write_all(junk));
    }
    let half = format!("GET /walk/pkeys/posted HTTP/1.1\r\nHost: {address}\r\n\r\n");
    for _ in 0..20 {
        connect(address).write_all(half.as_bytes()).expect("it is sent, and nobody reads the answer");
    }
    assert_eq!(status(address), "HTTP/1.1 200 OK");
}
