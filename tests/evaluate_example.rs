//! The example `evaluate`, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use common::on_a_full_disk;
use common::{Model, example, fixture, runtimes, speech};
use serde_json::Value;
use tempfile::TempDir;

/// The fields of a set of trials, as the issue lists them.
const FIELDS: [&str; 15] = [
    "trials",
    "bonafide",
    "spoof",
    "eer_asvspoof",
    "eer_sklearn",
    "eer_rocch",
    "eer_ci95",
    "auc",
    "min_tdcf_2019",
    "min_tdcf_2021",
    "min_dcf",
    "act_dcf",
    "cllr",
    "min_cllr",
    "threshold_eer",
];

fn evaluate(arguments: &[&str]) -> Output {
    Command::new(example("evaluate")).args(arguments).output().unwrap()
}

fn scores(arguments: &[&str]) -> Output {
    evaluate(&[&["scores"], arguments].concat())
}

/// The object that `scores --json` prints.
fn figures(arguments: &[&str]) -> Value {
    let output = scores(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn evaluation(name: &str) -> String {
    fixture("evaluate").join(name).display().to_string()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_near(value: &Value, expected: f64, tolerance: f64) {
    let found = value.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

/// A file of the development machine that not everybody has.
fn shared(path: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path.display().to_string())
}

// --- Score files

#[test]
fn a_published_systems_scores_give_the_official_scorers_figures() {
    let (Some(file), Some(asv)) = (
        shared("scores/rawgat_st_cat.eval2019.txt"),
        shared("scores/ASVspoof2019.LA.asv.eval.gi.trl.scores.txt"),
    ) else {
        return;
    };
    let figures = figures(&[&file, "--asv", &asv]);
    assert_eq!(figures["trials"], 71_237);
    assert_eq!(
        (&figures["bonafide"], &figures["spoof"]),
        (&7_355.into(), &63_882.into())
    );
    assert_near(&figures["eer_asvspoof"], 0.012_354, 5e-7);
    assert_near(&figures["min_tdcf_2019"], 0.038_81, 5e-6);
    let attacks = &figures["groups"]["attack"];
    let expected: Vec<String> = (7..20).map(|attack| format!("A{attack:02}")).collect();
    assert_eq!(keys(attacks), expected);
    for attack in expected {
        assert_eq!(
            attacks[&attack]["bonafide"], 7_355,
            "each attack against all bona fide trials"
        );
        assert_eq!(attacks[&attack]["spoof"], 4_914);
    }
}

#[test]
fn json_has_the_documented_fields() {
    let figures = figures(&[&evaluation("scores.txt"), "--asv", &evaluation("asv.txt")]);
    let expected: BTreeSet<&str> = FIELDS.into_iter().chain(["groups"]).collect();
    assert_eq!(keys(&figures).into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(
        (&figures["trials"], &figures["bonafide"], &figures["spoof"]),
        (&11.into(), &5.into(), &6.into())
    );
    assert_near(&figures["eer_asvspoof"], 11.0 / 60.0, 1e-12);
    assert_near(&figures["auc"], 29.0 / 30.0, 1e-12);
    let interval = figures["eer_ci95"].as_array().unwrap();
    assert_eq!(interval.len(), 2);
    assert!(interval[0].as_f64() <= figures["eer_asvspoof"].as_f64());
    assert!(FIELDS.iter().all(|field| !figures[field].is_null()));

    assert_eq!(keys(&figures["groups"]), ["attack"]);
    let attacks = &figures["groups"]["attack"];
    assert_eq!(keys(attacks), ["A07", "A08"]);
    assert_eq!(
        (&attacks["A08"]["bonafide"], &attacks["A08"]["spoof"]),
        (&5.into(), &3.into())
    );
    assert_eq!(attacks["A08"]["eer_asvspoof"], 0.0);
    let expected: BTreeSet<&str> = FIELDS.into_iter().collect();
    assert_eq!(keys(&attacks["A07"]).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_calibration_that_was_fitted_is_the_identity_when_fitted_again() {
    let folder = tempfile::tempdir().unwrap();
    // Scores drawn so that their log-likelihood ratio is 2 · score − 1: two normals of variance 1/2, means 1 apart.
    let quantile = |p: f64| (p / (1.0 - p)).ln() * 0.551 * 0.5_f64.sqrt() / 0.98;
    let write = |name: &str, map: &dyn Fn(f64) -> f64| {
        let rows = (1..400).flat_map(|n| {
            let x = quantile(f64::from(n) / 400.0);
            [
                format!("b{n} - bonafide {}", map(x + 1.0)),
                format!("s{n} A01 spoof {}", map(x)),
            ]
        });
        let path = folder.path().join(name);
        fs::write(&path, rows.collect::<Vec<_>>().join("\n")).unwrap();
        path.display().to_string()
    };
    let calibrate = |arguments: &[&str]| -> Value {
        let output = evaluate(&[&["calibrate", "--json"], arguments].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let raw = write("raw.txt", &|x| x);
    let fitted = calibrate(&[&raw]);
    let [scale, offset] = ["scale", "offset"].map(|field| fitted[field].as_f64().unwrap());
    // By symmetry the ratio is 0 half way between the means.
    assert!((scale * 0.5 + offset).abs() < 1e-6 && scale > 1.0, "{scale} {offset}");

    let calibrated = write("calibrated.txt", &|x| scale * x + offset);
    let again = calibrate(&[&calibrated, "--test", &raw]);
    assert_near(&again["scale"], 1.0, 1e-6);
    assert_near(&again["offset"], 0.0, 1e-6);
    let [on_itself, on_raw] = [0, 1].map(|set| &again["sets"][set]);
    assert_near(
        &on_itself["cllr_before"],
        on_itself["cllr_after"].as_f64().unwrap(),
        1e-9,
    );
    assert_near(
        &on_itself["cllr_after"],
        fitted["sets"][0]["cllr_after"].as_f64().unwrap(),
        1e-9,
    );
    assert!(on_itself["min_cllr"].as_f64() <= on_itself["cllr_after"].as_f64());
    assert_near(&on_raw["min_cllr"], on_itself["min_cllr"].as_f64().unwrap(), 1e-9);

    let table = stdout(&evaluate(&["calibrate", &raw]));
    assert!(
        table.contains(&format!("--calibration {scale:.5},{offset:.5}")),
        "{table}"
    );
}

#[test]
fn two_systems_are_compared_on_the_same_trials() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, score: &dyn Fn(&str, i32) -> f64| {
        let rows = (0..100).flat_map(|n| {
            [("bonafide", "b", "-"), ("spoof", "s", "A01")]
                .map(|(key, letter, attack)| (n, format!("{letter}{n} {attack} {key} {}", score(key, n))))
        });
        let mut rows: Vec<_> = rows.collect();
        if name == "second.txt" {
            rows.reverse(); // the order is none of its business
        }
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        let path = folder.path().join(name);
        fs::write(&path, rows.join("\n")).unwrap();
        path.display().to_string()
    };
    // The second lets every tenth spoofed trial through; both miss every fifth bona fide one.
    let first = write("first.txt", &|key, n| match (key, n) {
        ("bonafide", n) if n % 5 == 0 => -3.0,
        ("bonafide", n) => 2.0 + f64::from(n) / 100.0,
        (_, n) => -2.0 - f64::from(n) / 100.0,
    });
    let second = write("second.txt", &|key, n| match (key, n) {
        ("bonafide", n) if n % 5 == 0 => -3.0,
        ("spoof", n) if n % 10 == 0 => 4.0,
        ("bonafide", n) => 2.0 + f64::from(n) / 100.0,
        (_, n) => -2.0 - f64::from(n) / 100.0,
    });
    let output = evaluate(&["compare", "--json", &first, &second]);
    assert!(output.status.success(), "{}", stderr(&output));
    let compared: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&compared["trials"], &compared["spoof"]), (&200.into(), &100.into()));
    for (place, scores) in [("first", &first), ("second", &second)] {
        let alone = figures(&[scores]);
        for metric in ["eer_asvspoof", "auc", "min_dcf", "cllr"] {
            assert_eq!(compared[metric][place], alone[metric], "{metric}");
        }
    }
    let auc = &compared["auc"];
    let (low, high) = (auc["ci95"][0].as_f64().unwrap(), auc["ci95"][1].as_f64().unwrap());
    let difference = auc["difference"].as_f64().unwrap();
    assert!(low < difference && difference < high && high < 0.0, "{auc}");

    let table = stdout(&evaluate(&["compare", &first, &second]));
    let words: Vec<&str> = table
        .lines()
        .find(|line| line.starts_with("AUC"))
        .unwrap()
        .split(' ')
        .collect();
    assert!(
        words.contains(&format!("{:+.4}", 100.0 * difference).as_str()),
        "{table}"
    );

    // P(spoof) in both: the same comparison.
    let negated = [&first, &second].map(|path| {
        let lines = fs::read_to_string(path).unwrap();
        let lines = lines.lines().map(|line| {
            let (rest, score) = line.rsplit_once(' ').unwrap();
            format!("{rest} {}", -score.parse::<f64>().unwrap())
        });
        let negated = format!("{path}.negated");
        fs::write(&negated, lines.collect::<Vec<_>>().join("\n")).unwrap();
        negated
    });
    let output = evaluate(&["compare", "--json", "--higher-is-spoof", &negated[0], &negated[1]]);
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), compared);
}

#[test]
fn scores_of_different_trials_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, rows.join("\n")).unwrap();
        path.display().to_string()
    };
    let all = write("all.txt", &["a - bonafide 2", "b A01 spoof -1", "c A02 spoof -2"]);
    let some = write("some.txt", &["a - bonafide 2", "b A01 spoof -1"]);
    let other = write("other.txt", &["a - bonafide 2", "b A01 spoof -1", "c A02 bonafide -2"]);
    let spoof = write("spoof.txt", &["b A01 spoof -1"]);
    for (first, second, expected) in [
        (&all, &some, "c is in"),
        (&some, &all, "c is in"),
        (&all, &other, "c is spoof in"),
        (&spoof, &spoof, "bonafide"),
    ] {
        let output = evaluate(&["compare", first, second]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

#[test]
fn without_asv_scores_there_is_no_tandem_cost() {
    let figures = figures(&[&evaluation("scores.txt")]);
    assert!(figures["min_tdcf_2019"].is_null() && figures["min_tdcf_2021"].is_null());
}

#[test]
fn tables_are_in_percent_and_aligned() {
    let output = scores(&[&evaluation("scores.txt")]);
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.starts_with("11 trials: 5 bona fide, 6 spoof\n"), "{text}");
    assert!(text.contains("EER, ASVspoof        18.3333 %  95 % from "), "{text}");
    assert!(text.contains("AUC                  96.6667 %"), "{text}");
    let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("attack")).collect();
    assert_eq!(table.len(), 3, "{text}");
    assert!(table.iter().all(|line| line.len() == table[0].len()), "{text}");
}

#[test]
fn csv_and_tsv_give_the_same_figures_and_more_groups() {
    let folder = tempfile::tempdir().unwrap();
    let official = figures(&[&evaluation("scores.txt")]);
    let csv = figures(&[&evaluation("scores.csv")]);
    let tsv = folder.path().join("scores.tsv");
    let text = fs::read_to_string(evaluation("scores.csv")).unwrap();
    fs::write(&tsv, text.replace('"', "").replace(',', "\t")).unwrap();
    let tsv = figures(&[&tsv.display().to_string()]);
    assert_eq!(csv, tsv);
    for field in FIELDS.into_iter().filter(|field| *field != "eer_ci95") {
        assert_eq!(csv[field], official[field], "{field}");
    }
    assert_ne!(
        csv["eer_ci95"], official["eer_ci95"],
        "drawn by speaker where that is known"
    );
    assert_eq!(keys(&csv["groups"]), ["attack", "codec"], "the speaker is no condition");
}

#[test]
fn a_condition_restricts_both_classes_and_one_class_has_no_figures() {
    let codecs = &figures(&[&evaluation("scores.csv")])["groups"]["codec"];
    let counts = |codec: &str| {
        (
            codecs[codec]["bonafide"].as_u64().unwrap(),
            codecs[codec]["spoof"].as_u64().unwrap(),
        )
    };
    assert_eq!(
        (counts("none"), counts("opus"), counts("gsm")),
        ((2, 3), (2, 3), (1, 0))
    );
    let gsm = codecs["gsm"].as_object().unwrap();
    assert_eq!(gsm["trials"], 1);
    assert_eq!(gsm.values().filter(|value| value.is_null()).count(), FIELDS.len() - 3);
    assert!(!codecs["opus"]["eer_asvspoof"].is_null());
}

#[test]
fn by_groups_by_any_column_and_no_other() {
    let figures = figures(&[&evaluation("scores.csv"), "--by", "SPEAKER"]);
    assert_eq!(keys(&figures["groups"]), ["speaker"]);
    assert_eq!(keys(&figures["groups"]["speaker"]), ["S0", "S1", "S2", "S3"]);
    let output = scores(&[&evaluation("scores.csv"), "--by", "weather"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("attack, codec, speaker"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_other_sign_is_turned_around() {
    let folder = tempfile::tempdir().unwrap();
    let negated = folder.path().join("negated.txt");
    let lines: Vec<String> = fs::read_to_string(evaluation("scores.txt"))
        .unwrap()
        .lines()
        .map(|line| {
            let (rest, score) = line.rsplit_once(' ').unwrap();
            format!("{rest} {}", -score.parse::<f64>().unwrap())
        })
        .collect();
    fs::write(&negated, lines.join("\n")).unwrap();
    let negated = figures(&[&negated.display().to_string(), "--higher-is-spoof"]);
    assert_eq!(negated, figures(&[&evaluation("scores.txt")]));
}

#[test]
fn files_are_merged_and_duplicates_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(evaluation("scores.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let write = |name: &str, lines: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, lines.join("\n")).unwrap();
        path.display().to_string()
    };
    let (first, second) = (write("first.txt", &lines[..6]), write("second.txt", &lines[6..]));
    assert_eq!(figures(&[&first, &second]), figures(&[&evaluation("scores.txt")]));

    let again = write("again.txt", &lines[3..]);
    let output = scores(&[&first, &again]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("{again}:1: U04 is a duplicate of {first}:4");
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    assert_eq!(scores(&[&first, &first]).status.code(), Some(1));
}

#[test]
fn a_malformed_row_is_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = "U1 - bonafide 1\nU2 A07 spoof 0\n";
    let header = "utterance,key,score\n";
    for (name, text, fault) in [
        ("short.txt", format!("{good}U3 A07 spoof\n"), ":3: expected 4 columns"),
        (
            "long.txt",
            format!("{good}U3 A07 spoof 1 2\n"),
            ":3: expected 4 columns",
        ),
        ("key.txt", format!("{good}\nU3 A07 fake 1\n"), ":4: the key is \"fake\""),
        (
            "nan.txt",
            format!("{good}U3 A07 spoof nan\n"),
            ":3: the score is \"nan\"",
        ),
        (
            "word.txt",
            format!("{good}U3 A07 spoof high\n"),
            ":3: the score is \"high\"",
        ),
        ("first.txt", "U1 bonafide 1\n".to_owned(), ":1: expected 4 columns"),
        (
            "twice.txt",
            format!("{good}U1 - bonafide 2\n"),
            ":3: U1 is a duplicate of",
        ),
        (
            "header.csv",
            "utterance,score\nU1,1\n".to_owned(),
            ":1: the header has no column \"key\"",
        ),
        (
            "short.csv",
            format!("{header}U1,bonafide,1\nU2,spoof\n"),
            ":3: expected 3 columns",
        ),
        (
            "score.csv",
            format!("{header}U1,bonafide,1\nU2,spoof,\n"),
            ":3: the score is \"\"",
        ),
        (
            "key.csv",
            format!("{header}U1,bonafide,1\nU2,Spoof?,0\n"),
            ":3: the key is \"Spoof?\"",
        ),
        (
            "name.csv",
            format!("{header}U1,bonafide,1\n,spoof,0\n"),
            ":3: the utterance is empty",
        ),
        ("empty.txt", "\n".to_owned(), " holds no scores"),
        (
            "class.txt",
            "U1 - bonafide 1\nU2 - bonafide 2\n".to_owned(),
            "all 2 trials are bonafide",
        ),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let output = scores(&[&path.display().to_string()]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let expected = if fault.starts_with("all") {
            fault.to_owned()
        } else {
            format!("{}{fault}", path.display())
        };
        assert!(stderr(&output).contains(&expected), "{name}: {}", stderr(&output));
    }
    let asv = folder.path().join("asv.txt");
    fs::write(&asv, "bonafide target 1\nbonafide imposter 2\n").unwrap();
    let asv = asv.display().to_string();
    let output = scores(&[&evaluation("scores.txt"), "--asv", &asv]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains(&format!("{asv}:2: the key is \"imposter\"")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn bad_usage_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (root, out) = (
        folder.path().display().to_string(),
        folder.path().join("out").display().to_string(),
    );
    let run = ["run", "--dataset", "list", "--root", &root, "--out", &out];
    for arguments in [
        &[][..],
        &["scores"],
        &["scores", "--no", "a.txt"],
        &["compare", "a.txt"],
        &["run"],
        &["run", "--dataset", "no-such-set", "--root", ".", "--out", "x"],
        &run,
        &[&run[..], &["--model", "m.onnx", "--shard", "3/2"]].concat(),
        &[&run[..], &["--model", "m.onnx", "--shard", "0/2"]].concat(),
        &[&run[..], &["--model", "m.onnx", "--limit", "0"]].concat(),
        &[&run[..], &["--model", "m.onnx", "--windows", "all"]].concat(),
        &[
            "run",
            "--dataset",
            "asvspoof5",
            "--partition",
            "x",
            "--root",
            &root,
            "--out",
            &out,
            "--model",
            "m",
        ],
    ] {
        assert_eq!(evaluate(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert!(stderr(&evaluate(&run)).contains("no model was given: use --model"));
    assert_eq!(scores(&["no-such-file.txt"]).status.code(), Some(1));
}

// --- Data sets

/// A data set below a folder that goes when it does, and a place for results.
struct Tree {
    folder: TempDir,
    model: Model,
    clips: usize,
}

impl Tree {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            model: Model::tiny(),
            clips: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn text(&self, name: &str, lines: &[&str]) {
        fs::write(self.path(name), lines.join("\n") + "\n").unwrap();
    }

    fn wav(&self, name: &str, samples: &[f32]) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(self.path(name), spec).unwrap();
        samples
            .iter()
            .for_each(|x| writer.write_sample((x * 32_767.0) as i16).unwrap());
        writer.finalize().unwrap();
    }

    /// Half a second of speech, another one every time.
    fn clip(&mut self, name: &str) {
        let start = self.clips * 5_000;
        self.clips += 1;
        self.wav(name, &speech()[start..start + 8_000]);
    }

    /// A list of clips of 1 to 6 s, alternately bona fide and spoofed.
    fn list(count: usize) -> Self {
        let tree = Self::new();
        let speech = speech();
        let mut lines = vec!["file\tlabel\tsource\tspeaker\tremark".to_owned()];
        for index in 0..count {
            let name = format!("clips/{index:03}.wav");
            tree.wav(&name, &speech[1_000 * index..1_000 * index + 16_000 * (1 + index % 6)]);
            let (label, source) = if index % 2 == 0 {
                ("bonafide", "book")
            } else {
                ("spoof", ["vits", "flow"][index / 2 % 2])
            };
            lines.push(format!("{name}\t{label}\t{source}\tS{}\tno. {index}", index % 5));
        }
        tree.text("labels.tsv", &lines.iter().map(String::as_str).collect::<Vec<_>>());
        tree
    }

    fn command(&self, dataset: &str, out: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(example("evaluate"));
        command
            .args(["run", "--dataset", dataset, "--root"])
            .arg(self.folder.path())
            .arg("--model")
            .arg(self.model.path())
            .arg("--out")
            .arg(self.path(out))
            .args(arguments);
        command
    }

    fn try_run(&self, dataset: &str, out: &str, arguments: &[&str]) -> Output {
        self.command(dataset, out, arguments).output().unwrap()
    }

    /// Runs, and returns `metrics.json`.
    fn run(&self, dataset: &str, out: &str, arguments: &[&str]) -> Value {
        let output = self.try_run(dataset, out, arguments);
        assert!(output.status.success(), "{dataset}: {}", stderr(&output));
        serde_json::from_str(&self.read(out, "metrics.json")).unwrap()
    }

    fn read(&self, out: &str, file: &str) -> String {
        fs::read_to_string(self.path(out).join(file)).unwrap()
    }

    /// `scores.txt` without the scores.
    fn trials(&self, out: &str) -> Vec<String> {
        let text = self.read(out, "scores.txt");
        text.lines()
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    }
}

/// The files that tell of a run's scores, all of which must be the same for the same run.
const SCORES: [&str; 4] = ["scores.txt", "scores_probability.txt", "windows.csv", "trials.csv"];

fn assert_same(tree: &Tree, one: &str, other: &str) {
    for file in SCORES {
        assert_eq!(tree.read(one, file), tree.read(other, file), "{file}");
    }
    let metrics = |out| -> Value { serde_json::from_str(&tree.read(out, "metrics.json")).unwrap() };
    for part in ["llr", "probability", "trials", "windows"] {
        assert_eq!(metrics(one)[part], metrics(other)[part], "{part}");
    }
}

#[test]
fn asvspoof_2019_la() {
    let mut tree = Tree::new();
    tree.text(
        "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.eval.trl.txt",
        &[
            "LA_0039 LA_E_1 - A11 spoof",
            "LA_0014 LA_E_2 - - bonafide",
            "LA_0040 LA_E_3 - A12 spoof",
        ],
    );
    tree.text(
        "LA/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt",
        &["LA_0079 LA_T_1 - - bonafide", "LA_0079 LA_T_2 - A01 spoof"],
    );
    for name in [
        "eval/flac/LA_E_1",
        "eval/flac/LA_E_2",
        "eval/flac/LA_E_3",
        "eval/flac/LA_E_9",
        "train/flac/LA_T_1",
    ] {
        tree.clip(&format!("LA/ASVspoof2019_LA_{name}.flac"));
    }
    tree.clip("LA/ASVspoof2019_LA_train/flac/LA_T_2.flac");
    let metrics = tree.run("asvspoof2019-la", "out", &[]);
    assert_eq!(
        tree.trials("out"),
        ["LA_E_1 A11 spoof", "LA_E_2 - bonafide", "LA_E_3 A12 spoof"],
        "the list decides"
    );
    assert_eq!(keys(&metrics["llr"]["groups"]), ["attack"]);
    assert_eq!(keys(&metrics["llr"]["groups"]["attack"]), ["A11", "A12"]);
    assert_eq!(metrics["run"]["partition"], "eval");
    tree.run("asvspoof2019-la", "train", &["--partition", "train"]);
    assert_eq!(tree.trials("train"), ["LA_T_1 - bonafide", "LA_T_2 A01 spoof"]);
}

#[test]
fn asvspoof_2021_la() {
    let mut tree = Tree::new();
    tree.text(
        "LA-keys-full/keys/LA/CM/trial_metadata.txt",
        &[
            "LA_0009 LA_E_1 alaw ita_tx A07 spoof notrim eval",
            "LA_0020 LA_E_2 none - bonafide bonafide notrim eval",
            "LA_0011 LA_E_3 alaw ita_tx bonafide bonafide notrim eval",
            "LA_0012 LA_E_4 none - A08 spoof notrim progress",
            "LA_0013 LA_E_5 none - A08 spoof only_speech hidden",
        ],
    );
    (1..6).for_each(|clip| tree.clip(&format!("ASVspoof2021_LA_eval/flac/LA_E_{clip}.flac")));
    let metrics = tree.run("asvspoof2021-la", "out", &[]);
    assert_eq!(
        tree.trials("out"),
        ["LA_E_1 A07 spoof", "LA_E_2 - bonafide", "LA_E_3 - bonafide"],
        "eval only"
    );
    let groups = &metrics["llr"]["groups"];
    assert_eq!(keys(groups), ["attack", "channel", "codec", "trim"]);
    assert_eq!(keys(&groups["attack"]), ["A07"]);
    assert_eq!(
        keys(&groups["channel"]),
        ["-", "ita_tx"],
        "no channel is a condition too"
    );
    assert!(groups["codec"]["none"]["eer_asvspoof"].is_null());
    tree.run("asvspoof2021-la", "all", &["--partition", "all"]);
    assert_eq!(tree.trials("all").len(), 5);
}

#[test]
fn asvspoof_2021_df() {
    let mut tree = Tree::new();
    tree.text(
        "keys/DF/CM/trial_metadata.txt",
        &[
            "LA_0023 DF_E_1 nocodec asvspoof A14 spoof notrim eval traditional_vocoder - - - -",
            "TEF2 DF_E_2 low_m4a vcc2020 Task1-team20 spoof notrim eval neural_vocoder_nonautoregressive Task1 team20 FF E",
            "LA_0021 DF_E_3 nocodec asvspoof bonafide bonafide notrim eval bonafide - - - -",
            "TGF1 DF_E_4 mp3m4a vcc2020 Task2-team12 spoof notrim progress traditional_vocoder Task2 team12 FF G",
        ],
    );
    tree.clip("ASVspoof2021_DF_eval_part00/ASVspoof2021_DF_eval/flac/DF_E_1.flac");
    tree.clip("ASVspoof2021_DF_eval_part02/ASVspoof2021_DF_eval/flac/DF_E_2.flac");
    tree.clip("ASVspoof2021_DF_eval_part00/ASVspoof2021_DF_eval/flac/DF_E_3.flac");
    let metrics = tree.run("asvspoof2021-df", "out", &[]);
    assert_eq!(
        tree.trials("out"),
        ["DF_E_1 A14 spoof", "DF_E_2 Task1-team20 spoof", "DF_E_3 - bonafide"]
    );
    let groups = &metrics["llr"]["groups"];
    assert_eq!(keys(&groups["attack"]), ["A14", "Task1-team20"]);
    assert_eq!(
        keys(&groups["vocoder"]),
        ["neural_vocoder_nonautoregressive", "traditional_vocoder"]
    );
    assert_eq!(keys(&groups["compression"]), ["low_m4a", "nocodec"]);
}

#[test]
fn asvspoof_5() {
    let mut tree = Tree::new();
    tree.text(
        "ASVspoof5.eval.track_1.tsv",
        &[
            "E_0001 E_1 F C03 2 111 AC3 A17 spoof -",
            "E_0002 E_2 M - 0 - - bonafide bonafide -",
        ],
    );
    tree.text(
        "ASVspoof5_protocols/ASVspoof5.dev.track_1.tsv",
        &[
            "D_0001 D_1 F - - - AC1 A11 spoof -",
            "D_0002 D_2 M - - - - bonafide bonafide -",
        ],
    );
    for name in ["flac_E_eval/E_1", "flac_E_eval/E_2", "flac_D/D_1", "flac_D/D_2"] {
        tree.clip(&format!("{name}.flac"));
    }
    let metrics = tree.run("asvspoof5", "out", &[]);
    assert_eq!(tree.trials("out"), ["E_1 A17 spoof", "E_2 - bonafide"]);
    assert_eq!(keys(&metrics["llr"]["groups"]["codec"]), ["-", "C03"]);
    tree.run("asvspoof5", "dev", &["--partition", "dev"]);
    assert_eq!(tree.trials("dev"), ["D_1 A11 spoof", "D_2 - bonafide"]);
}

#[test]
fn wavefake_is_sampled_as_the_original_did() {
    let vocoders = [
        "ljspeech_melgan",
        "ljspeech_melgan_large",
        "ljspeech_multi_band_melgan",
        "ljspeech_full_band_melgan",
        "ljspeech_parallel_wavegan",
        "ljspeech_waveglow",
        "ljspeech_hifiGAN",
        "jsut_multi_band_melgan",
        "jsut_parallel_wavegan",
    ];
    let mut tree = Tree::new();
    (1..4).for_each(|clip| tree.clip(&format!("LJSpeech-1.1/wavs/LJ001-000{clip}.wav")));
    tree.clip("jsut_ver1.1/basic5000/wav/BASIC5000_0001.wav");
    vocoders
        .iter()
        .for_each(|vocoder| tree.clip(&format!("generated_audio/{vocoder}/clip_gen.wav")));
    let metrics = tree.run("wavefake", "out", &[]);
    let trials = tree.trials("out");
    assert_eq!((trials.len(), &*trials[0]), (12, "ljspeech/LJ001-0001.wav - bonafide"));
    assert_eq!(trials[3], "ljspeech_melgan/clip_gen.wav ljspeech_melgan spoof");
    let groups = &metrics["llr"]["groups"];
    assert_eq!(keys(&groups["vocoder"]).len(), 9);
    assert_eq!(
        groups["vocoder"]["jsut_multi_band_melgan"]["bonafide"], 3,
        "against all bona fide trials"
    );

    let full = tree.run("wavefake", "full", &["--partition", "full"]);
    let jsut = &full["llr"]["groups"]["source"]["jsut"];
    assert_eq!((&jsut["bonafide"], &jsut["spoof"]), (&1.into(), &2.into()));

    // The original's numbers, by a folder with more clips than are taken. They need not be audio to be missing or not.
    for clip in 0..1_200 {
        fs::write(tree.path(&format!("generated_audio/ljspeech_melgan/{clip:05}.wav")), "").unwrap();
    }
    fs::remove_dir_all(tree.path("generated_audio/jsut_parallel_wavegan")).unwrap();
    let output = tree.try_run("wavefake", "part", &[]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "1 of 1011 audio files are missing"; // 3 LJSpeech, 1,000, 7 vocoders with a clip, and the lost one
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn in_the_wild() {
    let mut tree = Tree::new();
    tree.text(
        "release_in_the_wild/meta.csv",
        &[
            "file,speaker,label",
            "0.wav,Alec Guinness,spoof",
            "1.wav,\"King, Jr.\",bona-fide",
        ],
    );
    tree.clip("release_in_the_wild/0.wav");
    tree.clip("release_in_the_wild/1.wav");
    let metrics = tree.run("in-the-wild", "out", &[]);
    assert_eq!(tree.trials("out"), ["0.wav - spoof", "1.wav - bonafide"]);
    assert_eq!(metrics["run"]["interval_method"], "bootstrap by speaker");
    assert!(tree.read("out", "trials.csv").contains("\"King, Jr.\""));
}

#[test]
fn a_list_runs_end_to_end_on_each_runtime() {
    let tree = Tree::list(12);
    for runtime in runtimes() {
        let name = runtime.to_string();
        let metrics = tree.run("list", &name, &["--runtime", &name]);
        assert_eq!(
            (&metrics["trials"]["listed"], &metrics["trials"]["scored"]),
            (&12.into(), &12.into())
        );
        assert_eq!(keys(&metrics["llr"]["groups"]), ["attack", "source"]);
        assert_eq!(metrics["llr"]["groups"]["attack"]["vits"]["bonafide"], 6);
        assert!(metrics["run"]["runtime"].as_str().unwrap().starts_with(&name));
        assert_eq!(metrics["run"]["model_sha256"].as_str().unwrap().len(), 64);
        assert!(metrics["run"]["date"].as_str().unwrap().starts_with("20"));
        assert!(tree.path(&name).join("report.html").exists());

        // The score files give the figures of metrics.json, and the library's scores.
        let file = |name: &str, file: &str| tree.path(name).join(file).display().to_string();
        let (llr, probability) = (file(&name, "scores.txt"), file(&name, "scores_probability.txt"));
        for field in FIELDS.into_iter().filter(|field| *field != "eer_ci95") {
            assert_eq!(figures(&[&llr])[field], metrics["llr"][field], "{field}");
            assert_eq!(
                figures(&[&probability])[field],
                metrics["probability"][field],
                "{field}"
            );
        }
        assert_eq!(figures(&[&file(&name, "trials.csv")]), metrics["llr"]);
        let detector = tree.model.detector(runtime).build().unwrap();
        let score = detector.score_file(tree.path("clips/005.wav")).unwrap();
        let scores = tree.read(&name, "scores.txt");
        let found = scores.lines().nth(5).unwrap().rsplit_once(' ').unwrap().1;
        assert!((found.parse::<f32>().unwrap() - score.llr).abs() < 1e-5);
        let windows = tree.read(&name, "windows.csv");
        let windows: Vec<&str> = windows
            .lines()
            .filter(|line| line.starts_with("clips/005.wav,"))
            .collect();
        assert_eq!(windows.len(), score.windows.len());
        assert!(windows[0].starts_with("clips/005.wav,0,3,0,4,"), "{}", windows[0]);
    }
}

#[test]
fn names_with_spaces_do_not_break_the_official_format() {
    let mut tree = Tree::new();
    tree.clip("my clips/one two.wav");
    tree.clip("three.wav");
    tree.text(
        "list.tsv",
        &[
            "file\tlabel\tattack",
            "my clips/one two.wav\tspoof\tmy TTS",
            "three.wav\tbonafide\t-",
        ],
    );
    let metrics = tree.run("list", "out", &["--asv", &evaluation("asv.txt")]);
    assert_eq!(
        tree.trials("out"),
        ["my%20clips/one%20two.wav my%20TTS spoof", "three.wav - bonafide"]
    );
    assert_eq!(keys(&metrics["llr"]["groups"]["attack"]), ["my TTS"]);
    assert!(!metrics["llr"]["min_tdcf_2019"].is_null());
    let output = tree.try_run("list", "out", &["--resume"]);
    assert!(
        stderr(&output).contains("2 of 2 trials are scored already"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn windows_are_counted_both_ways() {
    let tree = Tree::new();
    // A clip whose second window ends with it: the original scores a third, its evaluation does not.
    tree.wav("a.wav", &speech()[..96_000]);
    tree.wav("b.wav", &speech()[..100_000]);
    tree.text("list.tsv", &["file\tlabel", "a.wav\tbonafide", "b.wav\tspoof"]);
    let rows = |out: &str| tree.read(out, "windows.csv").lines().count() - 1;
    for (windows, expected) in [("scoring", 6), ("evaluation", 5)] {
        let metrics = tree.run("list", windows, &["--windows", windows]);
        assert_eq!(
            (&metrics["windows"]["scoring"], &metrics["windows"]["evaluation"]),
            (&6.into(), &5.into())
        );
        assert_eq!(metrics["windows"]["scored"], windows);
        assert_eq!(rows(windows), expected);
    }
}

#[test]
fn silence_is_cut_off_both_ends_if_asked_for() {
    let tree = Tree::new();
    let mut clip = vec![0.0; 16_000];
    clip.extend(&speech()[..32_000]);
    clip.extend(vec![0.0; 24_000]);
    tree.wav("clip.wav", &clip);
    tree.wav("silence.wav", &vec![0.0; 20_000]);
    tree.text("list.tsv", &["file\tlabel", "clip.wav\tbonafide", "silence.wav\tspoof"]);
    tree.run("list", "out", &["--trim-silence"]);
    tree.run("list", "whole", &[]);
    let end = |out: &str, row: usize| -> f64 {
        tree.read(out, "windows.csv")
            .lines()
            .nth(row)
            .unwrap()
            .split(',')
            .nth(4)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert_eq!(
        (end("whole", 1), end("out", 2)),
        (4.0, 1.25),
        "digital silence is left as it is"
    );
    assert!(end("out", 1) <= 2.05 && end("out", 1) > 1.5, "{}", end("out", 1));
}

#[test]
fn a_malformed_row_of_a_list_is_named_by_file_and_line() {
    for (dataset, list, row, fault) in [
        (
            "asvspoof2019-la",
            "ASVspoof2019.LA.cm.eval.trl.txt",
            "S U - spoof",
            "expected 5 columns",
        ),
        (
            "asvspoof2019-la",
            "ASVspoof2019.LA.cm.eval.trl.txt",
            "S U - A07 fake",
            "the key is \"fake\"",
        ),
        (
            "asvspoof2021-la",
            "trial_metadata.txt",
            "S U alaw ita_tx A07 spoof eval",
            "expected 8 columns",
        ),
        (
            "asvspoof2021-la",
            "trial_metadata.txt",
            "S U c t A07 spoof notrim x",
            "the subset is \"x\"",
        ),
        (
            "asvspoof2021-df",
            "trial_metadata.txt",
            "S U c s A14 spoof notrim eval v",
            "expected 13 columns",
        ),
        (
            "asvspoof5",
            "ASVspoof5.eval.track_1.tsv",
            "S U F - - - AC1 A17 spoof",
            "expected 10 columns",
        ),
    ] {
        let tree = Tree::new();
        tree.text(list, &["", row]);
        let output = tree.try_run(dataset, "out", &[]);
        assert_eq!(output.status.code(), Some(1), "{dataset}");
        let expected = format!("{list}:2: {fault}");
        assert!(stderr(&output).contains(&expected), "{dataset}: {}", stderr(&output));
    }
    for (dataset, list, text, fault) in [
        (
            "in-the-wild",
            "meta.csv",
            "file,speaker,label\n0.wav,A,real\n",
            "meta.csv:2: the key is \"real\"",
        ),
        (
            "in-the-wild",
            "meta.csv",
            "file,speaker,label\n0.wav,A\n",
            "meta.csv:2: expected 3 columns",
        ),
        (
            "in-the-wild",
            "meta.csv",
            "name,speaker,label\n",
            "meta.csv:1: the header is",
        ),
        (
            "list",
            "list.tsv",
            "file\tlabel\na.wav\tmaybe\n",
            "list.tsv:2: the key is \"maybe\"",
        ),
        (
            "list",
            "list.tsv",
            "file\tlabel\na.wav\n",
            "list.tsv:2: expected 2 columns",
        ),
        (
            "list",
            "list.tsv",
            "file\tlabel\na\tspoof\na\tspoof\n",
            "list.tsv:3: a is a duplicate of line 2",
        ),
        (
            "list",
            "list.tsv",
            "name\tlabel\n",
            "list.tsv:1: the header has no column \"file\"",
        ),
    ] {
        let tree = Tree::new();
        fs::write(tree.path(list), text).unwrap();
        let output = tree.try_run(dataset, "out", &[]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stderr(&output).contains(fault), "{text}: {}", stderr(&output));
    }
}

#[test]
fn the_official_lists_are_read_at_full_size() {
    let Some(root) = shared("protocols") else { return };
    let tree = Tree::new();
    for (partition, trials, spoof) in [
        ("train", 25_380, 22_800),
        ("dev", 24_844, 22_296),
        ("eval", 71_237, 63_882),
    ] {
        let out = tree.path(partition);
        let output = Command::new(example("evaluate"))
            .args([
                "run",
                "--dataset",
                "asvspoof2019-la",
                "--partition",
                partition,
                "--root",
                &root,
                "--model",
            ])
            .arg(tree.model.path())
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "there is no audio");
        let expected = format!("{trials} of {trials} audio files are missing");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
        let missing = fs::read_to_string(out.join("missing.txt")).unwrap();
        assert_eq!(missing.lines().count(), trials);
        assert_eq!(missing.lines().filter(|line| line.contains("\tspoof\t")).count(), spoof);
    }
}

// --- Runs that do not go smoothly

#[test]
fn missing_audio_is_listed_and_stops_the_run_unless_allowed() {
    let tree = Tree::list(6);
    fs::remove_file(tree.path("clips/002.wav")).unwrap();
    let output = tree.try_run("list", "out", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("1 of 6 audio files are missing"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("002.wav"));
    assert!(!tree.path("out").join("scores.txt").exists());
    assert_eq!(tree.read("out", "missing.txt").lines().count(), 1);

    let metrics = tree.run("list", "out", &["--allow-missing"]);
    assert_eq!(
        (&metrics["trials"]["scored"], &metrics["trials"]["missing"]),
        (&5.into(), &1.into())
    );
    assert_eq!(tree.read("out", "missing.txt").lines().count(), 1);
}

#[test]
fn corrupt_files_are_skipped_and_reported() {
    let tree = Tree::list(6);
    let whole = fs::read(tree.path("clips/001.wav")).unwrap();
    fs::write(tree.path("clips/001.wav"), &whole[..whole.len() / 2]).unwrap();
    fs::write(tree.path("clips/004.wav"), "not audio").unwrap();
    let output = tree.try_run("list", "out", &[]);
    assert!(output.status.success());
    assert!(
        stderr(&output).contains("2 of 6 files could not be scored"),
        "{}",
        stderr(&output)
    );
    let skipped = tree.read("out", "skipped.txt");
    assert!(
        skipped.starts_with("clips/001.wav\t") && skipped.contains("cut short"),
        "{skipped}"
    );
    assert_eq!(skipped.lines().count(), 2);
    assert_eq!(tree.trials("out").len(), 4);
    let scores = tree.path("out").join("scores.txt").display().to_string();
    figures(&[&scores]); // all that could be scored is no gap

    fs::write(tree.path("clips/001.wav"), whole).unwrap();
    let metrics = tree.run("list", "out", &["--resume"]);
    assert_eq!(
        (&metrics["trials"]["scored"], &metrics["trials"]["skipped"]),
        (&5.into(), &1.into())
    );
}

#[test]
fn a_run_resumes_where_any_of_its_files_was_cut() {
    let tree = Tree::list(14);
    tree.run("list", "whole", &[]);
    tree.run("list", "cut", &[]);
    let folder = tree.path("cut");
    for file in ["scores.txt", "scores_probability.txt", "windows.csv"] {
        let bytes = fs::read(folder.join(file)).unwrap();
        fs::write(folder.join(file), &bytes[..bytes.len() * 2 / 3 + 3]).unwrap();
        let scores = folder.join("scores.txt").display().to_string();
        if file == "scores.txt" {
            let output = self::scores(&[&scores]);
            assert_eq!(output.status.code(), Some(1), "a gap that can be seen");
        }
        let output = tree.try_run("list", "cut", &["--resume"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let already = stderr(&output);
        assert!(already.contains(" of 14 trials are scored already"), "{already}");
        assert_same(&tree, "whole", "cut");
    }
    // Nothing is left to do.
    let output = tree.try_run("list", "cut", &["--resume"]);
    assert!(stderr(&output).contains("14 of 14 trials are scored already"));
    assert!(!stderr(&output).contains("windows a second"));
    assert_same(&tree, "whole", "cut");
}

#[test]
fn a_killed_run_resumes_without_scoring_twice() {
    let tree = Tree::list(60);
    let mut running = tree
        .command("list", "killed", &[])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let scores = tree.path("killed").join("scores.txt");
    let begun = Instant::now();
    let written = || fs::read_to_string(&scores).unwrap_or_default().lines().count();
    while written() < 5 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = tree.try_run("list", "killed", &["--resume"]);
    if running.try_wait().unwrap().is_none() {
        assert_eq!(second.status.code(), Some(1));
        assert!(
            stderr(&second).contains("another run is writing"),
            "{}",
            stderr(&second)
        );
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let written = written();
    assert!(written >= 5);
    let path = scores.display().to_string();
    if written < 60 {
        let output = self::scores(&[&path]);
        assert!(stderr(&output).contains("is not finished"), "{}", stderr(&output));
    }
    let output = tree.try_run("list", "killed", &["--resume"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains(" of 60 trials are scored already"),
        "{}",
        stderr(&output)
    );
    tree.run("list", "whole", &[]);
    assert_same(&tree, "whole", "killed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_a_run_that_can_go_on() {
    let tree = Tree::list(14);
    tree.run("list", "whole", &[]);
    // From a disk on which nothing fits, to one on which all but the report does.
    for blocks in [0, 1, 2, 4, 16] {
        let command = tree.command("list", "full", &["--resume"]);
        let mut limited = on_a_full_disk(blocks, Path::new(command.get_program()));
        let output = limited.args(command.get_args()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{blocks} blocks");
        assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
        // Half of it would keep the run from being gone on with.
        let settings = tree.read("full", "run.json");
        assert!(settings.is_empty() || serde_json::from_str::<Value>(&settings).is_ok());
        for file in fs::read_dir(tree.path("full")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(!name.ends_with(".part") && name != "report.html", "{name}");
            if name == "metrics.json" {
                serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap();
            }
        }
    }
    tree.run("list", "full", &["--resume"]);
    assert_same(&tree, "whole", "full");
}

#[cfg(target_os = "linux")]
#[test]
fn figures_that_cannot_be_written_are_an_error() {
    let scores = evaluation("scores.txt");
    for arguments in [
        &["scores", &scores][..],
        &["scores", "--json", &scores],
        &["calibrate", &scores],
        &["compare", &scores, &scores],
    ] {
        let full = fs::File::create("/dev/full").unwrap();
        let output = Command::new(example("evaluate"))
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            stderr(&output).starts_with("error: cannot write"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_folder_is_not_taken_over_by_another_run() {
    let tree = Tree::list(6);
    tree.run("list", "out", &[]);
    let again = tree.try_run("list", "out", &[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--resume"), "{}", stderr(&again));
    let other = tree.try_run("list", "out", &["--resume", "--trim-silence"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        stderr(&other).contains("another list, model or settings"),
        "{}",
        stderr(&other)
    );
    // Cut short, as by a power failure: what it was of can't be told, so nothing is touched.
    let before = tree.read("out", "scores.txt");
    let settings = tree.path("out").join("run.json");
    let whole = fs::read(&settings).unwrap();
    fs::write(&settings, &whole[..whole.len() / 2]).unwrap();
    let damaged = tree.try_run("list", "out", &["--resume"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(
        stderr(&damaged).contains("run.json is not what a run wrote"),
        "{}",
        stderr(&damaged)
    );
    assert_eq!(tree.read("out", "scores.txt"), before);
    fs::remove_file(settings).unwrap();
    let unknown = tree.try_run("list", "out", &["--resume"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("unknown origin"), "{}", stderr(&unknown));
}

#[test]
fn shards_together_are_the_whole() {
    let tree = Tree::list(13);
    tree.run("list", "whole", &[]);
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        let out = format!("shard{}", &shard[..1]);
        tree.run("list", &out, &["--shard", shard, "--resume"]);
        out
    });
    let sorted = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let union: BTreeSet<String> = shards
        .iter()
        .flat_map(|shard| sorted(tree.read(shard, "scores.txt")))
        .collect();
    assert_eq!(union, sorted(tree.read("whole", "scores.txt")));
    assert_eq!(
        shards.iter().map(|shard| tree.trials(shard).len()).sum::<usize>(),
        13,
        "no trial is in two"
    );

    let files = shards.map(|shard| tree.path(&shard).join("scores.txt").display().to_string());
    let whole = tree.path("whole").join("scores.txt").display().to_string();
    let merged = figures(&[&files[2], &files[0], &files[1]]);
    for field in FIELDS.into_iter().filter(|field| *field != "eer_ci95") {
        assert_eq!(merged[field], figures(&[&whole])[field], "{field}");
    }
    let output = scores(&[&files[0], &files[2]]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("of 3 shards, these are missing: 2"),
        "{}",
        stderr(&output)
    );
    assert!(scores(&["--allow-missing", &files[0], &files[2]]).status.success());
}

#[test]
fn a_limit_takes_trials_from_the_whole_list() {
    let tree = Tree::list(14);
    let metrics = tree.run("list", "out", &["--limit", "4"]);
    let clips: Vec<String> = tree.trials("out").iter().map(|trial| trial[..13].to_owned()).collect();
    assert_eq!(
        clips,
        ["clips/000.wav", "clips/003.wav", "clips/007.wav", "clips/010.wav"]
    );
    assert_eq!(
        (&metrics["trials"]["listed"], &metrics["trials"]["scored"]),
        (&14.into(), &4.into())
    );
}

#[test]
fn a_broken_model_stops_the_run() {
    let tree = Tree::list(2);
    fs::write(tree.model.path(), "not a model").unwrap();
    let output = tree.try_run("list", "out", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
}
