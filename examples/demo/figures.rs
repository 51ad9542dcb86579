//! How well detectors do: the embedded model as measured here, and the large one as its authors published it.

use std::path::Path;
use std::{fs, io};

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let measured = measured(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lite.json"));
    let published: Value = serde_json::from_str(include_str!("../evaluate/published.json")).unwrap_or_default();
    let figures = json!({ "measured": measured, "published": published });
    Router::new().route("/figures.json", get(|| async { Json(figures) }))
}

/// What was measured of the embedded model, with rates as fractions; `null` if nothing was.
fn measured(path: &Path) -> Value {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Value::Null,
        Err(error) => {
            eprintln!("warning: cannot read {}: {error}", path.display());
            return Value::Null;
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        eprintln!("warning: {} is not valid: {error}", path.display());
        Value::Null
    })
}
