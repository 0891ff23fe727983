//! The Explorer: a local web server for walking through the state spaces of a catalogue of mechanisms.
//!
//! Pages are rendered here and work without a script. The server knows mechanisms through [`Walkable`] only;
//! [`walkable`] makes one of any [`models::machine::Machine`]. Begin with [`Catalogue`] and [`router`].
//!
//! *Invariant: no transition, no property and no verdict of its own. Whatever a request says, the answer is a
//! page or a JSON error, and the server goes on.*

mod address;
mod api;
mod arithmetic;
mod ask;
mod catalogue;
mod differences;
mod fingerprint;
mod graph;
mod guard;
mod known;
mod links;
mod machine;
mod original;
mod pages;
mod problem;
mod searches;
mod sequence;
mod serve;
mod stock;
mod templates;
mod walkable;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;

pub use arithmetic::Arithmetic;
pub use catalogue::{Catalogue, Mechanism, Pinned, PinnedProperty, Variant};
pub use machine::{checker_of, event, tables, walkable};
pub use original::serve_stateright;
pub use searches::SearchLimits;
pub use serve::ConnectionLimits;
pub use walkable::{
    Comparison, Differences, Found, FoundProperty, Graph, KindDifference, KindWords, Node, Numbers, PropertyWords,
    SearchPlan, StepOption, StockProperty, StockState, Truth, Walk, WalkError, Walkable,
};

/// What the server may be asked for, at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Steps in an address.
    pub depth: usize,
    /// Characters in a request's address.
    pub uri: usize,
    /// States in a graph of all states.
    pub graph: usize,
    /// States in the neighbourhood of a state.
    pub neighbourhood: usize,
    /// States that are looked at for the difference between two variants.
    pub differences: usize,
    /// Requests at once; further ones wait.
    pub requests: usize,
    /// Limits of background searches.
    pub search: SearchLimits,
    /// Limits of connections.
    pub connections: ConnectionLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 400,
            uri: 4096,
            graph: 500,
            neighbourhood: 40,
            differences: 3000,
            requests: 64,
            search: SearchLimits::default(),
            connections: ConnectionLimits::default(),
        }
    }
}

/// What all requests share.
pub(crate) struct App {
    catalogue: Catalogue,
    limits: Limits,
    searches: searches::Searches,
    templates: minijinja::Environment<'static>,
    differences: std::sync::Mutex<std::collections::HashMap<(searches::Key, String), Arc<Differences>>>,
}

/// The routes of the server. `listen` is where it listens, for telling its own Host from foreign ones.
pub fn router(catalogue: Catalogue, limits: Limits, listen: SocketAddr) -> Router {
    let app = Arc::new(App {
        catalogue,
        limits,
        searches: searches::Searches::new(limits.search),
        templates: templates::environment(),
        differences: std::sync::Mutex::default(),
    });
    let routes = pages::routes().merge(api::routes()).merge(stock::routes());
    routes
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        .with_state(Arc::clone(&app))
        .layer(tower::limit::GlobalConcurrencyLimitLayer::new(limits.requests))
        .layer(axum::middleware::from_fn_with_state((app, guard::Guard::new(listen)), guard::guard))
}

/// Serves on `listener` until the process ends.
///
/// # Errors
/// The listener cannot be used, or no thread could be started.
pub fn serve(catalogue: Catalogue, limits: Limits, listener: std::net::TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).max_blocking_threads(16).enable_all();
    runtime.build()?.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        serve::serve(listener, router(catalogue, limits, address), limits.connections).await;
        Ok(())
    })
}
