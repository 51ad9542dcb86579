//! The order in which files are shown.

use std::cmp::Ordering;

use bonafide::Score;

use crate::arguments::Order;
use crate::scoring::Outcome;

/// Puts outcomes in order. What is equal stays as it was, and what could not be scored comes last.
pub(crate) fn sort(outcomes: &mut [Outcome], order: Order) {
    outcomes.sort_by(|a, b| match (&a.score, &b.score) {
        (Ok(first), Ok(second)) => match order {
            Order::Path => a.path.cmp(&b.path),
            Order::Score => by_score(first, second),
            Order::Duration => second.duration_seconds.total_cmp(&first.duration_seconds),
        },
        (Err(_), Err(_)) => match order {
            Order::Path => a.path.cmp(&b.path),
            Order::Score | Order::Duration => Ordering::Equal,
        },
        (a, b) => a.is_err().cmp(&b.is_err()),
    });
}

/// By P(spoof), which is what is shown, and where that saturates by the log-likelihood ratio, which doesn't. A score
/// without speech means nothing, whatever it is.
fn by_score(a: &Score, b: &Score) -> Ordering {
    let without_speech = |score: &Score| score.verdict().is_none();
    without_speech(a)
        .cmp(&without_speech(b))
        .then(b.spoof_probability.total_cmp(&a.spoof_probability))
        .then(a.llr.total_cmp(&b.llr))
}
