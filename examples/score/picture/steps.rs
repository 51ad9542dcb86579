//! P(spoof) along a clip.

use bonafide::WindowScore;

/// Most steps of a picture, and rows of the table beside it: more can't be told apart.
const MOST: usize = 300;

/// A bar of P(spoof). Windows overlap, so a bar reaches only half the way to the middles of its neighbours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// Where the bar is drawn, in seconds.
    pub(super) left: f64,
    pub(super) right: f64,
    /// What the windows cover, in seconds.
    pub(crate) start_seconds: f64,
    pub(crate) end_seconds: f64,
    /// The highest of the windows, so that a suspicious moment of a long clip isn't lost.
    pub(crate) spoof_probability: f32,
    /// How many windows it stands for.
    pub(crate) windows: usize,
}

/// A step for each window, or of a long clip for every few.
pub(super) fn of(windows: &[WindowScore]) -> Vec<Step> {
    let each = windows.len().div_ceil(MOST).max(1);
    let middle = |window: &WindowScore| 0.5 * (window.start_seconds + window.end_seconds);
    // Where the bars of a window and of the one before it meet.
    let meet = |index: usize| Some(0.5 * (middle(windows.get(index.checked_sub(1)?)?) + middle(windows.get(index)?)));
    windows
        .chunks(each)
        .enumerate()
        .filter_map(|(chunk, several)| {
            let (first, last) = (several.first()?, several.last()?);
            let begin = chunk * each;
            Some(Step {
                left: meet(begin).unwrap_or(first.start_seconds),
                right: meet(begin + several.len()).unwrap_or(last.end_seconds),
                start_seconds: first.start_seconds,
                end_seconds: last.end_seconds,
                spoof_probability: several
                    .iter()
                    .map(|window| window.spoof_probability)
                    .fold(0.0, f32::max),
                windows: several.len(),
            })
        })
        .collect()
}
