//! ASVspoof 5, track 1.
//!
//! `ASVspoof5.{train,dev.track_1,eval.track_1}.tsv`, which is separated by spaces despite its name and has no header,
//! and `flac_{T,D,E_eval}/ID.flac`.

use std::path::Path;

use bonafide::Label;

use super::{Corpus, Trial, audio, find, folders, names, protocol, values};
use crate::failure::Result;
use crate::scores::label;

pub(super) fn read(root: &Path, partition: &str) -> Result<Corpus> {
    let (list, folder) = match partition {
        "train" => ("ASVspoof5.train.tsv", "flac_T"),
        "dev" => ("ASVspoof5.dev.track_1.tsv", "flac_D"),
        _ => ("ASVspoof5.eval.track_1.tsv", "flac_E_eval"),
    };
    let list = find(
        root,
        "protocol",
        &["", "ASVspoof5_protocols/"].map(|folder| format!("{folder}{list}")),
    )?;
    let folders = folders(root, &[folder.to_owned()]);
    let columns = [
        "speaker",
        "utterance",
        "gender",
        "codec",
        "codec-quality",
        "codec-seed",
        "attack-tag",
        "attack",
        "key",
        "tmp",
    ];
    let trials = protocol(
        &list,
        columns,
        |[speaker, utterance, gender, codec, quality, _, _, attack, key, _]| {
            let label = label(key)?;
            Ok(Some(Trial {
                utterance: utterance.to_owned(),
                path: audio(&folders, &format!("{utterance}.flac")),
                attack: if label == Label::Bonafide { "-" } else { attack }.to_owned(),
                label,
                values: values(&[speaker, attack, codec, quality, gender]),
            }))
        },
    )?;
    Ok(Corpus {
        columns: names(&["speaker", "attack", "codec", "codec-quality", "gender"]),
        trials,
    })
}
