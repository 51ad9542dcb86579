//! The clips of a list, decoded, and their windows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide::{Audio, Label, MIN_SAMPLES, Windowing};
use rayon::prelude::*;

use crate::digest::Digest;
use crate::list::Clip;
use crate::network::CLASSES;
use crate::{Error, Result, recipe};

/// Clips that can be used, and the windows they are cut into: each is a sample with its clip's label.
pub struct Clips {
    clips: Vec<Clip>,
    samples: Vec<Samples>,
    windows: Vec<WindowAt>,
    /// Windows at the same place of the same recording, bona fide and resynthesised, in the order of their first.
    groups: Vec<Vec<usize>>,
    /// The first window of each window's group.
    firsts: Vec<usize>,
    windowing: Windowing,
    /// SHA-256 of what is trained on: labels, speakers, recordings and samples.
    digest: String,
    /// Files that can't be used, and why.
    pub bad: Vec<(PathBuf, String)>,
}

/// The most that a window weighs beside others of its label, lest a few windows of one speaker move everything.
const HEAVIEST: f32 = 4.0;

/// Which of the two logits a label's is.
pub(crate) fn class(label: Label) -> usize {
    match label {
        Label::Bonafide => 0,
        Label::Spoof => 1,
    }
}

/// A window of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowAt {
    pub(crate) clip: usize,
    /// Which of the clip's windows.
    pub(crate) index: usize,
}

/// A clip's samples: mono, 16 kHz.
enum Samples {
    /// Samples that are multiples of 2⁻¹⁵, as those of 16-bit files are.
    Sixteen(Vec<i16>),
    Float(Vec<f32>),
    /// Not kept: read again each time.
    OnDisk,
}

impl Samples {
    fn keep(samples: Vec<f32>) -> Self {
        let scaled = |x: f32| x * 32_768.0;
        let is_sixteen = |&x: &f32| scaled(x).fract() == 0.0 && (-32_768.0..=32_767.0).contains(&scaled(x));
        if samples.iter().all(is_sixteen) {
            return Self::Sixteen(samples.iter().map(|&x| scaled(x) as i16).collect());
        }
        Self::Float(samples)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Sixteen(samples) => samples.len() * size_of::<i16>(),
            Self::Float(samples) => samples.len() * size_of::<f32>(),
            Self::OnDisk => 0,
        }
    }
}

/// How a list's clips are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The share of clips that may be unusable, 0 to 1.
    pub max_bad: f64,
    /// Bytes of samples to keep in memory. Clips beyond them are decoded again whenever one of their windows is needed.
    pub memory: usize,
}

impl Clips {
    /// Decodes all clips. `progress` is called after each.
    ///
    /// A clip that can't be read, is shorter than 25 ms or holds samples that are no audio is left out and noted in
    /// [`bad`](Self::bad).
    ///
    /// # Errors
    ///
    /// [`Error::BadClips`] if more than the allowed share is left out, and [`Error::Data`] if no clip of a label is left.
    pub fn read(
        list: &Path,
        clips: Vec<Clip>,
        windowing: Windowing,
        how: Reading,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Self> {
        let total = clips.len();
        let in_memory = AtomicUsize::new(0);
        let decode = |clip: &Clip| {
            let samples = decode(&clip.path)?;
            let windows = windowing.count(samples.len());
            let mut digest = Digest::default();
            digest.numbers(&samples);
            let kept = Samples::keep(samples);
            let bytes = kept.bytes();
            let fits = in_memory.fetch_add(bytes, Ordering::Relaxed) + bytes <= how.memory;
            Ok::<_, Error>((if fits { kept } else { Samples::OnDisk }, windows, digest.finish()))
        };
        let decoded: Vec<Result<_>> = clips
            .par_iter()
            .map(|clip| {
                let decoded = decode(clip);
                progress();
                decoded
            })
            .collect();

        let mut all = Self {
            clips: Vec::with_capacity(total),
            samples: Vec::with_capacity(total),
            windows: Vec::new(),
            groups: Vec::new(),
            firsts: Vec::new(),
            windowing,
            digest: String::new(),
            bad: Vec::new(),
        };
        let mut digest = Digest::default();
        for (clip, decoded) in clips.into_iter().zip(decoded) {
            match decoded {
                Ok((samples, windows, of_samples)) => {
                    let label = clip.label.to_string();
                    for text in [&label, &clip.speaker, &clip.recording, &of_samples] {
                        digest.text(text);
                    }
                    let index = all.clips.len();
                    all.windows.extend((0..windows).map(|window| WindowAt {
                        clip: index,
                        index: window,
                    }));
                    all.samples.push(samples);
                    all.clips.push(clip);
                }
                Err(error) => all.bad.push((clip.path, error.to_string())),
            }
        }
        all.group();
        all.digest = digest.finish();
        let allowed = (how.max_bad * total as f64) as usize;
        if let Some((_, first)) = all.bad.first().filter(|_| all.bad.len() > allowed) {
            return Err(Error::BadClips {
                path: list.to_owned(),
                bad: all.bad.len(),
                total,
                allowed,
                first: first.clone(),
            });
        }
        if all.counts().contains(&0) {
            return Err(Error::Data {
                path: list.to_owned(),
                fault: "no usable clip is left of one label".to_owned(),
            });
        }
        Ok(all)
    }

    /// Puts the windows in groups.
    fn group(&mut self) {
        let mut known = HashMap::new();
        for (window, at) in self.windows.iter().enumerate() {
            let recording = self.clips[at.clip].recording.as_str();
            let fresh = self.groups.len();
            let group = match recording {
                "-" => fresh,
                _ => *known.entry((recording, at.index)).or_insert(fresh),
            };
            if group == fresh {
                self.groups.push(Vec::new());
            }
            self.groups[group].push(window);
            self.firsts.push(self.groups[group][0]);
        }
    }

    /// Windows at the same place of the same recording; where a list names no recordings, each window is a group.
    pub(crate) fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// The first window of a window's group.
    pub(crate) fn first_of_group(&self, window: usize) -> usize {
        self.firsts[window]
    }

    /// Clips that are bona fide, and that are spoof.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        let bonafide = self.clips.iter().filter(|clip| clip.label == Label::Bonafide).count();
        [bonafide, self.clips.len() - bonafide]
    }

    /// What each window weighs for both labels of its speaker to weigh the same: half the speaker's windows by those of
    /// the label, at most [`HEAVIEST`]; `lone` where a speaker has one label only, and 1 where it is unknown.
    pub(crate) fn speaker_weights(&self, lone: f32) -> Vec<f32> {
        let counts = self.windows_of_speakers();
        let weight = |at: &WindowAt| {
            let clip = &self.clips[at.clip];
            match counts.get(clip.speaker.as_str()) {
                None => 1.0,
                Some([0, _] | [_, 0]) => lone,
                Some(&counts) => recipe::class_weights(counts)[class(clip.label)].min(HEAVIEST),
            }
        };
        self.windows.iter().map(weight).collect()
    }

    /// Whether the speaker of each window has one label only.
    pub(crate) fn lone_speakers(&self) -> Vec<bool> {
        let counts = self.windows_of_speakers();
        let lone = |at: &WindowAt| {
            counts
                .get(self.clips[at.clip].speaker.as_str())
                .is_some_and(|of| of.contains(&0))
        };
        self.windows.iter().map(lone).collect()
    }

    /// The windows of each known speaker, by label.
    fn windows_of_speakers(&self) -> HashMap<&str, [usize; CLASSES]> {
        let mut counts: HashMap<&str, [usize; CLASSES]> = HashMap::new();
        let known = self
            .windows
            .iter()
            .map(|at| &self.clips[at.clip])
            .filter(|clip| clip.speaker != "-");
        for clip in known {
            counts.entry(&clip.speaker).or_default()[class(clip.label)] += 1;
        }
        counts
    }

    /// What the windows of each label weigh together.
    pub(crate) fn totals(&self, weights: &[f32]) -> [f64; CLASSES] {
        let mut totals = [0.0; CLASSES];
        for (window, &weight) in weights.iter().enumerate() {
            totals[class(self.label(window))] += f64::from(weight);
        }
        totals
    }

    /// SHA-256 of what is trained on, in hexadecimal: labels, speakers, recordings and samples.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// How many windows there are.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    pub(crate) fn window_at(&self, window: usize) -> WindowAt {
        self.windows[window]
    }

    pub(crate) fn windowing(&self) -> Windowing {
        self.windowing
    }

    /// The label of a window's clip.
    #[must_use]
    pub fn label(&self, window: usize) -> Label {
        self.clips[self.windows[window].clip].label
    }

    /// Where a window begins in its clip, in samples.
    pub(crate) fn start(&self, window: usize) -> usize {
        self.windows[window].index * self.windowing.hop()
    }

    /// The samples of a window's clip.
    ///
    /// # Errors
    ///
    /// [`Error::Audio`] if the clip is read again and is no longer what it was.
    pub(crate) fn samples(&self, window: usize) -> Result<Vec<f32>> {
        let clip = self.windows[window].clip;
        match &self.samples[clip] {
            Samples::Sixteen(samples) => Ok(samples.iter().map(|&x| f32::from(x) / 32_768.0).collect()),
            Samples::Float(samples) => Ok(samples.clone()),
            Samples::OnDisk => decode(&self.clips[clip].path),
        }
    }

    /// A window, as the detector would cut it.
    ///
    /// # Errors
    ///
    /// As [`samples`](Self::samples).
    pub(crate) fn window(&self, window: usize) -> Result<Vec<f32>> {
        let samples = self.samples(window)?;
        let cut = self.windowing.windows(&samples).nth(self.windows[window].index);
        let length = self.windowing.length();
        Ok(cut.map_or_else(|| vec![0.0; length], |window| window.samples.into_owned()))
    }
}

/// Reads a file as the detector does, and refuses what the detector refuses.
fn decode(path: &Path) -> Result<Vec<f32>> {
    let samples = Audio::read(path)?.to_model_input()?;
    let fault = if samples.len() < MIN_SAMPLES {
        format!("{} samples, expected at least {MIN_SAMPLES}", samples.len())
    } else if let Some(x) = samples.iter().find(|x| !(-16.0..=16.0).contains(*x)) {
        format!("a sample of {x}, expected [-1, 1]")
    } else {
        return Ok(samples);
    };
    Err(Error::Format {
        path: path.to_owned(),
        fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_labels_of_a_speaker_weigh_the_same() {
        use Label::{Bonafide, Spoof};
        let said = [("a", Bonafide, 1), ("a", Spoof, 3), ("b", Bonafide, 9), ("b", Spoof, 1)];
        let alone = [("c", Spoof, 2), ("-", Bonafide, 1), ("-", Spoof, 5)];
        let clips: Vec<Clip> = (said.iter().chain(&alone))
            .map(|&(speaker, label, _)| Clip {
                path: PathBuf::new(),
                label,
                source: "-".to_owned(),
                speaker: speaker.to_owned(),
                recording: "-".to_owned(),
            })
            .collect();
        let counts = said.iter().chain(&alone).map(|&(_, _, windows)| windows);
        let windows: Vec<WindowAt> = (counts.enumerate())
            .flat_map(|(clip, windows)| (0..windows).map(move |index| WindowAt { clip, index }))
            .collect();
        let second = std::num::NonZeroUsize::new(16_000).unwrap();
        let all = Clips {
            clips,
            samples: Vec::new(),
            windows,
            groups: Vec::new(),
            firsts: Vec::new(),
            windowing: Windowing::new(second, second),
            digest: String::new(),
            bad: Vec::new(),
        };
        let weights = all.speaker_weights(0.5);
        let (a, rest) = weights.split_at(4);
        assert_eq!(a, [2.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]);
        // The one spoof window of ten would weigh 5.
        assert_eq!(rest[9], HEAVIEST);
        assert!(rest[..9].iter().all(|&weight| weight == 10.0 / 18.0));
        assert_eq!(rest[10..], [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let lone: Vec<usize> = (all.lone_speakers().iter().enumerate())
            .filter_map(|(at, &lone)| lone.then_some(at))
            .collect();
        assert_eq!(lone, [14, 15]);

        let totals = all.totals(&weights);
        assert!((totals[0] - (2.0 + 5.0 + 1.0)).abs() < 1e-5 && (totals[1] - (2.0 + 4.0 + 1.0 + 5.0)).abs() < 1e-5);
    }
}
