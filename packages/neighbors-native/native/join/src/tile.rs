//! Tiles of MR rows x NR columns: products of int16 rows, exact in int32 with any instructions, and tests against the bounds.
use crate::isa::{Isa, Level};

pub const MR: usize = 8;
pub const NR: usize = 32;
pub type Out = [i32; MR * NR];
/// Per row of a tile, one bit per column: whether the column is near enough for the row, and the row for the column.
pub type Hits = [(u32, u32); MR];

/// The inputs of the test for one side of a tile; MR or NR values each.
pub struct Side<'a> {
    pub scale: &'a [f32],
    /// a; +Infinity for padding rows.
    pub half: &'a [f32],
    /// a - T - error: row j is near enough if s s q · q exceeds this plus a(j).
    pub least: &'a [f32],
}

/// Sums products over all pairs of columns. Uses MR lanes of panel `a` from lane `lane` on, and all lanes of panel `b`.
pub fn multiply(isa: Isa, a: &[i32], lane: usize, b: &[i32], out: &mut Out) {
    assert!(a.len() == b.len() && a.len().is_multiple_of(NR) && lane + MR <= NR);
    match isa.0 {
        Level::Generic => multiply_generic(a, lane, b, out),
        // SAFETY: an `Isa` exists only if the CPU supports it; the lengths are checked above.
        #[cfg(target_arch = "x86_64")]
        _ => unsafe {
            let (a, steps) = (a.as_ptr().add(lane), b.len() / NR);
            match isa.0 {
                Level::Vnni => crate::tile_x86::multiply_vnni(a, b.as_ptr(), steps, out),
                Level::Avx512 => crate::tile_x86::multiply_avx512(a, b.as_ptr(), steps, out),
                Level::Avx2 => crate::tile_x86::multiply_avx2(a, b.as_ptr(), steps, out),
                _ => crate::tile_x86::multiply_sse2(a, b.as_ptr(), steps, out),
            }
        },
    }
}

/// Finds the pairs of a tile that are near enough.
pub fn scan(isa: Isa, products: &Out, rows: &Side, columns: &Side, hits: &mut Hits) {
    for (side, count) in [(rows, MR), (columns, NR)] {
        assert!(side.scale.len() == count && side.half.len() == count && side.least.len() == count);
    }
    match isa.0 {
        // SAFETY: an `Isa` exists only if the CPU supports it; the lengths are checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Vnni | Level::Avx512 => unsafe { crate::tile_x86::scan_avx512(products, rows, columns, hits) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { crate::tile_x86::scan_avx2(products, rows, columns, hits) },
        _ => scan_generic(products, rows, columns, hits),
    }
}

/// One row at a time, whose sums fit the registers of any CPU with 16-byte vectors.
fn multiply_generic(a: &[i32], lane: usize, b: &[i32], out: &mut Out) {
    for (row, out) in out.as_chunks_mut::<NR>().0.iter_mut().enumerate() {
        let mut sums = [0; NR];
        for (xs, ys) in a.as_chunks::<NR>().0.iter().zip(b.as_chunks::<NR>().0) {
            let (low, high) = halves(xs[lane + row]);
            for (sum, &y) in sums.iter_mut().zip(ys) {
                let y = halves(y);
                *sum += i32::from(low) * i32::from(y.0) + i32::from(high) * i32::from(y.1);
            }
        }
        *out = sums;
    }
}

/// The two int16 of a value.
fn halves(value: i32) -> (i16, i16) {
    (value as i16, (value >> 16) as i16)
}

fn scan_generic(products: &Out, rows: &Side, columns: &Side, hits: &mut Hits) {
    for i in 0..MR {
        let (mut row, mut column) = (0, 0);
        for j in 0..NR {
            let value = products[i * NR + j] as f32 * (rows.scale[i] * columns.scale[j]);
            row |= u32::from(value > columns.half[j] + rows.least[i]) << j;
            column |= u32::from(value > columns.least[j] + rows.half[i]) << j;
        }
        hits[i] = (row, column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Includes the longest rows allowed, whose sums are near the limits of int32.
    #[test]
    fn every_instruction_set_gives_the_same_products_and_hits() {
        for steps in [1, 2, 7, 64] {
            let largest = (46_300.0 / (2.0 * steps as f64).sqrt()).min(32_767.0) as i32;
            let value = |at: usize| [largest, -largest, 0, (at as i32).wrapping_mul(7919) % (largest + 1)][at * 31 % 7 % 4];
            let panel = |shift: usize| -> Vec<i32> {
                (0..steps * NR).map(|at| value(2 * at + shift) & 0xffff | value(2 * at + 1 + shift) << 16).collect()
            };
            let (a, b) = (panel(0), panel(5));
            let floats = |from: f32, count: usize| -> Vec<f32> { (0..count).map(|at| from + 0.01 * at as f32).collect() };
            let (scale, half, mut least) = (floats(1e-5, NR), floats(0.5, NR), floats(-0.6, NR));
            least[3] = f32::INFINITY;
            least[4] = f32::NEG_INFINITY;
            let rows = Side { scale: &scale[..MR], half: &half[..MR], least: &least[..MR] };
            let columns = Side { scale: &scale, half: &half, least: &least };
            for lane in [0, 8, 24] {
                let mut expected = [0; MR * NR];
                for (at, sum) in expected.iter_mut().enumerate() {
                    for step in 0..steps {
                        let (x, y) = (halves(a[step * NR + lane + at / NR]), halves(b[step * NR + at % NR]));
                        *sum += i32::from(x.0) * i32::from(y.0) + i32::from(x.1) * i32::from(y.1);
                    }
                }
                let mut near = [(0, 0); MR];
                scan_generic(&expected, &rows, &columns, &mut near);
                for isa in Isa::supported() {
                    let (mut products, mut hits) = ([1; MR * NR], [(1, 1); MR]);
                    multiply(isa, &a, lane, &b, &mut products);
                    assert_eq!(products, expected, "{}", isa.name());
                    scan(isa, &products, &rows, &columns, &mut hits);
                    assert_eq!(hits, near, "{}", isa.name());
                }
            }
        }
    }
}
