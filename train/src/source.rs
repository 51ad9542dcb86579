//! Where the batches come from: windows cut and augmented as they are needed, or the cached output of the frozen part.

use candle_core::{Device, Tensor};
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use crate::augment::{Augment, generator};
use crate::cache::Cache;
use crate::clips::Clips;
use crate::{Error, Result};

/// What the numbers drawn in a run are for, so that no two share a generator.
pub(crate) mod purpose {
    pub(crate) const START: u64 = 0;
    pub(crate) const ORDER: u64 = 1;
    pub(crate) const WINDOW: u64 = 2;
    pub(crate) const STEP: u64 = 3;
    pub(crate) const MIXUP: u64 = 4;
}

/// Batches of windows, or of what the frozen part makes of them.
pub(crate) enum Source<'a> {
    Windows(Windows<'a>),
    Cached(Cache),
}

/// Windows cut out of clips.
pub(crate) struct Windows<'a> {
    pub(crate) clips: &'a Clips,
    pub(crate) augment: &'a Augment,
    pub(crate) seed: u64,
    /// Samples of each window that are used, if not all: from another place in every epoch.
    pub(crate) crop: Option<usize>,
    /// Which windows are to be recorded first: those of speakers with one label only, or none where it is empty.
    pub(crate) lone: &'a [bool],
}

impl Windows<'_> {
    /// Samples in a row.
    fn length(&self) -> usize {
        self.crop.unwrap_or(self.clips.windowing().length())
    }

    /// A window as it is in an epoch, or in a variant.
    pub(crate) fn window(&self, epoch: usize, window: usize) -> Result<Vec<f32>> {
        if matches!(self.augment, Augment::None) && self.crop.is_none() {
            return self.clips.window(window);
        }
        let samples = self.clips.samples(window)?;
        // What is drawn is the same for a recording and its copies, so that the label is all they differ in.
        let first = self.clips.first_of_group(window);
        let mut rng = generator(self.seed, &[purpose::WINDOW, epoch as u64, first as u64]);
        let (mut start, length) = (self.clips.start(window), self.length());
        if self.crop.is_some() {
            // Within the window as far as the clip reaches: its rest is silence.
            let filled = self.clips.windowing().length().min(samples.len().saturating_sub(start));
            start += rng.random_range(0..=filled.saturating_sub(length));
        }
        let recorded = !self.lone.get(window).is_some_and(|&lone| lone);
        Ok(self.augment.cut(&samples, start, length, recorded, &mut rng))
    }
}

impl Source<'_> {
    /// The numbers of a batch, one row per window, and the shape of a row.
    pub(crate) fn rows(&self, epoch: usize, windows: &[usize]) -> Result<Rows> {
        match self {
            Self::Windows(source) => {
                let length = source.length();
                let mut numbers = Vec::with_capacity(windows.len() * length);
                for &window in windows {
                    numbers.extend(source.window(epoch, window)?);
                }
                Ok(Rows {
                    numbers,
                    shape: vec![windows.len(), length],
                })
            }
            Self::Cached(cache) => {
                let mut shape = vec![windows.len()];
                shape.extend(cache.shape());
                Ok(Rows {
                    numbers: cache.read(windows)?,
                    shape,
                })
            }
        }
    }
}

/// A batch before it is a tensor.
pub(crate) struct Rows {
    numbers: Vec<f32>,
    shape: Vec<usize>,
}

impl Rows {
    pub(crate) fn into_tensor(self) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.numbers, self.shape, &Device::Cpu)?)
    }
}

/// The windows of an epoch in their order, in batches; the last may be smaller. Groups stay together, up to a batch's end.
pub(crate) fn batches(groups: &[Vec<usize>], batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<&Vec<usize>> = groups.iter().collect();
    order.shuffle(&mut generator(seed, &[purpose::ORDER, epoch as u64]));
    let windows: Vec<usize> = order.into_iter().flatten().copied().collect();
    windows.chunks(batch).map(<[usize]>::to_vec).collect()
}

/// Hands the batches' rows to `each`, in their order, while a thread of its own prepares the next two.
pub(crate) fn prefetched(
    source: &Source<'_>,
    epoch: usize,
    batches: &[Vec<usize>],
    mut each: impl FnMut(usize, &[usize], Rows) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(2);
        scope.spawn(move || {
            for windows in batches {
                let rows = source.rows(epoch, windows);
                let failed = rows.is_err();
                // The other end hangs up when it stops early.
                if sender.send(rows).is_err() || failed {
                    return;
                }
            }
        });
        for (index, windows) in batches.iter().enumerate() {
            let rows = receiver.recv().map_err(|_| Error::Read {
                path: "the next batch".into(),
                source: std::io::Error::other("its thread ended"),
            })?;
            each(index, windows, rows?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::num::NonZeroUsize;

    use bonafide::{Label, Windowing};

    use super::*;
    use crate::clips::Reading;
    use crate::list::Clip;

    const SAMPLES: usize = 10_000;

    /// Two clips that count their samples up from 1, cut into windows of 6,000 every 3,000.
    fn counting() -> Clips {
        let folder = tempfile::tempdir().unwrap();
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let clip = |label| {
            let path = folder.path().join(format!("{label:?}.wav"));
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            (1..=SAMPLES).for_each(|n| writer.write_sample(n as i16).unwrap());
            writer.finalize().unwrap();
            let [source, speaker, recording] = ["-"; 3].map(str::to_owned);
            Clip {
                path,
                label,
                source,
                speaker,
                recording,
            }
        };
        let clips = [Label::Bonafide, Label::Spoof].map(clip).into();
        let windowing = Windowing::new(NonZeroUsize::new(6_000).unwrap(), NonZeroUsize::new(3_000).unwrap());
        let how = Reading {
            max_bad: 0.0,
            memory: 1 << 20,
        };
        Clips::read(folder.path(), clips, windowing, how, &|| {}).unwrap()
    }

    #[test]
    fn a_crop_is_another_part_of_its_window_in_each_epoch() {
        let clips = counting();
        let windows = Windows {
            clips: &clips,
            augment: &Augment::None,
            seed: 1,
            crop: Some(2_000),
            lone: &[],
        };
        for window in 0..clips.windows() {
            let start = clips.start(window);
            let end = (start + 6_000).min(SAMPLES);
            let mut places = std::collections::HashSet::new();
            for epoch in 0..20 {
                let cropped = windows.window(epoch, window).unwrap();
                assert_eq!(cropped.len(), 2_000);
                let first = (cropped[0] * 32_768.0) as usize - 1;
                assert!(start <= first && first + 2_000 <= end, "{first} of {start} to {end}");
                assert!(cropped.windows(2).all(|pair| pair[0] < pair[1]));
                assert_eq!(windows.window(epoch, window).unwrap(), cropped);
                places.insert(first);
            }
            assert!(places.len() > 15, "{} places", places.len());
        }
    }
}
