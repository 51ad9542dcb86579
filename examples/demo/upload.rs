//! The recording out of a request, within bounds on its size.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::problem::Problem;

/// What a form may have beside the recording.
const ENVELOPE: usize = 64 * 1024;
/// For how long a body that nobody wants is still taken in, so that the client gets to read the answer: to a connection
/// that is closed in the middle of its sending it would only say that it was.
const LINGER: Duration = Duration::from_secs(2);

enum Kind {
    Raw,
    Form,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "multipart/form-data" => Ok(Self::Form),
            "application/octet-stream" => Ok(Self::Raw),
            audio if audio.starts_with("audio/") => Ok(Self::Raw),
            _ => Err(Problem::content_type()),
        }
    }
}

/// Receives a recording of at most `limit` bytes.
pub(crate) async fn receive(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let kind = match Kind::of(request.headers()) {
        Ok(kind) => kind,
        Err(problem) => {
            turn_down(request);
            return Err(problem);
        }
    };
    let recording = match kind {
        Kind::Raw => read(request, limit, 0).await?.1,
        Kind::Form => {
            let (parts, form) = read(request, limit, ENVELOPE).await?;
            file_of_form(Request::from_parts(parts, Body::from(form))).await?
        }
    };
    match recording.len() {
        0 => Err(Problem::bad_request("the request holds no recording")),
        length if length > limit => Err(Problem::too_large(limit)),
        _ => Ok(recording),
    }
}

/// Reads a body of at most `limit` bytes and an envelope. What the client says of its length is only believed where that is
/// too much already.
async fn read(request: Request, limit: usize, envelope: usize) -> Result<(Parts, Bytes), Problem> {
    let most = limit + envelope;
    if request.body().size_hint().lower() > most as u64 {
        turn_down(request);
        return Err(Problem::too_large(limit));
    }
    let (parts, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the request's body broke off or is malformed"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            turn_down(Request::from_parts(parts, body));
            return Err(Problem::too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((parts, bytes.into()))
}

async fn file_of_form(form: Request) -> Result<Bytes, Problem> {
    let malformed = |reason: String| Problem::bad_request(format!("the form is malformed: {reason}"));
    let mut form = Multipart::from_request(form, &())
        .await
        .map_err(|error| malformed(error.body_text()))?;
    while let Some(field) = form.next_field().await.map_err(|error| malformed(error.body_text()))? {
        if field.name() == Some("file") {
            return field.bytes().await.map_err(|error| malformed(error.body_text()));
        }
    }
    Err(Problem::bad_request("the form has no field `file`"))
}

/// Takes in what is still coming, for a while, and forgets it. The answer does not wait for that.
pub(crate) fn turn_down(request: Request) {
    // Such a client sends nothing before it is told to.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body();
    tokio::spawn(timeout(
        LINGER,
        async move { while let Some(Ok(_)) = body.frame().await {} },
    ));
}
