//! Tiles for x86-64. Each `a` points to the first of MR lanes, and each `b` to the first of `steps * NR` values.
use crate::tile::{Hits, MR, NR, Out, Side};
use std::arch::x86_64::*;

macro_rules! multiply_512 {
    ($name:ident, $features:literal, $add:expr) => {
        /// # Safety
        /// `a` and `b` point to memory as described above.
        #[target_feature(enable = $features)]
        pub unsafe fn $name(mut a: *const i32, mut b: *const i32, steps: usize, out: &mut Out) {
            let mut sums = [[_mm512_setzero_si512(); NR / 16]; MR];
            for _ in 0..steps {
                // SAFETY: guaranteed by the caller.
                let y: [__m512i; NR / 16] = std::array::from_fn(|h| unsafe { _mm512_loadu_si512(b.add(16 * h).cast()) });
                for (r, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: guaranteed by the caller.
                    let x = _mm512_set1_epi32(unsafe { *a.add(r) });
                    for (sum, &y) in sums.iter_mut().zip(&y) {
                        *sum = $add(*sum, x, y);
                    }
                }
                (a, b) = (a.wrapping_add(NR), b.wrapping_add(NR));
            }
            for (out, sum) in out.as_chunks_mut::<16>().0.iter_mut().zip(sums.iter().flatten()) {
                // SAFETY: `out` has 16 values.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), *sum) };
            }
        }
    };
}
multiply_512!(multiply_vnni, "avx512f,avx512bw,avx512vnni", _mm512_dpwssd_epi32);
multiply_512!(multiply_avx512, "avx512f,avx512bw", |sum, x, y| _mm512_add_epi32(sum, _mm512_madd_epi16(x, y)));

/// 4 rows x 2 vectors at a time: 8 sums and their operands fit 16 registers.
macro_rules! multiply_by_four {
    ($name:ident, $features:literal, $width:literal, $zero:ident, $set:ident, $load:ident, $store:ident, $add:ident, $multiply:ident) => {
        /// # Safety
        /// `a` and `b` point to memory as described above.
        #[target_feature(enable = $features)]
        pub unsafe fn $name(a: *const i32, b: *const i32, steps: usize, out: &mut Out) {
            for row in (0..MR).step_by(4) {
                for column in (0..NR).step_by(2 * $width) {
                    let (mut a, mut b) = (a.wrapping_add(row), b.wrapping_add(column));
                    let mut sums = [[$zero(); 2]; 4];
                    for _ in 0..steps {
                        // SAFETY: guaranteed by the caller.
                        let y = unsafe { [$load(b.cast()), $load(b.add($width).cast())] };
                        for (r, sums) in sums.iter_mut().enumerate() {
                            // SAFETY: guaranteed by the caller.
                            let x = $set(unsafe { *a.add(r) });
                            for (sum, &y) in sums.iter_mut().zip(&y) {
                                *sum = $add(*sum, $multiply(x, y));
                            }
                        }
                        (a, b) = (a.wrapping_add(NR), b.wrapping_add(NR));
                    }
                    for (r, sums) in sums.iter().enumerate() {
                        for (h, sum) in sums.iter().enumerate() {
                            let out = &mut out[(row + r) * NR + column + h * $width..][..$width];
                            // SAFETY: `out` has as many values as the vector.
                            unsafe { $store(out.as_mut_ptr().cast(), *sum) };
                        }
                    }
                }
            }
        }
    };
}
multiply_by_four!(
    multiply_avx2,
    "avx2",
    8,
    _mm256_setzero_si256,
    _mm256_set1_epi32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_add_epi32,
    _mm256_madd_epi16
);
multiply_by_four!(
    multiply_sse2,
    "sse2",
    4,
    _mm_setzero_si128,
    _mm_set1_epi32,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_add_epi32,
    _mm_madd_epi16
);

/// # Safety
/// The sides have MR and NR values.
#[target_feature(enable = "avx512f,avx512bw")]
pub unsafe fn scan_avx512(products: &Out, rows: &Side, columns: &Side, hits: &mut Hits) {
    for (i, hits) in hits.iter_mut().enumerate() {
        let scale = _mm512_set1_ps(rows.scale[i]);
        let half = _mm512_set1_ps(rows.half[i]);
        let least = _mm512_set1_ps(rows.least[i]);
        *hits = (0, 0);
        for j in (0..NR).step_by(16) {
            // SAFETY: each array has 16 values from j on.
            let (product, scales, halves, leasts) = unsafe {
                (
                    _mm512_loadu_si512(products.as_ptr().add(i * NR + j).cast()),
                    _mm512_loadu_ps(columns.scale.as_ptr().add(j)),
                    _mm512_loadu_ps(columns.half.as_ptr().add(j)),
                    _mm512_loadu_ps(columns.least.as_ptr().add(j)),
                )
            };
            let value = _mm512_mul_ps(_mm512_cvtepi32_ps(product), _mm512_mul_ps(scale, scales));
            let row = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, _mm512_add_ps(halves, least));
            let column = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, _mm512_add_ps(leasts, half));
            hits.0 |= u32::from(row) << j;
            hits.1 |= u32::from(column) << j;
        }
    }
}

/// # Safety
/// The sides have MR and NR values.
#[target_feature(enable = "avx2")]
pub unsafe fn scan_avx2(products: &Out, rows: &Side, columns: &Side, hits: &mut Hits) {
    for (i, hits) in hits.iter_mut().enumerate() {
        let scale = _mm256_set1_ps(rows.scale[i]);
        let half = _mm256_set1_ps(rows.half[i]);
        let least = _mm256_set1_ps(rows.least[i]);
        *hits = (0, 0);
        for j in (0..NR).step_by(8) {
            // SAFETY: 8 values from j in each.
            let (product, scales, halves, leasts) = unsafe {
                (
                    _mm256_loadu_si256(products.as_ptr().add(i * NR + j).cast()),
                    _mm256_loadu_ps(columns.scale.as_ptr().add(j)),
                    _mm256_loadu_ps(columns.half.as_ptr().add(j)),
                    _mm256_loadu_ps(columns.least.as_ptr().add(j)),
                )
            };
            let value = _mm256_mul_ps(_mm256_cvtepi32_ps(product), _mm256_mul_ps(scale, scales));
            let row = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(value, _mm256_add_ps(halves, least)));
            let column = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(value, _mm256_add_ps(leasts, half)));
            hits.0 |= (row as u32) << j;
            hits.1 |= (column as u32) << j;
        }
    }
}
