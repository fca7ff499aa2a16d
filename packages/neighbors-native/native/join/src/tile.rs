//! Tiles of MR rows x NR columns: products of int16 rows, exact in int32 whatever the instructions, and the tests against the bounds.
use crate::isa::{Isa, Level};

pub const MR: usize = 8;
pub const NR: usize = 32;
pub type Out = [i32; MR * NR];
/// Per row of a tile, bits of the columns near enough for the row, and of those for which the row is near enough.
pub type Hits = [(u32, u32); MR];

/// What the test of one side of a tile reads; MR or NR values each.
pub struct Side<'a> {
    pub scale: &'a [f32],
    /// a, +Infinity for rows that only fill a block.
    pub half: &'a [f32],
    /// a - T - error: a row j is near enough when s s q · q exceeds this plus a(j).
    pub least: &'a [f32],
}

/// Sums over `steps` pairs of columns. `a` holds the rows from lane `lane` on, `b` all lanes of a panel.
pub fn multiply(isa: Isa, a: &[i32], lane: usize, b: &[i32], out: &mut Out) {
    assert!(a.len() == b.len() && a.len().is_multiple_of(NR) && lane + MR <= NR);
    match isa.0 {
        Level::Generic => multiply_generic(a, lane, b, out),
        // SAFETY: an `Isa` exists only for what the CPU has; the lengths are checked above.
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

/// Which pairs of a tile are near enough.
pub fn scan(isa: Isa, products: &Out, rows: &Side, columns: &Side, hits: &mut Hits) {
    for (side, count) in [(rows, MR), (columns, NR)] {
        assert!(side.scale.len() == count && side.half.len() == count && side.least.len() == count);
    }
    match isa.0 {
        // SAFETY: an `Isa` exists only for what the CPU has; the lengths are checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Vnni | Level::Avx512 => unsafe { crate::tile_x86::scan_avx512(products, rows, columns, hits) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { crate::tile_x86::scan_avx2(products, rows, columns, hits) },
        _ => scan_generic(products, rows, columns, hits),
    }
}

fn multiply_generic(a: &[i32], lane: usize, b: &[i32], out: &mut Out) {
    let halves = |value: i32| (i32::from(value as i16), value >> 16);
    out.fill(0);
    for (xs, ys) in a.as_chunks::<NR>().0.iter().zip(b.as_chunks::<NR>().0) {
        for (x, sums) in xs[lane..lane + MR].iter().zip(out.as_chunks_mut::<NR>().0) {
            let (low, high) = halves(*x);
            for (sum, y) in sums.iter_mut().zip(ys) {
                *sum += low * halves(*y).0 + high * halves(*y).1;
            }
        }
    }
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
