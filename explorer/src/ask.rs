//! What a request asks for: names from its path, values from its query.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::App;
use crate::address;
use crate::catalogue::{Mechanism, Variant};
use crate::problem::Problem;
use crate::walkable::Walkable;

/// A request for something of a variant.
pub(crate) struct Ask {
    pub(crate) app: Arc<App>,
    /// Whether a program asks.
    pub(crate) json: bool,
    path: String,
    names: Vec<String>,
    values: Vec<(String, String)>,
}

impl FromRequestParts<Arc<App>> for Ask {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let path = parts.uri.path().to_string();
        let accepts = parts.headers.get(axum::http::header::ACCEPT);
        let accepts = accepts.is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        let json = path.starts_with("/api/") || path.contains("/.st") || accepts;
        let refuse = |message: &str| Problem::bad(message).response(app, json);
        let names = match RawPathParams::from_request_parts(parts, app).await {
            Ok(params) => params.iter().map(|(_, value)| value.to_string()).collect(),
            Err(_) => return Err(refuse("the path is not text in UTF-8")),
        };
        let values = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(values) = values.map_err(|_| refuse("the part after the question mark cannot be read"))?;
        Ok(Self { app: Arc::clone(app), json, path, names, values })
    }
}

impl Ask {
    /// A value of the query; empty if it is not there.
    ///
    /// # Errors
    /// It is given twice.
    pub(crate) fn value(&self, name: &str) -> Result<&str, Problem> {
        let mut found = self.values.iter().filter(|(key, _)| key == name);
        let first = found.next().map_or("", |(_, value)| value.as_str());
        if found.next().is_some() {
            return Err(Problem::bad(format!("'{name}' is given twice")));
        }
        Ok(first)
    }

    /// The number of this name in the query.
    ///
    /// # Errors
    /// It is not a number in the range.
    pub(crate) fn number(&self, name: &str, default: u64, max: u64) -> Result<u64, Problem> {
        let text = self.value(name)?;
        if text.is_empty() {
            return Ok(default);
        }
        let number = text.parse().ok().filter(|number| *number <= max && text.bytes().all(|b| b.is_ascii_digit()));
        number.ok_or_else(|| Problem::bad(format!("'{name}' takes a number from 0 to {max}")))
    }

    /// The path as it was sent.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A name of the path.
    pub(crate) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// The address in `at`.
    ///
    /// # Errors
    /// It is damaged or too long.
    pub(crate) fn at(&self) -> Result<Vec<usize>, Problem> {
        address::parse(self.value("at")?, '.', self.app.limits.depth).map_err(Problem::bad)
    }

    /// The variant named in the path.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn variant(&self) -> Result<(&Mechanism, &Variant), Problem> {
        self.find(self.name(0), self.name(1))
    }

    /// A variant by its name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn find(&self, mechanism: &str, variant: &str) -> Result<(&Mechanism, &Variant), Problem> {
        let found = self.app.catalogue.find(mechanism, variant);
        found.ok_or_else(|| Problem::unknown(format!("there is no variant '{}/{}'", clip(mechanism), clip(variant))))
    }

    /// The variant named in the path, which must be a state machine.
    ///
    /// # Errors
    /// There is none, or it has no states.
    pub(crate) fn walk(&self) -> Result<(&Mechanism, &Variant, &dyn Walkable), Problem> {
        let (mechanism, variant) = self.variant()?;
        let walk = variant.walk.as_deref().ok_or_else(|| {
            let message =
                format!("{}/{} is arithmetic and has no states to walk through", mechanism.name, variant.name);
            Problem::new(StatusCode::NOT_FOUND, "no-states", message)
        })?;
        Ok((mechanism, variant, walk))
    }
}

/// A name from a request, short enough for a message.
pub(crate) fn clip(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).take(60).collect();
    if name.chars().count() > 60 { format!("{clean}...") } else { clean }
}

/// Runs what may take a while away from the threads that serve connections, and makes an answer of it.
pub(crate) async fn answer<F>(ask: Ask, work: F) -> Response
where
    F: FnOnce(&Ask) -> Result<Response, Problem> + Send + 'static,
{
    let (app, json) = (Arc::clone(&ask.app), ask.json);
    let done = tokio::task::spawn_blocking(move || work(&ask)).await;
    let broke = |_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "model-panicked",
            "the model panicked in a place without a step",
        )
    };
    done.map_err(broke).flatten().unwrap_or_else(|problem| problem.response(&app, json))
}
