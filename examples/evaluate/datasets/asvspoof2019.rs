//! ASVspoof 2019 logical access.
//!
//! `ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.{train.trn,dev.trl,eval.trl}.txt` and
//! `ASVspoof2019_LA_{train,dev,eval}/flac/ID.flac`, below the root or its folder `LA`.

use std::path::Path;

use super::{Corpus, Trial, audio, find, folders, names, protocol, values};
use crate::failure::Result;
use crate::scores::label;

pub(super) fn read(root: &Path, partition: &str) -> Result<Corpus> {
    let kind = if partition == "train" { "trn" } else { "trl" };
    let list = format!("ASVspoof2019.LA.cm.{partition}.{kind}.txt");
    let candidates = ["ASVspoof2019_LA_cm_protocols/", "LA/ASVspoof2019_LA_cm_protocols/", ""];
    let list = find(root, "protocol", &candidates.map(|folder| format!("{folder}{list}")))?;
    let folders = folders(
        root,
        &["", "LA/"].map(|folder| format!("{folder}ASVspoof2019_LA_{partition}/flac")),
    );
    let columns = ["speaker", "utterance", "-", "attack", "key"];
    let trials = protocol(&list, columns, |[speaker, utterance, _, attack, key]| {
        Ok(Some(Trial {
            utterance: utterance.to_owned(),
            path: audio(&folders, &format!("{utterance}.flac")),
            label: label(key)?,
            attack: attack.to_owned(),
            values: values(&[speaker, attack]),
        }))
    })?;
    Ok(Corpus {
        columns: names(&["speaker", "attack"]),
        trials,
    })
}
