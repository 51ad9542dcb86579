//! The resampler against torchaudio's, which the reference system uses.
//!
//! The table in the docs of `src/audio/resample.rs` is printed by
//! `cargo test --release --test resample -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;
use std::path::Path;
use std::time::Instant;

use bonafide::{Audio, Error, SAMPLE_RATE, resample};
use proptest::prelude::*;

const RATES: [u32; 6] = [8_000, 11_025, 22_050, 24_000, 44_100, 48_000];

/// Half a second of speech at a rate, and what torchaudio makes of it at 16 kHz.
fn speech(rate: u32) -> (Vec<f32>, Vec<f32>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    let audio = Audio::read(folder.join(format!("speech_{rate}.wav"))).unwrap();
    assert_eq!((audio.sample_rate, audio.channels), (rate, 1));
    let expected = std::fs::read(folder.join(format!("speech_{rate}_to_16000.f32"))).unwrap();
    let expected = expected
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (audio.samples, expected.collect())
}

/// `torchaudio.functional.resample` with its defaults, from its documentation: a sinc of twelve zero crossings
/// under a Hann window, cut off at 0.99 of the lower Nyquist frequency.
fn torchaudio(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let (from, to) = (f64::from(from), f64::from(to));
    let cutoff = 0.99 * from.min(to) / from; // relative to the input's Nyquist frequency
    let reach = 6.0 / cutoff; // of the window to each side, in input samples
    let len = (samples.len() as f64 * to / from - 1e-6).ceil() as usize;
    (0..len)
        .map(|i| {
            let centre = i as f64 * from / to;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(samples.len() - 1);
            let tap = |n: usize| {
                let t = (n as f64 - centre) * cutoff;
                let sinc = if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) };
                f64::from(samples[n]) * sinc * (PI * t / 12.0).cos().powi(2)
            };
            ((first..=last).map(tap).sum::<f64>() * cutoff) as f32
        })
        .collect()
}

fn power(samples: impl Iterator<Item = f64>) -> f64 {
    samples.map(|sample| sample * sample).sum()
}

/// Signal-to-noise ratio in dB, where noise is what differs.
fn snr(expected: &[f32], found: &[f32]) -> f64 {
    let difference = expected.iter().zip(found).map(|(&a, &b)| f64::from(a) - f64::from(b));
    10.0 * (power(expected.iter().copied().map(f64::from)) / power(difference).max(1e-30)).log10()
}

/// A tone of amplitude 1, a quarter of a second.
fn tone(frequency: f64, rate: u32) -> Vec<f32> {
    let step = 2.0 * PI * frequency / f64::from(rate);
    (0..rate / 4).map(|i| (step * f64::from(i)).sin() as f32).collect()
}

/// The amplitude of a tone of that frequency in the middle half of the samples, and of everything else there.
fn tone_and_rest(samples: &[f32], frequency: f64, rate: u32) -> (f64, f64) {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let step = 2.0 * PI * frequency / f64::from(rate);
    // The best fit of a sine and a cosine: two equations.
    let [mut ss, mut sc, mut cc, mut sy, mut cy, mut yy] = [0.0; 6];
    for (i, &y) in middle.iter().enumerate() {
        let ((s, c), y) = ((step * i as f64).sin_cos(), f64::from(y));
        ss += s * s;
        sc += s * c;
        cc += c * c;
        sy += s * y;
        cy += c * y;
        yy += y * y;
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((sy * cc - cy * sc) / determinant, (cy * ss - sy * sc) / determinant);
    let rest = yy - (a * sy + b * cy);
    (a.hypot(b), (2.0 * rest.max(0.0) / middle.len() as f64).sqrt())
}

fn db(amplitude: f64) -> f64 {
    20.0 * amplitude.max(1e-9).log10()
}

/// The worst deviation from gain 1 (dB) up to 0.9 of the lower Nyquist frequency.
fn ripple(convert: impl Fn(&[f32]) -> Vec<f32>, rate: u32) -> f64 {
    let nyquist = f64::from(rate.min(SAMPLE_RATE)) / 2.0;
    let frequencies = (1..=45).map(|i| nyquist * 0.02 * f64::from(i));
    let gain = |frequency| tone_and_rest(&convert(&tone(frequency, rate)), frequency, SAMPLE_RATE).0;
    frequencies
        .map(|frequency| db(gain(frequency)).abs())
        .fold(0.0, f64::max)
}

/// How far the loudest alias or image of a tone lies below it (dB): of tones from 1.15 of the Nyquist frequency of
/// the output up, or, for higher output rates, of tones up to 0.85 of that of the input.
fn rejection(convert: impl Fn(&[f32]) -> Vec<f32>, rate: u32) -> f64 {
    let (input, output) = (f64::from(rate) / 2.0, f64::from(SAMPLE_RATE) / 2.0);
    let (low, high) = if rate > SAMPLE_RATE {
        (1.15 * output, 0.99 * input)
    } else {
        (0.02 * input, 0.85 * input)
    };
    let frequencies = (0..40).map(|i| low + (high - low) * f64::from(i) / 39.0);
    let worst = frequencies.map(|frequency| {
        let converted = convert(&tone(frequency, rate));
        if rate > SAMPLE_RATE {
            let middle = &converted[converted.len() / 4..converted.len() * 3 / 4];
            (2.0 * power(middle.iter().copied().map(f64::from)) / middle.len() as f64).sqrt()
        } else {
            tone_and_rest(&converted, frequency, SAMPLE_RATE).1
        }
    });
    -db(worst.fold(0.0, f64::max))
}

/// Two seconds from 50 Hz to the Nyquist frequency, each octave as long as the next.
fn sweep(rate: u32) -> Vec<f32> {
    let (low, high, seconds) = (50.0_f64, f64::from(rate) / 2.0, 2.0);
    let octaves = (high / low).ln();
    (0..2 * rate)
        .map(|i| {
            let t = f64::from(i) / f64::from(rate) / seconds;
            (0.5 * (2.0 * PI * low * seconds / octaves * ((octaves * t).exp() - 1.0)).sin()) as f32
        })
        .collect()
}

#[test]
#[ignore = "prints a table"]
fn table() {
    println!(
        "| From (Hz) | Ripple (dB) | torchaudio's | Rejection (dB) | torchaudio's | SNR speech (dB) | SNR sweep (dB) | Times real time |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for rate in RATES {
        let ours = |samples: &[f32]| resample(samples, rate, SAMPLE_RATE).unwrap();
        let theirs = |samples: &[f32]| torchaudio(samples, rate, SAMPLE_RATE);
        let (input, expected) = speech(rate);
        let sweep = sweep(rate);
        let minute = input.repeat(120);
        let start = Instant::now();
        ours(&minute);
        let speed = minute.len() as f64 / f64::from(rate) / start.elapsed().as_secs_f64();
        println!(
            "| {rate} | {:.3} | {:.2} | {:.0} | {:.0} | {:.1} | {:.1} | {speed:.0} |",
            ripple(ours, rate),
            ripple(theirs, rate),
            rejection(ours, rate),
            rejection(theirs, rate),
            snr(&expected, &ours(&input)),
            snr(&theirs(&sweep), &ours(&sweep)),
        );
    }
}

/// So that the measurements against it say something.
#[test]
fn torchaudio_is_what_the_tests_take_it_for() {
    for rate in RATES {
        let (input, expected) = speech(rate);
        let found = torchaudio(&input, rate, SAMPLE_RATE);
        assert_eq!(found.len(), expected.len(), "{rate} Hz");
        let snr = snr(&expected, &found);
        assert!(snr > 90.0, "{rate} Hz: {snr} dB");
    }
}

#[test]
fn agrees_with_torchaudio_on_speech() {
    // Bounded by torchaudio's gentle filter: it damps the top octave, and lets through what lies beyond.
    let least = [26.0, 45.0, 38.0, 38.0, 43.0, 44.0];
    for (rate, least) in RATES.into_iter().zip(least) {
        let (input, expected) = speech(rate);
        let found = resample(&input, rate, SAMPLE_RATE).unwrap();
        assert_eq!(found.len(), expected.len(), "{rate} Hz");
        let snr = snr(&expected, &found);
        assert!(snr > least, "{rate} Hz: {snr} dB");
    }
}

#[test]
fn filters_better_than_torchaudio() {
    for rate in RATES {
        let ours = |samples: &[f32]| resample(samples, rate, SAMPLE_RATE).unwrap();
        let ripple = ripple(ours, rate);
        assert!(ripple < 0.01, "{rate} Hz: {ripple} dB");
        let rejection = rejection(ours, rate);
        assert!(rejection > 100.0, "{rate} Hz: {rejection} dB");
    }
}

#[test]
fn speech_stays_at_its_time() {
    for rate in RATES {
        let (input, expected) = speech(rate);
        let found = resample(&input, rate, SAMPLE_RATE).unwrap();
        let at = |lag: usize| -> f32 { expected[8..7_900].iter().zip(&found[lag..]).map(|(a, b)| a * b).sum() };
        let best = (0..=16).max_by(|&a, &b| at(a).total_cmp(&at(b))).unwrap();
        assert_eq!(best, 8, "{rate} Hz");
    }
}

#[test]
fn a_click_stays_at_its_time() {
    // Between odd rates too, where half a block of the filter is easily half a sample.
    for (from, to) in RATES
        .map(|rate| (rate, SAMPLE_RATE))
        .into_iter()
        .chain([(16_000, 44_100), (44_101, 16_000)])
    {
        let at = from as usize / 4;
        let mut click = vec![0.0; from as usize / 2];
        click[at] = 1.0;
        let found = resample(&click, from, to).unwrap();
        // The centre of the energy, to a fraction of a sample.
        let energy = power(found.iter().copied().map(f64::from));
        let moment: f64 = found
            .iter()
            .enumerate()
            .map(|(i, &y)| i as f64 * f64::from(y).powi(2))
            .sum();
        let expected = at as f64 * f64::from(to) / f64::from(from);
        let offset = moment / energy - expected;
        assert!(offset.abs() < 0.02, "{from} to {to} Hz: {offset} samples");
    }
}

#[test]
fn equal_rates_copy_and_nothing_gives_nothing() {
    let samples = [0.5, -0.25, f32::MIN_POSITIVE];
    assert_eq!(resample(&samples, 48_000, 48_000).unwrap(), samples);
    assert_eq!(resample(&[], 48_000, 16_000).unwrap(), []);
}

#[test]
fn awkward_rates_keep_length_and_level() {
    for (from, to) in [
        (44_101, 16_000),
        (768_000, 16_000),
        (1_000, 16_000),
        (16_000, 15_999),
        (96_001, 16_000),
    ] {
        let found = resample(&vec![0.5; from as usize / 2], from, to).unwrap();
        assert_eq!(
            found.len(),
            (from as usize / 2 * to as usize).div_ceil(from as usize),
            "{from} to {to} Hz"
        );
        let middle = found[found.len() / 2];
        assert!((middle - 0.5).abs() < 5e-4, "{from} to {to} Hz: {middle}");
    }
    // Shorter than the filter, far.
    assert_eq!(resample(&[0.5; 3], 44_101, 16_000).unwrap().len(), 2);
    assert_eq!(resample(&[0.5], 1_000, 16_000).unwrap().len(), 16);
}

#[test]
fn refuses_rates_and_lengths_beyond_the_limits() {
    for (from, to, found) in [
        (0, 16_000, 0),
        (999, 16_000, 999),
        (768_001, 16_000, 768_001),
        (16_000, u32::MAX, u32::MAX),
    ] {
        let error = resample(&[0.0; 4], from, to).unwrap_err();
        assert!(
            matches!(error, Error::SampleRate { found: rate, .. } if rate == found),
            "{error}"
        );
    }
    let error = resample(&vec![0.0; 1_000_000], 1_000, 768_000).unwrap_err();
    assert!(matches!(error, Error::AudioTooLong { .. }), "{error}");
}

#[test]
fn names_the_sample_no_filter_can_take() {
    let mut samples = vec![0.5; 4_800];
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        samples[20] = value;
        let error = resample(&samples, 48_000, 16_000).unwrap_err();
        assert!(matches!(error, Error::NotFinite { index: 20, .. }), "{error}");
    }
    for value in [f32::MAX, f32::MIN] {
        samples[20] = value;
        let error = resample(&samples, 48_000, 16_000).unwrap_err();
        assert!(matches!(error, Error::Amplitude { index: 20, .. }), "{error}");
    }
    samples.fill(1e30);
    assert!(
        resample(&samples, 48_000, 16_000)
            .unwrap()
            .iter()
            .all(|sample| sample.is_finite())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn length_is_the_ratio_rounded_up(len in 0_usize..3_000, from in 1_000_u32..50_000, to in 1_000_u32..50_000) {
        let found = resample(&vec![0.1; len], from, to).unwrap();
        prop_assert_eq!(found.len(), (len * to as usize).div_ceil(from as usize));
    }

    #[test]
    fn a_sum_gives_the_sum(
        a in prop::collection::vec(-1.0_f32..1.0, 500),
        b in prop::collection::vec(-1.0_f32..1.0, 500),
        rate in prop::sample::select(RATES.to_vec()),
    ) {
        let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let convert = |samples: &[f32]| resample(samples, rate, SAMPLE_RATE).unwrap();
        for ((a, b), sum) in convert(&a).iter().zip(convert(&b)).zip(convert(&sum)) {
            prop_assert!((a + b - sum).abs() < 1e-4);
        }
    }
}
