//! The hub's answers: a revision's listing, a file's description, and its bytes.

use std::io::Read;

use ureq::http::{Response, header};
use ureq::{Agent, Body, RequestBuilder, typestate::WithoutBody};

use super::{Hub, Listing, MAX_CONFIG_BYTES, Repository, is_commit};
use crate::checkpoint::folder::is_plain_name;
use crate::{Error, Result};

/// The most redirects followed. The hub itself needs one or two.
const MAX_REDIRECTS: usize = 8;
/// The header with the `ETag` of a large file's bytes, which are elsewhere.
const LINKED_ETAG: &str = "x-linked-etag";

/// A file of a commit.
pub(super) struct Location<'a> {
    pub(super) repository: &'a Repository,
    pub(super) commit: &'a str,
    pub(super) name: &'a str,
}

/// What the hub says of a file.
pub(super) struct Description {
    /// The name of its bytes: the SHA-256 of a large file, and git's hash of a small one.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
}

/// Asks the hub.
pub(super) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    endpoint: String,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

impl Client {
    pub(super) fn new(hub: &Hub) -> Result<Self> {
        let endpoint = hub.endpoint.trim_end_matches('/').to_owned();
        if origin(&endpoint).is_none() {
            return Err(Error::HubAnswer {
                url: endpoint,
                detail: "expected HF_ENDPOINT to be a URL such as https://huggingface.co".to_owned(),
            });
        }
        let config = Agent::config_builder()
            .timeout_resolve(Some(hub.connect_timeout))
            .timeout_connect(Some(hub.connect_timeout))
            .timeout_per_read(Some(hub.stall_timeout))
            .timeout_per_write(Some(hub.stall_timeout))
            // Followed here, because the hub's first answer describes the file and not all may see the token.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("bonafide-export/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build();
        Ok(Self {
            agent: Agent::new_with_config(config),
            endpoint,
            authorization: hub.token.as_ref().map(|token| format!("Bearer {token}")),
        })
    }

    pub(super) fn url(&self, location: &Location<'_>) -> String {
        let Location {
            repository,
            commit,
            name,
        } = location;
        format!("{}/{}/resolve/{commit}/{}", self.endpoint, repository.id, encode(name))
    }

    pub(super) fn listing_url(&self, repository: &Repository) -> String {
        let Repository { id, revision, .. } = repository;
        format!("{}/api/models/{id}/revision/{}", self.endpoint, encode(revision))
    }

    /// The commit and the files of a revision.
    pub(super) fn list(&self, repository: &Repository) -> Result<Listing> {
        let url = self.listing_url(repository);
        let what = || format!("model `{}` with a revision `{}`", repository.id, repository.revision);
        let answer = |detail: String| Error::HubAnswer {
            url: url.clone(),
            detail,
        };
        let response = self.follow(&url, Redirects::All, what, |agent, url| agent.get(url))?;
        let mut json = Vec::new();
        let mut body = response.into_body().into_reader().take(MAX_CONFIG_BYTES + 1);
        body.read_to_end(&mut json).map_err(|error| Error::HubConnection {
            url: url.clone(),
            detail: explain(&error),
        })?;
        if json.len() as u64 > MAX_CONFIG_BYTES {
            return Err(answer(format!("expected at most {MAX_CONFIG_BYTES} bytes")));
        }
        let listing: Listing = serde_json::from_slice(&json)
            .map_err(|error| answer(format!("expected the commit `sha` and the files `siblings`: {error}")))?;
        if !is_commit(&listing.sha) {
            return Err(answer("expected a commit of 40 hexadecimal digits as `sha`".to_owned()));
        }
        Ok(listing)
    }

    /// The name and size of a file's bytes.
    pub(super) fn describe(&self, location: &Location<'_>) -> Result<Description> {
        let url = self.url(location);
        let response = self.follow(
            &url,
            Redirects::ToDescription,
            || what(location),
            |agent, url| agent.head(url),
        )?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = text(LINKED_ETAG).or_else(|| text("etag")).unwrap_or_default();
        let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
        if !is_plain_name(etag) || etag.ends_with(".incomplete") {
            return Err(Error::HubAnswer {
                url,
                detail: "expected a header `X-Linked-Etag` or `ETag` that can name a file".to_owned(),
            });
        }
        let size = match text("x-linked-size") {
            None if response.status().is_redirection() => None,
            None => text("content-length"),
            linked => linked,
        };
        Ok(Description {
            etag: etag.to_owned(),
            size: size.and_then(|size| size.parse().ok()),
        })
    }

    /// The bytes of a file from `start`, or all of them; and where they do start.
    pub(super) fn get(&self, location: &Location<'_>, start: u64) -> Result<(impl Read + use<>, u64)> {
        let url = self.url(location);
        let response = self.follow(
            &url,
            Redirects::All,
            || what(location),
            |agent, url| {
                let request = agent.get(url);
                match start {
                    0 => request,
                    start => request.header(header::RANGE, format!("bytes={start}-")),
                }
            },
        )?;
        let start = if response.status() == 206 {
            let range = response.headers().get(header::CONTENT_RANGE);
            let stated = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-'));
            if stated.and_then(|(first, _)| first.parse().ok()) != Some(start) {
                return Err(Error::HubAnswer {
                    url,
                    detail: format!("expected the bytes from {start} in `Content-Range`"),
                });
            }
            start
        } else {
            0
        };
        Ok((response.into_body().into_reader(), start))
    }

    /// Sends a request and follows redirects. Any other answer than success is an error about `what`.
    fn follow(
        &self,
        url: &str,
        redirects: Redirects,
        what: impl Fn() -> String,
        request: impl Fn(&Agent, &str) -> RequestBuilder<WithoutBody>,
    ) -> Result<Response<Body>> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let is_endpoint = origin(&url) == origin(&self.endpoint);
            let mut request = request(&self.agent, &url);
            if let Some(authorization) = self.authorization.as_ref().filter(|_| is_endpoint) {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let response = request.call().map_err(|error| Error::HubConnection {
                url: shown(&url),
                detail: error.to_string(),
            })?;
            let status = response.status();
            if !status.is_redirection() {
                return match status.as_u16() {
                    200 | 206 => Ok(response),
                    401 | 403 => Err(Error::HubAccess {
                        status: status.as_u16(),
                        url: shown(&url),
                        sent_token: self.authorization.is_some() && is_endpoint,
                    }),
                    404 => Err(Error::HubNotFound {
                        what: what(),
                        url: shown(&url),
                    }),
                    status => Err(Error::HubStatus {
                        status,
                        url: shown(&url),
                    }),
                };
            }
            let location = response
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| join(&url, location));
            let Some(next) = next.filter(|next| !(url.starts_with("https:") && next.starts_with("http:"))) else {
                return Err(Error::HubAnswer {
                    url: shown(&url),
                    detail: "expected a redirect to a URL of the same security".to_owned(),
                });
            };
            let is_description =
                response.headers().contains_key(LINKED_ETAG) || origin(&next) != origin(&self.endpoint);
            if redirects == Redirects::ToDescription && is_description {
                return Ok(response);
            }
            url = next;
        }
        Err(Error::HubAnswer {
            url: shown(&url),
            detail: format!("it redirects more than {MAX_REDIRECTS} times"),
        })
    }
}

/// Which redirects are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirects {
    All,
    /// Those of a renamed repository, up to the answer that describes the file, which may redirect to its bytes.
    ToDescription,
}

fn what(location: &Location<'_>) -> String {
    format!(
        "file `{}` in {} at commit {}",
        location.name, location.repository, location.commit
    )
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let valid = matches!(scheme, "http" | "https") && host_len > 0 && !rest[..host_len].contains('@');
    valid.then(|| &url[..scheme.len() + 3 + host_len])
}

/// The URL that `location` is from `base`.
fn join(base: &str, location: &str) -> Option<String> {
    let origin_of_base = origin(base)?;
    let joined = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{}:{location}", base.split_once(':')?.0)
    } else if location.starts_with('/') {
        format!("{origin_of_base}{location}")
    } else {
        let path = base[origin_of_base.len()..].split(['?', '#']).next()?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{origin_of_base}{folder}/{location}")
    };
    origin(&joined).is_some().then_some(joined)
}

/// A URL for a message: without its query, which may be a signature.
fn shown(url: &str) -> String {
    url.split('?').next().unwrap_or_default().chars().take(300).collect()
}

/// A part of a URL's path, percent-encoded.
fn encode(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Why reading broke off.
pub(super) fn explain(error: &std::io::Error) -> String {
    let timeout = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match timeout {
        Some(ureq::Error::Timeout(_)) => "the connection stalled".to_owned(),
        _ if error.kind() == std::io::ErrorKind::TimedOut => "the connection stalled".to_owned(),
        _ => error.to_string(),
    }
}
