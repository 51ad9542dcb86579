//! Multi-head attention, with WavLM's gated relative position bias.

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::functions::{rows_per_task, softmax};

/// How many heads share the channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads(pub(super) usize);

impl Heads {
    /// `softmax(query · keyᵀ / √width + bias) · value` of each head, side by side again: `[frames, channels]`.
    ///
    /// `bias` is that of the relative positions, and how much each frame heeds it.
    pub(super) fn attend(
        self,
        query: &Array2<f64>,
        key: &Array2<f64>,
        value: &Array2<f64>,
        bias: Option<(&RelativePositions, &Array2<f64>)>,
    ) -> Array2<f64> {
        let width = query.ncols() / self.0;
        let rows = rows_per_task(query.nrows());
        let mut context = Array2::zeros(query.raw_dim());
        for head in 0..self.0 {
            let columns = s![.., head * width..(head + 1) * width];
            let (key, value) = (key.slice(columns), value.slice(columns));
            context
                .slice_mut(columns)
                .axis_chunks_iter_mut(Axis(0), rows)
                .into_par_iter()
                .zip(query.slice(columns).axis_chunks_iter(Axis(0), rows))
                .enumerate()
                .for_each(|(task, (mut context, query))| {
                    let mut scores = query.dot(&key.t()) / (width as f64).sqrt();
                    for (row, mut scores) in scores.rows_mut().into_iter().enumerate() {
                        if let Some((relative, gates)) = bias {
                            let frame = task * rows + row;
                            scores.scaled_add(gates[[frame, head]], &relative.of(head, frame));
                        }
                        softmax(scores);
                    }
                    context.assign(&scores.dot(&value));
                });
        }
        context
    }

    /// WavLM's gates, `[frames, heads]`: each head's channels go through a linear layer to 8 numbers, whose first and
    /// last four are summed to `a` and `b`, and the gate is `σ(a) · (σ(b) · scale − 1) + 2`.
    pub(super) fn gates(
        self,
        hidden: &Array2<f64>,
        weight: &Array2<f64>,
        bias: &Array1<f64>,
        scale: &Array1<f64>,
    ) -> Array2<f64> {
        let width = hidden.ncols() / self.0;
        let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
        let mut gates = Array2::zeros((hidden.nrows(), self.0));
        for head in 0..self.0 {
            let projected = hidden.slice(s![.., head * width..(head + 1) * width]).dot(&weight.t()) + bias;
            for (gate, row) in gates.column_mut(head).iter_mut().zip(projected.rows()) {
                let [a, b] = [s![..4], s![4..]].map(|four| sigmoid(row.slice(four).sum()));
                *gate = a * (b * scale[head] - 1.0) + 2.0;
            }
        }
        gates
    }
}

/// WavLM's bias of each frame on each other one, by how far ahead that is: `[heads, 2 · frames − 1]`, from the farthest
/// behind.
pub(super) struct RelativePositions {
    by_distance: Array2<f64>,
}

impl RelativePositions {
    /// From `embedding [buckets, heads]`. From `max_distance` frames on, all distances share a bucket.
    pub(super) fn new(embedding: &Array2<f64>, max_distance: usize, frames: usize) -> Self {
        let (buckets, heads) = embedding.dim();
        let by_distance = Array2::from_shape_fn((heads, 2 * frames - 1), |(head, place)| {
            let bucket = bucket(frames - 1, place, buckets, max_distance);
            embedding[[bucket, head]]
        });
        Self { by_distance }
    }

    /// The biases of `frame` on all frames.
    fn of(&self, head: usize, frame: usize) -> ArrayView1<'_, f64> {
        let frames = self.by_distance.ncols().div_ceil(2);
        let first = frames - 1 - frame;
        self.by_distance.slice(s![head, first..first + frames])
    }
}

/// The bucket of a distance: half of the buckets for each direction, half of those for one distance each, and the
/// others for ranges that grow by a factor up to `max_distance`.
///
/// The logarithm is in `f32`, as PyTorch has it, which decides the bucket of distances on a border.
fn bucket(query: usize, key: usize, buckets: usize, max_distance: usize) -> usize {
    let half = buckets / 2;
    let exact = half / 2;
    let distance = query.abs_diff(key);
    let within = if distance < exact {
        distance
    } else {
        let factor = (max_distance as f64 / exact as f64).ln() as f32;
        let steps = (distance as f32 / exact as f32).ln() / factor * (half - exact) as f32;
        ((exact as f32 + steps) as usize).min(half - 1)
    };
    if key > query { half + within } else { within }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn attention_by_hand() {
        // One head of width 1: the first query weighs the two values 1 to 3, the second alike.
        let query = array![[3.0_f64.ln()], [0.0]];
        let key = array![[0.0], [1.0]];
        let value = array![[4.0], [8.0]];
        let context = Heads(1).attend(&query, &key, &value, None);
        assert!((context[[0, 0]] - 7.0).abs() < 1e-12 && (context[[1, 0]] - 6.0).abs() < 1e-12);
    }

    #[test]
    fn heads_are_side_by_side_and_scaled_by_their_width() {
        let x = array![[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [0.5, -1.0, 0.0, 2.0]];
        let both = Heads(2).attend(&x, &x, &x, None);
        for columns in [s![.., ..2], s![.., 2..]] {
            let part = x.slice(columns).to_owned();
            let alone = Heads(1).attend(&part, &part, &part, None);
            assert!((&both.slice(columns) - &alone).iter().all(|d| d.abs() < 1e-12));
        }
        // By hand, the first frame of the second head: scores 25, 10 and 8, over √2.
        let scores = [25.0, 10.0, 8.0].map(|score: f64| (score / 2.0_f64.sqrt()).exp());
        let expected = (scores[0] * 3.0 + scores[1] * 2.0) / scores.iter().sum::<f64>();
        assert!((both[[0, 2]] - expected).abs() < 1e-12);
    }

    #[test]
    fn buckets_are_those_of_transformers() {
        // WavLMAttention._relative_positions_bucket with 320 buckets and 800 frames.
        for (key, expected) in [
            (0, 0),
            (1, 161),
            (79, 239),
            (80, 240),
            (100, 247),
            (200, 271),
            (400, 295),
            (799, 319),
            (5000, 319),
        ] {
            assert_eq!(bucket(0, key, 320, 800), expected, "{key}");
            let backwards = if key == 0 { 0 } else { expected - 160 };
            assert_eq!(bucket(key, 0, 320, 800), backwards, "-{key}");
        }
    }

    #[test]
    fn a_gate_by_hand() {
        // All sums 0: σ = ½, so ½ · (½ · 6 − 1) + 2 = 3.
        let gates = Heads(1).gates(
            &array![[1.0, -1.0]],
            &Array2::zeros((8, 2)),
            &Array1::zeros(8),
            &array![6.0],
        );
        assert!((gates[[0, 0]] - 3.0).abs() < 1e-12);
        // The first four numbers are a, the last four b.
        let bias = array![0.0, 0.0, 0.0, 3.0_f64.ln(), -50.0, 0.0, 0.0, 0.0];
        let gates = Heads(1).gates(&array![[0.0, 0.0]], &Array2::zeros((8, 2)), &bias, &array![6.0]);
        assert!((gates[[0, 0]] - 1.25).abs() < 1e-12, "{gates}");
    }

    #[test]
    fn the_bias_of_relative_positions_is_gated_by_the_query() {
        let embedding = array![[0.0], [0.0], [5.0_f64.ln()], [7.0_f64.ln()]];
        let relative = RelativePositions::new(&embedding, 4, 2);
        let zeros = Array2::zeros((2, 1));
        let value = array![[0.0], [6.0]];
        // Only the first frame looks ahead: distance 1 is in bucket 2 + 1, whose bias ln 7 is doubled by the gate.
        let gates = array![[2.0], [0.5]];
        let context = Heads(1).attend(&zeros, &zeros, &value, Some((&relative, &gates)));
        assert!((context[[0, 0]] - 6.0 * 49.0 / 50.0).abs() < 1e-12, "{context}");
        assert!((context[[1, 0]] - 3.0).abs() < 1e-12, "{context}");
    }
}
