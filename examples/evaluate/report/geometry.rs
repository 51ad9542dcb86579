//! From operating points to the few points that a plot needs.

use std::ops::Range;

use bonafide::metrics::{OperatingPoint, probit};

/// A point of a plot, in the units of its axes.
pub(super) type Point = (f64, f64);

/// Beyond every axis, and finite so that lines to it can be clipped: probit(10⁻¹⁶) is −8.2.
const BEYOND: f64 = 9.0;

/// A rate on a DET plot's axis.
pub(super) fn deviate(rate: f64) -> f64 {
    probit(rate.clamp(0.0, 1.0)).clamp(-BEYOND, BEYOND)
}

/// The operating point that is nearest to equal error rates.
pub(super) fn equal_error_index(curve: &[OperatingPoint]) -> usize {
    let distance = |point: &OperatingPoint| (point.miss - point.false_alarm).abs();
    let nearest = curve
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    nearest.map_or(0, |(index, _)| index)
}

/// Drops points that are nearer than `step` to the last point kept, in both directions, but neither the ends nor the
/// point at `keep`.
///
/// The curves rise or fall throughout, so what is left has at most (width + height) / `step` points or so, however
/// many trials there are, and is nowhere further than `step` from the whole curve.
pub(super) fn thin(curve: &[Point], step: f64, keep: usize) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for (index, &(x, y)) in curve.iter().enumerate() {
        let far = kept
            .last()
            .is_none_or(|&(last_x, last_y)| (x - last_x).abs() >= step || (y - last_y).abs() >= step);
        if far || index == keep || index + 1 == curve.len() {
            kept.push((x, y));
        }
    }
    kept
}

/// The parts of a line inside a square of which both axes cover `axis`.
pub(super) fn clip(line: &[Point], axis: &Range<f64>) -> Vec<Vec<Point>> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for ends in line.windows(2) {
        let Some((from, to)) = clip_segment(ends[0], ends[1], axis) else {
            continue;
        };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts
}

/// Liang and Barsky: the stretch of a segment between the latest entry and the earliest exit over all edges.
fn clip_segment(from: Point, to: Point, axis: &Range<f64>) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut entry, mut exit) = (0.0_f64, 1.0_f64);
    let edges = [
        (-dx, from.0 - axis.start),
        (dx, axis.end - from.0),
        (-dy, from.1 - axis.start),
        (dy, axis.end - from.1),
    ];
    for (outwards, room) in edges {
        if outwards == 0.0 && room < 0.0 {
            return None;
        }
        if outwards < 0.0 {
            entry = entry.max(room / outwards);
        } else if outwards > 0.0 {
            exit = exit.min(room / outwards);
        }
    }
    let at = |share: f64| match share {
        0.0 => from,
        1.0 => to,
        _ => (from.0 + share * dx, from.1 + share * dy),
    };
    (entry <= exit).then(|| (at(entry), at(exit)))
}

/// How the scores of both classes spread.
pub(super) struct Histogram {
    pub(super) scores: Range<f64>,
    /// Shares of all bona fide trials, by bin.
    pub(super) bonafide: Vec<f64>,
    /// Shares of all spoofed trials, by bin.
    pub(super) spoof: Vec<f64>,
}

/// What each class may have beyond either end of a histogram; the bins at the ends take it in.
const TAIL: f64 = 0.001;

impl Histogram {
    /// Counts trials by the steps of a DET curve.
    pub(super) fn new(curve: &[OperatingPoint], bins: usize) -> Self {
        let scores = spread(curve);
        let mut histogram = Self {
            bonafide: vec![0.0; bins],
            spoof: vec![0.0; bins],
            scores,
        };
        for points in curve.windows(2) {
            let score = points[1].threshold;
            let share = (score - histogram.scores.start) / (histogram.scores.end - histogram.scores.start);
            let bin = ((share * bins as f64) as usize).min(bins - 1); // below 0 and above 1 go to the ends
            histogram.bonafide[bin] += points[1].miss - points[0].miss;
            histogram.spoof[bin] += points[0].false_alarm - points[1].false_alarm;
        }
        histogram
    }

    /// The outline of one class's bars.
    pub(super) fn outline(&self, shares: &[f64]) -> Vec<Point> {
        let width = (self.scores.end - self.scores.start) / shares.len() as f64;
        let edge = |index: usize| self.scores.start + index as f64 * width;
        let bars = shares.iter().enumerate();
        bars.flat_map(|(index, &share)| [(edge(index), share), (edge(index + 1), share)])
            .collect()
    }
}

/// The widest and the narrowest histogram, in nats from 0 and from end to end. plotters cannot find ticks for ranges
/// that are at the limits of `f64`.
const FARTHEST: f64 = 1e6;
const NARROWEST: f64 = 0.01;

/// Where nearly all scores of both classes are.
fn spread(curve: &[OperatingPoint]) -> Range<f64> {
    let mut scores = curve.iter().filter(|point| point.threshold.is_finite());
    let last = scores.clone().next_back();
    let low = scores
        .clone()
        .find(|point| point.miss > TAIL || point.false_alarm < 1.0 - TAIL);
    let high = scores.find(|point| point.miss >= 1.0 - TAIL && point.false_alarm <= TAIL);
    let shown = |point: Option<&OperatingPoint>| point.map_or(0.0, |point| point.threshold.clamp(-FARTHEST, FARTHEST));
    let (low, high) = (shown(low), shown(high.or(last)));
    if high - low >= NARROWEST {
        low..high
    } else {
        low - 1.0..low + 1.0
    }
}
