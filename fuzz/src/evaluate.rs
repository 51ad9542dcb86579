//! The parsers of the example `evaluate`: score files and the protocols of data sets.

use std::collections::HashSet;
use std::fs;

use bonafide::Label;
use bonafide::metrics::{Summary, Trials};
use source::datasets::Dataset;
use source::scores::{Table, official_row, read_all, read_asv};

/// The example's own files.
#[path = "../../examples/evaluate"]
#[allow(dead_code, reason = "the example uses more of it")]
pub(crate) mod source {
    pub(crate) mod datasets;
    pub(crate) mod failure;
    pub(crate) mod scores;
}

/// A score file, or (after an `A`) one of speaker verification.
pub fn scores(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |bytes: &[u8]| fs::write(file.path(), bytes).unwrap();
    let read = || read_all(&[file.path().to_owned()]);
    if let Some(asv) = data.strip_prefix(b"A") {
        write(asv);
        match read_asv(file.path()) {
            Ok(scores) => drop(scores.operating_point().map_err(|error| error.to_string())),
            Err(failure) => assert!(!failure.to_string().is_empty()),
        }
        return;
    }
    write(data);
    let table = match read() {
        Ok(table) => table,
        Err(failure) => return assert!(!failure.to_string().is_empty()),
    };
    check(&table);
    measure(&table);
    write(&tsv(&table));
    let again = read().unwrap_or_else(|failure| panic!("{failure}, in what was written of {table:?}"));
    assert_eq!(format!("{again:?}"), format!("{table:?}"), "written and read again");
}

fn check(table: &Table) {
    let mut utterances = HashSet::new();
    for row in &table.rows {
        assert!(!row.score.is_nan() && !row.utterance.is_empty());
        assert_eq!(row.values.len(), table.columns.len());
        assert!(utterances.insert(&row.utterance), "{} is there twice", row.utterance);
    }
}

/// Figures of any scores are what they say they are.
fn measure(table: &Table) {
    let of = |label| -> Vec<f64> {
        let rows = table.rows.iter().filter(|row| row.label == label);
        rows.map(|row| row.score).collect()
    };
    let Ok(trials) = Trials::new(&of(Label::Bonafide), &of(Label::Spoof)) else {
        return;
    };
    let figures = Summary::new(&trials, None).unwrap();
    let share = 0.0..=1.0 + 1e-9;
    for figure in [
        figures.eer_asvspoof,
        figures.eer_sklearn,
        2.0 * figures.eer_rocch,
        figures.auc,
        figures.min_dcf,
        figures.min_cllr,
    ] {
        assert!(share.contains(&figure), "{figures:?}");
    }
    assert!(figures.act_dcf >= figures.min_dcf - 1e-9, "{figures:?}");
    assert!(figures.cllr >= figures.min_cllr - 1e-9, "{figures:?}");
}

/// The table as a file with a header.
fn tsv(table: &Table) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    let columns = table.columns.iter().map(String::as_str);
    writer
        .write_record(["utterance", "key", "score"].into_iter().chain(columns))
        .unwrap();
    for row in &table.rows {
        let (key, score) = (row.label.to_string(), row.score.to_string());
        let values = row.values.iter().map(String::as_str);
        writer
            .write_record(
                [&row.utterance, &key, &score]
                    .map(String::as_str)
                    .into_iter()
                    .chain(values),
            )
            .unwrap();
    }
    writer.into_inner().unwrap()
}

/// The list of a data set; the first byte says of which.
pub fn protocols(data: &[u8]) {
    let Some((kind, list)) = data.split_first() else {
        return;
    };
    let (dataset, name, partition) = match kind {
        b'0' => (Dataset::Asvspoof2019La, "ASVspoof2019.LA.cm.eval.trl.txt", None),
        b'1' => (Dataset::Asvspoof2021La, "trial_metadata.txt", None),
        b'2' => (Dataset::Asvspoof2021Df, "trial_metadata.txt", Some("all")),
        b'3' => (Dataset::Asvspoof5, "ASVspoof5.eval.track_1.tsv", None),
        b'4' => (Dataset::InTheWild, "meta.csv", None),
        b'5' => (Dataset::List, "list.tsv", None),
        _ => return,
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), list).unwrap();
    let corpus = match dataset.read(folder.path(), partition) {
        Ok(corpus) => corpus,
        Err(failure) => return assert!(!failure.to_string().is_empty()),
    };
    assert!(!corpus.trials.is_empty());
    let mut utterances = HashSet::new();
    for trial in &corpus.trials {
        assert_eq!(trial.values.len(), corpus.columns.len());
        assert!(
            utterances.insert(&trial.utterance),
            "{} is there twice",
            trial.utterance
        );
        // A run writes such a line for each, and must be able to read it again.
        let line = format!("{} {} {} 0.5", trial.utterance, trial.attack, trial.label);
        let row = official_row(&line).unwrap_or_else(|fault| panic!("{fault}: {line:?}"));
        assert_eq!((&row.utterance, row.label), (&trial.utterance, trial.label));
        assert_eq!(row.values, [trial.attack.as_str()]);
    }
}
