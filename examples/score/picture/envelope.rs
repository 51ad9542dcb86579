//! How far a sound swings, column by column.

use super::sound::Columns;

pub(super) struct Envelope {
    /// The lowest and the highest sample of each column.
    pub(super) columns: Vec<(f32, f32)>,
    of: Columns,
    heard: usize,
}

impl Envelope {
    pub(super) fn new(of: Columns) -> Self {
        Self {
            columns: vec![(0.0, 0.0); of.count],
            of,
            heard: 0,
        }
    }

    pub(super) fn hear(&mut self, samples: &[f32]) {
        for &sample in samples {
            let (low, high) = &mut self.columns[self.of.at(self.heard)];
            *low = low.min(sample);
            *high = high.max(sample);
            self.heard += 1;
        }
    }

    /// The largest sample.
    pub(super) fn peak(&self) -> f32 {
        let swing = |&(low, high): &(f32, f32)| high.max(-low);
        self.columns.iter().map(swing).fold(0.0, f32::max)
    }
}
