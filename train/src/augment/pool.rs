//! A folder of recordings to mix in.

use std::path::Path;

use bonafide::Audio;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::digest::Digest;
use crate::{Error, Result};

/// The most samples kept of a recording: 30 s.
const LONGEST: usize = 480_000;
/// The most recordings kept.
const MOST: usize = 4_000;

/// Recordings, mono at 16 kHz, in memory.
#[derive(Debug, Default)]
pub struct Pool {
    recordings: Vec<Vec<f32>>,
    /// SHA-256 of them.
    digest: String,
}

impl Pool {
    /// Reads the audio files of a folder and those below it, in the order of their names. Files that are no audio are
    /// passed over; of each the first 30 s are kept.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the folder can't be read, [`Error::Data`] if there is no audio in it.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(Error::read(&folder))? {
                let path = entry.map_err(Error::read(&folder))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        let usable = |path: &Path| {
            let mut samples = Audio::read(path).ok()?.to_model_input().ok()?;
            samples.truncate(LONGEST);
            samples.iter().any(|&x| x != 0.0).then_some(samples)
        };
        let recordings: Vec<Vec<f32>> = files.iter().filter_map(|path| usable(path)).take(MOST).collect();
        if recordings.is_empty() {
            return Err(Error::Data {
                path: folder.to_owned(),
                fault: format!("none of its {} files is audio", files.len()),
            });
        }
        let mut digest = Digest::default();
        recordings.iter().for_each(|recording| digest.numbers(recording));
        Ok(Self {
            recordings,
            digest: digest.finish(),
        })
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recordings.is_empty()
    }

    /// One of the recordings.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> &[f32] {
        match self.recordings.len() {
            0 => &[],
            count => &self.recordings[rng.random_range(0..count)],
        }
    }

    /// `length` samples of one of the recordings, from anywhere in it, repeated if it is shorter.
    pub(super) fn stretch(&self, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let recording = self.draw(rng);
        if recording.is_empty() {
            return vec![0.0; length];
        }
        let start = rng.random_range(0..recording.len());
        recording.iter().copied().cycle().skip(start).take(length).collect()
    }
}
