//! WavLM's position bias: what is added to the attention scores for the distance between two frames, before each layer
//! gates it by what it hears.

use crate::Config;

/// The bias `[heads, frames, frames]` of every query (second axis) and key (third axis), from the table
/// `[num_buckets, heads]` of layer 0, which all layers share.
pub(crate) fn position_bias(table: &[f32], config: &Config, frames: usize) -> Vec<f32> {
    let heads = config.num_attention_heads;
    // It depends on the distance alone, and a row has the distances of the one before, a frame further on.
    let buckets: Vec<usize> = (0..2 * frames - 1)
        .map(|i| bucket(i as i64 - (frames as i64 - 1), config))
        .collect();
    let mut bias = Vec::with_capacity(heads * frames * frames);
    for head in 0..heads {
        let by_distance: Vec<f32> = buckets.iter().map(|bucket| table[bucket * heads + head]).collect();
        for query in 0..frames {
            bias.extend_from_slice(&by_distance[frames - 1 - query..][..frames]);
        }
    }
    bias
}

/// The bucket of a distance, key minus query, in frames. The first half of the buckets is for keys at or before the
/// query, the second for those after it. In each, small distances have a bucket of their own, and the others share on a
/// logarithmic scale. Computed in f32, as `transformers` does.
fn bucket(distance: i64, config: &Config) -> usize {
    let half = config.num_buckets / 2;
    let exact = half / 2;
    let start = if distance > 0 { half } else { 0 };
    let distance = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
    if distance < exact {
        return start + distance;
    }
    let scale = (config.max_bucket_distance as f64 / exact as f64).ln() as f32;
    let place = (distance as f32 / exact as f32).ln() / scale * (half - exact) as f32;
    start + (exact + place as usize).min(half - 1)
}

/// The rows of the gate's linear layer `[8, width]` or `[8]`, summed by fours: `[width, 2]` or `[2]`, transposed.
///
/// The layer's eight outputs are only ever summed so, and a sum of linear functions is one.
pub(crate) fn gate_rows(values: &[f32], width: usize) -> Vec<f32> {
    let mut sums = Vec::with_capacity(2 * width);
    for column in 0..width {
        for first in [0, 4] {
            let rows = first..first + 4;
            let sum: f64 = rows.map(|row| f64::from(values[row * width + column])).sum();
            sums.push(sum as f32);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_fall_into_the_buckets_of_transformers() {
        let base = Config::default();
        // `WavLMAttention._relative_positions_bucket` of transformers 5.23.
        for (distance, expected) in DISTANCES {
            assert_eq!(bucket(distance, &base), expected, "{distance}");
        }
    }

    const DISTANCES: [(i64, usize); 14] = [
        (0, 0),
        (-1, 1),
        (1, 161),
        (-79, 79),
        (79, 239),
        (-80, 80),
        (-83, 81),
        (100, 247),
        (-198, 111),
        (198, 271),
        (-799, 159),
        (800, 319),
        (100_000, 319),
        (-100_000, 159),
    ];

    #[test]
    fn a_bias_depends_on_the_distance_alone() {
        let config = Config {
            num_attention_heads: 3,
            num_buckets: 8,
            max_bucket_distance: 5,
            ..Config::default()
        };
        let table: Vec<f32> = (0..24).map(|n| n as f32).collect();
        let bias = position_bias(&table, &config, 6);
        assert_eq!(bias.len(), 3 * 36);
        for (i, value) in bias.iter().enumerate() {
            let (head, query, key) = (i / 36, i / 6 % 6, i % 6);
            let expected = bucket(key as i64 - query as i64, &config) * 3 + head;
            assert_eq!(*value, expected as f32);
        }
    }
}
