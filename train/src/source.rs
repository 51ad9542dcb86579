//! Where the batches come from: windows cut and augmented as they are needed, or the cached output of the frozen part.

use candle_core::{Device, Tensor};
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
}

impl Windows<'_> {
    /// A window as it is in an epoch, or in a variant.
    pub(crate) fn window(&self, epoch: usize, window: usize) -> Result<Vec<f32>> {
        if matches!(self.augment, Augment::None) {
            return self.clips.window(window);
        }
        let samples = self.clips.samples(window)?;
        // What is drawn is the same for a recording and its copies, so that the label is all they differ in.
        let first = self.clips.first_of_group(window);
        let mut rng = generator(self.seed, &[purpose::WINDOW, epoch as u64, first as u64]);
        let (start, length) = (self.clips.start(window), self.clips.windowing().length());
        Ok(self.augment.cut(&samples, start, length, &mut rng))
    }
}

impl Source<'_> {
    /// The numbers of a batch, one row per window, and the shape of a row.
    pub(crate) fn rows(&self, epoch: usize, windows: &[usize]) -> Result<Rows> {
        match self {
            Self::Windows(source) => {
                let length = source.clips.windowing().length();
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
