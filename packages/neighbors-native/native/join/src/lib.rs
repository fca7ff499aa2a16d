//! The k nearest other rows of every row, exactly.
//!
//! Equal rows are joined once. Products of int16 rows, exact in int32, decide with a proven bound which rows can be among the k
//! nearest; each pair is computed once. The remaining candidates are compared by the canonical distance and ordered by (distance,
//! id). Only that last step determines the result, so it is the same to the last bit for any instruction set and number of threads.
mod candidates;
mod distance;
mod groups;
mod isa;
mod panels;
mod rank;
mod schedule;
mod tile;
#[cfg(target_arch = "x86_64")]
mod tile_x86;

pub use distance::Metric;
pub use isa::Isa;

use candidates::{Bounds, Candidates};
use distance::Points;
use panels::{BLOCK, Panels};
use rank::{Lists, Ranking, Room};
use schedule::{Stop, Turn, parallel, rounds};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use tile::NR;

pub struct Options<'a> {
    pub k: usize,
    pub metric: Metric,
    pub threads: usize,
    pub isa: Isa,
    /// Whether equal rows are joined once; does not change the result.
    pub dedupe: bool,
    /// Ends the join within milliseconds when set to true.
    pub abort: &'a AtomicBool,
    pub progress: &'a Progress,
}

/// Units of work; may be read while the join runs.
#[derive(Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// From 0 to 1.
    pub fn share(&self) -> f64 {
        self.done.load(Relaxed) as f64 / self.total.load(Relaxed).max(1) as f64
    }
}

/// rows x k each, row-major; a missing neighbor is id -1 at +Infinity.
#[derive(Debug)]
pub struct Graph {
    pub ids: Vec<i32>,
    pub distances: Vec<f32>,
    /// Distinct rows that were compared with all others by the canonical distance, because too many candidates were left.
    pub full_scans: usize,
    pub distinct_rows: usize,
}

#[derive(Debug, PartialEq)]
pub enum Error {
    /// The sizes do not agree.
    Shape,
    /// A NaN or an infinity in this row.
    NotFinite(usize),
    OutOfMemory,
    Aborted,
}

/// `data` is rows x cols, row-major.
pub fn self_join(data: &[f32], rows: usize, cols: usize, options: &Options) -> Result<Graph, Error> {
    if data.len() != rows.checked_mul(cols).ok_or(Error::Shape)? || (rows > 0 && cols == 0) || options.k == 0 || rows > i32::MAX as usize {
        return Err(Error::Shape);
    }
    let stop = Stop::new(options.abort);
    let threads = options.threads.max(1);
    let entries = rows.checked_mul(options.k).ok_or(Error::OutOfMemory)?;
    let (mut ids, mut distances) = (filled(entries, -1i32)?, filled(entries, f32::INFINITY)?);
    let groups = groups::group_rows(data, rows, cols, options.dedupe, threads, &stop).map_err(Error::NotFinite)?;
    let k = options.k.min(rows.saturating_sub(1));
    let distinct_rows = groups.first.len();
    let mut full_scans = 0;
    if k > 0 && !stop.requested() {
        let mut order: Vec<u32> = (0..distinct_rows as u32).collect();
        let mut points = Points { data, cols, first: groups.first.clone(), squared: Vec::new() };
        // If k is a large part of the rows, a pre-filter does not pay off.
        let panels = if 4 * k < distinct_rows {
            Some(panels::quantize(options.isa, options.metric, &mut points, &mut order, threads, &stop)?)
        } else {
            None
        };
        if options.metric == Metric::Cosine {
            points.squared = points.squared_lengths(options.isa, threads, &stop);
        }
        let lists = Lists::new(&mut ids, &mut distances, rows, options.k);
        let ranking =
            Ranking { isa: options.isa, metric: options.metric, points: &points, groups: &groups, order: &order, k, lists: &lists };
        full_scans = match panels {
            Some(panels) => join(&ranking, &panels, threads, &stop, options.progress),
            None => compare_all(&ranking, threads, &stop, options.progress),
        };
    }
    if options.abort.load(Relaxed) {
        return Err(Error::Aborted);
    }
    Ok(Graph { ids, distances, full_scans, distinct_rows })
}

/// Returns the number of rows that were compared with all others.
fn join(ranking: &Ranking, panels: &Panels, threads: usize, stop: &Stop, progress: &Progress) -> usize {
    let points = panels.rows;
    let blocks = panels.blocks.len();
    let bounds = Bounds::new(ranking.k, points);
    let parts = points.div_ceil(NR);
    let meetings = blocks * (blocks + 1) / 2;
    progress.total.store((meetings + parts) as u64, Relaxed);
    let lists: Vec<Turn<Candidates>> = (0..blocks).map(|block| Turn::new(Candidates::new(block, &bounds))).collect();
    rounds(threads, &lists, stop, |first, second| {
        candidates::meet(ranking.isa, panels, &bounds, first, second, stop);
        progress.done.fetch_add(1, Relaxed);
    });
    let full_scans = AtomicUsize::new(0);
    parallel(threads, parts, stop, |part| {
        let mut room = Room::default();
        for point in part * NR..points.min((part + 1) * NR) {
            let list = lists[point / BLOCK].with(|block| block.take(panels, &bounds, point % BLOCK));
            match list {
                // SAFETY: each point is in one part.
                Some(list) => unsafe { ranking.rank(point, list.iter().map(|&entry| entry as u32), &mut room, stop) },
                None => {
                    full_scans.fetch_add(1, Relaxed);
                    // SAFETY: as above.
                    unsafe { ranking.rank(point, others(point, points), &mut room, stop) };
                }
            }
        }
        progress.done.fetch_add(1, Relaxed);
    });
    full_scans.into_inner()
}

/// Ranks all other rows of every row, without a pre-filter. Returns the number of points.
fn compare_all(ranking: &Ranking, threads: usize, stop: &Stop, progress: &Progress) -> usize {
    let points = ranking.points.len();
    let parts = points.div_ceil(NR);
    progress.total.store(parts as u64, Relaxed);
    parallel(threads, parts, stop, |part| {
        let mut room = Room::default();
        for point in part * NR..points.min((part + 1) * NR) {
            // SAFETY: each point is in one part.
            unsafe { ranking.rank(point, others(point, points), &mut room, stop) };
        }
        progress.done.fetch_add(1, Relaxed);
    });
    points
}

fn others(point: usize, points: usize) -> impl Iterator<Item = u32> {
    (0..points as u32).filter(move |&other| other as usize != point)
}

fn filled<T: Copy>(count: usize, value: T) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    all.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    all.resize(count, value);
    Ok(all)
}
