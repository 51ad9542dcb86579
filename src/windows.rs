//! Cutting a clip into the windows that a model scores.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::num::NonZeroUsize;

use crate::SAMPLE_RATE;

/// The published model's window: 64,000 samples, 4 s.
pub(crate) const LENGTH: NonZeroUsize = NonZeroUsize::new(64_000).expect("not zero");
/// The published model's hop: half a window.
pub(crate) const HOP: NonZeroUsize = NonZeroUsize::new(32_000).expect("not zero");

/// How a clip is cut: the windows' length, their distance, and what happens at the end. Lengths are in samples.
///
/// The default is the published model's scoring: 64,000 samples, a hop of 32,000, [`Tail::Pad`].
///
/// ```
/// use bonafide::{Tail, Windowing};
///
/// let windowing = Windowing::default();
/// assert_eq!(windowing.count(96_000), 3); // starting at 0, 32,000 and 64,000; the last is padded
/// assert_eq!(windowing.tail(Tail::PadIfNeeded).count(96_000), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windowing {
    length: NonZeroUsize,
    hop: NonZeroUsize,
    tail: Tail,
}

/// What happens to the samples at the end of a clip that fill no whole window.
///
/// Under every policy a clip of at least one sample and at most one window is one window, zero-padded if it is shorter
/// (except that [`Tail::Drop`] gives none for a clip shorter than a window), and an empty clip has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tail {
    /// Windows start every hop while the start lies inside the clip. The first that would run past the end is
    /// zero-padded and is the last. So a clip longer than a window always ends in a padded one, even where the one
    /// before it reaches the end exactly: this is how the original scores a file.
    #[default]
    Pad,
    /// The last window is zero-padded only where samples would be left over: `⌈(samples − length) / hop⌉ + 1` windows,
    /// which is how the original's evaluation counts them.
    PadIfNeeded,
    /// Only whole windows; samples left over are not looked at.
    Drop,
}

impl Default for Windowing {
    fn default() -> Self {
        Self::new(LENGTH, HOP)
    }
}

impl Windowing {
    /// Windows of `length` samples, one every `hop` samples, with [`Tail::Pad`].
    ///
    /// Windows overlap when `hop < length`; when `hop > length`, samples between them are not looked at.
    #[must_use]
    pub const fn new(length: NonZeroUsize, hop: NonZeroUsize) -> Self {
        Self {
            length,
            hop,
            tail: Tail::Pad,
        }
    }

    /// The same windows under another policy for the end.
    #[must_use]
    pub const fn tail(self, tail: Tail) -> Self {
        Self { tail, ..self }
    }

    /// Samples in a window.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length.get()
    }

    /// Samples from one window's start to the next one's.
    #[must_use]
    pub const fn hop(&self) -> usize {
        self.hop.get()
    }

    /// The number of windows in a clip of `samples` samples.
    #[must_use]
    pub fn count(&self, samples: usize) -> usize {
        let (length, hop) = (self.length.get(), self.hop.get());
        if samples <= length {
            let fits = match self.tail {
                Tail::Pad | Tail::PadIfNeeded => samples > 0,
                Tail::Drop => samples == length,
            };
            return usize::from(fits);
        }
        let whole = (samples - length) / hop + 1;
        // The next window would run past the end; it is there if it starts inside the clip and has something to add.
        let next_start = whole.saturating_mul(hop);
        let last_end = (whole - 1) * hop + length;
        let padded = match self.tail {
            Tail::Pad => next_start < samples,
            Tail::PadIfNeeded => next_start < samples && last_end < samples,
            Tail::Drop => false,
        };
        whole + usize::from(padded)
    }

    /// The windows of `samples`.
    #[must_use]
    pub fn windows<'a>(&self, samples: &'a [f32]) -> Windows<'a> {
        Windows {
            samples,
            windowing: *self,
            next: 0,
            count: self.count(samples.len()),
        }
    }
}

/// One window of a clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Window<'a> {
    /// Where it starts in the clip, in samples.
    pub start: usize,
    /// How many of its samples are the clip's; the rest, at its end, are zeros.
    pub valid: usize,
    /// As many samples as the window is long: borrowed from the clip if whole, copied if padded.
    pub samples: Cow<'a, [f32]>,
}

impl Window<'_> {
    /// Where the window starts, in seconds at 16 kHz.
    #[must_use]
    pub fn start_seconds(&self) -> f64 {
        seconds(self.start)
    }

    /// Where the clip's samples in the window end, in seconds at 16 kHz.
    #[must_use]
    pub fn end_seconds(&self) -> f64 {
        seconds(self.start + self.valid)
    }
}

/// Iterator over the windows of a clip.
///
/// Whole windows borrow the clip; only a padded one is copied.
///
/// ```
/// use bonafide::Windows;
///
/// let clip = vec![0.1; 100_000];
/// let starts: Vec<usize> = Windows::new(&clip).map(|window| window.start).collect();
/// assert_eq!(starts, [0, 32_000, 64_000]);
/// ```
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    samples: &'a [f32],
    windowing: Windowing,
    next: usize,
    count: usize,
}

impl<'a> Windows<'a> {
    /// The windows of `samples` as the published model takes them; [`Windowing::windows`] gives others.
    #[must_use]
    pub fn new(samples: &'a [f32]) -> Self {
        Windowing::default().windows(samples)
    }
}

impl<'a> Iterator for Windows<'a> {
    type Item = Window<'a>;

    fn next(&mut self) -> Option<Window<'a>> {
        if self.next == self.count {
            return None;
        }
        let length = self.windowing.length();
        let start = self.next * self.windowing.hop();
        self.next += 1;
        let rest = &self.samples[start..];
        let samples = match rest.get(..length) {
            Some(whole) => Cow::Borrowed(whole),
            None => {
                let mut padded = Vec::with_capacity(length);
                padded.extend_from_slice(rest);
                padded.resize(length, 0.0);
                Cow::Owned(padded)
            }
        };
        Some(Window {
            start,
            valid: rest.len().min(length),
            samples,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Windows<'_> {}
impl FusedIterator for Windows<'_> {}

/// The duration of `samples` samples at 16 kHz.
pub(crate) fn seconds(samples: usize) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}
