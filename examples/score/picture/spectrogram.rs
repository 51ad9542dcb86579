//! How a sound's power spreads over frequency, column by column.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use super::colours::LEVELS;
use super::sound::Columns;

/// Samples of a frame, 32 ms.
const FRAME: usize = 512;
/// Rows of the image, of two bins each: 62.5 Hz.
const ROWS: usize = FRAME / 4;
/// Fewest samples between frames, 8 ms.
const HOP: usize = 128;
/// Most frames of a column. Of an hour, whose columns are 6 s, that leaves gaps of a few hundredths of a second.
const FRAMES: usize = 128;
/// So far below the loudest the image is dark, in dB.
const RANGE_DB: f32 = 70.0;
/// The faintest that is taken for the loudest, 100 dB below a tone at full scale: silence is dark.
const FAINTEST: f32 = 1.6e-6;

/// An image, row by row from 8 kHz down to 0.
pub(super) struct Spectrogram {
    pub(super) width: usize,
    pub(super) height: usize,
    /// From 0 to [`LEVELS`] − 1.
    pub(super) levels: Vec<u8>,
}

/// Makes a [`Spectrogram`] of a sound that is heard piece by piece.
pub(super) struct Analysis {
    columns: Columns,
    hop: usize,
    /// Power by column and row, and the frames of each column.
    power: Vec<[f32; ROWS]>,
    frames: Vec<u32>,
    /// Samples that are not yet behind the next frame.
    pending: Vec<f32>,
    /// Samples to come before the next frame.
    skip: usize,
    /// Where the next frame's middle is.
    middle: usize,
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    windowed: Vec<f32>,
    bins: Vec<Complex32>,
}

impl Analysis {
    pub(super) fn new(columns: Columns) -> Self {
        let step = std::f32::consts::TAU / FRAME as f32;
        Self {
            columns,
            // Every column has a frame: it is at least as long as the shortest hop.
            hop: (columns.samples / columns.count / FRAMES).max(HOP),
            power: vec![[0.0; ROWS]; columns.count],
            frames: vec![0; columns.count],
            // The first frame's middle is the first sample.
            pending: vec![0.0; FRAME / 2],
            skip: 0,
            middle: 0,
            transform: RealFftPlanner::new().plan_fft_forward(FRAME),
            window: (0..FRAME).map(|n| 0.5 - 0.5 * (step * n as f32).cos()).collect(),
            windowed: vec![0.0; FRAME],
            bins: vec![Complex32::default(); FRAME / 2 + 1],
        }
    }

    pub(super) fn hear(&mut self, samples: &[f32]) {
        self.pending.extend_from_slice(samples);
        let pending = std::mem::take(&mut self.pending);
        let mut start = self.skip;
        while let Some(frame) = pending.get(start..start + FRAME) {
            self.look(frame);
            start += self.hop;
        }
        let past = start.min(pending.len());
        self.skip = start - past;
        self.pending = pending;
        self.pending.drain(..past);
    }

    fn look(&mut self, frame: &[f32]) {
        let column = self.columns.at(self.middle);
        self.middle += self.hop;
        for ((windowed, sample), weight) in self.windowed.iter_mut().zip(frame).zip(&self.window) {
            *windowed = sample * weight;
        }
        // It fails only for lengths that are not the plan's.
        if self.transform.process(&mut self.windowed, &mut self.bins).is_err() {
            return;
        }
        self.frames[column] += 1;
        for (power, bins) in self.power[column].iter_mut().zip(self.bins.chunks_exact(2)) {
            *power += bins[0].norm_sqr() + bins[1].norm_sqr();
        }
    }

    pub(super) fn finish(mut self) -> Spectrogram {
        self.hear(&[0.0; FRAME / 2]);
        for (power, &frames) in self.power.iter_mut().zip(&self.frames) {
            power.iter_mut().for_each(|power| *power /= frames.max(1) as f32);
        }
        let loudest = self.power.iter().flatten().copied().fold(FAINTEST, f32::max);
        let level = |power: f32| {
            let decibels = 10.0 * (power / loudest).max(1e-12).log10();
            let share = (1.0 + decibels / RANGE_DB).clamp(0.0, 1.0);
            (share * (LEVELS - 1) as f32).round() as u8
        };
        let rows = (0..ROWS).rev();
        Spectrogram {
            width: self.power.len(),
            height: ROWS,
            levels: rows
                .flat_map(|row| self.power.iter().map(move |column| level(column[row])))
                .collect(),
        }
    }
}
