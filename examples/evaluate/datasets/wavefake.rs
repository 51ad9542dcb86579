//! WaveFake: `generated_audio/VOCODER/*.wav`, and as bona fide speech what the vocoders were given: LJSpeech
//! (`LJSpeech-1.1/wavs/*.wav`) and JSUT (`jsut_ver1.1/*/wav/*.wav`), all below one root.
//!
//! The published figures come from a sample: 1,500 clips of LJSpeech, and 1,000 of each of nine vocoders. Which clips
//! these were is not known; here they are spread evenly over the folders.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide::Label;

use super::{Corpus, Trial, evenly, find, names, token, values};
use crate::failure::{Failure, Result};

/// The vocoders of the original's evaluation.
const VOCODERS: [&str; 9] = [
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
const BONAFIDE: usize = 1_500;
const PER_VOCODER: usize = 1_000;

pub(super) fn read(root: &Path, partition: &str) -> Result<Corpus> {
    let generated = find(
        root,
        "synthetic speech",
        &["generated_audio", "WaveFake/generated_audio"].map(str::to_owned),
    )?;
    let candidates = ["LJSpeech-1.1/wavs", "LJSpeech/wavs", "wavs"];
    let ljspeech = wavs(&find(root, "LJSpeech", &candidates.map(str::to_owned))?)?;
    let mut trials = Vec::new();
    if partition == "original" {
        trials.extend(
            evenly(ljspeech, BONAFIDE)
                .into_iter()
                .map(|path| bonafide("ljspeech", path)),
        );
        for vocoder in VOCODERS {
            let folder = generated.join(vocoder);
            // A vocoder that isn't there would make the figures those of another data set.
            let clips = if folder.is_dir() {
                wavs(&folder)?
            } else {
                vec![folder.join("*.wav")]
            };
            trials.extend(evenly(clips, PER_VOCODER).into_iter().map(|path| spoof(vocoder, path)));
        }
    } else {
        trials.extend(ljspeech.into_iter().map(|path| bonafide("ljspeech", path)));
        for part in subfolders(&root.join("jsut_ver1.1"))? {
            let clips = part.join("wav");
            if clips.is_dir() {
                trials.extend(wavs(&clips)?.into_iter().map(|path| bonafide("jsut", path)));
            }
        }
        for folder in subfolders(&generated)? {
            let vocoder = name(&folder);
            trials.extend(wavs(&folder)?.into_iter().map(|path| spoof(&vocoder, path)));
        }
    }
    Ok(Corpus {
        columns: names(&["vocoder", "source"]),
        trials,
    })
}

fn bonafide(source: &str, path: PathBuf) -> Trial {
    Trial {
        utterance: token(&format!("{source}/{}", name(&path))),
        path,
        label: Label::Bonafide,
        attack: "-".to_owned(),
        values: values(&["-", source]),
    }
}

fn spoof(vocoder: &str, path: PathBuf) -> Trial {
    // Vocoders are called after the corpus that they were given.
    let source = if vocoder.starts_with("jsut") {
        "jsut"
    } else {
        "ljspeech"
    };
    Trial {
        utterance: token(&format!("{vocoder}/{}", name(&path))),
        path,
        label: Label::Spoof,
        attack: token(vocoder),
        values: values(&[vocoder, source]),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The WAV files of a folder, by name.
fn wavs(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = entries(folder)?.into_iter();
    Ok(paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .collect())
}

/// The folders in a folder, by name; none if it isn't there.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = Failure::file("read", folder);
    let entries = fs::read_dir(folder).map_err(&failed)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(&failed)?;
    paths.sort();
    Ok(paths)
}
