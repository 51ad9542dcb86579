//! The same work on many items, on all cores.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// The cores there are to use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// `work` on each item, in the items' order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results: Vec<(usize, R)> = Vec::with_capacity(items.len());
    each(
        items,
        cores(),
        |index, item| (index, work(item)),
        |result| {
            results.push(result);
            true
        },
    );
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// `work` on each item in as many threads, and `take` of each result in this one, in the order in which they come.
/// When `take` returns false, no further item is begun.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(usize, &T) -> R + Sync,
    mut take: impl FnMut(R) -> bool,
) {
    let next = AtomicUsize::new(0);
    // Bounded, so that results do not pile up when they can't be written as fast as they come.
    let (sender, receiver) = mpsc::sync_channel(2 * threads);
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    if sender.send(work(index, item)).is_err() {
                        return; // nobody takes results any more
                    }
                }
            });
        }
        drop(sender);
        for result in receiver {
            if !take(result) {
                break;
            }
        }
    });
}
