//! The example `demo`, as browsers and programs use it, and as those would who mean harm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bonafide::Detector;
use common::{Model, example, fixture};
use serde_json::Value;

/// A running demo, which stops when this goes.
struct Demo {
    program: Child,
    address: SocketAddr,
    model: Model,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {})
    }

    fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let model = Model::tiny();
        let mut command = Command::new(example("demo"));
        command
            .args(["--port", "0", "--model"])
            .arg(model.path())
            .args(arguments)
            .stdout(Stdio::piped());
        prepare(&mut command);
        let mut program = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().parse().unwrap();
        Self {
            program,
            address,
            model,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends bytes and reads the answer.
    fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        Answer::read(&mut stream)
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: demo\r\n\r\n").as_bytes())
    }

    fn score(&self, content_type: &str, body: &[u8]) -> Answer {
        self.send(&[&head(content_type, body.len()), body].concat())
    }

    #[cfg(unix)]
    fn terminate(&self) {
        let pid = self.program.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn head(content_type: &str, length: usize) -> Vec<u8> {
    format!(
        "POST /api/score HTTP/1.1\r\nHost: demo\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        Self::read_on(stream, Vec::new())
    }

    /// Reads on after the first bytes.
    fn read_on(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Self {
        // A connection that is closed on a sender is reset at some point, which does not take back the answer.
        if let Err(error) = stream.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Self { status, head, body }
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let header = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        header.unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that the request was turned down, and how.
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str) {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        assert_eq!((self.status, json["code"].as_str()), (status, Some(code)), "{json}");
        assert!(!json["error"].as_str().unwrap().is_empty());
        assert_eq!(json.as_object().unwrap().len(), 2);
        assert_eq!(self.header("x-content-type-options"), "nosniff");
    }
}

fn speech() -> Vec<u8> {
    fs::read(fixture("speech.wav")).unwrap()
}

#[test]
fn the_page_and_what_it_loads_are_served_with_their_types_and_a_strict_policy() {
    let demo = Demo::start(&[]);
    let page = demo.ask("GET", "/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(!page.head.to_lowercase().contains("access-control"), "{}", page.head);

    let page = String::from_utf8(page.body).unwrap();
    for (path, content_type) in [
        ("/style.css", "text/css; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/openapi.json", "application/json"),
    ] {
        assert!(page.contains(&format!("\"{path}\"")), "{path} is not in the page");
        let asset = demo.ask("GET", path);
        assert_eq!(
            (asset.status, asset.header("content-type")),
            (200, content_type),
            "{path}"
        );
        assert_eq!(asset.header("x-content-type-options"), "nosniff");
    }
    // What scripts import is there, too.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/page");
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name != "index.html" {
            assert_eq!(demo.ask("GET", &format!("/{name}")).status, 200, "{name}");
        }
    }
    // Nothing is allowed to be inline, nor from elsewhere.
    for inline in ["<style", "style=", " onclick", "javascript:", "src=\"http"] {
        assert!(!page.contains(inline), "{inline}");
    }

    assert_eq!(demo.ask("GET", "/examples/person.wav").body, speech());
    assert_eq!(
        demo.ask("GET", "/examples/machine.flac").header("content-type"),
        "audio/flac"
    );
    assert_eq!(demo.ask("GET", "/healthz").body, b"ok\n");
    let figures = demo.ask("GET", "/figures.json").json();
    assert_eq!(figures["published"]["results"][1]["eer"], 0.0555);
    assert!(figures.as_object().unwrap().contains_key("measured"));
}

#[test]
fn a_score_is_the_librarys_raw_in_a_form_and_in_chunks() {
    let demo = Demo::start(&[]);
    let detector = Detector::builder().model(demo.model.path()).build().unwrap();
    let expected = detector.score_file(fixture("speech.wav")).unwrap();

    let raw = demo.score("audio/wav", &speech());
    assert_eq!(raw.status, 200, "{}", String::from_utf8_lossy(&raw.body));
    let score = raw.json();
    let close = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() < 1e-5;
    assert!(close(&score["spoof_probability"], expected.spoof_probability.into()));
    assert!(close(
        &score["bonafide_probability"],
        expected.bonafide_probability.into()
    ));
    assert!(close(&score["confidence"], expected.confidence.into()));
    assert!(close(&score["threshold"], expected.threshold.into()));
    assert!(close(&score["duration_seconds"], expected.duration_seconds));
    assert!(close(&score["llr"], expected.llr.into()));
    assert!(close(
        &score["quality"]["level_dbfs"],
        expected.quality.level_dbfs.into()
    ));
    assert!(close(
        &score["quality"]["voiced_seconds"],
        expected.quality.voiced_seconds.into()
    ));
    assert_eq!(score["label"], expected.label.as_str());
    assert_eq!(score["verdict"], expected.verdict().unwrap().as_str());
    assert_eq!(score["runtime"], detector.info().to_string());
    // The name alone: where the file is would be telling.
    assert_eq!(score["model"], "model.onnx");
    let windows = score["windows"].as_array().unwrap();
    assert_eq!(windows.len(), expected.windows.len());
    for (found, expected) in windows.iter().zip(&expected.windows) {
        assert!(close(&found["start_seconds"], expected.start_seconds));
        assert!(close(&found["end_seconds"], expected.end_seconds));
        assert!(close(&found["spoof_probability"], expected.spoof_probability.into()));
        assert!(close(&found["llr"], expected.llr.into()));
    }

    let form = [
        b"--frontier\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nhello\r\n\
          --frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../etc/passwd\"\r\n\
          Content-Type: audio/wav\r\n\r\n",
        &speech()[..],
        b"\r\n--frontier--\r\n",
    ]
    .concat();
    let in_form = demo.score("multipart/form-data; boundary=frontier", &form);
    assert_eq!((in_form.status, in_form.json()), (200, score.clone()));

    let mut chunked = b"POST /api/score HTTP/1.1\r\nHost: demo\r\nContent-Type: application/octet-stream\r\n\
                        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for chunk in speech().chunks(10_000) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let in_chunks = demo.send(&chunked);
    assert_eq!((in_chunks.status, in_chunks.json()), (200, score));
}

#[test]
fn every_file_is_scored_or_turned_down_as_the_library_does() {
    let demo = Demo::start(&[]);
    let detector = Detector::builder().model(demo.model.path()).build().unwrap();
    let mut scored = 0;
    for file in fs::read_dir(fixture("audio")).unwrap() {
        let path = file.unwrap().path();
        let answer = demo.score("audio/anything", &fs::read(&path).unwrap());
        match detector.score_file(&path) {
            Ok(expected) => {
                let found = answer.json()["spoof_probability"].as_f64().unwrap();
                let difference = found - f64::from(expected.spoof_probability);
                assert!(difference.abs() < 1e-5, "{}: {difference}", path.display());
                scored += 1;
            }
            Err(error) => assert!([415, 422].contains(&answer.status), "{error}: {}", answer.status),
        }
    }
    assert!(scored >= 15, "{scored}");
}

#[test]
fn bad_input_is_turned_down_in_words_and_never_ends_the_program() {
    let demo = Demo::start(&["--max-seconds", "5"]);
    demo.score("audio/wav", b"").assert_problem(400, "bad_request");
    demo.score("audio/wav", b"this is no audio at all")
        .assert_problem(415, "unsupported_audio");
    demo.score("audio/webm", b"\x1a\x45\xdf\xa3\x01\x00\x00\x00")
        .assert_problem(415, "unsupported_audio");
    demo.score("text/plain", &speech())
        .assert_problem(415, "unsupported_content_type");
    demo.score("multipart/form-data", b"x")
        .assert_problem(400, "bad_request");
    demo.score("multipart/form-data; boundary=b", b"x")
        .assert_problem(400, "bad_request");
    demo.score(
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n",
    )
    .assert_problem(400, "bad_request");
    let untyped = b"POST /api/score HTTP/1.1\r\nHost: demo\r\nContent-Length: 0\r\n\r\n";
    demo.send(untyped).assert_problem(415, "unsupported_content_type");
    // Ten seconds, and half of them.
    demo.score("audio/wav", &speech()).assert_problem(422, "too_long");
    demo.score("audio/wav", &speech()[..100_000])
        .assert_problem(422, "invalid_audio");
    // A header alone, cut off anywhere.
    for length in [4, 12, 20, 44] {
        let status = demo.score("audio/wav", &speech()[..length]).status;
        assert!((400..500).contains(&status), "{length}: {status}");
    }

    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/examples/../../../etc/passwd",
        "//etc/passwd",
        "/examples/%2e%2e/%2e%2e/Cargo.toml",
        "/examples/..%2f..%2fCargo.toml",
        "/examples/%252e%252e/Cargo.toml",
        "/..%5c..%5cCargo.toml",
        "/examples/person.wav/../../../Cargo.toml",
        "/examples/person.wav%00.html",
        "/%c0%ae%c0%ae/etc/passwd",
        "/file:///etc/passwd",
        "/page/main.js",
        "/main.rs",
    ] {
        demo.ask("GET", path).assert_problem(404, "not_found");
    }
    let wrong = demo.ask("GET", "/api/score");
    wrong.assert_problem(405, "wrong_method");
    assert_eq!(wrong.header("allow"), "POST");
    demo.ask("DELETE", "/").assert_problem(405, "wrong_method");
    assert_eq!(demo.send(b"nonsense\r\n\r\n").status, 400);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert!((400..500).contains(&demo.send(long.as_bytes()).status));

    assert_eq!(demo.ask("GET", "/healthz").status, 200);
}

#[test]
fn too_much_is_turned_down_while_it_comes() {
    let demo = Demo::start(&["--max-megabytes", "1"]);
    // Promised: before any of it comes.
    demo.send(&head("audio/wav", 1_000_001))
        .assert_problem(413, "too_large");
    let form = "multipart/form-data; boundary=b";
    demo.send(&head(form, 2_000_000)).assert_problem(413, "too_large");

    // Endless: as soon as it is too much. What follows the answer is taken for a while and then no more.
    let mut stream = demo.connect();
    stream
        .write_all(
            b"POST /api/score HTTP/1.1\r\nHost: demo\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    let mut reader = stream.try_clone().unwrap();
    let answer = std::thread::spawn(move || Answer::read(&mut reader));
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    let start = Instant::now();
    while stream.write_all(&chunk).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "it is never cut off");
    }
    answer.join().unwrap().assert_problem(413, "too_large");
}

#[test]
fn who_is_slow_is_cut_off() {
    let demo = Demo::start(&["--timeout-seconds", "1"]);
    let start = Instant::now();
    let mut silent = demo.connect();
    let mut slow_head = demo.connect();
    slow_head.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut slow_body = demo.connect();
    slow_body.write_all(&head("audio/wav", 1000)).unwrap();
    slow_body.write_all(&[0; 500]).unwrap();

    Answer::read(&mut slow_body).assert_problem(408, "slow_upload");
    // These get no answer, or one that says why.
    for stream in [&mut silent, &mut slow_head] {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn beyond_the_limit_clients_are_told_at_once_to_come_back() {
    let demo = Demo::start(&["--max-uploads", "1"]);
    let speech = speech();
    let mut first = demo.connect();
    let head = head("audio/wav", speech.len());
    let head = [head.strip_suffix(b"\r\n").unwrap(), b"Expect: 100-continue\r\n\r\n"].concat();
    first.write_all(&head).unwrap();
    // It has its place once its body is asked for.
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    first.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let busy = demo.score("audio/wav", b"x");
    busy.assert_problem(503, "busy");
    assert_eq!(busy.header("retry-after"), "5");
    // The page is still served.
    assert_eq!(demo.ask("GET", "/").status, 200);

    first.write_all(&speech).unwrap();
    assert_eq!(Answer::read(&mut first).status, 200);
    assert_eq!(demo.score("audio/wav", &speech).status, 200);
}

#[test]
fn two_hundred_uploads_at_once_are_scored_or_told_to_come_back() {
    const UPLOADS: usize = 200;
    // A slow machine may take its time.
    let demo = Demo::start(&["--max-uploads", "4", "--timeout-seconds", "600"]);
    let sent = |request: &[u8]| {
        let mut stream = demo.connect();
        stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        stream.write_all(request).unwrap();
        stream
    };
    let recording = fs::read(fixture("audio/speech_8000.wav")).unwrap();
    let head = head("audio/wav", recording.len());

    // All ask before any sends: those that are told to go on have the places, and the others none.
    let asking = [head.strip_suffix(b"\r\n").unwrap(), b"Expect: 100-continue\r\n\r\n"].concat();
    let streams: Vec<TcpStream> = (0..UPLOADS).map(|_| sent(&asking)).collect();
    let mut places = Vec::new();
    for mut stream in streams {
        let mut start = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut start).unwrap();
        if &start == b"HTTP/1.1 100 Continue\r\n\r\n" {
            places.push(stream);
        } else {
            let busy = Answer::read_on(&mut stream, start.to_vec());
            busy.assert_problem(503, "busy");
            assert_eq!(busy.header("retry-after"), "5");
        }
    }
    assert_eq!(places.len(), 4);
    for stream in &mut places {
        stream.write_all(&recording).unwrap();
        assert_eq!(Answer::read(stream).status, 200);
    }

    // All send at once.
    let request = [head, recording].concat();
    let mut streams: Vec<TcpStream> = (0..UPLOADS).map(|_| sent(&request)).collect();
    let answers = streams.iter_mut().map(Answer::read);
    let scored = answers
        .filter(|answer| match answer.status {
            200 => true,
            _ => {
                answer.assert_problem(503, "busy");
                false
            }
        })
        .count();
    assert!(scored >= 4, "{scored}");
    assert_eq!(demo.ask("GET", "/healthz").status, 200);
    assert_eq!(demo.send(&request).status, 200);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_of_a_recording_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start_with(&["--max-megabytes", "1", "--timeout-seconds", "600"], |command| {
        command.env("TMPDIR", folder.path()).current_dir(folder.path());
    });
    let speech = speech();
    assert_eq!(demo.score("audio/wav", &speech).status, 200);
    demo.score("audio/wav", &speech[..100_000])
        .assert_problem(422, "invalid_audio");
    demo.send(&head("audio/wav", 1_000_001))
        .assert_problem(413, "too_large");
    // One that breaks off.
    let mut broken = demo.connect();
    broken.write_all(&head("audio/wav", speech.len())).unwrap();
    broken.write_all(&speech[..100_000]).unwrap();
    drop(broken);
    assert_eq!(demo.score("audio/wav", &speech).status, 200);

    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    for open in fs::read_dir(format!("/proc/{}/fd", demo.program.id())).unwrap() {
        let open = open.unwrap();
        // The standard streams are this test's.
        if ["0", "1", "2"].iter().any(|stream| open.file_name() == *stream) {
            continue;
        }
        // Files without a name, too.
        let target = fs::read_link(open.path()).unwrap_or_default();
        let target = target.display().to_string();
        assert!(!target.contains("(deleted)") && !target.starts_with("/tmp"), "{target}");
    }
}

#[test]
fn it_listens_on_this_machine_alone_unless_told_otherwise() {
    assert!(Demo::start(&[]).address.ip().is_loopback());
}

#[cfg(unix)]
#[test]
fn what_is_running_is_finished_when_told_to_stop() {
    let mut demo = Demo::start(&[]);
    let speech = speech();
    let mut running = demo.connect();
    running.write_all(&head("audio/wav", speech.len())).unwrap();
    running.write_all(&speech[..1000]).unwrap();
    // An answer from later shows that the request has been accepted.
    assert_eq!(demo.ask("GET", "/healthz").status, 200);
    demo.terminate();
    let start = Instant::now();
    while TcpStream::connect(demo.address).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5), "it still takes connections");
        std::thread::sleep(Duration::from_millis(10));
    }
    running.write_all(&speech[1000..]).unwrap();
    assert_eq!(Answer::read(&mut running).status, 200);
    assert!(demo.program.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn told_twice_it_stops_at_once() {
    let mut demo = Demo::start(&["--timeout-seconds", "600"]);
    let mut running = demo.connect();
    running.write_all(&head("audio/wav", 1_000)).unwrap();
    assert_eq!(demo.ask("GET", "/healthz").status, 200);
    demo.terminate();
    // It is told again once it has seen the first, as signals that come together are one.
    while TcpStream::connect(demo.address).is_ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
    demo.terminate();
    assert_eq!(demo.program.wait().unwrap().code(), Some(1));
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let model = Model::tiny();
    let output = Command::new(example("demo"))
        .args(["--port", &port, "--model"])
        .arg(model.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("another program has that port"), "{error}");
}

#[test]
fn openapi_describes_what_is_answered() {
    let demo = Demo::start(&[]);
    let openapi = demo.ask("GET", "/openapi.json").json();
    let schemas = &openapi["components"]["schemas"];
    assert_described(&demo.score("audio/wav", &speech()).json(), &schemas["Score"], schemas);
    assert_described(&demo.ask("GET", "/api/info").json(), &schemas["Info"], schemas);
    assert_described(&demo.ask("GET", "/nothing").json(), &schemas["Problem"], schemas);
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let status = demo.ask(&method.to_uppercase(), path).status;
            assert!(![404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
    // The codes are those of the source.
    let source = include_str!("../examples/demo/problem.rs");
    for code in schemas["Problem"]["properties"]["code"]["enum"].as_array().unwrap() {
        assert!(source.contains(&code.to_string()), "{code}");
    }
}

/// Checks that an answer has exactly the fields of its schema, and of their types.
fn assert_described(answer: &Value, schema: &Value, schemas: &Value) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return assert_described(answer, &schemas[name], schemas);
    }
    let found = match answer {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(types) => types.iter().any(|kind| kind == found),
        kind => kind == found || (kind == "number" && found == "integer"),
    };
    assert!(allowed, "{answer} is not of {schema}");
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(answer), "{answer} is not of {schema}");
    }
    if let Value::Array(items) = answer {
        for item in items {
            assert_described(item, &schema["items"], schemas);
        }
    }
    if let Value::Object(fields) = answer {
        let described: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(fields.keys().collect::<BTreeSet<_>>(), described);
        for (name, field) in fields {
            assert_described(field, &schema["properties"][name], schemas);
        }
    }
}
