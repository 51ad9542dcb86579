//! Cutting silence off the ends of a clip.
//!
//! Silence before and after the speech is a known shortcut in ASVspoof's data: synthetic clips have less of it.

/// 25 ms at 16 kHz.
const FRAME: usize = 400;
/// 10 ms at 16 kHz.
const HOP: usize = 160;
/// A frame with this share of the loudest frame's power or less is silent: −40 dB.
const SILENT: f64 = 1e-4;

/// From the first frame that isn't silent to the last. A clip of digital silence, or shorter than a frame, is left as
/// it is.
pub(super) fn trim(samples: &[f32]) -> &[f32] {
    let power = |start: usize| -> f64 {
        let frame = &samples[start..(start + FRAME).min(samples.len())];
        frame.iter().map(|&x| f64::from(x).powi(2)).sum()
    };
    let starts = || (0..samples.len().saturating_sub(FRAME - 1)).step_by(HOP);
    let loudest = starts().map(power).fold(0.0, f64::max);
    let heard = |start: &usize| power(*start) > SILENT * loudest;
    let mut heard = starts().filter(heard);
    match heard.next() {
        Some(first) => {
            let last = heard.next_back().unwrap_or(first);
            // Fewer samples than a hop are left over at the end; they belong to the last frame.
            let end = if last + HOP + FRAME > samples.len() {
                samples.len()
            } else {
                last + FRAME
            };
            &samples[first..end]
        }
        None => samples,
    }
}
