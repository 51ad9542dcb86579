//! Windows are cut as the slow definition says, whatever the lengths.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::num::NonZeroUsize;

use bonafide::{Tail, Windowing, Windows};
use proptest::prelude::*;

fn windowing(length: usize, hop: usize, tail: Tail) -> Windowing {
    Windowing::new(NonZeroUsize::new(length).unwrap(), NonZeroUsize::new(hop).unwrap()).tail(tail)
}

/// The starts of the windows, step by step as the original's scoring walks.
fn starts_by_definition(samples: usize, length: usize, hop: usize) -> Vec<usize> {
    if samples == 0 {
        return Vec::new();
    }
    if samples <= length {
        return vec![0];
    }
    let mut starts = Vec::new();
    let mut start = 0;
    while start < samples {
        starts.push(start);
        if start + length > samples {
            break;
        }
        start += hop;
    }
    starts
}

fn starts(windowing: Windowing, samples: &[f32]) -> Vec<usize> {
    windowing.windows(samples).map(|window| window.start).collect()
}

#[test]
fn the_published_model_scores_these_windows() {
    for (samples, expected) in [
        (0, vec![]),
        (1, vec![0]),
        (63_999, vec![0]),
        (64_000, vec![0]),
        (64_001, vec![0, 32_000]),
        (95_999, vec![0, 32_000]),
        (96_000, vec![0, 32_000, 64_000]),
        (96_001, vec![0, 32_000, 64_000]),
        (128_000, vec![0, 32_000, 64_000, 96_000]),
    ] {
        let clip = vec![0.5; samples];
        let found: Vec<usize> = Windows::new(&clip).map(|window| window.start).collect();
        assert_eq!(found, expected, "{samples} samples");
    }
}

#[test]
fn the_originals_evaluation_counts_a_window_less_where_the_length_divides() {
    let windowing = Windowing::default().tail(Tail::PadIfNeeded);
    for samples in 64_001..200_000_usize {
        let by_formula = (samples - 64_000).div_ceil(32_000) + 1;
        assert_eq!(windowing.count(samples), by_formula, "{samples} samples");
        let scoring = Windowing::default().count(samples);
        assert_eq!(
            scoring - by_formula,
            usize::from((samples - 64_000) % 32_000 == 0),
            "{samples} samples"
        );
    }
    assert_eq!(windowing.count(64_000), 1);
}

#[test]
fn dropping_the_tail_leaves_whole_windows() {
    let drop = windowing(4, 2, Tail::Drop);
    assert_eq!(starts(drop, &[0.0; 3]), [0_usize; 0]);
    assert_eq!(starts(drop, &[0.0; 4]), [0]);
    assert_eq!(starts(drop, &[0.0; 7]), [0, 2]);
    assert_eq!(starts(drop, &[0.0; 8]), [0, 2, 4]);
}

#[test]
fn whole_windows_borrow_and_the_tail_is_zero_padded() {
    let clip: Vec<f32> = (1..=10).map(|n| n as f32).collect();
    let windows: Vec<_> = windowing(4, 3, Tail::Pad).windows(&clip).collect();
    assert!(matches!(windows[0].samples, Cow::Borrowed([1.0, 2.0, 3.0, 4.0])));
    assert!(matches!(windows[2].samples, Cow::Borrowed([7.0, 8.0, 9.0, 10.0])));
    let tail = windows.last().unwrap();
    assert_eq!((tail.start, tail.valid), (9, 1));
    assert_eq!(tail.samples[..], [10.0, 0.0, 0.0, 0.0]);
}

proptest! {
    #[test]
    fn windows_are_those_of_the_definition(samples in 0_usize..300, length in 1_usize..50, hop in 1_usize..60) {
        let clip: Vec<f32> = (0..samples).map(|n| n as f32 + 1.0).collect();
        prop_assert_eq!(starts(windowing(length, hop, Tail::Pad), &clip), starts_by_definition(samples, length, hop));
    }

    #[test]
    fn every_window_holds_the_clip_at_its_start_and_then_zeros(
        samples in 0_usize..300, length in 1_usize..50, hop in 1_usize..60, tail in 0_usize..3,
    ) {
        let tail = [Tail::Pad, Tail::PadIfNeeded, Tail::Drop][tail];
        let clip: Vec<f32> = (0..samples).map(|n| n as f32 + 1.0).collect();
        let windowing = windowing(length, hop, tail);
        let windows = windowing.windows(&clip);
        prop_assert_eq!(windows.len(), windowing.count(samples));
        let mut seen = 0;
        for window in windows {
            seen += 1;
            prop_assert_eq!(window.samples.len(), length);
            prop_assert!(window.valid >= 1);
            let (valid, padding) = window.samples.split_at(window.valid);
            prop_assert_eq!(valid, &clip[window.start..][..window.valid]);
            prop_assert!(padding.iter().all(|sample| *sample == 0.0));
            prop_assert_eq!(padding.is_empty(), matches!(window.samples, Cow::Borrowed(_)));
        }
        prop_assert_eq!(seen, windowing.count(samples));
    }

    #[test]
    fn padding_leaves_no_sample_out(samples in 1_usize..300, length in 1_usize..50, hop in 1_usize..50) {
        prop_assume!(hop <= length);
        for tail in [Tail::Pad, Tail::PadIfNeeded] {
            let clip = vec![1.0; samples];
            let end = windowing(length, hop, tail).windows(&clip).map(|w| w.start + w.valid).max();
            prop_assert_eq!(end, Some(samples));
        }
    }
}
