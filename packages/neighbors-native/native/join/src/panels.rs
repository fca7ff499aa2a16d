//! Rows as int16 in panels, and how far a value computed from them can be from the true one.
//!
//! A row is first made into y, of which the distance is an increasing function of v(i, j) = a(i) + a(j) - y(i) · y(j):
//! euclidean: y = x - centre, a = |y|² / 2 (v is half the squared distance); dot: y = x, a = 0; cosine: y = x / |x|, a = 0.
//! All y are multiplied by one power of two that brings the largest length near 1. Then y = s q + e with q in int16 and |e| = r, and
//! by Cauchy-Schwarz |y(i) · y(j) - s(i) s(j) q(i) · q(j)| <= |s(i) q(i)| r(j) + r(i) |y(j)|.
use crate::distance::{Metric, Points, lanes, row};
use crate::isa::{Isa, multiversion};
use crate::schedule::{Stop, fill_parts, parallel, parts_of};
use crate::tile::NR;
use crate::{Error, filled};

/// Panels a block.
pub const PANELS: usize = 12;
/// Rows a block: two blocks of 384 columns stay in a core's second-level cache.
pub const BLOCK: usize = PANELS * NR;

/// Largest lengths in a block.
#[derive(Clone, Copy, Default)]
pub struct Reach {
    pub length: f32,
    pub error: f32,
}

/// `rows` filled up to whole blocks; what fills has a = +Infinity and is never near.
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
    /// Whether a is not 0.
    has_halves: bool,
    /// The v that makes a distance overflow.
    overflow: f32,
    /// What rounding to a float32 below the normal ones adds to the error: this for each length, and ...
    underflow: f32,
    /// ... this.
    underflow_squared: f32,
}

impl Panels {
    pub fn panel(&self, panel: usize) -> &[i32] {
        &self.values[panel * NR * self.steps..][..NR * self.steps]
    }

    /// How far the computed v is from the true one at most, between a row and another (or any of a block).
    #[inline(always)]
    pub fn error(&self, own: Reach, other: Reach) -> f32 {
        let lengths = own.length + other.length;
        // All numbers on the way are at most this; where T is more, no rounding of it changes a test.
        let largest = if self.has_halves { lengths * lengths } else { 2.0 * own.length * other.length };
        // A float32 rounding is 2^-24 of at most twice that; there are 11 of them from here to the distance that is returned, and 2e-6
        // stands for 33. Products of scales that underflow are wrong by up to 2^-149, times int32: 1e-35 stands for it.
        let rounding = 2e-6 * largest + self.underflow * lengths + self.underflow_squared;
        1.001 * ((own.length + own.error) * other.error + own.error * other.length + rounding) + 1e-35
    }

    /// A bound for the k-th smallest, such that distances which float32 makes equal by overflow are within it together.
    #[inline(always)]
    pub fn within(&self, bound: f32) -> f32 {
        if bound >= self.overflow { f32::INFINITY } else { bound.max(-self.overflow) }
    }
}

/// Orders the points by length (within a factor of 1.4, in the order given) so that a block's rows are alike and its bounds narrow;
/// then quantises them.
pub fn quantise(isa: Isa, metric: Metric, points: &mut Points, order: &mut [u32], threads: usize, stop: &Stop) -> Result<Panels, Error> {
    let (centre, mut lengths) = if metric == Metric::Euclidean {
        let centre = centre_of(points);
        let mut lengths = vec![0f64; points.len()];
        fill_parts(&mut lengths, threads, stop, |start, part| lengths_from(isa, points, &centre, start, part));
        (centre, lengths)
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
    let mut panels = fill(isa, metric, points, &centre, &factors.collect::<Vec<f64>>(), threads, stop)?;
    let (most, least) = (f64::from(f32::MAX) * (1.0 - 1e-6), 2f64.powi(-149));
    match metric {
        // The distance is sqrt(2 v) / unit.
        Metric::Euclidean => {
            panels.overflow = ((most * unit).powi(2) / 2.0) as f32;
            panels.underflow = (least * unit) as f32;
            panels.underflow_squared = (least * unit).powi(2) as f32;
        }
        // It is v / unit².
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

fn fill(isa: Isa, metric: Metric, points: &Points, centre: &[f64], factors: &[f64], threads: usize, stop: &Stop) -> Result<Panels, Error> {
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
            quantise_row(isa, metric, points.row(point), centre, factors[point], &mut y, &mut out[lane..], &mut facts[lane]);
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
    /// Writes one lane of a panel. `y` is room for the row.
    fn quantise_row = quantise_row_body(metric: Metric, x: &[f32], centre: &[f64], factor: f64, y: &mut [f64], lane: &mut [i32], fact: &mut Fact)
}

#[inline(always)]
fn quantise_row_body(metric: Metric, x: &[f32], centre: &[f64], factor: f64, y: &mut [f64], lane: &mut [i32], fact: &mut Fact) {
    // Adding and subtracting it rounds to a whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    if metric == Metric::Euclidean {
        for ((y, &x), &c) in y.iter_mut().zip(x).zip(centre) {
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
    // |q| < 2^15.5 keeps every partial sum of a product inside int32; rounding adds at most half the root of the columns to |q|.
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

/// A centre that few far rows do not move: the mean of a sample, each row weighted by 1 / max(length, lower quartile). Any centre gives
/// the same answer; a good one gives narrow bounds.
fn centre_of(points: &Points) -> Vec<f64> {
    let count = points.len().min(((1 << 21) / points.cols).max(256));
    let sample: Vec<&[f32]> = (0..count).map(|at| points.row(at * points.len() / count)).collect();
    let lengths: Vec<f64> = sample.iter().map(|x| lanes(x, x, |a, b| a * b).sqrt()).collect();
    let mut sorted = lengths.clone();
    let (_, &mut quartile, _) = sorted.select_nth_unstable_by(count / 4, f64::total_cmp);
    let mut centre = vec![0f64; points.cols];
    let mut total = 0.0;
    for (x, &length) in sample.iter().zip(&lengths) {
        let weight = 1.0 / length.max(quartile).max(f64::MIN_POSITIVE);
        total += weight;
        for (sum, &value) in centre.iter_mut().zip(*x) {
            *sum += weight * f64::from(value);
        }
    }
    centre.iter_mut().for_each(|sum| *sum /= total);
    centre
}

multiversion! {
    /// |x - centre| of the points from `start`.
    fn lengths_from = lengths_from_body(points: &Points, centre: &[f64], start: usize, out: &mut [f64])
}

#[inline(always)]
fn lengths_from_body(points: &Points, centre: &[f64], start: usize, out: &mut [f64]) {
    for (at, length) in out.iter_mut().enumerate() {
        let mut lane = [0f64; 8];
        let x = row(points.data, points.cols, points.first[start + at] as usize);
        for (xs, cs) in x.chunks(8).zip(centre.chunks(8)) {
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

    /// v of a pair as the tiles compute it, and from float64 rows.
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
                let panels = quantise(Isa::best(), metric, &mut points, &mut order, 2, &Stop::new(&abort)).unwrap();
                let value = |row: usize, column: usize| {
                    let pair = panels.panel(row / NR)[column / 2 * NR + row % NR];
                    i64::from(if column.is_multiple_of(2) { pair as i16 } else { (pair >> 16) as i16 })
                };
                let centre = if metric == Metric::Euclidean { centre_of(&points) } else { vec![0.0; cols] };
                let length = |x: &[f32]| x.iter().zip(&centre).map(|(&x, &c)| (f64::from(x) - c).powi(2)).sum::<f64>().sqrt();
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
                // A bound far from what happens would only cost time; this one is near.
                assert!(checked > 0.02 || cols == 1, "{metric:?} {cols}: {checked}");
            }
        }
    }
}
