//! Score files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bonafide::Label;
use bonafide::metrics::AsvScores;

use crate::failure::{Failure, Result};

/// The columns of the official format, beside utterance, key and score.
const OFFICIAL: [&str; 1] = ["attack"];
/// What the columns are called that every table has. Names are compared in lower case.
const UTTERANCE: [&str; 5] = ["utterance", "file", "filename", "id", "utt"];
const KEY: [&str; 2] = ["key", "label"];
const SCORE: [&str; 4] = ["score", "cm-score", "cm_score", "llr"];

/// Scored trials.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The columns beside utterance, key and score, in lower case.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// One scored trial.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) utterance: String,
    pub(crate) label: Label,
    /// Higher is more bona fide.
    pub(crate) score: f64,
    /// One for each of the table's columns; empty where the trial has none.
    pub(crate) values: Vec<String>,
}

impl Table {
    /// Changes the sign of the scores.
    pub(crate) fn negate(&mut self) {
        for row in &mut self.rows {
            row.score = -row.score;
        }
    }

    /// Where a column is, by its name in any case.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    /// The values of `columns` in the order of this table's columns, adding those that it doesn't have yet.
    fn adopt(&mut self, columns: &[String]) -> Vec<usize> {
        let place = |column: &String| {
            self.column(column).unwrap_or_else(|| {
                self.columns.push(column.clone());
                self.rows.iter_mut().for_each(|row| row.values.push(String::new()));
                self.columns.len() - 1
            })
        };
        columns.iter().map(place).collect()
    }
}

/// `bonafide` or `spoof`, as data sets spell them.
pub(crate) fn label(text: &str) -> Result<Label, String> {
    match text {
        "bonafide" | "bona-fide" => Ok(Label::Bonafide),
        "spoof" => Ok(Label::Spoof),
        _ => Err(format!("the key is {text:?}; expected bonafide or spoof")),
    }
}

/// A score, which may be infinite but not NaN: what can't be ranked is a mistake.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| !number.is_nan());
    number.ok_or_else(|| format!("the score is {text:?}; expected a number"))
}

/// The trials of all files. An utterance may be there once only.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Table> {
    let mut merged = Table::default();
    let mut seen: HashMap<String, (usize, u64)> = HashMap::new();
    for (file, path) in paths.iter().enumerate() {
        let (table, lines) = read(path)?;
        let places = merged.adopt(&table.columns);
        for (row, line) in table.rows.into_iter().zip(lines) {
            if let Some((other, first)) = seen.insert(row.utterance.clone(), (file, line)) {
                let fault = format!("{} is a duplicate of {}:{first}", row.utterance, paths[other].display());
                return Err(Failure::at(path, line, fault));
            }
            let mut values = vec![String::new(); merged.columns.len()];
            for (place, value) in places.iter().zip(row.values) {
                values[*place] = value;
            }
            merged.rows.push(Row { values, ..row });
        }
    }
    Ok(merged)
}

/// The trials of a file, and the line of each.
fn read(path: &Path) -> Result<(Table, Vec<u64>)> {
    let text = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let text = text.trim_start_matches('\u{feff}'); // the mark that spreadsheets begin a file with
    let first = text.lines().find(|line| !line.trim().is_empty());
    let first = first.ok_or_else(|| Failure::Failed(format!("{} holds no scores", path.display())))?;
    match delimiter(first) {
        None => read_official(path, text),
        Some(delimiter) => read_delimited(path, text, delimiter),
    }
}

/// What separates the columns of a file with a header; none for the official format, which some write with tabs.
fn delimiter(first: &str) -> Option<u8> {
    let fields: Vec<&str> = first.split_whitespace().collect();
    if matches!(fields[..], [_, _, key, score] if label(key).is_ok() && number(score).is_ok()) {
        return None;
    }
    [b'\t', b',', b';']
        .into_iter()
        .find(|&delimiter| first.contains(char::from(delimiter)))
}

fn read_official(path: &Path, text: &str) -> Result<(Table, Vec<u64>)> {
    let mut table = Table {
        columns: OFFICIAL.map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    let mut lines = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        table
            .rows
            .push(official_row(text).map_err(|fault| Failure::at(path, line, fault))?);
        lines.push(line);
    }
    Ok((table, lines))
}

/// A line of the official format: utterance, attack, key, score.
pub(crate) fn official_row(line: &str) -> Result<Row, String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [utterance, attack, key, score] = fields[..] else {
        return Err(format!(
            "expected 4 columns (utterance attack key score), found {}",
            fields.len()
        ));
    };
    Ok(Row {
        utterance: utterance.to_owned(),
        label: label(key)?,
        score: number(score)?,
        values: vec![attack.to_owned()],
    })
}

fn read_delimited(path: &Path, text: &str, delimiter: u8) -> Result<(Table, Vec<u64>)> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| csv_failure(path, &error))?;
    let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
    let find = |names: &[&str]| {
        let mut places = names
            .iter()
            .filter_map(|name| header.iter().position(|column| column == name));
        places.next().ok_or_else(|| {
            let fault = format!("the header has no column {:?}; found {}", names[0], header.join(", "));
            Failure::at(path, 1, fault)
        })
    };
    let (utterance, key, score) = (find(&UTTERANCE)?, find(&KEY)?, find(&SCORE)?);
    let others: Vec<usize> = (0..header.len())
        .filter(|i| ![utterance, key, score].contains(i))
        .collect();
    let mut table = Table {
        columns: others.iter().map(|&i| header[i].clone()).collect(),
        rows: Vec::new(),
    };
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_failure(path, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |fault| Failure::at(path, line, fault);
        if record[utterance].is_empty() {
            return Err(fault("the utterance is empty".to_owned()));
        }
        table.rows.push(Row {
            utterance: record[utterance].to_owned(),
            label: label(&record[key]).map_err(fault)?,
            score: number(&record[score]).map_err(fault)?,
            values: others.iter().map(|&i| record[i].to_owned()).collect(),
        });
        lines.push(line);
    }
    Ok((table, lines))
}

/// What is wrong with a CSV file, with its line.
pub(crate) fn csv_failure(path: &Path, error: &csv::Error) -> Failure {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => Failure::at(
            path,
            pos.as_ref().map_or(0, csv::Position::line),
            format!("expected {expected_len} columns, as the header has, found {len}"),
        ),
        _ => Failure::at(path, error.position().map_or(0, csv::Position::line), error),
    }
}

/// Speaker verification scores: lines of source, key and score.
pub(crate) fn read_asv(path: &Path) -> Result<AsvScores> {
    let text = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let mut scores = AsvScores::default();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let fault = |fault| Failure::at(path, line, fault);
        let [_, key, score] = fields[..] else {
            let found = fields.len();
            return Err(fault(format!("expected 3 columns (source key score), found {found}")));
        };
        let class = match key {
            "target" => &mut scores.target,
            "nontarget" => &mut scores.nontarget,
            "spoof" => &mut scores.spoof,
            _ => {
                return Err(fault(format!(
                    "the key is {key:?}; expected target, nontarget or spoof"
                )));
            }
        };
        class.push(number(score).map_err(fault)?);
    }
    Ok(scores)
}
