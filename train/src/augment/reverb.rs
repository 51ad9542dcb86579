//! Rooms and devices between the voice and the recording.

use bonafide::SAMPLE_RATE;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::pool::Pool;
use super::{power, spectrum};

/// Convolves the window with a response out of the pool, or with one made up, and keeps its power.
pub(super) fn add(window: &mut [f32], rooms: &Pool, rng: &mut ChaCha8Rng) {
    let before = power(window);
    let made;
    let response = if rooms.is_empty() || rng.random_bool(0.3) {
        made = room(rng);
        &made
    } else {
        rooms.draw(rng)
    };
    // From its loudest sample on, so that the voice stays where it was.
    let direct = (0..response.len()).max_by(|&a, &b| response[a].abs().total_cmp(&response[b].abs()));
    let response = &response[direct.unwrap_or(0)..];
    spectrum::convolve(window, &response[..response.len().min(SAMPLE_RATE as usize)]);
    let after = power(window);
    if after > 0.0 {
        let gain = (before / after).sqrt();
        window.iter_mut().for_each(|x| *x *= gain);
    }
}

/// A room's response: the direct sound, a few early reflections, and noise that dies away within 0.1 to 0.8 s (−60 dB).
fn room(rng: &mut ChaCha8Rng) -> Vec<f32> {
    let rate = SAMPLE_RATE as f32;
    let decay_seconds = rng.random_range(0.1..0.8_f32);
    let length = (decay_seconds * rate) as usize;
    // A thousandth of the amplitude after the decay's time.
    let decay = -6.9 / (decay_seconds * rate);
    let level = rng.random_range(0.01..0.12_f32);
    let tail = |n: usize, rng: &mut ChaCha8Rng| {
        let noise: f32 = StandardNormal.sample(rng);
        level * noise * (decay * n as f32).exp()
    };
    let mut response: Vec<f32> = (0..length).map(|n| tail(n, rng)).collect();
    for _ in 0..rng.random_range(2..8) {
        let at = rng.random_range(16..length.min(800));
        response[at] += rng.random_range(-0.5..0.5) * (decay * at as f32).exp();
    }
    response[0] = 1.0;
    response
}
