//! Scoring audio as it comes.

use std::borrow::Cow;

use crate::audio::{SAMPLE_RATE, check_amplitude, check_channels, mean_of_channels};
use crate::detector::MAX_AMPLITUDE;
use crate::quality::Listener;
use crate::{Audio, Detector, Resampler, Result, Score, Window, WindowScore};

/// Scores a clip piece by piece: the windows, and in the end the score, are those of [`Detector::score`] on the whole.
///
/// Made by [`Detector::stream`] or [`Detector::stream_of`]. A window is scored as soon as its last sample is there, in
/// the call of [`push`](Self::push) that brings it, so its score is known after
///
/// - the window's length: 4 s for the published model, and then once every hop, 2 s,
/// - a few hundredths of a second more where it must be resampled,
/// - and the time that the model needs for a window.
///
/// Memory is bounded by one window and what a call pushes, beyond 32 bytes for each window scored (1.4 MB for a day).
///
/// ```no_run
/// # fn microphone() -> impl Iterator<Item = Vec<f32>> { std::iter::empty() }
/// use bonafide::Detector;
///
/// let detector = Detector::builder().model("model.onnx").build()?;
/// let mut stream = detector.stream_of(48_000, 2)?;
/// for chunk in microphone() {
///     for window in stream.push(&chunk)? {
///         println!("{:.1} s: {:.3}", window.end_seconds, window.spoof_probability);
///     }
/// }
/// println!("{}", stream.finish()?.label);
/// # Ok::<(), bonafide::Error>(())
/// ```
pub struct Stream<'d> {
    detector: &'d Detector,
    channels: u16,
    /// Samples pushed, of all channels together.
    pushed: u64,
    /// Samples of a frame whose other channels have yet to come.
    partial: Vec<f32>,
    /// The mean of the channels of what was pushed last; kept for its memory.
    mono: Vec<f32>,
    resampler: Resampler,
    /// The clip at 16 kHz, from `position` on.
    pending: Vec<f32>,
    position: usize,
    /// The windows scored: the n-th starts n hops into the clip.
    windows: Vec<WindowScore>,
    listener: Listener,
}

impl<'d> Stream<'d> {
    pub(crate) fn of_model_input(detector: &'d Detector) -> Self {
        Self::with(detector, 1, Resampler::none())
    }

    pub(crate) fn new(detector: &'d Detector, sample_rate: u32, channels: u16) -> Result<Self> {
        let channels = check_channels(usize::from(channels), Audio::MAX_CHANNELS)?;
        Ok(Self::with(
            detector,
            channels,
            Resampler::new(sample_rate, SAMPLE_RATE)?,
        ))
    }

    fn with(detector: &'d Detector, channels: u16, resampler: Resampler) -> Self {
        Self {
            detector,
            channels,
            pushed: 0,
            partial: Vec::new(),
            mono: Vec::new(),
            resampler,
            pending: Vec::new(),
            position: 0,
            windows: Vec::new(),
            listener: Listener::new(),
        }
    }

    /// Takes the next samples, any number of them, interleaved, and returns the scores of the windows that they complete.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::Amplitude`] for samples that can't be scored: none of `samples` is then taken.
    /// [`Error::Runtime`] if the runtime fails: they are taken, and the next call tries the window again.
    ///
    /// [`Error::NotFinite`]: crate::Error::NotFinite
    /// [`Error::Amplitude`]: crate::Error::Amplitude
    /// [`Error::Runtime`]: crate::Error::Runtime
    pub fn push(&mut self, samples: &[f32]) -> Result<&[WindowScore]> {
        check_amplitude(samples, MAX_AMPLITUDE).map_err(|error| error.after(self.pushed))?;
        self.pushed += samples.len() as u64;
        let before = self.pending.len();
        if self.channels == 1 {
            self.resampler.push(samples, &mut self.pending)?;
        } else {
            self.partial.extend_from_slice(samples);
            let whole = self.partial.len() - self.partial.len() % usize::from(self.channels);
            self.mono.clear();
            self.mono
                .extend(mean_of_channels(&self.partial[..whole], self.channels));
            self.partial.drain(..whole);
            self.resampler.push(&self.mono, &mut self.pending)?;
        }
        self.listener.hear(&self.pending[before..]);
        let scored = self.windows.len();
        self.score_whole_windows()?;
        Ok(&self.windows[scored..])
    }

    /// The score so far, over the windows scored; `None` before the first.
    #[must_use]
    pub fn score(&self) -> Option<Score> {
        (!self.windows.is_empty()).then(|| self.detector.sum_up(self.windows.clone(), &self.listener))
    }

    /// Ends the clip: scores what is left as the detector's [`Tail`](crate::Tail) says, returns the score of the whole,
    /// and is ready for another clip.
    ///
    /// # Errors
    ///
    /// Those of [`Detector::score`]. The stream is then ready for another clip, too.
    pub fn finish(&mut self) -> Result<Score> {
        let score = self.score_rest();
        self.reset();
        score
    }

    /// Forgets the clip, and is ready for another.
    pub fn reset(&mut self) {
        self.pushed = 0;
        self.partial.clear();
        self.resampler.reset();
        self.pending.clear();
        self.position = 0;
        self.windows.clear();
        self.listener = Listener::new();
    }

    /// Scores the windows whose samples are all there, and forgets the samples that no other window needs.
    fn score_whole_windows(&mut self) -> Result<()> {
        let windowing = self.detector.windowing();
        let (length, hop) = (windowing.length(), windowing.hop());
        let (pending, position) = (&self.pending, self.position);
        let end = position + pending.len();
        let whole = end.checked_sub(length).map_or(0, |last| last / hop + 1);
        let first = self.windows.len();
        let whole = (first..whole.max(first)).map(|n| n * hop).map(|start| Window {
            start,
            valid: length,
            samples: Cow::Borrowed(&pending[start - position..][..length]),
        });
        self.detector.score_windows(whole, &mut self.windows)?;
        let passed = (self.windows.len() * hop - self.position).min(self.pending.len());
        self.pending.drain(..passed);
        self.position += passed;
        Ok(())
    }

    fn score_rest(&mut self) -> Result<Score> {
        let before = self.pending.len();
        self.resampler.finish(&mut self.pending)?;
        self.listener.hear(&self.pending[before..]);
        self.score_whole_windows()?;
        let samples = self.listener.samples();
        let count = self.detector.check_length(samples)?;
        if self.windows.len() < count {
            // One window is left, which the clip does not fill.
            let start = self.windows.len() * self.detector.windowing().hop();
            let mut padded = self.pending.split_off(start - self.position);
            let valid = padded.len();
            padded.resize(self.detector.windowing().length(), 0.0);
            let window = Window {
                start,
                valid,
                samples: Cow::Owned(padded),
            };
            self.detector.score_windows([window].into_iter(), &mut self.windows)?;
        }
        let windows = std::mem::take(&mut self.windows);
        Ok(self.detector.sum_up(windows, &self.listener))
    }
}
