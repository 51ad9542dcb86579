//! Fetching from a hub, which is a small server in this file: a good one, and one with every fault.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(unix)]
#[path = "../../tests/common/full_disk.rs"]
mod full_disk;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bonafide_export::checkpoint::Checkpoint;
use bonafide_export::hub::{Hub, Repository};
use bonafide_export::{Error, Result};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_secret";

// A small server.

/// A request as the server saw it. Names of headers are in lower case.
#[derive(Debug, Clone)]
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte that is asked for.
    fn start(&self) -> usize {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes="));
        range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap())
    }
}

#[derive(Clone, Default)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// How many bytes of the body are sent; the stated length is still the whole body's.
    sent: Option<usize>,
    /// Whether the connection is then held open, instead of closed.
    stalls: bool,
}

impl Response {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            ..Self::default()
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn redirect(to: impl Into<String>) -> Self {
        Self::new(302, "").header("Location", to)
    }
}

/// Listens on a port of its own until the test's process ends.
struct Server {
    url: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (answer, requests) = (Arc::new(answer), log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, requests) = (answer.clone(), requests.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &*answer, &requests));
            }
        });
        Self { url, log }
    }

    /// What was asked since the last time.
    fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// How often the bytes of a file were asked for since the last time.
    fn downloads(&self) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.method == "GET" && request.path.contains("/resolve/"))
            .count()
    }
}

fn serve(stream: &TcpStream, answer: &dyn Fn(&Request) -> Response, log: &Mutex<Vec<Request>>) {
    let mut lines = BufReader::new(stream).lines().map_while(std::result::Result::ok);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(' ').map(str::to_owned);
    let request = Request {
        method: words.next().unwrap(),
        path: words.next().unwrap(),
        headers: lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| {
                line.split_once(": ")
                    .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            })
            .collect(),
    };
    let response = answer(&request);
    log.lock().unwrap().push(request.clone());
    let mut head = format!("HTTP/1.1 {} OK\r\nConnection: close\r\n", response.status);
    head += &format!("Content-Length: {}\r\n", response.body.len());
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut out = stream;
    // The client may hang up.
    let _ = out.write_all((head + "\r\n").as_bytes());
    if request.method == "GET" {
        let _ = out.write_all(&response.body[..response.sent.unwrap_or(response.body.len())]);
        let _ = out.flush();
        if response.stalls {
            // Until the client hangs up.
            let _ = std::io::copy(&mut &*stream, &mut std::io::sink());
        }
    }
}

// A small hub.

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/sources"));
    std::fs::read(folder.join(name)).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

type Files = BTreeMap<&'static str, Vec<u8>>;

fn files(files: &[(&'static str, Vec<u8>)]) -> Files {
    files.iter().cloned().collect()
}

/// A repository with weights in one file, and a file that nobody needs.
fn plain() -> Files {
    files(&[
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", fixture("plain.safetensors")),
        ("pytorch_model.bin", fixture("bin/pytorch_model.bin")),
        ("README.md", b"# Model".to_vec()),
    ])
}

fn listing(files: &Files) -> Response {
    let siblings: Vec<String> = files
        .keys()
        .map(|name| format!(r#"{{"rfilename": "{name}"}}"#))
        .collect();
    Response::new(
        200,
        format!(r#"{{"sha": "{COMMIT}", "siblings": [{}]}}"#, siblings.join(",")),
    )
}

/// Answers as the hub does where it stores all files itself.
fn answer(files: &Files, request: &Request) -> Response {
    let path = request.path.strip_prefix("/api/models/owner/name/revision/");
    if path.is_some_and(|revision| ["main", COMMIT, "refs%2Fpr%2F1"].contains(&revision)) {
        return listing(files);
    }
    let name = request.path.strip_prefix(&format!("/owner/name/resolve/{COMMIT}/"));
    match name.and_then(|name| files.get(name)) {
        Some(bytes) => bytes_of(bytes, request),
        None => Response::new(404, "Entry not found"),
    }
}

/// A file, or the rest of it.
fn bytes_of(bytes: &[u8], request: &Request) -> Response {
    let response = match request.start() {
        0 => Response::new(200, bytes),
        start => Response::new(206, &bytes[start..]).header(
            "Content-Range",
            format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()),
        ),
    };
    response.header("ETag", format!("\"{}\"", sha256(bytes)))
}

fn hub(server: &Server, cache: &TempDir) -> Hub {
    let mut hub = Hub::from_variables(&|_| None, cache.path());
    hub.endpoint.clone_from(&server.url);
    hub.cache = cache.path().join("hub");
    hub
}

fn repository() -> Repository {
    "hf://owner/name".parse().unwrap()
}

fn fetch(hub: &Hub) -> Result<PathBuf> {
    hub.fetch(&repository(), &mut |_| {})
}

fn folder_of(cache: &TempDir) -> PathBuf {
    cache.path().join("hub/models--owner--name")
}

/// A server and an empty cache.
fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> (Server, TempDir) {
    (Server::start(answer), tempfile::tempdir().unwrap())
}

#[test]
fn fetches_what_an_export_needs() {
    let (server, cache) = start(|request| answer(&plain(), request));
    let mut hub = hub(&server, &cache);
    hub.token = Some(TOKEN.to_owned());
    let mut progress = Vec::new();
    let folder = hub
        .fetch(&repository(), &mut |download| {
            progress.push((download.file.to_owned(), download.done, download.total));
        })
        .unwrap();
    // As Python lays it out.
    assert_eq!(folder, folder_of(&cache).join("snapshots").join(COMMIT));
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors"]);
    assert_eq!(
        std::fs::read_to_string(folder_of(&cache).join("refs/main")).unwrap(),
        COMMIT
    );
    let bytes = fixture("plain.safetensors");
    assert_eq!(
        std::fs::read(folder_of(&cache).join("blobs").join(sha256(&bytes))).unwrap(),
        bytes
    );
    if cfg!(unix) {
        let link = std::fs::read_link(folder.join("model.safetensors")).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(sha256(&bytes)));
    }
    Checkpoint::open(&folder).unwrap();

    let total = Some(bytes.len() as u64);
    assert!(progress.contains(&("model.safetensors".to_owned(), 0, total)));
    assert_eq!(
        progress.last().unwrap(),
        &("model.safetensors".to_owned(), bytes.len() as u64, total)
    );
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.header("authorization") == Some("Bearer hf_secret"))
    );

    // A second time only the revision is asked for.
    assert_eq!(fetch(&hub).unwrap(), folder);
    assert_eq!(server.requests().len(), 1);
    // Nor does a file of the same bytes come again in another commit's folder.
    std::fs::remove_dir_all(folder_of(&cache).join("snapshots")).unwrap();
    fetch(&hub).unwrap();
    assert_eq!(server.downloads(), 0);
    assert!(!format!("{hub:?}").contains(TOKEN));
}

#[cfg(unix)]
#[test]
fn a_full_disk_stops_a_download_that_can_go_on() {
    let weights = fixture("plain.safetensors").repeat(8);
    let repository = files(&[("config.json", b"{}".to_vec()), ("model.safetensors", weights.clone())]);
    let (server, cache) = start(move |request| answer(&repository, request));
    let hub = hub(&server, &cache);
    let model = cache.path().join("model.onnx");
    let every_file = || {
        let mut files: Vec<PathBuf> = Vec::new();
        let mut folders = vec![folder_of(&cache)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { &mut folders } else { &mut files }.push(path);
            }
        }
        files
    };
    // From one on which nothing fits, to one that holds all but the weights.
    for blocks in [0, 1, 4] {
        let program = Path::new(env!("CARGO_BIN_EXE_bonafide-export"));
        let output = full_disk::on_a_full_disk(blocks, program)
            .arg("hf://owner/name")
            .arg(&model)
            .env("HF_ENDPOINT", &server.url)
            .env("HF_HUB_CACHE", &hub.cache)
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("models--owner--name"), "{message}");
        assert!(!model.exists());
        for path in every_file() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_ne!(name, "main.incomplete");
            // Where a file has its name, it is whole.
            if path.parent().unwrap().ends_with("blobs") && !name.ends_with(".incomplete") {
                assert_eq!(sha256(&std::fs::read(&path).unwrap()), name);
            }
        }
    }
    server.requests();
    let folder = fetch(&hub).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights);
    // What had come before is not asked for again.
    let requests = server.requests();
    let resumed = requests
        .iter()
        .find(|request| request.method == "GET" && request.path.ends_with("/model.safetensors"));
    assert!(resumed.unwrap().start() > 0);
    assert!(
        every_file()
            .iter()
            .all(|path| path.extension().is_none_or(|ending| ending != "incomplete"))
    );
}

#[test]
fn fetches_shards() {
    let mut sharded = Files::new();
    for name in [
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
        "model.safetensors.index.json",
    ] {
        sharded.insert(name, fixture(&format!("sharded/{name}")));
    }
    let missing: Files = sharded
        .clone()
        .into_iter()
        .filter(|(name, _)| !name.contains("00002"))
        .collect();
    let (server, cache) = start(move |request| answer(&sharded, request));
    let checkpoint = Checkpoint::open(fetch(&hub(&server, &cache)).unwrap()).unwrap();
    assert_eq!(checkpoint.files().count(), 3);

    let (server, cache) = start(move |request| answer(&missing, request));
    let error = fetch(&hub(&server, &cache)).unwrap_err();
    assert!(
        matches!(error, Error::MissingShard { ref shard, .. } if shard.contains("00002")),
        "{error:?}"
    );
}

#[test]
fn a_single_checkpoint_is_taken() {
    let one = files(&[("stage2_best.pt", fixture("legacy.pt")), ("notes/x.pt", vec![1])]);
    let (server, cache) = start(move |request| answer(&one, request));
    let folder = fetch(&hub(&server, &cache)).unwrap();
    assert_eq!(Checkpoint::open(folder).unwrap().epoch(), Some(7));

    for (several, found) in [
        (files(&[("a.pt", vec![1]), ("b.ckpt", vec![1])]), "a.pt, b.ckpt"),
        (
            files(&[("README.md", vec![1]), ("../../evil.pt", vec![1])]),
            "README.md",
        ),
        (files(&[]), "no file"),
    ] {
        let (server, cache) = start(move |request| answer(&several, request));
        let error = fetch(&hub(&server, &cache)).unwrap_err();
        assert!(matches!(error, Error::NoWeights { .. }), "{error:?}");
        assert!(
            error.to_string().contains(found) && error.to_string().contains("owner/name"),
            "{error}"
        );
    }
}

#[test]
fn of_several_checkpoints_one_can_be_named() {
    let several = files(&[
        ("a.pt", fixture("legacy.pt")),
        ("b.pt", vec![1]),
        ("config.json", b"{}".to_vec()),
    ]);
    let (server, cache) = start(move |request| answer(&several, request));
    let mut hub = hub(&server, &cache);
    let named: Repository = "hf://owner/name/a.pt".parse().unwrap();
    for offline in [false, true] {
        hub.offline = offline;
        let path = hub.fetch(&named, &mut |_| {}).unwrap();
        assert!(path.ends_with(format!("{COMMIT}/a.pt")) && path.with_file_name("config.json").is_file());
        assert_eq!(Checkpoint::open(path).unwrap().epoch(), Some(7));
    }
    let other: Repository = "hf://owner/name/c.pt".parse().unwrap();
    assert!(matches!(
        hub.fetch(&other, &mut |_| {}).unwrap_err(),
        Error::HubOffline { .. }
    ));
    hub.offline = false;
    let error = hub.fetch(&other, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, Error::HubNotFound { .. }) && error.to_string().contains("`c.pt`"),
        "{error}"
    );
}

#[test]
fn a_revision_can_be_pinned() {
    let (server, cache) = start(|request| answer(&plain(), request));
    let hub = hub(&server, &cache);
    for revision in [COMMIT, "refs/pr/1"] {
        let repository: Repository = format!("hf://owner/name@{revision}").parse().unwrap();
        let folder = hub.fetch(&repository, &mut |_| {}).unwrap();
        assert!(folder.ends_with(COMMIT));
        assert_eq!(
            folder_of(&cache).join("refs").join(revision).is_file(),
            revision != COMMIT
        );
    }
    let error = hub
        .fetch(&"hf://owner/name@v2".parse().unwrap(), &mut |_| {})
        .unwrap_err();
    assert!(
        matches!(error, Error::HubNotFound { .. }) && error.to_string().contains("revision `v2`"),
        "{error}"
    );
}

#[test]
fn follows_redirects_and_keeps_the_token_to_itself() {
    // Large files are on another host, by a signed address; and the repository has a new name.
    let storage = Server::start(|request| match request.path.as_str() {
        "/blob?signature=x" => bytes_of(&fixture("plain.safetensors"), request),
        _ => Response::new(404, ""),
    });
    let elsewhere = format!("{}/blob?signature=x", storage.url);
    let (server, cache) = start(move |request| {
        let files = plain();
        match request.path.replace("owner/old", "owner/name") {
            path if path != request.path => Response::redirect(path),
            path if path.ends_with("model.safetensors") => Response::redirect(elsewhere.as_str())
                .header("X-Linked-Etag", format!("\"{}\"", sha256(&files["model.safetensors"])))
                .header("X-Linked-Size", files["model.safetensors"].len().to_string()),
            _ => answer(&files, request),
        }
    });
    let mut hub = hub(&server, &cache);
    hub.token = Some(TOKEN.to_owned());
    let repository: Repository = "hf://owner/old".parse().unwrap();
    let folder = hub.fetch(&repository, &mut |_| {}).unwrap();
    Checkpoint::open(folder).unwrap();
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_some())
    );
    let elsewhere = storage.requests();
    assert_eq!(elsewhere.len(), 1);
    assert_eq!(elsewhere[0].header("authorization"), None);

    // Round and round, and nowhere.
    for (to, detail) in [
        ("/again", "8 times"),
        ("ftp://x/y", "redirect"),
        ("http://user@/", "redirect"),
    ] {
        let (server, cache) = start(move |_| Response::redirect(to));
        let error = fetch(&self::hub(&server, &cache)).unwrap_err();
        assert!(
            matches!(error, Error::HubAnswer { .. }) && error.to_string().contains(detail),
            "{error}"
        );
    }
}

#[test]
fn tells_refusals_apart() {
    for (status, token, advice) in [
        (401, None, "set HF_TOKEN"),
        (403, None, "accept its terms"),
        (403, Some(TOKEN), "the token in use may not read it"),
        (500, None, "try again later"),
        (429, None, "answers 429"),
    ] {
        let (server, cache) = start(move |_| Response::new(status, "no"));
        let mut hub = hub(&server, &cache);
        hub.token = token.map(str::to_owned);
        let error = fetch(&hub).unwrap_err();
        assert!(
            matches!(error, Error::HubAccess { .. }) == (status < 404)
                && matches!(error, Error::HubStatus { .. }) == (status > 404),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(advice) && !error.to_string().contains(TOKEN),
            "{error}"
        );
    }
    let (server, cache) = start(|_| Response::new(404, ""));
    let error = fetch(&hub(&server, &cache)).unwrap_err();
    assert!(
        matches!(error, Error::HubNotFound { .. }) && error.to_string().contains("`owner/name`"),
        "{error}"
    );
    // A file that is listed and missing, and one that is gated.
    for status in [404, 403] {
        let (server, cache) = start(move |request| match request.path.ends_with("model.safetensors") {
            true => Response::new(status, ""),
            false => answer(&plain(), request),
        });
        let error = fetch(&hub(&server, &cache)).unwrap_err();
        assert!(error.to_string().contains("model.safetensors"), "{error}");
        assert_eq!(matches!(error, Error::HubNotFound { .. }), status == 404, "{error:?}");
    }
    // Nobody there.
    let (server, cache) = start(|_| Response::new(404, ""));
    let mut hub = hub(&server, &cache);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    hub.endpoint = format!("http://{closed}");
    assert!(matches!(fetch(&hub).unwrap_err(), Error::HubConnection { .. }));
    hub.endpoint = "huggingface.co".to_owned();
    assert!(fetch(&hub).unwrap_err().to_string().contains("HF_ENDPOINT"));
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    // The weights come in three pieces; the connection closes after the first, and stalls after the second.
    let weights = fixture("plain.safetensors");
    let total = weights.len();
    let (server, cache) = start(move |request| {
        let response = answer(&plain(), request);
        if !request.path.ends_with("model.safetensors") {
            return response;
        }
        let (sent, stalls) = match request.start() {
            0 => (Some(100), false),
            100 => (Some(150), true),
            250 => (None, false),
            other => panic!("{other}"),
        };
        Response {
            sent,
            stalls,
            ..response
        }
    });
    let mut hub = hub(&server, &cache);
    hub.stall_timeout = Duration::from_secs(2);
    for (came, detail) in [(100, ""), (250, "stalled")] {
        let error = fetch(&hub).unwrap_err();
        assert!(
            matches!(error, Error::HubInterrupted { done, .. } if done == came),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(message.contains(&format!("after {came} bytes of {total}")), "{message}");
        assert!(
            message.contains(detail) && message.contains("run it again"),
            "{message}"
        );
    }
    let mut first = None;
    let folder = hub
        .fetch(&repository(), &mut |download| {
            first.get_or_insert(download.done);
        })
        .unwrap();
    assert_eq!(first, Some(250));
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights);
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_again() {
    let (server, cache) = start(|request| {
        let mut request = request.clone();
        let range = request.headers.remove("range");
        let response = answer(&plain(), &request);
        let breaks = request.path.ends_with("model.safetensors") && range.is_none();
        Response {
            sent: breaks.then_some(100),
            ..response
        }
    });
    let hub = hub(&server, &cache);
    assert!(matches!(
        fetch(&hub).unwrap_err(),
        Error::HubInterrupted { done: 100, .. }
    ));
    let folder = fetch(&hub).unwrap();
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).unwrap(),
        fixture("plain.safetensors")
    );
}

#[test]
fn a_file_of_unknown_size_starts_again() {
    let (server, cache) = start(|request| {
        let response = answer(&plain(), request).header("X-Linked-Size", "unknown");
        let breaks = request.path.ends_with("model.safetensors");
        assert_eq!(request.header("range"), None);
        Response {
            // All of it, but the last byte.
            sent: breaks.then(|| response.body.len() - 1),
            ..response
        }
    });
    let hub = hub(&server, &cache);
    for _ in 0..2 {
        let error = fetch(&hub).unwrap_err();
        assert!(matches!(error, Error::HubInterrupted { total: None, .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    // At the first request, and within its answer.
    for silent in [true, false] {
        let (server, cache) = start(move |request| Response {
            sent: Some(1),
            stalls: true,
            ..answer(&plain(), request)
        });
        let mut hub = hub(&server, &cache);
        hub.stall_timeout = Duration::from_secs(1);
        // Takes connections, and leaves them alone.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if silent {
            hub.endpoint = format!("http://{}", listener.local_addr().unwrap());
        }
        assert!(matches!(fetch(&hub).unwrap_err(), Error::HubConnection { .. }));
    }
}

#[test]
fn other_bytes_are_refused() {
    let (server, cache) = start(|request| {
        let mut response = answer(&plain(), request);
        if request.path.ends_with("model.safetensors") {
            *response.body.last_mut().unwrap() ^= 1;
        }
        response
    });
    let hub = hub(&server, &cache);
    // Not even what came before is kept, or it would be continued.
    for _ in 0..2 {
        let error = fetch(&hub).unwrap_err();
        let expected = sha256(&fixture("plain.safetensors"));
        assert!(
            matches!(error, Error::HubChecksum { expected: ref e, .. } if *e == expected),
            "{error:?}"
        );
        let blobs = std::fs::read_dir(folder_of(&cache).join("blobs")).unwrap();
        assert_eq!(blobs.count(), 1);
    }
    assert!(
        !folder_of(&cache)
            .join("snapshots")
            .join(COMMIT)
            .join("model.safetensors")
            .exists()
    );
}

#[test]
fn answers_that_make_no_sense_are_refused() {
    // Names and sizes that would lead out of the cache or fill the disk.
    let files = plain();
    let whole = files["model.safetensors"].len();
    for (name, value, detail) in [
        ("ETag", "\"../../../evil\"".to_owned(), "can name a file"),
        ("ETag", "\"..\"".to_owned(), "can name a file"),
        ("ETag", "\"\"".to_owned(), "can name a file"),
        ("X-Linked-Size", (1_u64 << 60).to_string(), "1152921504606846976 bytes"),
        ("X-Linked-Size", (whole - 1).to_string(), "and more came"),
    ] {
        let (server, cache) = start(move |request| {
            let mut response = answer(&plain(), request);
            if request.path.ends_with("model.safetensors") {
                response.headers.retain(|(other, _)| other != name);
                response = response.header(name, value.as_str());
            }
            response
        });
        let error = fetch(&hub(&server, &cache)).unwrap_err();
        assert!(
            matches!(error, Error::HubAnswer { .. }) && error.to_string().contains(detail),
            "{error:?}"
        );
        let mut left = std::fs::read_dir(cache.path())
            .unwrap()
            .map(|file| file.unwrap().file_name());
        assert!(left.all(|name| name == "hub"));
    }
    for (body, detail) in [
        ("<html>", "siblings"),
        ("{}", "sha"),
        (
            r#"{"sha": "../../../../../../../../../../../etc/passwd", "siblings": []}"#,
            "40 hexadecimal",
        ),
        (r#"{"sha": "main", "siblings": []}"#, "40 hexadecimal"),
    ] {
        let (server, cache) = start(move |_| Response::new(200, body));
        let error = fetch(&hub(&server, &cache)).unwrap_err();
        assert!(
            matches!(error, Error::HubAnswer { .. }) && error.to_string().contains(detail),
            "{error:?}"
        );
    }
    let (server, cache) = start(|_| Response::new(200, " ".repeat((16 << 20) + 1)));
    assert!(
        fetch(&hub(&server, &cache))
            .unwrap_err()
            .to_string()
            .contains("at most 16777216")
    );
    // Another part of the file than was asked for.
    let (server, cache) = start(|request| {
        let response = answer(&plain(), request);
        match (request.path.ends_with("model.safetensors"), request.start()) {
            (true, 0) => Response {
                sent: Some(100),
                ..response
            },
            (true, _) => Response {
                headers: vec![("Content-Range".to_owned(), "bytes 7-9/10".to_owned())],
                ..response
            },
            _ => response,
        }
    });
    let hub = hub(&server, &cache);
    fetch(&hub).unwrap_err();
    assert!(fetch(&hub).unwrap_err().to_string().contains("bytes from 100"));
}

#[test]
fn offline_the_cache_is_enough() {
    let (server, cache) = start(|request| answer(&plain(), request));
    let mut hub = hub(&server, &cache);
    hub.offline = true;
    let error = fetch(&hub).unwrap_err();
    assert!(matches!(error, Error::HubOffline { .. }), "{error:?}");
    assert!(
        error.to_string().contains("owner/name@main") && error.to_string().contains("HF_HUB_OFFLINE"),
        "{error}"
    );
    hub.offline = false;
    let folder = fetch(&hub).unwrap();
    server.requests();
    hub.offline = true;
    assert_eq!(fetch(&hub).unwrap(), folder);
    let pinned: Repository = format!("hf://owner/name@{COMMIT}").parse().unwrap();
    assert_eq!(hub.fetch(&pinned, &mut |_| {}).unwrap(), folder);
    assert!(server.requests().is_empty());
    // Not all of it, and another revision.
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    assert!(matches!(fetch(&hub).unwrap_err(), Error::HubOffline { .. }));
    let other: Repository = "hf://owner/name@v2".parse().unwrap();
    assert!(matches!(
        hub.fetch(&other, &mut |_| {}).unwrap_err(),
        Error::HubOffline { .. }
    ));
}

#[test]
fn two_downloads_do_not_mix() {
    let (server, cache) = start(|request| answer(&plain(), request));
    let blobs = folder_of(&cache).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", sha256(&fixture("plain.safetensors")));
    let part = std::fs::File::create(blobs.join(name)).unwrap();
    part.lock().unwrap();
    let error = fetch(&hub(&server, &cache)).unwrap_err();
    assert!(
        matches!(error, Error::HubCache { .. }) && error.to_string().contains("another process"),
        "{error}"
    );
    part.unlock().unwrap();
    fetch(&hub(&server, &cache)).unwrap();
}

#[test]
fn names_of_models() {
    for (source, shown) in [
        ("hf://owner/name", "hf://owner/name@main"),
        ("hf://gpt2", "hf://gpt2@main"),
        ("hf://o-w_n.er/N@v1.0", "hf://o-w_n.er/N@v1.0"),
        ("hf://owner/name@refs/pr/1", "hf://owner/name@refs/pr/1"),
        ("hf://owner/name@refs/pr/1/a.pt", "hf://owner/name@refs/pr/1/a.pt"),
        ("hf://owner/name/a.pt", "hf://owner/name@main/a.pt"),
        ("hf://owner/name@v1/a b.pt", "hf://owner/name@v1/a b.pt"),
        ("hf://owner/name@my%2Fbranch", "hf://owner/name@my/branch"),
    ] {
        assert_eq!(source.parse::<Repository>().unwrap().to_string(), shown);
    }
    for source in [
        "owner/name",
        "hf://",
        "hf:///name",
        "hf://a/b/c/d",
        "hf://a/b/",
        "hf://a/b/..",
        "hf://a/b@main/../x",
        "hf://a/b@..%2F..%2Fx",
        "hf://../name",
        "hf://owner/..",
        "hf://owner/name@",
        "hf://owner/name@../../x",
        "hf://owner/name@/x",
        "hf://owner/na me",
        "hf://owner/name?x",
        "hf://owner/a--b",
    ] {
        let error = source.parse::<Repository>().unwrap_err();
        assert!(
            matches!(error, Error::HubName { .. }) && error.to_string().contains(source),
            "{error}"
        );
    }
}

#[test]
fn the_variables_of_python_are_known() {
    let home = tempfile::tempdir().unwrap();
    let hub = |variables: &[(&str, &str)]| {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Hub::from_variables(&get, home.path())
    };
    let default = hub(&[]);
    assert_eq!(default.endpoint, "https://huggingface.co");
    assert_eq!(default.cache, home.path().join(".cache/huggingface/hub"));
    assert_eq!((default.token, default.offline), (None, false));
    assert_eq!(hub(&[("XDG_CACHE_HOME", "/x")]).cache, Path::new("/x/huggingface/hub"));
    assert_eq!(
        hub(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/h")]).cache,
        home.path().join("h/hub")
    );
    assert_eq!(hub(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]).cache, Path::new("/c"));
    for (value, offline) in [("1", true), ("true", true), ("0", false), ("", false)] {
        assert_eq!(hub(&[("HF_HUB_OFFLINE", value)]).offline, offline);
    }
    assert_eq!(
        hub(&[("HF_ENDPOINT", "http://localhost:1")]).endpoint,
        "http://localhost:1"
    );
    std::fs::write(home.path().join("token"), " from_file\n").unwrap();
    let hf_home = home.path().to_str().unwrap();
    assert_eq!(hub(&[("HF_HOME", hf_home)]).token.as_deref(), Some("from_file"));
    let both = hub(&[("HF_HOME", hf_home), ("HF_TOKEN", " from_variable ")]);
    assert_eq!(both.token.as_deref(), Some("from_variable"));
    let path = home.path().join("token");
    let by_path = hub(&[("HF_TOKEN_PATH", path.to_str().unwrap())]);
    assert_eq!(by_path.token.as_deref(), Some("from_file"));
}
