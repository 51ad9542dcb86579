//! A list of one's own: TSV with a header that names at least `file` and `label`. Files are relative to the list.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::Label;

use super::{Corpus, Trial, Trials, find, token};
use crate::failure::{Failure, Result};
use crate::scores::{csv_failure, label};

/// What can stand in for the attack in score files, best first.
const ATTACK: [&str; 3] = ["attack", "vocoder", "source"];

pub(super) fn read(root: &Path, partition: Option<&str>) -> Result<Corpus> {
    let list = path(root, partition)?;
    let folder = list.parent().unwrap_or(root);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .trim(csv::Trim::All)
        .from_path(&list)
        .map_err(|error| csv_failure(&list, &error))?;
    let header = reader.headers().map_err(|error| csv_failure(&list, &error))?;
    let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
    let find = |name: &str| header.iter().position(|column| column == name);
    let required = |name: &str| {
        find(name).ok_or_else(|| {
            let fault = format!("the header has no column {name:?}; found {}", header.join(", "));
            Failure::at(&list, 1, fault)
        })
    };
    let (file, key) = (required("file")?, required("label")?);
    let attack = ATTACK.into_iter().find_map(find);
    // Spoofed and bona fide speech rarely share a source, and then figures by source are of one class: by attack, each
    // source of spoofed speech is set against all bona fide speech.
    let by_attack = attack.is_some() && attack == find("source");
    let others: Vec<usize> = (0..header.len())
        .filter(|column| ![file, key].contains(column))
        .collect();

    let mut trials = Trials::new(&list);
    for record in reader.records() {
        let record = record.map_err(|error| csv_failure(&list, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record[file].is_empty() {
            return Err(Failure::at(&list, line, "the file is empty"));
        }
        let label = label(&record[key]).map_err(|fault| Failure::at(&list, line, fault))?;
        let attack = match (attack, label) {
            (Some(column), Label::Spoof) => token(&record[column]),
            _ => "-".to_owned(),
        };
        let trial = Trial {
            utterance: token(&record[file]),
            path: folder.join(&record[file]),
            label,
            attack,
            values: others.iter().map(|&column| record[column].to_owned()).collect(),
        };
        trials.push(line, trial)?;
    }
    let mut corpus = Corpus {
        columns: others.iter().map(|&column| header[column].clone()).collect(),
        trials: trials.trials,
    };
    if by_attack {
        corpus.columns.push("attack".to_owned());
        corpus
            .trials
            .iter_mut()
            .for_each(|trial| trial.values.push(trial.attack.clone()));
    }
    Ok(corpus)
}

/// The root itself, or the list in it: the partition's, one of the usual name, or the only one.
fn path(root: &Path, partition: Option<&str>) -> Result<PathBuf> {
    if root.is_file() {
        return Ok(root.to_owned());
    }
    if let Some(name) = partition {
        return find(root, "list", &[format!("{name}.tsv"), name.to_owned()]);
    }
    let usual = find(root, "list", &["labels.tsv", "list.tsv"].map(str::to_owned));
    usual.or_else(|error| {
        let entries = fs::read_dir(root).map_err(Failure::file("read", root))?;
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut lists = paths.filter(|path| path.extension().is_some_and(|extension| extension == "tsv"));
        match (lists.next(), lists.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(error),
        }
    })
}
