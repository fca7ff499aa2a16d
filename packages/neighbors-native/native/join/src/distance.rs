//! The canonical distance: float64 in 8 lanes (column c in lane c % 8) that are added in a fixed order, without fused multiply-add,
//! rounded once to float32. It equals `canonicalDistance` of @rarefy/neighbors to the last bit.
use crate::isa::{Isa, multiversion};
use crate::schedule::{Stop, fill_parts};

/// Smaller is nearer: length of the difference; 1 - cosine, with 1 for a zero vector; minus the inner product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    Euclidean,
    Cosine,
    Dot,
}

/// Rows to compare, row-major. The points are the distinct ones, named by `first`.
pub struct Points<'a> {
    pub data: &'a [f32],
    pub cols: usize,
    /// Row number of each point.
    pub first: Vec<u32>,
    /// x · x of each point, for cosine; otherwise empty.
    pub squared: Vec<f64>,
}

impl Points<'_> {
    #[inline(always)]
    pub fn row(&self, point: usize) -> &[f32] {
        row(self.data, self.cols, self.first[point] as usize)
    }

    pub fn len(&self) -> usize {
        self.first.len()
    }

    pub fn squared_lengths(&self, isa: Isa, threads: usize, stop: &Stop) -> Vec<f64> {
        let mut squared = vec![0.0; self.len()];
        fill_parts(&mut squared, threads, stop, |start, part| squared_lengths(isa, self, start, part));
        squared
    }
}

#[inline(always)]
pub fn row(data: &[f32], cols: usize, at: usize) -> &[f32] {
    &data[at * cols..][..cols]
}

#[inline(always)]
pub fn lanes(x: &[f32], y: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lane = [0f64; 8];
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (p, q) in xs.iter().zip(ys) {
        for l in 0..8 {
            lane[l] += term(f64::from(p[l]), f64::from(q[l]));
        }
    }
    for (l, (p, q)) in x_rest.iter().zip(y_rest).enumerate() {
        lane[l] += term(f64::from(*p), f64::from(*q));
    }
    ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))
}

#[inline(always)]
pub fn product(x: &[f32], y: &[f32]) -> f64 {
    lanes(x, y, |a, b| a * b)
}

multiversion! {
    /// Sets the distance from `point` to each of `near`.
    pub fn measure = measure_body(metric: Metric, points: &Points, point: usize, near: &mut [(f32, u32)])
}

#[inline(always)]
fn measure_body(metric: Metric, points: &Points, point: usize, near: &mut [(f32, u32)]) {
    let x = points.row(point);
    for at in 0..near.len() {
        if let Some(&(_, ahead)) = near.get(at + 2) {
            prefetch(points.row(ahead as usize));
        }
        let other = near[at].1 as usize;
        let y = points.row(other);
        near[at].0 = match metric {
            Metric::Euclidean => lanes(x, y, |a, b| (a - b) * (a - b)).sqrt() as f32,
            // Adding 0 after rounding turns -0 into 0.
            Metric::Dot => (0.0 - product(x, y)) as f32 + 0.0,
            Metric::Cosine => {
                let lengths = (points.squared[point] * points.squared[other]).sqrt();
                if lengths == 0.0 {
                    1.0
                } else {
                    let distance = 1.0 - product(x, y) / lengths;
                    (if distance > 0.0 { distance } else { 0.0 }) as f32
                }
            }
        };
    }
}

multiversion! {
    /// x · x of the points from `start`.
    fn squared_lengths = squared_lengths_body(points: &Points, start: usize, out: &mut [f64])
}

#[inline(always)]
fn squared_lengths_body(points: &Points, start: usize, out: &mut [f64]) {
    for (at, value) in out.iter_mut().enumerate() {
        let x = points.row(start + at);
        *value = product(x, x);
    }
}

/// Candidates are scattered in memory: without prefetching, most of the time would be spent waiting for them.
#[inline(always)]
fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16).take(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: only a hint; the address is inside `row`.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}
