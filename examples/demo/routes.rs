//! Who answers what.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use bonafide::Detector;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::answer::{Info, Model, Scored};
use crate::arguments::Limits;
use crate::assets;
use crate::figures;
use crate::problem::Problem;
use crate::scoring;
use crate::upload;

#[derive(Clone)]
struct Shared {
    detector: Detector,
    limits: Limits,
    uploads: Arc<Semaphore>,
}

pub(crate) fn all(detector: Detector, limits: Limits) -> Router {
    let info = Info::new(&detector, limits);
    let shared = Shared {
        detector,
        limits,
        uploads: Arc::new(Semaphore::new(limits.uploads)),
    };
    Router::new()
        .route("/api/score", post(score))
        .route("/api/info", get(|| async { Json(info) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(assets::routes())
        .merge(figures::routes())
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        // `upload` has a limit of its own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::map_response(guard))
        .with_state(shared)
}

async fn score(State(shared): State<Shared>, request: Request) -> Result<Json<Scored>, Problem> {
    let Shared {
        detector,
        limits,
        uploads,
    } = shared;
    let deadline = Instant::now() + limits.timeout;
    let Ok(permit) = uploads.try_acquire_owned() else {
        upload::turn_down(request);
        return Err(Problem::busy());
    };
    let recording = timeout_at(deadline.into(), upload::receive(request, limits.bytes))
        .await
        .map_err(|_| Problem::slow_upload())??;
    let scoring = spawn_blocking(move || {
        // Held until the work is over, even if the client has long gone.
        let _permit = permit;
        let score = scoring::score(&detector, &recording, limits.seconds, deadline)?;
        Ok(Scored::new(&score, Model::of(&detector)))
    });
    match timeout_at(deadline.into(), scoring).await {
        Ok(Ok(scored)) => scored.map(Json),
        Ok(Err(failed)) => Err(Problem::internal(failed)),
        Err(_) => Err(Problem::slow_scoring()),
    }
}

/// What a browser is told of every answer: to run and fetch only what is from here, to guess no types, and to tell no one.
async fn guard(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 7] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
             media-src 'self' blob:; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "microphone=(self), camera=(), geolocation=()",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
