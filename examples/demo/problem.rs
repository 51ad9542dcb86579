//! Why a request is turned down, in words for people and a code for programs.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bonafide::Error;
use serde::Serialize;

#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Body {
    error: String,
    code: &'static str,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code, message }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    pub(crate) fn wrong_method() -> Self {
        let message = "this address takes another method: see /openapi.json";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
    }

    pub(crate) fn content_type() -> Self {
        let message = "send a recording as audio/* or application/octet-stream, or as the field `file` of \
                       multipart/form-data, and say so in Content-Type";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!(
            "the recording is larger than {} MB; cut it into shorter ones",
            limit / 1_000_000
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(crate) fn too_long(seconds: u32) -> Self {
        let message = format!("the recording is longer than {seconds} s; cut it into shorter ones");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long", message)
    }

    pub(crate) fn slow_upload() -> Self {
        let message = "the recording did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow_upload", message)
    }

    pub(crate) fn slow_scoring() -> Self {
        let message = "scoring took too long; send a shorter recording, or try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "slow_scoring", message)
    }

    pub(crate) fn busy() -> Self {
        let message = "others are being served; try again in a few seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// The details stay here: they are about this machine, and no business of the client's.
    pub(crate) fn internal(details: impl std::fmt::Display) -> Self {
        eprintln!("error: {details}");
        let message = "something went wrong here; the program's output says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::UnsupportedAudio { .. } | Error::FormatDisabled { .. } => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_audio",
                error.to_string(),
            ),
            Error::InvalidAudio { .. }
            | Error::TruncatedAudio { .. }
            | Error::AudioTooLong { .. }
            | Error::EmptyAudio { .. }
            | Error::SampleRate { .. }
            | Error::Channels { .. }
            | Error::AudioTooShort { .. }
            | Error::NotFinite { .. }
            | Error::Amplitude { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_audio", error.to_string())
            }
            // Bytes in memory can't fail to be read, other than by ending too early.
            Error::Read { source, .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_audio",
                format!("cannot decode the audio: {source}"),
            ),
            _ => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let busy = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let body = Body {
            error: self.message,
            code: self.code,
        };
        let mut response = (self.status, Json(body)).into_response();
        if busy {
            let later = HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, later);
        }
        response
    }
}
