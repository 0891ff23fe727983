//! Connections: each has a limited time to send a request's head and a limited life, and there are only so many.
//!
//! A client that sends one byte a minute would otherwise hold a connection for ever, and many of them all.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Limits of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; further ones wait until one ends.
    pub at_once: usize,
    /// Time for the head of a request, idle time before it included.
    pub head: Duration,
    /// Time after which a connection takes no further request.
    pub life: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { at_once: 256, head: Duration::from_secs(10), life: Duration::from_secs(120) }
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits) {
    let free = Arc::new(Semaphore::new(limits.at_once));
    loop {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router, limits).await;
                    drop(place);
                });
            }
            // Out of file descriptors, or a connection that was gone at once: the next may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Serves one connection to its end. An error is the client's: it went away, or did not speak HTTP.
async fn connection(stream: TcpStream, router: Router, limits: ConnectionLimits) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    if tokio::time::timeout(limits.life, served.as_mut()).await.is_err() {
        served.as_mut().graceful_shutdown();
        drop(tokio::time::timeout(limits.head, served).await);
    }
}
