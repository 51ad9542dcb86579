//! The example `score`, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bonafide::{Detector, Runtime};
#[cfg(target_os = "linux")]
use common::{Held, on_a_full_disk};
use common::{Model, example, fixture, speech};
use serde_json::Value;
use tempfile::TempDir;

fn score(model: &Path, arguments: &[&str]) -> Output {
    Command::new(example("score"))
        .arg("--model")
        .arg(model)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn speech_path() -> String {
    shown(&fixture("speech.wav"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A folder with copies of half a second of speech, and other files, by their names.
fn folder(audio: &[&str], others: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in audio.iter().chain(others) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if audio.contains(name) {
            fs::copy(half_a_second(), path).unwrap();
        } else {
            fs::write(path, "not audio").unwrap();
        }
    }
    folder
}

/// Half a second of speech.
fn half_a_second() -> PathBuf {
    fixture("audio/speech_24000.wav")
}

/// The files of JSON lines, below a folder.
fn files(output: Output, folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    json(output)
        .iter()
        .map(|line| {
            let file = line["file"].as_str().unwrap();
            let below = file.strip_prefix(&folder).unwrap_or(file);
            below.trim_start_matches('/').to_owned()
        })
        .collect()
}

fn json(output: Output) -> Vec<Value> {
    let text = text(output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_table_shows_each_file_and_then_the_runtime() {
    let model = Model::tiny();
    let output = score(&model.path(), &[&speech_path()]);
    assert!(output.status.success());
    let text = text(output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("label      P(spoof)  confidence  seconds  windows"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("spoof        0.5466       54.7 %    10.09        5"),
        "{text}"
    );
    let count = lines.len();
    assert_eq!(
        lines[count - 2],
        "1 file scored, 10.1 s of audio: 1 spoof, 0 bona fide, 0 no speech; 0 errors, 0 skipped"
    );
    let info = model.detector(Runtime::Auto).build().unwrap();
    assert!(
        lines.last().unwrap().starts_with(&format!("runtime: {}", info.info())),
        "{text}"
    );
}

#[test]
fn json_has_one_object_a_line_with_the_librarys_numbers() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.wav");
    fs::copy(fixture("speech.wav"), &copy).unwrap();
    let copy = shown(&copy);
    let output = score(
        &model.path(),
        &["--json", "--threshold", "0.9", &speech_path(), "missing.wav", &copy],
    );
    assert_eq!(output.status.code(), Some(1), "a file failed");
    let text = text(output.stdout);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "the files after the bad one are scored");

    let detector = model.detector(Runtime::Auto).threshold(0.9).build().unwrap();
    let expected = detector.score(&speech()).unwrap();
    for (line, file) in [(&lines[0], speech_path()), (&lines[2], copy)] {
        assert_eq!(line["file"], file);
        assert_eq!(line["label"], "bonafide");
        assert_eq!(line["threshold"].as_f64().unwrap() as f32, 0.9);
        assert_eq!(line["duration_seconds"], 10.09);
        assert_eq!(line["runtime"], detector.info().to_string());
        assert_eq!(line["model"], model.path().display().to_string());
        for (field, value) in [
            ("spoof_probability", expected.spoof_probability),
            ("bonafide_probability", expected.bonafide_probability),
            ("confidence", expected.confidence),
            ("llr", expected.llr),
        ] {
            assert!((line[field].as_f64().unwrap() as f32 - value).abs() < 1e-5, "{field}");
        }
        let windows = line["windows"].as_array().unwrap();
        assert_eq!(windows.len(), expected.windows.len());
        for (window, expected) in windows.iter().zip(&expected.windows) {
            assert_eq!(window["start_seconds"], expected.start_seconds);
            assert_eq!(window["end_seconds"], expected.end_seconds);
            assert!((window["llr"].as_f64().unwrap() as f32 - expected.llr).abs() < 1e-5);
            let probability = window["spoof_probability"].as_f64().unwrap() as f32;
            assert!((probability - expected.spoof_probability).abs() < 1e-5);
        }
    }
    assert_eq!(lines[1]["file"], "missing.wav");
    assert!(lines[1]["error"].as_str().unwrap().contains("missing.wav"));
    assert_eq!(lines[1].as_object().unwrap().len(), 2);
}

#[test]
fn bad_files_do_not_stop_the_others() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.wav"), "").unwrap();
    fs::write(folder.path().join("text.mp3"), "not audio\nat all").unwrap();
    let output = score(&model.path(), &[&shown(folder.path()), &speech_path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(output.stdout);
    assert_eq!(
        text.lines().filter(|line| line.starts_with("error")).count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.lines().filter(|line| line.starts_with("spoof")).count(),
        1,
        "{text}"
    );
}

#[test]
fn bad_usage_and_bad_models_have_exit_codes_of_their_own() {
    let model = Model::tiny();
    for arguments in [
        &[][..],
        &["--threshold", "2", "a.wav"],
        &["--threshold", "nan", "a.wav"],
        &["--no", "a.wav"],
    ] {
        assert_eq!(score(&model.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let output = score(&fixture("speech.wav"), &[&speech_path()]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(output.stderr);
    assert!(
        error.starts_with("error: ") && error.contains("bonafide-export"),
        "{error}"
    );
}

#[test]
fn folders_are_scored_all_the_way_down_and_what_is_no_audio_is_counted() {
    let model = Model::tiny();
    let folder = folder(
        &["b.wav", "a/deep/c.WAV", "a.flac", "a/b.mp3"],
        &["notes.txt", "a/deep/cover.jpg", "._b.wav", "README"],
    );
    let path = shown(folder.path());
    let output = score(&model.path(), &["--json", &path, "--jobs", "2"]);
    assert!(output.status.success());
    // Folders and files by their names, not by the order in which they are on the disk.
    assert_eq!(
        files(output, folder.path()),
        ["a/b.mp3", "a/deep/c.WAV", "a.flac", "b.wav"]
    );

    let text = text(score(&model.path(), &[&path]).stdout);
    assert!(text.contains("\n4 files scored, 2.0 s of audio: "), "{text}");
    assert!(text.contains("; 0 errors, 4 skipped\n"), "{text}");
}

#[test]
fn bad_files_in_a_folder_are_errors_and_the_rest_is_scored() {
    let model = Model::tiny();
    let folder = folder(&["good.wav"], &["bad.wav", "old.opus"]);
    let output = score(&model.path(), &["--json", &shown(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json(output);
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["error"].as_str().unwrap().contains("bad.wav"));
    assert!(lines[1]["verdict"].is_string());
    assert!(lines[2]["error"].as_str().unwrap().contains("old.opus"));
}

#[test]
fn patterns_match_as_in_a_shell() {
    let model = Model::tiny();
    let folder = folder(
        &["a.wav", "b.flac", "2024/c.wav", "2024/q1/d.wav", "odd[1].wav"],
        &["2024/e.txt"],
    );
    let below = |pattern: &str| shown(&folder.path().join(pattern));
    for (pattern, expected) in [
        ("*.wav", &["a.wav", "odd[1].wav"][..]),
        ("**/*.wav", &["2024/c.wav", "2024/q1/d.wav", "a.wav", "odd[1].wav"]),
        ("?.*", &["a.wav", "b.flac"]),
        ("20*", &["2024/c.wav", "2024/q1/d.wav"]),
        ("*/*", &["2024/c.wav", "2024/q1/d.wav"]),
        // There is such a file, so it is no pattern.
        ("odd[1].wav", &["odd[1].wav"]),
    ] {
        let output = score(&model.path(), &["--json", &below(pattern)]);
        assert!(output.status.success(), "{pattern}: {}", text(output.stderr));
        assert_eq!(files(output, folder.path()), expected, "{pattern}");
    }
    // Relative patterns give relative paths.
    let output = Command::new(example("score"))
        .current_dir(folder.path())
        .args(["--json", "*/*.wav", "--model"])
        .arg(model.path())
        .output()
        .unwrap();
    assert_eq!(files(output, folder.path()), ["2024/c.wav"]);
}

#[test]
fn a_file_is_scored_once_in_the_order_of_the_arguments() {
    let model = Model::tiny();
    let folder = folder(&["a.wav", "b.wav", "c.wav"], &["notes.txt"]);
    let below = |name: &str| shown(&folder.path().join(name));
    let arguments = [
        "--json",
        &below("c.wav"),
        &shown(folder.path()),
        &below("*.wav"),
        &below("a.wav"),
    ];
    let output = score(&model.path(), &arguments);
    assert!(output.status.success());
    assert_eq!(files(output, folder.path()), ["c.wav", "a.wav", "b.wav"]);
}

#[cfg(unix)]
#[test]
fn links_that_lead_round_in_circles_are_followed_once() {
    use std::os::unix::fs::symlink;

    let model = Model::tiny();
    let folder = folder(&["a/one.wav", "b/two.wav"], &[]);
    let at = |name: &str| folder.path().join(name);
    symlink(folder.path(), at("a/up")).unwrap();
    symlink(at("b"), at("a/other")).unwrap();
    symlink(at("a"), at("b/other")).unwrap();
    symlink(at("gone.wav"), at("dangling.wav")).unwrap();
    symlink(at("gone.txt"), at("dangling.txt")).unwrap();
    for argument in [shown(folder.path()), shown(&at("**/*"))] {
        let output = score(&model.path(), &["--json", &argument]);
        assert_eq!(output.status.code(), Some(1), "the dangling link is an error");
        let names: Vec<String> = files(output, folder.path())
            .iter()
            .map(|file| file.rsplit('/').next().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["one.wav", "two.wav", "dangling.wav"], "{argument}");
    }
}

#[test]
fn a_named_file_is_scored_whatever_it_is_called() {
    let model = Model::tiny();
    let folder = folder(&["recording"], &["notes.txt"]);
    let below = |name: &str| shown(&folder.path().join(name));
    let output = score(&model.path(), &["--json", &below("recording"), &below("notes.txt")]);
    assert_eq!(output.status.code(), Some(1));
    let lines = json(output);
    assert!(lines[0]["verdict"].is_string());
    assert!(lines[1]["error"].is_string());
}

#[test]
fn csv_reads_back_as_the_same_scores() {
    let model = Model::tiny();
    let folder = folder(&["plain.wav", "a \"quoted\", name.wav", "=1+1.wav"], &["bad.wav"]);
    let path = shown(folder.path());
    let expected = json(score(&model.path(), &["--format", "json", &path]));
    let output = score(&model.path(), &["--format", "csv", &path]);
    assert_eq!(output.status.code(), Some(1));
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), expected.len());
    for (row, line) in rows.iter().zip(&expected) {
        let cell = |name: &str| {
            row.get(header.iter().position(|column| column == name).unwrap())
                .unwrap()
        };
        let number = |name: &str| cell(name).parse::<f64>().unwrap();
        assert_eq!(cell("file"), line["file"]);
        if let Some(error) = line["error"].as_str() {
            assert_eq!(cell("error"), error);
            assert_eq!(row.iter().filter(|cell| !cell.is_empty()).count(), 2);
            continue;
        }
        assert_eq!(cell("verdict"), line["verdict"]);
        assert_eq!(cell("label"), line["label"]);
        for name in [
            "spoof_probability",
            "confidence",
            "llr",
            "threshold",
            "duration_seconds",
        ] {
            assert!((number(name) - line[name].as_f64().unwrap()).abs() < 1e-6, "{name}");
        }
        assert_eq!(number("windows") as usize, line["windows"].as_array().unwrap().len());
        assert!((number("level_dbfs") - line["quality"]["level_dbfs"].as_f64().unwrap()).abs() < 1e-4);
        assert_eq!(
            cell("notes").contains("shorter than a second"),
            line["notes"][0] == "shorter than a second"
        );
    }
}

#[test]
fn files_can_be_sorted_and_errors_come_last() {
    let model = Model::tiny();
    let folder = folder(&["m.wav"], &["bad.wav"]);
    let speech = folder.path().join("z.wav");
    fs::copy(fixture("speech.wav"), &speech).unwrap();
    let quiet = folder.path().join("k.wav");
    fs::copy(fixture("audio/speech_8000.wav"), quiet).unwrap();
    let path = shown(folder.path());
    let sorted = |order: &str| score(&model.path(), &["--json", "--sort", order, &shown(&speech), &path]);

    assert_eq!(
        files(sorted("path"), folder.path()),
        ["k.wav", "m.wav", "z.wav", "bad.wav"]
    );
    let by_duration = json(sorted("duration"));
    let durations: Vec<Option<f64>> = by_duration
        .iter()
        .map(|line| line["duration_seconds"].as_f64())
        .collect();
    assert_eq!(durations, [Some(10.09), Some(0.5), Some(0.5), None]);
    let by_score = json(sorted("score"));
    let scores: Vec<f64> = by_score[..3]
        .iter()
        .map(|line| line["spoof_probability"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert!(by_score[3]["error"].is_string());
}

#[test]
fn usage_that_makes_no_sense_has_an_exit_code_of_its_own() {
    let model = Model::tiny();
    let folder = folder(&["a.wav", "b.wav"], &["only/notes.txt"]);
    let below = |name: &str| shown(&folder.path().join(name));
    for (arguments, message) in [
        (&[&below("only")[..]][..], "there is no audio in "),
        (&[&below("*.mp3")], "no audio matches "),
        (&[&below("[")], "is no pattern"),
        (&["--jobs", "0", &below("a.wav")], "--jobs"),
        (&["--json", "--format", "csv", &below("a.wav")], "--json"),
        (
            &["--plot", &below("out.svg"), &below(".")],
            "--plot draws one file, and there are 2",
        ),
        (
            &["--plot", &below("out.jpg"), &below("a.wav")],
            "must end in .svg or .png",
        ),
        (&["--report", &below("b.wav"), &below("a.wav")], "must end in .html"),
        (&["--report", &below("no/out.html"), &below("a.wav")], "no such folder"),
    ] {
        let output = score(&model.path(), arguments);
        let error = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(message), "{error}");
        assert!(output.stdout.is_empty(), "nothing is scored");
    }
    // With something else to score, a pattern that matches nothing is a warning.
    let output = score(&model.path(), &[&below("*.mp3"), &below("a.wav")]);
    assert!(output.status.success());
    assert!(text(output.stderr).starts_with("warning: no audio matches "));
}

#[cfg(unix)]
#[test]
fn a_name_cannot_break_the_table() {
    let model = Model::tiny();
    let folder = folder(&["two\nlines\u{1b}[2J\u{202e}.wav"], &[]);
    let text = text(score(&model.path(), &[&shown(folder.path())]).stdout);
    assert!(text.contains(r"two\nlines\u{1b}[2J\u{202e}.wav"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

#[test]
fn without_a_model_the_table_says_that_it_is_the_embedded_one() {
    let output = Command::new(example("score")).arg(speech_path()).output().unwrap();
    // A build may leave it out.
    match Detector::builder().build() {
        Ok(_) => {
            let text = text(output.stdout);
            assert!(output.status.success());
            assert!(
                text.contains("embedded default") && text.contains("models/README.md"),
                "{text}"
            );
        }
        Err(error) => {
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(text(output.stderr).trim_end(), format!("error: {error}"));
        }
    }
}

#[test]
fn a_report_shows_each_file_and_needs_nothing_else() {
    let model = Model::tiny();
    let hostile = "<img src=x onerror=alert(1)>.wav";
    let names: &[&str] = if cfg!(windows) { &["a.wav"] } else { &["a.wav", hostile] };
    let folder = folder(names, &["bad.wav", "notes.txt"]);
    fs::copy(fixture("speech.wav"), folder.path().join("speech.wav")).unwrap();
    let report = folder.path().join("out/report.html");
    fs::create_dir(folder.path().join("out")).unwrap();
    let output = score(&model.path(), &["--report", &shown(&report), &shown(folder.path())]);
    assert_eq!(output.status.code(), Some(1), "one file is bad");

    let html = fs::read_to_string(&report).unwrap();
    let count = |text: &str| html.matches(text).count();
    let files = names.len() + 2;
    assert_eq!(count("<article "), files);
    assert_eq!(count("<svg "), files - 1, "all but the bad one");
    assert_eq!(count("data:image/png;base64,"), files - 1);
    assert_eq!(
        count("role=\"img\" aria-label=\"Waveform, spectrogram and P(spoof) of "),
        files - 1
    );
    assert!(count("Could not be scored") >= 1);
    assert_eq!(
        (count("<img"), count("<script"), count("onerror=alert(1)&gt;")),
        (0, 0, count("&lt;img"))
    );
    assert_eq!((count("http://"), count("https://")), (0, 0));
    well_formed(&html);
    for text in [
        "Undecided",
        "Too short",
        "near the threshold",
        "wav2vec2",
        "bonafide, spoof",
        "no evidence",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let detector = model.detector(Runtime::Auto).build().unwrap();
    let info = detector.info();
    assert!(html.contains(info.model.source_sha256.as_deref().unwrap()));
    assert!(html.contains(&info.runtime_version));
    let here: Vec<_> = fs::read_dir(report.parent().unwrap()).unwrap().collect();
    assert_eq!(here.len(), 1, "nothing temporary is left");
}

/// Every element is closed, in order. The pages of the example have no comments, and no < or > in attributes.
fn well_formed(html: &str) {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '\n', '/']).find(|name| !name.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_report_of_a_long_clip_is_small() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("long.wav");
    let speech = speech();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&clip, spec).unwrap();
    // Eleven minutes.
    for sample in speech.iter().cycle().take(660 * 16_000) {
        for _ in 0..2 {
            writer.write_sample((sample * 32_767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    let report = folder.path().join("report.html");
    let output = score(&model.path(), &["--report", &shown(&report), &shown(&clip)]);
    assert!(output.status.success());
    let html = fs::read_to_string(&report).unwrap();
    assert!(html.len() < 200_000, "{}", html.len());
    assert!(html.contains("Highest P(spoof) of every 2 windows"));
}

#[test]
fn a_plot_is_a_picture_of_one_file() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("out.svg");
    let output = score(&model.path(), &["--plot", &shown(&svg), &speech_path()]);
    assert!(output.status.success(), "{}", text(output.stderr));
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert_eq!(svg.matches("http").count(), 1);
    well_formed(&svg);
    for text in ["Waveform", "Spectrogram (kHz)", "P(spoof) of each window", "Time (s)"] {
        assert!(svg.contains(text), "{text}");
    }

    let path = folder.path().join("out.PNG");
    let output = score(&model.path(), &["--plot", &shown(&path), &speech_path()]);
    assert!(output.status.success(), "{}", text(output.stderr));
    let decoder = png::Decoder::new(std::io::Cursor::new(fs::read(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1600, 1132));
    // White paper, and something on it.
    let white = pixels.iter().filter(|byte| **byte == 0xff).count();
    assert!(white > pixels.len() / 10 && white < pixels.len() * 9 / 10);

    let bad = score(
        &model.path(),
        &["--plot", &shown(&folder.path().join("bad.svg")), "missing.wav"],
    );
    assert_eq!(bad.status.code(), Some(1));
    assert!(!folder.path().join("bad.svg").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_earlier_report_and_is_an_error() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    for (option, name) in [("--report", "out.html"), ("--plot", "out.svg"), ("--plot", "out.png")] {
        let out = folder.path().join(name);
        fs::write(&out, "an earlier one").unwrap();
        let output = on_a_full_disk(8, &example("score"))
            .arg("--model")
            .arg(model.path())
            .arg(option)
            .args([&out, &fixture("speech.wav")])
            .output()
            .unwrap();
        let error = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("cannot write") && error.contains(name), "{error}");
        assert_eq!(fs::read_to_string(&out).unwrap(), "an earlier one");
        fs::remove_file(out).unwrap();
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing temporary is left"
    );

    for format in ["table", "json", "csv"] {
        let output = Command::new(example("score"))
            .args(["--format", format, "--model"])
            .args([model.path(), fixture("speech.wav")])
            .stdout(fs::File::create("/dev/full").unwrap())
            .output()
            .unwrap();
        let error = text(output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.starts_with("error: cannot write"), "{error}");
    }
}

/// Not even root can make a file in `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_an_error() {
    let model = Model::tiny();
    let output = score(&model.path(), &["--report", "/proc/self/report.html", &speech_path()]);
    let error = text(output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot write /proc/self/report.html: "), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_corrupt_files_leave_nothing_behind() {
    let model = Model::tiny();
    let kinds = ["wav", "flac", "ogg", "m4a"].map(|extension| {
        let name = if extension == "wav" { "s16" } else { "speech" };
        (
            extension,
            fs::read(fixture("audio").join(format!("{name}.{extension}"))).unwrap(),
        )
    });
    let folder = tempfile::tempdir().unwrap();
    for n in 0..10_000 {
        let (extension, whole) = &kinds[n % 4];
        let cut = 4 + n / 4 % 500;
        fs::write(folder.path().join(format!("{n:05}.{extension}")), &whole[..cut]).unwrap();
    }
    fs::copy(half_a_second(), folder.path().join("good.wav")).unwrap();

    let mut program = Command::new(example("score"))
        .args(["--format", "json", "--model"])
        .args([model.path().as_path(), folder.path()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Rows are written as files are scored, so what is seen here is seen in between.
    let pid = program.id();
    let held = || Held::by(pid).unwrap();
    let mut begun = None;
    let mut errors = 0;
    let mut last = None;
    for line in BufReader::new(program.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        errors += usize::from(line["error"].is_string());
        last = Some(line);
        if errors == 1_000 {
            begun = Some(held());
        }
        if errors == 9_000 {
            let (before, after) = (begun.take().unwrap(), held());
            assert!(
                after.kilobytes < before.kilobytes + 16 * 1024,
                "{before:?}, then {after:?}"
            );
            assert!(after.files <= before.files + 8, "{before:?}, then {after:?}");
        }
    }
    assert_eq!(program.wait().unwrap().code(), Some(1));
    assert_eq!(errors, 10_000);
    let last = last.unwrap();
    assert!(
        last["file"].as_str().unwrap().ends_with("good.wav") && last["verdict"].is_string(),
        "{last}"
    );
}
