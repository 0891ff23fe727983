//! What every request passes: limits, Host and Origin checks, and the headers of every answer.
//!
//! The server listens on this machine only, but a web page elsewhere can send requests to it (and, with a
//! name that it points to this machine, even read the answers). So the Host must be an address or `localhost`
//! with the port of this server, and an Origin, if there is one, must be the same.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::App;
use crate::problem::Problem;

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where this server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    listen: SocketAddr,
}

impl Guard {
    pub(crate) fn new(listen: SocketAddr) -> Self {
        Self { listen }
    }

    /// Whether a Host (`name:port`) is this server.
    fn is_own(self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse::<u16>().ok()),
            _ => (host, Some(80)),
        };
        port == Some(self.listen.port()) && self.is_own_name(name)
    }

    fn is_own_name(self, name: &str) -> bool {
        if name.eq_ignore_ascii_case("localhost") {
            return self.listen.ip().is_loopback() || self.listen.ip().is_unspecified();
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let Ok(address) = bare.parse::<IpAddr>() else { return false };
        // A name can be pointed here by anybody; a number cannot.
        let any = self.listen.ip().is_unspecified();
        any || address == self.listen.ip() || (address.is_loopback() && self.listen.ip().is_loopback())
    }

    fn check(self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let foreign = |what: &str| Problem::new(StatusCode::FORBIDDEN, "foreign", format!("{what} is not this server"));
        let host = one(headers, &header::HOST).map_err(|()| foreign("the Host"))?;
        let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
        let host = host.ok_or_else(|| Problem::bad("the request names no Host"))?;
        if !self.is_own(host) {
            return Err(foreign("the Host"));
        }
        if let Some(authority) = request.uri().authority()
            && !self.is_own(authority.as_str())
        {
            return Err(foreign("the address"));
        }
        if let Some(origin) = one(headers, &header::ORIGIN).map_err(|()| foreign("the Origin"))? {
            let own = origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host));
            if !own {
                return Err(foreign("the Origin"));
            }
        }
        self.check_site(request)
    }

    /// Browsers say where a request comes from. From elsewhere only a link may be followed.
    fn check_site(self, request: &Request) -> Result<(), Problem> {
        let value = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
        let own = matches!(value("sec-fetch-site"), None | Some(b"same-origin" | b"none"));
        let link = value("sec-fetch-mode") == Some(b"navigate") && request.method() == Method::GET;
        if own || link {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign", "the request comes from another site"))
    }
}

/// The only value of a header; an error if there are several or it is not text.
fn one<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}

/// Checks a request before anything else sees it, and puts the headers on the answer.
pub(crate) async fn guard(State((app, guard)): State<(Arc<App>, Guard)>, request: Request, next: Next) -> Response {
    let json = wants_json(&request);
    let length = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    let checked = if length > app.limits.uri {
        let message = format!("the address has {length} characters; the limit is {}", app.limits.uri);
        Err(Problem::new(StatusCode::URI_TOO_LONG, "too-long", message))
    } else {
        guard.check(&request)
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.response(&app, json),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with that, browsers hide the Origin of our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a program asks.
pub(crate) fn wants_json(request: &Request) -> bool {
    let path = request.uri().path();
    let accepts =
        request.headers().get(header::ACCEPT).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    path.starts_with("/api/") || path.contains("/.st") || accepts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_server_is_own() {
        let guard = Guard::new("127.0.0.1:3000".parse().unwrap());
        for own in ["127.0.0.1:3000", "localhost:3000", "[::1]:3000", "LOCALHOST:3000"] {
            assert!(guard.is_own(own), "{own}");
        }
        for foreign in
            ["127.0.0.1", "localhost:3001", "evil.example:3000", "10.0.0.1:3000", "", ":", "localhost.evil:3000"]
        {
            assert!(!guard.is_own(foreign), "{foreign}");
        }
    }
}
