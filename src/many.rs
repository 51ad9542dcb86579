//! Scoring many files at once.

use std::collections::BTreeMap;
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::{Detector, Error, Result, Score};

/// How many files may be done ahead of the one that the caller waits for, so that scores don't pile up behind a long one.
const AHEAD: usize = 1024;

/// The scores of many files, in the order of the paths. Made by [`Detector::score_files`].
///
/// Dropping it leaves out the files that were not begun.
pub struct Scores<P> {
    shared: Arc<Shared<P>>,
}

struct Shared<P> {
    queue: Mutex<Queue<P>>,
    changed: Condvar,
}

struct Queue<P> {
    paths: Box<dyn Iterator<Item = P> + Send>,
    /// Paths taken from `paths`.
    taken: usize,
    /// Scores given to the caller.
    given: usize,
    /// Scores that wait for those before them.
    done: BTreeMap<usize, (P, Result<Score>)>,
    /// There is no path left, or the caller wants no more.
    ended: bool,
}

impl<P> Shared<P> {
    fn lock(&self) -> MutexGuard<'_, Queue<P>> {
        // A poisoned lock still guards a whole queue: nothing that can panic leaves it half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, queue: MutexGuard<'q, Queue<P>>) -> MutexGuard<'q, Queue<P>> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next path, once there is room for its score.
    fn take(&self) -> Option<(usize, P)> {
        let mut queue = self.lock();
        while !queue.ended && queue.taken - queue.given >= AHEAD {
            queue = self.wait(queue);
        }
        if queue.ended {
            return None;
        }
        // A list that panics has ended: its panic is the worker's, and the caller must not wait for ever.
        let path = catch_unwind(AssertUnwindSafe(|| queue.paths.next())).unwrap_or_default();
        if path.is_none() {
            queue.ended = true;
            self.changed.notify_all();
        }
        let index = queue.taken;
        queue.taken += usize::from(path.is_some());
        path.map(|path| (index, path))
    }

    fn put(&self, index: usize, path: P, score: Result<Score>) {
        self.lock().done.insert(index, (path, score));
        self.changed.notify_all();
    }
}

impl<P: AsRef<Path> + Send + 'static> Scores<P> {
    pub(crate) fn start(detector: &Detector, paths: Box<dyn Iterator<Item = P> + Send>) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                paths,
                taken: 0,
                given: 0,
                done: BTreeMap::new(),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        // While one file is in the model, another is decoded.
        for _ in 0..=detector.info().sessions {
            let (detector, shared) = (detector.clone(), Arc::clone(&shared));
            thread::spawn(move || {
                while let Some((index, path)) = shared.take() {
                    let scored = catch_unwind(AssertUnwindSafe(|| detector.score_file(path.as_ref())));
                    let score = scored.unwrap_or_else(|_| {
                        Err(Error::Runtime {
                            runtime: "bonafide",
                            action: "score a file",
                            reason: "it panicked; please report this".to_owned(),
                        })
                    });
                    shared.put(index, path, score);
                }
            });
        }
        Self { shared }
    }
}

impl<P> Iterator for Scores<P> {
    type Item = (P, Result<Score>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut queue = self.shared.lock();
        loop {
            let next = queue.given;
            if let Some(done) = queue.done.remove(&next) {
                queue.given += 1;
                self.shared.changed.notify_all();
                return Some(done);
            }
            if queue.ended && queue.given == queue.taken {
                return None;
            }
            queue = self.shared.wait(queue);
        }
    }
}

impl<P> FusedIterator for Scores<P> {}

impl<P> Drop for Scores<P> {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }
}
