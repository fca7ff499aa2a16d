//! Rows as int16 in panels, and a bound of the error of values that are computed from them.
//!
//! Each row x is transformed to y, such that the distance is an increasing function of v(i, j) = a(i) + a(j) - y(i) · y(j):
//! euclidean: y = x - center, a = |y|² / 2 (v is half the squared distance); dot: y = x, a = 0; cosine: y = x / |x|, a = 0.
//! All y are multiplied by a power of two that brings the largest length near 1. Then y = s q + e with q in int16 and |e| = r, and
//! by Cauchy-Schwarz |y(i) · y(j) - s(i) s(j) q(i) · q(j)| <= |s(i) q(i)| r(j) + r(i) |y(j)|.
use crate::distance::{Metric, Points, lanes, row};
use crate::isa::{Isa, multiversion};
use crate::schedule::{Stop, fill_parts, parallel, parts_of};
use crate::tile::NR;
use crate::{Error, filled};

/// Panels per block.
pub const PANELS: usize = 12;
/// Rows per block: two blocks of 384 columns stay in a core's second-level cache.
pub const BLOCK: usize = PANELS * NR;

/// Largest lengths in a block.
#[derive(Clone, Copy, Default)]
pub struct Reach {
    pub length: f32,
    pub error: f32,
}

/// Rows padded to whole blocks. Padding rows have a = +Infinity and are never near.
pub struct Panels {
    pub rows: usize,
    /// Pairs of columns.
    pub steps: usize,
    /// [panel of 32 rows][pair of columns][row] of two int16.
    pub values: Vec<i32>,
    pub scale: Vec<f32>,
    pub half: Vec<f32>,
    pub reach: Vec<Reach>,
    pub blocks: Vec<Reach>,
    /// Whether a can differ from 0.
    has_halves: bool,
    /// The v from which on a distance overflows.
    overflow: f32,
    /// Error from rounding to float32 below its normal range: this times each length, plus `underflow_squared`.
    underflow: f32,
    underflow_squared: f32,
}

impl Panels {
    pub fn panel(&self, panel: usize) -> &[i32] {
        &self.values[panel * NR * self.steps..][..NR * self.steps]
    }

    /// Bound of the error of v, between a row and another one (or any of a block).
    #[inline(always)]
    pub fn error(&self, own: Reach, other: Reach) -> f32 {
        let lengths = own.length + other.length;
        // Bound of all intermediate numbers. If T is larger, its rounding does not change a test.
        let largest = if self.has_halves { lengths * lengths } else { 2.0 * own.length * other.length };
        // A float32 rounding is 2^-24 of at most twice that. There are 11 roundings up to the distance that is returned, and 2e-6
        // covers 33. Products of scales that underflow are wrong by up to 2^-149, times an int32, which 1e-35 covers.
        let rounding = 2e-6 * largest + self.underflow * lengths + self.underflow_squared;
        1.001 * ((own.length + own.error) * other.error + own.error * other.length + rounding) + 1e-35
    }

    /// A bound for the k-th smallest v, which treats all distances that overflow float32 as equal.
    #[inline(always)]
    pub fn within(&self, bound: f32) -> f32 {
        if bound >= self.overflow { f32::INFINITY } else { bound.max(-self.overflow) }
    }
}

/// Orders the points by length, to a factor of 1.4, so that the rows of a block have similar lengths and tight bounds. Then
/// quantizes them.
pub fn quantize(isa: Isa, metric: Metric, points: &mut Points, order: &mut [u32], threads: usize, stop: &Stop) -> Result<Panels, Error> {
    let (center, mut lengths) = if metric == Metric::Euclidean {
        let center = center_of(points);
        let mut lengths = vec![0f64; points.len()];
        fill_parts(&mut lengths, threads, stop, |start, part| lengths_from(isa, points, &center, start, part));
        (center, lengths)
    } else {
        let squared = points.squared_lengths(isa, threads, stop);
        (Vec::new(), squared.into_iter().map(f64::sqrt).collect())
    };
    let largest = lengths.iter().copied().fold(0.0, f64::max);
    if metric != Metric::Cosine {
        let bucket = |length: f64| if length > 0.0 { ((largest / length).log2() * 2.0) as u32 } else { u32::MAX };
        let buckets: Vec<u32> = lengths.iter().map(|&length| bucket(length)).collect();
        order.sort_by_key(|&at| buckets[at as usize]);
        points.first = order.iter().map(|&at| points.first[at as usize]).collect();
        lengths = order.iter().map(|&at| lengths[at as usize]).collect();
    }
    let unit = unit_of(largest);
    let factors = lengths.iter().map(|&length| match metric {
        Metric::Cosine if length > 0.0 => 1.0 / length,
        Metric::Cosine => 0.0,
        Metric::Euclidean | Metric::Dot => unit,
    });
    let mut panels = fill(isa, metric, points, &center, &factors.collect::<Vec<f64>>(), threads, stop)?;
    let (most, least) = (f64::from(f32::MAX) * (1.0 - 1e-6), 2f64.powi(-149));
    match metric {
        // The distance is sqrt(2 v) / unit.
        Metric::Euclidean => {
            panels.overflow = ((most * unit).powi(2) / 2.0) as f32;
            panels.underflow = (least * unit) as f32;
            panels.underflow_squared = (least * unit).powi(2) as f32;
        }
        // The distance is v / unit².
        Metric::Dot => {
            panels.overflow = (most * unit.powi(2)) as f32;
            panels.underflow_squared = (least * unit.powi(2)) as f32;
        }
        Metric::Cosine => {}
    }
    Ok(panels)
}

/// The power of two that brings a length to [1, 2).
fn unit_of(length: f64) -> f64 {
    if length > 0.0 { (-length.log2().floor()).exp2() } else { 1.0 }
}

fn fill(isa: Isa, metric: Metric, points: &Points, center: &[f64], factors: &[f64], threads: usize, stop: &Stop) -> Result<Panels, Error> {
    let (rows, steps) = (points.len(), points.cols.div_ceil(2));
    let padded = rows.div_ceil(BLOCK) * BLOCK;
    let mut values = filled(padded * steps, 0i32)?;
    let mut facts = vec![Fact { scale: 0.0, half: f32::INFINITY, reach: Reach::default() }; padded];
    let value_parts = parts_of(&mut values, NR * steps);
    let fact_parts = parts_of(&mut facts, NR);
    parallel(threads, value_parts.len(), stop, |panel| {
        let (mut out, mut facts) = (value_parts[panel].lock().unwrap(), fact_parts[panel].lock().unwrap());
        let mut y = vec![0f64; points.cols];
        for lane in 0..NR.min(rows.saturating_sub(panel * NR)) {
            let point = panel * NR + lane;
            quantize_row(isa, metric, points.row(point), center, factors[point], &mut y, &mut out[lane..], &mut facts[lane]);
        }
    });
    drop((value_parts, fact_parts));
    let largest = |block: &[Fact], of: fn(&Reach) -> f32| block.iter().map(|fact| of(&fact.reach)).fold(0.0, f32::max);
    let blocks = facts.chunks(BLOCK).map(|block| Reach { length: largest(block, |r| r.length), error: largest(block, |r| r.error) });
    Ok(Panels {
        rows,
        steps,
        blocks: blocks.collect(),
        scale: facts.iter().map(|fact| fact.scale).collect(),
        half: facts.iter().map(|fact| fact.half).collect(),
        reach: facts.iter().map(|fact| fact.reach).collect(),
        values,
        has_halves: metric == Metric::Euclidean,
        overflow: f32::INFINITY,
        underflow: 0.0,
        underflow_squared: 0.0,
    })
}

#[derive(Clone, Copy)]
struct Fact {
    scale: f32,
    half: f32,
    reach: Reach,
}

multiversion! {
    /// Writes one lane of a panel. `y` is a buffer for the row.
    fn quantize_row = quantize_row_body(metric: Metric, x: &[f32], center: &[f64], factor: f64, y: &mut [f64], lane: &mut [i32], fact: &mut Fact)
}

#[inline(always)]
fn quantize_row_body(metric: Metric, x: &[f32], center: &[f64], factor: f64, y: &mut [f64], lane: &mut [i32], fact: &mut Fact) {
    // Adding and subtracting this rounds to an integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    if metric == Metric::Euclidean {
        for ((y, &x), &c) in y.iter_mut().zip(x).zip(center) {
            *y = (f64::from(x) - c) * factor;
        }
    } else {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f64::from(x) * factor;
        }
    }
    let (mut squares, mut largest) = ([0f64; 8], [0f64; 8]);
    for part in y.chunks(8) {
        for (l, value) in part.iter().enumerate() {
            squares[l] += value * value;
            largest[l] = if value.abs() > largest[l] { value.abs() } else { largest[l] };
        }
    }
    let squared: f64 = squares.iter().sum();
    let largest = largest.iter().copied().fold(0.0, f64::max);
    // |q| < 2^15.5 keeps every partial sum of a product inside int32; rounding adds at most sqrt(columns) / 2 to |q|.
    let bound = 46_300.0 - 0.5 * (x.len() as f64).sqrt();
    let scale = f64::from(((squared.sqrt() / bound).max(largest / 32_767.0) as f32).max(f32::MIN_POSITIVE));
    let inverse = 1.0 / scale;
    let mut errors = [0f64; 8];
    for part in y.chunks_mut(8) {
        for (l, value) in part.iter_mut().enumerate() {
            let whole = (*value * inverse + ROUND) - ROUND;
            let error = *value - whole * scale;
            errors[l] += error * error;
            *value = whole;
        }
    }
    let low_half = |value: f64| i32::from(value as i16) & 0xffff;
    let (pairs, last) = y.as_chunks::<2>();
    for (at, pair) in pairs.iter().enumerate() {
        lane[at * NR] = low_half(pair[0]) | i32::from(pair[1] as i16) << 16;
    }
    if let [value] = last {
        lane[pairs.len() * NR] = low_half(*value);
    }
    *fact = Fact {
        scale: scale as f32,
        half: if metric == Metric::Euclidean { (squared / 2.0) as f32 } else { 0.0 },
        reach: Reach { length: squared.sqrt() as f32, error: errors.iter().sum::<f64>().sqrt() as f32 },
    };
}

/// A center that is robust against outliers: the mean of a sample, with weight 1 / max(length, lower quartile) per row. Any center
/// gives the same result; a good one gives tight bounds.
fn center_of(points: &Points) -> Vec<f64> {
    let count = points.len().min(((1 << 21) / points.cols).max(256));
    let sample: Vec<&[f32]> = (0..count).map(|at| points.row(at * points.len() / count)).collect();
    let lengths: Vec<f64> = sample.iter().map(|x| lanes(x, x, |a, b| a * b).sqrt()).collect();
    let mut sorted = lengths.clone();
    let (_, &mut quartile, _) = sorted.select_nth_unstable_by(count / 4, f64::total_cmp);
    let mut center = vec![0f64; points.cols];
    let mut total = 0.0;
    for (x, &length) in sample.iter().zip(&lengths) {
        let weight = 1.0 / length.max(quartile).max(f64::MIN_POSITIVE);
        total += weight;
        for (sum, &value) in center.iter_mut().zip(*x) {
            *sum += weight * f64::from(value);
        }
    }
    center.iter_mut().for_each(|sum| *sum /= total);
    center
}

multiversion! {
    /// |x - center| of the points from `start`.
    fn lengths_from = lengths_from_body(points: &Points, center: &[f64], start: usize, out: &mut [f64])
}

#[inline(always)]
fn lengths_from_body(points: &Points, center: &[f64], start: usize, out: &mut [f64]) {
    for (at, length) in out.iter_mut().enumerate() {
        let mut lane = [0f64; 8];
        let x = row(points.data, points.cols, points.first[start + at] as usize);
        for (xs, cs) in x.chunks(8).zip(center.chunks(8)) {
            for (l, (&x, &c)) in xs.iter().zip(cs).enumerate() {
                lane[l] += (f64::from(x) - c) * (f64::from(x) - c);
            }
        }
        *length = lane.iter().sum::<f64>().sqrt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Compares v as the tiles compute it with v from float64 rows.
    #[test]
    fn the_error_is_never_more_than_its_bound_and_sums_fit() {
        let abort = AtomicBool::new(false);
        for (cols, spread) in [(1, 0), (3, 4), (40, 0), (200, 2), (1001, 6)] {
            let (rows, mut seed) = (120, 7u64);
            let mut uniform = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 40) as f32 / (1u32 << 24) as f32 - 0.4
            };
            let data: Vec<f32> = (0..rows * cols).map(|at| uniform() * 10f32.powi((at / cols) as i32 % (spread + 1))).collect();
            for metric in [Metric::Euclidean, Metric::Cosine, Metric::Dot] {
                let mut points = Points { data: &data, cols, first: (0..rows as u32).collect(), squared: Vec::new() };
                let mut order: Vec<u32> = (0..rows as u32).collect();
                let panels = quantize(Isa::best(), metric, &mut points, &mut order, 2, &Stop::new(&abort)).unwrap();
                let value = |row: usize, column: usize| {
                    let pair = panels.panel(row / NR)[column / 2 * NR + row % NR];
                    i64::from(if column.is_multiple_of(2) { pair as i16 } else { (pair >> 16) as i16 })
                };
                let center = if metric == Metric::Euclidean { center_of(&points) } else { vec![0.0; cols] };
                let length = |x: &[f32]| x.iter().zip(&center).map(|(&x, &c)| (f64::from(x) - c).powi(2)).sum::<f64>().sqrt();
                let unit = unit_of((0..rows).map(|at| length(points.row(at))).fold(0.0, f64::max));
                let mut checked = 0.0f32;
                for i in 0..rows {
                    assert!((0..cols).map(|c| value(i, c) * value(i, c)).sum::<i64>() < 1 << 31);
                    for j in 0..i {
                        let product: i64 = (0..cols).map(|c| value(i, c) * value(j, c)).sum();
                        let scaled = product as i32 as f32 * (panels.scale[i] * panels.scale[j]);
                        let computed = panels.half[i] + panels.half[j] - scaled;
                        let (x, y) = (points.row(i), points.row(j));
                        let exact = match metric {
                            Metric::Euclidean => lanes(x, y, |a, b| (a - b) * (a - b)) / 2.0 * unit * unit,
                            Metric::Cosine => -lanes(x, y, |a, b| a * b) / (length(x) * length(y)),
                            Metric::Dot => -lanes(x, y, |a, b| a * b) * unit * unit,
                        };
                        let error = (f64::from(computed) - exact).abs();
                        let bound = panels.error(panels.reach[i], panels.reach[j]);
                        assert!(error <= f64::from(bound), "{metric:?} {cols} {i} {j}: {error} > {bound}");
                        checked = checked.max((error / f64::from(bound)) as f32);
                    }
                }
                // A loose bound would only cost time; this one is tight.
                assert!(checked > 0.02 || cols == 1, "{metric:?} {cols}: {checked}");
            }
        }
    }
}
