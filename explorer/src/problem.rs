//! Why a request is not answered as asked: a page for people, JSON for programs.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::context;

use crate::App;
use crate::walkable::WalkError;

/// A refusal, or a panic in a model.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What is wrong, in one sentence.
    pub(crate) message: String,
    /// A machine-readable word.
    pub(crate) code: &'static str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code }
    }
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", message)
    }

    /// As a page, or as JSON.
    pub(crate) fn response(self, app: &App, json: bool) -> Response {
        let status = self.status;
        if json {
            return (status, axum::Json(serde_json::json!({ "error": self.code, "message": self.message })))
                .into_response();
        }
        let title = status.canonical_reason().unwrap_or("Error");
        let values = context! { status => status.as_u16(), title, message => self.message, code => self.code };
        let page = app.templates.get_template("problem.html").and_then(|template| template.render(values));
        let html = page.unwrap_or_else(|_| "the error page cannot be rendered".to_string());
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    }
}

impl From<WalkError> for Problem {
    fn from(error: WalkError) -> Self {
        match &error {
            WalkError::Panicked { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "model-panicked", error.to_string())
            }
            _ => Self::new(StatusCode::NOT_FOUND, "no-such-state", error.to_string()),
        }
    }
}

impl From<minijinja::Error> for Problem {
    fn from(error: minijinja::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "template", format!("a page cannot be rendered: {error:#}"))
    }
}
