//! How well detectors do: the embedded model as measured here, and the large one as its authors published it.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let figures = json!({
        "measured": parsed(include_str!("../../models/lite.json")),
        "published": parsed(include_str!("../evaluate/published.json")),
    });
    Router::new().route("/figures.json", get(|| async { Json(figures) }))
}

/// Rates are fractions. Where there is nothing to read, the page says so.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
