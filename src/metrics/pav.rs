//! Pool adjacent violators: the groups of scores between the corners of the ROC's convex hull.

use super::Trials;

/// A run of scores in which every score means the same: the fraction of bona fide trials rises from block to block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// Its lowest score.
    pub(super) lowest: f64,
    /// Its highest score.
    pub(super) highest: f64,
    pub(super) bonafide: usize,
    pub(super) spoof: usize,
}

impl Block {
    /// ln of how much likelier a score in this block is for bona fide than for spoof; infinite where the block has
    /// trials of one class only.
    pub(super) fn llr(&self, trials: &Trials) -> f64 {
        let bonafide = self.bonafide as f64 / trials.bonafide() as f64;
        let spoof = self.spoof as f64 / trials.spoof() as f64;
        (bonafide / spoof).ln()
    }

    /// Whether the fraction of bona fide trials fails to rise from this block to the next.
    fn violates(&self, next: &Self) -> bool {
        // As products of counts, which are exact.
        self.bonafide as u128 * next.spoof as u128 >= next.bonafide as u128 * self.spoof as u128
    }

    fn pool(&self, next: &Self) -> Self {
        Self {
            lowest: self.lowest,
            highest: next.highest,
            bonafide: self.bonafide + next.bonafide,
            spoof: self.spoof + next.spoof,
        }
    }
}

/// The blocks of the isotonic regression of the classes on the scores, in ascending order.
///
/// Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", 2002;
/// that these are the segments of the ROC's convex hull: Fawcett and Niculescu-Mizil, "PAV and the ROC convex hull",
/// 2007.
pub(super) fn blocks(trials: &Trials) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for step in trials.steps() {
        let mut block = Block {
            lowest: step.score,
            highest: step.score,
            bonafide: step.bonafide,
            spoof: step.spoof,
        };
        while let Some(before) = blocks.pop_if(|before| before.violates(&block)) {
            block = before.pool(&block);
        }
        blocks.push(block);
    }
    blocks
}
