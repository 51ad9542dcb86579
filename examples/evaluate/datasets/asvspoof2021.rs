//! ASVspoof 2021, logical access and deepfake.
//!
//! The keys' `trial_metadata.txt` and `ASVspoof2021_{LA,DF}_eval/flac/ID.flac`; the deepfake audio may be in the four
//! parts that it is published in.

use std::path::{Path, PathBuf};

use bonafide::Label;

use super::{Corpus, Trial, audio, find, folders, names, protocol, values};
use crate::failure::Result;
use crate::scores::label;

/// The published figures are of `eval` alone.
pub(super) const PARTITIONS: [&str; 4] = ["eval", "progress", "hidden", "all"];

pub(super) fn read_la(root: &Path, partition: &str) -> Result<Corpus> {
    let folders = audio_folders(root, "LA");
    let columns = [
        "speaker",
        "utterance",
        "codec",
        "channel",
        "attack",
        "key",
        "trim",
        "subset",
    ];
    let trials = protocol(
        &metadata(root, "LA")?,
        columns,
        |[speaker, utterance, codec, channel, attack, key, trim, subset]| {
            let label = label(key)?;
            Ok(is_in(partition, subset)?.then(|| Trial {
                path: audio(&folders, &format!("{utterance}.flac")),
                attack: official(label, attack),
                label,
                values: values(&[speaker, attack, codec, channel, trim]),
                utterance: utterance.to_owned(),
            }))
        },
    )?;
    Ok(Corpus {
        columns: names(&["speaker", "attack", "codec", "channel", "trim"]),
        trials,
    })
}

pub(super) fn read_df(root: &Path, partition: &str) -> Result<Corpus> {
    let folders = audio_folders(root, "DF");
    let columns = [
        "speaker",
        "utterance",
        "compression",
        "source",
        "attack",
        "key",
        "trim",
        "subset",
        "vocoder",
        "task",
        "team",
        "gender-pair",
        "language",
    ];
    let trials = protocol(&metadata(root, "DF")?, columns, |row| {
        let [
            speaker,
            utterance,
            compression,
            source,
            attack,
            key,
            trim,
            subset,
            vocoder,
            task,
            team,
            gender,
            language,
        ] = row;
        let label = label(key)?;
        Ok(is_in(partition, subset)?.then(|| Trial {
            path: audio(&folders, &format!("{utterance}.flac")),
            attack: official(label, attack),
            label,
            values: values(&[
                speaker,
                attack,
                compression,
                source,
                vocoder,
                trim,
                task,
                team,
                gender,
                language,
            ]),
            utterance: utterance.to_owned(),
        }))
    })?;
    let columns = [
        "speaker",
        "attack",
        "compression",
        "source",
        "vocoder",
        "trim",
        "task",
        "team",
        "gender-pair",
        "language",
    ];
    Ok(Corpus {
        columns: names(&columns),
        trials,
    })
}

fn metadata(root: &Path, track: &str) -> Result<PathBuf> {
    let package = format!("{track}-keys-full/keys/{track}/CM/");
    let folders = ["", &package, &format!("keys/{track}/CM/"), "keys/CM/", "CM/"];
    find(
        root,
        "keys",
        &folders.map(|folder| format!("{folder}trial_metadata.txt")),
    )
}

fn audio_folders(root: &Path, track: &str) -> Vec<PathBuf> {
    let whole = format!("ASVspoof2021_{track}_eval");
    let mut candidates = vec![format!("{whole}/flac")];
    candidates.extend((0..4).map(|part| format!("{whole}_part{part:02}/{whole}/flac")));
    candidates.push("flac".to_owned());
    folders(root, &candidates)
}

fn is_in(partition: &str, subset: &str) -> Result<bool, String> {
    let subset = match subset {
        "eval" | "progress" => subset,
        "hidden" | "hidden_track" => "hidden",
        _ => return Err(format!("the subset is {subset:?}; expected eval, progress or hidden")),
    };
    Ok(partition == "all" || partition == subset)
}

/// The attack as score files have it: this data set calls a bona fide trial's `bonafide`.
fn official(label: Label, attack: &str) -> String {
    if label == Label::Bonafide { "-" } else { attack }.to_owned()
}
