//! The page and what belongs to it. All of it is part of the program: no request reaches the file system.

use axum::Router;
use axum::http::header;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

macro_rules! page {
    ($name:literal) => {
        include_bytes!(concat!("page/", $name))
    };
}

/// Path, type and content.
const ASSETS: [(&str, &str, &[u8]); 17] = [
    ("/", HTML, page!("index.html")),
    ("/style.css", CSS, page!("style.css")),
    ("/icon.svg", SVG, page!("icon.svg")),
    ("/api.js", JS, page!("api.js")),
    ("/chart.js", JS, page!("chart.js")),
    ("/elements.js", JS, page!("elements.js")),
    ("/main.js", JS, page!("main.js")),
    ("/microphone.js", JS, page!("microphone.js")),
    ("/performance.js", JS, page!("performance.js")),
    ("/result.js", JS, page!("result.js")),
    ("/tabs.js", JS, page!("tabs.js")),
    ("/tap.js", JS, page!("tap.js")),
    ("/wav.js", JS, page!("wav.js")),
    ("/words.js", JS, page!("words.js")),
    ("/openapi.json", JSON, include_bytes!("openapi.json")),
    (
        "/examples/person.wav",
        "audio/wav",
        include_bytes!("../../tests/fixtures/speech.wav"),
    ),
    ("/examples/machine.flac", "audio/flac", include_bytes!("machine.flac")),
];

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(
            path,
            get(move || async move { ([(header::CONTENT_TYPE, kind)], content) }),
        )
    })
}
