//! What is seen of a sound, read as a stream.

use std::path::Path;

use bonafide::{AudioReader, Resampler, Result, SAMPLE_RATE};

use super::envelope::Envelope;
use super::spectrogram::{Analysis, Spectrogram};

/// Most columns of a picture, however long the clip.
const MOST: usize = 600;
/// Fewest samples of a column, 10 ms.
const COLUMN: usize = 160;

/// Columns of equal length, from a clip's first sample to its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub(super) samples: usize,
    pub(super) count: usize,
}

impl Columns {
    /// The column that a sample is in.
    pub(super) fn at(self, sample: usize) -> usize {
        let column = sample as u64 * self.count as u64 / self.samples as u64;
        (column as usize).min(self.count - 1)
    }
}

pub(super) struct Sound {
    pub(super) seconds: f64,
    pub(super) envelope: Envelope,
    pub(super) spectrogram: Spectrogram,
}

impl Sound {
    /// Reads a file of a known length.
    pub(super) fn read(path: &Path, seconds: f64) -> Result<Self> {
        let samples = ((seconds * f64::from(SAMPLE_RATE)).round() as usize).max(1);
        let count = (samples / COLUMN).clamp(1, MOST);
        let columns = Columns { samples, count };
        let (mut envelope, mut analysis) = (Envelope::new(columns), Analysis::new(columns));

        let mut reader = AudioReader::open(path)?;
        let mut resampler = Resampler::new(reader.sample_rate(), SAMPLE_RATE)?;
        let channels = usize::from(reader.channels());
        let (mut block, mut mono, mut heard) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            block.clear();
            let more = reader.next_block(&mut block)?;
            if more {
                mono.clear();
                let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
                mono.extend(block.chunks_exact(channels).map(mean));
                resampler.push(&mono, &mut heard)?;
            } else {
                resampler.finish(&mut heard)?;
            }
            envelope.hear(&heard);
            analysis.hear(&heard);
            heard.clear();
            if !more {
                break;
            }
        }
        Ok(Self {
            seconds,
            envelope,
            spectrogram: analysis.finish(),
        })
    }
}
