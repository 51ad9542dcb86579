//! A batch in parts that are worked on side by side.

use std::thread::{ScopedJoinHandle, scope};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Result;

/// The processor's threads, shared out to the parts. Much of what a network does is done by one thread alone, so two
/// halves of a batch side by side keep two processors busier than one batch on both.
pub(crate) struct Parts {
    /// The threads of each part.
    threads: Vec<ThreadPool>,
}

impl Parts {
    /// Batches are split into `count` parts, from 1.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let each = (rayon::current_num_threads() / count).max(1);
        let pool = |_| {
            let built = ThreadPoolBuilder::new().num_threads(each).build();
            built.map_err(|error| candle_core::Error::Msg(error.to_string()).into())
        };
        let threads = (0..count).map(pool).collect::<Result<_>>()?;
        Ok(Self { threads })
    }

    /// What `work` makes of each part of the rows, in their order. It is given the part's index, and where in the rows it
    /// begins.
    pub(crate) fn each<T: Sync, R: Send>(
        &self,
        rows: &[T],
        work: impl Fn(usize, usize, &[T]) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let length = rows.len().div_ceil(self.threads.len()).max(1);
        let work = &work;
        scope(|scope| {
            let parts = rows.chunks(length).enumerate().zip(&self.threads);
            let running: Vec<_> = parts
                .map(|((index, part), threads)| {
                    scope.spawn(move || threads.install(|| work(index, index * length, part)))
                })
                .collect();
            let join = |thread: ScopedJoinHandle<'_, Result<R>>| match thread.join() {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            running.into_iter().map(join).collect()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_and_in_order() {
        for count in 1..5 {
            let parts = Parts::new(count).unwrap();
            for length in 0..10 {
                let rows: Vec<usize> = (0..length).collect();
                let made = parts
                    .each(&rows, |index, first, part| Ok((index, first, part.to_vec())))
                    .unwrap();
                assert!(made.len() <= count);
                assert!(made.iter().enumerate().all(|(n, (index, ..))| n == *index));
                assert!(made.iter().all(|(_, first, part)| part.first() == Some(first)));
                let joined: Vec<usize> = made.into_iter().flat_map(|(.., part)| part).collect();
                assert_eq!(joined, rows);
            }
        }
    }
}
