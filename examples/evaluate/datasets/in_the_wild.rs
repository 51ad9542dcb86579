//! In-the-Wild: `meta.csv` with the header `file,speaker,label`, and the files beside it.

use std::path::Path;

use bonafide::Label;

use super::{Corpus, Trial, Trials, find, names, token, values};
use crate::failure::{Failure, Result};
use crate::scores::{csv_failure, label};

pub(super) fn read(root: &Path) -> Result<Corpus> {
    let list = find(
        root,
        "list",
        &["", "release_in_the_wild/"].map(|folder| format!("{folder}meta.csv")),
    )?;
    let folder = list.parent().unwrap_or(root);
    let mut reader = csv::Reader::from_path(&list).map_err(|error| csv_failure(&list, &error))?;
    let header = reader.headers().map_err(|error| csv_failure(&list, &error))?;
    if header.iter().ne(["file", "speaker", "label"]) {
        let found: Vec<&str> = header.iter().collect();
        let fault = format!("the header is {}; expected file,speaker,label", found.join(","));
        return Err(Failure::at(&list, 1, fault));
    }
    let mut trials = Trials::new(&list);
    for record in reader.records() {
        let record = record.map_err(|error| csv_failure(&list, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (file, speaker) = (&record[0], &record[1]);
        let label: Label = label(&record[2]).map_err(|fault| Failure::at(&list, line, fault))?;
        trials.push(
            line,
            Trial {
                utterance: token(file),
                path: folder.join(file),
                label,
                attack: "-".to_owned(),
                values: values(&[speaker]),
            },
        )?;
    }
    Ok(Corpus {
        columns: names(&["speaker"]),
        trials: trials.trials,
    })
}
