//! How far apart two sets of values are, over several windows.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::graph::Values;

/// The difference of one layer's values from what they should be.
#[derive(Debug, Clone, Default)]
pub(super) struct Difference {
    max_absolute: f64,
    squares: f64,
    reference_squares: f64,
    state: State,
}

#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Compared,
    /// There was nothing to compare.
    NotCompared(String),
    /// The graph has a value in this place, but not one that can be right.
    Misfit(String),
}

impl Difference {
    /// Adds a window: what the checkpoint gives, `[frames, channels]`, and what the graph does.
    pub(super) fn add(&mut self, reference: &Array2<f64>, found: &Values) {
        let (shape, numbers) = match found {
            Values::Missing => {
                self.state = State::NotCompared("the graph has no value of this name".to_owned());
                return;
            }
            Values::NotF32 => {
                self.state = State::NotCompared("the graph's value is not of 32-bit floats".to_owned());
                return;
            }
            Values::Failed(reason) => {
                self.state = State::NotCompared(reason.clone());
                return;
            }
            Values::Found { shape, numbers } => (shape, numbers),
        };
        // Convolutions have their channels first. A mean over time has no frames.
        let (frames, channels) = reference.dim();
        let shape: Vec<usize> = shape.iter().copied().filter(|&size| size != 1).collect();
        let sizes = |order: [usize; 2]| order.into_iter().filter(|&size| size != 1).collect::<Vec<usize>>();
        if shape == sizes([frames, channels]) {
            self.accumulate(&reference.view(), numbers);
        } else if shape == sizes([channels, frames]) {
            self.accumulate(&reference.t(), numbers);
        } else {
            self.state = State::Misfit(format!(
                "its shape is {shape:?} in the graph and [{frames}, {channels}] in the checkpoint"
            ));
        }
    }

    fn accumulate(&mut self, reference: &ArrayView2<'_, f64>, numbers: &[f32]) {
        let rows = numbers.chunks_exact(reference.ncols());
        for (expected, found) in reference.axis_iter(Axis(0)).zip(rows) {
            self.accumulate_row(&expected, found);
        }
    }

    fn accumulate_row(&mut self, expected: &ArrayView1<'_, f64>, found: &[f32]) {
        for (expected, &found) in expected.iter().zip(found) {
            let difference = f64::from(found) - expected;
            self.squares += difference * difference;
            self.reference_squares += expected * expected;
            self.max_absolute = super::largest(self.max_absolute, difference.abs());
        }
    }

    pub(super) fn max_absolute(&self) -> f64 {
        self.max_absolute
    }

    /// ‖found − expected‖ / ‖expected‖ over all windows: 0 where both are nothing but zeros, and NaN if any number is.
    pub(super) fn relative(&self) -> f64 {
        if self.squares == 0.0 {
            return 0.0;
        }
        (self.squares / self.reference_squares).sqrt()
    }

    /// Why there is no difference to speak of.
    pub(super) fn note(&self) -> Option<&str> {
        match &self.state {
            State::Compared => None,
            State::NotCompared(reason) | State::Misfit(reason) => Some(reason),
        }
    }

    /// Whether the graph's value can't be right.
    pub(super) fn is_misfit(&self) -> bool {
        matches!(self.state, State::Misfit(_))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn found(shape: &[usize], numbers: &[f32]) -> Values {
        Values::Found {
            shape: shape.to_vec(),
            numbers: numbers.to_vec(),
        }
    }

    #[test]
    fn differences_add_up_over_windows_in_either_order_of_axes() {
        let mut difference = Difference::default();
        let reference = array![[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]];
        difference.add(&reference, &found(&[2, 3], &[1.0, 2.0, 2.0, 0.0, 0.0, 0.0]));
        assert_eq!((difference.max_absolute(), difference.relative()), (0.0, 0.0));
        difference.add(&reference, &found(&[3, 2], &[1.0, 0.0, 2.0, 3.0, 2.0, 0.0]));
        assert_eq!(difference.max_absolute(), 3.0);
        assert!((difference.relative() - (9.0_f64 / 18.0).sqrt()).abs() < 1e-15);
        assert_eq!(difference.note(), None);
    }

    #[test]
    fn not_a_number_is_no_agreement() {
        for (expected, value) in [(1.0, f32::NAN), (f64::NAN, 1.0)] {
            let mut difference = Difference::default();
            difference.add(&array![[expected, 1.0]], &found(&[2], &[value, 1.0]));
            assert!(difference.relative().is_nan() && difference.max_absolute().is_nan());
        }
    }

    #[test]
    fn a_value_where_there_should_be_zeros_is_infinitely_wrong() {
        let mut difference = Difference::default();
        difference.add(&Array2::zeros((1, 2)), &found(&[2], &[0.0, 1e-9]));
        assert_eq!(difference.relative(), f64::INFINITY);
    }

    #[test]
    fn another_shape_is_a_misfit() {
        let mut difference = Difference::default();
        difference.add(&Array2::zeros((4, 3)), &found(&[4, 2], &[0.0; 8]));
        assert!(difference.is_misfit());
        assert!(difference.note().unwrap().contains("[4, 2]"));
    }
}
