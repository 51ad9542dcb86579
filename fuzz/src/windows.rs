//! Windowing against its definition, walked step by step.

use std::num::NonZeroUsize;

use arbitrary::{Arbitrary, Result, Unstructured};
use bonafide::{Tail, Windowing};

#[derive(Debug)]
struct Case {
    samples: usize,
    length: NonZeroUsize,
    hop: NonZeroUsize,
    tail: Tail,
    huge: usize,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let size = |u: &mut Unstructured<'a>| -> Result<NonZeroUsize> {
            let scale = *u.choose(&[1, 1, 16])?;
            let size = u.int_in_range(1..=256)? * scale;
            Ok(NonZeroUsize::new(size).expect("from one"))
        };
        let (length, hop) = (size(u)?, size(u)?);
        let samples = match u.int_in_range(0..=3)? {
            // Where a window ends, or next to it.
            0 => (length.get() + u.int_in_range(0..=8)? * hop.get() + u.int_in_range(0..=2)?).saturating_sub(1),
            1 => u.int_in_range(0..=20)?,
            _ => u.int_in_range(0..=3_000)?,
        };
        Ok(Self {
            samples,
            length,
            hop,
            tail: *u.choose(&[Tail::Pad, Tail::PadIfNeeded, Tail::Drop])?,
            huge: u.arbitrary()?,
        })
    }
}

pub fn windows(data: &[u8]) {
    let Ok(case) = Unstructured::new(data).arbitrary::<Case>() else {
        return;
    };
    let windowing = Windowing::new(case.length, case.hop).tail(case.tail);
    let samples: Vec<f32> = (0..case.samples).map(|i| (i + 1) as f32).collect();
    let starts = starts(case.samples, case.length.get(), case.hop.get(), case.tail);
    let mut windows = windowing.windows(&samples);
    assert_eq!(
        (windowing.count(case.samples), windows.len()),
        (starts.len(), starts.len()),
        "{case:?}"
    );
    for start in starts {
        let window = windows.next().expect("as many as were counted");
        let valid = case.length.get().min(case.samples - start);
        assert_eq!((window.start, window.valid), (start, valid), "{case:?}");
        let (clip, padding) = window.samples.split_at(valid);
        assert_eq!(clip, &samples[start..start + valid], "{case:?}");
        assert!(
            padding.len() == case.length.get() - valid && padding.iter().all(|&sample| sample == 0.0),
            "{case:?}"
        );
    }
    assert!(windows.next().is_none() && windows.next().is_none());

    // Clips that no memory holds can still be counted. A sample more is a window more at most, but for the padded one that
    // comes with a clip longer than a window.
    let count = windowing.count(case.huge);
    let more = windowing.count(case.huge.saturating_add(1));
    let most = if case.huge == case.length.get() { 2 } else { 1 };
    assert!((count..=count.saturating_add(most)).contains(&more), "{case:?}");
}

/// Where the windows of a clip start, as the documentation of [`Tail`] has it.
fn starts(samples: usize, length: usize, hop: usize, tail: Tail) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut start = 0;
    while start < samples {
        let whole = start + length <= samples;
        let covered = starts.last().map_or(0, |last| last + length);
        let wanted = match tail {
            Tail::Drop => whole,
            Tail::Pad => start == 0 || samples > length,
            Tail::PadIfNeeded => covered < samples,
        };
        if wanted {
            starts.push(start);
        }
        if !whole {
            break;
        }
        start += hop;
    }
    starts
}
