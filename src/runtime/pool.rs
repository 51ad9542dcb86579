//! A few things that many threads share, each used by one at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};

pub(crate) struct Pool<T> {
    idle: Mutex<Vec<T>>,
    returned: Condvar,
}

impl<T> Pool<T> {
    /// A pool of at least one item.
    pub(crate) fn new(items: Vec<T>) -> Self {
        debug_assert!(!items.is_empty(), "taking from an empty pool would wait for ever");
        Self {
            idle: Mutex::new(items),
            returned: Condvar::new(),
        }
    }

    /// Takes an item, waiting for one if all are in use. It goes back when dropped, even by a panic.
    pub(crate) fn take(&self) -> Taken<'_, T> {
        // A poisoned lock still guards a whole list: nothing that can panic happens while it is held.
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = idle.pop() {
                return Taken {
                    pool: self,
                    item: Some(item),
                };
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

pub(crate) struct Taken<'a, T> {
    pool: &'a Pool<T>,
    /// `Some` until dropped.
    item: Option<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item.as_ref().expect("present until dropped")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect("present until dropped")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(item);
            self.pool.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_item_is_used_twice_at_once_and_none_is_lost() {
        let pool = Pool::new(vec![0, 0]);
        let in_use = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let mut uses = pool.take();
                        assert!(in_use.fetch_add(1, Ordering::SeqCst) < 2);
                        *uses += 1;
                        in_use.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let uses = pool.idle.into_inner().unwrap_or_default();
        assert_eq!((uses.len(), uses.iter().sum::<usize>()), (2, 800));
    }

    #[test]
    fn a_panic_gives_the_item_back() {
        let pool = Pool::new(vec![()]);
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _item = pool.take();
                panic!("a run failed");
            });
            thread.join().is_err()
        });
        assert!(panicked);
        drop(pool.take());
    }
}
