//! Confidence intervals by resampling.

use std::collections::BTreeMap;

use super::trials::Step;
use super::{Trials, open_fraction};
use crate::{Error, Label, Result};

/// The percentile bootstrap: how far a metric would vary if the trials were drawn anew.
///
/// The default is 1,000 resamples, a level of 0.95 and seed 0. The same seed gives the same interval on every machine.
/// Resample i draws from the generator `SplitMix64` seeded with the i-th number of `SplitMix64` of the seed.
///
/// Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993.
///
/// ```
/// use bonafide::metrics::{Bootstrap, Trials};
///
/// let trials = Trials::new(&[2.9, 1.1, 3.5, 0.2, 2.2], &[-1.7, 0.4, -2.0, -0.3, -3.1, -0.8])?;
/// let (low, high) = Bootstrap::default().interval(&trials, |resample| resample.eer_asvspoof().rate);
/// assert!(low <= trials.eer_asvspoof().rate && trials.eer_asvspoof().rate <= high);
/// # Ok::<(), bonafide::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    resamples: usize,
    level: f64,
    seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 1000,
            level: 0.95,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// `resamples` (at least 1; at least 1,000 for a level of 0.95), `level` (the probability that the interval is to
    /// cover, between 0 and 1) and the seed of the random numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if there are no resamples, or the level is not between 0 and 1.
    pub fn new(resamples: usize, level: f64, seed: u64) -> Result<Self> {
        if resamples == 0 {
            return Err(Error::Setting {
                setting: "the number of resamples",
                expected: "at least 1",
                found: resamples.to_string(),
            });
        }
        open_fraction("the confidence level", level)?;
        Ok(Self { resamples, level, seed })
    }

    /// The interval of `metric`, low and high, when trials are drawn one by one with replacement, as many of each class
    /// as there are.
    ///
    /// It takes trials for independent, and so comes out too narrow where speakers have many trials each: use
    /// [`interval_by_speaker`](Self::interval_by_speaker) where speakers are known. Both ends are NaN if `metric` ever
    /// is.
    pub fn interval(&self, trials: &Trials, metric: impl Fn(&Trials) -> f64) -> (f64, f64) {
        let class = |count: fn(&Step) -> usize| -> Vec<usize> {
            let steps = trials.steps().iter().enumerate();
            steps
                .flat_map(|(index, step)| std::iter::repeat_n(index, count(step)))
                .collect()
        };
        let bonafide = class(|step| step.bonafide);
        let spoof = class(|step| step.spoof);
        self.percentiles(|random| {
            let mut steps = emptied(trials);
            for _ in 0..bonafide.len() {
                steps[bonafide[random.below(bonafide.len())]].bonafide += 1;
            }
            for _ in 0..spoof.len() {
                steps[spoof[random.below(spoof.len())]].spoof += 1;
            }
            metric(&Trials::from_steps(steps))
        })
    }

    /// The interval of `metric`, low and high, when speakers are drawn with replacement, as many as there are, each
    /// with all their trials (cluster bootstrap). `trials` holds speaker, label and score, in any order.
    ///
    /// A resample without trials of one class is drawn again. A trial whose speaker is unknown is best given a name of
    /// its own. Both ends are NaN if `metric` ever is.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyClass`] and [`Error::InvalidScore`] as in [`Trials::labelled`];
    /// [`Error::Setting`] if there are fewer than 2 speakers.
    pub fn interval_by_speaker<S: Ord>(
        &self,
        trials: &[(S, Label, f64)],
        metric: impl Fn(&Trials) -> f64,
    ) -> Result<(f64, f64)> {
        let all = Trials::labelled(trials.iter().map(|&(_, label, score)| (label, score)))?;
        let speakers = by_speaker(trials, &all);
        if speakers.len() < 2 {
            return Err(Error::Setting {
                setting: "the number of speakers",
                expected: "at least 2",
                found: speakers.len().to_string(),
            });
        }
        Ok(self.percentiles(|random| metric(&draw_speakers(&all, &speakers, random))))
    }

    /// The interval of how much higher `metric` is by the second scores than by the first, low and high, when trials are
    /// drawn one by one with replacement, the same for both (paired bootstrap). `trials` holds each trial's label and both
    /// scores: of two systems, or of one before and after a codec.
    ///
    /// Much narrower than what two intervals seem to allow, because both systems find the same trials hard. Speakers count
    /// for nothing here, as in [`interval`](Self::interval). Both ends are NaN if the difference ever is.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyClass`] and [`Error::InvalidScore`] as in [`Trials::labelled`].
    ///
    /// ```
    /// use bonafide::Label::{Bonafide, Spoof};
    /// use bonafide::metrics::Bootstrap;
    ///
    /// let trials = [(Bonafide, 2.9, 1.3), (Bonafide, 1.1, 0.8), (Spoof, -1.7, 1.0), (Spoof, 0.4, 0.9), (Spoof, -2.0, -1.0)];
    /// let (low, high) = Bootstrap::default().interval_of_difference(&trials, |resample| resample.eer_asvspoof().rate)?;
    /// assert!(0.0 <= low && low <= high); // the second orders no draw of these better
    /// # Ok::<(), bonafide::Error>(())
    /// ```
    pub fn interval_of_difference(
        &self,
        trials: &[(Label, f64, f64)],
        metric: impl Fn(&Trials) -> f64,
    ) -> Result<(f64, f64)> {
        let first = Trials::labelled(trials.iter().map(|&(label, first, _)| (label, first)))?;
        let second = Trials::labelled(trials.iter().map(|&(label, _, second)| (label, second)))?;
        let class = |wanted: Label| -> Vec<[usize; 2]> {
            let of_class = trials.iter().filter(|(label, ..)| *label == wanted);
            of_class
                .map(|&(_, one, other)| [place(&first, one), place(&second, other)])
                .collect()
        };
        let (bonafide, spoof) = (class(Label::Bonafide), class(Label::Spoof));
        Ok(self.percentiles(|random| {
            let mut drawn = [emptied(&first), emptied(&second)];
            for (class, count) in [
                (&bonafide, (|step| &mut step.bonafide) as fn(&mut Step) -> &mut usize),
                (&spoof, |step| &mut step.spoof),
            ] {
                for _ in 0..class.len() {
                    let places = class[random.below(class.len())];
                    for (steps, place) in drawn.iter_mut().zip(places) {
                        *count(&mut steps[place]) += 1;
                    }
                }
            }
            let [first, second] = drawn.map(|steps| metric(&Trials::from_steps(steps)));
            second - first
        }))
    }

    /// The percentiles of a metric over the resamples.
    fn percentiles(&self, resample: impl Fn(&mut SplitMix64) -> f64) -> (f64, f64) {
        let mut seeds = SplitMix64(self.seed);
        let mut values: Vec<f64> = (0..self.resamples)
            .map(|_| resample(&mut SplitMix64(seeds.next())))
            .collect();
        if values.iter().any(|value| value.is_nan()) {
            return (f64::NAN, f64::NAN);
        }
        values.sort_unstable_by(f64::total_cmp);
        let outside = (1.0 - self.level) / 2.0;
        (quantile(&values, outside), quantile(&values, 1.0 - outside))
    }
}

/// A trial of a speaker: the index of its step, and its class.
type SpeakerTrial = (usize, Label);

/// The index of a score's step.
fn place(all: &Trials, score: f64) -> usize {
    all.steps().partition_point(|step| step.score < score)
}

/// The trials of each speaker, in the order of the speakers' names.
fn by_speaker<S: Ord>(trials: &[(S, Label, f64)], all: &Trials) -> Vec<Vec<SpeakerTrial>> {
    let mut speakers: BTreeMap<&S, Vec<SpeakerTrial>> = BTreeMap::new();
    for (speaker, label, score) in trials {
        speakers.entry(speaker).or_default().push((place(all, *score), *label));
    }
    speakers.into_values().collect()
}

/// As many speakers as there are, drawn with replacement, until there are trials of both classes.
///
/// There is a speaker with bona fide and one with spoofed trials, so in the worst case half of the draws will do.
fn draw_speakers(all: &Trials, speakers: &[Vec<SpeakerTrial>], random: &mut SplitMix64) -> Trials {
    loop {
        let mut steps = emptied(all);
        for _ in 0..speakers.len() {
            for (step, label) in &speakers[random.below(speakers.len())] {
                match label {
                    Label::Bonafide => steps[*step].bonafide += 1,
                    Label::Spoof => steps[*step].spoof += 1,
                }
            }
        }
        if steps.iter().any(|step| step.bonafide > 0) && steps.iter().any(|step| step.spoof > 0) {
            return Trials::from_steps(steps);
        }
    }
}

/// The steps of the trials without the trials: drawing then only counts, and nothing is sorted again.
fn emptied(trials: &Trials) -> Vec<Step> {
    let steps = trials.steps().iter();
    steps
        .map(|step| Step {
            bonafide: 0,
            spoof: 0,
            ..*step
        })
        .collect()
}

/// The quantile of sorted values by linear interpolation (Hyndman and Fan's type 7, `NumPy`'s default).
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    if below == above {
        return below; // ∞ − ∞ is NaN
    }
    below + (above - below) * position.fract()
}

/// Vigna's `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): small, fast, and good enough to resample with.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` − 1. The numbers' probabilities differ by less than one part in 2⁶⁴ / `end`.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}
