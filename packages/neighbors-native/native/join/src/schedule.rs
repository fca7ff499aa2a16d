//! Work on several threads whose result does not depend on their number.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Reasons to end work early: an abort by the caller, or a panic in one of the threads.
pub struct Stop<'a> {
    pub abort: &'a AtomicBool,
    panicked: AtomicBool,
}

impl<'a> Stop<'a> {
    pub fn new(abort: &'a AtomicBool) -> Self {
        Stop { abort, panicked: AtomicBool::new(false) }
    }

    pub fn requested(&self) -> bool {
        self.abort.load(Relaxed) || self.panicked.load(Relaxed)
    }
}

/// Stops the other threads if this one panics, since they may wait for it.
struct OnPanic<'a>(&'a AtomicBool);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Relaxed);
        }
    }
}

/// Runs `work(0..tasks)`; threads take tasks in order. Stops early on request. A panic of `work` propagates from this call.
pub fn parallel(threads: usize, tasks: usize, stop: &Stop, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let run = || {
        let _guard = OnPanic(&stop.panicked);
        loop {
            let task = next.fetch_add(1, Relaxed);
            if task >= tasks || stop.requested() {
                break;
            }
            work(task);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(tasks) {
            // If the system cannot start more threads, fewer do the work.
            if std::thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}

/// Parts of `size` elements, each to be filled by one thread.
pub fn parts_of<T>(all: &mut [T], size: usize) -> Vec<Mutex<&mut [T]>> {
    all.chunks_mut(size).map(Mutex::new).collect()
}

/// Fills `all` in parts of 256: `work(start, part)`.
pub fn fill_parts<T: Send>(all: &mut [T], threads: usize, stop: &Stop, work: impl Fn(usize, &mut [T]) + Sync) {
    let parts = parts_of(all, 256);
    parallel(threads, parts.len(), stop, |part| work(part * 256, &mut parts[part].lock().unwrap()));
}

/// A block of rows with the number of rounds that it has finished.
pub struct Turn<T> {
    state: Mutex<(usize, T)>,
    passed: Condvar,
}

impl<T> Turn<T> {
    pub fn new(value: T) -> Self {
        Turn { state: Mutex::new((0, value)), passed: Condvar::new() }
    }

    /// Waits until the block has finished the earlier rounds; `None` if work stops.
    fn enter(&self, round: usize, stop: &Stop) -> Option<MutexGuard<'_, (usize, T)>> {
        let mut state = self.state.lock().ok()?;
        while state.0 != round {
            if stop.requested() {
                return None;
            }
            state = self.passed.wait_timeout(state, Duration::from_millis(2)).ok()?.0;
        }
        Some(state)
    }

    fn leave(&self, mut state: MutexGuard<'_, (usize, T)>) {
        state.0 += 1;
        drop(state);
        self.passed.notify_all();
    }

    /// Accesses the block after the last round.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.state.lock().unwrap().1)
    }
}

/// Visits every pair of blocks once; a block with itself as `visit(block, None)`. In round r, block i meets block r - i, so each
/// block is in every round once, and finishes its rounds in order. So what a block has seen before a meeting is the same for any
/// number of threads. Threads take tasks in order, so the earliest unfinished meeting never has to wait.
pub fn rounds<T: Send>(threads: usize, blocks: &[Turn<T>], stop: &Stop, visit: impl Fn(&mut T, Option<&mut T>) + Sync) {
    let count = blocks.len();
    parallel(threads, count * count, stop, |task| {
        let (round, i) = (task / count, task % count);
        let j = (round + count - i) % count;
        if i > j {
            return;
        }
        let Some(mut first) = blocks[i].enter(round, stop) else { return };
        if i == j {
            visit(&mut first.1, None);
        } else {
            let Some(mut second) = blocks[j].enter(round, stop) else { return };
            visit(&mut first.1, Some(&mut second.1));
            blocks[j].leave(second);
        }
        blocks[i].leave(first);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_meet_once_and_in_the_same_order_for_any_threads() {
        for count in [1, 2, 5, 8] {
            for threads in [1, 2, 8] {
                let abort = AtomicBool::new(false);
                let blocks: Vec<Turn<(usize, Vec<usize>)>> = (0..count).map(|at| Turn::new((at, Vec::new()))).collect();
                rounds(threads, &blocks, &Stop::new(&abort), |first, second| match second {
                    Some(second) => {
                        first.1.push(second.0);
                        second.1.push(first.0);
                    }
                    None => first.1.push(first.0),
                });
                for (at, block) in blocks.iter().enumerate() {
                    let expected: Vec<usize> = (0..count).map(|round| (round + count - at) % count).collect();
                    block.with(|(_, met)| assert_eq!(*met, expected));
                }
            }
        }
    }

    #[test]
    fn a_panic_ends_all_threads_and_comes_out() {
        let abort = AtomicBool::new(false);
        let blocks: Vec<Turn<usize>> = (0..9).map(Turn::new).collect();
        let stop = Stop::new(&abort);
        let run = || rounds(4, &blocks, &stop, |first, _| assert!(*first != 4, "block 4"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        assert!(stop.requested());
    }
}
